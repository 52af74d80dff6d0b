"""Incidents: legal steps only, who must look, and which alarm an incident answers for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.decision import QUIET, UNDECIDED, Reason
from rollback_responder.domain.incident import OPEN, TRANSITIONS, State
from rollback_responder.domain.trigger import Severity
from rollback_responder.journal.codec import decode_incident, encode
from tests.builders import MINUTE, NOW, a_release, a_rolled_back_incident, an_incident

LEGAL = {
    None: {State.UNDECIDED, State.WATCHING, State.STOOD_DOWN, State.INDETERMINATE},
    State.UNDECIDED: {State.UNDECIDED, State.WATCHING, State.STOOD_DOWN, State.INDETERMINATE},
    State.WATCHING: {State.FIXED, State.NOT_FIXED, State.UNKNOWN},
}
TO_REACH = {
    None: (),
    State.UNDECIDED: (State.UNDECIDED,),
    State.WATCHING: (State.WATCHING,),
    State.FIXED: (State.WATCHING, State.FIXED),
    State.NOT_FIXED: (State.WATCHING, State.NOT_FIXED),
    State.UNKNOWN: (State.WATCHING, State.UNKNOWN),
    State.STOOD_DOWN: (State.STOOD_DOWN,),
    State.INDETERMINATE: (State.INDETERMINATE,),
}


def test_every_state_has_its_transitions():
    assert set(TRANSITIONS) == {None, *State} == set(TO_REACH)


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", [None, *State])
def test_only_legal_steps_are_taken(before, after):
    incident = an_incident(*[(state, Reason.INCONCLUSIVE) for state in TO_REACH[before]])
    if after in LEGAL.get(before, set()):
        assert incident.step(NOW, after, Reason.INCONCLUSIVE, "x").state is after
    else:
        with pytest.raises(ValueError, match="cannot become"):
            incident.step(NOW, after, Reason.INCONCLUSIVE, "x")


@given(st.lists(st.sampled_from(State), max_size=6))
def test_a_closed_incident_stays_closed(states):
    incident, closed = an_incident(), False
    for state in states:
        try:
            incident = incident.step(NOW, state, Reason.INCONCLUSIVE, "x")
        except ValueError:
            continue
        assert not closed
        closed = state not in OPEN


@pytest.mark.parametrize("reason", Reason)
def test_a_person_is_needed_where_it_ended_and_not_well(reason):
    assert an_incident((State.STOOD_DOWN, reason)).needs_a_person is (reason not in QUIET)
    assert not an_incident((State.UNDECIDED, reason)).needs_a_person


def test_what_the_watcher_asks_again_is_never_a_refusal_of_ours():
    assert Reason.ACTION_UNCLEAR not in UNDECIDED
    assert Reason.ACTION_DENIED not in UNDECIDED


def test_what_pages_by_its_name_is_not_quiet():
    loud = {
        Reason.SYMPTOM_REMAINS,
        Reason.NOT_ENOUGH_DATA,
        Reason.MOVED_AGAIN,
        Reason.RESULT_UNKNOWN,
        Reason.ACTION_DENIED,
        Reason.NO_PROVEN_RELEASE,
        Reason.VERSION_DELETED,
        Reason.ALARM_GONE,
    }
    assert not loud & QUIET


SAME, OTHER = a_release("2"), a_release("3")
BACK = a_release("1", since_at=NOW)


@pytest.mark.parametrize(
    ("incident", "name", "since_at", "release", "covered"),
    [
        (an_incident(), None, NOW - 2 * MINUTE, SAME, True),
        (an_incident(), None, NOW - 3 * MINUTE, SAME, True),
        (an_incident(), None, NOW - MINUTE, SAME, False),
        (an_incident(), "other", NOW - 2 * MINUTE, SAME, False),
        (an_incident(), None, NOW - 2 * MINUTE, OTHER, False),
        (an_incident(), None, NOW - 2 * MINUTE, None, False),
        (an_incident(release=None), None, NOW - 2 * MINUTE, None, True),
        (an_incident(release=None), None, NOW - 2 * MINUTE, SAME, False),
        (an_incident(to_version="1"), None, NOW - 2 * MINUTE, BACK, False),
        (a_rolled_back_incident(), None, NOW - 2 * MINUTE, BACK, True),
        (a_rolled_back_incident(), None, NOW - 2 * MINUTE, OTHER, False),
    ],
)
def test_which_alarm_an_incident_answers_for(incident, name, since_at, release, covered):
    assert incident.covers(name or incident.alarm_name, since_at, release) is covered


def test_severity_is_the_triggers():
    assert an_incident().severity is Severity.HIGH


@given(
    st.lists(st.tuples(st.sampled_from(Reason), st.text(max_size=40)), max_size=4),
    st.booleans(),
    st.text(min_size=1, max_size=40),
)
def test_an_incident_is_read_back_as_it_was_written(steps, acted, name):
    incident = an_incident(
        *[(State.UNDECIDED, reason, text or "x") for reason, text in steps],
        alarm_name=name,
        acted_at=NOW if acted else None,
    )
    assert decode_incident(encode(incident)) == incident
