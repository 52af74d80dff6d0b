"""What is on trial: whoever owns the change is told to stop, and nobody is disturbed twice."""

from datetime import timedelta

import golden
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.assessment import CHANGE_TOLERANCE
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.domain.response import ChangeAges
from rollback_responder.domain.rollout import GRACE, Phase
from rollback_responder.domain.target import AfterSuccess, CloudFormationStack, CodeDeployGroup
from rollback_responder.domain.trial import NoTrial, Returning, Trial, on_trial
from tests.builders import GROUP, MINUTE, NOW, STACK, TARGET, a_release, a_sight, an_observation

SECOND = timedelta(seconds=1)
CHANGE_AGE = 60 * MINUTE
SINCE = NOW - 2 * MINUTE
REDEPLOYED = CodeDeployGroup(application="shop", group="live", after_success=AfterSuccess.REDEPLOY)
OTHER_GROUP = CodeDeployGroup(application="shop", group="batch")
OTHER_STACK = CloudFormationStack(stack="shop-data")
CONTINUED = CloudFormationStack(stack="shop", continue_rollback=True)
ID, ROOT = "arn:stack/shop/1", "arn:stack/root/1"

RUNNING = a_sight()
DONE = a_sight(Phase.SETTLED, ended_at=NOW - 4 * MINUTE)
LONG_AGO = a_sight(Phase.SETTLED, ended_at=NOW - 600 * MINUTE)
QUIET = a_sight(Phase.SETTLED, change=None, began_at=None)
UPDATING = a_sight(change="u-1", identity=ID)
DRIVEN = a_sight(driver=ID)


RELEASE = a_release()


def judged(*sights, pointer=TARGET, release=RELEASE, **changes):
    """What is on trial with these rollouts, beside an alias whose release is five minutes old."""
    given = {
        "sights": sights,
        "pointer": pointer,
        "observation": an_observation() if pointer else None,
        "release": release if pointer else None,
        "alarm_since_at": SINCE,
        "now": NOW,
        "ages": ChangeAges(suspect=CHANGE_AGE, act=CHANGE_AGE),
    }
    return on_trial(**(given | changes))


def told(trial):
    """What would be done, in order: whom, and how."""
    return [(leg.target, leg.how.value) for leg in trial.legs]


# -- who owns the change --------------------------------------------------------------------------

