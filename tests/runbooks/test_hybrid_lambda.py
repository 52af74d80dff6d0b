"""Distro Nation's runbook, by its own words, under its own policy: aliases, blue-green, stacks."""

import pytest

from rollback_responder.domain.controls import Controls, Unsafe
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.headline import headline
from tests.runbooks.team_house import AT_ONCE, TeamHouse

AUTHENTICATION, CORE_API, ANALYTICS, ADMIN_TOOLS = (
    "authentication",
    "core-api",
    "analytics",
    "admin-tools",
)
FIREBASE = "distronation-firebase-unavailable"
VULNERABILITY, CORRUPTION = "distronation-critical-vulnerability", "distronation-data-corruption"
DATABASE = "database-connections"
# Whether it helped is said after fifteen good minutes, which not every test waits for.
BACK = [Reason.METRIC_BREACHING, Reason.ALL_BACK]
FIXED = [*BACK, Reason.SYMPTOM_GONE]


def function_of(service: str) -> str:
    return f"distronation-{service}"


def house(environment: str = "prod") -> TeamHouse:
    return TeamHouse(f"4-hybrid-lambda/{environment}.json").settle()


def released(service: str = AUTHENTICATION, environment: str = "prod", **behaviour) -> TeamHouse:
    """Version 2 takes all traffic at once."""
    at = house(environment)
    at.release(function_of(service), **behaviour)
    return at


def shifting(**behaviour) -> TeamHouse:
    """A blue-green deployment of the core API has shifted half of the traffic."""
    at = house()
    at.made = at.deploy(CORE_API, **behaviour)
    return at


# -- 1.1 automatic rollback triggers --------------------------------------------------------------


@pytest.mark.parametrize("service", [AUTHENTICATION, ANALYTICS, ADMIN_TOOLS])
def test_error_rate_above_5_percent_for_5_consecutive_minutes(service):
    at = released(service, errors=0.12)
    at.pass_minutes(4)
    assert at.orders == []
    at.pass_minutes(4)

    assert at.orders == [("move", f"{function_of(service)} 2 to 1")]
    assert at.reasons(service) == [Reason.METRIC_BREACHING]
    assert at.last(service).trigger.label == "error-rate"


def test_error_rate_above_5_percent_for_4_minutes_is_not_rolled_back():
    at = released(errors=0.12)
    at.pass_minutes(4)
    at.behave(function_of(AUTHENTICATION), "2")
    at.pass_minutes(6)

    assert at.incidents(AUTHENTICATION) == []
    assert at.orders == []


def test_response_time_above_5_seconds_95th_percentile():
    at = released(latency_ms=6000)
    at.pass_minutes(7)

    assert at.last(AUTHENTICATION).trigger.label == "latency-p95"
    assert at.orders == [("move", "distronation-authentication 2 to 1")]
    # Its first two minutes are cold starts, which are waited for.
    assert at.reasons(AUTHENTICATION) == [Reason.INCONCLUSIVE, Reason.METRIC_BREACHING]


def test_lambda_function_timeout_rate_above_10_percent():
    at = released(timeouts=0.2)
    at.pass_minutes(7)

    assert at.last(AUTHENTICATION).trigger.kind == "timeouts"
    assert at.orders == [("move", "distronation-authentication 2 to 1")]
    assert at.last(AUTHENTICATION).state is State.WATCHING


def test_database_connection_failure_rate_above_20_percent():
    at = released(shows={DATABASE: 0.4})
    at.pass_minutes(7)

    assert at.last(AUTHENTICATION).trigger.label == DATABASE
    assert at.orders == [("move", "distronation-authentication 2 to 1")]
    assert at.last(AUTHENTICATION).state is State.WATCHING


def test_critical_security_vulnerability_detected():
    """An alarm that the policy trusts, while the deployment is under way."""
    at = shifting()
    at.pass_minutes(2)
    at.firing.add(VULNERABILITY)
    at.pass_minutes(2)
    at.firing.clear()
    at.pass_minutes(20)

    assert at.orders == [("stop", at.made)]
    assert at.reasons(CORE_API) == [Reason.ALARM_TRUSTED, Reason.ALL_BACK, Reason.SYMPTOM_GONE]


# -- 1.1 manual rollback triggers -----------------------------------------------------------------


def test_user_reported_issues_are_rolled_back_by_hand_and_not_fought():
    at = released(errors=0.3)
    at.pass_minutes(2)
    at.aliases.point("distronation-authentication", "PROD", "1")
    at.pass_minutes(8)

    assert at.orders == []
    assert at.live_of("distronation-authentication") == "1"


def test_data_corruption_detected_pages_and_touches_nothing():
    at = shifting()
    at.pass_minutes(2)
    at.firing.add(CORRUPTION)
    at.pass_minutes(4)

    assert at.orders == []
    assert at.last(CORE_API).reason is Reason.ALARM_NOT_TRUSTED
    assert at.told(CORE_API).pages


