"""Judging a measurement: which minutes stand for which version, and promises about all numbers.

Minute 0 begins at `NOW`, when the change was first seen.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.assessment import (
    Assessment,
    Baseline,
    assess,
    span_of,
    unmeasurable,
)
from rollback_responder.domain.judging import WORSE, Verdict
from rollback_responder.domain.measurement import Measurement
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
)
from tests.builders import MINUTE, NOW, TARGET, a_bucket, counted, evidence, leveled

B, H, I = Verdict.BREACHING, Verdict.HEALTHY, Verdict.INCONCLUSIVE  # noqa: E741

RATE = question_of(ErrorRate(threshold_percent=5), TARGET)
SLOW = question_of(Latency(statistic="p95", threshold_ms=300), TARGET)
TIMES = question_of(LatencyTimesNormal(statistic="p95", times=3), TARGET)
COUNT = question_of(ApiErrorCount(api=Api(name="shop"), more_than=10), None)
BAND = question_of(Anomaly(name="basket", metric=MetricName(namespace="Shop", name="B")), None)


def assessed(read_at, question=RATE, *, lag=0, since=-60, shifting=False, excused=(), **series):
    """What these minutes say at the end of that many; later ones are not there yet."""
    now = NOW + read_at * MINUTE
    seen = {
        name: tuple(bucket for bucket in buckets if bucket.start_at < now)
        for name, buckets in series.items()
    }
    return assess(
        question,
        Measurement(since_at=NOW + since * MINUTE, read_at=now, **seen),
        changed_at=NOW,
        lag=lag * MINUTE,
        shifting=shifting,
        excused=[NOW + minute * MINUTE for minute in excused],
    )


def verdicts(assessment):
    return assessment.new.verdict, assessment.previous and assessment.previous.verdict


# -- which minutes stand for which version --------------------------------------------------------

GOOD, BAD = counted(*[(600, 0)] * 4), counted(*[(600, 120)] * 4)
BEFORE_GOOD = counted(*[(600, 0)] * 10, first=-12)
BEFORE_BAD = counted(*[(600, 120)] * 10, first=-12)


@pytest.mark.parametrize(
    ("series", "expected", "baseline"),
    [
        # Each has its own series.
        ({"new": BAD, "previous": GOOD}, (B, H), Baseline.BESIDE),
        ({"new": GOOD, "previous": BAD}, (H, B), Baseline.BESIDE),
        ({"new": BAD, "previous": BAD}, (I, B), Baseline.BESIDE),
        ({"new": BAD, "previous": BEFORE_GOOD}, (B, H), Baseline.BEFORE),
        ({"new": BAD, "previous": BEFORE_BAD}, (I, B), Baseline.BEFORE),
        ({"total": BAD, "new": BAD, "previous": GOOD}, (B, H), Baseline.BESIDE),
        # Only the new one is told apart: the previous one is what remains of all traffic.
        ({"total": (*BEFORE_GOOD, *BAD), "new": BAD}, (B, H), Baseline.BEFORE),
        ({"total": (*BEFORE_BAD, *BAD), "new": BAD}, (I, B), Baseline.BEFORE),
        ({"total": BAD, "new": BAD}, (I, None), Baseline.NONE),
        # Neither is: all traffic after the change, and all traffic before it.
        ({"total": (*BEFORE_GOOD, *BAD)}, (B, H), Baseline.BEFORE),
        ({"total": (*BEFORE_BAD, *BAD)}, (I, B), Baseline.BEFORE),
        ({"total": (*BEFORE_BAD, *GOOD)}, (H, B), Baseline.BEFORE),
        ({"total": BAD}, (I, None), Baseline.NONE),
        ({"total": BEFORE_BAD}, (I, B), Baseline.BEFORE),
        ({}, (I, None), Baseline.NONE),
        # The versions are told apart and the new one has no series: it has no traffic.
        ({"total": BAD, "previous": BAD}, (I, B), Baseline.NONE),
        ({"total": BAD, "previous": BEFORE_GOOD}, (I, H), Baseline.BEFORE),
    ],
)
def test_which_minutes_stand_for_which_version(series, expected, baseline):
    found = assessed(4, **series)

    assert (verdicts(found), found.baseline) == (expected, baseline)


@pytest.mark.parametrize(
    ("total", "verdict"),
    [
        (counted(*[(1200, 240)] * 4), I),
        (counted(*[(1200, 120)] * 4), B),
        # Counts that do not add up, of minutes that CloudWatch has not in full, say nothing odd.
        (counted(*[(1200, 0)] * 4), B),
        (counted(*[(601, 240)] * 4), I),
    ],
)
@pytest.mark.parametrize("shifting", [True, False])
def test_a_canary_is_compared_with_the_rest_of_all_traffic(total, verdict, shifting):
    found = assessed(4, total=total, new=BAD, shifting=shifting)

    assert (found.new.verdict, found.baseline) == (verdict, Baseline.BESIDE)


def test_nobody_knows_since_when_a_version_serves_that_has_no_minute_of_this_stay():
    """It was here before; since then only the other has served."""
    new, previous = counted(*[(600, 0)] * 3, first=-9), counted(*[(600, 0)] * 6, first=-6)

    assert assessed(2, new=new, previous=previous).served_since_at is None


def test_a_percentile_of_the_rest_cannot_be_worked_out():
    slow, before = leveled(*[900] * 6), leveled(*[100] * 9, first=-9)

    assert assessed(6, SLOW, total=slow, new=slow).previous is None
    assert assessed(6, SLOW, total=(*before, *slow), new=slow).new.verdict is B


def test_the_minutes_of_the_change_belong_to_neither():
    """Within them nobody knows whose they are: the watcher looks once a minute."""
    change = counted((600, 600), (600, 600), first=-2)
    found = assessed(4, total=(*BEFORE_GOOD, *change, *GOOD))

    assert (verdicts(found), found.previous.errors) == ((H, H), 0)


def test_the_minutes_of_the_change_belong_to_neither_where_nothing_older_is_known():
    change = counted((600, 0), (600, 0), first=-2)
    found = assessed(4, total=(*change, *BAD))

    assert (verdicts(found), found.baseline) == ((I, None), Baseline.NONE)


def test_the_minute_that_begins_with_the_change_is_the_new_ones():
    assert assessed(3, total=(*BEFORE_GOOD, *BAD[:3])).new.requests == 1800


@pytest.mark.parametrize(("first", "baseline"), [(-3, Baseline.BEFORE), (-2, Baseline.NONE)])
def test_a_minute_that_ends_two_before_the_change_is_the_version_befores(first, baseline):
    assert assessed(4, total=(*counted((600, 0), first=first), *BAD)).baseline is baseline


@pytest.mark.parametrize(("first", "baseline"), [(-60, Baseline.BEFORE), (-61, Baseline.NONE)])
def test_an_hour_before_its_first_minute_is_its_past(first, baseline):
    older = counted((600, 0), first=first)

    assert assessed(4, since=-120, new=BAD, previous=older).baseline is baseline


def test_what_the_version_before_still_serves_alone_is_not_the_new_ones():
    new, both = BAD[:2], counted(*[(1200, 120)] * 2, *[(600, 0)] * 2)
    found = assessed(4, new=new, previous=GOOD, total=both)

    assert found.new.requests == 1200


@pytest.mark.parametrize(
    ("all_of_it", "rest"), [((1200, 120), (1800, 0)), ((1200, 0), (1800, 0)), ((601, 240), (3, 3))]
)
def test_the_rest_has_never_less_than_no_errors_and_never_more_than_requests(all_of_it, rest):
    found = assessed(4, total=counted(*[all_of_it] * 4), new=BAD, shifting=True)

    assert (found.previous.requests, found.previous.errors) == rest


def test_a_version_before_is_judged_by_its_own_last_minutes():
    """It may have had its last traffic long before."""
    long_ago = counted(*[(600, 120)] * 3, first=-30)

    assert verdicts(assessed(4, new=BAD, previous=long_ago)) == (I, B)


def test_a_version_before_is_known_by_its_last_hour_and_not_by_more():
    older = counted(*[(600, 300)] * 60, first=-120)
    hour = counted(*[(600, 0)] * 60, first=-60)

    assert assessed(4, since=-120, new=BAD, previous=(*older, *hour)).new.verdict is B
    assert assessed(4, since=-120, new=BAD, previous=older).baseline is Baseline.NONE


def test_a_version_that_was_here_before_is_judged_by_this_stay_alone():
    """It served long ago, was rolled back from, and came again."""
    earlier, between = counted(*[(600, 120)] * 9, first=-20), counted(*[(600, 0)] * 11, first=-11)
    found = assessed(4, new=(*earlier, *GOOD), previous=between)

    assert (found.new.verdict, found.served_since_at, found.served_before) == (H, NOW, False)
    assert assessed(4, new=(*earlier, *BAD), previous=between).new.verdict is B


@pytest.mark.parametrize("known", [True, False], ids=["both known", "only the new one known"])
@pytest.mark.parametrize(("errors", "verdict"), [(120, B), (0, H)])
def test_what_nobody_tells_apart_after_the_shift_is_the_new_ones(known, errors, verdict):
    """CloudWatch may tell versions apart only while both serve."""
    canary, rest = counted(*[(60, 0)] * 4), counted(*[(540, 0)] * 4)
    after = counted(*[(600, errors)] * 4, first=4)
    total = (*BEFORE_GOOD, *counted(*[(600, 0)] * 4), *after)
    previous = (*BEFORE_GOOD, *rest) if known else ()
    found = assessed(8, total=total, new=canary, previous=previous)

    assert found.new.verdict is verdict


def test_while_it_is_shifting_traffic_that_nobody_tells_apart_is_nobodys():
    canary, rest = counted(*[(60, 0)] * 4), counted(*[(540, 0)] * 4)
    total = counted(*[(600, 0)] * 4, *[(600, 120)] * 4)
    found = assessed(8, total=total, new=canary, previous=rest, shifting=True)

    assert found.new.verdict is not B


# -- since when it serves -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "series", "since_at", "before"),
    [
        (-60, {"new": counted((60, 0), first=1), "previous": BEFORE_GOOD}, 1, False),
        (-60, {"new": counted((60, 0), first=-2), "previous": GOOD}, -2, False),
        # It served already in the first minute that was measured, whether that was cut or not.
        (0, {"new": counted((60, 0), (60, 0))}, 0, True),
        (0.5, {"new": counted((60, 0), (60, 0))}, 0, True),
        (-1, {"new": counted((60, 0), (60, 0))}, 0, False),
        # All traffic does not say whose it is.
        (0, {"total": counted((60, 0), (60, 0))}, None, False),
    ],
)
def test_since_when_a_version_serves_is_known_where_it_is_told_apart(
    since, series, since_at, before
):
    found = assessed(4, since=since, **series)
    expected = None if since_at is None else NOW + since_at * MINUTE

    assert (found.served_since_at, found.served_before) == (expected, before)


@pytest.mark.parametrize(
    ("question", "read_at", "since", "verdict"),
    [
        (SLOW, 2, -60, I),
        (SLOW, 3, -60, I),
        (SLOW, 4, -60, B),
        # One that served before has its cold starts behind it.
        (SLOW, 2, 0, B),
        (replace(SLOW, cold_minutes=0), 2, -60, B),
    ],
)
def test_the_first_two_minutes_after_a_shift_are_cold_starts(question, read_at, since, verdict):
    slow, quick = leveled(*[900] * 5), leveled(*[100] * 65, first=-60)
    found = assessed(read_at, question, since=since, new=slow, previous=quick, shifting=True)

    assert found.new.verdict is verdict


def test_cold_minutes_count_from_its_own_first_minute_and_never_for_shares():
    slow, quick = leveled(*[900] * 5, first=3), leveled(*[100] * 68, first=-60)

    assert assessed(6, SLOW, new=slow, previous=quick).new.verdict is I
    assert assessed(7, SLOW, new=slow, previous=quick).new.verdict is B
    assert assessed(1, new=counted((600, 300)), previous=BEFORE_GOOD).new.verdict is B


# -- what it is compared with ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "previous", "shifting", "baseline"),
    [
        (BAD, GOOD, False, Baseline.BESIDE),
        (BAD, GOOD[:3], False, Baseline.NONE),
        (BAD, (*BEFORE_GOOD, *GOOD[:3]), False, Baseline.BEFORE),
        (BAD, (*BEFORE_GOOD, *GOOD[:3]), True, Baseline.BESIDE),
        (BAD, BEFORE_GOOD, True, Baseline.BESIDE),
        (BAD, (), False, Baseline.NONE),
    ],
)
def test_the_baseline_is_beside_while_shifting_or_where_both_served(
    new, previous, shifting, baseline
):
    assert assessed(4, new=new, previous=previous, shifting=shifting).baseline is baseline


@pytest.mark.parametrize("question", [RATE, SLOW, TIMES], ids=["share", "number", "times normal"])
def test_while_it_is_shifting_the_hour_before_convicts_nobody(question):
    """Nothing is there beside it, so nothing can be held against it but the time."""
    new = [a_bucket(n, 1000, 300, value=900) for n in range(6)]
    before = [a_bucket(n, 1000, 0, value=100) for n in range(-60, 0)]

    for shifting, verdict in ((False, B), (True, I)):
        found = assessed(6, question, new=new, previous=before, shifting=shifting)
        assert (found.new.verdict, found.convicts_beside) == (verdict, False)


@pytest.mark.parametrize(
    ("new", "previous", "both"),
    [
        (BAD, BAD, True),
        (BAD, (*BEFORE_GOOD, *BAD), True),
        # It is worse, so they can be told apart.
        (counted(*[(600, 300)] * 4), counted(*[(600, 60)] * 4), False),
        (BAD, GOOD, False),
        # Over its threshold, not surely worse, and the other one is well.
        (counted(*[(20, 2)] * 3), counted(*[(20, 0)] * 3), False),
        (GOOD, BAD, False),
        (GOOD, GOOD, False),
        (BAD, (), False),
        ((), BAD, False),
    ],
)
def test_both_fail_where_both_are_over_and_nothing_tells_them_apart(new, previous, both):
    assert assessed(4, new=new, previous=previous).both_fail is both


def test_only_what_both_did_in_the_same_minutes_convicts_without_an_alarm():
    beside = assessed(4, new=BAD, previous=GOOD)
    before = assessed(4, new=BAD, previous=BEFORE_GOOD)
    well = assessed(4, new=GOOD, previous=GOOD)

    assert [each.convicts for each in (beside, before, well)] == [True, True, False]
    assert [each.convicts_beside for each in (beside, before, well)] == [True, False, False]


def test_what_could_not_be_read_is_a_verdict_of_its_own():
    found = unmeasurable("why")

    assert found == Assessment(new=evidence(Verdict.UNMEASURABLE, "why"))
    assert (found.convicts, found.both_fail, found.baseline) == (False, False, Baseline.NONE)


@pytest.mark.parametrize(("first", "last", "minutes"), [(0, 0, 1), (0, 2, 3), (-5, 4, 10)])
def test_a_span_is_from_the_first_minutes_begin_to_the_last_ones_end(first, last, minutes):
    assert span_of([a_bucket(first), a_bucket(last)]) == minutes * MINUTE
    assert span_of([a_bucket(first), a_bucket(first), a_bucket(last)]) == minutes * MINUTE


# -- stories --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 1])
def test_the_deploys_own_minute_does_not_outweigh_the_hour_before(lag):
    """All at once; in its minute the old version still had two requests, and one of them failed."""
    hour = counted(*[(600, 6)] * 60, first=-60)
    new, previous = counted(*[(600, 300)] * 12), (*hour, a_bucket(0, 2, 1))
    found = [assessed(end, lag=lag, new=new, previous=previous) for end in range(1, 13)]

    assert [each.new.verdict for each in found] == [I, *[B] * 11]


@pytest.mark.parametrize("lag", [0, 1])
def test_a_silent_minute_of_the_old_version_does_not_convict_in_a_shared_outage(lag):
    """A canary of 90 percent, and 30 percent of everything fails from minute 8 on.

    The alias says that it still shares its traffic; once it does not, the alarm, the siblings and
    the onset stand before a rollback.
    """
    new = counted(*[(27, 0)] * 8, *[(27, 8)] * 3)
    old = counted(*[(3, 0)] * 68, (3, 1), None, (3, 0), first=-60)
    found = {
        end: assessed(end, lag=lag, shifting=True, new=new, previous=old) for end in range(1, 12)
    }

    assert [end for end, each in found.items() if each.convicts] == []


def test_a_shared_outage_is_nobodys_fault_however_long_it_lasts():
    new, old = (counted(*[(n, 0)] * 20, *[(n, n // 3)] * 20) for n in (60, 540))

    for end in range(1, 41):
        assert not assessed(end, lag=1, shifting=True, new=new, previous=old).convicts


@pytest.mark.parametrize(("excused", "convicts"), [((), True), (range(3, 12), False)])
def test_a_shared_outage_after_a_deploy_at_once_is_excused_by_the_siblings(excused, convicts):
    new = counted(*[(600, 6)] * 3, *[(600, 180)] * 9)
    before = counted(*[(600, 6)] * 60, first=-60)
    found = [assessed(end, new=new, previous=before, excused=excused) for end in range(1, 13)]

    assert any(each.convicts for each in found) is convicts


# -- whatever the numbers -------------------------------------------------------------------------

SHARES = st.one_of(
    st.builds(
        lambda minutes, breaching, **changes: replace(
            RATE, minutes=minutes, breaching_minutes=min(minutes, breaching), **changes
        ),
        st.integers(1, 5),
        st.integers(1, 3),
        threshold_percent=st.sampled_from([0, 1, 5, 30]),
        minimum_requests=st.sampled_from([1, 20, 200]),
        minimum_errors=st.sampled_from([1, 3]),
    ),
    st.builds(
        lambda **changes: replace(COUNT, **changes),
        minutes=st.integers(1, 5),
        more_than=st.sampled_from([0, 5, 50]),
    ),
)
LEVELS = st.builds(
    lambda question, minutes, breaching, **changes: replace(
        question, minutes=minutes, breaching_minutes=min(minutes, breaching), **changes
    ),
    st.sampled_from([SLOW, TIMES, BAND]),
    st.integers(1, 5),
    st.integers(1, 3),
    enough_samples=st.sampled_from([1, 20]),
    minimum_requests=st.sampled_from([1, 20]),
    cold_minutes=st.sampled_from([0, 2]),
    worse_by=st.sampled_from([0, 100]),
)
LIKELY = st.sampled_from([0, 0, 0, 1, 5, 6, 10, 25, 30, 50, 100])
VALUES = st.sampled_from([None, 0, 50, 100, 150, 200, 300, 310, 400, 900])


@st.composite
def rows(draw, first, last):
    """Some minutes from the first up to the last, each with whatever may be measured of it."""
    found = []
    for minute in range(first, last):
        requests = draw(st.sampled_from([0, 1, 3, 10, 20, 27, 60, 600, 6000]))
        if requests:
            errors = -(-requests * draw(LIKELY) // 100)
            limit = draw(st.sampled_from([None, 200, 300]))
            found.append(a_bucket(minute, requests, errors, value=draw(VALUES), limit=limit))
    return tuple(found)


@st.composite
def cases(draw):
    """What is measured of a change, and how it is looked at."""
    end = draw(st.integers(1, 12))
    left_at = draw(st.sampled_from([0, 1, end]))
    hour = draw(
        st.sampled_from(
            [
                (),
                ((600, 6), 60),
                ((600, 0), 60),
                ((600, 120), 60),
                ((3, 0), 20),
                ((3, 1), 20),
                ((10, 1), 60),
            ]
        )
    )
    counts, times = hour or ((0, 0), 0)
    value = draw(st.sampled_from([None, 100, 400]))
    before = tuple(a_bucket(n, *counts, value=value) for n in range(-times, 0))
    new, old = draw(rows(0, end)), (*before, *draw(rows(0, left_at)))
    apart = draw(st.sampled_from(["both", "new", "none"]))
    series = {
        "both": {"new": new, "previous": old},
        "new": {"new": new, "total": added(new, old)},
        "none": {"total": added(new, before)},
    }[apart]
    return series | {
        "read_at": end + draw(st.sampled_from([-1, 0, 0, 0.25, 0.75])),
        "lag": draw(st.sampled_from([0, 1, 1, 2, 3, 10])),
        "since": draw(st.sampled_from([-60, 0])),
        "shifting": draw(st.booleans()),
        "excused": draw(st.sets(st.integers(0, end), max_size=2)),
    }


def added(new, old):
    """All traffic: the minutes of both together."""
    found = {bucket.start_at: bucket for bucket in new}
    for bucket in old:
        mine = found.get(bucket.start_at, replace(bucket, requests=0, errors=0))
        requests, errors = bucket.requests + mine.requests, bucket.errors + mine.errors
        found[bucket.start_at] = replace(bucket, requests=requests, errors=errors)
    return tuple(found.values())


def each_bucket(case, change):
    """The case with each of its minutes changed, or left out."""
    return {
        key: tuple(filter(None, map(change, value))) if key in SERIES else value
        for key, value in case.items()
    }


SERIES = ("total", "new", "previous")
ENOUGH = settings(max_examples=400)


def rank(assessment):
    return WORSE.index(assessment.new.verdict)


@ENOUGH
@given(cases(), SHARES | LEVELS)
def test_whatever_was_measured_is_judged_in_words(case, question):
    found = assessed(question=question, **case)

    assert found.new.text
    assert found.previous is None or found.previous.text
    assert found.new.verdict is not Verdict.UNMEASURABLE


@ENOUGH
@given(cases(), SHARES | LEVELS, st.randoms(use_true_random=False))
def test_the_order_in_which_minutes_are_read_says_nothing(case, question, random):
    shuffled = {
        key: tuple(random.sample(value, len(value))) if key in SERIES else value
        for key, value in case.items()
    }

    assert assessed(question=question, **shuffled) == assessed(question=question, **case)


@st.composite
def worse_cases(draw):
    """A case, and the same with more failing, or slower, in the new version and nowhere else."""
    case = draw(cases())
    more = {
        bucket.start_at: (draw(st.integers(0, bucket.requests - bucket.errors)), draw(SLOWER))
        for bucket in case.get("new", case.get("total"))
        if bucket.start_at >= NOW and draw(st.booleans())
    }

    def change(bucket):
        errors, slower = more.get(bucket.start_at, (0, 0))
        value = None if bucket.value is None else bucket.value + slower
        return replace(bucket, errors=bucket.errors + errors, value=value)

    changed = {key: tuple(map(change, case[key])) for key in ("new", "total") if key in case}
    return case, case | changed


SLOWER = st.sampled_from([0, 1, 50, 100, 500])


@ENOUGH
@given(worse_cases(), SHARES | LEVELS)
def test_worse_numbers_never_give_a_better_verdict(pair, question):
    case, worse = pair

    assert rank(assessed(question=question, **worse)) >= rank(assessed(question=question, **case))


@st.composite
def cleaner_cases(draw):
    """A case, and the same with less failing, or faster, in the version before."""
    case = draw(cases())
    key = "previous" if "previous" in case else "total"
    mine = {bucket.start_at for bucket in case.get("new", ())}
    less = draw(st.sampled_from([0, 1, 2, 10]))
    every = draw(st.integers(1, 3))

    def change(bucket):
        n = round((bucket.start_at - NOW) / MINUTE)
        is_before = key == "previous" or (bucket.start_at not in mine and n < 0)
        if not is_before or n % every:
            return bucket
        value = None if bucket.value is None else bucket.value * less / 10
        return replace(bucket, errors=bucket.errors * less // 10, value=value)

    return case, case | {key: tuple(map(change, case[key]))}


@ENOUGH
@given(cleaner_cases(), SHARES | LEVELS)
def test_a_better_version_before_never_gives_a_better_verdict(pair, question):
    case, cleaner = pair

    assert rank(assessed(question=question, **cleaner)) >= rank(assessed(question=question, **case))


@ENOUGH
@given(cases(), SHARES, st.sampled_from([2, 3, 10, 1000]))
def test_more_traffic_at_the_same_rate_is_never_less_sure(case, question, times):
    busier = each_bucket(
        case, lambda b: replace(b, requests=b.requests * times, errors=b.errors * times)
    )

    if assessed(question=question, **case).convicts:
        assert assessed(question=question, **busier).convicts


@ENOUGH
@given(cases(), SHARES)
def test_no_conviction_below_the_floors(case, question):
    """A severe minute has a floor of its own: ten requests."""
    if assessed(question=question, **case).convicts:
        mine = [b for b in case.get("new", case.get("total")) if b.start_at >= NOW]
        assert sum(bucket.requests for bucket in mine) >= min(question.minimum_requests, 10)
        assert sum(bucket.errors for bucket in mine) >= question.minimum_errors


@ENOUGH
@given(cases(), SHARES | LEVELS.filter(lambda question: question.times_normal is None))
def test_while_it_is_shifting_what_was_before_changes_nothing(case, question):
    """Only a multiple of the normal needs an hour in which to be normal."""
    shifting = case | {"shifting": True}
    forgotten = each_bucket(shifting, lambda b: b if b.start_at >= NOW else None)

    assert (
        assessed(question=question, **forgotten).new == assessed(question=question, **shifting).new
    )


def test_a_month_of_requests_in_a_minute_is_no_problem():
    found = assessed(
        4,
        new=counted(*[(10**9, 5 * 10**8)] * 4),
        previous=counted(*[(10**9, 10**6)] * 64, first=-60),
        lag=1,
    )

    assert found.convicts
    assert "more than a million to 1" in found.new.text
