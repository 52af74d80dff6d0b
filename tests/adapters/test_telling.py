"""Telling: each step once, in order; a dead Slack in the middle loses and repeats nothing."""

import json

import pytest
from msgspec.structs import replace

from local.slack_inbox import page
from local.slack_inbox.server import SlackInbox
from local.slack_inbox.workspace import SlackError
from rollback_responder.domain.errors import JournalError, NotificationError
from rollback_responder.domain.incident import State
from rollback_responder.domain.measurement import Measurement
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.policy import Slack
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import record
from rollback_responder.domain.said import Said
from rollback_responder.domain.trigger import ErrorRate
from rollback_responder.journal.memory import MemoryNotices, MemoryStorms
from rollback_responder.notifiers.message import reply
from rollback_responder.notifiers.picture import picture_words, png_of
from rollback_responder.notifiers.slack import SlackSecret, open_slack
from rollback_responder.notifiers.telling import Teller
from tests.builders import (
    MINUTE,
    NOW,
    TARGET,
    a_moved_leg,
    a_rolled_back_incident,
    an_incident,
    minutes,
)

POLICY = Slack(channel="#deploys")


class Places:
    """A thread that takes what it is given, but for the calls that are to fail."""

    takes_pictures = True

    def show(self, head, png, *, alt, title):
        self._take(("show", png, title))

    def __init__(self, *failing):
        self.failing, self.count, self.taken = set(failing), 0, []

    def _take(self, what):
        self.count += 1
        if self.count in self.failing:
            raise NotificationError("Slack answered 500", retryable=True)
        self.taken.append(what)

    def announce(self, bulletin, *, rings=False):
        self._take(("announce", bulletin.headline, rings))
        return "storm"

    def amend(self, head, bulletin, *, news):
        self._take(("amend", bulletin.headline, news))

    def open(self, message, *, under=None):
        self._take(("open", message.headline, message.pages))
        return "head"

    def reply(self, head, text, *, rings):
        self._take(("reply", text, rings))

    def update(self, head, message, *, news):
        self._take(("update", message.headline, news))


class Told:
    def __init__(self, thread, notices=None, draw=png_of):
        self.thread = thread
        self.notices = notices or MemoryNotices(90 * MINUTE / 60)
        self.teller = Teller(
            thread,
            self.notices,
            MemoryStorms(90 * MINUTE / 60),
            account_id="111122223333",
            region="us-east-1",
            draw=draw,
        )

    def tell(self, incident, now=NOW):
        return self.teller.tell(incident, now)

    def until_told(self, incident, now=NOW):
        for attempt in range(20):
            try:
                return self.tell(incident, now + attempt * 2 * MINUTE)
            except (NotificationError, JournalError):
                continue
        raise AssertionError("never told")


UNDECIDED = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE, "one"))
MOVED = replace(UNDECIDED, to_version="1", acted_at=NOW, back_at=NOW, legs=(a_moved_leg(),)).step(
    NOW, State.WATCHING, Reason.METRIC_BREACHING, "two"
)
ENDED = a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS, "three"))


def replies(thread):
    return [text.split(": ")[-1] for kind, text, _ in thread.taken if kind == "reply"]


def pages(thread):
    return sum(
        (kind == "open" and flag) or (kind == "reply" and flag) for kind, _, flag in thread.taken
    )


def test_an_incident_is_opened_once_and_each_step_told_once():
    thread = Places()
    told = Told(thread)

    assert told.tell(UNDECIDED) == 1
    assert told.tell(UNDECIDED) == 0
    assert told.tell(MOVED) == 1
    assert told.tell(MOVED) == 0
    assert [what[0] for what in thread.taken] == ["open", "reply", "update", "reply"]
    assert replies(thread) == ["one", "two"]


def test_an_older_picture_that_comes_late_tells_nothing():
    thread = Places()
    told = Told(thread)
    told.tell(MOVED)

    assert told.tell(UNDECIDED) == 0
    assert replies(thread) == ["one", "two"]


