"""The book of alarms: definitions, current states and history; no evaluation."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from local.aws_model import rule
from local.aws_model.alarm import Alarm, CompositeAlarm, HistoryItem, StateRecord
from local.aws_model.errors import resource_not_found, validation_error
from local.aws_model.evaluation import State
from local.aws_model.suppression import Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the modelled alarms live."""

    id: str
    region: str = "us-east-1"
    partition: str = "aws"

    def alarm_arn(self, name: str) -> str:
        """Return the ARN of an alarm."""
        return f"arn:{self.partition}:cloudwatch:{self.region}:{self.id}:alarm:{name}"

    def mute_rule_arn(self, name: str) -> str:
        """Return the ARN of an alarm mute rule (CloudWatch guide, "Alarm events")."""
        return f"arn:{self.partition}:cloudwatch:{self.region}:{self.id}:alarm-mute-rule:{name}"


@dataclass(slots=True, kw_only=True)
class AlarmRow:
    """One alarm of the model: its definition, its state, and what is still due for it.

    ``muted`` tells that a mute rule holds back the actions of the present state.
    """

    alarm: Alarm
    arn: str
    configured_at: datetime
    state: StateRecord
    suppression: Suppression | None = None
    children_changed: bool = True
    muted: bool = False


@dataclass(slots=True, kw_only=True)
class AlarmBook:
    """All alarms by name, and what happened to them. Not thread-safe: its owner holds a lock."""

    account: Account
    clock: Callable[[], datetime]
    rows: dict[str, AlarmRow] = field(default_factory=dict)
    history: list[HistoryItem] = field(default_factory=list)

    def put(self, alarms: Sequence[Alarm]) -> None:
        """Create or replace alarms; see ``CloudWatch.put_alarms``."""
        after = {name: row.alarm for name, row in self.rows.items()}
        after |= {alarm.name: alarm for alarm in alarms}
        for alarm in alarms:
            if isinstance(alarm, CompositeAlarm):
                self._check_composite(alarm, after)
        self._refuse_circles(after)
        for alarm in alarms:
            self._put_one(alarm)

    def delete(self, names: Sequence[str]) -> None:
        """Delete alarms, all or none."""
        for name in names:
            self.row(name)
        for name, row in self.rows.items():
            lost = sorted({self.name_of(one) for one in _dependencies(row.alarm)} & {*names})
            if lost and name not in names:
                # What CloudWatch makes of a rule without its alarm is not documented.
                raise validation_error(f"The alarm {name} depends on {lost[0]}.")
        for name in names:
            del self.rows[name]

    def row(self, name_or_arn: str) -> AlarmRow:
        """Return an alarm's row.

        Raises:
            ModelError: ResourceNotFound.
        """
        name = self.name_of(name_or_arn)
        if name not in self.rows:
            raise resource_not_found(f"The alarm {name} does not exist.")
        return self.rows[name]

    def name_of(self, name_or_arn: str) -> str:
        """Return the name of an alarm that is given by its name or by its ARN."""
        return name_or_arn.removeprefix(self.account.alarm_arn(""))

    def children(self, alarm: Alarm) -> tuple[AlarmRow, ...]:
        """Return the rows of a composite alarm's children; none for a metric alarm."""
        if not isinstance(alarm, CompositeAlarm):
            return ()
        return tuple(self.row(child) for child in rule.children(rule.parse(alarm.rule)))

    def snapshot(self) -> list[AlarmRow]:
        """Return copies of all rows, by name."""
        return [replace(self.rows[name]) for name in sorted(self.rows)]

    def note(
        self, alarm: Alarm, *, kind: str, summary: str, data: Mapping[str, object], at: datetime
    ) -> None:
        """Add a line to the history."""
        self.history.append(
            HistoryItem(
                alarm_name=alarm.name,
                alarm_type=type(alarm).__name__,
                at=at,
                kind=kind,
                summary=summary,
                data=json.dumps({"version": "1.0", **data}, separators=(",", ":")),
            )
        )

    def _put_one(self, alarm: Alarm) -> None:
        now = self.clock()
        old = self.rows.get(alarm.name)
        if old is None:
            state = StateRecord(
                value=State.INSUFFICIENT_DATA,
                reason="Unchecked: Initial alarm creation",
                reason_data=None,
                updated_at=now,
                transitioned_at=now,
            )
            self.rows[alarm.name] = AlarmRow(
                alarm=alarm, arn=self.account.alarm_arn(alarm.name), configured_at=now, state=state
            )
        elif type(old.alarm) is not type(alarm):
            raise validation_error(f"{alarm.name} exists as an alarm of another type.")
        else:
            old.alarm, old.configured_at, old.children_changed = alarm, now, True
        verb = "created" if old is None else "updated"
        summary = f'Alarm "{alarm.name}" {verb}'
        self.note(alarm, kind="ConfigurationUpdate", summary=summary, data={}, at=now)

    def _check_composite(self, alarm: CompositeAlarm, known: Mapping[str, Alarm]) -> None:
        for other in _dependencies(alarm):
            if self.name_of(other) not in known:
                raise validation_error(f"{alarm.name} refers to no alarm: {other}")

    def _refuse_circles(self, alarms: Mapping[str, Alarm]) -> None:
        # CloudWatch stores a circle and stops evaluating it; here it is refused when it is made.
        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                raise validation_error(f"The composite alarm {name} depends on itself.")
            alarm = alarms[name]
            if isinstance(alarm, CompositeAlarm):
                for child in rule.children(rule.parse(alarm.rule)):
                    visit(self.name_of(child), (*above, name))

        for name in alarms:
            visit(name, ())


def _dependencies(alarm: Alarm) -> tuple[str, ...]:
    """Return the names or ARNs of the alarms that an alarm cannot be evaluated without."""
    if not isinstance(alarm, CompositeAlarm):
        return ()
    suppressor = () if alarm.suppressor is None else (alarm.suppressor.alarm,)
    return (*rule.children(rule.parse(alarm.rule)), *suppressor)
