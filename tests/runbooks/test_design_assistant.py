"""The design assistant's runbook, by its own words, under its own policy: SAM and CodeDeploy."""

import pytest

from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.headline import headline
from tests.runbooks.team_house import AT_ONCE, HALF, TeamHouse

API, WORKER = "api", "worker"
STACK = "security-assistant-prod"
API_FUNCTION, WORKER_FUNCTION = "security-assistant-api-prod", "security-assistant-worker-prod"


def house(environment: str = "prod") -> TeamHouse:
    return TeamHouse(f"3-design-assistant/{environment}.json").settle()


def shifting(service: str, environment: str = "prod", **behaviour) -> TeamHouse:
    """A deployment that has shifted half of the traffic, and goes on in an hour."""
    at = house(environment)
    at.made = at.deploy(service, **behaviour)
    return at


def stopped(at: TeamHouse, service: str, minutes: int = 10) -> None:
    """It is stopped with its rollback, and the traffic is back where it was."""
    at.pass_minutes(minutes)
    assert at.codedeploy.stops == [(at.made, True)]
    assert at.orders == [("stop", at.made)]
    assert at.last(service).state is State.FIXED


# -- automatic rollback ---------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "function"), [(API, API_FUNCTION), (WORKER, WORKER_FUNCTION)])
def test_lambda_error_rate_above_5_percent_in_prod(service, function):
    at = shifting(service, errors=0.2)
    stopped(at, service)

    assert at.live_of(function) == "1"
    assert at.reasons(service) == [Reason.METRIC_BREACHING, Reason.ALL_BACK, Reason.SYMPTOM_GONE]


def test_lambda_error_rate_above_5_percent_of_the_new_version_is_seen_on_half_of_the_traffic():
    """8 % of the half are 4 % of all: the alarm is silent, and the versions are told apart."""
    at = shifting(WORKER, errors=0.08)
    stopped(at, WORKER, 16)

    assert at.last(WORKER).early


def test_lambda_error_rate_below_10_percent_in_staging_is_not_rolled_back():
    at = shifting(WORKER, "staging", errors=0.07)
    at.pass_minutes(12)

    assert at.incidents(WORKER) == []
    assert at.orders == []


def test_lambda_error_rate_above_10_percent_in_staging():
    at = shifting(WORKER, "staging", errors=0.3)
    stopped(at, WORKER)


def test_api_gateway_5xx_errors_more_than_5_per_5_minute_period():
    """Errors that Lambda does not count: the API's own trigger sees them."""
    at = shifting(API, api_errors=0.05)
    stopped(at, API, 16)

    assert at.last(API).trigger.kind == "api_5xx_count"


def test_api_gateway_5xx_errors_up_to_5_per_5_minute_period_are_not_rolled_back():
    at = shifting(API, api_errors=1 / 240)
    at.pass_minutes(12)

    assert at.incidents(API) == []
    assert at.orders == []


def test_dlq_messages_present():
    at = shifting(WORKER, dead_letters=2)
    stopped(at, WORKER, 12)

    assert at.last(WORKER).trigger.kind == "dead_letters"
    assert "for you to redrive" in at.last(WORKER).steps[-1].text


def test_dlq_messages_that_were_there_before_the_deployment_are_not_held_against_it():
    at = house()
    at.dead["security-assistant-processing-dlq-prod"] = 3
    at.pass_minutes(10)
    at.deploy(WORKER)
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(WORKER).reason is Reason.ALARM_BEFORE_CHANGE


def test_post_traffic_hook_failures_are_rolled_back_by_codedeploy_and_followed():
    at = house()
    at.codedeploy.rollback_seconds = 240
    made = at.deploy(API, errors=0.3)
    at.codedeploy.fail(made)
    at.pass_minutes(11)

    assert at.orders == []
    assert at.reasons(API) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
    assert at.told(API).headline == (f"api: deployment {made} was rolled back, the symptom is gone")


def test_pre_traffic_hook_failures_that_no_alarm_sees_are_codedeploys_alone():
    at = house()
    at.codedeploy.fail(at.deploy(API))
    at.pass_minutes(4)

    assert at.incidents(API) == []
    assert at.live_of(API_FUNCTION) == "1"


def test_process_alarm_stops_traffic_shifting_and_routes_back_to_the_previous_version():
    at = shifting(API, errors=0.9)
    assert at.aliases.weights_of(API_FUNCTION, "live") == {"2": 0.5}
    stopped(at, API, 8)

    assert at.aliases.weights_of(API_FUNCTION, "live") == {}
    assert at.live_of(API_FUNCTION) == "1"
    assert headline(at.last(API)) == (
        f"api rolled back deployment {at.made}, the symptom is gone 6 min later"
    )


def test_process_rollback_completes_within_2_to_5_minutes_else_a_person_is_called():
    at = shifting(API, errors=0.9)
    at.codedeploy.rollback_seconds = 1800
    at.pass_minutes(9)

    assert at.last(API).reason is Reason.ROLLBACK_OVERDUE
    assert "5 min after its way back began at" in at.last(API).steps[-1].text
    assert at.told(API).pages


