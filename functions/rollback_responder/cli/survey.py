"""Reads from the account what `domain/readiness.py` judges. Changes nothing.

Facts relied on (API references, as in the SDK's service models): DescribeStackResources finds the
stack of a physical resource and answers ValidationError where there is none; GetTemplate gives a
JSON template parsed and a YAML one as text; ListMetrics finds what has these dimensions, and
perhaps others beside them, and knows no metric without a datum in the past two weeks.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, assert_never

from rollback_responder.actions.cloudformation_stack import PHASES
from rollback_responder.actions.lambda_alias import LambdaAliasAction
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.cli.callers import Callers, read
from rollback_responder.cli.identity import Identity
from rollback_responder.cli.records import Records
from rollback_responder.domain import naming
from rollback_responder.domain.alias_readiness import AliasFacts, moved
from rollback_responder.domain.errors import ActionError, JournalError, MeasurementError
from rollback_responder.domain.finding import Unread
from rollback_responder.domain.metric import Series
from rollback_responder.domain.metric_readiness import MetricFacts, named_series
from rollback_responder.domain.policy import Policy, Service
from rollback_responder.domain.readiness import (
    AlarmFacts,
    DependencyFacts,
    Fact,
    GroupFacts,
    PermissionFacts,
    StackFacts,
    StackState,
)
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.target import (
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
    Target,
)
from rollback_responder.domain.trigger import AdoptedAlarm, ApiErrorCount, ApiErrorRate
from rollback_responder.iam import RolePermissions
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics

KEEPS = frozenset({"Retain", "RetainExceptOnCreate"})
NAMES_A_CALL = 100


class Survey:
    """One look at everything that a policy names; `reader` gives a client by its service's name."""

    def __init__(
        self,
        policy: Policy,
        records: Records | Unread,
        reader: Callable[[str], Any],
        here: Identity,
    ) -> None:
        self._policy = policy
        self._records = records
        self._reader = reader
        self._here = here
        self._callers = Callers(reader)
        self._metrics = CloudWatchMetrics(reader("cloudwatch"))

    def service(self, service: Service) -> Iterator[Fact]:
        """The facts of one service: its targets, its alarms and metrics, then its dependencies."""
        for target in service.targets:
            yield self._target(service, target)
        yield from self._alarms(service)
        yield from self._series(service)
        yield from self._dependencies(service)

    def permissions(self, role_arn: str) -> tuple[PermissionFacts, ...] | Unread:
        """What IAM says that the role may do of what it must."""
        role = RolePermissions(
            self._reader("iam"),
            role_arn=role_arn,
            account_id=self._here.account_id,
            region=self._here.region,
        )
        try:
            return role.facts(self._policy)
        except ActionError as error:
            return Unread(why=str(error))

    def _fill(self, resource: str) -> str:
        """A resource as `Need` writes it, in this account."""
        here = f"{self._here.region}:{self._here.account_id}"
        return resource.replace("{partition}", self._here.partition).replace("{here}", here)

    def _target(self, service: Service, target: Target) -> Fact:
        match target:
            case LambdaAlias():
                return self._alias(service, target)
            case CodeDeployGroup():
                return GroupFacts(
                    target=target, rolls_back=_group(self._reader("codedeploy"), target)
                )
            case CloudFormationStack():
                return StackFacts(target=target, state=self._stack(target))
            case _:
                assert_never(target)

    def _alias(self, service: Service, target: LambdaAlias) -> AliasFacts:
        client = self._reader("lambda")
        apis = {
            trigger.api
            for trigger in service.triggers
            if isinstance(trigger, ApiErrorRate | ApiErrorCount)
        }
        versions = read("ListVersionsByFunction", lambda: _versions(client, target.function))
        exists = versions is not None
        concurrency = read(
            "ListProvisionedConcurrencyConfigs", lambda: _concurrency(client, target.function)
        )
        return AliasFacts(
            target=target,
            versions=versions,
            observation=_observation(client, target),
            ledger=self._ledger(service, target),
            callers=tuple(self._callers.of(target.function, target.alias, apis)) if exists else (),
            concurrency=concurrency or () if exists else (),
            kept=self._kept(target.function) if exists else None,
            moved=moved(service),
            aliases=frozenset(
                one.alias
                for other in self._policy.services
                for one in other.pointers
                if one.function == target.function
            ),
        )

    def _ledger(self, service: Service, target: LambdaAlias) -> Ledger | Unread:
        if isinstance(self._records, Unread):
            return self._records
        try:
            page = self._records.record(service.name)
        except JournalError as error:
            return Unread(why=str(error))
        if page.damage:
            return Unread(why=page.damage)
        return page.ledgers.get(target.target_id, Ledger())

    def _kept(self, function: str) -> bool | Unread | None:
        """Whether the stack that publishes the function's versions keeps them."""
        client = self._reader("cloudformation")
        try:
            resources = client.describe_stack_resources(PhysicalResourceId=function)
        except AwsError as error:
            name = name_of(error)
            # DescribeStackResources models no error; no such stack is a ValidationError.
            return None if name == "ValidationError" else Unread(why=f"its stack: {name}")
        own = next(
            (one for one in resources["StackResources"] if one["PhysicalResourceId"] == function),
            None,
        )
        if own is None:
            return None
        template = read(
            "GetTemplate",
            lambda: client.get_template(StackName=own["StackName"], TemplateStage="Processed"),
        )
        if template is None or isinstance(template, Unread):
            return template
        body = template["TemplateBody"]
        if isinstance(body, str):
            return Unread(why=f"the template of {own['StackName']} is YAML")
        return _keeps_versions(body, own["LogicalResourceId"])

    def _stack(self, target: CloudFormationStack) -> StackState | Unread | None:
        client = self._reader("cloudformation")
        try:
            stack = client.describe_stacks(StackName=target.stack)["Stacks"][0]
        except AwsError as error:
            name = name_of(error)
            return None if name == "ValidationError" else Unread(why=f"DescribeStacks: {name}")
        root = str(stack.get("RootId") or "").partition(":stack/")[2].partition("/")[0]
        named = {
            one.stack
            for service in self._policy.services
            for one in service.rollouts
            if isinstance(one, CloudFormationStack)
        }
        return StackState(
            phase=PHASES.get(stack["StackStatus"], Phase.UNKNOWN),
            status=stack["StackStatus"],
            has_role=bool(stack.get("RoleARN")),
            monitoring_minutes=stack.get("RollbackConfiguration", {}).get(
                "MonitoringTimeInMinutes", 0
            ),
            root=None if not root or root in named else root,
        )

    def _alarms(self, service: Service) -> Iterator[AlarmFacts]:
        watched = [one for one in self._policy.watched() if one.service.name == service.name]
        names = [one.alarm_name for one in watched]
        vouches = bool(service.pointers)
        topic = self._fill(
            f"arn:{{partition}}:sns:{{here}}:{naming.topic_name(self._policy.environment)}"
        )
        try:
            readings = self._metrics.read_alarms(names)
        except MeasurementError as error:
            unread = Unread(why=str(error))
            yield from (AlarmFacts(name=name, reading=unread) for name in names)
            return
        actions = read("DescribeAlarms", lambda: _actions(self._reader("cloudwatch"), names))
        for one in watched:
            adopted = isinstance(one.trigger, AdoptedAlarm)
            known = None if isinstance(actions, Unread) else (actions or {}).get(one.alarm_name)
            exists = one.alarm_name in readings
            yield AlarmFacts(
                name=one.alarm_name,
                reading=readings.get(one.alarm_name),
                adopted=adopted,
                actions=known or (),
                topic=None if adopted or known is None else topic,
                muted_by=self._muted_by(one.alarm_name) if exists else None,
                vouches=vouches,
            )

    def _series(self, service: Service) -> Iterator[MetricFacts]:
        client = self._reader("cloudwatch")
        for trigger, series in named_series(service):
            listed = read("ListMetrics", partial(_is_listed, client, series))
            yield MetricFacts(trigger=trigger, series=series, has_data=listed or False)

    def _dependencies(self, service: Service) -> Iterator[DependencyFacts]:
        names = service.dependencies
        readings: Mapping[str, AlarmReading | Unread]
        try:
            readings = self._metrics.read_alarms(names) if names else {}
        except MeasurementError as error:
            readings = dict.fromkeys(names, Unread(why=str(error)))
        yield from (DependencyFacts(name=name, reading=readings.get(name)) for name in names)

    def _muted_by(self, alarm_name: str) -> str | Unread | None:
        try:
            return self._metrics.muted_by(alarm_name)
        except MeasurementError as error:
            return Unread(why=str(error))


