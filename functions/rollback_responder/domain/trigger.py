"""What wakes the responder: a trigger is an alarm, a run-time query and a sentence, typed once.

A trigger of a pointer is measured on each alias of its service, and on each version behind it. A
trigger of the service has a metric of its own. How each is rendered is in `metric.py`.
"""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Struct

from rollback_responder.domain.document import Doc, Limits, Pattern
from rollback_responder.domain.response import Mode, Severity

# CloudWatch evaluates at most 24 hours of one-minute periods; an hour is the most that still tells
# one deploy from another.
WINDOW_MINUTES = Limits(1, 60)
COUNTS = Limits(1, 1_000_000)
# CloudWatch API, PutMetricAlarm: AlarmName 1 to 255 characters, no ASCII control characters.
ALARM_NAME = Pattern(
    r"[^\x00-\x1f\x7f]{1,255}", "an alarm name: 1 to 255 characters, no control characters"
)
# Names a trigger of the service within its alarm's name, whose pieces are parted by dots.
SHORT_NAME = Pattern(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", "1 to 40 letters, digits, hyphens, underscores"
)


class WhenUnmeasurable(StrEnum):
    """What to do when an alarm fires whose metric the responder cannot read itself."""

    HOLD = "hold"
    TRUST_ALARM = "trust_alarm"


class LogFormat(StrEnum):
    """How a function writes its logs: `LoggingConfig.LogFormat` of its configuration."""

    TEXT = "text"
    JSON = "json"


class ApiType(StrEnum):
    """Which kind of API Gateway API: their metrics have other names and dimensions."""

    REST = "rest"
    HTTP = "http"


class _Any(Struct, frozen=True, kw_only=True):
    """What all triggers share."""

    severity: Annotated[Severity, Doc("How bad it is when this fires; see responses.")] = (
        Severity.HIGH
    )
    mode: Annotated[
        Mode | None, Doc("Holds this trigger back: at most what the service's mode allows.")
    ] = None
    when_unmeasurable: Annotated[
        WhenUnmeasurable,
        Doc(
            "hold: page, never act where the metric cannot be read. "
            "trust_alarm: the alarm, read again and in ALARM, is evidence enough."
        ),
    ] = WhenUnmeasurable.HOLD


class _Measured(_Any, frozen=True, kw_only=True):
    """What those share that are measured minute by minute."""

    minutes: Annotated[
        int, Doc("How many of the latest minutes are looked at."), WINDOW_MINUTES
    ] = 3
    breaching_minutes: Annotated[
        int, Doc("How many of these minutes must be bad."), WINDOW_MINUTES
    ] = 2


class _Sampled(_Measured, frozen=True, kw_only=True):
    """What those share that judge requests."""

    minimum_requests: Annotated[
        int, Doc("Fewer requests than this in ten minutes prove nothing."), COUNTS
    ] = 20
    name: Annotated[
        str | None,
        Doc("Tells it from another trigger of its kind in the service.", "use hyphens"),
        SHORT_NAME,
    ] = None

    def _label(self, kind: str) -> str:
        return f"{kind}-{self.name}" if self.name else kind


class _Counted(_Sampled, frozen=True, kw_only=True):
    """What those share that judge how many requests of all were bad."""

    minimum_errors: Annotated[
        int, Doc("Fewer bad requests than this in ten minutes prove nothing."), COUNTS
    ] = 3


# What a share may be above: zero is for "any at all".
PERCENT = Limits(0, 99.99)
WRITE_PERCENT = "write 5 for five percent"


class ErrorRate(_Counted, frozen=True, kw_only=True):
    """Failed requests as a share of all requests through the alias."""

    kind: Annotated[Literal["error_rate"], Doc("The kind of trigger.")] = "error_rate"
    threshold_percent: Annotated[
        float,
        Doc(
            "Failed requests in percent of all requests above which a minute is bad.",
            WRITE_PERCENT,
        ),
        PERCENT,
    ]

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self._label("error-rate")


class Timeouts(_Counted, frozen=True, kw_only=True):
    """Requests that ran into the function's timeout, as a share of all, counted in its log.

    Lambda has no metric for it. The deployment makes a metric filter on the function's log group.
    """

    kind: Annotated[Literal["timeouts"], Doc("The kind of trigger.")] = "timeouts"
    threshold_percent: Annotated[
        float,
        Doc(
            "Timed out requests in percent of all requests above which a minute is bad.",
            WRITE_PERCENT,
        ),
        PERCENT,
    ]
    log_format: Annotated[
        LogFormat, Doc("How the function writes its logs, in its LoggingConfig.")
    ] = LogFormat.TEXT

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self._label("timeouts")


