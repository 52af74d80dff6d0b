"""Expressions, read once: the texts of a request to closures, cached by those texts.

From the DynamoDB developer guide ("Expression attribute names", "Expression attribute values") and
from its refusals: what is defined and not used is refused, and so is an empty map of definitions.
The words of a refusal are DynamoDB's as far as they are known; only its code is relied on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from local.aws_model.dynamodb_conditions import condition_of
from local.aws_model.dynamodb_errors import Refused, invalid
from local.aws_model.dynamodb_tokens import Check, Condition, Tokens
from local.aws_model.dynamodb_updates import Update, update_of
from local.aws_model.dynamodb_values import Values, taken

Names: TypeAlias = tuple[tuple[str, str], ...]

NO_VALUES: Values = {}
_PLACEHOLDER = re.compile(r"[#:]\w+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What a request's expressions do; one object for each combination of texts.

    Attributes:
        condition: whether the item allows the write; nothing where it was not asked.
        update: what becomes of the item, for UpdateItem.
        used_values: the references that have to be defined, all of them and no other.
        definitions: what refuses a reference that is not defined, in the order of the text.
        checks: what is checked of the values alone.
    """

    condition: Condition | None
    update: Update | None
    used_values: frozenset[str]
    definitions: tuple[Check, ...]
    checks: tuple[Check, ...]

    def values(self, given: Mapping[str, Any] | None) -> Values:
        """Return a request's values, checked against these expressions.

        Raises:
            Refused: ValidationException.
        """
        if given is None:
            for check in self.definitions:
                check(NO_VALUES)
            return NO_VALUES
        values = {reference: taken(value) for reference, value in given.items()}
        if values.keys() != self.used_values:
            raise self._wrong_use(values)
        for check in self.checks:
            check(values)
        return values

    def _wrong_use(self, values: Values) -> Refused:
        if not values:
            return invalid("ExpressionAttributeValues must not be empty")
        if self.condition is None and self.update is None:
            return invalid("ExpressionAttributeValues can only be specified when using expressions")
        _check_keys("ExpressionAttributeValues", ":", values)
        for check in self.definitions:
            check(values)
        unused = sorted(values.keys() - self.used_values)
        return invalid(
            "Value provided in ExpressionAttributeValues unused in expressions: "
            f"keys: {{{', '.join(unused)}}}"
        )


def _check_keys(parameter: str, sign: str, given: Mapping[str, Any]) -> None:
    for key in given:
        if key[:1] != sign or not _PLACEHOLDER.fullmatch(key):
            raise invalid(f'{parameter} contains invalid key: Syntax error; key: "{key}"')


def plan(update: str | None, condition: str | None, names: Mapping[str, str] | None) -> Plan:
    """Return the plan of a request's expressions.

    Raises:
        Refused: ValidationException.
    """
    return _plan(update, condition, None if names is None else tuple(names.items()))


@cache
def _plan(update: str | None, condition: str | None, names: Names | None) -> Plan:
    given = dict(names or ())
    _check_keys("ExpressionAttributeNames", "#", given)
    read: list[Tokens] = []
    changes: Update | None = None
    asks: Condition | None = None
    if update is not None:
        read.append(Tokens("UpdateExpression", update, given))
        changes = update_of(read[-1])
    if condition is not None:
        read.append(Tokens("ConditionExpression", condition, given))
        asks = condition_of(read[-1])
    _check_names(names, frozenset().union(*(tokens.used_names for tokens in read)))
    return Plan(
        condition=asks,
        update=changes,
        used_values=frozenset().union(*(tokens.used_values for tokens in read)),
        definitions=tuple(check for tokens in read for check in tokens.definitions),
        checks=tuple(check for tokens in read for check in tokens.checks),
    )


def _check_names(names: Names | None, used: frozenset[str]) -> None:
    if names is None:
        return
    if not names:
        raise invalid("ExpressionAttributeNames must not be empty")
    if unused := sorted(dict(names).keys() - used):
        raise invalid(
            "Value provided in ExpressionAttributeNames unused in expressions: "
            f"keys: {{{', '.join(unused)}}}"
        )
