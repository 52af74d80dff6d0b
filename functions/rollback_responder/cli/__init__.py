"""The operator's commands: for people, and with `--json` for scripts. Not shipped to Lambda."""
