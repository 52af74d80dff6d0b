"""The hallway: from a signal to a journaled incident. The only room that knows the order.

It has no clock, no client and no policy of its own; everything comes in by `Rooms`.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.assessment import Assessment, assess, unmeasurable
from rollback_responder.domain.case import (
    Case,
    Entry,
    answered,
    moved,
    recovered,
    stood_down,
    unclear,
)
from rollback_responder.domain.decision import (
    Decision,
    Reason,
    RollBack,
    Situation,
    StandDown,
    decide,
)
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    ActionUnclear,
    JournalError,
    MeasurementError,
    RollbackError,
    SignalError,
    TargetChanged,
    TargetGone,
    TargetHeld,
)
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.policy import Policy, Watched
from rollback_responder.domain.release import Observation
from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.domain.trigger import AdoptedAlarm
from rollback_responder.ports import Action, Claim, Clock, Journal, Metrics, Plan, Start

logger = logging.getLogger(__name__)

# The evidence is read over the latest ten one-minute buckets.
WINDOW = 10 * MINUTE

# AWS refused, and surely nothing was applied.
REFUSALS: dict[type[ActionError], Reason] = {
    TargetGone: Reason.VERSION_DELETED,
    TargetChanged: Reason.TARGET_CHANGED,
    ActionDenied: Reason.ACTION_DENIED,
    ActionThrottled: Reason.ACTION_THROTTLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The house as the hallway sees it. `actions` has one entry for each kind of target."""

    policy: Policy
    journal: Journal
    metrics: Metrics
    actions: Mapping[str, Action]
    clock: Clock
    new_id: Callable[[datetime], str]
    start: Start


