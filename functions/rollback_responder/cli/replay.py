"""Playing a record through the house: the real hallway and watcher, a memory journal, its clock.

Nothing in here judges or decides. What the house does takes effect in the record's world only: an
alias that it moves stays where it was put until the record itself moves it, and a change that it
stops is back a minute later. What the minutes would have shown after that, nobody knows.
"""

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field

from rollback_responder.cli.history import History
from rollback_responder.cli.recorded import in_turn, metrics_in, nothing_to_wait_for
from rollback_responder.cli.replayed import ReplayedPointers, ReplayedRollouts
from rollback_responder.domain.assessment import WINDOW
from rollback_responder.domain.errors import RollbackError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.signal import AlarmReading, AlarmState, Signal
from rollback_responder.domain.target import Pointer
from rollback_responder.journal.memory import MemoryBudget, MemoryJournal
from rollback_responder.ports import Row
from rollback_responder.responder import Responder
from rollback_responder.rooms import Rooms
from rollback_responder.watcher import Watcher

LEASE = timedelta(seconds=90)

Progress = Callable[[datetime], None]
Alarms = Mapping[str, Sequence[AlarmReading]]


class Replayed(Struct, kw_only=True):
    """What the house did in a record. `incidents` are in the order in which they opened."""

    incidents: tuple[Incident, ...] = ()
    rounds: int = 0
    problems: list[str] = field(default_factory=list)


