"""What may happen on the way back: several stacks, other people, failures, and no end."""

from datetime import timedelta

import pytest
from checker import (
    incidents_of,
    is_back,
    problems_of,
    reasons,
    told,
)
from faults import Operations, client_error, connect_timeout, lose, on, refuse
from faults import before as just_before
from msgspec.structs import replace
from rollout_scenarios import (
    MUTATING,
    STACK,
    STACKS,
    bad_update,
    bad_updates,
    document,
    finish,
    house_of,
    rollback_adopted,
    rollback_continued,
    rollback_overdue,
    rollback_stuck,
    second_is_lost,
    update_stack,
)

from house import MINUTE, policy_document
from rollback_responder.domain.controls import Approval, Controls
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import LegState
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.reason import Reason
from rollback_responder.responder import Responder
from rollback_responder.watcher import Watcher

# -- several stacks -------------------------------------------------------------------------------


def test_three_stacks_go_back_in_the_policys_order_one_after_the_other():
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    running = []
    for _ in range(9):
        statuses = [house.cloudformation.status_of(stack["stack"]) for stack in STACKS]
        running.append(sum(status == "UPDATE_ROLLBACK_IN_PROGRESS" for status in statuses))
        finish(house, 1)
    finish(house)

    assert [cancel.stack for cancel in house.cloudformation.cancels] == [
        "api",
        "workflow",
        "database",
    ]
    assert max(running) == 1
    assert len({cancel.token for cancel in house.cloudformation.cancels}) == 3
    assert house.incident.state is State.FIXED
    assert told(house).headline.startswith(
        "shop rolled back a change of 3 parts, the symptom is gone"
    )
    assert problems_of(house, good={"1"}) == []


def test_after_one_that_cannot_be_rolled_back_the_others_are_left_by_default():
    house = finish(second_is_lost())

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]
    assert incidents_of(house)[0].state is State.INCOMPLETE
    assert [leg.state for leg in incidents_of(house)[0].legs] == [
        LegState.BACK,
        LegState.FAILED,
        LegState.LEFT,
    ]
    assert incidents_of(house)[0].needs_a_person
    assert told(house).headline == (
        "shop rolled back in part, 1 of 3 parts: not everything could be rolled back"
    )
    done = told(house).done.splitlines()
    assert not done[1].startswith("Cancelled")
    assert not done[2].startswith("Cancelled")


def test_after_one_that_cannot_be_rolled_back_the_others_go_on_where_the_policy_says_so():
    house = finish(second_is_lost(after_failure="go_on"))

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api", "database"]
    assert incidents_of(house)[0].state is State.INCOMPLETE
    assert incidents_of(house)[0].leg_counts() == (2, 3)
    assert "workflow" in told(house).stands


def test_a_next_stack_that_somebody_else_has_cancelled_is_followed_not_cancelled():
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    house.cloudformation.cancel_update_stack(StackName="workflow")
    house.cloudformation.cancels.pop()
    finish(house)

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api", "database"]
    assert house.incident.state is State.FIXED


def test_a_next_stack_that_somebody_updates_anew_is_left_alone():
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    house.cloudformation.put_status("workflow", "UPDATE_COMPLETE")
    house.cloudformation.begin_update("workflow", seconds=3600)
    finish(house)

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]
    assert incidents_of(house)[0].state is State.INCOMPLETE


def test_a_pause_between_two_stacks_holds_the_next_one_until_it_is_over():
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    house.budget.paused_by = "alice"
    finish(house, 6)
    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]
    assert house.incident.state is State.ROLLING_BACK
    house.budget.paused_by = None
    finish(house, 15)

    assert len(house.cloudformation.cancels) == 3
    assert house.incident.state is State.FIXED


def test_a_pause_of_a_day_between_two_stacks_leaves_the_next_ones_and_calls_a_person():
    """By then nobody knows whether they still fit; what was begun has long ended."""
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    house.budget.paused_by = "alice"
    finish(house, 3)
    house.now = house.incident.acted_at + timedelta(hours=23, minutes=50)
    finish(house, 2)
    assert house.incident.state is State.ROLLING_BACK
    finish(house, 12)

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]
    assert (house.incident.state, house.incident.needs_a_person) == (State.INCOMPLETE, True)
    assert any(
        "began a day ago, and the responder is paused by alice" in step.text
        for step in house.incident.steps
    )
    house.budget.paused_by = None
    finish(house, 3)
    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]


