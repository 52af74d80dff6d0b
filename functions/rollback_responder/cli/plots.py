"""Pictures of a backtest, as SVG text that stands inside a page. Same record, same bytes."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isnan, nan
from typing import Any

from matplotlib import dates, rc_context
from matplotlib.figure import Figure
from msgspec import Struct

from rollback_responder.cli.findings import Finding, Kind, pointer_of
from rollback_responder.cli.recorded import metrics_in
from rollback_responder.cli.whole import Backtest
from rollback_responder.domain.measurement import MINUTE, Bucket
from rollback_responder.domain.metric import Question, Share, question_of, tells_versions_apart
from rollback_responder.domain.trigger import AdoptedAlarm

BEFORE, AFTER = timedelta(minutes=45), timedelta(minutes=45)
INK, PALE, GRID = "#1f2933", "#7b8794", "#e4e7eb"
UNSEEN = "#f0f3f7"
NEW, OLD, LIMIT = "#c2410c", "#2563eb", "#9f1239"
COLOURS = {
    Kind.ROLL_BACK: "#c2410c",
    Kind.SAY: "#c2410c",
    Kind.ASK: "#b7791f",
    Kind.FOLLOW: "#2563eb",
    Kind.STAND_DOWN: "#7b8794",
    Kind.UNDECIDED: "#7b8794",
}


class Line(Struct, frozen=True, kw_only=True):
    """One line of a picture."""

    label: str
    colour: str
    starts: Sequence[datetime]
    values: Sequence[float]


def of_finding(found: Backtest, finding: Finding) -> str | None:
    """The minutes about one finding, with the change, the alarm and the answer marked."""
    trigger, pointer = finding.incident.trigger, pointer_of(finding)
    if isinstance(trigger, AdoptedAlarm):
        return None
    since_at, until_at = finding.step.at - BEFORE, finding.step.at + AFTER
    question = question_of(trigger, pointer)
    lines = _lines(found, finding, question, since_at, until_at)
    if not any(line.starts for line in lines):
        return None
    figure = Figure(figsize=(8.6, 2.7), layout="constrained")
    axes: Any = figure.add_subplot()
    for line in lines:
        axes.plot(
            line.starts,
            line.values,
            color=line.colour,
            label=line.label,
            linewidth=1.6,
            marker=".",
            markersize=4,
        )
    limit = finding.evidence.threshold if finding.evidence else None
    if limit is not None:
        axes.axhline(limit, color=LIMIT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"threshold {limit:g}",
            (0.004, limit),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            color=LIMIT,
            va="bottom",
        )
    _marks(axes, finding)
    axes.set_xlim(since_at, until_at)
    shown = (value for line in lines for value in line.values if not isnan(value))
    highest = max([*shown, limit or 0.0, 1.0])
    # Room above the lines for the words of the marks.
    axes.set_ylim(-0.02 * highest, 1.6 * highest)
    unit = " in percent" if question.unit == " %" else question.unit
    axes.set_ylabel(
        f"{question.noun}{unit}",
        fontsize=8,
        color=PALE,
    )
    axes.xaxis.set_major_formatter(_times("%H:%M"))
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.12), ncols=3, fontsize=8, frameon=False)
    _plain(axes)
    return _svg(figure, f"{finding.incident.service} {finding.step.at:%d %b %H:%M}")


def _lines(
    found: Backtest, finding: Finding, question: Question, since_at: datetime, until_at: datetime
) -> list[Line]:
    trigger, pointer = finding.incident.trigger, pointer_of(finding)
    assert not isinstance(trigger, AdoptedAlarm)
    history = found.history
    metrics = metrics_in(history, lambda: history.to_at)
    asked: dict[str, tuple[str, str, Question]] = {"all": ("all traffic", OLD, question)}
    version, back = finding.version, finding.incident.to_version
    if pointer and version and tells_versions_apart(trigger):
        mine = question_of(trigger, pointer, version=version)
        asked = {"new": (f"version {version}, on trial", NEW, mine)}
        if back:
            theirs = question_of(trigger, pointer, version=back)
            asked["old"] = (f"version {back}", OLD, theirs)
    read = metrics.read(
        {name: one for name, (_, _, one) in asked.items()}, since_at=since_at, now=until_at
    )
    return [
        _line(label, colour, [(b.start_at, _value(one, b)) for b in read[name]])
        for name, (label, colour, one) in asked.items()
    ]


def _line(label: str, colour: str, points: Sequence[tuple[datetime, float]]) -> Line:
    """A line with a gap where nobody was served."""
    whole: list[tuple[datetime, float]] = []
    for at, value in points:
        if whole and at - whole[-1][0] > MINUTE:
            whole.append((whole[-1][0] + MINUTE, nan))
        whole.append((at, value))
    return Line(
        label=label,
        colour=colour,
        starts=[at for at, _ in whole],
        values=[value for _, value in whole],
    )


def _value(question: Question, bucket: Bucket) -> float:
    if not isinstance(question, Share):
        return bucket.value or 0.0
    if question.threshold_percent is None:
        return float(bucket.errors)
    return 100 * bucket.errors / bucket.requests


def _marks(axes: Any, finding: Finding) -> None:
    """Deploy, alarm, answer: from left to right, each a little lower, so that no words collide."""
    marks = [
        (finding.deployed_at, "deploy", INK),
        (finding.fired_at, "alarm", LIMIT),
        (finding.step.at, finding.kind.value, COLOURS[finding.kind]),
    ]
    height = 0.97
    for at, word, colour in marks:
        if at is None or abs(at - finding.step.at) > BEFORE:
            continue
        axes.axvline(at, color=colour, linewidth=1.2)
        axes.annotate(
            f" {word} {at:%H:%M}",
            (at, height),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color=colour,
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
        height -= 0.1


def of_month(found: Backtest) -> str:
    """Everything on one line of time, a lane for each service."""
    services = [service.name for service in found.policy.services]
    figure = Figure(figsize=(8.6, 0.9 + 0.42 * len(services)), layout="constrained")
    axes: Any = figure.add_subplot()
    history = found.history
    lanes = {name: len(services) - number for number, name in enumerate(services)}
    owners = {
        pointer.target_id: service.name
        for service in found.policy.services
        for pointer in service.pointers
    }
    for one in history.pointers:
        lane = lanes[owners[one.target]]
        deploys = [stay.from_at for stay in one.stays[1:]]
        axes.plot(deploys, [lane] * len(deploys), "|", color=PALE, markersize=11, label="change")
    # The weightiest last, so that it lies on top.
    for kind in reversed(Kind):
        mine = [finding for finding in found.findings if finding.kind is kind]
        if mine:
            axes.plot(
                [finding.step.at for finding in mine],
                [lanes[finding.incident.service] for finding in mine],
                "o",
                color=COLOURS[kind],
                markersize=7 if kind in {Kind.ROLL_BACK, Kind.ASK, Kind.SAY} else 4.5,
                label=kind.value,
            )
    if history.begins_at > history.from_at:
        axes.axvspan(history.from_at, history.begins_at, color=UNSEEN, zorder=0)
        axes.annotate(
            "no minutes kept",
            (history.from_at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -4),
            textcoords="offset points",
            fontsize=8,
            color=PALE,
            va="top",
        )
    axes.set_yticks(list(lanes.values()), list(lanes), fontsize=8)
    axes.set_ylim(0.4, len(services) + 0.6)
    axes.set_xlim(history.from_at, history.to_at)
    short = history.to_at - history.from_at < timedelta(days=3)
    axes.xaxis.set_major_formatter(_times("%d %b %H:%M" if short else "%d %b"))
    known = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(
        known.values(),
        known.keys(),
        loc="upper left",
        bbox_to_anchor=(0.0, -0.25),
        ncols=6,
        fontsize=8,
        frameon=False,
    )
    _plain(axes)
    return _svg(figure, "all findings in time")


def _plain(axes: Any) -> None:
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=PALE, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _times(pattern: str) -> Any:
    formatter: Any = dates.DateFormatter
    return formatter(pattern)


def _svg(figure: Figure, title: str) -> str:
    """The picture alone, with a title for who cannot see it; nothing in it changes by itself.

    Text stays text. Ids are salted, so that two pictures in one page do not share one.
    """
    held = io.StringIO()
    with rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        figure.savefig(
            held, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    text = held.getvalue()
    return text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
