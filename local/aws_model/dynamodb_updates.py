"""Updates: text to a closure that makes the item to be from the item that is.

From the DynamoDB developer guide, "Using update expressions in DynamoDB", unless stated: each of
SET, REMOVE, ADD and DELETE is there at most once and an attribute is named at most once; every
operand is read from the item as it was; an attribute of the key is not updated; what SET reads has
to be there; ADD makes a number or a set that is not there and adds to one that is; DELETE takes
members out of a set, which goes with its last member; REMOVE and DELETE of what is not there do
nothing.

Not served: ``list_append``, and parentheses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from local.aws_model.dynamodb_errors import invalid, not_served
from local.aws_model.dynamodb_tokens import Operand, Tokens
from local.aws_model.dynamodb_values import (
    LONG_NAMES,
    SETS,
    Item,
    Value,
    Values,
    as_set,
    total,
)

# What becomes of an attribute: the item as it was, the item to be, the values.
_Change: TypeAlias = Callable[[Item, Item, Values], None]

KEYS = frozenset({"pk", "sk"})
_SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_NUMBER = frozenset({"N"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Update:
    """What an UpdateExpression does.

    Attributes:
        paths: the attributes that it names, which is what UPDATED_OLD and UPDATED_NEW answer.
        values: the attributes that become a value of the request.
        removals: the attributes that go.
        changes: everything else.
    """

    paths: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)
    changes: list[_Change] = field(default_factory=list)

    def applied(self, item: Item, values: Values) -> Item:
        """Return the item to be.

        Raises:
            Refused: ValidationException where the item does not fit.
        """
        result = item.copy()
        for name, reference in self.values:
            result[name] = values[reference]
        for name in self.removals:
            result.pop(name, None)
        for change in self.changes:
            change(item, result, values)
        return result


def update_of(tokens: Tokens) -> Update:
    """Return what a whole UpdateExpression does.

    Raises:
        Refused: ValidationException.
    """
    parser = _Parser(tokens)
    while tokens.next.kind != "end":
        parser.section()
    return parser.update


class _Parser:
    """Section by section."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._sections: set[str] = set()
        self.update = Update()

    def section(self) -> None:
        tokens = self._tokens
        section = tokens.next.keyword
        if section not in _SECTIONS:
            raise tokens.syntax_error()
        tokens.take()
        if section in self._sections:
            raise tokens.refusal(
                f'The "{section}" section can only be used once in an update expression;'
            )
        self._sections.add(section)
        action = {
            "SET": self._set,
            "REMOVE": self._remove,
            "ADD": self._add,
            "DELETE": self._delete,
        }[section]
        action(self._target())
        while tokens.took(","):
            action(self._target())

    def _target(self) -> str:
        name = self._tokens.path()
        if name in self.update.paths:
            raise self._tokens.refusal(
                "Two document paths overlap with each other; must remove or rewrite one of these "
                f"paths; path one: [{name}], path two: [{name}]"
            )
        if name in KEYS:
            raise invalid(
                f"One or more parameter values were invalid: Cannot update attribute {name}. "
                "This attribute is part of the key"
            )
        self.update.paths.append(name)
        return name

    # -- SET ------------------------------------------------------------------------------------

    def _set(self, name: str) -> None:
        tokens = self._tokens
        tokens.expect("=")
        is_value = tokens.next.kind == "value"
        reference, left = tokens.next.text, self._operand()
        if tokens.next.text in {"+", "-"}:
            sign = tokens.take().text
            if is_value:
                self._number_only(reference, sign)
            if tokens.next.kind == "value":
                self._number_only(tokens.next.text, sign)
            self._assign(name, _sum(left, self._operand(), 1 if sign == "+" else -1))
        elif is_value:
            self.update.values.append((name, reference))
        else:
            self._assign(name, left)

    def _number_only(self, reference: str, sign: str) -> None:
        self._tokens.allow(reference, _NUMBER, f"operator or function: {sign}")

    def _assign(self, name: str, operand: Operand) -> None:
        def assign(item: Item, result: Item, values: Values) -> None:
            value = operand(item, values)
            if value is None:
                raise invalid(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
            result[name] = value

        self.update.changes.append(assign)

    def _operand(self) -> Operand:
        tokens = self._tokens
        if tokens.next.kind == "value":
            reference = tokens.value()
            return lambda _, values: values[reference]
        if tokens.next.text == "(":
            raise not_served("parentheses in an UpdateExpression")
        if tokens.is_call:
            return self._function()
        name = tokens.path()
        return lambda item, _: item.get(name)

    def _function(self) -> Operand:
        tokens = self._tokens
        function = tokens.take().text
        if function == "list_append":
            raise not_served("list_append")
        if function != "if_not_exists":
            raise tokens.refusal(f"Invalid function name; function: {function}")
        tokens.expect("(")
        name = tokens.path()
        tokens.expect(",")
        otherwise = self._operand()
        tokens.expect(")")

        def kept(item: Item, values: Values) -> Value | None:
            value = item.get(name)
            return otherwise(item, values) if value is None else value

        return kept

    # -- REMOVE, ADD, DELETE --------------------------------------------------------------------

    def _remove(self, name: str) -> None:
        self.update.removals.append(name)

    def _add(self, name: str) -> None:
        reference = self._tokens.value()
        self._tokens.allow(reference, _NUMBER | SETS, "operator: ADD", LONG_NAMES)

        def add(item: Item, result: Item, values: Values) -> None:
            value, there = values[reference], item.get(name)
            result[name] = value if there is None else _added(there, value)

        self.update.changes.append(add)

    def _delete(self, name: str) -> None:
        reference = self._tokens.value()
        self._tokens.allow(reference, SETS, "operator: DELETE", LONG_NAMES)

        def delete(item: Item, result: Item, values: Values) -> None:
            there = item.get(name)
            if there is None:
                return
            for kind, members in values[reference].items():
                if kind not in there:
                    raise _wrong_type()
                left = [member for member in there[kind] if member not in members]
                if left:
                    result[name] = {kind: left}
                else:
                    del result[name]

        self.update.changes.append(delete)


def _sum(first: Operand, second: Operand, sign: int) -> Operand:
    def summed(item: Item, values: Values) -> Value | None:
        left, right = first(item, values), second(item, values)
        if left is None or right is None:
            return None
        if "N" not in left or "N" not in right:
            raise _wrong_type()
        return {"N": total(left["N"], right["N"], sign=sign)}

    return summed


def _added(there: Value, value: Value) -> Value:
    for kind, content in value.items():
        if kind not in there:
            break
        if kind == "N":
            return {"N": total(there["N"], content, sign=1)}
        return {kind: as_set(kind, list({*there[kind], *content}))}
    raise _wrong_type()


def _wrong_type() -> Exception:
    return invalid("An operand in the update expression has an incorrect data type")