@pytest.mark.parametrize("after_failure", ["stop", "go_on"])
def test_once_the_mode_is_observe_no_next_stack_is_begun_and_a_person_is_called(after_failure):
    house = house_of(*STACKS, after_failure=after_failure)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    with_policy(house, document(*STACKS, after_failure=after_failure, mode="observe"))
    finish(house, 8)
    states = [leg.state for leg in incidents_of(house)[0].legs]

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]
    assert incidents_of(house)[0].state is State.INCOMPLETE
    assert incidents_of(house)[0].needs_a_person
    assert states[0] is LegState.BACK
    assert set(states[1:]) <= {LegState.FAILED, LegState.LEFT}
    texts = [step.text for step in incidents_of(house)[0].steps]
    assert "stack workflow is left as it is: the mode is observe by now" in texts


# -- somebody else's rollback ---------------------------------------------------------------------


def test_a_rollback_of_somebody_else_is_adopted_and_no_mutating_call_is_made():
    house = finish(rollback_adopted())

    assert not MUTATING & set(house.calls)
    assert reasons(house) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
    assert is_back(house)
    assert told(house).done.startswith("Followed the update of stack shop: back")
    assert told(house).headline.startswith("shop: the update of stack shop was rolled back")


def test_an_update_that_fails_and_rolls_back_by_itself_is_adopted_as_well():
    house = house_of(STACK)
    house.cloudformation.rollback_seconds = 600
    update_stack(house)
    house.ops.pass_minutes(1, requests=60)
    house.cloudformation.fail_update("shop", ["Function"])
    finish(house, 4)
    assert house.incident.reason is Reason.ROLLBACK_ADOPTED
    finish(house, 15)

    assert not MUTATING & set(house.calls)
    assert house.incident.state is State.FIXED


def cancelled_by_somebody(house, *, rollback_seconds):
    """Somebody cancels the update before the alarm fires, and its rollback fails after a while."""
    house.cloudformation.rollback_seconds = rollback_seconds
    house.cloudformation.fail_rollbacks("shop", ["Function"], "the layer was deleted")
    update_stack(house)
    house.ops.pass_minutes(1, requests=60)
    house.cloudformation.cancel_update_stack(StackName="shop")
    house.cloudformation.cancels.clear()
    return finish(house, 6)


def test_an_adopted_rollback_that_fails_pages_like_our_own():
    house = cancelled_by_somebody(house_of(STACK), rollback_seconds=240)

    assert reasons(house) == [Reason.ROLLBACK_ADOPTED, Reason.ROLLBACK_STUCK]
    assert house.incident.needs_a_person
    assert not MUTATING & set(house.calls)


def test_a_rollback_that_had_failed_before_anybody_looked_calls_a_person_and_is_not_followed():
    """It may have lain there for weeks, and nobody may ever mend it."""
    house = cancelled_by_somebody(house_of(STACK), rollback_seconds=5)

    assert reasons(house) == [Reason.CHANGE_BROKEN]
    assert (house.incident.state, house.incident.needs_a_person) == (State.STOOD_DOWN, True)
    assert "UPDATE_ROLLBACK_FAILED. Function: the layer was deleted" in told(house).done
    assert "aws cloudformation continue-update-rollback --stack-name shop" in told(house).done
    assert not MUTATING & set(house.calls)


def test_a_rollback_that_had_failed_before_is_continued_once_where_the_policy_says_so():
    house = house_of(STACK | {"continue_rollback": True})
    on(house, "ContinueUpdateRollback", just_before(lambda: house.cloudformation.mend("shop")))
    finish(cancelled_by_somebody(house, rollback_seconds=5))

    assert reasons(house) == [
        Reason.ROLLBACK_ADOPTED,
        Reason.ROLLBACK_STUCK,
        Reason.ROLLBACK_CONTINUED,
        Reason.ALL_BACK,
        Reason.SYMPTOM_GONE,
    ]
    assert house.calls.count("ContinueUpdateRollback") == 1
    assert MUTATING & set(house.calls) == {"ContinueUpdateRollback"}


# -- a rollback that fails ------------------------------------------------------------------------


def test_a_failed_rollback_pages_at_once_with_the_resources_and_the_command():
    house = rollback_stuck()
    step = house.incident.steps[-1]

    assert step.reason is Reason.ROLLBACK_STUCK
    assert step.at - house.incident.acted_at <= MINUTE
    assert told(house).pages
    assert "Function: the layer was deleted" in told(house).stands
    assert "aws cloudformation continue-update-rollback --stack-name shop" in told(house).stands
    assert "On its way back" not in told(house).stands


