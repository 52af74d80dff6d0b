"""Orders from the command line, against the table: shown, asked, taken by the desk."""

import io
import json
import sys
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from msgspec.structs import replace

from rollback_responder import bootstrap
from rollback_responder.actions import Clients
from rollback_responder.bootstrap import people
from rollback_responder.cli import main
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.journal.codec import decode_controls
from rollback_responder.journal.dynamodb import DynamoDbJournal
from tests.builders import (
    NOW,
    a_ledger,
    a_policy,
    a_release,
    a_rolled_back_incident,
    an_incident,
)
from tests.tables import make_table

LATER = NOW + timedelta(minutes=10)
REGION = ["--region", "us-east-1"]
OUTPUTS = {"JournalTable": "journal", "RespondRole": "arn:aws:iam::1:role/r"}
OPERATOR_CLIENTS = people.operator_clients
ASKING = replace(
    an_incident((State.ASKING, Reason.APPROVAL_NEEDED)),
    asks_until_at=NOW + timedelta(hours=1),
    asks_about="2@then",
)
FIXED = a_rolled_back_incident(
    (State.FIXED, Reason.SYMPTOM_GONE), release=a_release(whole_since_at=NOW)
)


class Deployment:
    """A deployed responder: its stack with outputs, its table, its queue."""

    def __init__(self):
        self.dynamodb = make_table()
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        self.queue = self.sqs.create_queue(QueueName="alarms")["QueueUrl"]
        self.deploy()

    def deploy(self, **outputs):
        values = OUTPUTS | {"AlarmQueueUrl": self.queue} | outputs
        self.outputs = [
            {"OutputKey": name, "OutputValue": value} for name, value in values.items() if value
        ]

    def describe_stacks(self, *, StackName):
        """What CloudFormation answers; moto's own needs more than is installed here."""
        if StackName != "RollbackResponder-prod":
            error = {"Code": "ValidationError", "Message": "does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "Outputs": self.outputs}]}

    def clients(self, **given):
        clients = OPERATOR_CLIENTS(**given)

        def reads(service):
            return self if service == "cloudformation" else clients.reads(service)

        return Clients(reads=reads, acts=clients.acts)

    def hold(self, incident):
        journal = DynamoDbJournal(self.dynamodb, "journal", timedelta(seconds=90))
        claim = journal.claim("shop", claim_id=incident.id, may_act=True, now=NOW)
        journal.close(claim, ledgers={"lambda_alias/shop/live": a_ledger()}, incident=incident)

    def item(self, pk, sk):
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self.dynamodb.get_item(TableName="journal", Key=key).get("Item", {})

    @property
    def controls(self):
        return decode_controls(self.item("service#shop", "row")["controls"]["S"])

    @property
    def woken(self):
        return [
            json.loads(message["Body"])
            for message in self.sqs.receive_message(QueueUrl=self.queue).get("Messages", [])
        ]


@pytest.fixture
def deployment(monkeypatch):
    monkeypatch.setattr(bootstrap, "utc_now", lambda: LATER)
    with mock_aws():
        deployment = Deployment()
        monkeypatch.setattr(people, "operator_clients", deployment.clients)
        yield deployment


@pytest.fixture
def rollback(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments, answer="", environment="prod", mode="enforce"):
        policy = tmp_path / "cdk.json"
        document = a_policy(environment=environment, mode=mode).to_document()
        policy.write_text(json.dumps({"context": {"rollback": document}}))
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        code = main.run([*arguments, *REGION, "--policy", str(policy)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


# moto's own caller.
ME = "moto"


def test_an_approval_is_written_and_respond_is_woken(deployment, rollback):
    deployment.hold(ASKING)
    code, out, err = rollback("approve", "inc-1", "--yes")

    assert (code, out, err) == (0, "Moto approved the rollback.\n", "")
    (approval,) = deployment.controls.approvals
    assert (approval.incident_id, approval.by, approval.at) == ("inc-1", ME, LATER)
    (message,) = deployment.woken
    assert ASKING.alarm_name in json.dumps(message)


def test_a_hold_an_undo_and_a_fix_forward_are_written(deployment, rollback):
    deployment.hold(ASKING)
    assert rollback("hold", "inc-1", "--yes")[0] == 0
    assert deployment.controls.holds[0].by == ME
    assert rollback("fix-forward", "shop", "--hours", "1.5", "--yes")[0] == 0
    assert deployment.controls.fix_forward.until_at == LATER + timedelta(minutes=90)
    code, out, _ = rollback("fix-forward", "shop", "--end", "--yes")
    assert (code, out) == (0, "Moto ended the fixing forward of shop: it is judged as before.\n")
    assert deployment.controls.fix_forward is None
    deployment.hold(replace(FIXED, id="inc-2"))
    code, out, _ = rollback("undo", "inc-2", "--yes", "--json")
    assert code == 0
    assert json.loads(out) == {"taken": "moto wants the rollback undone", "by": ME}
    assert deployment.controls.undos[0].incident_id == "inc-2"


def test_a_pause_holds_until_it_is_resumed(deployment, rollback):
    deployment.hold(FIXED)
    assert rollback("pause", "--yes")[0] == 0
    assert deployment.item("switches", "row")["paused_by"]["S"] == ME
    _, out, _ = rollback("status")
    assert "PAUSED by moto" in out
    assert rollback("pause", "--yes")[1] == "Moto has paused it already.\n"
    assert rollback("resume", "--yes")[0] == 0
    assert "paused_by" not in deployment.item("switches", "row")
    assert rollback("resume", "--yes")[1] == "It is not paused.\n"


@pytest.mark.parametrize(("word", "right"), [("right", True), ("wrong", False)])
def test_a_label_is_written_and_shown(deployment, rollback, word, right):
    deployment.hold(FIXED)
    assert rollback("label", "inc-1", word, "--yes")[0] == 0
    assert deployment.item("service#shop", "label#inc-1")["is_right"]["BOOL"] is right
    _, out, _ = rollback("show", "inc-1", "--json")
    assert json.loads(out)["label"] == {"is_right": right, "by": ME}


# -- asking ---------------------------------------------------------------------------------------


def test_what_it_will_do_is_shown_before_it_is_asked(deployment, rollback):
    deployment.hold(FIXED)
    code, out, err = rollback("undo", "inc-1", answer="shop\n")

    assert code == 0
    assert "shop rolled back v2 → v1" in err
    assert "This puts version 2 back, and it is not rolled back again." in err
    assert "It is said in the name of moto." in err
    assert err.index("puts version 2 back") < err.index("Type shop to do it")
    assert out == "Moto wants the rollback undone.\n"


ANSWERS = [
    ("prod", "observe", "shop", True),
    ("preprod-2", "approve", "shop", True),
    ("staging", "enforce", "shop", True),
    ("prod", "enforce", "y", False),
    ("prod", "enforce", "shopp", False),
    ("prod", "enforce", "", False),
    ("staging", "approve", "y", True),
    ("staging", "approve", "shop\nn", False),
    ("staging", "observe", "n", False),
    ("staging", "observe", "", False),
]


@pytest.mark.parametrize("case", ANSWERS)
def test_production_asks_for_the_name_and_else_a_yes_is_enough(deployment, rollback, case):
    environment, mode, answer, does = case
    deployment.hold(FIXED)
    named = ("undo", "inc-1", "--table", "journal")
    code, _, err = rollback(*named, answer=f"{answer}\n", environment=environment, mode=mode)

    assert code == (0 if does else 1)
    assert ("controls" in deployment.item("service#shop", "row")) is does
    assert does or err.endswith("rollback: nothing was done\n")


def test_without_anybody_to_answer_nothing_is_done(deployment, rollback):
    deployment.hold(FIXED)
    code, _, err = rollback("undo", "inc-1")

    assert code == 2
    assert "in a script, pass --yes" in err
    assert "controls" not in deployment.item("service#shop", "row")


def test_a_pause_in_production_asks_for_the_environment(deployment, rollback):
    assert rollback("pause", answer="shop\n")[0] == 1
    assert rollback("pause", answer="prod\n")[0] == 0


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["approve", "inc-1"], 1, "it does not ask for anything any more"),
        (["hold", "inc-1"], 1, "nothing is pending any more that could be held"),
        (["approve", "inc-9"], 2, "no incident is called 'inc-9'"),
        (["fix-forward", "shp", "--hours", "1"], 2, "SERVICE: got 'shp'; allowed: shop"),
        (["fix-forward", "shop", "--hours", "25"], 2, "less than or equal to 24"),
        (
            ["fix-forward", "shop"],
            2,
            "fix-forward: got neither --hours nor --end; allowed: --hours",
        ),
        (
            ["fix-forward", "shop", "--hours", "1", "--end"],
            2,
            "got both --hours and --end; allowed",
        ),
        (["freeze", "shop"], 2, "freeze: got neither --hours nor --end; allowed: --hours H to"),
        (["freeze", "nosuch", "--hours", "1"], 2, "SERVICE: got 'nosuch'; allowed: shop"),
        (["fix-forward", "nosuch", "--end"], 2, "SERVICE: got 'nosuch'; allowed: shop"),
        (["freeze", "shop", "--hours", "1", "--end"], 2, "freeze: got both --hours and --end"),
        (["label", "inc-1", "maybe"], 2, "maybe"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(deployment, rollback, arguments, code, told):
    deployment.hold(FIXED)
    found, out, err = rollback(*arguments, "--yes")

    assert (found, out) == (code, "")
    assert told in err
    assert "Traceback" not in err


def test_an_older_stack_without_a_queue_still_takes_orders(deployment, rollback, caplog):
    """Nobody is woken then; the watcher finds what was said within a minute."""
    deployment.deploy(AlarmQueueUrl=None)
    deployment.hold(ASKING)

    assert rollback("approve", "inc-1", "--yes")[0] == 0
    assert deployment.controls.approvals
    assert "respond could not be woken" in caplog.text


# -- the table itself, read by the other commands --------------------------------------------------


def test_status_and_incidents_read_the_table(deployment, rollback):
    deployment.hold(replace(FIXED, id="inc-0"))
    deployment.hold(ASKING)
    _, status, _ = rollback("status", "--json")
    _, listed, _ = rollback("incidents", "--json")

    (service,) = json.loads(status)["services"]
    assert service["targets"][0]["live_version"] == "2"
    assert service["incident"]["id"] == "inc-1"
    assert {one["id"] for one in json.loads(listed)["incidents"]} == {"inc-0", "inc-1"}
    assert rollback("show", "inc-0")[0] == 0


def test_the_last_heartbeat_is_told_with_its_age(deployment, rollback):
    deployment.hold(FIXED)
    assert "Last heartbeat of the watcher: none for three hours" in rollback("status")[1]
    cloudwatch = boto3.client("cloudwatch", region_name="us-east-1")
    datum = {
        "MetricName": "Heartbeat",
        "Dimensions": [{"Name": "service", "Value": "rollback-responder-prod"}],
        "Timestamp": LATER - timedelta(minutes=3),
        "Value": 1,
    }
    cloudwatch.put_metric_data(Namespace="RollbackResponder", MetricData=[datum])

    assert "Last heartbeat of the watcher: 3 min ago" in rollback("status")[1]
    assert json.loads(rollback("status", "--json")[1])["heartbeat_age_seconds"] == 180


def test_links_lead_to_the_region_that_was_read(deployment, rollback):
    deployment.hold(FIXED)
    _, text, _ = rollback("report", "inc-1")

    assert "https://us-east-1.console.aws.amazon.com/cloudwatch" in text


def test_what_cannot_be_read_ends_with_three(deployment, rollback):
    code, out, err = rollback("status", "--table", "elsewhere")
    assert (code, out) == (3, "")
    assert err == (
        "rollback: the journal's table elsewhere was not read: ResourceNotFoundException; is it in "
        "this account and region? They are named with --profile and --region\n"
    )
    code, out, err = rollback("incidents", environment="nowhere")
    assert (code, out) == (3, "")
    assert "stack RollbackResponder-nowhere could not be read: ValidationError" in err
