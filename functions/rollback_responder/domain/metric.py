"""A metric as data, rendered three times: the alarm at synth, the query at run time, the sentence.

Nothing else in the product may name a metric of a service, so the three cannot drift apart; a
contract test compares the renderings.
"""

import math
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.target import LambdaAlias, Pointer
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    ApiErrorRate,
    ApiType,
    DeadLetters,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MeasuredTrigger,
    MetricName,
    PointerTrigger,
    Ratio,
    Throttles,
    Timeouts,
    percentile_of,
)

PERIOD_SECONDS = 60
# The evidence is read over the latest ten one-minute buckets.
EVIDENCE_MINUTES = 10
REQUESTS, ERRORS, VALUE, THROTTLES = "requests", "errors", "value", "throttles"
# Metric filters of the deployment write here, one metric for each function.
TIMEOUTS_NAMESPACE = "RollbackResponder/Timeouts"


class Series(Struct, frozen=True, kw_only=True):
    """One CloudWatch time series of one-minute datapoints.

    `id` is what metric math calls it; `statistic` is spelled as CloudWatch spells it.
    """

    id: str
    namespace: str
    metric_name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


class Share(Struct, frozen=True, kw_only=True):
    """How many of all were bad: minutes above a percentage, or a count within the window.

    `whole` are summed. Exactly one of `threshold_percent` and `more_than` is given.
    """

    noun: str
    bad: Series
    whole: tuple[Series, ...]
    minutes: int
    breaching_minutes: int
    minimum_requests: int
    minimum_errors: int
    threshold_percent: float | None = None
    more_than: int | None = None

    @property
    def series(self) -> tuple[Series, ...]:
        """What is read, each once."""
        return tuple(dict.fromkeys((*self.whole, self.bad)))

    @property
    def said(self) -> str:
        """The limit in words."""
        if self.threshold_percent is None:
            return f"more than {self.more_than} {self.noun} in {self.minutes} min"
        return f"{self.noun} above {self.threshold_percent:g} %"

    @property
    def unit(self) -> str:
        """What its number is followed by."""
        return "" if self.threshold_percent is None else " %"

    @property
    def minimum_requests_a_minute(self) -> int:
        """The floor of ten minutes spread over them: an alarm sees one minute at a time."""
        return math.ceil(self.minimum_requests / EVIDENCE_MINUTES)


class Level(Struct, frozen=True, kw_only=True):
    """How high a number is: above a threshold, a multiple of its own normal, or CloudWatch's band.

    Exactly one of `threshold`, `times_normal` and `band_width` judges, although `alarm_band` may
    wake. `samples` counts what the number was made of, where that matters; a minute needs
    `enough_samples` of them. `worse_by` is how much above the version before it must be. What
    `stays` does so until a person takes it away.
    """

    noun: str
    unit: str
    value: Series
    minutes: int
    breaching_minutes: int
    samples: Series | None = None
    enough_samples: int = 1
    minimum_requests: int = 1
    threshold: float | None = None
    times_normal: float | None = None
    band_width: float | None = None
    alarm_band: float | None = None
    worse_by: float = 0.0
    cold_minutes: int = 0
    stays: bool = False

    @property
    def series(self) -> tuple[Series, ...]:
        """What is read, each once."""
        return (self.samples, self.value) if self.samples else (self.value,)

    @property
    def said(self) -> str:
        """The limit in words."""
        if self.times_normal is not None:
            return f"{self.noun} above {self.times_normal:g} times its normal"
        if self.threshold is not None:
            return f"{self.noun} above {self.threshold:g}{self.unit}"
        return f"{self.noun} above CloudWatch's band of {self.band_width:g} deviations"


Question = Share | Level


def question_of(
    trigger: MeasuredTrigger, pointer: Pointer | None, *, version: str | None = None
) -> Question:
    """What a trigger asks: of a pointer as a whole or of one version behind it, or of the service.

    Raises:
        ValueError: a trigger of a pointer without one.
    """
    if isinstance(trigger, PointerTrigger):
        if pointer is None:
            raise ValueError(f"trigger {trigger.label} is measured on a pointer")
        return _of_pointer(trigger, pointer, version)
    return _of_service(trigger)


