"""The responder's own illness is told by e-mail, and one page shows it all."""

import json

from rollback_responder.domain import naming
from tests.infra.deployed import statements

QUEUE = [{"Name": "QueueName", "Value": "<Ingress/Alarms.QueueName>"}]


def own_alarms(responder):
    prefix = "rollback-responder-test-"
    alarms = responder.of_type("AWS::CloudWatch::Alarm").values()
    assert all(alarm["AlarmName"].startswith(prefix) for alarm in alarms)
    return {alarm["AlarmName"].removeprefix(prefix): alarm for alarm in alarms}


def test_the_responder_is_watched_for_exactly_this(responder):
    assert set(own_alarms(responder)) == {
        "alarms-waiting",
        "dead-letters-not-empty",
        "notify-failures-not-empty",
        "respond-errors",
        "respond-throttled",
        "interact-errors",
        "interact-throttled",
        "watch-errors",
        "watch-throttled",
        "notify-errors",
        "notify-throttled",
        "notify-behind",
        "heartbeat-missing",
        "targets-unwatched",
        "alarms-hushed",
        "not-ready",
    }


def test_every_queue_where_something_can_end_has_an_alarm(responder):
    alarmed = {
        dimension["Value"]
        for alarm in own_alarms(responder).values()
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "QueueName"
    }
    assert alarmed == {f"<{name}.QueueName>" for name in responder.of_type("AWS::SQS::Queue")}


def test_own_alarms_watch_one_metric_each_and_tell_the_operators(responder):
    for alarm in own_alarms(responder).values():
        assert "Metrics" not in alarm
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["<Health/Topic>"]
        assert alarm["Period"] == 60
        assert alarm["AlarmDescription"].endswith(".")


def test_the_responder_never_wakes_for_its_own_alarms(responder):
    for alarm in responder.of_type("AWS::CloudWatch::Alarm").values():
        assert not alarm["AlarmName"].startswith(naming.own_alarm_prefix("test"))


def test_silence_of_the_watcher_is_an_alarm(responder):
    alarm = own_alarms(responder)["heartbeat-missing"]
    assert alarm["Namespace"] == naming.METRICS_NAMESPACE
    assert alarm["MetricName"] == naming.HEARTBEAT
    assert alarm["Dimensions"] == [{"Name": "service", "Value": naming.metrics_service("test")}]
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["ComparisonOperator"] == "LessThanThreshold"
    assert (alarm["Threshold"], alarm["Statistic"], alarm["EvaluationPeriods"]) == (1, "Sum", 3)


def test_waiting_alarms_and_late_news_are_alarms(responder):
    waiting = own_alarms(responder)["alarms-waiting"]
    assert waiting["MetricName"] == "ApproximateAgeOfOldestMessage"
    assert waiting["Dimensions"] == QUEUE
    redelivery = responder.of_type("AWS::SQS::Queue")["Ingress/Alarms"]["VisibilityTimeout"]
    assert waiting["Threshold"] == redelivery + 120
    behind = own_alarms(responder)["notify-behind"]
    assert behind["MetricName"] == "IteratorAge"
    assert behind["Dimensions"] == [{"Name": "FunctionName", "Value": "<Notifier/Notify/Function>"}]


def test_the_operators_get_an_e_mail(responder):
    emails = [
        (s["TopicArn"], s["Endpoint"])
        for s in responder.of_type("AWS::SNS::Subscription").values()
        if s["Protocol"] == "email"
    ]
    assert emails == [("<Health/Topic>", "oncall@example.com")]


def test_only_own_alarms_may_publish_to_the_operators_topic(responder):
    policy = statements(responder.properties("Health/Topic/Policy")["PolicyDocument"])
    (allowed,) = [s for s in policy if s["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"].endswith(
        ":alarm:rollback-responder-test-*"
    )


def test_the_page_shows_alarms_in_scope_and_the_responder(responder, synthesis):
    page = responder.properties("Dashboard/Page")
    widgets = json.loads(page["DashboardBody"])["widgets"]
    titles = [w["properties"]["title"] for w in widgets if w["type"] != "text"]
    assert titles == [
        "Services: alarms in scope",
        "The responder itself",
        "Rollback time, seconds, mean of each day",
        "Rollbacks by outcome, each day",
        "Rollbacks that helped, % of all since the left edge",
        "False rollbacks, % of those labelled since the left edge",
        "Incidents open, and the age of the oldest in seconds",
        "Actions and stand-downs, by reason",
        "Heartbeat of the watcher, beats a minute",
        "Messages waiting",
        "Oldest alarm waiting, seconds",
        "Failed and refused runs",
        "Duration of runs, p95, ms",
    ]
    shown = [arn.split(":alarm:")[1] for arn in widgets[0]["properties"]["alarms"]]
    assert shown == [watched.alarm_name for watched in synthesis.policy.watched()]
    assert len(widgets[1]["properties"]["alarms"]) == len(own_alarms(responder))
