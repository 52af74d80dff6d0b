"""The watcher's own wake-up: look at this alarm again. It claims nothing and proves nothing."""

import json
from collections.abc import Mapping
from typing import Any

from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.signals.text import take

KEY = "rollbackResponderLookAt"


def body(alarm_name: str, *, account_id: str, region: str) -> str:
    """The message that asks `respond` to look at an alarm."""
    return json.dumps({KEY: {"alarm": alarm_name, "account": account_id, "region": region}})


def parse(document: Mapping[str, Any]) -> Signal:
    """One wake-up. ALARM here means only that it is worth a look."""
    look_at = take(document, KEY, dict)
    return Signal(
        alarm_name=take(look_at, "alarm", str),
        account_id=take(look_at, "account", str),
        region=take(look_at, "region", str),
        state=AlarmState.ALARM,
        at=None,
    )
