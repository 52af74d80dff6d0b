"""Judging minutes: floors, M of N, fresh minutes, and which series stands for which version."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.assessment import (
    WORSE,
    Verdict,
    assess,
    has_enough,
    is_bad,
    judge,
    served_well,
    unmeasurable,
)
from rollback_responder.domain.measurement import Bucket, Measurement
from rollback_responder.domain.trigger import ErrorRate, Latency, Statistic
from tests.builders import MINUTE, NOW, minutes

RATE = ErrorRate(threshold_percent=5)
SLOW = Latency(statistic=Statistic.P95, threshold_ms=300)
NO_LAG = timedelta(0)
B, H, I = Verdict.BREACHING, Verdict.HEALTHY, Verdict.INCONCLUSIVE  # noqa: E741


def verdict(buckets, trigger=RATE, lag=NO_LAG, now=NOW):
    return judge(trigger, buckets, until=now, complete_until=now - lag).verdict


@pytest.mark.parametrize(
    ("errors", "requests", "expected", "words"),
    [
        ((), 60, I, "no traffic"),
        ((0, 0, 0), 60, H, "no bad minute in the last 3"),
        ((30, 30, 30), 60, B, "3 bad minutes, 2 are enough"),
        ((0, 30, 30), 60, B, "2 bad minutes"),
        ((30, 0, 30), 60, B, "2 bad minutes"),
        ((0, 0, 30), 60, I, "1 bad minute of the 2 it takes"),
        ((30, 0, 0), 60, I, "1 bad minute of the 2 it takes"),
        ((30, 30, 0, 0, 0), 60, H, "no bad minute"),
        ((3, 3, 3), 60, H, "no bad minute"),
        ((0, 4, 4), 60, B, "2 bad minutes"),
        ((0, 6, 6), 6, I, "fewer than 20 requests"),
        ((0, 1, 1), 7, I, "fewer than 3 errors"),
        ((0, 2, 1), 7, B, "2 bad minutes"),
    ],
)
def test_error_rates(errors, requests, expected, words):
    found = judge(RATE, minutes(*errors, requests=requests), until=NOW, complete_until=NOW)

    assert (found.verdict, words in found.text) == (expected, True), found.text


def test_exactly_the_threshold_is_not_over_it():
    assert verdict(minutes(5, 5, 5, requests=100)) is H
    assert verdict(minutes(6, 6, 6, requests=100)) is B


def test_the_window_counts_minutes_of_the_clock_not_minutes_with_traffic():
    assert verdict(minutes(30, 30, None, None, 0)) is H
    assert verdict(minutes(None, 30, None, 30)) is B


def test_silence_is_no_evidence():
    old = minutes(30, 30, 30, end_at=NOW - 5 * MINUTE)

    assert verdict(old) is I
    assert verdict(minutes(30, 30, 30, end_at=NOW - MINUTE)) is B


def test_fresh_minutes_convict():
    buckets = minutes(0, 30, 30)

    assert verdict(buckets, lag=MINUTE) is B
    assert verdict(buckets, lag=2 * MINUTE) is B


def test_fresh_minutes_never_acquit():
    """The minute that may be incomplete looks good; what is complete does not."""
    buckets = minutes(30, 30, 0)

    assert verdict(buckets, lag=MINUTE) is B
    assert verdict(minutes(0, 0), lag=2 * MINUTE) is I


def test_one_more_bad_minute_does_not_push_the_proof_out_of_the_window():
    """Half a minute past, two minutes are fresh: a bad one among them may only make it worse."""
    now = NOW + MINUTE / 2
    good = minutes(30, 30, 0, 0, 0, end_at=NOW + MINUTE)
    worse = (*good[:-1], replace(good[-1], errors=30))

    assert verdict(good, lag=MINUTE, now=now) is B
    assert verdict(worse, lag=MINUTE, now=now) is B


def test_minutes_of_the_future_count_for_nothing():
    assert verdict(minutes(30, 30, 30, end_at=NOW + 5 * MINUTE)) is I


@pytest.mark.parametrize(
    ("latencies", "requests", "expected"),
    [
        ((100, 100, 100), 200, H),
        ((100, 400, 400), 200, B),
        ((100, 100, 400), 200, I),
        ((400, 400, 400), 199, I),
        ((300, 300, 300), 200, H),
        ((None, None, None), 200, H),
    ],
)
def test_latencies(latencies, requests, expected):
    buckets = minutes(0, 0, 0, requests=requests, latency_ms=latencies)

    assert verdict(buckets, SLOW) is expected


def test_a_percentile_of_few_requests_means_nothing():
    """CloudWatch's own rule: 10 / (1 - p) samples, so 200 for p95; an average needs one."""
    bucket = Bucket(start_at=NOW, requests=199, latency_ms=9000)
    average = Latency(statistic=Statistic.AVERAGE, threshold_ms=300, minimum_requests=1)

    assert not has_enough(SLOW, bucket)
    assert not is_bad(SLOW, bucket)
    assert is_bad(SLOW, replace(bucket, requests=200))
    assert is_bad(average, replace(bucket, requests=1))
    assert "no minute has enough requests" in _text(minutes(0, 0, requests=100, latency_ms=(1, 1)))


