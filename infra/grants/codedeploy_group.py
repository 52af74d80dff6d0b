"""Permissions on a CodeDeploy deployment group.

StopDeployment has no resource type in the Service Authorization Reference (the CodeDeploy guide
names the group's ARN; assumed, A5), so it is granted on every resource, and the code reads the
deployment's group before it stops anything. GetDeployment, BatchGetDeployments, ListDeployments,
GetDeploymentGroup and CreateDeployment have the resource type `deploymentgroup`.
"""

from aws_cdk import Aws

from infra.grants.grant import Grant
from rollback_responder.domain.target import AfterSuccess, CodeDeployGroup

STOP = "codedeploy:StopDeployment"


def read(target: CodeDeployGroup) -> Grant:
    """Read the group and its deployments."""
    return Grant(
        actions=(
            "codedeploy:BatchGetDeployments",
            "codedeploy:GetDeployment",
            "codedeploy:GetDeploymentGroup",
            "codedeploy:ListDeployments",
        ),
        resources=(_group_arn(target),),
    )


def act(target: CodeDeployGroup) -> tuple[Grant, ...]:
    """Read, and deploy the version before where the policy says so; stopping is granted apart."""
    if target.after_success is not AfterSuccess.REDEPLOY:
        return (read(target),)
    arn = _arn("application", target.application)
    config = _arn("deploymentconfig", "CodeDeployDefault.LambdaAllAtOnce")
    return (
        read(target).with_actions("codedeploy:CreateDeployment"),
        Grant(
            actions=("codedeploy:GetDeploymentConfig",),
            resources=(config,),
        ),
        Grant(
            actions=("codedeploy:GetApplicationRevision", "codedeploy:RegisterApplicationRevision"),
            resources=(arn,),
        ),
    )


def _group_arn(target: CodeDeployGroup) -> str:
    return _arn("deploymentgroup", f"{target.application}/{target.group}")


def _arn(kind: str, name: str) -> str:
    return f"arn:{Aws.PARTITION}:codedeploy:{Aws.REGION}:{Aws.ACCOUNT_ID}:{kind}:{name}"
