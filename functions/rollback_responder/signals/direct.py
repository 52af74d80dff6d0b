"""The direct Lambda action of an alarm: a flat event without a `detail-type`.

Schema: CloudWatch user guide, "Invoke a Lambda function from an alarm".
"""

from collections.abc import Mapping
from typing import Any

from rollback_responder.domain.signal import Signal
from rollback_responder.signals.text import signal_about, take


def parse(event: Mapping[str, Any]) -> Signal:
    """One invocation by an alarm."""
    state = take(take(event, "alarmData", dict), "state", dict)
    return signal_about(take(event, "alarmArn", str), state, state="value", at="timestamp")
