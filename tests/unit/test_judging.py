"""The judge: two lanes and their floors, numbers that are worse, fresh minutes, and its words.

Minute 0 begins at `NOW`; the suspect's first minute unless a test says otherwise.
"""

import re
from math import isfinite

import pytest
from msgspec.structs import replace

from rollback_responder.domain import judging
from rollback_responder.domain.evidence import log_e_above, log_e_between, upper_bound
from rollback_responder.domain.judging import WORSE, Frame, Verdict, judge, look_back
from rollback_responder.domain.metric import question_of
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
from tests.builders import MINUTE, NOW, TARGET, a_bucket, counted, leveled

B, H, I = Verdict.BREACHING, Verdict.HEALTHY, Verdict.INCONCLUSIVE  # noqa: E741

RATE = question_of(ErrorRate(threshold_percent=5), TARGET)
SLOW = question_of(Latency(statistic="p95", threshold_ms=300), TARGET)
TIMES = question_of(LatencyTimesNormal(statistic="p95", times=3), TARGET)
COUNT = question_of(ApiErrorCount(api=Api(name="shop"), more_than=10), None)
DEAD = question_of(DeadLetters(queue="dead"), None)
BAND = question_of(Anomaly(name="basket", metric=MetricName(namespace="Shop", name="B")), None)

HOUR = counted(*[(600, 6)] * 60, first=-60)
QUICK_HOUR = leveled(*[100] * 60, first=-60)


def judged(
    question, new, beside=(), history=(), *, excused=(), shifting=False, lag=0, read_at=None
):
    """The evidence of these minutes, read at the end of the last one unless told otherwise."""
    end_at = max((bucket.start_at for bucket in new), default=NOW) + MINUTE
    until = end_at if read_at is None else NOW + read_at * MINUTE
    evidence, _ = judge(
        question,
        Frame(
            new=tuple(new),
            beside={bucket.start_at: bucket for bucket in beside},
            history=tuple(history),
            excused=frozenset(NOW + minute * MINUTE for minute in excused),
            shifting=shifting,
            until=until,
            complete_until=until - lag * MINUTE,
        ),
    )
    return evidence


def said(evidence, verdict, words):
    """Whether it is that verdict in these words, whole ones."""
    whole = re.search(rf"(?<!\w){re.escape(words.strip())}(?!\w)", evidence.text) is not None
    return (evidence.verdict, whole) == (verdict, True)


def test_the_worse_verdict_outweighs():
    assert WORSE == (Verdict.UNMEASURABLE, H, I, B)


# -- two lanes, beside a version that is well -----------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "requests", "verdict", "words"),
    [
        ((0, 0, 0), 60, H, "no bad minute in the last 3"),
        # Exactly the threshold is not over it.
        ((3, 3, 3), 60, H, "no bad minute in the last 3"),
        ((0, 4, 4), 60, B, "2 bad minutes of 3, 2 are enough; "),
        ((4, 0, 4), 60, B, "2 bad minutes of 3, 2 are enough; "),
        ((4, 4, 0), 60, B, "2 bad minutes of 3, 2 are enough; "),
        ((4, 4, 4), 60, B, "3 bad minutes of 3, 2 are enough; "),
        ((0, 0, 4), 60, I, "only 1 bad minute of 3, 2 are enough"),
        ((4, 0, 0), 60, I, "only 1 bad minute of 3, 2 are enough"),
        # What was bad before the latest three minutes is past.
        ((4, 4, 0, 0, 0), 60, H, "no bad minute in the last 3"),
        # One minute with a quarter of its requests failed is enough, if it is the newest.
        ((0, 0, 15), 60, B, "25 % in one minute; more than a million to 1"),
        ((0, 0, 14), 60, I, "only 1 bad minute"),
        ((0, 15, 0), 60, I, "only 1 bad minute"),
        ((0, 0, 3), 10, B, "30 % in one minute; 39,751 to 1 that it is worse"),
        ((0, 0, 9), 9, I, "only 1 bad minute"),
        ((0, 0, 2), 8, I, "only 1 bad minute"),
        # The floors: 20 requests and 3 bad ones in ten minutes.
        ((0, 5, 5), 6, I, "fewer than 20 requests in ten minutes prove nothing"),
        ((0, 5, 5), 7, B, "2 bad minutes"),
        ((0, 1, 1), 7, I, "fewer than 3 bad requests in ten minutes prove nothing"),
        ((1, 1, 1), 7, B, "3 bad minutes"),
        # Bad in fewer than three requests, the newest minute is not severe.
        ((0, 0, 2), 10, I, "only 1 bad minute"),
        # What came before the window counts for the floors.
        ((1, 0, 0, 0, 0, 0, 0, 0, 1, 1), 7, B, "2 bad minutes"),
        ((1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1), 7, I, "fewer than 3 bad requests"),
        ((0, 1, 0), 1, I, "fewer than 20 requests"),
        # Twenty requests, and none in one minute that could convict anybody.
        ((0,) * 10, 2, H, "no bad minute"),
    ],
)
def test_two_lanes_beside_a_version_that_is_well(errors, requests, verdict, words):
    new = counted(*((requests, bad) for bad in errors))
    beside = counted(*[(6000, 0)] * len(errors))

    assert said(judged(RATE, new, beside), verdict, words), judged(RATE, new, beside).text


