"""The ECS API's runbook, by its own words, under its own policy: everything is told, nothing done.

The responder has no target for ECS, RDS or Terraform, so no test here rolls anything back, and none
is asked for a yes: the mode is observe.
"""

import pytest

from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.response import Response
from rollback_responder.notifiers.headline import headline
from tests.runbooks.team_house import MINUTE, TeamHouse

API = "api"
FAILING, SLOW = "api-requests-failing", "response-time"
MUTATING = {
    "UpdateAlias",
    "StopDeployment",
    "CreateDeployment",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
}


def house() -> TeamHouse:
    return TeamHouse("5-ecs-api/production.json").settle()


def told_and_untouched(at: TeamHouse) -> None:
    """A person is rung, once, and nothing was called that changes anything."""
    assert at.last(API).state is State.STOOD_DOWN
    assert at.last(API).reason is Reason.NO_RECENT_CHANGE
    assert at.told(API).pages
    assert at.orders == []
    assert MUTATING.isdisjoint(at.calls)


# -- quick reference and decision tree ------------------------------------------------------------


def test_bad_deployment_is_the_issue_critical_production_down_yes_told_not_rolled_back():
    at = house()
    at.shows[FAILING] = 0.9
    at.pass_minutes(6)

    told_and_untouched(at)
    assert at.last(API).severity.value == "critical"
    assert headline(at.last(API)) == "api: did not roll back: nothing was deployed lately"
    assert len(at.incidents(API)) == 1


def test_minor_issues_below_5_percent_are_not_told():
    at = house()
    at.shows[FAILING] = 0.03
    at.pass_minutes(6)

    assert at.incidents(API) == []


def test_watch_cloudwatch_dashboard_for_anomalies():
    at = house()
    at.shows[SLOW] = 400.0
    at.pass_minutes(6)

    told_and_untouched(at)
    assert at.last(API).severity.value == "high"


@pytest.mark.parametrize(
    "alarm",
    [
        pytest.param("replaydash-production-api-health", id="verify_api_is_responding"),
        pytest.param("replaydash-production-api-unhealthy-targets", id="alb_target_health"),
        pytest.param("replaydash-production-api-task-count", id="ecs_task_count"),
        pytest.param("replaydash-production-postgres-connectivity", id="database_connectivity"),
    ],
)
def test_post_rollback_checklist_is_watched_by_alarms_that_page_and_touch_nothing(alarm):
    at = house()
    at.firing.add(alarm)
    at.pass_minutes(5)

    told_and_untouched(at)
    assert at.last(API).alarm_name == alarm


def test_decision_tree_no_investigate_and_plan_fix():
    """Written for the day on which there is an action: only what is critical goes back unasked."""
    responses = house().policy.responses
    at_once = [
        row.response(5 * MINUTE) for row in (responses.critical, responses.high, responses.medium)
    ]

    assert at_once == [Response.ROLL_BACK, Response.ASK, Response.ASK]


# -- what it must never do ------------------------------------------------------------------------


def test_an_update_of_the_stack_that_stands_in_for_a_target_is_never_cancelled():
    at = house()
    at.cloudformation.begin_update("CDKToolkit", seconds=3600)
    at.shows[FAILING] = 0.9
    at.pass_minutes(6)

    assert at.orders == []
    assert MUTATING.isdisjoint(at.calls)
    assert at.last(API).reason is Reason.OBSERVE_MODE
    assert at.told(API).headline == (
        "api: would have rolled back the update of stack CDKToolkit; the mode is observe"
    )


def test_an_update_of_that_stack_that_has_finished_is_told_as_such_and_not_as_ecs():
    at = house()
    at.cloudformation.begin_update("CDKToolkit", seconds=30)
    at.pass_minutes(2)
    at.shows[FAILING] = 0.9
    at.pass_minutes(6)

    assert at.orders == []
    assert at.last(API).reason is Reason.CHANGE_FINISHED
    assert "stack CDKToolkit is UPDATE_COMPLETE" in at.told(API).done
