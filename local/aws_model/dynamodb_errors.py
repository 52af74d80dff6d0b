"""The refusals of the DynamoDB model, as the SDK raises them.

The SDK puts an error's code and message under ``Error`` and the members that the service model
names for that error at the top level of the response; ``message`` is one of them for
ConditionalCheckFailedException and ResourceNotFoundException, ``Message`` for the errors of a
transaction (the SDK's service model). ValidationException is not in the service model, so it has
no member of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

FAILED_CHECK = "The conditional request failed"
# What CancellationReasons call an action, by the service model's text on the exception.
NO_REASON: Mapping[str, Any] = {"Code": "None"}


class Refused(Exception):
    """An answer that refuses a request; every one of these is HTTP status 400.

    Attributes:
        code: the error's code.
        message: its text.
        members: what stands at the top level of the response beside ``Error``.
    """

    def __init__(self, code: str, message: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members or {}

    def as_sdk(self, operation: str) -> ClientError:
        """Return the exception that a client's method raises."""
        response: Any = {
            "Error": {"Message": self.message, "Code": self.code},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
            **self.members,
        }
        return ClientError(response, operation)


def invalid(message: str) -> Refused:
    """Return the answer to a request that is wrong in itself."""
    return Refused("ValidationException", message)


def not_served(what: str) -> Refused:
    """Return the answer to what DynamoDB has and this model has not: it does not guess."""
    return invalid(f"The local model does not serve {what}.")


def check_failed(item: Mapping[str, Any] | None) -> Refused:
    """Return the answer to a condition that is not met, with the item where it was asked for."""
    members: dict[str, Any] = {"message": FAILED_CHECK}
    if item is not None:
        members["Item"] = item
    return Refused("ConditionalCheckFailedException", FAILED_CHECK, members)


def no_table() -> Refused:
    """Return the answer to the name of a table that does not exist."""
    message = "Requested resource not found"
    return Refused("ResourceNotFoundException", message, {"message": message})


def canceled(reasons: Sequence[Mapping[str, Any]]) -> Refused:
    """Return the answer to a transaction that was not applied: a reason for each action."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    members = {"Message": message, "CancellationReasons": list(reasons)}
    return Refused("TransactionCanceledException", message, members)


def token_mismatch() -> Refused:
    """Return the answer to a token that was used with other parameters."""
    message = "This token was used within ten minutes with other parameters"
    return Refused("IdempotentParameterMismatchException", message, {"Message": message})