def test_a_failed_rollback_is_told_once_and_followed_until_a_person_has_mended_it():
    house = finish(rollback_stuck(), 30)
    assert reasons(house).count(Reason.ROLLBACK_STUCK) == 1
    assert house.incident.state is State.ROLLING_BACK
    house.cloudformation.mend("shop")
    house.cloudformation.continue_update_rollback(StackName="shop")
    finish(house)

    assert house.incident.state is State.FIXED
    assert is_back(house)
    assert "ContinueUpdateRollback" not in house.calls


def test_a_failed_rollback_is_continued_once_where_the_policy_says_so_and_never_twice():
    house = finish(rollback_continued(), 30)
    (continued,) = house.cloudformation.continues

    assert (continued.skipped, continued.role) == ((), None)
    assert house.calls.count("ContinueUpdateRollback") == 1
    assert reasons(house) == [
        Reason.METRIC_BREACHING,
        Reason.ROLLBACK_STUCK,
        Reason.ROLLBACK_CONTINUED,
        Reason.ROLLBACK_STUCK,
    ]
    assert house.incident.needs_a_person


def test_a_rollback_that_was_continued_and_succeeds_is_followed_to_the_end():
    house = house_of(STACK | {"continue_rollback": True})
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    on(
        house,
        "ContinueUpdateRollback",
        just_before(lambda: house.cloudformation.mend("shop")),
    )
    finish(bad_update(4, house))

    assert house.incident.state is State.FIXED
    assert is_back(house)
    assert problems_of(house, good={"1"}) == []


def test_a_failed_rollback_is_never_continued_without_the_policys_leave_while_paused_or_observing():
    plain = finish(rollback_stuck(), 10)
    house = house_of(STACK | {"continue_rollback": True})
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    house.cloudformation.rollback_seconds = 130
    bad_update(4, house)
    house.budget.paused_by = "alice"
    finish(house, 10)

    assert "ContinueUpdateRollback" not in plain.calls
    assert "ContinueUpdateRollback" not in house.calls


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError"])
def test_a_continuation_that_aws_refuses_is_not_tried_each_minute(code):
    house = house_of(STACK | {"continue_rollback": True})
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    denied = client_error(code, "ContinueUpdateRollback")
    on(house, "ContinueUpdateRollback", refuse(denied), times=999)
    finish(bad_update(4, house), 10)

    assert house.calls.count("ContinueUpdateRollback") == 1
    assert house.incident.needs_a_person
    assert reasons(house).count(Reason.ROLLBACK_STUCK) == 2
    assert "could not be continued" in told(house).stands
    assert "aws cloudformation continue-update-rollback --stack-name shop" in told(house).stands


def test_a_throttled_continuation_is_asked_again():
    house = house_of(STACK | {"continue_rollback": True})
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    throttled = client_error("Throttling", "ContinueUpdateRollback")
    on(house, "ContinueUpdateRollback", refuse(throttled), times=2)
    finish(bad_update(4, house), 10)

    assert house.calls.count("ContinueUpdateRollback") == 3
    assert len(house.cloudformation.continues) == 1


def test_a_continuation_whose_answer_is_lost_is_not_made_twice():
    house = house_of(STACK | {"continue_rollback": True})
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    on(house, "ContinueUpdateRollback", lose(connect_timeout()))
    finish(bad_update(4, house), 30)

    assert len(house.cloudformation.continues) == 1
    assert house.incident.needs_a_person


# -- a rollback that takes too long ---------------------------------------------------------------


def test_a_rollback_past_its_deadline_pages_once_and_is_still_followed():
    house = rollback_overdue()
    assert house.incident.needs_a_person
    assert house.incident.state is State.ROLLING_BACK
    finish(house, 60)
    assert reasons(house).count(Reason.ROLLBACK_OVERDUE) == 1
    finish(house, 70)

    assert house.incident.state is State.FIXED


def test_a_rollback_that_never_ends_is_given_up_after_a_day():
    house = rollback_overdue()
    house.cloudformation.put_status("shop", "UPDATE_ROLLBACK_IN_PROGRESS")
    house.now += timedelta(hours=23)
    house.ops.look()
    assert house.incident.is_open
    house.now += timedelta(hours=1)
    house.ops.look()

    assert house.incident.state is State.INCOMPLETE
    assert house.incident.needs_a_person
    assert "24 hours" in told(house).stands


