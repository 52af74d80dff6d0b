"""EventBridge's `CloudWatch Alarm State Change`, which also carries suppressed transitions.

Schema: CloudWatch user guide, "Alarm events and EventBridge". The name inside `detail` is for
people; the ARN in `resources` is the identity.
"""

from collections.abc import Mapping
from typing import Any

from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.signal import Signal
from rollback_responder.signals.text import signal_about, take

STATE_CHANGE = "CloudWatch Alarm State Change"


def parse(event: Mapping[str, Any]) -> Signal:
    """One event of the default bus."""
    source, kind = take(event, "source", str), take(event, "detail-type", str)
    if source != "aws.cloudwatch" or kind != STATE_CHANGE:
        raise SignalError("unknown_detail_type", f"{source[:40]!r}, {kind[:80]!r}")
    resources = take(event, "resources", list)
    if not resources or not isinstance(resources[0], str):
        raise SignalError("wrong_field", "resources names no alarm")
    state = take(take(event, "detail", dict), "state", dict)
    signal = signal_about(resources[0], state, state="value", at="timestamp")
    if take(event, "account", str) != signal.account_id:
        raise SignalError("other_account", "the event's account is not its alarm's")
    return signal
