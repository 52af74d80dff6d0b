"""Documents, typed once: a frozen Struct is the grammar, read here and written here.

A field's type says what is allowed; `Annotated` carries what a type cannot say: a sentence of
documentation, limits, units. The same types make the JSON Schema (`schema.py`), so an editor, the
synth and the function all refuse the same things.

Understood types: str, int, float, bool, datetime (ISO 8601 with offset), str enums, Structs,
tuples of these, unions of Structs told apart by a `kind` literal, and `X | None` for what may
be left out.

CDK context reaches Python through Node: `5.0` arrives as `5`, and a `null` in an object vanishes.
So a float takes an int, an int takes a whole float, and null never means anything.
"""

import difflib
import enum
import re
import types
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from msgspec import NODEFAULT, Struct, structs

from rollback_responder.domain.errors import Problem

T = TypeVar("T")
LONGEST_ECHO = 60
# What is JSON already.
PLAIN = frozenset({str, int, float, bool, type(None)})
# The largest number that a float and a whole number can both be.
LARGEST = 2**53
# Any year, and those in which there is room to count from an instant, back and forth.
ANY_YEAR, COUNTABLE = range(1, 10_000), range(1970, 9000)


class Doc(Struct, frozen=True):
    """One sentence for the reader of the configuration, and what to do about a wrong value."""

    text: str
    change: str = "see docs/configuration.md"


class Limits(Struct, frozen=True):
    """Numeric limits, both inclusive."""

    minimum: float
    maximum: float


class Pattern(Struct, frozen=True):
    """A string's shape: a regular expression for the whole string, and the same in words."""

    regex: str
    words: str


class AtLeastOne(Struct, frozen=True):
    """The list may not be empty."""


class Field(Struct, frozen=True):
    """One field of a document type, taken apart."""

    name: str
    hint: Any
    notes: tuple[object, ...]
    default: object

    @property
    def required(self) -> bool:
        """Whether the document must hold the field."""
        return self.default is NODEFAULT

    def note(self, kind: type[T]) -> T | None:
        """The annotation of that kind, if the field carries one."""
        for note in self.notes:
            if isinstance(note, kind):
                return note
        return None


def fields_of(cls: Any) -> tuple[Field, ...]:
    """The fields of a document type, in the order they were written."""
    return _fields_of(cls)


@cache
def _fields_of(cls: Any) -> tuple[Field, ...]:
    found = []
    for field in structs.fields(cls):
        hint, notes = _bare(field.type, ())
        default = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        found.append(Field(field.name, hint, notes, default))
    # What tells a value apart is read and shown first, wherever a base class has put it.
    return tuple(sorted(found, key=lambda field: field.name != "kind"))


def members_of(hint: Any) -> tuple[type, ...]:
    """The Structs of a tagged union (a single Struct is a union of one)."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(member for member in get_args(hint) if member is not types.NoneType)
    return (hint,)


def is_document(hint: Any) -> bool:
    """Whether a type is a document of its own, with fields, and no plain value."""
    return isinstance(hint, type) and issubclass(hint, Struct)


@cache
def kind_of(cls: Any) -> str | None:
    """The value of the `kind` literal that tells a union's member apart, if it has one."""
    kind = next((field for field in fields_of(cls) if field.name == "kind"), None)
    return str(get_args(kind.hint)[0]) if kind else None


def write(value: Any) -> Any:
    """A value of a document type as plain JSON. What is None is left out."""
    kind: Any = type(value)
    if kind in PLAIN:
        return value
    if kind is tuple:
        return [write(item) for item in value]
    if kind is datetime:
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    pairs = ((name, getattr(value, name)) for name in kind.__struct_fields__)
    return {name: write(member) for name, member in pairs if member is not None}


