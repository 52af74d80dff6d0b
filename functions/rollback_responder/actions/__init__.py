"""One file for each kind of target: observe, execute, confirm. The only room that mutates AWS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollback_responder.actions.lambda_alias import LambdaAliasAction
from rollback_responder.ports import Action

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The AWS clients that actions need. Clients that move must not repeat a call by themselves."""

    lambda_reads: "LambdaClient"
    lambda_moves: "LambdaClient"


def actions(clients: Clients) -> Mapping[str, Action]:
    """The table of kinds. A contract test holds it equal to the members of `Target`."""
    return {
        "lambda_alias": LambdaAliasAction(reads=clients.lambda_reads, moves=clients.lambda_moves),
    }