class Responder:
    """Answers alarms."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._in_scope = {entry.alarm_name: entry for entry in rooms.policy.watched()}

    def respond(self, signal: Signal) -> Entry | None:
        """Looks, judges, decides, acts and journals. Never acts on the signal alone.

        Returns:
            What was written, or None where the signal asks for nothing.

        Raises:
            SignalError: the alarm is nobody's; nothing was read or written.
            RollbackError: the target is held, or something could not be read or written; the same
                signal may be tried again.
        """
        watched = self._in_scope.get(signal.alarm_name)
        if watched is None:
            raise SignalError("unknown_alarm", f"no service names {signal.alarm_name[:80]!r}")
        if signal.state is not AlarmState.ALARM:
            return None
        claim, case = self._look(watched)
        with self._freed_on_error(claim):
            entry = recovered(case) or answered(case) or self._judge(claim, case)
        self._rooms.journal.close(claim, ledger=entry.ledger, incident=entry.incident)
        return entry

    def _look(self, watched: Watched) -> tuple[Claim, Case]:
        """Claims the target and reads the alarm and the target, all at once."""
        rooms, target, now = self._rooms, watched.target, self._rooms.clock()
        take = partial(rooms.journal.claim, claim_id=rooms.new_id(now), may_act=True, now=now)
        claiming = rooms.start(partial(take, target.target_id))
        reading = rooms.start(partial(rooms.metrics.read_alarms, [watched.alarm_name]))
        observing = rooms.start(partial(rooms.actions[target.kind].observe, target))
        claim = claiming()
        if claim is None:
            raise TargetHeld(f"{target.target_id} is held by another invocation")
        ledger = claim.ledger
        with self._freed_on_error(claim):
            alarm, observation = reading().get(watched.alarm_name), observing()
            if observation and ledger.revision not in {None, observation.revision}:
                # It was looked at beside the claim: what the ledger knows may be newer.
                observation = rooms.actions[target.kind].observe(target)
        return claim, Case(
            watched=watched,
            environment=rooms.policy.environment,
            mode=rooms.policy.mode_of(watched.service),
            guardrails=rooms.policy.guardrails,
            now=now,
            claim_id=claim.id,
            inherited=claim.inherited,
            written=ledger,
            ledger=ledgers.seen(ledger, observation, now) if observation else ledger,
            incident=claim.incident,
            alarm=alarm,
            observation=observation,
        )

    def _judge(self, claim: Claim, case: Case) -> Entry:
        """Assesses, decides, and does what was decided."""
        assessment = self._assess(case)
        decision = self._decide(case, assessment)
        match decision:
            case RollBack():
                return self._roll_back(claim, case, assessment, decision)
            case StandDown():
                return stood_down(case, assessment, decision)
            case _:
                assert_never(decision)

    def _assess(self, case: Case) -> Assessment:
        """Measures the new and the previous version in one call, and judges both."""
        trigger, release, observation = case.watched.trigger, case.release, case.observation
        if isinstance(trigger, AdoptedAlarm):
            return unmeasurable("the responder does not read the metric of an adopted alarm")
        if observation is None or release is None:
            return unmeasurable("there is nothing to measure")
        before = release.since_at - (trigger.minutes + 1) * MINUTE
        try:
            measurement = self._rooms.metrics.measure(
                trigger,
                case.watched.target,
                new=observation.suspect,
                previous=observation.rest or ledgers.way_back(case.ledger, observation),
                since_at=min(case.now - WINDOW, before),
                now=case.now,
            )
        except MeasurementError as error:
            return unmeasurable(f"the metric could not be read: {error}")
        lag = timedelta(minutes=case.guardrails.metric_lag_minutes)
        return assess(trigger, measurement, changed_at=release.since_at, lag=lag)

    def _decide(self, case: Case, assessment: Assessment) -> Decision:
        if case.alarm is None:
            return StandDown(reason=Reason.ALARM_GONE, text="the alarm does not exist any more")
        if case.observation is None or case.release is None:
            return StandDown(reason=Reason.TARGET_GONE, text="the target does not exist any more")
        return decide(
            Situation(
                now=case.now,
                alarm=case.alarm,
                observation=case.observation,
                release=case.release,
                ledger=case.ledger,
                trigger=case.watched.trigger,
                assessment=assessment,
                mode=case.mode,
                guardrails=case.guardrails,
            )
        )

    def _roll_back(
        self, claim: Claim, case: Case, assessment: Assessment, decision: RollBack
    ) -> Entry:
        """Moves the target, once, and says what came of it."""
        rooms, target = self._rooms, case.watched.target
        if case.ledger.revision != case.written.revision:
            # Whoever inherits this claim can then tell an untouched target from a moved one.
            rooms.journal.keep(claim, ledger=case.ledger, incident=case.incident)
        plan = Plan(
            to_version=decision.to_version,
            expected_revision=decision.revision,
            claim_id=claim.id,
        )
        try:
            after = self._execute(case, plan)
        except tuple(REFUSALS) as error:
            if settled := self._settled_meanwhile(case):
                return settled
            if isinstance(error, TargetGone):
                case = replace(case, ledger=ledgers.vanished(case.ledger, decision.to_version))
            refusal = StandDown(reason=REFUSALS[type(error)], text=str(error))
            return stood_down(case, assessment, refusal)
        except ActionUnclear as error:
            # The claim stays, so the row goes on reading *may have acted*; people hear of it now.
            entry = unclear(case, assessment, str(error))
            with suppress(JournalError):
                rooms.journal.keep(claim, ledger=entry.ledger, incident=entry.incident)
            raise
        logger.warning(
            "MUTATED %s: version %s to %s, claim %s",
            target.target_id,
            decision.from_version,
            after.primary,
            claim.id,
        )
        return moved(case, assessment, decision.reason, after, rooms.clock())

    def _settled_meanwhile(self, case: Case) -> Entry | None:
        """An earlier attempt whose end nobody knows may have landed just now, and been refused for.

        So a claim that inherited one ends as a refusal only where the target is still untouched.
        """
        if not case.inherited:
            return None
        target = case.watched.target
        observation = self._rooms.actions[target.kind].observe(target)
        return recovered(replace(case, observation=observation))

    def _execute(self, case: Case, plan: Plan) -> Observation:
        """One mutating call. After anything unclear, the target is read before anything else."""
        target = case.watched.target
        action = self._rooms.actions[target.kind]
        try:
            return action.execute(target, plan)
        except ActionUnclear as unclear:
            try:
                after = action.observe(target)
            except ActionError:
                raise unclear from None
            if after is None or after.marker != plan.claim_id:
                raise
            return after

    @contextmanager
    def _freed_on_error(self, claim: Claim) -> Iterator[None]:
        """Gives the target free on an error that surely left it untouched.

        After an unclear act the claim stays: the row goes on reading *may have acted*, and
        whoever inherits it looks at the target first. So does a claim that inherited another one
        and did not get as far as settling it.
        """
        try:
            yield
        except ActionUnclear:
            raise
        except RollbackError:
            if not claim.inherited:
                with suppress(JournalError):
                    self._rooms.journal.close(claim, ledger=claim.ledger, incident=claim.incident)
            raise
