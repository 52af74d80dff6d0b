"""The statistics: the reference's test vectors, and what makes each number a fair bet."""

from itertools import permutations
from math import comb, exp, inf, isfinite, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.evidence import (
    BAD_RATES,
    HIGHEST_RATE,
    LOWEST_BOUND,
    log_e_above,
    log_e_between,
    upper_bound,
)
from tests.builders import counted


def between(*minutes):
    """Of minutes as (requests and errors of the new version, requests and errors of the old)."""
    return log_e_between(counted((new, bad), (old, worse)) for new, bad, old, worse in minutes)


# -- beside each other ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "log_e"),
    [
        ([(60, 0, 540, 0)] * 10, 0.0),
        ([(100, 1, 900, 9)] * 10, -4.2089),
        ([(60, 1, 540, 0)], 1.6001),
        ([(60, 3, 540, 0)], 5.3710),
        ([(60, 6, 540, 5)], 5.8530),
        ([(60, 6, 540, 5)] * 3, 18.9005),
        ([(60, 18, 540, 162)] * 3, -15.6470),
        ([(6, 3, 54, 1)] * 2, 8.4683),
        ([(300, 15, 300, 3)] * 2, 7.6182),
        ([(6000, 600, 54000, 540)] * 10, 6425.8778),
        ([(600, 60, 0, 0)] * 3, 0.0),
    ],
)
def test_the_vectors_of_the_reference(minutes, log_e):
    assert between(*minutes) == pytest.approx(log_e, abs=1e-4)


def test_a_minute_in_which_only_one_served_says_nothing():
    assert between((0, 0, 600, 60), (600, 60, 0, 0)) == 0
    assert between((60, 6, 540, 5), (600, 60, 0, 0), (0, 0, 9, 9)) == between((60, 6, 540, 5))


@pytest.mark.parametrize(("new", "old"), [(1, 1), (1, 9), (9, 1), (600, 54_000)])
@pytest.mark.parametrize("failed", [1, 2, 7])
def test_the_bet_is_fair_where_both_versions_are_equally_good(new, old, failed):
    """On average it neither wins nor loses, whatever share of the failures falls on the new one."""
    share = new / (new + old)
    won = sum(
        comb(failed, bad)
        * share**bad
        * (1 - share) ** (failed - bad)
        * exp(between((new, bad, old, failed - bad)))
        for bad in range(failed + 1)
    )

    assert won == pytest.approx(1)


COUNTS = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)).map(lambda n: (max(n), min(n)))
PAIRS = st.lists(st.tuples(COUNTS, COUNTS).map(lambda pair: (*pair[0], *pair[1])), max_size=10)


@given(PAIRS)
def test_no_number_of_requests_is_too_much(minutes):
    assert isfinite(between(*minutes))


@given(PAIRS, COUNTS.filter(any), COUNTS.filter(any))
def test_each_failure_counts_against_whom_it_falls_on(minutes, new, old):
    (new, bad), (old, worse) = new, old
    now = between(*minutes, (new, bad, old, worse))
    slack = 1e-9 * abs(now)

    assert between(*minutes, (new, bad + 1, old, worse)) >= now - slack
    assert between(*minutes, (new, bad, old, worse + 1)) <= now + slack


def test_the_order_of_the_minutes_says_nothing():
    minutes = [(60, 6, 540, 5), (6, 3, 54, 1), (300, 15, 300, 3)]

    assert len({round(between(*each), 9) for each in permutations(minutes)}) == 1


# -- alone, against its own past ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "bound"),
    [
        # (0 + 1) / (0 + 2) = 1/2, and three times sqrt(1/4 / 2) above it.
        ([], 1.5607),
        ([(0, 0)], 1.5607),
        # 1/102 = 0.0098; sqrt(0.0098 x 0.9902 / 102) = 0.00976.
        ([(100, 0)], 0.0391),
        ([(50, 0), (50, 0)], 0.0391),
        # 361/36002 = 0.01003; sqrt(0.01003 x 0.98997 / 36002) = 0.000525.
        ([(600, 6)] * 60, 0.0116),
        # 1/36002 is far below what anybody is taken to be.
        ([(600, 0)] * 60, LOWEST_BOUND),
        # 10/11 = 0.9167 with both additions; sqrt(0.9167 x 0.0833 / 12) = 0.0798.
        ([(10, 10)], 1.1560),
    ],
)
def test_how_bad_the_version_before_may_have_been(history, bound):
    assert upper_bound(counted(*history)) == pytest.approx(bound, abs=1e-4)


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_it_is_never_taken_to_be_better_than_it_was(requests, share):
    errors = int(share * requests)
    bound = upper_bound(counted((requests, errors)))

    assert bound >= max(LOWEST_BOUND, errors / requests if requests else 0)