def _text(buckets):
    return judge(SLOW, buckets, until=NOW, complete_until=NOW).text


def test_latency_is_said_by_its_worst_minute():
    buckets = minutes(0, 0, 0, requests=200, latency_ms=(100, 900, 400))
    found = judge(SLOW, buckets, until=NOW, complete_until=NOW)

    assert found.value == 900
    assert "p95 latency 900 ms > 300 ms (600 requests in 3 min)" in found.text


@pytest.mark.parametrize(("requests", "words"), [(1, "1 request in"), (2, "2 requests in")])
def test_numbers_agree_with_their_nouns(requests, words):
    assert words in judge(RATE, minutes(0, requests=requests), until=NOW, complete_until=NOW).text


def test_what_looks_bad_is_over_the_threshold_even_on_thin_evidence():
    thin = judge(RATE, minutes(5, requests=6), until=NOW, complete_until=NOW)

    assert (thin.verdict, thin.looks_bad) == (I, True)
    assert not judge(RATE, (), until=NOW, complete_until=NOW).looks_bad


def test_what_could_not_be_read_is_a_verdict_of_its_own():
    assert unmeasurable("why").new.verdict is Verdict.UNMEASURABLE
    assert unmeasurable("why").previous is None


# -- which series stands for which version --------------------------------------------------------

CHANGED_AT = NOW - 4 * MINUTE
GOOD, BAD = minutes(0, 0, 0, 0), minutes(30, 30, 30, 30)
BEFORE_GOOD = minutes(0, 0, 0, end_at=CHANGED_AT - 2 * MINUTE)
BEFORE_BAD = minutes(30, 30, 30, end_at=CHANGED_AT - 2 * MINUTE)


def assessed(**series):
    measurement = Measurement(since_at=NOW - 60 * MINUTE, read_at=NOW, **series)
    found = assess(RATE, measurement, changed_at=CHANGED_AT, lag=NO_LAG)
    return found.new.verdict, found.previous and found.previous.verdict


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ({"total": GOOD, "new": BAD, "previous": GOOD}, (B, H)),
        ({"total": BAD, "new": GOOD, "previous": BAD}, (H, B)),
        ({"total": BAD, "new": BAD}, (B, None)),
        # Only the new one is told apart: the previous one is what remains of all traffic.
        ({"total": (*BEFORE_BAD, *BAD), "new": BAD}, (B, B)),
        ({"total": (*BEFORE_GOOD, *BAD), "new": BAD}, (B, H)),
        ({"total": (*BEFORE_GOOD, *BAD)}, (B, H)),
        ({"total": (*BEFORE_BAD, *BAD)}, (B, B)),
        ({"total": (*BEFORE_BAD, *GOOD)}, (H, B)),
        ({"total": BAD}, (B, None)),
        ({"total": BEFORE_BAD}, (I, B)),
        ({}, (I, None)),
        # The versions are told apart and the new one has no series: it has no traffic.
        ({"total": BAD, "previous": BAD}, (I, B)),
        ({"total": BAD, "previous": GOOD}, (I, H)),
    ],
)
def test_which_series_stands_for_which_version(series, expected):
    assert assessed(**series) == expected


def test_a_canary_whose_other_version_has_no_series_is_compared_with_the_rest():
    new = minutes(30, 30, 30)
    shared_outage = minutes(60, 60, 60, requests=120)
    mine_alone = minutes(30, 30, 30, requests=120)

    assert assessed(total=shared_outage, new=new) == (B, B)
    assert assessed(total=mine_alone, new=new) == (B, H)


def test_a_percentile_of_the_rest_cannot_be_worked_out():
    slow = minutes(0, 0, 0, requests=200, latency_ms=(900, 900, 900))
    measurement = Measurement(since_at=NOW - 60 * MINUTE, read_at=NOW, total=slow, new=slow)

    assert assess(SLOW, measurement, changed_at=CHANGED_AT, lag=NO_LAG).previous is None


