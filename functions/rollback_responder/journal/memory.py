"""The journal in memory, for tests and simulation: the same contract as DynamoDB's."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import ClaimLost, JournalError, OrderRefused
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.said import Said
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.storm import TOGETHER, Gathering, Member
from rollback_responder.journal.budget import hour_of
from rollback_responder.journal.codec import encode_controls
from rollback_responder.ports import Chapter, Claim, Notice, Page, Row


class _Kept(Struct, kw_only=True):
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


class MemoryBook:
    """What people said, beside a journal and a budget in memory. `said` holds all of it."""

    def __init__(self, journal: MemoryJournal, budget: MemoryBudget) -> None:
        self._journal, self._budget = journal, budget
        self.said: list[Said] = []
        self.labels: dict[str, tuple[bool, str]] = {}
        self._nonces: set[str] = set()

    def page(self, service: str) -> Page:
        """See `Book.page`."""
        row = self._journal.rows([service]).get(service)
        controls = row.controls if row else Controls()
        return Page(
            service=service,
            controls=controls,
            incident=row.incident if row else None,
            written=encode_controls(controls),
        )

    def write(self, page: Page, controls: Controls, *, said: Said) -> bool:
        """See `Book.write`."""
        if self.page(page.service).written != page.written:
            return False
        self._journal.say(page.service, controls)
        self.said.append(said)
        return True

    def label(self, service: str, incident_id: str, *, right: bool, said: Said) -> str | None:
        """See `Book.label`."""
        ended = self._journal.archive.get(incident_id)
        if ended is None or ended.service != service:
            raise OrderRefused("only an incident that has ended can be judged")
        before, by = self.labels.get(incident_id, (None, ""))
        if before is right:
            return by
        self.labels[incident_id] = (right, said.by)
        self.said.append(said)
        return None

    def pause(self, by: str, *, said: Said) -> str | None:
        """See `Book.pause`."""
        before, self._budget.paused_by = self._budget.paused_by, self._budget.paused_by or by
        if before is None:
            self.said.append(said)
        return before

    def resume(self, *, said: Said) -> bool:
        """See `Book.resume`."""
        was_paused = self._budget.paused_by is not None
        self._budget.paused_by = None
        if was_paused:
            self.said.append(said)
        return was_paused

    def is_new(self, nonce: str, now: datetime) -> bool:
        """See `Book.is_new`."""
        del now
        known = nonce in self._nonces
        self._nonces.add(nonce)
        return not known


class _Told(Struct, kw_only=True):
    told: int = 0
    head: str | None = None
    taken_until: datetime | None = None
    shown: frozenset[str] = frozenset()


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
        return Notice(told=kept.told, head=kept.head, shown=kept.shown)

    def record(self, incident_id: str, *, told: int, head: str) -> None:
        """See `Notices.record`."""
        kept = self._kept.setdefault(incident_id, _Told())
        if told >= kept.told:
            kept.told, kept.head = told, head

    def record_shown(self, incident_id: str, moment: str) -> None:
        """See `Notices.record_shown`."""
        self._kept.setdefault(incident_id, _Told()).shown |= {moment}

    def give_back(self, incident_id: str) -> None:
        """See `Notices.give_back`."""
        self._kept.setdefault(incident_id, _Told()).taken_until = None

    def head(self, incident_id: str) -> str | None:
        """See `Notices.head`."""
        kept = self._kept.get(incident_id)
        return kept.head if kept else None


class MemoryStorms:
    """Gatherings in a dict: the same contract as DynamoDB's."""

    def __init__(self, lease: timedelta) -> None:
        self._lease = lease
        self._latest: tuple[str, datetime] | None = None
        self._of: dict[str, str] = {}
        self._kept: dict[str, Gathering] = {}
        self._taken: dict[str, datetime] = {}

    def join(self, incident_id: str, member: Member, now: datetime) -> Gathering:
        """See `Storms.join`."""
        if incident_id not in self._of:
            open_still = self._latest and self._latest[1] >= now - TOGETHER
            name = self._latest[0] if self._latest and open_still else incident_id
            self._of[incident_id] = name
            if not open_still:
                self._latest = name, now
        name = self._of[incident_id]
        kept = self._kept.get(name, Gathering(name=name, members={}))
        kept = replace(kept, members={**kept.members, incident_id: member})
        self._kept[name] = kept
        return kept

    def take(self, name: str, now: datetime) -> bool:
        """See `Storms.take`."""
        taken = self._taken.get(name)
        if self._kept[name].head or (taken and now <= taken):
            return False
        self._taken[name] = now + self._lease
        return True

    def record(self, name: str, head: str, *, called: int) -> None:
        """See `Storms.record`."""
        self._kept[name] = replace(self._kept[name], head=head, called=called)


class MemoryAnnals:
    """The archive of a journal in memory: the same contract as DynamoDB's."""

    def __init__(self, journal: MemoryJournal, budget: MemoryBudget) -> None:
        self._journal, self._budget = journal, budget
        self.labels: dict[str, bool] = {}

    def chapter(self, services: Collection[str], *, since_at: datetime, now: datetime) -> Chapter:
        """See `Annals.chapter`."""
        ended = [
            incident
            for incident in self._journal.archive.values()
            if incident.service in services and since_at <= incident.opened_at <= now
        ]
        known = {i.id: self.labels[i.id] for i in ended if i.id in self.labels}
        return Chapter(incidents=tuple(ended), labels=known)

    def paused_by(self) -> str | None:
        """See `Annals.paused_by`."""
        return self._budget.paused_by
