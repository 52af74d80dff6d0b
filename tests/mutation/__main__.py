"""Breaks the code, one small fault at a time, and counts how many of them the tests notice.

    python -m tests.mutation [--only gates,leg] [--tests tests/unit/test_leg.py] [--jobs 2]

Exit code 1 where a fault goes unnoticed that survivors.toml does not name, where it names one that
is noticed or is no more, or where a score is too low.
"""

import argparse
import sys
import time

from tests.mutation import triage
from tests.mutation.mutants import modules, mutants
from tests.mutation.runner import REFUSED, collected, race, told, try_in_body, try_in_table
from tests.mutation.typed import type_checker

TESTS = {
    "domain": ["tests/unit", "--ignore=tests/unit/local"],
    "actions": [
        "tests/unit/test_refusal.py",
        "tests/adapters/test_actions.py",
        "tests/adapters/test_lambda_alias.py",
        "tests/adapters/test_codedeploy_group.py",
        "tests/adapters/test_cloudformation_stack.py",
        "tests/adapters/test_every_page.py",
    ],
}


def main(arguments):
    """Tries all mutants and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="modules, by their names, with commas between")
    parser.add_argument("--tests", nargs="+", help="these alone, while writing them")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time (default 1)")
    options = parser.parse_args(arguments)
    only = {name for name in options.only.split(",") if name}
    wanted = [name for name in modules() if not only or name.rpartition(".")[2] in only]
    results = []
    for room, tests in TESTS.items():
        if names := [name for name in wanted if name.startswith(f"{room}.")]:
            results += try_all(names, options.tests or tests, options.jobs)
    results = with_types(results)
    triage.print_new(results)
    return triage.report(results, whole=not only)


def try_all(names, tests, jobs):
    """Each mutant of these modules, with its verdict."""

    def in_bodies(bench):
        reach = bench.reach()
        print(f"{len(reach.seconds)} tests, {sum(reach.seconds.values()):.0f} s", flush=True)
        return reach, tried(names, True, lambda mutant: try_in_body(bench, reach, mutant), jobs)

    reach, results = told(lambda: collected(tests, in_bodies))
    return results + tried(names, False, lambda mutant: try_in_table(reach, mutant), jobs)


def tried(names, in_body, start, jobs):
    """Those in bodies of functions, or the others, with their verdicts; a line for each module."""
    results = []
    for name in names:
        began = time.monotonic()
        chosen = [mutant for mutant in mutants(name) if mutant.in_body is in_body]
        verdicts = [(mutant.key, verdict) for mutant, verdict in race(chosen, start, jobs)]
        results += verdicts
        place = "functions" if in_body else "tables"
        print(
            f"{name}: {len(chosen)} faults in {place}, {time.monotonic() - began:.0f} s", flush=True
        )
    return results


def with_types(results):
    """The same, where what no test noticed is shown to the type checker."""
    unnoticed = {key for key, verdict in results if verdict in triage.UNNOTICED}
    named = sorted({key[0] for key in unnoticed})
    with type_checker() as refuses:
        refused = {
            mutant.key
            for name in named
            for mutant in mutants(name)
            if mutant.key in unnoticed and refuses(mutant)
        }
    return [(key, REFUSED if key in refused else verdict) for key, verdict in results]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
