"""What a hostile reader tried on the judgement: each of these once went wrong."""

from datetime import timedelta

import pytest
from checker import incidents_of, orders_of, reasons, told
from faults import Died, Operations, healthy_v1, lose, on
from rollout_scenarios import (
    GROUP,
    HALF,
    STACKS,
    add_group,
    bad_canary,
    bad_updates,
    canary,
    document,
    house_of,
)
from scenarios import (
    ERROR_RATE,
    LATENCY,
    approval_needed,
    approve,
    release_proved,
    sibling_minute,
    with_sibling,
)

from house import House, policy_document
from local.aws_model.metrics import Metric
from rollback_responder.domain.controls import Controls, FixingForward, Unsafe
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import LegState
from rollback_responder.domain.reason import Reason


def share_with(house, share, *, errors, code="v2"):
    """A new version takes a share of the traffic, beside version 1."""
    version = house.aliases.publish("shop", code)
    house.errors[version], house.latency_ms[version] = errors, 100.0
    house.aliases.point("shop", "live", "1", {version: share})
    house.ops = getattr(house, "ops", None) or Operations(house)
    return version


# -- a yes is to one thing ------------------------------------------------------------------------


def test_a_yes_to_undo_one_version_never_undoes_the_next():
    house = approval_needed()
    first = house.incident.id
    approve(house)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(6)

    assert house.aliases.moves == []
    assert house.live == "3"
    assert house.incident.id != first
    assert house.incident.needs_a_person
    assert Reason.TARGET_CHANGED in reasons(house)


def test_a_yes_to_a_canary_never_undoes_the_canary_that_replaced_it():
    house = healthy_v1(House(policy_document(mode="approve")), requests=60)
    share_with(house, 0.1, errors=0.4)
    house.ops.pass_minutes(4, requests=400)
    assert house.incident.state is State.ASKING
    approve(house)
    share_with(house, 0.1, errors=0.0, code="v3")
    house.ops.pass_minutes(5, requests=400)

    assert house.aliases.moves == []


def two_aliases():
    policy = policy_document(mode="approve")
    service = policy["services"][0]
    service["targets"].append({"kind": "lambda_alias", "function": "shop", "alias": "beta"})
    service["triggers"] = [{"kind": "error_rate", "threshold_percent": 5, "severity": "critical"}]
    house = House(policy)
    house.deploy("v1")
    house.aliases.point("shop", "beta", "1")
    for _ in range(9):
        beta_minute(house, 0.0)
        house.traffic(1, requests=24)
    house.ops = Operations(house)
    return house


def beta_minute(house, errors, requests=24):
    version = house.aliases.version_of("shop", "beta")
    alias = {"FunctionName": "shop", "Resource": "shop:beta"}
    for dimensions in (alias, alias | {"ExecutedVersion": version}):
        for name, value in (("Invocations", requests), ("Errors", round(errors * requests))):
            metric = Metric.of("AWS/Lambda", name, dimensions)
            house.cloudwatch.record(metric, timestamp=house.now, value=value)


def test_a_yes_about_one_alias_moves_no_other_and_the_other_is_told():
    house = two_aliases()
    house.deploy("v2", errors=0.6)
    house.aliases.point("shop", "beta", house.aliases.publish("shop", "v3"))
    for minute in range(6):
        beta_minute(house, 0.6 if minute > 2 else 0.0)
        house.ops.pass_minutes(1)
    assert house.incident.alarm_name == ERROR_RATE
    waits = [step.text for step in house.incident.steps if "fires as well" in step.text]
    assert waits == [
        "rollback.test.shop.shop.beta.error-rate fires as well, and waits for this question"
    ]
    approve(house)
    house.respond("rollback.test.shop.shop.beta.error-rate")

    assert house.aliases.moves == []
    house.ops.pass_minutes(1)
    assert house.aliases.moves == [("shop", "2", "1")]


def test_an_outage_of_two_aliases_with_a_release_each_is_one_message_each_not_one_a_minute():
    """Neither was deployed lately. Their incidents must not displace each other every minute."""
    house = two_aliases()
    house.aliases.point("shop", "beta", house.aliases.publish("shop", "v2"))
    house.errors["2"] = 0.0
    for _ in range(9):
        beta_minute(house, 0.0)
        house.ops.pass_minutes(1)
    house.now += timedelta(days=2)
    house.errors["1"] = 0.6
    for _ in range(12):
        beta_minute(house, 0.6)
        house.ops.pass_minutes(1)

    told = [(i.alarm_name.split(".")[4], i.reason) for i in incidents_of(house)]
    assert sorted(told) == [
        ("beta", Reason.NO_RECENT_CHANGE),
        ("live", Reason.NO_RECENT_CHANGE),
    ]


