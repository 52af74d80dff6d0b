"""Every AWS call that the code makes is granted to its function, and every grant is used.

The calls are recorded from the SDK's own events while the three functions, furnished by `bootstrap`
as in Lambda, live through a bad deploy, a good one, and bad input.
"""

import json
from collections import defaultdict

import boto3
import pytest
from moto import mock_aws

from house import ACCOUNT, REGION, House
from local.aws_model.clients import cloudwatch_client, lambda_client
from rollback_responder import bootstrap, signals
from rollback_responder.journal.codec import decode_incident
from rollback_responder.notifiers.slack import parse_secret
from rollback_responder.notifiers.telling import Teller
from tests.infra.test_template_grants import held_by

FUNCTIONS = {
    "respond": "Responder/Respond/Role",
    "watch": "Watcher/Watch/Role",
    "notify": "Notifier/Notify/Role",
}
# What Lambda itself does in a function's name, not the code (Lambda developer guide: execution
# role, SQS and DynamoDB event source mappings, on-failure destination).
BY_LAMBDA = {
    "respond": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "watch": set(),
    "notify": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",
    },
}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# DynamoDB authorises a transaction by the actions in it (Service Authorization Reference).
AUTHORISED_AS = {
    "dynamodb:TransactWriteItems": {"dynamodb:UpdateItem", "dynamodb:PutItem"},
}


class SilentThread:
    def open(self, message):
        return "here"

    def reply(self, head, text, *, rings):
        pass

    def update(self, head, message, *, news):
        pass


class Deployed(House):
    """The house furnished by `bootstrap`, its calls recorded for each function."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.recorded = defaultdict(set)
        monkeypatch.setattr(bootstrap, "utc_now", self.clock)
        monkeypatch.setattr(bootstrap, "load_policy", lambda: self.policy)
        self.table = self._make_table()
        sqs = boto3.client("sqs", region_name=REGION)
        self.queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
        self.dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
            Name="slack", SecretString=json.dumps({"bot_token": "xoxb-test"})
        )["ARN"]
        base = {"ACCOUNT_ID": ACCOUNT, "REGION": REGION, "JOURNAL_TABLE": "journal"}
        self.respond_house = self._furnish(
            monkeypatch,
            "respond",
            bootstrap.respond_house,
            base | {"DEAD_LETTER_QUEUE_URL": self.dead},
        )
        watch = self._furnish(
            monkeypatch, "watch", bootstrap.watch_house, base | {"ALARM_QUEUE_URL": self.queue}
        )
        self.notify_house = self._furnish(
            monkeypatch,
            "notify",
            bootstrap.notify_house,
            base | {"SLACK_SECRET_ARN": secret, "FAILURE_QUEUE_URL": self.dead},
        )
        self.responder, self.watcher = self.respond_house.responder, watch.watcher

    def _make_table(self):
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        boto3.client("dynamodb", region_name=REGION).create_table(
            TableName="journal",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
        )

    def _furnish(self, monkeypatch, function, furnish, environment):
        def client(service, _config):
            made = {
                "cloudwatch": lambda: cloudwatch_client(self.cloudwatch),
                "lambda": lambda: lambda_client(self.aliases),
            }.get(service, lambda: boto3.client(service, region_name=REGION))()
            made.meta.events.register(
                f"before-call.{service}",
                lambda model, **_: self.recorded[function].add(f"{service}:{model.name}"),
            )
            return made

        monkeypatch.setattr(bootstrap, "_client", client)
        return furnish(environment)

    def watch(self):
        done = self.watcher.watch()
        sqs = boto3.client("sqs", region_name=REGION)
        for message in sqs.receive_message(QueueUrl=self.queue).get("Messages", []):
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            signal = signals.parse(message["Body"], account_id=ACCOUNT, region=REGION)
            self.responder.respond(signal)
        return done

    def tell(self):
        parse_secret(self.notify_house.read_secret())
        teller = Teller(
            SilentThread(), self.notify_house.notices, account_id=ACCOUNT, region=REGION
        )
        items = boto3.client("dynamodb", region_name=REGION).scan(TableName="journal")["Items"]
        for item in items:
            if "incident" in item:
                teller.tell(decode_incident(item["incident"]["S"]), self.now)


@pytest.fixture
def recorded(monkeypatch):
    with mock_aws():
        deployed = Deployed(monkeypatch)
        deployed.deploy("v1")
        deployed.traffic(8)
        deployed.deploy("v2", errors=0.6)
        deployed.traffic(10)
        assert deployed.live == "1", "the story must reach the act, or it records too little"
        # A second bad deploy within the cooldown: `respond` itself ends the incident.
        deployed.deploy("v3", errors=0.6)
        deployed.traffic(6)
        assert deployed.live == "3"
        deployed.respond_house.dead_letter("body", "not_json", "detail")
        deployed.tell()
        yield deployed.recorded


def used(recorded, function):
    actions = set()
    for call in recorded[function]:
        actions |= AUTHORISED_AS.get(call, {call})
    return actions | BY_LAMBDA[function] | LOGS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_calls_and_grants_are_the_same(recorded, responder, function):
    granted = {
        action
        for statement in held_by(responder, FUNCTIONS[function])
        for action in statement["Action"]
    }

    assert used(recorded, function) - granted == set(), "called, not granted"
    assert granted - used(recorded, function) == set(), "granted, not called"
