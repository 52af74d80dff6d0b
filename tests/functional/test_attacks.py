"""Ways to make it act wrongly that somebody has tried; each stays tried."""

from faults import healthy_v1
from msgspec.structs import replace
from scenarios import ERROR_RATE, LATENCY

from house import MINUTE, House, policy_document
from rollback_responder.domain.reason import Reason


def good_versions(house):
    return [good.version for good in house.ledger.good]


def test_a_canary_without_traffic_proves_nothing():
    """Ten minutes at weight zero are no bake time of the new version."""
    house = healthy_v1(House())
    version = house.deploy("v2")
    house.errors["2"] = 1.0
    house.aliases.point("shop", "live", "1", {version: 0.0})
    house.traffic(8)
    house.aliases.point("shop", "live", version)
    house.watch()

    assert good_versions(house) == ["1"]


def test_a_version_that_always_fails_proves_nothing_however_little_it_serves():
    """Five requests a minute never fire the alarm; the minutes together convict all the same."""
    house = healthy_v1(House())
    house.deploy("v2", errors=1.0)
    house.traffic(15, requests=5)

    assert good_versions(house) == ["1"]


def test_an_old_release_that_nobody_watched_is_not_a_fresh_deploy():
    """The watcher was down for hours; the version served long before the alarm."""
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(60, watch=False)
    house.errors["2"] = 0.6
    house.traffic(4)

    assert house.aliases.moves == []
    assert house.incident.reason is Reason.NO_RECENT_CHANGE


def test_two_alarms_that_fire_together_are_two_incidents_not_one_a_minute():
    house = healthy_v1(House(policy_document(mode="observe")))
    house.deploy("v2", errors=0.6, latency_ms=900)
    house.traffic(20)

    assert len(house.journal.archive) == 2
    assert {i.alarm_name for i in house.journal.archive.values()} == {ERROR_RATE, LATENCY}


def test_a_few_errors_before_do_not_save_a_version_that_fails_altogether():
    house = healthy_v1(House())
    house.errors["1"] = 0.12
    house.traffic(1)
    house.errors["1"] = 0.0
    house.deploy("v2", errors=1.0)
    house.traffic(5)

    assert house.live == "1"


def test_a_canary_on_an_unproven_version_leaves_that_one_alone():
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(2)
    version = house.deploy("v3", errors=0.9)
    house.aliases.point("shop", "live", "2", {version: 0.3})
    house.traffic(5)

    assert house.aliases.moves == []
    assert house.incident.reason is Reason.NO_PROVEN_RELEASE


def test_code_that_proved_itself_again_is_a_way_back():
    house = healthy_v1(House())
    house.deploy("v2", errors=0.6)
    house.traffic(10)
    house.deploy("v3")
    house.now += 31 * MINUTE
    house.deploy("v2")
    house.traffic(10)
    house.deploy("v5", errors=0.6)
    house.traffic(5)

    assert good_versions(house)[0] == house.live == "4"


def test_a_damaged_row_does_not_keep_the_others_from_being_watched():
    document = policy_document()
    second = {**document["services"][0], "name": "other"}
    second["targets"] = [{"kind": "lambda_alias", "function": "shop", "alias": "other"}]
    document["services"].append(second)
    house = House(document)
    house.deploy("v1")
    rows = house.journal.rows

    def damaged(ids):
        found = dict(rows(ids))
        row = found.get("shop")
        if row:
            found["shop"] = replace(row, damage="a row's ledger is not JSON")
        return found

    house.traffic(1)
    house.journal.rows = damaged
    done = house.watcher.watch()

    assert "shop: a row's ledger is not JSON" in done.problems
    assert "shop:other does not exist" in done.problems


def test_a_service_that_nobody_can_protect_is_a_problem_each_round():
    """A typo in the policy must not look like peace."""
    house = House()
    done = house.watcher.watch()

    assert done.problems == ["shop:live does not exist"]
