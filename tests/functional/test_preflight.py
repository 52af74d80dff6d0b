"""The preflight over the house: what it finds, in whose turn, and that it changes nothing."""

import itertools
from datetime import timedelta

import pytest
from faults import client_error

from house import House, policy_document
from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.finding import Check
from rollback_responder.domain.permissions import needs_of
from rollback_responder.domain.readiness import SERVICES_A_DAY, PermissionFacts
from rollback_responder.ports import Row
from rollback_responder.preflight import Preflight
from rollback_responder.rooms import Rooms

READS = {"rows", "GetAlias", "GetFunctionConfiguration"}


class Morning:
    def __init__(self, document=None):
        self.house, self.denied, self.asked = House(document), set(), []

    def permissions(self, policy):
        self.asked.append([service.name for service in policy.services])
        return [
            PermissionFacts(
                need=need, decision="explicitDeny" if need.action in self.denied else "allowed"
            )
            for need in needs_of(policy)
        ]

    def checks(self):
        rooms: Rooms = self.house.rooms
        self.house.calls.clear()
        found = Preflight(rooms=rooms, permissions=self.permissions).findings()
        assert set(self.house.calls) <= READS
        return [one.check for one in found]


@pytest.fixture
def morning():
    ready = Morning()
    ready.house.deploy("v1")
    ready.house.traffic(8)
    ready.house.deploy("v2")
    ready.house.traffic(1)
    return ready


def test_where_all_is_well_nothing_is_found(morning):
    assert morning.checks() == []


def test_what_respond_may_not_do_is_found(morning):
    morning.denied = {"lambda:UpdateAlias"}

    assert morning.checks() == [Check.NOT_ALLOWED]


def test_a_way_back_that_was_deleted_is_found(morning):
    morning.house.aliases.delete_version("shop", "1")

    assert morning.checks() == [Check.VERSION_DELETED, Check.NO_WAY_BACK]


def test_of_a_long_history_only_the_way_back_is_looked_at(morning):
    """Lambda takes fifteen such calls a second of everybody, rollbacks and deployments as well."""
    for code in ("v3", "v4", "v5"):
        morning.house.traffic(7)
        morning.house.deploy(code)
    morning.house.traffic(1)

    assert [good.version for good in morning.house.ledger.good] == ["4", "3", "2", "1"]
    assert morning.checks() == []
    assert morning.house.calls.count("GetFunctionConfiguration") == 1
    morning.house.aliases.delete_version("shop", "4")
    assert morning.checks() == [Check.VERSION_DELETED]


def test_a_service_that_never_proved_anything_has_no_way_back():
    new = Morning()
    new.house.deploy("v1")
    new.house.traffic(1)

    assert new.checks() == [Check.NO_WAY_BACK]


def test_a_service_that_is_only_observed_needs_no_way_back():
    new = Morning(policy_document(mode="observe"))
    new.house.deploy("v1")
    new.house.traffic(1)

    assert new.checks() == []


def test_a_damaged_row_is_not_taken_for_a_service_that_never_proved_anything(morning):
    row = Row(ledgers={}, incident=None, acting_until=None, damage="a row's ledgers is not JSON")
    morning.house.journal.rows = lambda _: {"shop": row}

    assert morning.checks() == [Check.NOT_READ]


def test_an_alias_that_is_gone_is_left_to_the_watcher(morning):
    morning.house.aliases.delete_alias("shop", "live")

    assert morning.checks() == []


@pytest.mark.parametrize("operation", ["GetAlias", "GetFunctionConfiguration"])
def test_what_cannot_be_read_is_said(morning, operation):
    def throttled(name, answer):
        if name == operation:
            raise client_error("TooManyRequestsException", operation)
        return answer()

    morning.house.fault = throttled

    assert morning.checks() == [Check.NOT_READ]


def test_without_the_journal_there_is_no_answer(morning):
    def down(name, answer):
        if name == "rows":
            raise JournalError("down")
        return answer()

    morning.house.fault = down
    with pytest.raises(JournalError):
        morning.checks()


def test_of_many_services_each_has_its_turn():
    document = policy_document()
    (shop,) = document["services"]
    count = 2 * SERVICES_A_DAY + 1
    document["services"] = [
        shop
        | {
            "name": f"shop-{n}",
            "targets": [{"kind": "lambda_alias", "function": f"shop-{n}", "alias": "live"}],
        }
        for n in range(count)
    ]
    many = Morning(document)
    for _ in range(3):
        many.checks()
        many.house.now += timedelta(days=1)

    assert all(len(names) <= SERVICES_A_DAY for names in many.asked)
    assert sorted(itertools.chain(*many.asked)) == sorted(f"shop-{n}" for n in range(count))
