"""A person's undo, in values: who asked, what is in the way, and what is written."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rollback_responder.domain.controls import Controls, UndoAsked
from rollback_responder.domain.holding import answered
from rollback_responder.domain.incident import State, Step
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Bad, Ledger, Origin, put_back
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.undo import (
    asked_to_undo,
    in_the_way,
    is_done,
    not_undone,
    ordered,
    undone,
    wish,
)
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    TARGET,
    a_ledger,
    a_release,
    a_rolled_back_incident,
    a_sight,
    an_attempt,
    an_observation,
)
from tests.unit.test_case import a_case

ASKED = UndoAsked(incident_id="inc-1", by="bob", at=NOW)
SAID = Controls(undos=(ASKED,))
MOVED = a_rolled_back_incident(release=a_release(whole_since_at=NOW))
UNDOING = ordered(MOVED, ASKED, NOW)
BACK, THERE = an_observation(primary="1"), an_observation(primary="2", revision="r9")


def asking(**changes):
    return a_case(**({"incident": MOVED, "controls": SAID, "observation": BACK} | changes))


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, ASKED),
        ({"incident": UNDOING}, ASKED),
        ({"controls": Controls()}, None),
        ({"incident": None}, None),
        ({"incident": replace(MOVED, target=GROUP)}, None),
        ({"incident": a_rolled_back_incident()}, None),
        # An attempt that ended without a word may still act: upon what came after, not upon this.
        ({"inherited": ("inc-5",)}, ASKED),
        ({"inherited": ("inc-5",), "observation": an_observation(primary="3")}, None),
        ({"inherited": ("inc-5",), "observation": None}, None),
    ],
)
def test_who_asked_is_heard_where_it_can_be_begun(changes, asked):
    assert asked_to_undo(asking(**changes)) == asked


def test_a_lost_attempt_that_can_land_no_more_is_in_nobodys_way():
    settled = replace(MOVED, lost=(an_attempt(lost_at=NOW - timedelta(hours=1)),))

    assert asked_to_undo(asking(incident=settled)) == ASKED


def test_it_is_written_down_once_before_it_is_done():
    assert (UNDOING.state, UNDOING.reason) == (State.UNDOING, Reason.UNDO_ORDERED)
    assert UNDOING.steps[-1].text == "bob wants version 2 back"
    assert ordered(UNDOING, ASKED, NOW) is UNDOING


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"now": NOW + timedelta(minutes=59)}, None),
        ({"now": NOW + timedelta(hours=1)}, "too long ago"),
        ({"observation": None}, "does not exist any more"),
        ({"observation": an_observation(primary="3")}, "at version 3 by now"),
        ({"observation": an_observation(primary="1", other="3")}, "at version 3 by now"),
        ({"sights": ((GROUP, a_sight(Phase.RUNNING)),)}, "comes first"),
        ({"sights": ((GROUP, a_sight(Phase.SETTLED)), (GROUP, None))}, None),
    ],
)
def test_what_is_in_the_way_is_said(changes, words):
    found = in_the_way(asking(**changes), UNDOING, ASKED, may_act=True)

    assert (found is None) if words is None else (words in found)


def test_a_service_that_is_only_observed_is_not_touched():
    assert "observe" in in_the_way(asking(), UNDOING, ASKED, may_act=False)


@pytest.mark.parametrize(
    ("observation", "done"),
    [(THERE, True), (BACK, False), (an_observation("2", other="1"), False), (None, False)],
)
def test_it_is_done_where_the_version_takes_all_traffic(observation, done):
    assert is_done(asking(observation=observation), UNDOING) is done


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (False, "bob put shop:live back to version 2"),
        (True, "shop:live was found at version 2 already"),
    ],
)
def test_the_version_serves_again_and_stays_bad(found, text):
    entry = undone(asking(), UNDOING, THERE, ASKED, found=found)
    ledger = entry.ledgers[TARGET.target_id]

    assert (entry.incident.state, entry.news) == (State.UNDONE, Reason.UNDONE)
    assert entry.text == text
    assert (ledger.current.version, ledger.current.origin) == ("2", Origin.PUT_BACK)
    assert ledger.revision == "r9"


def test_what_could_not_be_done_is_told_with_why():
    entry = not_undone(asking(), UNDOING, "AWS said no")

    assert (entry.incident.state, entry.news) == (State.UNKNOWN, Reason.UNDO_FAILED)
    assert entry.text == "version 2 was not put back: AWS said no"


def test_what_was_wanted_is_a_step_of_its_time():
    assert ordered(MOVED, ASKED, NOW).steps == (
        *MOVED.steps,
        Step(
            at=NOW,
            state=State.UNDOING,
            reason=Reason.UNDO_ORDERED,
            text="bob wants version 2 back",
        ),
    )


@pytest.mark.parametrize(
    ("changes", "may_act", "text"),
    [
        ({}, False, "the mode is observe"),
        (
            {"now": NOW + timedelta(hours=1)},
            True,
            "it was asked for at 22 Nov 04:00:00 UTC, too long ago",
        ),
        ({"observation": None}, True, "the alias does not exist any more"),
    ],
)
def test_what_is_in_the_way_is_said_in_full(changes, may_act, text):
    assert in_the_way(asking(**changes), UNDOING, ASKED, may_act=may_act) == text


KEPT = {TARGET.target_id: a_ledger(acted_at=(NOW,)), "other": Ledger(acted=("x",))}
DRILLED = replace(UNDOING, drill=True, ordered_by="ann")


def test_other_targets_keep_what_is_known_of_them():
    case = asking(ledgers=KEPT, now=NOW + MINUTE)
    entry = undone(case, UNDOING, THERE, ASKED)

    assert entry.ledgers == KEPT | {
        TARGET.target_id: put_back(
            KEPT[TARGET.target_id], version="2", revision="r9", now=NOW + MINUTE
        )
    }
    assert not_undone(case, UNDOING, "x").ledgers == KEPT


def test_a_drill_leaves_no_trace_of_having_acted():
    condemned = Bad(version="2", at=NOW, incident_id=DRILLED.id)
    acted = a_ledger(
        acted=(a_release().key,), acted_at=(NOW, NOW - MINUTE), bad=(condemned,), good=()
    )
    case = asking(ledgers=KEPT | {TARGET.target_id: acted})
    forward, stays = undone(case, DRILLED, THERE, ASKED), not_undone(case, DRILLED, "x")

    for entry in (forward, stays):
        assert entry.ledgers["other"] == KEPT["other"]
        ledger = entry.ledgers[TARGET.target_id]
        assert (ledger.acted, ledger.acted_at, ledger.bad) == ((), (NOW - MINUTE,), ())
    assert forward.ledgers[TARGET.target_id].revision == "r9"
    assert stays.ledgers[TARGET.target_id].revision == acted.revision


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({}, "ann"),
        ({"acted_at": None}, None),
        ({"drill": False}, None),
        ({"ordered_by": None}, None),
    ],
)
def test_a_drill_that_acted_is_undone_for_whoever_ordered_it(changes, by):
    found = wish(Controls(), replace(DRILLED, **changes))

    assert found == (by and UndoAsked(incident_id=DRILLED.id, by=by, at=NOW))


def test_another_alarm_waits_while_a_rollback_is_undone():
    assert answered(asking(incident=UNDOING)).incident is UNDOING
