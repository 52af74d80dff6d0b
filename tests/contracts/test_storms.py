"""Gatherings: the same answers in memory and in the table, whatever happens at the same moment."""

import pytest

from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.incident import State
from rollback_responder.domain.storm import FEWEST_SERVICES, TOGETHER, Gathering, Member
from rollback_responder.journal import storms as stored
from rollback_responder.journal.memory import MemoryStorms
from rollback_responder.journal.storms import DynamoDbStorms
from tests.builders import MINUTE, NOW
from tests.tables import LEASE, TABLE, stubbed

SHOP = Member(service="shop", state=State.UNDECIDED, needs_a_person=False)
CART = Member(service="cart", state=State.STOOD_DOWN, needs_a_person=True)


@pytest.fixture(params=["memory", "dynamodb"])
def storms(request):
    if request.param == "memory":
        return MemoryStorms(LEASE)
    return DynamoDbStorms(request.getfixturevalue("dynamodb"), TABLE, LEASE)


def test_the_first_is_alone(storms):
    assert storms.join("inc-1", SHOP, NOW) == Gathering(name="inc-1", members={"inc-1": SHOP})


def test_what_comes_soon_after_joins_it(storms):
    storms.join("inc-1", SHOP, NOW)
    joined = storms.join("inc-2", CART, NOW + TOGETHER)

    assert (joined.name, joined.members) == ("inc-1", {"inc-1": SHOP, "inc-2": CART})
    assert joined.services == ("cart", "shop")


def test_what_comes_later_is_alone_again(storms):
    storms.join("inc-1", SHOP, NOW)

    assert storms.join("inc-2", CART, NOW + TOGETHER + MINUTE).name == "inc-2"


def test_a_gathering_does_not_go_on_for_as_long_as_somebody_comes(storms):
    """Else all that ever happens in a large account is one storm, and rings once."""
    names = [storms.join(f"inc-{n}", SHOP, NOW + n * 4 * MINUTE).name for n in range(5)]

    assert names == ["inc-0", "inc-0", "inc-0", "inc-3", "inc-3"]


def test_whoever_joined_stays_in_it_and_is_known_as_it_stands(storms):
    storms.join("inc-1", SHOP, NOW)
    later = NOW + 3 * TOGETHER
    storms.join("inc-2", CART, later)
    fixed = Member(service="shop", state=State.FIXED, needs_a_person=False)

    assert storms.join("inc-1", fixed, later).members == {"inc-1": fixed}


def test_its_message_is_posted_by_one_and_known_to_all(storms):
    storms.join("inc-1", SHOP, NOW)

    assert storms.take("inc-1", NOW)
    assert not storms.take("inc-1", NOW)
    assert storms.take("inc-1", NOW + LEASE + MINUTE)
    storms.record("inc-1", "C1/1.0", called=2)
    assert not storms.take("inc-1", NOW + 9 * LEASE)
    joined = storms.join("inc-1", SHOP, NOW)
    assert (joined.head, joined.called) == ("C1/1.0", 2)


def test_a_gathering_fits_into_its_item(dynamodb, monkeypatch):
    monkeypatch.setattr(stored, "MOST_MEMBERS", 2)
    storms = DynamoDbStorms(dynamodb, TABLE, LEASE)
    names = [storms.join(f"inc-{n}", SHOP, NOW).name for n in range(5)]

    assert names == ["inc-0", "inc-0", "inc-2", "inc-2", "inc-4"]
    longest = Member(service="s" * 64, state=State.INDETERMINATE, needs_a_person=False)
    assert len(stored._encoded(longest)) + 40 < 200


def test_two_that_begin_one_at_the_same_moment_are_in_the_same(dynamodb):
    """The second is refused, because the first has begun one since it looked."""
    first, second = (DynamoDbStorms(dynamodb, TABLE, LEASE) for _ in range(2))
    update, raced = second._update, []

    def racing(key, expression, *rest):
        if expression.startswith("SET latest") and not raced:
            raced.append(first.join("inc-1", SHOP, NOW))
        return update(key, expression, *rest)

    second._update = racing

    assert second.join("inc-2", CART, NOW).name == "inc-1"


def test_what_cannot_be_written_is_a_journal_error():
    client, stub = stubbed()
    storms = DynamoDbStorms(client, TABLE, LEASE)
    stub.add_client_error("get_item", "AccessDeniedException")
    for _ in range(2):
        stub.add_client_error("update_item", "AccessDeniedException")
    with stub:
        for call in (
            lambda: storms.join("inc-1", SHOP, NOW),
            lambda: storms.take("inc-1", NOW),
            lambda: storms.record("inc-1", "h", called=0),
        ):
            with pytest.raises(JournalError, match="AccessDenied"):
                call()


@pytest.mark.parametrize(
    ("count", "is_storm", "doubled"),
    [(FEWEST_SERVICES - 1, False, False), (5, True, True), (6, True, False), (10, True, True)],
)
def test_five_services_are_a_storm_and_it_is_news_when_they_double(count, is_storm, doubled):
    members = {
        f"inc-{n}": Member(service=f"s{n}", state=State.UNDECIDED, needs_a_person=False)
        for n in range(count)
    }
    found = Gathering(name="inc-0", members=members)

    assert found.is_storm is is_storm
    assert (found.is_storm and found.has_doubled) is doubled


@pytest.mark.parametrize(
    ("called", "needed", "again"),
    [(0, 0, False), (0, 1, True), (1, 1, False), (1, 2, True), (5, 9, False), (5, 10, True)],
)
def test_it_calls_again_when_twice_as_many_need_a_person(called, needed, again):
    members = {
        f"inc-{n}": Member(service=f"s{n}", state=State.ASKING, needs_a_person=n < needed)
        for n in range(12)
    }

    assert Gathering(name="inc-0", members=members, called=called).calls_again is again


def test_one_service_alone_is_no_storm_however_many_incidents_it_has():
    members = {f"inc-{n}": SHOP for n in range(9)}

    assert not Gathering(name="inc-0", members=members).is_storm
