"""A kind of target is whole or not there: action, grants, example, adapter test, docs."""

import inspect
import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from rollback_responder import ports
from rollback_responder.actions import POINTERS, ROLLOUTS, Clients, pointers, rollouts
from rollback_responder.domain.document import kind_of, members_of
from rollback_responder.domain.target import Pointer, Rollout, Target

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {
    "pointer": (Pointer, POINTERS, pointers, ports.PointerAction),
    "rollout": (Rollout, ROLLOUTS, rollouts, ports.RolloutAction),
}
EVERY_FAMILY = pytest.mark.parametrize("family", FAMILIES)
KINDS = sorted(kind_of(member) for member in members_of(Target))


def kinds_of(family):
    return sorted(kind_of(member) for member in members_of(FAMILIES[family][0]))


def test_every_kind_is_in_one_family():
    assert sorted(kinds_of("pointer") + kinds_of("rollout")) == KINDS


@EVERY_FAMILY
def test_the_table_of_actions_has_every_kind_of_its_family_and_no_other(family):
    _, table, make, _ = FAMILIES[family]
    made = make(KINDS, Clients(reads=Mock(), acts=Mock()))

    assert sorted(table) == sorted(made) == kinds_of(family)


@EVERY_FAMILY
def test_an_action_has_every_method_of_its_family_under_the_same_names(family):
    _, _, make, port = FAMILIES[family]
    promised = {n: m for n, m in inspect.getmembers(port, inspect.isfunction) if n[0] != "_"}
    assert promised
    for kind, action in make(KINDS, Clients(reads=Mock(), acts=Mock())).items():
        for name, method in promised.items():
            kept = inspect.signature(getattr(type(action), name)).parameters

            assert list(kept) == list(inspect.signature(method).parameters), f"{kind}.{name}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_no_target_has_opens_no_client(kind):
    clients = Clients(reads=Mock(), acts=Mock())
    made = {**pointers([kind], clients), **rollouts([kind], clients)}
    reads, acts = clients.reads.call_args_list, clients.acts.call_args_list

    assert list(made) == [kind]
    assert len(reads) == len(acts) == 1
    assert reads == acts
    assert not {**pointers([], clients), **rollouts([], clients)}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_five_pieces(kind):
    pieces = [
        ROOT / "functions" / "rollback_responder" / "actions" / f"{kind}.py",
        ROOT / "infra" / "grants" / f"{kind}.py",
        ROOT / "tests" / "adapters" / f"test_{kind}.py",
    ]
    shipped = json.loads((ROOT / "cdk.json").read_text())["context"]["rollback"]
    exemplified = {t["kind"] for service in shipped["services"] for t in service["targets"]}
    documented = (ROOT / "docs" / "configuration.md").read_text()

    assert [path.name for path in pieces if not path.exists()] == []
    assert kind in exemplified
    assert f"({kind})" in documented
