"""Attribute values: what DynamoDB takes, how it keeps and compares it.

A value is kept in one canonical form, so that equal values are equal dictionaries: numbers without
superfluous zeros, sets in order. A kept value is never changed, only replaced; ``taken`` copies
what a request brings, ``shown`` copies what an answer takes away.

Rules, from the DynamoDB developer guide ("Supported data types and naming rules", "Constraints")
unless stated: a number has up to 38 significant digits and a magnitude from 1E-130 to below 1E+126,
zeros in front and behind are trimmed; a set is not empty, of one type and without duplicates, and
its order does not count; text is ordered by its UTF-8 bytes (which is the order of code points),
bytes are ordered unsigned; an item's size is that of its names and values, up to 400 KB.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, DecimalException, Inexact
from typing import Any, TypeAlias

from local.aws_model.dynamodb_errors import invalid

Value: TypeAlias = dict[str, Any]
Item: TypeAlias = dict[str, Value]
Values: TypeAlias = Mapping[str, Value]

# The types that have an order, and the types whose content may be shared with an answer.
ORDERED = frozenset({"S", "N", "B"})
SETS = frozenset({"SS", "NS", "BS"})
LONG_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
}
MOST_ITEM_BYTES = 400 * 1024
_MOST_DIGITS = 38
_LARGEST, _SMALLEST = 125, -130
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_EXACT = Context(prec=_MOST_DIGITS, Emax=999_999, Emin=-999_999, traps=[Inexact])
_UTF8_MOST = 4


def kind_of(value: Value) -> str:
    """Return the type of a value, for instance ``S``."""
    for kind in value:
        return kind
    raise AssertionError("a value that was taken has a type")


def number(text: str) -> str:
    """Return a number's canonical text.

    Raises:
        Refused: ValidationException.
    """
    if text.isdigit() and len(text) <= _MOST_DIGITS and text.isascii() and text[0] != "0":
        return text
    if not _NUMBER.fullmatch(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    try:
        exact = Decimal(text)
    except DecimalException:
        raise _out_of_range() from None
    return canonical(exact)


def canonical(exact: Decimal) -> str:
    """Return the text of a number that is within what DynamoDB keeps.

    Raises:
        Refused: ValidationException.
    """
    if not exact:
        return "0"
    try:
        plain = exact.normalize(_EXACT)
    except DecimalException:
        raise invalid("Attempting to store more than 38 significant digits in a Number") from None
    if not _SMALLEST <= plain.adjusted() <= _LARGEST:
        raise _out_of_range()
    return format(plain, "f")


def _out_of_range() -> Exception:
    return invalid(
        "Number overflow. Attempting to store a number with magnitude outside supported range"
    )


def total(left: str, right: str, *, sign: int) -> str:
    """Return ``left + sign * right`` of two canonical numbers."""
    if left.isdigit() and right.isdigit() and len(left) + len(right) < _MOST_DIGITS:
        return str(int(left) + sign * int(right))
    both = Context(prec=2 * (_LARGEST - _SMALLEST))
    return canonical(both.add(Decimal(left), both.multiply(Decimal(sign), Decimal(right))))


def in_order(left: Any, right: Any, kind: str) -> int:
    """Return a number below, at or above zero as one content of an ordered type is the other."""
    if kind == "N":
        if left.isdigit() and right.isdigit():
            left, right = int(left), int(right)
        else:
            left, right = Decimal(left), Decimal(right)
    return int(left > right) - int(left < right)


def taken(value: Any) -> Value:
    """Return a request's value in canonical form, sharing nothing with the request that can change.

    Raises:
        Refused: ValidationException. (The SDK refuses some of these before it sends them, with
            ParamValidationError: a value of no known type, or a content of the wrong Python type.)
    """
    if type(value) is dict and len(value) == 1:
        if "S" in value and type(value["S"]) is str:
            return value.copy()
        if "N" in value and type(value["N"]) is str:
            return {"N": number(value["N"])}
        for kind, content in value.items():
            return {kind: _content(kind, content)}
    if not isinstance(value, Mapping) or len(value) != 1:
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
        )
    return taken(dict(value))


def _content(kind: str, content: Any) -> Any:
    if kind == "BOOL" and isinstance(content, bool):
        return content
    if kind in {"S", "N"} and isinstance(content, str):
        plain = str.__str__(content)
        return number(plain) if kind == "N" else plain
    if kind == "B" and isinstance(content, bytes | bytearray):
        return bytes(content)
    if kind == "NULL" and content is True:
        return True
    if kind in SETS and isinstance(content, list | tuple):
        return as_set(kind, [_content(kind[0], member) for member in content])
    if kind == "L" and isinstance(content, list | tuple):
        return [taken(member) for member in content]
    if kind == "M" and isinstance(content, Mapping):
        return {str(name): taken(member) for name, member in content.items()}
    raise invalid(f"Supplied AttributeValue is not one of the supported datatypes: {kind}")


def as_set(kind: str, members: Sequence[Any]) -> list[Any]:
    """Return the members of a set in order.

    Raises:
        Refused: ValidationException where the set is empty or has duplicates.
    """
    if not members:
        name = {"SS": "string", "NS": "number", "BS": "binary"}[kind]
        raise invalid(f"One or more parameter values were invalid: An {name} set  may not be empty")
    if len(set(members)) != len(members):
        raise invalid(
            "One or more parameter values were invalid: Input collection contains duplicates"
        )
    return sorted(members, key=Decimal if kind == "NS" else None)


def shown(value: Value) -> Value:
    """Return a copy of a kept value that its receiver may change."""
    for kind, content in value.items():
        if type(content) is list:
            if kind == "L":
                return {kind: [shown(member) for member in content]}
            return {kind: content.copy()}
        if type(content) is dict:
            return {kind: {name: shown(member) for name, member in content.items()}}
    return value.copy()


def shown_item(item: Item) -> Item:
    """Return a copy of a kept item that its receiver may change."""
    return {
        name: value.copy() if "S" in value or "N" in value else shown(value)
        for name, value in item.items()
    }


def size(value: Value) -> int | None:
    """Return what the function ``size`` counts: characters, bytes or members.

    Numbers, booleans and null have no size.
    """
    for kind, content in value.items():
        return None if kind in {"N", "BOOL", "NULL"} else len(content)
    return None


def check_item_size(item: Item) -> None:
    """Refuse an item above 400 KB; exact only where it may be near.

    Raises:
        Refused: ValidationException.
    """
    most = sum(
        [
            len(name) + (len(value["S"]) if "S" in value else _most_bytes(value))
            for name, value in item.items()
        ]
    )
    if most * _UTF8_MOST > MOST_ITEM_BYTES and _exact_bytes(item) > MOST_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")


def _most_bytes(value: Value) -> int:
    if "N" in value or "BOOL" in value:
        return _MOST_DIGITS
    return sum(_bytes(content) for content in value.values())


def _exact_bytes(item: Item) -> int:
    return sum(
        len(name.encode()) + sum(_bytes(content) for content in value.values())
        for name, value in item.items()
    )


def _bytes(content: Any) -> int:
    """Return a content's bytes; a list or a map has three and one for each member on top."""
    if isinstance(content, str):
        return len(content.encode())
    if isinstance(content, bytes):
        return len(content)
    if isinstance(content, bool):
        return 1
    if isinstance(content, dict):
        return 3 + sum(len(name.encode()) + 1 + _nested(each) for name, each in content.items())
    return sum(_nested(each) for each in content)


def _nested(member: Any) -> int:
    """Return the bytes of a member: of a set its content, of a list or a map a value."""
    if isinstance(member, dict):
        return 1 + sum(_bytes(content) for content in member.values())
    return _bytes(member)
