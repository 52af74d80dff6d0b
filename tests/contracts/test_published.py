"""What is published is what the types say; what the repository ships is what the parser takes."""

import json
import re
import runpy
from pathlib import Path

import jsonschema
import pytest

from rollback_responder.domain.incident import TRANSITIONS, State
from rollback_responder.domain.policy import parse_policy

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = runpy.run_path(str(ROOT / "docs" / "generate.py"))["published"]()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path):
    assert path.read_text() == PUBLISHED[path], "run `make docs`"


def test_the_shipped_cdk_json_is_a_valid_policy():
    document = json.loads((ROOT / "cdk.json").read_text())

    parse_policy(document["context"]["rollback"])
    jsonschema.validate(document, json.loads((ROOT / "schema" / "cdk.schema.json").read_text()))


def test_a_new_install_starts_by_observing():
    document = json.loads((ROOT / "cdk.json").read_text())["context"]["rollback"]
    del document["mode"]

    assert parse_policy(document).mode.value == "observe"


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_table_of_an_incidents_states_is_the_one_of_the_code():
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("## An incident's states")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ")]
    told = {
        state: {State(word) for word in re.findall(r"`([a-z_]+)`", becomes)}
        for states, _, becomes in rows[1:]
        for state in re.findall(r"none yet|`[a-z_]+`", states)
    }

    assert told == {f"`{state}`" if state else "none yet": to for state, to in TRANSITIONS.items()}
