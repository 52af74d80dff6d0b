"""``StateReason`` and ``StateReasonData``, worded as CloudWatch words them.

Sources: the sample events of the CloudWatch guide ("Alarm events and EventBridge"), the fixtures of
aws-lambda-go and powertools-lambda-python, and public samples of alarms on anomaly detection bands.
Newest datapoint first in the sentence, and newest threshold.

Not seen in a sample, and assumed here: the sentence of a band with some missing datapoints, the
data of a band with a lower limit only, and that the datapoints of a band with both limits do not
carry a threshold each.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from local.aws_model.alarm import MetricAlarm, StateRecord
from local.aws_model.evaluation import BAND_COMPARISONS, State, TreatMissingData
from local.aws_model.metric_math import Band, Series

_WORDS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_BEYOND = {"Lower": "less than", "Upper": "greater than"}
_TREATED_AS = {
    TreatMissingData.BREACHING: "Breaching",
    TreatMissingData.NOT_BREACHING: "NonBreaching",
    TreatMissingData.IGNORE: "Ignore",
    TreatMissingData.MISSING: "Missing",
}


def stamp(instant: datetime) -> str:
    """Return an instant as alarm payloads write it: milliseconds and ``+0000``."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}+0000"


def _plural(count: int, noun: str = "datapoint") -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def sentence(
    alarm: MetricAlarm,
    state: State,
    named: Sequence[tuple[datetime, float]],
    filled: int,
    band: Band | None = None,
) -> str:
    """Return the ``StateReason`` of an evaluation.

    Args:
        alarm: the alarm.
        state: its new state.
        named: the real datapoints that speak for this state, newest first.
        filled: how many missing datapoints were filled in beside them.
        band: what the datapoints were compared with, if not with a threshold.
    """
    if state is State.INSUFFICIENT_DATA:
        count = alarm.evaluation_periods
        return f"Insufficient Data: {_plural(count)} {_was(count)} unknown."
    treated = f"treated as [{_TREATED_AS[alarm.missing]}]"
    if not named:
        return (
            "Threshold Crossed: no datapoints were received for "
            f"{_plural(alarm.evaluation_periods, 'period')} and "
            f"{_plural(filled, 'missing datapoint')} {_was(filled)} {treated}."
        )
    shown = ", ".join(f"{value} ({at:%d/%m/%y %H:%M:%S})" for at, value in named)
    crossed = "Threshold Crossed" if band is None else "Thresholds Crossed"
    compared = _compared(alarm, "" if state is State.ALARM else "not ", named, band)
    if filled:
        return (
            f"{crossed}: {_plural(len(named))} [{shown}] {_was(len(named))} {compared} and "
            f"{_plural(filled, 'missing datapoint')} {_was(filled)} {treated}."
        )
    minimum, change = (
        (alarm.needed, "OK -> ALARM")
        if state is State.ALARM
        else (alarm.evaluation_periods - alarm.needed + 1, "ALARM -> OK")
    )
    return (
        f"{crossed}: {len(named)} out of the last {alarm.evaluation_periods} datapoints "
        f"[{shown}] {_was(len(named))} {compared} "
        f"(minimum {_plural(minimum)} for {change} transition)."
    )


def _compared(
    alarm: MetricAlarm, negation: str, named: Sequence[tuple[datetime, float]], band: Band | None
) -> str:
    if band is None:
        return f"{negation}{_WORDS[alarm.comparison]} the threshold ({alarm.threshold})"
    parts = []
    for side, series in _sides(alarm, band):
        shown = ", ".join(str(series[at]) for at, _ in named)
        parts.append(f"{negation}{_BEYOND[side]} the {side.lower()} thresholds [{shown}]")
    return " or ".join(parts)


def _sides(alarm: MetricAlarm, band: Band) -> list[tuple[str, Series]]:
    watched = BAND_COMPARISONS[alarm.comparison]
    lower: list[tuple[str, Series]] = [("Lower", band.lower)] if watched.lower else []
    return [*lower, ("Upper", band.upper)] if watched.upper else lower


def data(
    alarm: MetricAlarm,
    *,
    queried_at: datetime,
    judged: Sequence[tuple[datetime, float]],
    samples: Mapping[datetime, float],
    newest: datetime,
    band: Band | None = None,
) -> str:
    """Return the ``StateReasonData`` of an evaluation, a JSON text.

    Args:
        alarm: the alarm.
        queried_at: the instant of the evaluation.
        judged: all real datapoints that were judged, newest first.
        samples: the number of samples of each datapoint; empty for metric math.
        newest: the start of the newest period, for a range without any datapoint.
        band: what the datapoints were compared with, if not with a threshold.
    """
    found: dict[str, object] = {
        "version": "1.0",
        "queryDate": stamp(queried_at),
        "startDate": stamp(min((at for at, _ in judged), default=newest)),
    }
    if alarm.stat is not None:
        found["statistic"] = alarm.stat.statistic.name
    found |= {
        "period": alarm.period // timedelta(seconds=1),
        "recentDatapoints": [value for _, value in reversed(judged)],
    }
    sides = [] if band is None else _sides(alarm, band)
    for side, series in sides:
        found[f"recent{side}Thresholds"] = [series[at] for at, _ in reversed(judged)]
    if band is None:
        found["threshold"] = alarm.threshold
    found["evaluatedDatapoints"] = [
        {"timestamp": stamp(at)}
        | ({"sampleCount": samples[at]} if at in samples else {})
        | {"value": value}
        | ({"threshold": sides[0][1][at]} if len(sides) == 1 else {})
        for at, value in judged
    ]
    return json.dumps(found, separators=(",", ":"))


def of_child(arn: str, state: StateRecord) -> tuple[str, str]:
    """Return reason and reason data of a composite alarm: the child that changed last."""
    since = state.transitioned_at
    trigger = {"arn": arn, "state": {"value": state.value, "timestamp": stamp(since)}}
    return (
        f"{arn} transitioned to {state.value} at {since:%A %d %B, %Y %H:%M:%S} UTC",
        json.dumps({"triggeringAlarms": [trigger]}, separators=(",", ":")),
    )
