"""The gates: what speaks against a rollback being the remedy, in the order in which it is asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import assert_never

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Baseline
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Origin, Release
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import Adopt, Situation, StandDown
from rollback_responder.domain.trial import NoTrial, Returning, Trial
from rollback_responder.domain.trigger import AdoptedAlarm, WhenUnmeasurable

A_DAY = timedelta(days=1)


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
            reason=Reason.ALARM_SUPPRESSED,
            text=f"the alarm's actions are suppressed ({alarm.suppressed_by})",
        )
    if not alarm.actions_enabled:
        return StandDown(reason=Reason.ALARM_DISABLED, text="somebody disabled the alarm's actions")
    if alarm.muted_by:
        return StandDown(
            reason=Reason.ALARM_MUTED,
            text=f"the alarm's actions are muted by the rule {alarm.muted_by}",
        )
    if alarm.unsound:
        return StandDown(
            reason=Reason.ALARM_UNSOUND, text=f"the alarm's state is in doubt: {alarm.unsound}"
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
    elif release and went_back_with(trial, release):
        return hop_objects(release)
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
    """The release behind a pointer is not one that is undone without being asked to."""
    now = situation.now
    if objection := latest_objects(release):
        return objection
    horizon = situation.responses.horizon
    # A deploy that served before anything was measured is older than the ledger knows.
    late = release.origin is Origin.DEPLOYED and situation.assessment.served_before
    unseen = release.origin is Origin.FIRST_SEEN or late
    if unseen or release.since_at < now - horizon:
        return StandDown(
            reason=Reason.NO_RECENT_CHANGE,
            text=f"version {release.version} has been live since {release.since_at:%d %b %H:%M} UTC"
            f" or longer; only a change of the last {_long(horizon)} is undone",
        )
    if objection := hop_objects(release):
        return objection
    if release.origin is Origin.PUT_BACK:
        return StandDown(
            reason=Reason.PUT_BACK,
            text=f"a person put version {release.version} back at {release.since_at:%H:%M:%S} UTC,"
            " after it was rolled back",
        )
    return None


def _long(duration: timedelta) -> str:
    """In hours or days where it is whole ones."""
    minutes = round(duration / MINUTE)
    days, rest = divmod(minutes, 1440)
    if days > 1 and not rest:
        return f"{days} days"
    return f"{minutes} min" if minutes % 60 else f"{minutes // 60} h"


def latest_objects(release: Release) -> StandDown | None:
    """The alias points to no published version."""
    if release.version.isdigit():
        return None
    return StandDown(
        reason=Reason.ALIAS_ON_LATEST,
        text=f"the alias points to {release.version}, which has no version to go back to",
    )


def hop_objects(release: Release) -> StandDown | None:
    """The release is itself a rollback."""
    if release.origin is not Origin.ROLLED_BACK:
        return None
    return StandDown(
        reason=Reason.CHANGE_IS_ROLLBACK,
        text=f"version {release.version} is itself the result of a rollback; nothing goes"
        " back twice in a row",
    )


def went_back_with(trial: Trial, release: Release) -> bool:
    """Whether what would be stopped has itself brought an older version."""
    rolled_back = release.origin is Origin.ROLLED_BACK
    return rolled_back and release.since_at >= trial.since_at - CHANGE_TOLERANCE


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
    if objection := acted_objects(situation, trial):
        return objection
    for leg in trial.legs:
        ledger = situation.ledgers.get(leg.target.target_id)
        if ledger is None or leg.how is How.FOLLOW:
            continue
        if objection := _too_often(situation, ledger):
            return objection
    return None


def acted_objects(situation: Situation, trial: Trial) -> StandDown | None:
    """A part of it was acted upon before."""
    for leg in trial.legs:
        ledger = situation.ledgers.get(leg.target.target_id)
        if ledger and leg.how is not How.FOLLOW and leg.change in ledger.acted:
            text = f"{leg.title} was acted upon, or left as it is, before"
            return StandDown(reason=Reason.ALREADY_ACTED, text=text)
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
            text=f"rolled back {lately} time{'s' if lately > 1 else ''} within 24 hours, the"
            " most that the policy allows",
        )
    return None


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
