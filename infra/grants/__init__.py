"""Least privilege for each kind of target: to act, to read before standing down, to watch."""

from collections.abc import Iterator
from typing import assert_never

from infra.grants import cloudformation_stack, codedeploy_group, lambda_alias
from infra.grants.grant import Grant
from rollback_responder.domain.policy import Mode, Policy
from rollback_responder.domain.target import (
    AfterSuccess,
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
    Target,
)


def respond_grants(policy: Policy) -> Iterator[Grant]:
    """What `respond` needs: a service that is only observed cannot be touched by it."""
    for service in policy.services:
        for target in service.targets:
            match policy.mode_of(service):
                case Mode.ENFORCE:
                    yield from _act(target)
                case Mode.OBSERVE:
                    yield _read(target)
                case mode:
                    assert_never(mode)


def watch_grants(policy: Policy) -> Iterator[Grant]:
    """What `watch` needs: it looks further than `respond`, and touches nothing."""
    for service in policy.services:
        for target in service.targets:
            yield _observe(target)


def respond_on_everything(policy: Policy) -> tuple[str, ...]:
    """The actions on targets that AWS cannot narrow to a resource."""
    enforced = [
        target
        for service in policy.services
        if policy.mode_of(service) is Mode.ENFORCE
        for target in service.targets
    ]
    stops = any(isinstance(target, CodeDeployGroup) for target in enforced)
    return (codedeploy_group.STOP,) if stops else ()


def may_deploy(policy: Policy) -> bool:
    """Whether any service lets the responder deploy the version before through CodeDeploy."""
    return any(
        isinstance(target, CodeDeployGroup) and target.after_success is AfterSuccess.REDEPLOY
        for service in policy.services
        if policy.mode_of(service) is Mode.ENFORCE
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
