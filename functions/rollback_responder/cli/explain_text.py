"""What `rollback explain` shows: the alarm, the change, the evidence, every gate, the end of it."""

from collections.abc import Iterator
from typing import Any, assert_never

from rich.text import Text

from rollback_responder.cli.screen import BAD, DOUBT, GOOD, PALE, Screen, clock
from rollback_responder.cli.walk import Explained, Ignored, Refused
from rollback_responder.domain.assessment import Assessment, Baseline
from rollback_responder.domain.document import write
from rollback_responder.domain.explaining import Answer, Says, Stage
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Adopt, Decision
from rollback_responder.domain.trial import Trial
from rollback_responder.domain.trigger import AdoptedAlarm

MARKS: dict[Says, tuple[str, str]] = {
    Says.PASSES: ("✓", GOOD),
    Says.OBJECTS: ("✗", BAD),
    Says.ASKS: ("?", DOUBT),
    Says.FOLLOWS: ("→", DOUBT),
    Says.NOT_ASKED: ("·", PALE),
}
STAGES = {Stage.GATE: "Gates", Stage.SWITCH: "Switches"}
COMPARED = {
    Baseline.BESIDE: "with the version beside it, minute by minute",
    Baseline.BEFORE: "with the version before, by its last hour",
    Baseline.NONE: "with nothing: no version before it is known",
}
WIDEST_NAME = 12


def show(screen: Screen, found: Refused | Ignored | Explained) -> None:
    """One message and what would come of it."""
    match found:
        case Refused():
            screen.line("The message is no alarm of this policy's.", BAD)
            screen.pairs([("why", found.text)])
            _end(screen, "nothing: it is put among the dead letters, for a person")
        case Ignored():
            _alarm(screen, found.watched, [])
            _end(screen, f"nothing: {found.text}")
        case Explained():
            _explained(screen, found)
        case _:
            assert_never(found)


def _explained(screen: Screen, found: Explained) -> None:
    more = [("message", f"says ALARM since {clock(found.signal.at)}")] if found.signal.at else []
    _alarm(screen, found.watched, [*more, *_alarm_now(found)])
    screen.line("On trial", "bold")
    screen.pairs(list(_on_trial(found)))
    screen.line("Evidence", "bold")
    screen.pairs(list(_evidence(found.assessment)))
    if found.failing:
        screen.pairs([("siblings", f"{', '.join(found.failing)} fail as well")])
    answers = found.explanation.answers if found.explanation else ()
    for stage, title in STAGES.items():
        if answers:
            screen.line(title, "bold")
        for answer in answers:
            if answer.stage is stage:
                _line(screen, answer)
    _end(screen, found.would)


def _alarm(screen: Screen, watched: Watched, more: list[tuple[str, str]]) -> None:
    trigger = watched.trigger
    said = "an alarm of somebody else's"
    if not isinstance(trigger, AdoptedAlarm):
        said = question_of(trigger, watched.pointer).said
    where = f", on {watched.pointer.title}" if watched.pointer else ""
    screen.line(watched.alarm_name, "bold")
    screen.pairs(
        [
            ("service", f"{watched.service.name}{where}"),
            ("trigger", f"{said}; severity {trigger.severity.value}"),
            *more,
        ]
    )


def _alarm_now(found: Explained) -> Iterator[tuple[str, str]]:
    case = found.case
    yield "looked at", clock(case.now)
    yield "now", _reading(case.alarm) if case.alarm else "the alarm does not exist"
    yield "mode", case.mode.value


def _reading(alarm: AlarmReading) -> str:
    held = {
        "its actions are held by": alarm.suppressed_by,
        "its actions are muted by": alarm.muted_by,
        "in doubt:": alarm.unsound,
    }
    parts = [f"{alarm.state.value} since {clock(alarm.transitioned_at)}"]
    parts += [f"{words} {value}" for words, value in held.items() if value]
    if not alarm.actions_enabled:
        parts.append("its actions are disabled")
    return "; ".join(parts)


