"""Ways to have the watcher mislead, or keep silent, that somebody has tried."""

from datetime import UTC, datetime, timedelta

from faults import healthy_v1
from msgspec.structs import replace
from scenarios import errors_alarm, house_with

from house import LEASE, START, House, policy_document
from local.aws_model.alarm import Actions
from rollback_responder.domain.errors import RowDamaged
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin, Release
from rollback_responder.driller import Driller
from rollback_responder.journal.memory import MemoryNotices
from rollback_responder.notifiers.telling import Teller
from rollback_responder.ports import Row
from rollback_responder.prover import Live, Prover
from tests.builders import an_incident

# -- what the watcher looks at -----------------------------------------------------------------


def test_a_dependency_whose_alarm_does_not_exist_is_a_problem_before_anything_breaks():
    """Nothing is rolled back for want of it: that is no time to learn of a typing error."""
    document = policy_document()
    document["services"][0]["dependencies"] = ["databse-down", "bank-down"]
    house = house_with(errors_alarm("bank-down", actions=Actions(enabled=False)), document=document)

    done = house.watch()
    assert done.problems == ["shop: alarm databse-down of a dependency does not exist"]
    assert done.hushed == []


def test_a_release_that_nobody_called_for_weeks_proves_itself_when_somebody_does():
    """CloudWatch keeps minutes for fifteen days, and answers nothing to who asks for older ones."""
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(10, requests=12, watch=False)
    weeks_ago = house.now - timedelta(days=16)
    release = Release(
        version="2", since_at=weeks_ago, origin=Origin.DEPLOYED, whole_since_at=weeks_ago
    )
    entries = list(house.policy.watched())
    pointer = entries[0].pointer
    alarms = house.rooms.metrics.read_alarms([entry.alarm_name for entry in entries])
    live = Live(
        pointer=pointer,
        observation=house.rooms.pointer(pointer).observe(pointer),
        entries=entries,
        alarms={name: replace(alarm, transitioned_at=weeks_ago) for name, alarm in alarms.items()},
        busy=False,
        now=house.now,
    )
    ledger = Prover(house.rooms).examined(live, replace(house.ledger, current=release))

    assert [good.version for good in ledger.good] == ["2", "1"]


# -- what a damaged row keeps from happening ---------------------------------------------------


class Slack:
    """A thread that takes everything."""

    takes_pictures = False

    def __init__(self):
        self.opened = []

    def open(self, message, *, under=None):
        self.opened.append((message.headline, under))
        return "head"

    def reply(self, head, text, *, rings):
        pass


class DamagedStorms:
    """Somebody else's part of a gathering cannot be read: a later version has written it."""

    def join(self, incident_id, member, now):
        raise RowDamaged("a member of a gathering cannot be read")


def test_a_damaged_gathering_keeps_nobody_of_it_from_being_told():
    """It held the incidents of every other service that began within the same ten minutes."""
    slack = Slack()
    teller = Teller(
        slack, MemoryNotices(LEASE), DamagedStorms(), account_id="111122223333", region="us-east-1"
    )
    incident = an_incident((State.ASKING, Reason.APPROVAL_NEEDED))

    assert teller.tell(incident, START) == 1
    assert [under for _, under in slack.opened] == [None]


def test_a_damaged_row_keeps_no_other_service_from_its_drill():
    """Both have their day on the first of the month, and the damaged one comes first."""
    document = policy_document(drills={})
    (shop,) = document["services"]
    document["services"] = [shop | {"name": "mail"}, shop | {"name": "stock"}]
    document["services"][0]["targets"] = [shop["targets"][0] | {"function": "mail"}]
    house = House(document)
    house.now = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)
    rows, page, damage = house.journal.rows, house.book.page, "a row's incident is not JSON"

    def damaged_rows(names):
        damaged = Row(ledgers={}, incident=None, acting_until=None, damage=damage)
        return {**rows(names), "mail": damaged}

    def damaged_page(service):
        if service == "mail":
            raise RowDamaged(damage)
        return page(service)

    house.journal.rows, house.book.page = damaged_rows, damaged_page
    driller = Driller(
        policy=house.policy, journal=house.journal, desk=house.desk, clock=house.clock
    )

    assert driller.begin() == {
        "mail": damage,
        "stock": "no drill of stock this month: shop:live has never been seen",
    }