def test_no_minute_with_enough_requests_says_nothing():
    question = replace(RATE, minimum_requests=30)
    new = counted(*[(30, 0)] * 2, None, *[(2, 0)] * 3)

    assert said(judged(question, new), I, "no minute has enough requests to judge")


def test_three_of_five_where_errors_come_in_bursts():
    bursty = replace(RATE, minutes=5, breaching_minutes=3)
    beside = counted(*[(6000, 0)] * 5)

    assert judged(bursty, counted(*[(60, 4), (60, 0)] * 2, (60, 0)), beside).verdict is I
    assert judged(bursty, counted(*[(60, 4), (60, 0)] * 2, (60, 4)), beside).verdict is B


@pytest.mark.parametrize(
    ("failed", "minutes", "verdict", "words"),
    [
        (1, 3, I, "3 bad minutes of 3, 2 are enough, but 5 to 1 that it is worse"),
        (
            2,
            3,
            I,
            "but 31 to 1 that it is worse than the version before (0.0 %); it would take 100 to 1",
        ),
        (3, 2, I, "but 31 to 1"),
        (3, 3, B, "3 bad minutes of 3, 2 are enough; 200 to 1"),
    ],
)
def test_a_hundred_to_one_is_sure_where_bad_minutes_persist(failed, minutes, verdict, words):
    """Beside an equal share of the traffic, each failure wins at most twice the stake."""
    new, beside = counted(*[(20, failed)] * minutes), counted(*[(20, 0)] * minutes)
    found = judged(replace(RATE, threshold_percent=4), new, beside)

    assert said(found, verdict, words), found.text


@pytest.mark.parametrize(
    ("old", "odds", "verdict"), [(30, "97 to 1", I), (32, "119 to 1", B)], ids=str
)
def test_a_hundred_to_one_is_just_enough(old, odds, verdict):
    new, beside = counted(*[(20, 2)] * 3), counted(*[(old, 0)] * 3)

    assert said(judged(RATE, new, beside), verdict, odds)


@pytest.mark.parametrize(("old", "verdict"), [(90, I), (196, I), (198, B)])
def test_a_thousand_to_one_is_sure_of_a_single_minute(old, verdict):
    """215, 996 and 1015 to 1: a single minute must be surer than two."""
    new, beside = counted((10, 0), (10, 3)), counted((old, 0), (old, 0))

    assert judged(RATE, new, beside).verdict is verdict


def test_a_severe_minute_has_the_floor_of_bad_requests_in_itself():
    new, beside = counted((60, 0), (60, 0), (60, 30)), counted(*[(6000, 0)] * 3)

    assert judged(replace(RATE, minimum_errors=30), new, beside).verdict is B
    assert judged(replace(RATE, minimum_errors=31), new, beside).verdict is I


@pytest.mark.parametrize("requests", [60, 600, 60_000])
@pytest.mark.parametrize("times", [1, 2, 10])
def test_what_fails_in_both_convicts_nobody(requests, times):
    """The outage of something that both share, however much traffic there is."""
    errors = 30 * requests // 100
    new, beside = (
        counted(*[(requests, errors)] * 5),
        counted(*[(times * requests, times * errors)] * 5),
    )
    found = judged(RATE, new, beside)

    assert said(found, I, "but nothing says that it is worse than the version before (30.0 %)")


