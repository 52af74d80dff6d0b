"""The rollback responder: an alarm comes in, a bad deploy goes out, and Slack is told why.

The floor plan, as the data walks it:

    handlers    parse the Lambda event, call the hallway, return. Nothing else.
    signals     one file per envelope: event -> Signal. Never trusts what an event claims.
    responder   the hallway: the only room that knows the order of the others.
    watcher     the same walk, once a minute, for what no message announced or nobody finished.
    metrics     MetricQuery -> Measurement. Reads, never judges.
    actions     one file per target kind: observe, execute, confirm. The only room that mutates AWS.
    journal     one row per target: ledger, claim, incident. Conditional writes only.
    notifiers   incident -> message -> Slack. Never on the path of a rollback.
    domain      pure values and functions: assess, decide, verify. No I/O, no clock.
    ports       what the hallway needs from the rooms, as small Protocols.
    wiring      names that only the deployment knows (environment variables).
    bootstrap   the only place that opens AWS clients: a house for each function.
    cli         the operator's commands, on people's own machines. Not shipped.

The rooms do not know each other; `pyproject.toml` holds the import contracts.
"""