def test_the_head_says_how_things_stand_now():
    thread = Places()
    told = Told(thread)
    told.tell(UNDECIDED)
    told.tell(MOVED)

    assert thread.taken[2] == ("update", "shop rolled back v2 → v1, watching whether it helps",
                               True)  # fmt: skip


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_failure_anywhere_loses_nothing_and_repeats_nothing(failing):
    thread = Places(failing)
    told = Told(thread)
    beginning = a_rolled_back_incident()
    for incident in (beginning, ENDED):
        told.until_told(incident)

    assert [kind for kind, _, _ in thread.taken].count("open") == 1
    assert replies(thread) == ["metric breaching", "three"]
    assert pages(thread) == 1


@pytest.mark.parametrize("first", range(1, 7))
@pytest.mark.parametrize("second", range(1, 7))
def test_two_failures_as_well(first, second):
    thread = Places(first, second)
    told = Told(thread)
    for incident in (a_rolled_back_incident(), ENDED):
        told.until_told(incident)

    assert replies(thread) == ["metric breaching", "three"]
    assert pages(thread) == 1


def test_slack_dead_from_the_first_reply_until_the_end_still_pages():
    """The head was posted, nothing else; meanwhile the incident ended and needs a person."""
    thread = Places(2, 3, 4)
    told = Told(thread)
    for _ in range(3):
        with pytest.raises(NotificationError):
            told.tell(a_rolled_back_incident())
    told.until_told(ENDED)

    assert pages(thread) == 1


def test_nobody_is_paged_for_what_needs_nobody():
    thread = Places()
    told = Told(thread)
    told.tell(a_rolled_back_incident())
    told.tell(a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)))

    assert pages(thread) == 0


def test_a_page_is_rung_once_although_the_incident_is_opened_with_it():
    thread = Places()
    Told(thread).tell(ENDED)

    assert thread.taken[0][2] is True
    assert pages(thread) == 1


def test_what_somebody_else_is_telling_is_left_to_them():
    notices = MemoryNotices(90 * MINUTE / 60)
    notices.take("inc-1", steps=1, now=NOW)
    thread = Places()
    with pytest.raises(JournalError):
        Told(thread, notices).tell(UNDECIDED)

    assert thread.taken == []


# -- in the local Slack ---------------------------------------------------------------------------


@pytest.fixture
def inbox():
    with SlackInbox(channel="deploys", clock=lambda: NOW) as slack:
        yield slack


STORY = [
    UNDECIDED,
    MOVED,
    MOVED.step(NOW, State.NOT_FIXED, Reason.SYMPTOM_REMAINS, "three"),
]


def test_a_bot_tells_a_story_in_one_thread_whose_head_is_edited(inbox):
    secret = SlackSecret(bot_token=inbox.token, api_url=inbox.api_url)
    told = Told(open_slack(secret, POLICY))
    for incident in STORY:
        told.tell(incident)
    head, *rest = inbox.messages()

    assert head.edited_at is not None
    assert "but the symptom is still there" in head.text
    assert [message.thread_ts for message in rest] == [head.ts] * 3
    assert ["<!here>" in message.text for message in rest] == [False, False, True]
    assert "<!" not in json.dumps(head.blocks)


def test_a_webhook_tells_a_story_in_one_message_for_each_state(inbox):
    told = Told(open_slack(SlackSecret(webhook_url=inbox.webhook_url), POLICY))
    for incident in [STORY[0], STORY[0], *STORY]:
        told.tell(incident)

    assert ["<!here>" in message.text for message in inbox.messages()] == [False, False, True]


# -- pictures -------------------------------------------------------------------------------------


MINUTES = record(
    question_of(ErrorRate(threshold_percent=5), TARGET),
    Measurement(since_at=NOW - 60 * MINUTE, read_at=NOW, total=minutes(0, 0, 30, 30)),
)
ASKING = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=MINUTES)
FIXED = a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE), minutes=MINUTES)


STOOD_DOWN = an_incident((State.STOOD_DOWN, Reason.COOLDOWN))


def shown(thread):
    return [what for what in thread.taken if what[0] == "show"]


