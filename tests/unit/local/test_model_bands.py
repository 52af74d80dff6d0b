"""Anomaly detection bands: the expression, the stand-in for AWS's model, and alarms on them."""

import json
from datetime import UTC, datetime, timedelta
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws_model import announcements, expression, metric_math, queries
from local.aws_model.alarm import MetricAlarm
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.errors import ModelError
from local.aws_model.evaluation import State, TreatMissingData, leaves_band
from local.aws_model.expression import AnomalyBand
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat, Query

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ACCOUNT = Account(id="123456789012")
ORDERS = Metric.of("Shop", "Orders")
UPPER = "GreaterThanUpperThreshold"
LOWER = "LessThanLowerThreshold"
BOTH = "LessThanLowerOrGreaterThanUpperThreshold"
STAT = MetricStat(metric=ORDERS, period=MINUTE, statistic=Statistic.parse("Sum"))
SERIES = Query(id="m1", stat=STAT)
BAND = Query(id="ad1", expression="ANOMALY_DETECTION_BAND(m1, 2)", label="Orders (expected)")


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("ANOMALY_DETECTION_BAND(m1)", 2.0),
        ("ANOMALY_DETECTION_BAND(m1, 3)", 3.0),
        (" ANOMALY_DETECTION_BAND ( m1 , 0.8 ) ", 0.8),
    ],
)
def test_the_expression(text, width):
    tree = expression.parse(text)
    assert tree == AnomalyBand(series="m1", width=width)
    assert expression.names(tree) == {"m1"}


