"""`rollback explain`: it says what `respond` would do, shows why, and can do nothing."""

import io
import json
import re
import sys
from pathlib import Path

import boto3
import pytest
from golden import check
from moto import mock_aws
from msgspec.structs import replace
from recording import clients_of, record

from house import ACCOUNT, MINUTE, REGION, START, House, policy_document
from rollback_responder import bootstrap, signals
from rollback_responder.bootstrap import people
from rollback_responder.cli.history import load, save
from rollback_responder.cli.main import run
from rollback_responder.cli.place import read_policy
from rollback_responder.cli.recorded import rooms_in
from rollback_responder.cli.walk import Explained, look_at
from rollback_responder.domain.errors import ActionDenied
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import RollBack
from rollback_responder.ports import Move
from rollback_responder.signals import wake
from tests.tables import make_table

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "tests" / "events"
NAME = "rollback.prod.shop.shop.live.error-rate"


@pytest.fixture(scope="module")
def bad_deploy():
    """Version 1 has proved itself, version 2 fails; its alarm fires, and nobody has looked yet."""
    house = House(policy_document(environment="prod"))
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.4)
    house.traffic(1)
    house.traffic(1, watch=False)
    return house


@pytest.fixture
def files(bad_deploy, tmp_path):
    """The policy and the record of the story as files."""
    policy = tmp_path / "cdk.json"
    context = {"rollback": policy_document(environment="prod")}
    policy.write_text(json.dumps({"context": context}))
    facts = save(record(bad_deploy, since_at=START), tmp_path)
    return policy, facts


def told(capsys, *arguments):
    code = run([str(argument) for argument in arguments])
    return code, capsys.readouterr()


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_every_recorded_payload_is_explained(kind, files, tmp_path, capsys):
    policy, facts = files
    texts = []
    for path in sorted((EVENTS / kind).glob("*.json")):
        message = json.loads(path.read_text())["message"]
        event = tmp_path / path.name
        event.write_text(json.dumps(message))
        if isinstance(message, str):
            # A body that is no JSON document comes in a record of the queue.
            event.write_text(json.dumps({"Records": [{"body": message, "messageId": "m"}]}))
        code, out = told(capsys, "explain", event, "--policy", policy, "--facts", facts)
        texts.append(f"==== {path.stem}: exit {code}\n{out.out}")
    check(f"explain-{kind}.txt", "\n".join(texts))


def test_the_same_for_scripts(files, tmp_path, capsys):
    policy, facts = files
    event = tmp_path / "event.json"
    event.write_text(wake.body(NAME, account_id=ACCOUNT, region=REGION))
    code, out = told(capsys, "explain", event, "--policy", policy, "--facts", facts, "--json")

    assert code == 0
    check("explain.json", out.out)


def test_a_sample_event_of_a_service_is_explained(files, capsys, monkeypatch):
    policy, facts = files
    code, sample = told(capsys, "sample", "shop", "--policy", policy)
    assert code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(sample.out))
    code, out = told(capsys, "explain", "-", "--policy", policy, "--facts", facts)

    assert code == 0
    assert NAME in out.out
    assert "move shop:live from version 2 to version 1" in out.out


def test_the_event_in_the_docs_is_one_for_the_policy_of_the_project(capsys):
    page = (ROOT / "docs" / "backtest.md").read_text()
    (event,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    names = {entry.alarm_name for entry in read_policy(ROOT / "cdk.json").watched()}

    assert signals.read(event).alarm_name in names
    assert signals.read(event).state is AlarmState.ALARM


def test_a_sample_of_an_unknown_service_names_those_that_there_are(files, capsys):
    policy, _ = files
    code, out = told(capsys, "sample", "shp", "--policy", policy)

    assert (code, out.out) == (2, "")
    assert "SERVICE: got 'shp'; allowed: shop" in out.err


def test_it_decides_what_the_responder_then_does(bad_deploy):
    rooms = rooms_in(record(bad_deploy, since_at=START), bad_deploy.policy)
    found = look_at(rooms, json.loads(wake.body(NAME, account_id=ACCOUNT, region=REGION)))

    assert isinstance(found, Explained)
    assert isinstance(found.decision, RollBack)
    assert (found.decision.to_version, bad_deploy.live) == ("1", "2")
    assert "move shop:live from version 2 to version 1" in found.would


def looked(history, policy, *, acting_until=None):
    rooms = rooms_in(history, policy)
    if acting_until:
        (name,) = rooms.journal._rows
        rooms.journal._rows[name] = replace(rooms.journal._rows[name], acting_until=acting_until)
    return look_at(rooms, json.loads(wake.body(NAME, account_id=ACCOUNT, region=REGION)))


def test_what_is_answered_already_is_said_and_the_gates_are_shown_all_the_same():
    house = House(policy_document(environment="prod"))
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.4)
    house.traffic(3)
    watching = looked(record(house, since_at=START), house.policy)
    house.traffic(8)
    over = looked(record(house, since_at=START), house.policy)

    assert watching.would == "nothing: a rollback is being verified"
    assert len(watching.explanation.answers) > 10
    assert house.incident.state is State.FIXED
    assert over.decision.reason is Reason.ALARM_NOT_FIRING
    assert over.would.startswith("nothing: answered by incident")


