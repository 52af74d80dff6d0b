"""A person orders a rollback: just what was shown, once, against every fault, or a reason."""

import io
import json
import sys

import pytest
from faults import FAULTS, MINUTE, Operations, client_error, healthy_v1, meet, on, refuse
from moto import mock_aws
from msgspec.structs import replace
from recording import clients_of
from rollout_scenarios import GROUP, canary_deploy, house_of
from scenarios import ERROR_RATE, bad_deploy, rollback_order

from house import REGION, House, policy_document
from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from rollback_responder.cli import main, saying
from rollback_responder.domain.controls import Controls, Unsafe
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import FixForward, Hold, Undo
from rollback_responder.domain.reason import Reason
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.journal.dynamodb import DynamoDbJournal
from tests.tables import LEASE, make_table

ROLLED_BACK, PUT_BACK = ("shop", "2", "1"), ("shop", "1", "2")


def deployed(errors=0.0, minutes=2, document=None):
    """v1 has proved itself, v2 is live, and no alarm fires."""
    house = healthy_v1(House(document))
    house.ops = Operations(house)
    house.deploy("v2", errors=errors)
    house.ops.pass_minutes(minutes)
    return house


def test_it_is_done_although_no_alarm_fires_and_followed_until_it_is_healthy():
    house = deployed()
    text = house.say(rollback_order(house))

    assert text == "ann ordered a rollback of shop: version 2 goes back to version 1"
    assert house.aliases.moves == [ROLLED_BACK]
    assert (house.incident.state, house.incident.reason) == (State.WATCHING, Reason.ORDERED)
    assert house.incident.ordered_by == "ann"
    house.ops.pass_minutes(10)
    assert house.incident.state is State.FIXED
    assert house.aliases.moves == [ROLLED_BACK]


def test_it_asks_neither_for_age_nor_evidence_nor_cooldown_nor_budget():
    document = policy_document()
    document["guardrails"]["rollbacks_an_hour"] = 1
    house = deployed(minutes=400, document=document)
    house.budget.set_aside("somebody", limit=1, now=house.now)
    house.say(rollback_order(house))

    assert house.aliases.moves == [ROLLED_BACK]


def test_the_watcher_sees_to_it_without_a_message():
    house = deployed()
    house.desk.take(rollback_order(house))
    house.woken.clear()
    house.ops.pass_minutes(1)

    assert house.aliases.moves == [ROLLED_BACK]


