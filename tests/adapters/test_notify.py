"""The function `notify`: news from the journal's stream, and the week when the clock asks."""

import importlib
import json
import sys

import pytest

from local.slack_inbox.server import SlackInbox
from rollback_responder import bootstrap
from rollback_responder.bootstrap.notify import NotifyHouse
from rollback_responder.domain.errors import NotificationError
from rollback_responder.domain.figures import summary
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.week import WEEK, Week
from rollback_responder.journal.codec import encode
from rollback_responder.journal.memory import MemoryNotices, MemoryStorms
from rollback_responder.wiring import NotifyWiring
from tests.builders import MINUTE, NOW, a_policy, a_rolled_back_incident

FIXED = a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE))


@pytest.fixture
def inbox():
    with SlackInbox(channel="deploys", clock=lambda: NOW) as slack:
        yield slack


@pytest.fixture
def handler(monkeypatch, inbox):
    def week(until_at):
        return Week(
            environment="prod",
            since_at=until_at - WEEK,
            until_at=until_at,
            services=1,
            summary=summary([FIXED], {}),
        )

    secret = json.dumps({"bot_token": inbox.token, "api_url": inbox.api_url})
    house = NotifyHouse(
        wiring=NotifyWiring(
            account_id="1", region="r", journal_table="t", slack_secret_arn="s",
            failure_queue_url="q",
        ),
        policy=a_policy(),
        notices=MemoryNotices(90 * MINUTE / 60),
        storms=MemoryStorms(90 * MINUTE / 60),
        read_secret=lambda: secret,
        park=lambda *_: pytest.fail("nothing here is to be parked"),
        week=week,
    )  # fmt: skip
    monkeypatch.setattr("rollback_responder.bootstrap.notify.open_house", lambda _: house)
    monkeypatch.setattr(bootstrap, "utc_now", lambda: NOW)
    name = "rollback_responder.handlers.notify"
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name).handler


def record(incident):
    image = {"incident": {"S": encode(incident)}}
    return {"dynamodb": {"NewImage": image, "OldImage": {}, "SequenceNumber": "7"}}


def test_news_are_told_and_nothing_fails(handler, inbox):
    assert handler({"Records": [record(FIXED)]}, None) == {"batchItemFailures": []}
    assert len(inbox.messages()) == 3


def test_the_week_is_told_once_although_the_clock_asks_twice(handler, inbox):
    assert handler({"digest": "week"}, None) == {"told": True}
    assert handler({"digest": "week"}, None) == {"told": False}
    (message,) = inbox.messages()
    assert message.text == "The week in prod: 1 rollback, all of which helped"


def test_in_the_morning_slack_is_asked_and_nothing_is_posted(handler, inbox):
    assert handler({"preflight": "day"}, None) == {"ready": True}
    assert inbox.messages() == []


def test_a_token_that_slack_does_not_take_fails_the_morning(handler, inbox):
    inbox.token = "xoxb-another"
    with pytest.raises(NotificationError, match="invalid_auth"):
        handler({"preflight": "day"}, None)


@pytest.mark.parametrize("event", [{}, {"digest": ""}, {"news": []}])
def test_what_is_neither_is_an_error(handler, event):
    with pytest.raises(KeyError):
        handler(event, None)
