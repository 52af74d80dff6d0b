"""``AlarmRule``: the rule of a composite alarm.

Syntax (CloudWatch guide, "Creating a composite alarm"; SDK model, ``PutCompositeAlarm``):
``ALARM(x)``, ``OK(x)`` and ``INSUFFICIENT_DATA(x)``, where x is a name or ARN, quoted or not;
``TRUE``, ``FALSE``; ``AND``, ``OR``, ``NOT``; parentheses. A rule has at most 100 children and 500
elements.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from local.aws_model.errors import validation_error
from local.aws_model.evaluation import State


@dataclass(frozen=True, slots=True, kw_only=True)
class InState:
    """True while the named alarm is in the state."""

    state: State
    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """NOT rule."""

    operand: "Rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """One AND other."""

    left: "Rule"
    right: "Rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One OR other."""

    left: "Rule"
    right: "Rule"


Rule: TypeAlias = InState | Constant | Not | Both | Either

_TOKEN = re.compile(
    r"\s*(?:(?P<state>INSUFFICIENT_DATA|ALARM|OK)\s*\(\s*"
    r"(?:\"(?P<quoted>(?:[^\"\\]|\\.)+)\"|(?P<bare>[^\s()\"]+))\s*\)"
    r"|(?P<word>TRUE|FALSE|AND|OR|NOT)\b|(?P<sign>[()]))"
)
_MAX_CHILDREN = 100
_MAX_ELEMENTS = 500


class _Parser:
    """Recursive descent: OR binds loosest, then AND, then NOT."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str | Rule] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._refuse(text[position:].strip())
            self._tokens.append(self._token(found))
            position = found.end()
        self._at = 0

    def _token(self, found: "re.Match[str]") -> str | Rule:
        if found["state"]:
            quoted = found["quoted"]
            name = found["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            return InState(state=State(found["state"]), alarm=name)
        if found["word"] in {"TRUE", "FALSE"}:
            return Constant(value=found["word"] == "TRUE")
        return found["word"] or found["sign"]

    def _refuse(self, near: object) -> Exception:
        return validation_error(f"AlarmRule is not valid near {near!r}: {self._text}")

    def _peek(self) -> str | Rule | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def parse(self) -> Rule:
        elements = sum(not isinstance(t, str) or t == "(" for t in self._tokens)
        if not elements or elements > _MAX_ELEMENTS:
            raise self._refuse(f"{elements} elements; there must be 1 to {_MAX_ELEMENTS}")
        found = self._either()
        if self._peek() is not None:
            raise self._refuse(self._peek())
        if len(children(found)) > _MAX_CHILDREN:
            raise self._refuse(f"more than {_MAX_CHILDREN} alarms")
        return found

    def _either(self) -> Rule:
        left = self._both()
        while self._peek() == "OR":
            self._at += 1
            left = Either(left=left, right=self._both())
        return left

    def _both(self) -> Rule:
        left = self._one()
        while self._peek() == "AND":
            self._at += 1
            left = Both(left=left, right=self._one())
        return left

    def _one(self) -> Rule:
        found = self._peek()
        self._at += 1
        if found == "NOT":
            return Not(operand=self._one())
        if found == "(":
            inner = self._either()
            if self._peek() != ")":
                raise self._refuse(self._peek() or "the end")
            self._at += 1
            return inner
        if found is None or isinstance(found, str):
            raise self._refuse(found or "the end")
        return found


def parse(text: str) -> Rule:
    """Parse a rule.

    Raises:
        ModelError: ValidationError that quotes the rule.
    """
    return _Parser(text).parse()


def children(node: Rule) -> tuple[str, ...]:
    """Return the names or ARNs that a rule refers to, each once, in order."""
    match node:
        case Constant():
            return ()
        case InState(alarm=alarm):
            return (alarm,)
        case Not(operand=operand):
            return children(operand)
        case Both(left=left, right=right) | Either(left=left, right=right):
            return tuple(dict.fromkeys((*children(left), *children(right))))


def holds(node: Rule, state_of: Callable[[str], State]) -> bool:
    """Tell whether a rule is true, given the state of each alarm by name or ARN."""
    match node:
        case Constant(value=value):
            return value
        case InState(state=state, alarm=alarm):
            return state_of(alarm) is state
        case Not(operand=operand):
            return not holds(operand, state_of)
        case Both(left=left, right=right):
            return holds(left, state_of) and holds(right, state_of)
        case Either(left=left, right=right):
            return holds(left, state_of) or holds(right, state_of)
        case _:
            assert_never(node)
