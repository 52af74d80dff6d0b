"""The forum add-on's runbook, by its own words, under its own policy: one CDK stack."""

from datetime import timedelta

from rollback_responder.domain.controls import Controls, FixingForward
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.headline import headline
from tests.runbooks.team_house import TeamHouse

SERVICE = "forum-addon"
AUTH, CUSTOMER, DRIVER = "ir-auth", "ir-custid", "ir-driver"
ALL = (AUTH, CUSTOMER, DRIVER)
STACK = "CdkInfrastructureStack-prod"
HOUR = 60
AFTER_4_HOURS = 4 * HOUR + 5
SLOW, VERY_SLOW = 400, 2500


def house() -> TeamHouse:
    return TeamHouse("1-forum-addon/prod.json").settle()


def updated(*, minutes: int = 1) -> TeamHouse:
    """An update of the stack has brought version 2 of every function, and serves well so far."""
    at = house()
    at.update(STACK, *ALL, seconds=30)
    at.pass_minutes(1)
    at.pass_quietly(minutes)
    return at


def live(at: TeamHouse) -> list[str]:
    return [at.live_of(function) for function in ALL]


# -- rollback scenarios ---------------------------------------------------------------------------


def test_scenario_1_cdk_deployment_failure_no_rollback_needed():
    at = house()
    at.update(STACK, *ALL, seconds=600)
    at.cloudformation.fail_update(STACK, ["Function"], "no such layer")
    at.pass_minutes(5)

    assert at.cloudformation.status_of(STACK) == "UPDATE_ROLLBACK_COMPLETE"
    assert at.incidents(SERVICE) == []
    assert at.orders == []


def test_scenario_1_a_deployment_failure_that_an_alarm_sees_is_followed_and_left_alone():
    at = house()
    at.cloudformation.rollback_seconds = 240
    at.update(STACK, *ALL, seconds=600, errors=0.3)
    at.cloudformation.fail_update(STACK, ["Function"], "no such layer")
    at.pass_minutes(11)

    assert at.reasons(SERVICE) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
    assert at.orders == []


def test_scenario_2_post_deployment_functional_issues_rollback_to_previous_infrastructure():
    """The function that does not work goes back; the update has finished, and the others stay."""
    at = updated()
    at.behave(CUSTOMER, "2", errors=0.3)
    at.pass_minutes(8)

    assert at.orders == [("move", "ir-custid 2 to 1")]
    assert live(at) == ["2", "1", "2"]
    assert at.last(SERVICE).state is State.FIXED
    assert headline(at.last(SERVICE)) == (
        "forum-addon rolled back v2 → v1, the symptom is gone 4 min later"
    )


def test_scenario_3_performance_degradation_performs_poorly_compared_to_the_old_system():
    """Four times its normal, and still below two seconds."""
    at = updated()
    at.behave(DRIVER, "2", latency_ms=SLOW)
    at.pass_minutes(12)

    assert at.last(SERVICE).trigger.kind == "latency_times_normal"
    assert at.orders == [("move", "ir-driver 2 to 1")]
    assert at.last(SERVICE).state is State.FIXED


def test_scenario_3_performance_degradation_while_the_update_is_under_way_immediate_rollback():
    at = house()
    at.update(STACK, *ALL, latency_ms=VERY_SLOW)
    at.pass_minutes(12)

    assert at.orders == [("cancel", STACK)]
    assert live(at) == ["1", "1", "1"]
    assert at.last(SERVICE).state is State.FIXED


# -- the decision matrix --------------------------------------------------------------------------


