"""The statistics: how surely a version is worse, as the logarithm of an e-value.

An e-value is what a fair bet has turned one coin into: if both versions were equally good, it would
reach 100 at most once in a hundred trials, however often it is looked at. That holds from a fixed
start (Ville's inequality; Shafer, "Testing by betting", 2021); for the sliding window that the
responder looks through, the simulations of `bench/detection` are the support.

Logarithms throughout: an e-value of an hour of traffic is beyond any float.
"""

from collections.abc import Iterable, Sequence
from math import exp, inf, log, sqrt

from rollback_responder.domain.measurement import Bucket

# Each bets that the new version is that many times as bad as the old one.
RISK_RATIOS = (2.0, 4.0, 8.0, 16.0, 64.0)
# Each bets on that rate of bad requests, where no other version serves at the same time.
BAD_RATES = (0.03, 0.06, 0.12, 0.25, 0.5)
# The old version is never taken to be better than this, be its history ever so clean.
LOWEST_BOUND = 0.01
HIGHEST_RATE = 0.9
NOTHING = 0.0


def log_e_between(pairs: Iterable[tuple[Bucket, Bucket]]) -> float:
    """The new version against the old one, minute by minute beside each other.

    Of the k bad requests of a minute, a share w should fall on the new version if both were equally
    good: w is its share of the minute's requests. Conditioning on k and w makes each minute a
    binomial bet, whatever the minute's own rate is, so what fails in both counts against acting.

    Args:
        pairs: the same minute of the new and of the old version.

    Returns:
        The natural logarithm of the mean over `RISK_RATIOS`; 0 where nothing can be said.
    """
    sums = [NOTHING] * len(RISK_RATIOS)
    for new, old in pairs:
        if new.requests == 0 or old.requests == 0 or new.errors + old.errors == 0:
            continue
        share = new.requests / (new.requests + old.requests)
        for index, ratio in enumerate(RISK_RATIOS):
            theta = share * ratio / (share * ratio + 1 - share)
            sums[index] += new.errors * log(theta / share)
            sums[index] += old.errors * log((1 - theta) / (1 - share))
    return _log_mean_exp(sums)


def upper_bound(history: Iterable[Bucket]) -> float:
    """How bad the old version may have been, at most, by its own past: three deviations above.

    Where little is known the bound is high, and nothing can be held against the new version.
    """
    errors = requests = 0
    for bucket in history:
        errors, requests = errors + bucket.errors, requests + bucket.requests
    rate = (errors + 1) / (requests + 2)
    return max(LOWEST_BOUND, rate + 3 * sqrt(rate * (1 - rate) / (requests + 2)))


def log_e_above(buckets: Iterable[Bucket], bound: float) -> float:
    """The new version alone against "its rate of bad requests is at most `bound`".

    For minutes in which no other version served. Returns the natural logarithm of the mean over
    `BAD_RATES`, each raised above the bound; minus infinity where no rate is above it.
    """
    if bound >= HIGHEST_RATE:
        return -inf
    rates = [max(rate, min(1.5 * bound, HIGHEST_RATE)) for rate in BAD_RATES]
    sums = [NOTHING] * len(rates)
    for bucket in buckets:
        good = bucket.requests - bucket.errors
        for index, rate in enumerate(rates):
            sums[index] += bucket.errors * log(rate / bound)
            sums[index] += good * log((1 - rate) / (1 - bound))
    return _log_mean_exp(sums)


def _log_mean_exp(sums: Sequence[float]) -> float:
    top = max(sums)
    return top + log(sum(exp(each - top) for each in sums) / len(sums))
