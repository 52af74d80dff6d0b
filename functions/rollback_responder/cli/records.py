"""The journal as people read it: what stands in each service's row, and what is over."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from msgspec import Struct, field

from rollback_responder.cli.shelf import SERVICE, Item, Shelf
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import RowDamaged
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.said import Said
from rollback_responder.journal import attributes
from rollback_responder.journal.budget import KEY as SWITCHES
from rollback_responder.journal.budget import hour_of, paused_by_of
from rollback_responder.journal.codec import (
    decode_controls,
    decode_incident,
    decode_ledgers,
    decode_said,
)
from rollback_responder.journal.dynamodb import ROW

ARCHIVED = "incident#"
LABEL = "label#"
# What was said stands under its instant; DynamoDB takes no empty beginning of a key.
SAID, THIS_MILLENNIUM = "said", "2"


class Holder(Struct, frozen=True, kw_only=True):
    """Who works on a service right now; `may_act` means that something may be touched."""

    claim_id: str
    until: datetime
    may_act: bool


class Record(Struct, frozen=True, kw_only=True):
    """What the journal says of one service. One that cannot be read holds only its `damage`."""

    service: str
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    incident: Incident | None = None
    controls: Controls = field(default_factory=Controls)
    holder: Holder | None = None
    damage: str | None = None

    @property
    def open_incident(self) -> Incident | None:
        """Its incident, if that is still open."""
        return self.incident if self.incident and self.incident.is_open else None


class Shared(Struct, frozen=True, kw_only=True):
    """What all services share: who paused the responder, and the rollbacks of this hour."""

    paused_by: str | None
    rollbacks_this_hour: int


class Label(Struct, frozen=True, kw_only=True):
    """Whether an incident did what it should have, in somebody's judgement."""

    is_right: bool
    by: str


class Kept(Struct, frozen=True, kw_only=True):
    """Incidents, oldest first, and in words what of them cannot be read."""

    incidents: tuple[Incident, ...]
    damages: tuple[str, ...] = ()


class Records:
    """The journal, on whichever shelf it stands. `services` are the names to look for."""

    def __init__(self, shelf: Shelf, services: tuple[str, ...]) -> None:
        self._shelf = shelf
        self.services = services

    def record(self, service: str) -> Record:
        """What is known of a service; an empty page if it was never seen.

        Raises:
            JournalError: the journal could not be read.
        """
        item = self._shelf.item(SERVICE + service, ROW) or {}
        try:
            ledgers, incident, controls = (
                attributes.text(item, name) for name in ("ledgers", "incident", "controls")
            )
            return Record(
                service=service,
                ledgers={} if ledgers is None else decode_ledgers(ledgers),
                incident=None if incident is None else decode_incident(incident),
                controls=Controls() if controls is None else decode_controls(controls),
                holder=_holder(item),
            )
        except RowDamaged as error:
            return Record(service=service, damage=str(error))

    def incidents(self, service: str) -> Kept:
        """Every incident of a service that is still kept; errors as `record`."""
        found: dict[str, Incident] = {}
        page = self.record(service)
        damages = [page.damage] if page.damage else []
        for item in self._shelf.items(SERVICE + service, ARCHIVED):
            try:
                incident = decode_incident(attributes.text(item, "archive") or "")
            except RowDamaged as error:
                damages.append(f"{item['sk']['S'].removeprefix(ARCHIVED)}: {error}")
            else:
                found[incident.id] = incident
        if page.incident:
            # An incident that ended stands in the archive and, until the next, in the row.
            found[page.incident.id] = page.incident
        order = sorted(found.values(), key=lambda incident: (incident.opened_at, incident.id))
        return Kept(incidents=tuple(order), damages=tuple(damages))

    def incident(self, incident_id: str) -> Incident | None:
        """The incident of that name, whichever service it is of; errors as `record`.

        Raises:
            RowDamaged: it cannot be read.
        """
        for service in self.services:
            latest = self.record(service).incident
            if latest and latest.id == incident_id:
                return latest
            item = self._shelf.item(SERVICE + service, ARCHIVED + incident_id)
            if item is not None:
                return decode_incident(attributes.text(item, "archive") or "")
        return None

    def label(self, incident: Incident) -> Label | None:
        """What people said of an incident when it was over; errors as `record`."""
        item = self._shelf.item(SERVICE + incident.service, LABEL + incident.id)
        if item is None:
            return None
        is_right, by = attributes.flag(item, "is_right"), attributes.text(item, "said_by")
        if is_right is None or by is None:
            raise RowDamaged(f"the label of incident {incident.id} is not whole")
        return Label(is_right=is_right, by=by)

    def said(self, incident: Incident) -> tuple[Said, ...]:
        """What people said of an incident, oldest first; errors as `record`.

        What cannot be read is left out: it is not what the incident itself is.
        """
        found = []
        for item in self._shelf.items(SAID, THIS_MILLENNIUM):
            with suppress(RowDamaged):
                found.append(decode_said(attributes.text(item, "said") or ""))
        mine = [said for said in found if said.incident_id == incident.id]
        return tuple(sorted(mine, key=lambda said: said.at))

    def shared(self, now: datetime) -> Shared:
        """The switches and the budget; errors as `record`."""
        item = self._shelf.item(SWITCHES["pk"]["S"], SWITCHES["sk"]["S"]) or {}
        spent = attributes.words(item, "spent")
        this_hour = attributes.number(item, "hour") == hour_of(now)
        return Shared(
            paused_by=paused_by_of(item), rollbacks_this_hour=len(spent) if this_hour else 0
        )


def _holder(item: Item) -> Holder | None:
    if "claim_id" not in item:
        return None
    claim_id, may_act = attributes.text(item, "claim_id"), attributes.flag(item, "claim_acts")
    until = attributes.instant(item, "claim_until")
    if claim_id is None or until is None or may_act is None:
        raise RowDamaged("a row's claim is not whole")
    return Holder(claim_id=claim_id, until=until, may_act=may_act)
