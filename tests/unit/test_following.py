"""Following a rollback: it goes on until everything is back, or says what could not be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.following import (
    REASONS,
    begun,
    condemned,
    continued,
    has_begun,
    left_alone,
    may_begin,
    not_begun,
    not_continued,
    progress,
)
from rollback_responder.domain.incident import State, Step
from rollback_responder.domain.leg import LONGEST, How, LegState, News
from rollback_responder.domain.policy import AfterFailure
from rollback_responder.domain.reason import QUIET, URGENT, Reason
from rollback_responder.domain.release import Bad, Ledger, Origin
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.target import CloudFormationStack, LambdaAlias
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_good,
    a_ledger,
    a_leg,
    a_moved_leg,
    a_release,
    a_sight,
    an_incident,
    an_observation,
)
from tests.unit.test_leg import SIGHTS

LATER = NOW + MINUTE
STACKS = tuple(
    CloudFormationStack(stack=name, continue_rollback=True) for name in ("one", "two", "three")
)
DEADLINE = STACKS[0].deadline_minutes * MINUTE
TO_DO, UNDER_WAY = LegState.TO_DO, LegState.UNDER_WAY
BACK, FAILED, LEFT = LegState.BACK, LegState.FAILED, LegState.LEFT


def rolling_back(*legs, **changes):
    given = {"acted_at": NOW, "legs": legs, "change": legs[0].change}
    return an_incident((State.ROLLING_BACK, Reason.METRIC_BREACHING), **(given | changes))


def stacks_in(*states, **changes):
    """Three stacks one after the other, or as many as there are states."""
    legs = [a_leg(stack, state=state) for stack, state in zip(STACKS, states, strict=False)]
    return rolling_back(*legs, **changes)


def looked(incident, *phases, **changes):
    """Their stacks seen in these phases, about their own changes; None is gone."""
    sights = {
        leg.target.target_id: phase and a_sight(phase, **changes)
        for leg, phase in zip(incident.legs, phases, strict=False)
    }
    return progress(incident, sights, LATER)


def states(incident):
    return [leg.state for leg in incident.legs]


# -- one leg --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "state", "reason"),
    [
        (Phase.RETURNED, State.WATCHING, Reason.ALL_BACK),
        (Phase.STUCK, State.ROLLING_BACK, Reason.ROLLBACK_STUCK),
        (Phase.SETTLED, State.INCOMPLETE, Reason.FINISHED_ANYWAY),
        (Phase.BROKEN, State.INCOMPLETE, Reason.ROLLBACK_INCOMPLETE),
        (Phase.UNTOUCHABLE, State.INCOMPLETE, Reason.ROLLBACK_INCOMPLETE),
        (None, State.INCOMPLETE, Reason.ROLLBACK_INCOMPLETE),
    ],
)
def test_what_a_look_makes_of_a_rollback_of_one_part(phase, state, reason):
    incident = looked(stacks_in(UNDER_WAY), phase).incident

    assert (incident.state, incident.reason) == (state, reason)
    assert incident.steps[-1].at == LATER
    assert (incident.back_at == LATER) is (state is State.WATCHING)
    assert (incident.back_at is None) is (state is not State.WATCHING)
    assert incident.needs_a_person is (reason not in QUIET)


@pytest.mark.parametrize("phase", [Phase.RETURNING, Phase.RUNNING, Phase.UNKNOWN])
def test_nothing_new_is_no_news(phase):
    before = stacks_in(UNDER_WAY, TO_DO)
    found = looked(before, phase)

    assert found.incident == before
    assert (found.begin, found.go_on) == (None, None)


def test_a_target_that_was_not_looked_at_is_no_news():
    before = stacks_in(UNDER_WAY)

    assert progress(before, {}, LATER).incident == before


def test_every_news_has_its_reason():
    assert set(REASONS) == set(News)


def test_what_takes_too_long_is_urgent_and_goes_on():
    late = a_leg(GROUP, state=UNDER_WAY, at=LATER - 60 * MINUTE)
    found = progress(rolling_back(late), {GROUP.target_id: a_sight(Phase.RETURNING)}, LATER)

    assert (found.incident.state, found.incident.reason) == (
        State.ROLLING_BACK,
        Reason.ROLLBACK_OVERDUE,
    )
    assert found.incident.needs_a_person


# -- several, one after the other -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "phases", "after_failure", "begin", "after"),
    [
        ((UNDER_WAY, TO_DO, TO_DO), (Phase.RETURNED,), "stop", 1, (BACK, TO_DO, TO_DO)),
        ((UNDER_WAY, TO_DO, TO_DO), (Phase.BROKEN,), "go_on", 1, (FAILED, TO_DO, TO_DO)),
        ((BACK, UNDER_WAY, TO_DO), (None, Phase.RETURNED), "stop", 2, (BACK, BACK, TO_DO)),
        ((UNDER_WAY, TO_DO), (Phase.STUCK,), "go_on", None, (UNDER_WAY, TO_DO)),
        ((TO_DO, TO_DO), (Phase.RUNNING, Phase.RUNNING), "stop", 0, (TO_DO, TO_DO)),
    ],
)
def test_the_next_one_is_due_as_soon_as_the_one_before_is_over(
    before, phases, after_failure, begin, after
):
    found = looked(stacks_in(*before, after_failure=AfterFailure(after_failure)), *phases)

    assert found.begin == begin
    assert states(found.incident) == list(after)
    assert found.incident.state is State.ROLLING_BACK


@pytest.mark.parametrize(
    ("before", "phases", "after_failure", "after", "text"),
    [
        (
            (UNDER_WAY, TO_DO, TO_DO),
            (Phase.BROKEN,),
            "stop",
            [FAILED, LEFT, LEFT],
            "0 of 3 are back. stack one is BROKEN. stack two, stack three: left as it is",
        ),
        (
            (BACK, UNDER_WAY, TO_DO),
            (None, Phase.SETTLED),
            "stop",
            [BACK, FAILED, LEFT],
            (
                "1 of 3 are back. stack two: stack two: d-1 finished anyway (SETTLED)."
                " stack three: left as it is"
            ),
        ),
        (
            (FAILED, BACK, UNDER_WAY),
            (None, None, Phase.RETURNED),
            "go_on",
            [FAILED, BACK, BACK],
            "2 of 3 are back. stack three is back: RETURNED. stack one: not rolled back",
        ),
        (
            (BACK, FAILED, TO_DO),
            (),
            "stop",
            [BACK, FAILED, LEFT],
            "1 of 3 are back. stack two: not rolled back. stack three: left as it is",
        ),
    ],
)
def test_what_could_not_be_brought_back_is_said_in_full(before, phases, after_failure, after, text):
    found = looked(stacks_in(*before, after_failure=AfterFailure(after_failure)), *phases)

    assert states(found.incident) == after
    assert (found.incident.state, found.incident.reason) == (
        State.INCOMPLETE,
        Reason.ROLLBACK_INCOMPLETE,
    )
    assert found.incident.steps[-1].text == text
    assert (found.begin, found.go_on) == (None, None)
    assert found.incident.needs_a_person


@pytest.mark.parametrize(
    ("before", "phases", "text"),
    [
        ((UNDER_WAY,), (Phase.BROKEN,), "stack one is BROKEN"),
        (
            (UNDER_WAY, UNDER_WAY),
            (Phase.RETURNED, Phase.BROKEN),
            "1 of 2 are back. stack one is back: RETURNED. stack two is BROKEN",
        ),
        (
            (FAILED, FAILED, UNDER_WAY),
            (None, None, Phase.RETURNED),
            "1 of 3 are back. stack three is back: RETURNED. stack one, stack two: not rolled back",
        ),
        (
            (UNDER_WAY, UNDER_WAY),
            (Phase.RETURNED, Phase.RETURNED),
            "stack one is back: RETURNED. stack two is back: RETURNED",
        ),
    ],
)
def test_how_it_ended_is_one_text_about_all_parts(before, phases, text):
    assert looked(stacks_in(*before), *phases).incident.steps[-1].text == text


def test_what_nobody_began_is_left_since_the_end():
    found = looked(stacks_in(UNDER_WAY, TO_DO), Phase.BROKEN).incident

    assert (found.legs[1].state, found.legs[1].at) == (LEFT, LATER)


def test_everything_is_back_only_when_each_is():
    last = looked(stacks_in(BACK, BACK, UNDER_WAY), None, None, Phase.RETURNED).incident
    again = looked(stacks_in(BACK, BACK, BACK)).incident

    assert last.reason is again.reason is Reason.ALL_BACK
    assert last.steps[-1].text == "stack three is back: RETURNED"
    assert again.steps[-1].text == "everything is back"


def test_two_that_fail_together_are_two_steps():
    legs = [a_leg(stack, state=UNDER_WAY) for stack in STACKS]
    found = looked(rolling_back(*legs), Phase.STUCK, Phase.STUCK, Phase.RETURNING)

    assert [step.reason for step in found.incident.steps[1:]] == [Reason.ROLLBACK_STUCK] * 2
    assert found.go_on == 0


# -- what is done about it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "reason", "leg"),
    [
        (begun, Reason.NEXT_LEG, {"state": UNDER_WAY, "at": LATER}),
        (not_begun, Reason.LEG_FAILED, {"state": FAILED, "at": LATER}),
        (continued, Reason.ROLLBACK_CONTINUED, {"at": LATER, "continued": True}),
        (not_continued, Reason.ROLLBACK_STUCK, {"continued": True}),
    ],
)
def test_what_was_done_about_a_leg_is_a_step_of_that_time(done, reason, leg):
    before = stacks_in(BACK, TO_DO)
    after = done(before, 1, LATER, "so")

    assert after.legs == (before.legs[0], replace(before.legs[1], **leg))
    assert after.steps == (
        *before.steps,
        Step(at=LATER, state=State.ROLLING_BACK, reason=reason, text="so"),
    )


def test_a_leg_that_was_told_to_go_back_is_under_way_since_then():
    after = begun(stacks_in(BACK, TO_DO, TO_DO), 1, LATER, "told")

    assert states(after) == [BACK, UNDER_WAY, TO_DO]
    assert after.legs[1].at == LATER
    assert (after.state, after.reason) == (State.ROLLING_BACK, Reason.NEXT_LEG)
    assert not after.needs_a_person


def test_a_leg_that_could_not_begin_has_failed_and_somebody_hears_of_it():
    after = not_begun(stacks_in(BACK, TO_DO, TO_DO), 1, LATER, "too late")

    assert states(after) == [BACK, FAILED, TO_DO]
    assert (after.state, after.reason) == (State.ROLLING_BACK, Reason.LEG_FAILED)
    assert after.needs_a_person
    assert looked(after).incident.state is State.INCOMPLETE


def test_a_rollback_that_was_continued_is_continued_once_and_may_call_again():
    stuck = looked(stacks_in(UNDER_WAY), Phase.STUCK)
    after = continued(stuck.incident, stuck.go_on, LATER, "continued")
    again = looked(after, Phase.STUCK)

    assert (after.legs[0].continued, after.legs[0].called) == (True, False)
    assert (after.state, after.reason) == (State.ROLLING_BACK, Reason.ROLLBACK_CONTINUED)
    assert not after.needs_a_person
    assert after.legs[0].at == LATER
    assert again.go_on is None
    assert again.incident.reason is Reason.ROLLBACK_STUCK
    assert again.incident.needs_a_person


def test_a_rollback_that_was_continued_has_its_whole_deadline_again():
    leg = a_leg(STACKS[0], state=UNDER_WAY, at=LATER - DEADLINE + MINUTE)
    after = continued(rolling_back(leg), 0, LATER, "continued")
    sights = {STACKS[0].target_id: a_sight(Phase.RETURNING)}
    late = progress(after, sights, LATER + DEADLINE).incident

    assert progress(after, sights, LATER + DEADLINE - MINUTE).incident == after
    assert late.reason is Reason.ROLLBACK_OVERDUE


def test_a_continuation_that_was_refused_calls_a_person_and_is_not_asked_again():
    stuck = looked(stacks_in(UNDER_WAY), Phase.STUCK)
    after = not_continued(stuck.incident, stuck.go_on, LATER, "AWS refused")

    assert (after.legs[0].continued, after.legs[0].called) == (True, True)
    assert after.legs[0].at == stuck.incident.legs[0].at
    assert (after.state, after.reason) == (State.ROLLING_BACK, Reason.ROLLBACK_STUCK)
    assert after.steps[-1].text == "AWS refused"
    assert after.needs_a_person
    again = looked(after, Phase.STUCK)
    assert (again.incident, again.go_on) == (after, None)
    # It is followed until a person has mended it.
    assert looked(after, Phase.RETURNED).incident.reason is Reason.ALL_BACK


def test_what_cannot_be_read_is_waited_for_until_its_deadline_and_a_day_at_most():
    unread = a_sight(Phase.UNKNOWN, status="not readable")
    late = looked_at(unread, LATER + DEADLINE)
    ended = looked_at(unread, LATER + LONGEST)

    assert looked_at(unread, LATER + DEADLINE - MINUTE).reason is Reason.METRIC_BREACHING
    assert (late.reason, late.needs_a_person) == (Reason.ROLLBACK_OVERDUE, True)
    assert late.steps[-1].text == (
        f"stack one is still not readable 360 min after its way back began at {LATER:%H:%M:%S} UTC"
    )
    assert (ended.state, ended.needs_a_person) == (State.INCOMPLETE, True)


def looked_at(sight, now):
    """A stack that has been on its way back since LATER."""
    leg = a_leg(STACKS[0], state=UNDER_WAY, at=LATER)
    return progress(rolling_back(leg), {STACKS[0].target_id: sight}, now).incident


@pytest.mark.parametrize("phase", [*Phase, None])
@pytest.mark.parametrize("change", ["d-1", "d-2", None])
def test_a_leg_begins_only_while_its_own_change_runs(phase, change):
    sight = phase and a_sight(phase, change)
    own = change == "d-1" and phase is not None
    undone = phase in {Phase.RETURNING, Phase.RETURNED, Phase.STUCK}

    assert may_begin(a_leg(), sight) is (own and phase is Phase.RUNNING)
    assert has_begun(a_leg(), sight) is (own and undone)
    if sight:
        assert has_begun(a_leg(), replace(sight, stopped=True)) is own


# -- whatever is seen -----------------------------------------------------------------------------

LEGS = st.builds(
    a_leg,
    st.sampled_from([*STACKS, GROUP]),
    st.sampled_from([How.STOP, How.FOLLOW, How.REDEPLOY]),
    st.sampled_from(LegState),
)
INCIDENTS = st.builds(
    lambda legs, after: rolling_back(*legs, after_failure=after),
    st.lists(LEGS, min_size=1, max_size=4, unique_by=lambda leg: leg.target),
    st.sampled_from(AfterFailure),
)
KEYS = st.sampled_from([target.target_id for target in (*STACKS, GROUP)])


@given(INCIDENTS, st.dictionaries(KEYS, SIGHTS))
def test_a_look_never_leaves_a_rollback_without_anybody_to_go_on(incident, sights):
    found = progress(incident, sights, LATER)
    after = found.incident
    busy = any(leg.state is UNDER_WAY for leg in after.legs)

    assert after.is_open is (busy or found.begin is not None or after.state is State.WATCHING)
    assert (after.state is State.WATCHING) is all(leg.state is BACK for leg in after.legs)
    assert (after.state is State.INCOMPLETE) is (not after.is_open)
    assert after.steps[: len(incident.steps)] == incident.steps
    assert all(step.text for step in after.steps)
    for before, leg in zip(incident.legs, after.legs, strict=True):
        assert leg == before or not before.is_over
        assert leg.state is not TO_DO or before.state is TO_DO
    if not after.is_open:
        assert TO_DO not in states(after)
    for number in (found.begin, found.go_on):
        assert number is None or after.state is State.ROLLING_BACK


@given(INCIDENTS, st.dictionaries(KEYS, SIGHTS))
def test_looking_twice_tells_nothing_twice(incident, sights):
    once = progress(incident, sights, LATER)
    if once.incident.state is State.ROLLING_BACK:
        assert progress(once.incident, sights, LATER) == once


@given(INCIDENTS, st.lists(st.dictionaries(KEYS, SIGHTS), max_size=6))
def test_whoever_is_called_is_called_for_a_reason_and_a_rollback_ends_once(incident, looks):
    now = LATER
    for sights in looks:
        found = progress(incident, sights, now)
        urgent = {step.reason for step in found.incident.steps[len(incident.steps) :]} & URGENT
        failed = {s.reason for s in found.incident.steps} & {Reason.LEG_FAILED}
        assert not failed or any(leg.state is FAILED for leg in found.incident.legs)
        assert not urgent or found.incident.is_open
        incident, now = found.incident, now + MINUTE
        if incident.state is not State.ROLLING_BACK:
            break
        if found.begin is not None:
            incident = begun(incident, found.begin, now, "told")


# -- the version that was on trial ----------------------------------------------------------------

SUSPECT = a_release("2", code_sha256="bad code")
WAS_BACK = a_ledger(current=a_release("1", since_at=LATER, origin=Origin.ROLLED_BACK))
ENDED = looked(
    replace(rolling_back(a_leg(STACKS[0], state=UNDER_WAY)), release=SUSPECT), Phase.RETURNED
).incident


@pytest.mark.parametrize(
    ("incident", "pointer", "observation", "condemns"),
    [
        (ENDED, TARGET, an_observation("1"), True),
        # It is still there: a stack's rollback restores what its template says.
        (ENDED, TARGET, an_observation("2"), False),
        (ENDED, TARGET, an_observation("1", "2"), False),
        (ENDED, TARGET, None, False),
        (ENDED, None, None, False),
        # Another pointer of the service's was on trial.
        (ENDED, LambdaAlias(function="cart", alias="live"), an_observation("1"), False),
        # It had proved itself: a bystander of what was undone.
        (
            replace(ENDED, release=replace(SUSPECT, proven_at=NOW)),
            TARGET,
            an_observation("1"),
            False,
        ),
        (replace(ENDED, release=None), TARGET, an_observation("1"), False),
        (stacks_in(UNDER_WAY), TARGET, an_observation("1"), False),
        (looked(stacks_in(UNDER_WAY), Phase.BROKEN).incident, TARGET, an_observation("1"), False),
    ],
)
def test_the_version_on_trial_is_condemned_once_it_is_gone(
    incident, pointer, observation, condemns
):
    kept = {TARGET.target_id: WAS_BACK, STACK.target_id: Ledger()}
    changed = condemned(incident, pointer, observation, kept, LATER)

    assert list(changed) == ([TARGET.target_id] if condemns else [])
    if condemns:
        ledger = changed[TARGET.target_id]
        (bad,) = ledger.bad
        assert bad == Bad(version="2", at=LATER, incident_id="inc-1", code_sha256="bad code")
        assert (ledger.current, ledger.revision) == (WAS_BACK.current, WAS_BACK.revision)


def test_a_version_is_condemned_also_where_nothing_was_written_of_its_pointer():
    changed = condemned(ENDED, TARGET, an_observation("1"), {}, LATER)

    assert [bad.version for bad in changed[TARGET.target_id].bad] == ["2"]
    assert a_good("1") not in changed[TARGET.target_id].good


def test_a_move_that_is_over_at_once_is_no_leg_to_follow():
    moved = rolling_back(a_moved_leg())

    assert progress(moved, {}, LATER).incident.reason is Reason.ALL_BACK


def test_what_was_left_as_it_is_is_nobodys_to_take_up_again():
    """Of a rollback that is over; each change once, and nothing counts as an act of ours."""
    left = a_leg(STACK, state=LegState.LEFT, change="u-2")
    steps = ((State.ROLLING_BACK, Reason.METRIC_BREACHING),)
    over = (State.INCOMPLETE, Reason.ROLLBACK_INCOMPLETE)
    failed = a_leg(state=LegState.FAILED)
    ended = an_incident(*steps, over, legs=(failed, left), acted_at=NOW)
    going = an_incident(*steps, legs=(failed, left), acted_at=NOW)

    found = left_alone(ended, {})
    assert found == {STACK.target_id: Ledger(acted=("u-2",))}
    assert left_alone(ended, found) == {}
    assert left_alone(going, {}) == {}
