"""Each state and reason as Slack shows it, from real incidents: taken by Slack, and harmless."""

import enum
import logging

import pytest
from msgspec import Struct, structs
from msgspec.structs import replace

from local.slack_inbox import blocks as block_kit
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.slack import HEADER_LIMIT, TEXT_LIMIT
from tests.hostile import DISGUISES, HOSTILE, harms_of, marked_up, strings
from tests.simulation import gallery

RING = "<!here>"
# The policy's own mentions: whom a page rings, and who may press.
MENTIONS = {RING, f"May press: <@{gallery.SOMEBODY}>"}
# What a policy restricts: a service's name, and the ids that the responder draws itself.
OURS = {"id", "kind"}
SHORT = "".join(text for text in HOSTILE if len(text) < 100)


@pytest.fixture(scope="module")
def moments():
    logging.disable(logging.CRITICAL)
    yield gallery.moments_of(100)
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def told(moments):
    """The messages of each moment; Slack took them, or this fails."""
    taken = gallery.told_by_slack(moments.values(), draw=lambda _: None)
    return dict(zip(moments, taken, strict=True))


def test_every_state_and_every_reason_is_shown(moments):
    assert {place.state for place in moments} == set(State)
    assert {
        step.reason for moment in moments.values() for step in moment.incidents[-1].steps
    } == set(Reason)
    assert gallery.unforeseen(moments) == []


def test_the_page_names_each_place_and_what_was_never_met(moments):
    some = dict(list(moments.items())[:3])
    page = gallery.page_of(some, draw=lambda _: None)

    for place in some:
        assert f"<b>{place.state.value} · {place.reason.value}</b>" in page
    assert "Never met:" in page
    assert "<b>fixed</b>: symptom_gone" in page


def test_each_way_a_drill_ends_is_shown(moments):
    shown = {place.state for place in moments if place.way.startswith("drill")}
    told = {moment.source for moment in moments.values()}

    assert shown == {
        State.WATCHING,
        State.UNDOING,
        State.UNDONE,
        State.UNKNOWN,
        State.STOOD_DOWN,
    }
    assert {f"story of {name}" for name in gallery.bulletins.DRILLS} <= told


def test_what_is_told_of_more_than_one_incident_is_shown_and_slack_takes_it(moments):
    told = {name: messages for name, _, messages in gallery.told_at_once(draw=lambda _: None)}
    page = gallery.page_of(dict(list(moments.items())[:1]), draw=lambda _: None)

    assert all(f'id="{name}"' in page for name in told)
    assert "8 services have alarms at the same time; 7 need you" in [
        message.text for message in told["storm"]
    ]
    assert told["week"][0].text.startswith("The week in test: 1 rollback")
    assert told["quiet-week"][0].text.startswith("A quiet week in test")
    assert "no drill of shop this month: bob fixes it forward" in told["drill-held-back"][0].text
    for message in (one for messages in told.values() for one in messages if one.blocks):
        assert block_kit.problems(list(message.blocks)) == []


def test_the_headline_is_whole_and_leads_the_notification(told):
    for messages in told.values():
        header = messages[0].blocks[0]["text"]["text"]
        _, _, headline = header.partition(": ")

        assert len(header) < HEADER_LIMIT
        assert messages[0].text.removeprefix(f"{RING} ").startswith(f"{headline}. ")


def test_no_message_says_a_thing_twice(told):
    """No sentence stands in two of its parts, and none has nothing where a value should be."""
    for place, messages in told.items():
        sections = [block["text"]["text"] for block in messages[0].blocks if "text" in block][1:]
        said = ". ".join(text.partition("\n")[2].rstrip(".") for text in sections).split(". ")

        assert len(set(said)) == len(said), place
        assert not any(strange in "".join(sections) for strange in ("None", "v?", "..", " .")), (
            place
        )


def poisoned(value, text):
    """The same with a text in every place where somebody else's may stand."""
    if isinstance(value, tuple):
        return tuple(poisoned(each, text) for each in value)
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return text
    if not isinstance(value, Struct):
        return value
    members = structs.asdict(value)
    changed = {name: poisoned(each, text) for name, each in members.items() if name not in OURS}
    return replace(value, **changed)


def an_incident_of(incident: Incident, text):
    # The longest name that a policy takes.
    return replace(poisoned(incident, text), service=text[:64])


def check_harmless(incidents, text):
    hostile = [gallery.Moment("", (an_incident_of(incident, text),)) for incident in incidents]
    for messages in gallery.told_by_slack(hostile, draw=lambda _: None):
        for message in messages:
            blocks = list(message.blocks)
            said = [message.text.removeprefix(RING), *marked_up(blocks)]

            assert block_kit.problems(blocks) == []
            assert [harm for one in said if one not in MENTIONS for harm in harms_of(one)] == []
            assert [t for t in (message.text, *strings(blocks)) if DISGUISES.search(t)] == []
            assert len(message.text) <= TEXT_LIMIT


def test_no_name_or_word_of_others_does_harm_anywhere(moments):
    each = {(p.state, p.reason): moment.incidents[-1] for p, moment in moments.items()}

    check_harmless(each.values(), SHORT)


def test_in_no_state_are_they_too_long(moments):
    each = {place.state: moment.incidents[-1] for place, moment in moments.items()}

    check_harmless(each.values(), SHORT * (10_000 // len(SHORT) + 1))
