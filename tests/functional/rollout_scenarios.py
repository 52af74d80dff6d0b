"""The stories of changes that are rolled out step by step: deployments and stack updates.

As in `scenarios.py`, of which this is the second half: one story for each reason.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from faults import MINUTE, Operations, client_error, healthy_v1, on, refuse

from house import House, policy_document
from local.aws_model.codedeploy import canary
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason

GROUP = {"kind": "codedeploy_group", "application": "shop", "group": "live"}
STACK = {"kind": "cloudformation_stack", "stack": "shop"}
STACKS = tuple(STACK | {"stack": name} for name in ("api", "workflow", "database"))
REDEPLOYS = GROUP | {"after_success": "redeploy"}
DRIVEN = (GROUP, STACK)
HALF = "HalfForAnHour"
MUTATING = {
    "UpdateAlias",
    "StopDeployment",
    "CreateDeployment",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
}


class Scenario(NamedTuple):
    """A story, the state its incident is in when the reason is said, and what was done by then.

    `orders` are stops, cancels, continuations and deployments that the responder asked for.
    """

    story: Callable[[], House]
    state: State
    moves: int
    orders: int = 0


def document(*rollouts: dict, guardrails: dict | None = None, **changes: object) -> dict:
    """A policy whose service has an alias and these rollouts; `changes` are of the service."""
    written = policy_document()
    written["guardrails"] |= guardrails or {}
    written["services"][0] |= changes
    written["services"][0]["targets"] += rollouts
    return written


def house_of(*rollouts: dict, **changes: object) -> House:
    """v1 is proved; every group and stack that is named exists and is at rest."""
    house = House(document(*rollouts, **changes))
    house.codedeploy.add_config(HALF, canary(50, timedelta(hours=1)))
    for rollout in rollouts:
        if rollout["kind"] == "codedeploy_group":
            add_group(house, rollout["group"])
        else:
            house.cloudformation.add_stack(rollout["stack"])
    healthy_v1(house)
    house.ops = Operations(house)
    return house


def add_group(house: House, name: str = "live", **how: object) -> None:
    given = {"function": "shop", "alias": "live", "config": HALF}
    house.codedeploy.add_group("shop", name, **(given | how))


def publish(house: House, code: str = "v2", errors: float = 0.9) -> str:
    version = house.aliases.publish("shop", code)
    house.errors[version], house.latency_ms[version] = errors, 100.0
    return version


def canary_deploy(house: House, code: str = "v2", *, errors: float = 0.9, **how: object) -> str:
    """A canary of the group begins; returns the deployment's id."""
    version = publish(house, code, errors)
    return house.codedeploy.deploy("shop", "live", target_version=version, **how)


def update_stack(
    house: House,
    name: str = "shop",
    code: str = "v2",
    *,
    errors: float = 0.9,
    seconds: float = 3600,
    back_to: str | None = None,
    **how: object,
) -> str:
    """A stack update begins that points the alias elsewhere, and back when it is rolled back."""
    version, before = publish(house, code, errors), back_to or house.live
    return house.cloudformation.begin_update(
        name,
        seconds=seconds,
        on_begin=lambda: house.aliases.point("shop", "live", version),
        on_rollback=lambda: house.aliases.point("shop", "live", before),
        **how,
    )


def bad_canary(minutes: int = 4, house: House | None = None, **how: object) -> House:
    """A canary caught in mid-shift."""
    house = house or house_of(GROUP)
    house.made = canary_deploy(house, **how)
    house.ops.pass_minutes(minutes, requests=60)
    return house


def bad_update(minutes: int = 4, house: House | None = None, **how: object) -> House:
    """A stack update whose new version fails while it is under way."""
    house = house or house_of(STACK)
    house.made = update_stack(house, **how)
    house.ops.pass_minutes(minutes, requests=60)
    return house


def bad_updates(house: House | None = None, *, minutes: int = 4) -> House:
    """Three stacks are updated at once; the first one holds the alias."""
    house = house or house_of(*STACKS)
    update_stack(house, "api")
    for name in ("workflow", "database"):
        house.cloudformation.begin_update(name, seconds=3600)
    house.ops.pass_minutes(minutes, requests=60)
    return house


