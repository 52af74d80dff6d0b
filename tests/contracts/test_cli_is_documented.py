"""docs/cli.md names every command, exit code, check and JSON key that there is."""

import json
import re
from pathlib import Path

import pytest

from rollback_responder.cli import main
from rollback_responder.cli.failure import Exit
from rollback_responder.domain.finding import LEVELS, Check

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
GOLDEN = ROOT / "tests" / "functional" / "recordings" / "cli"
WORDS = set(re.findall(r"`([a-z_]+)`", PAGE))


def test_every_command_is_documented():
    commands = {command.callback.__name__ for command in main.build().registered_commands}
    told = set(re.findall(r"^\| `([a-z-]+)", PAGE, re.MULTILINE)) | {"resume"}

    assert {name.replace("_", "-") for name in commands} <= told


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_documented(code):
    assert f"\n| {code.value} | " in PAGE


@pytest.mark.parametrize("check", Check)
def test_every_check_is_documented_with_its_severity(check):
    (row,) = [line for line in PAGE.splitlines() if re.match(rf"\| .*`{check.value}`", line)]

    assert row.split("|")[2].strip() == LEVELS[check].value


def keys_of(document):
    """Every key, except those of the journal's own documents."""
    if isinstance(document, list):
        return {key for item in document for key in keys_of(item)}
    if not isinstance(document, dict):
        return set()
    below = {"fix_forward", "unsafe"} | ({"incident"} if "label" in document else set())
    return set(document) | {
        key for name, value in document.items() if name not in below for key in keys_of(value)
    }


@pytest.mark.parametrize("name", ["status.json", "incidents.json", "show-fixed.json"])
def test_every_key_of_the_json_is_documented(name):
    assert keys_of(json.loads((GOLDEN / name).read_text())) <= WORDS
