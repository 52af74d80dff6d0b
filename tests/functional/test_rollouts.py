"""Changes that are rolled out step by step: stopped, followed to the end, and never twice.

The stories are those of `rollout_scenarios.py`, carried on.
"""

import pytest
from checker import (
    incidents_of,
    is_back,
    latest,
    orders_of,
    problems_of,
    reasons,
    told,
)
from faults import Operations, healthy_v1, on
from faults import before as just_before
from msgspec.structs import replace
from rollout_scenarios import (
    GROUP,
    HALF,
    MUTATING,
    REDEPLOYS,
    STACK,
    STACKS,
    add_group,
    bad_canary,
    bad_update,
    canary_deploy,
    change_broken,
    change_finished,
    change_finishing,
    document,
    driven,
    finish,
    finished_anyway,
    finished_deployment,
    house_of,
    publish,
    rollback_overdue,
    rollback_stuck,
    root_not_in_scope,
    second_is_lost,
    update_stack,
    wrong_version,
)
from scenarios import errors_alarm

from house import MINUTE, START, House
from local.aws_model.codedeploy import canary
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import How
from rollback_responder.domain.reason import Reason
from rollback_responder.journal.memory import MemoryNotices, MemoryStorms
from rollback_responder.notifiers.telling import Teller

# -- deployments ----------------------------------------------------------------------------------


def test_a_canary_caught_in_mid_shift_is_stopped_and_its_own_rollback_is_followed_to_the_end():
    house = finish(bad_canary())

    assert house.codedeploy.stops == [(house.made, True)]
    assert reasons(house) == [Reason.METRIC_BREACHING, Reason.ALL_BACK, Reason.SYMPTOM_GONE]
    assert is_back(house)
    assert house.aliases.moves == []
    assert problems_of(house, good={"1"}) == []
    assert told(house).headline == (
        f"shop rolled back deployment {house.made}, the symptom is gone 4 min later"
    )
    assert [bad.version for bad in house.ledger.bad] == ["2"]


def test_a_deployment_that_waits_behind_hooks_is_stopped_as_well():
    house = house_of(GROUP)
    house.codedeploy.add_group(
        "shop", "live", function="shop", alias="live", config=HALF, before_seconds=6000
    )
    canary_deploy(house)
    house.aliases.point("shop", "live", "1", {"2": 0.5})
    finish(house, 4)

    assert len(house.codedeploy.stops) == 1


def test_a_rollback_that_takes_long_is_followed_and_nobody_is_called_meanwhile():
    house = house_of(GROUP)
    house.codedeploy.rollback_seconds = 600
    bad_canary(9, house)
    assert house.incident.state is State.ROLLING_BACK
    assert not house.incident.needs_a_person
    assert told(house).headline == f"shop: rolling back deployment {house.made}"
    finish(house)

    assert house.incident.state is State.FIXED
    assert len(house.codedeploy.stops) == 1


def test_a_stop_that_comes_a_second_too_late_looks_again_once():
    """The policy lets it deploy the version before: that is what the second look leads to."""
    house = house_of(REDEPLOYS)
    made = canary_deploy(house)

    def over():
        house.codedeploy._deployments[made].plan = [(house.now, 1.0), (house.now, "Succeeded")]
        house.codedeploy._deployments[made].step = 0
        house.codedeploy._reckon()

    on(house, "StopDeployment", just_before(over))
    finish(house, 4)

    assert house.codedeploy.stops == []
    assert len(house.codedeploy.creations) == 1
    assert house.calls.count("StopDeployment") == 1
    assert house.calls.count("CreateDeployment") == 1
    finish(house)
    assert is_back(house)
    assert latest(house).state is State.FIXED


def test_a_stop_that_comes_too_late_without_leave_to_redeploy_says_that_it_has_finished():
    house = house_of(GROUP)
    made = canary_deploy(house)

    def over():
        house.codedeploy._deployments[made].plan = [(house.now, 1.0), (house.now, "Succeeded")]
        house.codedeploy._deployments[made].step = 0
        house.codedeploy._reckon()

    on(house, "StopDeployment", just_before(over))
    finish(house, 6)

    assert orders_of(house) == []
    assert reasons(house) == [Reason.CHANGE_FINISHED]
    assert house.calls.count("StopDeployment") == 1


