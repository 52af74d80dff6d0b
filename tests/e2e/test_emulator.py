"""The real emulator and the real CDK command line."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from local import cdk, emulator
from local.aws_model.alarm import Actions, CompositeAlarm, MetricAlarm
from local.aws_model.evaluation import State, TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat, Query
from local.clock import TimeLapse
from local.traffic import Traffic
from local.world import opened

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
PROBE = """
import os, time, boto3
def handler(event, context):
    alarms = boto3.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])
    return {
        "time": time.time(),
        "remaining_ms": context.get_remaining_time_in_millis(),
        "alarms": [alarm["AlarmName"] for alarm in alarms["CompositeAlarms"]],
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "environment": sorted(os.environ),
    }
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    emulator.install(print)
    cdk.install(print)
    problems = []
    # What the person who runs this may have set must neither be used nor get in the way.
    monkeypatch = pytest.MonkeyPatch()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of-a-real-account")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    clock = TimeLapse.starting_now(30)
    with opened(run_folder=folder, clock=clock, report=problems.append) as found:
        yield found
    monkeypatch.undo()
    assert problems == []


@pytest.fixture(scope="module")
def clients(world):
    made = {name: world.emulator.client(name) for name in ("lambda", "sqs", "sns", "events", "iam")}
    yield made
    for client in made.values():
        client.close()


def until(check, seconds=20.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    return check()


def receive(clients, url):
    messages = clients["sqs"].receive_message(QueueUrl=url).get("Messages", [])
    for message in messages:
        clients["sqs"].delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def queue(clients, name):
    url = clients["sqs"].create_queue(QueueName=name)["QueueUrl"]
    found = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def function(world, clients, name, source):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("index.py", source)
    return clients["lambda"].create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=f"arn:aws:iam::{world.emulator.account}:role/x",
        Handler="index.handler",
        Code={"ZipFile": data.getvalue()},
        Timeout=20,
    )["FunctionArn"]


def test_a_function_sees_the_model_clock_the_front_and_nothing_of_this_machine(world, clients):
    world.model.put_alarms([CompositeAlarm(name="seen", rule="FALSE")])
    function(world, clients, "probe", PROBE)
    answer = clients["lambda"].invoke(FunctionName="probe")
    with answer["Payload"] as body:
        seen = json.loads(body.read())
    ahead = world.clock.now().timestamp() - time.time()
    assert abs(seen["time"] - world.clock.now().timestamp()) < 30
    assert ahead < 10 or abs(seen["time"] - time.time()) > 5
    assert 10_000 < seen["remaining_ms"] <= 20_000
    assert "seen" in seen["alarms"]
    assert seen["account"] == world.emulator.account
    assert not {"AWS_PROFILE", "HTTP_PROXY", "VIRTUAL_ENV"} & set(seen["environment"])


def test_no_start_of_a_function_compiles_the_sdk(world):
    """A worker keeps no bytecode, so what is not there is compiled at each of its starts."""
    (sdk,) = emulator.ENVIRONMENT.glob("lib/*/site-packages/botocore")
    sources = {path.stem for path in sdk.glob("*.py")}
    compiled = {path.name.partition(".")[0] for path in sdk.glob("__pycache__/*.pyc")}
    assert "session" in sources
    assert sources <= compiled