OWNERS = [
    ("nothing else is there", [], [(TARGET, "move")]),
    ("a group that never deployed", [(GROUP, QUIET)], [(TARGET, "move")]),
    ("a deployment that ended long ago", [(GROUP, LONG_AGO)], [(TARGET, "move")]),
    ("a stack that ended long ago", [(STACK, LONG_AGO)], [(TARGET, "move")]),
    ("a stack that finished lately owns no alias", [(STACK, DONE)], [(TARGET, "move")]),
    ("a deployment under way", [(GROUP, RUNNING)], [(GROUP, "stop")]),
    ("an update under way", [(STACK, UPDATING)], [(STACK, "stop")]),
    ("a deployment beside an update of others", [(GROUP, RUNNING), (STACK, UPDATING)],
     [(GROUP, "stop")]),
    ("a deployment that a stack drives", [(STACK, UPDATING), (GROUP, DRIVEN)],
     [(GROUP, "stop"), (STACK, "follow")]),
    ("a deployment whose stack is finishing already",
     [(GROUP, DRIVEN), (STACK, a_sight(Phase.FINISHING, identity=ID))], [(GROUP, "stop")]),
    ("a deployment driven by a stack out of scope", [(GROUP, DRIVEN)], [(GROUP, "stop")]),
    ("two deployments", [(GROUP, RUNNING), (OTHER_GROUP, a_sight(change="d-2"))],
     [(GROUP, "stop"), (OTHER_GROUP, "stop")]),
    ("updates in the policy's order", [(OTHER_STACK, a_sight(change="u-2", identity="arn:2")),
     (STACK, UPDATING)], [(OTHER_STACK, "stop"), (STACK, "stop")]),
    ("a nested stack and its root", [(OTHER_STACK, a_sight(change="u-1", driver=ID)),
     (STACK, UPDATING)], [(STACK, "stop")]),
    ("a finished deployment that may be undone by another", [(REDEPLOYED, DONE)],
     [(REDEPLOYED, "redeploy")]),
    ("what was undone before the alarm",
     [(GROUP, a_sight(Phase.RETURNED, ended_at=SINCE - SECOND))], [(TARGET, "move")]),
    ("what lies broken since long ago",
     [(GROUP, a_sight(Phase.BROKEN, ended_at=NOW - CHANGE_AGE))], [(TARGET, "move")]),
    ("a deployment beside a stack whose rollback failed",
     [(STACK, a_sight(Phase.STUCK)), (GROUP, RUNNING)], [(GROUP, "stop")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sights", "legs"), [row[1:] for row in OWNERS], ids=[row[0] for row in OWNERS]
)
def test_whoever_owns_the_change_is_told(sights, legs):
    trial = judged(*sights)

    assert isinstance(trial, Trial), trial
    assert told(trial) == legs
    assert trial.change == trial.legs[0].change
    assert {leg.state for leg in trial.legs} == {LegState.TO_DO}
    assert trial.why
    assert trial.title
    assert trial.moves_pointer is (legs[0][1] in {"move", "redeploy"})
    # AWS says when a rollout began; of a pointer's deploy the ledger may have heard late.
    assert trial.exact is not trial.moves_pointer


# -- what cannot be undone ------------------------------------------------------------------------

OBJECTIONS = [
    ("gone", [(GROUP, None)], Reason.TARGET_GONE),
    ("gone, beside one under way", [(GROUP, RUNNING), (STACK, None)], Reason.TARGET_GONE),
    ("an unknown word", [(GROUP, a_sight(Phase.UNKNOWN))], Reason.UNKNOWN_STATUS),
    ("an unknown word beside one under way",
     [(GROUP, RUNNING), (STACK, a_sight(Phase.UNKNOWN))], Reason.UNKNOWN_STATUS),
    ("no begin", [(GROUP, a_sight(began_at=None))], Reason.UNKNOWN_STATUS),
    ("no begin of the second", [(STACK, UPDATING), (OTHER_STACK, a_sight(began_at=None))],
     Reason.UNKNOWN_STATUS),
    ("just finishing", [(STACK, a_sight(Phase.FINISHING))], Reason.CHANGE_FINISHING),
    ("finishing in front of another update",
     [(STACK, a_sight(Phase.FINISHING)), (OTHER_STACK, UPDATING)], Reason.CHANGE_FINISHING),
    ("broken a moment ago",
     [(GROUP, a_sight(Phase.BROKEN, ended_at=NOW - GRACE + SECOND))], Reason.CHANGE_FINISHING),
    ("broken lately", [(GROUP, a_sight(Phase.BROKEN, ended_at=NOW - GRACE))],
     Reason.CHANGE_BROKEN),
    ("broken just within the age of a change",
     [(GROUP, a_sight(Phase.BROKEN, ended_at=NOW - CHANGE_AGE + SECOND))], Reason.CHANGE_BROKEN),
    ("broken, nobody says when", [(STACK, a_sight(Phase.BROKEN))], Reason.CHANGE_BROKEN),
    ("a failed rollback that nobody follows", [(STACK, a_sight(Phase.STUCK))],
     Reason.CHANGE_BROKEN),
    ("a failed rollback in front of an update",
     [(STACK, a_sight(Phase.STUCK)), (OTHER_STACK, UPDATING)], Reason.CHANGE_BROKEN),
    ("being made", [(STACK, a_sight(Phase.UNTOUCHABLE))], Reason.NOT_STOPPABLE),
    ("being made beside an update",
     [(STACK, UPDATING), (OTHER_STACK, a_sight(Phase.UNTOUCHABLE))], Reason.NOT_STOPPABLE),
    ("nested under a stack out of scope", [(STACK, a_sight(driver=ROOT))],
     Reason.ROOT_NOT_IN_SCOPE),
    ("nested beside a root of another",
     [(OTHER_STACK, a_sight(driver=ROOT)), (STACK, UPDATING)], Reason.ROOT_NOT_IN_SCOPE),
    ("nested under a root that is not being updated",
     [(OTHER_STACK, a_sight(driver=ID)), (STACK, a_sight(Phase.SETTLED, identity=ID))],
     Reason.ROOT_NOT_IN_SCOPE),
    ("a finished deployment that only a person may undo", [(GROUP, DONE)],
     Reason.CHANGE_FINISHED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sights", "reason"), [row[1:] for row in OBJECTIONS], ids=[row[0] for row in OBJECTIONS]
)
def test_what_cannot_be_undone_is_said(sights, reason):
    found = judged(*sights)

    assert isinstance(found, NoTrial), found
    assert found.reason is reason
    assert found.text


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"pointer": None, "release": None}, Reason.NO_RECENT_CHANGE),
        ({"release": None}, Reason.TARGET_GONE),
    ],
)
def test_where_nothing_is_there_to_be_undone(given, reason):
    assert judged(**given).reason is reason