def test_a_deployment_that_is_itself_a_rollback_is_never_stopped():
    house = house_of(GROUP)
    house.codedeploy.rollback_seconds = 600
    made = canary_deploy(house)
    # Too little traffic for the responder to be sure before the person is.
    house.ops.pass_minutes(1, requests=6)
    house.codedeploy.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    house.codedeploy.stops.clear()
    finish(house, 5)
    assert house.incident.reason is Reason.ROLLBACK_ADOPTED
    finish(house)

    assert "StopDeployment" not in house.calls
    assert is_back(house)
    assert house.incident.state is State.FIXED


def test_a_rollback_of_cloudformations_own_is_never_stopped():
    house = house_of(GROUP)
    canary_deploy(house, creator="CloudFormationRollback")
    finish(house, 5)

    assert "StopDeployment" not in house.calls
    assert house.incident.reason is Reason.ROLLBACK_ADOPTED


def test_a_deployment_that_cloudformation_drives_is_stopped_and_the_stack_never_cancelled():
    house = driven()
    assert house.codedeploy.stops == [(house.made, True)]
    finish(house, 1)
    assert is_back(house)
    assert house.incident.state is State.ROLLING_BACK
    house.cloudformation.fail_update("shop", ["Function"], "the deployment was stopped")
    finish(house, 2)
    assert house.incident.state is State.WATCHING
    finish(house)

    assert "CancelUpdateStack" not in house.calls
    assert latest(house).state is State.FIXED
    assert [leg.how for leg in latest(house).legs] == [How.STOP, How.FOLLOW]
    assert problems_of(house, good={"1"}) == []


def test_a_stack_that_unwinds_badly_after_its_deployment_was_stopped_pages():
    house = driven()
    house.cloudformation.fail_rollbacks("shop", ["Function"], "the layer was deleted")
    house.cloudformation.fail_update("shop", ["Function"], "the deployment was stopped")
    finish(house, 2)

    assert house.incident.reason is Reason.ROLLBACK_STUCK
    assert house.incident.needs_a_person
    assert "the layer was deleted" in told(house).stands


def test_a_rollback_of_codedeploys_that_fails_is_said_and_pages():
    house = house_of(GROUP)
    house.codedeploy.fail_rollbacks("shop", "live")
    finish(bad_canary(4, house), 4)

    assert house.incident.state is State.INCOMPLETE
    assert house.incident.needs_a_person
    assert "INTERNAL_ERROR" in told(house).stands
    assert "rolled back deployment" not in told(house).headline
    finish(house)
    assert len(house.codedeploy.stops) == 1


def test_a_stop_that_is_accepted_and_lost_ends_as_finished_anyway():
    house = finish(finished_anyway())

    assert reasons(house)[-1] is Reason.FINISHED_ANYWAY
    assert incidents_of(house)[0].needs_a_person
    assert told(house).headline == (
        "shop not rolled back: the change finished in spite of the rollback"
    )
    assert told(house).done.startswith(f"Deployment {house.made}: not rolled back")
    assert len(orders_of(house)) == 1


def test_a_cancel_that_is_accepted_and_lost_ends_as_finished_anyway():
    house = house_of(STACK)
    house.cloudformation.loses_cancels = True
    finish(bad_update(4, house, seconds=480), 8)

    assert reasons(house) == [Reason.METRIC_BREACHING, Reason.FINISHED_ANYWAY]
    assert len(orders_of(house)) == 1
    assert house.incident.needs_a_person


# -- deploying the version before -----------------------------------------------------------------


