"""How long an incident took: from its alarm to the act, to everything back, and to recovery."""

from datetime import datetime, timedelta

from msgspec import Struct

from rollback_responder.domain.incident import Incident, State

MINUTE = timedelta(minutes=1)


class Figures(Struct, frozen=True, kw_only=True):
    """Minutes; None for what did not happen. An incident judged before its alarm has no alarm.

    `alarm_to_recovery` counts only where it was proved that the symptom is gone.
    """

    alarm_to_action: float | None
    action_to_back: float | None
    alarm_to_recovery: float | None
    action_to_recovery: float | None
    opened_to_end: float | None


def figures_of(incident: Incident) -> Figures:
    """The figures of an incident, from the instants that the journal holds."""
    fired_at = None if incident.early else incident.alarm_since_at
    last = incident.steps[-1]
    # What a person undid afterwards had been mended before.
    recovered_at = next((step.at for step in incident.steps if step.state is State.FIXED), None)
    return Figures(
        alarm_to_action=_minutes(fired_at, incident.acted_at),
        action_to_back=_minutes(incident.acted_at, incident.back_at),
        alarm_to_recovery=_minutes(fired_at, recovered_at),
        action_to_recovery=_minutes(incident.acted_at, recovered_at),
        opened_to_end=_minutes(incident.opened_at, None if incident.is_open else last.at),
    )


def _minutes(since: datetime | None, until: datetime | None) -> float | None:
    return round((until - since) / MINUTE, 1) if since and until else None


def told(minutes: float | None) -> str:
    """A figure for people."""
    return "-" if minutes is None else f"{minutes:.1f} min"
