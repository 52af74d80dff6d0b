"""Each measured trigger of each target has exactly the alarm that the policy describes."""

from rollback_responder.domain import metric, naming
from rollback_responder.domain.trigger import AdoptedAlarm, Latency

TOPIC = "arn:aws:sns:eu-west-1:111122223333:rollback-alarms-test"


def measured(synthesis):
    return [w for w in synthesis.policy.watched() if not isinstance(w.trigger, AdoptedAlarm)]


def test_there_is_one_alarm_for_each_measured_trigger_of_each_target_and_no_other(synthesis):
    assert sorted(synthesis.alarms()) == sorted(w.alarm_name for w in measured(synthesis))
    assert len(synthesis.alarms()) == 2 * 3 + 1 + 1


def test_an_adopted_alarm_is_not_made(synthesis):
    made = "".join(template.text for template in synthesis.alarm_stacks)
    for name in ("search is broken (composite)", "ledger is broken"):
        assert name not in made


def test_thresholds_and_windows_are_the_policys(synthesis):
    for watched in measured(synthesis):
        alarm = synthesis.alarms()[watched.alarm_name]
        trigger = watched.trigger
        assert alarm["Threshold"] == metric.threshold_of(trigger)
        assert alarm["EvaluationPeriods"] == trigger.minutes
        assert alarm["DatapointsToAlarm"] == trigger.breaching_minutes
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"


def test_every_alarm_tells_the_topic_when_it_fires_and_when_it_clears(synthesis):
    for alarm in synthesis.alarms().values():
        assert alarm["AlarmActions"] == [TOPIC]
        assert alarm["OKActions"] == [TOPIC]
        assert "InsufficientDataActions" not in alarm
        assert alarm.get("ActionsEnabled", True) is True


def test_a_latency_alarm_watches_the_one_series_that_the_domain_names(synthesis):
    for watched in measured(synthesis):
        if not isinstance(watched.trigger, Latency):
            continue
        alarm = synthesis.alarms()[watched.alarm_name]
        (series,) = metric.alarm_query(watched.trigger, watched.pointer).series
        assert alarm["Namespace"] == series.namespace
        assert alarm["MetricName"] == series.metric_name
        assert alarm["Period"] == metric.PERIOD_SECONDS
        assert dimensions(alarm) == dict(series.dimensions)
        assert alarm.get("ExtendedStatistic", alarm.get("Statistic")) == series.statistic


def test_a_percentile_of_too_few_requests_keeps_its_state(synthesis):
    alarms = synthesis.alarms()
    percentile = alarms["rollback.test.checkout.checkout.live.latency-p95"]
    average = alarms["rollback.test.checkout.checkout.live.latency-average"]
    rate = alarms["rollback.test.checkout.checkout.live.error-rate"]
    assert percentile["EvaluateLowSampleCountPercentile"] == "ignore"
    assert "EvaluateLowSampleCountPercentile" not in average
    assert "EvaluateLowSampleCountPercentile" not in rate


def test_an_error_rate_alarm_is_the_domains_expression_over_the_domains_series(synthesis):
    for watched in measured(synthesis):
        if isinstance(watched.trigger, Latency):
            continue
        alarm = synthesis.alarms()[watched.alarm_name]
        query = metric.alarm_query(watched.trigger, watched.pointer)
        by_id = {entry["Id"]: entry for entry in alarm["Metrics"]}
        (rate,) = [entry for entry in alarm["Metrics"] if "Expression" in entry]
        assert rate["Expression"] == query.expression
        assert rate["Label"] == query.label
        assert rate.get("ReturnData", True) is True
        assert set(by_id) == {series.id for series in query.series} | {rate["Id"]}
        for series in query.series:
            entry = by_id[series.id]
            assert entry["ReturnData"] is False
            stat = entry["MetricStat"]
            assert stat["Metric"]["Namespace"] == series.namespace
            assert stat["Metric"]["MetricName"] == series.metric_name
            assert dimensions(stat["Metric"]) == dict(series.dimensions)
            assert stat["Period"] == metric.PERIOD_SECONDS
            assert stat["Stat"] == series.statistic


def test_a_description_says_service_target_threshold_and_maker(synthesis):
    alarm = synthesis.alarms()["rollback.test.checkout.checkout-worker.live.error-rate"]
    assert alarm["AlarmDescription"] == (
        "checkout: more than 2.5 percent of requests failed on checkout-worker:live, "
        "in 2 of 5 minutes. Made by the rollback responder from the policy of test: "
        "change the policy, not this alarm."
    )


def test_alarm_stacks_need_nothing_from_another_stack(synthesis):
    for template in synthesis.alarm_stacks:
        assert "Fn::ImportValue" not in template.text
        assert "Outputs" not in template.document
        assert set(template.document["Parameters"]) == {"BootstrapVersion"}
        types = {resource["Type"] for resource in template.resources.values()}
        assert types == {"AWS::CloudWatch::Alarm"}


def test_the_topic_of_the_alarms_is_the_topic_that_is_made(responder):
    topics = [t["TopicName"] for t in responder.of_type("AWS::SNS::Topic").values()]
    assert naming.topic_name("test") in topics


def dimensions(holder):
    return {d["Name"]: d["Value"] for d in holder["Dimensions"]}
