"""What is written about a look, whole: nothing that an incident knows may get lost on the way."""

import pytest
from msgspec.structs import replace

from rollback_responder.domain.assessment import CHANGE_TOLERANCE
from rollback_responder.domain.case import Entry, incident_of
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.going_back import adopted, moved, stopped, watching
from rollback_responder.domain.holding import answered, asked, order_refused, stood_down, unclear
from rollback_responder.domain.incident import State, Step
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recovery import recovered
from rollback_responder.domain.release import Bad, Ledger
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import StandDown
from rollback_responder.domain.trial import Returning
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_ledger,
    a_leg,
    a_moved_leg,
    a_release,
    a_rolled_back_incident,
    a_trial,
    an_alarm,
    an_assessment,
    an_incident,
    an_observation,
)
from tests.unit.test_case import (
    ASK,
    ASKING,
    CLOSED,
    GOES_BACK,
    MOVED,
    ORDER,
    ROLL_BACK,
    RUNS,
    SHOP,
    STOPPING,
    STOPS,
    UNDECIDED_INCIDENT,
    WATCHED,
    a_case,
    rollout_case,
)

LATER = NOW + MINUTE
MEASURED = an_assessment()
# What the ledgers were and what they are, where that matters.
WRITTEN = {SHOP: a_ledger(revision="r0"), "other": Ledger(acted=("x",))}
SEEN = {SHOP: a_ledger(), "other": Ledger(acted=("x",))}
ORDERED = Controls(rollback=replace(ORDER, drill=False))


def of_now(state, reason, text, at=NOW):
    return Step(at=at, state=state, reason=reason, text=text)


# -- acting ---------------------------------------------------------------------------------------


def test_a_move():
    case = a_case(written=WRITTEN, ledgers=SEEN)
    entry = moved(case, MEASURED, ROLL_BACK, MOVED, LATER)
    text = "moved shop:live from version 2 to 1"

    assert entry.incident == replace(
        incident_of(case),
        assessment=MEASURED,
        change=a_release().key,
        release=a_release(),
        legs=(a_moved_leg(at=LATER),),
        to_version="1",
        acted_at=LATER,
        back_at=LATER,
        steps=(of_now(State.WATCHING, Reason.METRIC_BREACHING, text, LATER),),
    )
    assert (entry.text, entry.news) == (text, Reason.METRIC_BREACHING)
    assert entry.ledgers.keys() == SEEN.keys()
    assert entry.ledgers["other"] == SEEN["other"]
    assert entry.ledgers[SHOP].bad == (Bad(version="2", at=LATER, incident_id="inc-9"),)


def test_a_move_of_nobody_knows_what():
    before = replace(UNDECIDED_INCIDENT, target=STACK)
    case = a_case(ledgers=SEEN)
    entry = watching(case, before, None, reason=Reason.FOUND_DONE, after=MOVED, now=LATER)
    text = "moved shop:live from version unknown to 1"

    assert entry == Entry(
        ledgers=SEEN,
        incident=replace(
            before,
            target=case.watched.pointer,
            change="unknown",
            release=None,
            legs=(a_moved_leg(change="unknown", title="version unknown", at=LATER),),
            to_version="1",
            acted_at=LATER,
            back_at=LATER,
            steps=(*before.steps, of_now(State.WATCHING, Reason.FOUND_DONE, text, LATER)),
        ),
        text=text,
        news=Reason.FOUND_DONE,
    )


def test_a_stop():
    case = rollout_case([RUNS], [RUNS], inherited=())
    case = replace(case, ledgers={**case.ledgers, GROUP.target_id: Ledger(acted=("d-0",))})
    follows = a_leg(STACK, How.FOLLOW, at=None)
    entry = stopped(case, MEASURED, STOPPING, (STOPS, follows), LATER)
    text = f"{STOPS.title} was told to go back: so"

    assert entry.text == text
    assert entry.incident == replace(
        incident_of(replace(case, now=LATER)),
        assessment=MEASURED,
        change="d-1",
        to_version="1",
        legs=(STOPS, follows.to(LegState.UNDER_WAY, LATER)),
        acted_at=LATER,
        steps=(of_now(State.ROLLING_BACK, Reason.METRIC_BREACHING, text, LATER),),
    )
    assert entry.ledgers[GROUP.target_id].acted == ("d-1", "d-0")


def test_a_release_that_came_with_the_stopped_change_is_not_where_it_leads():
    case = rollout_case([RUNS], [RUNS], inherited=())
    edge = STOPPING.trial.since_at - CHANGE_TOLERANCE

    def leads_to(since_at):
        ledger = a_ledger(current=a_release("2", since_at=since_at), good=())
        seen = replace(case, ledgers={SHOP: ledger})
        return stopped(seen, MEASURED, STOPPING, (STOPS,), NOW).incident.to_version

    assert leads_to(edge) is None
    assert leads_to(edge - MINUTE) == "2"