def test_external_dependency_failures_are_left_to_people_and_told():
    at = released(errors=0.9)
    at.firing.add(FIREBASE)
    at.pass_minutes(8)

    assert at.orders == []
    assert at.last(AUTHENTICATION).reason is Reason.DEPENDENCY_FAILING
    assert at.told(AUTHENTICATION).pages
    assert headline(at.last(AUTHENTICATION)) == (
        "authentication: not rolled back yet: something that it depends on fails"
    )


def test_a_database_that_fails_for_every_service_is_not_blamed_on_the_one_that_was_deployed():
    at = house()
    at.release("distronation-analytics", errors=0.5)
    for service in (AUTHENTICATION, CORE_API):
        at.behave(function_of(service), "1", errors=0.5)
    at.pass_minutes(8)

    assert at.orders == []
    assert at.last(ANALYTICS).reason is Reason.SIBLINGS_FAIL


# -- 1.1 authorization matrix ---------------------------------------------------------------------


def test_critical_immediate_the_lead_gave_the_word_by_merging_the_file():
    at = released(errors=0.9)
    at.pass_minutes(5)

    assert at.last(AUTHENTICATION).severity.value == "critical"
    assert at.orders == [("move", "distronation-authentication 2 to 1")]


def test_critical_after_an_hour_is_asked():
    """The runbook has no age; the file has one hour, its time on trial."""
    at = released()
    at.pass_minutes(1)
    at.pass_quietly(90)
    at.behave("distronation-authentication", "2", errors=0.9)
    at.pass_minutes(6)

    assert at.last(AUTHENTICATION).state is State.ASKING
    assert headline(at.last(AUTHENTICATION)) == (
        "authentication: roll back v2 → v1? The live version had proved itself before"
    )
    assert at.orders == []
    at.approve(AUTHENTICATION)
    at.pass_minutes(1)
    assert at.orders == [("move", "distronation-authentication 2 to 1")]


def test_low_non_production_a_developer_by_the_next_business_day():
    at = released(environment="staging", errors=0.9)
    at.pass_minutes(6)
    assert at.last(AUTHENTICATION).state is State.ASKING
    assert at.policy.slack.mention.value == "nobody"
    at.pass_quietly(16 * 60)
    assert at.orders == []
    at.approve(AUTHENTICATION, by="developer")
    at.pass_minutes(1)

    assert at.orders == [("move", "distronation-authentication 2 to 1")]
    assert at.last(AUTHENTICATION).reason is Reason.APPROVED


def test_low_non_production_is_left_undone_if_nobody_says_yes_within_a_day():
    at = released(environment="staging", errors=0.9)
    at.pass_minutes(6)
    at.pass_quietly(24 * 60)

    assert at.reasons(AUTHENTICATION, 0)[-1] is Reason.NOT_APPROVED
    assert at.orders == []


# -- 3.1 version-based rollback -------------------------------------------------------------------


def test_update_alias_prod_to_the_previous_version_that_proved_itself():
    """Version 2 was rolled back from, so what 3 goes back to is 1, not the one before."""
    at = released(errors=0.9)
    at.pass_minutes(24)
    assert at.last(AUTHENTICATION).state is State.FIXED
    at.pass_quietly(30)
    at.release("distronation-authentication", "v3", errors=0.9)
    at.pass_minutes(24)

    assert at.orders == [
        ("move", "distronation-authentication 2 to 1"),
        ("move", "distronation-authentication 3 to 1"),
    ]
    assert headline(at.last(AUTHENTICATION)) == (
        "authentication rolled back v3 → v1, the symptom is gone 16 min later"
    )


def test_monitor_cloudwatch_metrics_for_15_minutes():
    at = released(errors=0.9)
    at.pass_minutes(16)
    assert at.last(AUTHENTICATION).state is State.WATCHING
    at.pass_minutes(8)

    assert at.last(AUTHENTICATION).state is State.FIXED
    assert "no bad minute in 15 min" in at.last(AUTHENTICATION).steps[-1].text


def test_previous_versions_retained_for_rollback_else_nothing_is_moved_and_it_is_told():
    at = released(errors=0.9)
    at.aliases.delete_version("distronation-authentication", "1")
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(AUTHENTICATION).reason is Reason.NO_PROVEN_RELEASE
    assert at.told(AUTHENTICATION).pages


# -- 3.2 blue-green -------------------------------------------------------------------------------


def test_blue_green_error_rate_above_5_percent_for_2_consecutive_minutes():
    """Earlier than the five minutes of 1.1, which the service has beside it."""
    at = shifting(errors=0.14)
    at.pass_minutes(3)
    assert at.orders == [("stop", at.made)]
    assert at.last(CORE_API).trigger.label == "error-rate-blue-green"
    assert "error-rate" in [trigger.label for trigger in at.service(CORE_API).triggers]
    at.pass_minutes(20)

    assert at.reasons(CORE_API) == FIXED
    assert headline(at.last(CORE_API)) == (
        f"core-api rolled back deployment {at.made}, the symptom is gone 17 min later"
    )