@pytest.mark.parametrize(
    ("threshold", "old", "new", "verdict"),
    [
        # In percent: three quarters more are sure with enough traffic, and yet not twice as bad.
        (1, 1.0, 1.75, I),
        (1, 1.0, 1.99, I),
        (1, 1.0, 2.0, B),
        # Less than half a percentage point more; half a point more.
        (0.1, 0.0, 0.49, I),
        (0.1, 0.0, 0.5, B),
        (0.1, 0.2, 0.69, I),
        (0.1, 0.2, 0.7, B),
        (0.1, 0.5, 1.0, B),
        # Above the threshold the newest minute alone must be twice as bad as well.
        (5, 20.0, 30.0, I),
        (5, 20.0, 40.0, B),
    ],
)
def test_a_version_must_be_twice_as_bad_and_half_a_point_worse(threshold, old, new, verdict):
    question = replace(RATE, threshold_percent=threshold)
    minutes = (counted(*[(10**6, round(10_000 * share))] * 3) for share in (new, old))
    found = judged(question, *minutes)

    assert found.verdict is verdict
    assert ("it is not twice as bad as before" in found.text) is (verdict is I)


# -- a count within the window --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "verdict", "words"),
    [
        ((0, 0, 0, 0, 0), H, "5xx responses 0 ≤ 10 (300 requests in 5 min): no bad minute"),
        ((2, 2, 2, 2, 2), H, "5xx responses 10 ≤ 10 (300 requests in 5 min): no bad minute"),
        ((2, 2, 2, 2, 3), B, "5xx responses 11 > 10 (300 requests in 5 min): 1 bad minute of 5"),
        ((0, 0, 0, 0, 11), B, "5xx responses 11 > 10"),
        ((11, 0, 0, 0, 0), B, "5xx responses 11 > 10"),
        ((11, 0, 0, 0, 0, 0), H, "5xx responses 0 ≤ 10"),
        ((0, 0, 0, 0, 10), I, "5xx responses 10 ≤ 10 (300 requests in 5 min): not that many yet"),
    ],
)
def test_a_count_is_of_the_whole_window(errors, verdict, words):
    new = counted(*((60, bad) for bad in errors))
    found = judged(COUNT, new, counted(*[(600, 0)] * len(errors)))

    assert said(found, verdict, words), found.text


def test_a_count_that_is_not_over_is_not_said_to_have_bad_minutes_enough():
    found = judged(COUNT, counted(*[(60, 0)] * 4, (60, 10)), counted(*[(600, 0)] * 5))

    assert "1 are enough" not in found.text


def test_a_minute_that_has_not_begun_convicts_nobody():
    new, beside = counted(*[(60, 0)] * 3, (60, 60)), counted(*[(6000, 0)] * 4)

    assert judged(RATE, new, beside, read_at=3, lag=1).verdict is H
    assert judged(RATE, new, beside, read_at=4, lag=1).verdict is B


def test_a_fresh_minute_convicts_with_those_before_it_and_not_with_the_next():
    question = replace(RATE, minutes=2)
    new = counted((60, 0), (60, 4), (60, 4), (60, 0))
    found = judged(question, new, counted(*[(6000, 0)] * 4), lag=2)

    assert said(found, B, "2 bad minutes of 2, 2 are enough")


def test_a_minute_of_almost_a_quarter_is_not_severe():
    """249 of 1,000 and one in 250 of 1,000: one more, and no second minute is waited for."""
    beside = counted(*[(6000, 0)] * 3)

    assert judged(RATE, counted(*[(1000, 0)] * 2, (1000, 249)), beside).verdict is I
    assert judged(RATE, counted(*[(1000, 0)] * 2, (1000, 250)), beside).verdict is B


def test_where_nothing_was_served_nothing_was_counted():
    assert judged(COUNT, ()).value is None
    assert judged(COUNT, counted((60, 0)), counted((60, 0))).value == 0


def test_of_small_numbers_the_worst_is_shown():
    assert judged(DEAD, leveled(0.5, 0.0)).value == 0.5


@pytest.mark.parametrize(
    ("log_e", "words"),
    [
        (-0.1, "nothing says"),
        (0.0, "1 to 1"),
        (0.7, "2 to 1"),
        (judging.BEYOND_WORDS - 0.001, "999,000 to 1"),
        (judging.BEYOND_WORDS, "more than a million to 1"),
    ],
)
def test_odds_in_words(log_e, words):
    assert judging._odds(log_e) == words