# -- before the alarm -----------------------------------------------------------------------------


def test_a_dip_of_a_canary_silences_nothing():
    house = healthy_v1(House(policy_document(mode="approve")), requests=60)
    version = share_with(house, 0.1, errors=0.3)
    house.ops.pass_minutes(4, requests=400)
    assert house.incident.state is State.ASKING
    house.errors[version] = 0.0
    house.ops.pass_minutes(4, requests=400)
    house.errors[version] = 0.3
    house.ops.pass_minutes(5, requests=400)

    assert house.incident.state is State.ASKING
    approve(house)
    house.ops.pass_minutes(2, requests=400)
    assert house.aliases.weights_of("shop", "live") == {}


def test_a_canary_that_is_promoted_after_a_dip_is_judged_again():
    house = healthy_v1(House(policy_document(mode="approve")), requests=60)
    version = share_with(house, 0.1, errors=0.3)
    house.ops.pass_minutes(3, requests=400)
    house.errors[version] = 0.0
    house.ops.pass_minutes(3, requests=400)
    house.aliases.point("shop", "live", version)
    house.errors[version] = 0.6
    house.ops.pass_minutes(8, requests=400)

    assert house.incident.state is State.ASKING
    assert not house.incident.early
    assert house.incident.needs_a_person


def test_what_breaks_after_an_early_rollback_was_fixed_is_told():
    house = healthy_v1(House(), requests=60)
    share_with(house, 0.1, errors=0.3)
    for _ in range(12):
        if not (house.incident and house.incident.state is State.FIXED):
            house.ops.pass_minutes(1, requests=400)
    assert house.incident.state is State.FIXED
    house.errors["1"] = 0.6
    house.ops.pass_minutes(8, requests=400)

    assert incidents_of(house)[-1].reason is not Reason.SYMPTOM_GONE
    assert any(incident.needs_a_person for incident in incidents_of(house))


# -- modes and switches ---------------------------------------------------------------------------


def test_an_alarm_of_an_observed_trigger_does_not_lift_the_pause():
    policy = document(*STACKS)
    policy["services"][0]["triggers"][1]["mode"] = "observe"
    house = House(policy)
    house.codedeploy.add_config(HALF, canary(50, timedelta(hours=1)))
    for stack in STACKS:
        house.cloudformation.add_stack(stack["stack"])
    healthy_v1(house)
    house.ops = Operations(house)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house, minutes=4)
    orders = len(orders_of(house))
    house.budget.paused_by = "alice"
    house.ops.pass_minutes(4, requests=60)
    house.respond(LATENCY)

    assert len(orders_of(house)) == orders


def test_what_people_say_holds_the_next_stacks_as_well():
    house = house_of(*STACKS)
    house.cloudformation.rollback_seconds = 130
    bad_updates(house, minutes=4)
    orders = len(orders_of(house))
    until_at = house.now + timedelta(minutes=20)
    house.journal.say("shop", Controls(fix_forward=FixingForward(by="ann", until_at=until_at)))
    house.ops.pass_minutes(8, requests=60)
    assert len(orders_of(house)) == orders
    marked = Controls(unsafe=(Unsafe(by="pipeline", why="migration 42"),))
    house.journal.say("shop", marked)
    house.ops.pass_minutes(4, requests=60)

    assert len(orders_of(house)) == orders
    assert LegState.FAILED in {leg.state for leg in house.incident.legs}
    assert "migration 42" in " ".join(step.text for step in house.incident.steps)


def test_a_deployment_is_not_stopped_to_get_where_the_policy_never_goes():
    policy = document(GROUP)
    policy["services"][0]["targets"][0]["never_back_to"] = ["1"]
    house = House(policy)
    house.codedeploy.add_config(HALF, canary(50, timedelta(hours=1)))
    add_group(house)
    healthy_v1(house)
    house.ops = Operations(house)
    bad_canary(5, house)

    assert house.codedeploy.stops == []
    assert house.incident.reason is Reason.NO_PROVEN_RELEASE
    assert "never goes back to" in house.incident.steps[-1].text


