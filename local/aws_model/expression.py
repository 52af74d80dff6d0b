"""Metric math, read: text to syntax tree, for the subset that this project's alarms use.

Supported: numbers, ids, ``+ - * /``, unary minus, ``> >= < <= == !=``, ``AND``/``&&``,
``OR``/``||``, parentheses, ``IF(condition, a[, b])`` and ``FILL(series, number)``; and, as a whole
expression, ``ANOMALY_DETECTION_BAND(id[, number])``. Everything else is refused with
ValidationError, which is also what CloudWatch answers to what *it* does not know.
Names of functions are upper case, ids begin with a lower-case letter (CloudWatch guide, "Using
math expressions with CloudWatch metrics").
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from local.aws_model.errors import validation_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """The id of another query."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Negated:
    """Unary minus."""

    operand: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One of ``+ - * / > >= < <= == != AND OR``."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """``IF(condition, when_true[, when_false])``."""

    condition: "Node"
    when_true: "Node"
    when_false: "Node | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """``FILL(series, number)``."""

    series: "Node"
    filler: "Node"


Node: TypeAlias = Number | Name | Negated | Binary | If | Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyBand:
    """``ANOMALY_DETECTION_BAND(series[, width])``: two series, so never an operand here.

    The width is in standard deviations, 2 if it is not given (CloudWatch guide, "Using math
    expressions with CloudWatch metrics").
    """

    series: str
    width: float = 2.0


Expression: TypeAlias = Node | AnomalyBand

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<id>[a-z]\w*)|(?P<word>[A-Z][A-Z0-9_]*)"
    r"|(?P<sign>>=|<=|==|!=|&&|\|\||[-+*/<>(),]))",
    re.ASCII,
)
_SAME = {"&&": "AND", "||": "OR"}
# From the loosest to the tightest.
_LEVELS = (
    frozenset({"OR"}),
    frozenset({"AND"}),
    frozenset({">", ">=", "<", "<=", "==", "!="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/"}),
)
_BAND = "ANOMALY_DETECTION_BAND"
_IF_MAX = 3
_PAIR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise validation_error(
                f"Error in expression '{text}' [Unsupported syntax at: {text[position:].strip()!r}]"
            )
        word = found.group(found.lastgroup)
        yield _Token(kind=found.lastgroup, text=_SAME.get(word, word))
        position = found.end()


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text), _Token(kind="end", text="end of expression")]
        self._at = 0

    def parse(self) -> Expression:
        node = self._band() if self._peek().text == _BAND else self._level(0)
        if self._peek().kind != "end":
            raise self._refuse()
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _expect(self, text: str) -> None:
        if self._peek().text != text:
            raise self._refuse()
        self._at += 1

    def _refuse(self) -> Exception:
        return validation_error(
            f"Error in expression '{self._text}' [Unexpected: {self._peek().text}]"
        )

    def _band(self) -> AnomalyBand:
        self._take()
        self._expect("(")
        if self._peek().kind != "id":
            raise self._refuse()
        series = self._take().text
        if self._peek().text != ",":
            self._expect(")")
            return AnomalyBand(series=series)
        self._take()
        if self._peek().kind != "number":
            raise self._refuse()
        width = float(self._take().text)
        self._expect(")")
        return AnomalyBand(series=series, width=width)

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while self._peek().text in _LEVELS[level]:
            sign = self._take().text
            left = Binary(operator=sign, left=left, right=self._level(level + 1))
        return left

    def _unary(self) -> Node:
        if self._peek().text == "-":
            self._take()
            return Negated(operand=self._unary())
        return self._primary()

    def _primary(self) -> Node:
        token = self._peek()
        if token.kind == "number":
            return Number(value=float(self._take().text))
        if token.kind == "id":
            return Name(id=self._take().text)
        if token.text == "(":
            self._take()
            node = self._level(0)
            self._expect(")")
            return node
        if token.kind == "word" and token.text not in {"AND", "OR"}:
            return self._call(self._take().text)
        raise self._refuse()

    def _call(self, function: str) -> Node:
        if function == _BAND:
            raise validation_error(
                f"Error in expression '{self._text}' [{_BAND} is served as a whole expression only]"
            )
        if function not in {"IF", "FILL"}:
            raise validation_error(
                f"Error in expression '{self._text}' [Unsupported function: {function}]"
            )
        self._expect("(")
        arguments = [self._level(0)]
        while self._peek().text == ",":
            self._take()
            arguments.append(self._level(0))
        self._expect(")")
        if function == "IF" and len(arguments) in {_PAIR, _IF_MAX}:
            when_false = arguments[2] if len(arguments) == _IF_MAX else None
            return If(condition=arguments[0], when_true=arguments[1], when_false=when_false)
        if function == "FILL" and len(arguments) == _PAIR:
            return Fill(series=arguments[0], filler=arguments[1])
        raise validation_error(
            f"Error in expression '{self._text}' [Wrong number of arguments for {function}]"
        )


def parse(text: str) -> Expression:
    """Parse one expression.

    Raises:
        ModelError: ValidationError that quotes the expression and the place.
    """
    return _Parser(text).parse()


def names(node: Expression) -> frozenset[str]:
    """Return the ids that an expression refers to."""
    match node:
        case Number():
            return frozenset()
        case Name(id=name) | AnomalyBand(series=name):
            return frozenset({name})
        case Negated(operand=operand):
            return names(operand)
        case Binary(left=left, right=right):
            return names(left) | names(right)
        case Fill(series=series, filler=filler):
            return names(series) | names(filler)
        case If(condition=condition, when_true=yes, when_false=no):
            return names(condition) | names(yes) | (names(no) if no is not None else frozenset())