def test_a_rollback_of_somebody_elses():
    legs = (a_leg(how=How.FOLLOW, at=None),)
    returning = Returning(change="d-1", text="it goes back", legs=legs, over=False)
    case = rollout_case([RUNS], [GOES_BACK], inherited=())
    pending = replace(UNDECIDED_INCIDENT, change="d-0")
    entry = adopted(replace(case, incident=pending), MEASURED, returning)

    assert entry.news is Reason.ROLLBACK_ADOPTED
    assert entry.incident == replace(
        pending,
        assessment=MEASURED,
        change="d-1",
        release=case.release,
        alarm_name=case.watched.alarm_name,
        trigger=case.watched.trigger,
        legs=(legs[0].to(LegState.UNDER_WAY, NOW),),
        acted_at=NOW,
        steps=(
            *pending.steps,
            of_now(State.ROLLING_BACK, Reason.ROLLBACK_ADOPTED, "it goes back"),
        ),
    )


@pytest.mark.parametrize(
    "act",
    [
        lambda case: moved(case, MEASURED, ROLL_BACK, MOVED, NOW),
        lambda case: stopped(case, MEASURED, STOPPING, (STOPS,), NOW),
        lambda case: adopted(
            case, MEASURED, Returning(change="d-1", text="so", legs=(STOPS,), over=False)
        ),
    ],
)
def test_whatever_was_done_answers_the_order_to_do_it(act):
    assert act(a_case(controls=ORDERED)).incident.ordered_by == "ann"
    assert act(a_case()).incident.ordered_by is None


def test_no_clear_answer():
    later = a_release("3")
    pending = replace(UNDECIDED_INCIDENT, release=later, change=later.key)
    entry = unclear(a_case(incident=pending), MEASURED, ROLL_BACK, "it broke off")

    assert entry.incident == replace(
        pending,
        assessment=MEASURED,
        release=a_release(),
        change=a_release().key,
        alarm_name=a_case().watched.alarm_name,
        steps=(
            *pending.steps,
            of_now(State.UNDECIDED, Reason.ACTION_UNCLEAR, "it broke off"),
        ),
    )


# -- holding --------------------------------------------------------------------------------------

UNDOING = a_rolled_back_incident((State.UNDOING, Reason.UNDO_ORDERED))
GONE = an_incident((State.STOOD_DOWN, Reason.ALARM_GONE))


@pytest.mark.parametrize(
    ("incident", "alarm", "ledgers", "text"),
    [
        (a_rolled_back_incident(), an_alarm(), WRITTEN, "a rollback is being verified"),
        (UNDOING, an_alarm(), WRITTEN, "a rollback is being undone"),
        (GONE, None, SEEN, "incident inc-1 has said that it is gone"),
        (CLOSED, an_alarm(), SEEN, "answered by incident inc-1"),
    ],
)
def test_an_incident_that_answers_already(incident, alarm, ledgers, text):
    case = a_case(incident=incident, alarm=alarm, written=WRITTEN, ledgers=SEEN)

    assert answered(case) == Entry(ledgers=ledgers, incident=incident, text=text)


def test_an_order_is_looked_at_although_an_incident_would_answer():
    assert answered(a_case(incident=CLOSED, controls=ORDERED)) is None


def test_a_dip_changes_nothing():
    dip = StandDown(reason=Reason.INCONCLUSIVE, text="one bad minute")
    case = a_case(incident=ASKING, ledgers=SEEN)

    assert stood_down(case, MEASURED, dip) == Entry(
        ledgers=SEEN, incident=ASKING, text="one bad minute"
    )


@pytest.mark.parametrize(
    ("early", "live", "open_still"),
    [
        (True, an_observation("1", "2"), True),
        (False, an_observation("1", "2"), False),
        (True, an_observation("2"), False),
    ],
)
def test_a_silent_alarm_ends_an_incident_but_for_one_of_a_shift_that_began_before_it(
    early, live, open_still
):
    silent = StandDown(reason=Reason.ALARM_NOT_FIRING, text="x")
    pending = replace(UNDECIDED_INCIDENT, early=early)
    entry = stood_down(a_case(incident=pending, observation=live), MEASURED, silent)

    assert entry.incident.is_open is open_still


def test_where_nothing_is_open_a_silent_alarm_is_no_news():
    silent = StandDown(reason=Reason.ALARM_NOT_FIRING, text="it is OK")
    case = a_case(incident=CLOSED, alarm=an_alarm(transitioned_at=LATER), ledgers=SEEN)

    assert stood_down(case, MEASURED, silent) == Entry(
        ledgers=SEEN, incident=CLOSED, text="it is OK"
    )