@given(st.integers(1, 10**6), st.sampled_from([0, 0.01, 0.1, 0.3, 0.5]), st.integers(2, 1000))
def test_the_more_is_known_the_closer_the_bound(hundreds, share, times):
    few, many = ((n, int(n * share)) for n in (100 * hundreds, 100 * hundreds * times))

    assert upper_bound(counted(many)) <= upper_bound(counted(few))


@pytest.mark.parametrize(
    ("minutes", "bound", "log_e"),
    [
        ([], 0.01, 0.0),
        ([(0, 0)], 0.01, 0.0),
        # The mean of 3, 6, 12, 25 and 50 is 19.2.
        ([(1, 1)], 0.01, log(19.2)),
        # The mean of 0.97, 0.94, 0.88, 0.75 and 0.5, each divided by 0.99.
        ([(1, 0)], 0.01, log(4.04 / 5 / 0.99)),
        # No bet is below three quarters: 5 ln 1.5 + 5 ln 0.5.
        ([(10, 5)], 0.5, -1.4384),
        ([(4, 2), (6, 3)], 0.5, -1.4384),
        # Nor above 0.9.
        ([(1, 1)], 0.8, log(0.9 / 0.8)),
        ([(600, 600)], HIGHEST_RATE, -inf),
        ([(600, 600)], 1.5607, -inf),
    ],
)
def test_bets_on_a_rate_above_the_bound(minutes, bound, log_e):
    assert log_e_above(counted(*minutes), bound) == pytest.approx(log_e, abs=1e-4)


@pytest.mark.parametrize("bound", [LOWEST_BOUND, 0.05, 0.3, 0.6, 0.89])
@pytest.mark.parametrize("requests", [1, 2, 9])
def test_that_bet_is_fair_at_the_bound_and_loses_below_it(bound, requests):
    def won(rate):
        return sum(
            comb(requests, bad)
            * rate**bad
            * (1 - rate) ** (requests - bad)
            * exp(log_e_above(counted((requests, bad)), bound))
            for bad in range(requests + 1)
        )

    assert won(bound) == pytest.approx(1)
    assert won(bound / 2) < 1 < won((1 + bound) / 2)


@given(st.lists(COUNTS, max_size=10), st.floats(LOWEST_BOUND, 0.899))
def test_no_number_of_requests_is_too_much_for_a_version_alone(minutes, bound):
    assert isfinite(log_e_above(counted(*minutes), bound))


@given(COUNTS, st.floats(LOWEST_BOUND, 0.899))
def test_each_failure_counts_against_the_version(counts, bound):
    requests, errors = counts
    (now,) = (log_e_above(counted((requests + 1, errors)), bound),)

    assert log_e_above(counted((requests + 1, errors + 1)), bound) > now - 1e-9 * abs(now)


@given(COUNTS, st.floats(LOWEST_BOUND, 0.899), st.floats(LOWEST_BOUND, 0.899))
def test_what_speaks_against_a_version_does_so_the_more_the_better_the_one_before(
    counts, one, other
):
    low, high = sorted((one, other))
    convicting = log_e_above(counted(counts), high)

    if convicting >= 0:
        assert log_e_above(counted(counts), low) >= convicting - 1e-9 * convicting


def test_a_rate_is_bet_on_even_where_the_bound_is_near_it():
    """The bet is half as bad again as the bound: a bet on the bound itself could never win."""
    assert log_e_above(counted((10_000, 1600)), BAD_RATES[2]) > log(100)
    assert log_e_above(counted((10_000, 7500)), BAD_RATES[-1]) > log(100)
