"""Reading CloudWatch: the shapes that are asked for, and that half an answer is none."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from house import House, model_alarms
from local.aws_model.alarm import CompositeAlarm
from local.aws_model.alarm_book import Account
from local.aws_model.clients import cloudwatch_client
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import Metric
from local.aws_model.mute_rules import MuteRule
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorRate,
    ApiType,
    DeadLetters,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
    Ratio,
    Throttles,
    Timeouts,
)
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from tests.builders import MINUTE, NOW, TARGET

RATE = ErrorRate(threshold_percent=5)
SLOW = Latency(statistic="p95", threshold_ms=300)
TURNED_AWAY = Throttles(threshold_percent=1)
DECLINED = Ratio(
    name="declined",
    bad=MetricName(namespace="Shop", name="Declined"),
    whole=MetricName(namespace="Shop", name="Payments"),
    threshold_percent=5,
)
DEAD = DeadLetters(queue="dead")
UNUSUAL = Anomaly(name="basket", metric=MetricName(namespace="Shop", name="Basket"))
M1, M2, M3 = NOW - 3 * MINUTE, NOW - 2 * MINUTE, NOW - MINUTE


@pytest.fixture
def stub():
    client = boto3.client("cloudwatch", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def series(name, points, status="Complete", label=None):
    return {
        "Id": name,
        "Label": label or name,
        "Timestamps": list(points),
        "Values": [float(value) for value in points.values()],
        "StatusCode": status,
    }


def asked(trigger=RATE, **versions):
    """The question of a trigger, and those of the versions behind the alias."""
    return {"total": question_of(trigger, TARGET)} | {
        name: question_of(trigger, TARGET, version=version) for name, version in versions.items()
    }


def read(stub, questions=None, **changes):
    given = {"since_at": NOW - 10 * MINUTE, "now": NOW} | changes
    return CloudWatchMetrics(stub.client).read(questions or asked(), **given)


def buckets(stub, trigger=RATE):
    """What comes of one question, as what is not usual in it, by the minute."""
    return [
        (b.start_at, b.requests, b.errors, b.value, b.limit)
        for b in read(stub, asked(trigger))["total"]
    ]


def answers(stub, *pages, params=None):
    for number, results in enumerate(pages):
        more = {"NextToken": f"t{number}"} if number < len(pages) - 1 else {}
        stub.add_response("get_metric_data", {"MetricDataResults": results} | more, params)


def query(name, metric, stat, version=None):
    dimensions = {"FunctionName": "shop", "Resource": "shop:live"}
    if version:
        dimensions["ExecutedVersion"] = version
    return query_of(name, "AWS/Lambda", metric, stat, dimensions)


def query_of(name, namespace, metric, stat, dimensions):
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": 60,
            "Stat": stat,
        },
    }


# -- what is asked for ----------------------------------------------------------------------------


def test_one_call_asks_for_all_questions(stub):
    names = [f"{s}_{m}" for s in ("total", "new", "previous") for m in ("requests", "value")]
    request = {
        "MetricDataQueries": [
            query("total_requests", "Invocations", "Sum"),
            query("total_value", "Duration", "p95"),
            query("new_requests", "Invocations", "Sum", "2"),
            query("new_value", "Duration", "p95", "2"),
            query("previous_requests", "Invocations", "Sum", "1"),
            query("previous_value", "Duration", "p95", "1"),
        ],
        "StartTime": NOW - 10 * MINUTE,
        "EndTime": NOW + timedelta(seconds=42),
        "ScanBy": "TimestampAscending",
    }
    answers(stub, [series(name, {}) for name in names], params=request)
    since_at = NOW - 10 * MINUTE + timedelta(seconds=59, microseconds=7)
    questions = asked(SLOW, new="2", previous="1")

    found = read(stub, questions, since_at=since_at, now=request["EndTime"])
    assert found == {"total": (), "new": (), "previous": ()}


@pytest.mark.parametrize(
    ("trigger", "queries"),
    [
        (
            RATE,
            [
                query("total_requests", "Invocations", "Sum"),
                query("total_errors", "Errors", "Sum"),
            ],
        ),
        (
            # The throttled are part of the whole, and are read once.
            TURNED_AWAY,
            [
                query("total_requests", "Invocations", "Sum"),
                query("total_throttles", "Throttles", "Sum"),
            ],
        ),
        (
            # A log knows no alias, so the whole is the function's too.
            Timeouts(threshold_percent=1),
            [
                query_of(
                    "total_requests", "AWS/Lambda", "Invocations", "Sum", {"FunctionName": "shop"}
                ),
                query_of("total_errors", "RollbackResponder/Timeouts", "shop", "Sum", {}),
            ],
        ),
        (
            LatencyTimesNormal(statistic="average", times=3),
            [
                query("total_requests", "Invocations", "Sum"),
                query("total_value", "Duration", "Average"),
            ],
        ),
        (
            ApiErrorRate(api=Api(name="shop", stage="prod"), threshold_percent=1),
            [
                query_of(
                    f"total_{name}",
                    "AWS/ApiGateway",
                    metric,
                    stat,
                    {"ApiName": "shop", "Stage": "prod"},
                )
                for name, metric, stat in (
                    ("requests", "Count", "SampleCount"),
                    ("errors", "5XXError", "Sum"),
                )
            ],
        ),
        (
            ApiErrorRate(api=Api(name="a1b2", type=ApiType.HTTP), threshold_percent=1),
            [
                query_of(f"total_{name}", "AWS/ApiGateway", metric, stat, {"ApiId": "a1b2"})
                for name, metric, stat in (
                    ("requests", "Count", "SampleCount"),
                    ("errors", "5xx", "Sum"),
                )
            ],
        ),
        (
            DEAD,
            [
                query_of(
                    "total_value",
                    "AWS/SQS",
                    "ApproximateNumberOfMessagesVisible",
                    "Maximum",
                    {"QueueName": "dead"},
                )
            ],
        ),
        (
            UNUSUAL,
            [
                query_of("total_value", "Shop", "Basket", "Average", {}),
                {"Id": "total_band", "Expression": "ANOMALY_DETECTION_BAND(total_value, 2)"},
            ],
        ),
    ],
    ids=lambda case: getattr(case, "label", None),
)
def test_each_question_is_asked_by_its_own_metrics(stub, trigger, queries):
    params = {
        "MetricDataQueries": queries,
        "StartTime": ANY,
        "EndTime": ANY,
        "ScanBy": ANY,
    }
    answers(stub, [series(one["Id"], {}) for one in queries], params=params)

    assert buckets(stub, trigger) == []


def test_no_questions_are_no_call(stub):
    metrics = CloudWatchMetrics(stub.client)

    assert metrics.read({}, since_at=M1, now=NOW) == {}


# -- what comes of the answers --------------------------------------------------------------------


def test_minutes_with_requests_become_buckets(stub):
    answers(
        stub,
        [series("total_requests", {M1: 60, M2: 0, M3: 30}), series("total_errors", {M1: 3})],
    )
    assert read(stub)["total"] == (
        Bucket(start_at=M1, requests=60, errors=3),
        Bucket(start_at=M3, requests=30, errors=0),
    )


@pytest.mark.parametrize(
    ("requests", "errors", "expected"),
    [
        # An absent count is none, where there are requests.
        ({M1: 60}, {}, [(M1, 60, 0)]),
        # Without requests nothing is known, whatever went wrong.
        ({}, {M1: 3}, []),
        ({M1: 0}, {M1: 3}, []),
        ({M2: 10}, {M1: 3}, [(M2, 10, 0)]),
        # Two metrics need not agree; no more can be bad than there were.
        ({M1: 2, M2: 3}, {M1: 5, M2: 3}, [(M1, 2, 2), (M2, 3, 3)]),
        # Oldest first, however they came.
        ({M3: 3, M1: 1, M2: 2}, {M2: 1, M3: 2}, [(M1, 1, 0), (M2, 2, 1), (M3, 3, 2)]),
    ],
)
@pytest.mark.parametrize("trigger", [RATE, DECLINED, Timeouts(threshold_percent=5)])
def test_bad_requests_are_counted_of_all(stub, trigger, requests, errors, expected):
    answers(stub, [series("total_requests", requests), series("total_errors", errors)])

    assert buckets(stub, trigger) == [(*counts, None, None) for counts in expected]


@pytest.mark.parametrize(
    ("requests", "throttles", "expected"),
    [
        ({M1: 60}, {M1: 20}, [(M1, 80, 20)]),
        ({M1: 60}, {M1: 0}, [(M1, 60, 0)]),
        ({M1: 60}, {}, [(M1, 60, 0)]),
        # Nothing got through: every request that came was throttled.
        ({}, {M1: 20}, [(M1, 20, 20)]),
        ({M1: 0}, {M1: 20}, [(M1, 20, 20)]),
        ({M1: 5, M3: 1}, {M2: 7}, [(M1, 5, 0), (M2, 7, 7), (M3, 1, 0)]),
        ({M2: 5}, {M3: 1, M1: 9}, [(M1, 9, 9), (M2, 5, 0), (M3, 1, 1)]),
        ({M1: 0}, {M1: 0}, []),
        ({}, {}, []),
    ],
)
def test_the_throttled_are_part_of_the_whole(stub, requests, throttles, expected):
    answers(stub, [series("total_requests", requests), series("total_throttles", throttles)])

    assert buckets(stub, TURNED_AWAY) == [(*counts, None, None) for counts in expected]


MINUTES = st.dictionaries(
    st.sampled_from([NOW - n * MINUTE for n in range(1, 9)]), st.integers(0, 99)
)


@given(requests=MINUTES, bad=MINUTES, throttles=st.booleans())
def test_never_more_are_bad_than_there_were_and_every_minute_comes_once(requests, bad, throttles):
    client = boto3.client("cloudwatch", region_name="us-east-1")
    name = "throttles" if throttles else "errors"
    with Stubber(client) as stub:
        answers(stub, [series("total_requests", requests), series(f"total_{name}", bad)])
        found = read(stub, asked(TURNED_AWAY if throttles else RATE))["total"]

    starts = [bucket.start_at for bucket in found]
    served = {at for at, count in requests.items() if count}
    assert starts == sorted(served | {at for at, count in bad.items() if count and throttles})
    for bucket in found:
        assert 0 <= bucket.errors <= bucket.requests
        assert bucket.errors == bad.get(bucket.start_at, 0) or bucket.errors == bucket.requests


@pytest.mark.parametrize("trigger", [SLOW, LatencyTimesNormal(statistic="p95", times=5)])
def test_latency_without_a_datapoint_is_not_known(stub, trigger):
    answers(
        stub,
        [
            series("total_requests", {M1: 60, M2: 0, M3: 30}),
            # A duration without a request is nobody's.
            series("total_value", {M1: 412.5, M2: 9}),
        ],
    )
    assert buckets(stub, trigger) == [(M1, 60, 0, 412.5, None), (M3, 30, 0, None, None)]


def test_a_number_of_its_own_stands_for_one_request_a_minute(stub):
    """Zero messages are a number too."""
    answers(stub, [series("total_value", {M3: 7, M1: 0})])

    assert buckets(stub, DEAD) == [(M1, 1, 0, 0.0, None), (M3, 1, 0, 7.0, None)]


HIGH, LOW = {M1: 40, M2: 41, M3: 42}, {M1: -4, M2: -5, M3: -6}


@pytest.mark.parametrize(
    "edges",
    [
        [series("total_band", HIGH, label="High"), series("total_band", LOW, label="Low")],
        [series("total_band", LOW, label="Low"), series("total_band", HIGH, label="High")],
        # Page by page, each edge in its own order.
        [
            series("total_band", {M1: -4}, label="Low"),
            series("total_band", {M2: 41, M3: 42}, label="High"),
            series("total_band", {M1: 40}, label="High"),
            series("total_band", {M2: -5, M3: -6}, label="Low"),
        ],
    ],
)
def test_the_limit_is_the_upper_edge_of_the_band_in_whatever_order_it_comes(stub, edges):
    answers(stub, [series("total_value", {M1: 5, M2: 50, M3: 41}), *edges])

    assert buckets(stub, UNUSUAL) == [
        (M1, 1, 0, 5.0, 40.0),
        (M2, 1, 0, 50.0, 41.0),
        (M3, 1, 0, 41.0, 42.0),
    ]


@given(middles=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), width=st.floats(0, 1e3))
def test_a_band_below_zero_has_an_upper_edge_too(middles, width):
    client = boto3.client("cloudwatch", region_name="us-east-1")
    at = [NOW - n * MINUTE for n in range(len(middles), 0, -1)]
    low = dict(zip(at, (m - width for m in middles), strict=True))
    high = dict(zip(at, (m + width for m in middles), strict=True))
    with Stubber(client) as stub:
        values = series("total_value", dict.fromkeys(at, 1))
        answers(stub, [values, series("total_band", high, label="a"), series("total_band", low)])
        found = read(stub, asked(UNUSUAL))["total"]

    assert [bucket.limit for bucket in found] == list(high.values())


def test_a_minute_that_cloudwatch_has_no_band_for_has_no_limit(stub):
    """It learns for up to a day; a band reaches minutes that have no datapoint, too."""
    answers(
        stub,
        [series("total_value", {M1: 5, M3: 6}), series("total_band", {M2: 9, M3: 9})],
    )
    assert buckets(stub, UNUSUAL) == [(M1, 1, 0, 5.0, None), (M3, 1, 0, 6.0, 9.0)]


def test_questions_are_answered_apart(stub):
    """Siblings are asked in the same call, each in its own words."""
    answers(
        stub,
        [
            series("total_value", {M1: 7}),
            series("sibling0_requests", {M1: 60, M2: 60}),
            series("sibling0_errors", {M2: 6}),
            series("sibling1_requests", {M2: 5}),
            series("sibling1_throttles", {M2: 1}),
        ],
    )
    questions = asked(DEAD) | {
        "sibling0": question_of(RATE, TARGET),
        "sibling1": question_of(TURNED_AWAY, TARGET),
    }

    assert read(stub, questions) == {
        "total": (Bucket(start_at=M1, requests=1, value=7.0),),
        "sibling0": (
            Bucket(start_at=M1, requests=60),
            Bucket(start_at=M2, requests=60, errors=6),
        ),
        "sibling1": (Bucket(start_at=M2, requests=6, errors=1),),
    }


# -- half an answer -------------------------------------------------------------------------------


def test_pages_are_put_together(stub):
    answers(
        stub,
        [series("total_requests", {M1: 60}, "PartialData"), series("total_errors", {M1: 1})],
        [series("total_requests", {M2: 50})],
    )
    assert [bucket.requests for bucket in read(stub)["total"]] == [60, 50]


def test_pages_of_a_band_are_put_together_edge_by_edge(stub):
    answers(
        stub,
        [
            series("total_value", {M1: 1, M2: 1}),
            series("total_band", {M1: 40}, "PartialData", label="High"),
            series("total_band", {M1: -4}, "PartialData", label="Low"),
        ],
        [series("total_band", {M2: -5}, label="Low")],
        [series("total_band", {M2: 41}, label="High")],
    )
    assert [bucket.limit for bucket in read(stub, asked(UNUSUAL))["total"]] == [40.0, 41.0]


def test_half_a_band_is_no_band(stub):
    """The lower edge being complete does not complete the upper one."""
    answers(
        stub,
        [
            series("total_value", {M1: 1, M2: 1}),
            series("total_band", {M1: 40}, "PartialData", label="High"),
            series("total_band", {M1: -4, M2: -5}, label="Low"),
        ],
    )
    with pytest.raises(MeasurementError, match="PartialData for total_band"):
        read(stub, asked(UNUSUAL))


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
        ([[series("total_requests", {M1: 60})], []], "NoAnswer for total_errors"),
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
        read(stub)


def test_one_question_without_an_answer_leaves_all_of_them_unanswered(stub):
    answers(stub, [series("total_requests", {M1: 60}), series("total_errors", {})])

    with pytest.raises(MeasurementError, match="NoAnswer for new_requests"):
        read(stub, asked(RATE, new="2"))


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "InternalServiceFault"])
def test_an_error_is_a_measurement_error_without_its_text(stub, code):
    metrics = CloudWatchMetrics(stub.client)
    calls = {
        "get_metric_data": lambda: read(stub),
        "describe_alarms": lambda: metrics.read_alarms(["a"]),
        "list_alarm_mute_rules": lambda: metrics.muted_by("a"),
    }
    for operation, call in calls.items():
        stub.add_client_error(operation, code, "arn:secret")
        with pytest.raises(MeasurementError, match=code) as raised:
            call()
        assert operation.replace("_", "") in str(raised.value).lower()
        assert "secret" not in str(raised.value)


def test_no_answer_is_a_measurement_error():
    def silent(operation, answer):
        raise ReadTimeoutError(endpoint_url="https://x")

    metrics = CloudWatchMetrics(cloudwatch_client(House().cloudwatch, silent))
    for call in (
        lambda: metrics.read_alarms(["a"]),
        lambda: metrics.muted_by("a"),
        lambda: metrics.read(asked(), since_at=M1, now=NOW),
    ):
        with pytest.raises(MeasurementError, match="ReadTimeoutError"):
            call()


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


@pytest.mark.parametrize("state", list(AlarmState))
def test_an_alarm_is_read_as_it_is(stub, state):
    found = alarms(
        stub,
        [described("a", StateValue=state.value)],
        [described("b", StateValue=state.value)],
        names=("a", "b"),
    )
    for alarm in found.values():
        assert (alarm.state, alarm.actions_enabled) == (state, True)
        assert (alarm.unsound, alarm.suppressed_by, alarm.muted_by) == (None, None, None)
    assert found.keys() == {"a", "b"}


def test_a_state_that_nobody_knows_is_a_measurement_error(stub):
    with pytest.raises(MeasurementError, match="state 'SLEEPY' is not known"):
        alarms(stub, [described("a", StateValue="SLEEPY")])


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


# -- mute rules -----------------------------------------------------------------------------------


class Muted:
    """An alarm of the model, and rules about it; `calls` are those that the adapter made."""

    def __init__(self):
        self.house, self.calls = House(), []
        self.house.now = NOW
        names = [alarm.name for alarm in model_alarms(self.house.policy)]
        self.alarm, self.other = names[:2]

        def count(operation, answer):
            self.calls.append(operation)
            return answer()

        self.metrics = CloudWatchMetrics(cloudwatch_client(self.house.cloudwatch, count))

    def rule(self, name, *, begins=-5 * MINUTE, alarms=None):
        """A window of ten minutes, that has begun where nothing else is said."""
        self.house.cloudwatch.put_mute_rule(
            MuteRule(
                name=name,
                expression=f"at({NOW + begins:%Y-%m-%dT%H:%M})",
                duration="PT10M",
                alarm_names=alarms or (self.alarm,),
            )
        )

    @property
    def by(self):
        return self.metrics.muted_by(self.alarm)


def test_an_alarm_that_nobody_mutes_is_muted_by_nothing():
    muted = Muted()

    assert muted.by is None
    assert muted.calls == ["ListAlarmMuteRules"]


@pytest.mark.parametrize(
    ("begins", "found"),
    [
        (-5 * MINUTE, "night"),
        (timedelta(0), "night"),
        # Not yet, and no longer.
        (MINUTE, None),
        (-10 * MINUTE, None),
        (-60 * MINUTE, None),
    ],
)
def test_a_rule_mutes_in_its_window_only(begins, found):
    muted = Muted()
    muted.rule("night", begins=begins)

    assert muted.by == found


def test_a_rule_about_another_alarm_mutes_not_this_one():
    muted = Muted()
    muted.rule("night", alarms=(muted.other,))

    assert muted.by is None
    assert muted.metrics.muted_by(muted.other) == "night"


def test_an_active_rule_is_found_among_those_that_are_not():
    muted = Muted()
    muted.rule("a-scheduled", begins=30 * MINUTE)
    muted.rule("b-expired", begins=-30 * MINUTE)
    muted.rule("c-active", alarms=(muted.other, muted.alarm))

    assert muted.by == "c-active"


@pytest.mark.parametrize("name", ["deploy: friday", "a:b:c", "über/all", "the night (always)"])
def test_a_rule_goes_by_its_whole_name(name):
    """CloudWatch allows any letter in it, also those that part an ARN."""
    muted = Muted()
    muted.rule(name)

    assert muted.by == name


def test_rules_on_a_later_page_are_found():
    """As many rules as it takes for the model, and CloudWatch, to answer in pages."""
    muted = Muted()
    for number in range(120):
        muted.rule(f"rule-{number:03d}")

    assert muted.by == "rule-000"
    assert muted.calls == ["ListAlarmMuteRules"] * 3


def test_a_first_page_without_a_rule_is_no_answer(stub):
    arn = "arn:aws:cloudwatch:us-east-1:111122223333:alarm-mute-rule:night"
    request = {"AlarmName": "a", "Statuses": ["ACTIVE"]}
    empty = {"AlarmMuteRuleSummaries": [], "NextToken": "t"}
    stub.add_response("list_alarm_mute_rules", empty, request)
    stub.add_response(
        "list_alarm_mute_rules",
        {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn}]},
        {**request, "NextToken": "t"},
    )
    assert CloudWatchMetrics(stub.client).muted_by("a") == "night"


def test_an_alarm_that_does_not_exist_is_in_doubt_rather_than_not_muted():
    with pytest.raises(MeasurementError, match="ListAlarmMuteRules: ResourceNotFound"):
        Muted().metrics.muted_by("nobody")


# -- against the strict model, which checks each request by the SDK's own service model -----------


def test_the_model_takes_the_same_questions():
    house = House()
    name = model_alarms(house.policy)[0].name
    house.cloudwatch.put_alarms([CompositeAlarm(name="both", rule=f'ALARM("{name}")')])
    house.deploy("v1", errors=0.5)
    house.traffic(4, watch=False)
    metrics = house.rooms.metrics
    found = metrics.read_alarms([name, "both", "nobody"])
    measured = metrics.read(
        asked(RATE, new="1", previous="9"), since_at=house.now - 10 * MINUTE, now=house.now
    )

    assert {key: alarm.state for key, alarm in found.items()} == {
        name: AlarmState.ALARM,
        "both": AlarmState.ALARM,
    }
    assert [bucket.requests for bucket in measured["new"]] == [60] * 4
    assert measured["new"] == measured["total"]
    assert measured["previous"] == ()
    assert measured["total"][0].start_at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def test_the_model_takes_a_question_about_a_band_and_others_beside_it():
    account = Account(id="111122223333", region="us-east-1")
    model = CloudWatch(account=account, clock=lambda: NOW)
    for number in range(60):
        basket = Metric.of("Shop", "Basket")
        model.record(basket, timestamp=M3 - (120 + number) * MINUTE, value=number % 2)
    model.record(basket, timestamp=M3, value=7)
    questions = asked(UNUSUAL) | {"sibling0": question_of(RATE, TARGET)}
    metrics = CloudWatchMetrics(cloudwatch_client(model))

    assert metrics.read(questions, since_at=M1, now=NOW) == {
        # Half of them 0, half of them 1: the mean and two deviations are one and a half.
        "total": (Bucket(start_at=M3, requests=1, value=7.0, limit=1.5),),
        "sibling0": (),
    }


@pytest.mark.parametrize(("siblings", "taken"), [(249, True), (250, False)])
def test_more_questions_than_cloudwatch_takes_are_an_error_not_a_shorter_answer(siblings, taken):
    """GetMetricData takes 500 queries a call (SDK model, MetricDataQueries)."""
    questions = asked() | {f"sibling{n}": question_of(RATE, TARGET) for n in range(siblings)}
    metrics = House().rooms.metrics
    if taken:
        assert metrics.read(questions, since_at=M1, now=NOW).keys() == questions.keys()
        return
    with pytest.raises(MeasurementError, match="GetMetricData: ValidationError"):
        metrics.read(questions, since_at=M1, now=NOW)


def test_of_many_alarms_those_that_are_muted_are_told_with_their_rules():
    muted = Muted()
    muted.rule("deploys", alarms=(muted.alarm, muted.other))
    muted.rule("later", begins=MINUTE)

    assert muted.metrics.muted([muted.other, "nobody"]) == {muted.other: "deploys"}
    assert muted.calls == ["ListAlarmMuteRules", "GetAlarmMuteRule"]


def test_of_more_active_rules_than_alarms_none_is_read():
    """In a night of maintenance a batch of some alarms would wait for the rules of everybody."""
    muted = Muted()
    for number in range(30):
        muted.rule(f"maintenance-{number:02}", alarms=(muted.other,))
    muted.rule("deploys")

    assert muted.metrics.muted([muted.alarm]) == {muted.alarm: "deploys"}
    assert muted.calls == ["ListAlarmMuteRules"] * 2


def test_where_no_rule_is_active_none_is_read():
    muted = Muted()

    assert muted.metrics.muted([muted.alarm]) == {}
    assert muted.calls == ["ListAlarmMuteRules"]


def test_a_rule_that_cannot_be_read_leaves_it_in_doubt(stub):
    arn = "arn:aws:cloudwatch:us-east-1:111122223333:alarm-mute-rule:night"
    stub.add_response(
        "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn}]}
    )
    stub.add_client_error("get_alarm_mute_rule", "ResourceNotFoundException")
    with pytest.raises(MeasurementError, match="GetAlarmMuteRule: ResourceNotFound"):
        CloudWatchMetrics(stub.client).muted(["a"])
