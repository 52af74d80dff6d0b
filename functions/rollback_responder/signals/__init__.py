"""Envelopes in, signals out. One file for each envelope an alarm can come in.

This room trusts nothing: it checks that a message is an alarm message about our own account and
region, and keeps only the alarm's name and the state it claims. It never decides and never calls
AWS.
"""

from collections.abc import Mapping
from typing import Any

from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.signal import Signal
from rollback_responder.signals import direct, eventbridge, sns, wake
from rollback_responder.signals.text import load


def parse(message: str | Mapping[str, Any], *, account_id: str, region: str) -> Signal:
    """Reads one message, whichever way it came.

    Args:
        message: the body of a queue record, or an event as Lambda hands it over.
        account_id: our own account; a message about another one is refused.
        region: our own region, likewise.

    Raises:
        SignalError: the message is not an alarm message of ours. A retry cannot help.
    """
    signal = read(message)
    if signal.account_id != account_id:
        raise SignalError("other_account", f"the alarm is of account {signal.account_id[:20]!r}")
    if signal.region != region:
        raise SignalError("other_region", f"the alarm is of region {signal.region[:30]!r}")
    return signal


def read(message: str | Mapping[str, Any]) -> Signal:
    """The same, whosever account and region it is about: for what only looks at a message.

    Raises:
        SignalError: the message is not an alarm message.
    """
    document = load(message) if isinstance(message, str) else message
    if not isinstance(document, Mapping):
        raise SignalError("not_an_object", f"the message is a JSON {type(document).__name__}")
    return _parse_known(document)


def _parse_known(document: Mapping[str, Any]) -> Signal:
    """Told apart by shape (AWS: the three payloads of a CloudWatch alarm; our own wake-up)."""
    if document.get("Type") == "Notification" or "Sns" in document:
        return sns.parse_envelope(document)
    if "AlarmArn" in document:
        return sns.parse_message(document)
    if "detail-type" in document:
        return eventbridge.parse(document)
    if "alarmData" in document:
        return direct.parse(document)
    if wake.KEY in document:
        return wake.parse(document)
    known = ", ".join(sorted(repr(str(key)[:40]) for key in list(document)[:5]))
    raise SignalError("unknown_envelope", f"no known envelope has the keys {known or '(none)'}")