def finish(house: House, minutes: int = 12) -> House:
    house.ops.pass_minutes(minutes, requests=60)
    return house


def driven(house: House | None = None, *, minutes: int = 4) -> House:
    """A stack update that shifts the alias through CodeDeploy, and unwinds when that fails."""
    house = house or house_of(*DRIVEN)
    stack_id = house.cloudformation.describe_stacks(StackName="shop")["Stacks"][0]["StackId"]
    house.cloudformation.begin_update("shop", seconds=3600)
    house.made = canary_deploy(house, creator="CloudFormation", external_id=stack_id)
    house.ops.pass_minutes(minutes, requests=60)
    return house


def finished_deployment(house: House, **how: object) -> House:
    version = publish(house)
    at_once = "CodeDeployDefault.LambdaAllAtOnce"
    house.codedeploy.deploy("shop", "live", target_version=version, config=at_once, **how)
    house.ops.pass_minutes(4, requests=60)
    return house


# -- on the way back ------------------------------------------------------------------------------


def rollback_adopted() -> House:
    """Somebody cancels the update while the alarm is on its way."""
    house = house_of(STACK)
    house.cloudformation.rollback_seconds = 240
    update_stack(house)
    house.ops.pass_minutes(1, requests=60)
    house.cloudformation.cancel_update_stack(StackName="shop")
    house.cloudformation.cancels.clear()
    house.ops.pass_minutes(3, requests=60)
    return house


def leg_back() -> House:
    """Three stacks, one after the other."""
    house = bad_updates()
    house.ops.pass_minutes(4, requests=60)
    return house


def second_is_lost(**changes: object) -> House:
    """The second of three stacks finishes its update a moment before it would be cancelled."""
    house = house_of(*STACKS, **changes)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house)
    house.cloudformation.put_status("workflow", "UPDATE_COMPLETE")
    house.ops.pass_minutes(6, requests=60)
    return house


def leg_failed() -> House:
    return second_is_lost(after_failure="go_on")


def rollback_incomplete() -> House:
    return second_is_lost()


def rollback_stuck(*, minutes: int = 2, **stack: object) -> House:
    house = house_of(STACK | stack)
    house.cloudformation.fail_rollbacks("shop", ["Function"], "the layer was deleted")
    bad_update(4, house)
    house.ops.pass_minutes(minutes, requests=60)
    return house


def rollback_continued() -> House:
    return rollback_stuck(continue_rollback=True)


def rollback_overdue() -> House:
    house = house_of(STACK | {"deadline_minutes": 5})
    house.cloudformation.rollback_seconds = 7200
    bad_update(4, house)
    house.ops.pass_minutes(6, requests=60)
    return house


def all_back() -> House:
    return bad_canary(6)


# -- nothing to undo ------------------------------------------------------------------------------


def change_finished() -> House:
    house = house_of(GROUP)
    version = publish(house)
    house.codedeploy.deploy(
        "shop", "live", target_version=version, config="CodeDeployDefault.LambdaAllAtOnce"
    )
    house.ops.pass_minutes(4, requests=60)
    return house


def change_finishing() -> House:
    """Everything is updated, and the old resources are being removed."""
    house = house_of(STACK)
    house.cloudformation.cleanup_seconds = 600
    return bad_update(4, house, seconds=60)


def change_broken() -> House:
    """A deployment fails half-way, and its group does not roll back."""
    house = house_of(GROUP)
    house.codedeploy.fail(canary_deploy(house))
    house.ops.pass_minutes(5, requests=60)
    return house


def not_stoppable() -> House:
    house = house_of(STACK)
    house.cloudformation.put_status("shop", "IMPORT_IN_PROGRESS")
    house.deploy("v2", errors=0.9)
    house.ops.pass_minutes(4)
    return house


def root_not_in_scope() -> House:
    """The policy names a nested stack; only its root can be cancelled."""
    house = House(document(STACK))
    house.cloudformation.add_stack("root")
    house.cloudformation.add_stack("shop", parent="root")
    healthy_v1(house)
    house.ops = Operations(house)
    update_stack(house, "root")
    house.ops.pass_minutes(4)
    return house


