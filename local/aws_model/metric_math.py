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

An anomaly detection band is machine-learned at AWS. The stand-in here is: for each period, the mean
plus and minus *width* standard deviations of the datapoints of the 24 hours that ended one hour
before it. The hour keeps an incident out of its own band. Fewer than 20 datapoints make no band.
"""

import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from local.aws_model.errors import validation_error
from local.aws_model.expression import Binary, Fill, If, Name, Negated, Node, Number

Series: TypeAlias = dict[datetime, float]
Value: TypeAlias = Series | float

TRAINING = timedelta(hours=24)
GAP = timedelta(hours=1)
MIN_TRAINING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """An anomaly detection band: both series have the same periods."""

    lower: Series
    upper: Series


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


def anomaly_band(
    history: Series, *, width: float, periods: Sequence[datetime], period: timedelta
) -> Band:
    """Return the band of a series; a period without enough history has none.

    Args:
        history: the series, as far back as ``GAP + TRAINING`` before the first period.
        width: the distance of each limit from the mean, in standard deviations.
        periods: the start of each period that the band is for.
        period: the length of each.
    """
    stamps = sorted(history)
    band = Band(lower={}, upper={})
    for start in periods:
        first = bisect_left(stamps, start - GAP - TRAINING)
        end = bisect_right(stamps, start - GAP - period)
        values = [history[stamp] for stamp in stamps[first:end]]
        if len(values) >= MIN_TRAINING:
            mean = math.fsum(values) / len(values)
            variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
            band.lower[start] = mean - width * math.sqrt(variance)
            band.upper[start] = mean + width * math.sqrt(variance)
    return band


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
