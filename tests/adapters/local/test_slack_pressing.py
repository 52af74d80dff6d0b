"""A press in the local Slack is what the product takes for a press, and nothing else is."""

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from slack_sdk import WebClient

from local.loopback import LoopbackServer, Response
from local.slack_inbox.pressing import Person, PressError
from local.slack_inbox.server import SlackInbox
from rollback_responder.notifiers.slack import whisper
from rollback_responder.presses import press_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VALUE = json.dumps({"service": "shop", "incident_id": "inc-1"})
BUTTON = {
    "type": "button",
    "action_id": "approve",
    "text": {"type": "plain_text", "text": "Approve"},
    "value": VALUE,
}
ACTIONS = {"type": "actions", "elements": [BUTTON]}


class App:
    """An app that takes presses with the product's own reading, and keeps them."""

    def __init__(self, inbox, status=200):
        self.inbox, self.status, self.presses = inbox, status, []
        self.told = None

    def answer(self, request):
        event = {"headers": request.headers, "body": request.body.decode()}
        press = press_of(event, lambda: self.inbox.signing_secret, NOW)
        self.presses.append(press)
        if self.told:
            whisper(press.response_url, self.told)
        return Response(status=self.status, content_type="text/plain", body=b"")


@pytest.fixture
def app():
    with SlackInbox(channel="deploys", clock=lambda: NOW) as inbox:
        found = App(inbox)
        with LoopbackServer(found.answer) as server:
            inbox.presser.url = f"{server.url}/"
            yield found


@pytest.fixture
def ts(app):
    client = WebClient(token=app.inbox.token, base_url=app.inbox.api_url)
    return client.chat_postMessage(channel="#deploys", text="t", blocks=[ACTIONS])["ts"]


def test_the_product_takes_it_for_a_press_of_that_person(app, ts):
    status = app.inbox.press(ts, "approve", by=Person(id="U0BOB", name="bob"))

    (press,) = app.presses
    assert status == 200
    assert (press.by, press.action) == ("bob (U0BOB)", "approve")
    assert (press.service, press.incident_id) == ("shop", "inc-1")


def test_two_presses_are_two_requests(app, ts):
    app.inbox.press(ts, "approve")
    app.inbox.press(ts, "approve")

    first, second = app.presses
    assert first.nonce != second.nonce


def test_what_the_app_whispers_is_shown_under_the_message(app, ts):
    app.inbox.press(ts, "approve")
    whisper(app.presses[0].response_url, "Taken: <!here> all of it")

    said = app.inbox.messages()[-1]
    assert said.thread_ts == ts
    assert said.text == "_Only visible to ann:_ Taken: &lt;!here&gt; all of it"


def test_a_press_is_kept_with_who_pressed_and_what_was_answered(app, ts):
    app.told = "Taken: ann holds it."
    app.inbox.press(ts, "approve")
    app.told = "Nothing was done: it does not ask for anything any more."
    pressed_in_page(app, {"ts": ts, "action_id": "approve"})

    taken, refused = app.inbox.presses
    assert (taken.action, taken.label, taken.in_page) == ("approve", "Approve", False)
    assert (taken.status, taken.told, taken.is_over) == (200, "Taken: ann holds it.", True)
    assert (taken.is_taken, refused.is_taken, refused.in_page) == (True, False, True)


def test_a_press_that_nobody_takes_is_over_and_does_not_count(app, ts):
    app.inbox.presser.url = "http://127.0.0.1:9/"
    with pytest.raises(PressError):
        app.inbox.press(ts, "approve")

    (pressed,) = app.inbox.presses
    assert (pressed.status, pressed.told, pressed.is_over) == (None, None, True)
    assert not pressed.is_taken


def test_what_is_whispered_counts_as_no_word_for_everybody(app, ts):
    app.told = "Taken: all of it."
    app.inbox.press(ts, "approve")

    assert len(app.inbox.messages()) == 2
    assert app.inbox.words_and_pictures() == (1, 0)


def pressed_in_page(app, document, content_type="application/json"):
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{app.inbox.url}/press",
        data=json.dumps(document).encode(),
        headers={"Content-Type": content_type},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code


def test_the_page_presses_for_ann(app, ts):
    assert pressed_in_page(app, {"ts": ts, "action_id": "approve"})["ok"]
    assert app.presses[0].by == "ann (U0LOCALANN)"


def test_the_page_says_what_went_wrong(app, ts):
    app.status = 500
    assert pressed_in_page(app, {"ts": ts, "action_id": "approve"}) == {
        "ok": False,
        "error": "the app answered 500",
    }
    answer = pressed_in_page(app, {"ts": ts, "action_id": "undo"})
    assert answer == {"ok": False, "error": "the message has no button 'undo'"}


def test_another_page_cannot_press(app, ts):
    """A form of another site may be sent here, but not as JSON."""
    assert pressed_in_page(app, {"ts": ts, "action_id": "approve"}, "text/plain") == 404
    assert app.presses == []


def test_the_page_shows_a_button_that_can_be_pressed(app, ts):
    with urllib.request.urlopen(app.inbox.url) as answer:  # noqa: S310 - loopback
        page = answer.read().decode()

    assert f'data-ts="{ts}" data-action="approve"' in page


def test_without_an_address_or_a_message_nothing_is_pressed(app, ts):
    with pytest.raises(PressError, match="no message"):
        app.inbox.press("1.2", "approve")
    app.inbox.presser.url = None
    with pytest.raises(PressError, match="no address"):
        app.inbox.press(ts, "approve")
    app.inbox.presser.url = "http://127.0.0.1:9/"
    with pytest.raises(PressError, match="nobody took the press"):
        app.inbox.press(ts, "approve")
