"""Conditions: text to a closure that says whether an item allows a write.

From the DynamoDB developer guide, "Condition and filter expressions, operators, and functions",
unless stated: NOT binds tighter than AND, and AND tighter than OR; values of different types are
not equal and have no order; BETWEEN includes its bounds; IN has up to 100 values; ``contains``
finds a part of a text, or a member of a set or a list; ``size`` counts. An attribute that is not
there is equal to nothing, so ``<>`` is true of it and every other comparison is false.

Assumed: that the last sentence holds where both sides are absent and where ``size`` finds nothing
to count; that a text's size is its number of characters outside ASCII too.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from local.aws_model.dynamodb_errors import not_served
from local.aws_model.dynamodb_tokens import Condition, Operand, Tokens
from local.aws_model.dynamodb_values import (
    ORDERED,
    SETS,
    Item,
    Value,
    Values,
    in_order,
    kind_of,
    size,
)

_TEXTS = frozenset({"S", "B"})
_SIZED = _TEXTS | SETS | {"L", "M"}
_ARGUMENTS = {"attribute_exists": 1, "attribute_not_exists": 1, "begins_with": 2, "contains": 2}
_MOST_IN = 100
_BY_ORDER: Mapping[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


class _Term(NamedTuple):
    """An operand: an attribute's ``path``, a ``value``'s reference, or the ``size`` of a term."""

    kind: str
    name: str
    get: Operand


def condition_of(tokens: Tokens) -> Condition:
    """Return the closure of a whole ConditionExpression.

    Raises:
        Refused: ValidationException.
    """
    parser = _Parser(tokens)
    condition = parser.any_of()
    if tokens.next.kind != "end":
        raise tokens.syntax_error()
    return condition


class _Parser:
    """Recursive descent, from the loosest to the tightest."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        # Where the parenthesis that opens at a token closes.
        self._closes: dict[int, int] = {}

    def any_of(self) -> Condition:
        left = self._all_of()
        if not self._tokens.took("OR"):
            return left
        right = self.any_of()
        return lambda item, values: left(item, values) or right(item, values)

    def _all_of(self) -> Condition:
        left = self._negated()
        if not self._tokens.took("AND"):
            return left
        right = self._all_of()
        return lambda item, values: left(item, values) and right(item, values)

    def _negated(self) -> Condition:
        if not self._tokens.took("NOT"):
            return self._primary()
        inner = self._primary()
        return lambda item, values: not inner(item, values)

    def _primary(self) -> Condition:
        tokens = self._tokens
        opened = tokens.at
        if tokens.took("("):
            inner = self.any_of()
            self._closes[opened] = tokens.at
            tokens.expect(")")
            if self._closes.get(opened + 1) == self._closes[opened] - 1:
                raise tokens.refusal("The expression has redundant parentheses;")
            return inner
        if tokens.is_call and tokens.next.text != "size":
            return self._function()
        return self._comparison()

    # -- operands -------------------------------------------------------------------------------

    def _term(self) -> _Term:
        tokens = self._tokens
        if tokens.next.kind == "value":
            reference = tokens.value()
            return _Term("value", reference, lambda _, values: values[reference])
        if tokens.is_call:
            if tokens.next.text != "size":
                raise self._misused(tokens.next.text)
            return self._size()
        name = tokens.path()
        return _Term("path", name, lambda item, _: item.get(name))

    def _size(self) -> _Term:
        self._tokens.take()
        (of,) = self._arguments("size", 1)
        self._allow((of,), _SIZED, "operator or function: size")
        get = of.get

        def counted(item: Item, values: Values) -> Value | None:
            value = get(item, values)
            count = None if value is None else size(value)
            return None if count is None else {"N": str(count)}

        return _Term("size", of.name, counted)

    def _arguments(self, function: str, expected: int) -> list[_Term]:
        tokens = self._tokens
        tokens.expect("(")
        terms = [self._term()]
        while tokens.took(","):
            terms.append(self._term())
        tokens.expect(")")
        if len(terms) != expected:
            raise tokens.refusal(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {function}, number of operands: {len(terms)}"
            )
        return terms

    def _allow(self, terms: tuple[_Term, ...], kinds: frozenset[str], of: str) -> None:
        for term in terms:
            if term.kind == "value":
                self._tokens.allow(term.name, kinds, of)

    def _distinct(self, operator: str, left: _Term, right: _Term) -> None:
        if left.kind == right.kind == "path" and left.name == right.name:
            raise self._tokens.refusal(
                "The first operand must be distinct from the remaining operands for this operator "
                f"or function; operator: {operator}, first operand: [{left.name}]"
            )

    def _misused(self, function: str) -> Exception:
        return self._tokens.refusal(
            "The function is not allowed to be used this way in an expression; "
            f"function: {function}"
        )

    # -- functions ------------------------------------------------------------------------------

    def _function(self) -> Condition:
        tokens = self._tokens
        function = tokens.take().text
        if function == "attribute_type":
            raise not_served("attribute_type")
        if function not in _ARGUMENTS:
            raise tokens.refusal(f"Invalid function name; function: {function}")
        terms = self._arguments(function, _ARGUMENTS[function])
        if function in {"begins_with", "contains"}:
            self._distinct(function, *terms)
            return self._begins_with(*terms) if function == "begins_with" else _contains(*terms)
        name = terms[0].name
        if terms[0].kind != "path":
            raise tokens.refusal(
                f"Operator or function requires a document path; operator or function: {function}"
            )
        if function == "attribute_exists":
            return lambda item, _: name in item
        return lambda item, _: name not in item

    def _begins_with(self, of: _Term, beginning: _Term) -> Condition:
        self._allow((of, beginning), _TEXTS, "operator or function: begins_with")

        def begins(item: Item, values: Values) -> bool:
            left, right = of.get(item, values), beginning.get(item, values)
            if left is None or right is None or kind_of(left) != kind_of(right):
                return False
            kind = kind_of(left)
            return kind in _TEXTS and bool(left[kind].startswith(right[kind]))

        return begins

    # -- comparisons ----------------------------------------------------------------------------

    def _comparison(self) -> Condition:
        tokens = self._tokens
        left = self._term()
        if tokens.took("BETWEEN"):
            low = self._term()
            tokens.expect("AND")
            return self._between(left, low, self._term())
        if tokens.took("IN"):
            return self._among(left)
        operator = tokens.next.text
        if operator not in {"=", "<>", *_BY_ORDER}:
            raise self._misused("size") if left.kind == "size" else tokens.syntax_error()
        tokens.take()
        right = self._term()
        self._distinct(operator, left, right)
        if operator in _BY_ORDER:
            self._allow((left, right), ORDERED, f"operator: {operator}")
            return _ordered(left.get, right.get, _BY_ORDER[operator])
        equal = _equal(left, right)
        return equal if operator == "=" else lambda item, values: not equal(item, values)

    def _among(self, left: _Term) -> Condition:
        tokens = self._tokens
        tokens.expect("(")
        terms = [self._term()]
        while tokens.took(","):
            terms.append(self._term())
        tokens.expect(")")
        if len(terms) > _MOST_IN:
            raise tokens.refusal(
                "The IN operator is provided with too many operands; "
                f"number of operands: {len(terms)}"
            )
        equals = [_equal(left, term) for term in terms]
        return lambda item, values: any(equal(item, values) for equal in equals)

    def _between(self, of: _Term, low: _Term, high: _Term) -> Condition:
        self._allow((of, low, high), ORDERED, "operator: BETWEEN")
        if low.kind == high.kind == "value":
            self._tokens.checks.append(lambda values: self._bounds(low, high, values))
        above = _ordered(of.get, low.get, _BY_ORDER[">="])
        below = _ordered(of.get, high.get, _BY_ORDER["<="])
        return lambda item, values: above(item, values) and below(item, values)

    def _bounds(self, low: _Term, high: _Term, values: Values) -> None:
        left, right = values[low.name], values[high.name]
        kind = kind_of(left)
        if kind_of(right) != kind:
            raise self._tokens.refusal(
                "The BETWEEN operator requires same data type for lower and upper bounds"
            )
        if in_order(left[kind], right[kind], kind) > 0:
            raise self._tokens.refusal(
                "The BETWEEN operator requires upper bound to be greater than or equal to lower "
                "bound"
            )