def test_minutes_beside_it_prove_something_also_after_the_version_before_has_left():
    new, beside, history = counted(*[(60, 3)] * 4), counted(*[(60, 0)] * 2), counted((60, 0))
    pairs = list(zip(new[:2], beside, strict=True))
    found = judged(RATE, new, beside, history)
    past = upper_bound((*history, *beside))

    assert log_e_between(pairs) > 1
    assert found.log_e == pytest.approx(log_e_between(pairs) + log_e_above(new[2:], past))


# -- what is known of the version before ----------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "verdict", "words"),
    [
        (HOUR, B, "more than a million to 1 that it is worse than the version before (1.0 %)"),
        ((), I, "nothing is known of the version before"),
        # It failed as often itself, or in so few requests that nobody knows.
        (counted(*[(600, 120)] * 60, first=-60), I, "it would take 100 to 1"),
        (counted((2, 0), first=-60), I, "it would take 100 to 1"),
    ],
)
def test_a_version_alone_is_compared_with_the_hour_before_it(history, verdict, words):
    new = counted(*[(600, 120)] * 3)

    assert said(judged(RATE, new, (), history), verdict, words)


def test_a_version_alone_must_be_twice_as_bad_as_the_hour_before_it():
    history, new = counted(*[(10**6, 10**4)] * 60, first=-60), counted(*[(10**6, 19_000)] * 3)
    found = judged(replace(RATE, threshold_percent=1), new, (), history)

    assert said(found, I, "it is not twice as bad as before; more than a million to 1")


@pytest.mark.parametrize("minutes", [3, 5, 10, 60])
def test_what_failed_before_the_change_already_is_not_the_new_ones_fault(minutes):
    """Whatever its hour was like until then."""
    history = (*HOUR[:-minutes], *counted(*[(600, 120)] * minutes, first=-minutes))

    assert judged(RATE, counted(*[(600, 120)] * 3), (), history).verdict is I


def test_a_version_before_that_ends_better_never_makes_it_better_for_the_new_one():
    """It was bad for most of its hour; at the end of it just bad, or just not."""
    bad = counted(*[(600, 300)] * 50, first=-60)

    def verdict(errors):
        history = (*bad, *counted(*[(600, errors)] * 10, first=-10))
        return judged(RATE, counted(*[(600, 120)] * 3), (), history).verdict

    assert WORSE.index(verdict(30)) >= WORSE.index(verdict(31))


@pytest.mark.parametrize(("shifting", "verdict"), [(False, B), (True, I)])
def test_while_it_is_shifting_nothing_is_compared_but_what_serves_beside(shifting, verdict):
    found = judged(RATE, counted(*[(600, 120)] * 3), (), HOUR, shifting=shifting)

    assert found.verdict is verdict
    assert ("nothing is known of the version before" in found.text) is shifting


def test_the_version_beside_outweighs_its_own_past():
    """It was well for an hour and fails now, beside the new one."""
    new, beside = counted(*[(600, 120)] * 3), counted(*[(600, 120)] * 3)

    assert judged(RATE, new, beside, HOUR).verdict is I


def test_the_few_old_requests_of_the_deploys_minute_do_not_outweigh_the_hour():
    new = counted(*[(600, 300)] * 3)

    assert judged(RATE, new, counted((2, 1)), HOUR).verdict is B


def test_a_version_is_not_gone_that_served_after_its_silence():
    """A shared outage: what it did beside counts, and not the hour, in which all was well."""
    hour, new = counted(*[(3, 0)] * 60, first=-60), counted(*[(27, 8)] * 3)

    assert judged(RATE, new, counted((3, 1), None, (3, 1)), hour).verdict is I
    assert judged(RATE, new, (), hour).verdict is B


@pytest.mark.parametrize("known", [0, 2, 4, 20, 100, 10_000])
def test_what_was_proved_beside_is_not_undone_by_a_past_of_which_little_is_known(known):
    """The version before has left after two minutes; earlier it had next to no requests."""
    new, beside = counted(*[(600, 120)] * 3), counted(*[(600, 0)] * 2)
    history = counted((known, 0), first=-1) if known else ()

    assert judged(RATE, new[:2], beside, history).verdict is B
    assert judged(RATE, new, beside, history).verdict is B


