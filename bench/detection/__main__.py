"""The study from a terminal: `python -m bench.detection`.

Progress goes to stderr, tables to stdout, results and pictures to build/bench/detection/. Exit
status: 0 every figure that must hold does, 1 one is missed, 2 wrong arguments.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.detection import guard, ours, study, tables
from bench.detection.guard import Guarded
from bench.detection.ours import Judge
from bench.detection.study import Results
from rollback_responder import domain

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "bench" / "detection"
RUNS, SHORT_RUNS, SEED, PROCESSES = 3000, 400, 7, 2
# What the study is a study of.
UNDER_TEST = ("assessment", "evidence", "judging", "measurement", "metric", "minutes", "trigger")


def main(arguments: Sequence[str] | None = None, *, judge: Judge = ours.product_judge) -> int:
    """Plays the study, says what came of it, and writes it down."""
    options = _options(arguments)
    # First of all: the sources may change while the study runs.
    tested, began = _fingerprint(), time.monotonic()
    cells = study.short_study() if options.short else study.whole_study()
    results = study.run(
        cells, runs=options.runs, seed=options.seed, processes=options.processes, judge=judge
    )
    figures = guard.guarded(results)
    seconds = time.monotonic() - began
    head = "\n".join(f"- {line}" for line in _facts(options, len(cells), seconds, tested))
    text = tables.joined(
        ["# Detection, measured", head, tables.guards(figures), *tables.pages(results)]
    )
    sys.stdout.write(text)
    sys.stdout.flush()
    _write(options.output / "results.json", _json(options, seconds, tested, figures, results))
    if not options.short:
        _draw(results, options.output)
    if options.publish:
        _write(Path(__file__).with_name("RESULTS.md"), text)
        _draw(results, ROOT / "docs" / "detection")
    missed = [each for each in figures if each.missed]
    for each in missed:
        sys.stderr.write(f"{each.sentence}\n")
    sys.stderr.write(f"{len(figures) - len(missed)} of {len(figures)} guarded figures hold\n")
    return 1 if missed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.detection", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--short", action="store_true", help="the guarded cells only, no pictures")
    parser.add_argument("--runs", type=int, help=f"watches a cell ({RUNS}; short: {SHORT_RUNS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"({SEED})")
    parser.add_argument("--processes", type=int, help=f"(at most {PROCESSES}; short: 1)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="(build/bench/detection)")
    parser.add_argument(
        "--publish", action="store_true", help="write RESULTS.md and docs/detection/ as well"
    )
    options = parser.parse_args(arguments)
    if options.publish and options.short:
        parser.error("what is published is the whole study, not the short one")
    options.runs = options.runs or (SHORT_RUNS if options.short else RUNS)
    options.processes = options.processes or (
        1 if options.short else min(PROCESSES, os.cpu_count() or 1)
    )
    if options.runs < 1 or options.processes < 1:
        parser.error("there must be at least one run and one process")
    return options


def _facts(options: argparse.Namespace, cells: int, seconds: float, tested: str) -> Iterator[str]:
    yield f"{options.runs:,} watches of 60 minutes in each of {cells} cells, seed {options.seed}"
    yield f"{seconds:.0f} s in {options.processes} process{'es' * (options.processes > 1)}"
    yield (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python"
        f" {platform.python_version()}, numpy {np.__version__}"
    )
    yield f"code under test: {', '.join(UNDER_TEST)} of the domain, SHA-256 {tested}"
    yield (
        "Monte-Carlo error: at 3,000 watches about ±0.1 points on 0.2 %, ±0.4 on 1 %, ±1.7 on 30 %"
        " (95 %)"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _fingerprint() -> str:
    """Of the sources under test, so that it shows whether published results are of today's code."""
    folder = Path(next(iter(domain.__path__)))
    sources = [(folder / f"{name}.py").read_bytes() for name in UNDER_TEST]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:12]


def _json(
    options: argparse.Namespace,
    seconds: float,
    tested: str,
    figures: Sequence[Guarded],
    results: Results,
) -> str:
    document: dict[str, Any] = {
        "runs": options.runs,
        "seed": options.seed,
        "seconds": round(seconds, 1),
        "code_under_test": tested,
        "guarded": [
            {
                "figure": each.name,
                "bad": each.bad,
                "runs": each.runs,
                "limit": each.limit,
                "missed": each.missed,
            }
            for each in figures
        ],
        "cells": {
            cell.name: {
                method: {
                    "acted": outcome.acted,
                    "median_seconds": outcome.median and round(outcome.median, 1),
                    "p95_seconds": outcome.p95 and round(outcome.p95, 1),
                }
                for method in results.methods(cell)
                for outcome in [results.outcome(cell, method)]
            }
            for cell in results.cells
        },
    }
    return json.dumps(document, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _draw(results: Results, folder: Path) -> None:
    # Matplotlib is slow to import, and nobody needs it before.
    for path in import_module("bench.detection.plots").draw(results, folder):
        sys.stderr.write(
            f"wrote {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}\n"
        )


if __name__ == "__main__":
    sys.exit(main())
