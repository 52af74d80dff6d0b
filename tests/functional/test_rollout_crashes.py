"""Processes die, replies get lost, AWS throttles, while rollouts are stopped and followed.

`tests/simulation` plays every schedule of faults, without the SDK. Here its own clients answer:
each kind of rollback is played once to learn its calls, then its orders, and the looks that lead to
them, meet each fault as the SDK tells it.
"""

import random
from functools import cache

import pytest
from checker import incidents_of, orders_of, problems_of
from faults import FAULTS, meet, on
from faults import before as just_before
from rollout_scenarios import (
    GROUP,
    STACK,
    STACKS,
    canary_deploy,
    house_of,
    publish,
    update_stack,
)

from rollback_responder.domain.incident import State

REQUESTS = 20


def begin_canary():
    house = house_of(GROUP)
    canary_deploy(house, errors=1.0)
    return house


def begin_finished():
    house = house_of(GROUP | {"after_success": "redeploy"})
    at_once = "CodeDeployDefault.LambdaAllAtOnce"
    house.codedeploy.deploy("shop", "live", target_version=publish(house), config=at_once)
    return house


def begin_update():
    house = house_of(STACK)
    update_stack(house)
    return house


def begin_failing():
    """Its rollback fails once, and is continued."""
    house = house_of(STACK | {"continue_rollback": True})
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    update_stack(house)
    mend = just_before(lambda: house.cloudformation.mend("shop"))
    on(house, "ContinueUpdateRollback", mend, times=9)
    return house


def begin_updates():
    house = house_of(*STACKS[:2])
    update_stack(house, "api")
    house.cloudformation.begin_update("workflow", seconds=3600)
    return house


def begin_driven():
    """The stack unwinds by itself as soon as its deployment has been stopped."""
    house = house_of(GROUP, STACK)
    model = house.cloudformation
    stack_id = model.describe_stacks(StackName="shop")["Stacks"][0]["StackId"]
    model.begin_update("shop", seconds=3600)
    made = canary_deploy(house, errors=1.0, creator="CloudFormation", external_id=stack_id)
    tick = house.codedeploy.tick

    def ticking():
        tick()
        stopped = house.codedeploy.status_of(made) == "Stopped"
        if stopped and model.status_of("shop") == "UPDATE_IN_PROGRESS":
            model.fail_update("shop", ["Function"])

    house.codedeploy.tick = ticking
    return house


KINDS = {
    "canary": (begin_canary, ["stop"]),
    "finished": (begin_finished, ["deploy"]),
    "update": (begin_update, ["cancel"]),
    "failing": (begin_failing, ["cancel", "continue"]),
    "updates": (begin_updates, ["cancel", "cancel"]),
    "driven": (begin_driven, ["stop"]),
}


def play(kind, faults, minutes=18):
    """The incident, with these faults at the numbered calls, until a while after it has ended."""
    house = KINDS[kind][0]()
    earlier = house.fault
    house.met = meet(house, faults)
    faulty = house.fault
    house.fault = lambda name, answer: faulty(name, lambda: earlier(name, answer))
    for _ in range(minutes):
        house.ops.pass_minutes(1, requests=REQUESTS)
        if house.incident and not house.incident.is_open:
            break
    house.ops.pass_minutes(3, requests=REQUESTS)
    return house


ACTS = {"StopDeployment", "CreateDeployment", "CancelUpdateStack", "ContinueUpdateRollback"}


# Looks at rollouts. What every kind has in common meets each fault in `test_crashes.py`.
LOOKS = {"ListDeployments", "BatchGetDeployments", "DescribeStacks", "DescribeStackEvents"}


@cache
def calls_of(kind):
    """The calls that the undisturbed incident takes."""
    return play(kind, {}).calls


def places(kind, fault):
    """The numbers of the orders, and of the latest look of each name before the first of them."""
    calls = calls_of(kind)
    acts = [number for number, name in enumerate(calls) if name in ACTS]
    latest = {name: number for number, name in enumerate(calls[: acts[0]]) if name in LOOKS}
    # Where it dies between its calls is the simulation's.
    return acts if fault.startswith("dies") else [*latest.values(), *acts]


def check(kind, house):
    assert problems_of(house, good={"1"}) == [], house.met
    assert [order for order, _ in orders_of(house)] == KINDS[kind][1], house.met
    assert house.aliases.moves == [], house.met
    assert (house.live, dict(house.aliases.weights_of("shop", "live"))) == ("1", {}), house.met
    assert incidents_of(house)[0].state is State.FIXED, house.met


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_at_an_order_or_a_look_is_one_order_and_the_right_ending(kind, fault):
    for number in places(kind, fault):
        house = play(kind, {number: fault})
        assert house.met, "the fault met no call"
        check(kind, house)


@pytest.mark.parametrize("kind", KINDS)
def test_two_faults_are_never_two_orders_and_never_silent(kind):
    draw = random.Random(20261122)
    last = max(number for number, name in enumerate(calls_of(kind)) if name in ACTS)
    for _ in range(3):
        pair = draw.sample(range(last + 12), 2)
        faults = dict(zip(pair, draw.choices(list(FAULTS), k=2), strict=True))
        house = play(kind, faults, minutes=24)

        assert problems_of(house, good={"1"}) == [], faults
        called = any(incident.needs_a_person for incident in incidents_of(house))
        assert called or [order for order, _ in orders_of(house)] == KINDS[kind][1], faults
