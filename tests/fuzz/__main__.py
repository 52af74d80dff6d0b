"""Every input by the million: `python -m tests.fuzz`.

A case is drawn from the seed, the input's name and its number: these three show it once more. Each
process has a limit of memory and each case one of time. Exit status: 0 nothing was violated, 1
something was, 130 interrupted.
"""

import argparse
import json
import multiprocessing
import secrets
import signal
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parents[1] / "functions"), str(FOLDER.parent / "functional")]

from tests.fuzz.player import (
    INPUTS,
    MEMORY_BYTES,
    Player,
    begin,
    on_time_out,
    play_chunk,
)

CHUNK = 250
CORPUS = FOLDER / "corpus"
MOST_SHOWN = 5
KINDS = ("uncaught", "claim", "mutation", "leak", "mention", "forged", "log", "hang")


def shares(cases, only):
    """How many cases each input gets."""
    if only:
        return {only: cases}
    modules = {name: import_module(f"tests.fuzz.{name}") for name in INPUTS}
    return {name: max(1, round(cases * module.SHARE)) for name, module in modules.items()}


class Count:
    """What is known of one input."""

    def __init__(self):
        self.cases, self.seconds, self.outcomes = 0, 0.0, Counter()
        self.broken, self.slowest = [], (0.0, 0)

    def add(self, count, outcomes, broken, slowest, seconds):
        self.cases += count
        self.seconds += seconds
        self.outcomes += outcomes
        self.broken += broken
        self.slowest = max(self.slowest, slowest)

    def of(self, kind):
        return sum(found[1] == kind for found in self.broken)


def main(arguments):
    """Plays what was asked for; says how far it is on the way."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="default 1,000,000")
    parser.add_argument("--seed", type=int, help="default: drawn, and printed")
    parser.add_argument("--input", choices=INPUTS, help="only this one")
    parser.add_argument("--case", type=int, help="only the case of that number, shown")
    parser.add_argument("--replay", action="store_true", help="only what was found before")
    parser.add_argument("--processes", type=int, default=2, help="default 2")
    parser.add_argument("--json", action="store_true", help="the counts as JSON, at the end")
    options = parser.parse_args(arguments)
    if options.case is not None:
        if options.input is None or options.seed is None:
            parser.error("--case: name its --input and its --seed")
        return _show(options.input, options.seed, options.case)
    if options.replay:
        return _replay(as_json=options.json)
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    say = (lambda _: None) if options.json else (lambda text: print(text, flush=True))
    say(f"seed {seed}, {options.processes} processes, {MEMORY_BYTES >> 20} MB of memory for each")
    wanted = shares(options.cases, options.input)
    counts, peak, seconds = _play(wanted, seed, options.processes, say)
    broken = [(name, *found) for name, count in counts.items() for found in count.broken]
    if options.json:
        print(json.dumps(_document(counts, seed, seconds, peak, broken)))
    else:
        _report(counts, seconds, peak)
        _report_broken(broken, seed)
    return 1 if broken else 0


def _play(wanted, seed, processes, say):
    tasks = [
        (name, seed, first, min(CHUNK, cases - first))
        for name, cases in wanted.items()
        for first in range(0, cases, CHUNK)
    ]
    # The inputs side by side, so that none waits for another's end.
    tasks.sort(key=lambda task: task[2] / wanted[task[0]])
    counts, peak, played = {name: Count() for name in wanted}, 0, 0
    began = told = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes, begin) as pool:
        for name, *found, taken in pool.imap_unordered(play_chunk, tasks):
            counts[name].add(*found)
            for number, kind, text in found[2][:1]:
                say(f"  {name} {number}: {kind}: {text[:200]}")
            peak, played = max(peak, taken), played + found[0]
            if time.monotonic() - told > 15:
                told = time.monotonic()
                broken = sum(len(count.broken) for count in counts.values())
                say(f"  {played:,} cases, {broken} violated, {told - began:.0f} s")
    return counts, peak, time.monotonic() - began


def _show(name, seed, number):
    """One case, as it is and what comes of it."""
    signal.signal(signal.SIGPROF, on_time_out)
    player, out = Player(), sys.stderr
    case = player.make(name, seed, number)
    out.write(json.dumps({"input": name, "case": case}, indent=1) + "\n")
    word, violation = player.play(name, case)
    out.write(f"{player.stage.logged()}{word or violation}\n")
    if violation and violation[0] == "uncaught":
        player.stage.logged()
        player.inputs[name].run(case, player.stage)
    return 1 if violation else 0


def _replay(*, as_json):
    """Every case of the corpus."""
    player, out, broken = Player(), sys.__stdout__, []
    kept = sorted(CORPUS.glob("*/*.json"))
    for path in kept:
        _, violation = player.play(path.parent.name, json.loads(path.read_text())["case"])
        if violation:
            broken.append({"input": path.parent.name, "case": path.stem, "text": violation[1]})
    if as_json:
        out.write(json.dumps({"cases": len(kept), "violations": broken}) + "\n")
    else:
        out.write(f"{len(kept)} cases, {len(broken)} violated\n")
        out.writelines(f"VIOLATED: {one}\n" for one in broken)
    return 1 if broken else 0


def _document(counts, seed, seconds, peak, broken):
    return {
        "seed": seed,
        "cases": sum(count.cases for count in counts.values()),
        "seconds": round(seconds, 1),
        "peak_mb": peak,
        "inputs": {
            name: {
                "cases": count.cases,
                "cases_a_second": round(count.cases / max(count.seconds, 0.001)),
                "slowest_ms": round(1000 * count.slowest[0]),
                "outcomes": dict(count.outcomes.most_common()),
                "violations": dict(Counter(found[1] for found in count.broken)),
            }
            for name, count in counts.items()
        },
        "violations": [
            {"input": name, "case": number, "kind": kind, "text": text}
            for name, number, kind, text in broken
        ],
    }


def _report(counts, seconds, peak):
    total = sum(count.cases for count in counts.values())
    print(f"{total:,} cases in {seconds:.0f} s; the largest process took {peak} MB")
    print(f"{'input':<10}{'cases':>10}{'a second':>10}{'slowest':>10}", end="")
    print("".join(f"{kind:>10}" for kind in KINDS), f"{'other':>9}")
    for name, count in counts.items():
        known = [count.of(kind) for kind in KINDS]
        rate, slowest = count.cases / max(count.seconds, 0.001), 1000 * count.slowest[0]
        print(f"{name:<10}{count.cases:>10,}{rate:>10,.0f}{slowest:>7,.0f} ms", end="")
        print("".join(f"{n:>10}" for n in known), f"{len(count.broken) - sum(known):>9}")
    for name, count in counts.items():
        print(f"{name}:")
        for word, number in count.outcomes.most_common():
            print(f"  {number:>9,}  {word}")


def _report_broken(broken, seed):
    shown = Counter()
    for name, number, kind, text in broken:
        shown[name, kind] += 1
        if shown[name, kind] <= MOST_SHOWN:
            print(f"VIOLATED: {kind} in {name}: {text[:600]}")
            print(f"  python -m tests.fuzz --input {name} --seed {seed} --case {number}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
