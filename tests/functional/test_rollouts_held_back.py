"""What holds a rollback of a rollout back: the mode, the pause, the budget."""

from dataclasses import replace

import pytest
from checker import (
    incidents_of,
    is_back,
    latest,
    reasons,
    told,
)
from faults import Operations, client_error, healthy_v1, on, refuse
from rollout_scenarios import (
    DRIVEN,
    GROUP,
    MUTATING,
    REDEPLOYS,
    STACK,
    STACKS,
    bad_canary,
    bad_update,
    bad_updates,
    budget_spent,
    driven,
    finish,
    finished_deployment,
    house_of,
    paused,
)
from scenarios import ERROR_RATE, errors_alarm

from house import House, policy_document
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason


def test_while_it_is_paused_nothing_is_touched_and_what_would_be_done_is_said():
    house = finish(paused(), 5)

    assert not MUTATING & set(house.calls)
    assert told(house).done == (
        "Nothing: the responder is paused by alice. It would have stopped deployment d-000000002."
    )
    assert "Resume" in told(house).next_step
    assert not told(house).pages


def test_on_resuming_the_present_is_judged_and_a_bad_canary_stopped():
    house = paused()
    house.budget.paused_by = None
    finish(house)

    assert len(house.codedeploy.stops) == 1
    assert latest(house).state is State.FIXED


def test_on_resuming_after_a_long_pause_the_present_is_judged_as_well():
    """By then the incident of the pause has long been closed; the alarm still fires."""
    house = finish(paused(), 25)
    house.budget.paused_by = None
    finish(house)

    assert len(house.codedeploy.stops) == 1
    assert is_back(house)


def test_on_resuming_what_has_healed_meanwhile_is_left_alone():
    house = paused()
    house.errors["2"] = 0.0
    finish(house, 5)
    house.budget.paused_by = None
    finish(house)

    assert not MUTATING & set(house.calls)


def test_the_eleventh_rollback_of_an_hour_is_left_to_people():
    house = finish(budget_spent(), 3)

    assert not MUTATING & set(house.calls)
    assert reasons(house) == [Reason.BUDGET_SPENT]
    assert told(house).pages
    assert "10 rollbacks" in house.incident.steps[-1].text


def test_what_stood_down_does_not_use_the_budget_up():
    """One rollback an hour is allowed; many alarms that led to nothing come first."""
    document_ = policy_document()
    document_["guardrails"] |= {"rollbacks_an_hour": 1}
    house = healthy_v1(House(document_))
    house.ops = Operations(house)
    for _ in range(12):
        house.respond(ERROR_RATE)
    house.cloudwatch.delete_alarms([ERROR_RATE])
    for _ in range(3):
        house.respond(ERROR_RATE)
    house.cloudwatch.put_alarms([replace(errors_alarm(ERROR_RATE), threshold=0)])
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(6)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_stop_that_aws_refuses_does_not_use_the_budget_up():
    house = house_of(GROUP, guardrails={"rollbacks_an_hour": 1})
    denied = client_error("ThrottlingException", "StopDeployment")
    on(house, "StopDeployment", refuse(denied), times=2)
    finish(bad_canary(4, house))

    assert len(house.codedeploy.stops) == 1
    assert latest(house).state is State.FIXED


def test_one_rollback_of_three_stacks_is_not_held_up_by_its_own_budget():
    house = house_of(*STACKS, guardrails={"rollbacks_an_hour": 1})
    finish(bad_updates(house), 15)

    assert len(house.cloudformation.cancels) == 3


def by_canary(house):
    return bad_canary(1, house)


def by_update(house):
    return bad_update(1, house)


KINDS = {
    "alias": ((), lambda house: house.deploy("v2", errors=0.9)),
    "canary": ((GROUP,), by_canary),
    "redeploy": ((REDEPLOYS,), finished_deployment),
    "stack": ((STACK,), by_update),
    "failed rollback": ((STACK | {"continue_rollback": True},), by_update),
    "stacks": (STACKS, lambda house: bad_updates(house, minutes=1)),
    "driven": (DRIVEN, lambda house: driven(house, minutes=1)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_observe_touches_nothing_and_says_what_it_would_have_done(kind):
    rollouts, begin = KINDS[kind]
    house = house_of(*rollouts, mode="observe")
    begin(house)
    finish(house, 8)

    assert not MUTATING & set(house.calls)
    assert [i.reason for i in incidents_of(house)] == [Reason.OBSERVE_MODE]
    assert told(house).done.startswith("Nothing. It would have ")
    assert "would have rolled back" in told(house).headline


@pytest.mark.parametrize("kind", KINDS)
def test_a_pause_touches_nothing_whatever_the_kind(kind):
    rollouts, begin = KINDS[kind]
    house = house_of(*rollouts)
    house.budget.paused_by = "alice"
    begin(house)
    finish(house, 20)

    assert not MUTATING & set(house.calls)
    assert {reason for i in incidents_of(house) for reason in [i.reason]} == {Reason.PAUSED}
