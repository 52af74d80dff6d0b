"""One evaluation of one metric alarm: read the range, judge it, word the verdict."""

from dataclasses import dataclass
from datetime import datetime

from local.aws_model import queries, reasons
from local.aws_model.alarm import MetricAlarm
from local.aws_model.evaluation import State, breaches, judge, leaves_band
from local.aws_model.metric_math import Band, Series
from local.aws_model.metrics import MetricStore
from local.aws_model.queries import Window

# The guide's examples retrieve 5 datapoints for N = 3 and say that the exact number depends on the
# period; the surplus of 2 is taken from there.
EXTRA_PERIODS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an evaluation says: the state and how it is explained."""

    state: State
    reason: str
    reason_data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an alarm compares: its series, samples where they are known, and the band if it has one.

    A datapoint without a band cannot be compared, so it is left out, as if it were missing. What
    CloudWatch does with it is not documented.
    """

    series: Series
    samples: dict[datetime, float]
    band: Band | None = None


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
    reading = _read(store, alarm, window)
    if _too_few_samples(alarm, reading.samples, window):
        return None
    bad = {start: _breaches(alarm, reading, start) for start in reading.series}
    state = judge(
        [bad.get(start) for start in window.periods],
        evaluation_periods=alarm.evaluation_periods,
        datapoints_to_alarm=alarm.needed,
        missing=alarm.missing,
    )
    if state is None:
        return None
    judged = sorted(reading.series.items(), reverse=True)[: alarm.evaluation_periods]
    named = [(start, value) for start, value in judged if bad[start] is (state is State.ALARM)]
    filled = alarm.evaluation_periods - len(judged)
    return Verdict(
        state=state,
        reason=reasons.sentence(alarm, state, named, filled, reading.band),
        reason_data=reasons.data(
            alarm,
            queried_at=at,
            judged=judged,
            samples=reading.samples,
            newest=window.periods[-1],
            band=reading.band,
        ),
    )


def _breaches(alarm: MetricAlarm, reading: Reading, start: datetime) -> bool:
    value = reading.series[start]
    if reading.band is not None:
        lower, upper = reading.band.lower[start], reading.band.upper[start]
        return leaves_band(value, alarm.comparison, lower=lower, upper=upper)
    assert alarm.threshold is not None
    return breaches(value, alarm.comparison, alarm.threshold)


def _read(store: MetricStore, alarm: MetricAlarm, window: Window) -> Reading:
    if alarm.stat is not None:
        series, samples = queries.read_stat(store, alarm.stat, window)
        return Reading(series=series, samples=samples)
    windows = {query.id: window for query in alarm.metrics}
    answers = queries.read(store, alarm.metrics, windows).values()
    (found,) = (answer for answer in answers if not isinstance(answer, Band))
    band = next((answer for answer in answers if isinstance(answer, Band)), None)
    if band is None:
        return Reading(series=found, samples={})
    known = {start: value for start, value in found.items() if start in band.upper}
    return Reading(series=known, samples={}, band=band)


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
