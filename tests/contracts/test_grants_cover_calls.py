"""Every AWS call that the code makes is granted to its function, and every grant is used.

The calls are recorded from the SDK's own events while the three functions, furnished by `bootstrap`
as in Lambda, live through a bad deploy of each kind, a good one, and bad input.
"""

import json
from collections import defaultdict
from datetime import timedelta
from unittest.mock import Mock

import boto3
import pytest
from moto import mock_aws

from house import ACCOUNT, MINUTE, REGION, House, policy_document
from infra import sdk_data
from local.aws_model.clients import (
    cloudformation_client,
    cloudwatch_client,
    codedeploy_client,
    lambda_client,
)
from local.aws_model.codedeploy import canary
from local.aws_model.mute_rules import MuteRule
from rollback_responder import bootstrap, signals
from rollback_responder.bootstrap import interact, notify, respond, watch
from rollback_responder.domain.drill import due
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import FixForward, Label, Pause, Resume
from rollback_responder.journal.codec import decode_incident, decode_said
from rollback_responder.notifiers.slack import parse_secret
from rollback_responder.notifiers.telling import Teller
from rollback_responder.policies import IndexedPolicy, index_of
from tests.infra.test_template_grants import held_by
from tests.tables import make_table

ROLE = f"arn:aws:iam::{ACCOUNT}:role/respond"
FUNCTIONS = {
    "respond": "Responder/Respond/Role",
    "watch": "Watcher/Watch/Role",
    "notify": "Notifier/Notify/Role",
    "interact": "Interactor/Interact/Role",
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
    "interact": set(),
}
# What AWS asks for in the caller's name while it answers a call: a deployment reads its
# configuration and registers its revision. Assumed: the CodeDeploy user guide ("Identity-based
# policy examples") grants them beside CreateDeployment and says nowhere that they are needed.
BY_AWS = {
    "codedeploy:CreateDeployment": {
        "codedeploy:GetApplicationRevision",
        "codedeploy:GetDeploymentConfig",
        "codedeploy:RegisterApplicationRevision",
    },
}
# Beside the actions of each function: what the SDK was asked for.
OPERATIONS = "operations"
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# DynamoDB authorises a transaction by the actions in it (Service Authorization Reference).
AUTHORISED_AS = {
    "Update": "dynamodb:UpdateItem",
    "Put": "dynamodb:PutItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


class SilentThread:
    takes_pictures = True

    def announce(self, bulletin, *, rings=False):
        return "here"

    def amend(self, head, bulletin, *, news):
        pass

    def show(self, head, png, *, alt, title):
        pass

    def open(self, message, *, under=None):
        return "here"

    def reply(self, head, text, *, rings):
        pass

    def update(self, head, message, *, news):
        pass

    def pass_on(self, head, text):
        pass


class Deployed(House):
    """The house furnished by `bootstrap`, its calls recorded for each function."""

    def __init__(self, monkeypatch, recorded, folder, *rollouts):
        super().__init__(document(*rollouts))
        self.aliases.publish("cart", "v1")
        self.aliases.point("cart", "live", "1")
        self.recorded = recorded
        monkeypatch.setattr(bootstrap, "utc_now", self.clock)
        monkeypatch.setattr(bootstrap, "load_policy", lambda: self.policy)
        index = folder / "policy.index"
        index.write_bytes(index_of(self.policy))
        monkeypatch.setattr(respond, "load_index", lambda: IndexedPolicy(index))
        self.table = make_table(REGION)
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
            respond.open_house,
            base | {"DEAD_LETTER_QUEUE_URL": self.dead},
        )
        self.watch_house = self._furnish(
            monkeypatch,
            "watch",
            watch.open_house,
            base | {"ALARM_QUEUE_URL": self.queue, "RESPOND_ROLE_ARN": ROLE},
        )
        self.interact_house = self._furnish(
            monkeypatch,
            "interact",
            interact.open_house,
            base | {"SLACK_SECRET_ARN": secret, "ALARM_QUEUE_URL": self.queue},
        )
        # Last: its digest makes a client when it is asked for.
        self.notify_house = self._furnish(
            monkeypatch,
            "notify",
            notify.open_house,
            base
            | {
                "SLACK_SECRET_ARN": secret,
                "FAILURE_QUEUE_URL": self.dead,
                "MPLCONFIGDIR": "matplotlib",
            },
        )
        self.desk, self.driller = self.interact_house.desk, self.watch_house.driller
        self.responder, self.watcher = self.respond_house.responder, self.watch_house.watcher

    def _furnish(self, monkeypatch, function, furnish, environment):
        def client(service, _config):
            made = {
                "cloudwatch": lambda: cloudwatch_client(self.cloudwatch),
                "lambda": lambda: lambda_client(self.aliases),
                "codedeploy": lambda: codedeploy_client(self.codedeploy),
                "cloudformation": lambda: cloudformation_client(self.cloudformation),
                "iam": iam_that_answers,
            }.get(service, lambda: boto3.client(service, region_name=REGION))()
            made.meta.events.register(
                f"before-parameter-build.{service}",
                lambda model, params, **_: self._record(function, service, model.name, params),
            )
            return made

        monkeypatch.setattr(bootstrap, "clients", lambda: client)
        return furnish(environment)

    def _record(self, function, service, operation, parameters):
        self.recorded[function] |= _actions(service, operation, parameters)
        self.recorded[OPERATIONS].add((service, operation))

    def watch(self):
        done = self.watcher.watch()
        sqs = boto3.client("sqs", region_name=REGION)
        for message in sqs.receive_message(QueueUrl=self.queue).get("Messages", []):
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            signal = signals.parse(message["Body"], account_id=ACCOUNT, region=REGION)
            self.responder.respond(signal)
        return done

    def archived(self):
        items = boto3.client("dynamodb", region_name=REGION).scan(TableName="journal")["Items"]
        return [decode_incident(item["archive"]["S"]) for item in items if "archive" in item]

    def tell(self):
        parse_secret(self.notify_house.read_secret())
        teller = Teller(
            SilentThread(),
            self.notify_house.notices,
            self.notify_house.storms,
            account_id=ACCOUNT,
            region=REGION,
        )
        items = boto3.client("dynamodb", region_name=REGION).scan(TableName="journal")["Items"]
        for item in items:
            if "incident" in item:
                teller.tell(decode_incident(item["incident"]["S"]), self.now)
            if "said" in item:
                teller.pass_on(decode_said(item["said"]["S"]), item["sk"]["S"], self.now)
        week = self.notify_house.week(self.now)
        assert week.summary.rollbacks, "the story must be in the archive, or it reads too little"
        teller.announce(week, self.now)


