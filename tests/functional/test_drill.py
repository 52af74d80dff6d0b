"""A drill: back and forward again, asserted, against every fault, and all is as it was."""

from datetime import timedelta

import pytest
from faults import FAULTS, Operations, client_error, healthy_v1, meet, on, refuse
from msgspec.structs import replace
from scenarios import ERROR_RATE

from house import START, House, policy_document
from rollback_responder.cli.drill import watched
from rollback_responder.cli.records import Record
from rollback_responder.domain.drill import due, rehearsal
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.figures import of_latest, summary
from rollback_responder.domain.freeze import OneFreeze
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import FixForward, Undo
from rollback_responder.domain.reason import Reason
from rollback_responder.driller import Driller
from rollback_responder.notifiers.headline import headline
from rollback_responder.notifiers.message import message_of

BACK, FORWARD = ("shop", "2", "1"), ("shop", "1", "2")


def proven(minutes=12, document=None, house=None):
    """v1 and v2 have proved themselves, v2 is live."""
    house = house or healthy_v1(House(document))
    house.ops = Operations(house)
    house.deploy("v2")
    house.ops.pass_minutes(minutes)
    assert house.ledger.current.proven_at or minutes < 12
    return house


def order(house, by="ann"):
    (service,) = house.policy.services
    row = house.journal.rows(["shop"])["shop"]
    return rehearsal(house.policy, service, row.ledgers, by=by, now=house.now)


def test_it_goes_back_and_forward_again_and_all_is_as_it_was():
    house = proven()
    before = house.ledger
    house.say(order(house))
    assert house.incident.state is State.WATCHING
    assert headline(house.incident) == (
        "Drill of shop: rolled back v2 → v1, and forward again in a minute"
    )
    house.ops.pass_minutes(1)

    assert house.aliases.moves == [BACK, FORWARD]
    assert house.incident.state is State.UNDONE
    assert headline(house.incident) == "Drill of shop passed: v2 → v1 and forward again in 60 s"
    assert not house.incident.needs_a_person
    assert replace(house.ledger, revision=None) == replace(before, revision=None)


def test_what_is_deployed_after_it_is_judged_as_ever():
    house = proven()
    house.say(order(house))
    house.ops.pass_minutes(2)
    house.errors["2"] = 0.0
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(5)

    assert house.aliases.moves == [BACK, FORWARD, ("shop", "3", "2")]


def test_a_release_that_was_rehearsed_may_be_rolled_back_in_earnest():
    house = proven()
    house.say(order(house))
    house.ops.pass_minutes(2)
    release = house.ledger.current

    assert release.key not in house.ledger.acted
    assert not house.ledger.acted_at
    assert not house.ledger.bad


def test_it_takes_nothing_from_the_budget_and_counts_in_no_figure():
    house = proven()
    spent = set(house.budget._spent)
    house.say(order(house))
    house.ops.pass_minutes(2)

    assert house.budget._spent == spent
    assert list(of_latest(house.incident)) == []
    assert summary([house.incident], {}).rollbacks == 0


def test_it_offers_nobody_to_judge_it():
    house = proven()
    house.say(order(house))
    house.ops.pass_minutes(2)

    assert message_of(house.incident, account_id="1", region="r").buttons == ()


def on_trial(house):
    house.deploy("v3")
    house.ops.pass_minutes(1)


def no_way_back(house):
    house.aliases.delete_version("shop", "1")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [(on_trial, Reason.TARGET_CHANGED), (no_way_back, Reason.VERSION_DELETED)],
)
def test_what_cannot_be_rehearsed_is_told_and_rings_nobody(prepare, reason):
    house = proven()
    prepare(house)
    house.say(order(house))

    assert house.aliases.moves == []
    assert (house.incident.state, house.incident.reason) == (State.STOOD_DOWN, reason)
    assert headline(house.incident).startswith("Drill of shop failed: ")
    assert not house.incident.needs_a_person


def test_a_drill_that_cannot_go_forward_again_rings_somebody():
    house = proven()
    house.say(order(house))
    on(house, "UpdateAlias", refuse(client_error("AccessDeniedException")), times=9)
    house.ops.pass_minutes(3)

    assert house.live == "1"
    assert (house.incident.state, house.incident.reason) == (State.UNKNOWN, Reason.UNDO_FAILED)
    assert house.incident.needs_a_person
    assert headline(house.incident).startswith("Drill of shop failed: rolled back v2 → v1, but")


def test_nobody_is_overruled_by_a_drill():
    house = proven()
    until_at = house.now + timedelta(hours=1)
    house.say(FixForward(service="shop", until_at=until_at, by="bob"))

    with pytest.raises(OrderRefused) as refused:
        house.say(order(house))
    assert str(refused.value) == (
        f"bob fixes it forward until {until_at:%d %b %H:%M:%S} UTC; "
        "`rollback fix-forward shop --end` ends that"
    )
    house.say(FixForward(service="shop", until_at=None, by="ann"))
    assert house.say(order(house)).startswith("ann began a drill of shop")