def test_minutes_in_which_siblings_failed_count_for_nothing_where_it_serves_alone():
    new = counted(*[(600, 120)] * 4)

    assert said(judged(RATE, new, (), HOUR, excused=range(4)), I, "no traffic")
    assert said(judged(RATE, new, (), HOUR, excused=range(3)), I, "only 1 bad minute")
    assert judged(RATE, new, (), HOUR, excused=range(2)).verdict is B


def test_a_severe_minute_is_not_counted_while_siblings_fail():
    new = counted((600, 0), (600, 0), (600, 300))

    assert judged(RATE, new, (), HOUR).verdict is B
    assert judged(RATE, new, (), HOUR, excused=[2]).verdict is H


def test_nothing_is_excused_that_another_version_served_well():
    new, beside = counted(*[(600, 120)] * 3), counted(*[(600, 0)] * 3)

    assert judged(RATE, new, beside, excused=range(3)).verdict is B


# -- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "verdict", "words"),
    [
        ((100, 100, 100), H, "p95 latency 100 ms ≤ 300 ms (3000 requests in 3 min): no bad minute"),
        ((300, 300, 300), H, "no bad minute"),
        ((100, 900, 400), B, "p95 latency 900 ms > 300 ms (3000 requests in 3 min): 2 bad minutes"),
        ((100, 100, 400), I, "p95 latency 400 ms > 300 ms (3000 requests in 3 min): only 1 bad"),
        ((), I, "0 requests in 3 min: no traffic"),
    ],
)
def test_a_number_must_be_over_its_threshold_in_enough_minutes(values, verdict, words):
    found = judged(SLOW, leveled(*values), leveled(*[100 for _ in values]))

    assert said(found, verdict, words), found.text


@pytest.mark.parametrize(
    ("question", "requests", "verdict", "words"),
    [
        (SLOW, 199, I, "no minute has enough requests to judge"),
        (SLOW, 200, B, "3 bad minutes"),
        (replace(SLOW, minimum_requests=601), 200, I, "fewer than 601 requests in ten minutes"),
        (replace(SLOW, minimum_requests=600), 200, B, "3 bad minutes"),
        (replace(SLOW, enough_samples=2), 6, I, "fewer than 20 requests in ten minutes"),
    ],
)
def test_a_percentile_of_few_requests_means_nothing(question, requests, verdict, words):
    new = leveled(900, 900, 900, requests=requests)
    found = judged(question, new, (), QUICK_HOUR)

    assert said(found, verdict, words), found.text


def test_minutes_without_a_number_are_said_to_have_none():
    found = judged(SLOW, counted(*[(1000, 0)] * 3), (), QUICK_HOUR)

    assert (found.value, found.threshold) == (None, 300)
    assert found.text.startswith("3000 requests in 3 min: ")
    assert found.verdict is not B


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        # A hundred milliseconds more, and a quarter more: both, of the same minute of the old one.
        (250, 349, I),
        (250, 350, I),
        (250, 351, B),
        (1000, 1250, I),
        (1000, 1251, B),
        (900, 900, I),
        (900, 400, I),
    ],
)
@pytest.mark.parametrize("history", [QUICK_HOUR, (), leveled(*[9000] * 60, first=-60)])
def test_a_number_must_be_clearly_above_that_of_the_version_beside(old, new, verdict, history):
    found = judged(SLOW, leveled(*[new] * 3), leveled(*[old] * 3), history)

    assert found.verdict is verdict
    assert ("but the version before was hardly better" in found.text) is (verdict is I)


def test_it_must_be_clearly_above_in_as_many_minutes_as_must_be_bad():
    assert judged(SLOW, leveled(900, 900, 900), leveled(100, 900, 900)).verdict is I
    assert judged(SLOW, leveled(900, 900, 900), leveled(100, 900, 100)).verdict is B
    # Clearly above and not bad does not count.
    assert judged(SLOW, leveled(900, 900, 200), leveled(100, 900, 10)).verdict is I


