"""An ordered rollback and a drill, in values: what is asked, what is not, and what is written."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rollback_responder.domain.case import incident_of, live_order
from rollback_responder.domain.controls import (
    ORDERED_WITHIN,
    Controls,
    FixingForward,
    Frozen,
    Held,
    Unsafe,
)
from rollback_responder.domain.controls import RollbackOrdered as Ordered
from rollback_responder.domain.drill import due, rehearsal
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.figures import of_latest
from rollback_responder.domain.freeze import OneFreeze
from rollback_responder.domain.holding import must_wait, order_refused
from rollback_responder.domain.incident import State
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How, name_of
from rollback_responder.domain.order import RollBackNow, taken
from rollback_responder.domain.ordered import on_order
from rollback_responder.domain.policy import Drills
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin, rehearsed, rolled_back
from rollback_responder.domain.response import Mode
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import Adopt, RollBack, StandDown, Switches
from rollback_responder.domain.trial import Returning
from rollback_responder.domain.undo import asked_to_undo, not_undone, undone
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    TARGET,
    a_good,
    a_ledger,
    a_leg,
    a_policy,
    a_release,
    a_rolled_back_incident,
    a_trial,
    an_alarm,
    an_assessment,
    an_incident,
    an_observation,
)
from tests.unit.test_case import a_case
from tests.unit.test_decision import a_situation, trial_of

RELEASE = a_release()
ALARM = a_case().watched.alarm_name
CHANGES = (name_of(TARGET, RELEASE.key),)
ORDER = Ordered(by="ann", at=NOW, changes=CHANGES, to_version="1", alarm_name=ALARM)
STOPPING = a_trial(a_leg(GROUP, How.STOP, change="d-1"), change="d-1")


def ordered(**changes):
    return on_order(a_situation(**changes), ORDER)


NOT_ASKED = [
    {"now": NOW + 10 * MINUTE - timedelta(seconds=1)},
    {"alarm": an_alarm(AlarmState.OK)},
    {"alarm": an_alarm(transitioned_at=NOW - timedelta(days=9))},
    {"assessment": an_assessment(Verdict.HEALTHY)},
    {"ledger": a_ledger(acted_at=(NOW,) * 9)},
    {"switches": Switches(in_budget=False)},
    {"mode": Mode.APPROVE},
    {"controls": Controls(frozen=Frozen(by="bob", until_at=NOW + MINUTE))},
]


@pytest.mark.parametrize("changes", NOT_ASKED)
def test_what_the_person_has_judged_is_not_asked_again(changes):
    found = ordered(**changes)

    assert isinstance(found, RollBack)
    assert (found.reason, found.to_version) == (Reason.ORDERED, "1")


OLD = replace(RELEASE, since_at=NOW - timedelta(days=30))
FORBIDDEN = [
    ({"release": replace(RELEASE, version="$LATEST")}, Reason.ALIAS_ON_LATEST),
    ({"release": replace(RELEASE, origin=Origin.ROLLED_BACK)}, Reason.CHANGE_IS_ROLLBACK),
    ({"ledger": a_ledger(acted=(RELEASE.key,))}, Reason.ALREADY_ACTED),
    ({"ledger": a_ledger(good=())}, Reason.NO_PROVEN_RELEASE),
    ({"controls": Controls(unsafe=(Unsafe(by="ci", why="so"),))}, Reason.ROLLBACK_UNSAFE),
    ({"mode": Mode.OBSERVE}, Reason.OBSERVE_MODE),
    ({"switches": Switches(paused_by="eve")}, Reason.PAUSED),
    ({"release": OLD}, Reason.TARGET_CHANGED),
    ({"ledger": a_ledger(good=(a_good("0"),))}, Reason.TARGET_CHANGED),
    ({"on_trial": STOPPING}, Reason.TARGET_CHANGED),
    (
        {"on_trial": STOPPING, "release": replace(RELEASE, origin=Origin.ROLLED_BACK)},
        Reason.CHANGE_IS_ROLLBACK,
    ),
    ({"now": NOW + 10 * MINUTE}, Reason.ORDER_LAPSED),
]


@pytest.mark.parametrize(("changes", "reason"), FORBIDDEN)
def test_what_no_word_changes_is_asked(changes, reason):
    found = ordered(**changes)

    assert isinstance(found, StandDown)
    assert found.reason is reason


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"now": NOW + ORDERED_WITHIN},
            "it was ordered at 22 Nov 04:00:00 UTC, too long ago",
        ),
        (
            {"release": OLD},
            "what was ordered is not what is live or under way any more, or leads elsewhere",
        ),
    ],
)
def test_why_an_order_comes_to_nothing_is_said(changes, text):
    assert ordered(**changes).text == text


def test_a_rollback_under_way_does_not_keep_another_change_from_being_stopped():
    """The pointer was rolled back long before what is being rolled out now began."""
    earlier = replace(RELEASE, origin=Origin.ROLLED_BACK, since_at=NOW - timedelta(days=1))
    order = replace(ORDER, changes=STOPPING.changes, to_version=None)

    assert isinstance(on_order(a_situation(on_trial=STOPPING, release=earlier), order), RollBack)


def test_a_rollout_of_a_service_without_an_alias_may_be_ordered_back():
    order = replace(ORDER, changes=STOPPING.changes, to_version=None)
    situation = a_situation(on_trial=STOPPING, release=None, ledger=None, observation=None)

    assert isinstance(on_order(replace(situation, ledgers={}), order), RollBack)


def test_what_goes_back_already_is_followed():
    returning = Returning(change="d-1", text="so", legs=(a_leg(),), over=False)

    assert ordered(on_trial=returning) == Adopt(returning=returning)


# -- a drill --------------------------------------------------------------------------------------

DRILL = replace(ORDER, drill=True)
PROVEN = replace(RELEASE, proven_at=NOW, whole_since_at=NOW - MINUTE)


QUIET = {"release": PROVEN, "alarm": an_alarm(AlarmState.OK)}
RETURNING = Returning(change="d-1", text="it goes back", legs=(a_leg(),), over=False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"release": RELEASE}, "only an alias that a proven version serves alone"),
        ({"observation": an_observation(other="1")}, "only an alias that a proven version"),
        ({"alarm": an_alarm()}, "its alarm fires"),
        ({"no_drill": "an incident is open"}, "an incident is open"),
        ({"on_trial": RETURNING}, "it goes back"),
    ],
)
def test_only_what_nobody_is_hurt_by_is_rehearsed(changes, why):
    assert isinstance(on_order(a_situation(**QUIET), DRILL), RollBack)
    found = on_order(a_situation(**QUIET | changes), DRILL)

    assert isinstance(found, StandDown)
    assert (found.reason, found.text.startswith(why)) == (Reason.TARGET_CHANGED, True)


@pytest.mark.parametrize(
    ("controls", "reason"),
    [
        (Controls(holds=(Held(incident_id="i", changes=CHANGES, by="bob", at=NOW),)), Reason.HELD),
        (Controls(fix_forward=FixingForward(by="bob", until_at=NOW + MINUTE)), Reason.FIX_FORWARD),
        (Controls(frozen=Frozen(by="bob", until_at=NOW + MINUTE)), Reason.FROZEN),
    ],
)
def test_who_spoke_after_a_drill_was_ordered_is_not_overruled_either(controls, reason):
    situation = a_situation(**QUIET, controls=controls)

    found = on_order(situation, DRILL)
    assert (found.reason, found.text.startswith("bob ")) == (reason, True)
    assert isinstance(on_order(situation, ORDER), RollBack)


def test_nothing_but_an_alias_is_rehearsed():
    stopping = replace(DRILL, changes=STOPPING.changes, to_version=None)
    found = on_order(a_situation(**QUIET, on_trial=STOPPING), stopping)

    assert isinstance(found, StandDown)
    two = a_trial(a_leg(TARGET, How.MOVE, change=RELEASE.key), a_leg(GROUP, How.FOLLOW))
    both = replace(DRILL, changes=two.changes)
    assert isinstance(on_order(a_situation(**QUIET, on_trial=two), both), StandDown)


def test_it_leaves_the_ledger_as_it_was():
    before = a_ledger(
        current=PROVEN,
        good=(a_good("2", proven_at=NOW, code_sha256=PROVEN.code_sha256), a_good("1")),
        revision="r1",
    )
    back = rolled_back(
        replace(before, acted=(PROVEN.key,), acted_at=(NOW,)),
        PROVEN,
        to_version="1",
        revision="r2",
        incident_id="inc-1",
        now=NOW,
    )
    after = rehearsed(back, PROVEN, revision="r3", incident_id="inc-1", acted_at=NOW)

    assert replace(after, revision="r1") == before
    unproven = replace(PROVEN, proven_at=None)
    again = rehearsed(back, unproven, revision="r3", incident_id="inc-1", acted_at=NOW)
    assert [good.version for good in again.good] == ["1"]


DRILLED = replace(
    a_rolled_back_incident(release=replace(PROVEN, whole_since_at=NOW)),
    ordered_by="ann",
    order_at=NOW,
    drill=True,
)


def test_whoever_ordered_it_wanted_it_undone_as_well():
    case = a_case(incident=DRILLED, observation=an_observation(primary="1"))
    undo = asked_to_undo(case)

    assert (undo.by, undo.at) == ("ann", DRILLED.acted_at)
    undoing = DRILLED.step(NOW, State.UNDOING, Reason.UNDO_ORDERED, "so")
    entry = undone(case, undoing, an_observation(primary="2", revision="r9"), undo)
    assert entry.ledgers[TARGET.target_id].current == DRILLED.release
    assert not entry.incident.needs_a_person


def test_one_that_cannot_go_forward_again_has_condemned_nothing():
    back = rolled_back(
        a_ledger(good=(a_good("2", proven_at=NOW), a_good("1")), acted=(PROVEN.key,)),
        DRILLED.release,
        to_version="1",
        revision="r2",
        incident_id=DRILLED.id,
        now=DRILLED.acted_at,
    )
    undoing = DRILLED.step(NOW, State.UNDOING, Reason.UNDO_ORDERED, "so")
    case = a_case(incident=undoing, ledgers={TARGET.target_id: back})
    kept = not_undone(case, undoing, "so").ledgers[TARGET.target_id]

    assert (kept.current, kept.bad, kept.acted) == (back.current, (), ())
    assert [good.version for good in kept.good] == ["2", "1"]
    in_earnest = replace(undoing, drill=False)
    assert not_undone(case, in_earnest, "so").ledgers == case.ledgers


def test_it_adds_to_no_figure_and_calls_nobody_when_it_was_not_begun():
    assert list(of_latest(DRILLED)) == []
    refused = replace(an_incident((State.STOOD_DOWN, Reason.TARGET_CHANGED)), drill=True)
    assert not refused.needs_a_person
    assert not DRILLED.needs_a_person


@pytest.mark.parametrize("state", [State.FIXED, State.NOT_FIXED, State.UNKNOWN])
def test_it_calls_somebody_where_it_has_not_gone_forward_again(state):
    assert DRILLED.step(NOW, state, Reason.SYMPTOM_GONE, "so").needs_a_person


def test_it_answers_for_no_alarm():
    assert DRILLED.is_silent
    assert DRILLED.answers() == ()


# -- the order, and what answers it ---------------------------------------------------------------

NOW_ORDER = RollBackNow(
    service="shop",
    changes=CHANGES,
    title="version 2",
    to_version="1",
    alarm_name=ALARM,
    by="ann",
)


def test_an_order_is_kept_and_overrules_who_held_it():
    hold = Held(incident_id="inc-1", changes=CHANGES, by="bob", at=NOW)
    other = replace(hold, changes=("another",))
    fix = FixingForward(by="bob", until_at=NOW + MINUTE)
    before = Controls(holds=(hold, other), fix_forward=fix)
    found = taken(NOW_ORDER, before, None, NOW)

    assert found.controls == Controls(holds=(other,), rollback=ORDER)
    assert found.text == "ann ordered a rollback of shop: version 2 goes back to version 1"
    again = taken(replace(NOW_ORDER, by="eve"), found.controls, None, NOW + MINUTE)
    assert (again.controls, again.text) == (found.controls, "ann has ordered a rollback already")


@pytest.mark.parametrize(
    ("controls", "incident", "why"),
    [
        (Controls(), an_incident((State.UNDECIDED, Reason.INCONCLUSIVE)), "inc-1 is open"),
        (Controls(holds=(Held(incident_id="i", changes=CHANGES, by="bob", at=NOW),)), None, "bob"),
        (
            Controls(fix_forward=FixingForward(by="bob", until_at=NOW + MINUTE)),
            None,
            "bob fixes it forward until",
        ),
        (
            Controls(frozen=Frozen(by="bob", until_at=NOW + MINUTE)),
            None,
            "bob froze it until 22 Nov 04:01:00 UTC; `rollback freeze shop --end` ends that",
        ),
    ],
)
def test_a_drill_overrules_nobody(controls, incident, why):
    drill = replace(NOW_ORDER, drill=True)
    with pytest.raises(OrderRefused, match=why):
        taken(drill, controls, incident, NOW)
    assert taken(drill, Controls(), None, NOW).controls == Controls(rollback=DRILL)


def test_whoever_is_on_it_already_is_not_disturbed():
    with pytest.raises(OrderRefused, match="on it already: watching"):
        taken(NOW_ORDER, Controls(), a_rolled_back_incident(), NOW)


def test_without_a_pointer_no_version_is_named():
    text = taken(replace(NOW_ORDER, to_version=None), Controls(), None, NOW).text

    assert text == "ann ordered a rollback of shop: version 2 goes back"


ANOTHER_PART = a_rolled_back_incident(legs=(a_leg(),), release=None, change="d-1")


@pytest.mark.parametrize(
    ("incident", "is_live"),
    [
        (None, True),
        (an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE)), True),
        (replace(an_incident((State.STOOD_DOWN, Reason.PAUSED)), order_at=NOW), False),
        (replace(an_incident((State.STOOD_DOWN, Reason.PAUSED)), order_at=NOW - MINUTE), True),
        (replace(a_rolled_back_incident(), acted_at=NOW + MINUTE), False),
        (replace(a_rolled_back_incident(), acted_at=NOW - MINUTE), True),
        (replace(ANOTHER_PART, acted_at=NOW + MINUTE), True),
    ],
)
def test_what_was_done_since_answers_an_order(incident, is_live):
    assert (live_order(Controls(rollback=ORDER), incident) is ORDER) is is_live


def ordered_case(**changes):
    return a_case(controls=Controls(rollback=ORDER), **changes)


@pytest.mark.parametrize(
    ("before", "until_at"),
    [
        (None, None),
        (replace(ANOTHER_PART, acted_at=NOW + MINUTE), None),
        (replace(a_rolled_back_incident(), acted_at=NOW + MINUTE), NOW + MINUTE),
    ],
)
def test_the_next_incident_knows_which_orders_are_answered(before, until_at):
    closed = before and before.step(NOW, State.FIXED, Reason.SYMPTOM_GONE, "so")

    assert incident_of(ordered_case(incident=closed)).order_at == until_at


def test_an_order_is_for_the_look_by_its_own_alarm_until_it_has_lapsed():
    other = replace(ORDER, alarm_name="renamed")
    case = a_case(controls=Controls(rollback=other))

    assert ordered_case().ordered is ORDER
    assert case.ordered is None
    assert replace(case, now=NOW + ORDERED_WITHIN).ordered is other


def test_an_order_by_a_slow_clock_comes_after_what_was_answered():
    closed = replace(a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)), acted_at=NOW)
    found = taken(NOW_ORDER, Controls(), closed, NOW - MINUTE).controls.rollback
    later = taken(NOW_ORDER, Controls(), closed, NOW + MINUTE).controls.rollback

    assert (found.at > NOW, later.at) == (True, NOW + MINUTE)


def test_an_order_that_was_answered_does_not_keep_from_another():
    answered = replace(an_incident((State.STOOD_DOWN, Reason.COOLDOWN)), order_at=NOW)
    again = replace(NOW_ORDER, by="bob")

    found = taken(again, Controls(rollback=ORDER), answered, NOW + MINUTE)
    assert found.controls.rollback.by == "bob"


def test_an_order_that_has_lapsed_gives_way_to_another_but_to_no_drill():
    before = Controls(rollback=ORDER)
    late = NOW + ORDERED_WITHIN
    again = replace(NOW_ORDER, by="bob")

    assert taken(again, before, None, late).controls.rollback.by == "bob"
    assert taken(replace(again, drill=True), before, None, late).controls == before


def test_what_the_journal_had_not_seen_is_known_by_its_revision():
    shown = replace(ORDER, changes=(name_of(TARGET, "2@later"),), revision="r1")

    assert isinstance(on_order(a_situation(), shown), RollBack)
    for other in (replace(shown, revision="r0"), replace(shown, to_version="0")):
        assert on_order(a_situation(), other).reason is Reason.TARGET_CHANGED


@pytest.mark.parametrize(
    ("order", "release", "is_it"),
    [
        (None, RELEASE, False),
        (ORDER, RELEASE, True),
        (DRILL, PROVEN, True),
        (DRILL, RELEASE, False),
        (DRILL, None, False),
        (replace(DRILL, changes=("another",)), PROVEN, False),
    ],
)
def test_a_lost_attempt_is_taken_for_a_drill_only_if_nothing_else_could_be_meant(
    order, release, is_it
):
    case = a_case(controls=Controls(rollback=order))

    assert (case.order_about(release) is not None) is is_it


REFUSED = StandDown(reason=Reason.TARGET_CHANGED, text="so")


def test_an_order_that_comes_to_nothing_is_told_once_and_answers_for_no_alarm():
    case = ordered_case()
    entry = order_refused(case, an_assessment(), REFUSED)

    assert (entry.incident.state, entry.incident.ordered_by) == (State.STOOD_DOWN, "ann")
    assert entry.incident.is_silent
    assert entry.incident.answers() == entry.incident.answered
    alarm = case.alarm
    change, since_at = entry.incident.change, alarm.transitioned_at
    assert not entry.incident.covers(case.watched.alarm_name, since_at, change, case.release)
    assert replace(case, incident=entry.incident).ordered is None


def test_what_was_undecided_stays_undecided_when_an_order_comes_to_nothing():
    pending = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE, "one"))
    entry = order_refused(ordered_case(incident=pending), an_assessment(), REFUSED)

    assert (entry.incident.state, entry.incident.reason) == (State.UNDECIDED, Reason.INCONCLUSIVE)
    assert entry.incident.ordered_by is None
    assert entry.incident.news.text == "one"
    assert entry.incident.steps[-1].text == "ann ordered a rollback: so"
    assert entry.incident.order_at == NOW


BUSY = StandDown(reason=Reason.ACTION_THROTTLED, text="so")


def test_what_aws_is_too_busy_for_is_left_to_the_next_look():
    assert order_refused(ordered_case(), an_assessment(), BUSY).incident is None
    pending = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE, "one"))
    case = ordered_case(incident=pending, inherited=("inc-0",))
    entry = order_refused(case, an_assessment(), BUSY)

    assert (entry.incident.steps, entry.incident.lost) == (pending.steps, case.lost)


@pytest.mark.parametrize(("decision", "answered"), [(REFUSED, True), (BUSY, False)])
def test_while_an_attempt_may_still_land_it_stays_undecided(decision, answered):
    case = ordered_case(inherited=("inc-0",))
    entry = order_refused(case, an_assessment(), decision)

    assert (entry.incident.state, entry.incident.reason) == (State.UNDECIDED, decision.reason)
    assert entry.incident.lost == case.lost
    assert (replace(case, incident=entry.incident).ordered is None) is answered


def test_an_order_waits_for_no_question():
    asked = replace(
        an_incident((State.ASKING, Reason.APPROVAL_NEEDED)), asks_about=trial_of(RELEASE).scope
    )
    decision = RollBack(reason=Reason.ORDERED, trial=trial_of(RELEASE), to_version="1")

    assert must_wait(ordered_case(incident=asked), decision) is None


# -- whose drill, and when ------------------------------------------------------------------------

STAGING = a_policy(environment="staging", mode="enforce")
KEPT = {TARGET.target_id: a_ledger(current=PROVEN)}


def test_a_drill_is_an_order_by_what_the_ledger_says():
    (service,) = STAGING.services
    found = rehearsal(STAGING, service, KEPT, by="ann", now=NOW)

    assert found == replace(NOW_ORDER, alarm_name=next(STAGING.watched()).alarm_name, drill=True)


def test_a_drill_goes_nowhere_where_the_policy_never_goes_back_to():
    never = replace(TARGET, never_back_to=("1",))
    policy = replace(STAGING, services=(replace(STAGING.services[0], targets=(never,)),))

    assert rehearsal(policy, policy.services[0], KEPT, by="ann", now=NOW).to_version is None


def test_a_drill_that_begins_is_told_with_where_it_goes():
    drill = replace(NOW_ORDER, drill=True, revision="r1")
    found = taken(drill, Controls(), None, NOW)

    assert found.controls == Controls(rollback=replace(DRILL, revision="r1"))
    assert found.text == (
        "ann began a drill of shop: version 2 goes back to version 1 and forward again"
    )


def test_a_drill_is_told_how_what_is_in_its_way_is_ended():
    drill = replace(NOW_ORDER, drill=True)
    fixing = Controls(fix_forward=FixingForward(by="bob", until_at=NOW + MINUTE))

    with pytest.raises(OrderRefused) as refused:
        taken(drill, fixing, None, NOW)
    assert str(refused.value) == (
        "bob fixes it forward until 22 Nov 04:01:00 UTC; `rollback fix-forward shop --end` ends"
        " that"
    )


SALE = OneFreeze(name="the sale", from_at=NOW, until_at=NOW + MINUTE)
OVER = OneFreeze(name="the sale", from_at=NOW - MINUTE, until_at=NOW)


def test_a_freeze_that_is_over_keeps_from_nothing():
    policy = replace(STAGING, freezes=(OVER,))

    assert rehearsal(policy, policy.services[0], KEPT, by="ann", now=NOW).drill


def without_alias(policy):
    service = replace(policy.services[0], targets=(GROUP,))
    return replace(policy, services=(service,))


@pytest.mark.parametrize(
    ("policy", "kept", "why"),
    [
        (a_policy(environment="prod", mode="enforce"), KEPT, "prod is production"),
        (a_policy(environment="staging", mode="observe"), KEPT, "observe: nothing is touched"),
        (replace(STAGING, freezes=(SALE,)), KEPT, "the freeze 'the sale' is on"),
        (without_alias(STAGING), KEPT, "has no alias"),
        (STAGING, {}, "has never been seen"),
        (replace(STAGING, services=(replace(STAGING.services[0], triggers=()),)), KEPT, "no alarm"),
    ],
)
def test_what_cannot_be_rehearsed_says_why(policy, kept, why):
    with pytest.raises(OrderRefused, match=why):
        rehearsal(policy, policy.services[0], kept, by="ann", now=NOW)


def test_each_service_that_may_act_has_one_day_in_every_month():
    policy = replace(STAGING, drills=Drills())
    days = [NOW.replace(day=1) + timedelta(days=day) for day in range(28)]

    assert len([s for now in days for s in due(policy, now)]) == 1
    unasked = [replace(policy, mode=mode) for mode in (Mode.OBSERVE, Mode.APPROVE)]
    for idle in (without_alias(policy), *unasked):
        assert not [s for now in days for s in due(idle, now)]


def test_no_day_is_one_that_a_month_may_not_have():
    """February has 28; between them, services take all of these."""
    policy = replace(STAGING, drills=Drills())
    services = [replace(policy.services[0], name=f"s{number}") for number in range(400)]
    many = replace(policy, services=tuple(services))
    january = [NOW.replace(month=1, day=day) for day in range(1, 32)]

    assert [now.day for now in january if list(due(many, now))] == list(range(1, 29))
