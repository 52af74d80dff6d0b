"""The invoice runbook, by its own words, under its own policy: four stacks, and a confirmation."""

from datetime import timedelta

import pytest

from rollback_responder.domain.controls import Controls, FixingForward, Unsafe
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.headline import headline
from tests.runbooks.team_house import TeamHouse

SERVICE = "invoice"
FUNCTION = "CiraInvoice-JobManagement-prod"
STACKS = MONITORING, WORKFLOW, API, DATABASE = tuple(
    f"CiraInvoice-{name}-prod" for name in ("Monitoring", "Workflow", "Api", "Database")
)


# An update that is still under way when the last answer is due.
LONG = 7200


def house() -> TeamHouse:
    return TeamHouse("2-invoice/prod.json").settle()


def updating(*others: str, **behaviour) -> TeamHouse:
    """The API's stack is being updated, which brings the function's version 2; others with it."""
    at = house()
    for stack in others:
        at.cloudformation.begin_update(stack, seconds=LONG)
    at.update(API, FUNCTION, seconds=LONG, **behaviour)
    return at


def confirmed(at: TeamHouse, *, minutes: int = 4) -> TeamHouse:
    """It asks, touches nothing meanwhile, and gets its yes."""
    at.pass_minutes(minutes)
    assert at.last(SERVICE).state is State.ASKING
    assert at.orders == []
    at.approve(SERVICE)
    return at


# -- critical issues ------------------------------------------------------------------------------


def test_critical_issue_api_is_completely_unavailable_5xx_errors_on_all_endpoints():
    """The API fails where the function does not: its own trigger sees it."""
    at = confirmed(updating(api_errors=1.0))
    assert at.last(SERVICE).trigger.label == "api-5xx-rate-unavailable"
    assert at.last(SERVICE).severity.value == "critical"
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert at.reasons(SERVICE) == [
        Reason.APPROVAL_NEEDED,
        Reason.APPROVED,
        Reason.ALL_BACK,
        Reason.SYMPTOM_GONE,
    ]


def test_critical_issue_complete_system_failure_affecting_all_users():
    at = confirmed(updating(errors=1.0))
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert at.last(SERVICE).state is State.FIXED
    assert headline(at.last(SERVICE)) == (
        f"invoice rolled back the update of stack {API}, the symptom is gone 12 min later"
    )


@pytest.mark.parametrize(
    "alarm",
    [
        pytest.param("CiraInvoice-DataIntegrity-prod", id="database_corruption_or_data_loss"),
        pytest.param("CiraInvoice-SecurityVulnerability-prod", id="security_vulnerability"),
        pytest.param("CiraInvoice-CriticalFeature-prod", id="critical_feature_broken"),
    ],
)
def test_issues_that_no_metric_shows_page_and_are_not_rolled_back(alarm):
    at = house()
    at.release(FUNCTION)
    at.pass_minutes(2)
    at.firing.add(alarm)
    at.pass_minutes(4)

    assert at.orders == []
    assert at.last(SERVICE).reason is Reason.ALARM_NOT_TRUSTED
    assert at.told(SERVICE).pages
    assert at.told(SERVICE).headline == (
        "invoice: did not roll back: the alarm's metric cannot be checked"
    )


# -- serious issues -------------------------------------------------------------------------------


def test_serious_issue_high_error_rate_more_than_10_percent_of_requests_failing():
    at = confirmed(updating(errors=0.15))
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert at.last(SERVICE).state is State.FIXED


def test_serious_issue_high_error_rate_that_only_the_api_shows():
    at = confirmed(updating(api_errors=0.15))
    assert at.last(SERVICE).trigger.label == "api-5xx-rate"
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert at.last(SERVICE).state is State.FIXED


def test_serious_issue_performance_degradation_response_times_5x_normal():
    at = confirmed(updating(latency_ms=700), minutes=6)
    assert at.last(SERVICE).trigger.kind == "latency_times_normal"
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert at.last(SERVICE).state is State.FIXED


# -- when not to roll back ------------------------------------------------------------------------


def test_minor_issues_are_not_rolled_back():
    """3 % of errors, and three times the normal response time: no trigger convicts, none asks."""
    at = updating(errors=0.03)
    at.pass_minutes(10)

    assert at.incidents(SERVICE) == []
    assert at.orders == []


def test_response_times_3x_normal_are_not_rolled_back_and_it_is_said_why():
    at = updating(latency_ms=300)
    at.pass_minutes(18)

    assert at.orders == []
    assert at.last(SERVICE).state is State.STOOD_DOWN
    assert at.last(SERVICE).reason is Reason.METRIC_HEALTHY
    assert "average latency 315 ms ≤ 500 ms" in at.told(SERVICE).happened


