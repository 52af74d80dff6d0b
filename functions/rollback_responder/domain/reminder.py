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
REMINDED = PENDING | {State.ROLLING_BACK}


def reminded(incident: Incident, now: datetime) -> Incident | None:
    """The incident with a reminder, where one is due."""
    last = incident.steps[-1]
    if last.state not in REMINDED:
        return None
    begin_at, first_after = incident.opened_at, FIRST_AFTER
    until_at = incident.asks_until_at if last.state is State.ASKING else None
    if until_at is not None:
        begin_at = until_at - _time_to_answer(incident, until_at)
        first_after = min(FIRST_AFTER, (until_at - begin_at) / 2)
    if now < last.at + max(first_after, last.at - begin_at):
        return None
    since = "it was opened" if until_at is None else "it was asked"
    text = f"still so {(now - begin_at) / MINUTE:.0f} min after {since}"
    if until_at is not None:
        text += f"; without a yes by {until_at:%H:%M:%S} UTC nothing is done"
    return incident.say(now, text)


def _time_to_answer(incident: Incident, until_at: datetime) -> timedelta:
    # It may have asked before, and somebody fixed it forward meanwhile.
    asking = takewhile(lambda step: step.state is State.ASKING, reversed(incident.steps))
    return until_at - [step.at for step in asking][-1]
