"""`rollback backtest`: an account is read into a record, by reads alone, and then it is played."""

import json
import time
from datetime import timedelta

import pytest
from botocore.awsrequest import AWSResponse
from faults import client_error, on, refuse
from moto import mock_aws
from msgspec.structs import replace
from recording import clients_of, record

from house import MINUTE, REGION, START, House, policy_document
from local.aws_model.evaluation import State
from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from rollback_responder.cli.findings import Kind, findings_of
from rollback_responder.cli.history import History, load
from rollback_responder.cli.kept import Kept, kept_in
from rollback_responder.cli.main import run
from rollback_responder.cli.reading import Reader
from rollback_responder.cli.replay import Replay
from rollback_responder.cli.sweep import sweep, varied
from rollback_responder.cli.whole import backtest, with_mode
from rollback_responder.domain.response import Mode
from rollback_responder.domain.situation import Switches
from rollback_responder.journal.dynamodb import DynamoDbJournal
from tests.tables import make_table

DAY = timedelta(days=1)
NOTHING = Kept(rows={}, incidents=(), switches=Switches())


def silent(_):
    """No progress."""


@pytest.fixture(scope="module")
def observed():
    """A month in which the responder only observes: a bad deploy stays for a quarter of an hour."""
    house = House(policy_document(mode="observe"))
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.3)
    house.traffic(15)
    house.aliases.point("shop", "live", "1")
    house.traffic(10)
    return house


@pytest.fixture
def account(observed, monkeypatch, tmp_path):
    """The account of that house as a person's command sees it, and every call that it sends."""
    sent = []

    def spied(operation, answer):
        sent.append(operation)
        return observed.fault(operation, answer)

    made = clients_of(observed, spied)
    monkeypatch.setattr(people, "_client_in", lambda service, _: made(service))
    monkeypatch.setattr(bootstrap, "utc_now", observed.clock)
    policy = tmp_path / "cdk.json"
    policy.write_text(json.dumps({"context": {"rollback": policy_document(mode="observe")}}))
    yield policy, sent
    observed.fault = lambda _, answer: answer()


def called(capsys, *arguments):
    code = run([str(argument) for argument in arguments])
    return code, capsys.readouterr()


# -- reading --------------------------------------------------------------------------------------


def test_an_account_is_exported_with_reads_alone_and_played_from_the_file(
    account, tmp_path, capsys
):
    policy, sent = account
    common = ["--policy", policy, "--days", "1"]
    code, _ = called(capsys, "backtest", *common, "--export", tmp_path / "out")

    assert code == 0
    assert set(sent) == {
        "DescribeAlarmHistory",
        "DescribeAlarms",
        "GetMetricData",
        "ListAlarmMuteRules",
        "ListVersionsByFunction",
    }
    assert all(operation.startswith(people.READING) for operation in sent)
    code, from_file = called(capsys, "backtest", *common, "--from", tmp_path / "out", "--json")
    assert code == 0
    code, straight = called(capsys, "backtest", *common, "--json")
    assert code == 0
    assert json.loads(from_file.out) == json.loads(straight.out)
    (finding,) = [f for f in json.loads(straight.out)["findings"] if f["kind"] == "say"]
    assert (finding["version"], finding["to_version"]) == ("2", "1")


def test_it_says_on_the_way_what_it_reads(observed):
    told = []
    Reader(
        observed.policy,
        clients_of(observed),
        kept=NOTHING,
        span=(START, observed.now),
        progress=told.append,
    ).read()

    assert told[0] == "alarm rollback.test.shop.shop.live.error-rate"
    assert "versions of shop" in told
    assert any(text.startswith("minutes of 2026-11-22") for text in told)


def test_minutes_older_than_cloudwatch_keeps_them_are_not_judged_and_it_says_so(observed):
    history = record(observed, since_at=START)
    late = replace(history, from_at=START - 30 * DAY)
    read = Reader(
        observed.policy,
        clients_of(observed),
        kept=NOTHING,
        span=(observed.now - 30 * DAY, observed.now),
        progress=silent,
    ).read()

    assert read.begins_at == observed.now - 15 * DAY
    assert any("five-minute datapoints are not judged" in text for text in read.unknown)
    assert late.begins_at == START


def test_a_long_alarm_history_is_read_page_by_page(observed):
    house = House(policy_document(mode="observe"))
    house.deploy("v1")
    name = "rollback.test.shop.shop.live.error-rate"
    for number in range(130):
        house.now += MINUTE
        house.cloudwatch.set_alarm_state(
            name, State.ALARM if number % 2 == 0 else State.OK, "so", None
        )
    history = record(house, since_at=START)
    (alarm,) = [one for one in history.alarms if one.name == name]

    transitions = [
        item
        for item in house.cloudwatch.history()
        if item.alarm_name == name and item.kind == "StateUpdate"
    ]
    # Each transition, and how it stood when the record begins.
    assert len(transitions) > 130
    assert len(alarm.readings) == len(transitions) + 1


@pytest.mark.parametrize(
    "operation", ["DescribeAlarmHistory", "GetMetricData", "ListVersionsByFunction"]
)
def test_what_cannot_be_read_ends_the_command_with_its_name(operation, account, observed, capsys):
    policy, _ = account
    on(observed, operation, refuse(client_error("AccessDeniedException", operation)))
    code, out = called(capsys, "backtest", "--policy", policy, "--days", "1")

    assert code == 3
    assert "AccessDeniedException" in out.err


