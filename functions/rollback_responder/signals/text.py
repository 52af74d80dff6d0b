"""JSON text from outside, read within bounds; and fields taken out of it by their type."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.signal import AlarmState, Signal

T = TypeVar("T")
# The largest message any of the ways in can carry: an asynchronous invocation of 1 MB (Lambda
# quotas); SNS, SQS and EventBridge carry less.
LARGEST_BYTES = 1_048_576
# arn:partition:cloudwatch:region:account:alarm:name, and the name may hold colons.
ARN_PIECES = 7


def load(text: str) -> Any:
    """Parses JSON of bounded size; too deep a nesting is an error like any other."""
    if len(text) > LARGEST_BYTES:
        raise SignalError("too_large", f"{len(text)} characters; at most {LARGEST_BYTES} are read")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SignalError("not_json", f"{type(error).__name__} in the message") from None


def take(document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """A field that must be there and of a type."""
    value = document.get(name)
    if not isinstance(value, kind):
        got = "nothing" if value is None else type(value).__name__
        raise SignalError("wrong_field", f"{name} is {got}, not {kind.__name__}")
    return value


def take_state(document: Mapping[str, Any], name: str) -> AlarmState:
    """An alarm state; a word that CloudWatch does not know is refused."""
    word = take(document, name, str)
    try:
        return AlarmState(word)
    except ValueError:
        raise SignalError("unknown_state", f"{name} is {word[:40]!r}") from None


def take_instant(document: Mapping[str, Any], name: str) -> datetime:
    """An instant as CloudWatch writes it, such as 2026-11-22T04:11:05.123+0000."""
    word = take(document, name, str)
    try:
        instant = datetime.fromisoformat(word)
    except ValueError:
        raise SignalError("bad_instant", f"{name} is {word[:40]!r}") from None
    if instant.tzinfo is None:
        raise SignalError("bad_instant", f"{name} has no offset")
    return instant


def signal_about(arn: str, document: Mapping[str, Any], *, state: str, at: str) -> Signal:
    """The signal about the alarm of that ARN; `state` and `at` name the fields that claim them."""
    region, account_id, name = take_alarm_arn(arn)
    return Signal(
        alarm_name=name,
        account_id=account_id,
        region=region,
        state=take_state(document, state),
        at=take_instant(document, at),
    )


def take_alarm_arn(arn: str) -> tuple[str, str, str]:
    """Region, account and name out of an alarm's ARN: the only identity an alarm has."""
    pieces = arn.split(":", ARN_PIECES - 1)
    if len(pieces) != ARN_PIECES or pieces[0] != "arn" or pieces[2] != "cloudwatch":
        raise SignalError("not_an_alarm_arn", f"{arn[:80]!r}")
    _, _, _, region, account_id, resource, name = pieces
    if resource != "alarm" or not name:
        raise SignalError("not_an_alarm_arn", f"{arn[:80]!r}")
    return region, account_id, name
