"""Slack: the same suite for a bot's thread and a webhook, against a server on this machine."""

import json
import re
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from local.slack_inbox import blocks as block_kit
from local.slack_inbox.server import SlackInbox
from rollback_responder.domain.errors import NotificationError
from rollback_responder.domain.incident import State
from rollback_responder.domain.policy import Mention, Slack
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers import slack
from rollback_responder.notifiers.links import Link
from rollback_responder.notifiers.message import Button, Message, message_of
from rollback_responder.notifiers.slack import (
    BotThread,
    SlackSecret,
    WebhookThread,
    blocks_of,
    open_slack,
    parse_secret,
)
from tests.builders import NOW, a_rolled_back_incident, an_incident
from tests.hostile import DISGUISES, HOSTILE, elements, harms_of, marked_up, strings

TOKEN, PATH = "xoxb-0000-topsecret", "/services/T00/B00/topsecret"
SECRETS = ("topsecret", "xoxb", "services", "127.0.0.1")
POLICY = Slack(channel="#deploys")


class Scripted:
    """A server that answers as it is told, and remembers what it was asked."""

    def __init__(self):
        self.script, self.asked = [], []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                owner.asked.append((self.path, self.headers.get("Content-Type", ""), body))
                answer = owner.script.pop(0) if owner.script else {}
                if answer == "hang":
                    time.sleep(1)
                    return
                if answer == "drop":
                    self.connection.close()
                    return
                if answer == "garbage":
                    self.wfile.write(b"this is no HTTP\r\n\r\n")
                    return
                own = b"ok" if self.path.startswith("/services") else b""
                ok = own or json.dumps({"ok": True, "channel": "C1", "ts": "1.5"}).encode()
                text = answer.get("body", ok)
                self.send_response(answer.get("status", 200))
                for name, value in answer.get("headers", {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def fields(self, number=-1):
        """One request's body, whichever way it was encoded."""
        _, kind, body = self.asked[number]
        if "json" in kind:
            return json.loads(body)
        return {key: values[0] for key, values in parse_qs(body).items()}


@pytest.fixture
def server():
    scripted = Scripted()
    yield scripted
    scripted.server.shutdown()
    scripted.server.server_close()


@pytest.fixture(params=["bot", "webhook"])
def kind(request):
    return request.param


def thread_of(server, kind, policy=POLICY):
    if kind == "bot":
        secret = SlackSecret(bot_token=TOKEN, api_url=f"{server.url}/api/")
        return BotThread(secret, policy)
    return WebhookThread(SlackSecret(webhook_url=server.url + PATH), policy)


def told(incident=None):
    incident = incident or a_rolled_back_incident()
    return message_of(incident, account_id="111122223333", region="us-east-1")


PAGING = told(a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS)))
FIXED = told(a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)))


# -- what Slack answers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "body": b"internal_error"},
        {"status": 502, "body": b"<html>upstream http://127.0.0.1/services/T00 topsecret</html>"},
        {"status": 403, "body": b"action_prohibited"},
        {"status": 404, "body": b"no_service xoxb-0000-topsecret"},
        {"status": 404, "body": b""},
        {"status": 400, "body": b"channel_not_found"},
        {"status": 301, "body": b"moved"},
        "drop",
        "garbage",
        "hang",
    ],
    ids=str,
)
def test_what_is_not_taken_is_an_error_that_tells_no_secret(server, kind, answer, monkeypatch):
    monkeypatch.setattr(slack, "TIMEOUT_SECONDS", 0.3)
    server.script = [answer] * 3
    with pytest.raises(NotificationError) as raised:
        thread_of(server, kind).open(told())

    assert raised.value.retryable
    assert not any(secret in str(raised.value) for secret in SECRETS)
    assert raised.value.__cause__ is None


def test_an_answer_of_the_web_api_that_is_no_json_is_no_answer(server):
    server.script = [{"body": b"not JSON: /services/T00/B00/topsecret"}]
    with pytest.raises(NotificationError) as raised:
        thread_of(server, "bot").open(told())

    assert not any(secret in str(raised.value) for secret in SECRETS)


