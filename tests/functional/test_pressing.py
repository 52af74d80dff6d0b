"""Buttons pressed in Slack, through the handler and the whole house behind it."""

import importlib
import itertools
import json
import sys

import pytest
from checker import told
from msgspec.structs import force_setattr
from scenarios import approval_needed, bad_deploy

from rollback_responder import bootstrap
from rollback_responder.bootstrap.interact import InteractHouse
from rollback_responder.domain.errors import JournalError, NotificationError
from rollback_responder.domain.incident import State
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.reason import Reason
from tests.unit.test_presses import PAYLOAD, SECRET, signed


class Pressed:
    """A house, its handler, and what whoever pressed was told."""

    def __init__(self, house, monkeypatch):
        self.house, self.told, self.triggers = house, [], itertools.count()
        document = house.policy.to_document()
        document["slack"]["approvers"] = ["U012AB3CD", "U22"]
        secret = json.dumps({"bot_token": "xoxb-x", "signing_secret": SECRET})
        furnished = InteractHouse(
            policy=parse_policy(document), desk=house.desk, read_secret=lambda: secret
        )
        monkeypatch.setattr("rollback_responder.bootstrap.interact.open_house", lambda _: furnished)
        monkeypatch.setattr(bootstrap, "utc_now", house.clock)
        sys.modules.pop("rollback_responder.handlers.interact", None)
        self.module = importlib.import_module("rollback_responder.handlers.interact")
        monkeypatch.setattr(self.module, "whisper", lambda _, text: self.told.append(text))

    def request(self, action, *, user="U012AB3CD", name="ann", at=None, **about):
        value = {"service": "shop", "incident_id": self.house.incident.id} | about
        button = PAYLOAD["actions"][0] | {"action_id": action, "value": json.dumps(value)}
        # Slack gives each press its own.
        trigger = {"trigger_id": str(next(self.triggers))}
        payload = PAYLOAD | trigger | {"user": {"id": user, "name": name}, "actions": [button]}
        return signed(payload, at=at or self.house.now)

    def send(self, request):
        status = self.module.handler(request, None)["statusCode"]
        while self.house.woken:
            self.house.respond(self.house.woken.pop(0))
        return status

    def press(self, action, **about):
        return self.send(self.request(action, **about))


@pytest.fixture
def asking(monkeypatch):
    return Pressed(approval_needed(), monkeypatch)


def test_a_yes_rolls_it_back_and_says_who(asking):
    assert asking.press("approve") == 200

    assert asking.told == ["Taken: ann (U012AB3CD) approved the rollback."]
    assert asking.house.live == "1"
    assert asking.house.incident.state is State.WATCHING
    assert asking.house.incident.approved_by == "ann (U012AB3CD)"
    assert ("Approved", "by ann (U012AB3CD)") in told(asking.house).facts


def test_a_no_and_an_undo_are_told_with_who_pressed(asking, monkeypatch):
    asking.press("hold", name="eve")
    asking.house.ops.pass_minutes(1)
    assert "eve (U012AB3CD) said at" in told(asking.house).done
    other = Pressed(bad_deploy(), monkeypatch)
    other.press("undo", name="bob", user="U22")
    assert other.house.incident.state is State.UNDONE
    assert "bob (U22) put shop:live back to version 2" in told(other.house).stands


def test_a_double_tap_and_two_people_at_once_are_one_yes(asking):
    asking.press("approve")
    asking.press("approve")
    asking.press("approve", user="U22", name="bob")

    assert asking.told[1:] == ["Taken: ann (U012AB3CD) has approved it already."] * 2
    assert asking.house.aliases.moves == [("shop", "2", "1")]
    assert len(asking.house.book.said) == 1


def test_the_same_request_again_is_answered_and_does_nothing(asking):
    request = asking.request("hold")
    assert asking.send(request) == 200
    assert asking.send(request) == 200

    assert len(asking.told) == 1


def test_whoever_is_not_on_the_list_is_told_so_and_nothing_happens(asking):
    assert asking.press("approve", user="U999", name="eve") == 200

    assert asking.told[0].startswith("Your name is not under slack.approvers")
    assert asking.house.live == "2"
    assert asking.house.book.said == []