def test_the_version_before_is_deployed_through_codedeploy_only_where_the_group_says_so():
    asked = finish(finished_deployment(house_of(GROUP)))
    house = finish(finished_deployment(house_of(REDEPLOYS)))

    assert orders_of(asked) == []
    assert [kind for kind, _ in orders_of(house)] == ["deploy"]
    assert house.aliases.moves == asked.aliases.moves == []
    assert (is_back(house), is_back(asked)) == (True, False)
    assert latest(house).state is State.FIXED
    assert told(house).headline == "shop rolled back v2 → v1, the symptom is gone 3 min later"
    assert problems_of(house, good={"1"}) == []


def test_a_deployment_that_leads_back_and_fails_is_said():
    house = house_of(REDEPLOYS)

    def slowly():
        house.codedeploy.start_seconds = 600

    on(house, "CreateDeployment", just_before(slowly))
    finished_deployment(house)
    house.codedeploy.fail(house.codedeploy.creations[0])
    finish(house, 4)

    assert incidents_of(house)[0].state is State.INCOMPLETE
    assert "HOOK_EXECUTION_FAILURE" in told(house).stands
    assert len(orders_of(house)) == 1


def test_a_group_deleted_at_the_very_moment_does_not_condemn_the_good_version():
    house = house_of(REDEPLOYS)
    on(
        house,
        "CreateDeployment",
        just_before(lambda: house.codedeploy.delete_group("shop", "live")),
    )
    finished_deployment(house)

    assert [good.version for good in house.ledger.good] == ["1"]
    assert house.incident.reason is Reason.TARGET_GONE


@pytest.mark.parametrize("group", [GROUP, REDEPLOYS], ids=["ask", "redeploy"])
def test_a_finished_deployment_that_the_ledger_heard_of_late_is_not_undone_behind_its_back(group):
    """The watcher was away while it was deployed: when it saw the version first proves nothing."""
    house = house_of(group)
    version = publish(house)
    at_once = "CodeDeployDefault.LambdaAllAtOnce"
    house.codedeploy.deploy("shop", "live", target_version=version, config=at_once)
    house.traffic(3, watch=False)
    finish(house, 4)

    assert house.aliases.moves == []


# -- stack updates --------------------------------------------------------------------------------


def test_a_stack_update_is_cancelled_with_a_token_and_followed_through_its_cleanup():
    house = house_of(STACK)
    house.cloudformation.cleanup_seconds = 300
    bad_update(4, house)
    assert house.cloudformation.status_of("shop") == "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    assert house.incident.state is State.WATCHING
    finish(house)

    (cancel,) = house.cloudformation.cancels
    assert (cancel.stack, cancel.operation) == ("shop", house.made)
    assert cancel.token
    assert is_back(house)
    assert house.incident.state is State.FIXED
    assert told(house).headline == (
        "shop rolled back the update of stack shop, the symptom is gone 4 min later"
    )
    assert problems_of(house, good={"1"}) == []


def test_a_cancel_that_is_noticed_late_is_waited_for():
    house = house_of(STACK)
    house.cloudformation.cancel_is_noticed_after = 360
    finish(bad_update(4, house), 2)
    assert house.incident.state is State.ROLLING_BACK
    finish(house)

    assert len(house.cloudformation.cancels) == 1
    assert house.calls.count("CancelUpdateStack") == 1
    assert house.incident.state is State.FIXED


def test_an_update_within_its_monitoring_time_is_still_cancelled():
    house = House(document(STACK))
    house.cloudformation.add_stack("shop", monitoring_minutes=30)
    healthy_v1(house)
    house.ops = Operations(house)
    finish(bad_update(4, house, seconds=30))

    assert len(house.cloudformation.cancels) == 1
    assert is_back(house)


def test_an_update_that_is_just_finishing_is_looked_at_again_and_the_alias_moved_then():
    house = change_finishing()
    assert house.incident.state is State.UNDECIDED
    house.cloudformation.put_status("shop", "UPDATE_COMPLETE")
    finish(house)

    assert "CancelUpdateStack" not in house.calls
    assert house.aliases.moves == [("shop", "2", "1")]
    assert latest(house).state is State.FIXED


