"""The journal in memory, for tests and simulation: the same contract as DynamoDB's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rollback_responder.domain.errors import ClaimLost, JournalError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.release import Ledger
from rollback_responder.ports import Claim, Notice, Row


@dataclass(slots=True, kw_only=True)
class _Kept:
    ledger: Ledger = field(default_factory=Ledger)
    incident: Incident | None = None
    claim: Claim | None = None
    acts: bool = False


class MemoryJournal:
    """Rows in a dict. `archive` holds every incident that ended, by its id."""

    def __init__(self, lease: timedelta) -> None:
        self._lease = lease
        self._kept: dict[str, _Kept] = {}
        self.archive: dict[str, Incident] = {}

    def claim(self, target_id: str, *, claim_id: str, may_act: bool, now: datetime) -> Claim | None:
        """See `Journal.claim`."""
        kept = self._kept.setdefault(target_id, _Kept())
        holder = kept.claim
        inherited = holder.inherited if holder else ()
        if holder and holder.id != claim_id:
            if now <= holder.until or (kept.acts and not may_act):
                return None
            inherited = tuple(sorted({*holder.inherited, *([holder.id] if kept.acts else [])}))
        kept.acts = may_act
        kept.claim = Claim(
            id=claim_id,
            target_id=target_id,
            until=now + self._lease,
            ledger=kept.ledger,
            incident=kept.incident,
            inherited=inherited,
        )
        return kept.claim

    def keep(self, claim: Claim, *, ledger: Ledger, incident: Incident | None) -> None:
        """See `Journal.keep`."""
        kept = self._held(claim)
        kept.ledger, kept.incident = ledger, incident

    def close(self, claim: Claim, *, ledger: Ledger, incident: Incident | None) -> None:
        """See `Journal.close`."""
        kept = self._held(claim)
        kept.ledger, kept.incident, kept.claim = ledger, incident, None
        if incident and not incident.is_open:
            self.archive[incident.id] = incident

    def rows(self, target_ids: Collection[str]) -> Mapping[str, Row]:
        """See `Journal.rows`."""
        return {
            target_id: Row(
                ledger=kept.ledger,
                incident=kept.incident,
                acting_until=kept.claim.until if kept.claim and kept.acts else None,
            )
            for target_id, kept in self._kept.items()
            if target_id in target_ids
        }

    def _held(self, claim: Claim) -> _Kept:
        kept = self._kept.get(claim.target_id)
        if kept is None or kept.claim is None or kept.claim.id != claim.id:
            raise ClaimLost(f"{claim.target_id} is no longer held by claim {claim.id}")
        return kept


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
