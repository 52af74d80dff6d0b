"""The journal in memory, for tests and simulation: the same contract as DynamoDB's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import ClaimLost, JournalError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.situation import Switches
from rollback_responder.journal.budget import hour_of
from rollback_responder.ports import Claim, Notice, Row


@dataclass(slots=True, kw_only=True)
class _Kept:
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    incident: Incident | None = None
    claim: Claim | None = None
    acts: bool = False
    controls: Controls = field(default_factory=Controls)


class MemoryJournal:
    """Rows in a dict. `archive` holds every incident that ended, by its id."""

    def __init__(self, lease: timedelta) -> None:
        self._lease = lease
        self._kept: dict[str, _Kept] = {}
        self.archive: dict[str, Incident] = {}

    def claim(self, service: str, *, claim_id: str, may_act: bool, now: datetime) -> Claim | None:
        """See `Journal.claim`."""
        kept = self._kept.setdefault(service, _Kept())
        holder = kept.claim
        inherited = holder.inherited if holder else ()
        if holder and holder.id != claim_id:
            if now <= holder.until or (kept.acts and not may_act):
                return None
            inherited = tuple(sorted({*holder.inherited, *([holder.id] if kept.acts else [])}))
        kept.acts = may_act
        kept.claim = Claim(
            id=claim_id,
            service=service,
            until=now + self._lease,
            ledgers=kept.ledgers,
            incident=kept.incident,
            inherited=inherited,
            controls=kept.controls,
        )
        return kept.claim

    def keep(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """See `Journal.keep`."""
        kept = self._held(claim)
        kept.ledgers, kept.incident = ledgers, incident

    def close(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """See `Journal.close`."""
        kept = self._held(claim)
        kept.ledgers, kept.incident, kept.claim = ledgers, incident, None
        if incident and not incident.is_open:
            self.archive[incident.id] = incident

    def rows(self, services: Collection[str]) -> Mapping[str, Row]:
        """See `Journal.rows`."""
        return {
            service: Row(
                ledgers=kept.ledgers,
                incident=kept.incident,
                acting_until=kept.claim.until if kept.claim and kept.acts else None,
                controls=kept.controls,
            )
            for service, kept in self._kept.items()
            if service in services
        }

    def say(self, service: str, controls: Controls) -> None:
        """What a person or a pipeline would write into the row."""
        self._kept.setdefault(service, _Kept()).controls = controls

    def _held(self, claim: Claim) -> _Kept:
        kept = self._kept.get(claim.service)
        if kept is None or kept.claim is None or kept.claim.id != claim.id:
            raise ClaimLost(f"{claim.service} is no longer held by claim {claim.id}")
        return kept


class MemoryBudget:
    """Switches and budget in memory: the same contract as DynamoDB's. `paused_by` is the pause."""

    def __init__(self) -> None:
        self.paused_by: str | None = None
        self._hour = 0
        self._spent: set[str] = set()

    def read(self, *, limit: int, now: datetime) -> Switches:
        """See `Budget.read`."""
        if self.paused_by is not None:
            return Switches(paused_by=self.paused_by)
        fits = hour_of(now) > self._hour or len(self._spent) < limit
        return Switches(in_budget=fits)

    def set_aside(self, claim_id: str, *, limit: int, now: datetime) -> Switches:
        """See `Budget.set_aside`."""
        if self.paused_by is not None:
            return Switches(paused_by=self.paused_by)
        hour = hour_of(now)
        if hour > self._hour:
            self._hour, self._spent = hour, set()
        if claim_id not in self._spent and len(self._spent) >= limit:
            return Switches(in_budget=False)
        self._spent.add(claim_id)
        return Switches()

    def give_back(self, claim_id: str) -> None:
        """See `Budget.give_back`."""
        self._spent.discard(claim_id)


@dataclass(slots=True, kw_only=True)
class _Told:
    told: int = 0
    head: str | None = None
    taken_until: datetime | None = None


class MemoryNotices:
    """Notices in a dict: the same contract as DynamoDB's."""

    def __init__(self, lease: timedelta) -> None:
        self._lease = lease
        self._kept: dict[str, _Told] = {}

    def take(self, incident_id: str, *, steps: int, now: datetime) -> Notice | None:
        """See `Notices.take`."""
        kept = self._kept.setdefault(incident_id, _Told())
        if kept.told >= steps:
            return None
        if kept.taken_until and now <= kept.taken_until:
            raise JournalError(f"incident {incident_id} is being told already")
        kept.taken_until = now + self._lease
        return Notice(told=kept.told, head=kept.head)

    def record(self, incident_id: str, *, told: int, head: str) -> None:
        """See `Notices.record`."""
        kept = self._kept.setdefault(incident_id, _Told())
        kept.told, kept.head = told, head

    def give_back(self, incident_id: str) -> None:
        """See `Notices.give_back`."""
        self._kept.setdefault(incident_id, _Told()).taken_until = None
