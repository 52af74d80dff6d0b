"""The house as the hallway sees it: the rooms, and what both of its corridors need of them."""

import logging
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    TargetChanged,
    TargetGone,
    TargetHeld,
)
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.policy import Policy, Service
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import Pointer, Rollout, Target
from rollback_responder.ports import (
    Budget,
    Clock,
    Journal,
    Metrics,
    PointerAction,
    RolloutAction,
    Start,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Whoever is slower than this between the claim and the act does not act: a call that names a stack,
# not an update, must not land on a later one, and a lease must not be outlived.
ACT_WITHIN_SECONDS = 30.0
# A throttle is a sure refusal, and in a storm passes within seconds: fifteen calls a second of
# Lambda's control plane are for everybody. So long the same act is tried again, then each minute.
PATIENT_SECONDS = 5.0
# So long after an invocation has begun nobody waits any more: its timeout is a minute, and it may
# have ten messages.
PATIENT_SECONDS_TOGETHER = 20.0

# AWS refused, and surely nothing was applied.
REFUSALS: dict[type[ActionError], Reason] = {
    TargetGone: Reason.VERSION_DELETED,
    TargetChanged: Reason.TARGET_CHANGED,
    ActionDenied: Reason.ACTION_DENIED,
    ActionThrottled: Reason.ACTION_THROTTLED,
}


class Rooms(Struct, frozen=True, kw_only=True):
    """The house as the hallway sees it. Each table has one entry for each kind of its family.

    `stopwatch` gives seconds from some fixed instant; no clock change moves it. `wait` waits a
    moment, not twice the same: whoever waits for the same thing comes back one after the other.
    `patient_until` is when, by the stopwatch, the last wait of all may begin.
    """

    policy: Policy
    journal: Journal
    budget: Budget
    metrics: Metrics
    pointers: Mapping[str, PointerAction]
    rollouts: Mapping[str, RolloutAction]
    clock: Clock
    stopwatch: Callable[[], float]
    wait: Callable[[], None]
    new_id: Callable[[datetime], str]
    start: Start
    patient_until: float = math.inf

    def pointer(self, target: Pointer) -> PointerAction:
        """The action of a pointer.

        Raises:
            ActionError: the policy has no target of that kind any more, nor a grant for it.
        """
        return _furnished(self.pointers, target)

    def rollout(self, target: Rollout) -> RolloutAction:
        """The action of a rollout; errors as `pointer`."""
        return _furnished(self.rollouts, target)


class Stopwatch:
    """How long an attempt has been under way; no clock change moves it."""

    def __init__(self, rooms: Rooms, service: Service) -> None:
        self._rooms, self._service = rooms, service
        self._began = rooms.stopwatch()

    def patiently(self, act: Callable[[], T]) -> T:
        """Does it, and does it again while AWS is busy with others.

        Raises:
            ActionThrottled: AWS is still too busy.
        """
        while True:
            try:
                return act()
            except ActionThrottled:
                late = self._rooms.stopwatch() > self._rooms.patient_until
                if late or self._seconds() > PATIENT_SECONDS:
                    raise
            self._rooms.wait()

    def check(self) -> None:
        """Nothing is begun that was looked at too long ago.

        Raises:
            TargetHeld: it was; the same signal may be tried again.
        """
        seconds = self._seconds()
        if seconds > ACT_WITHIN_SECONDS:
            name = self._service.name
            raise TargetHeld(f"{name} was looked at {seconds:.0f} s ago: too long to act upon")

    def _seconds(self) -> float:
        return self._rooms.stopwatch() - self._began


def leg_sights(
    rooms: Rooms, incident: Incident, sights: tuple[tuple[Rollout, Sight | None], ...]
) -> dict[str, Sight | None]:
    """What each leg's rollout shows of the leg's own change, which may not be its latest."""
    known = {rollout.target_id: sight for rollout, sight in sights}
    found: dict[str, Sight | None] = {}
    for leg in incident.legs:
        rollout = leg.target
        if leg.is_over or not isinstance(rollout, Rollout):
            continue
        sight = known.get(rollout.target_id)
        if sight is None or sight.change != leg.change:
            sight = _seen_about(rooms, rollout, leg.change)
        found[rollout.target_id] = sight
    return found


def _seen_about(rooms: Rooms, rollout: Rollout, change: str) -> Sight | None:
    """A rollout about one change. What cannot be read is waited for, like anything unknown."""
    try:
        return rooms.rollout(rollout).observe(rollout, about=change)
    except ActionError as error:
        logger.warning("not readable: %s", error)
        return Sight(phase=Phase.UNKNOWN, status="not readable", change=change)


def _furnished(table: Mapping[str, T], target: Target) -> T:
    if target.kind not in table:
        raise ActionError(f"the policy has no target of kind {target.kind} any more")
    return table[target.kind]


def token_of(claim_id: str) -> str:
    """Marks an order to AWS: the same one gives the same token."""
    return f"rbk-{claim_id}"