def tells_versions_apart(trigger: MeasuredTrigger) -> bool:
    """Whether CloudWatch may know what each version behind an alias did.

    Dimensions of AWS/Lambda: FunctionName, with Resource `function:alias`, and with ExecutedVersion
    for one version behind the alias (Lambda developer guide, "Types of metrics"). A request that is
    throttled is not executed by any; a metric filter knows no alias.
    """
    return isinstance(trigger, ErrorRate | Latency | LatencyTimesNormal)


# detection.md, section 8: latency must be at least 100 ms worse, and the first two minutes after a
# shift are cold starts.
WORSE_BY_MS = 100.0
COLD_MINUTES = 2


def _of_pointer(trigger: PointerTrigger, pointer: Pointer, version: str | None) -> Question:
    requests = _of_lambda(pointer, version, REQUESTS, "Invocations", "Sum")
    match trigger:
        case ErrorRate():
            errors = _of_lambda(pointer, version, ERRORS, "Errors", "Sum")
            return _share(trigger, "error rate", errors, requests)
        case Timeouts():
            timeouts = Series(
                id=ERRORS,
                namespace=TIMEOUTS_NAMESPACE,
                metric_name=pointer.function,
                dimensions=(),
                statistic="Sum",
            )
            # A log group knows no alias, so all requests of the function are the whole.
            every = replace(requests, dimensions=(("FunctionName", pointer.function),))
            return _share(trigger, "timed out requests", timeouts, every)
        case Throttles():
            # Throttles are in neither Invocations nor Errors (Lambda developer guide).
            throttles = _of_lambda(pointer, version, THROTTLES, "Throttles", "Sum")
            return _share(trigger, "throttled requests", throttles, requests, throttles)
        case Latency():
            level = _latency(trigger, pointer, requests, version)
            return replace(level, threshold=trigger.threshold_ms)
        case LatencyTimesNormal():
            level = _latency(trigger, pointer, requests, version)
            return replace(level, times_normal=trigger.times, alarm_band=trigger.band_width)
        case _:
            assert_never(trigger)


def _latency(
    trigger: Latency | LatencyTimesNormal, pointer: Pointer, requests: Series, version: str | None
) -> Level:
    """What both have in common; what it is compared with is to be added."""
    # CloudWatch spells percentiles p95 and the mean Average.
    average = percentile_of(trigger.statistic) is None
    statistic = "Average" if average else trigger.statistic
    return Level(
        noun=f"{trigger.statistic} latency",
        unit=" ms",
        value=_of_lambda(pointer, version, VALUE, "Duration", statistic),
        samples=requests,
        enough_samples=_enough_samples(trigger),
        minimum_requests=trigger.minimum_requests,
        minutes=trigger.minutes,
        breaching_minutes=trigger.breaching_minutes,
        worse_by=WORSE_BY_MS,
        cold_minutes=COLD_MINUTES,
    )


def _enough_samples(trigger: Latency | LatencyTimesNormal) -> int:
    """The fewest requests in a minute for which the number means something.

    For a percentile p of at least 0.5, CloudWatch's own low-sample rule: 10 / (1 - p). Source:
    CloudWatch user guide, "Percentile-based alarms and low data samples".
    """
    percentile = percentile_of(trigger.statistic)
    if percentile is None:
        return math.ceil(trigger.minimum_requests / EVIDENCE_MINUTES)
    return math.ceil(round(1000 / (100 - percentile), 6))


