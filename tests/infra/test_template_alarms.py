"""Each measured trigger of each target has exactly the alarm that the policy describes."""

import json
import re
from typing import get_args

import pytest

from rollback_responder.domain import naming
from rollback_responder.domain.alarm_query import alarm_query, band_of
from rollback_responder.domain.metric import Level, question_of
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.trigger import AdoptedAlarm, ApiType, LogFormat, Timeouts, Trigger
from tests.infra.synthesis import POLICY

TOPIC = "arn:aws:sns:eu-west-1:111122223333:rollback-alarms-test"
WATCHED = list(parse_policy(POLICY).watched())
MEASURED = [w for w in WATCHED if not isinstance(w.trigger, AdoptedAlarm)]
QUERIES = {w.alarm_name: alarm_query(question_of(w.trigger, w.pointer)) for w in MEASURED}
EVERY = pytest.mark.parametrize("name", QUERIES)


def those(chosen):
    return pytest.mark.parametrize("name", [name for name, q in QUERIES.items() if chosen(q)])


def test_the_policy_of_these_tests_has_a_trigger_of_every_kind():
    triggers = [watched.trigger for watched in WATCHED]
    assert {type(trigger) for trigger in triggers} == set(get_args(Trigger))
    assert {t.log_format for t in triggers if isinstance(t, Timeouts)} == set(LogFormat)
    apis = {(type(t), t.api.type) for t in triggers if hasattr(t, "api")}
    assert len(apis) == 2 * len(ApiType)


def test_there_is_one_alarm_for_each_measured_trigger_of_each_target_and_no_other(synthesis):
    assert sorted(synthesis.alarms()) == sorted(QUERIES)
    assert len(synthesis.alarms()) == 3 * 2 + 1 + 3 + 2 + 13


@pytest.mark.parametrize("member", ["triggers", "dependencies"])
def test_an_alarm_that_exists_already_is_not_made(synthesis, member):
    made = "".join(template.text for template in synthesis.alarm_stacks)
    names = [
        entry if isinstance(entry, str) else entry["name"]
        for service in POLICY["services"]
        for entry in service.get(member, ())
        if isinstance(entry, str) or entry["kind"] == "alarm"
    ]
    assert len(names) > 1
    assert not [name for name in names if name in made]


# The seconds of a period, how many of how many periods, and above what.
LIMITS = {
    "checkout.checkout.live.error-rate": (60, 2, 5, 2.5),
    "checkout.checkout-worker.live.latency-p95": (60, 2, 3, 1500),
    "checkout.checkout.live.latency-average": (60, 2, 3, 400),
    "payments.payments.live.timeouts": (60, 2, 3, 1),
    "payments.payments.live.throttles": (60, 2, 3, 0),
    "ledger.api-5xx-rate": (60, 2, 3, 2),
    "ledger.api-5xx-count": (60, 1, 1, 0),
    "storefront.storefront.live.error-rate-gross": (60, 1, 1, 33.3),
    "storefront.storefront.live.latency-p99-9-tail": (60, 2, 3, 3000),
    "storefront.storefront.live.latency-p50-times-normal": (60, 2, 3, "a band of 4"),
    "storefront.storefront.live.latency-average-times-normal": (60, 2, 3, "a band of 6.5"),
    "storefront.storefront.live.timeouts": (60, 2, 3, 0.5),
    "storefront.storefront.live.timeouts-gross": (60, 2, 3, 10),
    "storefront.storefront.live.throttles": (60, 2, 3, 1),
    "storefront.api-5xx-rate": (60, 2, 3, 1),
    "storefront.api-5xx-count": (600, 1, 1, 25),
    "storefront.dead-letters-orders-dead-fifo": (60, 2, 3, 0),
    "storefront.payments-declined": (60, 2, 3, 20),
    "storefront.basket-value": (60, 6, 10, "a band of 2"),
}


