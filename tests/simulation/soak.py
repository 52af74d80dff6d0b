"""Histories by the hundred thousand: `python -m tests.simulation.soak`.

Exit status: 0 nothing was violated and every frozen outcome came out, 1 something was, with the
seeds that replay it, 130 interrupted.
"""

import argparse
import json
import logging
import multiprocessing
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.simulation.checker import incidents_of, violations_of
from tests.simulation.exhaustive import FROZEN, KINDS, outcomes_of
from tests.simulation.story import Story

RATES = (0.05, 0.2, 0.4)
CHUNK = 250
# How many faults a schedule has at most. Stopping and redeploying take the most calls, and are the
# same code as the others up to the last one: their three-fault schedules are for the long run.
MOST_FAULTS = {"move": 3, "stop": 2, "cancel": 3, "redeploy": 2}
LONG_RUN = 1_000_000
# Below this it is a short run, as in CI: at most two faults.
WHOLE_RUN = 50_000


def play(seed, rate):
    """One history; what was violated, and what to count."""
    story = Story(seed, rate)
    story.play()
    return story, violations_of(story)


def play_chunk(task):
    """Some histories; runs in a process of its own."""
    first, count, rate = task
    logging.disable(logging.CRITICAL)
    calls, outcomes, mutations, violations = 0, Counter(), Counter(), []
    for seed in range(first, first + count):
        story, found = play(seed, rate)
        calls += story.world.calls
        mutations.update(mutation.kind for mutation in story.world.mutations)
        outcomes.update(f"{i.state.value} {i.reason.value}" for i in incidents_of(story).values())
        if found:
            violations.append((seed, rate, found))
    return count, calls, mutations, outcomes, violations


def exhaust_chunk(task):
    """One part of the schedules of one kind."""
    kind, faults, part, parts = task
    logging.disable(logging.CRITICAL)
    return kind, faults, *outcomes_of(kind, faults, part=part, parts=parts)


def main(arguments):
    """Plays what was asked for; says how far it is on the way."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="how many (default 100,000)")
    parser.add_argument("--seed", type=int, help="the first seed (default: drawn, and printed)")
    parser.add_argument("--rate", type=float, help="faults a call; default 5, 20 and 40 percent")
    parser.add_argument("--freeze", action="store_true", help="write outcomes.json anew")
    parser.add_argument("--json", action="store_true", help="the counts as JSON, at the end")
    options = parser.parse_args(arguments)
    if options.freeze and options.histories < WHOLE_RUN:
        parser.error(f"--freeze: got {options.histories} histories; allowed: {WHOLE_RUN} or more")
    first = secrets.randbelow(10**9) if options.seed is None else options.seed
    rates = RATES if options.rate is None else (options.rate,)
    say = (lambda _: None) if options.json else print
    say(f"first seed {first}, commit {_commit()}, {os.cpu_count()} processes")
    with multiprocessing.Pool() as pool:
        tables, wrong = _exhaust(pool, say, most_faults(options.histories))
        counts, violations = _play(pool, first, options.histories, rates, say)
    if options.freeze:
        FROZEN.write_text(json.dumps(tables, indent=2, sort_keys=True) + "\n")
        say(f"wrote {FROZEN.name}")
    frozen = json.loads(FROZEN.read_text())
    changed = any(
        frozen[kind][n] != counts for kind, by in tables.items() for n, counts in by.items()
    )
    if options.json:
        print(json.dumps(counts | {"schedules": tables, "violations": violations}, default=str))
    else:
        _report(counts, tables)
        for seed, rate, found in violations:
            print(f"VIOLATED by seed {seed} at rate {rate}:", *found, sep="\n   ")
        for kind, faults in wrong:
            print(f"WRONG in {kind}:", *faults, sep="\n   ")
        if changed:
            print(f"the outcomes of the schedules differ from {FROZEN.name}")
    return 1 if violations or wrong or changed else 0


def _play(pool, first, histories, rates, say):
    """Random histories, a third at each rate."""
    share = -(-histories // len(rates))
    tasks = [
        (first + start, min(CHUNK, share - start), rate)
        for start in range(0, share, CHUNK)
        for rate in rates
    ]
    played, calls, mutations, outcomes, violations = 0, 0, Counter(), Counter(), []
    began = told = time.monotonic()
    for count, made, acted, ended, found in pool.imap_unordered(play_chunk, tasks):
        played, calls = played + count, calls + made
        mutations, outcomes = mutations + acted, outcomes + ended
        violations += found
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(
                f"  {played:,} histories, {calls:,} calls, {mutations.total():,} mutations,"
                f" {len(violations)} violated, {told - began:.0f} s"
            )
    return {
        "histories": played,
        "calls": calls,
        "mutations": dict(mutations),
        "outcomes": dict(outcomes.most_common()),
        "seconds": round(time.monotonic() - began),
        "first_seed": first,
    }, violations


def most_faults(histories):
    """How many faults a schedule has at most, by the kind of rollback, in a run of that length."""
    if histories >= LONG_RUN:
        return dict.fromkeys(KINDS, 3)
    return MOST_FAULTS if histories >= WHOLE_RUN else dict.fromkeys(KINDS, 2)


def _exhaust(pool, say, most):
    """Every schedule of so many faults, counted by outcome."""
    parts = 16
    tasks = [
        (kind, faults, part, parts)
        for kind in KINDS
        for faults in range(1, most[kind] + 1)
        for part in range(parts)
    ]
    found = {kind: {str(n): Counter() for n in range(1, most[kind] + 1)} for kind in KINDS}
    wrong, told = [], time.monotonic()
    for done, (kind, faults, counts, faulty) in enumerate(
        pool.imap_unordered(exhaust_chunk, tasks)
    ):
        found[kind][str(faults)] += counts
        wrong += [(f"{kind} with {faults} faults", faulty[:5])] if faulty else []
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(f"  schedules: {done + 1} of {len(tasks)} parts")
    tables = {
        kind: {n: dict(sorted(c.items())) for n, c in by.items()} for kind, by in found.items()
    }
    return tables, wrong


def _report(counts, tables):
    print(
        f"{counts['histories']:,} histories from seed {counts['first_seed']}, {counts['calls']:,}"
        f" calls, {sum(counts['mutations'].values()):,} mutations, {counts['seconds']} s"
    )
    for kind, count in counts["mutations"].items():
        print(f"  {count:9,}  {kind}")
    print("how incidents ended:")
    for outcome, count in counts["outcomes"].items():
        print(f"  {count:9,}  {outcome}")
    print("every schedule of faults on the canonical incident:")
    for kind, by_faults in tables.items():
        for faults, outcomes in by_faults.items():
            print(f"  {kind}, {faults} fault{'' if faults == '1' else 's'}:")
            for outcome, count in outcomes.items():
                print(f"  {count:9,}  {outcome}")


def _commit():
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
