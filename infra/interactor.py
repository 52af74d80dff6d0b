"""`interact`: takes presses of Slack's buttons at a function URL, where people may press them."""

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.function import HouseFunction
from infra.grants.grant import allow
from rollback_responder.wiring import InteractWiring

# Slack gives up after three seconds; the rest is for what is under way by then.
TIMEOUT = Duration.seconds(15)
# People press seldom. Whoever floods the address floods no more than this.
CONCURRENCY = 2


class Interactor(Construct):
    """The function `interact` and its address.

    The address is open to the internet: Slack cannot sign for IAM. Its own signature is proved
    before anything is read but the secret.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.Code,
        wiring: InteractWiring,
        journal: dynamodb.ITable,
        secret: secretsmanager.ISecret,
        alarms: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.interact = HouseFunction(
            self,
            "Interact",
            handler="rollback_responder.handlers.interact.handler",
            description="Takes what people say with the buttons in Slack.",
            code=code,
            timeout=TIMEOUT,
            wiring=wiring,
            reserved_concurrency=CONCURRENCY,
            statements=[
                # A transaction needs the permissions of its parts (DynamoDB developer guide, "IAM
                # policies for transactions").
                allow(
                    journal.table_arn,
                    "dynamodb:ConditionCheckItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                ),
                allow(secret.secret_arn, "secretsmanager:GetSecretValue"),
                allow(alarms.queue_arn, "sqs:SendMessage"),
            ],
        )
        address = self.interact.function.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE
        )
        CfnOutput(
            scope,
            "SlackRequestUrl",
            description="Put this under Interactivity & Shortcuts in your Slack app",
            value=address.url,
        )
