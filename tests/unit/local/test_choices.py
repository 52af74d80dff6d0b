"""What a button means for a story's ending, by values alone; real presses are in tests/e2e."""

import dataclasses

import pytest

from local.choices import DECISIONS, MEANS, OPINIONS, ending_after, is_yours, leaves_the_story
from local.scenarios import SCENARIOS
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.presses import ORDERS

YOURS = [name for name, scenario in SCENARIOS.items() if is_yours(scenario)]


def test_every_button_of_the_responder_has_a_meaning_here():
    assert {*DECISIONS, *OPINIONS} == set(MEANS) == set(ORDERS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_story_that_goes_its_own_way_has_its_own_ending(name):
    scenario = SCENARIOS[name]

    assert ending_after(scenario, scenario.presses) == scenario.ending
    assert not leaves_the_story(scenario, scenario.presses)


@pytest.mark.parametrize("name", YOURS)
@pytest.mark.parametrize("action", DECISIONS)
def test_whichever_story_it_is_a_button_means_the_same(name, action):
    ending = ending_after(SCENARIOS[name], [action])
    own = dataclasses.replace(ending, label=None)
    told = next(one for one in SCENARIOS.values() if one.presses[:1] == ("hold",)).ending

    assert own.acts == {"approve": 1, "hold": 0, "fix_forward": 0, "undo": 2}[action]
    assert own.version == ("1" if action == "approve" else "2")
    assert (own == told) is (action == "hold")


@pytest.mark.parametrize("action", DECISIONS)
def test_an_ending_is_one_that_the_responder_can_come_to(action):
    ending = ending_after(SCENARIOS["bad-deploy"], [action])

    assert (State(ending.state).value, Reason(ending.reason).value) == (ending.state, ending.reason)


@pytest.mark.parametrize(
    ("name", "taken", "reason", "label"),
    [
        ("approve", ["hold"], "held", None),
        ("approve", ["hold", "right"], "held", True),
        ("approve", ["approve", "wrong"], "symptom_gone", False),
        ("approve", ["approve", "right", "wrong"], "symptom_gone", False),
        ("approve", ["approve", "undo"], "undone", None),
        ("hold", ["approve"], "symptom_gone", None),
        ("hold", ["fix_forward"], "fix_forward", None),
        ("hold", ["fix_forward", "hold"], "held", None),
        ("undo", ["wrong", "undo"], "undone", False),
        ("undo", ["hold"], "held", None),
        ("bad-deploy", ["undo"], "undone", None),
    ],
)
def test_who_chooses_otherwise_gets_what_they_chose(name, taken, reason, label):
    ending = ending_after(SCENARIOS[name], taken)

    assert (ending.reason, ending.label) == (reason, label)


def test_only_what_an_ending_names_will_do():
    ending = ending_after(SCENARIOS["hold"], ["fix_forward"])

    assert ending.allows("undecided", "fix_forward")
    assert not ending.allows("asking", "approval_needed")
    assert not ending.allows(None, None)
    assert SCENARIOS["healthy"].ending.allows(None, None)
    assert not SCENARIOS["hold"].ending.allows(None, None)


def test_where_a_rollout_is_under_way_no_other_ending_is_made_up():
    for name in set(SCENARIOS) - set(YOURS):
        assert ending_after(SCENARIOS[name], ["hold"]) == SCENARIOS[name].ending
    assert {"codedeploy", "stack", "observe", "both-bad"} == set(SCENARIOS) - set(YOURS)
