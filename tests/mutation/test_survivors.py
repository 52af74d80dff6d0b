"""The file of survivors is about code that is there; faults are made, put in and noticed."""

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.mutation.mutants import (
    GATES_AND_TRANSITIONS,
    ROOT,
    modules,
    mutants,
    path_of,
    plain,
)
from tests.mutation.triage import ACCEPTED, EQUIVALENT, survivors

SURVIVORS = survivors()


@pytest.mark.parametrize("key", SURVIVORS, ids=lambda key: f"{key[0]}:{key[1]}")
def test_a_survivor_is_about_code_that_is_there_and_has_a_reason(key):
    module, where, was, _ = key
    text = path_of(module).read_text(encoding="utf-8")
    entry = SURVIVORS[key]

    assert all(re.search(rf"\b{name}\b", text) for name in where.split("."))
    assert was in plain(text)
    assert entry.keys() == {"module", "where", "was", "now", "kind", "reason"}
    assert entry["kind"] in {EQUIVALENT, ACCEPTED}
    assert entry["reason"]


def test_nothing_survives_in_gates_and_transitions_but_what_is_no_fault():
    assert set(modules()) >= GATES_AND_TRANSITIONS
    exact = [entry for key, entry in SURVIVORS.items() if key[0] in GATES_AND_TRANSITIONS]
    assert all(entry["kind"] == EQUIVALENT for entry in exact)


def test_faults_are_made_in_functions_properties_and_tables():
    made = list(mutants("domain.leg"))
    places = Counter(mutant.where for mutant in made)

    assert {"due", "Leg.is_over", "ENDED", "LONGEST"} <= places.keys()
    assert not any("assert_never(" in mutant.was for mutant in made)
    assert all(mutant.was != mutant.now for mutant in made)


# It has not imported what it breaks.
TRIAL = """
import json, time
from tests.mutation.mutants import mutants
from tests.mutation.runner import collected, fork, race, told, try_in_body, try_in_table

def tried(module, start, chosen):
    made = [mutant for mutant in mutants(module) if chosen(mutant)]
    return sorted({verdict for _, verdict in race(made, start, 2)})

def in_bodies(bench):
    reach = bench.reach()
    start = lambda mutant: try_in_body(bench, reach, mutant)
    return reach, {
        "reached": tried("domain.freeze", start, lambda mutant: mutant.where == "is_frozen"),
        "not reached": tried("domain.week", start, lambda mutant: mutant.where == "Week.minutes"),
    }

tests = ["tests/unit/test_freeze.py", "tests/unit/test_refusal.py"]
reach, found = told(lambda: collected(tests, in_bodies))
for code in ("ThrottlingException", "ExpiredToken"):
    entry = f'"{code}": '
    found[code] = tried(
        "actions.refusal",
        lambda mutant: try_in_table(reach, mutant),
        lambda mutant: mutant.was.startswith(entry) and not mutant.now,
    )
endless = lambda _: fork(lambda: time.sleep(60), 1)
found["endless"] = [verdict for _, verdict in race([0], endless, 1)]
print()
print(json.dumps(found))
"""


def test_what_the_tests_notice_is_killed_and_what_they_do_not_survives():
    run = subprocess.run(
        [sys.executable, "-c", TRIAL], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert json.loads(run.stdout.splitlines()[-1]) == {
        "reached": ["killed"],
        "not reached": ["no tests"],
        # Entries of a table, taken out of it; `test_refusal` asks about the first.
        "ThrottlingException": ["killed"],
        "ExpiredToken": ["survived"],
        "endless": ["timeout"],
    }
