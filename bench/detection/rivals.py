"""Plain alarms and classical tests beside ours: each a mask of the minutes in which it would act.

All see the same counts at the same time as ours, and all are [runs, WATCH]. None is tuned, and each
is given what it asks for: a version's own metric, the old version's counts, the number of looks.
"""

from collections.abc import Callable
from functools import cache
from math import log

import numpy as np

from bench.detection.traffic import HISTORY, WATCH, Counts, Flags, Floats, Traffic

THRESHOLD_PERCENT = 5
# One-sided 1 %, as if looked at once.
Z_LIMIT = 2.326
SPRT_GOOD, SPRT_BAD, SPRT_ALPHA = 0.01, 0.06, 0.001
FISHER_MINUTES, FISHER_REQUESTS, FISHER_ERRORS = 5, 50, 3
# One look a minute for the watched hour, and 1 % for all of them together.
FISHER_ALPHA = 0.01 / WATCH

Rival = Callable[[Traffic], Flags]


def m_of_n(requests: Counts, errors: Counts, m: int, n: int) -> Flags:
    """At least m of the last n minutes are above the threshold; silence is not (notBreaching)."""
    bad = (requests > 0) & (100 * errors > THRESHOLD_PERCENT * requests)
    found: Flags = latest(bad.astype(np.int64), n) >= m
    return found


def latest(counts: Counts, minutes: int) -> Counts:
    """The sum over each minute and those before it, `minutes` in all."""
    sums = np.cumsum(counts, axis=1)
    found = sums.copy()
    found[:, minutes:] -= sums[:, :-minutes]
    return found


def alias_alarm(traffic: Traffic) -> Flags:
    """CloudWatch, all traffic of the alias, 1 of 1."""
    requests = traffic.new_requests + traffic.old_requests[:, HISTORY:]
    errors = traffic.new_errors + traffic.old_errors[:, HISTORY:]
    return m_of_n(requests, errors, 1, 1)


def version_alarm_1_of_1(traffic: Traffic) -> Flags:
    """CloudWatch, the new version's own metric, 1 of 1."""
    return m_of_n(traffic.new_requests, traffic.new_errors, 1, 1)


def version_alarm_2_of_3(traffic: Traffic) -> Flags:
    """CloudWatch, the new version's own metric, 2 of 3."""
    return m_of_n(traffic.new_requests, traffic.new_errors, 2, 3)


def version_alarm_3_of_5(traffic: Traffic) -> Flags:
    """CloudWatch, the new version's own metric, 3 of 5."""
    return m_of_n(traffic.new_requests, traffic.new_errors, 3, 5)


def z_test(traffic: Traffic) -> Flags:
    """Two proportions since the deploy, looked at each minute once the version's alarm has fired.

    The textbook statistic with pooled variance, and the textbook mistake of looking again.
    """
    new = np.cumsum(traffic.new_requests, axis=1), np.cumsum(traffic.new_errors, axis=1)
    old = _old(traffic, minutes=None)
    z = z_of(*new, *old)
    fired: Flags = np.logical_or.accumulate(version_alarm_1_of_1(traffic), axis=1)
    found: Flags = fired & (z > Z_LIMIT)
    return found


def z_of(
    new_requests: Counts, new_errors: Counts, old_requests: Counts, old_errors: Counts
) -> Floats:
    """How many standard errors the new version's rate is above the old one's; 0 without either."""
    known = (new_requests > 0) & (old_requests > 0)
    n, m = np.maximum(new_requests, 1), np.maximum(old_requests, 1)
    pooled = (new_errors + old_errors) / (n + m)
    spread = np.sqrt(np.maximum(pooled * (1.0 - pooled), 1e-12) * (1.0 / n + 1.0 / m))
    found: Floats = np.where(known, (new_errors / n - old_errors / m) / spread, 0.0)
    return found


def sprt(traffic: Traffic) -> Flags:
    """Wald's test of 6 % against 1 % errors since the deploy, with alpha 0.001.

    It never accepts: a test that stops when it is satisfied would be blind to a late fault.
    """
    good = traffic.new_requests - traffic.new_errors
    step = traffic.new_errors * log(SPRT_BAD / SPRT_GOOD)
    step = step + good * log((1.0 - SPRT_BAD) / (1.0 - SPRT_GOOD))
    found: Flags = np.cumsum(step, axis=1) >= log(1.0 / SPRT_ALPHA)
    return found