class Throttles(_Counted, frozen=True, kw_only=True):
    """Requests that Lambda turned away, as a share of all that came."""

    kind: Annotated[Literal["throttles"], Doc("The kind of trigger.")] = "throttles"
    threshold_percent: Annotated[
        float,
        Doc(
            "Throttled requests in percent of all that came above which a minute is bad.",
            "write 5 for five percent, 0 for any at all",
        ),
        PERCENT,
    ] = 1.0

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self._label("throttles")


# CloudWatch API, PutMetricAlarm: ExtendedStatistic p0.0 to p100, with up to ten decimals. Below the
# median a percentile says nothing about slowness.
STATISTIC = Pattern(r"average|p(5\d|[6-9]\d)(\.\d{1,2})?", "average, or p50 to p99.99")


def percentile_of(statistic: str) -> float | None:
    """50 to 99.99, or None for the average."""
    return None if statistic == "average" else float(statistic[1:])


class _Slow(_Sampled, frozen=True, kw_only=True):
    """What those share that judge how long requests take."""

    statistic: Annotated[
        str,
        Doc("Which number of a minute's durations is compared.", "write p95, p99.9 or average"),
        STATISTIC,
    ]

    @property
    def _slug(self) -> str:
        return self.statistic.replace(".", "-")


class Latency(_Slow, frozen=True, kw_only=True):
    """How long requests through the alias take."""

    kind: Annotated[Literal["latency"], Doc("The kind of trigger.")] = "latency"
    threshold_ms: Annotated[
        float,
        Doc(
            "Milliseconds above which a minute is bad.",
            "write milliseconds: 1500 for one and a half seconds",
        ),
        # A Lambda function runs for at most 900 seconds.
        Limits(1, 900_000),
    ]

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self._label(f"latency-{self._slug}")


class LatencyTimesNormal(_Slow, frozen=True, kw_only=True):
    """How long requests take, compared with the service's own hour before the change.

    Its alarm is CloudWatch's anomaly detection: an alarm's expression cannot look at another time.
    """

    kind: Annotated[Literal["latency_times_normal"], Doc("The kind of trigger.")] = (
        "latency_times_normal"
    )
    times: Annotated[
        float,
        Doc("How many times its normal makes a minute bad.", "write 5 for five times"),
        Limits(1.25, 1000),
    ]
    band_width: Annotated[
        float,
        Doc("How many deviations from CloudWatch's expectation wake the responder."),
        Limits(1, 100),
    ] = 4.0

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self._label(f"latency-{self._slug}-times-normal")


class Api(Struct, frozen=True, kw_only=True):
    """Which API of API Gateway."""

    name: Annotated[
        str,
        Doc("The REST API's name, or the HTTP API's id, as its metrics have it."),
        Pattern(r"[^\x00-\x1f\x7f]{1,255}", "a name of 1 to 255 characters"),
    ]
    type: Annotated[ApiType, Doc("Which kind of API it is.")] = ApiType.REST
    stage: Annotated[
        str | None,
        Doc("Its stage, to look at that alone."),
        Pattern(r"[A-Za-z0-9_$-]{1,128}", "a stage name"),
    ] = None


class ApiErrorRate(_Counted, frozen=True, kw_only=True):
    """Responses of API Gateway with a status of 500 and more, as a share of all."""

    kind: Annotated[Literal["api_5xx_rate"], Doc("The kind of trigger.")] = "api_5xx_rate"
    api: Annotated[Api, Doc("The API.")]
    threshold_percent: Annotated[
        float,
        Doc("5xx responses in percent of all above which a minute is bad.", WRITE_PERCENT),
        PERCENT,
    ]

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self._label("api-5xx-rate")


class ApiErrorCount(_Any, frozen=True, kw_only=True):
    """How many responses of API Gateway have a status of 500 and more."""

    kind: Annotated[Literal["api_5xx_count"], Doc("The kind of trigger.")] = "api_5xx_count"
    api: Annotated[Api, Doc("The API.")]
    more_than: Annotated[
        int, Doc("More 5xx responses than this within the minutes are bad."), Limits(0, 1_000_000)
    ]
    minutes: Annotated[int, Doc("Within how many minutes they are counted."), WINDOW_MINUTES] = 5
    minimum_requests: Annotated[
        int, Doc("Fewer requests than this in ten minutes prove nothing."), COUNTS
    ] = 20
    minimum_errors: Annotated[
        int, Doc("Fewer bad requests than this in ten minutes prove nothing."), COUNTS
    ] = 3

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return "api-5xx-count"