@pytest.mark.parametrize(("incident", "until"), [(ASKING, "04:00"), (FIXED, "04:01")])
def test_a_question_and_an_outcome_have_a_picture_once_after_the_words(incident, until):
    thread = Places()
    told = Told(thread, draw=lambda _: b"png")
    told.tell(incident)
    told.tell(incident)

    assert [what[0] for what in thread.taken][-1] == "show"
    assert shown(thread) == [("show", b"png", f"shop: error rate, 03:56 to {until} UTC")]


def test_a_question_that_is_asked_again_is_shown_once_and_its_outcome_as_well():
    thread = Places()
    told = Told(thread, draw=lambda _: b"png")
    told.tell(ASKING)
    again = ASKING.step(NOW + MINUTE, State.ASKING, Reason.FROZEN, "frozen")
    told.tell(again)
    moved = replace(again, acted_at=NOW, back_at=NOW, to_version="1", legs=(a_moved_leg(),))
    moved = moved.step(NOW + 2 * MINUTE, State.WATCHING, Reason.APPROVED, "moved")
    told.tell(moved)
    told.tell(moved.step(NOW + 5 * MINUTE, State.FIXED, Reason.SYMPTOM_GONE, "gone"))

    assert len(shown(thread)) == 2


@pytest.mark.parametrize("incident", [UNDECIDED, MOVED, STOOD_DOWN])
def test_nothing_else_has_a_picture(incident):
    thread = Places()
    Told(thread, draw=lambda _: b"png").tell(replace(incident, minutes=MINUTES))

    assert shown(thread) == []


def refuses(_):
    raise ImportError("no matplotlib")


@pytest.mark.parametrize(
    ("draw", "failing"), [(refuses, ()), (lambda _: b"png", (4,)), (lambda _: None, ())]
)
def test_a_picture_that_fails_takes_no_words_away_and_is_not_tried_again(draw, failing):
    thread = Places(*failing)
    told = Told(thread, draw=draw)

    assert told.tell(FIXED) == 2
    assert told.tell(FIXED) == 0
    assert shown(thread) == []
    assert len(replies(thread)) == 2


def test_a_webhook_is_drawn_nothing(inbox):
    told = Told(open_slack(SlackSecret(webhook_url=inbox.webhook_url), POLICY), draw=refuses)
    told.tell(FIXED)

    assert [message.files for message in inbox.messages()] == [()]


def test_a_bot_uploads_the_picture_into_the_thread(inbox):
    secret = SlackSecret(bot_token=inbox.token, api_url=inbox.api_url)
    Told(open_slack(secret, POLICY)).tell(FIXED)
    head, *_, last = inbox.messages()
    (file,) = last.files

    assert last.thread_ts == head.ts
    assert file.is_picture
    assert file.alt == picture_words(FIXED)
    assert file.title == "shop: error rate, 03:56 to 04:01 UTC"
    assert "data:image/png;base64," in page.channel(inbox.workspace)


def test_without_the_scope_for_files_the_words_are_told(inbox, monkeypatch):
    def refuse(_given):
        raise SlackError("missing_scope")

    monkeypatch.setattr(inbox.uploads, "announce", refuse)
    secret = SlackSecret(bot_token=inbox.token, api_url=inbox.api_url)

    assert Told(open_slack(secret, POLICY)).tell(FIXED) == 2
    assert len(inbox.messages()) == 3


@pytest.mark.parametrize(
    "word", ["cant_update_message", "edit_window_closed", "channel_not_found", "is_archived"]
)
def test_what_cannot_be_edited_any_more_is_told_in_a_message_of_its_own(inbox, monkeypatch, word):
    """A workspace may end edits after a minute, a bot be another one, a channel be closed."""

    def refuse(_given, *, author):
        raise SlackError(word)

    secret = SlackSecret(bot_token=inbox.token, api_url=inbox.api_url)
    told = Told(open_slack(secret, POLICY))
    told.tell(replace(ENDED, steps=ENDED.steps[:-1]))
    monkeypatch.setattr(inbox.workspace, "update", refuse)

    assert told.tell(ENDED) == 1
    head, reply = inbox.messages()[-2:]
    assert (head.thread_ts, reply.thread_ts) == (None, head.ts)
    assert reply.text.endswith("three")
    assert "<!here>" in head.text


