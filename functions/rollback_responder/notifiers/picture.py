"""An incident as a picture: what is shown, and the same in words. Pure, but for the drawing itself.

The number against its limit, the new version and the one before apart, and what happened when. It
is made from the journal's minutes alone, so it never differs from what was judged.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum

from msgspec import Struct

from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import Point, Recording
from rollback_responder.domain.release import Origin

# What is shown of the time before the deploy, or before the alarm where there is no deploy.
LEAD = 15 * MINUTE
# Slack API, files.getUploadURLExternal: `alt_txt_too_large` above 1,000 characters.
LONGEST_WORDS = 1000
WHOLE, THOUSANDS = 100, 10_000


class Tone(Enum):
    """What a line is of."""

    NEW = "new"
    OLD = "old"
    ALL = "all"


class Event(Enum):
    """What a mark is about."""

    DEPLOY = "deploy"
    ALARM = "alarm"
    ASKED = "asked"
    ACT = "act"
    BACK = "back"
    OUTCOME = "outcome"


class Line(Struct, frozen=True, kw_only=True):
    """One version's numbers, or all traffic's; `name` stands beside it."""

    tone: Tone
    name: str
    points: tuple[Point, ...]


class Mark(Struct, frozen=True, kw_only=True):
    """Something that happened."""

    event: Event
    at: datetime
    text: str


class Plot(Struct, frozen=True, kw_only=True):
    """Everything that is drawn, oldest first; all times are UTC."""

    title: str
    since_at: datetime
    until_at: datetime
    unit: str
    limit: float | None
    limit_text: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


def plot_of(incident: Incident) -> Plot | None:
    """What the picture of an incident shows, or None where nothing was measured."""
    minutes = incident.minutes
    if minutes is None:
        return None
    marks = tuple(sorted(_marks(incident, minutes), key=lambda mark: mark.at))
    since_at = max(minutes.since_at, min(mark.at for mark in marks) - LEAD)
    marks = tuple(mark for mark in marks if mark.at >= since_at)
    until_at = max([minutes.read_at, *(mark.at for mark in marks)])
    lines = (_since(line, since_at) for line in _lines(incident, minutes))
    return Plot(
        title=f"{incident.service}: {minutes.noun}",
        since_at=since_at,
        until_at=until_at,
        unit=minutes.unit,
        limit=minutes.threshold,
        limit_text=_limit_text(minutes),
        lines=tuple(line for line in lines if line.points),
        marks=marks,
    )


def picture_words(incident: Incident) -> str | None:
    """The picture in words, for whoever cannot see it, or None where there is none."""
    plot = plot_of(incident)
    if plot is None:
        return None
    span = f"{plot.since_at:%H:%M} to {plot.until_at:%H:%M} UTC on {plot.until_at:%d %b %Y}"
    limit = f"{plot.limit_text[0].upper()}{plot.limit_text[1:]}"
    told = [f"Chart of {plot.title}, {span}. {limit}."]
    told += [f"{line.name}: {_range(line.points, plot.unit)}." for line in plot.lines]
    told += [f"{mark.at:%H:%M:%S}: {mark.text}." for mark in plot.marks]
    text = " ".join(told)
    return text if len(text) <= LONGEST_WORDS else f"{text[: LONGEST_WORDS - 1]}…"


def picture_title(incident: Incident) -> str | None:
    """What the picture is called, or None where there is none."""
    plot = plot_of(incident)
    if plot is None:
        return None
    return f"{plot.title}, {plot.since_at:%H:%M} to {plot.until_at:%H:%M} UTC"


def png_of(incident: Incident) -> bytes | None:
    """The picture, 1600 by 900 pixels, or None where there is none."""
    plot = plot_of(incident)
    if plot is None:
        return None
    # matplotlib takes about a second to load; only who draws pays for it.
    from rollback_responder.notifiers.drawing import as_png  # noqa: PLC0415

    return as_png(plot)


def svg_of(incident: Incident) -> str | None:
    """The picture for a report, or None where there is none; it needs nothing from outside."""
    plot = plot_of(incident)
    if plot is None:
        return None
    from rollback_responder.notifiers.drawing import as_svg  # noqa: PLC0415

    return as_svg(plot)


def number_text(number: float, unit: str) -> str:
    """A number as people say it: three digits are enough."""
    if number >= THOUSANDS:
        return f"{number / 1000:,.3g}k{unit}"
    return f"{number:,.0f}{unit}" if number >= WHOLE else f"{number:.3g}{unit}"


# -- lines ----------------------------------------------------------------------------------------


def _lines(incident: Incident, minutes: Recording) -> Iterator[Line]:
    """The versions apart where they were measured apart; else all traffic."""
    total, new, previous = (
        minutes.points(track) for track in (minutes.total, minutes.new, minutes.previous)
    )
    if not new and not previous:
        yield Line(tone=Tone.ALL, name="all traffic", points=total)
        return
    known = {point.at for point in (*new, *previous)}
    rest = [point for point in total if point.at not in known]
    began_at = min(point.at for point in new) if new else minutes.read_at
    last_at, back_at = max(known), incident.back_at
    # Where only one version serves, CloudWatch may not tell it apart: then all traffic is its own.
    alone = not previous or (bool(new) and previous[-1].at < new[-1].at)
    before = [p for p in rest if p.at + MINUTE <= began_at]
    elsewhere = incident.reason in {Reason.MOVED_AGAIN, Reason.WRONG_VERSION}
    after = [p for p in rest if back_at and p.at >= back_at and not elsewhere]
    mine = [
        p for p in rest if last_at < p.at and alone and not (back_at and p.at + MINUTE > back_at)
    ]
    old = previous or tuple(before)
    yield Line(tone=Tone.OLD, name=_old_name(incident, minutes), points=_ordered(old, after))
    yield Line(tone=Tone.NEW, name=_new_name(incident, minutes), points=_ordered(new, mine))


def _ordered(*parts: Sequence[Point]) -> tuple[Point, ...]:
    return tuple(sorted(point for part in parts for point in part))


def _new_name(incident: Incident, minutes: Recording) -> str:
    version = minutes.new_version or (incident.release.version if incident.release else None)
    return f"v{version}" if version else "new"


def _old_name(incident: Incident, minutes: Recording) -> str:
    version = minutes.previous_version or incident.to_version
    return f"v{version}" if version else "before"


def _since(line: Line, since_at: datetime) -> Line:
    shown = tuple(point for point in line.points if point.at >= since_at)
    return Line(tone=line.tone, name=line.name, points=shown)


# -- marks ----------------------------------------------------------------------------------------

OUTCOMES: dict[State, str] = {
    State.FIXED: "healthy again",
    State.NOT_FIXED: "still bad",
    State.UNKNOWN: "outcome unknown",
    State.INCOMPLETE: "not all is back",
}


def _marks(incident: Incident, minutes: Recording) -> Iterator[Mark]:
    if deploy := _deploy(incident, minutes):
        yield deploy
    # While traffic shifts, what convicts the new version need not be an alarm.
    alarm = "judged" if incident.early else "alarm"
    if incident.ordered_by is None:
        yield Mark(event=Event.ALARM, at=incident.alarm_since_at, text=alarm)
    last = incident.news
    if incident.state is State.ASKING:
        yield Mark(event=Event.ASKED, at=last.at, text="you are asked")
    if incident.acted_at:
        yield from _way_back(incident, incident.acted_at)
        if incident.state in OUTCOMES:
            yield Mark(event=Event.OUTCOME, at=last.at, text=OUTCOMES[incident.state])


def _deploy(incident: Incident, minutes: Recording) -> Mark | None:
    """The first minute in which the suspect is known to have served, or when it was first seen."""
    judged = incident.assessment
    measured_at = judged.served_since_at if judged and not judged.served_before else None
    at = measured_at or minutes.changed_at
    came = incident.release is None or incident.release.origin is Origin.DEPLOYED
    text = f"{_new_name(incident, minutes)} {'deployed' if came else 'live'}"
    return Mark(event=Event.DEPLOY, at=at, text=text) if at else None


def _way_back(incident: Incident, acted_at: datetime) -> Iterator[Mark]:
    back_at = incident.back_at
    if back_at and back_at - acted_at < MINUTE:
        yield Mark(event=Event.BACK, at=acted_at, text="rolled back")
        return
    yield Mark(event=Event.ACT, at=acted_at, text="rollback began")
    if back_at:
        yield Mark(event=Event.BACK, at=back_at, text="all back")


# -- words ----------------------------------------------------------------------------------------


def _limit_text(minutes: Recording) -> str:
    if minutes.threshold is None:
        return f"limit: {minutes.said}"
    return f"limit {number_text(minutes.threshold, minutes.unit)}"


def _range(points: Sequence[Point], unit: str) -> str:
    low, high = (pick(point.number for point in points) for pick in (min, max))
    last = number_text(points[-1].number, unit)
    if low == high:
        return f"{last} throughout"
    return f"from {number_text(low, unit)} to {number_text(high, unit)}, {last} at the end"