@pytest.mark.parametrize(
    ("late", "said"),
    [(1, "another attempt works on the service"), (-1, "an attempt ended without a word")],
)
def test_a_service_that_somebody_holds_is_named(bad_deploy, late, said):
    history = record(bad_deploy, since_at=START)
    until = bad_deploy.now + late * MINUTE

    assert said in looked(history, bad_deploy.policy, acting_until=until).would


# -- it only looks --------------------------------------------------------------------------------


def in_an_account(house, monkeypatch):
    """The house of a person who looks, in the account of a story; and every call that is sent."""
    sent = []

    def spied(operation, answer):
        sent.append(operation)
        return answer()

    made = clients_of(house, spied)

    def client(service, _place):
        if service != "dynamodb":
            return made(service)
        found = boto3.client("dynamodb", region_name=REGION)
        found.meta.events.register(
            "before-send.dynamodb", lambda event_name, **_: sent.append(event_name.split(".")[-1])
        )
        return found

    monkeypatch.setattr(people, "_client_in", client)
    monkeypatch.setattr(bootstrap, "utc_now", house.clock)
    rooms = people.looking_rooms(house.policy, "journal", people.Place(region=REGION))
    return rooms, sent


MODELLED = {"core": {"passthrough": {"services": ["cloudwatch", "lambda"], "urls": []}}}


def test_every_call_that_it_makes_is_a_read(bad_deploy, monkeypatch):
    with mock_aws(config=MODELLED):
        make_table()
        rooms, sent = in_an_account(bad_deploy, monkeypatch)
        found = look_at(rooms, json.loads(wake.body(NAME, account_id=ACCOUNT, region=REGION)))

    assert isinstance(found, Explained)
    assert set(sent) == {
        "BatchGetItem",
        "DescribeAlarms",
        "GetAlias",
        "GetItem",
        "GetMetricData",
        "ListAlarmMuteRules",
    }
    assert all(operation.startswith(people.READING) for operation in sent)


def test_an_act_is_refused_before_it_becomes_a_request(bad_deploy, monkeypatch):
    (pointer,) = bad_deploy.policy.services[0].pointers
    move = Move(to_version="1", expected_revision="any", claim_id="c")
    with mock_aws(config=MODELLED):
        make_table()
        rooms, sent = in_an_account(bad_deploy, monkeypatch)
        with pytest.raises(ActionDenied, match="UpdateAlias is not a read"):
            rooms.pointer(pointer).move(pointer, move)
        with pytest.raises(ActionDenied, match="UpdateItem is not a read"):
            rooms.journal.claim("shop", claim_id="c", may_act=True, now=bad_deploy.now)
        with pytest.raises(ActionDenied, match="UpdateItem is not a read"):
            rooms.budget.set_aside("c", limit=1, now=bad_deploy.now)

    assert sent == []
    assert bad_deploy.live == "2"


def test_a_record_can_only_be_looked_at(bad_deploy):
    rooms = rooms_in(record(bad_deploy, since_at=START), bad_deploy.policy)
    (pointer,) = bad_deploy.policy.services[0].pointers
    with pytest.raises(ActionDenied, match="is in a record"):
        rooms.pointer(pointer).move(
            pointer, Move(to_version="1", expected_revision="r", claim_id="c")
        )


# -- what is wrong with what it is given ----------------------------------------------------------


def test_a_record_says_everything_that_is_wrong_with_it(files, tmp_path, capsys):
    policy, facts = files
    document = json.loads(facts.read_text())
    document["regions"] = document.pop("region")
    document["series"][0]["statistic"] = 3
    facts.write_text(json.dumps(document))
    event = tmp_path / "event.json"
    event.write_text(wake.body(NAME, account_id=ACCOUNT, region=REGION))
    code, out = told(capsys, "explain", event, "--policy", policy, "--facts", facts)

    assert code == 2
    assert "write region, if that is meant, or remove it" in out.err
    assert "series[0].statistic: got 3; allowed: a string" in out.err


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "FileNotFoundError"), ("{", "JSONDecodeError")],
)
def test_an_event_that_cannot_be_read_is_bad_usage(text, said, files, tmp_path, capsys):
    policy, facts = files
    event = tmp_path / "event.json"
    if text is not None:
        event.write_text(text)
    code, out = told(capsys, "explain", event, "--policy", policy, "--facts", facts)

    assert code == 2
    assert said in out.err


def test_an_alarm_of_another_region_is_not_looked_at(files, tmp_path, capsys):
    policy, facts = files
    event = tmp_path / "event.json"
    event.write_text(wake.body(NAME, account_id=ACCOUNT, region="eu-west-1"))
    code, out = told(capsys, "explain", event, "--policy", policy, "--facts", facts)

    assert code == 1
    assert "other_region: the alarm is of region 'eu-west-1', this looks at 'us-east-1'" in out.out


def test_without_a_table_or_a_record_the_stack_is_asked_for_the_table(
    files, tmp_path, capsys, monkeypatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    policy, _ = files
    event = tmp_path / "event.json"
    event.write_text(wake.body(NAME, account_id=ACCOUNT, region=REGION))
    code, out = told(capsys, "explain", event, "--policy", policy, "--region", REGION)

    assert code == 3
    assert "stack RollbackResponder-prod could not be read" in out.err


def test_a_record_reads_back_to_itself(bad_deploy, tmp_path):
    history = record(bad_deploy, since_at=START)

    assert load(save(history, tmp_path)) == history