def _on_trial(found: Explained) -> Iterator[tuple[str, str]]:
    case, trial = found.case, found.case.on_trial()
    if isinstance(trial, Trial):
        yield "change", f"{trial.title}, since {clock(trial.since_at)}"
        yield "why", trial.why
    else:
        yield "change", trial.text
    if case.observation:
        seen = case.observation
        both = f", sharing with {seen.other}" if seen.other else ""
        yield "live", f"version {seen.primary}{both}"
    proven = ", ".join(good.version for good in case.ledger.good)
    if case.watched.pointer:
        yield "proved", f"version {proven}" if proven else "no version yet"
    for rollout, sight in case.sights:
        yield rollout.title, sight.status if sight else "does not exist"


def _evidence(assessment: Assessment) -> Iterator[tuple[str, str]]:
    new = assessment.new
    yield "verdict", f"{new.verdict.value}: {new.text}"
    if new.threshold is not None and new.value is not None:
        counted = f", {new.errors} bad of {new.requests}" if new.requests else ""
        yield "measured", f"{new.value:.4g} against {new.threshold:g}{counted}"
    yield "compared", COMPARED[assessment.baseline]
    if assessment.previous:
        yield "before", f"{assessment.previous.verdict.value}: {assessment.previous.text}"


def _line(screen: Screen, answer: Answer) -> None:
    mark, style = MARKS[answer.says]
    said = answer.says.value.replace("_", " ")
    line = Text(f"  {mark} ", style=style).append(f"{_short(answer.name):<{WIDEST_NAME}} ")
    line.append(f"{said:<9}", style=style)
    reason = f"{answer.reason.value}: " if answer.reason else ""
    if answer.text:
        line.append(f" {reason}{answer.text}")
    else:
        line.append(f" {'not so: ' if answer.says is Says.PASSES else ''}{answer.rule}", style=PALE)
    screen.out.print(line, soft_wrap=True)


def _short(name: str) -> str:
    """A gate's or a switch's name without what they all end with."""
    for ending in ("_objects", "_object", "_asks"):
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def _end(screen: Screen, would: str) -> None:
    screen.line("Would be done", "bold")
    screen.line(f"  {would}")
    screen.line()


# -- for scripts ------------------------------------------------------------------------------


def document_of(found: Refused | Ignored | Explained) -> dict[str, Any]:
    """The same for a script. Keys stay; new ones may come."""
    match found:
        case Refused(reason=reason, text=text):
            return {"decision": "refused", "reason": reason, "text": text}
        case Ignored():
            return _heads(found) | {"decision": "ignored", "text": found.text}
        case Explained():
            return _heads(found) | _whole(found)
        case _:
            assert_never(found)


def _heads(found: Ignored | Explained) -> dict[str, Any]:
    watched = found.watched
    return {
        "alarm": watched.alarm_name,
        "service": watched.service.name,
        "target": watched.pointer.target_id if watched.pointer else None,
        "trigger": write(watched.trigger),
    }


def _whole(found: Explained) -> dict[str, Any]:
    case, trial = found.case, found.case.on_trial()
    return {
        "looked_at": case.now.isoformat(),
        "alarm_now": write(case.alarm) if case.alarm else None,
        "mode": case.mode.value,
        "on_trial": write(trial),
        "observation": write(case.observation) if case.observation else None,
        "evidence": write(found.assessment),
        "failing_siblings": list(found.failing),
        "answers": [write(answer) for answer in found.explanation.answers]
        if found.explanation
        else [],
        "settled_before": found.before,
        "decision": _word(found.decision),
        "reason": None if isinstance(found.decision, Adopt) else found.decision.reason.value,
        "would": found.would,
    }


def _word(decision: Decision) -> str:
    return {"RollBack": "roll_back", "StandDown": "stand_down"}.get(
        type(decision).__name__, type(decision).__name__.lower()
    )
