"""Metric math, evaluated over the periods of one query.

Missing datapoints follow the CloudWatch guide, "Using math expressions with CloudWatch metrics"
(awsdocs/amazon-cloudwatch-user-guide, ``doc_source/using-metric-math.md``, commit 20a560c):

* arithmetic and comparison of two series: "missing values in a time series are treated as 0",
  wherever at least one of the two has a datapoint; a division by zero drops the datapoint;
* ``IF``: dropped where the condition is missing; 0 where the condition is true and the series for
  "true" is missing; dropped where it is false and the series for "false" is missing or not given;
* ``FILL`` fills every period of the range, also the newest one.

Not documented, and assumed here: ``FILL`` of a series without any datapoint in the range stays
empty, because it has no timestamps.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, assert_never

from local.aws_model.errors import validation_error
from local.aws_model.expression import Binary, Fill, If, Name, Negated, Node, Number

Series: TypeAlias = dict[datetime, float]
Value: TypeAlias = Series | float


def _both(left: float, right: float) -> bool:
    return bool(left) and bool(right)


def _either(left: float, right: float) -> bool:
    return bool(left) or bool(right)


_OPERATIONS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    "AND": _both,
    "OR": _either,
}


def evaluate(node: Node, known: Mapping[str, Value], periods: Sequence[datetime]) -> Value:
    """Evaluate a syntax tree.

    Args:
        node: the expression, parsed.
        known: the series or scalar of each id; every id must be there.
        periods: the start of each period in the range, which ``FILL`` fills.

    Returns:
        A series (start of period to value; a missing datapoint has no key), or a scalar.

    Raises:
        ModelError: ValidationError where operands have the wrong type, or a scalar is divided by 0.
    """
    match node:
        case Number(value=value):
            return value
        case Name(id=name):
            if name not in known:
                raise validation_error(f"The expression refers to an unknown id: {name}")
            return known[name]
        case Negated(operand=operand):
            return _binary("*", -1.0, evaluate(operand, known, periods))
        case Binary(operator=sign, left=left, right=right):
            return _binary(sign, evaluate(left, known, periods), evaluate(right, known, periods))
        case Fill(series=series, filler=filler):
            return _fill(
                evaluate(series, known, periods), evaluate(filler, known, periods), periods
            )
        case If(condition=condition, when_true=yes, when_false=no):
            return _if(
                evaluate(condition, known, periods),
                evaluate(yes, known, periods),
                None if no is None else evaluate(no, known, periods),
            )
        case _:
            assert_never(node)


def _binary(sign: str, left: Value, right: Value) -> Value:
    operation = _OPERATIONS[sign]
    if not isinstance(left, dict) and not isinstance(right, dict):
        if sign == "/" and right == 0:
            raise validation_error("Division of a scalar by zero.")
        return float(operation(left, right))
    result: Series = {}
    stamps = (left if isinstance(left, dict) else {}) | (right if isinstance(right, dict) else {})
    for stamp in sorted(stamps):
        a = left.get(stamp, 0.0) if isinstance(left, dict) else left
        b = right.get(stamp, 0.0) if isinstance(right, dict) else right
        if sign == "/" and b == 0:
            continue
        result[stamp] = float(operation(a, b))
    return result


def _fill(series: Value, filler: Value, periods: Sequence[datetime]) -> Series:
    if not isinstance(series, dict) or isinstance(filler, dict):
        raise validation_error("FILL takes a time series and a number.")
    if not series:
        return {}
    return {stamp: series.get(stamp, filler) for stamp in periods}


def _if(condition: Value, yes: Value, no: Value | None) -> Value:
    if not isinstance(condition, dict):
        chosen = yes if condition else no
        if not isinstance(yes, dict):
            raise validation_error("IF with a scalar condition takes a time series.")
        return {} if chosen is None else chosen
    result: Series = {}
    for stamp, decision in condition.items():
        if decision:
            result[stamp] = yes.get(stamp, 0.0) if isinstance(yes, dict) else yes
        elif isinstance(no, dict) and stamp in no:
            result[stamp] = no[stamp]
        elif no is not None and not isinstance(no, dict):
            result[stamp] = no
    return result