def test_where_versions_are_not_told_apart_the_journal_says_when_each_went_live(observed):
    """Assumption A4: ExecutedVersion may be missing for the version that takes all traffic."""
    house = House(policy_document())
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2")
    house.traffic(4)
    for metric in [m for m in house.cloudwatch.metrics.metrics() if "ExecutedVersion" in str(m)]:
        del house.cloudwatch.metrics._samples[metric]
    history = record(house, since_at=START)
    (pointer,) = history.pointers

    assert [(stay.primary, stay.by) for stay in pointer.stays] == [("2", "journal")]
    assert any("does not tell the versions behind shop:live apart" in t for t in history.unknown)
    bare = Reader(
        house.policy,
        clients_of(house),
        kept=NOTHING,
        span=(START, house.now),
        progress=silent,
    ).read()
    assert [(s.primary, s.by) for s in bare.pointers[0].stays] == [
        ("1", "publication"),
        ("2", "publication"),
    ]


def test_the_journals_rows_and_its_archive_are_read_from_the_table(observed):
    with mock_aws():
        client = make_table(REGION)
        journal = DynamoDbJournal(client, "journal", timedelta(seconds=90))
        row = observed.journal.rows(["shop"])["shop"]
        claim = journal.claim("shop", claim_id="c", may_act=False, now=observed.now)
        journal.close(claim, ledgers=row.ledgers, incident=row.incident)
        kept = kept_in(observed.policy, lambda _: client, "journal")

    assert kept.rows["shop"].ledgers == row.ledgers
    assert kept.incidents == (row.incident,)
    assert kept_in(observed.policy, lambda _: None, None) == NOTHING


def test_instants_are_utc_on_a_machine_of_any_zone(monkeypatch):
    """botocore reads epoch seconds in the machine's own zone."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    client = people.reading_client("codedeploy", people.Place(region=REGION))
    body = json.dumps({"deploymentInfo": {"createTime": START.timestamp()}}).encode()

    def answer(request, **_):
        answered = AWSResponse(request.url, 200, {}, None)
        answered._content = body
        return answered

    client.meta.events.register("before-send.codedeploy", answer)
    made = client.get_deployment(deploymentId="d-1")["deploymentInfo"]["createTime"]
    monkeypatch.undo()
    time.tzset()

    assert f"{made:%H:%M}" == f"{START:%H:%M}"


# -- what it finds --------------------------------------------------------------------------------


def test_what_enforcing_would_have_done_is_a_word_away(account, tmp_path, capsys):
    policy, _ = account
    arguments = ["--policy", policy, "--days", "1", "--mode", "enforce", "--json", "--no-sweep"]
    _, out = called(capsys, "backtest", *arguments)
    found = json.loads(out.out)
    (finding,) = [f for f in found["findings"] if f["kind"] == "roll_back"]

    assert found["mode"] == "enforce"
    assert finding["minutes_from_deploy"] == 2
    assert finding["evidence"]["verdict"] == "breaching"
    assert found["sweep"] == []


def test_alarms_that_were_not_there_yet_are_worked_out(observed):
    history = record(observed, since_at=START)
    bare = replace(history, alarms=())
    before = backtest(history, observed.policy, with_sweep=False, progress=silent)
    after = backtest(bare, observed.policy, with_sweep=False, progress=silent)

    assert len(after.modelled) == 2
    assert any("were not there yet" in text for text in after.unknown)
    assert [(f.kind, f.step.at) for f in after.findings] == [
        (f.kind, f.step.at) for f in before.findings
    ]


def test_a_threshold_above_the_fault_loses_it_and_more_bad_minutes_come_later(observed):
    history, policy = record(observed, since_at=START), observed.policy
    found = {(v.factor, v.breaching_minutes): v for v in sweep(history, policy, silent)}

    assert found[1.0, None].would_be == 1
    assert (found[1.0, None].later_minutes, found[1.0, None].lost) == (0, 0)
    assert found[1.0, 3].later_minutes == 1
    assert found[1.0, 1].later_minutes <= 0
    high = with_mode(varied(policy, 10.0, None), Mode.ENFORCE)
    kinds = {f.kind for f in findings_of(history, Replay(history, high).run().incidents)}
    assert kinds == {Kind.STAND_DOWN}


def test_every_finding_of_the_page_is_in_the_document_and_the_other_way_round(
    account, tmp_path, capsys
):
    policy, _ = account
    page = tmp_path / "page.html"
    _, out = called(capsys, "backtest", "--policy", policy, "--days", "1", "--json", "--html", page)
    text = page.read_text()
    findings = json.loads(out.out)["findings"]
    cards = [f for f in findings if f["kind"] in {"roll_back", "ask", "say"}]

    assert text.count('<article class="card">') == len(cards)
    assert text.count("<svg ") == len(cards) + 1
    for finding in findings:
        assert finding["reason"] in text
    assert findings_of(History(region="r", from_at=START, to_at=START), ()) == ()
    assert {Kind.SAY.name.lower()} <= {finding["kind"] for finding in findings}


def test_foreign_text_is_escaped_in_the_page(observed, tmp_path):
    from rollback_responder.cli.backtest_page import page  # noqa: PLC0415 - slow to load

    history = record(observed, since_at=START)
    history = replace(history, unknown=("<script>alert(1)</script>",))
    text = page(backtest(history, observed.policy, with_sweep=False, progress=silent))

    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "nowhere"], "nowhere: got FileNotFoundError"),
        (["--days", "0"], "--days"),
        (["--from", "{folder}", "--html", "{folder}/no/such/page.html"], "name a file that can be"),
    ],
)
def test_bad_usage_names_what_is_wrong(arguments, said, account, tmp_path, capsys):
    policy, _ = account
    called(capsys, "backtest", "--policy", policy, "--days", "1", "--export", tmp_path)
    given = [argument.format(folder=tmp_path) for argument in arguments]
    code, out = called(capsys, "backtest", "--policy", policy, "--no-sweep", *given)

    assert code == 2
    assert said in out.err
    assert load(tmp_path).region == REGION
