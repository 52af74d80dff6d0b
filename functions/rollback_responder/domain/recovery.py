"""Recovery: what earlier attempts, which ended without a word, did or may still do."""

from datetime import timedelta

from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.case import Case, Entry, answering, incident_of, stepped
from rollback_responder.domain.going_back import rolling_back, watching
from rollback_responder.domain.incident import Attempt, Incident, State
from rollback_responder.domain.leg import How
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation, Release
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.trial import leg_of

# Whoever goes on with these looks at the targets first.
LOOKED_AT = frozenset({State.ROLLING_BACK, State.WATCHING, State.UNDOING})


def recovered(case: Case) -> Entry | None:
    """Settles earlier attempts that may have acted, before any gate is asked.

    A mark in the target proves that one acted, and so does a rollout that was running and goes back
    now. An unchanged revision proves that nobody has touched the target yet. Anything else can be
    proved neither way: it is never called a refusal. While a rollback is followed or verified its
    targets are looked at anyway.
    """
    if not case.lost:
        return None
    if case.incident and case.incident.state in LOOKED_AT:
        return None
    ids = {attempt.claim_id for attempt in case.lost}
    after = case.observation
    if after and after.marker in ids and not _is_told(case, after):
        return _moved_by_another(case, after)
    if entry := _stopped_by_another(case, ids):
        return entry
    for attempt in case.lost:
        if doubt := _doubt(case, attempt):
            return _indeterminate(case, attempt, doubt)
    return _given_up(case)


def _is_told(case: Case, after: Observation) -> bool:
    """Whether the journal knew of the move before: a claim may land once more after it was closed.

    While an attempt may act, nobody else writes what the pointer is at. Once an incident is open
    for it, the watcher may have, and what the attempt was found with says so.
    """
    pointer, pending = case.watched.pointer, case.open_incident
    written = case.written.get(pointer.target_id, Ledger()) if pointer else Ledger()
    if pending is None:
        return written.revision == after.revision
    found = {attempt.claim_id: attempt.revision for attempt in pending.lost}
    return found.get(after.marker or "") == after.revision


def _moved_by_another(case: Case, after: Observation) -> Entry:
    # The watcher may have seen the move already, and written where it led.
    pending = case.open_incident
    ours = pending is not None and pending.target == case.watched.pointer
    before = pending.release if pending and ours and pending.lost else _written_release(case)
    incident = own_incident(case) if ours else incident_of(case)
    incident = answering(incident, case.order_about(before))
    return watching(case, incident, before, reason=Reason.FOUND_DONE, after=after, now=case.now)


def _written_release(case: Case) -> Release | None:
    pointer = case.watched.pointer
    return case.written.get(pointer.target_id, Ledger()).current if pointer else None


def _stopped_by_another(case: Case, ids: set[str]) -> Entry | None:
    """A rollout goes back that was running when an attempt was lost, or was begun by one."""
    changes = {change for attempt in case.lost for change in attempt.changes}
    legs, undone = [], []
    for target, sight in case.sights:
        if sight is None or sight.change is None:
            continue
        if sight.marker in ids:
            legs.append(leg_of(target, sight, How.REDEPLOY))
        elif sight.change in changes and sight.is_undone:
            legs.append(leg_of(target, sight, How.FOLLOW))
        elif sight.change in changes and sight.phase is Phase.RUNNING and sight.driver is None:
            legs.append(leg_of(target, sight, How.STOP))
            continue
        else:
            continue
        undone.append(f"{target.title} is {sight.status}")
    if not undone:
        return None
    text = ", ".join(undone)
    incident = answering(own_incident(case), case.order_about(None))
    return rolling_back(case, incident, tuple(legs), Reason.FOUND_DONE, text)


def _doubt(case: Case, attempt: Attempt) -> str | None:
    """What has changed since an attempt was lost, and could be its doing."""
    if attempt.is_settled(case.now):
        return None
    seen_now = {sight.change for _, sight in case.sights if sight}
    hidden = [change for change in attempt.changes if change not in seen_now]
    if hidden:
        return f"{', '.join(hidden)} can no longer be seen"
    observation = case.observation
    if attempt.changes or observation is None or observation.revision == attempt.revision:
        return None
    return "the alias has changed since"


def _indeterminate(case: Case, attempt: Attempt, doubt: str) -> Entry:
    release = _written_release(case)
    pointer = case.watched.pointer
    kept = case.ledgers
    if release and pointer:
        acted = ledgers.acting(case.ledger, release.key, case.now)
        kept = {**kept, pointer.target_id: acted}
    return stepped(
        replace(case, ledgers=kept),
        answering(own_incident(case), case.order_about(release)),
        State.INDETERMINATE,
        Reason.RESULT_UNKNOWN,
        f"attempt {attempt.claim_id} ended without a word; {doubt}",
    )


def _given_up(case: Case) -> Entry | None:
    """Nothing was applied yet. After `recheck_minutes` without a clear answer a person is asked.

    The last attempt may still land, so it is not called a refusal.
    """
    incident = case.open_incident
    recheck = timedelta(minutes=case.guardrails.recheck_minutes)
    if incident is None or incident.reason is not Reason.ACTION_UNCLEAR:
        return None
    if case.now < incident.opened_at + recheck:
        return None
    text = "no attempt got a clear answer; the target is untouched so far"
    incident = answering(incident, case.order_about(incident.release))
    return stepped(case, incident, State.INDETERMINATE, Reason.ACTION_UNCLEAR, text)


def own_incident(case: Case) -> Incident:
    """The open incident as it is about its own alarm, or a new one: for what is settled."""
    pending = case.open_incident
    return replace(pending, lost=case.lost) if pending else incident_of(case)
