"""The alarm that wakes the responder and the query that judges are the same metric."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from house import model_alarms
from local.aws_model import operations
from local.aws_model.alarm import Actions
from local.aws_model.alarm_book import Account
from local.aws_model.alarms_from_template import read
from local.aws_model.clients import cloudwatch_client
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import Metric
from rollback_responder.domain.assessment import is_bad
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import alarm_query, threshold_of
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate, Latency, Statistic
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from tests.infra.synthesis import POLICY

ACCOUNT = Account(id="111122223333", region="eu-west-1")
MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
MEASURED = [
    watched
    for watched in parse_policy(POLICY).watched()
    if not isinstance(watched.trigger, AdoptedAlarm)
]


def test_the_model_alarms_of_the_stories_are_those_of_the_template(synthesis):
    """What the stories prove in memory, they prove of the alarms that are deployed."""
    synthesised = {
        alarm.name: _core(replace(alarm, actions=Actions(), description=None))
        for template in synthesis.alarm_stacks
        for alarm in read(template.document, account=ACCOUNT)
    }
    expected = {alarm.name: _core(alarm) for alarm in model_alarms(synthesis.policy)}

    assert synthesised == expected


def _core(alarm):
    """All that decides when it fires; what a query that returns data is called does not."""
    queries = frozenset((q.stat, q.expression, q.return_data) for q in alarm.metrics)
    return {f.name: getattr(alarm, f.name) for f in fields(alarm)} | {"metrics": queries}


@pytest.mark.parametrize("watched", MEASURED, ids=lambda watched: watched.alarm_name)
def test_the_run_time_query_reads_the_series_of_the_alarm(synthesis, watched):
    requests = []
    client = cloudwatch_client(CloudWatch(account=ACCOUNT, clock=lambda: START))
    client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: requests.append(params),
    )
    CloudWatchMetrics(client).measure(
        watched.trigger, watched.pointer, new="2", previous="1", since_at=START - MINUTE, now=START
    )
    asked = {
        query["Id"].removeprefix("total_"): query["MetricStat"]
        for query in requests[0]["MetricDataQueries"]
        if query["Id"].startswith("total_")
    }
    template = synthesis.alarms()[watched.alarm_name]
    if "Metrics" in template:
        alarmed = {m["Id"]: m["MetricStat"] for m in template["Metrics"] if "MetricStat" in m}
    else:
        alarmed = {
            "latency": {
                "Metric": {
                    "Namespace": template["Namespace"],
                    "MetricName": template["MetricName"],
                    "Dimensions": template["Dimensions"],
                },
                "Period": template["Period"],
                "Stat": template.get("ExtendedStatistic") or template["Statistic"],
            }
        }

    assert len(requests) == 1, "new and previous version are read in one call"
    for series, stat in alarmed.items():
        assert asked[series] == stat


@given(
    requests=st.integers(0, 60),
    failed=st.floats(0, 1),
    threshold=st.floats(0.5, 99),
    floor=st.integers(1, 60),
)
def test_a_bad_minute_is_bad_for_the_alarm_and_for_the_judge(requests, failed, threshold, floor):
    """The metric math of the alarm and `is_bad` agree on every minute."""
    errors = round(requests * failed)
    trigger = ErrorRate(
        threshold_percent=threshold, minimum_requests=floor, minutes=1, breaching_minutes=1
    )
    target = LambdaAlias(function="shop", alias="live")
    model = CloudWatch(account=ACCOUNT, clock=lambda: START + 2 * MINUTE)
    query = alarm_query(trigger, target)
    for series, count in zip(query.series, (requests, errors), strict=True):
        metric = Metric.of(series.namespace, series.metric_name, dict(series.dimensions))
        if count:
            model.record(metric, timestamp=START, value=count)
    results = operations.call(
        model,
        "GetMetricData",
        {
            "MetricDataQueries": [
                *(_raw(series) for series in query.series),
                {"Id": "result", "Expression": query.expression},
            ],
            "StartTime": START.timestamp(),
            "EndTime": (START + MINUTE).timestamp(),
        },
    )["MetricDataResults"]
    (values,) = [r["Values"] for r in results if r["Id"] == "result"]
    alarmed = any(value > threshold_of(trigger) for value in values)

    assert alarmed == is_bad(trigger, Bucket(start_at=START, requests=requests, errors=errors))


def _raw(series):
    return {
        "Id": series.id,
        "ReturnData": False,
        "MetricStat": {
            "Metric": {
                "Namespace": series.namespace,
                "MetricName": series.metric_name,
                "Dimensions": [{"Name": n, "Value": v} for n, v in series.dimensions],
            },
            "Period": 60,
            "Stat": series.statistic,
        },
    }


@pytest.mark.parametrize("statistic", list(Statistic))
def test_the_judge_knows_the_alarms_low_sample_rule(statistic):
    """Where CloudWatch ignores a percentile for too few samples, so does the judge."""
    trigger = Latency(statistic=statistic, threshold_ms=100)
    enough = {"p50": 20, "p75": 40, "p90": 100, "p95": 200, "p99": 1000, "average": 1}
    few = Bucket(start_at=START, requests=enough[statistic.value] - 1, latency_ms=999)
    many = Bucket(start_at=START, requests=enough[statistic.value], latency_ms=999)

    assert [is_bad(trigger, few), is_bad(trigger, many)] == [False, True]