class Replay:
    """One policy, one record, one clock.

    Args:
        history: the record.
        policy: what is tried.
        alarms: what the alarms said; as the record has it where it is not given.
        every_minute: whether to look also in minutes in which nothing can come of it.
    """

    def __init__(
        self,
        history: History,
        policy: Policy,
        *,
        alarms: Alarms | None = None,
        progress: Progress = lambda _: None,
        every_minute: bool = False,
    ) -> None:
        self._history, self._policy = history, policy
        self._progress, self._every_minute = progress, every_minute
        self._now = history.begins_at
        self._alarms = {alarm.name: alarm.readings for alarm in history.alarms}
        self._alarms |= {name: tuple(readings) for name, readings in (alarms or {}).items()}
        tracks = history.tracks().values()
        self._minutes = sorted({start for track in tracks for start in track.starts})
        self._names = {entry.alarm_name for entry in policy.watched()}
        self._journal = MemoryJournal(LEASE)
        self._woken: list[str] = []
        self._replayed = Replayed()
        rooms = self._rooms()
        self._responder = Responder(rooms)
        self._watcher = Watcher(rooms, self._woken.append)

    def run(self) -> Replayed:
        """Plays it from the first minute to the last."""
        events = self._events()
        told = self._alarms_told()
        # When the record begins, nothing has been measured yet.
        at = _whole(self._history.begins_at) + MINUTE
        while at <= self._history.to_at:
            while told and told[0][0] <= at:
                self._now, name = told.pop(0)
                self._respond(name)
            self._now = at
            before = self._rows()
            self._look()
            self._progress(at)
            at = self._next(at, events, quiet=self._rows() == before)
        self._replayed.incidents = tuple(self._incidents())
        return self._replayed

    def _rooms(self) -> Rooms:
        clock = self._clock
        pointers = ReplayedPointers(self._history, clock)
        rollouts = ReplayedRollouts(self._history, clock, self._policy, pointers)
        ids = (f"replayed-{number:05d}" for number in itertools.count(1))
        self._pointers, self._rollouts = pointers, rollouts
        return Rooms(
            policy=self._policy,
            journal=self._journal,
            budget=MemoryBudget(),
            metrics=metrics_in(self._history, clock, self._alarms),
            pointers={"lambda_alias": pointers},
            rollouts={"codedeploy_group": rollouts, "cloudformation_stack": rollouts},
            clock=clock,
            stopwatch=lambda: 0.0,
            wait=nothing_to_wait_for,
            new_id=lambda _: next(ids),
            start=in_turn,
        )

    def _clock(self) -> datetime:
        return self._now

    # -- one minute -----------------------------------------------------------------------------

    def _look(self) -> None:
        self._replayed.rounds += 1
        try:
            done = self._watcher.watch()
        except RollbackError as error:
            self._problem(str(error))
            return
        for problem in done.problems:
            self._problem(problem)
        while self._woken:
            self._respond(self._woken.pop(0))

    def _respond(self, name: str) -> None:
        signal = Signal(
            alarm_name=name,
            account_id="",
            region=self._history.region,
            state=AlarmState.ALARM,
            at=self._now,
        )
        try:
            self._responder.respond(signal)
        except RollbackError as error:
            self._problem(f"{name}: {error}")

    def _problem(self, text: str) -> None:
        if text not in self._replayed.problems:
            self._replayed.problems.append(text)

    # -- from minute to minute --------------------------------------------------------------------

    def _alarms_told(self) -> list[tuple[datetime, str]]:
        """When each alarm of the policy's went off, in order."""
        return sorted(
            (reading.transitioned_at, name)
            for name, readings in self._alarms.items()
            for reading in readings
            if name in self._names
            and reading.state is AlarmState.ALARM
            and self._history.begins_at < reading.transitioned_at <= self._history.to_at
        )

    def _events(self) -> list[datetime]:
        """When anything changes that a round could see."""
        found = {r.transitioned_at for readings in self._alarms.values() for r in readings}
        found |= {stay.from_at for one in self._history.pointers for stay in one.stays}
        found |= {phase.from_at for one in self._history.rollouts for phase in one.phases}
        return sorted(found)

    def _next(self, at: datetime, events: list[datetime], *, quiet: bool) -> datetime:
        """The next minute to look in: the next one, or the one in which something changes.

        Where nothing is unproved, that is an event. Where something is, it is the end of the next
        minute with a datapoint, once there was none for longer than anything is judged by.
        """
        while events and events[0] <= at:
            events.pop(0)
        if self._every_minute or not quiet or self._is_busy():
            return at + MINUTE
        following = [_whole(events[0])] if events else [self._history.to_at + MINUTE]
        if not self._has_all_proved_itself():
            number = bisect_left(self._minutes, at)
            if number and at - self._minutes[number - 1] <= self._silence:
                return at + MINUTE
            following += [minute + MINUTE for minute in self._minutes[number : number + 1]]
        return max(at + MINUTE, min(following))

    @property
    def _silence(self) -> timedelta:
        """After so long without a datapoint, another minute without one changes nothing."""
        return self._policy.guardrails.bake_minutes * MINUTE + WINDOW

    def _is_busy(self) -> bool:
        """Whether anything is open, or fires."""
        if any(row.incident and row.incident.is_open for row in self._rows().values()):
            return True
        latest = (self._latest(name) for name in self._names)
        return any(reading and reading.state is AlarmState.ALARM for reading in latest)

    def _has_all_proved_itself(self) -> bool:
        rows = self._rows()
        pointers = [pointer for service in self._policy.services for pointer in service.pointers]
        return all(self._has_proved_itself(pointer, rows) for pointer in pointers)

    def _has_proved_itself(self, pointer: Pointer, rows: Mapping[str, Row]) -> bool:
        observation = self._pointers.observe(pointer)
        if observation is None:
            return True
        ledgers = [
            row.ledgers[pointer.target_id]
            for row in rows.values()
            if pointer.target_id in row.ledgers
        ]
        current = ledgers[0].current if ledgers else None
        return observation.other is None and current is not None and current.proven_at is not None

    def _latest(self, name: str) -> AlarmReading | None:
        past = [r for r in self._alarms.get(name, ()) if r.transitioned_at <= self._now]
        return past[-1] if past else None

    # -- what came of it ------------------------------------------------------------------------

    def _rows(self) -> Mapping[str, Row]:
        return self._journal.rows([service.name for service in self._policy.services])

    def _incidents(self) -> Iterator[Incident]:
        found = dict(self._journal.archive)
        found |= {row.incident.id: row.incident for row in self._rows().values() if row.incident}
        yield from sorted(found.values(), key=lambda one: (one.opened_at, one.id))


def _whole(at: datetime) -> datetime:
    """The first whole minute that is not before an instant."""
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + MINUTE
