"""A record's targets that can be acted upon: what is done takes effect in the replay alone."""

import itertools
from datetime import datetime

from msgspec.structs import replace

from rollback_responder.cli.history import History, Stay
from rollback_responder.cli.recorded import PointersInRecord, RolloutsInRecord
from rollback_responder.domain.errors import TargetChanged
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.release import Observation
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import Pointer, Rollout
from rollback_responder.ports import Clock, Move, Redeploy

# A rollout that is told to go back is taken to be back after this long.
BACK_AFTER = MINUTE


class ReplayedPointers(PointersInRecord):
    """Pointers of a record that can be moved: until the record itself moves them elsewhere."""

    def __init__(self, history: History, clock: Clock) -> None:
        super().__init__(history.pointers, clock)
        self._now = clock
        self._put: dict[str, tuple[datetime, Observation]] = {}
        self._numbers = itertools.count(1)

    def observe(self, target: Pointer) -> Observation | None:
        """See `PointerAction.observe`."""
        stay = self.stay(target)
        at, put = self._put.get(target.target_id, (None, None))
        if at is None or put is None:
            return stay.observation() if stay else None
        if stay is not None and stay.from_at > at and not _is_there(stay, put):
            del self._put[target.target_id]
            return stay.observation()
        return put

    def move(self, target: Pointer, move: Move) -> Observation:
        """See `PointerAction.move`. The compare-and-set is real."""
        before = self.observe(target)
        if before is None or before.revision != move.expected_revision:
            raise TargetChanged(f"{target.title} is at another revision")
        return self.put(target, move.to_version, marker=move.claim_id)

    def put(self, target: Pointer, version: str, *, marker: str | None = None) -> Observation:
        """Puts a pointer somewhere, whoever does it."""
        put = Observation(
            primary=version,
            other=None,
            revision=f"replayed {next(self._numbers)}",
            marker=marker,
        )
        self._put[target.target_id] = (self._now(), put)
        return put


def _is_there(stay: Stay, put: Observation) -> bool:
    return (stay.primary, stay.other) == (put.primary, put.other)


class ReplayedRollouts(RolloutsInRecord):
    """Rollouts of a record that can be stopped: until the record begins another change."""

    def __init__(
        self, history: History, clock: Clock, policy: Policy, pointers: ReplayedPointers
    ) -> None:
        super().__init__(history.rollouts, clock)
        self._now, self._pointers = clock, pointers
        self._beside = {
            rollout.target_id: service.pointers
            for service in policy.services
            for rollout in service.rollouts
        }
        self._told: dict[str, tuple[datetime, Sight]] = {}
        self._numbers = itertools.count(1)

    def observe(self, target: Rollout, *, about: str | None = None) -> Sight | None:
        """See `RolloutAction.observe`."""
        sight = super().observe(target, about=about)
        at, told = self._told.get(target.target_id, (None, None))
        if at is None or told is None or (about and about != told.change):
            return sight
        latest = super().observe(target)
        if latest is not None and latest.change != told.change and _began(latest, at):
            del self._told[target.target_id]
            return sight
        if sight is not None and sight.change == told.change and sight.is_undone:
            return sight
        if self._now() < at + BACK_AFTER:
            return told
        over = Phase.SETTLED if told.phase is Phase.RUNNING else Phase.RETURNED
        return replace(told, phase=over, status=over.value, ended_at=at + BACK_AFTER)

    def stop(self, target: Rollout, change: str, *, token: str) -> None:
        """See `RolloutAction.stop`. What it brought goes back with it."""
        del token
        sight = super().observe(target)
        if sight is None or sight.change != change or sight.phase is not Phase.RUNNING:
            raise TargetChanged(f"{target.title}: {change} is not under way")
        told = replace(sight, phase=Phase.RETURNING, status="told to go back", stopped=True)
        self._told[target.target_id] = (self._now(), told)
        for pointer in self._beside[target.target_id]:
            stay = self._pointers.stay(pointer)
            before = self._pointers.before(pointer, sight.began_at or self._now())
            if stay and before and before.primary and not _is_same(stay, before):
                self._pointers.put(pointer, before.primary)

    def go_on(self, target: Rollout, *, token: str) -> None:
        """See `RolloutAction.go_on`."""
        del token
        sight = super().observe(target)
        if sight is None or sight.phase is not Phase.STUCK:
            raise TargetChanged(f"{target.title} is not stuck")
        told = replace(sight, phase=Phase.RETURNING, status="told to go on")
        self._told[target.target_id] = (self._now(), told)

    def redeploy(self, target: Rollout, redeploy: Redeploy) -> str:
        """See `RolloutAction.redeploy`."""
        change = f"replayed {next(self._numbers)}"
        sight = Sight(
            phase=Phase.RUNNING,
            status="deployed again",
            change=change,
            began_at=self._now(),
            marker=redeploy.claim_id,
            leads_back=True,
        )
        self._told[target.target_id] = (self._now(), sight)
        self._pointers.put(redeploy.pointer, redeploy.to_version)
        return change


def _is_same(one: Stay, other: Stay) -> bool:
    return (one.primary, one.other) == (other.primary, other.other)


def _began(sight: Sight, at: datetime) -> bool:
    return sight.began_at is not None and sight.began_at > at
