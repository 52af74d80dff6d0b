"""The watcher: once a minute, and on events, for what no message announced and what is not over.

It is level-triggered: it looks at how things are, never at what changed. It keeps the ledgers,
follows what goes back, verifies what is back, and wakes `respond` where there is something to
decide or to do; it never touches a target itself.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from rollback_responder.domain.case import live_order, seen
from rollback_responder.domain.errors import (
    ActionError,
    JournalError,
    MeasurementError,
    RollbackError,
)
from rollback_responder.domain.following import condemned, left_alone, progress
from rollback_responder.domain.incident import PENDING, Incident, State
from rollback_responder.domain.metric import tells_versions_apart
from rollback_responder.domain.policy import Service, Watched
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.reminder import reminded
from rollback_responder.domain.response import Responses
from rollback_responder.domain.rollout import Sight
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import Pointer, Rollout
from rollback_responder.domain.trial import on_trial
from rollback_responder.domain.trigger import PointerTrigger
from rollback_responder.domain.undo import wish
from rollback_responder.domain.verification import (
    Outcome,
    last_recorded,
    overdue,
    question_about,
    verify,
    with_aftermath,
)
from rollback_responder.gauge import TOTAL, measured, suspect_of
from rollback_responder.ports import Row, Wake
from rollback_responder.prover import Live, Prover
from rollback_responder.rooms import Rooms, leg_sights


class Round(Struct, kw_only=True):
    """What one round of the watcher did, and the incidents that were open when it began.

    `hushed` says of alarms in scope why they announce nothing: a person disabled or muted them.
    """

    targets: int = 0
    hushed: list[str] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    ended: list[Incident] = field(default_factory=list)
    open: list[Incident] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Look(Struct, frozen=True, kw_only=True):
    """One service as this round found it, before its targets are read."""

    service: Service
    entries: Sequence[Watched]
    row: Row
    alarms: Mapping[str, AlarmReading]
    now: datetime
    done: Round


class Targets(Struct, frozen=True, kw_only=True):
    """A service's targets as they are now, and its ledgers after seeing them."""

    observations: Mapping[str, Observation]
    sights: tuple[tuple[Rollout, Sight | None], ...]
    ledgers: dict[str, Ledger]


