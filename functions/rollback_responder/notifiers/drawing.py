"""The drawing itself, with matplotlib. Loaded only by who draws.

Readable at the width of a phone, where 1600 pixels become 360 points: few words, large, each beside
what it names. The ground is the picture's own and opaque, so it reads the same in dark mode. The
colours are of Okabe and Ito's palette ("Color Universal Design", 2008), and no line is told by its
colour alone: the new version has dots, the one before a wider line, and each its name.
"""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.recording import Point
from rollback_responder.notifiers.picture import Event, Line, Mark, Plot, Tone, number_text

INCHES, DPI = (8.0, 4.5), 200
PAPER, INK, SOFT, GRID = "#fcfcfb", "#1d1c1d", "#5c5b5e", "#e4e3e1"
VERMILLION, BLUE, LIMIT = "#c44e00", "#0068a8", "#8a3b6f"
TONES = {Tone.NEW: VERMILLION, Tone.OLD: BLUE, Tone.ALL: INK}
EVENTS = {
    Event.DEPLOY: VERMILLION,
    Event.ALARM: INK,
    Event.ASKED: INK,
    Event.ACT: BLUE,
    Event.BACK: BLUE,
    Event.OUTCOME: SOFT,
}
SIGNS = {
    Event.DEPLOY: "▲",
    Event.ALARM: "●",
    Event.ASKED: "?",
    Event.ACT: "◀",
    Event.BACK: "◀",
    Event.OUTCOME: "■",
}
BIG, NORMAL = 17, 13.5
# The plot's place in the picture; above it one row for each mark.
LEFT, RIGHT, BOTTOM, TOP, ROW = 0.118, 0.865, 0.125, 0.875, 0.066
MOST_TICKS = 7
HALF = 0.5
DASHED, DOTTED = (0, (5, 3)), (0, (1, 1.6))
TICK_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120)
# A label covers the lines behind it.
# The share of the width that the limit's name takes.
LIMIT_NAMED = 0.3
COVER = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    # What a policy names is never a formula.
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "rollback",
    "axes.edgecolor": SOFT,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}


def as_png(plot: Plot) -> bytes:
    """The picture as PNG, the same bytes for the same plot."""
    with mpl.rc_context(STYLE):
        figure = _drawn(plot)
        FigureCanvasAgg(figure)
        kept = io.BytesIO()
        figure.savefig(kept, format="png", dpi=DPI, metadata={"Software": None})
    return kept.getvalue()


def as_svg(plot: Plot) -> str:
    """The picture as SVG, its letters as shapes."""
    with mpl.rc_context(STYLE):
        figure = _drawn(plot)
        FigureCanvasSVG(figure)
        kept = io.StringIO()
        figure.savefig(kept, format="svg", metadata={"Date": None, "Creator": None})
    return kept.getvalue()


def _drawn(plot: Plot) -> Figure:
    figure = Figure(figsize=INCHES, facecolor=PAPER)
    rows = _rows(plot)
    top = TOP - len(rows) * ROW
    axes = figure.add_axes((LEFT, BOTTOM, RIGHT - LEFT, top - BOTTOM), facecolor=PAPER)
    _frame(axes, plot)
    _exposed(axes, plot)
    _limit(axes, plot)
    for line in plot.lines:
        _line(axes, line)
    _names(axes, plot)
    for row, marks in enumerate(rows):
        _mark(axes, plot, marks, 1 + (len(rows) - row - 0.4) * ROW / (top - BOTTOM))
    date = f"{plot.until_at:%d %b %Y}, UTC"
    figure.text(0.02, 0.965, plot.title, fontsize=BIG, fontweight="bold", va="top")
    figure.text(0.98, 0.96, date, ha="right", va="top", color=SOFT)
    return figure


def _frame(axes: Axes, plot: Plot) -> None:
    axes.set_xlim(_x(plot.since_at), _x(plot.until_at))
    axes.set_ylim(0, _ceiling(plot))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=4, color=SOFT, labelsize=NORMAL, pad=6)
    axes.tick_params(axis="y", length=0, labelsize=NORMAL, pad=5)
    ticks = _ticks(plot.since_at, plot.until_at)
    axes.xaxis.set_major_locator(FixedLocator([_x(tick) for tick in ticks]))
    axes.set_xticklabels([f"{tick:%H:%M}" for tick in ticks])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=3, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: number_text(number, plot.unit)))


def _exposed(axes: Axes, plot: Plot) -> None:
    """The time in which the suspect served, as a light ground."""
    deploys = [mark.at for mark in plot.marks if mark.event is Event.DEPLOY]
    acts = [mark.at for mark in plot.marks if mark.event is Event.BACK]
    if deploys:
        until_at = acts[-1] if acts else plot.until_at
        axes.axvspan(_x(deploys[0]), _x(until_at), color=VERMILLION, alpha=0.08, linewidth=0)


def _limit(axes: Axes, plot: Plot) -> None:
    """The line that a minute must stay under; of a band, each minute's own."""
    points = [point for line in plot.lines for point in line.points if point.limit is not None]
    height = plot.limit
    if height is not None:
        axes.axhline(height, color=LIMIT, linewidth=1.8, linestyle=DASHED, zorder=2)
    elif points:
        height = points[0].limit
        instants = [_x(point.at + MINUTE / 2) for point in points]
        limits = [point.limit or 0.0 for point in points]
        axes.plot(instants, limits, color=LIMIT, linewidth=1.8, linestyle=DASHED, zorder=2)
    if height is not None:
        axes.annotate(
            plot.limit_text,
            (0, height),
            xycoords=("axes fraction", "data"),
            xytext=(4, 5),
            textcoords="offset points",
            color=LIMIT,
            va="bottom",
            bbox=COVER,
            zorder=4,
        )


