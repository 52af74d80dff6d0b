"""`rollback incidents` and `rollback show`: what happened, in the words that Slack has too."""

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from rollback_responder import bootstrap
from rollback_responder.cli import documents
from rollback_responder.cli.failure import BadUsage
from rollback_responder.cli.figures import figures_of, told
from rollback_responder.cli.options import (
    AsJson,
    IncidentId,
    JournalFile,
    PolicyFile,
    Profile,
    Region,
    TableName,
    parse_span,
)
from rollback_responder.cli.place import Place
from rollback_responder.cli.records import Kept, Records
from rollback_responder.cli.report import FIGURES, report_of
from rollback_responder.cli.screen import BAD, STATE_STYLES, Screen, clock
from rollback_responder.domain.incident import Incident
from rollback_responder.notifiers.headline import headline

ServiceName = Annotated[
    str | None, typer.Option("--service", metavar="NAME", help="Only of this service.")
]
OnlyOpen = Annotated[bool, typer.Option("--open", help="Only those that are not over.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="SPAN", help="Only opened within this time: 90m, 12h or 7d."),
]


def incidents(
    *,
    service: ServiceName = None,
    only_open: OnlyOpen = False,
    since: Since = None,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
    journal: JournalFile = None,
) -> None:
    """List incidents, newest first.

    Example: rollback incidents --service checkout --since 7d
    """
    span = parse_span(since, "--since") if since else None
    place = Place(
        policy_file=policy, journal_file=journal, table_name=table, region=region, profile=profile
    )
    screen = Screen()
    since_at = bootstrap.utc_now() - span if span else None
    with screen.waiting("reading the journal"):
        kept = _kept(place.records, service)
    found = [i for i in reversed(kept.incidents) if _wanted(i, since_at, only_open=only_open)]
    for damage in kept.damages:
        screen.err.print(Text(f"cannot be read: {damage}", style=BAD), soft_wrap=True)
    if as_json:
        screen.json({"incidents": [documents.incident_in_brief(incident) for incident in found]})
        return
    if not found:
        screen.line("No incident.")
        return
    screen.table(
        ["OPENED", "STATE", "ALARM TO RECOVERY", "WHAT", "ID"],
        [
            [
                clock(incident.opened_at),
                Text(incident.state.value.replace("_", " "), style=STATE_STYLES[incident.state]),
                told(figures_of(incident).alarm_to_recovery),
                headline(incident),
                incident.id,
            ]
            for incident in found
        ],
    )


def _wanted(incident: Incident, since_at: datetime | None, *, only_open: bool) -> bool:
    recent = since_at is None or incident.opened_at >= since_at
    return recent and (incident.is_open or not only_open)


def _kept(records: Records, service: str | None) -> Kept:
    """The incidents of one service or of all, oldest first."""
    if service is not None and service not in records.services:
        known = ", ".join(records.services) or "none"
        raise BadUsage(f"--service: got {service!r}; allowed: {known}; name one of these")
    kept = [records.incidents(name) for name in ([service] if service else records.services)]
    found = [incident for one in kept for incident in one.incidents]
    return Kept(
        incidents=tuple(sorted(found, key=lambda incident: (incident.opened_at, incident.id))),
        damages=tuple(damage for one in kept for damage in one.damages),
    )


def show(
    incident_id: IncidentId,
    *,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
    journal: JournalFile = None,
) -> None:
    """Show one incident: what happened, what was done, the numbers, every step.

    Example: rollback show inc-20261122-031500-1a2b3c4d
    """
    place = Place(
        policy_file=policy, journal_file=journal, table_name=table, region=region, profile=profile
    )
    screen = Screen()
    with screen.waiting("reading the journal"):
        incident = incident_named(place.records, incident_id)
        label, said = place.records.label(incident), place.records.said(incident)
    if as_json:
        screen.json(documents.incident_in_full(incident, label, said))
        return
    report = report_of(incident, label=label, said=said)
    screen.line(report.headline, f"bold {STATE_STYLES[incident.state]}".strip())
    screen.pairs(report.facts)
    for title, text in report.summary:
        screen.line()
        screen.line(title, "bold")
        for line in text.splitlines():
            screen.line(f"  {line}")
    for title, pairs in (
        (FIGURES, report.figures),
        ("Evidence", report.evidence),
        ("Parts", report.parts),
        ("Timeline", report.timeline),
    ):
        if pairs:
            screen.line()
            screen.line(title, "bold")
            screen.pairs(pairs)
    screen.line()
    screen.line(f"  {report.footer}", "dim")


def incident_named(records: Records, incident_id: str) -> Incident:
    """The incident of that name.

    Raises:
        BadUsage: there is none.
        JournalError: the journal could not be read.
    """
    incident = records.incident(incident_id)
    if incident is None:
        raise BadUsage(
            f"no incident is called {incident_id!r} in the services "
            f"{', '.join(records.services) or '(none)'}; `rollback incidents` lists them"
        )
    return incident
