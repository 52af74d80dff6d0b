"""Orders: approve, hold, undo, fix forward, pause, resume, label. The desk takes them all.

Each says what it will do and asks; a production policy asks for a name to be typed. Who says it is
whoever AWS says is signed in.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from rollback_responder import bootstrap
from rollback_responder.cli.failure import BadUsage
from rollback_responder.cli.options import (
    AsJson,
    IncidentId,
    PolicyFile,
    Profile,
    Region,
    TableName,
)
from rollback_responder.cli.place import Place, service_named
from rollback_responder.cli.saying import about_incident, give
from rollback_responder.cli.screen import clock
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.order import (
    Approve,
    FixForward,
    Freeze,
    Hold,
    Label,
    Pause,
    Resume,
    Undo,
)

Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask, also in production; for scripts."),
]


class Verdict(StrEnum):
    """Whether an incident did what it should have."""

    RIGHT = "right"
    WRONG = "wrong"


def approve(
    incident_id: IncidentId,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Say yes to the rollback that an incident asks about.

    Example: rollback approve inc-20261122-031500-1a2b3c4d
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    about_incident(
        place,
        incident_id,
        "This rolls it back, if the evidence still holds when it is looked at again.",
        lambda incident, by: Approve(service=incident.service, incident_id=incident.id, by=by),
        yes=yes,
        as_json=as_json,
    )


def hold(
    incident_id: IncidentId,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Say no: what an incident is about is not rolled back, whatever the numbers say.

    Example: rollback hold inc-20261122-031500-1a2b3c4d
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    about_incident(
        place,
        incident_id,
        "This leaves the change as it is: it is not rolled back, now or later.",
        lambda incident, by: Hold(service=incident.service, incident_id=incident.id, by=by),
        yes=yes,
        as_json=as_json,
    )


def undo(
    incident_id: IncidentId,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Put the version back that an incident rolled back from.

    Example: rollback undo inc-20261122-031500-1a2b3c4d
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)

    def says(incident: Incident) -> str:
        version = incident.release.version if incident.release else "it"
        return f"This puts version {version} back, and it is not rolled back again."

    about_incident(
        place,
        incident_id,
        says,
        lambda incident, by: Undo(service=incident.service, incident_id=incident.id, by=by),
        yes=yes,
        as_json=as_json,
    )


def label(
    incident_id: IncidentId,
    verdict: Annotated[
        Verdict,
        typer.Argument(
            metavar="right|wrong",
            show_choices=False,
            help="right: it did what it should have. wrong: a false alarm.",
        ),
    ],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Say whether an incident that is over was right; it feeds the figures.

    Example: rollback label inc-20261122-031500-1a2b3c4d right
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    is_right = verdict is Verdict.RIGHT
    about_incident(
        place,
        incident_id,
        f"This counts it as {'right' if is_right else 'a false alarm'} in the figures.",
        lambda incident, by: Label(
            service=incident.service, incident_id=incident.id, right=is_right, by=by
        ),
        yes=yes,
        as_json=as_json,
    )


def fix_forward(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    *,
    hours: Annotated[
        float | None,
        typer.Option("--hours", metavar="H", min=0.1, max=24, help="For how long, up to 24."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End it now: it is judged as before.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Roll nothing of a service back for some hours, while somebody deploys a fix.

    Example: rollback fix-forward checkout --hours 1
    """
    until_at = _until("fix-forward", hours, end=end)
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    service_named(place.policy, service)
    says = f"This lets {service} be rolled back again, as the policy says."
    if until_at:
        says = f"This rolls nothing of {service} back until {clock(until_at)}; it goes on watching."
    give(
        place,
        service,
        [says],
        lambda by: FixForward(service=service, until_at=until_at, by=by),
        yes=yes,
        as_json=as_json,
    )


def freeze(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    *,
    hours: Annotated[
        float | None,
        typer.Option("--hours", metavar="H", min=0.1, max=744, help="For how long, up to 744."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End a freeze now.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Ask a person before anything of a service is rolled back, for some hours.

    Example: rollback freeze checkout --hours 48
    """
    until_at = _until("freeze", hours, end=end)
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    service_named(place.policy, service)
    says = "This ends the freeze that somebody put on it; the policy's own freezes stay."
    if until_at:
        says = f"This has a person asked before {service} is rolled back, until {clock(until_at)}."
    give(
        place,
        service,
        [says],
        lambda by: Freeze(service=service, until_at=until_at, by=by),
        yes=yes,
        as_json=as_json,
    )


def _until(command: str, hours: float | None, *, end: bool) -> datetime | None:
    """Until when; None where it is to end now.

    Raises:
        BadUsage: both were said, or neither.
    """
    if (hours is None) is not end:
        got = "both --hours and --end" if end else "neither --hours nor --end"
        mend = "leave one of them out" if end else "add one of them"
        raise BadUsage(
            f"{command}: got {got}; allowed: --hours H to begin it, or --end to end it; {mend}"
        )
    return None if hours is None else bootstrap.utc_now() + timedelta(hours=hours)


def pause(
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Stop acting for every service; it goes on watching and judging.

    Example: rollback pause
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    give(
        place,
        place.policy.environment,
        [f"This pauses {place.policy.environment}: no service is rolled back until resumed."],
        lambda by: Pause(by=by),
        yes=yes,
        as_json=as_json,
    )


def resume(
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """End a pause: it acts again, on what is then the case.

    Example: rollback resume
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    give(
        place,
        place.policy.environment,
        [f"This lets {place.policy.environment} be rolled back again."],
        lambda by: Resume(by=by),
        yes=yes,
        as_json=as_json,
    )
