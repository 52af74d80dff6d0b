"""The model of CloudWatch: alarms over the metric store, evaluated minute by minute.

In process and strict: it never sleeps, never reads a clock of its own and never guesses. Every
change of state is handed to the listener *after* the model's lock is released, so that a function
that is invoked by it may call back into the model.
"""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from local.aws_model import metric_evaluation, reasons, rule, suppression
from local.aws_model.alarm import (
    Alarm,
    CompositeAlarm,
    HistoryItem,
    MetricAlarm,
    StateRecord,
    Transition,
)
from local.aws_model.alarm_book import Account, AlarmBook, AlarmRow
from local.aws_model.errors import invalid_format, validation_error
from local.aws_model.evaluation import State
from local.aws_model.metrics import MINUTE, Metric, MetricStore, floor_minute
from local.aws_model.mute_rules import MuteBook, MuteRow, MuteRule

# Performs what a transition asks for, and says for each action's ARN why it failed, or None.
Listener: TypeAlias = Callable[[Transition], Iterable[tuple[str, str | None]]]

_MAX_REASON = 1023
_MAX_REASON_DATA = 4000


def _nobody(_: Transition) -> Iterable[tuple[str, str | None]]:
    return ()


class CloudWatch:
    """Alarms, their states and their history, over one metric store.

    Args:
        account: the account and region of every ARN.
        clock: returns the present as an aware UTC instant.
        lag: how long a sample stays invisible after it was recorded.
        listener: called with each transition, in order, outside the model's lock.
    """

    def __init__(
        self,
        *,
        account: Account,
        clock: Callable[[], datetime],
        lag: timedelta = timedelta(0),
        listener: Listener = _nobody,
    ) -> None:
        self.account = account
        self.clock = clock
        self.metrics = MetricStore(clock=clock, lag=lag)
        self.listener = listener
        self.lock = threading.RLock()
        self._book = AlarmBook(account=account, clock=clock)
        self._mutes = MuteBook()
        self._evaluated_at = floor_minute(clock())
        self._pending: list[Transition] = []
        self._delivering = threading.Lock()

    def put_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Create or replace alarms; a replaced alarm keeps its state (SDK model, PutMetricAlarm).

        Composite alarms may come before their children in the sequence.

        Raises:
            ModelError: ValidationError for a composite whose children or suppressor do not exist,
                or that depends on itself.
        """
        with self.lock:
            self._book.put(alarms)

    def delete_alarms(self, names: Sequence[str]) -> None:
        """Delete alarms; their history stays (SDK model, DescribeAlarmHistory).

        Raises:
            ModelError: ResourceNotFound if one does not exist, ValidationError if an alarm that
                stays depends on one of them; then none is deleted.
        """
        with self.lock:
            self._book.delete(names)

    def alarms(self) -> list[AlarmRow]:
        """Return a snapshot of all alarms, by name."""
        with self.lock:
            return self._book.snapshot()

    def state(self, name: str) -> StateRecord:
        """Return the state of one alarm.

        Raises:
            ModelError: ResourceNotFound.
        """
        with self.lock:
            return self._book.row(name).state

    def put_mute_rule(self, rule: MuteRule) -> tuple[Transition, ...]:
        """Create or replace a mute rule.

        An alarm that this unmutes performs what was held back (CloudWatch guide, "How alarm mute
        rules work").

        Raises:
            ModelError: ValidationError for an alarm that does not exist: "the alarm names must
                match existing alarms" (SDK model, MuteTargets, which does not name the error).
        """
        with self.lock:
            for name in rule.alarm_names:
                if name not in self._book.rows:
                    raise validation_error(f"{rule.name} refers to no alarm: {name}")
            self._catch_up()
            now = self.clock()
            arn = self.account.mute_rule_arn(rule.name)
            self._mutes.rows[rule.name] = MuteRow(rule=rule, arn=arn, updated_at=now)
            self._settle(now)
        return self._deliver()

    def delete_mute_rule(self, name: str) -> tuple[Transition, ...]:
        """Delete a mute rule, if there is one; its alarms are unmuted (SDK model)."""
        with self.lock:
            self._catch_up()
            self._mutes.rows.pop(name, None)
            self._settle(self.clock())
        return self._deliver()

    def mute_rule(self, name: str) -> MuteRow:
        """Return one mute rule.

        Raises:
            ModelError: ResourceNotFoundException.
        """
        with self.lock:
            return self._mutes.row(name)

    def mute_rules(self) -> list[MuteRow]:
        """Return all mute rules, by name."""
        with self.lock:
            return [row for _, row in sorted(self._mutes.rows.items())]

    def history(self) -> list[HistoryItem]:
        """Return the whole history, oldest first."""
        with self.lock:
            return list(self._book.history)

    def record(
        self,
        metric: Metric,
        *,
        timestamp: datetime,
        value: float,
        count: float = 1,
        unit: str = "None",
    ) -> None:
        """Record one value of a metric; see ``MetricStore.record``. Thread-safe."""
        with self.lock:
            self.metrics.record(metric, timestamp=timestamp, value=value, count=count, unit=unit)

    def tick(self) -> tuple[Transition, ...]:
        """Evaluate every alarm for each whole minute that has passed, then deliver.

        Returns:
            The transitions, oldest first, after the listener has seen each of them.
        """
        with self.lock:
            self._catch_up()
        return self._deliver()

    def set_alarm_state(
        self, name: str, state: State, reason: str, reason_data: str | None = None
    ) -> tuple[Transition, ...]:
        """Set a state by hand, and perform its actions if it differs.

        A metric alarm returns to its true state at its next evaluation; a composite alarm only when
        one of its children changes (SDK model, SetAlarmState).

        Raises:
            ModelError: ResourceNotFound; InvalidFormat for reason data that is not JSON;
                ValidationError for texts that are too long.
        """
        if len(reason) > _MAX_REASON or len(reason_data or "") > _MAX_REASON_DATA:
            raise validation_error("StateReason or StateReasonData is too long.")
        if reason_data is not None:
            try:
                json.loads(reason_data)
            except ValueError as error:
                raise invalid_format("StateReasonData was not valid JSON.") from error
        with self.lock:
            row = self._book.row(name)
            self._catch_up()
            self._move(row, state, reason, reason_data, self.clock())
            self._settle(self.clock())
        return self._deliver()

    def _catch_up(self) -> None:
        now = self.clock()
        while self._evaluated_at + MINUTE <= now:
            self._evaluated_at += MINUTE
            for row in self._book.rows.values():
                self._evaluate(row, self._evaluated_at)
            self._settle(self._evaluated_at)
        self._settle(now)

    def _evaluate(self, row: AlarmRow, at: datetime) -> None:
        if isinstance(row.alarm, MetricAlarm):
            verdict = metric_evaluation.evaluate(self.metrics, row.alarm, at)
            if verdict is not None and verdict.state is not row.state.value:
                self._move(row, verdict.state, verdict.reason, verdict.reason_data, at)

    def _settle(self, at: datetime) -> None:
        """Let composites follow their children until nothing moves; then suppression and muting."""
        moving = True
        while moving:
            moving = False
            for row in self._book.rows.values():
                if isinstance(row.alarm, CompositeAlarm) and row.children_changed:
                    row.children_changed = False
                    moving |= self._follow(row, row.alarm, at)
        for row in self._book.rows.values():
            if isinstance(row.alarm, CompositeAlarm):
                self._advance_suppression(row, row.alarm, at)
            if row.muted and self._mutes.active(row.alarm.name, at) is None:
                self._unmute(row)

    def _follow(self, row: AlarmRow, alarm: CompositeAlarm, at: datetime) -> bool:
        truth = rule.holds(rule.parse(alarm.rule), lambda child: self._book.row(child).state.value)
        state = State.ALARM if truth else State.OK
        if state is row.state.value:
            return False
        children = self._book.children(alarm)
        if not children:
            self._move(row, state, f"The rule is constant: {alarm.rule}", None, at)
            return True
        newest = max(children, key=lambda child: child.state.transitioned_at)
        reason, data = reasons.of_child(newest.arn, newest.state)
        self._move(row, state, reason, data, at)
        return True

    def _move(
        self, row: AlarmRow, state: State, reason: str, reason_data: str | None, at: datetime
    ) -> None:
        previous = row.state
        changed = previous.value is not state
        if changed and isinstance(row.alarm, CompositeAlarm):
            row.suppression = suppression.on_change(
                row.alarm.suppressor,
                row.suppression,
                suppressing=self._suppressing(row.alarm),
                at=at,
            )
        row.state = StateRecord(
            value=state,
            reason=reason,
            reason_data=reason_data,
            updated_at=at,
            transitioned_at=at if changed else previous.transitioned_at,
            suppressed_by=None if row.suppression is None else row.suppression.by,
        )
        if not changed:
            return
        for other in self._book.rows.values():
            if any(child is row for child in self._book.children(other.alarm)):
                other.children_changed = True
        self._announce(row, previous, at)

    def _announce(self, row: AlarmRow, previous: StateRecord, at: datetime) -> None:
        mute = self._mutes.active(row.alarm.name, at)
        row.muted = mute is not None and row.suppression is None
        held_back = row.suppression is not None or mute is not None
        actions = () if held_back else row.alarm.actions.now(row.state.value)
        self._pending.append(
            Transition(
                alarm=row.alarm,
                arn=row.arn,
                configured_at=row.configured_at,
                previous=previous,
                current=row.state,
                actions=actions,
                muted=mute,
            )
        )
        self._book.note(
            row.alarm,
            kind="StateUpdate",
            summary=f"Alarm updated from {previous.value} to {row.state.value}",
            data={
                "oldState": {"stateValue": previous.value, "stateReason": previous.reason},
                "newState": {"stateValue": row.state.value, "stateReason": row.state.reason},
            },
            at=at,
        )

    def _unmute(self, row: AlarmRow) -> None:
        """Perform the actions that were held back, as the alarm is configured now.

        "If the targeted alarm(s) remains in an alarming state (OK/ALARM/INSUFFICIENT_DATA),
        CloudWatch automatically re-triggers the alarm actions that were muted during the window"
        (CloudWatch guide, "Alarm mute rules"): those of the present state, if it began in the
        window. What is announced beside them is not documented: here it is what a composite alarm
        announces when its suppression ends.
        """
        row.muted = False
        actions = row.alarm.actions.now(row.state.value)
        if actions:
            self._pending.append(
                Transition(
                    alarm=row.alarm,
                    arn=row.arn,
                    configured_at=row.configured_at,
                    previous=row.state,
                    current=row.state,
                    actions=actions,
                )
            )

    def _suppressing(self, alarm: CompositeAlarm) -> bool:
        if alarm.suppressor is None:
            return False
        return self._book.row(alarm.suppressor.alarm).state.value is State.ALARM

    def _advance_suppression(self, row: AlarmRow, alarm: CompositeAlarm, at: datetime) -> None:
        if row.suppression is None or alarm.suppressor is None:
            return
        before, previous = row.suppression, row.state
        row.suppression = suppression.advance(
            alarm.suppressor, before, suppressing=self._suppressing(alarm), at=at
        )
        held_back_by = None if row.suppression is None else row.suppression.by
        row.state = replace(previous, suppressed_by=held_back_by)
        if row.suppression is None:
            # The held-back actions run now, and the event says ALARM -> ALARM: the real page.
            ended = at if before.until is None else before.until
            row.state = replace(row.state, updated_at=ended, transitioned_at=ended)
            self._announce(row, previous, ended)

    def _deliver(self) -> tuple[Transition, ...]:
        """Hand out what is pending, in order, one thread at a time, without the model's lock."""
        delivered: list[Transition] = []
        while self._pending and self._delivering.acquire(blocking=False):
            try:
                while self._pending:
                    transition = self._pending.pop(0)
                    self._perform(transition)
                    delivered.append(transition)
            finally:
                self._delivering.release()
        return tuple(delivered)

    def _perform(self, transition: Transition) -> None:
        for arn, failure in self.listener(transition):
            verb = "Successfully executed" if failure is None else "Failed to execute"
            with self.lock:
                self._book.note(
                    transition.alarm,
                    kind="Action",
                    summary=f"{verb} action {arn}",
                    data={"notificationResource": arn, "error": failure},
                    at=self.clock(),
                )
