"""What an alarm is, and what is known of its state: values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from local.aws_model import queries, rule
from local.aws_model.errors import validation_error
from local.aws_model.evaluation import (
    BAND_COMPARISONS,
    COMPARISONS,
    State,
    TreatMissingData,
)
from local.aws_model.mute_rules import Mute
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

    def now(self, state: State) -> tuple[str, ...]:
        """Return the actions of a state that are performed, if nothing else holds them back."""
        return self.on(state) if self.enabled else ()


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= _MAX_NAME or any(ord(letter) < ord(" ") for letter in name):
        raise validation_error("An alarm's name has 1 to 255 characters, no control characters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarm:
    """A metric alarm: one statistic, or metric math of which one query returns data.

    It compares with a ``threshold``, or with an anomaly detection band: then
    ``threshold_metric_id`` names the band, and the band and its metric return data.
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
    threshold: float | None = None
    threshold_metric_id: str | None = None
    comparison: str
    treat_missing_data: TreatMissingData | None = None
    low_sample: str | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        if (self.stat is None) == (not self.metrics):
            raise validation_error(f"{self.name}: give exactly one of MetricName and Metrics.")
        if (self.threshold is None) == (self.threshold_metric_id is None):
            raise validation_error(
                f"{self.name}: give exactly one of Threshold and ThresholdMetricId."
            )
        if self.threshold_metric_id is not None and not self.metrics:
            raise validation_error(f"{self.name}: ThresholdMetricId goes with Metrics.")
        if self.comparison not in (COMPARISONS if self.threshold is not None else BAND_COMPARISONS):
            raise validation_error(f"{self.name}: {self.comparison} does not fit the threshold.")
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
        bands = {query.id: query.band.series for query in self.metrics if query.band is not None}
        if set(bands) != {self.threshold_metric_id} - {None}:
            raise validation_error(
                f"{self.name}: ThresholdMetricId must name the one ANOMALY_DETECTION_BAND."
            )
        returned = {query.id for query in self.metrics if query.return_data}
        # That the band and its metric return data: CloudWatch guide, its sample event; the SDK
        # model does not say so.
        if bands and returned != {*bands, *bands.values()}:
            raise validation_error(f"{self.name}: the band and its metric must return data.")
        if not bands and len(returned) != 1:
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
    """A change of state that CloudWatch announces, with the actions that it performs for it.

    ``muted`` is the mute rule that is active for the alarm; then there are no actions.
    """

    alarm: Alarm
    arn: str
    configured_at: datetime
    previous: StateRecord
    current: StateRecord
    actions: tuple[str, ...]
    muted: Mute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """One line of an alarm's history; ``kind`` is ConfigurationUpdate, StateUpdate or Action."""

    alarm_name: str
    alarm_type: str
    at: datetime
    kind: str
    summary: str
    data: str