def nested(*names, minutes=4):
    house = House(document(*(STACK | {"stack": name} for name in names)))
    house.cloudformation.add_stack("root")
    house.cloudformation.add_stack("shop", parent="root")
    healthy_v1(house)
    house.ops = Operations(house)
    house.made = update_stack(house, "root")
    house.ops.pass_minutes(minutes, requests=60)
    return house


@pytest.mark.parametrize("names", [("root",), ("root", "shop"), ("shop", "root")])
def test_of_nested_stacks_the_root_is_cancelled_and_nothing_else(names):
    house = finish(nested(*names))

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["root"]
    assert house.calls.count("CancelUpdateStack") == 1
    assert house.incident.state is State.FIXED


def test_a_nested_stack_whose_root_is_not_in_the_policy_is_left_to_people():
    house = finish(root_not_in_scope())

    assert reasons(house) == [Reason.ROOT_NOT_IN_SCOPE]
    assert house.incident.needs_a_person
    assert ":stack/root/" in told(house).done
    assert "CancelUpdateStack" not in house.calls


# -- where it led ---------------------------------------------------------------------------------


def test_a_rollback_that_restores_a_version_that_was_rolled_back_from_is_told():
    house = wrong_version()
    incident = incidents_of(house)[1]

    assert incident.reason is Reason.WRONG_VERSION
    assert incident.needs_a_person
    assert "version 2" in told(house, 1).stands


def test_a_rollback_that_does_not_help_is_said_and_nothing_else_is_done():
    house = bad_update()
    house.errors["1"] = 0.9
    finish(house, 25)

    assert incidents_of(house)[0].state is State.NOT_FIXED
    assert len(orders_of(house)) == 1
    assert house.aliases.moves == []


def test_what_is_said_after_a_stopped_rollout_is_not_what_is_true_of_a_moved_alias():
    """After a stack went back to its template, deploying the same code does move the alias."""
    house = finish(bad_update())

    assert house.incident.state is State.FIXED
    assert "does not move the alias" not in told(house).next_step


def test_a_service_without_an_alias_is_followed_by_its_alarm_alone():
    written = document(*STACKS[:1])
    written["services"][0]["targets"] = [STACKS[0]]
    written["services"][0]["triggers"] = [
        {"kind": "alarm", "name": "legacy", "when_unmeasurable": "trust_alarm"}
    ]
    house = House(written)
    house.cloudformation.add_stack("api")
    house.cloudwatch.put_alarms([errors_alarm("legacy")])
    healthy_v1(house)
    house.ops = Operations(house)
    update_stack(house, "api")
    finish(house, 15)

    assert [cancel.stack for cancel in house.cloudformation.cancels] == ["api"]
    assert house.incident.state is State.FIXED
    assert reasons(house)[0] is Reason.ALARM_TRUSTED


def test_an_update_of_a_service_without_an_alias_that_has_finished_is_said_to_have_finished():
    written = document(*STACKS[:1])
    written["services"][0]["targets"] = [STACKS[0]]
    written["services"][0]["triggers"] = [
        {"kind": "alarm", "name": "legacy", "when_unmeasurable": "trust_alarm"}
    ]
    house = House(written)
    house.cloudformation.add_stack("api")
    house.cloudwatch.put_alarms([errors_alarm("legacy")])
    healthy_v1(house)
    house.ops = Operations(house)
    update_stack(house, "api", seconds=30)
    finish(house, 5)

    assert house.incident.reason is Reason.CHANGE_FINISHED
    assert house.incident.needs_a_person


# -- in Slack -------------------------------------------------------------------------------------


class Rung:
    """A thread that remembers which of its replies rang somebody."""

    takes_pictures = False

    def __init__(self):
        self.rung = []

    def open(self, message, *, under=None):
        self.rung += [message.headline] if message.pages else []
        return "head"

    def reply(self, head, text, *, rings):
        self.rung += [text] if rings else []

    def update(self, head, message, *, news):
        pass


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (rollback_stuck, "the rollback itself failed"),
        (rollback_overdue, "the rollback takes longer than it may"),
        (second_is_lost, "not everything could be rolled back"),
    ],
)
def test_whoever_is_called_on_the_way_back_is_rung_although_the_state_stays_the_same(story, words):
    """Told after each step, as the journal's stream tells it."""
    incident, thread = incidents_of(story())[0], Rung()
    teller = Teller(
        thread,
        MemoryNotices(MINUTE),
        MemoryStorms(MINUTE),
        account_id="111122223333",
        region="us-east-1",
    )
    for count in range(1, len(incident.steps) + 1):
        teller.tell(replace(incident, steps=incident.steps[:count]), START + count * 2 * MINUTE)

    assert words in thread.rung[-1]


