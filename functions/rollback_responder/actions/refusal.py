"""What AWS's refusals mean: of a mutating call nothing applied, or nobody knows; of a read."""

from collections.abc import Mapping
from typing import NoReturn

from rollback_responder.aws_error import name_of
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    ActionUnclear,
)

# Each of these answers means that nothing was applied, whatever the service (AWS's common errors).
COMMON: dict[str, type[ActionError]] = {
    "AccessDeniedException": ActionDenied,
    "AccessDenied": ActionDenied,
    "ExpiredTokenException": ActionDenied,
    "ExpiredToken": ActionDenied,
    "UnrecognizedClientException": ActionDenied,
    "InvalidClientTokenId": ActionDenied,
    "TooManyRequestsException": ActionThrottled,
    "ThrottlingException": ActionThrottled,
    "Throttling": ActionThrottled,
}


def refused(what: str, error: Exception, own: Mapping[str, type[ActionError]]) -> NoReturn:
    """Raises what an AWS error means; `own` are the service's own words for "not applied".

    A code that is in neither table is unclear.
    """
    name = name_of(error)
    kind = own.get(name) or COMMON.get(name) or ActionUnclear
    raise kind(f"{what}: {name}") from error


def unread(what: str, error: Exception) -> ActionError:
    """What an AWS error of a read means; that AWS is too busy may pass within seconds."""
    name = name_of(error)
    kind = ActionThrottled if COMMON.get(name) is ActionThrottled else ActionError
    return kind(f"{what}: {name}")
