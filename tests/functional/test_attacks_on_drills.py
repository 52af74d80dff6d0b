"""What a hostile reader tried on drills: each of these goes wrong."""

from datetime import timedelta

import pytest
from checker import incidents_of
from faults import Died, Operations, healthy_v1, lose, on
from rollout_scenarios import STACK, house_of, update_stack
from scenarios import ERROR_RATE, LATENCY, bad_deploy
from test_drill import BACK, FORWARD, order, proven

from house import House
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import Undo
from rollback_responder.domain.reason import Reason


def reasons(house):
    return {step.reason for incident in incidents_of(house) for step in incident.steps}


# -- what is taken for a drill ---------------------------------------------------------------------


def test_a_drill_that_died_goes_forward_again_although_another_alarm_finds_it():
    house = proven()
    before = house.ledger
    house.desk.take(order(house))
    house.woken.clear()
    on(house, "UpdateAlias", lose(Died()))
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    house.now += timedelta(seconds=95)
    house.respond(LATENCY)
    house.ops.pass_minutes(10)

    assert house.aliases.moves == [BACK, FORWARD]
    assert house.incident.state is State.UNDONE
    assert (house.ledger.current, house.ledger.bad) == (before.current, ())


def test_a_rollback_in_earnest_that_died_is_not_taken_for_a_drill_and_undone():
    """The drill is ordered while nobody knows yet that the version was rolled back from."""
    house = healthy_v1(House())
    house.ops = Operations(house, hear=False, watch=False)
    house.deploy("v2", errors=0.6)
    house.watch()
    house.ops.pass_minutes(3)
    on(house, "UpdateAlias", lose(Died()))
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    house.desk.take(order(house))
    house.woken.clear()
    house.now += timedelta(seconds=95)
    house.ops.hear = house.ops.watch = True
    house.ops.pass_minutes(15)

    assert house.aliases.moves == [BACK]
    assert "2" in {bad.version for bad in house.ledger.bad}


def test_an_undo_of_a_rollback_in_earnest_is_no_drill():
    house = bad_deploy(minutes=10)
    house.desk.take(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    house.desk.take(order(house))
    house.woken.clear()
    undone = house.incident.id
    house.ops.pass_minutes(3)

    (told,) = [incident for incident in incidents_of(house) if incident.id == undone]
    assert (told.state, told.ordered_by, told.drill) == (State.UNDONE, None, False)
    assert house.ledger.current.origin.value == "put_back"


def test_what_somebody_else_rolls_back_is_no_drill():
    """The update is cancelled by hand between the order and the look."""
    house = house_of(STACK)
    house.deploy("v2")
    house.ops.pass_minutes(60)
    assert house.ledger.current.proven_at
    house.desk.take(order(house))
    house.woken.clear()
    house.cloudformation.rollback_seconds = 600
    house.errors["2"] = 0.6
    update_stack(house, code="v3")
    house.cloudformation.cancel_update_stack(StackName="shop")
    house.cloudformation.cancels.clear()
    house.ops.pass_minutes(40)

    adopted = [incident for incident in incidents_of(house) if incident.adopted]
    assert not any(incident.drill for incident in adopted)
    assert Reason.ROLLBACK_ADOPTED in reasons(house)
