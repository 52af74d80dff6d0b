"""The story of a week: what the house did is what its digest says, in Slack's own blocks."""

from datetime import timedelta

import pytest

from house import MINUTE, House
from local.slack_inbox import blocks as block_kit
from local.slack_inbox.server import SlackInbox
from rollback_responder.chronicler import Chronicler
from rollback_responder.domain.controls import Controls, Unsafe
from rollback_responder.domain.errors import MeasurementError, NotificationError
from rollback_responder.domain.incident import State
from rollback_responder.domain.policy import Slack
from rollback_responder.journal.memory import MemoryAnnals, MemoryNotices, MemoryStorms
from rollback_responder.notifiers.slack import SlackSecret, open_slack
from rollback_responder.notifiers.telling import Teller

DAY = timedelta(days=1)


class Steady:
    """A watcher's heart that never missed a beat, or cannot be heard."""

    heard = True

    def beats(self, since_at, now):
        if not self.heard:
            raise MeasurementError("GetMetricData: AccessDenied")
        return (now - since_at) // MINUTE


@pytest.fixture(scope="module")
def house():
    house = House()
    house.deploy("v1")
    house.traffic(8, requests=20)
    house.deploy("v2", errors=0.6)
    house.traffic(8, requests=20)
    assert house.incident.state is State.FIXED
    house.annals = MemoryAnnals(house.journal, house.budget)
    house.pulse = Steady()
    house.chronicler = Chronicler(house.policy, house.journal, house.annals, house.pulse)
    return house


def test_a_rollback_is_in_the_week_in_which_it_ended(house):
    ended_at = house.incident.steps[-1].at
    week = house.chronicler.week(ended_at + MINUTE)
    before, after = (house.chronicler.week(ended_at + d) for d in (-MINUTE, 8 * DAY))

    assert (week.summary.saves, week.services, week.beats) == (1, 1, 10_080)
    assert not week.is_quiet
    assert before.is_quiet
    assert after.is_quiet


def test_one_that_began_in_the_week_before_is_found_where_it_ended(house):
    week = house.chronicler.week(house.incident.opened_at + 7 * DAY + MINUTE)

    assert house.incident.opened_at < week.since_at
    assert week.summary.saves == 1


def test_what_people_said_and_still_holds_is_in_it(house, monkeypatch):
    marks = Controls(unsafe=(Unsafe(by="ci", why="a migration", version="2"),))
    house.journal.say("shop", marks)
    monkeypatch.setattr(house.budget, "paused_by", "anna")
    house.annals.labels[house.incident.id] = False
    week = house.chronicler.week(house.now)
    house.journal.say("shop", Controls())

    assert week.paused_by == "anna"
    assert [(each.service, each.text, each.by) for each in week.still_on] == [
        ("shop", "version 2 unsafe to roll back (a migration)", "ci")
    ]
    assert week.summary.wrong == 1


def test_a_heart_that_cannot_be_heard_does_not_keep_the_week_from_being_told(house, monkeypatch):
    monkeypatch.setattr(house.pulse, "heard", False)

    assert house.chronicler.week(house.now).beats is None


@pytest.mark.parametrize("way", ["bot", "webhook"])
def test_a_week_is_told_once_in_blocks_that_slack_takes(house, way):
    with SlackInbox(channel="deploys", clock=house.clock) as inbox:
        secret = SlackSecret(
            bot_token=inbox.token if way == "bot" else None,
            webhook_url=inbox.webhook_url,
            api_url=inbox.api_url,
        )
        thread = open_slack(secret, Slack(channel="#deploys"))
        teller = Teller(
            thread,
            MemoryNotices(90 * MINUTE / 60),
            MemoryStorms(MINUTE),
            account_id="1",
            region="eu-west-1",
        )
        week = house.chronicler.week(house.now)

        assert teller.announce(week, house.now)
        assert not teller.announce(week, house.now + 5 * MINUTE)
        (message,) = inbox.messages()
        assert message.text.startswith("The week in test: 1 rollback, all of which helped")
        assert block_kit.problems(list(message.blocks)) == []
        assert "<!" not in message.text


def test_a_week_that_slack_does_not_take_is_told_later(house):
    class Deaf:
        def announce(self, bulletin, *, rings=False):
            raise NotificationError("Slack answered 500", retryable=True)

    class Open(Deaf):
        def announce(self, bulletin, *, rings=False):
            return "here"

    notices = MemoryNotices(90 * MINUTE / 60)
    week = house.chronicler.week(house.now)
    deaf, there = (
        Teller(t, notices, MemoryStorms(MINUTE), account_id="1", region="r")
        for t in (Deaf(), Open())
    )
    with pytest.raises(NotificationError):
        deaf.announce(week, house.now)

    assert there.announce(week, house.now)