class Watcher:
    """Looks at every service in scope."""

    def __init__(self, rooms: Rooms, wake: Wake) -> None:
        self._rooms = rooms
        self._wake = wake
        self._prover = Prover(rooms)
        self._entries: dict[str, list[Watched]] = defaultdict(list)
        for entry in rooms.policy.watched():
            self._entries[entry.service.name].append(entry)

    def watch(self) -> Round:
        """One round. A service that cannot be read does not keep the others from being watched.

        Raises:
            RollbackError: the journal or the alarms could not be read at all.
        """
        rooms, now = self._rooms, self._rooms.clock()
        names = [entry.alarm_name for entries in self._entries.values() for entry in entries]
        needed = {each for service in rooms.policy.services for each in service.dependencies}
        rows = rooms.journal.rows(list(self._entries))
        alarms = rooms.metrics.read_alarms({*names, *needed})
        done = Round(targets=sum(len(service.targets) for service in rooms.policy.services))
        done.open += [
            row.incident for row in rows.values() if row.incident and row.incident.is_open
        ]
        done.hushed += self._hushed(names, alarms, done.problems)
        for name, entries in self._entries.items():
            look = Look(
                service=entries[0].service,
                entries=entries,
                row=rows.get(name, Row(ledgers={}, incident=None, acting_until=None)),
                alarms=alarms,
                now=now,
                done=done,
            )
            try:
                self._watch_service(look)
            except RollbackError as error:
                done.problems.append(f"{name}: {error}")
        return done

    def _hushed(
        self, names: Sequence[str], alarms: Mapping[str, AlarmReading], problems: list[str]
    ) -> Iterator[str]:
        """Alarms that nothing is rolled back for, because somebody asked for silence."""
        there = [name for name in names if name in alarms]
        for name in there:
            if not alarms[name].actions_enabled:
                yield f"{name}: its actions are disabled"
        try:
            muted = self._rooms.metrics.muted(there)
        except MeasurementError as error:
            problems.append(str(error))
            return
        for name, rule in muted.items():
            yield f"{name}: the rule {rule} mutes it"

    def _watch_service(self, look: Look) -> None:
        """What is unfinished; else the ledgers, and whatever nobody has answered."""
        row, incident = look.row, look.row.incident
        if row.damage:
            look.done.problems.append(f"{look.service.name}: {row.damage}")
            return
        if row.acting_until and look.now <= row.acting_until:
            return
        if row.acting_until:
            # Its holder never came back: `respond` inherits the claim and settles it.
            self._wake_for(_to_roll_back(look) or _likeliest(look), look)
            return
        if incident and (again := reminded(incident, look.now)):
            self._write(look, row.ledgers, again)
            look = replace(look, row=replace(row, incident=again))
            incident = again
        if alarm_name := _to_undo(look) or _to_roll_back(look):
            self._wake_for(alarm_name, look)
            return
        if incident and incident.state is State.WATCHING:
            self._verify(look, incident)
            return
        if incident and incident.state is State.ROLLING_BACK:
            self._follow(look, incident)
            return
        targets = self._read(look)
        kept = self._keep_ledgers(look, targets)
        names = _to_look_at(look, targets, kept, self._rooms.policy.responses)
        for name in dict.fromkeys([*names, *self._convicted(look, targets, kept)]):
            self._wake_for(name, look)

    def _convicted(self, look: Look, targets: Targets, kept: Mapping[str, Ledger]) -> Iterator[str]:
        """While traffic is shifting: the alarms whose trigger convicts the new version by itself.

        An alarm on all traffic is blind to a small part of it: a 5 % alarm on a 10 % canary saw
        none of the 6 to 10 % faults (decision D21).
        """
        for entry in look.entries:
            observation = targets.observations.get(entry.pointer.target_id if entry.pointer else "")
            if entry.pointer is None or observation is None or observation.other is None:
                continue
            ledger = kept[entry.pointer.target_id]
            if ledger.current is None or not isinstance(entry.trigger, PointerTrigger):
                continue
            if tells_versions_apart(entry.trigger):
                suspect = suspect_of(entry, observation, ledger, ledger.current.since_at)
                if measured(self._rooms, suspect, (), look.now).assessment.convicts_beside:
                    yield entry.alarm_name

    def _wake_for(self, alarm_name: str, look: Look) -> None:
        self._wake(alarm_name)
        look.done.woken.append(alarm_name)

    def _read(self, look: Look) -> Targets:
        """Reads every target of a service. What does not exist is a problem of the policy."""
        rooms, problems = self._rooms, look.done.problems
        observations, kept = {}, dict(look.row.ledgers)
        for pointer in look.service.pointers:
            observation = rooms.pointer(pointer).observe(pointer)
            if observation is None:
                problems.append(f"{pointer.title} does not exist")
            else:
                observations[pointer.target_id] = observation
            kept = seen(kept, pointer, observation, (), look.now)
        sights = tuple(
            (rollout, rooms.rollout(rollout).observe(rollout)) for rollout in look.service.rollouts
        )
        problems += [f"{rollout.title} does not exist" for rollout, sight in sights if not sight]
        problems += [
            f"{entry.pointer.title if entry.pointer else look.service.name}:"
            f" alarm {entry.alarm_name} does not exist"
            for entry in look.entries
            if entry.alarm_name not in look.alarms
        ]
        problems += [
            f"{look.service.name}: alarm {name} of a dependency does not exist"
            for name in look.service.dependencies
            if name not in look.alarms
        ]
        return Targets(
            observations=observations,
            sights=sights,
            ledgers=seen(kept, None, None, sights, look.now),
        )

    # -- the ledgers --------------------------------------------------------------------------

    def _keep_ledgers(self, look: Look, targets: Targets) -> Mapping[str, Ledger]:
        """Writes down what is live and what has proved itself, where that has changed.

        What is live is written also where nothing else about it can be read.
        """
        kept = dict(targets.ledgers)
        for pointer in look.service.pointers:
            observation = targets.observations.get(pointer.target_id)
            if observation is None:
                continue
            ledger = kept[pointer.target_id]
            try:
                kept[pointer.target_id] = self._prover.examined(
                    Live(
                        pointer=pointer,
                        observation=observation,
                        entries=[each for each in look.entries if each.pointer == pointer],
                        alarms=look.alarms,
                        busy=look.row.incident is not None and look.row.incident.is_open,
                        now=look.now,
                    ),
                    ledger,
                )
            except (ActionError, MeasurementError) as error:
                look.done.problems.append(f"{pointer.title}: {error}")
        if kept != look.row.ledgers:
            self._write(look, kept, look.row.incident)
        return kept

    def _write(self, look: Look, kept: Mapping[str, Ledger], incident: Incident | None) -> bool:
        """Writes to the row, unless somebody else has since: then the next round may."""
        journal, service, now = self._rooms.journal, look.service.name, look.now
        claim_id = self._rooms.new_id(now)
        claim = journal.claim(service, claim_id=claim_id, may_act=False, now=now)
        if claim is None:
            return False
        unchanged = claim.ledgers == look.row.ledgers and claim.incident == look.row.incident
        if not unchanged:
            kept, incident = claim.ledgers, claim.incident
        try:
            journal.close(claim, ledgers=kept, incident=incident)
        except JournalError:
            # It cannot have acted. Left behind, its claim would have every second round wait for
            # its lease, without a problem to tell of.
            with suppress(JournalError):
                journal.close(claim, ledgers=claim.ledgers, incident=claim.incident)
            raise
        return unchanged

    # -- on the way back ----------------------------------------------------------------------

    def _follow(self, look: Look, incident: Incident) -> None:
        """Looks at the legs of a rollback; `respond` is woken where something is to be done.

        What cannot be read does not keep the deadlines from passing.
        """
        try:
            targets = self._read(look)
        except ActionError as error:
            look.done.problems.append(f"{look.service.name}: {error}")
            targets = Targets(observations={}, sights=(), ledgers=dict(look.row.ledgers))
        found = progress(incident, leg_sights(self._rooms, incident, targets.sights), look.now)
        if found.begin is not None or found.go_on is not None:
            self._wake_for(_likeliest(look), look)
        if found.begin is not None:
            return
        pointer = incident.target if isinstance(incident.target, Pointer) else None
        observation = targets.observations.get(incident.target.target_id)
        kept = targets.ledgers
        kept |= condemned(found.incident, pointer, observation, kept, look.now)
        kept |= left_alone(found.incident, kept)
        if found.incident == incident and kept == look.row.ledgers:
            return
        if self._write(look, kept, found.incident) and not found.incident.is_open:
            look.done.ended.append(found.incident)

    # -- the outcome --------------------------------------------------------------------------

    def _verify(self, look: Look, incident: Incident) -> None:
        """Says how a rollback ended, once that can be said; also where it cannot be looked at."""
        try:
            outcome, incident = self._outcome(look, incident)
        except (ActionError, MeasurementError) as error:
            look.done.problems.append(f"{look.service.name}: {error}")
            outcome = overdue(incident, str(error), look.now)
        if outcome is None:
            return
        ended = incident.step(look.now, outcome.state, outcome.reason, outcome.text)
        if self._write(look, look.row.ledgers, ended):
            look.done.ended.append(ended)

    def _outcome(self, look: Look, incident: Incident) -> tuple[Outcome | None, Incident]:
        """The outcome, and the incident with the minutes that it was judged by."""
        pointer = incident.target if isinstance(incident.target, Pointer) else None
        observation = self._rooms.pointer(pointer).observe(pointer) if pointer else None
        buckets, question = None, question_about(incident)
        if question and incident.back_at:
            buckets = self._rooms.metrics.read(
                {TOTAL: question}, since_at=last_recorded(incident), now=look.now
            )[TOTAL]
            incident = with_aftermath(incident, question, buckets, look.now)
        bad = look.row.ledgers.get(incident.target.target_id, Ledger()).bad
        outcome = verify(
            incident,
            alarm=look.alarms.get(incident.alarm_name),
            observation=observation,
            buckets=buckets,
            bad_versions=frozenset(entry.version for entry in bad),
            now=look.now,
            lag=timedelta(minutes=self._rooms.policy.guardrails.metric_lag_minutes),
        )
        return outcome, incident


