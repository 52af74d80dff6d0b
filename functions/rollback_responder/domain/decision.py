"""Deciding: every fork is a value with a reason. The order of the gates is written down once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment, Baseline
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.freeze import Freeze, is_frozen
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.policy import Guardrails
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation, Origin, Release, way_back
from rollback_responder.domain.response import Mode, Response, Responses
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.trial import NoTrial, OnTrial, Returning, Trial
from rollback_responder.domain.trigger import AdoptedAlarm, Trigger, WhenUnmeasurable


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Undo what is on trial. `to_version` and `revision` are for what moves a pointer."""

    reason: Reason
    trial: Trial
    to_version: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Follow a rollback that somebody else began; nothing is to be done."""

    returning: Returning


@dataclass(frozen=True, slots=True, kw_only=True)
class StandDown:
    """Do nothing. `would` is what would have been undone but for the reason, if anything."""

    reason: Reason
    text: str
    would: RollBack | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Do `would` if a person approves it in time."""

    reason: Reason
    text: str
    would: RollBack


Decision = RollBack | Ask | Adopt | StandDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What people flip and what all services share, as it was when the target was claimed.

    `paused_by` names who paused the responder, or is None. `in_budget` says whether one more
    rollback fits into this hour; it is then set aside for this attempt.
    """

    paused_by: str | None = None
    in_budget: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else was looked at, because it may be the cause.

    `dependencies` are the alarms of what the service depends on, None for one that does not exist.
    `failing_siblings` names the services that share these and fail without a deploy of their own.
    """

    dependencies: Mapping[str, AlarmReading | None] = field(default_factory=dict)
    failing_siblings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a decision may rest on.

    `release` is the pointer's, as the ledger knows it; `ledger` is the pointer's and has already
    seen `observation`; all three are None where the service has no pointer. `ledgers` are those of
    all targets, by their ids. `approved_by` names who approved what the open incident asks for.
    """

    now: datetime
    alarm: AlarmReading
    observation: Observation | None
    release: Release | None
    ledger: Ledger | None
    ledgers: Mapping[str, Ledger]
    trigger: Trigger
    on_trial: OnTrial
    assessment: Assessment
    mode: Mode
    guardrails: Guardrails
    responses: Responses
    switches: Switches
    freezes: tuple[Freeze, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    controls: Controls = field(default_factory=Controls)
    approved_by: str | None = None
    never_back_to: frozenset[str] = frozenset()


def decide(situation: Situation) -> Decision:
    """Roll back, ask, follow a rollback, or stand down, with the one reason that settled it.

    The gates are asked in the order of `GATES`, and the first that objects is the answer. Then all
    switches are asked in theirs: the first that forbids is the answer, else the first that asks. An
    approval is an answer to what asks, to nothing else.
    """
    for gate in GATES:
        objection = gate(situation)
        if objection:
            return objection
    trial = situation.on_trial
    if not isinstance(trial, Trial):
        raise TypeError(f"no gate objected, and yet {trial} is no change to undo")
    decision = RollBack(reason=_why(situation), trial=trial)
    if trial.moves_pointer:
        back = _way_back(situation)
        if isinstance(back, StandDown):
            return back
        decision = replace(decision, to_version=back[0], revision=back[1])
    answers = [answer for switch in SWITCHES if (answer := switch(situation, decision))]
    forbidden = next((answer for answer in answers if isinstance(answer, StandDown)), None)
    if forbidden or not answers:
        return forbidden or decision
    return replace(decision, reason=Reason.APPROVED) if situation.approved_by else answers[0]


def _why(situation: Situation) -> Reason:
    trusted = situation.assessment.new.verdict is Verdict.UNMEASURABLE
    return Reason.ALARM_TRUSTED if trusted else Reason.METRIC_BREACHING


def _way_back(situation: Situation) -> tuple[str, str] | StandDown:
    """The version to go back to, and the revision to move the pointer from."""
    ledger, observation = situation.ledger, situation.observation
    never = situation.never_back_to
    version = way_back(ledger, observation, never) if ledger and observation else None
    if version is None or observation is None:
        suspect = observation.suspect if observation else "it"
        but = f" (the policy never goes back to {', '.join(sorted(never))})" if never else ""
        return StandDown(
            reason=Reason.NO_PROVEN_RELEASE,
            text=f"no version older than {suspect} has proved itself{but}",
        )
    return version, observation.revision


def alarm_objects(situation: Situation) -> StandDown | None:
    """The alarm, read again, does not stand behind its message.

    While traffic is shifting, an alarm on all of it cannot see a small part of it: there the
    version's own minutes, beside the other's, are enough (decision D21).
    """
    alarm = situation.alarm
    if alarm.state is not AlarmState.ALARM and not situation.assessment.convicts_beside:
        return StandDown(
            reason=Reason.ALARM_NOT_FIRING, text=f"the alarm, read again, is {alarm.state.value}"
        )
    if alarm.suppressed_by:
        return StandDown(
            reason=Reason.ALARM_SUPPRESSED, text=f"its actions are held by {alarm.suppressed_by}"
        )
    if not alarm.actions_enabled:
        return StandDown(reason=Reason.ALARM_DISABLED, text="somebody disabled its actions")
    if alarm.muted_by:
        return StandDown(
            reason=Reason.ALARM_MUTED, text=f"its actions are muted by the rule {alarm.muted_by}"
        )
    if alarm.unsound:
        return StandDown(
            reason=Reason.ALARM_UNSOUND, text=f"its state is in doubt: {alarm.unsound}"
        )
    return None


def trial_objects(situation: Situation) -> StandDown | Adopt | None:
    """Nothing can be undone, or it is being undone already."""
    match situation.on_trial:
        case NoTrial(reason=reason, text=text):
            return StandDown(reason=reason, text=text)
        case Returning():
            return Adopt(returning=situation.on_trial)
        case Trial():
            return None
        case _:
            assert_never(situation.on_trial)


def change_objects(situation: Situation) -> StandDown | None:
    """The change on trial is not what the alarm is about."""
    trial, release = situation.on_trial, situation.release
    if not isinstance(trial, Trial):
        return None
    live_at, tolerance = trial.since_at, timedelta(0)
    if trial.moves_pointer and release:
        objection = release_objects(situation, release)
        if objection:
            return objection
        # The ledger may have heard of the deploy late; the minutes know since when it serves.
        served_at = situation.assessment.served_since_at
        live_at = min(live_at, served_at or live_at)
        tolerance = timedelta(0) if served_at else CHANGE_TOLERANCE
    elif release and _went_back_with(trial, release):
        return _is_rollback(release)
    if situation.assessment.convicts_beside:
        # The version before serves beside it and does not fail, so nothing older is the cause.
        return None
    if situation.alarm.transitioned_at < live_at - tolerance:
        return StandDown(
            reason=Reason.ALARM_BEFORE_CHANGE,
            text=f"the alarm fired at {situation.alarm.transitioned_at:%H:%M:%S}, before"
            f" {trial.title} began at {live_at:%H:%M:%S} UTC",
        )
    return None


def release_objects(situation: Situation, release: Release) -> StandDown | None:
    """The release behind a pointer is not one that may be undone."""
    now = situation.now
    if not release.version.isdigit():
        return StandDown(
            reason=Reason.ALIAS_ON_LATEST,
            text=f"the alias points to {release.version}, which has no version to go back to",
        )
    horizon = situation.responses.horizon
    # A deploy that served before anything was measured is older than the ledger knows.
    late = release.origin is Origin.DEPLOYED and situation.assessment.served_before
    unseen = release.origin is Origin.FIRST_SEEN or late
    if unseen or release.since_at < now - horizon:
        return StandDown(
            reason=Reason.NO_RECENT_CHANGE,
            text=f"version {release.version} has been live since {release.since_at:%d %b %H:%M} UTC"
            f" or longer; only a change of the last {horizon / MINUTE:.0f} min is undone",
        )
    if release.origin is Origin.ROLLED_BACK:
        return _is_rollback(release)
    return None


def _went_back_with(trial: Trial, release: Release) -> bool:
    """Whether what would be stopped has itself brought an older version."""
    rolled_back = release.origin is Origin.ROLLED_BACK
    return rolled_back and release.since_at >= trial.since_at - CHANGE_TOLERANCE


def _is_rollback(release: Release) -> StandDown:
    return StandDown(
        reason=Reason.CHANGE_IS_ROLLBACK,
        text=f"version {release.version} is itself a rollback; one hop only",
    )


def dependencies_object(situation: Situation) -> StandDown | None:
    """What the service depends on is known to fail."""
    for name, alarm in situation.surroundings.dependencies.items():
        if alarm is None:
            text = f"the alarm {name!r} of a dependency does not exist: nobody knows how that is"
        elif alarm.state is AlarmState.ALARM:
            text = f"the alarm {name!r} of a dependency fires as well"
        else:
            continue
        return StandDown(reason=Reason.DEPENDENCY_FAILING, text=text)
    return None


def siblings_object(situation: Situation) -> StandDown | None:
    """Others fail in the same minutes, and no other version served beside this one to compare."""
    failing = situation.surroundings.failing_siblings
    if not failing or situation.assessment.baseline is Baseline.BESIDE:
        return None
    return StandDown(
        reason=Reason.SIBLINGS_FAIL,
        text=f"{', '.join(failing)} fail{'s' if len(failing) == 1 else ''} as well, without a"
        " deploy: what they share is the likelier cause",
    )


def evidence_objects(situation: Situation) -> StandDown | None:
    """The numbers do not convict the new version."""
    assessment, new = situation.assessment, situation.assessment.new
    match new.verdict:
        case Verdict.UNMEASURABLE:
            if situation.trigger.when_unmeasurable is WhenUnmeasurable.TRUST_ALARM:
                return None
            adopted = isinstance(situation.trigger, AdoptedAlarm)
            reason = Reason.ALARM_NOT_TRUSTED if adopted else Reason.UNMEASURABLE
            return StandDown(reason=reason, text=new.text)
        case Verdict.INCONCLUSIVE if assessment.both_fail and assessment.previous:
            return StandDown(
                reason=Reason.BOTH_VERSIONS_FAIL,
                text=f"{new.text}. The version before: {assessment.previous.text}",
            )
        case Verdict.INCONCLUSIVE:
            return StandDown(reason=Reason.INCONCLUSIVE, text=new.text)
        case Verdict.HEALTHY:
            return StandDown(reason=Reason.METRIC_HEALTHY, text=new.text)
        case Verdict.BREACHING:
            return None
        case _:
            assert_never(new.verdict)


def guardrails_object(situation: Situation) -> StandDown | None:
    """Acting now would be acting twice, or too often."""
    trial = situation.on_trial
    if not isinstance(trial, Trial):
        return None
    for leg in trial.legs:
        ledger = situation.ledgers.get(leg.target.target_id)
        if ledger is None or leg.how is How.FOLLOW:
            continue
        if leg.change in ledger.acted:
            text = f"{leg.title} was acted upon, or left as it is, before"
            return StandDown(reason=Reason.ALREADY_ACTED, text=text)
        if objection := _too_often(situation, ledger):
            return objection
    return None


def _too_often(situation: Situation, ledger: Ledger) -> StandDown | None:
    guardrails, now = situation.guardrails, situation.now
    cooldown = timedelta(minutes=guardrails.cooldown_minutes)
    if ledger.acted_at and now < ledger.acted_at[0] + cooldown:
        return StandDown(
            reason=Reason.COOLDOWN,
            text=f"the last rollback here was at {ledger.acted_at[0]:%H:%M:%S} UTC;"
            f" hands off for {guardrails.cooldown_minutes} min after one",
        )
    lately = sum(now < at + A_DAY for at in ledger.acted_at)
    if lately >= guardrails.service_rollbacks_a_day:
        return StandDown(
            reason=Reason.SERVICE_BUDGET_SPENT,
            text=f"{lately} rollbacks here within 24 hours, the most that the policy allows",
        )
    return None


def unsafe_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """Somebody marked that going back would break something."""
    version = situation.observation.suspect if situation.observation else None
    mark = situation.controls.mark_on(version, situation.now)
    if mark is None:
        return None
    return StandDown(
        reason=Reason.ROLLBACK_UNSAFE,
        text=f"{mark.by} marked it as unsafe to roll back: {mark.why}",
        would=would,
    )


def denied_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """What would be stopped leads back to a version that the policy never goes back to."""
    rest = situation.observation.rest if situation.observation else None
    if would.trial.moves_pointer or rest not in situation.never_back_to:
        return None
    return StandDown(
        reason=Reason.NO_PROVEN_RELEASE,
        text=f"it would lead back to version {rest}, which the policy never goes back to",
        would=would,
    )


def fix_forward_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """Somebody said that they fix it with a new deploy."""
    fix = situation.controls.fixing(situation.now)
    if fix is None:
        return None
    return StandDown(
        reason=Reason.FIX_FORWARD,
        text=f"{fix.by} fixes it forward, until {fix.until_at:%d %b %H:%M:%S} UTC",
        would=would,
    )


def mode_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """The service is only observed."""
    if situation.mode is not Mode.OBSERVE:
        return None
    text = "the mode is observe: nothing was touched"
    return StandDown(reason=Reason.OBSERVE_MODE, text=text, would=would)


def proved_asks(situation: Situation, would: RollBack) -> Ask | None:
    """The release had served its time on trial well, so what broke came later."""
    release = situation.release
    if not would.trial.moves_pointer or release is None or release.proven_at is None:
        return None
    return Ask(
        reason=Reason.RELEASE_PROVED,
        text=f"version {release.version} had proved itself by {release.proven_at:%H:%M:%S} UTC;"
        " what broke came later",
        would=would,
    )


def onset_asks(situation: Situation, would: RollBack) -> Ask | None:
    """It began too long after the release took all traffic to be blamed on it.

    Without another version beside it, what began later may be anything: in shared outages this rule
    alone leaves one false rollback in six (docs/detection.md).
    """
    trial, release = would.trial, situation.release
    if situation.assessment.baseline is Baseline.BESIDE or release is None:
        return None
    whole_at = release.whole_since_at
    if not trial.moves_pointer or whole_at is None:
        return None
    latest = whole_at + situation.guardrails.bake_minutes * MINUTE
    # An alarm needs its minutes to fire, and the watcher sees a deploy up to a minute late.
    latest += getattr(situation.trigger, "minutes", 0) * MINUTE + CHANGE_TOLERANCE
    if situation.alarm.transitioned_at <= latest:
        return None
    return Ask(
        reason=Reason.BEGAN_TOO_LATE,
        text=f"the alarm fired at {situation.alarm.transitioned_at:%H:%M:%S}, and {trial.title} had"
        f" taken all traffic at {whole_at:%H:%M:%S} UTC: after its"
        f" {situation.guardrails.bake_minutes} min on trial it is not blamed",
        would=would,
    )


def severity_asks(situation: Situation, would: RollBack) -> Ask | StandDown | None:
    """The decision table: by severity, a change of this age is asked about, or only told."""
    severity = situation.trigger.severity
    age = situation.now - would.trial.since_at
    said = f"{severity.value} severity, and the change is {age / MINUTE:.0f} min old"
    response = situation.responses.of(severity).response(age)
    match response:
        case Response.ROLL_BACK:
            return None
        case Response.ASK:
            return Ask(reason=Reason.SEVERITY_ASKS, text=said, would=would)
        case Response.TELL:
            return StandDown(reason=Reason.SEVERITY_TELLS, text=said, would=would)
        case _:
            assert_never(response)


def mode_asks(situation: Situation, would: RollBack) -> Ask | None:
    """Nothing of this service is rolled back without a person's yes."""
    if situation.mode is not Mode.APPROVE:
        return None
    text = "the mode is approve: nothing is touched before a person says yes"
    return Ask(reason=Reason.APPROVAL_NEEDED, text=text, would=would)