def test_it_is_done_once_however_often_it_is_said_and_even_when_it_is_undone():
    house = deployed()
    first = rollback_order(house)
    house.desk.take(first)
    assert house.desk.take(replace(first, by="bob")) == "ann has ordered a rollback already"
    house.ops.pass_minutes(1)
    house.say(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    house.ops.pass_minutes(60)

    assert house.aliases.moves == [ROLLED_BACK, PUT_BACK]


def test_what_was_put_back_may_be_ordered_back_again():
    house = deployed()
    house.say(rollback_order(house))
    house.say(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    house.ops.pass_minutes(1)
    house.say(rollback_order(house))

    assert house.aliases.moves == [ROLLED_BACK, PUT_BACK, ROLLED_BACK]


def test_only_what_was_shown_is_done():
    house = deployed()
    shown = rollback_order(house)
    house.deploy("v3")
    house.say(shown)

    assert house.aliases.moves == []
    assert (house.incident.state, house.incident.reason) == (
        State.STOOD_DOWN,
        Reason.TARGET_CHANGED,
    )
    assert "ann ordered a rollback" in house.incident.steps[-1].text


def test_an_order_that_came_to_nothing_answers_for_no_alarm():
    house = deployed(errors=0.0, minutes=1)
    shown = rollback_order(house)
    house.deploy("v3", errors=0.6)
    house.say(shown)
    assert house.incident.state is State.STOOD_DOWN
    house.ops.pass_minutes(6)

    assert house.aliases.moves == [("shop", "3", "1")]
    assert house.incident.steps[0].reason is Reason.METRIC_BREACHING


def test_an_order_is_too_old_after_ten_minutes_and_that_is_told():
    house = deployed()
    house.desk.take(rollback_order(house))
    house.woken.clear()
    house.traffic(12, watch=False)
    house.ops.pass_minutes(3)

    assert house.aliases.moves == []
    assert (house.incident.state, house.incident.reason) == (State.STOOD_DOWN, Reason.ORDER_LAPSED)
    assert house.incident.needs_a_person


def test_it_comes_before_a_question_and_a_doubt():
    document = policy_document(mode="approve")
    house = bad_deploy(healthy_v1(House(document)))
    assert house.incident.state is State.ASKING
    asked = house.incident.id
    house.say(rollback_order(house))

    assert house.aliases.moves == [ROLLED_BACK]
    assert house.incident.id == asked
    assert [step.state for step in house.incident.steps] == [State.ASKING, State.WATCHING]


def test_it_overrules_a_hold_and_a_fix_forward():
    house = bad_deploy(healthy_v1(House(policy_document(mode="approve"))))
    house.say(Hold(service="shop", incident_id=house.incident.id, by="bob"))
    house.say(FixForward(service="shop", until_at=house.now + 60 * MINUTE, by="bob"))
    house.say(rollback_order(house))

    assert house.aliases.moves == [ROLLED_BACK]
    row = house.journal.rows(["shop"])["shop"]
    assert (row.controls.holds, row.controls.fix_forward) == ((), None)


def unsafe(house):
    mark = Unsafe(by="pipeline", why="a migration ran")
    house.journal.say("shop", Controls(unsafe=(mark,)))


def paused(house):
    house.budget.paused_by = "eve"


@pytest.mark.parametrize(
    ("forbid", "why"), [(unsafe, "a migration ran"), (paused, "paused by eve")]
)
def test_what_forbids_it_is_said_before_it_is_ordered_and_holds_after(forbid, why):
    house = deployed()
    shown = rollback_order(house)
    forbid(house)
    with pytest.raises(OrderRefused, match=why):
        rollback_order(house)
    if forbid is paused:
        house.say(shown)
        assert house.incident.reason is Reason.PAUSED
        assert house.incident.state is State.STOOD_DOWN
    house.ops.pass_minutes(15)

    assert house.aliases.moves == []


def test_in_observe_mode_it_cannot_be_ordered():
    house = deployed(document=policy_document(mode="observe"))
    with pytest.raises(OrderRefused, match="observe"):
        rollback_order(house)


def test_what_is_itself_a_rollback_cannot_be_ordered_back():
    house = deployed()
    house.say(rollback_order(house))
    house.ops.pass_minutes(10)
    with pytest.raises(OrderRefused, match="itself the result of a rollback"):
        rollback_order(house)


def test_it_is_refused_while_a_rollback_is_followed():
    house = deployed()
    shown = rollback_order(house)
    house.say(shown)
    with pytest.raises(OrderRefused, match="on it already"):
        house.desk.take(shown)


def test_a_deployment_under_way_is_stopped():
    house = house_of(GROUP)
    canary_deploy(house, errors=0.0)
    house.ops.pass_minutes(2)
    house.say(rollback_order(house))

    assert house.incident.state is State.ROLLING_BACK
    assert [leg.how.value for leg in house.incident.legs] == ["stop"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ResourceNotFoundException", Reason.VERSION_DELETED),
        ("PreconditionFailedException", Reason.TARGET_CHANGED),
        ("AccessDeniedException", Reason.ACTION_DENIED),
    ],
)
def test_what_aws_refuses_is_told_and_not_tried_again(code, reason):
    house = deployed()
    on(house, "UpdateAlias", refuse(client_error(code)), times=9)
    house.say(rollback_order(house))

    assert (house.incident.state, house.incident.reason) == (State.STOOD_DOWN, reason)
    house.fault = lambda _, answer: answer()
    house.ops.pass_minutes(30)
    assert house.aliases.moves == []


def test_what_aws_is_too_busy_for_is_tried_again():
    house = deployed()
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=2)
    house.say(rollback_order(house))
    house.ops.pass_minutes(3)

    assert house.aliases.moves == [ROLLED_BACK]


