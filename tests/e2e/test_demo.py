"""`make demo`, as a user runs it: each story ends as it must, and leaves nothing running."""

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
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
        [*DEMO, name, str(tmp_path / "kept")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment(tmp_path),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert processes(tmp_path) == set()
    ask_what_it_names(done.stdout, SCENARIOS[name].ending.reason)


def ask_what_it_names(told, reason):
    """Runs every command that the story names at its end."""
    commands = [shlex.split(line) for line in told.splitlines() if "bin/rollback" in line]
    names = ["status", "incidents", *(["show", "report"] if reason else [])]
    assert [command[1] for command in commands] == names
    for program, *arguments in commands:
        # Where it is, and not where it was told to be: a test may run in another environment.
        assert program == ".venv/bin/rollback"
        done = subprocess.run(
            [sys.executable, "-m", "rollback_responder.cli", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), arguments
        nothing = reason is None and arguments[0] == "incidents"
        assert ("No incident." if nothing else "shop") in done.stdout
        assert arguments[0] != "show" or reason in done.stdout


class Terminal:
    """A story at a terminal, and somebody who watches it."""

    def __init__(self, name, folder):
        self.told = ""
        self._end, theirs = pty.openpty()
        self._story = subprocess.Popen(
            [*DEMO, name, str(folder / "kept")],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(folder) | {"TERM": "dumb", "COLUMNS": "200", "NO_COLOR": "1"},
        )
        os.close(theirs)

    def read(self, until=None):
        """Reads on, to a text or to the end; a terminal that nobody holds any more is an error."""
        with contextlib.suppress(OSError):
            while until is None or until not in self.told:
                data = os.read(self._end, 65536)
                if not data:
                    break
                self.told += data.decode(errors="replace")

    def press(self, action):
        """Presses a button in the page, as its script does, once there is one."""
        (url,) = set(re.findall(r"Slack is at (http://127\.0\.0\.1:\d+)", self.told))
        while True:
            with urllib.request.urlopen(f"{url}/messages.json") as answer:  # noqa: S310 - loopback
                messages = json.loads(answer.read())
            for message in messages:
                if f'"action_id": "{action}"' in json.dumps(message["blocks"]):
                    return self._post(f"{url}/press", {"ts": message["ts"], "action_id": action})
            time.sleep(0.2)

    def _post(self, url, document):
        request = urllib.request.Request(  # noqa: S310 - loopback
            url,
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            assert json.loads(answer.read())["ok"]

    def end(self):
        self.read()
        os.close(self._end)
        return self._story.wait(60)


@pytest.mark.every_story
@pytest.mark.parametrize(
    ("name", "chosen", "reason", "came"),
    [
        ("approve", ["hold"], "held", "You chose 'Hold: leave it as it is': this change stays"),
        ("hold", ["approve"], "symptom_gone", "You chose 'Approve the rollback': it rolls back"),
        ("hold", ["fix_forward"], "approval_needed", "nothing is rolled back for an hour"),
        ("approve", ["approve", "wrong"], "symptom_gone", "You chose 'This was a false alarm'"),
        ("undo", ["undo"], "undone", "The story ended as it must."),
    ],
)
def test_at_a_terminal_any_button_may_be_pressed(name, chosen, reason, came, tmp_path):
    terminal = Terminal(name, tmp_path)
    terminal.read(until="press any button at")
    for action in chosen:
        terminal.press(action)
    code = terminal.end()

    told = terminal.told
    assert code == 0, told
    assert came in told
    others = set(chosen) - set(SCENARIOS[name].presses)
    assert ("This came of it: " in told) is bool(others)
    last_word = "It ended as that button means." if others else "The story ended as it must."
    assert last_word in told
    assert "ann presses" not in told.replace("or ann presses", "")
    ask_what_it_names(told, reason)


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
