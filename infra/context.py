"""CDK context: `rollback` -> `Policy`, and `compiled` -> `Compiled`."""

import json
from typing import TYPE_CHECKING

from infra.package import Compiled
from rollback_responder.domain.errors import RollbackError
from rollback_responder.domain.policy import Policy, parse_policy

if TYPE_CHECKING:
    from constructs import Construct

KEY = "rollback"
COMPILED = "compiled"


class ContextError(RollbackError):
    """The CDK app was started without a policy, or with context that it cannot read."""


def read_policy(app: "Construct") -> Policy:
    """The policy in the app's context, as `cdk.json` or `-c rollback='{...}'` gives it.

    What `-c` gives is a string (CDK CLI, `--context`), what `cdk.json` gives is an object.

    Raises:
        ContextError: there is no such context, or the string is not JSON.
        PolicyError: with every problem of the policy.
    """
    document = app.node.try_get_context(KEY)
    if document is None:
        raise ContextError(
            f"no policy: context {KEY!r} is missing; "
            "write it in cdk.json, and run the CDK command line in the folder of that file"
        )
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise ContextError(
                f"context {KEY!r} is not JSON: {error}; quote it: -c {KEY}='{{...}}'"
            ) from error
    return parse_policy(document)


def read_compiled(scope: "Construct") -> Compiled:
    """Whether bytecode is shipped: context `compiled`, `if-possible` where it is not given.

    Raises:
        ContextError: it is none of the words there are.
    """
    word = scope.node.try_get_context(COMPILED)
    if word is None:
        return Compiled.IF_POSSIBLE
    try:
        return Compiled(word)
    except ValueError as error:
        allowed = ", ".join(Compiled)
        raise ContextError(f"context {COMPILED!r} is {word!r}; it may be {allowed}") from error
