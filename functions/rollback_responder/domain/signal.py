"""What a message claims, and what the alarm really says when it is read again."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class AlarmState(StrEnum):
    """CloudWatch's three states."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Signal(Struct, frozen=True, kw_only=True):
    """A hint that an alarm may have changed. Nothing in it is acted upon: it only says *look*.

    The identity is the ARN. `at` is the instant of the transition as the message gives it, or None
    for our own wake-up, which claims nothing.
    """

    alarm_name: str
    account_id: str
    region: str
    state: AlarmState
    at: datetime | None


class AlarmReading(Struct, frozen=True, kw_only=True):
    """An alarm as CloudWatch describes it now.

    Attributes:
        state: its state.
        transitioned_at: when it entered that state (`StateTransitionedTimestamp`).
        actions_enabled: False after somebody disabled its actions.
        suppressed_by: why a composite's actions are held back, or None.
        muted_by: the rule that mutes its actions, or None.
        unsound: its `EvaluationState` if CloudWatch itself doubts the state, or None.
    """

    state: AlarmState
    transitioned_at: datetime
    actions_enabled: bool = True
    suppressed_by: str | None = None
    muted_by: str | None = None
    unsound: str | None = None
