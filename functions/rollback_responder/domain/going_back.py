"""Going back: what is written once a rollback has begun."""

from datetime import datetime

from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment
from rollback_responder.domain.case import Case, Entry, answering, incident_of, stepped
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import How, Leg, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation, Release
from rollback_responder.domain.situation import RollBack
from rollback_responder.domain.trial import Returning, Trial


def moved(
    case: Case, assessment: Assessment, decision: RollBack, after: Observation, now: datetime
) -> Entry:
    """The pointer was moved by this attempt."""
    incident = answering(replace(incident_of(case), assessment=assessment), case.ordered)
    return watching(case, incident, case.release, reason=decision.reason, after=after, now=now)


def stopped(
    case: Case, assessment: Assessment, decision: RollBack, legs: tuple[Leg, ...], now: datetime
) -> Entry:
    """The first leg of a rollback was told to go back; the others are to follow."""
    case = replace(case, now=now)
    trial = decision.trial
    first = legs[0]
    text = f"{first.title} was told to go back: {trial.why}"
    incident = answering(incident_of(case), case.ordered)
    entry = rolling_back(case, incident, legs, decision.reason, text)
    assert entry.incident is not None
    incident = replace(
        entry.incident,
        assessment=assessment,
        change=trial.change,
        to_version=decision.to_version or _leads_to(case, trial),
    )
    ledger = case.ledgers.get(first.target.target_id, Ledger())
    acted = ledgers.acting(ledger, trial.legs[0].change, now)
    return replace(
        entry, incident=incident, ledgers={**case.ledgers, first.target.target_id: acted}
    )


def adopted(case: Case, assessment: Assessment, returning: Returning) -> Entry:
    """Somebody else's rollback is followed from here."""
    legs = tuple(leg.to(LegState.UNDER_WAY, case.now) for leg in returning.legs)
    incident = answering(incident_of(case), case.ordered)
    entry = rolling_back(case, incident, legs, Reason.ROLLBACK_ADOPTED, returning.text)
    assert entry.incident is not None
    return replace(entry, incident=replace(entry.incident, assessment=assessment))


def _leads_to(case: Case, trial: Trial) -> str | None:
    """The version that the pointer will be at when a rollout is back, where that can be said."""
    observation, release = case.observation, case.release
    if observation is None or release is None:
        return None
    if observation.rest is not None:
        return observation.rest
    if release.since_at < trial.since_at - CHANGE_TOLERANCE:
        return observation.primary
    return ledgers.way_back(case.ledger, observation)


def rolling_back(
    case: Case, incident: Incident, legs: tuple[Leg, ...], reason: Reason, text: str
) -> Entry:
    """From here the legs are followed until everything is back."""
    started = tuple(
        leg.to(LegState.UNDER_WAY, case.now)
        if leg.state is LegState.TO_DO and leg.how in {How.FOLLOW, How.REDEPLOY}
        else leg
        for leg in legs
    )
    incident = replace(
        incident,
        release=case.release,
        change=started[0].change,
        legs=started,
        acted_at=case.now,
    )
    return stepped(case, incident, State.ROLLING_BACK, reason, text)


def watching(
    case: Case,
    incident: Incident,
    release: Release | None,
    *,
    reason: Reason,
    after: Observation,
    now: datetime,
) -> Entry:
    """From here the watcher follows it until the symptom is gone or the deadline has passed."""
    pointer = case.watched.pointer
    assert pointer is not None
    version = release.version if release else "unknown"
    text = f"moved {pointer.title} from version {version} to {after.primary}"
    leg = Leg(
        target=pointer,
        how=How.MOVE,
        change=release.key if release else "unknown",
        title=f"version {version}",
        state=LegState.BACK,
        at=now,
    )
    incident = replace(
        incident,
        target=pointer,
        change=leg.change,
        release=release,
        legs=(leg,),
        to_version=after.primary,
        acted_at=now,
        back_at=now,
    )
    incident = incident.step(now, State.WATCHING, reason, text)
    kept = case.ledgers
    if release:
        ledger = ledgers.rolled_back(
            ledgers.acting(case.ledger, release.key, now),
            release,
            to_version=after.primary,
            revision=after.revision,
            incident_id=incident.id,
            now=now,
        )
        kept = {**kept, pointer.target_id: ledger}
    return Entry(ledgers=kept, incident=incident, text=text, news=reason)