@pytest.mark.parametrize(("name", "limits"), LIMITS.items())
def test_an_alarm_says_what_the_policy_says(synthesis, name, limits):
    alarm = synthesis.alarms()[f"rollback.test.{name}"]
    (period,) = {series["Period"] for series in series_of(alarm).values()}
    above = alarm.get("Threshold")
    if above is None:
        above = f"a band of {re.search(r', ([0-9.]+)', band_in(alarm)['Expression'])[1]}"
    assert (period, alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"], above) == limits


@EVERY
def test_thresholds_and_windows_are_those_of_the_domain(synthesis, name):
    alarm, query = synthesis.alarms()[name], QUERIES[name]
    low = "ignore" if query.ignores_low_samples else None
    assert alarm.get("Threshold") == query.threshold
    assert alarm["EvaluationPeriods"] == query.evaluation_periods
    assert alarm["DatapointsToAlarm"] == query.datapoints_to_alarm
    assert {series["Period"] for series in series_of(alarm).values()} == {query.period_seconds}
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm.get("EvaluateLowSampleCountPercentile") == low


@EVERY
def test_an_alarm_watches_the_series_that_the_domain_names(synthesis, name):
    found = series_of(synthesis.alarms()[name])
    named = {
        one.id: (one.namespace, one.metric_name, dict(one.dimensions), one.statistic)
        for one in QUERIES[name].series
    }
    # Where there is one series only, nothing refers to its id.
    ids = named if len(named) > 1 else [*found]
    assert {
        key: (s["Namespace"], s["MetricName"], dimensions(s), s["Stat"]) for key, s in found.items()
    } == dict(zip(ids, named.values(), strict=True))


@those(lambda query: query.expression is None and query.band_width is None)
def test_an_alarm_on_one_series_needs_no_metric_math(synthesis, name):
    alarm = synthesis.alarms()[name]
    assert "Metrics" not in alarm
    assert "ThresholdMetricId" not in alarm
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


@those(lambda query: query.expression is not None)
def test_a_share_is_the_domains_expression_over_the_domains_series(synthesis, name):
    alarm, query = synthesis.alarms()[name], QUERIES[name]
    (share,) = [entry for entry in alarm["Metrics"] if "Expression" in entry]
    series = [entry for entry in alarm["Metrics"] if entry is not share]
    assert (share["Expression"], share["Label"]) == (query.expression, query.label)
    assert share["ReturnData"] is True
    assert not [entry for entry in series if entry["ReturnData"]]
    assert len(series) == len(query.series)
    assert "ThresholdMetricId" not in alarm
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


EXPRESSIONS = {
    "checkout.checkout.live.error-rate": ("IF(requests >= 2, 100 * FILL(errors, 0) / requests, 0)"),
    "storefront.storefront.live.error-rate-gross": (
        "IF(requests >= 1, 100 * FILL(errors, 0) / requests, 0)"
    ),
    "storefront.payments-declined": "IF(requests >= 2, 100 * FILL(errors, 0) / requests, 0)",
    # Neither count has to be there for the other to mean something.
    "payments.payments.live.throttles": (
        "IF((FILL(requests, 0) + FILL(throttles, 0)) >= 10, "
        "100 * FILL(throttles, 0) / (FILL(requests, 0) + FILL(throttles, 0)), 0)"
    ),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_share_is_of_all_and_an_absent_count_is_zero(synthesis, name):
    metrics = synthesis.alarms()[f"rollback.test.{name}"]["Metrics"]
    assert [entry["Expression"] for entry in metrics if "Expression" in entry] == [
        EXPRESSIONS[name]
    ]


@those(lambda query: query.band_width is not None)
def test_a_band_is_compared_with_the_series_that_it_is_about(synthesis, name):
    alarm, query = synthesis.alarms()[name], QUERIES[name]
    band = band_in(alarm)
    (about,) = [entry for entry in alarm["Metrics"] if entry is not band]
    assert band["Expression"] == band_of(about["Id"], query.band_width)
    assert alarm["ThresholdMetricId"] == band["Id"]
    assert "Threshold" not in alarm
    assert alarm["ComparisonOperator"] == "GreaterThanUpperThreshold"
    assert [entry["ReturnData"] for entry in alarm["Metrics"]] == [True, True]


def test_only_what_is_compared_with_its_normal_or_with_a_band_has_a_band():
    levels = {
        w.alarm_name: question
        for w in MEASURED
        if isinstance(question := question_of(w.trigger, w.pointer), Level)
    }
    banded = {name for name, query in QUERIES.items() if query.band_width is not None}
    assert banded == {name for name, level in levels.items() if level.threshold is None}
    assert len(banded) == 3


@pytest.mark.parametrize(
    ("trigger", "kept"),
    [
        ("checkout.checkout.live.latency-p95", True),
        ("storefront.storefront.live.latency-p99-9-tail", True),
        ("checkout.checkout.live.latency-average", False),
        ("checkout.checkout.live.error-rate", False),
        ("storefront.storefront.live.latency-average-times-normal", False),
        ("storefront.dead-letters-orders-dead-fifo", False),
        ("storefront.api-5xx-count", False),
        ("storefront.payments-declined", False),
    ],
)
def test_a_percentile_of_too_few_requests_keeps_its_state(synthesis, trigger, kept):
    alarm = synthesis.alarms()[f"rollback.test.{trigger}"]
    assert (alarm.get("EvaluateLowSampleCountPercentile") == "ignore") is kept


def test_every_alarm_tells_the_topic_when_it_fires_and_when_it_clears(synthesis):
    for alarm in synthesis.alarms().values():
        assert alarm["AlarmActions"] == [TOPIC]
        assert alarm["OKActions"] == [TOPIC]
        assert "InsufficientDataActions" not in alarm
        assert alarm.get("ActionsEnabled", True) is True


DESCRIPTIONS = {
    "checkout.checkout-worker.live.error-rate": (
        "checkout: error rate above 2.5 % on checkout-worker:live, in 2 of 5 periods."
    ),
    "storefront.storefront.live.latency-p99-9-tail": (
        "storefront: p99.9 latency above 3000 ms on storefront:live, in 2 of 3 periods."
    ),
    "storefront.storefront.live.latency-average-times-normal": (
        "storefront: average latency above 2.5 times its normal on storefront:live, "
        "in 2 of 3 periods."
    ),
    "payments.payments.live.timeouts": (
        "payments: timed out requests above 1 % on payments:live, in 2 of 3 periods."
    ),
    "payments.payments.live.throttles": (
        "payments: throttled requests above 0 % on payments:live, in 2 of 3 periods."
    ),
    "ledger.api-5xx-rate": "ledger: 5xx responses above 2 %, in 2 of 3 periods.",
    "storefront.api-5xx-count": (
        "storefront: more than 25 5xx responses in 10 min, in 1 of 1 periods."
    ),
    "storefront.dead-letters-orders-dead-fifo": (
        "storefront: messages in the dead-letter queue above 0, in 2 of 3 periods."
    ),
    "storefront.payments-declined": (
        "storefront: payments-declined above 20 %, in 2 of 3 periods."
    ),
    "storefront.basket-value": (
        "storefront: basket-value above CloudWatch's band of 2 deviations, in 6 of 10 periods."
    ),
}
MADE_BY = (
    " Made by the rollback responder from the policy of test: change the policy, not this alarm."
)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_says_service_limit_place_and_maker(synthesis, name):
    alarm = synthesis.alarms()[f"rollback.test.{name}"]
    assert alarm["AlarmDescription"] == DESCRIPTIONS[name] + MADE_BY


@EVERY
def test_what_is_measured_on_an_alias_says_so_and_nothing_else_does(synthesis, name):
    (watched,) = [w for w in MEASURED if w.alarm_name == name]
    named = watched.pointer is not None and watched.pointer.slug in name
    description = synthesis.alarms()[name]["AlarmDescription"]
    assert f" on {watched.pointer.title}, " in description if named else ":live" not in description
    assert len(description) <= 1024


# -- what Lambda does not count -------------------------------------------------------------------


def filters_in(synthesis):
    return [
        properties
        for template in synthesis.alarm_stacks
        for properties in template.of_type("AWS::Logs::MetricFilter").values()
    ]


def test_timeouts_are_counted_once_in_the_log_of_each_function_that_asks_for_it(synthesis):
    assert sorted((f["LogGroupName"], f["FilterPattern"]) for f in filters_in(synthesis)) == [
        (
            "/aws/lambda/payments",
            '{ $.type = "platform.report" && $.record.status = "timeout" }',
        ),
        ("/aws/lambda/storefront", '"Task timed out after"'),
    ]


TIMED_OUT = {"requestId": "6f74", "metrics": {"durationMs": 3000.0}, "status": "timeout"}
LOGGED = {
    # Lambda developer guide: how a function's log looks in either format.
    "storefront": (
        "2026-11-22T04:00:03.070Z 6f74 Task timed out after 3.00 seconds",
        "REPORT RequestId: 6f74 Duration: 3000.00 ms Billed Duration: 3000 ms Status: timeout",
    ),
    "payments": (
        json.dumps(
            {"time": "2026-11-22T04:00:03Z", "type": "platform.report", "record": TIMED_OUT}
        ),
        json.dumps({"type": "platform.report", "record": TIMED_OUT | {"status": "success"}}),
        json.dumps({"type": "platform.runtimeDone", "record": TIMED_OUT}),
        json.dumps({"level": "INFO", "message": "Task timed out after lunch"}),
    ),
}


@pytest.mark.parametrize("function", LOGGED)
def test_a_timeout_is_one_line_of_its_log_and_nothing_else_is(synthesis, function):
    (pattern,) = [
        f["FilterPattern"]
        for f in filters_in(synthesis)
        if f["LogGroupName"] == f"/aws/lambda/{function}"
    ]
    first, *others = LOGGED[function]
    assert matches(pattern, first)
    assert not [line for line in others if matches(pattern, line)]


def matches(pattern, line):
    """The little of CloudWatch Logs' filter syntax that is used: a phrase, or equal members."""
    if pattern.startswith('"'):
        return pattern.strip('"') in line
    members = re.findall(r'\$([.\w]+) = "([^"]*)"', pattern)
    assert pattern == "{ " + " && ".join(f'${path} = "{value}"' for path, value in members) + " }"
    return all(member(json.loads(line), path[1:].split(".")) == value for path, value in members)


def member(document, path):
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def test_what_is_counted_of_timeouts_is_what_is_read_of_them(synthesis):
    asked = [w for w in MEASURED if isinstance(w.trigger, Timeouts)]
    read = {question_of(w.trigger, w.pointer).bad for w in asked}
    (counted,) = zip(*(f["MetricTransformations"] for f in filters_in(synthesis)), strict=True)
    assert len(asked) == 3
    assert {(one.namespace, one.metric_name) for one in read} == {
        (one["MetricNamespace"], one["MetricName"]) for one in counted
    }
    assert {(one.dimensions, one.statistic) for one in read} == {((), "Sum")}
    for one in counted:
        assert (one["MetricValue"], one["DefaultValue"]) == ("1", 0)
        assert "Dimensions" not in one


# -- the stacks -----------------------------------------------------------------------------------


def test_alarm_stacks_need_nothing_from_another_stack(synthesis):
    for template in synthesis.alarm_stacks:
        assert "Fn::ImportValue" not in template.text
        assert "Outputs" not in template.document
        assert set(template.document["Parameters"]) == {"BootstrapVersion"}
        types = {resource["Type"] for resource in template.resources.values()}
        assert types == {"AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter"}


def test_the_topic_of_the_alarms_is_the_topic_that_is_made(responder):
    topics = [t["TopicName"] for t in responder.of_type("AWS::SNS::Topic").values()]
    assert naming.topic_name("test") in topics


def series_of(alarm):
    """Every series that an alarm reads, by its id."""
    if "Metrics" not in alarm:
        statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        return {"": {**alarm, "Stat": statistic}}
    return {
        entry["Id"]: {**entry["MetricStat"], **entry["MetricStat"]["Metric"]}
        for entry in alarm["Metrics"]
        if "MetricStat" in entry
    }


def band_in(alarm):
    (band,) = [entry for entry in alarm["Metrics"] if "Expression" in entry]
    return band


def dimensions(holder):
    return {d["Name"]: d["Value"] for d in holder.get("Dimensions", ())}
