"""Judging a measurement: four verdicts, never a bool, and only one of them can roll back.

Simple thresholds: floors on requests and errors, M bad minutes of the latest N, and the same
question asked of the previous version. The arithmetic is kept in words, for the journal and Slack.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, assert_never

from rollback_responder.domain.document import Doc
from rollback_responder.domain.measurement import MINUTE, Bucket, Measurement
from rollback_responder.domain.metric import threshold_of
from rollback_responder.domain.trigger import ErrorRate, Latency, MeasuredTrigger


class Verdict(StrEnum):
    """What the numbers say."""

    BREACHING = "breaching"
    HEALTHY = "healthy"
    INCONCLUSIVE = "inconclusive"
    UNMEASURABLE = "unmeasurable"


# The watcher looks once a minute, so a change may be this much older than when it was first seen.
CHANGE_TOLERANCE = 2 * MINUTE

# The order in which one verdict outweighs another about the same minutes.
WORSE = (Verdict.UNMEASURABLE, Verdict.HEALTHY, Verdict.INCONCLUSIVE, Verdict.BREACHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The numbers behind a verdict, over one window of minutes."""

    verdict: Annotated[Verdict, Doc("What the numbers say.")]
    text: Annotated[str, Doc("The arithmetic, in words.")]
    value: Annotated[float | None, Doc("The rate in percent or the latency in ms.")] = None
    threshold: Annotated[float | None, Doc("What it is compared with, in the same unit.")] = None
    requests: Annotated[int, Doc("Requests in the window.")] = 0
    errors: Annotated[int, Doc("Failed requests in the window.")] = 0
    minutes: Annotated[int, Doc("Minutes in the window.")] = 0

    @property
    def looks_bad(self) -> bool:
        """Whether the number is over its threshold, be it on too few requests to prove it."""
        return self.value is not None and self.threshold is not None and self.value > self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The suspect's evidence, and its predecessor's where there is any.

    `served_since_at` is the first minute in which the suspect itself is known to have served;
    `served_before` says that it served when the window began, so nobody knows since when.
    """

    new: Annotated[Evidence, Doc("What the numbers say of the suspect.")]
    previous: Annotated[Evidence | None, Doc("What they say of its predecessor.")] = None
    served_since_at: Annotated[datetime | None, Doc("Its first minute, as measured.")] = None
    served_before: Annotated[bool, Doc("Whether it served before anything was measured.")] = False


def unmeasurable(text: str) -> Assessment:
    """The assessment where nothing could be read."""
    return Assessment(new=Evidence(verdict=Verdict.UNMEASURABLE, text=text))


def assess(
    trigger: MeasuredTrigger, measurement: Measurement, *, changed_at: datetime, lag: timedelta
) -> Assessment:
    """Judges the suspect version and, on the same question, its predecessor.

    Where CloudWatch tells the versions apart, each has its own series; where it knows only the new
    one, the previous one is what remains of all traffic. Where it knows neither, all traffic after
    the change stands for the new version and all traffic well before it for the previous one; the
    minutes of the change belong to neither.

    Args:
        trigger: what is asked.
        measurement: the latest minutes.
        changed_at: when the suspect was first seen live.
        lag: how long a minute may still be incomplete. Such a minute may count as bad, never as
            good.
    """
    complete_until = measurement.read_at - lag
    new, previous = measurement.new, measurement.previous
    if not new and not previous:
        new = tuple(b for b in measurement.total if b.start_at >= changed_at)
        until = changed_at - CHANGE_TOLERANCE
        previous = tuple(b for b in measurement.total if b.start_at + MINUTE <= until)
    if not previous:
        previous = tuple(_rest(trigger, measurement.total, new))
    newest = previous[-1].start_at + MINUTE if previous else None
    return Assessment(
        new=judge(trigger, new, until=measurement.read_at, complete_until=complete_until),
        previous=judge(trigger, previous, until=newest, complete_until=newest) if newest else None,
        served_since_at=measurement.new[0].start_at if measurement.new else None,
        served_before=bool(measurement.new) and _at_the_very_begin(measurement),
    )


def _at_the_very_begin(measurement: Measurement) -> bool:
    return measurement.new[0].start_at < measurement.since_at + MINUTE


def span_of(buckets: Sequence[Bucket]) -> timedelta:
    """From the begin of the first minute with traffic to the end of the last."""
    return buckets[-1].start_at + MINUTE - buckets[0].start_at


def served_well(trigger: MeasuredTrigger, buckets: Sequence[Bucket]) -> bool:
    """Whether minutes of real traffic speak for a version: asked of the whole, not of each minute.

    A minute with too few requests to convict anybody says something together with others.
    """
    requests, errors = sum(b.requests for b in buckets), sum(b.errors for b in buckets)
    match trigger:
        case ErrorRate():
            return requests > 0 and 100 * errors / requests <= trigger.threshold_percent
        case Latency():
            slow = sum((b.latency_ms or 0.0) > trigger.threshold_ms for b in buckets)
            return requests > 0 and 2 * slow < len(buckets)
        case _:
            assert_never(trigger)


def _rest(
    trigger: MeasuredTrigger, total: Sequence[Bucket], new: Sequence[Bucket]
) -> Iterator[Bucket]:
    """All traffic less the new version's. Counts can be taken apart, percentiles cannot."""
    taken = {bucket.start_at: bucket for bucket in new}
    for bucket in total:
        mine = taken.get(bucket.start_at)
        if mine is None:
            yield bucket
        elif isinstance(trigger, ErrorRate) and bucket.requests > mine.requests:
            yield Bucket(
                start_at=bucket.start_at,
                requests=bucket.requests - mine.requests,
                errors=max(0, bucket.errors - mine.errors),
            )


