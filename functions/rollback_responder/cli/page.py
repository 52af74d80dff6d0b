"""A report as one HTML page that loads nothing: it can be mailed, printed, kept."""

import base64
from html import escape

from rollback_responder.cli.report import FIGURES, Pairs, Report
from rollback_responder.domain.incident import State

TONES: dict[State, str] = {
    State.UNDECIDED: "doubt",
    State.ASKING: "doubt",
    State.ROLLING_BACK: "doubt",
    State.WATCHING: "doubt",
    State.FIXED: "good",
    State.NOT_FIXED: "bad",
    State.UNKNOWN: "doubt",
    State.STOOD_DOWN: "calm",
    State.INCOMPLETE: "bad",
    State.INDETERMINATE: "bad",
    State.UNDOING: "doubt",
    State.UNDONE: "calm",
}

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --pale: #59636e; --rule: #d1d9e0;
  --good: #1a7f37; --bad: #cf222e; --doubt: #9a6700; --calm: #59636e; --box: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --pale: #9198a1;
  --rule: #3d444d; --good: #3fb950; --bad: #f85149; --doubt: #d29922; --calm: #9198a1;
  --box: #151b23; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 54rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; border-left: .4rem solid var(--tone);
  padding-left: .8rem; margin: .5rem 0 1.5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1rem 0 .1rem; }
p { margin: .1rem 0 .6rem; white-space: pre-line; }
.state { color: var(--tone); font-weight: 600; text-transform: uppercase; font-size: .85rem;
  letter-spacing: .05em; }
.good { --tone: var(--good); } .bad { --tone: var(--bad); }
.doubt { --tone: var(--doubt); } .calm { --tone: var(--calm); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--rule); }
th { width: 14rem; font-weight: 500; color: var(--pale); }
td { font-variant-numeric: tabular-nums; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .7rem; }
.figures div { background: var(--box); border: 1px solid var(--rule); border-radius: .4rem;
  padding: .6rem .8rem; }
.figures b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.figures span { color: var(--pale); font-size: .85rem; }
img { max-width: 100%; background: #fff; border: 1px solid var(--rule); }
li { margin: .5rem 0; } .answer { border-bottom: 1px dotted var(--pale); height: 1.8rem; }
a { color: inherit; } footer { margin-top: 3rem; color: var(--pale); font-size: .85rem; }
@media (max-width: 36rem) { th { width: 8rem; } }
@media print { :root { --ink: #000; --paper: #fff; --pale: #444; --rule: #bbb; --box: #fff; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  h2 { break-after: avoid; } tr, li, .figures div { break-inside: avoid; }
  a::after { content: none; } .answer { height: 3rem; } }
"""


def _data_uri(picture: bytes) -> str:
    """A PNG as an address that loads nothing."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def page_of(report: Report, picture: bytes | None = None) -> str:
    """The report as a page; `picture` is a PNG of the metric and becomes a part of it.

    The page's own policy (`default-src 'none'`) lets a browser load nothing, whatever is in it.
    """
    tone = TONES[report.state]
    title = escape(report.headline)
    state = escape(report.state.value.replace("_", " "))
    blocks = [
        f'<p class="state">{state}</p>\n<h1>{title}</h1>',
        _table(report.facts),
        "<h2>Summary</h2>",
        *(f"<h3>{escape(title)}</h3>\n<p>{escape(text)}</p>" for title, text in report.summary),
        f"<h2>{FIGURES}</h2>\n{_boxes(report.figures)}",
    ]
    if picture:
        alt = "The metric, with the change and the rollback"
        blocks.append(f'<figure><img alt="{alt}" src="{_data_uri(picture)}"></figure>')
    blocks.append(f"<h2>Timeline</h2>\n{_table(report.timeline)}")
    if report.evidence:
        blocks.append(f"<h2>Evidence</h2>\n{_table(report.evidence)}")
    if report.parts:
        blocks.append(f"<h2>Parts</h2>\n{_table(report.parts)}")
    blocks.append(f"<h2>Open questions</h2>\n{_questions(report.questions)}")
    if report.links:
        blocks.append(f"<h2>Links</h2>\n{_links(report)}")
    blocks.append(f"<footer>{escape(report.footer)}</footer>")
    body = "\n".join(blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n"
        f'<body class="{tone}">\n{body}\n</body>\n</html>\n'
    )


def _table(pairs: Pairs) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(left)}</th><td>{escape(right)}</td></tr>'
        for left, right in pairs
    )
    return f"<table>\n{rows}\n</table>"


def _boxes(pairs: Pairs) -> str:
    boxes = "\n".join(
        f"<div><b>{escape(took)}</b><span>{escape(name)}</span></div>" for name, took in pairs
    )
    return f'<div class="figures">\n{boxes}\n</div>'


def _questions(questions: tuple[str, ...]) -> str:
    items = "\n".join(f'<li>{escape(one)}<div class="answer"></div></li>' for one in questions)
    return f"<ol>\n{items}\n</ol>"


def _links(report: Report) -> str:
    items = "\n".join(
        f'<li><a href="{escape(link.url)}" rel="noreferrer">{escape(link.label)}</a></li>'
        for link in report.links
    )
    return f"<ul>\n{items}\n</ul>"
