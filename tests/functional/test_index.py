"""`respond` knows one service at a time, and answers as if it knew them all."""

import pytest
from msgspec.structs import replace

from house import House, policy_document
from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.incident import State
from rollback_responder.policies import IndexedPolicy, index_of
from rollback_responder.responder import Responder

ALARM = "rollback.test.shop.shop.live.error-rate"


def other(name):
    return {
        "name": name,
        "targets": [{"kind": "lambda_alias", "function": name, "alias": "live"}],
        "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
    }


def a_house(tmp_path, *, indexed, mode="enforce"):
    document = policy_document(mode=mode)
    document["services"][0]["siblings"] = ["cart"]
    document["services"] += [other("cart"), other("mail")]
    house = House(document)
    for name in ("cart", "mail"):
        house.aliases.publish(name, "v1")
        house.aliases.point(name, "live", "1")
    if indexed:
        path = tmp_path / "policy.index"
        path.write_bytes(index_of(house.policy))
        policies = IndexedPolicy(path)
        house.responder = Responder(replace(house.rooms, policy=policies.head), policies)
    return house


@pytest.mark.parametrize(
    ("mode", "live", "state"),
    [("enforce", "1", State.FIXED), ("observe", "2", State.STOOD_DOWN)],
)
def test_a_bad_deploy_ends_the_same_by_the_index_as_by_the_whole(tmp_path, mode, live, state):
    ends = []
    for indexed in (True, False):
        house = a_house(tmp_path, indexed=indexed, mode=mode)
        house.deploy("good")
        house.traffic(10)
        house.deploy("bad", errors=0.5)
        house.traffic(10)
        ends.append((house.live, house.incident, house.ledger, house.calls))

    assert ends[0] == ends[1]
    assert ends[0][0] == live
    assert ends[0][1].state is state


def test_an_alarm_of_no_service_is_refused_before_anything_is_read(tmp_path):
    house = a_house(tmp_path, indexed=True)

    with pytest.raises(SignalError, match="no service names"):
        house.respond("rollback.test.pay.pay.live.error-rate")
    assert house.calls == []