@pytest.mark.parametrize(
    "text",
    [
        "ANOMALY_DETECTION_BAND()",
        "ANOMALY_DETECTION_BAND(5)",
        "ANOMALY_DETECTION_BAND(m1, m2)",
        "ANOMALY_DETECTION_BAND(m1, -2)",
        "ANOMALY_DETECTION_BAND(m1, 2, 3)",
        "ANOMALY_DETECTION_BAND(m1 / 2)",
        "ANOMALY_DETECTION_BAND(m1) + 1",
        "ANOMALY_DETECTION_BAND",
        "1 + ANOMALY_DETECTION_BAND(m1)",
        "IF(m1, ANOMALY_DETECTION_BAND(m1))",
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(ModelError) as refused:
        expression.parse(text)
    assert refused.value.code == "ValidationError"


def test_an_expression_over_a_band_is_refused():
    with pytest.raises(ModelError, match="refers to a band"):
        queries.check([SERIES, BAND, Query(id="e1", expression="m1 > ad1")])
    with pytest.raises(ModelError, match="refers to a band"):
        queries.check([SERIES, BAND, Query(id="e1", expression="ANOMALY_DETECTION_BAND(ad1)")])


@given(
    values=st.dictionaries(st.integers(-1510, 5), st.floats(-1e6, 1e6), min_size=0, max_size=80),
    width=st.floats(0, 10),
)
def test_the_band_is_the_mean_and_deviation_of_a_day_that_ended_an_hour_ago(values, width):
    history = {START + n * MINUTE: value for n, value in values.items()}
    periods = [START, START + MINUTE]
    band = metric_math.anomaly_band(history, width=width, periods=periods, period=MINUTE)
    assert set(band.lower) == set(band.upper)
    for offset, start in enumerate(periods):
        known = [v for n, v in values.items() if -1500 <= n - offset < -60]
        assert (start in band.upper) == (len(known) >= 20)
        if start in band.upper:
            assert band.upper[start] == pytest.approx(
                fmean(known) + width * pstdev(known), abs=1e-3
            )
            assert band.lower[start] == pytest.approx(
                fmean(known) - width * pstdev(known), abs=1e-3
            )


@given(value=st.floats(-9, 9), lower=st.floats(-9, 0), upper=st.floats(0, 9))
def test_the_operators_look_at_their_sides(value, lower, upper):
    below, above = (leaves_band(value, side, lower=lower, upper=upper) for side in (LOWER, UPPER))
    assert (below, above) == (value < lower, value > upper)
    assert leaves_band(value, BOTH, lower=lower, upper=upper) == (below or above)


class World:
    """Orders of 10 and 20 in turn in each minute before START: mean 15, deviation 5."""

    def __init__(self, *, history=26 * 60):
        self.now = START
        self.seen = []
        self.model = CloudWatch(account=ACCOUNT, clock=lambda: self.now, listener=self.listen)
        for minute in range(1, history + 1):
            value = 10 if minute % 2 else 20
            self.model.record(ORDERS, timestamp=START - minute * MINUTE, value=value)

    def listen(self, transition):
        self.seen.append(transition)
        return []

    def minute(self, value=None):
        if value is not None:
            self.model.record(ORDERS, timestamp=self.now, value=value)
        self.now += MINUTE
        self.model.tick()

    def state(self):
        return self.model.state("orders").value


def banded(comparison=BOTH, **changes):
    settings = {
        "name": "orders",
        "metrics": (SERIES, BAND),
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "threshold_metric_id": "ad1",
        "comparison": comparison,
    }
    return MetricAlarm(**(settings | changes))


def test_two_of_three_above_the_band_and_what_is_said_of_it():
    world = World()
    world.model.put_alarms([banded(UPPER)])
    world.minute(25)
    assert world.state() is State.OK
    world.minute(26)
    assert world.state() is State.OK
    world.minute(27)
    assert world.state() is State.ALARM
    record = world.seen[-1].current
    assert record.reason == (
        "Thresholds Crossed: 2 out of the last 3 datapoints [27.0 (22/11/26 12:02:00), "
        "26.0 (22/11/26 12:01:00)] were greater than the upper thresholds [25.0, 25.0] "
        "(minimum 2 datapoints for OK -> ALARM transition)."
    )
    data = json.loads(record.reason_data)
    assert data["recentDatapoints"] == [25.0, 26.0, 27.0]
    assert data["recentUpperThresholds"] == [25.0, 25.0, 25.0]
    assert data["evaluatedDatapoints"][0] == {
        "timestamp": "2026-11-22T12:02:00.000+0000",
        "value": 27.0,
        "threshold": 25.0,
    }
    assert not {"threshold", "statistic", "recentLowerThresholds"} & set(data)


def test_both_sides_and_back():
    world = World()
    world.model.put_alarms([banded(evaluation_periods=1, datapoints_to_alarm=1)])
    world.minute(4)
    world.minute(15)
    world.minute(26)
    down, back, up = world.seen
    assert down.current.reason == (
        "Thresholds Crossed: 1 out of the last 1 datapoints [4.0 (22/11/26 12:00:00)] was less "
        "than the lower thresholds [5.0] or greater than the upper thresholds [25.0] "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert "was not less than the lower thresholds [5.0] or not greater than the upper" in (
        back.current.reason
    )
    assert up.current.value is State.ALARM
    data = json.loads(up.current.reason_data)
    assert (data["recentLowerThresholds"], data["recentUpperThresholds"]) == ([5.0], [25.0])


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        (UPPER, 4, State.OK),
        (UPPER, 26, State.ALARM),
        (LOWER, 4, State.ALARM),
        (LOWER, 26, State.OK),
        (BOTH, 5, State.OK),
        (BOTH, 25, State.OK),
    ],
)
def test_a_limit_itself_is_inside(comparison, value, state):
    world = World()
    world.model.put_alarms([banded(comparison, evaluation_periods=1, datapoints_to_alarm=1)])
    world.minute(value)
    assert world.state() is state


def test_without_enough_history_there_is_nothing_to_compare():
    world = World(history=79)
    world.model.put_alarms([banded(evaluation_periods=1, datapoints_to_alarm=1)])
    world.minute(99)
    assert world.state() is State.INSUFFICIENT_DATA
    world = World(history=80)
    world.model.put_alarms([banded(evaluation_periods=1, datapoints_to_alarm=1)])
    world.minute(99)
    assert world.state() is State.ALARM


def test_missing_data_counts_as_it_does_for_a_threshold():
    world = World()
    world.model.put_alarms(
        [banded(UPPER, datapoints_to_alarm=3, treat_missing_data=TreatMissingData.BREACHING)]
    )
    for _ in range(5):
        world.minute()
    assert world.state() is State.ALARM
    assert world.seen[-1].current.reason == (
        "Threshold Crossed: no datapoints were received for 3 periods and "
        "3 missing datapoints were treated as [Breaching]."
    )
    assert json.loads(world.seen[-1].current.reason_data)["recentUpperThresholds"] == []


def test_an_incident_stays_out_of_its_own_band_for_an_hour():
    world = World()
    world.model.put_alarms([banded(UPPER)])
    for _ in range(60):
        world.minute(1000)
    assert [t.current.value for t in world.seen][-1] is State.ALARM
    assert json.loads(world.model.state("orders").reason_data)["recentUpperThresholds"][-1] == 25.0


def test_a_band_over_an_expression():
    world = World()
    half = Query(id="e1", expression="m1 / 2", return_data=True)
    raw = Query(id="m1", stat=STAT, return_data=False)
    band = Query(id="ad1", expression="ANOMALY_DETECTION_BAND(e1)")
    alarm = banded(metrics=(raw, half, band), evaluation_periods=1, datapoints_to_alarm=1)
    world.model.put_alarms([alarm])
    world.minute(26)
    assert world.state() is State.ALARM
    assert "[13.0 (" in world.seen[-1].current.reason
    assert "[12.5]" in world.seen[-1].current.reason


def test_what_the_announcements_say():
    world = World()
    world.model.put_alarms([banded()])
    world.minute(99)
    world.minute(99)
    transition = world.seen[-1]
    trigger = json.loads(announcements.sns_message(transition, ACCOUNT)[1])["Trigger"]
    assert (trigger["ThresholdMetricId"], "Threshold" in trigger) == ("ad1", False)
    event = announcements.event_bridge_event(transition, ACCOUNT)
    assert event["detail"]["configuration"]["metrics"][1] == {
        "id": "ad1",
        "expression": "ANOMALY_DETECTION_BAND(m1, 2)",
        "label": "Orders (expected)",
        "returnData": True,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 5.0},
        {"threshold_metric_id": None},
        {"threshold_metric_id": "m1"},
        {"threshold_metric_id": "nobody"},
        {"comparison": "GreaterThanThreshold"},
        {"metrics": (SERIES,)},
        {"metrics": (), "stat": STAT},
        {"metrics": (Query(id="m1", stat=STAT, return_data=False), BAND)},
        {"metrics": (SERIES, Query(id="ad1", expression=BAND.expression, return_data=False))},
        {"metrics": (SERIES, BAND, Query(id="e1", expression="m1 + 1"))},
        {"metrics": (SERIES, BAND, Query(id="ad2", expression=BAND.expression))},
        {
            "threshold": 5.0,
            "threshold_metric_id": None,
            "comparison": "GreaterThanThreshold",
            "metrics": (Query(id="m1", stat=STAT, return_data=False), BAND),
        },
    ],
)
def test_alarms_that_are_refused(changes):
    with pytest.raises(ModelError) as refused:
        banded(**changes)
    assert refused.value.code == "ValidationError"


@given(
    offset=st.integers(0, 30),
    length=st.integers(1, 30),
    values=st.lists(st.integers(0, 99), max_size=40),
)
def test_the_band_of_a_period_does_not_depend_on_the_range_that_is_asked_for(
    offset, length, values
):
    world = World(history=180)
    for value in values:
        world.minute(value)

    def read(start, count):
        window = queries.Window.of(start=start, period=MINUTE, count=count, seen_at=world.now)
        found = queries.read(world.model.metrics, (SERIES, BAND), {"m1": window, "ad1": window})
        return found["ad1"]

    whole, part = read(START - HOUR, 180), read(START - HOUR + offset * MINUTE, length)
    assert part.upper.items() <= whole.upper.items()
    assert part.lower.items() <= whole.lower.items()