@pytest.mark.parametrize("error", ["invalid_auth", "channel_not_found", "not_in_channel"])
def test_what_the_web_api_refuses_is_named(server, error):
    server.script = [{"body": json.dumps({"ok": False, "error": error}).encode()}]
    with pytest.raises(NotificationError, match=f"Slack answered 200 {error}") as raised:
        thread_of(server, "bot").open(told())

    assert raised.value.retryable


@pytest.mark.parametrize("error", sorted(slack.FINAL_ERRORS))
def test_what_will_never_be_taken_is_not_asked_again(server, kind, error):
    body = json.dumps({"ok": False, "error": error}).encode() if kind == "bot" else error.encode()
    server.script = [{"status": 200 if kind == "bot" else 400, "body": body}]
    with pytest.raises(NotificationError) as raised:
        thread_of(server, kind).open(told())

    assert not raised.value.retryable


def test_too_many_posts_are_asked_again_after_the_time_slack_says(server, kind, monkeypatch):
    naps = []
    monkeypatch.setattr("time.sleep", naps.append)
    busy = {
        "status": 429,
        "headers": {"Retry-After": "7"},
        "body": json.dumps({"ok": False, "error": "ratelimited"}).encode(),
    }
    server.script = [busy, busy]
    thread_of(server, kind).open(told())

    assert len(server.asked) == 3
    assert all(7 <= nap < 9 for nap in naps)
    assert len(naps) == 2


def test_too_many_posts_for_too_long_is_an_error_to_be_tried_again(server, kind, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    busy = {
        "status": 429,
        "headers": {"Retry-After": "1"},
        "body": json.dumps({"ok": False, "error": "ratelimited"}).encode(),
    }
    server.script = [busy] * 9
    with pytest.raises(NotificationError) as raised:
        thread_of(server, kind).open(told())

    assert raised.value.retryable
    assert len(server.asked) == 3


def test_nobody_there_is_an_error_that_tells_no_address(kind):
    class Gone:
        url = "http://127.0.0.1:9"

    with pytest.raises(NotificationError, match="cannot be reached") as raised:
        thread_of(Gone, kind).open(told())

    assert not any(secret in str(raised.value) for secret in SECRETS)


# -- what Slack is told ---------------------------------------------------------------------------


def test_a_bot_opens_a_thread_and_goes_on_in_it(server):
    thread = thread_of(server, "bot")
    head = thread.open(told())
    thread.reply(head, "a step", rings=False)
    thread.update(head, FIXED, news=True)

    assert head == "C1/1.5"
    assert [path for path, _, _ in server.asked] == [
        "/api/chat.postMessage",
        "/api/chat.postMessage",
        "/api/chat.update",
    ]
    assert server.fields(0)["channel"] == "#deploys"
    assert "thread_ts" not in server.fields(0)
    assert (server.fields(1)["thread_ts"], server.fields(1)["text"]) == ("1.5", "a step")
    assert server.fields(2)["ts"] == "1.5"


def test_a_webhook_posts_once_for_each_state(server):
    thread = thread_of(server, "webhook")
    head = thread.open(told())
    thread.reply(head, "a step", rings=True)
    thread.update(head, told(), news=False)
    thread.update(head, FIXED, news=True)

    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("mention", "ring"), [("here", "<!here>"), ("channel", "<!channel>"), ("nobody", None)]
)
def test_whom_a_page_rings(server, kind, mention, ring):
    policy = Slack(channel="#deploys", mention=Mention(mention))
    thread_of(server, kind, policy).open(PAGING)
    fields = server.fields()

    assert re.findall(r"<![a-z]+>", fields["text"]) == ([ring] if ring else [])
    assert ("<!" in json.dumps(fields["blocks"])) is bool(ring)


