"""The actions suppressor of a composite alarm, as a small state machine.

Source: CloudWatch guide, "Suppressing composite alarm actions"; SDK model, ``PutCompositeAlarm``
and ``CompositeAlarm.ActionsSuppressedBy``. Where they leave room, this holds: a change of the
composite's state during the extension period stays suppressed by it, and whenever suppression ends,
the actions of the state that was held back run once.
"""

from dataclasses import dataclass
from datetime import datetime

from local.aws_model.alarm import Suppressor

WAIT_PERIOD = "WaitPeriod"
EXTENSION_PERIOD = "ExtensionPeriod"
ALARM = "Alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why a composite alarm's actions are held back, and until when (None: open-ended)."""

    by: str
    until: datetime | None = None


def on_change(
    suppressor: Suppressor | None,
    current: Suppression | None,
    *,
    suppressing: bool,
    at: datetime,
) -> Suppression | None:
    """Return what holds back the actions when the composite alarm changes its state.

    Args:
        suppressor: the composite's suppressor, if it has one.
        current: what held back the actions of the former state, if anything did.
        suppressing: whether the suppressor alarm is in ALARM.
        at: the instant of the change.

    Returns:
        None if the actions run now. A wait period that was running is discarded; a new one starts.
    """
    if suppressor is None:
        return None
    if suppressing:
        return Suppression(by=ALARM)
    if (
        current is not None
        and current.by == EXTENSION_PERIOD
        and current.until is not None
        and at < current.until
    ):
        return current
    if suppressor.wait:
        return Suppression(by=WAIT_PERIOD, until=at + suppressor.wait)
    return None


def advance(
    suppressor: Suppressor, current: Suppression, *, suppressing: bool, at: datetime
) -> Suppression | None:
    """Return what holds back the actions after time has passed or the suppressor has changed.

    Returns:
        None if suppression has ended and the actions run now.
    """
    if suppressing:
        return Suppression(by=ALARM)
    if current.by == ALARM:
        if not suppressor.extension:
            return None
        return Suppression(by=EXTENSION_PERIOD, until=at + suppressor.extension)
    if current.until is not None and at >= current.until:
        return None
    return current