class DeadLetters(_Measured, frozen=True, kw_only=True):
    """Messages in a dead-letter queue."""

    kind: Annotated[Literal["dead_letters"], Doc("The kind of trigger.")] = "dead_letters"
    queue: Annotated[
        str,
        Doc("The dead-letter queue's name."),
        # SQS API, CreateQueue.
        Pattern(r"[A-Za-z0-9_-]{1,75}(\.fifo)?", "a queue name: letters, digits, hyphens"),
    ]
    more_than: Annotated[
        int, Doc("More messages than this make a minute bad."), Limits(0, 1_000_000)
    ] = 0

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return f"dead-letters-{self.queue.replace('.', '-')}"


class Dimension(Struct, frozen=True, kw_only=True):
    """One dimension of a metric."""

    name: Annotated[
        str, Doc("Its name."), Pattern(r"[^\x00-\x1f\x7f]{1,255}", "1 to 255 characters")
    ]
    value: Annotated[
        str, Doc("Its value."), Pattern(r"[^\x00-\x1f\x7f]{1,1024}", "1 to 1024 characters")
    ]


class MetricName(Struct, frozen=True, kw_only=True):
    """A metric of anybody's, by its names."""

    namespace: Annotated[
        str, Doc("Its namespace."), Pattern(r"[^:\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,254}", "a name")
    ]
    name: Annotated[
        str, Doc("Its name."), Pattern(r"[^\x00-\x1f\x7f]{1,255}", "1 to 255 characters")
    ]
    dimensions: Annotated[tuple[Dimension, ...], Doc("Its dimensions, all of them.")] = ()


class Ratio(_Counted, frozen=True, kw_only=True):
    """Bad events as a share of all events: two metrics of anybody's, each summed by the minute."""

    kind: Annotated[Literal["ratio"], Doc("The kind of trigger.")] = "ratio"
    name: Annotated[str, Doc("What is failing, in a word or two.", "use hyphens"), SHORT_NAME]
    bad: Annotated[MetricName, Doc("Counts the bad events.")]
    whole: Annotated[MetricName, Doc("Counts all events, bad ones included.")]
    threshold_percent: Annotated[
        float,
        Doc("Bad events in percent of all above which a minute is bad.", WRITE_PERCENT),
        PERCENT,
    ]

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self.name


# CloudWatch API, PutMetricAlarm: Statistic, and ExtendedStatistic's percentiles.
ANY_STATISTIC = Pattern(
    r"SampleCount|Average|Sum|Minimum|Maximum|p\d{1,2}(\.\d{1,2})?|p100",
    "Sum, Average, Minimum, Maximum, SampleCount, or a percentile such as p95",
)


class Anomaly(_Measured, frozen=True, kw_only=True):
    """A metric of anybody's above what CloudWatch's anomaly detection expects of it."""

    kind: Annotated[Literal["anomaly"], Doc("The kind of trigger.")] = "anomaly"
    name: Annotated[str, Doc("What is unusual, in a word or two.", "use hyphens"), SHORT_NAME]
    metric: Annotated[MetricName, Doc("The metric.")]
    statistic: Annotated[str, Doc("Its statistic over a minute."), ANY_STATISTIC] = "Average"
    band_width: Annotated[
        float,
        Doc("How many deviations above the expectation are unusual."),
        Limits(1, 100),
    ] = 2.0

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return self.name


class AdoptedAlarm(_Any, frozen=True, kw_only=True):
    """An alarm that exists already, metric or composite, adopted by its name.

    Its metric is not ours to read.
    """

    kind: Annotated[Literal["alarm"], Doc("The kind of trigger.")] = "alarm"
    name: Annotated[
        str, Doc("The alarm's name, in this account and region.", "write the bare name"), ALARM_NAME
    ]

    @property
    def label(self) -> str:
        """Names the trigger within its service."""
        return self.name


PointerTrigger = ErrorRate | Latency | LatencyTimesNormal | Timeouts | Throttles
ServiceTrigger = ApiErrorRate | ApiErrorCount | DeadLetters | Ratio | Anomaly
MeasuredTrigger = PointerTrigger | ServiceTrigger
Trigger = PointerTrigger | ServiceTrigger | AdoptedAlarm
