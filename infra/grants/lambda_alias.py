"""Permissions on a Lambda alias.

IAM knows no narrower resource for an alias than its function (Service Authorization Reference, AWS
Lambda: GetAlias and UpdateAlias have resource type `function`). That only the policy's alias moves
is held by the responder's code.
"""

from aws_cdk import Aws

from infra.grants.grant import Grant
from rollback_responder.domain.target import LambdaAlias


def act(target: LambdaAlias) -> Grant:
    """Read the alias and move it."""
    return Grant(
        actions=("lambda:GetAlias", "lambda:UpdateAlias"), resources=(_function_arn(target),)
    )


def read(target: LambdaAlias) -> Grant:
    """Read the alias, to say what would be done."""
    return Grant(actions=("lambda:GetAlias",), resources=(_function_arn(target),))


def observe(target: LambdaAlias) -> Grant:
    """Read the alias, and the versions behind it.

    A version's ARN is the function's with the version appended; which versions there will be, only
    later deploys know.
    """
    arn = _function_arn(target)
    return Grant(
        actions=("lambda:GetAlias", "lambda:GetFunctionConfiguration"),
        resources=(arn, f"{arn}:*"),
    )


def _function_arn(target: LambdaAlias) -> str:
    return f"arn:{Aws.PARTITION}:lambda:{Aws.REGION}:{Aws.ACCOUNT_ID}:function:{target.function}"
