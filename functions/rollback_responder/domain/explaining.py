"""Explaining: what every gate and every switch says of a situation, not only the one that settles.

It walks the same tables as `decide`, so it can neither leave one out nor know one more.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from rollback_responder.domain.decision import decide, proposed
from rollback_responder.domain.gates import GATES
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.situation import Adopt, Ask, Decision, RollBack, Situation, StandDown
from rollback_responder.domain.switches import SWITCHES
from rollback_responder.domain.trial import Trial

WAY_BACK = "way_back"


class Stage(StrEnum):
    """When it is asked. A gate's first objection ends it; a switch that forbids outranks a yes."""

    GATE = "gate"
    SWITCH = "switch"


class Says(StrEnum):
    """What one of them says."""

    PASSES = "passes"
    OBJECTS = "objects"
    ASKS = "asks"
    FOLLOWS = "follows"
    # There is nothing on trial that it could be asked about.
    NOT_ASKED = "not_asked"


class Answer(Struct, frozen=True, kw_only=True):
    """One line: who was asked, and what it says. `rule` is what it looks for, in its own words."""

    stage: Stage
    name: str
    rule: str
    says: Says
    reason: Reason | None = None
    text: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """Every answer in the order of the asking, and what is decided of them."""

    answers: tuple[Answer, ...]
    decision: Decision
    approved: bool

    @property
    def settled_by(self) -> Answer | None:
        """The answer that the decision rests on; None where nothing speaks against acting."""
        for stage in Stage:
            for answer in self.answers:
                ends = answer.says in {Says.OBJECTS, Says.FOLLOWS}
                if answer.stage is stage and ends:
                    return answer
        if self.approved:
            return None
        return next((answer for answer in self.answers if answer.says is Says.ASKS), None)


def explained(situation: Situation) -> Explanation:
    """What each says. All gates are asked, also those after one that objects."""
    answers = [_answer(Stage.GATE, gate, gate(situation)) for gate in GATES]
    trial = situation.on_trial
    would = proposed(situation, trial) if isinstance(trial, Trial) else None
    return Explanation(
        answers=(*answers, *_of_acting(situation)),
        decision=decide(situation),
        approved=isinstance(would, RollBack) and situation.is_approved(would),
    )


def _of_acting(situation: Situation) -> Iterator[Answer]:
    """Where acting would lead, and what holds it back: of something on trial only."""
    trial = situation.on_trial
    if not isinstance(trial, Trial):
        yield _answer(Stage.GATE, proposed, None, Says.NOT_ASKED)
        for switch in SWITCHES:
            yield _answer(Stage.SWITCH, switch, None, Says.NOT_ASKED)
        return
    back = proposed(situation, trial)
    found = back if isinstance(back, StandDown) else None
    yield _answer(Stage.GATE, proposed, found)
    would = back if isinstance(back, RollBack) else RollBack(reason=Reason.APPROVED, trial=trial)
    for switch in SWITCHES:
        yield _answer(Stage.SWITCH, switch, switch(situation, would))


def _answer(
    stage: Stage,
    asked: Callable[..., object],
    found: StandDown | Adopt | Ask | None,
    otherwise: Says = Says.PASSES,
) -> Answer:
    says, reason, text = otherwise, None, ""
    if isinstance(found, StandDown | Ask):
        says = Says.ASKS if isinstance(found, Ask) else Says.OBJECTS
        reason, text = found.reason, found.text
    elif isinstance(found, Adopt):
        says, text = Says.FOLLOWS, found.returning.text
    name = WAY_BACK if asked is proposed else asked.__name__
    rule = (asked.__doc__ or "").partition("\n")[0]
    return Answer(stage=stage, name=name, rule=rule, says=says, reason=reason, text=text)
