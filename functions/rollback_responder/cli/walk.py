"""The walk of `respond` up to the act, for who only wants to know: no claim, no write, no act.

It looks, judges and decides with the same functions, in the same order.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from msgspec import Struct

from rollback_responder import signals
from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.case import Case, Entry
from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.explaining import Explanation, explained
from rollback_responder.domain.going_back import adopted
from rollback_responder.domain.holding import answered, asked, must_wait, stood_down
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import How
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.domain.situation import (
    Adopt,
    Ask,
    Decision,
    RollBack,
    Situation,
    StandDown,
    Switches,
)
from rollback_responder.domain.undo import asked_to_undo
from rollback_responder.looking import Look, assessed, situation_of
from rollback_responder.notifiers.words import WORDS
from rollback_responder.ports import Claim, Row
from rollback_responder.rooms import Rooms


class Refused(Struct, frozen=True, kw_only=True):
    """A message that `respond` would put among the dead letters."""

    reason: str
    text: str


class Ignored(Struct, frozen=True, kw_only=True):
    """A message that asks for nothing."""

    signal: Signal
    watched: Watched
    text: str


class Looked(Struct, frozen=True, kw_only=True):
    """Everything that `respond` would rest its decision on, seen without a claim."""

    row: Row
    case: Case
    assessment: Assessment
    failing: tuple[str, ...]
    situation: Situation | StandDown


class Explained(Struct, frozen=True, kw_only=True):
    """One look at what a message is about.

    `before` is what settles it before any gate is asked, if anything does. `explanation` is None
    where there is nothing to ask the gates about. `would` says in words what would be done.
    """

    signal: Signal
    watched: Watched
    case: Case
    assessment: Assessment
    failing: tuple[str, ...]
    explanation: Explanation | None
    before: str | None
    decision: Decision
    would: str


def look_at(
    rooms: Rooms, message: str | Mapping[str, Any], *, region: str | None = None
) -> Refused | Ignored | Explained:
    """What would happen on one message. `region` is where `rooms` look, where that is known.

    Raises:
        RollbackError: something could not be read.
    """
    try:
        signal = signals.read(message)
    except SignalError as error:
        return Refused(reason=error.reason, text=str(error))
    if region and signal.region != region:
        text = f"the alarm is of region {signal.region[:30]!r}, this looks at {region!r}"
        return Refused(reason="other_region", text=f"other_region: {text}")
    watched = next(
        (each for each in rooms.policy.watched() if each.alarm_name == signal.alarm_name), None
    )
    if watched is None:
        text = f"no service of the policy names the alarm {signal.alarm_name[:80]!r}"
        return Refused(reason="unknown_alarm", text=text)
    if signal.state is not AlarmState.ALARM:
        text = f"the message says {signal.state.value}; only ALARM is looked at"
        return Ignored(signal=signal, watched=watched, text=text)
    return _explained(signal, watched, look(rooms, watched))


def look(rooms: Rooms, watched: Watched) -> Looked:
    """One look at a service by one of its alarms; nothing is claimed or written.

    Raises:
        RollbackError: something could not be read.
    """
    now, service = rooms.clock(), watched.service
    looking = Look(rooms, watched, now)
    row = rooms.journal.rows([service.name]).get(service.name)
    row = row or Row(ledgers={}, incident=None, acting_until=None)
    limit = rooms.policy.guardrails.rollbacks_an_hour
    may_act = rooms.policy.mode_of(service).may_act
    switches = rooms.budget.read(limit=limit, now=now) if may_act else Switches()
    # As a claim would show it; none is made.
    as_claimed = Claim(
        id=rooms.new_id(now),
        service=service.name,
        until=now,
        ledgers=row.ledgers,
        incident=row.incident,
        inherited=(),
        controls=row.controls,
    )
    found = looking.seen(as_claimed, lambda: switches)
    assessment, failing, _ = assessed(rooms, found)
    return Looked(
        row=row,
        case=found.case,
        assessment=assessment,
        failing=failing,
        situation=situation_of(rooms, found, assessment, failing),
    )


def _explained(signal: Signal, watched: Watched, found: Looked) -> Explained:
    situation, assessment = found.situation, found.assessment
    explanation: Explanation | None = None
    if isinstance(situation, StandDown):
        decision: Decision = situation
    else:
        explanation = explained(situation)
        decision = explanation.decision
    before = _before(found.case, found.row)
    return Explained(
        signal=signal,
        watched=watched,
        case=found.case,
        assessment=assessment,
        failing=found.failing,
        explanation=explanation,
        before=before,
        decision=decision,
        would=before or would_be(found.case, assessment, decision),
    )


def _before(case: Case, row: Row) -> str | None:
    """What settles it before any gate is asked."""
    if row.damage:
        return f"nothing: {row.damage}"
    if row.acting_until and case.now <= row.acting_until:
        return "nothing yet: another attempt works on the service; the message comes again"
    if row.acting_until:
        return (
            "an attempt ended without a word: what it did or may still do is settled first, by what"
            " the targets show"
        )
    if undo := asked_to_undo(case):
        return f"the rollback is undone: {undo.by} wants that"
    if order := case.ordered:
        return f"it is rolled back, if it still can be: {order.by} ordered that"
    if entry := answered(case):
        return f"nothing: {entry.text}"
    incident = case.incident
    if incident and incident.state is State.ROLLING_BACK:
        return f"the rollback under way is followed: incident {incident.id}"
    return None


def would_be(case: Case, assessment: Assessment, decision: Decision) -> str:
    """What would be done about a decision, in words."""
    match decision:
        case RollBack():
            waiting = must_wait(case, decision)
            said = WORDS[decision.reason].said
            return f"nothing yet: {waiting.text}" if waiting else f"{act(decision)}: {said}"
        case Ask():
            entry = asked(case, assessment, decision)
            return f"a person is asked whether to {act(decision.would)}. {entry.text}"
        case Adopt():
            entry = adopted(case, assessment, decision.returning)
            return f"the rollback is followed to its end: {entry.text}"
        case StandDown():
            would = f". But for that: {act(decision.would)}" if decision.would else ""
            entry = stood_down(case, assessment, decision)
            return f"nothing: {entry.text}{would}{_again(entry, case)}"
        case _:
            assert_never(decision)


def _again(entry: Entry, case: Case) -> str:
    if entry.incident is None or entry.incident.state is not State.UNDECIDED:
        return ""
    minutes = case.guardrails.recheck_minutes
    return (
        f". It is judged again each minute; {minutes} min after the first look a person is called"
    )


def act(decision: RollBack) -> str:
    """What `respond` does first, then what follows."""
    first, *later = decision.trial.legs
    match first.how:
        case How.MOVE:
            done = f"move {first.target.title} from {first.title} to version {decision.to_version}"
        case How.STOP:
            done = f"tell {first.title} to go back"
        case How.REDEPLOY:
            done = f"deploy version {decision.to_version} again through {first.target.title}"
        case How.FOLLOW:
            done = f"follow {first.title}"
        case _:
            assert_never(first.how)
    return ", then ".join([done, *(f"{leg.how.value} {leg.title}" for leg in later)])
