"""Reminders: an incident that stays open says so again, ever more rarely.

The pause between two is as long as the incident is old: after half an hour, one hour, two, four. A
question says so at least once before its time is over.
"""

from datetime import datetime, timedelta
from itertools import takewhile

from rollback_responder.domain.incident import PENDING, Incident, State
from rollback_responder.domain.measurement import MINUTE

# A status update each half hour is what on-call teams promise (examples, hybrid-lambda).
FIRST_AFTER = timedelta(minutes=30)
REMINDED = PENDING | {State.ROLLING_BACK, State.UNDOING}


def reminded(incident: Incident, now: datetime) -> Incident | None:
    """The incident with a reminder, where one is due."""
    last = incident.steps[-1]
    if last.state not in REMINDED:
        return None
    begin_at, first_after = incident.opened_at, FIRST_AFTER
    since = "it was opened"
    if last.state is State.UNDOING:
        # It may have been over for long before somebody wanted it undone.
        begin_at, since = _since(incident, State.UNDOING), "that was ordered"
    until_at = incident.asks_until_at if last.state is State.ASKING else None
    if until_at is not None:
        begin_at = until_at - _time_to_answer(incident, until_at)
        first_after = min(FIRST_AFTER, (until_at - begin_at) / 2)
    if now < last.at + max(first_after, last.at - begin_at):
        return None
    since = since if until_at is None else "it was asked"
    text = f"still so {(now - begin_at) / MINUTE:.0f} min after {since}"
    if until_at is not None:
        text += f"; without a yes by {until_at:%H:%M:%S} UTC nothing is done"
    return incident.say(now, text)


def _time_to_answer(incident: Incident, until_at: datetime) -> timedelta:
    # It may have asked before, and somebody fixed it forward meanwhile.
    return until_at - _since(incident, State.ASKING)


def _since(incident: Incident, state: State) -> datetime:
    """When it came to stand where it stands."""
    latest = takewhile(lambda step: step.state is state, reversed(incident.steps))
    return [step.at for step in latest][-1]
