"""Following a rollback, leg by leg, until everything is back or cannot be brought back."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import (
    Found,
    Leg,
    LegState,
    News,
    due,
    follow,
    to_continue,
)
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import Pointer

REASONS: dict[News, Reason] = {
    News.BACK: Reason.LEG_BACK,
    News.STUCK: Reason.ROLLBACK_STUCK,
    News.OVERDUE: Reason.ROLLBACK_OVERDUE,
    News.FINISHED_ANYWAY: Reason.LEG_FAILED,
    News.FAILED: Reason.LEG_FAILED,
}


class Progress(Struct, frozen=True, kw_only=True):
    """An incident after a look at the targets it follows.

    `begin` is the leg whose turn has come, `go_on` one whose failed rollback is to be continued.
    """

    incident: Incident
    begin: int | None = None
    go_on: int | None = None


def progress(incident: Incident, sights: Mapping[str, Sight | None], now: datetime) -> Progress:
    """Looks at every leg under way; says what is due, or closes the way back.

    Args:
        incident: rolling back.
        sights: each leg's rollout about its own change, by the target's id; None where it is gone.
        now: when they were read.
    """
    looked = []
    for leg in incident.legs:
        found = Found(leg=leg)
        if leg.state is LegState.UNDER_WAY and leg.target.target_id in sights:
            found = follow(leg, sights[leg.target.target_id], now)
        looked.append(found)
    incident = replace(incident, legs=tuple(found.leg for found in looked))
    legs = incident.legs
    begin = due(legs, incident.after_failure)
    if begin is None and not any(leg.state is LegState.UNDER_WAY for leg in legs):
        return Progress(incident=_over(incident, looked, now))
    for found in looked:
        if found.news:
            reason = REASONS[found.news]
            incident = incident.step(now, State.ROLLING_BACK, reason, found.text)
    return Progress(incident=incident, begin=begin, go_on=to_continue(legs, sights))


def _over(incident: Incident, looked: list[Found], now: datetime) -> Incident:
    """Everything is back and the symptom is watched; or not, and a person is called."""
    legs = tuple(
        leg.to(LegState.LEFT, now) if leg.state is LegState.TO_DO else leg for leg in incident.legs
    )
    incident = replace(incident, legs=legs)
    said = [found.text for found in looked if found.news]
    back, count = incident.leg_counts()
    if back == count:
        text = ". ".join(said) or "everything is back"
        return replace(incident, back_at=now).step(now, State.WATCHING, Reason.ALL_BACK, text)
    told = {found.leg.target.target_id for found in looked if found.news}
    failed = [
        leg.target.title
        for leg in legs
        if leg.state is LegState.FAILED and leg.target.target_id not in told
    ]
    if failed:
        said.append(f"{', '.join(failed)}: not rolled back")
    left = [leg.target.title for leg in legs if leg.state is LegState.LEFT]
    if left:
        said.append(f"{', '.join(left)}: left as it is")
    if count > 1:
        said.insert(0, f"{back} of {count} are back")
    anyway = count == 1 and any(found.news is News.FINISHED_ANYWAY for found in looked)
    reason = Reason.FINISHED_ANYWAY if anyway else Reason.ROLLBACK_INCOMPLETE
    return incident.step(now, State.INCOMPLETE, reason, ". ".join(said))


def begun(incident: Incident, number: int, now: datetime, text: str) -> Incident:
    """The incident after the leg whose turn it was has been told to go back."""
    legs = list(incident.legs)
    legs[number] = legs[number].to(LegState.UNDER_WAY, now)
    return replace(incident, legs=tuple(legs)).step(now, State.ROLLING_BACK, Reason.NEXT_LEG, text)


def not_begun(incident: Incident, number: int, now: datetime, text: str) -> Incident:
    """The incident after a leg whose turn it was could not begin."""
    legs = list(incident.legs)
    legs[number] = legs[number].to(LegState.FAILED, now)
    incident = replace(incident, legs=tuple(legs))
    return incident.step(now, State.ROLLING_BACK, Reason.LEG_FAILED, text)


def continued(incident: Incident, number: int, now: datetime, text: str) -> Incident:
    """The incident after a failed rollback was told to go on."""
    legs = list(incident.legs)
    legs[number] = replace(legs[number], continued=True, called=False, at=now)
    incident = replace(incident, legs=tuple(legs))
    return incident.step(now, State.ROLLING_BACK, Reason.ROLLBACK_CONTINUED, text)


def not_continued(incident: Incident, number: int, now: datetime, text: str) -> Incident:
    """The incident after AWS refused to continue a failed rollback: it is not asked again."""
    legs = list(incident.legs)
    legs[number] = replace(legs[number], continued=True)
    incident = replace(incident, legs=tuple(legs))
    return incident.step(now, State.ROLLING_BACK, Reason.ROLLBACK_STUCK, text)


def may_begin(leg: Leg, sight: Sight | None) -> bool:
    """Whether a leg whose turn has come is still there to be stopped, and still the same change."""
    return sight is not None and sight.phase is Phase.RUNNING and sight.change == leg.change


def has_begun(leg: Leg, sight: Sight | None) -> bool:
    """Whether it goes back already: an earlier attempt, or somebody else, was there first."""
    return sight is not None and sight.change == leg.change and sight.is_undone


def left_alone(incident: Incident, kept: Mapping[str, Ledger]) -> dict[str, Ledger]:
    """Once it is over, what was left as it is, because another part failed, is a person's."""
    found = {}
    for leg in incident.legs:
        if leg.state is LegState.LEFT and not incident.is_open:
            ledger = kept.get(leg.target.target_id, Ledger())
            if leg.change not in ledger.acted:
                found[leg.target.target_id] = ledgers.settled(ledger, leg.change)
    return found


def condemned(
    incident: Incident,
    pointer: Pointer | None,
    observation: Observation | None,
    kept: Mapping[str, Ledger],
    now: datetime,
) -> dict[str, Ledger]:
    """Once everything is back, the version that was on trial is condemned.

    Only a version of the incident's own pointer, and none that had proved itself: it was a
    bystander of what was undone.
    """
    release = incident.release
    if incident.state is not State.WATCHING or pointer is None or release is None:
        return {}
    if pointer != incident.target or release.proven_at is not None:
        return {}
    if observation is None or release.version in {observation.primary, observation.other}:
        return {}
    ledger = kept.get(pointer.target_id, Ledger())
    bad = ledgers.condemned(ledger, release, incident_id=incident.id, now=now)
    return {pointer.target_id: bad}
