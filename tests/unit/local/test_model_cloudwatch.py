"""The model over time: transitions, composites, suppression, history, announcements."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.aws_model import announcements
from local.aws_model.alarm import Actions, CompositeAlarm, MetricAlarm, Suppressor
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.errors import ModelError
from local.aws_model.evaluation import State, TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat, Query

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
ERRORS = Metric.of("AWS/Lambda", "Errors", {"FunctionName": "shop"})
INVOCATIONS = Metric.of("AWS/Lambda", "Invocations", {"FunctionName": "shop"})
ACCOUNT = Account(id="123456789012")


class World:
    def __init__(self, *, lag=timedelta(0)):
        self.now = START
        self.seen = []
        self.model = CloudWatch(
            account=ACCOUNT, clock=lambda: self.now, lag=lag, listener=self.listen
        )

    def listen(self, transition):
        self.seen.append(transition)
        return [(arn, None) for arn in transition.actions]

    def minute(self, value=None, metric=ERRORS):
        """Record a value in the current minute (or nothing), then let the minute pass."""
        if value is not None:
            self.model.metrics.record(metric, timestamp=self.now, value=value)
        self.now += MINUTE
        self.model.tick()

    def state(self, name="errors"):
        return self.model.state(name).value


def stat(metric=ERRORS, name="Sum"):
    return MetricStat(metric=metric, period=MINUTE, statistic=Statistic.parse(name))


def errors(**changes):
    settings = {
        "name": "errors",
        "stat": stat(),
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "threshold": 5.0,
        "comparison": "GreaterThanThreshold",
        "treat_missing_data": TreatMissingData.NOT_BREACHING,
        "actions": Actions(alarm=(TOPIC,)),
    }
    return MetricAlarm(**(settings | changes))


def child(name):
    metric = Metric.of("Test", name)
    return errors(name=name, stat=stat(metric), evaluation_periods=1, datapoints_to_alarm=1)


def test_two_of_three_goes_to_alarm_and_back():
    world = World()
    world.model.put_alarms([errors()])
    assert world.state() is State.INSUFFICIENT_DATA
    world.minute(0)
    assert world.state() is State.OK
    world.minute(9)
    world.minute(8)
    assert world.state() is State.ALARM
    for _ in range(3):
        world.minute(0)
    assert [t.current.value for t in world.seen] == [State.OK, State.ALARM, State.OK]
    assert [t.actions for t in world.seen] == [(), (TOPIC,), ()]
    alarm = world.seen[1].current
    assert alarm.transitioned_at == START + 3 * MINUTE
    assert alarm.reason == (
        "Threshold Crossed: 2 out of the last 3 datapoints [8.0 (22/11/26 12:02:00), "
        "9.0 (22/11/26 12:01:00)] were greater than the threshold (5.0) "
        "(minimum 2 datapoints for OK -> ALARM transition)."
    )
    data = json.loads(alarm.reason_data)
    assert data["recentDatapoints"] == [0.0, 9.0, 8.0]
    assert data["startDate"] == "2026-11-22T12:00:00.000+0000"
    assert data["evaluatedDatapoints"][0] == {
        "timestamp": "2026-11-22T12:02:00.000+0000",
        "sampleCount": 1.0,
        "value": 8.0,
    }


def test_several_minutes_at_once_are_evaluated_one_by_one():
    world = World()
    world.model.put_alarms([errors()])
    for value in (9, 9, 0, 0, 0, 0):
        world.model.metrics.record(ERRORS, timestamp=world.now, value=value)
        world.now += MINUTE
    world.model.tick()
    assert [t.current.value for t in world.seen] == [State.OK, State.ALARM, State.OK]


def test_lag_hides_the_newest_minute():
    world = World(lag=timedelta(seconds=90))
    world.model.put_alarms([errors(evaluation_periods=1, datapoints_to_alarm=1)])
    world.minute(9)
    assert world.state() is State.OK
    world.minute()
    assert world.state() is State.ALARM


def test_metric_math_and_its_events():
    world = World()
    rate = errors(
        stat=None,
        metrics=(
            Query(id="rate", expression="100 * errors / invocations", label="Error rate"),
            Query(id="errors", stat=stat(), return_data=False),
            Query(id="invocations", stat=stat(INVOCATIONS), return_data=False),
        ),
        description="Too many errors",
    )
    world.model.put_alarms([rate])
    for _ in range(2):
        world.model.metrics.record(INVOCATIONS, timestamp=world.now, value=1, count=50)
        world.minute(5)
    transition = world.seen[-1]
    assert transition.current.value is State.ALARM
    event = announcements.event_bridge_event(transition, ACCOUNT)
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["time"] == "2026-11-22T12:02:00Z"
    assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"]
    detail = event["detail"]
    assert detail["state"]["timestamp"] == "2026-11-22T12:02:00.000+0000"
    assert detail["configuration"]["metrics"][0] == {
        "id": "rate",
        "expression": "100 * errors / invocations",
        "label": "Error rate",
        "returnData": True,
    }
    assert detail["configuration"]["metrics"][1]["metricStat"]["metric"]["dimensions"] == {
        "FunctionName": "shop"
    }
    assert "statistic" not in json.loads(detail["state"]["reasonData"])
    subject, text = announcements.sns_message(transition, ACCOUNT)
    message = json.loads(text)
    assert subject == 'ALARM: "errors" in US East (N. Virginia)'
    assert message["Region"] == "US East (N. Virginia)"
    assert message["Trigger"]["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"] == [
        {"value": "shop", "name": "FunctionName"}
    ]
    payload = announcements.lambda_payload(transition, ACCOUNT)
    assert payload["alarmArn"] == transition.arn
    assert payload["time"] == "2026-11-22T12:02:00.000+0000"
    assert "detail-type" not in payload


def test_the_first_state_has_no_reason_data_in_its_event():
    world = World()
    world.model.put_alarms([errors()])
    world.minute(0)
    previous = announcements.event_bridge_event(world.seen[0], ACCOUNT)["detail"]["previousState"]
    assert previous == {
        "value": "INSUFFICIENT_DATA",
        "reason": "Unchecked: Initial alarm creation",
        "timestamp": "2026-11-22T12:00:00.000+0000",
    }


def test_sns_trigger_of_a_plain_metric():
    world = World()
    world.model.put_alarms([errors()])
    world.minute(0)
    trigger = json.loads(announcements.sns_message(world.seen[0], ACCOUNT)[1])["Trigger"]
    assert trigger["StatisticType"] == "Statistic"
    assert trigger["Statistic"] == "SUM"
    assert trigger["Dimensions"] == [{"value": "shop", "name": "FunctionName"}]
    assert (trigger["EvaluationPeriods"], trigger["DatapointsToAlarm"]) == (3, 2)


def test_european_regions_keep_their_older_name():
    assert announcements.region_name("eu-west-1") == "EU (Ireland)"


def test_missing_data_words_and_insufficient_data():
    world = World()
    world.model.put_alarms([errors(treat_missing_data=None)])
    world.minute(0)
    for _ in range(5):
        world.minute()
    assert world.state() is State.INSUFFICIENT_DATA
    assert world.seen[-1].current.reason == "Insufficient Data: 3 datapoints were unknown."


def test_not_breaching_words_its_missing_datapoints():
    world = World()
    world.model.put_alarms([errors()])
    world.minute()
    assert world.seen[-1].current.reason == (
        "Threshold Crossed: no datapoints were received for 3 periods and "
        "3 missing datapoints were treated as [NonBreaching]."
    )


def test_dynamodb_alarms_ignore_missing_data():
    world = World()
    throttles = stat(Metric.of("AWS/DynamoDB", "ThrottledRequests"))
    world.model.put_alarms([errors(stat=throttles)])
    world.minute()
    assert world.state() is State.INSUFFICIENT_DATA


def test_low_sample_counts_keep_the_state():
    world = World()
    duration = Metric.of("AWS/Lambda", "Duration")
    slow = errors(
        stat=stat(duration, "p95"),
        evaluation_periods=1,
        datapoints_to_alarm=1,
        low_sample="ignore",
    )
    world.model.put_alarms([slow])
    world.minute(900, duration)
    assert world.state() is State.INSUFFICIENT_DATA
    for _ in range(200):
        world.model.metrics.record(duration, timestamp=world.now, value=900)
    world.minute()
    assert world.state() is State.ALARM


def test_actions_disabled_still_announces():
    world = World()
    world.model.put_alarms([errors(actions=Actions(enabled=False, alarm=(TOPIC,)))])
    world.minute(9)
    world.minute(9)
    assert world.seen[-1].current.value is State.ALARM
    assert world.seen[-1].actions == ()


def test_set_alarm_state_acts_and_returns_to_the_truth():
    world = World()
    world.model.put_alarms([errors()])
    world.minute(0)
    world.now += timedelta(seconds=10)
    world.model.set_alarm_state("errors", State.ALARM, "a drill", '{"drill":true}')
    assert world.seen[-1].actions == (TOPIC,)
    world.model.set_alarm_state("errors", State.ALARM, "again")
    assert len(world.seen) == 2
    record = world.model.state("errors")
    assert record.reason == "again"
    assert record.transitioned_at <= record.updated_at
    world.minute(0)
    assert world.state() is State.OK
    with pytest.raises(ModelError, match="JSON"):
        world.model.set_alarm_state("errors", State.OK, "x", "{")
    with pytest.raises(ModelError, match="does not exist"):
        world.model.set_alarm_state("nobody", State.OK, "x")


def test_composite_follows_its_children_and_names_the_trigger():
    world = World()
    rule = 'ALARM("a") AND NOT (ALARM(b) OR INSUFFICIENT_DATA("b"))'
    world.model.put_alarms(
        [
            CompositeAlarm(name="both", rule=rule, actions=Actions(alarm=(TOPIC,))),
            child("a"),
            child("b"),
        ]
    )
    assert world.model.tick()[0].alarm.name == "both"
    world.minute(9, Metric.of("Test", "a"))
    transition = world.seen[-1]
    assert (transition.alarm.name, transition.current.value) == ("both", State.ALARM)
    assert transition.current.reason.startswith("arn:aws:cloudwatch:us-east-1:123456789012:alarm:")
    message = json.loads(announcements.sns_message(transition, ACCOUNT)[1])
    assert "Trigger" not in message
    assert message["TriggeringChildren"][0]["State"]["Value"] in {"ALARM", "OK"}
    assert message["AlarmRule"] == rule


def test_a_composite_set_by_hand_returns_only_when_a_child_changes():
    world = World()
    world.model.put_alarms([child("a"), CompositeAlarm(name="c", rule="ALARM(a)")])
    world.minute()
    world.model.set_alarm_state("c", State.ALARM, "a drill")
    world.minute()
    assert world.state("c") is State.ALARM
    world.minute(9, Metric.of("Test", "a"))
    world.minute(0, Metric.of("Test", "a"))
    assert world.state("c") is State.OK


def suppressed(wait, extension):
    world = World()
    world.model.put_alarms(
        [
            child("a"),
            child("s"),
            CompositeAlarm(
                name="c",
                rule="ALARM(a)",
                actions=Actions(alarm=(TOPIC,)),
                suppressor=Suppressor(alarm="s", wait=wait * MINUTE, extension=extension * MINUTE),
            ),
        ]
    )
    for _ in range(4):
        world.minute()
    world.seen.clear()
    return world


def of_composite(world):
    return [
        (t.previous.value.value, t.current.value.value, t.current.suppressed_by, bool(t.actions))
        for t in world.seen
        if t.alarm.name == "c"
    ]


def test_the_wait_period_ends_with_a_second_event_and_the_actions():
    world = suppressed(2, 3)
    for _ in range(3):
        world.minute(9, Metric.of("Test", "a"))
    assert of_composite(world) == [
        ("OK", "ALARM", "WaitPeriod", False),
        ("ALARM", "ALARM", None, True),
    ]
    page = world.seen[-1]
    assert page.previous.suppressed_by == "WaitPeriod"
    assert page.previous.suppressed_reason == "Actions suppressed by WaitPeriod"
    assert page.current.updated_at - page.previous.updated_at == 2 * MINUTE


def test_a_suppressor_in_alarm_holds_the_actions_back_and_the_extension_prolongs_it():
    world = suppressed(2, 3)
    world.minute(9, Metric.of("Test", "s"))
    world.minute(9, Metric.of("Test", "a"))
    assert of_composite(world) == [("OK", "ALARM", "Alarm", False)]
    world.minute(0, Metric.of("Test", "s"))
    assert world.model.state("c").suppressed_by == "ExtensionPeriod"
    world.minute(9, Metric.of("Test", "a"))
    world.minute(9, Metric.of("Test", "a"))
    assert len(of_composite(world)) == 1
    world.minute(9, Metric.of("Test", "a"))
    assert of_composite(world)[-1] == ("ALARM", "ALARM", None, True)


def test_a_change_back_discards_the_wait_period():
    world = suppressed(2, 0)
    world.minute(9, Metric.of("Test", "a"))
    world.minute(0, Metric.of("Test", "a"))
    assert of_composite(world) == [
        ("OK", "ALARM", "WaitPeriod", False),
        ("ALARM", "OK", "WaitPeriod", False),
    ]


def test_history_keeps_configuration_states_and_actions():
    world = World()
    world.model.put_alarms([errors()])
    world.minute(9)
    world.minute(9)
    kinds = [(item.kind, item.summary) for item in world.model.history()]
    assert kinds[0] == ("ConfigurationUpdate", 'Alarm "errors" created')
    assert ("StateUpdate", "Alarm updated from OK to ALARM") in kinds
    assert kinds[-1] == ("Action", f"Successfully executed action {TOPIC}")
    world.model.delete_alarms(["errors"])
    assert len(world.model.history()) == len(kinds)


@pytest.mark.parametrize(
    ("alarms", "words"),
    [
        ([CompositeAlarm(name="c", rule="ALARM(nobody)")], "refers to no alarm"),
        ([CompositeAlarm(name="c", rule="ALARM(c)")], "depends on itself"),
    ],
)
def test_impossible_composites_are_refused(alarms, words):
    with pytest.raises(ModelError, match=words):
        World().model.put_alarms(alarms)


@pytest.mark.parametrize("rule", ["", "ALARM()", "ALARM(a) XOR OK(b)", "NOT", "(ALARM(a)", "a"])
def test_rules_that_cloudwatch_would_refuse(rule):
    with pytest.raises(ModelError):
        CompositeAlarm(name="c", rule=rule)


@pytest.mark.parametrize(
    "changes",
    [
        {"datapoints_to_alarm": 4},
        {"comparison": "GreaterThanUpperThreshold"},
        {"name": ""},
        {"evaluation_periods": 1441},
        {"stat": None},
        {"low_sample": "maybe"},
    ],
)
def test_alarms_that_cloudwatch_would_refuse(changes):
    with pytest.raises(ModelError):
        errors(**changes)


def test_percentiles_and_statistics():
    world = World()
    for value in range(1, 101):
        world.model.metrics.record(ERRORS, timestamp=START, value=value)

    def read(name):
        found = world.model.metrics.datapoint(
            ERRORS, Statistic.parse(name), start=START, period=MINUTE, seen_at=START
        )
        return found.value

    assert [read(n) for n in ("p0", "p50", "p95", "p99.9", "p100")] == [1, 50, 95, 100, 100]
    assert [read(n) for n in ("Sum", "Average", "Minimum", "Maximum", "SampleCount")] == [
        5050,
        50.5,
        1,
        100,
        100,
    ]


def test_the_last_datapoints_are_evaluated_again_after_the_metric_stops():
    """The guide: CloudWatch may "repeatedly re-evaluate the last set of data points"."""
    world = World()
    world.model.put_alarms([child("a")])
    world.minute(9, Metric.of("Test", "a"))
    world.minute()
    world.minute()
    assert world.state("a") is State.ALARM
    world.minute()
    assert world.state("a") is State.OK


def test_an_alarm_that_another_depends_on_is_not_deleted_alone():
    world = World()
    world.model.put_alarms([child("a"), CompositeAlarm(name="c", rule="ALARM(a)")])
    with pytest.raises(ModelError, match="c depends on a"):
        world.model.delete_alarms(["a"])
    world.model.delete_alarms(["a", "c"])
    assert world.model.alarms() == []