@pytest.mark.parametrize(
    ("history", "verdict", "words"),
    [
        (QUICK_HOUR, B, "3 bad minutes"),
        (leveled(*[600] * 60, first=-60), I, "but the version before was hardly better"),
        ((), I, "nothing is known of the version before"),
        (leveled(*[100] * 60, first=-60, requests=199), I, "nothing is known"),
    ],
)
def test_a_number_alone_must_be_clearly_above_the_hour_before(history, verdict, words):
    assert said(judged(SLOW, leveled(*[650] * 3), (), history), verdict, words)


@pytest.mark.parametrize(
    "beside", [leveled(*[900] * 3, requests=199), counted(*[(1000, 0)] * 3)], ids=["few", "none"]
)
@pytest.mark.parametrize(("shifting", "verdict"), [(False, B), (True, I)])
def test_a_minute_beside_that_says_nothing_is_no_comparison(beside, shifting, verdict):
    """Then there is the hour before, unless the other version still serves."""
    found = judged(SLOW, leveled(*[900] * 3), beside, QUICK_HOUR, shifting=shifting)

    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("history", "new", "verdict", "words"),
    [
        (QUICK_HOUR, 300, H, "p95 latency 300 ms ≤ 300 ms"),
        (QUICK_HOUR, 301, B, "p95 latency 301 ms > 300 ms"),
        # Three times as slow, and not a hundred milliseconds more.
        (leveled(*[40] * 60, first=-60), 140, I, "but the version before was hardly better"),
        (leveled(*[40] * 60, first=-60), 141, B, "p95 latency 141 ms > 120 ms"),
        (
            (),
            9000,
            I,
            "p95 latency 9000 ms ? its limit (3000 requests in 3 min): its normal is not",
        ),
    ],
)
def test_a_multiple_of_its_own_normal(history, new, verdict, words):
    found = judged(TIMES, leveled(*[new] * 3), (), history)

    assert said(found, verdict, words), found.text


def test_a_multiple_of_its_normal_is_no_worse_if_the_version_beside_is_as_slow():
    found = judged(TIMES, leveled(*[900] * 3), leveled(*[850] * 3), QUICK_HOUR)

    assert said(found, I, "but the version before was hardly better")


@pytest.mark.parametrize(
    ("values", "limit", "verdict", "words"),
    [
        ((8, 8, 8), 7, B, "basket 8 > 7 (3 min): 3 bad minutes of 3, 2 are enough"),
        ((8, 1, 8), 7, B, "2 bad minutes"),
        ((1, 1, 8), 7, I, "only 1 bad minute"),
        ((7, 7, 7), 7, H, "basket 7 ≤ 7 (3 min)"),
    ],
)
def test_cloudwatchs_band_is_its_own_comparison(values, limit, verdict, words):
    """Its model knows the past; another is not asked for, nor is it needed."""
    found = judged(BAND, leveled(*values, requests=1, limit=limit))

    assert said(found, verdict, words), found.text


def test_a_band_that_nobody_knows_convicts_nobody():
    found = judged(BAND, leveled(8, 8, 8, requests=1))

    assert found.verdict is not B
    assert found.text.startswith("basket 8 ? its limit (3 min): ")


@pytest.mark.parametrize(
    ("values", "before", "verdict", "words"),
    [
        ((5, 5, 5), 0, B, "messages in the dead-letter queue 5 > 0 (3 min): 3 bad minutes"),
        ((0, 0, 0), 0, H, "messages in the dead-letter queue 0 ≤ 0 (3 min)"),
        # What lay there already is not this version's.
        ((5, 5, 5), 5, I, "but the version before was hardly better"),
        ((9, 9, 9), 5, B, "messages in the dead-letter queue 9 > 0"),
        ((5, 5, 5), None, I, "nothing is known of the version before"),
    ],
)
def test_dead_letters_are_those_that_came_since(values, before, verdict, words):
    hour = () if before is None else leveled(*[before] * 60, first=-60, requests=1)
    found = judged(DEAD, leveled(*values, requests=1), (), hour)

    assert said(found, verdict, words), found.text


# -- fresh minutes, silence -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "lag", "verdict"),
    [
        # What may be incomplete convicts.
        ((0, 30, 30), 1, B),
        ((0, 30, 30), 2, B),
        ((0, 30, 30), 3, B),
        # It does not acquit: complete is only what was bad.
        ((30, 30, 0), 1, B),
        ((30, 30, 0, 0), 2, B),
        ((0, 0, 0), 3, I),
        # Nor is a bad minute outvoted by better ones that are not over.
        ((0, 0, 0, 9, 0), 1, I),
    ],
)
def test_fresh_minutes_convict_and_never_acquit(errors, lag, verdict):
    new = counted(*((60, bad) for bad in errors))

    assert judged(RATE, new, counted(*[(6000, 0)] * len(new)), lag=lag).verdict is verdict


