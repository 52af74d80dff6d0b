"""EventBridge patterns of what is in scope, parted where one would pass EventBridge's limit."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from aws_cdk import Aws

from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.target import CloudFormationStack, CodeDeployGroup
from rollback_responder.domain.trigger import AdoptedAlarm

Pattern = dict[str, Any]

# EventBridge quotas: an event pattern has at most 2,048 characters.
LONGEST_PATTERN = 2048
# What stands in place of a token, at its longest.
LONGEST = {
    Aws.ACCOUNT_ID: "000000000000",
    Aws.PARTITION: "aws-us-gov",
    Aws.REGION: "ap-southeast-1",
}


def alarm_patterns(policy: Policy, *, state: str) -> list[Pattern]:
    """Changes of the alarms in scope to one state.

    Own alarms are known by their prefix, adopted ones by their exact names.
    """
    names: list[object] = [{"prefix": naming.own_alarm_prefix(policy.environment)}]
    names += sorted({w.alarm_name for w in policy.watched() if isinstance(w.trigger, AdoptedAlarm)})
    return list(
        _parted(
            names,
            lambda some: _pattern(
                "aws.cloudwatch",
                "CloudWatch Alarm State Change",
                {"alarmName": some, "state": {"value": [state]}},
            ),
        )
    )


def rollout_patterns(policy: Policy) -> list[Pattern]:
    """Changes of the deployments and stacks in scope.

    CodeDeploy's events are best effort, CloudFormation's may come out of order; both only say
    *look*. Sources: CodeDeploy user guide, "Monitoring deployments with EventBridge";
    CloudFormation user guide, "Managing events with CloudFormation and EventBridge".
    """
    targets = [target for service in policy.services for target in service.targets]
    groups = [target for target in targets if isinstance(target, CodeDeployGroup)]
    stacks = sorted(target.stack for target in targets if isinstance(target, CloudFormationStack))
    prefix = f"arn:{Aws.PARTITION}:cloudformation:{Aws.REGION}:{Aws.ACCOUNT_ID}:stack"
    found: list[Pattern] = []
    # Applications whose groups have the same names share a pattern: it matches no other group.
    applications: dict[str, set[str]] = {}
    for group in groups:
        applications.setdefault(group.application, set()).add(group.group)
    alike: dict[tuple[str, ...], list[str]] = {}
    for application, names in sorted(applications.items()):
        alike.setdefault(tuple(sorted(names)), []).append(application)
    for names_of_each, some in alike.items():
        if len(some) > 1:
            found += _parted(some, partial(_deployments, groups=names_of_each))
        else:
            found += _parted(names_of_each, partial(_deployments, some))
    found += _parted(
        [{"prefix": f"{prefix}/{stack}/"} for stack in stacks],
        lambda some: _pattern(
            "aws.cloudformation", "CloudFormation Stack Status Change", {"stack-id": some}
        ),
    )
    return found


def _deployments(applications: Sequence[object], groups: Sequence[object]) -> Pattern:
    return _pattern(
        "aws.codedeploy",
        "CodeDeploy Deployment State-change Notification",
        {"application": list(applications), "deploymentGroup": list(groups)},
    )


def _pattern(source: str, detail_type: str, detail: Pattern) -> Pattern:
    return {
        "source": [source],
        "account": [Aws.ACCOUNT_ID],
        "detail-type": [detail_type],
        "detail": detail,
    }


def _parted(
    values: Iterable[object], pattern: Callable[[Sequence[object]], Pattern]
) -> Iterator[Pattern]:
    some: list[object] = []
    for value in values:
        if some and _length(pattern([*some, value])) > LONGEST_PATTERN:
            yield pattern(some)
            some = []
        some = [*some, value]
    if some:
        yield pattern(some)


def _length(pattern: Pattern) -> int:
    text = json.dumps(pattern)
    for token, longest in LONGEST.items():
        text = text.replace(token, longest)
    return len(text)
