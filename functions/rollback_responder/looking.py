"""Looking: all that a decision about one alarm rests on, read at once and put together here alone.

`respond` looks before it acts, `explain` looks and stops there; both see the same.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.assessment import Assessment, unmeasurable
from rollback_responder.domain.case import Case, seen
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.incident import State
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation, believed
from rollback_responder.domain.rollout import Sight
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Situation, StandDown, Surroundings, Switches
from rollback_responder.domain.target import Pointer, Rollout
from rollback_responder.domain.trial import NoTrial, Trial
from rollback_responder.gauge import (
    Ahead,
    Measured,
    Sibling,
    asked_ahead,
    measured,
    siblings_of,
    suspect_of,
)
from rollback_responder.ports import Claim, Row
from rollback_responder.rooms import Rooms


class Seen(Struct, frozen=True, kw_only=True):
    """A case, and what else was looked at because it may be the cause.

    `believed` means that the pointer was not looked at: it is as its ledger says, which is good for
    a move with compare-and-set, and for nothing else. `measured` is there once it is worked out,
    which may be while AWS answers the rest.
    """

    case: Case
    siblings: tuple[Sibling, ...]
    dependencies: Mapping[str, AlarmReading | None]
    ahead: Ahead | None = None
    believed: bool = False
    measured: Measured | None = None

    def recorded(self) -> Case:
        """The case with the minutes that were judged. It raises nothing: the act may be done."""
        return replace(self.case, minutes=self.measured.recorded() if self.measured else None)


class Look:
    """Everything about one alarm that is read beside its service's row. Making one starts it.

    Where `believing`, a pointer is not looked at if its ledger will do for a move: fifteen calls a
    second are all that Lambda's control plane takes of an account and region. `known` is what was
    known of the pointer before the row is read: the minutes that it makes likely are read as well.
    """

    def __init__(
        self,
        rooms: Rooms,
        watched: Watched,
        now: datetime,
        *,
        believing: bool = False,
        known: Ledger | None = None,
    ) -> None:
        self._rooms, self._watched, self._now = rooms, watched, now
        service = watched.service
        names = [watched.alarm_name, *service.dependencies]
        # First what is worked on longest once it is there.
        self._ahead = asked_ahead(rooms, watched, known, now) if known else None
        self._siblings: Callable[[], Mapping[str, Row]] = dict
        if service.siblings:
            self._siblings = rooms.start(partial(rooms.journal.rows, service.siblings))
        # Where something else may be rolling out, the pointer is no sure thing.
        self._believing = believing and not service.rollouts
        self._observation = None if self._believing else self._start_observing()
        self._sights = [
            (rollout, rooms.start(partial(_sight, rooms, rollout))) for rollout in service.rollouts
        ]
        self._alarms = rooms.start(partial(rooms.metrics.read_alarms, names))
        self._mutes = rooms.start(partial(rooms.metrics.muted_by, watched.alarm_name))

    def _start_observing(self) -> Callable[[], Observation | None]:
        return self._rooms.start(partial(observed, self._rooms, self._watched.pointer))

    def _observed(self, claim: Claim, written: Ledger) -> tuple[Observation | None, bool]:
        """The pointer, and whether that is only believed."""
        rooms, pointer = self._rooms, self._watched.pointer
        if self._observation is None:
            if _is_quiet(claim) and (known := believed(written)):
                return known, True
            return observed(rooms, pointer), False
        observation = self._observation()
        if observation and written.revision not in {None, observation.revision}:
            # It was looked at beside the claim: what the ledger knows may be newer.
            observation = observed(rooms, pointer)
        return observation, False

    def seen(self, claim: Claim, switches: Callable[[], Switches]) -> Seen:
        """Waits for it and for the switches, and puts it beside what the row says.

        Raises:
            RollbackError: something could not be read.
        """
        rooms, watched, now = self._rooms, self._watched, self._now
        service = watched.service
        written = _ledger_of(watched.pointer, claim.ledgers)
        self._ahead = self._ahead or asked_ahead(rooms, watched, written, now)
        observation, is_believed = self._observed(claim, written)
        sights = tuple((rollout, sight()) for rollout, sight in self._sights)
        case = Case(
            watched=watched,
            environment=rooms.policy.environment,
            mode=rooms.policy.mode_of(service, watched.trigger),
            guardrails=rooms.policy.guardrails,
            responses=rooms.policy.responses,
            switches=Switches(),
            now=now,
            claim_id=claim.id,
            inherited=claim.inherited,
            written=claim.ledgers,
            ledgers=seen(claim.ledgers, watched.pointer, observation, sights, now),
            incident=claim.incident,
            controls=claim.controls,
            alarm=None,
            observation=observation,
            sights=sights,
        )
        found = Seen(
            case=case,
            siblings=siblings_of(rooms.policy, service, self._siblings(), now),
            dependencies={},
            ahead=self._ahead,
            believed=is_believed,
        )
        early = assessed(rooms, found) if self._ahead and _is_quiet(claim) else None
        alarms = self._alarms()
        alarm = alarms.get(watched.alarm_name)
        alarm = alarm and _with_mutes(alarm, self._mutes)
        whole = replace(case, alarm=alarm, switches=switches())
        if early and whole.on_trial() != case.on_trial():
            # Since when the alarm fires may tell another change from the one that was measured.
            early = None
        return replace(
            found,
            case=whole,
            dependencies={name: alarms.get(name) for name in service.dependencies},
            measured=early,
        )


def _sight(rooms: Rooms, rollout: Rollout) -> Sight | None:
    return rooms.rollout(rollout).observe(rollout)


def looked_again(rooms: Rooms, before: Seen) -> Seen:
    """The targets as they are by now; all else as it was seen."""
    case = before.case
    observation = observed(rooms, case.watched.pointer)
    sights = tuple((rollout, _sight(rooms, rollout)) for rollout, _ in case.sights)
    kept = seen(case.written, case.watched.pointer, observation, sights, case.now)
    case = replace(case, observation=observation, sights=sights, ledgers=kept)
    return replace(before, case=case, believed=False, measured=None)


def observed(rooms: Rooms, pointer: Pointer | None) -> Observation | None:
    """A pointer as it is now; None where there is none."""
    return rooms.pointer(pointer).observe(pointer) if pointer else None


def assessed(rooms: Rooms, found: Seen) -> Measured:
    """Measures the versions and the siblings in one call; names the siblings that fail."""
    if found.measured:
        return found.measured
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
    return measured(rooms, suspect, found.siblings, case.now, found.ahead)


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


def _is_quiet(claim: Claim) -> bool:
    """Whether nobody has touched the service or said anything about it."""
    if claim.inherited or claim.controls != Controls():
        return False
    incident = claim.incident
    if incident is None or not incident.is_open:
        return True
    return incident.state is State.UNDECIDED and not incident.lost


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
