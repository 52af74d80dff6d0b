"""A report as Markdown, for a wiki or a pull request."""

import re

from rollback_responder.cli.report import FIGURES, Pairs, Report

# What CommonMark and the tables of GitHub could take for their own signs (CommonMark, "Backslash
# escapes": any ASCII punctuation may be escaped). A dot and a dash only matter where a line begins.
SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!])")
LINE_START = re.compile(r"^(\s*|\s*\d+)([-+=.)])(?=\s|$|[-=])", re.MULTILINE)


def markdown_of(report: Report) -> str:
    """The report as Markdown."""
    blocks = [f"# {escaped(report.headline)}", _table(("Fact", "Value"), report.facts)]
    blocks.append("## Summary")
    blocks += [f"**{title}.** {_lines(text)}" for title, text in report.summary]
    blocks += [f"## {FIGURES}", _table(("From", "Took"), report.figures)]
    blocks += ["## Timeline", _table(("When", "What"), report.timeline)]
    if report.evidence:
        blocks += ["## Evidence", _table(("Of", "What the numbers said"), report.evidence)]
    if report.parts:
        blocks += ["## Parts", _table(("Target", "What was done"), report.parts)]
    blocks.append("## Open questions")
    blocks += [f"- [ ] {escaped(question)}\n\n  _to be answered_" for question in report.questions]
    if report.links:
        blocks.append("## Links")
        # In the link's angle brackets only these could end it.
        blocks += [
            f"- [{escaped(link.label)}](<{link.url.replace('<', '%3C').replace('>', '%3E')}>)"
            for link in report.links
        ]
    blocks.append(f"---\n\n{escaped(report.footer)}")
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Foreign text that stays text."""
    return LINE_START.sub(r"\1\\\2", SPECIAL.sub(r"\\\1", text))


def _lines(text: str) -> str:
    """Several lines as one paragraph with breaks in it."""
    return "\\\n".join(escaped(line) for line in text.splitlines())


def _table(heads: tuple[str, str], pairs: Pairs) -> str:
    rows = [f"| {heads[0]} | {heads[1]} |", "|---|---|"]
    rows += [f"| {_cell(left)} | {_cell(right)} |" for left, right in pairs]
    return "\n".join(rows)


def _cell(text: str) -> str:
    # In a cell no line begins.
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