def test_the_minute_of_the_change_belongs_to_neither():
    total = (*BEFORE_GOOD, *minutes(60, 60, 60, 0, 0, 0))
    measurement = Measurement(since_at=NOW - 60 * MINUTE, read_at=NOW, total=total)
    found = assess(RATE, measurement, changed_at=NOW - 3 * MINUTE - MINUTE / 2, lag=NO_LAG)

    assert (found.new.verdict, found.previous.verdict) == (H, H)


def test_a_version_before_is_judged_by_its_own_last_minutes():
    """It may have had its last traffic long before."""
    old = minutes(30, 30, 30, end_at=NOW - 30 * MINUTE)

    assert assessed(total=BAD, new=BAD, previous=old) == (B, B)


# -- whatever the numbers -------------------------------------------------------------------------

TRIGGERS = st.one_of(
    st.builds(
        ErrorRate,
        threshold_percent=st.sampled_from([1, 5, 50]),
        minutes=st.just(5),
        breaching_minutes=st.integers(1, 5),
        minimum_requests=st.sampled_from([1, 20, 200]),
        minimum_errors=st.sampled_from([1, 3, 30]),
    ),
    st.builds(
        Latency,
        statistic=st.sampled_from([Statistic.P50, Statistic.AVERAGE]),
        threshold_ms=st.just(300),
        minutes=st.just(5),
        breaching_minutes=st.integers(1, 5),
        minimum_requests=st.sampled_from([1, 20, 200]),
    ),
)
BUCKETS = st.lists(
    st.tuples(st.integers(0, 14), st.integers(1, 60), st.floats(0, 1), st.floats(0, 900)),
    unique_by=lambda bucket: bucket[0],
    max_size=15,
)


@given(TRIGGERS, BUCKETS, st.data(), st.sampled_from([0, 1, 2, 5]), st.integers(0, 59))
def test_worse_numbers_never_give_a_better_verdict(trigger, drawn, data, lag, seconds):
    now = NOW + timedelta(seconds=seconds)
    buckets = [
        Bucket(
            start_at=NOW - (12 - minute) * MINUTE,
            requests=requests,
            errors=int(requests * share),
            latency_ms=latency,
        )
        for minute, requests, share, latency in sorted(drawn)
    ]
    worse = [
        replace(
            bucket,
            errors=data.draw(st.integers(bucket.errors, bucket.requests)),
            latency_ms=bucket.latency_ms + data.draw(st.integers(0, 600)),
        )
        for bucket in buckets
    ]
    lags = timedelta(minutes=lag)
    before, after = (verdict(series, trigger, lags, now) for series in (buckets, worse))

    assert WORSE.index(after) >= WORSE.index(before)


@given(TRIGGERS, BUCKETS, st.sampled_from([0, 1, 2]))
def test_no_conviction_below_the_floors(trigger, drawn, lag):
    buckets = [
        Bucket(
            start_at=NOW - (15 - minute) * MINUTE,
            requests=requests,
            errors=int(requests * share),
            latency_ms=latency,
        )
        for minute, requests, share, latency in sorted(drawn)
    ]
    found = judge(trigger, buckets, until=NOW, complete_until=NOW - lag * MINUTE)
    if found.verdict is B:
        assert found.requests >= trigger.minimum_requests
        assert found.errors >= getattr(trigger, "minimum_errors", 0)


# -- what speaks for a version --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buckets", "well"),
    [
        ((), False),
        (minutes(0, requests=0), False),
        (minutes(0, 0, 0), True),
        # Too few in each minute to convict anybody, and together they do say something.
        (minutes(1, 1, 1, requests=6), False),
        (minutes(0, 0, 1, requests=10), True),
        (minutes(3, 3, 3), True),
        (minutes(3, 3, 4), False),
    ],
)
def test_what_served_well_failed_no_more_than_it_may_on_the_whole(buckets, well):
    assert served_well(RATE, buckets) is well


@pytest.mark.parametrize(
    ("latencies", "well"),
    [([], False), ([100, 100], True), ([100, 900], False), ([900, 100, 100], True), ([None], True)],
)
def test_what_served_well_was_slow_in_less_than_half_of_its_minutes(latencies, well):
    assert served_well(SLOW, minutes(*[0 for _ in latencies], latency_ms=latencies)) is well
