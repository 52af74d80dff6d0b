"""The house that a command looks at: the policy file, and an account or a record of one."""

import json
from pathlib import Path

from rollback_responder import bootstrap
from rollback_responder.cli.failure import BadUsage
from rollback_responder.cli.history import load
from rollback_responder.cli.recorded import rooms_in
from rollback_responder.domain.errors import PolicyError, Problem
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.rooms import Rooms

KEY = "rollback"
POLICY_FILE = Path("cdk.json")


def policy_in(path: Path | None) -> Policy:
    """The policy in context `rollback` of a CDK file.

    Raises:
        PolicyError: the file cannot be read, or the policy in it cannot be used.
    """
    path = path or POLICY_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))["context"][KEY]
    except (OSError, ValueError, TypeError, LookupError) as error:
        problem = Problem(
            path=str(path),
            got=f"{type(error).__name__}: {error}",
            allowed=f"a cdk.json with the policy in context.{KEY}",
            change="name the file with --policy, or run this where it is",
        )
        raise PolicyError("the policy file", (problem,)) from error
    return parse_policy(document)


def house_to_look_at(
    policy: Policy, *, facts: Path | None, table: str | None, place: bootstrap.Place
) -> tuple[Rooms, str | None]:
    """The account, with its journal in a table, or a record; and its region, where it is said.

    Raises:
        BadUsage: neither of them is named.
        DocumentError: the record cannot be used.
    """
    if facts is not None:
        history = load(facts)
        return rooms_in(history, policy), history.region
    if table is None:
        raise BadUsage(
            "got neither --table nor --facts; name the journal's table to look at an account, or a"
            " record to look at a file"
        )
    return bootstrap.looking_rooms(policy, table, place), place.region
