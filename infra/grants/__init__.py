"""Least privilege for each kind of target: to act, to read before standing down, to watch.

By name, or by tag (`Policy.access`). Lambda and CloudFormation evaluate `aws:ResourceTag` for each
action that is granted here (Service Authorization Reference: resource types `function` and
`stack`). Whether CodeDeploy does is not sure ("How AWS CodeDeploy works with IAM" has another view
than the reference), so its groups are always named.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from aws_cdk import Aws

from infra.grants import cloudformation_stack, codedeploy_group, lambda_alias
from infra.grants.grant import Grant
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Access, Policy
from rollback_responder.domain.target import (
    AfterSuccess,
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
    Target,
)


def respond_grants(policy: Policy) -> Iterator[Grant]:
    """What `respond` needs: a service that is only observed cannot be touched by it."""
    yield _mute_rules()
    for service in policy.services:
        for target in service.targets:
            if policy.mode_of(service).may_act:
                for grant in _act(target):
                    yield _known(policy, grant, naming.MAY_ACT)
            else:
                yield _known(policy, _read(target), naming.MAY_ACT, naming.MAY_LOOK)


def watch_grants(policy: Policy) -> Iterator[Grant]:
    """What `watch` needs: it looks further than `respond`, and touches nothing.

    By tag it may read only what `respond` may move, where that is to be moved: what it cannot read
    it tells at once.
    """
    yield _mute_rules()
    for service in policy.services:
        more = () if policy.mode_of(service).may_act else (naming.MAY_LOOK,)
        for target in service.targets:
            yield _known(policy, _observe(target), naming.MAY_ACT, *more)


def _mute_rules() -> Grant:
    """Service Authorization Reference, CloudWatch: the resource type is `alarm-mute-rule`."""
    rules = f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm-mute-rule:*"
    actions = ("cloudwatch:GetAlarmMuteRule", "cloudwatch:ListAlarmMuteRules")
    return Grant(actions=actions, resources=(rules,))


# What a name follows in the ARNs of the kinds that are known by their tags.
BY_TAG = (":function:", ":stack/")


def _known(policy: Policy, grant: Grant, *values: str) -> Grant:
    """The grant as it is, or on every function or stack that its team has tagged so."""
    if policy.access is Access.NAMES:
        return grant
    for part in BY_TAG:
        if all(part in arn for arn in grant.resources):
            everyone = f"{grant.resources[0].partition(part)[0]}{part}*"
            tagged = (naming.target_tag(policy.environment), *values)
            return replace(grant, resources=(everyone,), tagged=tagged)
    return grant


def respond_on_everything(policy: Policy) -> tuple[str, ...]:
    """The actions on targets that AWS cannot narrow to a resource."""
    enforced = [
        target
        for service in policy.services
        if policy.mode_of(service).may_act
        for target in service.targets
    ]
    stops = any(isinstance(target, CodeDeployGroup) for target in enforced)
    return (codedeploy_group.STOP,) if stops else ()


def may_deploy(policy: Policy) -> bool:
    """Whether any service lets the responder deploy the version before through CodeDeploy."""
    return any(
        isinstance(target, CodeDeployGroup) and target.after_success is AfterSuccess.REDEPLOY
        for service in policy.services
        if policy.mode_of(service).may_act
        for target in service.targets
    )


def _act(target: Target) -> tuple[Grant, ...]:
    match target:
        case LambdaAlias():
            return (lambda_alias.act(target),)
        case CodeDeployGroup():
            return codedeploy_group.act(target)
        case CloudFormationStack():
            return cloudformation_stack.act(target)
        case _:
            assert_never(target)


def _read(target: Target) -> Grant:
    match target:
        case LambdaAlias():
            return lambda_alias.read(target)
        case CodeDeployGroup():
            return codedeploy_group.read(target)
        case CloudFormationStack():
            return cloudformation_stack.read(target)
        case _:
            assert_never(target)


def _observe(target: Target) -> Grant:
    match target:
        case LambdaAlias():
            return lambda_alias.observe(target)
        case CodeDeployGroup():
            return codedeploy_group.read(target)
        case CloudFormationStack():
            return cloudformation_stack.read(target)
        case _:
            assert_never(target)
