"""The CloudWatch front, spoken to by real boto3 clients."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import emulator
from local.aws_model import front
from local.aws_model.alarm import Actions, CompositeAlarm, MetricAlarm, Suppressor
from local.aws_model.alarm_book import Account
from local.aws_model.clients import cloudwatch_client
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.evaluation import State, TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat, Query

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
ERRORS = Metric.of("AWS/Lambda", "Errors", {"FunctionName": "shop", "Resource": "shop:live"})
INVOCATIONS = Metric.of("AWS/Lambda", "Invocations", {"FunctionName": "shop"})
EMULATOR_PYTHON = Path(__file__).parents[3] / ".venv-emulator" / "bin" / "python"


def stat(metric, name="Sum"):
    return MetricStat(metric=metric, period=MINUTE, statistic=Statistic.parse(name))


ALARMS = [
    MetricAlarm(
        name="errors",
        description="d",
        actions=Actions(alarm=(TOPIC,)),
        stat=stat(ERRORS),
        evaluation_periods=3,
        datapoints_to_alarm=2,
        threshold=5.0,
        comparison="GreaterThanThreshold",
        treat_missing_data=TreatMissingData.NOT_BREACHING,
    ),
    MetricAlarm(
        name="rate",
        metrics=(
            Query(id="r", expression="100 * e / i", label="Error rate"),
            Query(id="e", stat=stat(ERRORS), return_data=False),
            Query(id="i", stat=stat(INVOCATIONS), return_data=False),
        ),
        evaluation_periods=1,
        threshold=5.0,
        comparison="GreaterThanThreshold",
    ),
    MetricAlarm(
        name="slow",
        stat=stat(Metric.of("AWS/Lambda", "Duration"), "p95"),
        evaluation_periods=1,
        threshold=5.0,
        comparison="GreaterThanThreshold",
        low_sample="ignore",
    ),
    CompositeAlarm(
        name="any",
        rule="ALARM(errors) OR ALARM(rate)",
        actions=Actions(alarm=(TOPIC,)),
        suppressor=Suppressor(alarm="slow", wait=MINUTE, extension=MINUTE),
    ),
]


class Clock:
    now = START

    def __call__(self):
        return self.now


@pytest.fixture
def world():
    clock = Clock()
    model = CloudWatch(account=Account(id="123456789012"), clock=clock)
    model.put_alarms(ALARMS)
    with front.serve(model) as server:
        client = boto3.client(
            "cloudwatch",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="123456789012",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )
        yield model, clock, client, server.url
        client.close()


def code_of(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_describe_alarms_returns_metric_alarms_only_unless_types_are_named(world):
    _, _, client, _ = world
    found = client.describe_alarms()
    assert [alarm["AlarmName"] for alarm in found["MetricAlarms"]] == ["errors", "rate", "slow"]
    assert found["CompositeAlarms"] == []
    both = client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    composite = both["CompositeAlarms"][0]
    assert composite["ActionsSuppressor"] == "slow"
    assert composite["ActionsSuppressorWaitPeriod"] == 60
    errors, rate, slow = both["MetricAlarms"]
    assert errors["Statistic"] == "Sum"
    assert errors["StateTransitionedTimestamp"] == START
    assert {"Name": "Resource", "Value": "shop:live"} in errors["Dimensions"]
    assert rate["Metrics"][0]["Expression"] == "100 * e / i"
    assert "DatapointsToAlarm" not in rate
    assert slow["ExtendedStatistic"] == "p95"
    assert slow["EvaluateLowSampleCountPercentile"] == "ignore"


def test_describe_alarms_filters_and_pages(world):
    _, _, client, _ = world
    names = ["errors", "nobody"]
    assert len(client.describe_alarms(AlarmNames=names)["MetricAlarms"]) == 1
    assert len(client.describe_alarms(AlarmNamePrefix="r")["MetricAlarms"]) == 1
    assert client.describe_alarms(StateValue="ALARM")["MetricAlarms"] == []
    pages = client.get_paginator("describe_alarms").paginate(
        AlarmTypes=["MetricAlarm", "CompositeAlarm"], PaginationConfig={"PageSize": 1}
    )
    assert sum(len(p["MetricAlarms"]) + len(p["CompositeAlarms"]) for p in pages) == len(ALARMS)
    refusal = code_of(client.describe_alarms, AlarmNames=["x"], AlarmNamePrefix="x")
    assert refusal == "ValidationError"
    assert code_of(client.describe_alarms, NextToken="!") == "InvalidNextToken"
    assert code_of(client.describe_alarms, MaxRecords=101) == "ValidationError"
    assert code_of(client.describe_alarms, StateValue="BAD") == "ValidationError"
    assert code_of(client.describe_alarms, ActionPrefix="arn:") == "ValidationError"


def test_get_metric_data_of_series_and_expression(world):
    model, clock, client, _ = world
    for minute in range(3):
        at = START + minute * MINUTE
        model.metrics.record(ERRORS, timestamp=at, value=minute)
        model.metrics.record(INVOCATIONS, timestamp=at, value=1, count=10)
    clock.now += 3 * MINUTE

    def raw(metric):
        return {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": n, "Value": v} for n, v in metric.dimensions],
            },
            "Period": 60,
            "Stat": "Sum",
        }

    queries = [
        {"Id": "rate", "Expression": "100 * e / i", "Label": "Error rate"},
        {"Id": "e", "MetricStat": raw(ERRORS)},
        {"Id": "i", "MetricStat": raw(INVOCATIONS), "ReturnData": False},
    ]
    found = client.get_metric_data(
        MetricDataQueries=queries, StartTime=START + timedelta(seconds=20), EndTime=clock.now
    )["MetricDataResults"]
    rate, errors = found
    assert (rate["Id"], rate["Label"], rate["StatusCode"]) == ("rate", "Error rate", "Complete")
    assert rate["Values"] == [20.0, 10.0, 0.0]
    assert rate["Timestamps"] == [START + i * MINUTE for i in (2, 1, 0)]
    assert errors["Label"] == "Errors"
    ascending = client.get_metric_data(
        MetricDataQueries=queries,
        StartTime=START,
        EndTime=START + 2 * MINUTE,
        ScanBy="TimestampAscending",
    )["MetricDataResults"][1]
    assert ascending["Values"] == [0.0, 1.0]


@pytest.mark.parametrize(
    "queries",
    [
        [],
        [{"Id": "A", "Expression": "1"}],
        [{"Id": "a", "Expression": "1"}],
        [{"Id": "a", "Expression": "b + 1"}],
        [{"Id": "a", "Expression": "a + 1"}],
        [{"Id": "a", "Expression": "SUM(a)"}],
        [{"Id": "a"}],
        [{"Id": "a", "Expression": "1"}, {"Id": "a", "Expression": "1"}],
        [{"Id": f"a{i}", "Expression": "1"} for i in range(501)],
    ],
)
def test_get_metric_data_refuses_what_cloudwatch_refuses(world, queries):
    _, _, client, _ = world
    arguments = {"MetricDataQueries": queries, "StartTime": START, "EndTime": START + MINUTE}
    assert code_of(client.get_metric_data, **arguments) == "ValidationError"


def test_put_metric_data_and_list_metrics(world):
    _, clock, client, _ = world
    dimensions = [{"Name": "service", "Value": "shop"}]
    client.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "Orders", "Value": 2, "Timestamp": START, "Dimensions": dimensions},
            {"MetricName": "Orders", "Values": [1, 3], "Counts": [2, 1], "Dimensions": dimensions},
        ],
    )
    found = client.list_metrics(Namespace="Shop", Dimensions=[{"Name": "service"}])["Metrics"]
    assert found == [{"Namespace": "Shop", "MetricName": "Orders", "Dimensions": dimensions}]
    assert client.list_metrics(MetricName="Nothing")["Metrics"] == []
    clock.now += MINUTE
    stat = {"Metric": found[0], "Period": 60, "Stat": "Sum"}
    (orders,) = client.get_metric_data(
        MetricDataQueries=[{"Id": "a", "MetricStat": stat}], StartTime=START, EndTime=clock.now
    )["MetricDataResults"]
    assert orders["Values"] == [7.0]
    data = [{"MetricName": "Errors", "Value": 1}]
    refused = code_of(client.put_metric_data, Namespace="AWS/Lambda", MetricData=data)
    # botocore translates the modelled shape's name.
    assert refused in {"InvalidParameterValue", "InvalidParameterValueException"}


def test_set_alarm_state_and_history(world):
    model, _, client, _ = world
    arguments = {"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "a drill"}
    client.set_alarm_state(**arguments)
    assert model.state("errors").value is State.ALARM
    composite = client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    assert composite["ActionsSuppressedBy"] == "WaitPeriod"
    items = client.describe_alarm_history(AlarmName="errors", HistoryItemType="StateUpdate")
    assert items["AlarmHistoryItems"][0]["HistorySummary"] == (
        "Alarm updated from INSUFFICIENT_DATA to ALARM"
    )
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.set_alarm_state(**(arguments | {"AlarmName": "nobody"}))
    with pytest.raises(client.exceptions.InvalidFormatFault):
        client.set_alarm_state(**arguments, StateReasonData="{")


def put_rule(client, name, at, *, alarms=("errors",), **more):
    schedule = {"Expression": f"at({at:%Y-%m-%dT%H:%M})", "Duration": "PT10M"}
    client.put_alarm_mute_rule(
        Name=name, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": list(alarms)}, **more
    )


@pytest.fixture(params=["front", "in process"])
def mutable(request, world):
    """The model, its clock, and a client over either way to it."""
    model, clock, client, _ = world
    return model, clock, client if request.param == "front" else cloudwatch_client(model)


def test_mute_rules_are_put_read_listed_and_deleted(mutable):
    model, clock, client = mutable
    expire = START + 90 * MINUTE
    put_rule(client, "now", START, Description="a deploy", ExpireDate=expire)
    put_rule(client, "later", START + timedelta(hours=1), alarms=("errors", "any"))
    rule = client.get_alarm_mute_rule(AlarmMuteRuleName="now")
    rule.pop("ResponseMetadata")
    assert rule == {
        "Name": "now",
        "AlarmMuteRuleArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:now",
        "Description": "a deploy",
        "Rule": {"Schedule": {"Expression": "at(2026-11-22T12:00)", "Duration": "PT10M"}},
        "MuteTargets": {"AlarmNames": ["errors"]},
        "ExpireDate": expire,
        "Status": "ACTIVE",
        "LastUpdatedTimestamp": START,
        "MuteType": "ONE_TIME",
    }

    def listed(**arguments):
        found = client.list_alarm_mute_rules(**arguments)["AlarmMuteRuleSummaries"]
        return [(one["AlarmMuteRuleArn"].split(":")[-1], one["Status"]) for one in found]

    assert listed() == [("later", "SCHEDULED"), ("now", "ACTIVE")]
    assert listed(AlarmName="any") == [("later", "SCHEDULED")]
    assert listed(AlarmName="slow") == []
    assert listed(AlarmName="errors", Statuses=["ACTIVE"]) == [("now", "ACTIVE")]
    clock.now += 10 * MINUTE
    assert listed(Statuses=["EXPIRED", "ACTIVE"]) == [("now", "EXPIRED")]
    client.delete_alarm_mute_rule(AlarmMuteRuleName="now")
    client.delete_alarm_mute_rule(AlarmMuteRuleName="now")
    assert [row.rule.name for row in model.mute_rules()] == ["later"]


def test_mute_rules_come_in_pages(mutable):
    _, _, client = mutable
    for number in range(53):
        put_rule(client, f"rule-{number:02}", START)
    first = client.list_alarm_mute_rules()
    assert len(first["AlarmMuteRuleSummaries"]) == 50
    rest = client.list_alarm_mute_rules(NextToken=first["NextToken"])
    assert len(rest["AlarmMuteRuleSummaries"]) == 3
    assert "NextToken" not in rest
    assert len(client.list_alarm_mute_rules(MaxRecords=2)["AlarmMuteRuleSummaries"]) == 2
    pages = client.get_paginator("list_alarm_mute_rules").paginate(MaxRecords=20)
    assert sum(len(page["AlarmMuteRuleSummaries"]) for page in pages) == 53


def test_a_mute_rule_over_the_wire_mutes(mutable):
    model, _, client = mutable
    seen = []
    model.listener = lambda transition: seen.append(transition) or ()
    put_rule(client, "now", START)
    model.set_alarm_state("errors", State.ALARM, "a drill")
    client.delete_alarm_mute_rule(AlarmMuteRuleName="now")
    mine = [one for one in seen if one.alarm.name == "errors"]
    assert [one.actions for one in mine] == [(), (TOPIC,)]


def test_mute_rules_refuse_as_cloudwatch_names_it(mutable):
    _, _, client = mutable
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_alarm_mute_rule(AlarmMuteRuleName="nobody")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_alarm_mute_rules(AlarmName="nobody")
    listing = client.list_alarm_mute_rules
    assert code_of(listing, NextToken="!") == "InvalidNextToken"
    assert code_of(listing, MaxRecords=101) == "ValidationError"
    assert code_of(listing, Statuses=["MUTED"]) == "ValidationError"
    many = [f"a{number}" for number in range(101)]
    for alarms in (many, ["nobody"]):
        assert code_of(put_rule, client=client, name="n", at=START, alarms=alarms) == (
            "ValidationError"
        )
    rule = {"Schedule": {"Expression": "cron(0 2 * * *)", "Duration": "PT1H"}}
    targets = {"AlarmNames": ["errors"]}
    for arguments in (
        {"MuteTargets": targets, "Rule": rule},
        {"Rule": {"Schedule": rule["Schedule"] | {"Expression": "at(2026-11-22T12:00)"}}},
        {"MuteTargets": targets, "Rule": rule, "Tags": [{"Key": "k", "Value": "v"}]},
    ):
        assert code_of(client.put_alarm_mute_rule, Name="n", **arguments) == "ValidationError"


def test_an_anomaly_detection_band_is_two_results_of_one_id(mutable):
    model, clock, client = mutable
    for minute in range(120):
        model.record(ERRORS, timestamp=START + minute * MINUTE, value=10 if minute % 2 else 20)
    clock.now += 120 * MINUTE
    metric = {
        "Namespace": ERRORS.namespace,
        "MetricName": ERRORS.name,
        "Dimensions": [{"Name": n, "Value": v} for n, v in ERRORS.dimensions],
    }
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    band = {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1)", "Label": "Errors (expected)"}
    errors, upper, lower = client.get_metric_data(
        MetricDataQueries=[{"Id": "m1", "MetricStat": stat}, band],
        StartTime=clock.now - 2 * MINUTE,
        EndTime=clock.now,
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    assert [errors["Id"], upper["Id"], lower["Id"]] == ["m1", "ad1", "ad1"]
    assert (upper["Label"], lower["Label"]) == ("Errors (expected) High", "Errors (expected) Low")
    assert errors["Timestamps"] == upper["Timestamps"] == lower["Timestamps"]
    assert upper["Values"][0] == 25.0
    assert lower["Values"][0] == 5.0
    nested = band | {"Expression": "ANOMALY_DETECTION_BAND(m1) + 1"}
    assert (
        code_of(
            client.get_metric_data,
            MetricDataQueries=[{"Id": "m1", "MetricStat": stat}, nested],
            StartTime=START,
            EndTime=clock.now,
        )
        == "ValidationError"
    )


def test_an_alarm_on_a_band_is_described_without_a_threshold(mutable):
    model, _, client = mutable
    model.put_alarms(
        [
            MetricAlarm(
                name="unusual",
                metrics=(
                    Query(id="m1", stat=stat(ERRORS)),
                    Query(id="ad1", expression="ANOMALY_DETECTION_BAND(m1, 2)"),
                ),
                evaluation_periods=3,
                threshold_metric_id="ad1",
                comparison="GreaterThanUpperThreshold",
            )
        ]
    )
    (alarm,) = client.describe_alarms(AlarmNames=["unusual"])["MetricAlarms"]
    assert "Threshold" not in alarm
    assert alarm["ThresholdMetricId"] == "ad1"
    assert alarm["ComparisonOperator"] == "GreaterThanUpperThreshold"
    assert [query["ReturnData"] for query in alarm["Metrics"]] == [True, True]


def test_unknown_operations(world):
    _, _, client, _ = world
    assert code_of(client.delete_alarms, AlarmNames=["errors"]) == "UnknownOperationException"


@pytest.mark.e2e
def test_the_boto3_that_the_emulators_functions_use_understands_it_too(world):
    emulator.install(print)
    _, _, _, url = world
    script = """
import sys, boto3
client = boto3.client("cloudwatch", endpoint_url=sys.argv[1], region_name="us-east-1",
                      aws_access_key_id="1" * 12, aws_secret_access_key="x")
print(boto3.__version__, len(client.describe_alarms()["MetricAlarms"]))
try:
    client.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="x")
except client.exceptions.ResourceNotFound as error:
    print(error.response["Error"]["Code"])
"""
    run = subprocess.run(
        [EMULATOR_PYTHON, "-c", script, url], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["1.43.106", "3", "ResourceNotFound"], sys.stderr
