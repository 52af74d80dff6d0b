"""The actions by their kinds: each in its family, each with clients of its own service."""

import pytest

from rollback_responder.actions import POINTERS, ROLLOUTS, Clients, pointers, rollouts

SERVICES = {
    "lambda_alias": "lambda",
    "codedeploy_group": "codedeploy",
    "cloudformation_stack": "cloudformation",
}


@pytest.mark.parametrize("kinds", [set(), *({kind} for kind in SERVICES), set(SERVICES)])
def test_a_client_that_no_kind_needs_is_never_made(kinds):
    made = []
    clients = Clients(
        reads=lambda name: made.append(("reads", name)),
        acts=lambda name: made.append(("acts", name)),
    )
    found = {**pointers(kinds, clients), **rollouts(kinds, clients)}

    assert found.keys() == kinds
    assert sorted(made) == sorted(
        (what, SERVICES[kind]) for kind in kinds for what in ("reads", "acts")
    )


def test_each_kind_is_of_one_family():
    assert POINTERS.keys() | ROLLOUTS.keys() == SERVICES.keys()
    assert not POINTERS.keys() & ROLLOUTS.keys()
