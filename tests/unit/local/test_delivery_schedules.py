"""Which rules of the emulator's bus a minute of model time asks for."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from local.delivery import DeliveryError, EmulatorDelivery


def due(schedule, clock):
    rule = {"Name": "r", "State": "ENABLED", "ScheduleExpression": schedule}
    delivery = SimpleNamespace(_rules=lambda: [rule, {"Name": "pattern", "State": "ENABLED"}])
    at = datetime.fromisoformat(f"2026-11-22T{clock}").replace(tzinfo=UTC)
    return EmulatorDelivery.rules_due(delivery, at)


@pytest.mark.parametrize(
    ("schedule", "clock", "found"),
    [
        ("rate(1 minute)", "03:07", ["r"]),
        ("rate(5 minutes)", "03:05", ["r"]),
        ("rate(5 minutes)", "03:07", []),
        ("cron(15 6 * * ? *)", "06:15", ["r"]),
        ("cron(15 6 * * ? *)", "06:16", []),
        ("cron(15 6 * * ? *)", "15:06", []),
    ],
)
def test_a_rule_is_due_by_its_rate_or_once_a_day(schedule, clock, found):
    assert due(schedule, clock) == found


def test_what_is_neither_is_not_guessed():
    with pytest.raises(DeliveryError, match="is not modelled"):
        due("cron(0 9 ? * MON *)", "09:00")
