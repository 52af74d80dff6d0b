"""The bookkeeping of one look: recovery before any gate, and what answers for what."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rollback_responder.domain.case import (
    Case,
    answering,
    incident_of,
    live_order,
    said,
    seen,
    stepped,
)
from rollback_responder.domain.controls import Approval, Controls, RollbackOrdered
from rollback_responder.domain.going_back import adopted, moved, stopped
from rollback_responder.domain.holding import answered, asked, must_wait, stood_down, unclear
from rollback_responder.domain.incident import Answered, Incident, State, Step
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.policy import AfterFailure, Guardrails
from rollback_responder.domain.reason import UNDECIDED, Reason
from rollback_responder.domain.recording import Recording, Scale, Track
from rollback_responder.domain.recovery import recovered
from rollback_responder.domain.release import Ledger, Origin, seen_rollout
from rollback_responder.domain.response import Mode, Responses, Severity
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import Ask, RollBack, StandDown, Switches
from rollback_responder.domain.target import CloudFormationStack
from rollback_responder.domain.trial import Returning, Trial
from rollback_responder.domain.trigger import ErrorRate
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_ledger,
    a_leg,
    a_policy,
    a_release,
    a_rolled_back_incident,
    a_sight,
    a_trial,
    an_alarm,
    an_assessment,
    an_attempt,
    an_incident,
    an_observation,
)

(WATCHED,) = a_policy().watched()
ROLLOUTS = [
    {"kind": "codedeploy_group", "application": "shop", "group": "live"},
    {"kind": "cloudformation_stack", "stack": "shop"},
]
OTHER_STACK = CloudFormationStack(stack="shop-data")
ALIAS = {"kind": "lambda_alias", "function": "shop", "alias": "live"}
ADOPTED = {"kind": "alarm", "name": "legacy"}


def watched_with(*targets, trigger=ADOPTED):
    service = {"name": "shop", "targets": list(targets), "triggers": [trigger]}
    (watched,) = a_policy(services=[service]).watched()
    return watched


SHOP = TARGET.target_id


def a_case(**changes):
    """Of an alias alone, unless `sights` are given; those are known from before, unless said."""
    sights = changes.get("sights", ())
    known = {SHOP: a_ledger()} | {
        rollout.target_id: seen_rollout(Ledger(), sight) for rollout, sight in sights if sight
    }
    given = {
        "watched": WATCHED,
        "environment": "prod",
        "mode": Mode.ENFORCE,
        "guardrails": Guardrails(),
        "responses": Responses(),
        "switches": Switches(),
        "now": NOW,
        "claim_id": "inc-9",
        "inherited": (),
        "written": known,
        "ledgers": known,
        "incident": None,
        "controls": Controls(),
        "alarm": an_alarm(),
        "observation": an_observation(),
        "sights": (),
    }
    return Case(**(given | changes))


MOVED = an_observation("1", revision="r2", marker="inc-5")
ROLL_BACK = RollBack(reason=Reason.METRIC_BREACHING, trial=a_trial(), to_version="1")
MOVED_BY_OTHERS = an_observation("3", revision="r3")
CLOSED = an_incident((State.STOOD_DOWN, Reason.COOLDOWN))
UNDECIDED_INCIDENT = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))


def test_where_nothing_was_inherited_nothing_is_recovered():
    assert recovered(a_case(observation=MOVED)) is None


KNOWN = {SHOP: a_ledger(revision="r2")}


@pytest.mark.parametrize(
    ("incident", "is_told"),
    [
        (None, True),
        (CLOSED, True),
        (replace(UNDECIDED_INCIDENT, lost=(an_attempt(revision="r2"),)), True),
        (replace(UNDECIDED_INCIDENT, lost=(an_attempt(revision="r1"),)), False),
        (UNDECIDED_INCIDENT, False),
    ],
)
def test_a_claim_that_lands_once_more_finds_nothing_new(incident, is_told):
    """The journal knew where the attempt had put the alias before the claim was made again."""
    case = a_case(inherited=("inc-5",), observation=MOVED, incident=incident, written=KNOWN)

    assert (recovered(case) is None) is is_told


@pytest.mark.parametrize(
    ("origin", "is_ordered", "revision"),
    [
        (Origin.DEPLOYED, False, "r1"),
        (Origin.PUT_BACK, False, "r3"),
        (Origin.PUT_BACK, True, "r1"),
        (Origin.FIRST_SEEN, True, "r1"),
        (Origin.DEPLOYED, True, "r1"),
        (Origin.ROLLED_BACK, True, "r3"),
    ],
)
def test_an_attempt_moved_from_what_was_written_if_it_may_have_moved_that(
    origin, is_ordered, revision
):
    order = RollbackOrdered(by="ann", at=NOW, changes=("x",), alarm_name=WATCHED.alarm_name)
    controls = Controls(rollback=order if is_ordered else None)
    written = {SHOP: a_ledger(current=a_release(origin=origin))}
    case = a_case(
        inherited=("inc-5",), written=written, controls=controls, observation=MOVED_BY_OTHERS
    )

    assert case.lost[0].revision == revision


def test_an_order_that_was_answered_moves_nothing_any_more():
    order = RollbackOrdered(by="ann", at=NOW, changes=("x",), alarm_name=WATCHED.alarm_name)
    case = a_case(
        inherited=("inc-5",),
        written={SHOP: a_ledger(current=a_release(origin=Origin.PUT_BACK))},
        controls=Controls(rollback=order),
        observation=MOVED_BY_OTHERS,
        incident=replace(CLOSED, order_at=NOW),
    )

    assert case.lost[0].revision == "r3"
    assert case.ordered is None


def test_an_unchanged_revision_proves_that_nobody_acted():
    assert recovered(a_case(inherited=("inc-5",))) is None


@pytest.mark.parametrize("inherited", [("inc-5",), ("inc-4", "inc-5")])
def test_the_marker_proves_that_it_acted(inherited):
    entry = recovered(a_case(inherited=inherited, observation=MOVED))

    assert (entry.incident.state, entry.incident.reason) == (State.WATCHING, Reason.FOUND_DONE)
    assert (entry.incident.release.version, entry.incident.to_version) == ("2", "1")
    assert entry.ledgers[SHOP].acted == (a_release().key,)
    assert entry.ledgers[SHOP].bad[0].version == "2"


def test_the_marker_proves_it_even_if_nothing_was_known_before():
    entry = recovered(a_case(inherited=("inc-5",), observation=MOVED, written={}))

    assert entry.incident.state is State.WATCHING
    assert "from version unknown to 1" in entry.text


@pytest.mark.parametrize(
    "observation",
    [an_observation("3", revision="r3"), an_observation("1", revision="r3", marker="inc-1")],
)
def test_anything_else_is_indeterminate_and_counts_as_acted(observation):
    entry = recovered(a_case(inherited=("inc-5",), observation=observation))

    assert (entry.incident.state, entry.incident.reason) == (
        State.INDETERMINATE,
        Reason.RESULT_UNKNOWN,
    )
    assert "inc-5" in entry.text
    assert entry.ledgers[SHOP].acted == (a_release().key,)
    assert entry.ledgers[SHOP].acted_at == (NOW,)


def test_what_is_gone_proves_nothing_and_is_not_called_a_refusal_while_it_may_matter():
    case = a_case(inherited=("inc-5",), observation=None)

    assert recovered(case) is None
    assert stood_down(
        case, an_assessment(), StandDown(reason=Reason.TARGET_GONE, text="so")
    ).incident.is_open


@pytest.mark.parametrize(
    ("current", "revision"),
    [
        (a_release(), "r1"),
        (a_release(proven_at=NOW), "r1"),
        (a_release(origin=Origin.ROLLED_BACK), "r9"),
        (a_release(origin=Origin.FIRST_SEEN), "r9"),
        (None, "r9"),
    ],
)
def test_an_attempt_moved_from_the_written_release_or_from_none(current, revision):
    """It writes down what it sees before it moves a pointer, and would move from no other."""
    written = {SHOP: a_ledger(current=current)}
    case = a_case(inherited=("inc-5",), written=written, observation=an_observation(revision="r9"))

    assert [attempt.revision for attempt in case.lost] == [revision]
    assert (recovered(case) is None) is (revision == "r9")
    unseen = a_case(inherited=("inc-5",), written=written, observation=None)
    assert [attempt.revision for attempt in unseen.lost] == [None if revision == "r9" else "r1"]


@pytest.mark.parametrize(("minutes", "doubted"), [(29, True), (30, False)])
def test_what_changes_after_nothing_can_land_any_more_is_somebody_elses(minutes, doubted):
    pending = replace(UNDECIDED_INCIDENT, lost=(an_attempt(),))
    case = a_case(incident=pending, observation=MOVED_BY_OTHERS, now=NOW + minutes * MINUTE)

    assert (recovered(case) is not None) is doubted


def test_a_move_is_found_done_also_after_the_watcher_has_seen_it():
    """The ledger has the version it led to by then; the incident knows where it came from."""
    pending = replace(UNDECIDED_INCIDENT, lost=(an_attempt(),))
    led_to = a_ledger(current=a_release("1", since_at=NOW, origin=Origin.ROLLED_BACK))
    entry = recovered(a_case(incident=pending, observation=MOVED, written={SHOP: led_to}))

    assert entry.incident.state is State.WATCHING
    assert (entry.incident.release.version, entry.incident.to_version) == ("2", "1")
    assert entry.ledgers[SHOP].bad[0].version == "2"


def test_an_open_incident_is_carried_on_for_the_alarm_it_is_about():
    pending = replace(UNDECIDED_INCIDENT, alarm_name="its own")
    entry = recovered(a_case(inherited=("inc-5",), observation=MOVED, incident=pending))

    assert (entry.incident.id, entry.incident.alarm_name) == ("inc-1", "its own")


@pytest.mark.parametrize("observation", [MOVED, None, an_observation("3", revision="r3")])
def test_while_a_rollback_is_verified_there_is_nothing_to_settle(observation):
    case = a_case(inherited=("inc-5",), incident=a_rolled_back_incident(), observation=observation)
    assert recovered(case) is None
    following = an_incident((State.ROLLING_BACK, Reason.ROLLBACK_ADOPTED), lost=(an_attempt(),))
    assert recovered(replace(case, incident=following)) is None


@pytest.mark.parametrize(("minutes", "gives_up"), [(14, False), (15, True)])
def test_without_a_clear_answer_a_person_is_asked_after_a_while(minutes, gives_up):
    pending = an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR))
    case = a_case(inherited=("a",), incident=pending, now=NOW + minutes * MINUTE)
    entry = recovered(case)

    assert (entry is not None) is gives_up
    if entry:
        # Its last call may still land, so nobody says that nothing was done.
        assert (entry.incident.state, entry.incident.reason) == (
            State.INDETERMINATE,
            Reason.ACTION_UNCLEAR,
        )
        assert entry.incident.needs_a_person


# -- recovering rollouts --------------------------------------------------------------------------

EVERYTHING = watched_with(*ROLLOUTS, ALIAS)
UPDATING = a_sight(change="u-1", identity="arn:stack")


def seen_before(*sights):
    """The ledgers after rollouts were seen so."""
    return {SHOP: a_ledger()} | {
        rollout.target_id: seen_rollout(Ledger(), sight)
        for rollout, sight in zip((GROUP, STACK), sights, strict=False)
        if sight
    }


def rollout_case(before, now, **changes):
    """The group's and the stack's sights as they were written, and as they are now."""
    given = {
        "watched": EVERYTHING,
        "written": seen_before(*before),
        "sights": tuple(zip((GROUP, STACK), now, strict=False)),
        "inherited": ("inc-5",),
    } | changes
    case = a_case(**given)
    ledgers = seen(case.written, case.watched.pointer, case.observation, case.sights, case.now)
    return replace(case, ledgers=ledgers)


RUNS, DRIVEN = a_sight(), a_sight(change="u-1", driver="arn:root")
GOES_BACK, IS_BACK, STUCK = (
    a_sight(phase) for phase in (Phase.RETURNING, Phase.RETURNED, Phase.STUCK)
)
UNDONE = a_sight(Phase.RETURNING, "u-1")
FINISHED, BROKE = a_sight(Phase.SETTLED), a_sight(Phase.BROKEN)
OURS = a_sight(change="d-2", marker="inc-5")
FOLLOW, STOP, AGAIN = How.FOLLOW, How.STOP, How.REDEPLOY
DONE, DOUBT, NOTHING = "done", "doubt", None


@pytest.mark.parametrize(
    ("before", "now", "found", "legs"),
    [
        ([RUNS], [RUNS], NOTHING, ()),
        ([RUNS], [GOES_BACK], DONE, [(GROUP, FOLLOW)]),
        ([RUNS], [IS_BACK], DONE, [(GROUP, FOLLOW)]),
        ([RUNS], [STUCK], DONE, [(GROUP, FOLLOW)]),
        # It was not stopped, or not by an order that anybody can see.
        ([RUNS], [FINISHED], NOTHING, ()),
        ([RUNS], [BROKE], NOTHING, ()),
        # Another change hides it.
        ([RUNS], [a_sight(change="d-2")], DOUBT, ()),
        ([RUNS], [None], DOUBT, ()),
        ([RUNS], [a_sight(Phase.RETURNING, "d-2")], DOUBT, ()),
        # Nothing was running, so there was nothing to stop.
        ([FINISHED], [a_sight(Phase.RETURNING, "d-2")], NOTHING, ()),
        ([FINISHED], [GOES_BACK], NOTHING, ()),
        ([None], [GOES_BACK], NOTHING, ()),
        # Its mark says whose deployment it is.
        ([FINISHED], [OURS], DONE, [(GROUP, AGAIN)]),
        ([FINISHED], [replace(OURS, marker="inc-4")], NOTHING, ()),
        # The others are still to be stopped, but for those that go back with their root.
        ([RUNS, UPDATING], [GOES_BACK, UPDATING], DONE, [(GROUP, FOLLOW), (STACK, STOP)]),
        ([RUNS, DRIVEN], [GOES_BACK, DRIVEN], DONE, [(GROUP, FOLLOW)]),
        ([RUNS, a_sight(Phase.SETTLED, "u-0")], [GOES_BACK, UPDATING], DONE, [(GROUP, FOLLOW)]),
        ([RUNS, UPDATING], [RUNS, UPDATING], NOTHING, ()),
        ([RUNS, UPDATING], [None, a_sight(Phase.RETURNED, "u-1")], DONE, [(STACK, FOLLOW)]),
        ([RUNS], [a_sight(Phase.RETURNING, None)], DOUBT, ()),
        # Whatever the first shows, the second is looked at.
        ([FINISHED, UPDATING], [FINISHED, UNDONE], DONE, [(STACK, FOLLOW)]),
    ],
)
def test_what_a_lost_attempt_is_known_to_have_done_to_rollouts(before, now, found, legs):
    case = rollout_case(before, now)
    entry = recovered(case)

    assert (entry is None) is (found is NOTHING)
    if entry is None:
        return
    incident = entry.incident
    assert incident.lost == case.lost
    if found is DOUBT:
        assert (incident.state, incident.reason) == (State.INDETERMINATE, Reason.RESULT_UNKNOWN)
        assert "d-1 can no longer be seen" in entry.text
        return
    assert (incident.state, incident.reason) == (State.ROLLING_BACK, Reason.FOUND_DONE)
    assert [(leg.target, leg.how) for leg in incident.legs] == legs
    assert incident.acted_at == NOW
    assert incident.change == incident.legs[0].change
    for leg in incident.legs:
        under_way = leg.how is not STOP
        assert leg.state is (LegState.UNDER_WAY if under_way else LegState.TO_DO)


def test_a_pointer_that_moves_while_a_deployment_runs_is_the_deployments_doing():
    assert recovered(rollout_case([RUNS], [RUNS], observation=MOVED_BY_OTHERS)) is None
    assert recovered(rollout_case([FINISHED], [FINISHED], observation=MOVED_BY_OTHERS))


def test_a_doubt_where_there_is_no_pointer_marks_none():
    case = rollout_case(
        [RUNS], [None], watched=watched_with(*ROLLOUTS), observation=None, alarm=None
    )
    entry = recovered(case)

    assert entry.incident.state is State.INDETERMINATE
    assert entry.ledgers == case.ledgers
    assert entry.incident.target == GROUP


def test_a_lost_attempt_is_remembered_once_with_what_it_may_have_stopped():
    pending = replace(UNDECIDED_INCIDENT, lost=(an_attempt("inc-4", changes=("d-0",)),))
    case = rollout_case([RUNS, UPDATING], [RUNS, UPDATING], incident=pending)
    both = replace(case, inherited=("inc-4", "inc-5"))

    assert both.lost == case.lost
    assert [(a.claim_id, a.changes) for a in case.lost] == [
        ("inc-4", ("d-0",)),
        ("inc-5", ("d-1", "u-1")),
    ]
    closed = replace(case, incident=CLOSED)
    assert [attempt.claim_id for attempt in closed.lost] == ["inc-5"]


# -- what answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("incident", "alarm", "answers"),
    [
        (None, an_alarm(), False),
        (a_rolled_back_incident(), an_alarm(), True),
        (a_rolled_back_incident(), None, True),
        (UNDECIDED_INCIDENT, an_alarm(), False),
        (CLOSED, an_alarm(), True),
        (CLOSED, an_alarm(transitioned_at=NOW), False),
        (CLOSED, None, False),
        (an_incident((State.STOOD_DOWN, Reason.ALARM_GONE)), None, True),
        (an_incident((State.STOOD_DOWN, Reason.ALARM_GONE), alarm_name="x"), None, False),
        # About where an earlier one led.
        (a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)), an_alarm(), True),
    ],
)
def test_which_incident_answers(incident, alarm, answers):
    entry = answered(a_case(incident=incident, alarm=alarm))

    assert (entry is not None) is answers
    assert entry is None or entry.incident is incident


@pytest.mark.parametrize("alarm", [an_alarm(), None])
@pytest.mark.parametrize(
    "incident", [CLOSED, UNDECIDED_INCIDENT, an_incident((State.STOOD_DOWN, Reason.ALARM_GONE))]
)
def test_while_an_attempt_is_not_settled_nothing_closed_answers(incident, alarm):
    assert answered(a_case(incident=incident, inherited=("inc-5",), alarm=alarm)) is None


def test_where_it_led_is_known_to_the_incident_that_follows():
    """The version that was moved back to is what the alarm is on by then."""
    there = a_release("1", since_at=NOW, origin=Origin.ROLLED_BACK)
    before = a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS))
    ledgers = {SHOP: a_ledger(current=there)}
    case = a_case(incident=before, ledgers=ledgers, observation=MOVED)

    assert case.covering is before
    later = replace(case, alarm=an_alarm(transitioned_at=NOW + MINUTE))
    assert [answer.change for answer in incident_of(later).answered] == [there.key]


# -- standing down --------------------------------------------------------------------------------


def standing_down(reason, **changes):
    decision = StandDown(reason=reason, text="so")
    return stood_down(a_case(**changes), an_assessment(), decision)


@pytest.mark.parametrize("reason", Reason)
def test_a_new_incident_is_open_only_while_it_may_go_either_way(reason):
    entry = standing_down(reason)
    if reason is Reason.ALARM_NOT_FIRING:
        assert entry.incident is None
        return
    expected = State.UNDECIDED if reason in UNDECIDED else State.STOOD_DOWN
    assert entry.incident.state is expected


@pytest.mark.parametrize(
    ("minutes", "state"), [(14, State.UNDECIDED), (15, State.STOOD_DOWN), (99, State.STOOD_DOWN)]
)
def test_an_undecided_incident_is_closed_in_time(minutes, state):
    entry = standing_down(
        Reason.INCONCLUSIVE, incident=UNDECIDED_INCIDENT, now=NOW + minutes * MINUTE
    )
    assert entry.incident.state is state


def test_the_same_reason_again_is_no_new_step_but_new_numbers():
    entry = standing_down(Reason.INCONCLUSIVE, incident=UNDECIDED_INCIDENT)

    assert entry.incident.steps == UNDECIDED_INCIDENT.steps
    assert entry.incident.assessment == an_assessment()


def test_another_reason_is_a_new_step():
    entry = standing_down(Reason.METRIC_HEALTHY, incident=UNDECIDED_INCIDENT)

    assert [s.reason for s in entry.incident.steps] == [
        Reason.INCONCLUSIVE,
        Reason.METRIC_HEALTHY,
    ]


def test_an_alarm_that_fell_silent_closes_its_incident_with_the_onset_it_had():
    quiet = an_alarm(AlarmState.OK, transitioned_at=NOW)
    entry = standing_down(Reason.ALARM_NOT_FIRING, incident=UNDECIDED_INCIDENT, alarm=quiet)

    assert entry.incident.state is State.STOOD_DOWN
    assert entry.incident.alarm_since_at == UNDECIDED_INCIDENT.alarm_since_at


@pytest.mark.parametrize(("minutes", "touched"), [(14, False), (15, True)])
def test_an_incident_of_another_alarm_is_left_alone_while_it_is_in_time(minutes, touched):
    other = replace(UNDECIDED_INCIDENT, alarm_name="other")
    entry = standing_down(Reason.COOLDOWN, incident=other, now=NOW + minutes * MINUTE)

    assert (entry.incident != other) is touched
    if touched:
        assert entry.incident.alarm_name == WATCHED.alarm_name
        assert not entry.incident.is_open


@pytest.mark.parametrize(("minutes", "is_open"), [(29, True), (30, False)])
@pytest.mark.parametrize("reason", [Reason.COOLDOWN, Reason.ALARM_NOT_FIRING, Reason.TARGET_GONE])
def test_while_a_call_may_still_land_nobody_says_that_nothing_was_done(reason, minutes, is_open):
    pending = replace(UNDECIDED_INCIDENT, lost=(an_attempt(),))
    entry = standing_down(reason, incident=pending, now=NOW + minutes * MINUTE)

    assert entry.incident.is_open is is_open
    assert entry.incident.reason is reason
    assert entry.incident.lost == pending.lost


def test_an_alarm_that_fell_silent_opens_an_incident_only_for_a_lost_attempt():
    quiet = an_alarm(AlarmState.OK, transitioned_at=NOW)
    assert standing_down(Reason.ALARM_NOT_FIRING, alarm=quiet).incident is None
    entry = standing_down(Reason.ALARM_NOT_FIRING, alarm=quiet, inherited=("inc-5",))

    assert entry.incident.state is State.UNDECIDED
    assert [attempt.claim_id for attempt in entry.incident.lost] == ["inc-5"]


def test_an_incident_of_another_alarm_learns_of_a_lost_attempt():
    other = replace(UNDECIDED_INCIDENT, alarm_name="other")
    entry = standing_down(Reason.COOLDOWN, incident=other, inherited=("inc-5",))

    assert [attempt.claim_id for attempt in entry.incident.lost] == ["inc-5"]
    assert entry.incident.alarm_name == "other"


def test_what_would_have_been_done_is_written_down():
    decision = StandDown(reason=Reason.OBSERVE_MODE, text="so", would=ROLL_BACK)
    entry = stood_down(a_case(), an_assessment(), decision)

    assert (entry.incident.to_version, entry.incident.legs) == ("1", ROLL_BACK.trial.legs)
    assert entry.incident.acted_at is None
    assert entry.incident.change == a_release().key


@pytest.mark.parametrize("change", [CLOSED.change, "d-0"])
def test_an_incident_answers_for_those_before_it_each_about_its_own_change(change):
    other = replace(CLOSED, alarm_name="other", change=change)
    incident = standing_down(Reason.COOLDOWN, incident=other).incident

    assert [(each.alarm_name, each.change) for each in incident.answered] == [("other", change)]
    assert incident.covers("other", other.alarm_since_at, change, None)
    assert not incident.covers("other", other.alarm_since_at, "d-9", None)
    assert not incident.covers("other", other.alarm_since_at + MINUTE, change, None)


RECORDING = Recording(
    since_at=NOW,
    read_at=NOW,
    scale=Scale.PERCENT,
    noun="error rate",
    unit=" %",
    said="5 %",
    total=Track(minutes=(0,), requests=(60,), errors=(3,)),
)
MEASURED = replace(RECORDING, read_at=NOW + MINUTE)


def test_a_new_incident_outlives_its_policy_so_it_holds_its_own():
    service = {
        "name": "shop",
        "targets": [ALIAS],
        "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
        "verification": {"deadline_minutes": 27},
        "after_failure": "go_on",
    }
    (watched,) = a_policy(services=[service]).watched()
    before = replace(CLOSED, alarm_name="other")
    case = a_case(
        watched=watched, environment="test", incident=before, minutes=MEASURED, inherited=("x",)
    )

    assert incident_of(case) == Incident(
        id="inc-9",
        environment="test",
        service="shop",
        mode=Mode.ENFORCE,
        target=TARGET,
        trigger=watched.trigger,
        verification=watched.service.verification,
        alarm_name=watched.alarm_name,
        alarm_since_at=NOW - 2 * MINUTE,
        opened_at=NOW,
        change=a_release().key,
        release=a_release(),
        after_failure=AfterFailure.GO_ON,
        lost=(an_attempt("x", revision="r1"),),
        minutes=MEASURED,
        answered=(Answered(alarm_name="other", since_at=NOW - 2 * MINUTE, change=a_release().key),),
    )


@pytest.mark.parametrize("state", [AlarmState.OK, AlarmState.INSUFFICIENT_DATA])
def test_an_incident_without_a_firing_alarm_begins_now(state):
    assert incident_of(a_case(alarm=an_alarm(state))).alarm_since_at == NOW
    assert incident_of(a_case(alarm=an_alarm(state))).early
    assert incident_of(a_case(alarm=None)).alarm_since_at == NOW
    assert not incident_of(a_case(alarm=None)).early


def test_an_open_incident_is_carried_on_for_the_alarm_in_hand():
    (rate, count) = a_policy(
        services=[
            {
                "name": "shop",
                "targets": [ALIAS],
                "triggers": [
                    {"kind": "error_rate", "threshold_percent": 5},
                    {"kind": "error_rate", "name": "few", "threshold_percent": 50},
                ],
            }
        ]
    ).watched()
    pending = replace(UNDECIDED_INCIDENT, trigger=rate.trigger, minutes=RECORDING)
    carried = incident_of(a_case(watched=count, incident=pending, inherited=("x",)))

    assert carried == replace(
        pending,
        trigger=count.trigger,
        alarm_name=count.alarm_name,
        lost=(an_attempt("x", revision="r1"),),
        # They were another metric's.
        minutes=None,
    )
    same = a_case(watched=rate, incident=pending)
    assert incident_of(same).minutes == RECORDING
    assert incident_of(replace(same, minutes=MEASURED)).minutes == MEASURED


def test_the_alarm_in_hand_says_which_alias_it_is_about():
    beta = replace(TARGET, alias="beta")
    carried = incident_of(a_case(incident=replace(UNDECIDED_INCIDENT, target=beta)))

    assert carried.target == TARGET


def test_an_alarm_without_a_pointer_leaves_the_incident_where_the_symptom_showed():
    watched = watched_with(*ROLLOUTS)
    pending = replace(UNDECIDED_INCIDENT, target=TARGET)

    assert incident_of(a_case(watched=watched, incident=pending)).target == TARGET
    assert incident_of(a_case(watched=watched, observation=None)).target == GROUP


def test_what_was_said_and_what_happened_is_written_once_with_its_time():
    case = replace(a_case(), now=NOW + MINUTE)
    aside = said(case, CLOSED, "so")
    step = stepped(case, UNDECIDED_INCIDENT, State.STOOD_DOWN, Reason.COOLDOWN, "hands off")

    assert (aside.ledgers, aside.text, aside.news) == (case.ledgers, "so", None)
    assert aside.incident.steps[-1] == Step(
        at=NOW + MINUTE, state=State.STOOD_DOWN, reason=Reason.COOLDOWN, text="so", aside=True
    )
    assert (step.ledgers, step.text, step.news) == (case.ledgers, "hands off", Reason.COOLDOWN)
    assert step.incident.steps[-1] == Step(
        at=NOW + MINUTE, state=State.STOOD_DOWN, reason=Reason.COOLDOWN, text="hands off"
    )


# -- an order -------------------------------------------------------------------------------------

ORDER = RollbackOrdered(
    by="ann", at=NOW, changes=(a_trial().scope,), alarm_name=WATCHED.alarm_name, drill=True
)


def test_an_incident_that_answers_an_order_says_whose_it_was():
    early = replace(CLOSED, early=True)

    assert answering(early, None) == early
    assert answering(early, ORDER) == replace(
        CLOSED, ordered_by="ann", order_at=NOW, drill=True, early=False
    )


@pytest.mark.parametrize(("seconds", "live"), [(-1, True), (0, False), (1, False)])
def test_what_was_rolled_back_since_an_order_answers_it(seconds, live):
    controls = Controls(rollback=replace(ORDER, changes=a_trial().changes))
    since = a_rolled_back_incident(acted_at=NOW + timedelta(seconds=seconds))
    other = replace(since, legs=(), change="d-7", release=None)

    assert bool(live_order(controls, since)) is live
    assert live_order(controls, other) == controls.rollback
    assert live_order(controls, None) == controls.rollback


# -- acting ---------------------------------------------------------------------------------------


def test_an_unclear_move_is_open_and_names_its_reason():
    entry = unclear(a_case(), an_assessment(), ROLL_BACK, "ReadTimeoutError")

    assert (entry.incident.state, entry.incident.reason) == (
        State.UNDECIDED,
        Reason.ACTION_UNCLEAR,
    )
    assert entry.incident.id == "inc-9"


def test_a_move_is_written_with_where_from_and_where_to():
    entry = moved(a_case(), an_assessment(), ROLL_BACK, MOVED, NOW)

    assert entry.text == "moved shop:live from version 2 to 1"
    assert entry.ledgers[SHOP].current.version == "1"
    assert entry.ledgers[SHOP].revision == "r2"
    assert entry.ledgers[SHOP].acted_at == (entry.incident.acted_at,) == (NOW,)


STOPS = a_leg(state=LegState.UNDER_WAY)
STOPPING = RollBack(reason=Reason.METRIC_BREACHING, trial=a_trial(STOPS))


def test_a_stop_is_written_down_and_followed_from_there():
    later = NOW + MINUTE
    case = rollout_case([RUNS], [RUNS], inherited=())
    legs = (STOPS, a_leg(STACK), a_leg(OTHER_STACK, How.FOLLOW))
    entry = stopped(case, an_assessment(), STOPPING, legs, later)
    incident = entry.incident

    assert (incident.state, incident.reason) == (State.ROLLING_BACK, Reason.METRIC_BREACHING)
    assert (incident.acted_at, incident.back_at) == (later, None)
    assert (incident.change, incident.assessment) == ("d-1", an_assessment())
    assert [leg.state for leg in incident.legs] == [
        LegState.UNDER_WAY,
        LegState.TO_DO,
        LegState.UNDER_WAY,
    ]
    touched = {key: ledger.acted for key, ledger in entry.ledgers.items() if ledger.acted}
    assert touched == {GROUP.target_id: ("d-1",)}
    assert entry.ledgers[GROUP.target_id].acted_at == (later,)
    assert entry.ledgers[SHOP] == case.ledgers[SHOP]


def test_a_redeployment_is_about_the_release_and_follows_the_deployment_that_leads_back():
    trial = a_trial(a_leg(how=How.REDEPLOY, change=a_release().key))
    decision = replace(STOPPING, trial=trial, to_version="1")
    began = a_leg(how=How.REDEPLOY, state=LegState.UNDER_WAY, change="d-9")
    case = rollout_case([FINISHED], [FINISHED], inherited=())
    entry = stopped(case, an_assessment(), decision, (began,), NOW)

    assert entry.incident.change == a_release().key
    assert [leg.change for leg in entry.incident.legs] == ["d-9"]
    assert entry.incident.to_version == "1"
    assert entry.ledgers[GROUP.target_id].acted == (a_release().key,)


@pytest.mark.parametrize(
    ("observation", "release", "to_version"),
    [
        # Traffic is shifting: back to the version that takes the rest.
        (an_observation("1", "2"), a_release("2"), "1"),
        # The alias was not touched yet.
        (an_observation("1"), a_release("1", since_at=NOW - 60 * MINUTE), "1"),
        # It is all on the new version already: to what proved itself before, as far as one can say.
        (an_observation("2"), a_release("2"), "1"),
        (an_observation("1"), a_release("1"), None),
        (None, None, None),
        (an_observation("2"), None, None),
    ],
)
def test_where_a_stop_is_expected_to_lead(observation, release, to_version):
    ledgers = {SHOP: a_ledger(current=release)}
    case = rollout_case([RUNS], [RUNS], inherited=(), observation=observation)
    case = replace(case, ledgers=ledgers)
    entry = stopped(case, an_assessment(), STOPPING, (STOPS,), NOW)

    assert entry.incident.to_version == to_version


def test_somebody_elses_rollback_is_followed_and_nothing_counts_as_acted():
    returning = Returning(
        change="d-1", text="so", legs=(a_leg(how=How.FOLLOW), a_leg(STACK, FOLLOW)), over=False
    )
    case = rollout_case([RUNS], [GOES_BACK], inherited=())
    entry = adopted(case, an_assessment(), returning)

    assert (entry.incident.state, entry.incident.reason) == (
        State.ROLLING_BACK,
        Reason.ROLLBACK_ADOPTED,
    )
    assert {leg.state for leg in entry.incident.legs} == {LegState.UNDER_WAY}
    assert (entry.incident.change, entry.incident.acted_at) == ("d-1", NOW)
    assert entry.ledgers == case.ledgers
    assert entry.incident.adopted


def test_an_unclear_stop_is_about_the_change_it_may_have_stopped():
    case = rollout_case([RUNS], [RUNS], inherited=())
    entry = unclear(case, an_assessment(), STOPPING, "ReadTimeoutError")

    assert (entry.incident.state, entry.incident.reason) == (
        State.UNDECIDED,
        Reason.ACTION_UNCLEAR,
    )
    assert entry.incident.change == "d-1"


# -- what is seen ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pointer", [None, TARGET])
@pytest.mark.parametrize("observation", [None, an_observation("3", revision="r3")])
@pytest.mark.parametrize("sight", [None, RUNS])
def test_only_what_was_seen_changes_its_ledger(pointer, observation, sight):
    written = {SHOP: a_ledger(), "other": Ledger()}
    kept = seen(written, pointer, observation, ((GROUP, sight),), NOW)

    assert kept["other"] == written["other"]
    assert (kept[SHOP] != written[SHOP]) is bool(pointer and observation)
    assert kept.get(GROUP.target_id) == (Ledger(revision="d-1 running") if sight else None)
    assert written == {SHOP: a_ledger(), "other": Ledger()}


def test_where_there_is_no_pointer_there_is_no_release():
    case = a_case(watched=watched_with(*ROLLOUTS), observation=None)

    assert (case.ledger, case.release) == (Ledger(), None)
    assert case.on_trial().reason is Reason.NO_RECENT_CHANGE
    assert replace(case, alarm=None).on_trial() == case.on_trial()


# -- asking ---------------------------------------------------------------------------------------

ASK = Ask(reason=Reason.FROZEN, text="the freeze is on", would=ROLL_BACK)
ASKING = an_incident(
    (State.ASKING, Reason.FROZEN),
    id="inc-7",
    asks_until_at=NOW + 30 * MINUTE,
    asks_about=a_trial().scope,
    alarm_since_at=an_alarm().transitioned_at,
    to_version="1",
)


def test_a_question_has_a_deadline_and_says_what_it_asks_for():
    entry = asked(a_case(), an_assessment(), ASK)

    assert entry.incident.state is State.ASKING
    assert entry.news is Reason.FROZEN
    assert entry.incident.asks_until_at == NOW + 60 * MINUTE
    assert entry.incident.legs == ROLL_BACK.trial.legs
    assert entry.incident.to_version == "1"
    assert entry.text == "the freeze is on"


def test_a_question_is_not_asked_again_for_the_same_reason():
    entry = asked(a_case(incident=ASKING), an_assessment(), ASK)

    assert entry.news is None
    assert entry.incident.steps == ASKING.steps
    assert entry.incident.asks_until_at == ASKING.asks_until_at


def test_another_reason_to_ask_is_told_and_the_deadline_stays():
    other = replace(ASK, reason=Reason.APPROVAL_NEEDED)
    entry = asked(a_case(incident=ASKING), an_assessment(), other)

    assert entry.news is Reason.APPROVAL_NEEDED
    assert entry.incident.asks_until_at == ASKING.asks_until_at


@pytest.mark.parametrize(
    ("minutes", "state"), [(29, State.ASKING), (30, State.STOOD_DOWN), (31, State.STOOD_DOWN)]
)
def test_a_question_nobody_answers_is_left_at_its_deadline(minutes, state):
    case = a_case(incident=ASKING, now=NOW + minutes * MINUTE)

    assert asked(case, an_assessment(), ASK).incident.state is state


def test_a_question_stays_about_its_own_alarm():
    mine = replace(ASKING, alarm_name="rollback.prod.shop.shop.live.other")
    entry = asked(a_case(incident=mine), an_assessment(), ASK)

    assert entry.incident.alarm_name == mine.alarm_name
    assert "fires as well, and waits for this question" in entry.text
    again = asked(a_case(incident=entry.incident), an_assessment(), ASK)
    assert again.news is None
    assert "open for another alarm" in again.text


def test_a_question_that_an_incident_has_answered_is_not_asked_again():
    told = an_incident(
        (State.STOOD_DOWN, Reason.NOT_APPROVED), alarm_since_at=an_alarm().transitioned_at
    )
    entry = asked(a_case(incident=told), an_assessment(), ASK)

    assert entry.incident == told
    assert entry.text == "answered by incident inc-1"


def test_a_dip_does_not_take_a_question_back_but_a_silent_alarm_does():
    dip = StandDown(reason=Reason.INCONCLUSIVE, text="x")
    over = StandDown(reason=Reason.ALARM_NOT_FIRING, text="x")
    case = a_case(incident=ASKING)

    assert stood_down(case, an_assessment(), dip).incident == ASKING
    assert stood_down(case, an_assessment(), over).incident.state is State.STOOD_DOWN


def test_who_approved_is_asked_of_the_open_incident_only():
    controls = Controls(approvals=(Approval(incident_id="inc-7", by="bob", at=NOW),))

    assert a_case(incident=ASKING, controls=controls).approval.by == "bob"
    other = a_case(incident=replace(ASKING, asks_about="another"), controls=controls)
    assert other.approval is None
    assert a_case(incident=None, controls=controls).approval is None
    closed = an_incident((State.STOOD_DOWN, Reason.NOT_APPROVED), id="inc-7")
    assert a_case(incident=closed, controls=controls).approval is None


def test_a_yes_is_kept_after_it_was_used_and_is_to_one_way_back_only():
    yes = Approval(incident_id=ASKING.id, by="bob", at=NOW, to_version="1")
    pending = replace(ASKING, to_version="1")
    case = a_case(incident=pending, controls=Controls(approvals=(yes,)))
    approved = incident_of(case)

    assert approved.approved_by == "bob"
    assert incident_of(a_case(incident=approved)).approved_by == "bob"
    assert replace(case, incident=replace(pending, to_version="0")).approval is None


# -- what is on trial -----------------------------------------------------------------------------


def test_a_pointer_that_is_gone_has_no_release_whatever_its_ledger_says():
    assert a_case(observation=None).release is None
    assert a_case().release == a_release()


def test_what_was_over_before_is_nothing_that_a_silent_alarm_is_about():
    sights = ((GROUP, a_sight(Phase.RETURNED, ended_at=NOW - MINUTE)),)
    firing = a_case(sights=sights)

    assert firing.on_trial().over
    for alarm in (an_alarm(AlarmState.OK), None):
        assert isinstance(replace(firing, alarm=alarm).on_trial(), Trial)
    earlier = replace(firing, alarm=an_alarm(transitioned_at=NOW - MINUTE / 2))
    assert isinstance(earlier.on_trial(), Trial)


def test_a_deployment_leads_back_where_the_alias_says_so():
    case = a_case(sights=((GROUP, a_sight()),), observation=an_observation("2", "1"))

    assert isinstance(case.on_trial(), Returning)
    assert isinstance(replace(case, observation=an_observation("1", "2")).on_trial(), Trial)


# -- while traffic is shifting --------------------------------------------------------------------

SHIFTING = an_observation("1", "2")


@pytest.mark.parametrize(
    ("reason", "observation", "again"),
    [
        (Reason.INCONCLUSIVE, SHIFTING, True),
        (Reason.INCONCLUSIVE, an_observation(), False),
        (Reason.NO_PROVEN_RELEASE, SHIFTING, False),
    ],
)
def test_what_was_not_sure_before_is_judged_again_while_traffic_is_shifting(
    reason, observation, again
):
    told = an_incident((State.STOOD_DOWN, reason), alarm_since_at=an_alarm().transitioned_at)
    case = a_case(incident=told, observation=observation)

    assert (answered(case) is None) is again
    # And if it is still not sure, nothing is said again.
    not_sure = StandDown(reason=Reason.INCONCLUSIVE, text="x")
    assert stood_down(case, an_assessment(), not_sure).incident == told


def test_an_incident_that_began_before_its_alarm_answers_for_it():
    quiet = a_case(alarm=an_alarm(AlarmState.OK), observation=SHIFTING)
    held = StandDown(reason=Reason.NO_PROVEN_RELEASE, text="x")
    told = stood_down(quiet, an_assessment(), held).incident
    assert told.early
    for minutes, covered in ((10, True), (11, False)):
        fires = an_alarm(transitioned_at=NOW + minutes * MINUTE)
        later = a_case(incident=told, alarm=fires, now=NOW + 12 * MINUTE)
        assert (later.covering is not None) is covered


def test_who_fixes_it_forward_answers_the_question():
    """What is left when they are done is asked anew, with a new time to answer."""
    fixing = StandDown(reason=Reason.FIX_FORWARD, text="bob fixes it forward")
    told = stood_down(a_case(incident=ASKING), an_assessment(), fixing).incident

    assert (told.state, told.reason) == (State.UNDECIDED, Reason.FIX_FORWARD)
    assert (told.asks_until_at, told.asks_about) == (None, None)


def test_a_question_about_what_is_gone_ends_and_a_yes_to_it_is_worth_nothing():
    moot = a_case(incident=replace(ASKING, asks_about="another"))
    held = StandDown(reason=Reason.INCONCLUSIVE, text="x")

    for entry in (asked(moot, an_assessment(), ASK), stood_down(moot, an_assessment(), held)):
        assert entry.incident.state is State.STOOD_DOWN
        assert entry.incident.reason is Reason.TARGET_CHANGED


def test_what_nobody_approved_is_not_asked_about_by_another_alarm():
    over = replace(ASKING, alarm_name="rollback.prod.shop.shop.live.other").step(
        NOW, State.STOOD_DOWN, Reason.NOT_APPROVED, "x"
    )
    entry = asked(a_case(incident=over), an_assessment(), ASK)

    assert entry.incident == over


@pytest.mark.parametrize(
    ("asking", "wakes", "waits"),
    [
        ("critical", "high", True),
        ("high", "high", False),
        ("medium", "critical", False),
    ],
)
def test_a_lesser_alarm_does_not_act_over_the_question_of_a_worse_one(asking, wakes, waits):
    trigger = ErrorRate(threshold_percent=5, severity=Severity(asking))
    pending = replace(ASKING, trigger=trigger, alarm_name="rollback.prod.shop.shop.live.other")
    watched = WATCHED._replace(trigger=ErrorRate(threshold_percent=5, severity=Severity(wakes)))
    case = a_case(incident=pending, watched=watched)

    assert (must_wait(case, ROLL_BACK) is not None) is waits
    yes = Controls(approvals=(Approval(incident_id=pending.id, by="bob", at=NOW),))
    assert must_wait(replace(case, controls=yes), ROLL_BACK) is None
    assert must_wait(replace(case, incident=None), ROLL_BACK) is None
