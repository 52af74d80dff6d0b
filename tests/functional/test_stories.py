"""What the product promises, as stories: the whole house, from traffic to the journal."""

from house import House, policy_document
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason


def healthy_v1() -> House:
    house = House()
    house.deploy("v1")
    house.traffic(8)
    return house


def test_a_bad_deploy_undoes_itself():
    house = healthy_v1()
    house.deploy("v2", errors=0.6)
    house.traffic(4)
    assert house.live == "1"
    assert house.incident.state is State.WATCHING
    house.traffic(5)

    assert house.incident.state is State.FIXED
    assert house.aliases.moves == [("shop", "2", "1")]
    assert [step.reason for step in house.incident.steps] == [
        Reason.METRIC_BREACHING,
        Reason.SYMPTOM_GONE,
    ]


def test_a_slow_deploy_undoes_itself():
    house = healthy_v1()
    house.deploy("v2", latency_ms=500)
    house.traffic(9)

    assert house.live == "1"
    assert house.incident.state is State.FIXED


def test_a_good_deploy_is_left_alone():
    house = healthy_v1()
    house.deploy("v2")
    house.traffic(15)

    assert house.live == "2"
    assert house.incident is None


def test_observe_says_what_it_would_have_done():
    house = House(policy_document(mode="observe"))
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.6)
    house.traffic(6)

    assert house.live == "2"
    assert house.incident.reason is Reason.OBSERVE_MODE
    assert house.incident.to_version == "1"


def test_both_versions_failing_stands_down():
    house = healthy_v1()
    version = house.deploy("v2")
    house.aliases.point("shop", "live", "1", {version: 0.5})
    house.errors = {"1": 0.5, "2": 0.5}
    house.traffic(6)

    assert house.aliases.moves == []
    assert house.incident.reason is Reason.BOTH_VERSIONS_FAIL
