"""`rollback report`: the document that is written after an incident, as far as machines can."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rollback_responder.cli.failure import BadUsage
from rollback_responder.cli.incidents import incident_named
from rollback_responder.cli.markdown import markdown_of
from rollback_responder.cli.options import (
    IncidentId,
    JournalFile,
    PolicyFile,
    Profile,
    Region,
    TableName,
)
from rollback_responder.cli.page import page_of
from rollback_responder.cli.place import Place
from rollback_responder.cli.report import report_of
from rollback_responder.cli.screen import Screen
from rollback_responder.notifiers.picture import png_of


class Format(StrEnum):
    """What the report is written as."""

    MARKDOWN = "md"
    HTML = "html"


ReportFormat = Annotated[
    Format, typer.Option("--format", help="Markdown, or one HTML page that loads nothing.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write it there; else it is printed."),
]


def report(
    incident_id: IncidentId,
    *,
    form: ReportFormat = Format.MARKDOWN,
    output: Output = None,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
    journal: JournalFile = None,
) -> None:
    """Write the post-incident document: summary, timeline, evidence, figures, open questions.

    Example: rollback report inc-20261122-031500-1a2b3c4d --format html --output incident.html
    """
    place = Place(
        policy_file=policy, journal_file=journal, table_name=table, region=region, profile=profile
    )
    screen = Screen()
    with screen.waiting("reading the journal"):
        incident = incident_named(place.records, incident_id)
        label, said = place.records.label(incident), place.records.said(incident)
    found = report_of(incident, label=label, said=said, region=place.region_name)
    match form:
        case Format.MARKDOWN:
            # Few places that show Markdown show a picture that is part of it.
            text = markdown_of(found)
        case Format.HTML:
            text = page_of(found, png_of(incident))
    if output is None:
        screen.raw(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadUsage(f"{output} could not be written: {error.strerror}") from error
    screen.err.print(f"written: {output}", soft_wrap=True)