@pytest.mark.parametrize("operation", ["DescribeStacks", "GetAlias"])
def test_a_rollback_that_can_no_longer_be_read_pages_at_its_deadline_and_ends(operation):
    house = house_of(STACK | {"deadline_minutes": 5})
    house.cloudformation.rollback_seconds = 48 * 3600
    bad_update(4, house)
    on(house, operation, refuse(client_error("AccessDenied", operation)), times=99999)
    finish(house, 8)
    assert (house.incident.reason, house.incident.is_open) == (Reason.ROLLBACK_OVERDUE, True)
    assert house.incident.needs_a_person
    house.now += timedelta(hours=24)
    house.ops.look()

    assert house.incident.state is State.INCOMPLETE
    assert house.incident.needs_a_person
    assert reasons(house).count(Reason.ROLLBACK_OVERDUE) == 1


@pytest.mark.parametrize("operation", ["DescribeStacks", "GetAlias"])
def test_a_rollback_that_could_not_be_read_for_a_while_is_followed_to_its_end(operation):
    house = house_of(STACK)
    house.cloudformation.rollback_seconds = 120
    bad_update(4, house)
    on(house, operation, refuse(client_error("AccessDenied", operation)), times=8)
    finish(house, 15)

    assert house.incident.state is State.FIXED
    assert is_back(house)


def with_policy(house, written):
    """The responder is deployed again with another policy; it has rooms for its own kinds only."""
    policy = parse_policy(written)
    kinds = {target.kind for service in policy.services for target in service.targets}
    rollouts = {kind: room for kind, room in house.rooms.rollouts.items() if kind in kinds}
    house.rooms = replace(house.rooms, policy=policy, rollouts=rollouts)
    house.responder = Responder(house.rooms)
    house.watcher = Watcher(house.rooms, house.woken.append)
    house.ops = Operations(house)
    return house


def test_a_rollback_of_a_kind_that_the_policy_no_longer_has_pages_at_its_deadline_and_ends():
    house = house_of(STACK | {"deadline_minutes": 5})
    house.cloudformation.rollback_seconds = 600
    with_policy(bad_update(4, house), policy_document())
    finish(house, 8)
    assert house.incident.reason is Reason.ROLLBACK_OVERDUE
    assert "not readable" in told(house).stands
    house.now += timedelta(hours=24)
    house.ops.look()

    assert (house.incident.state, house.incident.needs_a_person) == (State.INCOMPLETE, True)


def test_the_next_stack_of_a_policy_without_stacks_is_left_and_somebody_is_called():
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    with_policy(bad_updates(house), policy_document())
    house.now += timedelta(hours=25)
    finish(house, 4)

    assert house.incident.state is State.INCOMPLETE
    assert house.incident.needs_a_person
    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]


def test_a_stack_deleted_while_its_rollback_is_followed_is_said():
    house = house_of(STACK)
    house.cloudformation.rollback_seconds = 600
    bad_update(4, house)
    house.cloudformation.delete("shop")
    finish(house, 2)

    assert incidents_of(house)[0].state is State.INCOMPLETE
    assert "does not exist any more" in told(house).stands


def test_in_approve_mode_a_failed_rollback_of_somebody_else_is_not_continued_without_a_yes():
    house = house_of(STACK | {"continue_rollback": True}, mode="approve")
    finish(cancelled_by_somebody(house, rollback_seconds=5), 6)

    assert not MUTATING & set(house.calls)
    assert reasons(house)[:2] == [Reason.ROLLBACK_ADOPTED, Reason.ROLLBACK_STUCK]
    assert "nobody said yes" in " ".join(step.text for step in house.incident.steps)
    assert house.incident.needs_a_person


def test_in_approve_mode_the_yes_to_a_rollback_covers_its_continuation():
    house = house_of(STACK | {"continue_rollback": True}, mode="approve")
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    bad_update(3, house)
    assert house.incident.state is State.ASKING
    approval = Approval(incident_id=house.incident.id, by="bob", at=house.now)
    house.journal.say("shop", Controls(approvals=(approval,)))
    finish(house, 6)

    assert house.calls.count("CancelUpdateStack") == 1
    assert house.calls.count("ContinueUpdateRollback") == 1