def fisher(traffic: Traffic) -> Flags:
    """Fisher's exact test, one-sided, over the last five minutes, its 1 % split over 60 looks."""
    requests = latest(traffic.new_requests, FISHER_MINUTES)
    errors = latest(traffic.new_errors, FISHER_MINUTES)
    enough = (requests >= FISHER_REQUESTS) & (errors >= FISHER_ERRORS)
    found: Flags = enough & fisher_below(
        FISHER_ALPHA, requests, errors, *_old(traffic, minutes=FISHER_MINUTES)
    )
    return found


def fisher_below(
    alpha: float,
    new_requests: Counts,
    new_errors: Counts,
    old_requests: Counts,
    old_errors: Counts,
) -> Flags:
    """Whether the chance of so many errors on the new version, by their total, is below alpha.

    The tail of the hypergeometric distribution. Where the new version's rate is above the old one's
    each term is a smaller part of the one before, so first / (1 - ratio) bounds the sum from above
    and the first from below; only where these leave it open is the tail added up.
    """
    found = np.zeros(new_requests.shape, dtype=np.bool_)
    worse = (old_requests > 0) & (new_errors * old_requests > old_errors * new_requests)
    n, x, m, y = (each[worse] for each in (new_requests, new_errors, old_requests, old_errors))
    if not n.size:
        return found
    k = x + y
    table = _log_factorials(_above(int((n + m).max())))
    first = np.exp(
        (table[n] - table[x] - table[n - x])
        + (table[m] - table[y] - table[m - y])
        - (table[n + m] - table[k] - table[n + m - k])
    )
    at_most = first / (1.0 - _next_ratio(n, x, m, k))
    below = at_most < alpha
    open_still = np.flatnonzero(~below & (first < alpha))
    below[open_still] = (
        _tail(first[open_still], *(each[open_still] for each in (n, x, m, k))) < alpha
    )
    found[worse] = below
    return found


def _next_ratio(n: Counts, x: Counts, m: Counts, k: Counts) -> Floats:
    """The term of x + 1 errors on the new version, over the term of x."""
    found: Floats = (n - x) * (k - x) / ((x + 1.0) * (m - k + x + 1.0))
    return found


def _tail(first: Floats, n: Counts, x: Counts, m: Counts, k: Counts) -> Floats:
    term, total, x = first.copy(), first.copy(), x.copy()
    while np.any(term > 1e-9 * total):
        term = term * _next_ratio(n, x, m, k)
        total += term
        x += 1
    return total


def _above(count: int) -> int:
    """A power of two above a count, so that few tables are made."""
    return 1 << (count + 1).bit_length()


@cache
def _log_factorials(size: int) -> Floats:
    """The logarithms of 0!, 1!, ... (size - 1)!"""
    steps = np.log(np.maximum(np.arange(size, dtype=np.float64), 1.0))
    found: Floats = np.cumsum(steps)
    return found


def _old(traffic: Traffic, *, minutes: int | None) -> tuple[Counts, Counts]:
    """The old version in the same minutes, or in the hour before where it does not serve beside."""
    if traffic.cell.at_once:
        hour = (each[:, :HISTORY] for each in (traffic.old_requests, traffic.old_errors))
        requests, errors = (
            np.broadcast_to(each.sum(axis=1, keepdims=True), (traffic.runs, WATCH)) for each in hour
        )
        return requests, errors
    beside = traffic.old_requests[:, HISTORY:], traffic.old_errors[:, HISTORY:]
    if minutes is None:
        return np.cumsum(beside[0], axis=1), np.cumsum(beside[1], axis=1)
    return latest(beside[0], minutes), latest(beside[1], minutes)


RIVALS: dict[str, Rival] = {
    "alias alarm 1/1": alias_alarm,
    "version alarm 1/1": version_alarm_1_of_1,
    "version alarm 2/3": version_alarm_2_of_3,
    "version alarm 3/5": version_alarm_3_of_5,
    "z-test, peeking": z_test,
    "SPRT": sprt,
    "Fisher": fisher,
}