def _line(axes: Axes, line: Line) -> None:
    """One line, interrupted where a minute is not known."""
    dotted = line.tone is Tone.NEW
    for piece in _pieces(line.points):
        axes.plot(
            [_x(point.at + MINUTE / 2) for point in piece],
            [point.number for point in piece],
            color=TONES[line.tone],
            linewidth=2.6 if dotted else 3.6,
            marker="o" if dotted or len(piece) == 1 else None,
            markersize=7,
            solid_capstyle="round",
            zorder=5 if dotted else 3,
            clip_on=False,
        )


def _names(axes: Axes, plot: Plot) -> None:
    """Each line's name and number: in the margin where it reaches the end, else where it ended."""
    ceiling, taken = _ceiling(plot), 0.0
    for line in sorted(plot.lines, key=lambda each: each.points[-1].number):
        last = line.points[-1]
        if plot.until_at - last.at <= 2 * MINUTE:
            # Two that end together stand apart.
            name = line.name.replace(" ", "\n")
            taken = max(last.number, taken, (0.07 + 0.05 * name.count("\n")) * ceiling)
            text = f"{name}\n{number_text(last.number, plot.unit)}"
            _name(axes, line, text, (1, taken), (9, 0), coordinates=("axes fraction", "data"))
            taken += 0.2 * ceiling
            continue
        place = (_x(last.at + MINUTE / 2), last.number)
        text = f"{line.name} {_worst(line, plot.unit)}"
        # Where it ended nothing of its own is to the right; the one before goes on at its height,
        # and on the left the limit has its name.
        share = (last.at - plot.since_at) / (plot.until_at - plot.since_at)
        above = 16 if share > LIMIT_NAMED else 52
        _name(axes, line, text, place, (-4, above) if line.tone is Tone.OLD else (11, 0))


def _worst(line: Line, unit: str) -> str:
    worst = max(point.number for point in line.points)
    text = number_text(worst, unit)
    return text if worst == line.points[-1].number else f"up to {text}"


def _name(
    axes: Axes,
    line: Line,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float],
    *,
    coordinates: str | tuple[str, str] = "data",
) -> None:
    axes.annotate(
        text,
        place,
        xycoords=coordinates,
        xytext=offset,
        textcoords="offset points",
        color=TONES[line.tone],
        fontweight="bold",
        ha="right" if offset[0] < 0 else "left",
        va="center",
        linespacing=1.1,
        bbox=COVER,
        annotation_clip=False,
        zorder=6,
    )


def _rows(plot: Plot) -> list[tuple[Mark, ...]]:
    """The marks of one minute share a row. Ordered so that few labels stand on a mark's line.

    Those in the left half are named to their right, the earliest on top; the others to their left,
    the latest on top.
    """
    minutes = [tuple(marks) for _, marks in groupby(plot.marks, lambda mark: f"{mark.at:%d %H:%M}")]
    right = [marks for marks in minutes if not _is_named_left(plot, marks[0])]
    left = [marks for marks in minutes if _is_named_left(plot, marks[0])]
    return [*right, *reversed(left)]


def _is_named_left(plot: Plot, mark: Mark) -> bool:
    return (mark.at - plot.since_at) / (plot.until_at - plot.since_at) > HALF


def _mark(axes: Axes, plot: Plot, marks: tuple[Mark, ...], row: float) -> None:
    """A line through the plot up to the row in which is named what happened."""
    last = marks[-1]
    colour, left = EVENTS[last.event], _is_named_left(plot, last)
    axes.plot(
        [_x(last.at)] * 2,
        [0, row],
        transform=axes.get_xaxis_transform(),
        color=colour,
        linewidth=1.5,
        linestyle=DOTTED if last.event is Event.OUTCOME else "-",
        clip_on=False,
        zorder=1.5,
    )
    words = ", ".join(mark.text for mark in marks) + f" {last.at:%H:%M}"
    signs = "".join(SIGNS[mark.event] for mark in marks)
    axes.annotate(
        f"{words} {signs}" if left else f"{signs} {words}",
        (_x(last.at), row),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-6 if left else 6, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=colour,
        bbox=COVER,
        annotation_clip=False,
        zorder=4,
    )


def _ceiling(plot: Plot) -> float:
    """Room above everything, so that no name is cut."""
    points = [point for line in plot.lines for point in line.points]
    limits = [point.limit for point in points if point.limit is not None]
    highest = max([*(point.number for point in points), *limits, (plot.limit or 0) * 1.25])
    return highest * 1.12 or 1.0


def _pieces(points: Sequence[Point]) -> Iterator[list[Point]]:
    piece: list[Point] = []
    for point in points:
        if piece and point.at - piece[-1].at > MINUTE:
            yield piece
            piece = []
        piece.append(point)
    if piece:
        yield piece


def _ticks(since_at: datetime, until_at: datetime) -> list[datetime]:
    span = until_at - since_at
    fitting = (step for step in TICK_MINUTES if span <= step * MOST_TICKS * MINUTE)
    step = next(fitting, TICK_MINUTES[-1])
    midnight = since_at.replace(hour=0, minute=0, second=0, microsecond=0)
    number = -((midnight - since_at) // (step * MINUTE))
    tick, found = midnight + number * step * MINUTE, []
    while tick <= until_at:
        found.append(tick)
        tick += timedelta(minutes=step)
    return found


def _x(instant: datetime) -> float:
    return instant.timestamp() / 60
