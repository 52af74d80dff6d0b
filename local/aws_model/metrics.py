"""The metric store: raw samples in, statistics per period out.

Facts relied on: a sample belongs to the period in which its timestamp lies, and ``AWS/Lambda``
stamps a sample with the *start* of the invocation (Lambda guide, "Monitoring functions"). A metric
is identified by namespace, name and the exact set of dimensions; CloudWatch does not aggregate
across dimensions (CloudWatch guide, "Metrics concepts").
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.aws_model.errors import validation_error

MINUTE = timedelta(minutes=1)
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_HALF = 0.5
_LOW_SAMPLE_NUMERATOR = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The identity of a metric: namespace, name, and its exact dimensions, sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str] | None = None) -> "Metric":
        """Build the identity from a mapping of dimensions, in any order."""
        return cls(
            namespace=namespace, name=name, dimensions=tuple(sorted((dimensions or {}).items()))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One statistic: its name as CloudWatch writes it, and the percentile (0-100) if it is one."""

    name: str
    percentile: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Statistic":
        """Parse ``Sum``, ``Average``, ``Minimum``, ``Maximum``, ``SampleCount`` or ``p0``-``p100``.

        Raises:
            ModelError: ValidationError for every other statistic, trimmed means included.
        """
        if text in {"Sum", "Average", "Minimum", "Maximum", "SampleCount"}:
            return cls(name=text)
        found = _PERCENTILE.fullmatch(text)
        if found is None:
            raise validation_error(f"The value {text} for parameter Stat is not supported.")
        return cls(name=text, percentile=float(found.group(1)))

    def low_sample_limit(self) -> float:
        """Return the samples below which ``EvaluateLowSampleCountPercentile`` applies.

        10/(1 - p) for p in [0.5, 1), 10/p for p in (0, 0.5); outside these ranges, and for other
        statistics, the rule does not apply (CloudWatch guide, "Percentile-based alarms and low
        data samples").
        """
        if self.percentile is None or self.percentile in {0.0, 100.0}:
            return 0.0
        share = self.percentile / 100
        tail = 1 - share if share >= _HALF else share
        return round(_LOW_SAMPLE_NUMERATOR / tail, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One raw value, ``count`` times, and the instant from which a query can see it."""

    timestamp: datetime
    value: float
    count: float
    unit: str
    visible_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """The statistic of one period, with the number of samples that it rests on."""

    value: float
    sample_count: float


def floor_minute(instant: datetime) -> datetime:
    """Return the start of the minute in which an aware instant lies, in UTC."""
    return instant.astimezone(UTC).replace(second=0, microsecond=0)


def _percentile(samples: list[Sample], percentile: float) -> float:
    # Nearest rank: CloudWatch does not publish its own algorithm.
    ordered = sorted(samples, key=lambda sample: sample.value)
    rank = math.ceil(percentile / 100 * sum(sample.count for sample in ordered))
    seen = 0.0
    for sample in ordered:
        seen += sample.count
        if seen >= rank:
            return sample.value
    return ordered[-1].value


def summarise(samples: list[Sample], statistic: Statistic) -> Datapoint:
    """Return the datapoint of a non-empty list of samples."""
    count = sum(sample.count for sample in samples)
    total = sum(sample.value * sample.count for sample in samples)
    if statistic.percentile is not None:
        return Datapoint(value=_percentile(samples, statistic.percentile), sample_count=count)
    values = {
        "Sum": total,
        "Average": total / count,
        "Minimum": min(sample.value for sample in samples),
        "Maximum": max(sample.value for sample in samples),
        "SampleCount": count,
    }
    return Datapoint(value=values[statistic.name], sample_count=count)


@dataclass(slots=True, kw_only=True)
class MetricStore:
    """Raw samples by metric and minute.

    Attributes:
        clock: returns the present as an aware UTC instant; nothing here reads another clock.
        lag: how long after it was recorded a sample stays invisible to every query.
    """

    clock: Callable[[], datetime]
    lag: timedelta = timedelta(0)
    _samples: dict[Metric, dict[datetime, list[Sample]]] = field(default_factory=dict)

    def record(
        self,
        metric: Metric,
        *,
        timestamp: datetime,
        value: float,
        count: float = 1,
        unit: str = "None",
    ) -> None:
        """Record one value.

        Args:
            metric: the metric's identity.
            timestamp: aware; the start of the invocation for ``AWS/Lambda``.
            value: the raw value (milliseconds for ``Duration``).
            count: how often the value occurred.
            unit: the unit as CloudWatch names it.

        Raises:
            ModelError: ValidationError for a naive timestamp, a value that is not finite, or a
                count that is not positive.
        """
        if timestamp.tzinfo is None:
            raise validation_error("The timestamp must carry a time zone.")
        if not math.isfinite(value) or not count > 0:
            raise validation_error("The value must be finite, and its count positive.")
        minutes = self._samples.setdefault(metric, defaultdict(list))
        minutes[floor_minute(timestamp)].append(
            Sample(
                timestamp=timestamp.astimezone(UTC),
                value=float(value),
                count=float(count),
                unit=unit,
                visible_at=max(self.clock(), timestamp) + self.lag,
            )
        )

    def datapoint(
        self,
        metric: Metric,
        statistic: Statistic,
        *,
        start: datetime,
        period: timedelta,
        seen_at: datetime,
        unit: str | None = None,
    ) -> Datapoint | None:
        """Return the statistic of the period that begins at ``start``, or None where it is missing.

        ``start`` must be a whole minute, and ``period`` a multiple of one; ``seen_at`` is the
        instant of the query, so that late samples stay unseen.
        """
        minutes = self._samples.get(metric, {})
        samples = [
            sample
            for offset in range(int(period / MINUTE))
            for sample in minutes.get(start + offset * MINUTE, ())
            if sample.visible_at <= seen_at and unit in {None, sample.unit}
        ]
        return summarise(samples, statistic) if samples else None

    def has_samples(self, metric: Metric, start: datetime, period: timedelta) -> bool:
        """Tell whether anything at all was recorded in a period: most are empty in a long read."""
        minutes = self._samples.get(metric, {})
        if period == MINUTE:
            return start in minutes
        return any(start + offset * MINUTE in minutes for offset in range(int(period / MINUTE)))

    def metrics(self) -> Iterator[Metric]:
        """Yield each metric that has at least one sample, in a stable order."""
        yield from sorted(self._samples, key=lambda m: (m.namespace, m.name, m.dimensions))