def test_issues_that_can_be_fixed_with_a_quick_patch_deployment_are_not_rolled_back():
    at = updating(errors=0.3)
    fix = FixingForward(by="ann", until_at=at.now + timedelta(minutes=30))
    at.journal.say(SERVICE, Controls(fix_forward=fix))
    at.pass_minutes(6)

    assert at.last(SERVICE).reason is Reason.FIX_FORWARD
    assert at.last(SERVICE).steps[-1].text.startswith("ann fixes it forward")
    assert at.orders == []


def test_problems_in_non_production_environments_are_fixed_forward():
    at = TeamHouse("2-invoice/staging.json").settle()
    at.update("CiraInvoice-Api-staging", "CiraInvoice-JobManagement-staging", errors=0.9)
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(SERVICE).reason is Reason.OBSERVE_MODE
    assert not at.told(SERVICE).pages
    assert at.told(SERVICE).headline == (
        "invoice: would have rolled back the update of stack CiraInvoice-Api-staging;"
        " the mode is observe"
    )


# -- the confirmation -----------------------------------------------------------------------------


def test_production_rollback_requires_confirmation():
    at = updating(errors=0.9)
    at.pass_minutes(4)

    assert at.last(SERVICE).reason is Reason.APPROVAL_NEEDED
    assert at.told(SERVICE).pages
    assert at.told(SERVICE).headline == (
        f"invoice: roll back the update of stack {API}? A person decides"
    )
    assert at.orders == []


def unconfirmed() -> TeamHouse:
    at = updating(errors=0.9)
    at.pass_minutes(4)
    at.pass_quietly(50)
    at.pass_minutes(9)
    return at


def test_production_rollback_without_a_confirmation_is_left_undone():
    at = unconfirmed()

    assert at.reasons(SERVICE, 0) == [Reason.APPROVAL_NEEDED, Reason.NOT_APPROVED]
    assert at.orders == []


def test_production_rollback_without_a_confirmation_is_not_asked_again_by_the_next_alarm():
    """The API's alarms fire for the same fault and the same change: that was answered."""
    at = unconfirmed()

    assert len(at.incidents(SERVICE)) == 1


# -- the order ------------------------------------------------------------------------------------


def test_rollback_order_monitoring_workflow_api_database():
    at = updating(MONITORING, WORKFLOW, DATABASE, errors=0.9)
    at.cloudformation.rollback_seconds = 90
    confirmed(at)
    at.pass_minutes(24)

    assert at.orders == [("cancel", stack) for stack in STACKS]
    assert at.reasons(SERVICE) == [
        Reason.APPROVAL_NEEDED,
        Reason.APPROVED,
        *[Reason.LEG_BACK, Reason.NEXT_LEG] * 3,
        Reason.ALL_BACK,
        Reason.SYMPTOM_GONE,
    ]
    assert at.told(SERVICE).headline == (
        "invoice rolled back a change of 4 parts, the symptom is gone 19 min later"
    )


def test_each_stack_is_cancelled_only_when_the_one_before_is_back():
    at = updating(MONITORING, WORKFLOW, DATABASE, errors=0.9)
    at.cloudformation.rollback_seconds = 300
    confirmed(at)
    at.pass_minutes(4)
    assert at.orders == [("cancel", MONITORING)]
    at.pass_minutes(4)

    assert at.orders == [("cancel", MONITORING), ("cancel", WORKFLOW)]
    assert at.cloudformation.status_of(MONITORING) == "UPDATE_ROLLBACK_COMPLETE"
    assert at.cloudformation.status_of(API) == "UPDATE_IN_PROGRESS"


def test_database_last_usually_not_needed_it_is_left_alone_if_it_is_not_being_updated():
    at = confirmed(updating(MONITORING, WORKFLOW, errors=0.9))
    at.pass_minutes(20)

    assert at.orders == [("cancel", MONITORING), ("cancel", WORKFLOW), ("cancel", API)]
    assert at.cloudformation.status_of(DATABASE) == "CREATE_COMPLETE"
    assert at.last(SERVICE).state is State.FIXED


def workflow_is_lost() -> TeamHouse:
    """The second of four stacks finishes its update a moment before it would be cancelled."""
    at = updating(MONITORING, WORKFLOW, DATABASE, errors=0.9)
    at.cloudformation.rollback_seconds = 90
    confirmed(at)
    at.pass_minutes(1)
    at.cloudformation.put_status(WORKFLOW, "UPDATE_COMPLETE")
    at.pass_minutes(3)
    return at


def test_a_stack_that_does_not_come_back_stops_the_others_and_calls_a_person():
    at = workflow_is_lost()

    assert at.orders == [("cancel", MONITORING)]
    assert at.last(SERVICE).state is State.INCOMPLETE
    assert [leg.state for leg in at.last(SERVICE).legs] == [
        LegState.BACK,
        LegState.FAILED,
        LegState.LEFT,
        LegState.LEFT,
    ]
    assert at.told(SERVICE).pages
    assert at.told(SERVICE).headline == (
        "invoice rolled back in part, 1 of 4 parts: not everything could be rolled back"
    )


