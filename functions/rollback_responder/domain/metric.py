"""A metric as data, rendered twice: as the alarm at synth and as the query at run time.

Nothing else in the product may name a metric of a target, so the two cannot drift apart; a
contract test compares the renderings.
"""

from dataclasses import dataclass
from typing import assert_never

from rollback_responder.domain.target import LambdaAlias, Pointer
from rollback_responder.domain.trigger import ErrorRate, Latency, MeasuredTrigger

PERIOD_SECONDS = 60
REQUESTS, ERRORS, LATENCY = "requests", "errors", "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One CloudWatch time series of one-minute datapoints.

    `id` is what metric math calls it; `statistic` is spelled as CloudWatch spells it.
    """

    id: str
    namespace: str
    metric_name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmQuery:
    """What a trigger's alarm watches: one series, or metric math over several."""

    series: tuple[Series, ...]
    expression: str | None
    label: str


def series_of(
    trigger: MeasuredTrigger, target: Pointer, *, version: str | None = None
) -> tuple[Series, ...]:
    """The series that judge a trigger on a target, as a whole or for one version of it.

    Dimensions of AWS/Lambda: FunctionName, with Resource `function:alias`, and with ExecutedVersion
    for one version behind the alias (Lambda developer guide, "Types of metrics").
    """
    match target:
        case LambdaAlias():
            dimensions = [
                ("FunctionName", target.function),
                ("Resource", f"{target.function}:{target.alias}"),
            ]
            if version is not None:
                dimensions.append(("ExecutedVersion", version))
        case _:
            assert_never(target)

    def one(series_id: str, metric_name: str, statistic: str) -> Series:
        return Series(
            id=series_id,
            namespace="AWS/Lambda",
            metric_name=metric_name,
            dimensions=tuple(dimensions),
            statistic=statistic,
        )

    requests = one(REQUESTS, "Invocations", "Sum")
    match trigger:
        case ErrorRate():
            return (requests, one(ERRORS, "Errors", "Sum"))
        case Latency():
            # CloudWatch spells percentiles p95 and the mean Average.
            percentile = trigger.statistic.percentile
            statistic = "Average" if percentile is None else f"p{percentile}"
            return (requests, one(LATENCY, "Duration", statistic))
        case _:
            assert_never(trigger)


def alarm_query(trigger: MeasuredTrigger, target: Pointer) -> AlarmQuery:
    """What the trigger's alarm watches: the same series as `series_of` reads at run time.

    A minute without enough requests counts as zero percent: the alarm only wakes the responder,
    and a rate of three requests is not a rate. CloudWatch's low-sample rule exists for percentiles
    on a single series only, so the latency alarm watches the series itself.
    """
    series = series_of(trigger, target)
    match trigger:
        case ErrorRate():
            floor = trigger.minimum_requests_a_minute
            return AlarmQuery(
                series=series,
                expression=(f"IF({REQUESTS} >= {floor}, 100 * FILL({ERRORS}, 0) / {REQUESTS}, 0)"),
                label="failed requests in percent",
            )
        case Latency():
            (_, latency) = series
            return AlarmQuery(
                series=(latency,), expression=None, label=f"{trigger.statistic.value} latency in ms"
            )
        case _:
            assert_never(trigger)


def threshold_of(trigger: MeasuredTrigger) -> float:
    """The number above which a minute is bad, in the unit of the trigger's query."""
    match trigger:
        case ErrorRate():
            return trigger.threshold_percent
        case Latency():
            return trigger.threshold_ms
        case _:
            assert_never(trigger)