def freeze_asks(situation: Situation, would: RollBack) -> Ask | None:
    """A freeze is on."""
    for freeze in situation.freezes:
        if is_frozen(freeze, situation.now):
            return Ask(reason=Reason.FROZEN, text=f"the freeze {freeze.name!r} is on", would=would)
    return None


def pause_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """Somebody paused the responder."""
    by = situation.switches.paused_by
    if by is None:
        return None
    return StandDown(reason=Reason.PAUSED, text=f"paused by {by}", would=would)


def budget_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """This hour has seen as many rollbacks as the policy allows."""
    if situation.switches.in_budget:
        return None
    limit = situation.guardrails.rollbacks_an_hour
    return StandDown(
        reason=Reason.BUDGET_SPENT,
        text=f"{limit} rollbacks were made or begun in this hour, the most that the policy allows",
        would=would,
    )


A_DAY = timedelta(days=1)

# The order in which objections are heard: is it true, what is it about, is something else the
# cause, is it bad, is it the change, may we again.
GATES: tuple[Callable[[Situation], StandDown | Adopt | None], ...] = (
    alarm_objects,
    trial_objects,
    change_objects,
    dependencies_object,
    siblings_object,
    evidence_objects,
    guardrails_object,
)
# What forbids it, asks first, or makes it wait comes last, so that it can say what would be done.
SWITCHES: tuple[Callable[[Situation, RollBack], StandDown | Ask | None], ...] = (
    denied_objects,
    unsafe_objects,
    fix_forward_objects,
    mode_objects,
    proved_asks,
    onset_asks,
    severity_asks,
    mode_asks,
    freeze_asks,
    pause_objects,
    budget_objects,
)
