"""Each reason, produced by the whole house: in the right state, with the right number of moves."""

import pytest
from checker import incidents_of, orders_of
from scenarios import SCENARIOS

from rollback_responder.domain.reason import Reason
from rollback_responder.journal.codec import decode_incident, encode


@pytest.mark.parametrize("reason", Reason)
def test_the_house_says_it(reason):
    scenario = SCENARIOS[reason]
    house = scenario.story()
    said = [(step.state, step.reason) for i in incidents_of(house) for step in i.steps]

    assert (scenario.state, reason) in said
    assert len(house.aliases.moves) == scenario.moves
    assert len(orders_of(house)) == scenario.orders
    # Forward only where a person said so, and then back to where it was.
    forward = [(after, before) for _, before, after in house.aliases.moves if before < after]
    assert len(forward) == sum(said_so is Reason.UNDONE for _, said_so in said)
    assert set(forward) <= {(before, after)[::-1] for _, before, after in house.aliases.moves}
    assert all(decode_incident(encode(i)) == i for i in incidents_of(house))


@pytest.mark.parametrize(
    "reason",
    [
        Reason.APPROVAL_NEEDED,
        Reason.OBSERVE_MODE,
        Reason.SYMPTOM_GONE,
        Reason.ACTION_DENIED,
        Reason.ACTION_UNCLEAR,
        Reason.LEG_BACK,
        Reason.ROLLBACK_ADOPTED,
    ],
)
def test_whatever_was_decided_the_minutes_that_were_judged_are_kept(reason):
    """Pictures and reports read nothing else."""
    first, *_ = incidents_of(SCENARIOS[reason].story())

    assert first.minutes
    assert first.minutes.total.minutes
