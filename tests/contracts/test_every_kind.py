"""A kind of target is whole or not there: action, grants, example, adapter test."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from rollback_responder.actions import Clients, actions
from rollback_responder.domain.document import kind_of, members_of
from rollback_responder.domain.target import Target

ROOT = Path(__file__).resolve().parents[2]
KINDS = sorted(kind_of(member) for member in members_of(Target))


def test_the_table_of_actions_has_every_kind_and_no_other():
    table = actions(Clients(lambda_reads=Mock(), lambda_moves=Mock()))

    assert sorted(table) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_five_pieces(kind):
    pieces = [
        ROOT / "functions" / "rollback_responder" / "actions" / f"{kind}.py",
        ROOT / "infra" / "grants" / f"{kind}.py",
        ROOT / "tests" / "adapters" / f"test_{kind}.py",
    ]
    shipped = json.loads((ROOT / "cdk.json").read_text())["context"]["rollback"]
    exemplified = {t["kind"] for service in shipped["services"] for t in service["targets"]}

    assert [path.name for path in pieces if not path.exists()] == []
    assert kind in exemplified