def test_the_same_reason_again_brings_new_numbers_only():
    again = StandDown(reason=Reason.INCONCLUSIVE, text="still so")
    case = a_case(incident=UNDECIDED_INCIDENT, ledgers=SEEN)
    entry = stood_down(case, MEASURED, again)

    assert (entry.ledgers, entry.text, entry.news) == (SEEN, "still so", None)
    assert entry.incident == replace(
        UNDECIDED_INCIDENT, assessment=MEASURED, alarm_name=case.watched.alarm_name
    )


def test_another_release_than_before_is_what_is_judged():
    pending = replace(UNDECIDED_INCIDENT, release=a_release("3"), change="3@then")
    entry = stood_down(
        a_case(incident=pending), MEASURED, StandDown(reason=Reason.COOLDOWN, text="hands off")
    )

    assert (entry.incident.release, entry.incident.change) == (a_release(), a_release().key)
    assert entry.incident.steps[-1] == of_now(State.STOOD_DOWN, Reason.COOLDOWN, "hands off")


def test_a_question():
    entry = asked(a_case(), MEASURED, ASK)

    assert entry.incident.asks_about == ASKING.asks_about
    assert entry.incident.assessment == MEASURED
    again = asked(a_case(incident=entry.incident, ledgers=SEEN), MEASURED, ASK)
    assert again == Entry(ledgers=SEEN, incident=entry.incident, text="the freeze is on")


def test_a_question_that_nobody_has_answered_in_time():
    late = a_case(incident=ASKING, now=ASKING.asks_until_at)
    entry = asked(late, MEASURED, ASK)

    assert entry.incident.steps[-1] == of_now(
        State.STOOD_DOWN,
        Reason.NOT_APPROVED,
        "nobody approved it by 04:30:00 UTC: the freeze is on",
        late.now,
    )


def test_an_undecided_incident_of_another_alarm_is_no_question_yet():
    """It has no deadline that the new question could keep."""
    pending = replace(UNDECIDED_INCIDENT, alarm_name="other")
    entry = asked(a_case(incident=pending), MEASURED, ASK)

    assert entry.incident.state is State.ASKING
    assert entry.incident.alarm_name == a_case().watched.alarm_name


@pytest.mark.parametrize(
    ("alarm", "told"), [(an_alarm(), True), (an_alarm(AlarmState.OK), False), (None, False)]
)
def test_another_alarm_is_told_of_a_question_only_where_it_fires(alarm, told):
    other = replace(ASKING, alarm_name="other")
    case = a_case(incident=other, alarm=alarm, ledgers=SEEN)
    entry = asked(case, MEASURED, ASK)

    assert entry.ledgers == SEEN
    assert (entry.incident != other) is told
    assert entry.text == (
        f"{case.watched.alarm_name} fires as well, and waits for this question"
        if told
        else "incident inc-7 is open for another alarm"
    )


def test_a_question_about_what_is_gone_ends_and_leads_nowhere():
    asking = replace(ASKING, asks_about="what was", legs=ROLL_BACK.trial.legs)
    entry = asked(a_case(incident=asking), MEASURED, ASK)

    assert (entry.incident.legs, entry.incident.to_version) == ((), None)
    assert entry.incident.steps[-1] == of_now(
        State.STOOD_DOWN,
        Reason.TARGET_CHANGED,
        "what it asked about is not live or under way any more",
    )


def test_an_order_that_is_refused():
    refused = StandDown(reason=Reason.NO_PROVEN_RELEASE, text="no way back", would=ROLL_BACK)
    entry = order_refused(a_case(controls=ORDERED), MEASURED, refused)

    assert entry.incident.steps == (
        of_now(State.STOOD_DOWN, Reason.NO_PROVEN_RELEASE, "ann ordered a rollback: no way back"),
    )
    assert (entry.incident.assessment, entry.incident.legs) == (MEASURED, ROLL_BACK.trial.legs)
    unsettled = order_refused(a_case(controls=ORDERED, inherited=("x",)), MEASURED, refused)
    assert unsettled.incident.steps[-1] == of_now(
        State.UNDECIDED, Reason.NO_PROVEN_RELEASE, "ann ordered a rollback: no way back"
    )


def test_an_order_that_was_throttled_is_tried_again():
    busy = StandDown(reason=Reason.ACTION_THROTTLED, text="too fast")
    case = a_case(controls=ORDERED, incident=UNDECIDED_INCIDENT, ledgers=SEEN)

    assert order_refused(case, MEASURED, busy) == Entry(
        ledgers=SEEN, incident=UNDECIDED_INCIDENT, text="too fast"
    )


# -- what is found of a lost attempt --------------------------------------------------------------


def lost_case(**changes):
    """An attempt was lost that may have moved the alias; it is as the marker says."""
    return a_case(**({"inherited": ("inc-5",), "observation": MOVED} | changes))