@pytest.mark.parametrize(
    "sight", [QUIET, LONG_AGO, a_sight(Phase.SETTLED, began_at=NOW - CHANGE_AGE)]
)
def test_what_finished_long_ago_is_no_recent_change(sight):
    found = judged((STACK, sight), pointer=None)

    assert found.reason is Reason.NO_RECENT_CHANGE


@pytest.mark.parametrize("pointer", [None, TARGET])
def test_a_finished_change_without_a_release_behind_it_is_for_a_person(pointer):
    """Also where the policy would have it redeployed: nobody knows which version was before."""
    # A stack does not say when its update ended; that was after it began.
    updated = a_sight(Phase.SETTLED)
    for target, sight in ((GROUP, DONE), (REDEPLOYED, DONE), (STACK, DONE), (STACK, updated)):
        found = judged((target, sight), pointer=pointer, release=None)

        assert (found.reason, found.change) == (Reason.CHANGE_FINISHED, "d-1")
        assert target.title in found.text


@pytest.mark.parametrize(
    ("ended_at", "how"),
    [
        (NOW - CHANGE_AGE, How.MOVE),
        (NOW - CHANGE_AGE + SECOND, How.REDEPLOY),
        (a_release().since_at - 20 * MINUTE, How.REDEPLOY),
        (NOW, How.REDEPLOY),
    ],
)
def test_a_deployment_owns_the_release_that_it_may_have_put_there(ended_at, how):
    """Also one that ended long before the release was first seen: the ledger may hear late."""
    (leg,) = judged((REDEPLOYED, a_sight(Phase.SETTLED, ended_at=ended_at))).legs

    assert leg.how is how
    assert leg.change == a_release().key


# -- what goes back already -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sights", "legs", "over"),
    [
        ([(GROUP, a_sight(Phase.RETURNING))], [(GROUP, "follow")], False),
        # Only where the policy lets us continue it.
        ([(CONTINUED, a_sight(Phase.STUCK))], [(CONTINUED, "follow")], False),
        ([(GROUP, a_sight(Phase.RETURNED, ended_at=SINCE))], [(GROUP, "follow")], True),
        # Our own deployment that leads back reads like any other, but for its mark.
        ([(GROUP, a_sight(marker="inc-5"))], [(GROUP, "redeploy")], False),
        # So does a person's, whose AppSpec says it.
        ([(GROUP, a_sight(leads_back=True))], [(GROUP, "redeploy")], False),
        (
            [(GROUP, a_sight(Phase.RETURNING)), (STACK, a_sight(Phase.RETURNING))],
            [(GROUP, "follow"), (STACK, "follow")],
            False,
        ),
        # What goes back comes before what has just begun.
        ([(GROUP, RUNNING), (STACK, a_sight(Phase.RETURNING))], [(STACK, "follow")], False),
        (
            [(GROUP, a_sight(Phase.RETURNED, ended_at=NOW)), (STACK, a_sight(Phase.RETURNING))],
            [(STACK, "follow")],
            False,
        ),
        (
            [(STACK, a_sight(Phase.FINISHING)), (GROUP, a_sight(Phase.RETURNING))],
            [(GROUP, "follow")],
            False,
        ),
    ],
)
def test_a_rollback_under_way_or_just_over_is_followed(sights, legs, over):
    found = judged(*sights)

    assert isinstance(found, Returning)
    assert (told(found), found.over) == (legs, over)
    assert found.change == found.legs[0].change
    assert all(sight.status in found.text for target, sight in sights if (target, "follow") in legs)


@pytest.mark.parametrize(
    "sight",
    [
        a_sight(Phase.RETURNED),
        a_sight(Phase.RETURNED, ended_at=SINCE - SECOND),
        a_sight(Phase.SETTLED, marker="inc-5"),
    ],
)
def test_a_rollback_that_was_over_before_the_alarm_is_not_what_it_is_about(sight):
    assert not isinstance(judged((GROUP, sight)), Returning)


