"""What CloudWatch sends for a transition: EventBridge event, SNS message, direct Lambda payload.

Sources: CloudWatch guide, "Alarm events and EventBridge" and "Notifying users on alarm changes";
aws-lambda-go ``events/testdata/cloudwatch-alarm-sns-payload-*.json``; powertools-lambda-python
``tests/events/cloudWatchAlarmEvent*.json``; public samples of SNS messages of composite alarms
(children as objects).
"""

import functools
import json
import uuid
from typing import Any, TypeAlias

import botocore.loaders

from local.aws_model.alarm import Alarm, CompositeAlarm, MetricAlarm, StateRecord, Transition
from local.aws_model.alarm_book import Account
from local.aws_model.mute_rules import Mute
from local.aws_model.queries import MetricStat, Query
from local.aws_model.reasons import stamp

JsonObject: TypeAlias = dict[str, Any]

_STATISTIC_WORDS = {"SampleCount": "SAMPLE_COUNT"}


def event_bridge_event(transition: Transition, account: Account) -> JsonObject:
    """Return the ``CloudWatch Alarm State Change`` event; sent also while actions are held back."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": account.id,
        "time": f"{transition.current.updated_at:%Y-%m-%dT%H:%M:%SZ}",
        "region": account.region,
        "resources": [transition.arn],
        "detail": _alarm_data(transition) | _mute_detail(transition.muted),
    }


def lambda_payload(transition: Transition, account: Account) -> JsonObject:
    """Return what a function that is configured as an alarm action receives."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": transition.arn,
        "accountId": account.id,
        "time": stamp(transition.current.updated_at),
        "region": account.region,
        "alarmData": _alarm_data(transition),
    }


def sns_message(transition: Transition, account: Account) -> tuple[str, str]:
    """Return subject and message (a JSON text) of the notification."""
    alarm, current = transition.alarm, transition.current
    region = region_name(account.region)
    message: JsonObject = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account.id,
        "AlarmConfigurationUpdatedTimestamp": stamp(transition.configured_at),
        "NewStateValue": current.value,
        "NewStateReason": current.reason,
        "StateChangeTime": stamp(current.updated_at),
        "Region": region,
        "AlarmArn": transition.arn,
        "OldStateValue": transition.previous.value,
        "OKActions": list(alarm.actions.ok),
        "AlarmActions": list(alarm.actions.alarm),
        "InsufficientDataActions": list(alarm.actions.insufficient_data),
    }
    if isinstance(alarm, MetricAlarm):
        message["Trigger"] = _trigger(alarm)
    else:
        message["AlarmRule"] = alarm.rule
        message["TriggeringChildren"] = _children(current)
    subject = f'{current.value}: "{alarm.name}" in {region}'
    return subject[:100], json.dumps(message, separators=(",", ":"))


@functools.cache
def region_name(region: str) -> str:
    """Return the display name that SNS messages carry, such as ``US East (N. Virginia)``.

    European regions keep their older prefix there: ``EU (Ireland)`` (public fixtures).

    Raises:
        KeyError: for a region that botocore does not know.
    """
    partitions = botocore.loaders.Loader().load_data("endpoints")["partitions"]
    names = {code: at["description"] for part in partitions for code, at in part["regions"].items()}
    described: str = names[region]
    return described.replace("Europe (", "EU (", 1)


def _children(state: StateRecord) -> list[JsonObject]:
    found: list[JsonObject] = json.loads(state.reason_data or "{}").get("triggeringAlarms", [])
    return [
        {
            "Arn": child["arn"],
            "State": {"Value": child["state"]["value"], "Timestamp": child["state"]["timestamp"]},
        }
        for child in found
    ]


def _alarm_data(transition: Transition) -> JsonObject:
    return {
        "alarmName": transition.alarm.name,
        "state": _state(transition.current),
        "previousState": _state(transition.previous),
        "configuration": _configuration(transition.alarm, transition.arn),
    }


def _mute_detail(mute: Mute | None) -> JsonObject:
    """Return ``muteDetail``, which an event has while a mute rule is active for the alarm."""
    if mute is None:
        return {}
    return {
        "muteDetail": {
            "mutedByArn": mute.arn,
            "muteWindowStart": stamp(mute.start),
            "muteWindowEnd": stamp(mute.end),
        }
    }


