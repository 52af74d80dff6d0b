"""What a process does once, when Lambda starts it."""

import json
import os
import subprocess
import sys

import pytest

from rollback_responder import handlers

SEEN = """import gc, json, os
if not hasattr(os, "sched_getaffinity"):
    # A system of one's own that knows nothing of it.
    os.sched_getaffinity = lambda _: {0}
before = os.sched_getaffinity(0)
import pytest

from rollback_responder import handlers
begun = gc.isenabled(), sorted(os.sched_getaffinity(0)), sorted(before)
house = handlers.settled("house")
print(json.dumps([*begun, house, gc.isenabled(), gc.get_freeze_count() > 0]))
"""


def seen(**environment):
    asked = [sys.executable, "-c", SEEN]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": "functions", **environment}
    done = subprocess.run(asked, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_in_lambda_it_keeps_to_one_processor_and_looks_for_garbage_once_it_is_furnished():
    looks, kept, allowed, house, looks_later, is_frozen = seen(AWS_LAMBDA_FUNCTION_NAME="respond")

    assert len(kept) == 1
    assert set(kept) <= set(allowed)
    assert (looks, house, looks_later, is_frozen) == (False, "house", True, True)


def test_elsewhere_the_process_is_left_as_it_is():
    looks, kept, allowed, house, looks_later, is_frozen = seen()

    assert kept == allowed
    assert (looks, house, looks_later, is_frozen) == (True, "house", True, False)


@pytest.mark.parametrize(("pid", "processor"), [(6, 2), (7, 5), (8, 7)])
def test_processes_of_one_machine_part_its_processors(monkeypatch, pid, processor):
    kept = []
    monkeypatch.setattr(os, "getpid", lambda: pid)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 2, 5}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *of: kept.append(of), raising=False)
    handlers.keep_to_one_processor()

    assert kept == [(0, {processor})]


def test_where_the_system_lets_nobody_choose_it_goes_on(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refused, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    handlers.keep_to_one_processor()

    monkeypatch.delattr(os, "sched_getaffinity")
    handlers.keep_to_one_processor()
