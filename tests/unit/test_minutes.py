"""Minutes against a question: which are bad, which say anything, and what is normal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.metric import question_of
from rollback_responder.domain.minutes import (
    has_enough,
    is_bad,
    latest,
    limit_of,
    normal_of,
    persists,
    rate_of,
    served_well,
    sums,
)
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    DeadLetters,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
)
from tests.builders import TARGET, a_bucket, counted, leveled

RATE = question_of(ErrorRate(threshold_percent=5), TARGET)
ANY = question_of(ErrorRate(threshold_percent=0), TARGET)
COUNT = question_of(ApiErrorCount(api=Api(name="shop"), more_than=10, minutes=5), None)
SLOW = question_of(Latency(statistic="p95", threshold_ms=300), TARGET)
MEAN = question_of(Latency(statistic="average", threshold_ms=300), TARGET)
TIMES = question_of(LatencyTimesNormal(statistic="p95", times=3), TARGET)
DEAD = question_of(DeadLetters(queue="dead"), None)
BAND = question_of(Anomaly(name="basket", metric=MetricName(namespace="Shop", name="B")), None)


@pytest.mark.parametrize(
    ("question", "bucket", "bad"),
    [
        # Exactly the threshold is not over it.
        (RATE, a_bucket(0, 100, 5), False),
        (RATE, a_bucket(0, 100, 6), True),
        (ANY, a_bucket(0, 100, 0), False),
        (ANY, a_bucket(0, 100, 1), True),
        # The floor of 20 requests in ten minutes is two in each.
        (RATE, a_bucket(0, 1, 1), False),
        (RATE, a_bucket(0, 2, 2), True),
        # Ten in five minutes are two in each.
        (COUNT, a_bucket(0, 1, 1), False),
        (COUNT, a_bucket(0, 9, 2), False),
        (COUNT, a_bucket(0, 9, 3), True),
        (SLOW, a_bucket(0, 200, value=300), False),
        (SLOW, a_bucket(0, 200, value=301), True),
        (SLOW, a_bucket(0, 200), False),
        # CloudWatch's own rule for p95: 200 samples.
        (SLOW, a_bucket(0, 199, value=9000), False),
        (MEAN, a_bucket(0, 2, value=301), True),
        (MEAN, a_bucket(0, 1, value=301), False),
        (DEAD, a_bucket(0, 1, value=0), False),
        (DEAD, a_bucket(0, 1, value=1), True),
        (BAND, a_bucket(0, 1, value=7, limit=7), False),
        (BAND, a_bucket(0, 1, value=8, limit=7), True),
        # Where CloudWatch has no band yet, nothing is over it.
        (BAND, a_bucket(0, 1, value=8), False),
        # Three times a normal that nobody knows.
        (TIMES, a_bucket(0, 200, value=9000), False),
    ],
)
def test_a_minute_is_bad_above_its_limit_where_it_has_enough_requests(question, bucket, bad):
    assert is_bad(question, bucket) is bad


@pytest.mark.parametrize(("value", "bad"), [(300, False), (301, True)])
def test_a_multiple_of_the_normal_is_a_limit_once_the_normal_is_known(value, bad):
    assert is_bad(TIMES, a_bucket(0, 200, value=value), 100) is bad


@pytest.mark.parametrize(
    ("question", "normal", "limit"),
    [
        (SLOW, None, 300),
        (SLOW, 50, 300),
        (TIMES, None, None),
        (TIMES, 50, 150),
        (TIMES, 0, 0),
        (DEAD, 4, 0),
        (BAND, 4, 7),
    ],
)
def test_each_kind_of_level_has_a_limit_of_its_own(question, normal, limit):
    assert limit_of(question, a_bucket(0, 1, value=1, limit=7), normal) == limit


def test_a_threshold_is_the_limit_whatever_band_was_read():
    assert limit_of(SLOW, a_bucket(0, 1, value=1, limit=7), None) == 300


@pytest.mark.parametrize(
    ("question", "requests", "enough"),
    [
        (RATE, 1, False),
        (RATE, 2, True),
        (replace(RATE, minimum_requests=21), 2, False),
        (replace(RATE, minimum_requests=21), 3, True),
        (COUNT, 1, True),
        (SLOW, 199, False),
        (SLOW, 200, True),
        (DEAD, 1, True),
    ],
)
def test_a_minute_has_enough_requests_for_its_number_to_mean_anything(question, requests, enough):
    assert has_enough(question, a_bucket(0, requests)) is enough


@pytest.mark.parametrize(
    ("question", "window", "lasts"),
    [
        (RATE, (), False),
        (RATE, counted((60, 6)), False),
        (RATE, counted((60, 6), (60, 0), (60, 6)), True),
        (COUNT, (), False),
        (COUNT, counted((60, 5), (60, 5)), False),
        (COUNT, counted((60, 5), (60, 6)), True),
        (COUNT, counted((60, 11)), True),
        (SLOW, leveled(301), False),
        (SLOW, leveled(301, 301), True),
    ],
)
def test_minutes_persist_or_a_count_is_reached(question, window, lasts):
    assert persists(question, window) is lasts


def test_minutes_above_a_multiple_of_the_normal_persist():
    assert persists(TIMES, leveled(301, 301), 100)
    assert not persists(TIMES, leveled(301, 301), 101)


# -- what speaks for a version --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "buckets", "well"),
    [
        (RATE, (), False),
        (RATE, counted((0, 0)), False),
        (RATE, counted((60, 0), (60, 0)), True),
        # Too few in each minute to convict anybody, and together they do say something.
        (RATE, counted((6, 1), (6, 1), (6, 1)), False),
        (RATE, counted((10, 0), (10, 0), (10, 1)), True),
        (RATE, counted((60, 3), (60, 3)), True),
        (RATE, counted((60, 3), (60, 4)), False),
        # Ten in five minutes are two in each, on the whole.
        (COUNT, (), False),
        (COUNT, counted((60, 4), (60, 0)), True),
        (COUNT, counted((60, 4), (60, 1)), False),
        # Slow in less than half of its minutes.
        (SLOW, (), False),
        (SLOW, leveled(100, 100), True),
        (SLOW, leveled(100, 900), False),
        (SLOW, leveled(900, 100, 100), True),
        (SLOW, (a_bucket(0), a_bucket(1)), True),
        (SLOW, leveled(900, requests=1), False),
        (BAND, leveled(8, 8, limit=7), False),
        (BAND, leveled(8, 8), True),
        (BAND, leveled(7, 8, 7, limit=7), True),
    ],
)
def test_what_served_well_was_within_its_limit_on_the_whole(question, buckets, well):
    assert served_well(question, buckets) is well


QUESTIONS = st.sampled_from([RATE, ANY, COUNT, SLOW, MEAN, DEAD, BAND])
MINUTES = st.lists(
    st.builds(
        a_bucket,
        st.just(0),
        st.integers(1, 400),
        st.integers(0, 400),
        value=st.none() | st.floats(0, 900),
        limit=st.none() | st.floats(0, 900),
    ).map(lambda bucket: replace(bucket, errors=min(bucket.errors, bucket.requests))),
    min_size=1,
    max_size=10,
)


@given(QUESTIONS, MINUTES)
def test_what_was_bad_in_each_of_its_minutes_did_not_serve_well(question, buckets):
    if all(is_bad(question, bucket) for bucket in buckets):
        assert not served_well(question, buckets)


# -- numbers about many minutes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "history", "normal"),
    [
        (SLOW, (), None),
        (SLOW, leveled(100, 900, 120), 120),
        (SLOW, leveled(100, 120), 110),
        # What had too few requests does not say what is normal, nor what has no number.
        (SLOW, (*leveled(100), *leveled(900, 900, requests=199, first=1)), 100),
        (SLOW, (a_bucket(0, 1000), *leveled(100, first=1)), 100),
        (SLOW, (a_bucket(0, 1000),), None),
        (DEAD, leveled(0, 0, 4, requests=1), 0),
        (RATE, counted((60, 6)), None),
    ],
)
def test_normal_is_the_median_of_the_minutes_that_say_anything(question, history, normal):
    assert normal_of(question, history) == normal


@pytest.mark.parametrize(
    ("buckets", "both", "rate"),
    [
        ((), (0, 0), None),
        (counted((0, 0)), (0, 0), None),
        (counted((60, 0)), (60, 0), 0),
        (counted((60, 6), (540, 0)), (600, 6), 1),
    ],
)
def test_a_rate_is_of_all_requests_together(buckets, both, rate):
    assert (sums(buckets), rate_of(buckets)) == (both, rate)


def test_a_multiple_of_the_normal_is_held_to_it():
    slow = leveled(900, 900, 100)

    assert not served_well(TIMES, slow, 100)
    assert served_well(TIMES, slow, 400)
    # Nobody knows its normal: nothing speaks against it.
    assert served_well(TIMES, slow)


def test_the_latest_minutes_are_those_of_the_clock():
    minutes = counted((1, 0), (2, 0), None, (3, 0))

    assert [bucket.requests for bucket in latest(minutes, 3)] == [2, 3]
    assert latest((), 3) == ()
