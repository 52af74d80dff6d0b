"""What the role of `respond` must be allowed: for each target, to read it and to act on it.

The grants in `infra/grants` give exactly this; a contract test holds the two equal. `{here}` in a
resource stands for region and account, `{partition}` for AWS's own.
"""

from collections.abc import Iterator
from typing import assert_never

from msgspec import Struct

from rollback_responder.domain.policy import Policy
from rollback_responder.domain.target import (
    AfterSuccess,
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
    Target,
)

MUTE_RULES = "arn:{partition}:cloudwatch:{here}:alarm-mute-rule:*"


class Need(Struct, frozen=True, kw_only=True):
    """One action on one resource. `title` says whose need it is."""

    action: str
    resource: str
    title: str


def needs_of(policy: Policy) -> Iterator[Need]:
    """All that `respond` calls in order to answer an alarm of the policy, its table apart."""
    for action, resource in (
        ("cloudwatch:DescribeAlarms", "*"),
        ("cloudwatch:GetMetricData", "*"),
        ("cloudwatch:GetAlarmMuteRule", MUTE_RULES),
        ("cloudwatch:ListAlarmMuteRules", MUTE_RULES),
    ):
        yield Need(action=action, resource=resource, title="every service")
    for service in policy.services:
        may_act = policy.mode_of(service).may_act
        for target in service.targets:
            for action, resource in _needs(target, may_act=may_act):
                yield Need(action=action, resource=resource, title=target.title)


def _needs(target: Target, *, may_act: bool) -> Iterator[tuple[str, str]]:
    match target:
        case LambdaAlias():
            arn = f"arn:{{partition}}:lambda:{{here}}:function:{target.function}"
            yield "lambda:GetAlias", arn
            if may_act:
                yield "lambda:UpdateAlias", arn
        case CodeDeployGroup():
            yield from _group_needs(target, may_act=may_act)
        case CloudFormationStack():
            arn = f"arn:{{partition}}:cloudformation:{{here}}:stack/{target.stack}/*"
            yield "cloudformation:DescribeStackEvents", arn
            yield "cloudformation:DescribeStacks", arn
            if may_act:
                yield "cloudformation:CancelUpdateStack", arn
            if may_act and target.continue_rollback:
                yield "cloudformation:ContinueUpdateRollback", arn
        case _:
            assert_never(target)


def _group_needs(target: CodeDeployGroup, *, may_act: bool) -> Iterator[tuple[str, str]]:
    base = "arn:{partition}:codedeploy:{here}:"
    group = f"{base}deploymentgroup:{target.application}/{target.group}"
    for verb in ("BatchGetDeployments", "GetDeployment", "GetDeploymentGroup", "ListDeployments"):
        yield f"codedeploy:{verb}", group
    if not may_act:
        return
    yield "codedeploy:StopDeployment", "*"
    if target.after_success is AfterSuccess.REDEPLOY:
        yield "codedeploy:CreateDeployment", group
        config = f"{base}deploymentconfig:CodeDeployDefault.LambdaAllAtOnce"
        yield "codedeploy:GetDeploymentConfig", config
        for verb in ("GetApplicationRevision", "RegisterApplicationRevision"):
            yield f"codedeploy:{verb}", f"{base}application:{target.application}"
