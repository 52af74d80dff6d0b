"""The SNS action of an alarm: a JSON string inside an envelope.

Schema: CloudWatch user guide, "Notifying users on alarm changes". `Region` in it is a display name,
so region and account come from `AlarmArn`; composite and log alarms have no `Trigger`.
"""

from collections.abc import Mapping
from typing import Any

from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.signal import Signal
from rollback_responder.signals.text import load, signal_about, take


def parse_envelope(document: Mapping[str, Any]) -> Signal:
    """An SNS notification, as a queue (`Type`) or as a function (`Sns`) receives it."""
    notification = take(document, "Sns", dict) if "Sns" in document else document
    message = load(take(notification, "Message", str))
    if not isinstance(message, Mapping) or "AlarmArn" not in message:
        raise SignalError("not_an_alarm_message", "the notification carries something else")
    return parse_message(message)


def parse_message(message: Mapping[str, Any]) -> Signal:
    """The alarm's own message: inside the envelope, or alone with raw message delivery."""
    arn = take(message, "AlarmArn", str)
    return signal_about(arn, message, state="NewStateValue", at="StateChangeTime")
