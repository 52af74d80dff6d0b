"""The watcher: once a minute, for what no message announced and for what is not finished yet.

It is level-triggered: it looks at how things are, never at what changed. It keeps the ledger,
verifies what was rolled back, and wakes `respond` where there is something to decide; it never
moves a target itself.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.assessment import served_well
from rollback_responder.domain.errors import ActionError, MeasurementError, RollbackError
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.release import Ledger, Observation, Release
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import Target
from rollback_responder.domain.trigger import AdoptedAlarm
from rollback_responder.domain.verification import Outcome, overdue, verify
from rollback_responder.ports import Row, Wake
from rollback_responder.responder import Rooms

logger = logging.getLogger(__name__)

# A release proves itself on real traffic; fewer requests than this prove nothing (decision D22).
ENOUGH_REQUESTS = 20


@dataclass(slots=True, kw_only=True)
class Round:
    """What one round of the watcher did."""

    targets: int = 0
    woken: list[str] = field(default_factory=list)
    ended: list[Incident] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One target as this round sees it."""

    target: Target
    entries: Sequence[Watched]
    row: Row
    alarms: Mapping[str, AlarmReading]
    now: datetime


class Watcher:
    """Looks at every target in scope."""

    def __init__(self, rooms: Rooms, wake: Wake) -> None:
        self._rooms = rooms
        self._wake = wake
        self._by_target: dict[str, list[Watched]] = defaultdict(list)
        for entry in rooms.policy.watched():
            self._by_target[entry.target.target_id].append(entry)

    def watch(self) -> Round:
        """One round. A target that cannot be read does not keep the others from being watched.

        Raises:
            RollbackError: the journal or the alarms could not be read at all.
        """
        rooms, now = self._rooms, self._rooms.clock()
        names = [entry.alarm_name for entries in self._by_target.values() for entry in entries]
        rows = rooms.journal.rows(list(self._by_target))
        alarms = rooms.metrics.read_alarms(names)
        done = Round(targets=len(self._by_target))
        for target_id, entries in self._by_target.items():
            row = rows.get(target_id, Row(ledger=Ledger(), incident=None, acting_until=None))
            try:
                self._watch_target(entries, row, alarms, now, done)
            except RollbackError as error:
                done.problems.append(f"{target_id}: {error}")
        return done

    def _watch_target(
        self,
        entries: Sequence[Watched],
        row: Row,
        alarms: Mapping[str, AlarmReading],
        now: datetime,
        done: Round,
    ) -> None:
        """Ledger, then whatever is unfinished, then whatever nobody has answered."""
        if row.damage:
            done.problems.append(f"{entries[0].target.target_id}: {row.damage}")
            return
        if row.acting_until and now <= row.acting_until:
            return
        target, incident = entries[0].target, row.incident
        sight = Sight(target=target, entries=entries, row=row, alarms=alarms, now=now)
        if row.acting_until:
            # Its holder never came back: `respond` inherits the claim and settles it.
            names = _to_look_at(sight, row.ledger) or [_latest(sight)]
            self._wake_for(names[0], done)
            return
        if incident and incident.state is State.WATCHING:
            self._verify(sight, incident, done)
            return
        observation = self._rooms.actions[target.kind].observe(target)
        done.problems += _missing(sight, observation)
        ledger = self._keep_ledger(sight, observation, done)
        for name in _to_look_at(sight, ledger):
            self._wake_for(name, done)

    def _wake_for(self, alarm_name: str, done: Round) -> None:
        self._wake(alarm_name)
        done.woken.append(alarm_name)

    # -- the ledger ---------------------------------------------------------------------------

    def _keep_ledger(self, sight: Sight, observation: Observation | None, done: Round) -> Ledger:
        """Writes down what is live and what has proved itself, where that has changed.

        What is live is written also where nothing else about it can be read.
        """
        before = after = sight.row.ledger
        if observation:
            after = ledgers.seen(before, observation, sight.now)
            try:
                after = self._examined(sight, observation, after)
            except (ActionError, MeasurementError) as error:
                done.problems.append(f"{sight.target.target_id}: {error}")
        if after != before:
            self._write(sight, after, sight.row.incident)
        return after

    def _examined(self, sight: Sight, observation: Observation, ledger: Ledger) -> Ledger:
        """The ledger after a closer look at the live version, and at the way back from it."""
        action, target = self._rooms.actions[sight.target.kind], sight.target
        release = ledger.current
        if release is None:
            return ledger
        if release.code_sha256 is None:
            release = replace(release, code_sha256=action.fingerprint(target, release.version))
            ledger = replace(ledger, current=release)
        if self._is_proved(sight, observation, release):
            return ledgers.proved(ledger, release, sight.now)
        back = ledgers.way_back(ledger, observation)
        recent = timedelta(minutes=self._rooms.policy.guardrails.change_age_minutes)
        # The way back matters while a rollback may be needed; CDK deletes it by default (D19).
        needed = back is not None and sight.now - release.since_at < recent
        if back and needed and action.fingerprint(target, back) is None:
            logger.error("version %s of %s was deleted: it is no way back", back, target.title)
            ledger = ledgers.vanished(ledger, back)
        return ledger

    def _is_proved(self, sight: Sight, observation: Observation, release: Release) -> bool:
        """Whether a release has now served its bake time, all traffic, well, with quiet alarms.

        Any change of an alarm's state begins the bake time anew. An alarm that does not exist, or
        that CloudWatch itself doubts, vouches for nothing; nor does one that few requests keep
        quiet, so the minutes themselves are asked as well.
        """
        if release.proven_at or release.whole_since_at is None:
            return False
        if release.version != observation.primary or not release.version.isdigit():
            return False
        incident = sight.row.incident
        alarms = [sight.alarms[e.alarm_name] for e in sight.entries if e.alarm_name in sight.alarms]
        if (incident and incident.is_open) or len(alarms) < len(sight.entries):
            return False
        if any(alarm.state is AlarmState.ALARM or alarm.unsound for alarm in alarms):
            return False
        since_at = max([release.whole_since_at, *(alarm.transitioned_at for alarm in alarms)])
        if sight.now - since_at < timedelta(minutes=self._rooms.policy.guardrails.bake_minutes):
            return False
        return self._served_well(sight, since_at)

    def _served_well(self, sight: Sight, since_at: datetime) -> bool:
        metrics, target, now = self._rooms.metrics, sight.target, sight.now
        if metrics.count_requests(target, since_at=since_at, now=now) < ENOUGH_REQUESTS:
            return False
        for entry in sight.entries:
            trigger = entry.trigger
            if isinstance(trigger, AdoptedAlarm):
                continue
            measured = metrics.measure(
                trigger, target, new=None, previous=None, since_at=since_at, now=now
            )
            if not served_well(trigger, measured.total):
                return False
        return True

    def _write(self, sight: Sight, ledger: Ledger, incident: Incident | None) -> bool:
        """Writes to the row, unless somebody else has since: then the next round may."""
        journal, target_id, now = self._rooms.journal, sight.target.target_id, sight.now
        claim_id = self._rooms.new_id(now)
        claim = journal.claim(target_id, claim_id=claim_id, may_act=False, now=now)
        if claim is None:
            return False
        unchanged = claim.ledger == sight.row.ledger and claim.incident == sight.row.incident
        if not unchanged:
            ledger, incident = claim.ledger, claim.incident
        journal.close(claim, ledger=ledger, incident=incident)
        return unchanged

    # -- the outcome --------------------------------------------------------------------------

    def _verify(self, sight: Sight, incident: Incident, done: Round) -> None:
        """Says how a rollback ended, once that can be said; also where it cannot be looked at."""
        try:
            outcome = self._outcome(sight, incident)
        except (ActionError, MeasurementError) as error:
            done.problems.append(f"{sight.target.target_id}: {error}")
            outcome = overdue(incident, str(error), sight.now)
        if outcome is None:
            return
        ended = incident.step(sight.now, outcome.state, outcome.reason, outcome.text)
        if self._write(sight, sight.row.ledger, ended):
            done.ended.append(ended)

    def _outcome(self, sight: Sight, incident: Incident) -> Outcome | None:
        lag = timedelta(minutes=self._rooms.policy.guardrails.metric_lag_minutes)
        observation = self._rooms.actions[sight.target.kind].observe(sight.target)
        measurement = None
        if incident.acted_at and not isinstance(incident.trigger, AdoptedAlarm):
            measurement = self._rooms.metrics.measure(
                incident.trigger,
                sight.target,
                new=None,
                previous=None,
                since_at=incident.acted_at,
                now=sight.now,
            )
        return verify(
            incident,
            alarm=sight.alarms.get(incident.alarm_name),
            observation=observation,
            measurement=measurement,
            now=sight.now,
            lag=lag,
        )


