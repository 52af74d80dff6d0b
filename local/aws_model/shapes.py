"""Between the model's values and the structures of the CloudWatch API."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from local.aws_model.alarm import Actions, CompositeAlarm, HistoryItem, MetricAlarm
from local.aws_model.alarm_book import AlarmRow
from local.aws_model.errors import validation_error
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.mute_rules import MuteRow, MuteRule
from local.aws_model.queries import MetricStat, Query

Members: TypeAlias = dict[str, Any]


def metric(found: Metric) -> Members:
    """Return the structure ``Metric``."""
    return {
        "Namespace": found.namespace,
        "MetricName": found.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in found.dimensions],
    }


def query(entry: Mapping[str, Any]) -> Query:
    """Return the query that a structure ``MetricDataQuery`` asks for.

    Raises:
        ModelError: ValidationError, also for members that are not served.
    """
    if "AccountId" in entry:
        raise validation_error("The local model does not serve the member AccountId.")
    stat = None
    if "MetricStat" in entry:
        given = entry["MetricStat"]
        asked = given["Metric"]
        dimensions = {d["Name"]: d["Value"] for d in asked.get("Dimensions", [])}
        if "Namespace" not in asked or "MetricName" not in asked:
            raise validation_error("The parameters Namespace and MetricName must be given.")
        stat = MetricStat(
            metric=Metric.of(asked["Namespace"], asked["MetricName"], dimensions),
            period=timedelta(seconds=given["Period"]),
            statistic=Statistic.parse(given["Stat"]),
            unit=given.get("Unit"),
        )
    return Query(
        id=entry["Id"],
        stat=stat,
        expression=entry.get("Expression"),
        label=entry.get("Label"),
        return_data=entry.get("ReturnData", True),
    )


def query_members(found: Query) -> Members:
    """Return the structure ``MetricDataQuery``."""
    stat: Members | None = None
    if found.stat is not None:
        stat = {
            "Metric": metric(found.stat.metric),
            "Period": _seconds(found.stat.period),
            "Stat": found.stat.statistic.name,
            "Unit": found.stat.unit,
        }
    return {
        "Id": found.id,
        "MetricStat": stat,
        "Expression": found.expression,
        "Label": found.label,
        "ReturnData": found.return_data,
    }


def metric_alarm(row: AlarmRow) -> Members:
    """Return the structure ``MetricAlarm``."""
    alarm = row.alarm
    assert isinstance(alarm, MetricAlarm)
    treat = alarm.treat_missing_data
    members = _shared(row, alarm.actions) | {
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "Threshold": alarm.threshold,
        "ThresholdMetricId": alarm.threshold_metric_id,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": None if treat is None else treat.value,
        "EvaluateLowSampleCountPercentile": alarm.low_sample,
    }
    if alarm.stat is None:
        return members | {
            "Dimensions": [],
            "Metrics": [query_members(found) for found in alarm.metrics],
        }
    statistic = alarm.stat.statistic
    kind = "Statistic" if statistic.percentile is None else "ExtendedStatistic"
    return (
        members
        | metric(alarm.stat.metric)
        | {"Period": _seconds(alarm.period), kind: statistic.name, "Unit": alarm.stat.unit}
    )


def composite_alarm(row: AlarmRow) -> Members:
    """Return the structure ``CompositeAlarm``."""
    alarm = row.alarm
    assert isinstance(alarm, CompositeAlarm)
    members = _shared(row, alarm.actions) | {
        "AlarmRule": alarm.rule,
        "ActionsSuppressedBy": row.state.suppressed_by,
        "ActionsSuppressedReason": row.state.suppressed_reason,
    }
    if alarm.suppressor is None:
        return members
    return members | {
        "ActionsSuppressor": alarm.suppressor.alarm,
        "ActionsSuppressorWaitPeriod": _seconds(alarm.suppressor.wait),
        "ActionsSuppressorExtensionPeriod": _seconds(alarm.suppressor.extension),
    }


def mute_rule(request: Mapping[str, Any]) -> MuteRule:
    """Return the rule that a request ``PutAlarmMuteRule`` asks for.

    Raises:
        ModelError: ValidationError, also for a rule without targets, whose meaning is not
            documented.
    """
    if "MuteTargets" not in request:
        raise validation_error("The local model serves mute rules with MuteTargets only.")
    schedule = request["Rule"]["Schedule"]
    return MuteRule(
        name=request["Name"],
        description=request.get("Description"),
        expression=schedule["Expression"],
        duration=schedule["Duration"],
        timezone=schedule.get("Timezone"),
        alarm_names=tuple(request["MuteTargets"]["AlarmNames"]),
        start_date=request.get("StartDate"),
        expire_date=request.get("ExpireDate"),
    )


def mute_rule_members(row: MuteRow, at: datetime) -> Members:
    """Return the answer of ``GetAlarmMuteRule``."""
    rule = row.rule
    schedule = {
        "Expression": rule.expression,
        "Duration": rule.duration,
        "Timezone": rule.timezone,
    }
    return mute_rule_summary(row, at) | {
        "Name": rule.name,
        "Description": rule.description,
        "Rule": {"Schedule": schedule},
        "MuteTargets": {"AlarmNames": list(rule.alarm_names)},
        "StartDate": rule.start_date,
    }


def mute_rule_summary(row: MuteRow, at: datetime) -> Members:
    """Return the structure ``AlarmMuteRuleSummary``."""
    return {
        "AlarmMuteRuleArn": row.arn,
        "ExpireDate": row.rule.expire_date,
        "Status": row.rule.status(at).value,
        "MuteType": "ONE_TIME",
        "LastUpdatedTimestamp": row.updated_at,
    }


def history_item(item: HistoryItem) -> Members:
    """Return the structure ``AlarmHistoryItem``."""
    return {
        "AlarmName": item.alarm_name,
        "AlarmType": item.alarm_type,
        "Timestamp": item.at,
        "HistoryItemType": item.kind,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def _shared(row: AlarmRow, actions: Actions) -> Members:
    return {
        "AlarmName": row.alarm.name,
        "AlarmArn": row.arn,
        "AlarmDescription": row.alarm.description,
        "AlarmConfigurationUpdatedTimestamp": row.configured_at,
        "ActionsEnabled": actions.enabled,
        "OKActions": list(actions.ok),
        "AlarmActions": list(actions.alarm),
        "InsufficientDataActions": list(actions.insufficient_data),
        "StateValue": row.state.value.value,
        "StateReason": row.state.reason,
        "StateReasonData": row.state.reason_data,
        "StateUpdatedTimestamp": row.state.updated_at,
        "StateTransitionedTimestamp": row.state.transitioned_at,
    }


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)
