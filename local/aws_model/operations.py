"""The operations of CloudWatch that the model serves, as functions from request to answer.

Requests arrive checked against the service model (``wire``); what is refused here is what only the
service itself can know. Members that the model does not serve are refused, never ignored.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar

from local.aws_model import queries, shapes, wire
from local.aws_model.alarm import MetricAlarm
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.errors import (
    invalid_next_token,
    invalid_parameter_value,
    resource_not_found_exception,
    validation_error,
)
from local.aws_model.evaluation import State
from local.aws_model.metric_math import Band, Series
from local.aws_model.metrics import Metric, floor_minute
from local.aws_model.mute_rules import MuteStatus
from local.aws_model.queries import Query, Window

# How long datapoints of one minute are kept.
MINUTES_KEPT = timedelta(days=15)

Members: TypeAlias = dict[str, Any]
Operation: TypeAlias = Callable[[CloudWatch, Members], Members]
Item = TypeVar("Item")

_PAGE = 100
_MUTE_RULES_PAGE = 50
_METRICS_PAGE = 500
_MAX_DATUM_VALUES = 150


def call(model: CloudWatch, name: str, body: Members) -> Members:
    """Serve one request.

    Args:
        model: the model of CloudWatch.
        name: the operation, for instance ``DescribeAlarms``.
        body: the JSON body.

    Returns:
        The JSON body of the answer.

    Raises:
        ModelError: the modelled error to answer with.
    """
    serve = _OPERATIONS.get(name)
    if serve is None:
        raise wire.unknown_operation(name)
    return wire.render_output(name, serve(model, wire.parse_input(name, body)))


def _only(request: Members, served: set[str]) -> None:
    unserved = sorted(set(request) - served)
    if unserved:
        raise validation_error(f"The local model does not serve the member {unserved[0]}.")


def _page(items: Sequence[Item], request: Members, size: int) -> tuple[list[Item], str | None]:
    token = request.get("NextToken")
    start = 0
    if token is not None:
        try:
            start = int(base64.b64decode(token, validate=True).decode())
        except (binascii.Error, ValueError) as error:
            raise invalid_next_token() from error
    end = start + request.get("MaxRecords", size)
    more = base64.b64encode(str(end).encode()).decode() if end < len(items) else None
    return list(items[start:end]), more


def _describe_alarms(model: CloudWatch, request: Members) -> Members:
    _only(
        request,
        {"AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "MaxRecords", "NextToken"},
    )
    if "AlarmNames" in request and "AlarmNamePrefix" in request:
        raise validation_error("AlarmNamePrefix and AlarmNames must not both be specified.")
    # "If you omit this parameter, only metric alarms are returned" (SDK model, AlarmTypes).
    types = request.get("AlarmTypes", ["MetricAlarm"])
    found = [
        row
        for row in model.alarms()
        if type(row.alarm).__name__ in types
        and row.alarm.name in request.get("AlarmNames", [row.alarm.name])
        and row.alarm.name.startswith(request.get("AlarmNamePrefix", ""))
        and row.state.value == request.get("StateValue", row.state.value)
    ]
    rows, token = _page(found, request, _PAGE)
    return {
        "MetricAlarms": [shapes.metric_alarm(r) for r in rows if isinstance(r.alarm, MetricAlarm)],
        "CompositeAlarms": [
            shapes.composite_alarm(r) for r in rows if not isinstance(r.alarm, MetricAlarm)
        ],
        "NextToken": token,
    }


def _describe_alarm_history(model: CloudWatch, request: Members) -> Members:
    _only(
        request,
        {
            "AlarmName",
            "AlarmTypes",
            "HistoryItemType",
            "StartDate",
            "EndDate",
            "MaxRecords",
            "NextToken",
            "ScanBy",
        },
    )
    types = request.get("AlarmTypes", ["MetricAlarm"])
    found = [
        item
        for item in model.history()
        if item.alarm_type in types
        and item.alarm_name == request.get("AlarmName", item.alarm_name)
        and item.kind == request.get("HistoryItemType", item.kind)
        and request.get("StartDate", item.at) <= item.at <= request.get("EndDate", item.at)
    ]
    if request.get("ScanBy") != "TimestampAscending":
        found.reverse()
    items, token = _page(found, request, _PAGE)
    return {"AlarmHistoryItems": [shapes.history_item(item) for item in items], "NextToken": token}


def _get_metric_data(model: CloudWatch, request: Members) -> Members:
    _only(request, {"MetricDataQueries", "StartTime", "EndTime", "ScanBy"})
    start, end = floor_minute(request["StartTime"]), request["EndTime"]
    if not start < end:
        raise validation_error("The parameter StartTime must be less than the parameter EndTime.")
    asked = [shapes.query(entry) for entry in request["MetricDataQueries"]]
    queries.check(asked)
    with model.lock:
        windows = _windows(model, request, asked)
        answers = queries.read(model.metrics, asked, windows)
    descending = request.get("ScanBy") != "TimestampAscending"
    results = []
    for query in asked:
        if query.return_data:
            for label, series in _labelled(query, answers[query.id]):
                kept = {} if _is_too_fine(windows[query.id], start) else series
                points = sorted(kept.items(), reverse=descending)
                results.append(
                    {
                        "Id": query.id,
                        "Label": label,
                        "Timestamps": [stamp for stamp, _ in points],
                        "Values": [value for _, value in points],
                        "StatusCode": "Complete",
                    }
                )
    return {"MetricDataResults": results, "Messages": []}


def _is_too_fine(window: Window, start: datetime) -> bool:
    """Whether nothing is returned because the range begins where only longer periods are kept.

    "Start time between 15 and 63 days ago - Use a multiple of 300 seconds (5 minutes)", "or no data
    points in that time range is returned" (SDK model, MetricStat, Period).
    """
    is_old = window.seen_at - start > MINUTES_KEPT
    return is_old and window.period % timedelta(minutes=5) > timedelta(0)


def _labelled(query: Query, answer: Series | Band) -> list[tuple[str, Series]]:
    """Return the series of one query with their labels.

    A band "consists of two time series, one representing the upper limit [...] and the other
    representing the lower limit" (CloudWatch guide, "Using math expressions with CloudWatch
    metrics"). Their labels and their order are not documented, and assumed here.
    """
    label = query.text()
    if isinstance(answer, Band):
        return [(f"{label} High", answer.upper), (f"{label} Low", answer.lower)]
    return [(label, answer)]


def _windows(model: CloudWatch, request: Members, asked: Sequence[Query]) -> dict[str, Window]:
    """Return the range of each query: whole minutes from StartTime, EndTime exclusive.

    "The value specified is exclusive; results include data points up to the specified time stamp"
    (SDK model, EndTime). An expression runs over the period that its metrics share.
    """
    periods = {query.stat.period for query in asked if query.stat is not None}
    if len(periods) > 1 and any(query.expression is not None for query in asked):
        raise validation_error("The model serves expressions over metrics of one period only.")
    shared = next(iter(periods), timedelta(minutes=1))
    start, seen_at = floor_minute(request["StartTime"]), model.clock()
    windows = {}
    for query in asked:
        period = shared if query.stat is None else query.stat.period
        count = -(-(request["EndTime"] - start) // period)
        windows[query.id] = Window.of(start=start, period=period, count=count, seen_at=seen_at)
    return windows


def _put_metric_data(model: CloudWatch, request: Members) -> Members:
    _only(request, {"Namespace", "MetricData", "StrictEntityValidation"})
    namespace = request["Namespace"]
    if namespace.startswith("AWS/"):
        raise invalid_parameter_value(
            "The value AWS/ for parameter Namespace is invalid: it is reserved for AWS services."
        )
    data = request.get("MetricData", [])
    for datum in data:
        _only(
            datum,
            {
                "MetricName",
                "Dimensions",
                "Timestamp",
                "Value",
                "Values",
                "Counts",
                "Unit",
                "StorageResolution",
            },
        )
    with model.lock:
        for datum in data:
            _record(model, namespace, datum)
    return {}


def _record(model: CloudWatch, namespace: str, datum: Mapping[str, Any]) -> None:
    values = datum.get("Values", [])
    if ("Value" in datum) == bool(values):
        raise invalid_parameter_value("Give exactly one of Value and Values.")
    values = values or [datum["Value"]]
    counts = datum.get("Counts", [1] * len(values))
    if len(counts) != len(values) or len(values) > _MAX_DATUM_VALUES:
        raise invalid_parameter_value("Values and Counts must have the same length, at most 150.")
    dimensions = {entry["Name"]: entry["Value"] for entry in datum.get("Dimensions", [])}
    for value, count in zip(values, counts, strict=True):
        model.metrics.record(
            Metric.of(namespace, datum["MetricName"], dimensions),
            timestamp=datum.get("Timestamp", model.clock()),
            value=value,
            count=count,
            unit=datum.get("Unit", "None"),
        )


def _set_alarm_state(model: CloudWatch, request: Members) -> Members:
    model.set_alarm_state(
        request["AlarmName"],
        State(request["StateValue"]),
        request["StateReason"],
        request.get("StateReasonData"),
    )
    return {}


def _list_metrics(model: CloudWatch, request: Members) -> Members:
    _only(request, {"Namespace", "MetricName", "Dimensions", "NextToken"})
    filters = request.get("Dimensions", [])
    with model.lock:
        found = [
            metric
            for metric in model.metrics.metrics()
            if metric.namespace == request.get("Namespace", metric.namespace)
            and metric.name == request.get("MetricName", metric.name)
            and all(
                dict(metric.dimensions).get(entry["Name"])
                in ({entry["Value"]} if "Value" in entry else dict(metric.dimensions).values())
                for entry in filters
            )
        ]
    metrics, token = _page(found, request, _METRICS_PAGE)
    return {"Metrics": [shapes.metric(metric) for metric in metrics], "NextToken": token}


def _put_alarm_mute_rule(model: CloudWatch, request: Members) -> Members:
    _only(request, {"Name", "Description", "Rule", "MuteTargets", "StartDate", "ExpireDate"})
    model.put_mute_rule(shapes.mute_rule(request))
    return {}


def _get_alarm_mute_rule(model: CloudWatch, request: Members) -> Members:
    return shapes.mute_rule_members(model.mute_rule(request["AlarmMuteRuleName"]), model.clock())


def _list_alarm_mute_rules(model: CloudWatch, request: Members) -> Members:
    # The SDK model lists ResourceNotFoundException, and not for what: the alarm that is named.
    name = request.get("AlarmName")
    if name is not None and name not in {row.alarm.name for row in model.alarms()}:
        raise resource_not_found_exception(f"The alarm {name} does not exist.")
    now = model.clock()
    found = [
        row
        for row in model.mute_rules()
        if (name is None or name in row.rule.alarm_names)
        and row.rule.status(now) in request.get("Statuses", list(MuteStatus))
    ]
    rows, token = _page(found, request, _MUTE_RULES_PAGE)
    return {
        "AlarmMuteRuleSummaries": [shapes.mute_rule_summary(row, now) for row in rows],
        "NextToken": token,
    }


def _delete_alarm_mute_rule(model: CloudWatch, request: Members) -> Members:
    model.delete_mute_rule(request["AlarmMuteRuleName"])
    return {}


_OPERATIONS: Mapping[str, Operation] = {
    "DeleteAlarmMuteRule": _delete_alarm_mute_rule,
    "DescribeAlarmHistory": _describe_alarm_history,
    "DescribeAlarms": _describe_alarms,
    "GetAlarmMuteRule": _get_alarm_mute_rule,
    "GetMetricData": _get_metric_data,
    "ListAlarmMuteRules": _list_alarm_mute_rules,
    "ListMetrics": _list_metrics,
    "PutAlarmMuteRule": _put_alarm_mute_rule,
    "PutMetricData": _put_metric_data,
    "SetAlarmState": _set_alarm_state,
}