def test_process_the_sam_stack_that_drives_the_deployment_unwinds_by_itself():
    at = house()
    at.cloudformation.begin_update(STACK, seconds=3600)
    at.made = at.deploy(API, driver=STACK, errors=0.9)
    at.pass_minutes(3)
    assert at.codedeploy.stops == [(at.made, True)]
    at.cloudformation.fail_update(STACK, ["Function"], "the deployment was stopped")
    at.pass_minutes(8)

    assert at.orders == [("stop", at.made)]
    assert at.last(API).state is State.FIXED


# -- manual rollback ------------------------------------------------------------------------------


def finished(environment: str) -> TeamHouse:
    at = house(environment)
    at.made = at.deploy(API, config=AT_ONCE, errors=0.3)
    at.pass_minutes(4)
    return at


def test_issues_discovered_after_deployment_completes_are_told_and_left_to_people():
    at = finished("prod")
    at.pass_minutes(4)

    assert at.orders == []
    assert at.last(API).reason is Reason.CHANGE_FINISHED
    assert at.told(API).pages
    assert at.told(API).headline == (
        "api: did not roll back: the change has finished and cannot be stopped any more"
    )


def test_staging_rollback_redeploy_previous_version():
    at = finished("staging")
    at.pass_minutes(8)

    assert [kind for kind, _ in at.orders] == ["deploy"]
    assert at.live_of("security-assistant-api-staging") == "1"
    assert at.last(API).state is State.FIXED


def test_performance_degradation_detected_a_person_decides():
    at = shifting(API, latency_ms=500)
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(API).state is State.ASKING
    assert at.last(API).trigger.kind == "latency_times_normal"
    assert headline(at.last(API)) == (f"api: roll back deployment {at.made}? A person decides")
    at.approve(API)
    stopped(at, API)


def test_business_decision_to_revert_changes_is_made_by_hand_and_not_fought():
    at = shifting(API, errors=0.9)
    at.codedeploy.stop_deployment(deploymentId=at.made, autoRollbackEnabled=True)
    by_hand = at.orders
    at.pass_minutes(10)

    assert at.orders == by_hand
    assert at.live_of(API_FUNCTION) == "1"


# -- emergency rollback ---------------------------------------------------------------------------


def test_emergency_rollback_cancel_update_stack_where_no_deployment_runs():
    at = house()
    at.update(STACK, API_FUNCTION, errors=0.9)
    at.pass_minutes(8)

    assert at.orders == [("cancel", STACK)]
    assert at.live_of(API_FUNCTION) == "1"
    assert at.last(API).state is State.FIXED


# -- rollback scenarios ---------------------------------------------------------------------------


def test_scenario_1_high_error_rate_check_if_automatic_rollback_triggered():
    """CodeDeploy's own alarm was faster: its rollback is followed, and nothing is stopped."""
    at = house()
    at.codedeploy.add_group(
        STACK,
        API,
        function=API_FUNCTION,
        alias="live",
        config=HALF,
        auto_rollback_events=("DEPLOYMENT_STOP_ON_ALARM",),
    )
    at.codedeploy.rollback_seconds = 240
    made = at.deploy(API, config=HALF, errors=0.9)
    at.codedeploy.alarm(made)
    at.pass_minutes(11)

    assert at.orders == []
    assert at.live_of(API_FUNCTION) == "1"
    assert at.reasons(API) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]


def test_scenario_2_performance_degradation_lambda_timeouts_a_person_decides():
    """A timeout is an error as well: here below the 5 % that roll back, above the 2 % that ask."""
    at = shifting(WORKER, timeouts=0.045)
    at.pass_minutes(14)

    assert at.last(WORKER).trigger.kind == "timeouts"
    assert at.last(WORKER).state is State.ASKING
    assert at.orders == []


def test_scenario_2_performance_degradation_queue_backlog_a_person_decides():
    at = shifting(WORKER, shows={"queue-backlog": 400})
    at.pass_minutes(6)

    assert at.last(WORKER).trigger.label == "queue-backlog"
    assert at.last(WORKER).state is State.ASKING
    assert at.orders == []
    at.approve(WORKER)
    stopped(at, WORKER)


def test_scenario_3_data_corruption_pages_and_touches_nothing():
    at = shifting(WORKER)
    at.pass_minutes(2)
    at.firing.add("security-assistant-data-corruption-prod")
    at.pass_minutes(4)

    assert at.orders == []
    assert at.last(WORKER).reason is Reason.ALARM_NOT_TRUSTED
    assert at.last(WORKER).severity.value == "critical"
    assert at.told(WORKER).pages


# -- testing rollback procedures ------------------------------------------------------------------


def test_staging_environment_testing_simulate_failure_and_rollback():
    at = house("staging")
    stack, function = "security-assistant-staging", "security-assistant-api-staging"
    at.cloudformation.rollback_seconds = 240
    at.update(stack, function, errors=0.3)
    at.cloudformation.cancel_update_stack(StackName=stack)
    by_hand = at.orders
    at.pass_minutes(11)

    assert at.orders == by_hand
    assert at.reasons(API) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
