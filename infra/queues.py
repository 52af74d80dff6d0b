"""Queues: encrypted by SQS, TLS only, and written to by named senders."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.nag import acknowledge

# The longest SQS keeps a message, so that there is time to look (SQS quotas).
DEAD_LETTERS_KEPT = Duration.days(14)


def dead_letter_queue(scope: Construct, construct_id: str) -> sqs.Queue:
    """A queue where messages end that nothing could be done with."""
    queue = sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=DEAD_LETTERS_KEPT,
    )
    acknowledge(
        queue,
        finding="SQS3",
        reason="It is a dead-letter queue itself; an alarm on its depth calls a person.",
    )
    return queue


def let_send(queue: sqs.Queue, *, sid: str, service: str, source_arns: Sequence[str]) -> None:
    """Lets a service send to the queue, on behalf of the named sources only."""
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            sid=sid,
            principals=[iam.ServicePrincipal(service)],
            actions=["sqs:SendMessage"],
            resources=[queue.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": list(source_arns)}},
        )
    )
