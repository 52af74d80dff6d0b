"""A leg: whatever is seen, it waits, ends or calls a person; and one begins after the other."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.leg import (
    ENDED,
    LONGEST,
    How,
    LegState,
    News,
    due,
    follow,
    to_continue,
)
from rollback_responder.domain.policy import AfterFailure
from rollback_responder.domain.rollout import GRACE, Phase
from rollback_responder.domain.target import CloudFormationStack, CodeDeployGroup
from tests.builders import GROUP, MINUTE, NOW, STACK, TARGET, a_leg, a_moved_leg, a_sight

HAND, STOP_THERE = AfterFailure.GO_ON, AfterFailure.STOP
WAITS = None
# What a stopped, a followed and a redeployed leg makes of each phase: of its own change, then of
# another one that has come since.
SEEN = {
    Phase.RETURNED: {How.STOP: (News.BACK, News.BACK), How.REDEPLOY: (News.FAILED, News.BACK)},
    Phase.STUCK: {How.STOP: (News.STUCK, News.STUCK), How.REDEPLOY: (News.FAILED, News.STUCK)},
    Phase.RETURNING: {How.STOP: (WAITS, WAITS), How.REDEPLOY: (News.FAILED, WAITS)},
    Phase.UNKNOWN: {How.STOP: (WAITS, WAITS), How.REDEPLOY: (WAITS, WAITS)},
    Phase.RUNNING: {
        How.STOP: (WAITS, News.FAILED),
        How.FOLLOW: (WAITS, WAITS),
        How.REDEPLOY: (WAITS, News.FAILED),
    },
    Phase.FINISHING: {
        How.STOP: (WAITS, News.FAILED),
        How.FOLLOW: (WAITS, WAITS),
        How.REDEPLOY: (WAITS, News.FAILED),
    },
    Phase.SETTLED: {
        How.STOP: (News.FINISHED_ANYWAY, News.FAILED),
        How.REDEPLOY: (News.BACK, News.FAILED),
    },
    Phase.BROKEN: {How.STOP: (News.FAILED, News.FAILED), How.REDEPLOY: (News.FAILED, News.FAILED)},
    Phase.UNTOUCHABLE: {
        How.STOP: (News.FAILED, News.FAILED),
        How.REDEPLOY: (News.FAILED, News.FAILED),
    },
}
ENDS_AS = {
    None: LegState.UNDER_WAY,
    News.STUCK: LegState.UNDER_WAY,
    News.OVERDUE: LegState.UNDER_WAY,
    News.BACK: LegState.BACK,
    News.FAILED: LegState.FAILED,
    News.FINISHED_ANYWAY: LegState.FAILED,
}


def under_way(target=GROUP, how=How.STOP, **changes):
    return a_leg(target, how, LegState.UNDER_WAY, **changes)


@pytest.mark.parametrize("how", [How.STOP, How.FOLLOW, How.REDEPLOY])
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("same", [True, False])
def test_what_a_look_finds(phase, how, same):
    expected = SEEN[phase].get(how) or SEEN[phase][How.STOP]
    sight = a_sight(phase, "d-1" if same else "d-2", detail=("X: because",))
    found = follow(under_way(how=how), sight, NOW)

    assert found.news is expected[0 if same else 1]
    assert found.leg.state is ENDS_AS[found.news]
    assert bool(found.text) is bool(found.news)
    assert sight.status in found.text or not found.news


@pytest.mark.parametrize("phase", [Phase.BROKEN, Phase.STUCK])
def test_what_failed_is_told_with_why(phase):
    found = follow(under_way(), a_sight(phase, detail=("X: because", "run: this")), NOW)

    assert "X: because. run: this" in found.text


@pytest.mark.parametrize("how", How)
def test_what_is_gone_has_failed(how):
    found = follow(under_way(how=how), None, NOW)

    assert (found.leg.state, found.news) == (LegState.FAILED, News.FAILED)
    assert "does not exist any more" in found.text


@pytest.mark.parametrize(
    ("how", "sight", "text"),
    [
        (How.STOP, a_sight(Phase.RETURNED), "shop/live is back: RETURNED"),
        (How.STOP, a_sight(Phase.STUCK, detail=("why", "how")), "shop/live is STUCK. why. how"),
        (How.STOP, a_sight(Phase.BROKEN, detail=("why",)), "shop/live is BROKEN. why"),
        (How.STOP, None, "shop/live does not exist any more"),
        (How.STOP, a_sight(Phase.SETTLED), "shop/live: the title finished anyway (SETTLED)"),
        (
            How.STOP,
            a_sight(Phase.RUNNING, "d-2"),
            "shop/live: somebody began another change since (RUNNING)",
        ),
        (How.REDEPLOY, a_sight(Phase.SETTLED), "shop/live is back: SETTLED"),
        (
            How.REDEPLOY,
            a_sight(Phase.BROKEN, detail=("why",)),
            "shop/live: the title ended BROKEN. why",
        ),
    ],
)
def test_what_was_found_is_said_in_full(how, sight, text):
    assert follow(under_way(how=how, title="the title"), sight, NOW).text == text


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.BROKEN, Phase.UNTOUCHABLE])
@pytest.mark.parametrize(
    ("change", "ended_at", "news"),
    [
        ("d-1", NOW - GRACE + timedelta(seconds=1), WAITS),
        ("d-1", NOW - GRACE, News.FAILED),
        ("d-1", None, News.FAILED),
        ("d-2", NOW, News.FAILED),
    ],
)
def test_what_was_stopped_may_name_its_rollback_a_moment_later(phase, change, ended_at, news):
    assert follow(under_way(), a_sight(phase, change, ended_at=ended_at), NOW).news is news


@pytest.mark.parametrize(
    ("target", "deadline"),
    [
        (GROUP, 60),
        (STACK, 360),
        (CodeDeployGroup(application="a", group="g", deadline_minutes=5), 5),
        (CloudFormationStack(stack="s", deadline_minutes=7), 7),
    ],
)
def test_a_rollback_that_takes_too_long_calls_a_person_once_and_is_followed_for_a_day(
    target, deadline
):
    leg, sight, told = under_way(target), a_sight(Phase.RETURNING), []
    for minute in range(26 * 60):
        found = follow(leg, sight, NOW + minute * MINUTE)
        leg = found.leg
        if found.news:
            told.append((minute, found.news))
        if leg.is_over:
            break

    assert told == [(deadline, News.OVERDUE), (24 * 60, News.FAILED)]
    assert leg.state is LegState.FAILED


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (60, "shop/live is still RETURNING 60 min after its way back began at 04:00:00 UTC"),
        (
            24 * 60,
            (
                "shop/live is still RETURNING 24 hours after its way back began at 04:00:00 UTC;"
                " it is followed no more"
            ),
        ),
    ],
)
def test_how_long_it_takes_is_said(minutes, text):
    found = follow(under_way(at=NOW), a_sight(Phase.RETURNING), NOW + minutes * MINUTE)

    assert found.text == text
    assert found.leg.at == (NOW if found.news is News.OVERDUE else NOW + minutes * MINUTE)


def test_a_failed_rollback_calls_a_person_once():
    first = follow(under_way(), a_sight(Phase.STUCK), NOW)
    again = follow(first.leg, a_sight(Phase.STUCK), NOW + 90 * MINUTE)
    much_later = follow(first.leg, a_sight(Phase.STUCK), NOW + LONGEST)

    assert (first.news, again.news) == (News.STUCK, None)
    assert again.leg == first.leg
    assert much_later.news is News.FAILED


def test_a_leg_that_nobody_stamped_waits_from_now_on():
    assert follow(under_way(at=None), a_sight(Phase.RETURNING), NOW + LONGEST).news is None


def test_what_is_no_rollout_has_no_time_to_take():
    found = follow(under_way(TARGET, How.MOVE), a_sight(Phase.RETURNING), NOW)

    assert found.news is News.OVERDUE


def test_a_leg_is_over_once_it_is_back_has_failed_or_was_left():
    over = {state for state in LegState if a_leg(state=state).is_over}

    assert over == {LegState.BACK, LegState.FAILED, LegState.LEFT}


# -- whatever is seen -----------------------------------------------------------------------------

INSTANTS = st.none() | st.integers(-2000, 10).map(lambda minute: NOW + minute * MINUTE)
SIGHTS = st.none() | st.builds(
    a_sight,
    st.sampled_from(Phase),
    st.sampled_from([None, "d-1", "d-2"]),
    began_at=INSTANTS,
    ended_at=INSTANTS,
    driver=st.sampled_from([None, "arn:x"]),
    marker=st.sampled_from([None, "inc-5"]),
    detail=st.sampled_from([(), ("X: because",)]),
)
LEGS = st.builds(
    a_leg,
    st.sampled_from([GROUP, STACK, replace(STACK, continue_rollback=True), TARGET]),
    st.sampled_from(How),
    st.sampled_from(LegState),
    at=INSTANTS,
    called=st.booleans(),
    continued=st.booleans(),
)


@given(LEGS, SIGHTS)
def test_a_look_is_total_and_tells_the_same_only_once(leg, sight):
    leg = replace(leg, state=LegState.UNDER_WAY)
    found = follow(leg, sight, NOW)

    assert found.leg.state is ENDS_AS[found.news]
    assert bool(found.text) is (found.news is not None)
    assert (found.leg.target, found.leg.how, found.leg.change) == (leg.target, leg.how, leg.change)
    assert found.leg.called >= leg.called
    assert found.leg.is_over is (found.leg.state in ENDED)
    if found.news is None:
        assert found.leg == leg
    if not found.leg.is_over:
        assert follow(found.leg, sight, NOW).news is None
    # Nobody is called twice about one leg before it ends.
    assert not (leg.called and found.news in {News.STUCK, News.OVERDUE})


@given(LEGS, SIGHTS)
def test_only_a_rollback_that_is_over_brings_a_leg_back(leg, sight):
    found = follow(replace(leg, state=LegState.UNDER_WAY), sight, NOW)
    if found.news is not News.BACK:
        return
    ours = leg.how is How.REDEPLOY and sight.change == leg.change

    assert sight.phase is (Phase.SETTLED if ours else Phase.RETURNED)


# -- whose turn it is -----------------------------------------------------------------------------

TO_DO, UNDER_WAY = LegState.TO_DO, LegState.UNDER_WAY
BACK, FAILED, LEFT = LegState.BACK, LegState.FAILED, LegState.LEFT


@pytest.mark.parametrize(
    ("states", "stop", "go_on"),
    [
        ((), None, None),
        ((TO_DO,), 0, 0),
        ((TO_DO, TO_DO), 0, 0),
        ((UNDER_WAY, TO_DO), None, None),
        ((BACK, TO_DO), 1, 1),
        ((BACK, UNDER_WAY, TO_DO), None, None),
        ((BACK, BACK, TO_DO), 2, 2),
        ((BACK, BACK), None, None),
        ((FAILED, TO_DO), None, 1),
        ((BACK, FAILED, TO_DO), None, 2),
        ((FAILED, FAILED, TO_DO), None, 2),
        ((FAILED,), None, None),
        ((LEFT, TO_DO), 1, 1),
    ],
)
def test_whose_turn_it_is(states, stop, go_on):
    legs = tuple(a_leg(state=state) for state in states)

    assert (due(legs, STOP_THERE), due(legs, HAND)) == (stop, go_on)


@given(st.lists(LEGS, max_size=5).map(tuple), st.sampled_from(AfterFailure))
def test_one_begins_after_the_other_and_none_after_a_failure_unless_the_policy_says_so(legs, after):
    number = due(legs, after)
    if number is None:
        return
    earlier = [leg.state for leg in legs[:number]]

    assert legs[number].state is TO_DO
    assert not {TO_DO, UNDER_WAY} & set(earlier)
    assert FAILED not in earlier or after is HAND


# -- continuing a failed rollback -----------------------------------------------------------------

MAY = CloudFormationStack(stack="shop", continue_rollback=True)


@pytest.mark.parametrize(
    ("leg", "sight", "number"),
    [
        (under_way(MAY), a_sight(Phase.STUCK), 0),
        (under_way(MAY, called=True), a_sight(Phase.STUCK), 0),
        (under_way(MAY, How.FOLLOW), a_sight(Phase.STUCK), 0),
        (under_way(MAY, continued=True), a_sight(Phase.STUCK), None),
        (under_way(STACK), a_sight(Phase.STUCK), None),
        (under_way(GROUP), a_sight(Phase.STUCK), None),
        (under_way(MAY), a_sight(Phase.RETURNING), None),
        (under_way(MAY), None, None),
        (a_leg(MAY), a_sight(Phase.STUCK), None),
        (a_leg(MAY, state=FAILED), a_sight(Phase.STUCK), None),
        (a_moved_leg(), a_sight(Phase.STUCK), None),
    ],
)
def test_a_failed_rollback_is_continued_once_where_the_policy_says_so(leg, sight, number):
    sights = {leg.target.target_id: sight}

    assert to_continue((leg,), sights) == number
    assert to_continue((leg,), {}) is None
    behind = (a_leg(GROUP, state=BACK), leg)
    assert to_continue(behind, sights) == (None if number is None else 1)
