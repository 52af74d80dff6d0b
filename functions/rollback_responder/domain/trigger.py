"""What wakes the responder: a trigger is an alarm, a run-time query and a sentence, typed once."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from rollback_responder.domain.document import Doc, Limits, Pattern

# CloudWatch evaluates at most 24 hours of one-minute periods; an hour is the most that still tells
# one deploy from another.
WINDOW_MINUTES = Limits(1, 60)
# CloudWatch API, PutMetricAlarm: AlarmName 1 to 255 characters, no ASCII control characters.
ALARM_NAME = Pattern(
    r"[^\x00-\x1f\x7f]{1,255}", "an alarm name: 1 to 255 characters, no control characters"
)


class Severity(StrEnum):
    """How bad it is when the trigger fires, in the operator's judgement."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Statistic(StrEnum):
    """How the durations of one minute become one number."""

    P50 = "p50"
    P75 = "p75"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    AVERAGE = "average"

    @property
    def percentile(self) -> int | None:
        """50 to 99, or None for the average."""
        return None if self is Statistic.AVERAGE else int(self.value[1:])

    @property
    def enough_samples(self) -> int:
        """The fewest requests in a minute for which the number means something.

        For a percentile p of at least 0.5, CloudWatch's own low-sample rule: 10 / (1 - p). Source:
        CloudWatch user guide, "Percentile-based alarms and low data samples".
        """
        percentile = self.percentile
        return 1 if percentile is None else math.ceil(1000 / (100 - percentile))


class WhenUnmeasurable(StrEnum):
    """What to do when an alarm fires whose metric the responder cannot read itself."""

    HOLD = "hold"
    TRUST_ALARM = "trust_alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """Failed requests as a share of all requests through the alias."""

    kind: Annotated[Literal["error_rate"], Doc("The kind of trigger.")] = "error_rate"
    threshold_percent: Annotated[
        float,
        Doc(
            "Failed requests in percent of all requests above which a minute is bad.",
            "write 5 for five percent",
        ),
        Limits(0.01, 99.99),
    ]
    minutes: Annotated[
        int, Doc("How many of the latest minutes are looked at."), WINDOW_MINUTES
    ] = 3
    breaching_minutes: Annotated[
        int, Doc("How many of these minutes must be bad."), WINDOW_MINUTES
    ] = 2
    minimum_requests: Annotated[
        int,
        Doc("Fewer requests than this in the whole window prove nothing."),
        Limits(1, 1_000_000),
    ] = 20
    minimum_errors: Annotated[
        int,
        Doc("Fewer failed requests than this in the whole window prove nothing."),
        Limits(1, 1_000_000),
    ] = 3
    severity: Annotated[Severity, Doc("How bad it is when this fires.")] = Severity.HIGH

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return "error-rate"

    @property
    def minimum_requests_a_minute(self) -> int:
        """The window's floor spread over its minutes: the alarm sees one minute at a time."""
        return math.ceil(self.minimum_requests / self.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long requests through the alias take."""

    kind: Annotated[Literal["latency"], Doc("The kind of trigger.")] = "latency"
    statistic: Annotated[Statistic, Doc("Which number of a minute's durations is compared.")]
    threshold_ms: Annotated[
        float,
        Doc(
            "Milliseconds above which a minute is bad.",
            "write milliseconds: 1500 for one and a half seconds",
        ),
        # A Lambda function runs for at most 900 seconds.
        Limits(1, 900_000),
    ]
    minutes: Annotated[
        int, Doc("How many of the latest minutes are looked at."), WINDOW_MINUTES
    ] = 3
    breaching_minutes: Annotated[
        int, Doc("How many of these minutes must be bad."), WINDOW_MINUTES
    ] = 2
    minimum_requests: Annotated[
        int,
        Doc("Fewer requests than this in the whole window prove nothing."),
        Limits(1, 1_000_000),
    ] = 20
    severity: Annotated[Severity, Doc("How bad it is when this fires.")] = Severity.HIGH

    @property
    def label(self) -> str:
        """Names the trigger within its service; part of the alarm's name."""
        return f"latency-{self.statistic.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedAlarm:
    """An alarm that exists already, adopted by its name. Its metric is not ours to read."""

    kind: Annotated[Literal["alarm"], Doc("The kind of trigger.")] = "alarm"
    name: Annotated[
        str, Doc("The alarm's name, in this account and region.", "write the bare name"), ALARM_NAME
    ]
    when_unmeasurable: Annotated[
        WhenUnmeasurable,
        Doc(
            "hold: page, never act on this alarm alone. "
            "trust_alarm: the alarm, read again and in ALARM, is evidence enough."
        ),
    ] = WhenUnmeasurable.HOLD
    severity: Annotated[Severity, Doc("How bad it is when this fires.")] = Severity.HIGH

    @property
    def label(self) -> str:
        """Names the trigger within its service."""
        return self.name


MeasuredTrigger = ErrorRate | Latency
Trigger = ErrorRate | Latency | AdoptedAlarm