def _state(state: StateRecord) -> JsonObject:
    found: JsonObject = {"value": state.value, "reason": state.reason}
    if state.reason_data is not None:
        found["reasonData"] = state.reason_data
    found["timestamp"] = stamp(state.updated_at)
    if state.suppressed_by is not None:
        found["actionsSuppressedBy"] = state.suppressed_by
        found["actionsSuppressedReason"] = state.suppressed_reason
    return found


def _configuration(alarm: Alarm, arn: str) -> JsonObject:
    found: JsonObject = {}
    if alarm.description is not None:
        found["description"] = alarm.description
    if isinstance(alarm, CompositeAlarm):
        found["alarmRule"] = alarm.rule
        if alarm.suppressor is not None:
            found["actionsSuppressor"] = alarm.suppressor.alarm
            found["actionsSuppressorWaitPeriod"] = int(alarm.suppressor.wait.total_seconds())
            found["actionsSuppressorExtensionPeriod"] = int(
                alarm.suppressor.extension.total_seconds()
            )
        return found
    # A plain metric has no id of its own; CloudWatch makes one up, and keeps it for the alarm.
    queries = alarm.metrics or (Query(id="m", stat=alarm.stat),)
    found["metrics"] = [
        _camel_query(query, query.id if alarm.metrics else str(uuid.uuid5(uuid.NAMESPACE_URL, arn)))
        for query in queries
    ]
    return found


def _camel_query(query: Query, shown_id: str) -> JsonObject:
    found: JsonObject = {"id": shown_id}
    if query.stat is not None:
        metric = query.stat.metric
        found["metricStat"] = {
            "metric": {
                "namespace": metric.namespace,
                "name": metric.name,
                "dimensions": dict(metric.dimensions),
            },
            "period": int(query.stat.period.total_seconds()),
            "stat": query.stat.statistic.name,
        }
    else:
        found["expression"] = query.expression
    if query.label is not None:
        found["label"] = query.label
    found["returnData"] = query.return_data
    return found


def _trigger(alarm: MetricAlarm) -> JsonObject:
    shared: JsonObject = {
        "Period": int(alarm.period.total_seconds()),
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.needed,
        "ComparisonOperator": alarm.comparison,
        **(
            {"Threshold": alarm.threshold}
            if alarm.threshold_metric_id is None
            else {"ThresholdMetricId": alarm.threshold_metric_id}
        ),
        "TreatMissingData": alarm.missing,
        "EvaluateLowSampleCountPercentile": alarm.low_sample or "",
    }
    if alarm.stat is None:
        return shared | {"Metrics": [_pascal_query(query) for query in alarm.metrics]}
    statistic = alarm.stat.statistic
    kind = "Statistic" if statistic.percentile is None else "ExtendedStatistic"
    word = _STATISTIC_WORDS.get(statistic.name, statistic.name.upper())
    return {
        "MetricName": alarm.stat.metric.name,
        "Namespace": alarm.stat.metric.namespace,
        "StatisticType": kind,
        kind: word if kind == "Statistic" else statistic.name,
        "Unit": alarm.stat.unit,
        "Dimensions": _lower_case_dimensions(alarm.stat),
    } | shared


def _pascal_query(query: Query) -> JsonObject:
    found: JsonObject = {"Id": query.id}
    if query.stat is not None:
        found["MetricStat"] = {
            "Metric": {
                "Dimensions": _lower_case_dimensions(query.stat),
                "MetricName": query.stat.metric.name,
                "Namespace": query.stat.metric.namespace,
            },
            "Period": int(query.stat.period.total_seconds()),
            "Stat": query.stat.statistic.name,
        }
    else:
        found["Expression"] = query.expression
    if query.label is not None:
        found["Label"] = query.label
    found["ReturnData"] = query.return_data
    return found


def _lower_case_dimensions(stat: MetricStat) -> list[JsonObject]:
    return [{"value": value, "name": name} for name, value in stat.metric.dimensions]
