"""Alarm definitions out of synthesised CloudFormation templates.

The emulator's CloudFormation refuses metric-math and composite alarms, so the alarm stacks of the
same ``cdk synth`` are read into the model instead of being deployed. What cannot be resolved is an
error that names the logical id and the property: a guess here would be an alarm that nobody made.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from local.aws_model.alarm import Actions, Alarm, CompositeAlarm, MetricAlarm, Suppressor
from local.aws_model.alarm_book import Account
from local.aws_model.errors import ModelError
from local.aws_model.evaluation import TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat, Query

Properties: TypeAlias = dict[str, Any]

_METRIC_ALARM = "AWS::CloudWatch::Alarm"
_COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"
_SUB = re.compile(r"\$\{(!?[^}]+)\}")


class TemplateError(ValueError):
    """A template holds an alarm that cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolver:
    """Resolves intrinsic functions to what they are in one account."""

    account: Account
    alarm_names: Mapping[str, str]
    exports: Mapping[str, str]
    where: str

    def fail(self, why: str) -> TemplateError:
        return TemplateError(f"{self.where}: {why}")

    def at(self, name: str) -> "_Resolver":
        return _Resolver(
            account=self.account,
            alarm_names=self.alarm_names,
            exports=self.exports,
            where=f"{self.where}.{name}",
        )

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.at(str(i)).resolve(item) for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, argument)
        return {key: self.at(key).resolve(item) for key, item in value.items()}

    def _intrinsic(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str():
                return self._ref(argument)
            case "Fn::GetAtt", [str() as logical_id, "Arn"] if logical_id in self.alarm_names:
                return self.account.alarm_arn(self.alarm_names[logical_id])
            case "Fn::Join", [str() as separator, list() as parts]:
                return separator.join(str(part) for part in self.resolve(parts))
            case "Fn::Sub", str():
                return self._sub(argument, {})
            case "Fn::Sub", [str() as text, dict() as variables]:
                return self._sub(text, self.resolve(variables))
            case "Fn::ImportValue", str() if argument in self.exports:
                return self.exports[argument]
        raise self.fail(f"cannot resolve {name} of {argument!r}")

    def _ref(self, name: str) -> str:
        pseudo = {
            "AWS::Region": self.account.region,
            "AWS::AccountId": self.account.id,
            "AWS::Partition": self.account.partition,
            "AWS::URLSuffix": "amazonaws.com",
        }
        # Ref of an alarm is its name (CloudFormation reference, AWS::CloudWatch::Alarm).
        known = {**self.alarm_names, **pseudo}
        if name not in known:
            raise self.fail(f"cannot resolve Ref of {name!r}")
        return known[name]

    def _sub(self, text: str, variables: Mapping[str, Any]) -> str:
        def put(found: "re.Match[str]") -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(variables[name])
            if name.endswith(".Arn") and name.removesuffix(".Arn") in self.alarm_names:
                return self.account.alarm_arn(self.alarm_names[name.removesuffix(".Arn")])
            return self._ref(name)

        return _SUB.sub(put, text)


def read(
    template: Mapping[str, Any],
    *,
    account: Account,
    exports: Mapping[str, str] | None = None,
) -> tuple[Alarm, ...]:
    """Return every metric and composite alarm of a template, in the template's order.

    Args:
        template: a synthesised CloudFormation template.
        account: resolves pseudo parameters and alarm ARNs.
        exports: values of ``Fn::ImportValue``, by export name.

    Raises:
        TemplateError: for what cannot be resolved or is not modelled, by logical id and property.
    """
    resources: Mapping[str, Any] = template.get("Resources", {})
    alarms = {
        logical_id: resource
        for logical_id, resource in resources.items()
        if resource["Type"] in {_METRIC_ALARM, _COMPOSITE_ALARM}
    }
    names = {key: _name(key, alarm["Properties"]) for key, alarm in alarms.items()}
    return tuple(
        _alarm(
            resource,
            _Resolver(account=account, alarm_names=names, exports=exports or {}, where=logical_id),
            names[logical_id],
        )
        for logical_id, resource in alarms.items()
    )


def _name(logical_id: str, properties: Properties) -> str:
    name = properties.get("AlarmName")
    if name is None:
        return logical_id  # CloudFormation makes a name up; the logical id is stable and readable.
    if not isinstance(name, str):
        raise TemplateError(f"{logical_id}.AlarmName: must be a literal, not {name!r}")
    return name


def _alarm(resource: Mapping[str, Any], resolver: _Resolver, name: str) -> Alarm:
    properties = {
        key: resolver.at(key).resolve(value) for key, value in resource["Properties"].items()
    }
    properties.pop("AlarmName", None)
    properties.pop("Tags", None)
    build: Callable[[str, Properties, _Resolver], Alarm] = (
        _metric_alarm if resource["Type"] == _METRIC_ALARM else _composite_alarm
    )
    try:
        alarm = build(name, properties, resolver)
    except (KeyError, ValueError, TypeError, ModelError) as error:
        if isinstance(error, TemplateError):
            raise
        raise resolver.fail(f"{type(error).__name__}: {error}") from error
    if properties:
        raise resolver.fail(f"properties that are not modelled: {', '.join(sorted(properties))}")
    return alarm


def _actions(properties: Properties) -> Actions:
    enabled = properties.pop("ActionsEnabled", True)
    return Actions(
        enabled=str(enabled).lower() == "true",
        ok=tuple(properties.pop("OKActions", ())),
        alarm=tuple(properties.pop("AlarmActions", ())),
        insufficient_data=tuple(properties.pop("InsufficientDataActions", ())),
    )


def _metric_alarm(name: str, properties: Properties, resolver: _Resolver) -> MetricAlarm:
    metrics = tuple(
        _query(entry, resolver.at(f"Metrics.{index}"))
        for index, entry in enumerate(properties.pop("Metrics", ()))
    )
    stat = None
    if not metrics:
        statistic = properties.pop("Statistic", None) or properties.pop("ExtendedStatistic")
        stat = MetricStat(
            metric=_metric(properties),
            period=timedelta(seconds=int(properties.pop("Period"))),
            statistic=Statistic.parse(statistic),
            unit=properties.pop("Unit", None),
        )
    treat = properties.pop("TreatMissingData", None)
    datapoints = properties.pop("DatapointsToAlarm", None)
    threshold = properties.pop("Threshold", None)
    return MetricAlarm(
        name=name,
        description=properties.pop("AlarmDescription", None),
        actions=_actions(properties),
        stat=stat,
        metrics=metrics,
        evaluation_periods=int(properties.pop("EvaluationPeriods")),
        datapoints_to_alarm=None if datapoints is None else int(datapoints),
        threshold=None if threshold is None else float(threshold),
        threshold_metric_id=properties.pop("ThresholdMetricId", None),
        comparison=properties.pop("ComparisonOperator"),
        treat_missing_data=None if treat is None else TreatMissingData(treat),
        low_sample=properties.pop("EvaluateLowSampleCountPercentile", None),
    )


def _metric(properties: Properties) -> Metric:
    dimensions = {entry["Name"]: entry["Value"] for entry in properties.pop("Dimensions", ())}
    return Metric.of(properties.pop("Namespace"), properties.pop("MetricName"), dimensions)


def _query(entry: Properties, resolver: _Resolver) -> Query:
    entry = dict(entry)
    stat = None
    if "MetricStat" in entry:
        given = dict(entry.pop("MetricStat"))
        stat = MetricStat(
            metric=_metric(dict(given.pop("Metric"))),
            period=timedelta(seconds=int(given.pop("Period"))),
            statistic=Statistic.parse(given.pop("Stat")),
            unit=given.pop("Unit", None),
        )
        if given:
            raise resolver.at("MetricStat").fail(f"not modelled: {', '.join(sorted(given))}")
    entry.pop("Period", None)  # of an expression; all metrics of an alarm share one period anyway
    query = Query(
        id=entry.pop("Id"),
        stat=stat,
        expression=entry.pop("Expression", None),
        label=entry.pop("Label", None),
        return_data=str(entry.pop("ReturnData", True)).lower() == "true",
    )
    if entry:
        raise resolver.fail(f"not modelled: {', '.join(sorted(entry))}")
    return query


def _composite_alarm(name: str, properties: Properties, _: _Resolver) -> CompositeAlarm:
    suppressor = None
    if "ActionsSuppressor" in properties:
        suppressor = Suppressor(
            alarm=properties.pop("ActionsSuppressor"),
            wait=timedelta(seconds=int(properties.pop("ActionsSuppressorWaitPeriod"))),
            extension=timedelta(seconds=int(properties.pop("ActionsSuppressorExtensionPeriod"))),
        )
    return CompositeAlarm(
        name=name,
        description=properties.pop("AlarmDescription", None),
        actions=_actions(properties),
        rule=properties.pop("AlarmRule"),
        suppressor=suppressor,
    )