@pytest.mark.parametrize("question", [RATE, SLOW], ids=["share", "number"])
def test_one_more_bad_minute_does_not_push_the_proof_out_of_the_window(question):
    """Half a minute past, two minutes are fresh: a bad one among them may only make it worse."""
    times = [1, 1, 0, 0, 0]
    beside = [a_bucket(n, 6000, 0, value=100) for n in range(5)]

    for last in (0, 1):
        new = [
            a_bucket(n, 600, 40 * bad, value=100 + 500 * bad)
            for n, bad in enumerate([*times[:-1], last])
        ]
        assert judged(question, new, beside, lag=1, read_at=4.5).verdict is B


def test_a_fresh_minute_that_gets_worse_never_makes_it_better():
    """Its third minute is fresh, and whether it was just bad or just not says next to nothing."""
    beside = counted((540, 0), (540, 0), (6000, 600), (540, 0))

    def verdict(errors):
        new = counted((60, 0), (60, 12), (6000, errors), (60, 12))
        return judged(RATE, new, beside, lag=1, read_at=3.5).verdict

    assert WORSE.index(verdict(301)) >= WORSE.index(verdict(300))


def test_fresh_minutes_are_held_to_the_normal_as_well():
    """Two minutes that may be incomplete; neither the settled ones nor one of these is enough."""
    slow = leveled(*[100] * 3, 500, 500)

    assert judged(TIMES, slow, (), QUICK_HOUR, lag=2).verdict is B
    assert judged(TIMES, leveled(*[100] * 5), (), QUICK_HOUR, lag=2).verdict is H


def test_a_severe_minute_has_a_quarter_of_its_requests_failed_and_not_less():
    old = counted(*[(6000, 0)] * 4)

    def newest(errors):
        return judged(RATE, counted(*[(60, 0)] * 3, (100, errors)), old).verdict

    severe = next(errors for errors in range(101) if newest(errors) is B)
    assert severe == 25


def test_minutes_of_the_future_convict_nobody():
    assert judged(RATE, counted(*[(60, 30)] * 3, first=5), HOUR, read_at=5).verdict is I


@pytest.mark.parametrize(
    ("read_at", "lag", "verdict"),
    [(3, 0, B), (5, 0, B), (6, 0, I), (6, 1, B), (7, 1, I), (15, 10, B), (16, 10, I)],
)
def test_silence_is_no_evidence(read_at, lag, verdict):
    """After three bad minutes nothing comes any more."""
    new, beside = counted(*[(60, 9)] * 3), counted(*[(6000, 0)] * 3)
    found = judged(RATE, new, beside, read_at=read_at, lag=lag)

    assert found.verdict is verdict


def test_the_window_counts_minutes_of_the_clock_not_minutes_with_traffic():
    beside = counted(*[(6000, 0)] * 5)

    assert judged(RATE, counted((60, 9), (60, 9), None, None, (60, 0)), beside).verdict is H
    assert judged(RATE, counted((60, 9), None, (60, 9)), beside).verdict is B


@pytest.mark.parametrize(
    "past",
    [
        counted(*[(600, 0)] * 57, *[(600, 200)] * 3, first=-60),
        # With so few requests that nobody would be convicted for it; then nothing came.
        counted(*[(600, 0)] * 50, None, None, (1, 1), (1, 1), None, first=-60),
    ],
)
def test_what_the_version_before_did_last_is_held_against_convicting(past):
    assert judged(RATE, counted(*[(60, 20)] * 3), (), past).verdict is I


def test_the_last_minutes_of_the_version_before_are_minutes_of_the_clock():
    """One bad minute, and one long before it: no two within three."""
    past = counted(*[(600, 0)] * 40, (600, 300), *[None] * 18, (600, 300), first=-60)

    assert judged(RATE, counted(*[(600, 300)] * 3), (), past).verdict is B


