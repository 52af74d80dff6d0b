"""Explaining: every gate and switch is heard, and what settles it is what `decide` decides."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain import explaining
from rollback_responder.domain.decision import decide
from rollback_responder.domain.explaining import WAY_BACK, Says, Stage, explained
from rollback_responder.domain.gates import GATES
from rollback_responder.domain.leg import How
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.situation import Adopt, Ask, RollBack, StandDown
from rollback_responder.domain.switches import SWITCHES
from rollback_responder.domain.trial import Returning
from tests.builders import a_leg
from tests.unit.test_decision import (
    NO_TRIAL,
    OBJECTIONS,
    YES,
    a_situation,
    forced,
    objecting,
    situations,
)

IN_ORDER = [*(gate.__name__ for gate in GATES), WAY_BACK, *(each.__name__ for each in SWITCHES)]


def agrees(situation):
    """Whether the first objection of the explanation is what `decide` decides."""
    found, decision = explained(situation), decide(situation)
    settled = found.settled_by
    if settled is None or isinstance(decision, RollBack):
        return settled is None and isinstance(decision, RollBack)
    match decision:
        case Adopt(returning=returning):
            return (settled.says, settled.text) == (Says.FOLLOWS, returning.text)
        case Ask(reason=reason, text=text):
            return (settled.says, settled.reason, settled.text) == (Says.ASKS, reason, text)
        case StandDown(reason=reason, text=text):
            return (settled.says, settled.reason, settled.text) == (Says.OBJECTS, reason, text)
    raise AssertionError(decision)


@given(situations(), st.sampled_from([None, "move", "stop"]))
@settings(max_examples=500)
def test_the_first_objection_is_what_is_decided_whatever_the_situation(situation, force):
    situation = forced(situation, moving=force == "move") if force else situation

    assert agrees(situation)
    assert explained(situation).decision == decide(situation)
    assert [answer.name for answer in explained(situation).answers] == IN_ORDER


@pytest.mark.parametrize("approval", [None, YES])
@pytest.mark.parametrize("number", range(len(OBJECTIONS)), ids=[r.value for r, _ in OBJECTIONS])
def test_it_is_so_for_each_objection_alone_and_with_all_later_ones(number, approval):
    rows = [objection for _, objection in OBJECTIONS[number:]]
    for situation in (objecting(rows[0]), objecting(*reversed(rows))):
        assert agrees(replace(situation, approval=approval))


def test_a_clean_slate_passes_everywhere():
    assert {answer.says for answer in explained(a_situation()).answers} == {Says.PASSES}


def test_gates_after_the_one_that_objects_are_heard_as_well():
    """Whoever mends the first wants to know what comes next."""
    rows = dict(OBJECTIONS)
    situation = objecting(rows[Reason.ALARM_NOT_FIRING], rows[Reason.COOLDOWN], rows[Reason.PAUSED])
    found = {a.reason for a in explained(situation).answers if a.says is Says.OBJECTS}

    assert found == {Reason.ALARM_NOT_FIRING, Reason.COOLDOWN, Reason.PAUSED}


@pytest.mark.parametrize(
    "trial", [NO_TRIAL, Returning(change="d", text="so", legs=(a_leg(how=How.FOLLOW),), over=False)]
)
def test_where_nothing_is_on_trial_no_switch_is_asked(trial):
    answers = explained(a_situation(on_trial=trial)).answers
    after = [a for a in answers if a.name == WAY_BACK or a.stage is Stage.SWITCH]

    assert {answer.says for answer in after} == {Says.NOT_ASKED}


def test_where_no_way_leads_back_the_switches_are_asked_all_the_same():
    rows = dict(OBJECTIONS)
    situation = objecting(rows[Reason.NO_PROVEN_RELEASE], rows[Reason.PAUSED])
    found = explained(situation)

    assert found.settled_by.name == WAY_BACK
    assert [a.reason for a in found.answers if a.stage is Stage.SWITCH and a.reason] == [
        Reason.PAUSED
    ]


def test_what_is_followed_settles_it_before_whoever_forbids_it():
    followed = Returning(change="d", text="so", legs=(a_leg(how=How.FOLLOW),), over=False)
    found = explained(a_situation(on_trial=followed))

    assert (found.settled_by.says, found.settled_by.text) == (Says.FOLLOWS, "so")


def test_who_says_nothing_says_no_text():
    assert {answer.text for answer in explained(a_situation()).answers} == {""}


def test_every_line_says_what_it_looks_for():
    for answer in explained(a_situation()).answers:
        assert answer.rule.endswith("."), answer.name


def test_this_test_sees_a_switch_that_is_left_out(monkeypatch):
    monkeypatch.setattr(explaining, "SWITCHES", SWITCHES[:-1])
    rows = dict(OBJECTIONS)

    assert not agrees(objecting(rows[Reason.BUDGET_SPENT]))
