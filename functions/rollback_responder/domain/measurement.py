"""What CloudWatch measured, minute by minute: facts only, no judgement."""

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One minute of traffic.

    Attributes:
        start_at: the minute's begin.
        requests: invocations that began in it.
        errors: how many of them failed. Absent `Errors` count as 0 where `Invocations` exist.
        latency_ms: the trigger's statistic over their durations, or None where nobody asked.
    """

    start_at: datetime
    requests: int
    errors: int = 0
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The buckets that have requests, oldest first: all traffic, and the two versions apart.

    The window is from `since_at` to `read_at`.

    `new` and `previous` are empty where CloudWatch has no series for a version. That means "not
    known", never "no errors" (assumption A4: `ExecutedVersion` may be missing for the version that
    takes all traffic).
    """

    since_at: datetime
    read_at: datetime
    total: tuple[Bucket, ...] = ()
    new: tuple[Bucket, ...] = ()
    previous: tuple[Bucket, ...] = ()
