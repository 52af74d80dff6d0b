"""The command line over a journal that a real house left behind: what it prints, to the letter."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cli_recording import (
    COMMANDS,
    EXPORT,
    FIXED,
    GOLDEN,
    JOURNAL,
    export,
    read_at,
    story,
    without_picture,
)

from rollback_responder import bootstrap
from rollback_responder.cli import main
from rollback_responder.journal.codec import decode_incident

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def house():
    return story()


@pytest.fixture(autouse=True)
def a_pipe(house, monkeypatch):
    """Not a terminal, of a known width, at a known time."""
    for name, value in {"COLUMNS": "160", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(bootstrap, "utc_now", lambda: read_at(house))


@pytest.fixture
def rollback(capsys):
    def run(*arguments):
        code = main.run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_recorded_export_is_what_the_house_leaves(house):
    assert json.loads(EXPORT.read_text()) == export(house)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed(rollback, name):
    code, out, err = rollback(*COMMANDS[name])

    assert (code, err) == (0, "")
    assert without_picture(out) == (GOLDEN / name).read_text()


def test_every_golden_output_is_compared():
    assert {path.name for path in GOLDEN.iterdir()} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_gets_no_colours(name):
    assert "\x1b" not in (GOLDEN / name).read_text()


def test_a_terminal_gets_colours_unless_somebody_does_not_want_any(rollback, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    _, coloured, _ = rollback("status", *JOURNAL)
    monkeypatch.setenv("NO_COLOR", "1")
    _, plain, _ = rollback("status", *JOURNAL)

    assert "\x1b[1;31mPAUSED" in coloured
    assert "\x1b[1;31m" not in plain


# -- what scripts rely on -------------------------------------------------------------------------


def test_json_goes_back_to_the_journals_own_value(rollback, house):
    _, out, _ = rollback("show", FIXED, *JOURNAL, "--json")

    assert decode_incident(json.dumps(json.loads(out)["incident"])) == house.journal.archive[FIXED]


def test_the_list_can_be_narrowed(rollback):
    def ids(*options):
        code, out, _ = rollback("incidents", *JOURNAL, "--json", *options)
        assert code == 0
        return [incident["id"] for incident in json.loads(out)["incidents"]]

    everything = ids()
    assert len(everything) == 3
    assert ids("--service", "shop") == everything
    assert ids("--open") == everything[:1]
    assert ids("--since", "60m") == everything[:2]
    assert ids("--since", "1d") == everything


def test_with_a_policy_the_status_says_what_is_allowed(rollback, tmp_path):
    policy = tmp_path / "cdk.json"
    document = json.loads((ROOT / "cdk.json").read_text())
    document["context"]["rollback"]["services"][0] |= {
        "name": "shop",
        "targets": [{"kind": "lambda_alias", "function": "shop", "alias": "live"}],
    }
    policy.write_text(json.dumps(document))
    _, out, _ = rollback("status", *JOURNAL, "--policy", policy)

    assert out.startswith("Environment dev, mode observe\n")
    assert "Rollbacks this hour: 1 of 10" in out
    assert "  shop:live  version 4, on trial" in out
    assert "search (observe)\n  never seen by the watcher yet" in out


def test_an_hour_that_is_over_takes_its_rollbacks_with_it(rollback, house, monkeypatch):
    assert "Rollbacks this hour: 1\n" in rollback("status", *JOURNAL)[1]
    monkeypatch.setattr(bootstrap, "utc_now", lambda: house.now + timedelta(hours=1))
    _, out, _ = rollback("status", *JOURNAL)

    assert "Rollbacks this hour: 0\n" in out
    assert "its lease ended" in out
    assert "fixed forward" not in out


# -- what goes wrong is said in words -------------------------------------------------------------

NO_KEYS = '[{"pk": {"S": "service#shop"}}]'


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "inc-1", *JOURNAL], "no incident is called 'inc-1' in the services shop"),
        (["report", "inc-1", *JOURNAL], "no incident is called 'inc-1'"),
        (
            ["incidents", "--service", "shp", *JOURNAL],
            "--service: got 'shp'; allowed: shop; name one",
        ),
        (["status", "--journal", "nowhere.json"], "nowhere.json is no export"),
        (["status", "--policy", "nowhere.json"], "no such file"),
        (["status", *JOURNAL, "--policy", "pyproject.toml"], "no JSON"),
        (["status", *JOURNAL, "--policy", "tests/policies/bad/null.json"], "no context.rollback"),
        (
            ["incidents", *JOURNAL, "--since", "soon"],
            "--since: got 'soon'; allowed: a whole number",
        ),
        (["incidents", *JOURNAL, "--sicne", "1d"], "No such option: --sicne"),
        (["report", FIXED, *JOURNAL, "--output", "/nowhere/x.md"], "could not be written"),
    ],
)
def test_bad_usage_names_what_was_wrong(rollback, monkeypatch, arguments, told):
    monkeypatch.chdir(ROOT)
    code, out, err = rollback(*arguments)

    assert (code, out) == (2, "")
    assert told in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


@pytest.mark.parametrize("text", ["", "{", "1", '{"Items": 1}', '["x"]', NO_KEYS])
def test_a_file_that_is_no_export_is_refused(rollback, tmp_path, text):
    journal = tmp_path / "journal.json"
    journal.write_text(text)
    code, out, err = rollback("status", "--journal", journal)

    assert (code, out) == (2, "")
    assert "aws dynamodb scan" in err


def test_every_problem_of_a_policy_is_told(rollback, tmp_path):
    policy = tmp_path / "cdk.json"
    bad = json.loads((ROOT / "tests/policies/bad/unknown_keys.json").read_text())
    policy.write_text(json.dumps({"context": {"rollback": bad["policy"]}}))
    code, _, err = rollback("status", *JOURNAL, "--policy", policy)

    assert code == 2
    assert err.count("\n  - ") == len(bad["problems"])


def test_a_damaged_incident_does_not_hide_the_others(rollback, tmp_path):
    document = json.loads(EXPORT.read_text())
    for item in document["Items"]:
        if item["sk"]["S"] == f"incident#{FIXED}":
            item["archive"]["S"] = "{"
    journal = tmp_path / "journal.json"
    journal.write_text(json.dumps(document))
    code, out, err = rollback("incidents", "--journal", journal, "--json")

    assert code == 0
    assert len(json.loads(out)["incidents"]) == 2
    assert f"cannot be read: {FIXED}: a row's incident is not JSON" in err
    assert rollback("show", FIXED, "--journal", journal)[0] == 3


def test_a_damaged_row_is_told_and_not_guessed(rollback, tmp_path):
    document = json.loads(EXPORT.read_text())
    for item in document["Items"]:
        if "controls" in item:
            item["controls"] = {"S": "nonsense"}
    journal = tmp_path / "journal.json"
    journal.write_text(json.dumps(document))
    code, out, _ = rollback("status", "--journal", journal)

    assert code == 0
    assert "a row's controls is not JSON" in out
    assert "version 4" not in out


# -- the program ----------------------------------------------------------------------------------


def test_the_console_script_runs_as_people_run_it():
    done = subprocess.run(
        [Path(sys.executable).parent / "rollback", "show", FIXED, *JOURNAL],
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == (GOLDEN / "show-fixed.txt").read_bytes()


def test_every_command_teaches_with_an_example(rollback):
    app = main.build()
    names = [command.callback.__name__.replace("_", "-") for command in app.registered_commands]
    assert len(names) >= 4
    for name in names:
        code, out, _ = rollback(name, "--help")
        assert code == 0
        assert f"Example: rollback {name}" in " ".join(out.split())
