"""An ordered rollback: what is asked where a person, not an alarm, says that it is time.

Whether it is bad, and whether it is the change, the person has judged. What stays is what makes a
rollback impossible, wrong for everybody, or forbidden by the policy.
"""

from msgspec.structs import replace

from rollback_responder.domain.controls import RollbackOrdered
from rollback_responder.domain.decision import proposed
from rollback_responder.domain.gates import (
    acted_objects,
    hop_objects,
    latest_objects,
    trial_objects,
    went_back_with,
)
from rollback_responder.domain.leg import How
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import Adopt, RollBack, Situation, StandDown
from rollback_responder.domain.switches import (
    denied_objects,
    fix_forward_objects,
    freeze_asks,
    held_objects,
    mode_objects,
    pause_objects,
    unsafe_objects,
)
from rollback_responder.domain.trial import Trial

SWITCHES = (denied_objects, unsafe_objects, mode_objects, pause_objects)


def on_order(situation: Situation, order: RollbackOrdered) -> RollBack | Adopt | StandDown:
    """Does just what was ordered: if that is still what is live and where it leads back."""
    if order.has_lapsed(situation.now):
        text = f"it was ordered at {order.at:%d %b %H:%M:%S} UTC, too long ago"
        return StandDown(reason=Reason.ORDER_LAPSED, text=text)
    found = possible(situation)
    if isinstance(found, Adopt) and order.drill:
        return StandDown(reason=Reason.TARGET_CHANGED, text=found.returning.text)
    if not isinstance(found, RollBack):
        return found
    if not _is_as_shown(situation, found, order):
        text = "what was ordered is not what is live or under way any more, or leads elsewhere"
        return StandDown(reason=Reason.TARGET_CHANGED, text=text)
    if order.drill:
        return _overruled(situation, found) or _rehearsed(situation, found)
    return found


def _overruled(situation: Situation, would: RollBack) -> StandDown | None:
    """What somebody said after a drill was ordered holds for it: a drill overrules nobody."""
    if objection := held_objects(situation, would) or fix_forward_objects(situation, would):
        return objection
    asks = freeze_asks(situation, would)
    return StandDown(reason=asks.reason, text=asks.text) if asks else None


def _rehearsed(situation: Situation, would: RollBack) -> RollBack | StandDown:
    """It, if this is a time and a place to rehearse it."""
    why = _no_rehearsal(situation, would)
    return StandDown(reason=Reason.TARGET_CHANGED, text=why) if why else would


def _is_as_shown(situation: Situation, found: RollBack, order: RollbackOrdered) -> bool:
    """Whether it would undo just what was shown, and lead back to just there."""
    if found.to_version != order.to_version:
        return False
    if found.trial.changes == order.changes:
        return True
    # Of a deploy that the journal had not seen when it was shown, the alias itself says so.
    observation = situation.observation
    moves = found.trial.legs[0].how is How.MOVE
    return moves and observation is not None and observation.revision == order.revision


def _no_rehearsal(situation: Situation, would: RollBack) -> str | None:
    """Why this is no time or place to rehearse it: in earnest it might still be done."""
    release, (leg, *others) = situation.release, would.trial.legs
    if situation.no_drill:
        return situation.no_drill
    if situation.alarm.state is AlarmState.ALARM:
        return "its alarm fires"
    proven = release is not None and release.proven_at is not None
    alone = situation.observation is not None and situation.observation.other is None
    if proven and alone and leg.how is How.MOVE and not others:
        return None
    return "only an alias that a proven version serves alone is rehearsed"


def possible(situation: Situation) -> RollBack | Adopt | StandDown:
    """The rollback that a person may order now, or what makes it impossible or forbidden."""
    objection = trial_objects(situation)
    if objection:
        return objection
    trial = situation.on_trial
    assert isinstance(trial, Trial)
    objection = _never_undone(situation, trial) or acted_objects(situation, trial)
    if objection:
        return objection
    found = proposed(situation, trial)
    if isinstance(found, StandDown):
        return found
    for switch in SWITCHES:
        if forbidden := switch(situation, found):
            return forbidden
    return replace(found, reason=Reason.ORDERED)


def _never_undone(situation: Situation, trial: Trial) -> StandDown | None:
    """A release that no order undoes: it has no version, or is itself a rollback."""
    release = situation.release
    if release is None:
        return None
    if trial.moves_pointer:
        return latest_objects(release) or hop_objects(release)
    return hop_objects(release) if went_back_with(trial, release) else None
