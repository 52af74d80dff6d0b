"""The study: which cells are played, and what each method did in them."""

import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from bench.detection import gates, ours
from bench.detection.ours import QUESTION, QUESTION_3_OF_5, THRESHOLD_PERCENT, Judge
from bench.detection.rivals import RIVALS
from bench.detection.traffic import (
    WHOLE,
    WOBBLES,
    Cell,
    Flags,
    Floats,
    Scenario,
    Traffic,
    delays,
    failing_siblings,
    simulate,
)

RATES = (1, 10, 100, 1000)
BASES = (0.1, 1.0)
FAULTS = (6.0, 10.0, 50.0)
CANARIES = (1, 10, 50)
CANARY = 10
HEALTHY = (
    Scenario.NONE,
    Scenario.BLIP,
    Scenario.OUTAGE,
    Scenario.COLD,
    Scenario.COLD_MINUTE,
)

# Methods of ours. While traffic is shifting:
OURS = "ours"
OURS_3_OF_5 = "ours, 3 of 5"
# All at once, with one gate after the other:
ALARM_ONLY = "ours, woken by the alarm"
ONSET = "ours, onset rule"
SIBLINGS = "ours, three siblings"
SIBLINGS_70 = "ours, siblings sharing at 70 %"
BOTH = "ours, onset rule and three siblings"
BOTH_70 = "ours, onset rule and siblings sharing at 70 %"
BLIND = "ours, both gates, versions not told apart"
ALWAYS, MOSTLY = 1.0, 0.7
# Seconds between two words on how far it is.
TELL_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one cell: by method, each run's delay in seconds, infinite without an act."""

    cell: Cell
    delays: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A method in a cell.

    Attributes:
        runs: how many watches.
        acted: in how many of them it would have rolled back.
        median, p95: seconds of those in which it did; None without any.
    """

    runs: int
    acted: int
    median: float | None
    p95: float | None

    @property
    def share(self) -> float:
        """The part of the watches in which it would have rolled back."""
        return self.acted / self.runs


class Results:
    """Every cell's outcome."""

    def __init__(self, played: Sequence[Played]) -> None:
        self._played = {each.cell: each.delays for each in played}

    @property
    def cells(self) -> list[Cell]:
        """Which cells were played, in order."""
        return sorted(self._played)

    def methods(self, cell: Cell) -> list[str]:
        """Which methods judged a cell."""
        return list(self._played[cell])

    def has(self, cell: Cell, method: str) -> bool:
        """Whether a method judged a cell."""
        return method in self._played.get(cell, {})

    def delays(self, cell: Cell, method: str) -> Floats:
        """Each run's delay."""
        return self._played[cell][method]

    def outcome(self, cell: Cell, method: str) -> Outcome:
        """What a method did in a cell."""
        every = self._played[cell][method]
        found = every[np.isfinite(every)]
        median, p95 = np.percentile(found, (50, 95)).tolist() if found.size else (None, None)
        return Outcome(runs=int(every.size), acted=int(found.size), median=median, p95=p95)


def whole_study() -> list[Cell]:
    """Every cell of the full study."""
    found = []
    for rate, base in product(RATES, BASES):
        for share in (*CANARIES, WHOLE):
            found += [_cell(scenario, rate, base, share) for scenario in HEALTHY]
            found += [_cell(Scenario.FAULT, rate, base, share, fault) for fault in FAULTS]
        found += [_cell(scenario, rate, base) for scenario in WOBBLES]
        found += [_cell(Scenario.LATE, rate, base, fault=fault) for fault in FAULTS]
    return found


def short_study() -> list[Cell]:
    """The cells that are guarded, and no others."""
    return [cell for cell in whole_study() if is_guarded(cell)]


def is_guarded(cell: Cell) -> bool:
    """Whether a figure of the cell is to be held (see `guard.py`)."""
    if cell.rate == min(RATES):
        return False
    if cell.at_once:
        return cell.scenario is Scenario.OUTAGE
    barred = {Scenario.NONE, Scenario.BLIP, Scenario.OUTAGE, Scenario.COLD, Scenario.FAULT}
    return cell.share_percent == CANARY and cell.scenario in barred


def _cell(
    scenario: Scenario, rate: int, base: float, share: int = CANARY, fault: float = 0.0
) -> Cell:
    return Cell(
        scenario=scenario, rate=rate, base_percent=base, share_percent=share, fault_percent=fault
    )


def play(cell: Cell, *, runs: int, seed: int, judge: Judge = ours.product_judge) -> Played:
    """Every method on the same traffic of one cell."""
    traffic = simulate(cell, runs, seed)
    ask = _at_once if cell.at_once else _shifting
    found = {name: delays(mask, traffic) for name, mask in ask(traffic, seed, judge)}
    found |= {name: delays(rival(traffic), traffic) for name, rival in RIVALS.items()}
    return Played(cell, found)


def _shifting(traffic: Traffic, _: int, judge: Judge) -> Iterator[tuple[str, Flags]]:
    yield OURS, ours.acts(traffic, judge)
    cell = traffic.cell
    if cell.share_percent == CANARY and (cell.scenario in WOBBLES or cell.is_fault):
        yield OURS_3_OF_5, ours.acts(traffic, judge, question=QUESTION_3_OF_5)


def _at_once(traffic: Traffic, seed: int, judge: Judge) -> Iterator[tuple[str, Flags]]:
    """Ours behind the alias' alarm, and with each gate that the product sets before it."""
    failing = {
        dependency: failing_siblings(
            traffic, seed, dependency=dependency, threshold_percent=THRESHOLD_PERCENT
        )
        for dependency in (ALWAYS, MOSTLY)
    }
    methods: dict[str, tuple[bool, Flags | None, bool]] = {
        ALARM_ONLY: (False, None, True),
        ONSET: (True, None, True),
        SIBLINGS: (False, failing[ALWAYS], True),
        SIBLINGS_70: (False, failing[MOSTLY], True),
        BOTH: (True, failing[ALWAYS], True),
        BOTH_70: (True, failing[MOSTLY], True),
        BLIND: (True, failing[ALWAYS], False),
    }
    for name, (onset, siblings, apart) in methods.items():
        may = gates.allowed(traffic, QUESTION, onset=onset, siblings=siblings)
        yield name, ours.acts(traffic, judge, allowed=may, excused=siblings, apart=apart)


def run(
    cells: Sequence[Cell],
    *,
    runs: int,
    seed: int,
    processes: int,
    judge: Judge = ours.product_judge,
) -> Results:
    """Plays the cells, and says on stderr how far it is."""
    one = partial(play, runs=runs, seed=seed, judge=judge)
    if processes == 1:
        return Results(list(_telling(map(one, cells), len(cells))))
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return Results(list(_telling(pool.imap_unordered(one, cells), len(cells))))


def _telling(played: Iterator[Played], count: int) -> Iterator[Played]:
    began = told = time.monotonic()
    for number, each in enumerate(played, start=1):
        now = time.monotonic()
        if now - told > TELL_EVERY or number == count:
            told = now
            sys.stderr.write(f"{number} of {count} cells, {now - began:.0f} s\n")
        yield each
