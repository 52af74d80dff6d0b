"""A person's undo of a rollback: forward again, because somebody says so, and only then.

It is written down before it is done, as everything is, and it is done at most once.
"""

from dataclasses import replace
from datetime import datetime

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.case import Case, Entry, stepped
from rollback_responder.domain.controls import UndoAsked
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Observation


def asked_to_undo(case: Case) -> UndoAsked | None:
    """Who wants the latest incident's rollback undone, where that is to be begun or gone on with.

    Only where this alarm's pointer is the one that was moved.
    """
    incident = case.incident
    if incident is None or incident.target != case.watched.pointer:
        return None
    if incident.may_be_undone or incident.state is State.UNDOING:
        return case.controls.undo_of(incident.id)
    return None


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


def in_the_way(case: Case, incident: Incident) -> str | None:
    """Why the pointer cannot be put back any more."""
    observation = case.observation
    if not case.mode.may_act:
        return f"the mode is {case.mode.value}"
    if observation is None:
        return "the alias does not exist any more"
    if observation.other is not None or observation.primary != incident.to_version:
        return f"the alias is at version {observation.suspect} by now"
    return None


def is_done(case: Case, incident: Incident) -> bool:
    """Whether the version serves already: an attempt that ended without a word did it."""
    observation = case.observation
    return observation is not None and (observation.primary, observation.other) == (
        version_of(incident),
        None,
    )


def undone(case: Case, incident: Incident, after: Observation, undo: UndoAsked) -> Entry:
    """The version serves again. It stays bad: nothing goes back to it by itself."""
    pointer = case.watched.pointer
    assert pointer is not None
    version = version_of(incident)
    ledger = ledgers.put_back(case.ledger, version=version, revision=after.revision, now=case.now)
    case = replace(case, ledgers={**case.ledgers, pointer.target_id: ledger})
    text = f"{undo.by} put {pointer.title} back to version {version}"
    return stepped(case, incident, State.UNDONE, Reason.UNDONE, text)


def not_undone(case: Case, incident: Incident, why: str) -> Entry:
    """It could not be put back, and is not tried again."""
    text = f"version {version_of(incident)} was not put back: {why}"
    return stepped(case, incident, State.UNKNOWN, Reason.UNDO_FAILED, text)
