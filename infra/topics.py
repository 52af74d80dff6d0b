"""A topic that CloudWatch alarms of this account publish to, and nobody else."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct


def alarm_topic(
    scope: Construct, construct_id: str, *, topic_name: str, alarm_prefix: str
) -> sns.Topic:
    """A topic for alarms whose names begin with `alarm_prefix`; TLS only.

    Not encrypted with a key: a message holds an alarm's name and state and is only ever a hint,
    while a topic on the account's own `aws/sns` key takes nothing from CloudWatch and says so
    nowhere (SNS developer guide, "Enable compatibility between event sources from AWS services and
    encrypted topics").
    """
    topic = sns.Topic(scope, construct_id, topic_name=topic_name, enforce_ssl=True)
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="OnlyAlarmsOfThisAccount",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {
                    "aws:SourceArn": (
                        f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}"
                        f":alarm:{alarm_prefix}*"
                    )
                },
            },
        )
    )
    # An identity policy of the same account would do without the statement above. The key is true
    # for calls that a service principal makes itself (IAM user guide, aws:PrincipalIsAWSService).
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="NobodyElse",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"Bool": {"aws:PrincipalIsAWSService": "false"}},
        )
    )
    return topic
