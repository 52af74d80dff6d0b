"""`rollback drill`: a rollback that is rehearsed and forward again, and how that went.

It is a person's order like `rollback now`; what is shown while it goes on is what the journal says.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer

from rollback_responder import bootstrap
from rollback_responder.cli.failure import Exit
from rollback_responder.cli.options import AsJson, PolicyFile, Profile, Region, TableName
from rollback_responder.cli.place import Place, service_named
from rollback_responder.cli.records import Records
from rollback_responder.cli.saying import give
from rollback_responder.cli.screen import BAD, GOOD, Screen
from rollback_responder.domain.drill import rehearsal
from rollback_responder.domain.incident import Incident, State
from rollback_responder.notifiers.headline import headline
from rollback_responder.notifiers.message import reply

POLL_SECONDS = 5.0
# The watcher looks each minute: a minute to begin at worst, one to go forward, and some to spare.
GIVES_UP_AFTER = timedelta(minutes=10)


def drill(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    *,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Do not ask; for scripts. Production is refused anyway."),
    ] = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Rehearse a rollback where nobody is hurt: back, and forward again.

    It is refused where the environment is called something with prod, whatever the mode, and where
    the mode is observe.

    Exit code 0: it went back and forward again, and all is as it was. 1: it did not.

    Example: rollback drill checkout --profile staging
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    named, began_at = service_named(place.policy, service), bootstrap.utc_now()
    screen = Screen()
    with screen.waiting("reading the journal"):
        known = place.records.record(service)
    kept, latest = known.ledgers, known.incident.id if known.incident else None
    planned = rehearsal(place.policy, named, kept, by="you", now=began_at)
    minute = "within a minute or two"
    back = f"to version {planned.to_version}" if planned.to_version else "if a way back is known"
    give(
        place,
        service,
        [
            f"This rolls {service} back from {planned.title} {back}, and forward again {minute}.",
            "What serves meanwhile is the version before. Slack is told.",
        ],
        lambda by: rehearsal(place.policy, named, kept, by=by, now=began_at),
        yes=yes,
        as_json=False,
        quiet=as_json,
    )
    ended = None
    for incident in watched(place.records, service, latest, bootstrap.utc_now, time.sleep):
        if not as_json:
            screen.note(reply(incident.steps[-1]))
        ended = incident
    _end(screen, ended, as_json=as_json)


def watched(
    records: Records,
    service: str,
    latest: str | None,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Iterator[Incident]:
    """The drill's incident each time that it has a new step, until it is over or time is up.

    It is another than the `latest` when it was ordered; no clock but this one is asked.
    """
    told, began_at = 0, clock()
    while clock() < began_at + GIVES_UP_AFTER:
        incident = records.record(service).incident
        if incident and incident.drill and incident.id != latest:
            if len(incident.steps) > told:
                told = len(incident.steps)
                yield incident
            if not incident.is_open:
                return
        sleep(POLL_SECONDS)


def _end(screen: Screen, incident: Incident | None, *, as_json: bool) -> None:
    passed = incident is not None and incident.state is State.UNDONE
    said = headline(incident) if incident else "nobody took it up within ten minutes"
    if as_json:
        incident_id = incident.id if incident else None
        screen.json({"passed": passed, "incident_id": incident_id, "text": said})
    else:
        screen.line(f"{said}.", GOOD if passed else BAD)
    if not passed:
        raise typer.Exit(Exit.NOT_DONE)
