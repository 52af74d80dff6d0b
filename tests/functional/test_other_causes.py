"""When a rollback would not help: another cause is at hand, and only the evidence overrules it."""

from dataclasses import replace

from checker import reasons
from faults import Operations, healthy_v1
from scenarios import (
    ERROR_RATE,
    House,
    alarm_muted,
    dependency_failing,
    depending,
    errors_alarm,
    fire,
    house_with,
    sibling_minute,
    siblings_fail,
    with_sibling,
)

from local.aws_model.evaluation import State as AlarmValue
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason


def canary(house: House, share: float, *, errors: float) -> str:
    """Ten percent on a new version that fails, or whatever share."""
    version = house.aliases.publish("shop", "v2")
    house.errors[version], house.latency_ms[version] = errors, 100.0
    house.aliases.point("shop", "live", "1", {version: share})
    house.ops = Operations(house)
    return version


def test_a_bad_canary_is_seen_by_the_watcher_where_no_alarm_is():
    """Eight percent errors on a tenth of the traffic are 0.8 % of all: the 5 % alarm is blind."""
    house = healthy_v1(House(), requests=60)
    canary(house, 0.1, errors=0.3)
    house.ops.pass_minutes(6, requests=600)

    assert house.cloudwatch.state(ERROR_RATE).value is AlarmValue.OK
    assert house.aliases.moves == [("shop", "1", "1")]
    assert house.aliases.weights_of("shop", "live") == {}
    assert reasons(house)[0] is Reason.METRIC_BREACHING
    house.ops.pass_minutes(6, requests=60)
    assert house.incident.state is State.FIXED


def test_a_healthy_canary_is_left_alone():
    house = healthy_v1(House(), requests=60)
    canary(house, 0.1, errors=0.0)
    house.ops.pass_minutes(12, requests=600)

    assert house.incident is None
    assert house.aliases.moves == []


def test_in_an_outage_that_both_share_the_canary_is_left_alone():
    house = healthy_v1(House(), requests=60)
    house.errors["1"] = 0.3
    canary(house, 0.1, errors=0.3)
    house.ops.pass_minutes(20, requests=300)

    assert house.aliases.moves == []
    assert reasons(house)[0] is Reason.BOTH_VERSIONS_FAIL


def test_a_canary_worse_than_an_ailing_version_goes_back_all_the_same():
    """The alarm is older than the canary; beside each other the two still tell which is worse."""
    house = healthy_v1(House(), requests=60)
    house.errors["1"] = 0.08
    house.ops = Operations(house)
    house.ops.pass_minutes(4, requests=300)
    canary(house, 0.3, errors=0.7)
    house.ops.pass_minutes(4, requests=300)

    assert house.aliases.moves == [("shop", "1", "1")]


def test_once_the_siblings_are_well_the_deploy_is_judged_by_the_minutes_after():
    house = siblings_fail()
    assert house.aliases.moves == []
    for _ in range(5):
        sibling_minute(house, errors=0.0)
        house.ops.pass_minutes(1, requests=24)

    assert house.aliases.moves == [("shop", "2", "1")]
    assert [step.reason for step in house.incident.steps][:2] == [
        Reason.SIBLINGS_FAIL,
        Reason.METRIC_BREACHING,
    ]


def test_an_outage_that_ends_leaves_no_evidence_behind():
    house = siblings_fail()
    house.errors["2"] = 0.0
    for _ in range(12):
        sibling_minute(house, errors=0.0)
        house.ops.pass_minutes(1, requests=24)

    assert house.aliases.moves == []


def test_a_sibling_with_a_deploy_of_its_own_excuses_nobody():
    house = House(with_sibling())
    first = house.aliases.publish("cart", "v1")
    house.aliases.point("cart", "live", first)
    healthy_v1(house)
    house.aliases.point("cart", "live", house.aliases.publish("cart", "v2"))
    house.deploy("v2", errors=0.6)
    house.ops = Operations(house)
    for _ in range(5):
        sibling_minute(house, errors=0.5)
        house.ops.pass_minutes(1, requests=24)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_dependency_that_recovers_is_no_excuse_any_more():
    calm = replace(errors_alarm("payments are down"), threshold=10_000)
    house = house_with(calm, document=depending("payments are down"))
    house.deploy("v2", errors=0.6)
    for _ in range(5):
        house.traffic(1, requests=24, watch=False)
        # By its metric it is OK again a minute later.
        fire(house, "payments are down")
        house.watch()
    assert house.aliases.moves == []
    assert house.incident.reason is Reason.DEPENDENCY_FAILING
    house.traffic(1, requests=24)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_dependency_whose_alarm_is_gone_holds_as_well():
    house = dependency_failing()
    house.cloudwatch.delete_alarms(["payments are down"])
    house.ops.pass_minutes(2)

    assert house.aliases.moves == []
    assert house.incident.reason is Reason.DEPENDENCY_FAILING


def test_when_the_mute_ends_the_present_is_judged():
    house = alarm_muted()
    assert house.incident.reason is Reason.ALARM_MUTED
    assert not house.incident.needs_a_person
    house.cloudwatch.delete_mute_rule("maintenance")
    house.ops.pass_minutes(2)

    assert house.aliases.moves == [("shop", "2", "1")]
