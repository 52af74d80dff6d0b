"""The direct Lambda action of an alarm: a flat event without a `detail-type`.

Schema: CloudWatch user guide, "Invoke a Lambda function from an alarm".
"""

from collections.abc import Mapping
from typing import Any

from rollback_responder.domain.signal import Signal
from rollback_responder.signals.text import take, take_alarm_arn, take_instant, take_state


def parse(event: Mapping[str, Any]) -> Signal:
    """One invocation by an alarm."""
    region, account_id, name = take_alarm_arn(take(event, "alarmArn", str))
    state = take(take(event, "alarmData", dict), "state", dict)
    return Signal(
        alarm_name=name,
        account_id=account_id,
        region=region,
        state=take_state(state, "value"),
        at=take_instant(state, "timestamp"),
    )
