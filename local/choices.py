"""What each button of the responder means for the ending of a story, whoever presses it.

At a terminal the buttons belong to whoever watches, so a story may end in another way than its own;
it is then held to what the button means.
"""

from collections.abc import Sequence
from dataclasses import replace

from local.scenarios import Ending, Scenario, Way

# Those that decide how it ends. Where two are taken before the responder looks again, the one that
# stands first here decides, as in its own order of switches.
DECISIONS = ("undo", "hold", "fix_forward", "approve")
# Those that only say whether it was right.
OPINIONS = {"right": True, "wrong": False}
MEANS = {
    "approve": "it rolls back, and watches whether that helps",
    "hold": "this change stays, and nothing is moved",
    "fix_forward": "nothing is rolled back for an hour, while you fix it with a new deploy",
    "undo": "the newer version serves again, and is not rolled back any more",
    "right": "you say that it did what it should have; it feeds the figures",
    "wrong": "you say that it was a false alarm; it feeds the figures",
}


def decided_by(taken: Sequence[str]) -> str | None:
    """The button that decides among those that were taken, if one does."""
    return next((action for action in DECISIONS if action in taken), None)


def ending_after(scenario: Scenario, taken: Sequence[str]) -> Ending:
    """The ending that a story must have after these buttons were pressed and taken, in order."""
    decision = decided_by(taken)
    ending = scenario.ending
    if decision is not None and decision not in scenario.presses:
        ending = _ending_of(scenario, decision)
    said = [OPINIONS[action] for action in taken if action in OPINIONS]
    return replace(ending, label=said[-1]) if said else ending


def leaves_the_story(scenario: Scenario, taken: Sequence[str]) -> bool:
    """Whether a person decided otherwise than the story does."""
    decision = decided_by(taken)
    return decision is not None and decision not in scenario.presses


def is_yours(scenario: Scenario) -> bool:
    """Whether any button may be pressed in a story: what it means there is known.

    Where a rollout is under way, or no button would lead to a rollback, it is not.
    """
    return scenario.way is Way.CDK and not scenario.outage and scenario.mode != "observe"


def _ending_of(scenario: Scenario, decision: str) -> Ending:
    if not is_yours(scenario):
        return scenario.ending
    match decision:
        case "approve":
            return Ending(
                version="1", state="fixed", reason="symptom_gone", headline="rolled back v2 → v1"
            )
        case "hold":
            return Ending(
                version="2",
                state="stood_down",
                reason="held",
                headline="somebody said that this change stays",
                acts=0,
            )
        case "fix_forward":
            # It stays open, and a question that was asked asks nothing any more.
            return Ending(
                version="2",
                state="undecided",
                reason="fix_forward",
                headline="fixes it forward, until",
                acts=0,
            )
        case "undo":
            return Ending(
                version="2", state="undone", reason="undone", headline="a person undid it", acts=2
            )
    raise ValueError(f"no button decides by the name {decision!r}")
