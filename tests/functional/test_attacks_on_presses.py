"""What a hostile reader tried on the way of a press, and on the passing-on: each goes wrong."""

import json

import pytest
from moto import mock_aws
from msgspec.structs import force_setattr
from scenarios import approval_needed, bad_deploy
from test_pressing import Pressed

from local.slack_inbox.server import SlackInbox
from rollback_responder.domain import naming
from rollback_responder.domain.errors import NotificationError
from rollback_responder.domain.policy import Slack
from rollback_responder.domain.said import Said
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.journal.memory import MemoryNotices, MemoryStorms
from rollback_responder.notifiers.slack import SlackSecret, open_slack
from rollback_responder.notifiers.telling import Teller
from rollback_responder.presses import press_of
from tests.builders import MINUTE, NOW
from tests.tables import TABLE, make_table
from tests.unit.test_presses import PAYLOAD, signed


class Repeats:
    """A client whose first reply is lost: the SDK asks once more, as it does for every error."""

    def __init__(self, client):
        self._client = client

    def put_item(self, **call):
        self._client.put_item(**call)
        return self._client.put_item(**call)


def test_a_press_whose_first_write_is_repeated_by_the_sdk_is_not_swallowed():
    with mock_aws():
        client = make_table()
        book = DynamoDbBook(Repeats(client), TABLE)

        assert book.is_new("a-press", NOW)


def test_the_secret_is_not_read_for_what_is_too_old_to_be_believed():
    read = []
    request = signed(PAYLOAD, at=NOW.replace(year=2001))
    request["headers"]["x-slack-signature"] = "v0=anything"

    with pytest.raises(Exception, match="signature"):
        press_of(request, lambda: read.append(1) or "secret", NOW)
    assert read == []


@pytest.mark.parametrize("signature", ["x", "v0=", "v1=" + "0" * 64, "v0=" + "z" * 64])
def test_the_secret_is_not_read_for_what_is_no_signature_at_all(signature):
    read = []
    request = signed(PAYLOAD)
    request["headers"]["x-slack-signature"] = signature

    with pytest.raises(Exception, match="sign"):
        press_of(request, lambda: read.append(1) or "secret", NOW)
    assert read == []


def test_a_secret_that_cannot_be_read_is_a_failure_in_words_and_is_counted(monkeypatch):
    pressed = Pressed(approval_needed(), monkeypatch)
    request = pressed.request("approve")

    def throttled():
        raise NotificationError("the Slack secret could not be read", retryable=True)

    force_setattr(pressed.module.house, "read_secret", throttled)

    assert pressed.send(request) == 500


@pytest.fixture
def inbox():
    with SlackInbox(channel="deploys", clock=lambda: NOW) as slack:
        yield slack


def teller_of(inbox, notices):
    thread = open_slack(
        SlackSecret(bot_token=inbox.token, api_url=inbox.api_url), Slack(channel="#deploys")
    )
    return Teller(thread, notices, MemoryStorms(MINUTE), account_id="1", region="r")


SAID = Said(at=NOW, by="bob", text="bob holds it", incident_id="inc-1")


def test_what_is_said_of_an_incident_that_a_webhook_opened_does_not_hold_up_the_stream(inbox):
    """The secret was a webhook, and is a bot's token by now."""
    notices = MemoryNotices(90 * MINUTE / 60)
    notices.record("inc-1", told=1, head="webhook")

    assert teller_of(inbox, notices).pass_on(SAID, "said#1", NOW) == 1
    assert [message.text for message in inbox.messages()] == [
        f"{SAID.at:%H:%M:%S} UTC · bob holds it"
    ]


def test_what_is_said_of_an_incident_whose_message_was_deleted_stands_in_the_channel(inbox):
    notices = MemoryNotices(90 * MINUTE / 60)
    notices.record("inc-1", told=1, head=f"{inbox_channel(inbox)}/1.000001")

    assert teller_of(inbox, notices).pass_on(SAID, "said#1", NOW) == 1


def inbox_channel(inbox):
    thread = open_slack(
        SlackSecret(bot_token=inbox.token, api_url=inbox.api_url), Slack(channel="#deploys")
    )
    thread.pass_on(None, "hello")
    answer = thread._client.chat_postMessage(channel="#deploys", text="x")
    return answer["channel"]


# -- the figures -----------------------------------------------------------------------------------


def counted(text, name):
    """Every value of a metric that was printed."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    values = [line[name] for line in lines if "_aws" in line and name in line]
    return [value for each in values for value in (each if isinstance(each, list) else [each])]


def test_the_same_judgement_said_again_is_not_counted_again(monkeypatch, capsys):
    pressed = Pressed(bad_deploy(minutes=10), monkeypatch)
    for user in ("U012AB3CD", "U22", "U012AB3CD"):
        assert pressed.press("wrong", user=user) == 200

    assert sum(counted(capsys.readouterr().out, naming.LABELLED_WRONG)) == 1