def _missing(sight: Sight, observation: Observation | None) -> list[str]:
    """What the policy names and AWS does not have: a service that nobody protects."""
    title, known = sight.target.title, sight.alarms
    gone = [] if observation else [f"{title} does not exist"]
    unknown = [e.alarm_name for e in sight.entries if e.alarm_name not in known]
    return gone + [f"{title}: alarm {name} does not exist" for name in unknown]


def _to_look_at(sight: Sight, ledger: Ledger) -> list[str]:
    """The alarm of an incident that is undecided, then those that fire and are not answered for."""
    incident = sight.row.incident
    names = []
    if incident and incident.state is State.UNDECIDED:
        # A new policy may have dropped its alarm; any other of the target's closes the incident.
        known = [e.alarm_name for e in sight.entries]
        names.append(incident.alarm_name if incident.alarm_name in known else known[0])
    for entry in sight.entries:
        alarm = sight.alarms.get(entry.alarm_name)
        if alarm is None or alarm.state is not AlarmState.ALARM or entry.alarm_name in names:
            continue
        if incident is None or not incident.covers(
            entry.alarm_name, alarm.transitioned_at, ledger.current
        ):
            names.append(entry.alarm_name)
    return names


def _latest(sight: Sight) -> str:
    """The alarm that changed last: most likely the one that a lost attempt was about."""
    known = [entry.alarm_name for entry in sight.entries]
    changed = {name: sight.alarms[name].transitioned_at for name in known if name in sight.alarms}
    return max(changed, key=lambda name: changed[name]) if changed else known[0]