def judge(
    trigger: MeasuredTrigger,
    buckets: Sequence[Bucket],
    *,
    until: datetime,
    complete_until: datetime,
) -> Evidence:
    """One series of minutes against one trigger.

    The window is the latest `trigger.minutes` whole minutes that end by `complete_until`. It is
    moved on over younger minutes where these are bad, and the worst verdict stands: fresh minutes
    can convict but never acquit.
    """
    settled = [b for b in buckets if b.start_at + MINUTE <= complete_until]
    fresh = [b for b in buckets if complete_until < b.start_at + MINUTE and b.start_at < until]
    bad = [bucket for bucket in fresh if is_bad(trigger, bucket)]
    oldest = until - _reach(trigger, until - complete_until)
    found = []
    for count in range(len(bad) + 1):
        counted = [*settled, *bad[:count]]
        begin = (counted[-1].start_at if counted else until) - (trigger.minutes - 1) * MINUTE
        window = [bucket for bucket in counted if bucket.start_at >= max(begin, oldest)]
        found.append(_verdict(trigger, window))
    return max(reversed(found), key=lambda evidence: WORSE.index(evidence.verdict))


def _reach(trigger: MeasuredTrigger, lag: timedelta) -> timedelta:
    """How far back a window may lie: silence for longer than that is no evidence at all."""
    return trigger.minutes * MINUTE + lag + MINUTE


def is_bad(trigger: MeasuredTrigger, bucket: Bucket) -> bool:
    """Whether one minute is over the trigger's threshold, by the same rule as its alarm."""
    if not has_enough(trigger, bucket):
        return False
    match trigger:
        case ErrorRate():
            return 100 * bucket.errors / bucket.requests > trigger.threshold_percent
        case Latency():
            return (bucket.latency_ms or 0.0) > trigger.threshold_ms
        case _:
            assert_never(trigger)


def has_enough(trigger: MeasuredTrigger, bucket: Bucket) -> bool:
    """Whether one minute has enough requests for its number to mean anything."""
    match trigger:
        case ErrorRate():
            return bucket.requests >= trigger.minimum_requests_a_minute
        case Latency():
            return bucket.requests >= trigger.statistic.enough_samples
        case _:
            assert_never(trigger)


def _verdict(trigger: MeasuredTrigger, window: Sequence[Bucket]) -> Evidence:
    requests, errors = sum(b.requests for b in window), sum(b.errors for b in window)
    bad = sum(is_bad(trigger, bucket) for bucket in window)
    value = _value(trigger, window, requests, errors)

    def evidence(verdict: Verdict, why: str) -> Evidence:
        return Evidence(
            verdict=verdict,
            text=f"{_said(trigger, value, requests)}: {why}",
            value=value,
            threshold=threshold_of(trigger),
            requests=requests,
            errors=errors,
            minutes=trigger.minutes,
        )

    if not window:
        return evidence(Verdict.INCONCLUSIVE, "no traffic")
    if requests < trigger.minimum_requests:
        return evidence(
            Verdict.INCONCLUSIVE, f"fewer than {trigger.minimum_requests} requests prove nothing"
        )
    if bad == 0:
        if not any(has_enough(trigger, bucket) for bucket in window):
            return evidence(Verdict.INCONCLUSIVE, "no minute has enough requests to judge")
        return evidence(Verdict.HEALTHY, f"no bad minute in the last {trigger.minutes}")
    if bad < trigger.breaching_minutes:
        return evidence(
            Verdict.INCONCLUSIVE, f"{bad} bad minute of the {trigger.breaching_minutes} it takes"
        )
    if isinstance(trigger, ErrorRate) and errors < trigger.minimum_errors:
        return evidence(
            Verdict.INCONCLUSIVE, f"fewer than {trigger.minimum_errors} errors prove nothing"
        )
    return evidence(Verdict.BREACHING, f"{bad} bad minutes, {trigger.breaching_minutes} are enough")


def _value(
    trigger: MeasuredTrigger, window: Sequence[Bucket], requests: int, errors: int
) -> float | None:
    """The window's headline number. Percentiles cannot be combined, so latency shows its worst."""
    match trigger:
        case ErrorRate():
            return 100 * errors / requests if requests else None
        case Latency():
            return max((b.latency_ms for b in window if b.latency_ms is not None), default=None)
        case _:
            assert_never(trigger)


def _said(trigger: MeasuredTrigger, value: float | None, requests: int) -> str:
    count = f"{requests} request{'' if requests == 1 else 's'} in {trigger.minutes} min"
    if value is None:
        return count
    match trigger:
        case ErrorRate():
            sign = ">" if value > trigger.threshold_percent else "≤"
            return f"error rate {value:.1f} % {sign} {trigger.threshold_percent:g} % ({count})"
        case Latency():
            sign = ">" if value > trigger.threshold_ms else "≤"
            statistic = trigger.statistic.value
            return (
                f"{statistic} latency {value:.0f} ms {sign} {trigger.threshold_ms:g} ms ({count})"
            )
        case _:
            assert_never(trigger)