def _versions(client: Any, function: str) -> frozenset[str]:
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    found = {one["Version"] for page in pages for one in page["Versions"]}
    return frozenset(found - {"$LATEST"})


def _observation(client: Any, target: LambdaAlias) -> Observation | Unread | None:
    try:
        return LambdaAliasAction(reads=client, acts=client).observe(target)
    except ActionError as error:
        return Unread(why=str(error))


def _concurrency(client: Any, function: str) -> tuple[str, ...]:
    """The versions and aliases with provisioned concurrency."""
    pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(
        FunctionName=function
    )
    arns = [one["FunctionArn"] for page in pages for one in page["ProvisionedConcurrencyConfigs"]]
    return tuple(sorted(arn.rpartition(":")[2] for arn in arns))


def _keeps_versions(template: Any, logical_id: str) -> bool | None:
    """Whether every version of the function that the template publishes is kept.

    None where it publishes none. CloudFormation user guide, "DeletionPolicy": a resource is
    deleted by default when it leaves the template, as a version does at the next deploy.
    """
    versions = [
        resource
        for resource in template.get("Resources", {}).values()
        if resource.get("Type") == "AWS::Lambda::Version"
        and logical_id in str(resource.get("Properties", {}).get("FunctionName"))
    ]
    if not versions:
        return None
    return all(resource.get("DeletionPolicy") in KEEPS for resource in versions)


def _group(client: Any, target: CodeDeployGroup) -> bool | Unread | None:
    try:
        answer = client.get_deployment_group(
            applicationName=target.application, deploymentGroupName=target.group
        )
    except AwsError as error:
        name = name_of(error)
        gone = name in {"ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException"}
        return None if gone else Unread(why=f"GetDeploymentGroup: {name}")
    automatic = answer["deploymentGroupInfo"].get("autoRollbackConfiguration", {})
    return bool(automatic.get("enabled"))


def _is_listed(client: Any, series: Series) -> bool:
    """Whether just that metric had a datum in two weeks; others may have dimensions beside its."""
    wanted = [{"Name": name, "Value": value} for name, value in series.dimensions]
    pages = client.get_paginator("list_metrics").paginate(
        Namespace=series.namespace, MetricName=series.metric_name, Dimensions=wanted
    )
    found = (one["Dimensions"] for page in pages for one in page["Metrics"])
    return any(len(dimensions) == len(wanted) for dimensions in found)


def _actions(client: Any, names: list[str]) -> dict[str, tuple[str, ...]]:
    """What each alarm does when it fires."""
    found = {}
    for first in range(0, len(names), NAMES_A_CALL):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNames=names[first : first + NAMES_A_CALL],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
        for page in pages:
            for alarm in (*page["MetricAlarms"], *page["CompositeAlarms"]):
                found[alarm["AlarmName"]] = tuple(alarm.get("AlarmActions", ()))
    return found
