"""Deciding: every fork is a value with a reason. The order of the gates is written down once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment, Evidence, Verdict
from rollback_responder.domain.policy import Guardrails, Mode
from rollback_responder.domain.release import Ledger, Observation, Origin, Release, way_back
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.trigger import AdoptedAlarm, Trigger, WhenUnmeasurable

# Both versions fail, unless the new one is this many times as bad: then going back does help.
MUCH_WORSE = 4


class Reason(StrEnum):
    """Why something was done or not. Each has its sentence in `docs/runbook.md`."""

    # Rolling back.
    METRIC_BREACHING = "metric_breaching"
    ALARM_TRUSTED = "alarm_trusted"
    FOUND_DONE = "found_done"
    # Not rolling back: the alarm.
    ALARM_GONE = "alarm_gone"
    ALARM_NOT_FIRING = "alarm_not_firing"
    ALARM_SUPPRESSED = "alarm_suppressed"
    ALARM_DISABLED = "alarm_disabled"
    ALARM_UNSOUND = "alarm_unsound"
    # Not rolling back: the change.
    TARGET_GONE = "target_gone"
    ALIAS_ON_LATEST = "alias_on_latest"
    NO_RECENT_CHANGE = "no_recent_change"
    CHANGE_IS_ROLLBACK = "change_is_rollback"
    ALARM_BEFORE_CHANGE = "alarm_before_change"
    RELEASE_PROVED = "release_proved"
    # Not rolling back: the evidence.
    ALARM_NOT_TRUSTED = "alarm_not_trusted"
    UNMEASURABLE = "unmeasurable"
    INCONCLUSIVE = "inconclusive"
    METRIC_HEALTHY = "metric_healthy"
    BOTH_VERSIONS_FAIL = "both_versions_fail"
    # Not rolling back: the guardrails.
    ALREADY_ACTED = "already_acted"
    COOLDOWN = "cooldown"
    NO_PROVEN_RELEASE = "no_proven_release"
    OBSERVE_MODE = "observe_mode"
    # Not rolling back: the target refused.
    VERSION_DELETED = "version_deleted"
    TARGET_CHANGED = "target_changed"
    ACTION_DENIED = "action_denied"
    ACTION_THROTTLED = "action_throttled"
    ACTION_UNCLEAR = "action_unclear"
    # How it ended.
    SYMPTOM_GONE = "symptom_gone"
    SYMPTOM_REMAINS = "symptom_remains"
    NOT_ENOUGH_DATA = "not_enough_data"
    MOVED_AGAIN = "moved_again"
    RESULT_UNKNOWN = "result_unknown"


# These may still turn out either way: the watcher asks again each minute, for a while.
UNDECIDED = frozenset(
    {
        Reason.INCONCLUSIVE,
        Reason.METRIC_HEALTHY,
        Reason.UNMEASURABLE,
        Reason.ALARM_UNSOUND,
        Reason.ALARM_SUPPRESSED,
        Reason.ALARM_DISABLED,
        Reason.ACTION_THROTTLED,
    }
)
# Nobody needs to get up for these: the symptom is gone, or somebody asked for silence.
QUIET = frozenset(
    {
        Reason.METRIC_BREACHING,
        Reason.ALARM_TRUSTED,
        Reason.FOUND_DONE,
        Reason.ALARM_NOT_FIRING,
        Reason.ALARM_SUPPRESSED,
        Reason.ALARM_DISABLED,
        Reason.METRIC_HEALTHY,
        Reason.OBSERVE_MODE,
        Reason.SYMPTOM_GONE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Move the target from one version to another, if it is still at `revision`."""

    reason: Reason
    from_version: str
    to_version: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandDown:
    """Do nothing. `would_move_to` is where it would have gone but for the reason, if anywhere."""

    reason: Reason
    text: str
    would_move_to: str | None = None


Decision = RollBack | StandDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a decision may rest on.

    `release` is the suspect as the ledger knows it; the ledger has already seen `observation`.
    """

    now: datetime
    alarm: AlarmReading
    observation: Observation
    release: Release
    ledger: Ledger
    trigger: Trigger
    assessment: Assessment
    mode: Mode
    guardrails: Guardrails


def decide(situation: Situation) -> Decision:
    """Rolls back only where no gate objects; the first objection is the reason."""
    for gate in GATES:
        objection = gate(situation)
        if objection:
            return objection
    to_version = way_back(situation.ledger, situation.observation)
    if to_version is None:
        return StandDown(
            reason=Reason.NO_PROVEN_RELEASE,
            text=f"no version older than {situation.release.version} has proved itself",
        )
    if situation.mode is Mode.OBSERVE:
        return StandDown(
            reason=Reason.OBSERVE_MODE,
            text="the mode is observe: nothing was touched",
            would_move_to=to_version,
        )
    trusted = situation.assessment.new.verdict is Verdict.UNMEASURABLE
    return RollBack(
        reason=Reason.ALARM_TRUSTED if trusted else Reason.METRIC_BREACHING,
        from_version=situation.release.version,
        to_version=to_version,
        revision=situation.observation.revision,
    )


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


def change_objects(situation: Situation) -> StandDown | None:
    """No recent deploy can be what the alarm is about."""
    release, now = situation.release, situation.now
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
        return StandDown(
            reason=Reason.CHANGE_IS_ROLLBACK,
            text=f"version {release.version} is itself a rollback; one hop only",
        )
    if release.proven_at:
        return StandDown(
            reason=Reason.RELEASE_PROVED,
            text=f"version {release.version} had proved itself by {release.proven_at:%H:%M:%S} UTC;"
            " what broke came later",
        )
    # The ledger may have heard of the deploy late; the minutes know since when it serves.
    served_since_at = situation.assessment.served_since_at or release.since_at
    live_at = min(release.since_at, served_since_at)
    if situation.alarm.transitioned_at < live_at - CHANGE_TOLERANCE:
        return StandDown(
            reason=Reason.ALARM_BEFORE_CHANGE,
            text=f"the alarm fired at {situation.alarm.transitioned_at:%H:%M:%S}, before version"
            f" {release.version} went live at {live_at:%H:%M:%S} UTC",
        )
    return None


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
    ledger, release = situation.ledger, situation.release
    if release.key in ledger.acted:
        return StandDown(
            reason=Reason.ALREADY_ACTED,
            text=f"this deploy of version {release.version} was acted upon before",
        )
    cooldown = timedelta(minutes=situation.guardrails.cooldown_minutes)
    if ledger.last_act_at and situation.now < ledger.last_act_at + cooldown:
        return StandDown(
            reason=Reason.COOLDOWN,
            text=f"the last rollback here was at {ledger.last_act_at:%H:%M:%S} UTC;"
            f" hands off for {situation.guardrails.cooldown_minutes} min after one",
        )
    return None


# The order in which objections are heard.
GATES: tuple[Callable[[Situation], StandDown | None], ...] = (
    alarm_objects,
    change_objects,
    evidence_objects,
    guardrails_object,
)
