"""`respond`: the only function that may move a target."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.function import HouseFunction
from infra.grants import respond_grants, respond_on_everything
from infra.grants.grant import allow, grant_to
from rollback_responder.domain.policy import Policy
from rollback_responder.wiring import RespondWiring

# A batch of ten alarms walks the house one after the other; each walk is a few calls, and where
# AWS is too busy, five seconds of patience. What is not done by then is claimed, and the watcher
# takes it on.
TIMEOUT = Duration.seconds(60)
BATCH_SIZE = 10
# Lambda takes 15 control-plane calls a second from the whole account (Lambda quotas); five at once
# stay below, in any storm. As many are reserved, so that a broken service that eats the account's
# concurrency cannot keep its own rollback from running.
CONCURRENCY = 5


class Responder(Construct):
    """The function `respond`, fed by the queue of alarms."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        code: lambda_.Code,
        wiring: RespondWiring,
        journal: dynamodb.ITable,
        alarms: sqs.IQueue,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.respond = HouseFunction(
            self,
            "Respond",
            handler="rollback_responder.handlers.respond.handler",
            description="Judges an alarm and, if a deploy broke the service, rolls it back.",
            code=code,
            timeout=TIMEOUT,
            wiring=wiring,
            reserved_concurrency=CONCURRENCY,
            statements=_permissions(policy, journal, alarms, dead_letters),
            on_everything=[
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                *respond_on_everything(policy),
            ],
        )
        grant_to(self.respond.role, self, respond_grants(policy))
        lambda_.EventSourceMapping(
            self,
            "Alarms",
            target=self.respond.function,
            event_source_arn=alarms.queue_arn,
            batch_size=BATCH_SIZE,
            report_batch_item_failures=True,
            max_concurrency=CONCURRENCY,
        )


def _permissions(
    policy: Policy, journal: dynamodb.ITable, alarms: sqs.IQueue, dead_letters: sqs.IQueue
) -> list[iam.PolicyStatement]:
    # A sibling's row says whether it has a deploy of its own on trial.
    reads = ["dynamodb:BatchGetItem"] if any(s.siblings for s in policy.services) else []
    return [
        allow(
            alarms.queue_arn, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"
        ),
        # What cannot be an alarm of ours is laid aside with a reason, not tried again.
        allow(dead_letters.queue_arn, "sqs:SendMessage"),
        allow(journal.table_arn, *reads, "dynamodb:PutItem", "dynamodb:UpdateItem"),
    ]
