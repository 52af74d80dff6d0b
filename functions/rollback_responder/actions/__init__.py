"""One file for each kind of target: observe, act. The only room that mutates AWS."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import Struct

from rollback_responder.actions.cloudformation_stack import CloudFormationStackAction
from rollback_responder.actions.codedeploy_group import CodeDeployGroupAction
from rollback_responder.actions.lambda_alias import LambdaAliasAction
from rollback_responder.ports import PointerAction, RolloutAction


class Clients(Struct, frozen=True, kw_only=True):
    """How actions get their AWS clients, by the SDK's name of the service.

    A client from `acts` must not repeat a call by itself: the state machine is its only retry
    layer.
    """

    reads: Callable[[str], Any]
    acts: Callable[[str], Any]


POINTERS: Mapping[str, Callable[[Clients], PointerAction]] = {
    "lambda_alias": lambda clients: LambdaAliasAction(
        reads=clients.reads("lambda"), acts=clients.acts("lambda")
    ),
}
ROLLOUTS: Mapping[str, Callable[[Clients], RolloutAction]] = {
    "codedeploy_group": lambda clients: CodeDeployGroupAction(
        reads=clients.reads("codedeploy"), acts=clients.acts("codedeploy")
    ),
    "cloudformation_stack": lambda clients: CloudFormationStackAction(
        reads=clients.reads("cloudformation"), acts=clients.acts("cloudformation")
    ),
}


def pointers(kinds: Collection[str], clients: Clients) -> Mapping[str, PointerAction]:
    """The actions of these kinds; a client that no kind needs is never made."""
    return {kind: make(clients) for kind, make in POINTERS.items() if kind in kinds}


def rollouts(kinds: Collection[str], clients: Clients) -> Mapping[str, RolloutAction]:
    """The same for rollouts."""
    return {kind: make(clients) for kind, make in ROLLOUTS.items() if kind in kinds}
