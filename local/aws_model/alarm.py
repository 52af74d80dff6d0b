"""What an alarm is, and what is known of its state: values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from local.aws_model import queries, rule
from local.aws_model.errors import validation_error
from local.aws_model.evaluation import COMPARISONS, State, TreatMissingData
from local.aws_model.queries import MetricStat, Query

_DAY = timedelta(days=1)
_MAX_ACTIONS = 5
_MAX_NAME = 255
_MAX_METRICS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """ARNs by the state that they are performed on; at most five for each state."""

    enabled: bool = True
    ok: tuple[str, ...] = ()
    alarm: tuple[str, ...] = ()
    insufficient_data: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for arns in (self.ok, self.alarm, self.insufficient_data):
            if len(arns) > _MAX_ACTIONS:
                raise validation_error("An alarm has at most 5 actions for each state.")
            for arn in arns:
                service = arn.split(":")[2] if arn.count(":") > 1 else arn
                if service not in {"sns", "lambda"}:
                    raise validation_error(f"The model performs no such alarm action: {arn}")

    def on(self, state: State) -> tuple[str, ...]:
        """Return the configured actions of a state, whether or not they are enabled."""
        return {
            State.OK: self.ok,
            State.ALARM: self.alarm,
            State.INSUFFICIENT_DATA: self.insufficient_data,
        }[state]


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= _MAX_NAME or any(ord(letter) < ord(" ") for letter in name):
        raise validation_error("An alarm's name has 1 to 255 characters, no control characters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarm:
    """A metric alarm: one statistic, or metric math of which one query returns data.

    ``datapoints_to_alarm`` None means "all", and is answered as absent, as CloudWatch does.
    ``low_sample`` is ``EvaluateLowSampleCountPercentile``: ``ignore``, ``evaluate`` or None.
    """

    name: str
    description: str | None = None
    actions: Actions = Actions()
    stat: MetricStat | None = None
    metrics: tuple[Query, ...] = ()
    evaluation_periods: int
    datapoints_to_alarm: int | None = None
    threshold: float
    comparison: str
    treat_missing_data: TreatMissingData | None = None
    low_sample: str | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        if (self.stat is None) == (not self.metrics):
            raise validation_error(f"{self.name}: give exactly one of MetricName and Metrics.")
        if self.comparison not in COMPARISONS:
            raise validation_error(f"{self.name}: {self.comparison} is not modelled.")
        if not 1 <= self.needed <= self.evaluation_periods:
            raise validation_error(
                f"{self.name}: DatapointsToAlarm must be between 1 and EvaluationPeriods."
            )
        if self.low_sample not in {None, "ignore", "evaluate"}:
            raise validation_error(
                f"{self.name}: EvaluateLowSampleCountPercentile is evaluate or ignore."
            )
        if self.metrics:
            self._check_metrics()
        if self.period * self.evaluation_periods > _DAY:
            raise validation_error(f"{self.name}: the evaluation may not exceed one day.")

    def _check_metrics(self) -> None:
        queries.check(self.metrics)
        stats = [query.stat for query in self.metrics if query.stat is not None]
        if sum(query.return_data for query in self.metrics) != 1:
            raise validation_error(f"{self.name}: exactly one of Metrics must return data.")
        if not 1 <= len(stats) <= _MAX_METRICS or len({stat.period for stat in stats}) != 1:
            raise validation_error(f"{self.name}: 1 to 10 metrics, all with the same period.")

    @property
    def needed(self) -> int:
        """M: how many of the N datapoints must breach."""
        if self.datapoints_to_alarm is None:
            return self.evaluation_periods
        return self.datapoints_to_alarm

    @property
    def period(self) -> timedelta:
        """The period of the metric, or of all metrics in the expression."""
        if self.stat is not None:
            return self.stat.period
        return next(query.stat.period for query in self.metrics if query.stat is not None)

    @property
    def missing(self) -> TreatMissingData:
        """What missing data counts as.

        Alarms on ``AWS/DynamoDB`` metrics always ignore it (SDK model, ``TreatMissingData``).
        """
        if self.stat is not None and self.stat.metric.namespace == "AWS/DynamoDB":
            return TreatMissingData.IGNORE
        return self.treat_missing_data or TreatMissingData.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressor:
    """Another alarm that holds back a composite alarm's actions, and for how long beyond itself."""

    alarm: str
    wait: timedelta
    extension: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeAlarm:
    """A composite alarm: a rule over the states of other alarms."""

    name: str
    description: str | None = None
    actions: Actions = Actions()
    rule: str
    suppressor: Suppressor | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        rule.parse(self.rule)


Alarm: TypeAlias = MetricAlarm | CompositeAlarm


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRecord:
    """One state of an alarm as CloudWatch reports it.

    ``suppressed_by`` is ``WaitPeriod``, ``ExtensionPeriod``, ``Alarm`` or None. ``updated_at``
    moves also when only the reason changes; ``transitioned_at`` only with the value (SDK model).
    """

    value: State
    reason: str
    reason_data: str | None
    updated_at: datetime
    transitioned_at: datetime
    suppressed_by: str | None = None

    @property
    def suppressed_reason(self) -> str | None:
        """The sentence that goes with ``suppressed_by``."""
        return self.suppressed_by and f"Actions suppressed by {self.suppressed_by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of state that CloudWatch announces, with the actions that it performs for it."""

    alarm: Alarm
    arn: str
    configured_at: datetime
    previous: StateRecord
    current: StateRecord
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """One line of an alarm's history; ``kind`` is ConfigurationUpdate, StateUpdate or Action."""

    alarm_name: str
    alarm_type: str
    at: datetime
    kind: str
    summary: str
    data: str
