"""The journal's table: one row for each target, and the incidents that are over."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

# Only archived incidents and notices carry it; the ledger of releases never expires.
EXPIRES_AT = "expires_at"


def journal_table(scope: Construct, construct_id: str) -> dynamodb.Table:
    """The table, with its stream, kept when the stack goes.

    Encrypted at rest with DynamoDB's own key, as every table is: a key of this account would add
    KMS to the path that has to work in an outage.
    """
    return dynamodb.Table(
        scope,
        construct_id,
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        # The notifier tells what changed, so it needs both sides.
        stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        time_to_live_attribute=EXPIRES_AT,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
