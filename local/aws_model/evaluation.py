"""The state of a metric alarm from its newest datapoints: M of N, missing data, premature alarms.

Source: CloudWatch guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat
missing data", whose tables are this module's tests.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from local.aws_model.errors import validation_error


class State(StrEnum):
    """The three states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class TreatMissingData(StrEnum):
    """What a missing datapoint counts as, where it has to count at all."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Which limits of an anomaly detection band a datapoint is compared with."""

    lower: bool
    upper: bool


BAND_COMPARISONS: Mapping[str, Sides] = {
    "LessThanLowerThreshold": Sides(lower=True, upper=False),
    "GreaterThanUpperThreshold": Sides(lower=False, upper=True),
    "LessThanLowerOrGreaterThanUpperThreshold": Sides(lower=True, upper=True),
}


def breaches(value: float, comparison: str, threshold: float) -> bool:
    """Tell whether one datapoint breaches a static threshold.

    Raises:
        ModelError: ValidationError for the operators of anomaly detection, which have none.
    """
    if comparison not in COMPARISONS:
        raise validation_error(f"The comparison operator {comparison} has no static threshold.")
    return COMPARISONS[comparison](value, threshold)


def leaves_band(value: float, comparison: str, *, lower: float, upper: float) -> bool:
    """Tell whether one datapoint lies outside a band, on a side that is watched."""
    sides = BAND_COMPARISONS[comparison]
    return (sides.lower and value < lower) or (sides.upper and value > upper)


def judge(
    points: Sequence[bool | None],
    *,
    evaluation_periods: int,
    datapoints_to_alarm: int,
    missing: TreatMissingData,
) -> State | None:
    """Judge the evaluation range.

    Args:
        points: oldest first, the whole evaluation range: True where the datapoint breaches, False
            where it does not, None where it is missing.
        evaluation_periods: N.
        datapoints_to_alarm: M, at most N.
        missing: used only if fewer than N datapoints exist in the range.

    Returns:
        The state, or None where the alarm keeps the one that it has.
    """
    real = [point for point in points if point is not None]
    if len(real) >= evaluation_periods:
        newest = real[-evaluation_periods:]
        return State.ALARM if newest.count(True) >= datapoints_to_alarm else State.OK
    breaching = real.count(True)
    if missing is TreatMissingData.BREACHING:
        breaching += evaluation_periods - len(real)
    if breaching >= datapoints_to_alarm:
        return State.ALARM
    if False in real or missing in {TreatMissingData.BREACHING, TreatMissingData.NOT_BREACHING}:
        return State.OK
    if missing is TreatMissingData.IGNORE:
        return None
    if not real:
        return State.INSUFFICIENT_DATA
    # Only breaching points, and fewer than M. The premature-alarm rule: ALARM once the oldest of
    # them is at least as old as M. Before that the guide says only that the alarm "does not go
    # immediately into ALARM", so it keeps its state.
    oldest_age = len(points) - points.index(True)
    return State.ALARM if oldest_age >= datapoints_to_alarm else None
