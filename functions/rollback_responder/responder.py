"""The hallway: from a signal to a journaled incident. The only room that knows the order.

It has no clock, no client and no policy of its own; everything comes in by `Rooms`.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar, assert_never

from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain import undo as undo_of
from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.case import Case, Entry
from rollback_responder.domain.decision import decide
from rollback_responder.domain.errors import (
    ActionError,
    ActionThrottled,
    ActionUnclear,
    JournalError,
    RollbackError,
    SignalError,
    TargetChanged,
    TargetGone,
    TargetHeld,
)
from rollback_responder.domain.following import has_begun
from rollback_responder.domain.going_back import adopted, moved, stopped
from rollback_responder.domain.holding import (
    answered,
    asked,
    must_wait,
    order_refused,
    stood_down,
    unclear,
)
from rollback_responder.domain.leg import How, Leg, LegState
from rollback_responder.domain.ordered import on_order
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recovery import recovered
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.domain.situation import (
    Adopt,
    Ask,
    Decision,
    RollBack,
    StandDown,
    Switches,
)
from rollback_responder.domain.target import Rollout
from rollback_responder.follower import Follower
from rollback_responder.looking import (
    Look,
    Seen,
    assessed,
    looked_again,
    observed,
    situation_of,
)
from rollback_responder.policies import Policies, WholePolicy
from rollback_responder.ports import Claim, Move, Redeploy
from rollback_responder.rooms import (
    PATIENT_SECONDS_TOGETHER,
    REFUSALS,
    Rooms,
    Stopwatch,
    token_of,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Nothing is moved whatever the pointer shows: in a storm, Lambda's calls are for those that move.
SWITCHED_OFF = frozenset({Reason.BUDGET_SPENT, Reason.PAUSED})


class Responder:
    """Answers alarms."""

    def __init__(self, rooms: Rooms, policies: Policies | None = None) -> None:
        """`policies` knows all services; left out, `rooms` has the whole policy."""
        self._rooms = rooms
        self._policies = policies or WholePolicy(rooms.policy)
        # What this process has seen of each pointer, by id: only good for asking ahead.
        self._known: dict[str, Ledger] = {}

    def begin(self) -> None:
        """A new invocation: whoever answers its messages may wait for AWS anew, all together."""
        until = self._rooms.stopwatch() + PATIENT_SECONDS_TOGETHER
        self._rooms = replace(self._rooms, patient_until=until)

    def alarms_about(self, alarm_name: str) -> tuple[str, ...]:
        """What is read about an alarm: itself, and what its service depends on."""
        part = self._policies.part(alarm_name)
        return (alarm_name, *part.watched.service.dependencies) if part else ()

    def respond(self, signal: Signal) -> Entry | None:
        """Looks, judges, decides, acts and journals. Never acts on the signal alone.

        Returns:
            What was written, or None where the signal asks for nothing.

        Raises:
            SignalError: the alarm is nobody's; nothing was read or written.
            RollbackError: the service is held, or something could not be read or written; the same
                signal may be tried again.
        """
        part = self._policies.part(signal.alarm_name)
        if part is None:
            raise SignalError("unknown_alarm", f"no service names {signal.alarm_name[:80]!r}")
        if signal.state is not AlarmState.ALARM:
            return None
        rooms = replace(self._rooms, policy=part.policy)
        return _Attempt(rooms, part.watched, self._known).make()


class _Attempt:
    """One signal's walk through the house: a claim, and what comes of it."""

    def __init__(self, rooms: Rooms, watched: Watched, known: dict[str, Ledger]) -> None:
        self._rooms = rooms
        self._watched = watched
        self._known = known
        self._stopwatch = Stopwatch(rooms, watched.service)
        # The service may be touched by what another of its triggers began.
        self._may_act = rooms.policy.mode_of(watched.service).may_act
        self._now = rooms.clock()
        self._id = rooms.new_id(self._now)
        # Whether a rollback was begun by a call that was not surely refused. The later legs of a
        # rollback are not counted against the budget again.
        self._acted = False

    def make(self) -> Entry:
        """The walk. What was set aside of the budget is given back, unless it was used."""
        try:
            claim, found = self._look()
            with self._freed_on_error(claim):
                entry = self._settled(claim, found)
            self._rooms.journal.close(claim, ledgers=entry.ledgers, incident=entry.incident)
        except RollbackError:
            self._give_back()
            raise
        self._give_back()
        return entry

    def _settled(self, claim: Claim, found: Seen) -> Entry:
        """What comes of it: what is unfinished comes first, then what is new.

        A pointer that is only believed is looked at, unless it is moved.
        """
        case = found.case
        if found.believed:
            return self._again(claim, found) if answered(case) else self._judged(claim, found)
        return (
            recovered(case)
            or self._undone(claim, case)
            or answered(case)
            or Follower(self._rooms, self._stopwatch).follow(case)
            or self._judged(claim, found)
        )

    def _again(self, claim: Claim, found: Seen) -> Entry:
        looking = partial(looked_again, self._rooms, found)
        return self._settled(claim, self._stopwatch.patiently(looking))

    def _give_back(self) -> None:
        if self._may_act and not self._acted:
            with suppress(JournalError):
                self._rooms.budget.give_back(self._id)

    # -- looking --------------------------------------------------------------------------------

    def _look(self) -> tuple[Claim, Seen]:
        """Claims the service and reads switches, alarm and targets, all at once."""
        rooms, watched, now = self._rooms, self._watched, self._now
        service, limit = watched.service, rooms.policy.guardrails.rollbacks_an_hour
        pointer_id = watched.pointer.target_id if watched.pointer else ""
        # First what the others are judged by.
        claiming = rooms.start(
            partial(rooms.journal.claim, service.name, claim_id=self._id, may_act=True, now=now)
        )
        look = Look(rooms, watched, now, believing=self._may_act, known=self._known.get(pointer_id))
        setting_aside = rooms.start(
            partial(rooms.budget.set_aside, self._id, limit=limit, now=now)
            if self._may_act
            else Switches
        )
        try:
            claim = claiming()
            if claim is None:
                raise TargetHeld(f"{service.name} is held by another invocation")
            with self._freed_on_error(claim):
                found = look.seen(claim, setting_aside)
        except RollbackError:
            # What is given back before it was set aside stays taken until the hour is over.
            with suppress(JournalError):
                setting_aside()
            raise
        self._known[pointer_id] = found.case.ledger
        return claim, found

    # -- judging --------------------------------------------------------------------------------

    def _judged(self, claim: Claim, found: Seen, *, again: bool = True) -> Entry:
        """Assesses, decides, and does what was decided."""
        measured = assessed(self._rooms, found)
        assessment = measured.assessment
        found, case = replace(found, measured=measured), found.case
        situation = situation_of(self._rooms, found, assessment, measured.failing)
        if isinstance(situation, StandDown):
            decision: Decision = situation
        else:
            order = situation.ordered
            decision = on_order(situation, order) if order else decide(situation)
        if found.believed and not _holds_unseen(decision):
            return self._again(claim, found)
        if found.believed and isinstance(decision, StandDown):
            decision = replace(decision, text=f"{decision.text}; {_unseen(case)}")
        match decision:
            case RollBack():
                waiting = must_wait(case, decision)
                return waiting or self._roll_back(claim, found, assessment, decision, again=again)
            case Adopt():
                return adopted(found.recorded(), assessment, decision.returning)
            case Ask():
                return asked(found.recorded(), assessment, decision)
            case StandDown():
                return self._stood_down(found.recorded(), assessment, decision)
            case _:
                assert_never(decision)

    def _stood_down(self, case: Case, assessment: Assessment, decision: StandDown) -> Entry:
        say = order_refused if case.ordered else stood_down
        return say(case, assessment, decision)

    # -- acting ---------------------------------------------------------------------------------

    def _roll_back(
        self,
        claim: Claim,
        found: Seen,
        assessment: Assessment,
        decision: RollBack,
        *,
        again: bool,
    ) -> Entry:
        """Undoes what is on trial, once, and says what came of it."""
        rooms, case, leg = self._rooms, found.case, decision.trial.legs[0]
        if _revisions(case.ledgers) != _revisions(case.written):
            # Whoever inherits this claim can then tell an untouched target from a changed one.
            rooms.journal.keep(claim, ledgers=case.ledgers, incident=case.incident)
        self._stopwatch.check()
        # A drill takes nothing from the budget.
        self._acted = case.ordered is None or not case.ordered.drill
        try:
            if leg.how is How.MOVE:
                assert decision.to_version is not None
                after = self._move(case, decision.to_version, claim.id)
                return moved(found.recorded(), assessment, decision, after, rooms.clock())
            done = self._begin(case, decision, claim.id)
            legs = (done, *decision.trial.legs[1:])
            return stopped(found.recorded(), assessment, decision, legs, rooms.clock())
        except tuple(REFUSALS) as error:
            self._acted = False
            return self._refused(claim, found, assessment, decision, error, again=again)
        except ActionUnclear as error:
            # The claim stays, so the row goes on reading *may have acted*; people hear of it now.
            entry = unclear(found.recorded(), assessment, decision, str(error))
            with suppress(JournalError):
                rooms.journal.keep(claim, ledgers=entry.ledgers, incident=entry.incident)
            raise

    def _move(self, case: Case, to_version: str, claim_id: str) -> Observation:
        """One mutating call. After anything unclear, the target is read before anything else."""
        pointer, observation = case.watched.pointer, case.observation
        assert pointer is not None
        assert observation is not None
        action = self._rooms.pointer(pointer)
        move = Move(
            to_version=to_version, expected_revision=observation.revision, claim_id=claim_id
        )
        try:
            after = self._stopwatch.patiently(partial(action.move, pointer, move))
        except ActionUnclear as unclear:
            try:
                found = action.observe(pointer)
            except ActionError:
                raise unclear from None
            if found is None or found.marker != claim_id:
                raise
            after = found
        logger.warning("MUTATED %s: to %s, claim %s", pointer.target_id, after.primary, claim_id)
        return after

    def _begin(self, case: Case, decision: RollBack, claim_id: str) -> Leg:
        """Tells the first rollout to go back; the same caution as `_move`."""
        leg = decision.trial.legs[0]
        rollout = leg.target
        assert isinstance(rollout, Rollout)
        action = self._rooms.rollout(rollout)
        change = leg.change
        try:
            if leg.how is How.REDEPLOY:
                redeploy = self._redeploy(case, decision, claim_id)
                change = self._stopwatch.patiently(partial(action.redeploy, rollout, redeploy))
            else:
                token = token_of(claim_id)
                self._stopwatch.patiently(partial(action.stop, rollout, change, token=token))
        except ActionUnclear as unclear:
            try:
                sight = action.observe(rollout, about=None if leg.how is How.REDEPLOY else change)
            except ActionError:
                raise unclear from None
            if leg.how is How.REDEPLOY:
                if sight is None or sight.marker != claim_id or sight.change is None:
                    raise
                change = sight.change
            elif not has_begun(leg, sight):
                raise
        logger.warning("MUTATED %s: %s, claim %s", rollout.target_id, leg.how.value, claim_id)
        return replace(leg, change=change).to(LegState.UNDER_WAY, self._rooms.clock())

    def _redeploy(self, case: Case, decision: RollBack, claim_id: str) -> Redeploy:
        pointer, observation = case.watched.pointer, case.observation
        assert pointer is not None
        assert observation is not None
        assert decision.to_version is not None
        return Redeploy(
            pointer=pointer,
            from_version=observation.primary,
            to_version=decision.to_version,
            claim_id=claim_id,
        )

    def _refused(
        self,
        claim: Claim,
        found: Seen,
        assessment: Assessment,
        decision: RollBack,
        error: ActionError,
        *,
        again: bool,
    ) -> Entry:
        """Nothing was applied by this call. What is on trial may be another thing by now."""
        rooms, case = self._rooms, found.case
        if found.believed and isinstance(error, TargetChanged | TargetGone):
            looked = looked_again(rooms, found)
            if _revision(looked.case) != _revision(case):
                return self._settled(claim, looked)
        finished = isinstance(error, TargetChanged) and isinstance(
            decision.trial.legs[0].target, Rollout
        )
        if case.inherited or (finished and again):
            looked = looked_again(rooms, found)
            # An earlier attempt whose end nobody knows may have landed just now, and been refused
            # for: it is settled before anything else.
            judged = found.recorded().minutes
            if settled := recovered(replace(looked.case, minutes=judged)):
                return settled
            if finished and again:
                return self._judged(claim, looked, again=False)
        case, reason = found.recorded(), REFUSALS[type(error)]
        moves = decision.trial.legs[0].how is How.MOVE
        if isinstance(error, TargetGone) and not moves:
            reason = Reason.TARGET_GONE
        elif isinstance(error, TargetGone) and decision.to_version and case.watched.pointer:
            pointer_id = case.watched.pointer.target_id
            gone = ledgers.vanished(case.ledger, decision.to_version)
            case = replace(case, ledgers={**case.ledgers, pointer_id: gone})
        refusal = StandDown(reason=reason, text=str(error))
        return self._stood_down(case, assessment, refusal)

    # -- a person's undo ------------------------------------------------------------------------

    def _undone(self, claim: Claim, case: Case) -> Entry | None:
        """Puts a version back because a person said so, whatever gates and switches say."""
        undo = undo_of.asked_to_undo(case)
        if undo is None or case.incident is None:
            return None
        self._stopwatch.check()
        incident = undo_of.ordered(case.incident, undo, case.now)
        if incident is not case.incident:
            self._rooms.journal.keep(claim, ledgers=case.ledgers, incident=incident)
        if undo_of.is_done(case, incident):
            assert case.observation is not None
            return undo_of.undone(case, incident, case.observation, undo, found=True)
        if why := undo_of.in_the_way(case, incident, undo, may_act=self._may_act):
            return undo_of.not_undone(case, incident, why)
        try:
            after = self._move(case, undo_of.version_of(incident), claim.id)
        except ActionThrottled as error:
            # The watcher wakes for it again.
            return Entry(ledgers=case.ledgers, incident=incident, text=str(error))
        except tuple(REFUSALS) as error:
            # An earlier call may have landed just now, and this one been refused for it.
            case = replace(case, observation=observed(self._rooms, case.watched.pointer))
            if not undo_of.is_done(case, incident):
                return undo_of.not_undone(case, incident, str(error))
            assert case.observation is not None
            after = case.observation
        return undo_of.undone(case, incident, after, undo)

    # -- letting go -----------------------------------------------------------------------------

    @contextmanager
    def _freed_on_error(self, claim: Claim) -> Iterator[None]:
        """Gives the service free on an error that surely left its targets untouched.

        After an unclear act the claim stays: the row goes on reading *may have acted*, and
        whoever inherits it looks at the targets first. So does a claim that inherited another one
        and did not get as far as settling it.
        """
        try:
            yield
        except ActionUnclear:
            raise
        except RollbackError:
            if not claim.inherited:
                with suppress(JournalError):
                    self._rooms.journal.close(claim, ledgers=claim.ledgers, incident=claim.incident)
            raise


def _holds_unseen(decision: Decision) -> bool:
    """Whether it holds of a pointer that nobody looked at: a move with compare-and-set, or none."""
    if isinstance(decision, StandDown):
        return decision.reason in SWITCHED_OFF
    return isinstance(decision, RollBack) and decision.trial.legs[0].how is How.MOVE


def _unseen(case: Case) -> str:
    """What is known of a pointer that nobody looked at, and as of when."""
    pointer, release = case.watched.pointer, case.release
    assert pointer is not None
    assert release is not None
    return (
        f"{pointer.title} was not looked at now: when it last was, it had been at version"
        f" {release.version} since {release.since_at:%H:%M:%S} UTC"
    )


def _revision(case: Case) -> str | None:
    return case.observation.revision if case.observation else None


def _revisions(kept: Mapping[str, Ledger]) -> dict[str, str | None]:
    return {target_id: ledger.revision for target_id, ledger in kept.items()}
