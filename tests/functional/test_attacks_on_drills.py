"""What a hostile reader tried on drills: each of these goes wrong."""

from datetime import timedelta

import pytest
from checker import incidents_of
from faults import (
    Died,
    Operations,
    client_error,
    connect_timeout,
    healthy_v1,
    lose,
    on,
    refuse,
)
from faults import after as just_after
from msgspec.structs import replace
from rollout_scenarios import STACK, house_of, update_stack
from scenarios import ERROR_RATE, LATENCY, adopting, bad_deploy, errors_alarm, house_with
from test_attacks_on_orders import claimed_once_more, with_policy
from test_drill import BACK, FORWARD, order, proven

from house import House, policy_document
from local.aws_model.evaluation import State as AlarmValue
from rollback_responder.domain.errors import ActionUnclear
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import FixForward, Freeze, Undo
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


# -- what is not rehearsed ------------------------------------------------------------------------


def fires(house):
    house.errors["2"] = 0.6
    house.ops.hear = house.ops.watch = False
    house.ops.pass_minutes(3)


def shares_its_traffic(house):
    house.aliases.point("shop", "live", "2", {"1": 0.1})
    house.watch()


@pytest.mark.parametrize("spoil", [fires, shares_its_traffic])
def test_what_must_not_be_rehearsed_is_told_and_not_touched(spoil):
    house = proven()
    spoil(house)
    house.desk.take(order(house))
    house.woken.clear()
    house.respond(ERROR_RATE)

    assert house.aliases.moves == []
    assert (house.incident.state, house.incident.drill) == (State.STOOD_DOWN, True)


def test_nothing_is_rehearsed_in_production_whoever_wrote_the_order():
    """An adopted alarm has the same name in every environment."""
    alarm = errors_alarm("shop-errors")
    house = proven(house=house_with(alarm, document=adopting("shop-errors")))
    given = order(house)
    with_policy(house, adopting("shop-errors") | {"environment": "production"})
    house.say(given)

    assert house.aliases.moves == []
    assert "production" in house.incident.steps[-1].text


def test_a_question_that_was_opened_meanwhile_is_not_taken_for_a_drill():
    house = proven(document=policy_document(mode="approve"))
    taken = order(house)
    fires(house)
    on(house, "claim", just_after(lambda: house.desk.take(taken)))
    house.respond(ERROR_RATE)
    house.woken.clear()
    assert house.incident.state is State.ASKING
    asked = house.incident.id
    house.respond(ERROR_RATE)

    assert house.aliases.moves == []
    assert (house.incident.id, house.incident.state) == (asked, State.ASKING)
    assert not house.incident.drill
    assert "an incident is open" in house.incident.steps[-1].text


def test_a_drill_whose_first_attempt_was_unclear_is_tried_again():
    house = proven()
    on(house, "UpdateAlias", refuse(connect_timeout()))
    house.desk.take(order(house))
    with pytest.raises(ActionUnclear):
        house.respond(house.woken.pop())
    house.ops.pass_minutes(6)

    assert house.aliases.moves == [BACK, FORWARD]
    assert (house.incident.state, house.incident.drill) == (State.UNDONE, True)


# -- an alarm beside a drill -----------------------------------------------------------------------


@pytest.mark.parametrize("alarm", [ERROR_RATE, LATENCY])
def test_an_alarm_that_fires_during_a_drill_is_answered_after_it(alarm):
    """The version began to fail a minute before it was rehearsed."""
    house = proven(minutes=20)
    broken, how = (house.errors, 0.6) if alarm == ERROR_RATE else (house.latency_ms, 900)
    broken["2"] = how
    house.ops.pass_minutes(1)
    house.desk.take(order(house))
    house.respond(house.woken.pop())
    broken["1"] = how
    house.ops.pass_minutes(1)
    assert house.aliases.moves == [BACK, FORWARD]
    house.ops.pass_minutes(8)

    told = house.incident
    assert not told.drill, "nobody hears of the alarm: the drill answers for it"
    assert (told.alarm_name, told.is_open) == (alarm, True)


# -- the ledger of a drill that was cut short ------------------------------------------------------


def test_a_deploy_in_the_middle_of_a_drill_is_rolled_back_to_what_served_before():
    house = proven()
    house.say(order(house))
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(6)

    assert house.aliases.moves == [BACK, ("shop", "3", "2")], house.incident.steps[-1].text


def test_a_drill_that_cannot_go_forward_again_condemns_nothing():
    house = proven()
    house.say(order(house))
    on(house, "UpdateAlias", refuse(client_error("AccessDeniedException")))
    house.ops.pass_minutes(1)
    assert house.incident.reason is Reason.UNDO_FAILED

    assert house.ledger.bad == ()
    assert [good.version for good in house.ledger.good] == ["2", "1"]
    assert (house.ledger.acted, house.ledger.acted_at) == ((), ())


@pytest.mark.parametrize("call", ["claim", "GetAlias", "UpdateAlias"])
def test_a_drill_that_died_on_the_way_is_all_that_is_told(call):
    """Whoever inherits its claim looks by its alarm: by another it would be an incident."""
    house = proven()
    house.cloudwatch.set_alarm_state(LATENCY, AlarmValue.OK, "younger than the other")
    house.desk.take(order(house))
    on(house, call, refuse(Died()) if call == "UpdateAlias" else lose(Died()))
    with pytest.raises(Died):
        house.respond(house.woken.pop())
    house.ops.pass_minutes(6)

    assert house.aliases.moves == [BACK, FORWARD]
    assert [incident.drill for incident in incidents_of(house)] == [True]


# -- a word after the order ------------------------------------------------------------------------


def fixes_it(house):
    until_at = house.now + timedelta(hours=1)
    house.desk.take(FixForward(service="shop", until_at=until_at, by="bob"))


def freezes_it(house):
    until_at = house.now + timedelta(hours=1)
    house.desk.take(Freeze(service="shop", until_at=until_at, by="bob"))


@pytest.mark.parametrize("says", [fixes_it, freezes_it])
def test_a_drill_overrules_nobody_who_spoke_after_it_was_ordered(says):
    house = proven()
    house.desk.take(order(house))
    says(house)
    house.woken.clear()
    house.ops.pass_minutes(2)

    assert house.aliases.moves == []
    assert "bob" in house.incident.steps[-1].text


def test_a_drill_that_was_told_is_not_found_done_once_more():
    house = proven()
    before = house.ledger
    house.say(order(house))
    house.ops.pass_minutes(1)
    assert house.incident.state is State.UNDONE
    claimed_once_more(house)

    assert replace(house.ledger, revision=None) == replace(before, revision=None)
    assert Reason.FOUND_DONE not in reasons(house)