class Reader:
    """Reads one document and collects every problem on the way.

    Instants must lie in `years`: a fix that lasts until the year 9999 is only compared with now.
    """

    def __init__(self, *, years: range = ANY_YEAR) -> None:
        self.problems: list[Problem] = []
        self._years = years

    def read(self, cls: type[T], document: object, path: str) -> T | None:
        """The document as a value of `cls`, or None after adding to `problems`."""
        if not isinstance(document, Mapping):
            self._wrong(path, document, "an object", f"write {cls.__name__} as {{...}}")
            return None
        before = len(self.problems)
        fields = {field.name: field for field in fields_of(cls)}
        for name in document:
            if name not in fields:
                allowed = f"one of {', '.join(sorted(fields))}"
                self._wrong(_join(path, name), document[name], allowed, _instead(name, fields))
        values: dict[str, object] = {}
        for field in fields.values():
            if field.name in document:
                where = _join(path, field.name)
                values[field.name] = self._value(field, field.hint, document[field.name], where)
            elif field.required:
                self._missing(field, path)
        return None if len(self.problems) > before else cls(**values)

    def read_kind(self, union: Any, document: object, path: str) -> Any:
        """The document as the member of a tagged union that its `kind` names."""
        members = {kind_of(member): member for member in members_of(union)}
        if None in members:
            (plain,) = members.values()
            return self.read(plain, document, path)
        words = " or ".join(f'"{kind}"' for kind in members)
        if not isinstance(document, Mapping):
            return self._wrong(path, document, "an object", f"write it with kind {words}")
        kind = document.get("kind")
        member = members.get(kind) if isinstance(kind, str) else None
        if member is None:
            got = kind if "kind" in document else Missing
            return self._wrong(_join(path, "kind"), got, words, "name a known kind")
        return self.read(member, document, path)

    def _value(self, field: Field, hint: Any, value: object, path: str) -> object:
        origin = get_origin(hint)
        if origin is tuple:
            return self._items(field, get_args(hint)[0], value, path)
        if origin is Literal:
            allowed = get_args(hint)
            if value in allowed:
                return value
            return self._wrong(path, value, " or ".join(map(repr, allowed)), "use that word")
        if origin in (Union, types.UnionType):
            members = members_of(hint)
            if not all(is_document(member) for member in members):
                return self._value(field, members[0], value, path)
            return self.read_kind(hint, value, path)
        if is_document(hint):
            return self.read_kind(hint, value, path)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return self._word(field, hint, value, path)
        return self._plain(field, hint, value, path)

    def _items(self, field: Field, hint: Any, value: object, path: str) -> object:
        if not isinstance(value, list | tuple):
            return self._wrong(path, value, "a list", "write it in [...]")
        if not value and field.note(AtLeastOne) is not None:
            return self._wrong(path, value, "a list with at least one entry", "add an entry")
        bare, notes = _bare(hint, field.notes)
        inner = structs.replace(field, notes=notes)
        return tuple(
            self._value(inner, bare, item, f"{path}[{index}]") for index, item in enumerate(value)
        )

    def _word(self, field: Field, hint: type[enum.Enum], value: object, path: str) -> object:
        words = {member.value: member for member in hint}
        if isinstance(value, str) and value in words:
            return words[value]
        return self._wrong(path, value, " or ".join(f'"{w}"' for w in words), _change(field))

    def _plain(self, field: Field, hint: Any, value: object, path: str) -> object:
        if hint is bool:
            fits = isinstance(value, bool)
            return value if fits else self._wrong(path, value, "true or false", _change(field))
        if hint is datetime:
            return self._instant(value, path)
        if hint is str:
            return self._text(field, value, path)
        if hint in (int, float):
            return self._number(field, hint, value, path)
        raise TypeError(f"{path}: document types cannot hold {hint!r}")

    def _instant(self, value: object, path: str) -> object:
        try:
            instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None or instant.year not in self._years:
            return self._wrong(path, value, "an ISO 8601 instant with an offset", "write it so")
        return instant

    def _text(self, field: Field, value: object, path: str) -> object:
        pattern = field.note(Pattern)
        words = pattern.words if pattern else "a string"
        if not isinstance(value, str) or (pattern and not re.fullmatch(pattern.regex, value)):
            return self._wrong(path, value, words, _change(field))
        return value

    def _number(self, field: Field, hint: Any, value: object, path: str) -> object:
        limits = field.note(Limits)
        words = "a whole number" if hint is int else "a number"
        if limits:
            words += f" from {limits.minimum:g} to {limits.maximum:g}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            return self._wrong(path, value, words, _change(field))
        # JSON's whole numbers have no bound, and NaN is in no range.
        low, high = (limits.minimum, limits.maximum) if limits else (-LARGEST, LARGEST)
        if not low <= value <= high or (hint is int and value != int(value)):
            return self._wrong(path, value, words, _change(field))
        return hint(value)

    def _missing(self, field: Field, path: str) -> None:
        doc = field.note(Doc)
        self.problems.append(
            Problem(
                path=_join(path, field.name),
                got="nothing",
                allowed=doc.text if doc else "a value",
                change="add the key",
            )
        )

    def _wrong(self, path: str, value: object, allowed: str, change: str) -> Any:
        self.problems.append(
            Problem(path=path or "document", got=_echo(value), allowed=allowed, change=change)
        )
        return None


def _instead(name: object, known: Collection[str]) -> str:
    """What to do about a key that nobody knows."""
    close = difflib.get_close_matches(str(name)[:LONGEST_ECHO], known)
    return f"write {close[0]}, if that is meant, or remove it" if close else "remove it"


def _bare(hint: Any, notes: tuple[object, ...]) -> tuple[Any, tuple[object, ...]]:
    """A type without its annotations, and these (or the ones given, where it has none)."""
    if get_origin(hint) is Annotated:
        bare, *rest = get_args(hint)
        return bare, tuple(rest)
    return hint, notes


class Missing:
    """Stands for a key that is not there, where a value is echoed."""


def _join(path: str, name: object) -> str:
    word = str(name)
    word = word if word.isidentifier() else repr(word[:LONGEST_ECHO])
    return f"{path}.{word}" if path else word


def _change(field: Field) -> str:
    doc = field.note(Doc)
    return doc.change if doc else "see docs/configuration.md"


def _echo(value: object) -> str:
    if value is Missing:
        return "nothing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # Nested too deep, or a whole number of thousands of digits.
        return f"{type(value).__name__} beyond all bounds"
    return text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}..."
