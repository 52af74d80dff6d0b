"""Errors say what went wrong, and carry what their readers go by."""

import pytest

from rollback_responder.domain.errors import (
    MessageGone,
    NotificationError,
    PolicyError,
    Problem,
    SignalError,
)

ONE = Problem(path="a.b", got="1", allowed="2", change="write it")


def test_a_signal_is_refused_for_a_reason_with_its_detail():
    error = SignalError("unknown_account", "111122223333")

    assert (error.reason, str(error)) == ("unknown_account", "unknown_account: 111122223333")


@pytest.mark.parametrize("kind", [NotificationError, MessageGone])
@pytest.mark.parametrize("retryable", [True, False])
def test_a_message_that_was_not_told_may_be_told_later_or_not(kind, retryable):
    error = kind("Slack is busy", retryable=retryable)

    assert (error.retryable, str(error)) == (retryable, "Slack is busy")


def test_every_problem_has_a_line_of_its_own():
    assert str(PolicyError("the policy", (ONE,))) == (
        "the policy has 1 problem:\n  - a.b: got 1; allowed: 2; write it"
    )
    assert str(PolicyError("the policy", (ONE, ONE))).splitlines()[1:] == [f"  - {ONE}"] * 2