ASKING = told(
    an_incident((State.ASKING, Reason.APPROVAL_NEEDED), asks_until_at=NOW + timedelta(hours=1))
)
UNDECIDED = told(an_incident((State.UNDECIDED, Reason.INCONCLUSIVE)))
ANN, BOB = "U012AB3CD", "U22"
EVERYBODY = tuple(f"U{number:03}" for number in range(200))
COUNTED = "May press: 2 people, those in `slack.approvers`"
PRESSERS = [
    (ASKING, (ANN, BOB), "here", f"May press: <@{ANN}>, <@{BOB}>"),
    (ASKING, (ANN,), "channel", f"May press: <@{ANN}>"),
    (ASKING, (ANN, BOB), "nobody", COUNTED),
    (ASKING, (ANN,), "nobody", "May press: 1 person, those in `slack.approvers`"),
    (ASKING, (), "here", "Nobody may press a button: `slack.approvers` is empty."),
    (UNDECIDED, (ANN, BOB), "here", COUNTED),
    (UNDECIDED, (), "here", None),
    (
        ASKING,
        EVERYBODY,
        "here",
        f"May press: {', '.join(f'<@U00{n}>' for n in range(10))}, 190 more of `slack.approvers`",
    ),
]


def who_may_press(blocks):
    texts = [text for text in marked_up(blocks) if "press" in text]
    assert len(texts) <= 1
    return next(iter(texts), None)


@pytest.mark.parametrize("case", PRESSERS)
def test_who_may_press_is_named_where_a_yes_is_waited_for(server, kind, case):
    message, approvers, mention, said = case
    policy = Slack(channel="#deploys", approvers=approvers, mention=Mention(mention))
    thread_of(server, kind, policy).open(message)
    blocks = server.fields()["blocks"]

    assert who_may_press(blocks) == said
    assert block_kit.problems(blocks) == []


@pytest.mark.parametrize("name", ["xoxb-17653672481-secret", "AKIAIOSFODNN7EXAMPLE"])
def test_a_name_with_the_shape_of_a_secret_stands_in_no_button_either(server, name):
    """A damaged row may name anything as its service."""
    policy = Slack(channel="#deploys", approvers=(ANN,))
    thread = thread_of(server, "bot", policy)
    thread.open(ASKING)
    thread.open(replace(ASKING, service=name))
    said, hidden = [json.dumps(server.fields(n)) for n in (0, 1)]

    assert "action_id" in said
    assert "action_id" not in hidden
    assert name not in hidden


def test_in_a_storms_thread_nobody_is_named_before_an_edit_that_rings_nobody(server):
    policy = Slack(channel="#deploys", approvers=(ANN, BOB))
    thread = thread_of(server, "bot", policy)
    head = thread.open(ASKING, under="C1/1.5")
    thread.update(head, ASKING, news=False)
    said = [who_may_press(server.fields(n)["blocks"]) for n in (0, 1)]

    assert said == [COUNTED, f"May press: <@{ANN}>, <@{BOB}>"]


def test_what_needs_nobody_rings_nobody(server, kind):
    thread_of(server, kind).open(FIXED)

    assert "<!" not in json.dumps(server.fields())


def test_an_edit_rings_nobody_and_a_reply_only_when_asked(server):
    thread = thread_of(server, "bot")
    thread.update("C1/1.5", PAGING, news=True)
    thread.reply("C1/1.5", "<!channel> said the alarm", rings=True)

    assert "<!" not in json.dumps(server.fields(0))
    assert server.fields(1)["text"] == "<!here> &lt;!channel&gt; said the alarm"


def test_the_local_slack_takes_every_message():
    states = [
        a_rolled_back_incident(),
        a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)),
        a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS)),
        *(an_incident((State.STOOD_DOWN, reason)) for reason in Reason),
    ]
    with SlackInbox(channel="deploys", clock=lambda: NOW) as inbox:
        bot = BotThread(SlackSecret(bot_token=inbox.token, api_url=inbox.api_url), POLICY)
        hook = WebhookThread(SlackSecret(webhook_url=inbox.webhook_url), POLICY)
        for incident in states:
            head = bot.open(told(incident))
            bot.reply(head, "a step", rings=True)
            bot.update(head, told(incident), news=True)
            hook.open(told(incident))
        assert len(inbox.messages()) == 3 * len(states)