# -- a storm --------------------------------------------------------------------------------------


@pytest.fixture(params=["bot", "webhook"])
def storm(request):
    """A Slack, and a teller of its own for each incident: news comes from several shards."""
    with SlackInbox(channel="deploys", clock=lambda: NOW) as slack:
        secret = (
            SlackSecret(bot_token=slack.token, api_url=slack.api_url)
            if request.param == "bot"
            else SlackSecret(webhook_url=slack.webhook_url)
        )
        yield Storm(slack, open_slack(secret, POLICY))


class Storm:
    def __init__(self, slack, thread):
        self.slack, self.thread = slack, thread
        self.is_bot = thread.takes_pictures
        self.notices = MemoryNotices(90 * MINUTE / 60)
        self.storms = MemoryStorms(90 * MINUTE / 60)

    @property
    def teller(self):
        return Teller(
            self.thread, self.notices, self.storms, account_id="1", region="r", draw=lambda _: None
        )

    def tell(self, incident, now=NOW):
        return self.teller.tell(incident, now)

    @property
    def in_the_channel(self):
        return [m for m in self.slack.messages() if m.thread_ts is None]

    @property
    def rung(self):
        return [m for m in self.slack.messages() if "<!here>" in m.text]


def of(number, incident=UNDECIDED):
    return replace(incident, id=f"inc-{number}", service=f"service-{number:03d}")


def headlines(messages):
    return [m.text.partition(". ")[0].removeprefix("<!here> ") for m in messages]


def test_a_hundred_services_are_not_a_hundred_messages(storm):
    for number in range(100):
        assert storm.tell(of(number)) == 1
        # A bot's head rang when it was posted; an edit takes the word away, and rings nobody.
        assert len(storm.rung) == (number >= 4 if number == 4 or not storm.is_bot else 0)

    told = headlines(storm.in_the_channel)
    assert told[3].startswith("service-003: not rolled back yet")
    if storm.is_bot:
        assert told[4:] == ["100 services have alarms at the same time"]
        assert len(storm.slack.messages()) > 200
    else:
        # It cannot edit, so it says so again when there are twice as many.
        assert told[4:] == [
            f"{count} services have alarms at the same time" for count in (5, 10, 20, 40, 80)
        ]


@pytest.mark.parametrize("storm", ["bot"], indirect=True)
def test_its_message_says_how_each_stands_by_now(storm):
    for number in range(6):
        storm.tell(of(number))
    storm.tell(of(5, ENDED))
    storm.tell(of(0, ENDED))
    (told,) = [m for m in storm.in_the_channel if "at the same time" in m.text]

    assert told.text == "6 services have alarms at the same time; 2 need you"
    texts = [block["text"]["text"] for block in told.blocks if "text" in block]
    assert "*Rolled back, and it did not help (2)*\nservice-000, service-005" in texts
    assert "*Not decided yet (4)*\nservice-001, service-002, service-003, service-004" in texts


@pytest.mark.parametrize("storm", ["bot"], indirect=True)
def test_within_a_storm_each_step_is_told_in_its_thread_and_rings_nobody(storm):
    for number in range(6):
        storm.tell(of(number))
    before = len(storm.rung)
    storm.tell(of(5, MOVED))
    storm.tell(of(5, MOVED.step(NOW, State.FIXED, Reason.SYMPTOM_GONE, "three")))
    (head,) = [m for m in storm.in_the_channel if "at the same time" in m.text]
    threaded = [m for m in storm.slack.messages() if m.thread_ts == head.ts]

    assert len(storm.rung) == before
    assert any(m.text.endswith("three") for m in threaded)
    assert any("service-005 rolled back" in m.text for m in threaded)


