"""The switches: what forbids a rollback, has it asked about, or makes it wait, in its order."""

from collections.abc import Callable
from typing import assert_never

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Baseline
from rollback_responder.domain.freeze import is_frozen
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.response import Mode, Response
from rollback_responder.domain.situation import Ask, RollBack, Situation, StandDown


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


def held_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """Somebody said that this change stays."""
    hold = situation.controls.held(would.trial.changes)
    if hold is None:
        return None
    text = f"{hold.by} said at {hold.at:%H:%M:%S} UTC that it stays"
    return StandDown(reason=Reason.HELD, text=text, would=would)


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
    """A freeze is on, by the policy or because somebody said so."""
    if frozen := situation.controls.freeze(situation.now):
        text = f"{frozen.by} froze it until {frozen.until_at:%d %b %H:%M:%S} UTC"
        return Ask(reason=Reason.FROZEN, text=text, would=would)
    for freeze in situation.freezes:
        if is_frozen(freeze, situation.now):
            return Ask(reason=Reason.FROZEN, text=f"the freeze {freeze.name!r} is on", would=would)
    return None


def pause_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """Somebody paused the responder."""
    by = situation.switches.paused_by
    if by is None:
        return None
    return StandDown(reason=Reason.PAUSED, text=f"the responder is paused by {by}", would=would)


def budget_objects(situation: Situation, would: RollBack) -> StandDown | None:
    """This hour has seen as many rollbacks as the policy allows."""
    if situation.switches.in_budget:
        return None
    limit = situation.guardrails.rollbacks_an_hour
    return StandDown(
        reason=Reason.BUDGET_SPENT,
        text=f"{limit} rollback{' was' if limit == 1 else 's were'} made or begun in this hour, the"
        " most that the policy allows",
        would=would,
    )


# What forbids it, asks first, or makes it wait comes last, so that it can say what would be done.
SWITCHES: tuple[Callable[[Situation, RollBack], StandDown | Ask | None], ...] = (
    denied_objects,
    unsafe_objects,
    held_objects,
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
