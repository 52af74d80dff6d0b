"""The rooms of a house that stands in a record: everything can be looked at, nothing touched."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn, TypeVar

from rollback_responder.cli.history import History, RecordedPointer, RecordedRollout, Stay
from rollback_responder.domain.errors import ActionDenied, JournalError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.release import Build, Ledger, Observation
from rollback_responder.domain.rollout import Sight
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.target import Pointer, Rollout
from rollback_responder.metrics.recorded import RecordedMetrics
from rollback_responder.ports import Claim, Clock, Move, Redeploy, Row
from rollback_responder.rooms import Rooms

T = TypeVar("T")


class PointersInRecord:
    """See `PointerAction`. A pointer that the record does not mention does not exist."""

    def __init__(self, pointers: Sequence[RecordedPointer], clock: Clock) -> None:
        self._clock = clock
        self._stays = {one.target: one.stays for one in pointers}
        self._begun = {one.target: [stay.from_at for stay in one.stays] for one in pointers}
        self._versions = {
            one.target: {each.version: each.code_sha256 for each in one.versions}
            for one in pointers
        }

    def observe(self, target: Pointer) -> Observation | None:
        """See `PointerAction.observe`."""
        stay = self.stay(target)
        return stay.observation() if stay else None

    def stay(self, target: Pointer) -> Stay | None:
        """Where the record has a pointer now."""
        return self._stay_at(target, self._clock())

    def before(self, target: Pointer, at: datetime) -> Stay | None:
        """Where it stood just before an instant."""
        return self._stay_at(target, at - timedelta(seconds=1))

    def _stay_at(self, target: Pointer, at: datetime) -> Stay | None:
        number = bisect_right(self._begun.get(target.target_id, ()), at)
        return self._stays[target.target_id][number - 1] if number else None

    def move(self, target: Pointer, move: Move) -> Observation:
        """See `PointerAction.move`. Never: a record is only looked at."""
        raise ActionDenied(f"{target.title} is in a record: it is not moved to {move.to_version}")

    def build(self, target: Pointer, version: str) -> Build | None:
        """See `PointerAction.build`. A version that nobody mentions has code of its own."""
        known = self._versions.get(target.target_id, {})
        # A version that was deleted has no code any more.
        code_sha256 = known.get(version, f"code of version {version}")
        return None if code_sha256 is None else Build(code_sha256=code_sha256)


class RolloutsInRecord:
    """See `RolloutAction`."""

    def __init__(self, rollouts: Sequence[RecordedRollout], clock: Clock) -> None:
        self._clock = clock
        self._phases = {one.target: one.phases for one in rollouts}
        self._begun = {one.target: [phase.from_at for phase in one.phases] for one in rollouts}

    def observe(self, target: Rollout, *, about: str | None = None) -> Sight | None:
        """See `RolloutAction.observe`."""
        number = bisect_right(self._begun.get(target.target_id, ()), self._clock())
        past = self._phases.get(target.target_id, ())[:number]
        mine = [each for each in past if each.sight and each.sight.change == about]
        latest = (mine or past)[-1:] if about else past[-1:]
        return latest[0].sight if latest else None

    def stop(self, target: Rollout, change: str, *, token: str) -> None:
        """See `RolloutAction.stop`. Never: a record is only looked at."""
        _refuse(target, change, token)

    def go_on(self, target: Rollout, *, token: str) -> None:
        """See `RolloutAction.go_on`. Never."""
        _refuse(target, "its rollback", token)

    def redeploy(self, target: Rollout, redeploy: Redeploy) -> str:
        """See `RolloutAction.redeploy`. Never."""
        _refuse(target, redeploy.to_version, redeploy.claim_id)


def _refuse(target: Rollout, what: str, whose: str) -> NoReturn:
    raise ActionDenied(f"{target.title} is in a record: nothing is done to {what} ({whose})")


class RowsInRecord:
    """See `Journal`: the rows as the record has them."""

    def __init__(self, history: History) -> None:
        self._rows = {
            row.service: Row(
                ledgers={kept.target: kept.ledger for kept in row.ledgers},
                incident=row.incident,
                acting_until=None,
                controls=row.controls,
            )
            for row in history.rows
        }

    def rows(self, services: Collection[str]) -> Mapping[str, Row]:
        """See `Journal.rows`."""
        return {name: self._rows[name] for name in services if name in self._rows}

    def claim(self, service: str, *, claim_id: str, may_act: bool, now: datetime) -> Claim | None:
        """See `Journal.claim`. Never: a record is only looked at."""
        del claim_id, may_act, now
        raise JournalError(f"the row of {service} is in a record: it is not claimed")

    def close(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """See `Journal.close`. Never."""
        del ledgers, incident
        raise JournalError(f"the row of {claim.service} is in a record: it is not written")

    keep = close


class SwitchesInRecord:
    """See `Budget`: the switches as the record has them."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def read(self, *, limit: int, now: datetime) -> Switches:
        """See `Budget.read`."""
        del limit, now
        return self._switches

    def set_aside(self, claim_id: str, *, limit: int, now: datetime) -> Switches:
        """See `Budget.set_aside`. Never: a record is only looked at."""
        del limit, now
        raise JournalError(f"the budget is in a record: nothing is set aside for {claim_id}")

    def give_back(self, claim_id: str) -> None:
        """See `Budget.give_back`. Never."""
        raise JournalError(f"the budget is in a record: {claim_id} has nothing to give back")


def nothing_to_wait_for() -> None:
    """Nothing is done here, so nothing is throttled."""


def rooms_in(history: History, policy: Policy) -> Rooms:
    """A house in a record, at its end."""

    def clock() -> datetime:
        return history.to_at

    return Rooms(
        policy=policy,
        journal=RowsInRecord(history),
        budget=SwitchesInRecord(history.switches),
        metrics=metrics_in(history, clock),
        pointers=dict.fromkeys(["lambda_alias"], PointersInRecord(history.pointers, clock)),
        rollouts=dict.fromkeys(
            ["codedeploy_group", "cloudformation_stack"], RolloutsInRecord(history.rollouts, clock)
        ),
        clock=clock,
        stopwatch=lambda: 0.0,
        wait=nothing_to_wait_for,
        new_id=lambda now: f"looked at {now.isoformat()}",
        start=in_turn,
    )


def metrics_in(
    history: History, clock: Clock, alarms: Mapping[str, Sequence[AlarmReading]] | None = None
) -> RecordedMetrics:
    """What CloudWatch shows of a record at that time; with these alarms in place of its own."""
    own = {alarm.name: alarm.readings for alarm in history.alarms}
    return RecordedMetrics(
        series=history.tracks(),
        bands=history.bands(),
        alarms=own if alarms is None else alarms,
        clock=clock,
    )


def in_turn(call: Callable[[], T], /) -> Callable[[], T]:
    """See `Start`: the call is made when it is waited for."""
    return call
