"""Reminders: ever more rarely, at least once before a question's time is over, never after."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.reminder import reminded
from tests.builders import MINUTE, NOW, a_rolled_back_incident, an_incident

UNDECIDED = an_incident((State.UNDECIDED, Reason.PAUSED))
OPENED_AT = UNDECIDED.opened_at


def asking(minutes):
    incident = an_incident((State.ASKING, Reason.APPROVAL_NEEDED))
    return replace(incident, asks_until_at=incident.steps[-1].at + minutes * MINUTE)


def reminders(incident, minutes):
    """When each reminder comes, in minutes since it was opened, if nothing else happens."""
    found = []
    for minute in range(1, minutes + 1):
        again = reminded(incident, incident.opened_at + minute * MINUTE)
        if again:
            incident = again
            found.append(minute)
    return found


def test_they_come_ever_more_rarely():
    assert reminders(UNDECIDED, 1000) == [30, 60, 120, 240, 480, 960]


@pytest.mark.parametrize(
    ("minutes", "found"), [(20, [10]), (60, [30]), (240, [30, 60, 120]), (5, [3])]
)
def test_a_question_is_repeated_before_its_time_is_over(minutes, found):
    assert reminders(asking(minutes), minutes - 1) == found


def test_an_undecided_incident_that_asked_before_is_not_asked_about():
    """Whoever fixed it forward answered the question; its old deadline says nothing any more."""
    before = replace(UNDECIDED, asks_until_at=NOW + MINUTE)

    assert reminded(before, OPENED_AT + timedelta(hours=1)).steps[-1].text == (
        "still so 60 min after it was opened"
    )


def test_it_says_how_long_it_has_been_so_and_what_happens_then():
    (first, again) = reminded(asking(60), NOW + timedelta(hours=1)).steps

    assert again.text.startswith("still so 60 min after it was asked; without a yes by ")
    assert reminded(UNDECIDED, OPENED_AT + timedelta(hours=1)).steps[-1].text == (
        "still so 60 min after it was opened"
    )
    assert (again.state, again.reason, again.aside) == (first.state, first.reason, True)


@given(st.integers(0, 100_000))
def test_what_is_over_or_ends_by_itself_reminds_nobody(minutes):
    now = NOW + minutes * MINUTE
    for incident in (
        an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE)),
        a_rolled_back_incident(),
    ):
        assert reminded(incident, now) is None


def test_an_undo_that_is_not_done_says_so_from_when_it_was_ordered():
    """The rollback that it undoes may be of yesterday."""
    ordered_at = NOW + timedelta(days=1)
    undone = a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)).step(
        ordered_at, State.UNDOING, Reason.UNDO_ORDERED, "ann wants it back"
    )
    found = []
    for minute in range(1, 200):
        again = reminded(undone, ordered_at + minute * MINUTE)
        if again:
            undone = again
            found.append(minute)

    assert found == [30, 60, 120]
    assert undone.steps[-1].text == "still so 120 min after that was ordered"