def test_blue_green_duration_above_10_seconds_average_for_3_minutes():
    """The half that is slow: the average of all is above ten seconds."""
    at = shifting(latency_ms=24_000)
    at.pass_minutes(8)

    assert at.orders == [("stop", at.made)]
    assert at.reasons(CORE_API)[-2:] == BACK


def test_blue_green_throttles_above_0_for_1_minute():
    at = shifting(throttled=0.1)
    at.pass_minutes(2)
    assert at.last(CORE_API).trigger.kind == "throttles"
    assert at.orders == [("stop", at.made)]
    at.pass_minutes(2)

    assert at.reasons(CORE_API) == BACK


def test_blue_green_that_fails_in_both_versions_is_not_stopped():
    at = shifting(errors=0.4)
    at.behave("distronation-core-api", "1", errors=0.4)
    at.pass_minutes(8)

    assert at.orders == []
    assert at.last(CORE_API).reason is Reason.BOTH_VERSIONS_FAIL


def test_blue_green_deployment_that_has_finished_is_deployed_back():
    at = house()
    at.deploy(CORE_API, config=AT_ONCE, errors=0.4)
    at.pass_minutes(26)

    assert [kind for kind, _ in at.orders] == ["deploy"]
    assert at.live_of("distronation-core-api") == "1"
    assert at.last(CORE_API).state is State.FIXED


def test_blue_green_rollback_takes_5_to_10_minutes_later_a_person_is_called():
    at = shifting(errors=0.9)
    at.codedeploy.rollback_seconds = 1800
    at.pass_minutes(14)

    assert at.last(CORE_API).reason is Reason.ROLLBACK_OVERDUE
    assert "10 min after its way back began at" in at.last(CORE_API).steps[-1].text
    assert at.told(CORE_API).pages


# -- 3.3, 4.1 and 4.2 stacks ----------------------------------------------------------------------


@pytest.mark.parametrize("service", [ANALYTICS, ADMIN_TOOLS], ids=["sam", "cdk"])
def test_manual_stack_rollback_cancel_update_stack(service):
    at = house()
    at.update(function_of(service), function_of(service), errors=0.9)
    at.pass_minutes(8)

    assert at.orders == [("cancel", function_of(service))]
    assert at.live_of(function_of(service)) == "1"
    assert at.reasons(service) == BACK


def test_manual_stack_rollback_alternative_continue_update_rollback():
    at = house()
    stack = function_of(ANALYTICS)
    at.cloudformation.fail_rollbacks(stack, ["Function"], "the role is missing")
    at.update(stack, stack, errors=0.9)
    at.pass_minutes(6)
    at.cloudformation.mend(stack)
    at.pass_minutes(4)

    assert at.orders == [("cancel", stack), ("continue", stack)]


@pytest.mark.parametrize(
    ("service", "minutes"), [(ANALYTICS, 20), (ADMIN_TOOLS, 30)], ids=["sam", "cdk"]
)
def test_stack_rollback_takes_as_long_as_the_runbook_says_later_a_person_is_called(
    service, minutes
):
    at = house()
    at.cloudformation.rollback_seconds = 7200
    at.update(function_of(service), function_of(service), errors=0.9)
    at.pass_minutes(minutes + 8)

    assert at.last(service).reason is Reason.ROLLBACK_OVERDUE
    assert f"{minutes} min after its way back began" in at.last(service).steps[-1].text


def test_scenario_1_failed_stack_update_reverts_automatically_and_is_followed():
    at = house()
    stack = function_of(ANALYTICS)
    at.cloudformation.rollback_seconds = 420
    at.update(stack, stack, errors=0.9)
    at.cloudformation.fail_update(stack, ["Function"], "no such layer")
    at.pass_minutes(9)

    assert at.orders == []
    assert at.reasons(ANALYTICS) == [Reason.ROLLBACK_ADOPTED, Reason.ALL_BACK]


def test_scenario_2_successful_but_problematic_update_the_alias_goes_back():
    at = house()
    stack = function_of(ANALYTICS)
    at.update(stack, stack, seconds=30, errors=0.9)
    at.pass_minutes(7)

    assert at.orders == [("move", "distronation-analytics 2 to 1")]
    assert at.cloudformation.status_of(stack) == "UPDATE_COMPLETE"
    assert at.last(ANALYTICS).state is State.WATCHING


# -- 5 and 9 --------------------------------------------------------------------------------------


def test_database_migration_rollback_a_release_behind_a_migration_is_not_rolled_back():
    at = released(errors=0.9)
    mark = Unsafe(by="pipeline", why="orders was split", version="2")
    at.journal.say(AUTHENTICATION, Controls(unsafe=(mark,)))
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(AUTHENTICATION).reason is Reason.ROLLBACK_UNSAFE


def test_false_rollback_rate_services_that_are_well_are_left_alone():
    at = house()
    for service in (AUTHENTICATION, ANALYTICS, ADMIN_TOOLS):
        at.release(function_of(service), errors=0.01, latency_ms=130)
    at.deploy(CORE_API, errors=0.01, latency_ms=130)
    at.pass_minutes(20)

    assert at.orders == []
    assert at.journal.archive == {}
