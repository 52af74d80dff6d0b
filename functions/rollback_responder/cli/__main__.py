"""`python -m rollback_responder.cli`: the console script, where it is not installed."""

from rollback_responder.cli.main import main

main()