# -- what nobody here wrote -----------------------------------------------------------------------


def hostile(text):
    return Message(
        service="shop",
        incident_id="inc-1",
        icon="eyes",
        headline=text,
        facts=(("Alarm", text),),
        happened=text,
        done=text,
        stands=text,
        next_step=text,
        links=(Link(label=text or "Alarm", url="https://us-east-1.console.aws.amazon.com/x"),),
        buttons=(
            Button(action="approve", label="Approve", style="primary", confirm=f"Yes: {text}"),
        ),
        footer=f"incident {text[:200]}",
        pages=False,
    )


NAMED = f"May press: {', '.join(f'member {number}' for number in range(60))}"


def check_harmless(message):
    rendered = [block.to_dict() for block in blocks_of(message, pressable=True, pressers=NAMED)]
    assert block_kit.problems(rendered) == []
    assert block_kit.size(rendered) <= block_kit.MAX_SIZE
    assert [harm for text in marked_up(rendered) for harm in harms_of(text)] == []
    assert all(element.get("verbatim") for element in elements(rendered, "mrkdwn"))
    assert [text for text in strings(rendered) if DISGUISES.search(text)] == []
    json.dumps(rendered).encode()


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
def test_untrusted_text_mentions_links_and_disguises_nothing(text):
    check_harmless(hostile(text))


@given(st.text(max_size=60), st.integers(1, 120))
@settings(max_examples=300)
def test_any_text_however_long_is_harmless_and_within_limits(text, times):
    check_harmless(hostile(text * times))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
def test_untrusted_text_in_a_reply_and_in_the_line_for_lock_screens(server, kind, text):
    thread = thread_of(server, kind)
    thread.open(hostile(text))
    if kind == "bot":
        thread.reply("C1/1.5", f"04:00:00 UTC · {text}", rings=False)
    for number in range(len(server.asked)):
        said = server.fields(number).get("text", "")
        assert harms_of(said) == []
        assert len(said) <= 3000


# -- the secret -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("https://hooks.slack.com/services/T00/B00/topsecret", "is not a JSON object"),
        ("{}", "holds neither"),
        ('{"webhook_url": ""}', "holds neither"),
        ('{"webhook_url": "http://hooks.slack.com/topsecret"}', "webhook_url that is not https"),
        ('{"bot_token": "xoxb-topsecret", "api_url": "ftp://x"}', "api_url that is not https"),
        ('{"token": "xoxb-topsecret"}', "has unknown keys: token"),
        ('{"bot_token": 7}', "something other than strings"),
        ('{"bot_token": ["xoxb-topsecret"]}', "something other than strings"),
    ],
)
def test_an_unusable_secret_says_what_it_must_hold_and_not_what_it_holds(text, problem):
    with pytest.raises(NotificationError, match=re.escape(problem)) as raised:
        parse_secret(text)

    assert raised.value.retryable
    assert "topsecret" not in str(raised.value)


def test_a_secret_never_shows_itself():
    secret = parse_secret(json.dumps({"bot_token": TOKEN}))

    assert "topsecret" not in f"{secret} {secret!r} {[secret]}"


def test_a_token_is_preferred_to_a_webhook():
    both = SlackSecret(bot_token=TOKEN, webhook_url="https://hooks.slack.com/x")
    hook = SlackSecret(webhook_url="https://hooks.slack.com/x")

    assert isinstance(open_slack(both, POLICY), BotThread)
    assert isinstance(open_slack(hook, POLICY), WebhookThread)
    assert parse_secret('{"webhook_url": "https://hooks.slack.com/x"}') == hook
