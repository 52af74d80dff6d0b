"""Reading CloudWatch: the shapes that are asked for, and that half an answer is none."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import ANY, Stubber

from house import House, model_alarms
from local.aws_model.alarm import CompositeAlarm
from local.aws_model.clients import cloudwatch_client
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.trigger import ErrorRate, Latency, Statistic
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from tests.builders import MINUTE, NOW, TARGET

RATE = ErrorRate(threshold_percent=5)
SLOW = Latency(statistic=Statistic.P95, threshold_ms=300)
M1, M2, M3 = NOW - 3 * MINUTE, NOW - 2 * MINUTE, NOW - MINUTE


@pytest.fixture
def stub():
    client = boto3.client("cloudwatch", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def series(name, points, status="Complete"):
    return {
        "Id": name,
        "Label": name,
        "Timestamps": list(points),
        "Values": [float(value) for value in points.values()],
        "StatusCode": status,
    }


def measured(stub, trigger=RATE, *, new=None, previous=None, **changes):
    given = {"since_at": NOW - 10 * MINUTE, "now": NOW} | changes
    return CloudWatchMetrics(stub.client).measure(
        trigger, TARGET, new=new, previous=previous, **given
    )


def answers(stub, *pages, params=None):
    for number, results in enumerate(pages):
        more = {"NextToken": f"t{number}"} if number < len(pages) - 1 else {}
        stub.add_response("get_metric_data", {"MetricDataResults": results} | more, params)


def query(name, metric, stat, version=None):
    dimensions = [
        {"Name": "FunctionName", "Value": "shop"},
        {"Name": "Resource", "Value": "shop:live"},
    ]
    if version:
        dimensions.append({"Name": "ExecutedVersion", "Value": version})
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions},
            "Period": 60,
            "Stat": stat,
        },
    }


def test_one_call_asks_for_all_traffic_and_both_versions(stub):
    names = [f"{s}_{m}" for s in ("total", "new", "previous") for m in ("requests", "latency")]
    asked = {
        "MetricDataQueries": [
            query("total_requests", "Invocations", "Sum"),
            query("total_latency", "Duration", "p95"),
            query("new_requests", "Invocations", "Sum", "2"),
            query("new_latency", "Duration", "p95", "2"),
            query("previous_requests", "Invocations", "Sum", "1"),
            query("previous_latency", "Duration", "p95", "1"),
        ],
        "StartTime": NOW - 10 * MINUTE,
        "EndTime": NOW + timedelta(seconds=42),
        "ScanBy": "TimestampAscending",
    }
    answers(stub, [series(name, {}) for name in names], params=asked)
    since_at = NOW - 10 * MINUTE + timedelta(seconds=59, microseconds=7)
    measured(stub, SLOW, new="2", previous="1", since_at=since_at, now=asked["EndTime"])


def test_minutes_with_requests_become_buckets(stub):
    answers(
        stub,
        [series("total_requests", {M1: 60, M2: 0, M3: 30}), series("total_errors", {M1: 3})],
    )
    assert measured(stub).total == (
        Bucket(start_at=M1, requests=60, errors=3),
        Bucket(start_at=M3, requests=30, errors=0),
    )


def test_latency_without_a_datapoint_is_not_known(stub):
    answers(
        stub,
        [series("total_requests", {M1: 60, M3: 30}), series("total_latency", {M1: 412.5})],
    )
    assert [bucket.latency_ms for bucket in measured(stub, SLOW).total] == [412.5, None]


def test_pages_are_put_together(stub):
    answers(
        stub,
        [series("total_requests", {M1: 60}, "PartialData"), series("total_errors", {M1: 1})],
        [series("total_requests", {M2: 50})],
    )
    assert [bucket.requests for bucket in measured(stub).total] == [60, 50]


@pytest.mark.parametrize(
    ("pages", "names"),
    [
        ([[series("total_requests", {}, "PartialData"), series("total_errors", {})]], "Partial"),
        ([[series("total_requests", {}), series("total_errors", {}, "InternalError")]], "Internal"),
        ([[series("total_requests", {}, "Forbidden"), series("total_errors", {})]], "Forbidden"),
        # Whatever fails on a page that is not the last stays failed.
        (
            [[series("total_requests", {}), series("total_errors", {}, "InternalError")], []],
            "InternalError",
        ),
        # A series that was to be continued and never was.
        (
            [
                [series("total_requests", {M1: 1}, "PartialData")],
                [series("total_errors", {})],
            ],
            "PartialData for total_requests",
        ),
        # A series that nobody answered about is not one without errors.
        ([[series("total_requests", {M1: 60})]], "NoAnswer for total_errors"),
        ([[]], "NoAnswer"),
    ],
)
def test_half_an_answer_is_no_measurement(stub, pages, names):
    for number, results in enumerate(pages):
        more = {"NextToken": "t"} if number < len(pages) - 1 else {}
        stub.add_response("get_metric_data", {"MetricDataResults": results} | more)
        if "Internal" in names or "Forbidden" in names:
            break
    with pytest.raises(MeasurementError, match=names):
        measured(stub)


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "InternalServiceFault"])
def test_an_error_is_a_measurement_error_without_its_text(stub, code):
    metrics = CloudWatchMetrics(stub.client)
    stub.add_client_error("get_metric_data", code, "arn:secret")
    stub.add_client_error("describe_alarms", code, "arn:secret")
    stub.add_client_error("get_metric_data", code, "arn:secret")
    for read in (
        lambda: measured(stub),
        lambda: metrics.read_alarms(["a"]),
        lambda: metrics.count_requests(TARGET, since_at=M1, now=NOW),
    ):
        with pytest.raises(MeasurementError, match=code) as raised:
            read()
        assert "secret" not in str(raised.value)


def test_no_answer_is_a_measurement_error():
    def silent(operation, answer):
        raise ReadTimeoutError(endpoint_url="https://x")

    metrics = CloudWatchMetrics(cloudwatch_client(House().cloudwatch, silent))
    with pytest.raises(MeasurementError, match="ReadTimeoutError"):
        metrics.read_alarms(["a"])


def test_requests_are_counted(stub):
    answers(stub, [series("total_requests", {M1: 60, M2: 0, M3: 30})])

    assert CloudWatchMetrics(stub.client).count_requests(TARGET, since_at=M1, now=NOW) == 90


# -- alarms ---------------------------------------------------------------------------------------


def described(name, **changes):
    shown = {
        "AlarmName": name,
        "StateValue": "ALARM",
        "ActionsEnabled": True,
        "StateUpdatedTimestamp": M3,
        "StateTransitionedTimestamp": M1,
    } | changes
    return {key: value for key, value in shown.items() if value is not None}


def alarms(stub, metric=(), composite=(), names=("a",)):
    stub.add_response(
        "describe_alarms",
        {"MetricAlarms": list(metric), "CompositeAlarms": list(composite)},
        {"AlarmNames": list(names), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
    )
    return CloudWatchMetrics(stub.client).read_alarms(list(names))


def test_the_onset_is_the_transition_not_the_update(stub):
    assert alarms(stub, [described("a")])["a"].transitioned_at == M1


def test_an_alarm_without_a_transition_began_with_its_update(stub):
    found = alarms(stub, [described("a", StateTransitionedTimestamp=None)])

    assert found["a"].transitioned_at == M3


@pytest.mark.parametrize("doubt", ["PARTIAL_DATA", "EVALUATION_FAILURE", "EVALUATION_ERROR"])
def test_what_cloudwatch_doubts_is_said(stub, doubt):
    assert alarms(stub, [described("a", EvaluationState=doubt)])["a"].unsound == doubt


def test_disabled_and_suppressed_alarms_say_so(stub):
    found = alarms(
        stub,
        [described("a", ActionsEnabled=False)],
        [described("b", ActionsSuppressedBy="Alarm")],
        names=("a", "b"),
    )
    assert not found["a"].actions_enabled
    assert found["b"].suppressed_by == "Alarm"


def test_what_is_not_answered_does_not_exist(stub):
    assert alarms(stub) == {}


def test_more_than_a_hundred_names_are_asked_for_in_hundreds(stub):
    names = sorted(f"alarm-{number:03d}" for number in range(250))
    for first in (0, 100, 200):
        stub.add_response(
            "describe_alarms",
            {"MetricAlarms": [described(n) for n in names[first : first + 100]]}
            | {"CompositeAlarms": []},
            {"AlarmNames": names[first : first + 100], "AlarmTypes": ANY},
        )
    assert CloudWatchMetrics(stub.client).read_alarms(reversed(names)).keys() == set(names)


def test_no_names_are_no_call(stub):
    assert CloudWatchMetrics(stub.client).read_alarms([]) == {}


def test_the_model_takes_the_same_questions():
    """Against the strict model, which checks each request by the SDK's own service model."""
    house = House()
    name = model_alarms(house.policy)[0].name
    house.cloudwatch.put_alarms([CompositeAlarm(name="both", rule=f'ALARM("{name}")')])
    house.deploy("v1", errors=0.5)
    house.traffic(4, watch=False)
    metrics = house.rooms.metrics
    found = metrics.read_alarms([name, "both", "nobody"])
    measurement = metrics.measure(
        RATE, TARGET, new="1", previous=None, since_at=house.now - 10 * MINUTE, now=house.now
    )

    assert {key: alarm.state for key, alarm in found.items()} == {
        name: AlarmState.ALARM,
        "both": AlarmState.ALARM,
    }
    assert [bucket.requests for bucket in measurement.new] == [60] * 4
    assert measurement.new == measurement.total
    assert measurement.previous == ()
    assert measurement.total[0].start_at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert metrics.count_requests(TARGET, since_at=house.now - 2 * MINUTE, now=house.now) == 120
