"""Minutes against a question: which are bad, which say anything, and what is normal."""

from collections.abc import Sequence
from statistics import median
from typing import assert_never

from rollback_responder.domain.measurement import MINUTE, Bucket
from rollback_responder.domain.metric import Level, Question, Share


def is_bad(question: Question, bucket: Bucket, normal: float | None = None) -> bool:
    """Whether one minute is over the question's limit, by the same rule as its alarm.

    Of a count within several minutes, a minute may have its part.
    """
    return has_enough(question, bucket) and _is_over(question, bucket, normal)


def _is_over(question: Question, bucket: Bucket, normal: float | None) -> bool:
    match question:
        case Share(threshold_percent=None):
            return bucket.errors * question.minutes > (question.more_than or 0)
        case Share(threshold_percent=percent):
            # In the order of the alarm's own math: at the threshold the last digit counts.
            return 100 * bucket.errors / bucket.requests > (percent or 0.0)
        case Level():
            limit = limit_of(question, bucket, normal)
            return limit is not None and bucket.value is not None and bucket.value > limit
        case _:
            assert_never(question)


def limit_of(question: Level, bucket: Bucket, normal: float | None) -> float | None:
    """The number above which a minute is bad, or None where it is not known."""
    if question.times_normal is not None:
        return None if normal is None else question.times_normal * normal
    return bucket.limit if question.threshold is None else question.threshold


def has_enough(question: Question, bucket: Bucket) -> bool:
    """Whether one minute has enough requests for its number to mean anything."""
    match question:
        case Share(threshold_percent=None):
            return True
        case Share():
            return bucket.requests >= question.minimum_requests_a_minute
        case Level():
            return bucket.requests >= question.enough_samples
        case _:
            assert_never(question)


def says_something(question: Question, bucket: Bucket, normal: float | None) -> bool:
    """Whether one minute can be good or bad: enough requests, a number, and a limit to hold it to.

    A band that is not learned yet has no limit, and a normal that nobody knows gives none.
    """
    if not has_enough(question, bucket):
        return False
    known = bucket.value is not None
    return isinstance(question, Share) or (known and limit_of(question, bucket, normal) is not None)


def persists(question: Question, window: Sequence[Bucket], normal: float | None = None) -> bool:
    """Whether enough minutes of a window are bad, or enough is bad in it."""
    if isinstance(question, Share) and question.more_than is not None:
        return sum(bucket.errors for bucket in window) > question.more_than
    return bad_count(question, window, normal) >= question.breaching_minutes


def served_well(question: Question, buckets: Sequence[Bucket], normal: float | None = None) -> bool:
    """Whether minutes of real traffic speak for a version: asked of the whole, not of each minute.

    A minute with too few requests to convict anybody says something together with others. Where
    there is no limit to hold a minute to, it says nothing against it.
    """
    requests, errors = sums(buckets)
    if requests == 0:
        return False
    match question:
        case Share(threshold_percent=None):
            return errors * question.minutes <= (question.more_than or 0) * len(buckets)
        case Share(threshold_percent=percent):
            return 100 * errors <= (percent or 0.0) * requests
        case Level():
            return 2 * over_count(question, buckets, normal) < len(buckets)
        case _:
            assert_never(question)


def latest(buckets: Sequence[Bucket], minutes: int) -> tuple[Bucket, ...]:
    """The last minutes of the clock, up to the youngest that is there; not as many with traffic."""
    if not buckets:
        return ()
    first_at = buckets[-1].start_at - (minutes - 1) * MINUTE
    return tuple(bucket for bucket in buckets if bucket.start_at >= first_at)


def bad_count(question: Question, window: Sequence[Bucket], normal: float | None) -> int:
    """How many minutes of a window are bad."""
    return sum(is_bad(question, bucket, normal) for bucket in window)


def over_count(question: Question, window: Sequence[Bucket], normal: float | None = None) -> int:
    """How many minutes of a window are over the limit, however few requests they have."""
    return sum(_is_over(question, bucket, normal) for bucket in window)


def normal_of(question: Question, history: Sequence[Bucket]) -> float | None:
    """The number that the version before usually showed, or None where nothing says it."""
    if isinstance(question, Share):
        return None
    values = [b.value for b in history if b.value is not None and has_enough(question, b)]
    return median(values) if values else None


def rate_of(buckets: Sequence[Bucket]) -> float | None:
    """Bad requests in percent of all, or None where there were none."""
    requests, errors = sums(buckets)
    return 100 * errors / requests if requests else None


def sums(buckets: Sequence[Bucket]) -> tuple[int, int]:
    """All requests, and the bad ones among them."""
    return sum(b.requests for b in buckets), sum(b.errors for b in buckets)
