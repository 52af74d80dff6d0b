"""A backtest as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from collections.abc import Iterator, Sequence
from html import escape
from statistics import median

from rollback_responder.cli import plots
from rollback_responder.cli.backtest_text import (
    ALWAYS_UNKNOWN,
    grounds,
    is_own,
    minutes,
    repeated,
    variant,
    what,
)
from rollback_responder.cli.findings import WOULD_BE, Finding, Kind
from rollback_responder.cli.whole import Backtest

STYLE = """
:root { --ink: #1f2933; --pale: #616e7c; --line: #e4e7eb; --bad: #c2410c; --ask: #b7791f;
  --sheet: #fff; --ground: #f5f7fa; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 16px; margin: 0; }
p { margin: 6px 0; }
.pale { color: var(--pale); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 22px 0; }
.tile, .card, .sheet { background: var(--sheet); border: 1px solid var(--line);
  border-radius: 10px; }
.tile { padding: 14px 16px; }
.tile b { display: block; font-size: 26px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--pale); font-size: 13px; }
.sheet { padding: 12px 16px; overflow-x: auto; }
.card { padding: 16px 18px; margin: 0 0 14px; }
.card header { display: flex; gap: 10px; align-items: baseline; flex-wrap: wrap; }
.word { font-size: 12px; font-weight: 600; color: #fff; border-radius: 999px; padding: 2px 10px;
  background: var(--pale); white-space: nowrap; }
.word.bad { background: var(--bad); } .word.ask { background: var(--ask); }
.when { margin-left: auto; white-space: nowrap; color: var(--pale);
  font-variant-numeric: tabular-nums; }
dl { display: flex; flex-wrap: wrap; gap: 4px 28px; margin: 10px 0 8px; }
dl div { display: flex; gap: 8px; } dt { color: var(--pale); } dd { margin: 0; font-weight: 600;
  font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--pale); font-weight: 500; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.own td { background: #eef4ff; font-weight: 600; }
code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
ul { padding-left: 20px; } li { margin: 4px 0; }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
"""
WORDS = {Kind.ROLL_BACK: "bad", Kind.SAY: "bad", Kind.ASK: "ask"}


def page(found: Backtest) -> str:
    """The whole page."""
    title = f"Backtest of {found.policy.environment}"
    body = "\n".join(_body(found, title))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{body}</main></body></html>\n"
    )


def _body(found: Backtest, title: str) -> Iterator[str]:
    history = found.history
    yield (
        f"<h1>{escape(title)}</h1>"
        f'<p class="pale">{history.from_at:%d %B %Y %H:%M} to {history.to_at:%d %B %Y %H:%M} UTC,'
        f" {escape(history.region)}, mode {found.policy.mode.value}. What this policy would have"
        " done; nothing was touched.</p>"
    )
    yield from _tiles(found)
    yield f'<div class="sheet">{plots.of_month(found)}</div>'
    would = [finding for finding in found.findings if finding.kind in WOULD_BE]
    yield "<h2>What it would have undone, or asked about</h2>"
    if not would:
        yield "<p>Nothing.</p>"
    for finding in would:
        yield _card(found, finding)
    yield from _rest(found)
    yield from _sweep(found)
    yield "<h2>What this cannot know</h2><ul>"
    yield from (f"<li>{escape(text)}</li>" for text in (*found.unknown, *ALWAYS_UNKNOWN))
    yield "</ul>"


def _tiles(found: Backtest) -> Iterator[str]:
    counts = found.counts()
    acts = found.of(Kind.ROLL_BACK, Kind.SAY)
    tiles = [
        (str(counts[Kind.ROLL_BACK] + counts[Kind.SAY]), "would-be rollbacks"),
        (str(counts[Kind.ASK]), "questions to a person"),
        (str(counts[Kind.STAND_DOWN]), "stood down"),
        (_middle([f.minutes_from_deploy for f in acts]), "from deploy to rollback, median"),
        (_middle([f.minutes_from_alarm for f in acts]), "from alarm to rollback, median"),
    ]
    yield '<div class="tiles">'
    yield from (f'<div class="tile"><b>{n}</b><span>{escape(w)}</span></div>' for n, w in tiles)
    yield "</div>"


def _middle(numbers: Sequence[float | None]) -> str:
    known = [number for number in numbers if number is not None]
    return minutes(round(median(known), 1)) if known else "-"


def _card(found: Backtest, finding: Finding) -> str:
    facts = [
        ("after the deploy", minutes(finding.minutes_from_deploy)),
        (
            "after the alarm",
            minutes(finding.minutes_from_alarm) if finding.fired_at else "before it fired",
        ),
        ("reason", finding.step.reason.value),
    ]
    picture = plots.of_finding(found, finding) or ""
    listed = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return (
        f'<article class="card"><header><span class="word {WORDS[finding.kind]}">'
        f"{finding.kind.value}</span><h3>{escape(finding.incident.service)}</h3>"
        f"<span>{escape(what(finding))}</span>"
        f'<span class="when">{finding.step.at:%d %b %H:%M} UTC</span></header>'
        f"<dl>{listed}</dl><p>{escape(grounds(finding))}</p>"
        f"{picture}</article>"
    )


def _rest(found: Backtest) -> Iterator[str]:
    rest = found.of(Kind.STAND_DOWN, Kind.FOLLOW, Kind.UNDECIDED)
    yield "<h2>Where it would have left things alone</h2>"
    if not rest:
        yield "<p>Nowhere.</p>"
        return
    yield '<div class="sheet"><table><tr><th>when</th><th>service</th><th>why</th></tr>'
    for finding in rest:
        yield (
            f'<tr><td class="when">{finding.step.at:%d %b %H:%M}</td>'
            f"<td>{escape(finding.incident.service)}</td>"
            f"<td><code>{finding.step.reason.value}</code> {escape(repeated(finding))}"
            f'<div class="pale">{escape(finding.incident.alarm_name)}</div></td></tr>'
        )
    yield "</table></div>"


def _sweep(found: Backtest) -> Iterator[str]:
    if not found.variants:
        return
    yield (
        "<h2>With other thresholds</h2>"
        '<p class="pale">Every threshold of the policy times a factor, and so many bad minutes. The'
        " alarms are worked out from the minutes in every row; each is compared with the policy as"
        " it is.</p>"
        '<div class="sheet"><table><tr><th>thresholds</th><th class="n">bad minutes</th>'
        '<th class="n">would be undone or asked</th><th class="n">later by, median</th>'
        '<th class="n">no more</th><th class="n">newly</th></tr>'
    )
    for one in found.variants:
        row = '<tr class="own">' if is_own(one) else "<tr>"
        thresholds, bad_minutes = variant(one)
        yield (
            f'{row}<td>{thresholds}</td><td class="n">{bad_minutes}</td>'
            f'<td class="n">{one.would_be}</td><td class="n">{minutes(one.later_minutes)}</td>'
            f'<td class="n">{one.lost}</td><td class="n">{one.more}</td></tr>'
        )
    yield "</table></div><p class='pale'>Shaded: the policy as it is.</p>"
