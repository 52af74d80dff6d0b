"""What is published is what the types say; what the repository ships is what the parser takes."""

import json
import runpy
from pathlib import Path

import jsonschema
import pytest

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