# -- the evidence ---------------------------------------------------------------------------------


def test_a_slow_down_that_both_share_is_not_held_against_the_one_with_enough_samples():
    house = healthy_v1(House(), requests=60)
    house.ops = Operations(house)
    house.ops.pass_minutes(5, requests=120)
    version = share_with(house, 0.9, errors=0.0)
    house.ops.pass_minutes(6, requests=120)
    house.latency_ms["1"] = house.latency_ms[version] = 900
    house.ops.pass_minutes(6, requests=120)

    assert house.aliases.moves == []


def test_an_outage_is_not_blamed_on_a_version_that_was_here_before():
    house = healthy_v1(House(), requests=24)
    house.ops = Operations(house)
    house.ops.pass_minutes(30)
    house.deploy("v2")
    house.ops.pass_minutes(3)
    house.aliases.point("shop", "live", "1")
    house.ops.pass_minutes(20)
    house.errors = dict.fromkeys(house.errors, 0.6)
    house.ops.pass_minutes(15)
    house.aliases.point("shop", "live", "2")
    house.ops.pass_minutes(6)

    assert house.aliases.moves == []


def test_a_canary_has_not_taken_all_traffic_whatever_its_age():
    policy = policy_document()
    policy["services"][0]["triggers"] = [
        {"kind": "timeouts", "threshold_percent": 5, "severity": "critical"}
    ]
    house = healthy_v1(House(policy), requests=60)
    version = share_with(house, 0.1, errors=0.0)
    house.ops.pass_minutes(20, requests=60)
    house.aliases.point("shop", "live", "1", {version: 0.5})
    for _ in range(6):
        metric = Metric.of("RollbackResponder/Timeouts", "shop", {})
        house.cloudwatch.record(metric, timestamp=house.now, value=30.0)
        house.ops.pass_minutes(1, requests=60)

    assert house.aliases.weights_of("shop", "live") == {}
    assert Reason.BEGAN_TOO_LATE not in reasons(house)


def test_timeouts_of_another_alias_are_a_share_of_its_requests_too():
    policy = policy_document()
    policy["services"][0]["triggers"] = [{"kind": "timeouts", "threshold_percent": 5}]
    house = healthy_v1(House(policy), requests=60)
    house.deploy("v2")
    house.ops = Operations(house)
    for _ in range(6):
        at = house.now
        timeouts = Metric.of("RollbackResponder/Timeouts", "shop", {})
        house.cloudwatch.record(timeouts, timestamp=at, value=30.0)
        every = Metric.of("AWS/Lambda", "Invocations", {"FunctionName": "shop"})
        house.cloudwatch.record(every, timestamp=at, value=3000.0)
        house.ops.pass_minutes(1, requests=60)

    assert house.aliases.moves == []


def test_a_sibling_that_was_rolled_back_a_moment_ago_excuses_nobody():
    house = House(with_sibling())
    house.aliases.point("cart", "live", house.aliases.publish("cart", "v1"))
    healthy_v1(house)
    house.aliases.point("cart", "live", house.aliases.publish("cart", "v2"))
    house.traffic(1)
    house.aliases.point("cart", "live", "1")
    house.deploy("v2", errors=0.6)
    house.ops = Operations(house)
    for _ in range(4):
        sibling_minute(house, errors=0.5)
        house.ops.pass_minutes(1, requests=24)

    assert ("shop", "2", "1") in house.aliases.moves


# -- lost attempts --------------------------------------------------------------------------------


def test_a_lost_attempt_on_a_proven_release_is_never_called_nothing():
    """Approved, moved, died; and somebody deploys before the next look."""
    house = release_proved()
    approve(house)
    on(house, "UpdateAlias", lose(Died()))
    house.ops.pass_minutes(1)
    house.deploy("v3")
    house.ops.pass_minutes(35)

    assert [i.state for i in incidents_of(house)].count(State.INDETERMINATE) == 1


@pytest.mark.parametrize("minutes", [1, 3])
def test_an_incident_before_its_alarm_does_not_say_that_it_fires(minutes):
    house = healthy_v1(House(policy_document(mode="approve")), requests=60)
    share_with(house, 0.1, errors=0.3)
    house.ops.pass_minutes(2 + minutes, requests=400)

    (alarm,) = [value for name, value in told(house).facts if name == "Alarm"]
    assert "judged before it fired" in alarm