@pytest.mark.parametrize("storm", ["bot"], indirect=True)
def test_a_storm_rings_again_when_twice_as_many_need_a_person_as_when_it_rang(storm):
    """Whoever was called when nobody was needed yet is not at the phone any more."""
    for number in range(40):
        storm.tell(of(number))
    (head,) = [m for m in storm.in_the_channel if "at the same time" in m.text]
    rings, before = [], len(storm.rung)
    for number in range(10, 40):
        storm.tell(of(number, ENDED))
        storm.tell(of(number, ENDED))
        if len(storm.rung) > before:
            rings.append(number - 9)
            before = len(storm.rung)

    assert rings == [1, 2, 4, 8, 16]
    assert storm.rung[-1].text == "<!here> 16 incidents of this storm need you"
    assert storm.rung[-1].thread_ts == head.ts


def test_a_ring_that_is_not_taken_comes_again():
    thread = Places()
    told = Told(thread)
    for number in range(6):
        told.tell(of(number))
    thread.failing = {thread.count + 2}
    with pytest.raises(NotificationError):
        told.tell(of(5, ENDED))
    told.until_told(of(5, ENDED))

    assert [what for what in thread.taken if what[-1] is True and what[0] == "reply"] == [
        ("reply", "1 incident of this storm needs you", True),
        ("reply", reply(ENDED.steps[-1]), True),
    ]


@pytest.mark.parametrize("storm", ["webhook"], indirect=True)
def test_a_webhook_tells_by_itself_who_needs_a_person_in_a_storm_as_well(storm):
    """It cannot edit the storm's message: what that does not say, nobody would ever hear."""
    for number in range(6):
        storm.tell(of(number))
    storm.tell(of(6, ASKING))
    moved = replace(MOVED, id="inc-5", service="service-005")
    storm.tell(moved)
    storm.tell(moved.step(NOW, State.NOT_FIXED, Reason.SYMPTOM_REMAINS, "three"))
    storm.tell(moved.step(NOW, State.NOT_FIXED, Reason.SYMPTOM_REMAINS, "three"))

    told = headlines(storm.in_the_channel)[5:]
    assert [text.partition(":")[0].partition(" ")[0] for text in told] == [
        "service-006",
        "service-005",
    ]
    assert len(storm.rung) == 3


@pytest.mark.parametrize("storm", ["bot"], indirect=True)
def test_whatever_is_said_in_a_storm_names_its_service(storm):
    """A hundred services are in one thread."""
    for number in range(6):
        storm.tell(of(number))
    storm.tell(of(5, ENDED))
    said = Said(at=NOW, by="ann", text="ann holds it", incident_id="inc-5")
    storm.teller.pass_on(said, "said#1", NOW)
    (head,) = [m for m in storm.in_the_channel if "at the same time" in m.text]
    told = [m.text for m in storm.slack.messages() if m.thread_ts == head.ts]
    about = [text for text in told if "need" not in text]

    assert all("service-004" in text or "service-005" in text for text in about)
    assert about[-1] == "service-005 · 04:00:00 UTC · ann holds it"


@pytest.mark.parametrize("storm", ["bot"], indirect=True)
def test_what_is_left_of_a_storm_whose_message_was_deleted_is_told_by_itself(storm):
    for number in range(6):
        storm.tell(of(number))
    (head,) = [m for m in storm.in_the_channel if "at the same time" in m.text]
    del storm.slack.workspace._messages[head.ts]
    before = len(storm.rung)

    assert storm.tell(of(5, ENDED)) == 1
    assert len(storm.rung) == before + 1
    own = storm.in_the_channel[-1]
    (reply,) = [m for m in storm.slack.messages() if m.thread_ts == own.ts]
    assert (reply.text.endswith("three"), "service-005" in own.text) == (True, True)
    assert storm.tell(of(9)) == 1


def test_what_comes_an_hour_later_has_a_message_of_its_own(storm):
    for number in range(6):
        storm.tell(of(number))
    storm.tell(of(7), NOW + 60 * MINUTE)

    assert "service-007" in storm.in_the_channel[-1].text


def test_a_storm_whose_message_is_not_taken_is_told_later():
    thread = Places()
    told = Told(thread)
    for number in range(4):
        told.tell(of(number))
    thread.failing = {thread.count + 1}
    with pytest.raises(NotificationError):
        told.tell(of(4))

    assert told.until_told(of(4)) == 1
    assert [what[0] for what in thread.taken].count("announce") == 1
