"""`notify`: tells Slack what the journal says, off its stream, never on a rollback's path."""

import json
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.function import HouseFunction
from infra.grants.grant import allow
from infra.watcher import PREFLIGHT
from rollback_responder.domain.policy import Digest
from rollback_responder.wiring import NotifyWiring

# Slack is asked again within one run when it says so; the stream comes back for what is left.
TIMEOUT = Duration.seconds(60)
BATCH_SIZE = 10
# A dead Slack loses nothing: it is asked again for as long as the stream keeps a record, a day
# (DynamoDB developer guide, "Change data capture"). What can never be told, `notify` parks itself.
RETRIES = 10_000
OLDEST_NEWS = Duration.hours(24)
# A new on-demand table has four partitions and a stream shard for each (DynamoDB developer guide);
# Lambda reads each shard with one run at a time.
CONCURRENCY = 5
# Rows without an incident (controls, the ledger of a quiet target) are not news. `exists` works on
# leaves only (Lambda developer guide, "Event filtering"), so the type is named: JSON text.
NEWS = [
    {"dynamodb": {"NewImage": {kind: {"S": [{"exists": True}]}}}} for kind in ("incident", "said")
]

# What only a digest reads: the rows and the archive; and the watcher's heartbeat.
DIGEST_READS = ("dynamodb:BatchGetItem", "dynamodb:Query")
DIGEST_PULSE = "cloudwatch:GetMetricData"


class Notifier(Construct):
    """The function `notify`, fed by the journal's stream; what fails for good goes to a queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.Code,
        wiring: NotifyWiring,
        journal: dynamodb.Table,
        secret: secretsmanager.ISecret,
        failures: sqs.IQueue,
        digest: Digest | None,
    ) -> None:
        super().__init__(scope, construct_id)
        stream_arn = journal.table_stream_arn
        assert stream_arn is not None
        self.notify = HouseFunction(
            self,
            "Notify",
            handler="rollback_responder.handlers.notify.handler",
            description="Tells Slack what the rollback responder did and why.",
            code=code,
            timeout=TIMEOUT,
            wiring=wiring,
            reserved_concurrency=CONCURRENCY,
            statements=[
                allow(
                    stream_arn,
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                ),
                allow(secret.secret_arn, "secretsmanager:GetSecretValue"),
                allow(
                    journal.table_arn,
                    "dynamodb:GetItem",
                    *(DIGEST_READS if digest else ()),
                    "dynamodb:UpdateItem",
                ),
                allow(failures.queue_arn, "sqs:SendMessage"),
            ],
            on_everything=["dynamodb:ListStreams", *([DIGEST_PULSE] if digest else [])],
        )
        self._read(stream_arn, failures)
        self._at(
            "Preflight",
            "Lets the rollback responder ask whether Slack would take a message.",
            schedule=PREFLIGHT,
            event={"preflight": "day"},
            failures=failures,
        )
        if digest:
            # Told twice it is told once: `notify` keeps a notice of it.
            self._at(
                "Digest",
                "Lets the rollback responder tell what the week was.",
                schedule=events.Schedule.cron(
                    minute="0", hour=str(digest.hour), week_day=digest.day.value.upper()
                ),
                event={"digest": "week"},
                failures=failures,
            )

    def _at(
        self,
        construct_id: str,
        description: str,
        *,
        schedule: events.Schedule,
        event: Mapping[str, str],
        failures: sqs.IQueue,
    ) -> None:
        events.Rule(
            self,
            construct_id,
            description=description,
            schedule=schedule,
            targets=[
                targets.LambdaFunction(
                    self.notify.function,
                    event=events.RuleTargetInput.from_object(event),
                    dead_letter_queue=failures,
                )
            ],
        )

    def _read(self, stream_arn: str, failures: sqs.IQueue) -> None:
        lambda_.CfnEventSourceMapping(
            self,
            "News",
            function_name=self.notify.function.function_name,
            event_source_arn=stream_arn,
            starting_position="LATEST",
            batch_size=BATCH_SIZE,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=RETRIES,
            maximum_record_age_in_seconds=int(OLDEST_NEWS.to_seconds()),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(
                    destination=failures.queue_arn
                )
            ),
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[
                    lambda_.CfnEventSourceMapping.FilterProperty(
                        pattern=json.dumps(news, separators=(",", ":"))
                    )
                    for news in NEWS
                ]
            ),
        )
