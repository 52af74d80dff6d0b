"""What CloudWatch measured, minute by minute: facts only, no judgement."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

MINUTE = timedelta(minutes=1)


class Bucket(Struct, frozen=True, kw_only=True):
    """One minute.

    Attributes:
        start_at: the minute's begin.
        requests: how many began in it; 1 where the metric is a number that counts none.
        errors: how many of them were bad. Absent counts are 0 where there are requests.
        value: the number that is asked for, or None where there is none.
        limit: the upper edge of CloudWatch's band, or None where nobody asked.
    """

    start_at: datetime
    requests: int
    errors: int = 0
    value: float | None = None
    limit: float | None = None


class Measurement(Struct, frozen=True, kw_only=True):
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


def in_order(buckets: Iterable[Bucket]) -> tuple[Bucket, ...]:
    """By time, however they were read."""
    return tuple(sorted(buckets, key=lambda bucket: bucket.start_at))
