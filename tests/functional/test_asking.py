"""What a person decides: the question, the yes, the silence, and what makes the question moot."""

from datetime import timedelta

import pytest
from checker import incidents_of, problems_of, reasons, told
from faults import Operations, healthy_v1
from scenarios import (
    ERROR_RATE,
    LATENCY,
    approval_needed,
    approve,
    fix_forward,
    frozen,
    release_proved,
    severity_asks,
)

from house import House, policy_document
from rollback_responder.domain.controls import Approval, Controls
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason

QUESTIONS = [approval_needed, severity_asks, frozen, release_proved]


@pytest.mark.parametrize("asks", QUESTIONS, ids=lambda asks: asks.__name__)
def test_nothing_is_touched_before_a_yes_and_one_thing_after_it(asks):
    house = asks()
    assert house.incident.state is State.ASKING
    assert house.aliases.moves == []
    assert told(house).pages
    approve(house)
    house.ops.pass_minutes(8)

    assert house.aliases.moves == [("shop", "2", "1")]
    assert Reason.APPROVED in reasons(house)
    assert house.incident.state is State.FIXED
    assert problems_of(house, good={"1"}) == []


def test_the_question_is_asked_once_and_ends_in_time():
    house = approval_needed()
    asked_at = house.incident.steps[-1].at
    house.ops.pass_minutes(62)

    assert reasons(house) == [Reason.APPROVAL_NEEDED, Reason.NOT_APPROVED]
    assert house.incident.steps[-1].at - asked_at == timedelta(minutes=60)
    assert house.incident.needs_a_person
    assert house.aliases.moves == []
    # The alarm fires on: it is not asked again for it.
    house.ops.pass_minutes(10)
    assert len([i for i in incidents_of(house) if i.reason is Reason.NOT_APPROVED]) == 1


def test_the_question_goes_with_the_symptom():
    house = approval_needed()
    house.errors["2"] = 0.0
    house.ops.pass_minutes(8)
    with pytest.raises(OrderRefused, match="does not ask for anything any more"):
        approve(house)
    house.ops.pass_minutes(3)

    assert house.incident.reason is Reason.ALARM_NOT_FIRING
    assert house.aliases.moves == []


def test_a_yes_to_another_incident_is_no_yes_to_this_one():
    house = approval_needed()
    other = Approval(incident_id="inc-none", by="bob", at=house.now)
    house.journal.say("shop", Controls(approvals=(other,)))
    house.ops.pass_minutes(5)

    assert house.incident.state is State.ASKING
    assert house.aliases.moves == []


def test_a_yes_does_not_lift_what_forbids():
    """Paused after the question: the yes waits with everything else."""
    house = approval_needed()
    house.budget.paused_by = "carol"
    approve(house)
    house.ops.pass_minutes(3)
    assert house.aliases.moves == []
    house.budget.paused_by = None
    house.ops.pass_minutes(2)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_two_yeses_and_copies_of_the_message_move_once():
    house = approval_needed()
    approve(house)
    approve(house, by="carol")
    for _ in range(3):
        house.try_respond(ERROR_RATE)
    house.ops.pass_minutes(8)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_dip_in_the_numbers_does_not_take_the_question_back():
    house = approval_needed()
    house.ops.pass_minutes(1, requests=1)

    assert house.incident.state is State.ASKING
    assert reasons(house) == [Reason.APPROVAL_NEEDED]


def test_another_alarm_does_not_displace_the_question():
    document = policy_document(mode="approve")
    house = healthy_v1(House(document), requests=24)
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6, latency_ms=900)
    house.ops.pass_minutes(20, requests=24)

    (asking,) = [i for i in incidents_of(house) if i.state is State.ASKING]
    assert asking.alarm_name == ERROR_RATE
    assert [step.text for step in asking.steps[1:]] == [
        f"{LATENCY} fires as well, and waits for this question"
    ]


def test_a_fix_forward_that_expires_is_judged_by_the_present():
    house = fix_forward()
    house.ops.pass_minutes(40)
    assert house.incident.state is State.UNDECIDED
    assert house.aliases.moves == []
    assert not told(house).pages
    house.ops.pass_minutes(15)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_fix_forward_that_works_leaves_nothing_to_do():
    house = fix_forward()
    house.deploy("v3")
    house.ops.pass_minutes(70)

    assert house.aliases.moves == []
    assert house.live == "3"
