"""The figures that must hold, and when one counts as missed.

A figure is missed beyond its Monte-Carlo error if so many bad hours would be seen with a
probability below `SURELY` although the figure is exactly at its limit: one-sided, exact binomial.
The random numbers follow from the seed, so a study that passes does so each time. Figures:

- false rollbacks of a canary of 10 % from 10 requests a second up, in each cell and, since every
  cell must hold, in all cells of a scenario together;
- false rollbacks of deploys that take all traffic at once, in shared outages, with siblings;
- the median delay against the prototype's: not more than half of the hours may take longer than
  `SLOWER` times its published median, and an hour without an act takes forever.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import exp, lgamma, log, log1p

import numpy as np

from bench.detection.study import BOTH, BOTH_70, CANARY, OURS, Results, is_guarded
from bench.detection.traffic import Cell, Scenario

SURELY = 0.001
SLOWER = 1.1
HALF = 0.5
LIMITS = {
    Scenario.NONE: 0.006,
    Scenario.BLIP: 0.006,
    Scenario.OUTAGE: 0.006,
    Scenario.COLD: 0.011,
}
LIMIT_AT_ONCE = 0.05

Medians = Mapping[tuple[int, float, float], float]

# The prototype's medians in seconds, canary 10 %: (requests/s, base %, fault %). From the product's
# detection notes: section 3.2, which from 10 requests/s up holds for the window as well (3.3); at
# 1 request/s the window of 3.3, and that of section 5 with the floors that ours has.
PUBLISHED: Medians = {
    (1, 1.0, 6.0): 1243.0,
    (1, 1.0, 10.0): 602.0,
    (1, 1.0, 50.0): 284.0,
    (10, 1.0, 6.0): 238.0,
    (10, 1.0, 10.0): 171.0,
    (10, 1.0, 50.0): 101.0,
    (100, 1.0, 6.0): 171.0,
    (100, 1.0, 50.0): 90.0,
    (1000, 1.0, 6.0): 153.0,
    (1000, 1.0, 50.0): 91.0,
}
# The same for a fault 30 minutes after the deploy, which began with a minute there (section 3.3).
PUBLISHED_LATE: Medians = {(1, 1.0, 6.0): 960.0, (1, 1.0, 10.0): 660.0, (10, 1.0, 6.0): 360.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A figure and its limit.

    Attributes:
        name: what it is of.
        bad: the watched hours that speak against it, of all `runs`.
        limit: the share of them that is allowed.
        said: the figure in words, and what is allowed.
    """

    name: str
    bad: int
    runs: int
    limit: float
    said: str

    @property
    def chance(self) -> float:
        """How probable so many bad hours are, exactly at the limit."""
        return tail(self.bad, self.runs, self.limit)

    @property
    def missed(self) -> bool:
        """Whether it is missed beyond its Monte-Carlo error."""
        return self.chance < SURELY

    @property
    def sentence(self) -> str:
        """What is missed, for a terminal."""
        return (
            f"MISSED: {self.name}: {self.said}; exactly at the limit so many bad hours have a"
            f" probability of {self.chance:.1g}"
        )


def guarded(results: Results) -> list[Guarded]:
    """Every figure that must hold and was played."""
    cells = [cell for cell in results.cells if is_guarded(cell)]
    canaries = [cell for cell in cells if not cell.at_once]
    found = [*_false(results, canaries)]
    for cell in cells:
        if cell.at_once:
            found += [_at_once(results, cell, method) for method in (BOTH, BOTH_70)]
        elif cell.is_fault and _published(cell):
            found.append(_median(results, cell))
    return found


def _false(results: Results, cells: list[Cell]) -> Iterator[Guarded]:
    healthy = sorted(cell for cell in cells if cell.scenario in LIMITS)
    for scenario, group in groupby(healthy, key=lambda cell: cell.scenario):
        limit, bad, runs = LIMITS[scenario], 0, 0
        for cell in group:
            outcome = results.outcome(cell, OURS)
            bad, runs = bad + outcome.acted, runs + outcome.runs
            yield _rollbacks(cell.name, outcome.acted, outcome.runs, limit)
        name = f"canary {CANARY} %, {scenario}, all cells together"
        yield _rollbacks(name, bad, runs, limit)


def _at_once(results: Results, cell: Cell, method: str) -> Guarded:
    outcome = results.outcome(cell, method)
    name = f"{cell.name} ({method.removeprefix('ours, ')})"
    return _rollbacks(name, outcome.acted, outcome.runs, LIMIT_AT_ONCE)


def _rollbacks(name: str, bad: int, runs: int, limit: float) -> Guarded:
    said = f"{bad} false in {runs} watched hours, {100 * bad / runs:.2f} %"
    said += f" of at most {100 * limit:.1f} %"
    return Guarded(name=name, bad=bad, runs=runs, limit=limit, said=said)


def _median(results: Results, cell: Cell) -> Guarded:
    published = _published(cell)
    every = results.delays(cell, OURS)
    late, runs = int(np.sum(every > SLOWER * published)), int(every.size)
    median = results.outcome(cell, OURS).median
    shown = "never found" if median is None else f"median {median:.0f} s"
    said = (
        f"{shown}, the prototype's {published:.0f} s; longer than {SLOWER:g} times that in {late}"
    )
    said += f" of {runs}, at most half"
    return Guarded(name=cell.name, bad=late, runs=runs, limit=HALF, said=said)


def _published(cell: Cell) -> float:
    return PUBLISHED.get((cell.rate, cell.base_percent, cell.fault_percent), 0.0)


def tail(bad: int, runs: int, probability: float) -> float:
    """The probability of at least `bad` in `runs` independent trials."""
    if bad <= 0:
        return 1.0
    logs = [
        lgamma(runs + 1)
        - lgamma(count + 1)
        - lgamma(runs - count + 1)
        + count * log(probability)
        + (runs - count) * log1p(-probability)
        for count in range(bad, runs + 1)
    ]
    top = max(logs)
    return min(1.0, exp(top) * sum(exp(each - top) for each in logs))
