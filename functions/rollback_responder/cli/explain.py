"""`rollback explain`: what would happen on this event, and why. It looks, and does nothing."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rollback_responder.bootstrap import people
from rollback_responder.cli.explain_text import document_of, show
from rollback_responder.cli.failure import BadUsage, Exit
from rollback_responder.cli.house import house_to_look_at
from rollback_responder.cli.options import FILES, AsJson, PolicyFile, Profile, Region, TableName
from rollback_responder.cli.place import POLICY_FILE, read_policy
from rollback_responder.cli.screen import Screen
from rollback_responder.cli.walk import Refused, look_at

EventFile = Annotated[
    Path,
    typer.Argument(
        metavar="EVENT",
        help="A file with the message as SNS, EventBridge, an alarm's Lambda action or a queue"
        " gives it; - for the standard input.",
    ),
]
FactsFile = Annotated[
    Path | None,
    typer.Option(
        "--facts",
        metavar="FILE",
        help="A record to look at in place of AWS: what `rollback backtest --export` writes.",
        rich_help_panel=FILES,
        show_default=False,
    ),
]


def explain(
    event: EventFile,
    *,
    facts: FactsFile = None,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show what would happen on this event and why, each gate and each switch.

    Nothing is touched and nothing is written: every call to AWS is a read.

    Example: rollback explain event.json --profile prod
    """
    known, messages = read_policy(policy or POLICY_FILE), list(messages_in(event))
    place = people.Place(region=region, profile=profile)
    rooms, where = house_to_look_at(
        known, policy_file=policy, facts=facts, table=table, place=place
    )
    found = [look_at(rooms, message, region=where) for message in messages]
    screen = Screen()
    if as_json:
        screen.json({"messages": [document_of(one) for one in found]})
    for one in [] if as_json else found:
        show(screen, one)
    if any(isinstance(one, Refused) for one in found):
        raise typer.Exit(Exit.NOT_READY)


def messages_in(event: Path) -> Iterator[str | Mapping[str, Any]]:
    """Every message of an event: the records of a queue or a topic, or the one that it is.

    Raises:
        BadUsage: the file cannot be read.
    """
    try:
        text = sys.stdin.read() if str(event) == "-" else event.read_text()
        document = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadUsage(
            f"{event}: got {type(error).__name__}: {error}; allowed: one JSON document; save the"
            " event as Lambda or the queue hands it over"
        ) from error
    records = document.get("Records") if isinstance(document, Mapping) else None
    for record in records if isinstance(records, list) else [document]:
        queued = isinstance(record, Mapping) and "body" in record
        yield record["body"] if queued else record