def iam_that_answers():
    """Moto does not simulate policies."""
    client = boto3.client("iam", region_name=REGION)
    nothing = {"EvaluationResults": [], "IsTruncated": False}
    client.meta.events.register("before-call.iam", lambda **_: (Mock(status_code=200), nothing))
    return client


def _actions(service, operation, parameters):
    """What IAM is asked for a call."""
    if operation == "TransactWriteItems":
        return {AUTHORISED_AS[kind] for item in parameters["TransactItems"] for kind in item}
    return {f"{service}:{operation}"}


GROUP = {
    "kind": "codedeploy_group",
    "application": "shop",
    "group": "live",
    "after_success": "redeploy",
}
STACK = {"kind": "cloudformation_stack", "stack": "shop", "continue_rollback": True}


def document(*rollouts):
    """The policy of the stories: one service with an alias and these rollouts, and its sibling."""
    given = policy_document()
    (shop,) = given["services"]
    alias = {"kind": "lambda_alias", "function": "cart", "alias": "live"}
    cart = {"name": "cart", "targets": [alias], "triggers": shop["triggers"][:1]}
    shop["targets"] += rollouts
    shop["siblings"] = ["cart"]
    return given | {"services": [shop, cart], "drills": {}}


def an_alias(house):
    """It is moved back; then a second bad deploy within the cooldown, which `respond` ends."""
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.6)
    house.traffic(10)
    assert house.live == "1", "the story must reach the act, or it records too little"
    house.deploy("v3", errors=0.6)
    house.traffic(6)
    assert house.live == "3"
    house.respond_house.dead_letter("body", "not_json", "detail")
    house.tell()
    names = [entry.alarm_name for entry in house.policy.watched()]
    at = f"at({house.now:%Y-%m-%dT%H:%M})"
    house.cloudwatch.put_mute_rule(
        MuteRule(name="quiet", expression=at, duration="PT1H", alarm_names=(names[0],))
    )
    house.respond_house.expect(names)
    house.traffic(1)