def played(faults, minutes=6):
    """The order with these faults at the numbered calls; then everything comes to rest."""
    house = deployed()
    house.desk.take(rollback_order(house))
    house.ops.queue.append((house.woken.pop(), 1))
    met = meet(house, faults)
    house.ops.deliver()
    house.ops.pass_minutes(minutes)
    return house, met


CALLS = len(played({}, minutes=0)[0].calls)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", range(CALLS))
def test_whatever_fails_on_the_way_it_is_done_once(number, fault):
    house, met = played({number: fault})

    assert met
    assert house.aliases.moves == [ROLLED_BACK]
    assert house.incident.ordered_by == "ann"
    assert house.journal._kept["shop"].claim is None


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def rollback_now(monkeypatch, tmp_path, capsys):
    """Runs `rollback now` on a story as its account shows it, with the journal in a table."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(house, *arguments, answer=""):
        policy = tmp_path / "cdk.json"
        policy.write_text(json.dumps({"context": {"rollback": house.policy.to_document()}}))
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        options = ["--policy", str(policy), "--table", "journal", "--region", REGION]
        with mock_aws(config=MODELLED):
            dynamodb = make_table()
            copy_row(house, DynamoDbJournal(dynamodb, "journal", LEASE))
            made = clients_of(house, lambda _, answer: answer())

            def client(service, _place):
                return dynamodb if service == "dynamodb" else made(service)

            monkeypatch.setattr(people, "_client_in", client)
            monkeypatch.setattr(bootstrap, "utc_now", house.clock)
            monkeypatch.setattr(saying, "_wake", lambda *_: house.woken.append)
            code = main.run(["now", *arguments, *options])
            page = DynamoDbBook(dynamodb, "journal").page("shop")
        out, err = capsys.readouterr()
        return code, out, err, page.controls.rollback

    return run


MODELLED = {"core": {"passthrough": {"services": ["cloudwatch", "lambda"], "urls": []}}}


def copy_row(house, journal):
    row = house.journal.rows(["shop"])["shop"]
    claim = journal.claim("shop", claim_id="inc-copy", may_act=False, now=house.now)
    journal.close(claim, ledgers=row.ledgers, incident=row.incident)


def test_the_command_shows_the_plan_and_writes_the_order_after_the_word(rollback_now):
    house = deployed()
    code, out, err, order = rollback_now(house, "shop", answer="shop\n")

    assert code == 0, err
    assert "This will move shop:live from version 2 to version 1." in err
    assert f"The alarm {ERROR_RATE} does not fire." in err
    assert out == "Moto ordered a rollback of shop: version 2 goes back to version 1.\n"
    assert (order.to_version, order.alarm_name) == ("1", ERROR_RATE)
    assert house.woken == [ERROR_RATE]


def test_without_the_word_nothing_is_written(rollback_now):
    code, out, err, order = rollback_now(deployed(), "shop", answer="y\n")

    assert (code, out, order) == (1, "", None)
    assert "nothing was done" in err


def test_what_cannot_be_done_is_refused_before_anything_is_asked(rollback_now):
    house = deployed(document=policy_document(mode="observe"))
    code, out, err, order = rollback_now(house, "shop", "--yes")

    assert (code, out, order) == (1, "", None)
    assert "the mode is observe" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shopp"], "SERVICE: got 'shopp'; allowed: shop"),
        (["shop", "--target", "shop:dev"], "--target: got 'shop:dev'; allowed: shop:live"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(rollback_now, arguments, said):
    code, _, err, order = rollback_now(deployed(), *arguments)

    assert (code, order) == (2, None)
    assert said in err