def test_a_transition_reaches_a_queue_by_topic_and_by_rule(world, clients):
    by_topic, by_topic_arn = queue(clients, "by-topic")
    by_rule, by_rule_arn = queue(clients, "by-rule")
    topic = clients["sns"].create_topic(Name="alarms")["TopicArn"]
    clients["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_topic_arn)
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "resources": [{"prefix": f"arn:aws:cloudwatch:us-east-1:{world.emulator.account}:alarm:e"}],
    }
    clients["events"].put_rule(Name="alarms", EventPattern=json.dumps(pattern))
    clients["events"].put_targets(Rule="alarms", Targets=[{"Id": "q", "Arn": by_rule_arn}])
    metric = Metric.of("Demo", "Errors")
    world.model.put_alarms(
        [
            MetricAlarm(
                name="errors",
                actions=Actions(alarm=(topic,)),
                stat=MetricStat(
                    metric=metric, period=timedelta(minutes=1), statistic=Statistic.parse("Sum")
                ),
                evaluation_periods=1,
                threshold=1.0,
                comparison="GreaterThanThreshold",
                treat_missing_data=TreatMissingData.NOT_BREACHING,
            )
        ]
    )
    world.model.record(metric, timestamp=world.clock.now(), value=5)
    world.wait_until(
        lambda: world.model.state("errors").value is State.ALARM, what="ALARM", model_seconds=600
    )
    message = json.loads(until(lambda: receive(clients, by_topic))[0]["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == ("errors", "ALARM")
    event = until(lambda: receive(clients, by_rule))[0]
    assert event["detail"]["state"]["value"] in {"OK", "ALARM"}
    assert event["source"] == "aws.cloudwatch"


def test_a_transition_invokes_a_function_directly(world, clients):
    url, _ = queue(clients, "from-function")
    arn = function(
        world,
        clients,
        "direct",
        "import boto3, json\n"
        "def handler(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl='{url}', MessageBody=json.dumps(event))\n",
    )
    world.model.put_alarms(
        [CompositeAlarm(name="direct", rule="FALSE", actions=Actions(alarm=(arn,)))]
    )
    world.model.tick()
    world.model.set_alarm_state("direct", State.ALARM, "a drill")
    payload = until(lambda: receive(clients, url))[0]
    assert payload["alarmArn"] == world.model.account.alarm_arn("direct")
    assert payload["alarmData"]["state"]["value"] == "ALARM"


def test_a_rate_fires_on_model_minutes(world, clients):
    url, arn = queue(clients, "every-minute")
    clients["events"].put_rule(Name="tick", ScheduleExpression="rate(1 minute)")
    clients["events"].put_targets(Rule="tick", Targets=[{"Id": "q", "Arn": arn}])
    bodies = []
    until(lambda: bodies.extend(receive(clients, url)) or len(bodies) >= 2)
    clients["events"].remove_targets(Rule="tick", Ids=["q"])
    clients["events"].delete_rule(Name="tick")
    times = [datetime.fromisoformat(body["time"]) for body in bodies]
    assert times[1] - times[0] == timedelta(minutes=1)


def error_rate():
    dimensions = {"FunctionName": "shop", "Resource": "shop:live"}

    def stat(name):
        return MetricStat(
            metric=Metric.of("AWS/Lambda", name, dimensions),
            period=timedelta(minutes=1),
            statistic=Statistic.parse("Sum"),
        )

    return MetricAlarm(
        name="shop-error-rate",
        metrics=(
            Query(id="rate", expression="IF(i >= 5, 100 * FILL(e, 0) / i, 0)"),
            Query(id="e", stat=stat("Errors"), return_data=False),
            Query(id="i", stat=stat("Invocations"), return_data=False),
        ),
        evaluation_periods=3,
        datapoints_to_alarm=2,
        threshold=5.0,
        comparison="GreaterThanThreshold",
        treat_missing_data=TreatMissingData.NOT_BREACHING,
    )


def test_deploying_the_shop_twice_keeps_version_1_and_traffic_becomes_metrics(world, clients):
    world.cdk.bootstrap()
    for release in ("good_v1", "bad_errors"):
        app = cdk.App(
            command="python3 local/shop/app.py",
            output=world.cdk.run_folder / f"shop-{release}",
            context={"release": release},
        )
        world.cdk.deploy(app, ["Shop"])
    found = clients["lambda"].list_versions_by_function(FunctionName="shop")["Versions"]
    assert [version["Version"] for version in found] == ["$LATEST", "1", "2"]
    alias = clients["lambda"].get_alias(FunctionName="shop", Name="live")
    assert alias["FunctionVersion"] == "2"
    weights = {"AdditionalVersionWeights": {"1": 0.5}}
    clients["lambda"].update_alias(FunctionName="shop", Name="live", RoutingConfig=weights)
    world.model.put_alarms([error_rate()])
    with Traffic(world.emulator, world.model, requests_per_second=12) as traffic:
        until(lambda: len(traffic.last_minute().versions) == 2)
        until(lambda: traffic.last_minute().errors_by_version.get("2", 0) >= 2)
        counts = traffic.last_minute()
        alarm = world.model.state
        world.wait_until(
            lambda: alarm("shop-error-rate").value is State.ALARM, what="ALARM", model_seconds=900
        )
    assert set(counts.versions) == {"1", "2"}
    assert set(counts.errors_by_version) == {"2"}
    assert traffic.last_refusal is None
    names = {dict(m.dimensions).get("ExecutedVersion") for m in world.model.metrics.metrics()}
    assert {"1", "2"} <= names


def test_a_failing_cdk_command_shows_its_whole_output(world):
    app = cdk.App(command="python3 local/shop/app.py", output=world.cdk.run_folder / "none")
    with pytest.raises(cdk.CdkError, match="Give -c release= one of bad_errors"):
        world.cdk.synth(app)


@pytest.mark.parametrize("ending", ["exception", "sigterm", "ctrl-c"])
def test_no_process_is_left_behind(tmp_path, ending):
    script = """
import pathlib, sys, time
from local import emulator
folder = pathlib.Path(sys.argv[1])
with emulator.started(
    run_folder=folder, account="1" * 12, elsewhere={"cloudwatch": "http://127.0.0.1:9"}
) as here:
    print(here.url, flush=True)
    if sys.argv[2] == "exception":
        raise RuntimeError("on purpose")
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), ending],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        if ending != "exception":
            process.send_signal(signal.SIGTERM if ending == "sigterm" else signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode != 0
    left = [
        folder.name
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and str(tmp_path) in environment_of(folder)
    ]
    assert left == []


def environment_of(folder):
    try:
        return os.fsdecode((folder / "environ").read_bytes())
    except OSError:
        return ""
