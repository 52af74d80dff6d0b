"""Attributes of an item, each by its type. One that is of another type is damage, and is named.

An item may have been written by an older version, by hand, or by somebody else's mistake; whoever
reads it holds, and says so.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rollback_responder.domain.errors import RowDamaged

Item = Mapping[str, Any]


def text(item: Item, name: str) -> str | None:
    """A string, or None where the item has no such attribute.

    Raises:
        RowDamaged: the attribute is of another type.
    """
    found: str | None = _of(item, name, "S", str)
    return found


def number(item: Item, name: str) -> int | None:
    """A whole number; else as `text`."""
    written = _of(item, name, "N", str)
    if written is None:
        return None
    try:
        return int(written)
    except ValueError:
        raise _damaged(name, "a whole number") from None


def flag(item: Item, name: str) -> bool | None:
    """True or false; else as `text`."""
    found: bool | None = _of(item, name, "BOOL", bool)
    return found


def words(item: Item, name: str) -> tuple[str, ...]:
    """A set of strings in order, empty where there is none; else as `text`."""
    found = _of(item, name, "SS", list | tuple | set)
    if not all(isinstance(word, str) for word in found or ()):
        raise _damaged(name, "a set of strings")
    return tuple(sorted(found or ()))


def instant(item: Item, name: str) -> datetime | None:
    """An instant that is kept as milliseconds since the epoch; else as `text`."""
    millis = number(item, name)
    try:
        return None if millis is None else datetime.fromtimestamp(millis / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        raise _damaged(name, "milliseconds since the epoch") from None


def _of(item: Item, name: str, kind: str, python: Any) -> Any:
    if name not in item:
        return None
    held = item[name]
    value = held.get(kind) if isinstance(held, Mapping) else None
    if not isinstance(value, python):
        raise _damaged(name, f"of DynamoDB's type {kind}")
    return value


def _damaged(name: str, allowed: str) -> RowDamaged:
    return RowDamaged(f"a row's {name} is not {allowed}")
