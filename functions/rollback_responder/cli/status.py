"""`rollback status`: how every service stands, on one screen."""

from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from rollback_responder import bootstrap
from rollback_responder.cli import documents
from rollback_responder.cli.failure import NotRead
from rollback_responder.cli.options import (
    AsJson,
    JournalFile,
    PolicyFile,
    Profile,
    Region,
    TableName,
)
from rollback_responder.cli.place import Place, reading
from rollback_responder.cli.records import Record, Shared
from rollback_responder.cli.screen import BAD, DOUBT, STATE_STYLES, Screen, clock, span
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.release import Release
from rollback_responder.notifiers.headline import headline

# The watcher beats each minute; further back than this nobody looks.
HEARTBEAT_WINDOW = timedelta(hours=3)
LATE = timedelta(minutes=4)
STANDINGS = {
    "proved": "proved",
    "deployed": "on trial",
    "rolled_back": "rolled back to",
    "put_back": "put back by a person",
    "first_seen": "there before the responder",
}


def status(
    *,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
    journal: JournalFile = None,
) -> None:
    """Show how every service stands.

    The live version and whether it has proved itself, the open incident, who works on it, what
    people said about it, the pause, the hour's budget, and whether the watcher is alive.

    Example: rollback status --profile prod
    """
    place = Place(
        policy_file=policy, journal_file=journal, table_name=table, region=region, profile=profile
    )
    screen, now = Screen(), bootstrap.utc_now()
    known = place.known_policy
    with screen.waiting("reading the journal"):
        pages = tuple(place.records.record(service) for service in place.records.services)
        shared = place.records.shared(now)
        heartbeat, unread = _heartbeat(place, now)
    if as_json:
        screen.json(documents.status(known, pages, shared, heartbeat, now))
        return
    _head(screen, known, shared)
    if unread is None:
        alive = heartbeat is not None and heartbeat <= LATE
        age = f"{span(heartbeat)} ago" if heartbeat is not None else "none for three hours"
        screen.line(f"Last heartbeat of the watcher: {age}", "" if alive else BAD)
    else:
        screen.line(f"Last heartbeat of the watcher: {unread}")
    for page in pages:
        screen.line()
        _service(screen, page, known, now)


def _heartbeat(place: Place, now: datetime) -> tuple[timedelta | None, str | None]:
    """The age of the last heartbeat, or why it is not known."""
    if place.journal_file:
        return None, "not in an export"
    client = place.reader("cloudwatch")

    def read() -> Any:
        return client.get_metric_statistics(
            Namespace=naming.METRICS_NAMESPACE,
            MetricName=naming.HEARTBEAT,
            Dimensions=[
                {
                    "Name": "service",
                    "Value": naming.metrics_service(place.policy.environment),
                }
            ],
            StartTime=now - HEARTBEAT_WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Sum"],
        )

    try:
        points = reading("the heartbeat", read)["Datapoints"]
    except NotRead as error:
        return None, str(error)
    beats = [point["Timestamp"] for point in points if point["Sum"] > 0]
    return (now - max(beats) if beats else None), None


def _head(screen: Screen, policy: Policy | None, shared: Shared) -> None:
    if policy:
        screen.line(f"Environment {policy.environment}, mode {policy.mode.value}", "bold")
    if shared.paused_by:
        screen.line(f"PAUSED by {shared.paused_by}: nothing is rolled back meanwhile", BAD)
    limit = f" of {policy.guardrails.rollbacks_an_hour}" if policy else ""
    screen.line(f"Rollbacks this hour: {shared.rollbacks_this_hour}{limit}")


def _service(screen: Screen, page: Record, policy: Policy | None, now: datetime) -> None:
    service = next((s for s in policy.services if s.name == page.service), None) if policy else None
    if policy is None:
        mode = ""
    elif service is None:
        mode = " (no longer in the policy)"
    else:
        mode = f" ({policy.mode_of(service).value})"
    screen.line(f"{page.service}{mode}", "bold")
    if page.damage:
        screen.line(f"  {page.damage}", BAD)
        return
    if not page.ledgers and page.incident is None:
        screen.line("  never seen by the watcher yet", DOUBT)
    titles = {target.target_id: target.title for target in service.targets} if service else {}
    screen.pairs(
        [
            (titles.get(target, target), _standing(ledger.current))
            for target, ledger in sorted(page.ledgers.items())
            if ledger.current
        ]
    )
    if page.incident:
        incident = page.incident
        word = "open" if incident.is_open else "last incident"
        line = Text("  ").append(f"{word}: {headline(incident)}", STATE_STYLES[incident.state])
        screen.out.print(line.append(f"  [{incident.id}]"), soft_wrap=True)
    for text, style in _said(page, now):
        screen.line(f"  {text}", style)


def _standing(release: Release) -> str:
    word = STANDINGS[documents.standing_of(release)]
    proved = f" since {clock(release.proven_at)}" if release.proven_at else ""
    return f"version {release.version}, {word}{proved}, live since {clock(release.since_at)}"


def _said(page: Record, now: datetime) -> list[tuple[str, str]]:
    """Who holds it, and what people and pipelines said."""
    found = []
    if page.holder:
        late = now > page.holder.until
        left = f"its lease ended {clock(page.holder.until)}" if late else "working on it now"
        may = "may act" if page.holder.may_act else "only looks"
        found.append((f"held by {page.holder.claim_id}: {left}, {may}", BAD if late else DOUBT))
    fixing = page.controls.fixing(now)
    if fixing:
        until = clock(fixing.until_at)
        found.append((f"fixed forward by {fixing.by} until {until}: nothing is rolled back", DOUBT))
    frozen = page.controls.freeze(now)
    if frozen:
        until = clock(frozen.until_at)
        found.append((f"frozen by {frozen.by} until {until}: a person is asked first", DOUBT))
    for mark in page.controls.unsafe:
        if mark.until_at and now >= mark.until_at:
            continue
        which = f"version {mark.version}" if mark.version else "any version"
        until = f" until {clock(mark.until_at)}" if mark.until_at else ""
        found.append((f"unsafe to roll back {which}{until}: {mark.why} ({mark.by})", DOUBT))
    return found
