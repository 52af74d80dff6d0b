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


def processes(folder: Path) -> set[str]:
    """Command lines of the processes that live in a story's own folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder).encode() in environment and "local.demo" not in command:
            found.add(f"{entry.name} {command}")
    return found


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


# Each of these takes a way of its own through the emulator; what the others add to them is also
# told in memory (tests/functional), so they are run before a release: `make stories`.
CORE = ("bad-deploy", "approve", "codedeploy", "stack")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in CORE else [pytest.mark.every_story])
        for name in SCENARIOS
    ],
)
def test_a_story_ends_as_it_must(name, tmp_path):
    done = subprocess.run(
        [*DEMO, name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment(tmp_path),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert processes(tmp_path) == set()


def test_an_interrupted_story_leaves_nothing_behind(tmp_path):
    story = subprocess.Popen(
        [*DEMO, "bad-deploy"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(tmp_path),
    )
    for line in story.stdout:
        if "cdk bootstrap" in line:
            break
    time.sleep(0.5)
    # The test could not fail if it did not see them while they are there.
    assert processes(tmp_path)
    story.send_signal(signal.SIGINT)
    rest, _ = story.communicate(timeout=60)

    assert story.returncode == 130, rest
    assert "everything that was started has been stopped" in rest
    assert processes(tmp_path) == set()


def test_an_unknown_story_names_those_there_are():
    done = subprocess.run(
        [*DEMO, "good-luck"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert all(name in done.stderr for name in SCENARIOS)
