"""The results as Markdown. What was not played has no row and no column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from bench.detection import guard
from bench.detection.guard import PUBLISHED, PUBLISHED_LATE, Guarded, Medians
from bench.detection.rivals import RIVALS
from bench.detection.study import (
    ALARM_ONLY,
    BASES,
    BLIND,
    BOTH,
    BOTH_70,
    CANARIES,
    CANARY,
    FAULTS,
    HEALTHY,
    ONSET,
    OURS,
    OURS_3_OF_5,
    RATES,
    SIBLINGS,
    SIBLINGS_70,
    Results,
)
from bench.detection.traffic import WHOLE, WOBBLES, Cell, Scenario

AT_ONCE = (ALARM_ONLY, ONSET, SIBLINGS, SIBLINGS_70, BOTH, BOTH_70, BLIND)
ALARMS_AND_TESTS = (
    "version alarm 1/1",
    "version alarm 2/3",
    "z-test, peeking",
    "SPRT",
    "Fisher",
)
SERVICES = tuple(product(RATES, BASES))
NOTHING = "-"
# From how many percent on no decimal is shown, and from how many on one.
WHOLE_FROM, ONE_FROM = 10, 1
FEW = 0.001

Row = Sequence[str]


class Section(NamedTuple):
    """Tables with a heading and a sentence."""

    title: str
    said: str
    tables: Iterable[str]


def pages(results: Results) -> Iterator[str]:
    """Every section that has a table."""
    for section in _sections(results):
        found = "\n\n".join(section.tables)
        if found:
            yield f"## {section.title}\n\n{section.said}\n\n{found}"


def _sections(results: Results) -> Iterator[Section]:
    yield Section(
        f"False rollbacks, canary {CANARY} %",
        "In percent of the watched hours. Nothing is wrong with the new version, except for a cold"
        " start: 8 % errors until the deploy's minute is over, as in the reference, or for the"
        " sixty seconds after the deploy (cold minute).",
        _by_method(results, CANARY, [OURS, *RIVALS], HEALTHY),
    )
    yield Section(
        "False rollbacks, ours, by the canary's share",
        "In percent of the watched hours.",
        _by_share(results),
    )
    yield Section(
        f"False rollbacks, errors in bursts, canary {CANARY} %",
        "In percent of the watched hours. Each minute has an error rate of its own around the base"
        " (Beta, with the coefficient of variation as said): the same one for both versions"
        " (together), or one for each (apart). No test on counts can tell the latter from a fault.",
        _by_method(results, CANARY, [OURS, OURS_3_OF_5, *ALARMS_AND_TESTS], tuple(WOBBLES)),
    )
    yield Section(
        f"Delay of detection, canary {CANARY} %",
        "Median / 95th percentile in seconds, from the deploy to the decision, over the hours in"
        " which the fault was found; in brackets how many these are, where it is not all. The ratio"
        " is that of our median to the prototype's.",
        _delays(results, Scenario.FAULT, PUBLISHED),
    )
    yield Section(
        "Delay of detection, ours, by the new version's share",
        "As above. All at once: behind the alias' alarm and both gates, with healthy siblings.",
        _delays_by_share(results),
    )
    yield Section(
        f"Delay of detection, fault 30 minutes after the deploy, canary {CANARY} %",
        "As above, from the fault. Decisions before it are left out.",
        _delays(results, Scenario.LATE, PUBLISHED_LATE),
    )
    yield Section(
        "False rollbacks, all traffic at once",
        "In percent of the watched hours, by what stands before a rollback. A sibling shares the"
        " failing dependency surely, or with a chance of 70 %.",
        _by_method(results, WHOLE, [*AT_ONCE, *ALARMS_AND_TESTS], HEALTHY),
    )


def guards(figures: Sequence[Guarded]) -> str:
    """The figures that must hold, and whether they do."""
    rows = [(each.name, each.said, _held(each)) for each in figures]
    rule = (
        f"Missed is a figure whose bad hours would be as many with a probability below"
        f" {guard.SURELY:g} if it were exactly at its limit (one-sided, exact binomial)."
    )
    return f"## Figures that must hold\n\n{rule}\n\n{_table(('figure', 'found', ''), rows)}"


def _held(each: Guarded) -> str:
    if each.missed:
        return "**missed**"
    return "above, within the error" if each.bad > each.limit * each.runs else "held"


def _table(head: Row, rows: Sequence[Row]) -> str:
    """Empty where there is no row, and without the columns in which no row has anything."""
    kept = [
        column
        for column in range(len(head))
        if any(row[column].strip("*") != NOTHING for row in rows)
    ]
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line[column] for column in kept) + " |" for line in lines)


def percent(share: float) -> str:
    """A share in percent, with the digits that thousands of hours carry."""
    value = 100 * share
    places = 0 if value == 0 or value >= WHOLE_FROM else 1 if value >= ONE_FROM else 2
    return f"{value:.{places}f}"


def _cell(
    scenario: Scenario, rate: int, base: float, share: int = CANARY, fault: float = 0.0
) -> Cell:
    return Cell(
        scenario=scenario, rate=rate, base_percent=base, share_percent=share, fault_percent=fault
    )


def _services() -> list[str]:
    return [f"{rate}/s, {base:g} %" for rate, base in SERVICES]


# -- false rollbacks --------------------------------------------------------------------------


def _by_method(
    results: Results, share: int, methods: Sequence[str], scenarios: Sequence[Scenario]
) -> Iterator[str]:
    """A table for each scenario, a row for each method, a column for each service."""
    for scenario in scenarios:
        rows = _false_rows(results, scenario, {method: (share, method) for method in methods})
        if rows:
            yield f"### {scenario}\n\n{_table([str(scenario), *_services()], rows)}"


def _by_share(results: Results) -> Iterator[str]:
    for scenario in HEALTHY:
        rows = _false_rows(results, scenario, {f"{s} %": (s, OURS) for s in CANARIES})
        if len(rows) == len(CANARIES):
            yield _table([f"{scenario}, canary", *_services()], rows)


def _false_rows(
    results: Results, scenario: Scenario, rows: Mapping[str, tuple[int, str]]
) -> list[Row]:
    """The rows that have anything: by name, the share and the method."""
    found: list[Row] = []
    for name, (share, method) in rows.items():
        cells = [_cell(scenario, rate, base, share) for rate, base in SERVICES]
        shown = [
            percent(results.outcome(cell, method).share) if results.has(cell, method) else NOTHING
            for cell in cells
        ]
        if any(each != NOTHING for each in shown):
            found.append([f"**{each}**" if name == OURS else each for each in (name, *shown)])
    return found


# -- delays -----------------------------------------------------------------------------------


def _delays(results: Results, scenario: Scenario, published: Medians) -> Iterator[str]:
    methods = (OURS, OURS_3_OF_5, *RIVALS)
    rows = []
    for (rate, base), fault in product(SERVICES, FAULTS):
        cell = _cell(scenario, rate, base, fault=fault)
        if not results.has(cell, OURS):
            continue
        known, median = published.get((rate, base, fault)), results.outcome(cell, OURS).median
        ratio = NOTHING if known is None or median is None else f"{median / known:.2f}"
        shown = [_delay(results, cell, method) for method in methods]
        prototype = NOTHING if known is None else f"{known:.0f}"
        rows.append([f"{rate}/s, {base:g} → {fault:g} %", prototype, ratio, *shown])
    table = _table(("service, fault", "prototype", "ratio", *methods), rows)
    if table:
        yield table


def _delays_by_share(results: Results) -> Iterator[str]:
    columns = {f"canary {share} %": (share, OURS) for share in CANARIES}
    columns["all at once"] = (WHOLE, BOTH)
    columns["all at once, versions not told apart"] = (WHOLE, BLIND)
    rows = []
    for (rate, base), fault in product(SERVICES, FAULTS):
        cells = [
            (_cell(Scenario.FAULT, rate, base, share, fault), method)
            for share, method in columns.values()
        ]
        if all(results.has(cell, method) for cell, method in cells):
            shown = [_delay(results, cell, method) for cell, method in cells]
            rows.append([f"{rate}/s, {base:g} → {fault:g} %", *shown])
    table = _table(("service, fault", *columns), rows)
    if table:
        yield table


def _delay(results: Results, cell: Cell, method: str) -> str:
    if not results.has(cell, method):
        return NOTHING
    outcome = results.outcome(cell, method)
    if outcome.median is None or outcome.p95 is None:
        return "never"
    found = "" if outcome.acted == outcome.runs else f" ({_found(outcome.share)} %)"
    return f"{outcome.median:.0f} / {outcome.p95:.0f}{found}"


def _found(share: float) -> str:
    """Rounded down, so that less than all never reads as all; nor do a few read as none."""
    return f"{int(1000 * share) / 10:g}" if share >= FEW else f"< {100 * FEW:g}"


def joined(parts: Iterable[str]) -> str:
    """The whole page."""
    return "\n\n".join(parts) + "\n"
