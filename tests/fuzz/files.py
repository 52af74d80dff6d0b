"""Input: the files that the command line reads. A wrong one is an error in words, never a trace."""

import contextlib
import io
import json
import sys
import tempfile
from functools import cache
from pathlib import Path

import typer.main
from faults import healthy_v1
from recording import record
from scenarios import bad_deploy

from house import START, House
from rollback_responder.cli import main
from rollback_responder.domain.document import write
from tests.fuzz.checks import expect
from tests.fuzz.noise import expanded
from tests.fuzz.world import WORLDS, document

NAME, SHARE = "files", 0.01
EVENTS = Path(__file__).parents[1] / "events"
KNOWN_CODES = {0, 1, 2, 3}
FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-files-")
COMMANDS = {
    "journal.json": (
        ["status", "--journal", "{journal.json}"],
        ["status", "--json", "--journal", "{journal.json}"],
        ["incidents", "--journal", "{journal.json}"],
        ["incidents", "--json", "--journal", "{journal.json}"],
        ["show", "inc-0004", "--journal", "{journal.json}"],
        ["report", "inc-0004", "--journal", "{journal.json}"],
    ),
    "event.json": (
        ["explain", "{event.json}", "--facts", "{history.json}", "--policy", "{cdk.json}"],
    ),
    "history.json": (
        ["explain", "{event.json}", "--facts", "{history.json}", "--policy", "{cdk.json}"],
        ["backtest", "--no-sweep", "--from", "{history.json}", "--policy", "{cdk.json}"],
        ["backtest", "--no-sweep", "--json", "--from", "{history.json}", "--policy", "{cdk.json}"],
    ),
    "cdk.json": (
        ["explain", "{event.json}", "--facts", "{history.json}", "--policy", "{cdk.json}"],
        ["status", "--journal", "{journal.json}", "--policy", "{cdk.json}"],
        ["sample", "shop", "--policy", "{cdk.json}"],
    ),
}


@cache
def documents():
    """A right file of each kind."""
    world, house = WORLDS["watching"](), bad_deploy(healthy_v1(House(document())))
    event = json.loads((EVENTS / "good" / "sns_metric.json").read_text())
    return {
        "journal.json": {"Items": world.items()},
        "event.json": event,
        "history.json": write(record(house, since_at=START)),
        "cdk.json": {"context": {"rollback": world.policy.to_document()}},
    }


def make(noise):
    name = noise.one(list(COMMANDS))
    right, draw = documents()[name], noise.random.random()
    if draw < 0.05:
        text = noise.bomb()
    elif draw < 0.15:
        text = json.dumps(noise.value())
    elif draw < 0.3:
        text = noise.torn(json.dumps(right))
    elif draw < 0.33:
        text = json.dumps(noise.nested(deepest=150))
    elif draw < 0.36:
        return {"name": name, "hex": noise.random.randbytes(20).hex(), **_command(noise, name)}
    else:
        text = json.dumps(noise.mutated(right, times=1 + noise.random.randrange(3)))
    return {"name": name, "text": text, **_command(noise, name)}


def _command(noise, name):
    return {"command": noise.one(COMMANDS[name])}


def run(case, stage):
    """The exit code."""
    del stage
    case = expanded(case)
    files = {name: json.dumps(right) for name, right in documents().items()}
    raw = bytes.fromhex(case["hex"]) if "hex" in case else case["text"]
    return f"{case['command'][0]}, {run_command(case['command'], files | {case['name']: raw})}"


@cache
def _built():
    """The commands, put together once; the console script puts them together each time."""
    return typer.main.get_command(main.build())


def run_command(arguments, files):
    """The exit code of a command on these files; raises `Violation` where it says nothing."""
    folder = Path(FOLDER.name)
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
        (folder / name).write_bytes(data)
    paths = [
        str(folder / word[1:-1]) if word.startswith("{") else word for word in map(str, arguments)
    ]
    command = _built()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    before, main.build = main.build, lambda: command
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = int(main.run(paths))
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        main.build = before
    said = err.buffer.getvalue().decode()
    expect(code in KNOWN_CODES, f"exit code {code}: {said[-300:]}")
    expect("Traceback" not in said, lambda: said[-600:], "uncaught")
    if code in {2, 3}:
        expect(said.strip(), f"exit code {code} without a word")
    return code