def _equal(left: _Term, right: _Term) -> Condition:
    if left.kind == "path" and right.kind == "value":
        name, reference = left.name, right.name
        return lambda item, values: item.get(name) == values[reference]
    first, second = left.get, right.get

    def equal(item: Item, values: Values) -> bool:
        value = first(item, values)
        return value is not None and value == second(item, values)

    return equal


def _ordered(first: Operand, second: Operand, holds: Callable[[int], bool]) -> Condition:
    def ordered(item: Item, values: Values) -> bool:
        left, right = first(item, values), second(item, values)
        if left is None or right is None:
            return False
        kind = kind_of(left)
        if kind not in ORDERED or kind not in right:
            return False
        return holds(in_order(left[kind], right[kind], kind))

    return ordered


def _contains(of: _Term, wanted: _Term) -> Condition:
    def contains(item: Item, values: Values) -> bool:
        holder, member = of.get(item, values), wanted.get(item, values)
        if holder is None or member is None:
            return False
        return _holds(kind_of(holder), holder, kind_of(member), member)

    return contains


def _holds(kind: str, holder: Value, of: str, member: Value) -> bool:
    content: Any = holder[kind]
    if kind == "L":
        return member in content
    if kind in SETS:
        return kind[0] == of and member[of] in content
    return kind in _TEXTS and kind == of and member[of] in content
