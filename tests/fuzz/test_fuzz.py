"""What the fuzz has found stays found, and what is broken on purpose it finds.

It takes over standard output and the clients of a process, so each run has one of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.noise import CANARY, SECRETS, expanded

ROOT = Path(__file__).resolve().parents[2]
CAUGHT = {
    "another account's alarm is ours": {"claim", "mutation"},
    "a depth bomb is let through": {"uncaught"},
    "nothing is answered": {"dead"},
    "no secret is taken out": {"leak"},
    "the signing secret is logged": {"leak"},
    "every signature is right": {"forged"},
    "mark-up is not escaped": {"mention"},
    "a damaged incident is none": {"wrong", "mutation", "overwritten"},
}


def run(module, *arguments):
    """What a run prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines, done.stderr[-2000:]
    return done.returncode, json.loads(lines[-1])


def test_a_short_run_of_every_input_finds_nothing():
    code, found = run("tests.fuzz", "--cases", "1500", "--seed", "0", "--json")

    assert found["violations"] == []
    assert code == 0
    assert found["cases"] >= 1500
    assert found["inputs"]["envelopes"]["outcomes"]["rolled back amid noise"] > 0
    assert found["inputs"]["presses"]["outcomes"]["taken, and rolled back"] > 0


def test_a_case_is_the_same_again():
    arguments = ("--cases", "60", "--seed", "5", "--input", "policies", "--json")
    first, second = run("tests.fuzz", *arguments)[1], run("tests.fuzz", *arguments)[1]

    assert first["inputs"]["policies"]["outcomes"] == second["inputs"]["policies"]["outcomes"]


def test_what_was_found_once_stays_mended():
    code, found = run("tests.fuzz", "--replay", "--json")

    assert found["violations"] == []
    assert code == 0
    kept = list((ROOT / "tests" / "fuzz" / "corpus").glob("*/*.json"))
    assert found["cases"] == len(kept) > 10


@pytest.fixture(scope="module")
def met():
    return run("tests.fuzz.sabotage")[1]


@pytest.mark.parametrize("broken", CAUGHT)
def test_what_is_broken_on_purpose_is_found(met, broken):
    assert set(met[broken]) & CAUGHT[broken]


def test_nothing_is_broken_without_being_looked_for(met):
    assert met.keys() == CAUGHT.keys()


@given(st.recursive(st.text() | st.integers(), st.lists))
def test_what_is_no_repetition_is_left_as_it_is(value):
    assert expanded(value) == value


def test_a_repetition_is_written_out():
    assert expanded({"a": {"$repeat": ["[", 3, "]"]}}) == {"a": "[[[]]]"}


def test_every_secret_can_be_searched_for():
    assert all(CANARY in secret.lower() for secret in SECRETS)