def _to_look_at(
    look: Look, targets: Targets, kept: Mapping[str, Ledger], responses: Responses
) -> list[str]:
    """The alarm of an incident that is undecided, then those that fire and are not answered for."""
    incident = look.row.incident
    # A new policy may have dropped its alarm; any other of the service's closes the incident.
    names = [_likeliest(look)] if incident and incident.state in PENDING else []
    for entry in look.entries:
        alarm = look.alarms.get(entry.alarm_name)
        if alarm is None or alarm.state is not AlarmState.ALARM or entry.alarm_name in names:
            continue
        pointer = entry.pointer
        observation = targets.observations.get(pointer.target_id) if pointer else None
        release = kept[pointer.target_id].current if pointer and observation else None
        found = on_trial(
            sights=targets.sights,
            pointer=pointer,
            observation=observation,
            release=release,
            alarm_since_at=alarm.transitioned_at,
            now=look.now,
            ages=responses.change_ages(entry.trigger.severity),
        )
        since_at = alarm.transitioned_at
        if not (incident and incident.covers(entry.alarm_name, since_at, found.change, release)):
            names.append(entry.alarm_name)
    return names


def _to_undo(look: Look) -> str | None:
    """The alarm to wake for, where a person wants a rollback undone and nobody has got to it yet.

    Any alarm of the pointer will do: what fires says nothing about it.
    """
    incident = look.row.incident
    if incident is None or not (incident.may_be_undone or incident.state is State.UNDOING):
        return None
    if wish(look.row.controls, incident) is None:
        return None
    target_id = incident.target.target_id
    names = [e.alarm_name for e in look.entries if e.pointer and e.pointer.target_id == target_id]
    return next(iter(names), None)


def _to_roll_back(look: Look) -> str | None:
    """The alarm to wake for, where a person ordered a rollback and nobody has got to it yet."""
    incident = look.row.incident
    if incident and incident.is_open and incident.state not in PENDING:
        return None
    order = live_order(look.row.controls, incident)
    if order is None:
        return None
    if order.alarm_name in {entry.alarm_name for entry in look.entries}:
        return order.alarm_name
    # A new policy may have dropped its alarm: any other of the service's says so in the end.
    return _likeliest(look) if order.has_lapsed(look.now) else None


def _likeliest(look: Look) -> str:
    """The alarm that an open incident, or a lost attempt, is most likely about."""
    known, incident = [entry.alarm_name for entry in look.entries], look.row.incident
    if incident and incident.is_open and incident.alarm_name in known:
        return incident.alarm_name
    changed = {name: look.alarms[name].transitioned_at for name in known if name in look.alarms}
    return max(changed, key=lambda name: changed[name]) if changed else known[0]