def test_what_served_beside_it_is_part_of_what_is_known_of_the_version_before():
    """Ten requests of history prove little; the minutes beside it prove the rest."""
    past, beside = counted((10, 0), first=-1), counted((6000, 0))
    new = counted((60, 0), *[(600, 90)] * 3)

    assert judged(RATE, new, beside, past).verdict is B
    assert judged(RATE, new, counted((6000, 600)), past).verdict is I


WITHOUT = "no minute has both a number and a limit to hold it to"


@pytest.mark.parametrize(
    ("question", "minutes", "history"),
    [
        # CloudWatch has learned no band yet.
        (BAND, [a_bucket(n, 1, value=8) for n in range(6)], ()),
        # Only some other minute has a limit, and no number.
        (BAND, [a_bucket(0, 1, value=8), a_bucket(1, 1, limit=9)], ()),
        # Requests, and no duration among them.
        (SLOW, [a_bucket(n, 600) for n in range(6)], QUICK_HOUR),
    ],
)
def test_where_there_is_no_number_or_no_limit_nothing_is_healthy(question, minutes, history):
    found = judged(question, minutes, (), history)

    assert (found.verdict, said(found, I, WITHOUT)) == (I, True)
    assert look_back(question, minutes, history).verdict is I


def test_the_version_before_is_held_to_its_own_normal():
    assert look_back(TIMES, leveled(100, 100, 100), QUICK_HOUR).verdict is H
    assert look_back(TIMES, leveled(100, 100, 100), ()).verdict is I
    assert look_back(TIMES, leveled(900, 900, 900), QUICK_HOUR).verdict is B


# -- the numbers behind it ------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_window():
    found = judged(RATE, counted(*[(600, 0)] * 9, (60, 6), (60, 9)), counted(*[(600, 0)] * 11))

    assert (found.requests, found.errors, found.minutes) == (720, 15, 3)
    assert (found.value, found.threshold, found.persists) == (
        pytest.approx(100 * 15 / 720),
        5,
        True,
    )
    assert found.text.startswith("error rate 2.1 % ≤ 5 % (720 requests in 3 min): ")


def test_what_persists_is_over_the_threshold_even_on_thin_evidence():
    thin = judged(RATE, counted((3, 1), (3, 1)))

    assert (thin.verdict, thin.persists) == (I, True)
    assert not judged(RATE, ()).persists


@pytest.mark.parametrize(("requests", "words"), [(1, "(1 request in"), (2, "(2 requests in")])
def test_numbers_agree_with_their_nouns(requests, words):
    assert words in judged(RATE, counted((requests, 0))).text


def test_how_sure_it_is_can_be_written_as_json():
    """Where nothing at all speaks for it, it is no infinity."""
    unknown = judged(RATE, counted(*[(600, 120)] * 3))

    assert isfinite(unknown.log_e)
    assert judged(RATE, ()).log_e is None
    assert judged(SLOW, leveled(100)).log_e is None
    assert judged(RATE, counted((60, 3)), counted((540, 0))).log_e == pytest.approx(5.371, abs=1e-3)


# -- the version before ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "buckets", "history", "verdict", "text"),
    [
        (RATE, counted(*[(600, 6)] * 3), (), H, "error rate 1.0 % ≤ 5 % (1800 requests in 3 min)"),
        (
            RATE,
            counted(*[(600, 60)] * 3),
            (),
            B,
            "error rate 10.0 % > 5 % (1800 requests in 3 min)",
        ),
        (RATE, counted((600, 60)), (), H, "error rate 10.0 % > 5 % (600 requests in 3 min)"),
        (RATE, counted((1, 1)), (), I, "error rate 100.0 % > 5 % (1 request in 3 min)"),
        # Its own latest minutes, whenever those were.
        (RATE, counted(*[(6, 6)] * 9, *[(6, 0)] * 3), (), H, "error rate 0.0 % ≤ 5 % (18 "),
        (SLOW, leveled(900, 900), (), B, "p95 latency 900 ms > 300 ms (2000 requests in 3 min)"),
        (TIMES, leveled(900, 900), QUICK_HOUR, B, "p95 latency 900 ms > 300 ms"),
    ],
)
def test_the_version_before_is_asked_the_same(question, buckets, history, verdict, text):
    found = look_back(question, buckets, history)

    assert found.verdict is verdict
    assert found.text.startswith(text)
    # The words that it was measured in, and no more.
    assert found.text.endswith(" min)")
    assert found.persists is (verdict is B)
