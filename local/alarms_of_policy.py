"""A policy's alarms as the model takes them, without a synthesis.

`tests/contracts/test_alarms.py` holds them equal to those of the synthesised template.
"""

from datetime import timedelta
from typing import Any

from local.aws_model.alarm import Alarm, MetricAlarm
from local.aws_model.evaluation import TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat, Query
from rollback_responder.domain.alarm_query import alarm_query, band_of
from rollback_responder.domain.metric import Series, question_of
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.trigger import AdoptedAlarm


def model_alarms(policy: Policy) -> list[Alarm]:
    """The alarms that the policy makes; those that it adopts are somebody else's."""
    return [
        model_alarm(entry.alarm_name, entry.trigger, entry.pointer)
        for entry in policy.watched()
        if not isinstance(entry.trigger, AdoptedAlarm)
    ]


def model_alarm(name: str, trigger: Any, target: Any) -> MetricAlarm:
    """The alarm of one trigger on one target."""
    query = alarm_query(question_of(trigger, target))
    period = timedelta(seconds=query.period_seconds)
    stats = [_stat(series, period) for series in query.series]
    metrics: tuple[Query, ...] = ()
    if query.expression:
        metrics = (
            *(Query(id=s.id, stat=_stat(s, period), return_data=False) for s in query.series),
            Query(id="result", expression=query.expression),
        )
    elif query.band_width is not None:
        metrics = (
            Query(id="m0", stat=stats[0]),
            Query(id="band", expression=band_of("m0", query.band_width)),
        )
    banded = query.band_width is not None
    return MetricAlarm(
        name=name,
        stat=None if metrics else stats[0],
        metrics=metrics,
        evaluation_periods=query.evaluation_periods,
        datapoints_to_alarm=query.datapoints_to_alarm,
        threshold=query.threshold,
        threshold_metric_id="band" if banded else None,
        comparison="GreaterThanUpperThreshold" if banded else "GreaterThanThreshold",
        treat_missing_data=TreatMissingData.NOT_BREACHING,
        low_sample="ignore" if query.ignores_low_samples else None,
    )


def _stat(series: Series, period: timedelta) -> MetricStat:
    return MetricStat(
        metric=Metric.of(series.namespace, series.metric_name, dict(series.dimensions)),
        period=period,
        statistic=Statistic.parse(series.statistic),
    )
