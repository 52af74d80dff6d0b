"""A person's undo of a rollback: forward again, because somebody says so, and only then.

It is written down before it is done, as everything is, and it is done at most once.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.case import Case, Entry, stepped
from rollback_responder.domain.controls import Controls, UndoAsked
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Observation
from rollback_responder.domain.rollout import UNDER_WAY

# What is taken for granted for so long: people, AWS and the world go on.
ASKED_WITHIN = timedelta(hours=1)


def asked_to_undo(case: Case) -> UndoAsked | None:
    """Who wants the latest incident's rollback undone, where that is to be begun or gone on with.

    Only where this alarm's pointer is the one that was moved.
    """
    incident, pointer = case.incident, case.watched.pointer
    if incident is None or pointer is None or incident.target.target_id != pointer.target_id:
        return None
    if incident.state is State.UNDOING:
        return wish(case.controls, incident)
    if not incident.may_be_undone or (case.is_unsettled and not _is_in_place(case, incident)):
        # Another attempt, upon what came after, may still have a call in flight.
        return None
    return wish(case.controls, incident)


def wish(controls: Controls, incident: Incident) -> UndoAsked | None:
    """Who wants an incident's rollback undone; whoever ordered a drill wanted that with it."""
    if incident.drill and incident.ordered_by and incident.acted_at:
        return UndoAsked(incident_id=incident.id, by=incident.ordered_by, at=incident.acted_at)
    return controls.undo_of(incident.id)


def _is_in_place(case: Case, incident: Incident) -> bool:
    """Whether the pointer is where the rollback has put it: nobody acts upon that by himself."""
    observation = case.observation
    return observation is not None and (observation.primary, observation.other) == (
        incident.to_version,
        None,
    )


def ordered(incident: Incident, undo: UndoAsked, now: datetime) -> Incident:
    """The incident as it is written before anything is done."""
    if incident.state is State.UNDOING:
        return incident
    text = f"{undo.by} wants version {version_of(incident)} back"
    return incident.step(now, State.UNDOING, Reason.UNDO_ORDERED, text)


def version_of(incident: Incident) -> str:
    """The version that was rolled back from."""
    assert incident.release is not None
    return incident.release.version


def in_the_way(case: Case, incident: Incident, undo: UndoAsked, *, may_act: bool) -> str | None:
    """Why the pointer cannot be put back any more."""
    observation = case.observation
    if not may_act:
        return "the mode is observe"
    if case.now >= undo.at + ASKED_WITHIN:
        return f"it was asked for at {undo.at:%d %b %H:%M:%S} UTC, too long ago"
    for target, sight in case.sights:
        if sight and sight.phase in UNDER_WAY:
            return f"{target.title} is {sight.status}: what is under way comes first"
    if observation is None:
        return "the alias does not exist any more"
    if not _is_in_place(case, incident):
        return f"the alias is at version {observation.suspect} by now"
    return None


def is_done(case: Case, incident: Incident) -> bool:
    """Whether the version serves already: an attempt that ended without a word did it."""
    observation = case.observation
    return observation is not None and (observation.primary, observation.other) == (
        version_of(incident),
        None,
    )


def undone(
    case: Case, incident: Incident, after: Observation, undo: UndoAsked, *, found: bool = False
) -> Entry:
    """The version serves again. It stays bad: nothing goes back to it by itself.

    `found` says that it did so before anything was done about it.
    """
    pointer = case.watched.pointer
    assert pointer is not None
    version = version_of(incident)
    if incident.drill and incident.release and incident.acted_at:
        ledger = ledgers.rehearsed(
            case.ledger,
            incident.release,
            revision=after.revision,
            incident_id=incident.id,
            acted_at=incident.acted_at,
        )
    else:
        ledger = ledgers.put_back(
            case.ledger, version=version, revision=after.revision, now=case.now
        )
    case = replace(case, ledgers={**case.ledgers, pointer.target_id: ledger})
    text = f"{undo.by} put {pointer.title} back to version {version}"
    if found:
        text = f"{pointer.title} was found at version {version} already"
    return stepped(case, incident, State.UNDONE, Reason.UNDONE, text)


def not_undone(case: Case, incident: Incident, why: str) -> Entry:
    """It could not be put back, and is not tried again. A drill has condemned nothing."""
    pointer = case.watched.pointer
    if incident.drill and incident.release and incident.acted_at and pointer:
        ledger = ledgers.acquitted(
            case.ledger,
            incident.release,
            incident_id=incident.id,
            acted_at=incident.acted_at,
        )
        case = replace(case, ledgers={**case.ledgers, pointer.target_id: ledger})
    text = f"version {version_of(incident)} was not put back: {why}"
    return stepped(case, incident, State.UNKNOWN, Reason.UNDO_FAILED, text)
