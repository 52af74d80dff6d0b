"""Ledgers and incidents as the text the journal keeps, and back. A damaged row names its damage."""

import json
from typing import TypeVar

from rollback_responder.domain.document import Reader, write
from rollback_responder.domain.errors import DocumentError, RowDamaged
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.release import Ledger

T = TypeVar("T")


def encode(value: Ledger | Incident) -> str:
    """One line of JSON, the same for the same value."""
    return json.dumps(write(value), separators=(",", ":"), sort_keys=True)


def decode_ledger(text: str) -> Ledger:
    """A ledger from its text.

    Raises:
        RowDamaged: naming what in the row is damaged.
    """
    return _decode(Ledger, text)


def decode_incident(text: str) -> Incident:
    """An incident from its text; errors as `decode_ledger`."""
    return _decode(Incident, text)


def _decode(cls: type[T], text: str) -> T:
    reader = Reader()
    try:
        value = reader.read(cls, json.loads(text), cls.__name__.lower())
    except ValueError as error:
        raise RowDamaged(f"a row's {cls.__name__.lower()} is not JSON: {error}") from error
    if value is None:
        damage = DocumentError(f"a row's {cls.__name__.lower()}", tuple(reader.problems))
        raise RowDamaged(str(damage)) from damage
    return value
