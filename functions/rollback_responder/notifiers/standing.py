"""How an incident stands, and what a person does next."""

from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import How
from rollback_responder.domain.reason import QUIET, WAITING, Reason
from rollback_responder.notifiers.phrases import clock, unended
from rollback_responder.notifiers.words import FIX_FIRST, SHIP_NEW_VERSION, WORDS


def stands(incident: Incident) -> str:
    """How it stands, for whoever reads nothing else but the headline: on a lock screen, say."""
    last = incident.news
    at, told = clock(last.at), _said_last(incident)
    wanted = incident.verification
    return {
        State.UNDECIDED: f"Open since {clock(incident.opened_at)}; judged again each minute.",
        State.ASKING: _asks(incident),
        State.ROLLING_BACK: f"Under way. At {at}: {told}.",
        State.WATCHING: f"Back since {clock(incident.back_at or last.at)}. It counts as fixed once"
        f" healthy for {wanted.healthy_minutes} min; if it is not within"
        f" {wanted.deadline_minutes} min, a person is called.",
        State.FIXED: f"{'Healthy' if incident.ordered_by else 'Fixed'} at {at}: {told}.",
        State.NOT_FIXED: f"Not fixed at {at}: {told}.",
        State.UNKNOWN: f"Ended at {at}, outcome unknown: {told}.",
        State.STOOD_DOWN: f"Closed at {at} without acting.",
        State.INCOMPLETE: f"Ended at {at}, {_how_far(incident)}: {told}.",
        State.INDETERMINATE: f"Unknown since {at}: this needs your eyes.",
        State.UNDOING: f"Being undone since {at}: {told}.",
        State.UNDONE: f"Undone at {at}: {told}.",
    }[last.state]


def _asks(incident: Incident) -> str:
    until_at = incident.asks_until_at
    until = f" until {clock(until_at)}; without one nothing is done" if until_at else ""
    return f"Waiting for a yes{until}."


def _how_far(incident: Incident) -> str:
    back, _ = incident.leg_counts()
    return "not brought back in full" if back else "not brought back"


def _said_last(incident: Incident) -> str:
    """The latest step; of failed rollbacks all of them: what failed, the command, what AWS said."""
    last = incident.news
    if last.reason is not Reason.ROLLBACK_STUCK:
        return unended(last.text)
    told = (step.text for step in incident.steps if step.reason is Reason.ROLLBACK_STUCK)
    return ". ".join(dict.fromkeys(told))


def next_step(incident: Incident) -> str:
    """What a person does next."""
    words, wanted = WORDS[incident.reason], _next_by_reason(incident)
    if incident.drill and incident.state is State.UNDONE:
        return "Nothing: it was a rehearsal, and all is as it was."
    if incident.state is State.ASKING:
        # There may be no buttons, or nobody who may press them is near.
        yes, no = f"`rollback approve {incident.id}`", f"`rollback hold {incident.id}`"
        return f"{wanted} By command: {yes}, or {no}."
    if incident.is_open and (incident.needs_a_person or incident.reason is Reason.PAUSED):
        return wanted
    if incident.state in {State.ROLLING_BACK, State.WATCHING, State.UNDOING}:
        return "Nothing yet: the outcome follows here."
    if incident.state is State.UNDECIDED and incident.reason not in WAITING:
        calls = "" if incident.reason in QUIET else "; if it stays so, you are called"
        return f"Nothing yet, unless you know better{calls}."
    ships = ""
    if words.ships:
        pointed = any(leg.how in {How.MOVE, How.REDEPLOY} for leg in incident.legs)
        ships = _ship_new_version(incident) if pointed else FIX_FIRST
    return f"{wanted} {ships}".strip()


# How a person has it otherwise, where nothing is done because of what people said or wanted.
OTHERWISE = {
    Reason.BOTH_VERSIONS_FAIL: "To roll it back all the same: `rollback now {service}`.",
    Reason.HELD: "To go back after all: `rollback now {service}`.",
    Reason.FIX_FORWARD: "To end it sooner: `rollback fix-forward {service} --end`.",
}


def _next_by_reason(incident: Incident) -> str:
    """The next step for its reason, and how a person has it otherwise, where one can."""
    said, otherwise = WORDS[incident.reason].next_step, OTHERWISE.get(incident.reason, "")
    return f"{said} {otherwise.format(service=incident.service)}".strip()


def _ship_new_version(incident: Incident) -> str:
    known = incident.release
    return SHIP_NEW_VERSION.format(
        version=f"version {known.version}" if known else "the version that was rolled back"
    )
