"""A person undoes a rollback: once, against every fault, and never behind anybody's back."""

import pytest
from faults import FAULTS, client_error, meet, on, refuse
from msgspec.structs import replace
from scenarios import ERROR_RATE, bad_deploy

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import Undo
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.domain.response import Mode
from rollback_responder.responder import Responder

ROLLED_BACK, PUT_BACK = ("shop", "2", "1"), ("shop", "1", "2")


def undo(house, by="bob"):
    return Undo(service="shop", incident_id=house.incident.id, by=by)


def rolled_back(minutes=5):
    house = bad_deploy(minutes=minutes)
    assert house.aliases.moves == [ROLLED_BACK]
    return house


@pytest.mark.parametrize(
    ("minutes", "state"), [(3, State.WATCHING), (10, State.FIXED)], ids=["early", "late"]
)
def test_it_serves_again_and_the_journal_says_who_wanted_that(minutes, state):
    house = rolled_back(minutes)
    assert house.incident.state is state
    house.say(undo(house))

    assert house.aliases.moves == [ROLLED_BACK, PUT_BACK]
    assert house.incident.state is State.UNDONE
    assert [step.text for step in house.incident.steps[-2:]] == [
        "bob wants version 2 back",
        "bob put shop:live back to version 2",
    ]
    assert house.ledger.current.origin is Origin.PUT_BACK
    assert house.journal.archive[house.incident.id] == house.incident


def test_what_a_person_put_back_is_not_rolled_back_again_however_bad_it_is():
    house = rolled_back(10)
    house.say(undo(house))
    house.ops.pass_minutes(90)

    assert house.live == "2"
    assert house.aliases.moves == [ROLLED_BACK, PUT_BACK]
    reasons = [i.reason for i in house.journal.archive.values()]
    assert reasons == [Reason.UNDONE, Reason.PUT_BACK]


def test_a_version_that_was_put_back_is_no_way_back_later():
    house = rolled_back(10)
    house.say(undo(house))
    house.errors["2"] = 0.0
    house.ops.pass_minutes(4)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(40)

    assert house.aliases.moves[2:] in ([], [("shop", "3", "1")])


def test_a_pause_a_freeze_and_a_spent_budget_do_not_keep_a_person_from_it():
    house = rolled_back()
    house.budget.paused_by = "ann"
    house.say(undo(house))

    assert house.live == "2"


def test_an_undo_takes_nothing_from_the_budget():
    house = rolled_back()
    spent = set(house.budget._spent)
    house.say(undo(house))

    assert house.budget._spent == spent


def test_without_a_message_the_watcher_sees_to_it_within_a_minute():
    house = rolled_back()
    house.desk.take(undo(house))
    house.woken.clear()
    house.ops.pass_minutes(1)

    assert house.live == "2"


def test_it_is_done_once_however_often_it_is_said():
    house = rolled_back()
    house.errors["2"] = 0.0
    for by in ("bob", "eve", "bob"):
        house.desk.take(undo(house, by))
    house.ops.pass_minutes(3)
    house.journal.say("shop", Controls())
    with pytest.raises(OrderRefused, match="no move of an alias"):
        house.desk.take(undo(house))

    assert house.aliases.moves == [ROLLED_BACK, PUT_BACK]
    assert len(house.book.said) == 1


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("ResourceNotFoundException", "does not exist"),
        ("PreconditionFailedException", "changed"),
        ("AccessDeniedException", "denied"),
    ],
)
def test_what_aws_refuses_is_told_and_not_tried_again(code, why):
    house = rolled_back()
    on(house, "UpdateAlias", refuse(client_error(code)), times=9)
    house.say(undo(house))
    house.ops.pass_minutes(3)

    assert house.aliases.moves == [ROLLED_BACK]
    assert (house.incident.state, house.incident.reason) == (State.UNKNOWN, Reason.UNDO_FAILED)
    assert house.incident.needs_a_person
    assert house.calls.count("UpdateAlias") == 2


def test_what_aws_is_too_busy_for_is_tried_again():
    house = rolled_back()
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=30)
    house.say(undo(house))
    assert house.incident.state is State.UNDOING
    house.ops.pass_minutes(1)

    assert house.incident.state is State.UNDONE


def test_a_service_that_is_only_observed_by_now_is_not_touched():
    house = rolled_back()
    observing = replace(house.policy, mode=Mode.OBSERVE)
    house.responder = Responder(replace(house.rooms, policy=observing))
    house.say(undo(house))

    assert house.live == "1"
    assert "the mode is observe" in house.incident.steps[-1].text


def played(faults, minutes=6):
    """The undo with these faults at the numbered calls; then everything comes to rest."""
    house = rolled_back()
    house.errors["2"] = 0.0
    house.desk.take(undo(house))
    house.ops.queue.append((ERROR_RATE, 1))
    met = meet(house, faults)
    house.ops.deliver()
    house.ops.pass_minutes(minutes, requests=10)
    return house, met


CALLS = len(played({}, minutes=0)[0].calls)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", range(CALLS))
def test_whatever_fails_on_the_way_it_is_put_back_once(number, fault):
    house, met = played({number: fault})

    assert met
    assert house.aliases.moves == [ROLLED_BACK, PUT_BACK]
    assert house.incident.state is State.UNDONE
    kept = house.journal._kept["shop"]
    assert kept.claim is None
