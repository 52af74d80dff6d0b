"""Three pictures of the results. Matplotlib is imported here and nowhere else."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.detection.study import (
    ALARM_ONLY,
    BOTH,
    BOTH_70,
    CANARY,
    FAULTS,
    ONSET,
    OURS,
    RATES,
    SIBLINGS,
    SIBLINGS_70,
    Results,
)
from bench.detection.tables import percent
from bench.detection.traffic import WHOLE, Cell, Scenario

BASE = 1.0
METHODS = {
    "version alarm 1/1": "#c9ced6",
    "version alarm 2/3": "#9aa3b0",
    "z-test, peeking": "#e3c7a0",
    "SPRT": "#d19a66",
    "Fisher": "#7fa8c9",
    OURS: "#b3261e",
}
SCENARIOS = (Scenario.NONE, Scenario.BLIP, Scenario.OUTAGE, Scenario.COLD, Scenario.COLD_MINUTE)
AT_ONCE = {
    ALARM_ONLY: ("alarm and e-value alone", "#c9ced6"),
    ONSET: ("with the onset rule", "#9aa3b0"),
    SIBLINGS_70: ("with 3 siblings, each sharing it at 70 %", "#7fa8c9"),
    SIBLINGS: ("with 3 siblings that share it", "#4f7da1"),
    BOTH_70: ("with both, siblings at 70 %", "#e08a84"),
    BOTH: ("with both", "#b3261e"),
}
DPI = 110


def draw(results: Results, folder: Path) -> list[Path]:
    """Writes what the results allow; returns the files."""
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "false-rollbacks.png": _false_rollbacks(results),
        "delay.png": _delay(results),
        "all-at-once.png": _at_once(results),
    }
    written = []
    for name, figure in pictures.items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
        plt.close(figure)
        written.append(folder / name)
    return written


def _figure(title: str, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(
        rows, 1, figsize=(8.2, 3.6 * rows), squeeze=False, layout="constrained"
    )
    found: list[Axes] = list(axes[:, 0])
    figure.suptitle(title, fontsize=11)
    for each in found:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(axis="y", color="#e6e6e6", linewidth=0.8)
        each.set_axisbelow(True)
    return figure, found


def _bars(axes: Axes, groups: list[str], series: dict[str, tuple[list[float], str]]) -> None:
    """Bars by group, each with its number."""
    width = 0.84 / len(series)
    places = np.arange(len(groups))
    for index, (label, (values, color)) in enumerate(series.items()):
        at = places + (index - (len(series) - 1) / 2) * width
        bars = axes.bar(at, values, width * 0.94, label=label, color=color)
        axes.bar_label(
            bars, labels=[percent(value / 100) for value in values], fontsize=6, padding=1
        )
    axes.set_xticks(places, groups)
    axes.set_ylim(0, 108)
    axes.set_ylabel("false rollbacks, % of watched hours")


def _false_rollbacks(results: Results) -> Figure:
    figure, axes = _figure("Nothing is wrong with the new version: who rolls it back? Base 1 %", 2)
    for each, rate in zip(axes, (10, 1000), strict=True):
        series = {
            method: (
                [_percent(results, _cell(s, rate), method) for s in SCENARIOS],
                color,
            )
            for method, color in METHODS.items()
        }
        _bars(each, [str(s) for s in SCENARIOS], series)
        each.set_title(f"canary {CANARY} %, {rate}/s", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, fontsize=7, ncols=len(labels), loc="outside lower center", frameon=False
    )
    return figure


def _delay(results: Results) -> Figure:
    title = "From the deploy to the decision: median, and up to the 95th percentile"
    figure, (axes,) = _figure(title)
    markers = {"version alarm 2/3": "s", OURS: "o"}
    shades = {6.0: "#f0b6b2", 10.0: "#d96c65", 50.0: "#b3261e"}
    greys = {6.0: "#d5d9df", 10.0: "#a7afba", 50.0: "#6b7480"}
    for index, (method, fault) in enumerate(
        (method, fault) for method in markers for fault in FAULTS
    ):
        color = (shades if method == OURS else greys)[fault]
        outcomes = [
            results.outcome(_cell(Scenario.FAULT, rate, fault=fault), method) for rate in RATES
        ]
        medians = np.array([each.median or np.nan for each in outcomes])
        tops = np.array([each.p95 or np.nan for each in outcomes])
        at = np.arange(len(RATES)) + (index - 2.5) * 0.11
        axes.errorbar(
            at,
            medians,
            yerr=[np.zeros(len(RATES)), tops - medians],
            fmt=markers[method],
            color=color,
            markersize=5,
            capsize=2,
            label=f"{method}, fault {fault:g} %",
        )
    axes.set_yscale("log")
    ticks = (60, 120, 300, 600, 1200, 3600)
    axes.set_yticks(ticks, [str(each) for each in ticks])
    axes.set_yticks((), minor=True)
    axes.set_xticks(np.arange(len(RATES)), [f"{rate}/s" for rate in RATES])
    axes.set_ylabel("seconds")
    axes.set_title(
        f"canary {CANARY} %, base 1 %, metric lag 60 s, by requests a second", fontsize=9
    )
    axes.legend(fontsize=7, ncols=2, loc="upper right", frameon=False)
    return figure


def _at_once(results: Results) -> Figure:
    figure, (axes,) = _figure(
        "All traffic at once, then a shared outage: who rolls back? Base 1 %, by requests a second"
    )
    series = {
        label: (
            [_percent(results, _cell(Scenario.OUTAGE, rate, WHOLE), method) for rate in RATES],
            color,
        )
        for method, (label, color) in AT_ONCE.items()
    }
    _bars(axes, [f"{rate}/s" for rate in RATES], series)
    axes.set_ylim(0, 140)
    axes.set_yticks(range(0, 101, 20))
    axes.legend(fontsize=7, ncols=2, loc="upper left", frameon=False)
    return figure


def _percent(results: Results, cell: Cell, method: str) -> float:
    return 100 * results.outcome(cell, method).share


def _cell(scenario: Scenario, rate: int, share: int = CANARY, *, fault: float = 0.0) -> Cell:
    return Cell(
        scenario=scenario,
        rate=rate,
        base_percent=BASE,
        share_percent=share,
        fault_percent=fault,
    )
