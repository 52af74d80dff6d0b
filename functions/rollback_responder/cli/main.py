"""The console script `rollback`: puts the commands together, and turns errors into exit codes."""

import io
import sys
from collections.abc import Sequence

import typer

from rollback_responder.cli.access import cure_of
from rollback_responder.cli.backtest import backtest
from rollback_responder.cli.check import check
from rollback_responder.cli.drill import drill
from rollback_responder.cli.explain import explain
from rollback_responder.cli.failure import exit_code
from rollback_responder.cli.incidents import incidents, show
from rollback_responder.cli.now import now
from rollback_responder.cli.orders import (
    approve,
    fix_forward,
    freeze,
    hold,
    label,
    pause,
    resume,
    undo,
)
from rollback_responder.cli.reporting import report
from rollback_responder.cli.sample import sample
from rollback_responder.cli.status import status
from rollback_responder.domain.errors import RollbackError

HELP = (
    "See what the rollback responder did and why, check that it could, and tell it what to do.\n\n"
    "Run it where your cdk.json is, with AWS credentials as for the AWS command line; or read an "
    "export of the journal with --journal. Exit codes and JSON keys are explained in docs/cli.md."
)
LOOK = "Look (changes nothing)"
SAY = "Say (asks before it does anything)"


def build() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (status, incidents, show, report, check, explain, sample, backtest):
        app.command(rich_help_panel=LOOK)(command)
    for order in (now, drill, approve, hold, undo, fix_forward, freeze, pause, resume, label):
        app.command(rich_help_panel=SAY)(order)
    return app


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What this terminal cannot show is shown by its number.
            stream.reconfigure(errors="backslashreplace")
    try:
        build()(list(arguments), prog_name="rollback")
    except RollbackError as error:
        sys.stderr.write(f"rollback: {error}{cure_of(error)}\n")
        return exit_code(error)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
