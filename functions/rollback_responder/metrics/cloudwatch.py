"""CloudWatch, read through `DescribeAlarms` and `GetMetricData`.

Facts relied on (CloudWatch API reference, as in the SDK's service model): DescribeAlarms takes up
to 100 names and returns only metric alarms unless AlarmTypes says otherwise;
`StateUpdatedTimestamp` also moves with `EvaluationState`, so the onset is
`StateTransitionedTimestamp`; GetMetricData answers with a StatusCode for each query, and only
`Complete` is an answer; ListAlarmMuteRules takes an alarm's name and statuses, and names each rule
by an ARN that ends in its name; GetAlarmMuteRule takes that name and tells which alarms it is for.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain import metric
from rollback_responder.domain.alarm_query import band_of
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import Level, Question, Series, Share
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.pages import pages

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import (
        CompositeAlarmTypeDef,
        MetricAlarmTypeDef,
        MetricDataQueryTypeDef,
    )

NAMES_A_CALL = 100
BAND = "band"
KEYS = (metric.REQUESTS, metric.ERRORS, metric.VALUE, metric.THROTTLES, BAND)

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
                asking = partial(
                    self._client.describe_alarms,
                    AlarmNames=wanted[first : first + NAMES_A_CALL],
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                )
                for page in pages(asking):
                    for metric_alarm in page["MetricAlarms"]:
                        found[metric_alarm["AlarmName"]] = _metric_alarm(metric_alarm)
                    for composite in page["CompositeAlarms"]:
                        found[composite["AlarmName"]] = _composite_alarm(composite)
        except AwsError as error:
            raise MeasurementError(f"DescribeAlarms: {name_of(error)}") from error
        return found

    def muted_by(self, alarm_name: str) -> str | None:
        """See `Metrics.muted_by`. One ListAlarmMuteRules call."""
        arns = self._mute_rules(AlarmName=alarm_name)
        return _rule_name(arns[0]) if arns else None

    def muted(self, names: Collection[str]) -> Mapping[str, str]:
        """See `Metrics.muted`. ListAlarmMuteRules, then a call for each active rule or each alarm.

        Whichever are fewer: the rules are everybody's in the account and region.
        """
        rules = self._mute_rules()
        if len(rules) > len(names):
            return {name: rule for name in names if (rule := self.muted_by(name))}
        found: dict[str, str] = {}
        try:
            for rule in map(_rule_name, rules):
                told = self._client.get_alarm_mute_rule(AlarmMuteRuleName=rule)
                muted = told.get("MuteTargets", {}).get("AlarmNames", [])
                found |= {name: rule for name in muted if name in names}
        except AwsError as error:
            raise MeasurementError(f"GetAlarmMuteRule: {name_of(error)}") from error
        return found

    def _mute_rules(self, **of: Any) -> list[str]:
        try:
            asking = partial(self._client.list_alarm_mute_rules, Statuses=["ACTIVE"], **of)
            return [
                rule["AlarmMuteRuleArn"]
                for page in pages(asking)
                for rule in page.get("AlarmMuteRuleSummaries", [])
            ]
        except AwsError as error:
            raise MeasurementError(f"ListAlarmMuteRules: {name_of(error)}") from error

    def read(
        self, questions: Mapping[str, Question], *, since_at: datetime, now: datetime
    ) -> Mapping[str, tuple[Bucket, ...]]:
        """See `Metrics.read`. One GetMetricData call."""
        if not questions:
            return {}
        queries = [query for name, asked in questions.items() for query in _queries(name, asked)]
        points = self._read(queries, since_at, now)
        return {
            name: tuple(buckets(asked, {key: points.get(f"{name}_{key}", {}) for key in KEYS}))
            for name, asked in questions.items()
        }

    def _read(
        self, queries: "list[MetricDataQueryTypeDef]", since_at: datetime, now: datetime
    ) -> Mapping[str, Points]:
        points: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
        # PartialData on one page of a series is mended by Complete on a later one; nothing else is.
        # A band is two series of one id, told apart by their labels.
        unfinished = dict.fromkeys(points, "NoAnswer")
        unmended: set[tuple[str, str]] = set()
        try:
            asking = partial(
                self._client.get_metric_data,
                MetricDataQueries=queries,
                StartTime=since_at.replace(second=0, microsecond=0),
                EndTime=now,
                ScanBy="TimestampAscending",
            )
            for page in pages(asking):
                for result in page["MetricDataResults"]:
                    status, key = result["StatusCode"], (result["Id"], result.get("Label", ""))
                    unfinished.pop(result["Id"], None)
                    if status == "Complete":
                        unmended.discard(key)
                    elif status == "PartialData":
                        unmended.add(key)
                    else:
                        raise MeasurementError(f"GetMetricData: {status}")
                    known = points[result["Id"]]
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                        # Of a band's two edges the upper one.
                        known[at] = max(value, known.get(at, value))
        except AwsError as error:
            raise MeasurementError(f"GetMetricData: {name_of(error)}") from error
        unfinished |= {query_id: "PartialData" for query_id, _ in unmended}
        if unfinished:
            (query_id, problem), *_ = unfinished.items()
            raise MeasurementError(f"GetMetricData: {problem} for {query_id}")
        return points


def _rule_name(arn: str) -> str:
    return arn.partition(":alarm-mute-rule:")[2]


def _queries(name: str, question: Question) -> "Iterator[MetricDataQueryTypeDef]":
    """Each series, and the band about the value where the question is about that."""
    for one in question.series:
        yield metric_query(f"{name}_{one.id}", one)
    if isinstance(question, Level) and question.band_width is not None:
        yield band_query(f"{name}_{BAND}", f"{name}_{question.value.id}", question.band_width)


def metric_query(query_id: str, series: Series) -> "MetricDataQueryTypeDef":
    """A series as GetMetricData takes it."""
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": series.namespace,
                "MetricName": series.metric_name,
                "Dimensions": [{"Name": key, "Value": v} for key, v in series.dimensions],
            },
            "Period": metric.PERIOD_SECONDS,
            "Stat": series.statistic,
        },
    }


def band_query(query_id: str, about: str, width: float) -> "MetricDataQueryTypeDef":
    """The band about the series of that id."""
    return {"Id": query_id, "Expression": band_of(about, width)}


def buckets(question: Question, points: Mapping[str, Points]) -> Iterator[Bucket]:
    """Minutes with requests, oldest first. Absent counts are 0 where there are requests."""
    match question:
        case Share():
            bad = points[question.bad.id]
            for start_at in sorted({at for one in question.whole for at in points[one.id]}):
                whole = int(sum(points[one.id].get(start_at, 0) for one in question.whole))
                if whole > 0:
                    # Two metrics of anybody's need not agree; no more can be bad than there were.
                    errors = min(int(bad.get(start_at, 0)), whole)
                    yield Bucket(start_at=start_at, requests=whole, errors=errors)
        case Level(samples=None):
            for start_at, value in sorted(points[question.value.id].items()):
                limit = points[BAND].get(start_at)
                yield Bucket(start_at=start_at, requests=1, value=value, limit=limit)
        case Level():
            values = points[question.value.id]
            for start_at, requests in sorted(points[metric.REQUESTS].items()):
                if requests > 0:
                    yield Bucket(
                        start_at=start_at, requests=int(requests), value=values.get(start_at)
                    )
        case _:
            assert_never(question)


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
