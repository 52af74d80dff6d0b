"""The few actions that are granted on every resource, each with the reason that AWS gives."""

from types import MappingProxyType

from aws_cdk import aws_iam as iam

from infra.nag import acknowledge

REASONS = MappingProxyType(
    {
        "cloudwatch:DescribeAlarms": (
            "CloudWatch API, DescribeAlarms: composite alarms are returned only to a caller that "
            "may describe all alarms; under a narrower grant an adopted composite looks deleted."
        ),
        "cloudwatch:GetMetricData": (
            "Service Authorization Reference, CloudWatch: GetMetricData has no resource type."
        ),
        "codedeploy:StopDeployment": (
            "Service Authorization Reference, CodeDeploy: StopDeployment has no resource type. The "
            "code stops only a deployment that it has read as one of a group of the policy."
        ),
        "dynamodb:ListStreams": (
            "Service Authorization Reference, DynamoDB: ListStreams has no resource type; Lambda "
            "asks for it of a role that reads a stream (Lambda developer guide, DynamoDB)."
        ),
    }
)


def grant_on_everything(policy: iam.Policy, *actions: str) -> None:
    """Grants actions on `*`; only those with a stated reason."""
    unexplained = [action for action in actions if action not in REASONS]
    if unexplained:
        raise ValueError(f"no reason is stated for granting {unexplained} on every resource")
    policy.add_statements(iam.PolicyStatement(actions=list(actions), resources=["*"]))
    acknowledge(
        policy,
        finding="IAM5[Resource::*]",
        reason=" ".join(REASONS[action] for action in actions),
    )