def test_after_a_stack_that_does_not_come_back_the_others_are_left_and_not_taken_up_again():
    """`after_failure` is stop: what was left is a person's, also in the minutes that follow."""
    at = workflow_is_lost()
    orders = list(at.orders)
    at.pass_minutes(30)

    assert at.orders == orders
    first, *others = at.incidents(SERVICE)
    assert first.state is State.INCOMPLETE
    assert {incident.reason for incident in others} <= {Reason.ALREADY_ACTED}


# -- common rollback scenarios --------------------------------------------------------------------


def test_scenario_1_failed_deployment_stuck_in_update_rollback_failed_continue_rollback():
    at = updating(errors=0.9)
    at.cloudformation.fail_rollbacks(API, ["Function"], "the role is missing")
    confirmed(at)
    at.pass_minutes(2)
    at.cloudformation.mend(API)
    at.pass_minutes(16)

    assert at.orders == [("cancel", API), ("continue", API)]
    assert at.last(SERVICE).state is State.FIXED


def test_scenario_1_resources_are_never_skipped_a_person_is_called_with_what_is_stuck():
    at = updating(errors=0.9)
    at.cloudformation.fail_rollbacks(API, ["Function"], "the role is missing")
    confirmed(at)
    at.pass_minutes(6)

    (continued,) = at.cloudformation.continues
    assert continued.skipped == ()
    assert at.last(SERVICE).reason is Reason.ROLLBACK_STUCK
    assert at.told(SERVICE).pages
    assert "Function" in at.told(SERVICE).stands
    assert "the role is missing" in at.told(SERVICE).stands


def test_scenario_1_a_failed_rollback_of_the_database_is_left_to_people():
    at = updating(DATABASE, errors=0.9)
    at.cloudformation.fail_rollbacks(DATABASE, ["Function"], "the snapshot is missing")
    confirmed(at)
    at.pass_minutes(6)

    assert at.orders == [("cancel", API), ("cancel", DATABASE)]
    assert at.last(SERVICE).reason is Reason.ROLLBACK_STUCK
    assert f"continue-update-rollback --stack-name {DATABASE}" in at.told(SERVICE).stands


def test_scenario_2_database_migration_issue_a_release_marked_as_unsafe_is_not_rolled_back():
    at = updating(errors=0.9)
    mark = Unsafe(by="pipeline", why="the column jobs.state was dropped")
    at.journal.say(SERVICE, Controls(unsafe=(mark,)))
    at.pass_minutes(5)

    assert at.last(SERVICE).reason is Reason.ROLLBACK_UNSAFE
    assert at.told(SERVICE).pages
    assert "the column jobs.state was dropped" in at.told(SERVICE).done
    assert at.orders == []


def test_scenario_3_lambda_timeout_new_lambda_code_timing_out():
    at = confirmed(updating(timeouts=0.3))
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert at.last(SERVICE).state is State.FIXED


def test_scenario_4_broken_api_gateway_rollback_api_stack_only():
    at = confirmed(updating(api_errors=0.5))
    at.pass_minutes(16)

    assert at.orders == [("cancel", API)]
    assert [at.cloudformation.status_of(stack) for stack in STACKS] == [
        "CREATE_COMPLETE",
        "CREATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "CREATE_COMPLETE",
    ]


# -- times ----------------------------------------------------------------------------------------


def test_cancel_stack_update_5_to_10_minutes_later_a_person_is_called():
    at = updating(errors=0.9)
    at.cloudformation.rollback_seconds = 1800
    confirmed(at)
    at.pass_minutes(12)

    assert at.last(SERVICE).reason is Reason.ROLLBACK_OVERDUE
    assert "10 min after its way back began at" in at.last(SERVICE).steps[-1].text
    assert at.told(SERVICE).pages


def test_an_update_that_has_finished_cannot_be_cancelled_the_function_goes_back_instead():
    at = house()
    at.update(API, FUNCTION, seconds=30, errors=0.3)
    at.pass_minutes(1)
    confirmed(at)
    at.pass_minutes(14)

    assert at.orders == [("move", f"{FUNCTION} 2 to 1")]
    assert at.last(SERVICE).state is State.FIXED


def test_monitor_for_30_minutes_what_breaks_later_is_not_blamed_on_the_deployment_unasked():
    at = house()
    at.release(FUNCTION)
    at.pass_minutes(1)
    at.pass_quietly(40)
    at.behave(FUNCTION, "2", errors=0.3)
    at.pass_minutes(4)

    assert at.last(SERVICE).state is State.ASKING
    assert at.last(SERVICE).reason is Reason.RELEASE_PROVED
    assert at.orders == []