def _of_service(
    trigger: ApiErrorRate | ApiErrorCount | DeadLetters | Ratio | Anomaly,
) -> Question:
    match trigger:
        case ApiErrorRate():
            return _share(trigger, "5xx responses", *_of_api_errors(trigger.api))
        case ApiErrorCount():
            errors, requests = _of_api_errors(trigger.api)
            return Share(
                noun="5xx responses",
                bad=errors,
                whole=(requests,),
                more_than=trigger.more_than,
                minutes=trigger.minutes,
                breaching_minutes=1,
                minimum_requests=trigger.minimum_requests,
                minimum_errors=trigger.minimum_errors,
            )
        case DeadLetters():
            return Level(
                noun="messages in the dead-letter queue",
                unit="",
                value=Series(
                    id=VALUE,
                    namespace="AWS/SQS",
                    metric_name="ApproximateNumberOfMessagesVisible",
                    dimensions=(("QueueName", trigger.queue),),
                    statistic="Maximum",
                ),
                threshold=trigger.more_than,
                minutes=trigger.minutes,
                breaching_minutes=trigger.breaching_minutes,
                stays=True,
            )
        case Ratio():
            bad = _of_anybody(trigger.bad, ERRORS, "Sum")
            return _share(trigger, trigger.name, bad, _of_anybody(trigger.whole, REQUESTS, "Sum"))
        case Anomaly():
            return Level(
                noun=trigger.name,
                unit="",
                value=_of_anybody(trigger.metric, VALUE, trigger.statistic),
                band_width=trigger.band_width,
                alarm_band=trigger.band_width,
                minutes=trigger.minutes,
                breaching_minutes=trigger.breaching_minutes,
            )
        case _:
            assert_never(trigger)


def _share(
    trigger: ErrorRate | Timeouts | Throttles | ApiErrorRate | Ratio,
    noun: str,
    bad: Series,
    *whole: Series,
) -> Share:
    return Share(
        noun=noun,
        bad=bad,
        whole=whole,
        threshold_percent=trigger.threshold_percent,
        minutes=trigger.minutes,
        breaching_minutes=trigger.breaching_minutes,
        minimum_requests=trigger.minimum_requests,
        minimum_errors=trigger.minimum_errors,
    )


def _of_lambda(
    pointer: Pointer, version: str | None, series_id: str, metric_name: str, statistic: str
) -> Series:
    match pointer:
        case LambdaAlias():
            dimensions = [
                ("FunctionName", pointer.function),
                ("Resource", f"{pointer.function}:{pointer.alias}"),
            ]
            if version is not None:
                dimensions.append(("ExecutedVersion", version))
        case _:
            assert_never(pointer)
    return Series(
        id=series_id,
        namespace="AWS/Lambda",
        metric_name=metric_name,
        dimensions=tuple(dimensions),
        statistic=statistic,
    )


def _of_api_errors(api: Api) -> tuple[Series, Series]:
    """The 5xx responses of an API, and all of its responses.

    Sources: API Gateway developer guide, "Amazon API Gateway dimensions and metrics" for REST APIs,
    "Monitor CloudWatch metrics for HTTP APIs" for HTTP APIs. Count's SampleCount is the number of
    requests.
    """
    match api.type:
        case ApiType.REST:
            errors, dimension = "5XXError", "ApiName"
        case ApiType.HTTP:
            errors, dimension = "5xx", "ApiId"
        case _:
            assert_never(api.type)
    stage = (("Stage", api.stage),) if api.stage else ()
    dimensions = ((dimension, api.name), *stage)
    return (
        Series(
            id=ERRORS,
            namespace="AWS/ApiGateway",
            metric_name=errors,
            dimensions=dimensions,
            statistic="Sum",
        ),
        Series(
            id=REQUESTS,
            namespace="AWS/ApiGateway",
            metric_name="Count",
            dimensions=dimensions,
            statistic="SampleCount",
        ),
    )


def _of_anybody(name: MetricName, series_id: str, statistic: str) -> Series:
    return Series(
        id=series_id,
        namespace=name.namespace,
        metric_name=name.name,
        dimensions=tuple((one.name, one.value) for one in name.dimensions),
        statistic=statistic,
    )
