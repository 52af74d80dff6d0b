"""Permissions on a CloudFormation stack.

A stack's ARN ends in an id that CloudFormation makes, so the name is followed by a star (Service
Authorization Reference, CloudFormation: resource type `stack`).
"""

from aws_cdk import Aws

from infra.grants.grant import Grant
from rollback_responder.domain.target import CloudFormationStack


def read(target: CloudFormationStack) -> Grant:
    """Read the stack, and of a failed rollback its events."""
    return Grant(
        actions=("cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"),
        resources=(_stack_arn(target),),
    )


def act(target: CloudFormationStack) -> tuple[Grant, ...]:
    """Read, cancel an update, and continue a failed rollback where the policy says so."""
    # One statement, so that the ARN is written once: a policy's characters are few.
    cancel = read(target).with_actions("cloudformation:CancelUpdateStack")
    if not target.continue_rollback:
        return (cancel,)
    go_on = Grant(
        actions=("cloudformation:ContinueUpdateRollback",),
        resources=(_stack_arn(target),),
        # A role that is passed once is used for every later operation on the stack.
        without=("cloudformation:RoleArn",),
    )
    return cancel, go_on


def _stack_arn(target: CloudFormationStack) -> str:
    return (
        f"arn:{Aws.PARTITION}:cloudformation:{Aws.REGION}:{Aws.ACCOUNT_ID}:stack/{target.stack}/*"
    )
