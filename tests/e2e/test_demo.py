"""`make demo`, as a user runs it: each story ends as it must, and leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.scenarios import SCENARIOS

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "local.demo"]


def processes() -> set[str]:
    """Command lines of this user's processes that belong to a local world."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "ministack" in command or "local.demo" in command or "aws-cdk" in command:
            found.add(f"{entry.name} {command}")
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_story_ends_as_it_must(name):
    before = processes()
    done = subprocess.run(
        [*DEMO, name], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert processes() <= before


def test_an_interrupted_story_leaves_nothing_behind():
    before = processes()
    story = subprocess.Popen(
        [*DEMO, "bad-deploy"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    for line in story.stdout:
        if "cdk bootstrap" in line:
            break
    time.sleep(0.5)
    story.send_signal(signal.SIGINT)
    rest, _ = story.communicate(timeout=60)

    assert story.returncode == 130, rest
    assert "everything that was started has been stopped" in rest
    assert processes() <= before


def test_an_unknown_story_names_those_there_are():
    done = subprocess.run(
        [*DEMO, "good-luck"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert all(name in done.stderr for name in SCENARIOS)
