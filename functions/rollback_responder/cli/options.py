"""The options that several commands share, each typed and explained once."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from rollback_responder.cli.failure import BadUsage

DEPLOYMENT, FILES = "Which deployment", "Without AWS"

PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="The CDK file whose context.rollback is the policy; ./cdk.json if not given.",
        rich_help_panel=DEPLOYMENT,
        show_default=False,
    ),
]
TableName = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME",
        help="The journal's table; else it is found from the responder's stack.",
        rich_help_panel=DEPLOYMENT,
        show_default=False,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="The AWS region; else as your AWS configuration says.",
        rich_help_panel=DEPLOYMENT,
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="The profile of your AWS configuration.",
        rich_help_panel=DEPLOYMENT,
        show_default=False,
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="An export of the journal's table to read in place of AWS: "
        "what `aws dynamodb scan --output json` prints.",
        rich_help_panel=FILES,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with keys that stay.")]
IncidentId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The incident, as Slack's last line names it."),
]

SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_span(text: str, option: str) -> timedelta:
    """A span such as 90m, 12h or 7d, given with that option.

    Raises:
        BadUsage: it is none.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    if found is None:
        raise BadUsage(
            f"{option}: got {text!r}; allowed: a whole number and m, h or d; write it as in 90m, "
            "12h or 7d"
        )
    return int(found[1]) * SPANS[found[2]]