def test_a_person_who_undoes_it_by_hand_does_no_harm():
    house = proven()
    house.say(order(house))
    house.say(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    house.ops.pass_minutes(5)

    assert house.aliases.moves == [BACK, FORWARD]
    assert house.incident.state is State.UNDONE


def played(faults, minutes=6):
    """The drill with these faults at the numbered calls; then everything comes to rest."""
    house = proven()
    house.desk.take(order(house))
    house.ops.queue.append((house.woken.pop(), 1))
    met = meet(house, faults)
    house.ops.deliver()
    house.ops.pass_minutes(1)
    house.fault = lambda _, answer: answer()
    house.ops.pass_minutes(minutes)
    return house, met


CALLS = len(played({}, minutes=0)[0].calls)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", range(0, CALLS, 2))
def test_whatever_fails_on_the_way_it_is_done_once_and_ends_where_it_began(number, fault):
    house, _ = played({number: fault})

    assert house.aliases.moves in ([BACK, FORWARD], [])
    assert house.live == "2"
    assert house.incident.drill
    assert not house.incident.is_open


# -- each month -----------------------------------------------------------------------------------


def test_the_drills_of_the_day_are_begun_and_what_keeps_one_from_it_is_told():
    house = proven(document=policy_document(drills={}))
    days = [house.now + timedelta(days=day) for day in range(31)]
    today = next(now for now in days if list(due(house.policy, now)))

    def driller(now):
        return Driller(
            policy=house.policy, journal=house.journal, desk=house.desk, clock=lambda: now
        )

    assert driller(today + timedelta(days=1)).begin() == {}
    house.now = today
    said = driller(today).begin()
    assert said["shop"].startswith("the monthly drill began a drill of shop: version 2 goes back")
    assert house.woken == [ERROR_RATE]
    assert driller(today).begin() == {"shop": "the monthly drill has ordered a rollback already"}


def test_a_drill_that_is_held_back_is_told_once_a_month_and_wakes_nobody():
    house = proven(document=policy_document(drills={}))
    days = [house.now + timedelta(days=day) for day in range(80)]
    today, again, *_ = [now for now in days if list(due(house.policy, now))]
    told = {}
    for now in (today, today + timedelta(minutes=1), again):
        house.now = now
        until_at = now + timedelta(hours=20)
        house.say(FixForward(service="shop", until_at=until_at, by="bob"))
        house.woken.clear()
        driller = Driller(
            policy=house.policy, journal=house.journal, desk=house.desk, clock=house.clock
        )
        told[now] = driller.begin()["shop"]
        assert house.woken == []
    said = [each for each in house.book.said if "no drill" in each.text]

    assert [each.at for each in said] == [today, again]
    assert {each.by for each in said} == {"the monthly drill"}
    assert said[0].text == told[today]
    assert said[0].text.startswith("no drill of shop this month: bob fixes it forward until ")
    assert house.aliases.moves == []


def test_so_is_one_that_a_freeze_of_the_policy_holds_back():
    house = proven(document=policy_document(drills={}))
    today = next(
        now
        for now in (house.now + timedelta(days=day) for day in range(31))
        if list(due(house.policy, now))
    )
    freeze = OneFreeze(name="the sale", from_at=today, until_at=today + timedelta(days=1))
    policy = replace(house.policy, freezes=(freeze,))
    desk = replace(house.desk, policy=policy)
    driller = Driller(policy=policy, journal=house.journal, desk=desk, clock=lambda: today)

    assert driller.begin() == driller.begin()
    assert [each.text for each in house.book.said] == [
        "no drill of shop this month: the freeze 'the sale' is on"
    ]


# -- the command ----------------------------------------------------------------------------------


class Told:
    """A journal that has got one step further each time that it is read."""

    def __init__(self, *incidents):
        self._left = list(incidents)
        self._last = None

    def record(self, service):
        self._last = self._left.pop(0) if self._left else self._last
        return Record(service=service, incident=self._last)


def steps_of(incident):
    return [
        replace(incident, steps=incident.steps[:count])
        for count in range(1, len(incident.steps) + 1)
    ]


def test_the_command_follows_it_step_by_step_until_it_is_over():
    house = proven()
    began_at = house.now
    house.say(order(house))
    house.ops.pass_minutes(2)
    earlier = replace(house.incident, id="inc-of-last-month")
    told = Told(None, earlier, *steps_of(house.incident), house.incident)
    slept = []
    found = list(watched(told, "shop", earlier.id, lambda: began_at, slept.append))

    assert [incident.state for incident in found] == [
        State.WATCHING,
        State.UNDOING,
        State.UNDONE,
    ]
    assert slept == [5.0] * 4


def test_the_command_gives_up_after_ten_minutes():
    clock = iter(START + timedelta(minutes=minute) for minute in range(20))
    assert list(watched(Told(None), "shop", None, lambda: next(clock), lambda _: None)) == []


def test_the_command_finds_the_drill_though_the_clock_at_hand_is_fast():
    house = proven()
    house.say(order(house))
    house.ops.pass_minutes(2)
    fast = house.now + timedelta(hours=1)
    told = Told(house.incident)

    assert [i.id for i in watched(told, "shop", None, lambda: fast, lambda _: None)] == [
        house.incident.id
    ]