def test_critical_service_down_less_than_1_hour_immediate_cdk_rollback():
    at = house()
    at.update(STACK, *ALL, errors=0.9)
    at.pass_minutes(9)

    assert at.orders == [("cancel", STACK)]
    assert live(at) == ["1", "1", "1"]
    assert at.reasons(SERVICE) == [Reason.METRIC_BREACHING, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
    assert headline(at.last(SERVICE)) == (
        f"forum-addon rolled back the update of stack {STACK}, the symptom is gone 5 min later"
    )


def test_critical_service_down_more_than_1_hour_is_not_rolled_back_automatically():
    """The matrix leaves it to people: "Manual Infrastructure Restoration"."""
    at = updated(minutes=90)
    at.behave(AUTH, "2", errors=0.9)
    at.pass_minutes(8)

    assert at.orders == []
    assert at.last(SERVICE).state is State.ASKING
    assert at.last(SERVICE).reason is Reason.SEVERITY_ASKS


def test_critical_service_down_more_than_4_hours_a_person_is_asked():
    at = updated(minutes=AFTER_4_HOURS)
    at.behave(AUTH, "2", errors=0.9)
    at.pass_minutes(5)

    assert at.last(SERVICE).state is State.ASKING
    assert at.orders == []
    at.approve(SERVICE)
    at.pass_minutes(7)
    assert at.orders == [("move", "ir-auth 2 to 1")]
    assert at.last(SERVICE).state is State.FIXED


def test_high_degraded_performance_less_than_4_hours_cdk_rollback():
    at = updated(minutes=3 * HOUR)
    at.behave(DRIVER, "2", latency_ms=VERY_SLOW)
    at.pass_minutes(12)

    assert at.orders == [("move", "ir-driver 2 to 1")]
    assert at.last(SERVICE).state is State.FIXED


def test_high_some_requests_fail_less_than_4_hours_cdk_rollback():
    """Above 5 % is degraded, above 50 % is down: two triggers of one kind."""
    at = updated(minutes=3 * HOUR)
    at.behave(AUTH, "2", errors=0.2)
    at.pass_minutes(8)

    assert at.last(SERVICE).alarm_name == "rollback.prod.forum-addon.ir-auth.live.error-rate"
    assert at.orders == [("move", "ir-auth 2 to 1")]
    assert at.last(SERVICE).state is State.FIXED


def test_high_degraded_performance_more_than_4_hours_planned_rollback():
    """A person is asked, plans it, and says yes within four hours."""
    at = updated(minutes=AFTER_4_HOURS)
    at.behave(DRIVER, "2", latency_ms=VERY_SLOW)
    at.pass_minutes(5)

    assert at.last(SERVICE).state is State.ASKING
    assert headline(at.last(SERVICE)) == (
        "forum-addon: roll back v2 → v1? The live version had proved itself before"
    )
    assert at.orders == []
    at.pass_quietly(30)
    at.approve(SERVICE)
    at.pass_minutes(9)
    assert at.orders == [("move", "ir-driver 2 to 1")]
    assert at.reasons(SERVICE) == [Reason.RELEASE_PROVED, Reason.APPROVED, Reason.SYMPTOM_GONE]


def test_medium_minor_issues_any_time_are_never_rolled_back_without_a_yes():
    at = updated()
    at.behave(AUTH, "2", throttled=0.05)
    at.pass_minutes(5)

    assert at.last(SERVICE).severity.value == "medium"
    assert at.last(SERVICE).state is State.ASKING
    assert at.last(SERVICE).reason is Reason.SEVERITY_ASKS
    at.pass_quietly(4 * HOUR)
    assert at.last(SERVICE).reason is Reason.NOT_APPROVED
    assert at.orders == []


def test_medium_minor_issues_after_4_hours_are_asked_as_well():
    at = updated(minutes=AFTER_4_HOURS)
    at.behave(AUTH, "2", throttled=0.05)
    at.pass_minutes(5)

    assert at.last(SERVICE).state is State.ASKING
    assert at.last(SERVICE).reason is Reason.RELEASE_PROVED
    at.approve(SERVICE)
    at.pass_minutes(2)
    assert at.orders == [("move", "ir-auth 2 to 1")]


def test_medium_minor_issues_fix_forward():
    at = updated()
    fix = FixingForward(by="dev team", until_at=at.now + timedelta(hours=2))
    at.journal.say(SERVICE, Controls(fix_forward=fix))
    at.behave(AUTH, "2", throttled=0.05)
    at.pass_minutes(5)

    assert at.last(SERVICE).reason is Reason.FIX_FORWARD
    assert headline(at.last(SERVICE)) == (
        "forum-addon: not rolled back yet: somebody fixes it forward"
    )
    assert at.orders == []


def test_of_several_deployments_within_4_hours_all_go_back_to_the_release_before_the_first():
    at = updated(minutes=60)
    at.release(AUTH, "v3", errors=0.3)
    at.pass_minutes(4)

    assert at.orders == [("move", "ir-auth 3 to 1")]


# -- method 1: the stack --------------------------------------------------------------------------


def test_if_cancel_does_not_work_continue_update_rollback():
    at = house()
    at.cloudformation.fail_rollbacks(STACK, ["Function"], "the role is missing")
    at.update(STACK, *ALL, errors=0.9)
    at.pass_minutes(3)
    at.cloudformation.mend(STACK)
    at.pass_minutes(12)

    assert at.orders == [("cancel", STACK), ("continue", STACK)]
    (continued,) = at.cloudformation.continues
    assert (continued.skipped, continued.role) == ((), None)
    assert at.last(SERVICE).state is State.FIXED


def test_a_stack_that_cannot_be_continued_either_calls_a_person_with_the_command():
    at = house()
    at.cloudformation.fail_rollbacks(STACK, ["Function"], "the role is missing")
    at.update(STACK, *ALL, errors=0.9)
    at.pass_minutes(10)

    assert at.orders == [("cancel", STACK), ("continue", STACK)]
    assert at.last(SERVICE).reason is Reason.ROLLBACK_STUCK
    assert at.told(SERVICE).pages
    assert "the role is missing" in at.told(SERVICE).stands
    assert f"continue-update-rollback --stack-name {STACK}" in at.told(SERVICE).stands


def test_prerequisite_the_stack_is_in_a_stable_state_else_nothing_is_touched():
    at = house()
    at.cloudformation.put_status(STACK, "UPDATE_FAILED")
    at.release(AUTH, errors=0.9)
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(SERVICE).reason is Reason.CHANGE_BROKEN
    assert at.told(SERVICE).pages


def test_target_rollback_time_critical_issues_less_than_15_minutes():
    """All functions fail after the update: they go back one after the other, each watched."""
    at = updated()
    for function in ALL:
        at.behave(function, "2", errors=0.9)
    at.pass_minutes(14)

    assert live(at) == ["1", "1", "1"]
    assert [incident.state for incident in at.incidents(SERVICE)][:2] == [State.FIXED] * 2


def test_target_rollback_time_of_a_stack_that_takes_more_than_15_minutes_calls_a_person():
    at = house()
    at.cloudformation.rollback_seconds = 3600
    at.update(STACK, *ALL, errors=0.9)
    at.pass_minutes(3)
    began_at = at.last(SERVICE).acted_at
    at.pass_minutes(16)

    assert at.last(SERVICE).reason is Reason.ROLLBACK_OVERDUE
    assert at.last(SERVICE).steps[-1].at - began_at <= timedelta(minutes=16)
    assert at.told(SERVICE).pages


# -- what a rollback would not mend ---------------------------------------------------------------


def test_nothing_is_rolled_back_where_the_functions_failed_before_the_deployment():
    at = house()
    at.behave(AUTH, "1", errors=0.9)
    at.pass_minutes(6)
    at.release(AUTH, errors=0.9)
    at.pass_minutes(5)

    assert at.orders == []
    assert at.last(SERVICE).reason is Reason.ALARM_BEFORE_CHANGE
    assert headline(at.last(SERVICE)) == (
        "forum-addon: did not roll back: the alarm fired before the deploy"
    )


def test_a_fix_that_is_deployed_2_minutes_after_the_alarm_is_not_blamed_for_it():
    at = house()
    at.behave(AUTH, "1", errors=0.9)
    at.pass_minutes(4)
    assert at.last(SERVICE).reason is Reason.NO_RECENT_CHANGE
    at.release(AUTH, errors=0.9)
    at.pass_minutes(5)

    assert at.orders == []


# -- rollback testing -----------------------------------------------------------------------------


def test_pre_production_testing_a_rollback_by_hand_in_staging_is_followed_and_rings_nobody():
    at = TeamHouse("1-forum-addon/staging.json").settle()
    at.cloudformation.rollback_seconds = 240
    at.update("CdkInfrastructureStack-staging", *ALL, errors=0.3)
    at.pass_minutes(1)
    at.cloudformation.cancel_update_stack(StackName="CdkInfrastructureStack-staging")
    by_hand = at.orders
    at.pass_minutes(10)

    assert at.reasons(SERVICE) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
    assert at.orders == by_hand
    assert at.policy.slack.mention.value == "nobody"