@pytest.mark.parametrize("secret", ["{}", '{"bot_token": "xoxb-x"}', "no JSON"])
def test_without_a_signing_secret_nothing_is_taken(asking, monkeypatch, secret):
    request = asking.request("approve")
    force_setattr(asking.module.house, "read_secret", lambda: secret)

    assert asking.send(request) == 500
    assert asking.house.live == "2"


def test_what_is_forged_late_or_foreign_does_nothing(asking):
    forged = asking.request("approve") | {"body": "payload=%7B%7D"}
    late = asking.request("approve", at=asking.house.now.replace(year=2025))

    assert asking.send(forged) == asking.send(late) == 401
    assert asking.send({"headers": {}, "body": ""}) == 401
    assert asking.send({}) == 400
    assert asking.press("delete_everything") == 400
    assert asking.told == []
    assert asking.house.book.said == []


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"incident_id": "inc-9"}, "is not the latest incident of its service any more"),
        ({"service": "cart"}, "there is no service 'cart'; there is shop"),
    ],
)
def test_a_button_of_an_old_message_is_refused_in_words(asking, about, words):
    asking.press("approve", **about)

    (told,) = asking.told
    assert told.startswith("Nothing was done: ")
    assert words in told


def test_a_no_ends_the_question_and_the_next_deploy_is_judged_as_ever(asking):
    asking.press("hold")
    assert asking.house.incident.state is State.STOOD_DOWN
    asking.house.errors["2"] = 0.0
    asking.house.ops.pass_minutes(4)
    asking.house.deploy("v3", errors=0.6)
    asking.house.ops.pass_minutes(5)

    assert asking.house.incident.state is State.ASKING


def test_fixing_forward_answers_the_question_for_an_hour(asking):
    """No reminder of it, no yes to it; what is left after the hour asks anew, with a new time."""
    first_until_at = asking.house.incident.asks_until_at
    asking.press("fix_forward")
    asking.press("approve")
    asking.house.ops.pass_minutes(50)

    assert asking.house.live == "2"
    assert "fixes it forward until" in asking.told[-1]
    incident = asking.house.incident
    assert (incident.state, incident.reason) == (State.UNDECIDED, Reason.FIX_FORWARD)
    assert not any("without a yes" in step.text for step in incident.steps)

    asking.house.ops.pass_minutes(15)
    again = asking.house.incident
    assert (again.state, asking.house.live) == (State.ASKING, "2")
    assert again.asks_until_at > first_until_at

    asking.press("approve")
    assert asking.house.live == "1"


def test_a_rollback_is_undone_and_judged(monkeypatch):
    pressed = Pressed(bad_deploy(minutes=10), monkeypatch)
    pressed.press("right")
    pressed.press("wrong", user="U22", name="bob")
    pressed.press("undo")

    assert pressed.house.live == "2"
    assert pressed.house.book.labels == {pressed.house.incident.id: (False, "bob (U22)")}
    assert [said.text for said in pressed.house.book.said] == [
        "ann (U012AB3CD) says that this was right",
        "bob (U22) says that this was a false alarm",
        "ann (U012AB3CD) wants the rollback undone",
    ]


def test_what_is_still_going_on_is_not_judged(asking):
    asking.press("wrong")

    assert asking.told == ["Nothing was done: only an incident that has ended can be judged."]


def test_where_the_journal_fails_slack_shows_that_it_did_not_work(asking, monkeypatch):
    def fail(*_):
        raise JournalError("no answer")

    monkeypatch.setattr(asking.house.book, "page", fail)

    assert asking.press("approve") == 500
    assert asking.told == []


def test_an_answer_that_cannot_be_given_undoes_nothing(asking, monkeypatch):
    def fail(*_):
        raise NotificationError("gone", retryable=True)

    monkeypatch.setattr(asking.module, "whisper", fail)

    assert asking.press("approve") == 200
    assert asking.house.live == "1"
