"""What was done about an incident, part by part, and what would be."""

from typing import assert_never

from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import How, Leg, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.target import CloudFormationStack
from rollback_responder.notifiers.phrases import arrow, clock, says_all, unended, version_before
from rollback_responder.notifiers.words import WORDS

# What led to these is told under "What happened".
EVIDENT = frozenset(
    {
        Reason.INCONCLUSIVE,
        Reason.METRIC_HEALTHY,
        Reason.BOTH_VERSIONS_FAIL,
        Reason.UNMEASURABLE,
        Reason.ALARM_NOT_TRUSTED,
        Reason.OBSERVE_MODE,
    }
)


def done(incident: Incident) -> str:
    """What was done, or why nothing was and what would have been."""
    if incident.acted_at:
        return "\n".join(_leg_done(incident, leg) for leg in incident.legs)
    last = incident.news
    told = unended(last.text)
    if incident.state is State.ASKING:
        will = " and ".join(would(incident, leg, past=False) for leg in incident.legs)
        return f"Nothing yet: {told}. With a yes it will {will}."
    if incident.legs:
        all_of_it = " and ".join(would(incident, leg) for leg in incident.legs)
        because = "" if incident.reason in EVIDENT else f": {told}"
        return f"Nothing{because}. It would have {all_of_it}."
    unclear = incident.is_open and incident.reason is Reason.ACTION_UNCLEAR
    if unclear or incident.state is State.INDETERMINATE:
        return f"An attempt was made to roll back. Whether it did is not known: {told}."
    said = WORDS[incident.reason].said
    if incident.reason in EVIDENT or said in told:
        return f"Nothing: {said}."
    return f"Nothing: {told}." if says_all(last) else f"Nothing: {said} ({told})."


LEG_STATES: dict[LegState, str] = {
    LegState.TO_DO: "not told to go back yet",
    LegState.UNDER_WAY: "not back yet",
    LegState.BACK: "back",
    LegState.FAILED: "not rolled back",
    LegState.LEFT: "left as it is",
}


def _leg_done(incident: Incident, leg: Leg) -> str:
    """One line for each part of a rollback."""
    at = leg.at or incident.acted_at
    # Nothing has happened yet to what has not had its turn.
    when = f" ({clock(at)})" if at and leg.state is not LegState.TO_DO else ""
    match leg.how:
        case How.MOVE:
            return f"Moved {leg.target.title} {arrow(incident)} at {clock(at)}." if at else ""
        case How.STOP if leg.state in {LegState.UNDER_WAY, LegState.BACK}:
            did = "Cancelled" if isinstance(leg.target, CloudFormationStack) else "Stopped"
            return f"{did} {leg.title}: {LEG_STATES[leg.state]}{when}."
        case How.STOP:
            # It was not told yet, never told, or in vain: nothing that was done is said of it.
            return f"{leg.title[:1].upper()}{leg.title[1:]}: {LEG_STATES[leg.state]}{when}."
        case How.REDEPLOY if incident.adopted:
            return f"Followed {leg.title}, which leads back: {LEG_STATES[leg.state]}{when}."
        case How.REDEPLOY if leg.state is LegState.FAILED:
            return f"Tried to deploy {version_before(incident)} again, and that failed{when}."
        case How.REDEPLOY if leg.state is LegState.BACK:
            return f"Deployed {version_before(incident)} again{when}."
        case How.REDEPLOY:
            begun = f"Began to deploy {version_before(incident)} again"
            return f"{begun}: {LEG_STATES[leg.state]}{when}."
        case How.FOLLOW:
            return f"Followed {leg.title}: {LEG_STATES[leg.state]}{when}."
        case _:
            assert_never(leg.how)


def would(incident: Incident, leg: Leg, *, past: bool = True) -> str:
    """What is done with a leg: "moved ..." or, of what is to come, "move ..."."""
    match leg.how:
        case How.MOVE:
            verb, rest = "move", f"{leg.target.title} {arrow(incident)}"
        case How.STOP:
            verb = "cancel" if isinstance(leg.target, CloudFormationStack) else "stop"
            rest = leg.title
        case How.REDEPLOY:
            verb, rest = "deploy", f"{version_before(incident)} again through {leg.target.title}"
        case How.FOLLOW:
            verb, rest = "follow", leg.title
        case _:
            assert_never(leg.how)
    return f"{PAST[verb] if past else verb} {rest}"


PAST = {
    "move": "moved",
    "stop": "stopped",
    "cancel": "cancelled",
    "deploy": "deployed",
    "follow": "followed",
}
