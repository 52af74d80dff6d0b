"""The headline of an incident: one line that never lies about what was done, or why nothing was."""

from datetime import timedelta

from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import How
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.notifiers.phrases import arrow
from rollback_responder.notifiers.words import WORDS


def headline(incident: Incident) -> str:
    """One line that tells the whole story so far."""
    service, said = incident.service, WORDS[incident.reason].said
    if incident.drill:
        return _headline_of_drill(incident, said)
    if incident.acted_at:
        return _headline_of_rollback(incident, said)
    if incident.state is State.INDETERMINATE:
        return f"{service}: {said}"
    if incident.state is State.ASKING:
        return f"{service}: roll back {_what(incident)}? {said[0].upper()}{said[1:]}"
    if incident.is_open and incident.reason is Reason.ACTION_UNCLEAR:
        return f"{service}: an attempt to roll back was made: {said}"
    if incident.is_open:
        return f"{service}: not rolled back yet: {said}"
    if incident.ordered_by:
        return f"{service}: did not roll back as {incident.ordered_by} ordered: {said}"
    if incident.legs:
        return f"{service}: would have rolled back {_what(incident)}; {said}"
    return f"{service}: did not roll back: {said}"


def _headline_of_rollback(incident: Incident, said: str) -> str:
    service, what = incident.service, _what(incident)
    back, count = incident.leg_counts()
    if incident.adopted:
        return f"{service}: {what} {_headline_of_adopted(incident, said)}"
    if incident.state is State.ROLLING_BACK:
        return f"{service}: rolling back {what}" + (f": {said}" if incident.needs_a_person else "")
    if incident.state is State.WATCHING:
        return f"{service} rolled back {what}, watching whether it helps"
    if incident.state is State.FIXED and incident.ordered_by:
        return f"{service} rolled back {what} as {incident.ordered_by} ordered, and is healthy"
    if incident.state is State.FIXED:
        return f"{service} rolled back {what}, {said} {_minutes(incident)} min later"
    if incident.state is State.UNDOING:
        return f"{service} rolled back {what}, and a person wants it undone"
    if incident.state is State.UNDONE:
        return f"{service} rolled back {what}, and a person undid it"
    if incident.state is State.INCOMPLETE and count > 1:
        return f"{service} rolled back in part, {back} of {count} parts: {said}"
    if incident.state is State.INCOMPLETE:
        anyway = incident.reason is Reason.FINISHED_ANYWAY
        why = said if anyway else f"the rollback of {what} failed"
        return f"{service} not rolled back: {why}"
    return f"{service} rolled back {what}, but {said}"


def _headline_of_drill(incident: Incident, said: str) -> str:
    drill, what = f"Drill of {incident.service}", _what(incident)
    if incident.acted_at is None:
        return f"{drill} failed: {said}"
    if incident.state is State.UNDONE:
        seconds = (incident.steps[-1].at - incident.acted_at) / timedelta(seconds=1)
        return f"{drill} passed: {what} and forward again in {seconds:.0f} s"
    if incident.is_open:
        return f"{drill}: rolled back {what}, and forward again in a minute"
    return f"{drill} failed: rolled back {what}, but {said}"


def _headline_of_adopted(incident: Incident, said: str) -> str:
    """The same where somebody else began it: the responder takes no credit."""
    if incident.state is State.ROLLING_BACK:
        calls = f": {said}" if incident.needs_a_person else ""
        return "is being rolled back already, followed from here" + calls
    if incident.state is State.WATCHING:
        return "was rolled back, watching whether it helps"
    if incident.state is State.FIXED:
        return f"was rolled back, {said}"
    if incident.state is State.INCOMPLETE:
        return f"was not rolled back in full: {said}"
    return f"was rolled back, but {said}"


def _what(incident: Incident) -> str:
    """What goes back: from version to version where a pointer is moved, else by name."""
    acted = [leg for leg in incident.legs if leg.how is not How.FOLLOW] or list(incident.legs)
    if len(acted) > 1:
        return f"a change of {len(acted)} parts"
    if any(leg.how in {How.MOVE, How.REDEPLOY} for leg in acted) or not acted:
        return _left_behind(incident) if incident.adopted else arrow(incident)
    return acted[0].title


def _left_behind(incident: Incident) -> str:
    """What somebody else's deployment of an older version leads away from."""
    release = incident.release
    known = release is not None and release.origin is not Origin.ROLLED_BACK
    return f"version {release.version}" if release and known else "a newer version"


def _minutes(incident: Incident) -> int:
    if incident.acted_at is None:
        return 0
    return max(1, round((incident.steps[-1].at - incident.acted_at) / timedelta(minutes=1)))
