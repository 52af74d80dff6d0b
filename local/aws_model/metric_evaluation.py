"""One evaluation of one metric alarm: read the range, judge it, word the verdict."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from local.aws_model import queries, reasons
from local.aws_model.alarm import MetricAlarm
from local.aws_model.evaluation import State, breaches, judge
from local.aws_model.metrics import MetricStore
from local.aws_model.queries import Window

if TYPE_CHECKING:
    from local.aws_model.metric_math import Series

# The guide's examples retrieve 5 datapoints for N = 3 and say that the exact number depends on the
# period; the surplus of 2 is taken from there.
EXTRA_PERIODS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an evaluation says: the state and how it is explained."""

    state: State
    reason: str
    reason_data: str


def evaluate(store: MetricStore, alarm: MetricAlarm, at: datetime) -> Verdict | None:
    """Evaluate an alarm at a whole minute, over the periods that end there.

    The newest period is evaluated like the others, even if late samples are still missing from it,
    as CloudWatch does (knowledge center, "Why did my CloudWatch alarm trigger when its metric
    doesn't have any breaching data points?"). Periods longer than a minute slide by the minute.

    Returns:
        The verdict, or None where the alarm keeps its state.
    """
    count = alarm.evaluation_periods + EXTRA_PERIODS
    window = Window.of(
        start=at - count * alarm.period, period=alarm.period, count=count, seen_at=at
    )
    series, samples = _read(store, alarm, window)
    if _too_few_samples(alarm, samples, window):
        return None
    points = [
        breaches(series[start], alarm.comparison, alarm.threshold) if start in series else None
        for start in window.periods
    ]
    state = judge(
        points,
        evaluation_periods=alarm.evaluation_periods,
        datapoints_to_alarm=alarm.needed,
        missing=alarm.missing,
    )
    if state is None:
        return None
    judged = sorted(series.items(), reverse=True)[: alarm.evaluation_periods]
    data = reasons.data(
        alarm, queried_at=at, judged=judged, samples=samples, newest=window.periods[-1]
    )
    return Verdict(state=state, reason=_reason(alarm, state, judged), reason_data=data)


def _reason(alarm: MetricAlarm, state: State, judged: list[tuple[datetime, float]]) -> str:
    named = [
        (start, value)
        for start, value in judged
        if breaches(value, alarm.comparison, alarm.threshold) is (state is State.ALARM)
    ]
    return reasons.sentence(alarm, state, named, alarm.evaluation_periods - len(judged))


def _read(
    store: MetricStore, alarm: MetricAlarm, window: Window
) -> "tuple[Series, dict[datetime, float]]":
    if alarm.stat is not None:
        return queries.read_stat(store, alarm.stat, window)
    windows = {query.id: window for query in alarm.metrics}
    (series,) = queries.read(store, alarm.metrics, windows).values()
    return series, {}


def _too_few_samples(alarm: MetricAlarm, samples: dict[datetime, float], window: Window) -> bool:
    """Tell whether ``EvaluateLowSampleCountPercentile=ignore`` keeps the state.

    "The alarm state does not change during periods with too few data points to be statistically
    significant"; omitted or ``evaluate``, the alarm is always evaluated (SDK model,
    ``PutMetricAlarm``). Periods without any sample are missing data, not low data.
    """
    if alarm.low_sample != "ignore" or alarm.stat is None:
        return False
    newest = window.periods[-alarm.evaluation_periods :]
    seen = sum(samples.get(start, 0.0) for start in newest)
    return 0 < seen < alarm.stat.statistic.low_sample_limit()
