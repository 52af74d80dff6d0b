"""Deciding: every fork is a value with a reason. The order of the gates is written down once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment, Evidence, Verdict
from rollback_responder.domain.leg import How
from rollback_responder.domain.policy import Guardrails, Mode
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation, Origin, Release, way_back
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.trial import NoTrial, OnTrial, Returning, Trial
from rollback_responder.domain.trigger import AdoptedAlarm, Trigger, WhenUnmeasurable

# Both versions fail, unless the new one is this many times as bad: then going back does help.
MUCH_WORSE = 4


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


Decision = RollBack | Adopt | StandDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What people flip and what all services share, as it was when the target was claimed.

    `paused_by` names who paused the responder, or is None. `in_budget` says whether one more
    rollback fits into this hour; it is then set aside for this attempt.
    """

    paused_by: str | None = None
    in_budget: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a decision may rest on.

    `release` is the pointer's, as the ledger knows it; `ledger` is the pointer's and has already
    seen `observation`; all three are None where the service has no pointer. `ledgers` are those of
    all targets, by their ids.
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
    switches: Switches


def decide(situation: Situation) -> Decision:
    """Roll back, follow a rollback, or stand down, with the one reason that settled it.

    The gates are asked in the order of `GATES`, and the first that objects is the answer.
    """
    for gate in GATES:
        objection = gate(situation)
        if objection:
            return objection
    trial = situation.on_trial
    if not isinstance(trial, Trial):
        raise TypeError(f"no gate objected, and yet {trial} is no change to undo")
    trusted = situation.assessment.new.verdict is Verdict.UNMEASURABLE
    decision = RollBack(
        reason=Reason.ALARM_TRUSTED if trusted else Reason.METRIC_BREACHING, trial=trial
    )
    if trial.moves_pointer:
        back = _way_back(situation)
        if isinstance(back, StandDown):
            return back
        decision = replace(decision, to_version=back[0], revision=back[1])
    for switch in SWITCHES:
        objection = switch(situation, decision)
        if objection:
            return objection
    return decision


def _way_back(situation: Situation) -> tuple[str, str] | StandDown:
    """The version to go back to, and the revision to move the pointer from."""
    ledger, observation = situation.ledger, situation.observation
    version = way_back(ledger, observation) if ledger and observation else None
    if version is None or observation is None:
        suspect = observation.suspect if observation else "it"
        return StandDown(
            reason=Reason.NO_PROVEN_RELEASE,
            text=f"no version older than {suspect} has proved itself",
        )
    return version, observation.revision


def alarm_objects(situation: Situation) -> StandDown | None:
    """The alarm, read again, does not stand behind its message."""
    alarm = situation.alarm
    if alarm.state is not AlarmState.ALARM:
        return StandDown(
            reason=Reason.ALARM_NOT_FIRING, text=f"the alarm, read again, is {alarm.state.value}"
        )
    if alarm.suppressed_by:
        return StandDown(
            reason=Reason.ALARM_SUPPRESSED, text=f"its actions are held by {alarm.suppressed_by}"
        )
    if not alarm.actions_enabled:
        return StandDown(reason=Reason.ALARM_DISABLED, text="somebody disabled its actions")
    if alarm.unsound:
        return StandDown(
            reason=Reason.ALARM_UNSOUND, text=f"CloudWatch reports {alarm.unsound} for it"
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
        live_at = min(live_at, situation.assessment.served_since_at or live_at)
        tolerance = CHANGE_TOLERANCE
    elif release and _went_back_with(trial, release):
        return _is_rollback(release)
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
    oldest = now - timedelta(minutes=situation.guardrails.change_age_minutes)
    # A deploy that served before anything was measured is older than the ledger knows.
    late = release.origin is Origin.DEPLOYED and situation.assessment.served_before
    unseen = release.origin is Origin.FIRST_SEEN or late
    if unseen or release.since_at < oldest:
        return StandDown(
            reason=Reason.NO_RECENT_CHANGE,
            text=f"version {release.version} has been live since {release.since_at:%d %b %H:%M} UTC"
            f" or longer; only a change of the last {situation.guardrails.change_age_minutes} min"
            " is undone",
        )
    if release.origin is Origin.ROLLED_BACK:
        return _is_rollback(release)
    if release.proven_at:
        return StandDown(
            reason=Reason.RELEASE_PROVED,
            text=f"version {release.version} had proved itself by {release.proven_at:%H:%M:%S} UTC;"
            " what broke came later",
        )
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


def evidence_objects(situation: Situation) -> StandDown | None:
    """The numbers do not convict the new version."""
    new, previous = situation.assessment.new, situation.assessment.previous
    match new.verdict:
        case Verdict.UNMEASURABLE:
            if not isinstance(situation.trigger, AdoptedAlarm):
                return StandDown(reason=Reason.UNMEASURABLE, text=new.text)
            if situation.trigger.when_unmeasurable is WhenUnmeasurable.HOLD:
                return StandDown(reason=Reason.ALARM_NOT_TRUSTED, text=new.text)
            return None
        case Verdict.INCONCLUSIVE:
            return StandDown(reason=Reason.INCONCLUSIVE, text=new.text)
        case Verdict.HEALTHY:
            return StandDown(reason=Reason.METRIC_HEALTHY, text=new.text)
        case Verdict.BREACHING:
            if previous is None or _is_much_worse(new, previous):
                return None
            if previous.verdict is not Verdict.BREACHING and not previous.looks_bad:
                return None
            if previous.verdict is Verdict.BREACHING:
                return StandDown(
                    reason=Reason.BOTH_VERSIONS_FAIL,
                    text=f"the version before fails as well: {previous.text}",
                )
            return StandDown(
                reason=Reason.INCONCLUSIVE,
                text=f"the version before may fail as well: {previous.text}",
            )
        case _:
            assert_never(new.verdict)


def _is_much_worse(new: Evidence, previous: Evidence) -> bool:
    return (new.value or 0.0) > MUCH_WORSE * (previous.value or 0.0)


def guardrails_object(situation: Situation) -> StandDown | None:
    """Acting now would be acting twice, or too often."""
    trial = situation.on_trial
    if not isinstance(trial, Trial):
        return None
    cooldown = timedelta(minutes=situation.guardrails.cooldown_minutes)
    for leg in trial.legs:
        ledger = situation.ledgers.get(leg.target.target_id)
        if ledger is None or leg.how is How.FOLLOW:
            continue
        if leg.change in ledger.acted:
            return StandDown(reason=Reason.ALREADY_ACTED, text=f"{leg.title} was acted upon before")
        if ledger.last_act_at and situation.now < ledger.last_act_at + cooldown:
            return StandDown(
                reason=Reason.COOLDOWN,
                text=f"the last rollback here was at {ledger.last_act_at:%H:%M:%S} UTC;"
                f" hands off for {situation.guardrails.cooldown_minutes} min after one",
            )
    return None


def mode_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """The service is only observed."""
    if situation.mode is not Mode.OBSERVE:
        return None
    text = "the mode is observe: nothing was touched"
    return StandDown(reason=Reason.OBSERVE_MODE, text=text, would=would)


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


# The order in which objections are heard: is it true, what is it about, is it bad, may we again.
GATES: tuple[Callable[[Situation], StandDown | Adopt | None], ...] = (
    alarm_objects,
    trial_objects,
    change_objects,
    evidence_objects,
    guardrails_object,
)
# What people have said about acting at all comes last, so that it can say what would be done.
SWITCHES: tuple[Callable[[Situation, RollBack], StandDown | None], ...] = (
    mode_objects,
    pause_objects,
    budget_objects,
)