def test_a_move_that_was_found_done_is_of_this_moment():
    entry = recovered(lost_case(now=LATER))

    assert (entry.incident.acted_at, entry.news) == (LATER, Reason.FOUND_DONE)


def test_what_was_found_done_answers_the_order_to_do_it():
    entry = recovered(lost_case(controls=ORDERED))

    assert entry.incident.ordered_by == "ann"
    theirs = Controls(rollback=replace(ORDERED.rollback, alarm_name="legacy"))
    stop = recovered(rollout_case([RUNS], [GOES_BACK], controls=theirs))
    assert stop.incident.ordered_by == "ann"


DRILL = Controls(rollback=replace(ORDER, changes=a_trial().changes, drill=True))
PROVEN = a_release(proven_at=NOW)


@pytest.mark.parametrize(
    "case",
    [
        lost_case(written={SHOP: a_ledger(current=PROVEN)}, controls=DRILL),
        lost_case(
            written={SHOP: a_ledger(current=PROVEN)},
            controls=DRILL,
            observation=an_observation("3", revision="r3"),
        ),
        a_case(
            incident=an_incident(
                (State.UNDECIDED, Reason.ACTION_UNCLEAR), opened_at=NOW, release=PROVEN
            ),
            inherited=("x",),
            now=NOW + 15 * MINUTE,
            controls=DRILL,
        ),
    ],
    ids=["done", "nobody knows", "given up"],
)
def test_a_drill_that_may_have_been_begun_is_taken_for_one(case):
    assert recovered(case).incident.drill


def test_a_drill_that_was_answered_is_what_no_later_attempt_carried_out():
    answered_one = replace(CLOSED, order_at=DRILL.rollback.at)
    entry = recovered(
        lost_case(written={SHOP: a_ledger(current=PROVEN)}, controls=DRILL, incident=answered_one)
    )

    assert not entry.incident.drill


def test_a_move_of_one_alias_is_not_taken_for_what_is_open_about_another():
    beta = replace(TARGET, alias="beta")
    pending = replace(UNDECIDED_INCIDENT, target=beta, alarm_name="beta")
    entry = recovered(lost_case(incident=pending))

    assert (entry.incident.target, entry.incident.alarm_name) == (TARGET, WATCHED.alarm_name)


def test_what_was_lost_is_kept_with_what_was_found():
    pending = replace(UNDECIDED_INCIDENT, lost=())
    entry = recovered(
        rollout_case([RUNS], [GOES_BACK], incident=pending, inherited=("inc-5", "inc-6"))
    )

    assert [attempt.claim_id for attempt in entry.incident.lost] == ["inc-5", "inc-6"]
    # It stays about its own alarm.
    assert entry.incident.alarm_name == pending.alarm_name


def test_every_part_is_looked_at_although_one_still_runs():
    case = rollout_case(
        [replace(RUNS, change="u-1"), RUNS], [replace(RUNS, change="u-1"), GOES_BACK]
    )

    assert [leg.how for leg in recovered(case).incident.legs] == [How.STOP, How.FOLLOW]


def test_everything_that_was_found_going_back_is_named():
    entry = recovered(
        rollout_case(
            [RUNS, replace(RUNS, change="u-1")], [GOES_BACK, replace(GOES_BACK, change="u-1")]
        )
    )
    text = "shop/live is RETURNING, stack shop is RETURNING"

    assert entry.text == text
    assert entry.incident.steps[-1] == of_now(State.ROLLING_BACK, Reason.FOUND_DONE, text)


def test_a_doubt_names_what_is_hidden_or_what_has_changed():
    hidden = recovered(
        rollout_case([RUNS, replace(RUNS, change="u-1")], [replace(RUNS, change="d-2"), None])
    )
    changed = recovered(
        a_case(inherited=("inc-5",), observation=an_observation("3", revision="r3"), ledgers=SEEN)
    )

    assert hidden.text == "attempt inc-5 ended without a word; d-1, u-1 can no longer be seen"
    assert changed.text == "attempt inc-5 ended without a word; the alias has changed since"
    assert changed.ledgers["other"] == SEEN["other"]
    assert changed.ledgers[SHOP].acted == (a_release().key,)


def test_what_gave_no_clear_answer_for_long_is_a_persons():
    unclear_one = an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR), opened_at=NOW)
    case = a_case(incident=unclear_one, inherited=("x",), now=NOW + 15 * MINUTE, controls=ORDERED)
    entry = recovered(case)

    assert entry.incident.ordered_by == "ann"
    assert entry.incident.steps[-1] == of_now(
        State.INDETERMINATE,
        Reason.ACTION_UNCLEAR,
        "no attempt got a clear answer; the target is untouched so far",
        case.now,
    )