def test_a_deployment_that_shifts_an_alias_to_an_older_version_is_followed():
    back = judged((GROUP, RUNNING), observation=an_observation("2", other="1"))
    forward = judged((GROUP, RUNNING), observation=an_observation("1", other="2"))

    assert isinstance(back, Returning)
    assert told(back) == [(GROUP, "redeploy")]
    assert told(forward) == [(GROUP, "stop")]


def test_weights_say_nothing_about_a_stack():
    found = judged((STACK, UPDATING), observation=an_observation("2", other="1"))

    assert told(found) == [(STACK, "stop")]


@pytest.mark.parametrize("began_at", [None, NOW - CHANGE_AGE])
def test_a_rollback_that_failed_long_ago_is_not_gone_on_with(began_at):
    found = judged((CONTINUED, a_sight(Phase.STUCK, began_at=began_at)))

    assert found.reason is Reason.CHANGE_BROKEN


@pytest.mark.parametrize(
    ("release", "cancelled"),
    [
        (a_release(since_at=UPDATING.began_at - CHANGE_TOLERANCE - SECOND), False),
        (a_release(since_at=UPDATING.began_at - CHANGE_TOLERANCE), True),
        (a_release(since_at=NOW - CHANGE_AGE, proven_at=NOW - CHANGE_AGE), True),
        (a_release(since_at=NOW - CHANGE_AGE, origin=Origin.FIRST_SEEN), True),
        (None, True),
    ],
)
def test_an_update_is_not_cancelled_for_what_a_release_before_it_may_have_done(release, cancelled):
    found = judged((STACK, UPDATING), release=release)

    assert isinstance(found, Trial) is cancelled
    if not cancelled:
        assert (found.reason, found.change) == (Reason.INCONCLUSIVE, UPDATING.change)


# -- in words -------------------------------------------------------------------------------------

OLDER = a_release(since_at=NOW - CHANGE_AGE)
MORE = [
    ("no pointer, no change", [], {"pointer": None, "release": None}),
    ("an alias that is gone", [], {"release": None}),
    ("nothing behind a finished deployment", [(REDEPLOYED, DONE)], {"release": None}),
    ("a deployment that leads back", [(GROUP, a_sight(leads_back=True))], {}),
    (
        "two that go back",
        [(GROUP, a_sight(Phase.RETURNING)), (STACK, a_sight(Phase.RETURNING))],
        {},
    ),
    ("an update after an older release", [(STACK, UPDATING)], {"release": OLDER}),
    (
        "an update after a release that was put back",
        [(STACK, UPDATING)],
        {"release": replace(OLDER, origin=Origin.PUT_BACK)},
    ),
    ("a finished deployment beside a finished stack", [(STACK, DONE), (REDEPLOYED, DONE)], {}),
]


def described(found):
    """All that is said of it, and all that is not among what its legs are."""
    match found:
        case Trial():
            yield f"{found.title}, since {found.since_at:%H:%M}: {found.scope}"
            yield found.why
            yield from (f"{leg.how}: {leg.title}" for leg in found.legs)
        case Returning():
            yield f"goes back: {found.text}"
        case NoTrial():
            yield f"{found.reason}: {found.text} ({found.change})"


def test_what_is_on_trial_is_said_with_why():
    """Word for word: `GOLDEN=write` writes it anew."""
    rows = [(name, judged(*sights)) for name, sights, *_ in (*OWNERS, *OBJECTIONS)]
    rows += [(name, judged(*sights, **given)) for name, sights, given in MORE]
    golden.check(
        "on_trial.txt",
        "\n".join("\n    ".join([name, *described(found)]) + "\n" for name, found in rows),
    )


def test_only_of_a_rollout_is_it_known_to_the_second_when_it_began():
    assert judged((GROUP, RUNNING)).exact is True
    assert judged().exact is False


def test_a_trial_is_as_old_as_its_oldest_change_and_says_all_it_is_about():
    older = a_sight(change="u-2", began_at=NOW - 9 * MINUTE, identity="arn:2", note="slow")
    trial = judged((STACK, UPDATING), (OTHER_STACK, older))

    assert trial.since_at == NOW - 9 * MINUTE
    assert trial.title == "the update of stack shop and the update of stack shop-data"
    assert trial.why.endswith(". slow")
    assert trial.change == "u-1"


