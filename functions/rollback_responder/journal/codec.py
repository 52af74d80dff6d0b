"""Ledgers and incidents as the text the journal keeps, and back. A damaged row names its damage.

A secret in what people and AWS wrote is not kept. A name is kept as it is, whatever it looks like:
read back as another, it would name nothing.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.document import ANY_YEAR, COUNTABLE, Reader, write
from rollback_responder.domain.errors import DocumentError, RowDamaged
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.redaction import redacted
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.said import Said
from rollback_responder.domain.target import Pointer

T = TypeVar("T")

# The fields that hold text of people and of AWS; the others hold names and numbers.
PROSE = frozenset({"about", "approved_by", "by", "ordered_by", "said", "text", "title", "why"})


def encode(value: Incident) -> str:
    """One line of JSON, the same for the same value."""
    return _line(write(value))


def encode_ledgers(ledgers: Mapping[str, Ledger]) -> str:
    """The ledgers of a service, by target id."""
    return _line({target_id: write(ledger) for target_id, ledger in ledgers.items()})


def encode_controls(controls: Controls) -> str:
    """What people said of a service."""
    return _line(write(controls))


def encode_said(said: Said) -> str:
    """One thing that was said."""
    return _line(write(said))


def decode_ledgers(text: str) -> Mapping[str, Ledger]:
    """Ledgers from their text, by target id.

    Raises:
        RowDamaged: naming what in the row is damaged.
    """
    document = _parse("ledgers", text)
    if not isinstance(document, dict):
        raise RowDamaged("a row's ledgers are not an object")
    return {target_id: _read(Ledger, value, target_id) for target_id, value in document.items()}


def decode_incident(text: str) -> Incident:
    """An incident from its text; errors as `decode_ledgers`."""
    incident = _read(Incident, _parse("incident", text), "incident")
    for damage in _damages(incident):
        raise RowDamaged(f"a row's incident {damage}")
    return incident


def decode_controls(text: str) -> Controls:
    """What people said, from its text; errors as `decode_ledgers`."""
    return _read(Controls, _parse("controls", text), "controls")


def decode_said(text: str) -> Said:
    """One thing that was said, from its text; errors as `decode_ledgers`."""
    return _read(Said, _parse("said", text), "said")


def _damages(incident: Incident) -> Iterator[str]:
    """What the types cannot say of an incident, and everybody who reads it relies on."""
    if not incident.steps or incident.steps[0].aside:
        yield "has no first step"
        return
    pointers = [leg for leg in incident.legs if isinstance(leg.target, Pointer)]
    if incident.state is State.UNDOING and incident.release is None:
        yield "undoes the rollback of nothing"
    if incident.state is State.WATCHING and incident.back_at is None:
        yield "is watched, and nothing is back"
    if incident.state is State.ROLLING_BACK and not all(leg.is_over for leg in pointers):
        yield "waits for an alias, which moves at once"
    if incident.minutes and not incident.minutes.is_whole:
        yield "has minutes that are not whole"


def _line(document: Any) -> str:
    return json.dumps(_without_secrets(document), separators=(",", ":"), sort_keys=True)


def _without_secrets(document: Any) -> Any:
    if isinstance(document, list):
        return [_without_secrets(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        name: redacted(value)
        if name in PROSE and isinstance(value, str)
        else _without_secrets(value)
        for name, value in document.items()
    }


def _parse(what: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowDamaged(f"a row's {what} is not JSON: {error}") from error


def _read(cls: type[T], document: object, what: str) -> T:
    reader = Reader(years=COUNTABLE if issubclass(cls, Incident | Ledger) else ANY_YEAR)
    value = reader.read(cls, document, what)
    if value is None:
        damage = DocumentError(f"a row's {what}", tuple(reader.problems))
        raise RowDamaged(str(damage)) from damage
    return value