def unknown_status() -> House:
    house = house_of(STACK)
    house.cloudformation.put_status("shop", "UPDATE_PONDERING")
    house.deploy("v2", errors=0.9)
    house.ops.pass_minutes(4)
    return house


# -- the guardrails -------------------------------------------------------------------------------


def paused() -> House:
    house = house_of(GROUP)
    house.budget.paused_by = "alice"
    return bad_canary(4, house)


def budget_spent() -> House:
    """Ten other services have had their rollbacks in this hour."""
    house = house_of(GROUP)
    for number in range(10):
        house.budget.set_aside(f"other-{number}", limit=10, now=house.now)
    return bad_canary(4, house)


# -- how it ended ---------------------------------------------------------------------------------


def finished_anyway() -> House:
    """The stop is accepted and lost; the deployment runs to its end."""
    house = house_of(GROUP)
    house.codedeploy.loses_stops = True
    house.codedeploy.add_config("Ten", canary(50, 10 * MINUTE))
    return bad_canary(12, house, config="Ten")


def wrong_version() -> House:
    """v2 was rolled back from; the template still names it, and v3's update is cancelled."""
    house = house_of(STACK)
    house.deploy("v2", errors=0.9)
    house.ops.pass_minutes(10)
    assert house.incident.state is State.FIXED
    bad_update(6, house, code="v3", back_to="2")
    return house


def unreadable() -> House:
    """Nobody can read the stack any more while its rollback is followed."""
    house = bad_update()
    denied = client_error("AccessDenied", "DescribeStacks")
    on(house, "DescribeStacks", refuse(denied), times=9999)
    house.ops.pass_minutes(2)
    return house


STOOD_DOWN, ROLLING_BACK = State.STOOD_DOWN, State.ROLLING_BACK
ROLLOUT_SCENARIOS: dict[Reason, Scenario] = {
    Reason.ROLLBACK_ADOPTED: Scenario(rollback_adopted, ROLLING_BACK, 0),
    Reason.LEG_BACK: Scenario(leg_back, ROLLING_BACK, 0, 3),
    Reason.LEG_FAILED: Scenario(leg_failed, ROLLING_BACK, 0, 2),
    Reason.NEXT_LEG: Scenario(leg_back, ROLLING_BACK, 0, 3),
    Reason.ROLLBACK_STUCK: Scenario(rollback_stuck, ROLLING_BACK, 0, 1),
    Reason.ROLLBACK_CONTINUED: Scenario(rollback_continued, ROLLING_BACK, 0, 2),
    Reason.ROLLBACK_OVERDUE: Scenario(rollback_overdue, ROLLING_BACK, 0, 1),
    Reason.ALL_BACK: Scenario(all_back, State.WATCHING, 0, 1),
    Reason.CHANGE_FINISHED: Scenario(change_finished, STOOD_DOWN, 0),
    Reason.CHANGE_FINISHING: Scenario(change_finishing, State.UNDECIDED, 0),
    Reason.CHANGE_BROKEN: Scenario(change_broken, STOOD_DOWN, 0),
    Reason.NOT_STOPPABLE: Scenario(not_stoppable, STOOD_DOWN, 0),
    Reason.ROOT_NOT_IN_SCOPE: Scenario(root_not_in_scope, STOOD_DOWN, 0),
    Reason.UNKNOWN_STATUS: Scenario(unknown_status, STOOD_DOWN, 0),
    Reason.PAUSED: Scenario(paused, State.UNDECIDED, 0),
    Reason.BUDGET_SPENT: Scenario(budget_spent, State.UNDECIDED, 0),
    Reason.WRONG_VERSION: Scenario(wrong_version, State.UNKNOWN, 1, 1),
    Reason.FINISHED_ANYWAY: Scenario(finished_anyway, State.INCOMPLETE, 0, 1),
    Reason.ROLLBACK_INCOMPLETE: Scenario(rollback_incomplete, State.INCOMPLETE, 0, 1),
}
