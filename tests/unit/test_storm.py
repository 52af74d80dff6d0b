"""A storm: from how many services on, and when it rings again."""

import pytest

from rollback_responder.domain.incident import State
from rollback_responder.domain.storm import FEWEST_SERVICES, Gathering, Member


def gathered(services, calls=0, called=0):
    """As many services, one incident each; some of them need a person."""
    return Gathering(
        name="g",
        members={
            f"inc-{number}": Member(
                service=f"s{number:03}", state=State.WATCHING, needs_a_person=number < calls
            )
            for number in range(services)
        },
        called=called,
    )


def test_services_are_named_once_and_in_order():
    twice = Member(service="cart", state=State.FIXED, needs_a_person=False)
    shop = Member(service="shop", state=State.FIXED, needs_a_person=True)
    storm = Gathering(name="g", members={"1": shop, "2": twice, "3": twice})

    assert storm.services == ("cart", "shop")
    assert storm.calls == 1


def test_five_services_are_a_storm():
    assert FEWEST_SERVICES == 5
    assert [gathered(count).is_storm for count in (4, 5, 6)] == [False, True, True]


def test_it_is_told_as_it_becomes_one_and_each_time_it_has_doubled():
    assert [count for count in range(1, 100) if gathered(count).has_doubled] == [5, 10, 20, 40, 80]


@pytest.mark.parametrize(
    ("calls", "called", "again"),
    [
        (0, 0, False),
        (1, 0, True),
        (1, 1, False),
        (2, 1, True),
        (3, 2, False),
        (4, 2, True),
        (5, 2, True),
    ],
)
def test_it_rings_for_the_first_and_for_twice_as_many(calls, called, again):
    assert gathered(9, calls, called).calls_again is again
