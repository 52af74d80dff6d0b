"""A week as a message: pure, in plain words, the most important first. It rings nobody."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rollback_responder.domain.figures import (
    FALSE_PERCENT,
    MEAN_ROLLBACK_TIME,
    SUCCESS_PERCENT,
    Summary,
    Times,
)
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.week import StillOn, Week
from rollback_responder.notifiers.bulletin import Bulletin
from rollback_responder.notifiers.words import WORDS

# More than these would bury what matters; the journal has them all.
MOST_REASONS, MOST_OPEN, MOST_STILL_ON = 3, 10, 10
TEN = 10
ENDINGS: dict[State, str] = {
    State.FIXED: "helped",
    State.NOT_FIXED: "did not help",
    State.UNKNOWN: "ended without proof",
    State.INCOMPLETE: "did not bring everything back",
    State.INDETERMINATE: "may or may not have been made",
    State.UNDONE: "undone by a person",
}


def digest_of(week: Week, *, account_id: str, region: str) -> Bulletin:
    """The message about a week."""
    return Bulletin(
        icon="calendar",
        headline=_headline(week),
        parts=tuple(part for part in _parts(week) if part[1]),
        footer=f"{_instant(week.since_at)} to {_instant(week.until_at)} · account {account_id}"
        f" · {region}",
    )


def _headline(week: Week) -> str:
    if week.is_quiet:
        return f"A quiet week in {week.environment}: nothing was rolled back, nothing is open"
    rollbacks, saves = week.summary.rollbacks, week.summary.saves
    told = [_count(rollbacks, "rollback") if rollbacks else "no rollback"]
    if rollbacks:
        told[0] += f", {saves if saves < rollbacks else 'all'} of which helped"
    if week.open:
        told.append(f"{len(week.open)} still open")
    if week.paused_by is not None:
        told.append("paused")
    return f"The week in {week.environment}: {'; '.join(told)}"


def _parts(week: Week) -> Iterator[tuple[str, str]]:
    summary = week.summary
    yield "Still open", _listed([_open(i, week.until_at) for i in week.open], MOST_OPEN)
    yield "Still on", _listed(list(_still_on(week)), MOST_STILL_ON)
    yield "Rollbacks", _rollbacks(summary)
    yield "Left alone", _left_alone(summary)
    yield "What you said of them", _labels(summary)
    if summary.missed:
        yield "Targets missed", "\n".join(f"• {target}" for target in summary.missed)
    yield "The responder itself", _itself(week)
    yield "Could not be read", _listed(list(week.unreadable), MOST_OPEN)


def _rollbacks(summary: Summary) -> str:
    told = [
        f"{count} {ENDINGS.get(state, state.value.replace('_', ' '))}"
        for state, count in sorted(summary.outcomes.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    lines = [f"{', '.join(told)} (target: over {SUCCESS_PERCENT} % help)."] if told else []
    if summary.to_back.mean is not None:
        target = f"target: under {MEAN_ROLLBACK_TIME // MINUTE} min"
        lines.append(f"From the alarm until all was back: {_times(summary.to_back)} ({target}).")
    if summary.to_recovery.mean is not None:
        lines.append(f"Until it was proved to have helped: {_times(summary.to_recovery)}.")
    if summary.adopted:
        lines.append(f"{_count(summary.adopted, 'rollback')} of somebody else's followed.")
    return "\n".join(lines)


def _times(times: Times) -> str:
    told = f"{_lasted(times.mean)} on average"
    if times.median == times.p90:
        return told
    # Of fewer than ten the ninetieth percentile is the longest.
    most = f"{'at most' if times.count < TEN else 'nine of ten within'} {_lasted(times.p90)}"
    return f"{told}, half within {_lasted(times.median)}, {most}"


def _left_alone(summary: Summary) -> str:
    total = sum(count for _, count in summary.stood_down)
    if not total:
        return ""
    shown = [f"{count}: {WORDS[r].said} ({r.value})" for r, count in summary.stood_down]
    more = sum(count for _, count in summary.stood_down[MOST_REASONS:])
    lines = [f"• {line}" for line in shown[:MOST_REASONS]]
    lines += [f"• {more} for other reasons"] if more else []
    return "\n".join([f"{_count(total, 'alarm')} judged, nothing done:", *lines])


def _labels(summary: Summary) -> str:
    labelled = summary.right + summary.wrong
    silent = summary.rollbacks - labelled
    told = []
    if labelled:
        wrong = f"{summary.wrong} false" if summary.wrong else "none false"
        told.append(f"{wrong} of {labelled} labelled (target: under {FALSE_PERCENT} %).")
    if silent > 0:
        told.append(f"{_count(silent, 'rollback')} nobody has labelled yet: was it right?")
    return " ".join(told)


def _open(incident: Incident, now: datetime) -> str:
    age = _lasted(now - incident.opened_at)
    said = WORDS[incident.reason].said
    return f"{incident.service}: {said}, for {age} ({incident.id})"


def _still_on(week: Week) -> Iterator[str]:
    if week.paused_by is not None:
        yield f"Everything is paused by {week.paused_by}; nothing is rolled back until a resume"
    for each in week.still_on:
        yield _said(each)


def _said(each: StillOn) -> str:
    until = f"until {_instant(each.until_at)}" if each.until_at else "until it is taken back"
    return f"{each.service}: {each.text}, says {each.by}, {until}"


def _itself(week: Week) -> str:
    watched = f"{_count(week.services, 'service')} watched"
    if week.beats is None:
        return f"{watched}; how often it looked could not be read."
    if week.beats >= week.minutes:
        return f"{watched}, every minute of the week."
    missed = week.minutes - week.beats
    return f"{watched}, in {week.beats:,} of {week.minutes:,} minutes; {missed:,} were missed."


def _listed(lines: list[str], most: int) -> str:
    shown = [f"• {line}" for line in lines[:most]]
    more = [f"• and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*shown, *more])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lasted(duration: timedelta | None) -> str:
    """A duration as people say it."""
    minutes = round((duration or timedelta(0)) / MINUTE)
    if minutes < 1:
        return "under a minute"
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"  # noqa: PLR2004 - two days


def _instant(instant: datetime) -> str:
    return f"{instant:%a %d %b %H:%M} UTC"