def a_morning(house):
    """The preflight looks at the way back of what has proved itself."""
    house.deploy("v1")
    house.traffic(8)
    assert house.watch_house.preflight()


def a_drill(house):
    """On the day that the calendar gives it."""
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2")
    house.traffic(12)
    while "shop" not in [service.name for service in due(house.policy, house.now)]:
        house.now += timedelta(days=1)
    assert "began a drill" in house.driller.begin()["shop"]
    house.traffic(3)
    assert house.live == "2"
    assert house.archived()[-1].state is State.UNDONE


def a_deployment(house):
    """One is stopped in mid-shift; much later a finished one is undone by another."""
    house.codedeploy.add_config("Half", canary(50, 60 * MINUTE))
    house.codedeploy.add_group("shop", "live", function="shop", alias="live", config="Half")
    house.deploy("v1")
    house.traffic(8)
    bad = publish(house, "v2", errors=0.9)
    house.codedeploy.deploy("shop", "live", target_version=bad)
    house.traffic(8)
    assert len(house.codedeploy.stops) == 1
    house.traffic(40)
    bad = publish(house, "v3", errors=0.9)
    at_once = "CodeDeployDefault.LambdaAllAtOnce"
    house.codedeploy.deploy("shop", "live", target_version=bad, config=at_once)
    house.traffic(8)
    assert len(house.codedeploy.creations) == 1
    assert house.live == "1"


def a_person(house):
    """Says everything that can be said of a rollback that was made."""
    an_alias(house)
    (incident_id,) = (i.id for i in house.archived() if i.state is State.FIXED)
    about = {"service": "shop", "incident_id": incident_id, "by": "ann"}
    house.desk.take(Label(**about, right=True))
    house.desk.take(FixForward(service="shop", until_at=house.now + MINUTE, by="ann"))
    house.desk.take(Pause(by="ann"))
    house.desk.take(Resume(by="ann"))
    assert house.desk.book.is_new("nonce", house.now)
    house.interact_house.read_secret()
    house.tell()


def a_stack(house):
    """Its update is cancelled, its rollback fails, and is continued."""
    house.cloudformation.add_stack("shop")
    house.cloudformation.fail_rollbacks("shop", ["Function"])
    house.deploy("v1")
    house.traffic(8)
    bad = publish(house, "v2", errors=0.9)
    house.cloudformation.begin_update(
        "shop",
        seconds=3600,
        on_begin=lambda: house.aliases.point("shop", "live", bad),
        on_rollback=lambda: house.aliases.point("shop", "live", "1"),
    )
    house.traffic(8)
    assert len(house.cloudformation.cancels) == len(house.cloudformation.continues) == 1


def publish(house, code, *, errors):
    version = house.aliases.publish("shop", code)
    house.errors[version], house.latency_ms[version] = errors, 100.0
    return version


STORIES = {
    an_alias: (),
    a_morning: (),
    a_person: (),
    a_drill: (),
    a_deployment: (GROUP,),
    a_stack: (STACK,),
}
# What the model of AWS answers, moto is not asked: it refuses what it does not know.
MODELLED = {"core": {"passthrough": {"services": ["cloudwatch", "lambda"], "urls": []}}}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    found = defaultdict(set)
    for story, rollouts in STORIES.items():
        with mock_aws(config=MODELLED), pytest.MonkeyPatch.context() as patch:
            folder = tmp_path_factory.mktemp("index")
            story(Deployed(patch, found, folder, *rollouts))
    return found


def used(recorded, function):
    actions = set()
    for call in recorded[function]:
        actions |= {call} | BY_AWS.get(call, set())
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


def test_the_data_of_the_sdk_that_is_shipped_is_of_what_is_called(recorded):
    shipped = {(service, name) for service, names in sdk_data.OPERATIONS.items() for name in names}

    assert shipped == recorded[OPERATIONS]
