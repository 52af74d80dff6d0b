"""Incidents: legal steps only, who must look, and which alarm an incident answers for."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.incident import (
    FIRST,
    OPEN,
    PENDING,
    SETTLED_AFTER,
    TRANSITIONS,
    Answered,
    State,
)
from rollback_responder.domain.leg import How, LegState, name_of
from rollback_responder.domain.reason import QUIET, UNDECIDED, URGENT, Reason
from rollback_responder.domain.release import Origin
from rollback_responder.domain.response import Severity
from rollback_responder.domain.trigger import ErrorRate
from rollback_responder.journal.codec import decode_incident, encode
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_leg,
    a_release,
    a_rolled_back_incident,
    an_attempt,
    an_incident,
)

ANYTHING = {
    State.UNDECIDED,
    State.ASKING,
    State.ROLLING_BACK,
    State.WATCHING,
    State.STOOD_DOWN,
    State.INDETERMINATE,
}
LEGAL = {
    None: ANYTHING,
    State.UNDECIDED: ANYTHING,
    State.ASKING: ANYTHING,
    State.ROLLING_BACK: {State.ROLLING_BACK, State.WATCHING, State.INCOMPLETE},
    State.WATCHING: {State.FIXED, State.NOT_FIXED, State.UNKNOWN, State.UNDOING},
    State.FIXED: {State.UNDOING},
    State.NOT_FIXED: {State.UNDOING},
    State.UNKNOWN: {State.UNDOING},
    State.UNDOING: {State.UNDONE, State.UNKNOWN},
}
TO_REACH = {
    None: (),
    State.UNDECIDED: (State.UNDECIDED,),
    State.ASKING: (State.ASKING,),
    State.ROLLING_BACK: (State.ROLLING_BACK,),
    State.WATCHING: (State.WATCHING,),
    State.FIXED: (State.WATCHING, State.FIXED),
    State.NOT_FIXED: (State.WATCHING, State.NOT_FIXED),
    State.UNKNOWN: (State.WATCHING, State.UNKNOWN),
    State.STOOD_DOWN: (State.STOOD_DOWN,),
    State.INCOMPLETE: (State.ROLLING_BACK, State.INCOMPLETE),
    State.INDETERMINATE: (State.INDETERMINATE,),
    State.UNDOING: (State.WATCHING, State.UNDOING),
    State.UNDONE: (State.WATCHING, State.UNDOING, State.UNDONE),
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
def test_a_closed_incident_stays_closed_unless_a_person_undoes_it(states):
    incident, closed = an_incident(), False
    for state in states:
        try:
            incident = incident.step(NOW, state, Reason.INCONCLUSIVE, "x")
        except ValueError:
            continue
        assert not closed or state is State.UNDOING
        closed = state not in OPEN


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.SEVERITY_TELLS])
def test_a_person_is_needed_where_it_ended_and_not_well_or_goes_badly(reason):
    # Whoever held it knows of the alarm that they held it for; of another one nobody does.
    ends_badly = reason not in QUIET or reason is Reason.HELD
    assert an_incident((State.STOOD_DOWN, reason)).needs_a_person is ends_badly
    assert an_incident((State.UNDECIDED, reason)).needs_a_person is (reason in URGENT)


@pytest.mark.parametrize(
    ("severity", "needed"),
    [("critical", True), ("high", True), ("medium", False), ("low", False)],
)
def test_what_is_only_told_rings_where_it_is_severe(severity, needed):
    trigger = ErrorRate(threshold_percent=5, severity=Severity(severity))
    told = an_incident((State.STOOD_DOWN, Reason.SEVERITY_TELLS), trigger=trigger)

    assert told.needs_a_person is needed


def test_what_is_urgent_is_never_quiet():
    assert not URGENT & QUIET


def test_whatever_may_still_go_as_it_may_begin_is_pending():
    assert {state for state in OPEN if TRANSITIONS[state] == FIRST} == PENDING


def test_an_incident_may_begin_as_it_may_go_on_while_it_is_undecided():
    assert FIRST == ANYTHING


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
        Reason.ROLLBACK_STUCK,
        Reason.ROLLBACK_OVERDUE,
        Reason.ROLLBACK_INCOMPLETE,
        Reason.FINISHED_ANYWAY,
        Reason.WRONG_VERSION,
        Reason.CHANGE_FINISHED,
        Reason.BUDGET_SPENT,
        Reason.UNKNOWN_STATUS,
    }
    assert not loud & QUIET


SAME = a_release("2")
# Deployed after the act, and where the act led.
NEXT = a_release("3", since_at=NOW + MINUTE)
BACK = a_release("1", since_at=NOW + MINUTE, origin=Origin.ROLLED_BACK)
OLD = a_release("1", since_at=NOW - 600 * MINUTE, origin=Origin.FIRST_SEEN)
STOPPED = a_rolled_back_incident(change="d-1", release=OLD, to_version=None, legs=(a_leg(),))


def key_of(release):
    return release and release.key


@pytest.mark.parametrize(
    ("incident", "name", "since_at", "release", "covered"),
    [
        (an_incident(), None, NOW - 2 * MINUTE, SAME, True),
        (an_incident(), None, NOW - 3 * MINUTE, SAME, True),
        (an_incident(), None, NOW - MINUTE, SAME, False),
        (an_incident(), "other", NOW - 2 * MINUTE, SAME, False),
        (an_incident(), None, NOW - 2 * MINUTE, NEXT, False),
        (an_incident(), None, NOW - 2 * MINUTE, None, False),
        (an_incident(release=None), None, NOW - 2 * MINUTE, None, True),
        (an_incident(release=None), None, NOW - 2 * MINUTE, SAME, False),
        (an_incident(to_version="1"), None, NOW - 2 * MINUTE, BACK, False),
        (a_rolled_back_incident(), None, NOW - 2 * MINUTE, BACK, True),
        (a_rolled_back_incident(), None, NOW - 2 * MINUTE, NEXT, False),
        (a_rolled_back_incident(to_version="9"), None, NOW - 2 * MINUTE, BACK, False),
        # A deployment that was stopped: what it led back to was there before.
        (STOPPED, None, NOW - 2 * MINUTE, OLD, True),
        (STOPPED, None, NOW - 2 * MINUTE, BACK, True),
        (STOPPED, None, NOW - 2 * MINUTE, NEXT, False),
        (STOPPED, None, NOW - 2 * MINUTE, None, True),
    ],
)
def test_which_alarm_an_incident_answers_for(incident, name, since_at, release, covered):
    name = name or incident.alarm_name
    assert incident.covers(name, since_at, key_of(release), release) is covered


def test_the_next_change_of_a_rollout_is_another_thing():
    name = STOPPED.alarm_name

    assert STOPPED.covers(name, NOW - 2 * MINUTE, "d-1", OLD)
    assert not STOPPED.covers(name, NOW - 2 * MINUTE, "d-2", OLD)
    assert not STOPPED.covers(name, NOW - 2 * MINUTE, "d-2", None)


@pytest.mark.parametrize(("seconds", "settled"), [(-1, False), (0, True), (1, True)])
def test_an_attempt_without_a_word_is_settled_after_a_while(seconds, settled):
    at = NOW + SETTLED_AFTER + timedelta(seconds=seconds)

    assert an_attempt(lost_at=NOW).is_settled(at) is settled


def test_legs_are_counted_and_an_adopted_rollback_is_known():
    legs = tuple(a_leg(state=state) for state in LegState)
    own = an_incident((State.ROLLING_BACK, Reason.METRIC_BREACHING), legs=legs)
    adopted = an_incident((State.ROLLING_BACK, Reason.ROLLBACK_ADOPTED), legs=legs)

    assert own.leg_counts() == (1, len(LegState))
    assert (own.adopted, adopted.adopted) == (False, True)


def test_severity_is_the_triggers():
    assert an_incident().severity is Severity.HIGH


LEGS = st.builds(
    a_leg,
    st.sampled_from([TARGET, GROUP, STACK]),
    st.sampled_from(How),
    st.sampled_from(LegState),
    at=st.sampled_from([None, NOW]),
    called=st.booleans(),
    continued=st.booleans(),
)
ATTEMPTS = st.builds(an_attempt, changes=st.lists(st.text(max_size=9), max_size=2).map(tuple))


@given(
    st.lists(st.tuples(st.sampled_from(Reason), st.text(max_size=40)), min_size=1, max_size=4),
    st.booleans(),
    st.text(min_size=1, max_size=40),
    st.lists(LEGS, max_size=3).map(tuple),
    st.lists(ATTEMPTS, max_size=2).map(tuple),
)
def test_an_incident_is_read_back_as_it_was_written(steps, acted, name, legs, lost):
    incident = an_incident(
        *[(State.UNDECIDED, reason, text or "x") for reason, text in steps],
        alarm_name=name,
        acted_at=NOW if acted else None,
        legs=legs,
        lost=lost,
    )
    assert decode_incident(encode(incident)) == incident


def test_an_incident_knows_whether_a_person_said_yes():
    asked = an_incident((State.ASKING, Reason.FROZEN))

    assert not asked.approved
    assert asked.step(NOW, State.WATCHING, Reason.APPROVED, "x").approved


def test_an_incident_is_about_what_it_left_as_well():
    left = a_leg(change="u-2", state=LegState.LEFT)
    back = a_leg(change="u-1", state=LegState.BACK)
    incident = an_incident((State.STOOD_DOWN, Reason.COOLDOWN), change="d-1", legs=(back, left))

    assert [incident.is_about(change, None) for change in ("d-1", "u-1", "u-2")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("reason", "covers"), [(Reason.NO_PROVEN_RELEASE, True), (Reason.ALARM_NOT_FIRING, False)]
)
def test_what_ended_before_its_alarm_fired_answers_for_it_unless_the_numbers_got_well(
    reason, covers
):
    early = an_incident((State.STOOD_DOWN, reason), early=True, alarm_since_at=NOW)
    at = NOW + 10 * MINUTE

    assert early.covers(early.alarm_name, at, early.change, early.release) is covers
    assert not early.covers(early.alarm_name, at + MINUTE, early.change, early.release)


MOVED = a_rolled_back_incident(release=a_release(whole_since_at=NOW))


@pytest.mark.parametrize(
    ("incident", "may"),
    [
        (MOVED, True),
        (MOVED.step(NOW, State.FIXED, Reason.SYMPTOM_GONE, "x"), True),
        (MOVED.step(NOW, State.UNKNOWN, Reason.MOVED_AGAIN, "x"), True),
        (an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE), legs=MOVED.legs), False),
        # What was stopped or cancelled is not deployed again by anybody but a pipeline.
        (a_rolled_back_incident(legs=(a_leg(how=How.STOP, state=LegState.BACK),)), False),
        (replace(MOVED, legs=(*MOVED.legs, *MOVED.legs)), False),
        # A canary never had all traffic.
        (a_rolled_back_incident(), False),
        (a_rolled_back_incident(legs=()), False),
        # It was tried once.
        (
            MOVED.step(NOW, State.UNDOING, Reason.UNDO_ORDERED, "x").step(
                NOW, State.UNKNOWN, Reason.UNDO_FAILED, "x"
            ),
            False,
        ),
    ],
)
def test_only_one_move_of_an_alias_may_be_undone_once(incident, may):
    assert incident.may_be_undone is may


def test_what_was_undone_answers_for_the_version_that_was_put_back():
    undone = MOVED.step(NOW, State.UNDOING, Reason.UNDO_ORDERED, "x").step(
        NOW, State.UNDONE, Reason.UNDONE, "x"
    )
    there = a_release(undone.release.version, since_at=NOW + MINUTE, origin=Origin.PUT_BACK)
    deployed = a_release("3", since_at=NOW)

    assert undone.is_about(there.key, there)
    assert not undone.is_about(deployed.key, deployed)
    assert not MOVED.is_about(there.key, there)


def test_whoever_held_it_is_not_rung_for_it():
    held = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), (State.STOOD_DOWN, Reason.HELD))

    assert not held.needs_a_person


# -- what it is about -----------------------------------------------------------------------------


def test_a_part_is_named_once_and_what_was_tried_comes_before_the_release():
    release = f"{TARGET.target_id} {a_release().key}"
    leg = a_leg()

    assert MOVED.changes == (release,)
    assert an_incident().changes == (release,)
    assert an_incident(legs=(leg,), change="d-7").changes == (leg.name, release)
    assert an_incident(change="d-7").changes == (f"{TARGET.target_id} d-7", release)
    assert an_incident(release=None).changes == ()


@pytest.mark.parametrize("target", [GROUP, replace(GROUP, application="shop@eu")])
@pytest.mark.parametrize(
    ("own", "other", "same"),
    [
        # A release is the same whenever it was first seen, a deployment is not another.
        (a_release().key, a_release(since_at=NOW).key, True),
        (a_release().key, a_release("3").key, False),
        ("d-1", "d-1", True),
        ("d-1", "d-2", False),
    ],
)
def test_what_it_undoes_is_told_by_its_name_with_its_target(target, own, other, same):
    incident = an_incident(legs=(a_leg(target, change=own),), release=None)

    assert incident.undoes([name_of(target, other)]) is same
    assert not incident.undoes([name_of(STACK, own)])
    assert not incident.undoes([])


@pytest.mark.parametrize(
    ("order_at", "acted_at", "until"),
    [
        (None, None, None),
        (NOW, None, NOW),
        (None, NOW, NOW),
        (NOW, NOW + MINUTE, NOW + MINUTE),
        (NOW + MINUTE, NOW, NOW + MINUTE),
    ],
)
def test_until_when_orders_are_answered(order_at, acted_at, until):
    assert an_incident(order_at=order_at, acted_at=acted_at).orders_until == until


def test_what_was_there_when_it_acted_is_what_it_is_about():
    there = a_release("1", since_at=NOW)
    later = a_release("1", since_at=NOW + MINUTE)

    assert a_rolled_back_incident().is_about(there.key, there)
    assert not a_rolled_back_incident().is_about(later.key, later)


def test_what_was_undone_is_about_that_version_only_where_it_was_put_back():
    undone = MOVED.step(NOW, State.UNDOING, Reason.UNDO_ORDERED, "x").step(
        NOW, State.UNDONE, Reason.UNDONE, "x"
    )
    again = a_release(undone.release.version, since_at=NOW + MINUTE)
    another = a_release("3", since_at=NOW + MINUTE, origin=Origin.PUT_BACK)

    assert not undone.is_about(again.key, again)
    assert not undone.is_about(another.key, another)


def test_the_next_incident_is_answered_for_about_where_this_one_led():
    other = Answered(alarm_name="other", since_at=NOW, change="d-0")
    before = a_rolled_back_incident(answered=(other,))
    own = Answered(alarm_name=before.alarm_name, since_at=NOW, change=before.change)

    assert before.answers() == (own, other)
    assert before.answers_about(NEXT.key, NEXT) == (own, other)
    assert before.answers_about(BACK.key, BACK) == (replace(own, change=BACK.key), other)
