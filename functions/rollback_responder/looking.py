"""Looking: all that a decision about one alarm rests on, read at once and put together here alone.

`respond` looks before it acts, `explain` looks and stops there; both see the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from rollback_responder.domain.assessment import Assessment, unmeasurable
from rollback_responder.domain.case import Case, seen
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Situation, StandDown, Surroundings, Switches
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trial import NoTrial, Trial
from rollback_responder.gauge import Measured, Sibling, measured, siblings_of, suspect_of
from rollback_responder.ports import Claim
from rollback_responder.rooms import Rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A case, and what else was looked at because it may be the cause."""

    case: Case
    siblings: tuple[Sibling, ...]
    dependencies: Mapping[str, AlarmReading | None]


class Look:
    """Everything about one alarm that is read beside its service's row. Making one starts it."""

    def __init__(self, rooms: Rooms, watched: Watched) -> None:
        self._rooms, self._watched = rooms, watched
        service = watched.service
        names = [watched.alarm_name, *service.dependencies]
        self._alarms = rooms.start(partial(rooms.metrics.read_alarms, names))
        self._mutes = rooms.start(partial(rooms.metrics.muted_by, watched.alarm_name))
        self._siblings = rooms.start(partial(rooms.journal.rows, service.siblings))
        self._observation = rooms.start(partial(observed, rooms, watched.pointer))
        self._sights = [
            (rollout, rooms.start(partial(rooms.rollout(rollout).observe, rollout)))
            for rollout in service.rollouts
        ]

    def seen(self, claim: Claim, switches: Switches, now: datetime) -> Seen:
        """Waits for it, and puts it beside what the row says.

        Raises:
            RollbackError: something could not be read.
        """
        rooms, watched = self._rooms, self._watched
        service = watched.service
        alarms, observation, sibling_rows = self._alarms(), self._observation(), self._siblings()
        alarm = alarms.get(watched.alarm_name)
        alarm = alarm and _with_mutes(alarm, self._mutes)
        sights = tuple((rollout, sight()) for rollout, sight in self._sights)
        siblings = siblings_of(rooms.policy, service, sibling_rows, now)
        dependencies = {name: alarms.get(name) for name in service.dependencies}
        written = _ledger_of(watched.pointer, claim.ledgers)
        if observation and written.revision not in {None, observation.revision}:
            # It was looked at beside the claim: what the ledger knows may be newer.
            observation = observed(rooms, watched.pointer)
        case = Case(
            watched=watched,
            environment=rooms.policy.environment,
            mode=rooms.policy.mode_of(service, watched.trigger),
            guardrails=rooms.policy.guardrails,
            responses=rooms.policy.responses,
            switches=switches,
            now=now,
            claim_id=claim.id,
            inherited=claim.inherited,
            written=claim.ledgers,
            ledgers=seen(claim.ledgers, watched.pointer, observation, sights, now),
            incident=claim.incident,
            controls=claim.controls,
            alarm=alarm,
            observation=observation,
            sights=sights,
        )
        return Seen(case=case, siblings=siblings, dependencies=dependencies)


def looked_again(rooms: Rooms, before: Seen) -> Seen:
    """The targets as they are by now; all else as it was seen."""
    case = before.case
    observation = observed(rooms, case.watched.pointer)
    sights = tuple((rollout, rooms.rollout(rollout).observe(rollout)) for rollout, _ in case.sights)
    kept = seen(case.written, case.watched.pointer, observation, sights, case.now)
    case = replace(case, observation=observation, sights=sights, ledgers=kept)
    return replace(before, case=case)


def observed(rooms: Rooms, pointer: Pointer | None) -> Observation | None:
    """A pointer as it is now; None where there is none."""
    return rooms.pointer(pointer).observe(pointer) if pointer else None


def assessed(rooms: Rooms, found: Seen) -> Measured:
    """Measures the versions and the siblings in one call; names the siblings that fail."""
    case = found.case
    trial, release, pointer = case.on_trial(), case.release, case.watched.pointer
    if pointer and release is None:
        return Measured(unmeasurable("there is nothing to measure"), ())
    changed_at = case.now
    if isinstance(trial, Trial):
        changed_at = trial.since_at
    elif release:
        changed_at = release.since_at
    suspect = suspect_of(case.watched, case.observation, case.ledger, changed_at)
    return measured(rooms, suspect, found.siblings, case.now)


def situation_of(
    rooms: Rooms, found: Seen, assessment: Assessment, failing: tuple[str, ...]
) -> Situation | StandDown:
    """Everything that the decision rests on, or why there is nothing to decide about."""
    case = found.case
    if case.alarm is None:
        return StandDown(reason=Reason.ALARM_GONE, text="the alarm does not exist any more")
    trial, pointer = case.on_trial(), case.watched.pointer
    if pointer and case.observation is None:
        gone = f"{pointer.title} does not exist"
        trial = NoTrial(reason=Reason.TARGET_GONE, text=gone)
    return Situation(
        now=case.now,
        alarm=case.alarm,
        observation=case.observation,
        release=case.release,
        ledger=case.ledger,
        ledgers=case.ledgers,
        trigger=case.watched.trigger,
        on_trial=trial,
        assessment=assessment,
        mode=case.mode,
        guardrails=case.guardrails,
        responses=case.responses,
        switches=case.switches,
        freezes=rooms.policy.freezes,
        surroundings=Surroundings(dependencies=found.dependencies, failing_siblings=failing),
        controls=case.controls,
        approval=case.approval,
        ordered=case.ordered,
        no_drill=_no_drill(rooms, case),
        never_back_to=frozenset(pointer.never_back_to) if pointer else frozenset(),
    )


def _no_drill(rooms: Rooms, case: Case) -> str | None:
    """Why nothing is rehearsed: whoever gave the order may have known neither."""
    if rooms.policy.is_production:
        return f"{rooms.policy.environment} is production: nothing is rehearsed there"
    pending = case.open_incident
    # Its own first attempt may have got no clear answer, or been too much for AWS.
    if pending and pending.reason not in {Reason.ACTION_UNCLEAR, Reason.ACTION_THROTTLED}:
        return f"an incident is open: {pending.reason.value}"
    return None


def _with_mutes(alarm: AlarmReading, asking: Callable[[], str | None]) -> AlarmReading:
    """The alarm with what mutes it; where that cannot be read, the alarm is in doubt."""
    try:
        return replace(alarm, muted_by=asking())
    except MeasurementError as error:
        return replace(alarm, unsound=str(error))


def _ledger_of(pointer: Pointer | None, kept: Mapping[str, Ledger]) -> Ledger:
    return kept.get(pointer.target_id, Ledger()) if pointer else Ledger()