# -- what lies about ------------------------------------------------------------------------------


def test_a_deployment_that_broke_half_way_calls_a_person_and_nothing_is_moved():
    house = finish(change_broken(), 5)

    assert not MUTATING & set(house.calls)
    assert reasons(house)[-1] is Reason.CHANGE_BROKEN
    assert house.incident.needs_a_person


def test_a_finished_deployment_is_not_undone_behind_codedeploys_back():
    house = finish(change_finished(), 10)

    assert not MUTATING & set(house.calls)
    assert reasons(house) == [Reason.CHANGE_FINISHED]


def test_two_groups_of_one_service_are_stopped_one_after_the_other():
    """Both shift at once; the second is told as soon as the first is back."""
    house = house_of(GROUP, GROUP | {"group": "batch"})
    house.aliases.publish("batch", "v1")
    house.aliases.publish("batch", "v2")
    house.aliases.point("batch", "live", "1")
    add_group(house, "batch", function="batch")
    other = house.codedeploy.deploy("shop", "batch", target_version="2")
    finish(bad_canary(4, house))

    assert {made for made, _ in house.codedeploy.stops} == {house.made, other}
    assert house.incident.state is State.FIXED
    assert problems_of(house, good={"1"}) == []


def test_the_cooldown_keeps_a_second_bad_deployment_for_a_person():
    house = finish(bad_canary())
    canary_deploy(house, "v3")
    finish(house, 5)

    assert len(house.codedeploy.stops) == 1
    assert latest(house).reason is Reason.COOLDOWN


def test_after_the_cooldown_a_second_bad_deployment_is_stopped_as_well():
    house = finish(bad_canary())
    finish(house, 30)
    canary_deploy(house, "v3")
    finish(house)

    assert len(house.codedeploy.stops) == 2
    assert is_back(house)
    assert latest(house).state is State.FIXED


def test_a_good_canary_is_left_alone():
    house = house_of(GROUP)
    house.codedeploy.add_config("Ten", canary(50, 10 * MINUTE))
    canary_deploy(house, errors=0.0, config="Ten")
    finish(house, 20)

    assert house.live == "2"
    assert incidents_of(house) == []


# -- what a person does about it ------------------------------------------------------------------


def test_a_persons_deployment_of_the_version_before_is_never_stopped():
    """CodeDeploy's own advice for a rollback by hand: the revision before, as a new deployment."""
    house = change_finished()
    deployment = house.codedeploy.deploy("shop", "live", target_version="1", creator="user")
    house.latency_ms["2"] = 900.0  # another alarm fires, after that deployment began
    house.ops.pass_minutes(5, requests=60)

    assert house.codedeploy.stops == []
    assert house.incident.reason is Reason.ROLLBACK_ADOPTED
    assert house.incident.change == deployment
    said = told(house, -1)
    assert "version 2 is being rolled back already" in said.headline
    assert said.done.startswith(f"Followed deployment {deployment}, which leads back")


def test_an_update_that_came_after_the_bad_version_is_not_cancelled_for_it():
    house = house_of(STACK)
    house.budget.paused_by = "alice"
    update_stack(house, seconds=30)
    house.ops.pass_minutes(5, requests=60)
    house.budget.paused_by = None
    house.cloudformation.begin_update("shop", seconds=1200)
    house.latency_ms[house.live] = 900.0
    finish(house, 5)

    assert house.cloudformation.cancels == []
    assert house.incident.reason is Reason.INCONCLUSIVE
