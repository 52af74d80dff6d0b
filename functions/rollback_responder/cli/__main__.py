"""`python -m rollback_responder.cli`: the commands that only look back."""

import sys
from collections.abc import Sequence

import typer

from rollback_responder.cli.backtest import backtest
from rollback_responder.cli.explain import explain
from rollback_responder.cli.failure import exit_code
from rollback_responder.domain.errors import RollbackError


def build() -> typer.Typer:
    """The commands."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
    app.command()(explain)
    app.command()(backtest)
    return app


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code."""
    try:
        build()(list(arguments), prog_name="rollback")
    except RollbackError as error:
        sys.stderr.write(f"rollback: {error}\n")
        return exit_code(error)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
