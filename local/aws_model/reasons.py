"""``StateReason`` and ``StateReasonData``, worded as CloudWatch words them.

Sources: the sample events of the CloudWatch guide ("Alarm events and EventBridge") and the fixtures
of aws-lambda-go and powertools-lambda-python. Newest datapoint first in the sentence.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from local.aws_model.alarm import MetricAlarm, StateRecord
from local.aws_model.evaluation import State, TreatMissingData

_WORDS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
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
    alarm: MetricAlarm, state: State, named: Sequence[tuple[datetime, float]], filled: int
) -> str:
    """Return the ``StateReason`` of an evaluation.

    Args:
        alarm: the alarm.
        state: its new state.
        named: the real datapoints that speak for this state, newest first.
        filled: how many missing datapoints were filled in beside them.
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
    negation = "" if state is State.ALARM else "not "
    if filled:
        return (
            f"Threshold Crossed: {_plural(len(named))} [{shown}] {_was(len(named))} {negation}"
            f"{_WORDS[alarm.comparison]} the threshold ({alarm.threshold}) and "
            f"{_plural(filled, 'missing datapoint')} {_was(filled)} {treated}."
        )
    minimum, change = (
        (alarm.needed, "OK -> ALARM")
        if state is State.ALARM
        else (alarm.evaluation_periods - alarm.needed + 1, "ALARM -> OK")
    )
    return (
        f"Threshold Crossed: {len(named)} out of the last "
        f"{_plural(alarm.evaluation_periods)} [{shown}] {_was(len(named))} {negation}"
        f"{_WORDS[alarm.comparison]} the threshold ({alarm.threshold}) "
        f"(minimum {_plural(minimum)} for {change} transition)."
    )


def data(
    alarm: MetricAlarm,
    *,
    queried_at: datetime,
    judged: Sequence[tuple[datetime, float]],
    samples: Mapping[datetime, float],
    newest: datetime,
) -> str:
    """Return the ``StateReasonData`` of an evaluation, a JSON text.

    Args:
        alarm: the alarm.
        queried_at: the instant of the evaluation.
        judged: all real datapoints that were judged, newest first.
        samples: the number of samples of each datapoint; empty for metric math.
        newest: the start of the newest period, for a range without any datapoint.
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
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [
            {"timestamp": stamp(at)}
            | ({"sampleCount": samples[at]} if at in samples else {})
            | {"value": value}
            for at, value in judged
        ],
    }
    return json.dumps(found, separators=(",", ":"))


def of_child(arn: str, state: StateRecord) -> tuple[str, str]:
    """Return reason and reason data of a composite alarm: the child that changed last."""
    since = state.transitioned_at
    trigger = {"arn": arn, "state": {"value": state.value, "timestamp": stamp(since)}}
    return (
        f"{arn} transitioned to {state.value} at {since:%A %d %B, %Y %H:%M:%S} UTC",
        json.dumps({"triggeringAlarms": [trigger]}, separators=(",", ":")),
    )
