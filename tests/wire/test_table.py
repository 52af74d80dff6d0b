"""The table of the wire's faults is whole, and its page says what it says."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from functools import cache

import pytest

from infra import health, sdk_data
from tests.wire import account, commands, page
from tests.wire.ends import ROWS, row_of
from tests.wire.matrix import POINTS, cases
from tests.wire.planted import PLANTED
from tests.wire.proxy import ROOT
from tests.wire.stories import STORIES

POINTED = {(point.service, point.operation) for point in POINTS}


def wire(*arguments):
    """The command, as `make wire` runs it."""
    return subprocess.run(
        [sys.executable, "-m", "tests.wire", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "tests/functional"},
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def calls():
    done = wire("--calls")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_operation_that_a_function_calls_is_in_the_matrix():
    called = {(service, name) for service, names in sdk_data.OPERATIONS.items() for name in names}

    assert called - POINTED == set()


@pytest.mark.parametrize("name", [*STORIES, *commands.SAID])
def test_every_call_that_is_made_is_in_the_matrix(name):
    made = {tuple(call.split(":")) for call in calls()[name]}

    assert made
    assert made - POINTED == set()


def test_every_command_that_says_something_is_played():
    assert set(commands.SAID) == commands.names()


def test_every_story_is_of_some_point():
    assert {point.story for point in POINTS} == set(STORIES)


def test_every_row_is_of_some_case_and_every_case_of_some_row():
    rows = [row_of(case) for case in cases()]

    assert [row for row in ROWS if row not in rows] == []


def test_every_case_has_a_name_of_its_own():
    names = [case.name for case in cases()]

    assert len(set(names)) == len(names)


def test_the_page_is_up_to_date():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), "run python -m tests.wire --docs"


def test_the_alarms_of_the_responder_are_those_that_are_deployed():
    assert account.MISSED_BEATS == health.MISSED_BEATS
    after_redelivery = account.OLDEST_MESSAGE - account.INVISIBLE
    assert after_redelivery == timedelta(seconds=health.AFTER_REDELIVERY_SECONDS)
    assert timedelta(milliseconds=health.OLDEST_NEWS_MS) == account.OLDEST_NEWS


def test_one_case_is_played_and_ends_as_the_table_says():
    done = wire("--only", "deployment: stop | reply lost | one call", "--jobs", "1")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 cases, 0 wrong" in done.stdout


def test_nothing_played_is_nothing_proved():
    assert wire("--only", "no such case").returncode == 1


@pytest.mark.parametrize("plant", PLANTED)
def test_each_planted_fault_has_its_case(plant):
    assert PLANTED[plant] in {case.name for case in cases()}