def test_a_driver_that_unwinds_by_itself_is_named_but_not_as_what_is_stopped():
    trial = judged((GROUP, DRIVEN), (STACK, UPDATING))

    assert trial.title == "deployment d-1"
    assert "unwinds by itself" in trial.why
    assert trial.legs[1].title == "the update of stack shop"


def test_a_rollout_without_a_change_is_named_by_its_status():
    (leg,) = judged((CONTINUED, a_sight(Phase.STUCK, change=None))).legs

    assert leg.change == "STUCK"


def test_a_failed_rollback_is_told_with_all_that_a_person_needs():
    stuck = a_sight(Phase.STUCK, detail=("Function: the layer was deleted", "run: aws ..."))
    found = judged((STACK, stuck))

    assert found.text == "stack shop is STUCK. Function: the layer was deleted. run: aws ..."
    assert found.change == "d-1"


# -- whatever is seen -----------------------------------------------------------------------------

LONG_BEFORE = NOW - 100 * CHANGE_AGE
INSTANTS = st.none() | st.integers(-100, 1).map(lambda minute: NOW + minute * MINUTE)
ROLLOUTS = st.sampled_from([GROUP, REDEPLOYED, OTHER_GROUP, STACK, CONTINUED, OTHER_STACK])
SIGHTS = st.builds(
    a_sight,
    st.sampled_from(Phase),
    st.sampled_from([None, "d-1", "d-2"]),
    began_at=INSTANTS,
    ended_at=INSTANTS,
    driver=st.sampled_from([None, None, ID, ROOT]),
    identity=st.sampled_from([None, ID, ROOT]),
    marker=st.sampled_from([None, None, "inc-5"]),
    leads_back=st.sampled_from([False, False, True]),
    note=st.sampled_from([None, "slow"]),
)
SEEN = st.lists(
    st.tuples(ROLLOUTS, st.none() | SIGHTS),
    max_size=4,
    unique_by=lambda pair: pair[0].target_id,
)
RELEASES = st.none() | st.builds(
    a_release, st.sampled_from(["1", "2"]), origin=st.sampled_from(Origin)
)


@given(SEEN, RELEASES, st.booleans())
def test_a_trial_touches_only_what_can_be_stopped_or_is_nobodys(sights, release, has_pointer):
    pointer = TARGET if has_pointer else None
    found = judged(*sights, pointer=pointer, release=release)
    if not isinstance(found, Trial):
        assert found.text
        return
    known = dict(sights)
    assert None not in known.values()
    phases = {sight.phase for sight in known.values()}

    assert not phases & {Phase.UNKNOWN, Phase.RETURNING}
    stuck = [target for target, sight in sights if sight.phase is Phase.STUCK]
    assert not any(isinstance(t, CloudFormationStack) and t.continue_rollback for t in stuck)
    assert found.legs[0].how is not How.FOLLOW
    for leg in found.legs:
        if leg.how is How.STOP:
            assert known[leg.target].phase is Phase.RUNNING
            assert known[leg.target].change in {leg.change, None}
            # CloudFormation's own deployments may be stopped, its nested stacks may not.
            assert isinstance(leg.target, CodeDeployGroup) or known[leg.target].driver is None
    if found.moves_pointer:
        (leg,) = found.legs
        assert pointer is not None
        assert found.change == release.key
        assert Phase.RUNNING not in phases
        assert not phases & {Phase.FINISHING, Phase.UNTOUCHABLE, Phase.STUCK}
        # An alias behind which a deployment has ended lately is never moved behind its back.
        ended = [
            sight.ended_at or sight.began_at or LONG_BEFORE
            for target, sight in sights
            if isinstance(target, CodeDeployGroup) and sight.phase is Phase.SETTLED
        ]
        assert leg.how is How.REDEPLOY or all(at <= NOW - CHANGE_AGE for at in ended)
    else:
        began = [known[leg.target].began_at for leg in found.legs if leg.how is How.STOP]
        assert found.since_at == min(began)


@given(SEEN, RELEASES)
def test_a_deployment_and_the_stacks_beside_it_are_never_both_stopped(sights, release):
    found = judged(*sights, release=release)
    if isinstance(found, Trial):
        stopped = {type(leg.target) for leg in found.legs if leg.how is not How.FOLLOW}

        assert len(stopped) == 1
