"""CloudWatch, read through `DescribeAlarms` and `GetMetricData`.

Facts relied on (CloudWatch API reference, as in the SDK's service model): DescribeAlarms takes up
to 100 names and returns only metric alarms unless AlarmTypes says otherwise;
`StateUpdatedTimestamp` also moves with `EvaluationState`, so the onset is
`StateTransitionedTimestamp`; GetMetricData answers with a StatusCode for each query, and only
`Complete` is an answer.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain import metric
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.measurement import Bucket, Measurement
from rollback_responder.domain.metric import Series
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import ErrorRate, MeasuredTrigger

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import (
        CompositeAlarmTypeDef,
        MetricAlarmTypeDef,
        MetricDataQueryTypeDef,
    )

NAMES_A_CALL = 100
TOTAL, NEW, PREVIOUS = "total", "new", "previous"

Points = Mapping[datetime, float]


class CloudWatchMetrics:
    """Alarms and minutes of one region."""

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client

    def read_alarms(self, names: Collection[str]) -> Mapping[str, AlarmReading]:
        """See `Metrics.read_alarms`. One call for each hundred names."""
        wanted = sorted(names)
        found: dict[str, AlarmReading] = {}
        try:
            for first in range(0, len(wanted), NAMES_A_CALL):
                pages = self._client.get_paginator("describe_alarms").paginate(
                    AlarmNames=wanted[first : first + NAMES_A_CALL],
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                )
                for page in pages:
                    for metric_alarm in page["MetricAlarms"]:
                        found[metric_alarm["AlarmName"]] = _metric_alarm(metric_alarm)
                    for composite in page["CompositeAlarms"]:
                        found[composite["AlarmName"]] = _composite_alarm(composite)
        except AwsError as error:
            raise MeasurementError(f"DescribeAlarms: {name_of(error)}") from error
        return found

    def measure(
        self,
        trigger: MeasuredTrigger,
        target: Pointer,
        *,
        new: str | None,
        previous: str | None,
        since_at: datetime,
        now: datetime,
    ) -> Measurement:
        """See `Metrics.measure`. One GetMetricData call: two series for each subject."""
        subjects = {TOTAL: None, NEW: new, PREVIOUS: previous}
        series = {
            subject: metric.series_of(trigger, target, version=version)
            for subject, version in subjects.items()
            if subject == TOTAL or version is not None
        }
        points = self._read(_queries(series), since_at, now)
        buckets = {
            subject: tuple(_buckets({one.id: points[_id(subject, one)] for one in ones}))
            for subject, ones in series.items()
        }
        return Measurement(
            since_at=since_at,
            read_at=now,
            total=buckets[TOTAL],
            new=buckets.get(NEW, ()),
            previous=buckets.get(PREVIOUS, ()),
        )

    def count_requests(self, target: Pointer, *, since_at: datetime, now: datetime) -> int:
        """See `Metrics.count_requests`. One GetMetricData call with one series."""
        # Requests are the same series whatever is asked of them.
        (requests, _) = metric.series_of(ErrorRate(threshold_percent=50), target)
        points = self._read(_queries({TOTAL: (requests,)}), since_at, now)
        return int(sum(points[_id(TOTAL, requests)].values()))

    def _read(
        self, queries: "list[MetricDataQueryTypeDef]", since_at: datetime, now: datetime
    ) -> Mapping[str, Points]:
        points: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
        # PartialData on one page of a series is mended by Complete on a later one; nothing else is.
        unfinished = dict.fromkeys(points, "NoAnswer")
        try:
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=since_at.replace(second=0, microsecond=0),
                EndTime=now,
                ScanBy="TimestampAscending",
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    status = result["StatusCode"]
                    if status == "Complete":
                        unfinished.pop(result["Id"], None)
                    elif status == "PartialData":
                        unfinished[result["Id"]] = status
                    else:
                        raise MeasurementError(f"GetMetricData: {status}")
                    points[result["Id"]].update(
                        zip(result["Timestamps"], result["Values"], strict=True)
                    )
        except AwsError as error:
            raise MeasurementError(f"GetMetricData: {name_of(error)}") from error
        if unfinished:
            (series, problem), *_ = unfinished.items()
            raise MeasurementError(f"GetMetricData: {problem} for {series}")
        return points


def _queries(series: Mapping[str, Iterable[Series]]) -> "list[MetricDataQueryTypeDef]":
    return [
        {
            "Id": _id(subject, one),
            "MetricStat": {
                "Metric": {
                    "Namespace": one.namespace,
                    "MetricName": one.metric_name,
                    "Dimensions": [
                        {"Name": name, "Value": value} for name, value in one.dimensions
                    ],
                },
                "Period": metric.PERIOD_SECONDS,
                "Stat": one.statistic,
            },
        }
        for subject, ones in series.items()
        for one in ones
    ]


def _id(subject: str, series: Series) -> str:
    return f"{subject}_{series.id}"


def _buckets(points: Mapping[str, Points]) -> Iterator[Bucket]:
    """Minutes with requests, oldest first. Absent errors count as 0 where there are requests."""
    errors, latency = points.get(metric.ERRORS, {}), points.get(metric.LATENCY, {})
    for start_at, requests in sorted(points[metric.REQUESTS].items()):
        if requests > 0:
            yield Bucket(
                start_at=start_at,
                requests=int(requests),
                errors=int(errors.get(start_at, 0)),
                latency_ms=latency.get(start_at),
            )


def _metric_alarm(alarm: "MetricAlarmTypeDef") -> AlarmReading:
    return AlarmReading(
        state=_state(alarm["StateValue"]),
        transitioned_at=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        actions_enabled=alarm["ActionsEnabled"],
        unsound=alarm.get("EvaluationState"),
    )


def _composite_alarm(alarm: "CompositeAlarmTypeDef") -> AlarmReading:
    return AlarmReading(
        state=_state(alarm["StateValue"]),
        transitioned_at=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        actions_enabled=alarm["ActionsEnabled"],
        suppressed_by=alarm.get("ActionsSuppressedBy"),
    )


def _state(word: str) -> AlarmState:
    try:
        return AlarmState(word)
    except ValueError:
        raise MeasurementError(f"DescribeAlarms: state {word!r} is not known") from None
