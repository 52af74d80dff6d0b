"""The second corridor: a rollback under way, and the acts that are due on its way back."""

import logging
from collections.abc import Mapping

from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.case import Case, Entry
from rollback_responder.domain.errors import ActionError, ActionThrottled
from rollback_responder.domain.following import (
    Progress,
    begun,
    condemned,
    continued,
    has_begun,
    left_alone,
    may_begin,
    not_begun,
    not_continued,
    progress,
)
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import LONGEST, Leg
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.response import Mode
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import Rollout
from rollback_responder.rooms import REFUSALS, Rooms, Stopwatch, leg_sights, token_of

logger = logging.getLogger(__name__)


class Follower:
    """Takes a rollback on, leg by leg. The attempt whose part it is holds the claim."""

    def __init__(self, rooms: Rooms, stopwatch: Stopwatch) -> None:
        self._rooms, self._stopwatch = rooms, stopwatch

    def follow(self, case: Case) -> Entry | None:
        """A rollback under way: whatever is due is done. None where there is none."""
        incident = case.incident
        if incident is None or incident.state is not State.ROLLING_BACK:
            return None
        sights = leg_sights(self._rooms, incident, case.sights)
        found = progress(incident, sights, case.now)
        pointer = case.watched.pointer
        back = condemned(found.incident, pointer, case.observation, case.ledgers, case.now)
        kept = {**case.ledgers, **back}
        kept |= left_alone(found.incident, kept)
        entry = Entry(ledgers=kept, incident=found.incident, text="a rollback is followed")
        objection = self._may_not_go_on(case, incident)
        waits = case.switches.paused_by is not None or case.controls.fixing(case.now)
        if waits and objection is None:
            return entry
        went_on = None if objection else self._go_on(case, found, entry)
        return went_on or self._next(case, found, entry, sights, objection)

    def _may_not_go_on(self, case: Case, incident: Incident) -> str | None:
        """Why the legs that have not begun never will, if they never will."""
        if not self._mode(case, incident).may_act:
            return "the mode is observe by now"
        version = case.observation.suspect if case.observation else None
        if mark := case.controls.mark_on(version, case.now):
            return f"{mark.by} marked it as unsafe to roll back: {mark.why}"
        going_for = case.now - (incident.acted_at or case.now)
        if case.switches.paused_by is not None and going_for >= LONGEST:
            return f"it began a day ago, and the responder is paused by {case.switches.paused_by}"
        return None

    def _mode(self, case: Case, incident: Incident) -> Mode:
        """What its service allows, held back by the trigger that it is about."""
        return self._rooms.policy.mode_of(case.watched.service, incident.trigger)

    def _go_on(self, case: Case, found: Progress, entry: Entry) -> Entry | None:
        """Continues a rollback that failed, where the policy says so; never skips a resource."""
        if found.go_on is None:
            return None
        leg = found.incident.legs[found.go_on]
        assert isinstance(leg.target, Rollout)
        mode = self._mode(case, found.incident)
        if mode is Mode.APPROVE and not found.incident.approved:
            text = f"{leg.target.title}: its failed rollback was not continued: nobody said yes"
            incident = not_continued(found.incident, found.go_on, case.now, text)
            return replace(entry, incident=incident, text=text, news=incident.reason)
        self._stopwatch.check()
        try:
            self._rooms.rollout(leg.target).go_on(
                leg.target, token=f"{token_of(found.incident.id)}-go-on-{found.go_on}"
            )
        except ActionThrottled:
            raise
        except tuple(REFUSALS) as error:
            text = f"{leg.target.title}: its failed rollback could not be continued: {error}"
            incident = not_continued(found.incident, found.go_on, case.now, text)
            return replace(entry, incident=incident, text=text, news=incident.reason)
        logger.warning("MUTATED %s: continued, claim %s", leg.target.target_id, case.claim_id)
        text = f"{leg.target.title}: its failed rollback was continued, skipping nothing"
        incident = continued(found.incident, found.go_on, case.now, text)
        return replace(entry, incident=incident, text=text, news=incident.reason)

    def _next(
        self,
        case: Case,
        found: Progress,
        entry: Entry,
        sights: Mapping[str, Sight | None],
        objection: str | None,
    ) -> Entry:
        """Begins the leg whose turn has come, if it is still there to be begun, and may be."""
        number = found.begin
        if number is None:
            return entry
        leg = found.incident.legs[number]
        rollout, sight = leg.target, sights.get(leg.target.target_id)
        assert isinstance(rollout, Rollout)
        if not has_begun(leg, sight):
            token = f"{token_of(found.incident.id)}-next-{number}"
            left = f"{rollout.title} is left as it is: {objection}"
            refused = left if objection else self._stop_next(leg, token, sight)
            if refused is not None:
                incident = not_begun(found.incident, number, case.now, refused)
                return replace(entry, incident=incident, text=refused, news=incident.reason)
            logger.warning("MUTATED %s: stop, claim %s", rollout.target_id, case.claim_id)
        text = f"{leg.title} was told to go back"
        incident = begun(found.incident, number, case.now, text)
        ledger = entry.ledgers.get(rollout.target_id, Ledger())
        kept = {
            **entry.ledgers,
            rollout.target_id: ledgers.acting(ledger, leg.change, case.now),
        }
        return Entry(ledgers=kept, incident=incident, text=text, news=incident.reason)

    def _stop_next(self, leg: Leg, token: str, sight: Sight | None) -> str | None:
        """Stops it; returns why not, where it is too late or AWS refused.

        Raises:
            ActionError: it could not be looked at, or AWS was too busy; it may be tried again.
        """
        if sight is not None and sight.phase is Phase.UNKNOWN:
            raise ActionError(f"{leg.target.title} is {sight.status}")
        if not may_begin(leg, sight):
            status = sight.status if sight else "gone"
            return f"{leg.target.title} is {status}: {leg.title} can no longer be stopped"
        assert isinstance(leg.target, Rollout)
        self._stopwatch.check()
        try:
            self._rooms.rollout(leg.target).stop(leg.target, leg.change, token=token)
        except ActionThrottled:
            raise
        except tuple(REFUSALS) as error:
            return str(error)
        return None
