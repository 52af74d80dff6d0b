"""Alarms worked out from recorded minutes say what the strict model of CloudWatch says."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from house import ACCOUNT, MINUTE, REGION, START
from local.alarms_of_policy import model_alarm
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import Metric, Statistic
from rollback_responder.cli.alarm_model import would_have_said
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    ApiType,
    DeadLetters,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
    Throttles,
)
from rollback_responder.metrics.recorded import Track, bare
from tests.builders import TARGET

TRIGGERS = [
    ErrorRate(threshold_percent=5),
    ErrorRate(threshold_percent=5, minutes=5, breaching_minutes=3, minimum_requests=100),
    Throttles(threshold_percent=1),
    Latency(statistic="average", threshold_ms=300),
    Latency(statistic="p95", threshold_ms=300),
    ApiErrorCount(api=Api(name="shop", type=ApiType.REST), more_than=5, minutes=5),
    DeadLetters(queue="dead", more_than=0),
]
BANDED = [
    LatencyTimesNormal(statistic="average", times=2),
    Anomaly(name="backlog", metric=MetricName(namespace="Theirs", name="backlog")),
]


class World:
    """The model of CloudWatch, an alarm in it, and what both see as tracks."""

    def __init__(self, trigger):
        self.now = START
        self.question = question_of(trigger, TARGET)
        self.cloudwatch = CloudWatch(
            account=Account(id=ACCOUNT, region=REGION), clock=lambda: self.now
        )
        self.cloudwatch.put_alarms([model_alarm("a", trigger, TARGET)])
        self.said = []
        self.cloudwatch.listener = self._heard
        self.points = {}

    def _heard(self, transition):
        self.said.append((transition.current.transitioned_at, transition.current.value.value))
        return ()

    def minute(self, values):
        """One value a series and sample; None is no datapoint at all."""
        for series in self.question.series:
            metric = Metric.of(series.namespace, series.metric_name, dict(series.dimensions))
            for value, count in values(series):
                self.cloudwatch.record(metric, timestamp=self.now, value=value, count=count)
        self.now += MINUTE
        self.cloudwatch.tick()

    def tracks(self):
        found = {}
        for series in self.question.series:
            metric = Metric.of(series.namespace, series.metric_name, dict(series.dimensions))
            starts, values = [], []
            at = START
            while at < self.now:
                point = self.cloudwatch.metrics.datapoint(
                    metric,
                    Statistic.parse(series.statistic),
                    start=at,
                    period=MINUTE,
                    seen_at=self.now,
                )
                if point is not None:
                    starts.append(at)
                    values.append(point.value)
                at += MINUTE
            found[bare(series)] = Track(starts=starts, values=values)
        return found

    def ours(self, bands=None):
        found = would_have_said(self.question, self.tracks(), bands or {}, START, self.now)
        return [(one.transitioned_at, one.state.value) for one in found[1:]]

    def theirs(self):
        """Without the first word about a new alarm, which we take to have been OK."""
        return self.said[1:] if self.said and self.said[0][1] == "OK" else self.said


SHAPES = st.lists(st.integers(0, 4), min_size=8, max_size=40)


def values_of(shape, rng):
    """What a minute of a shape leaves in a series: 0 nothing, 1 few, 2 well, 3 bad, 4 a bit bad."""

    count = 1 if shape == 1 else rng.randint(30, 400)

    def values(series):
        if shape == 0:
            return []
        bad = {1: 1, 2: 0, 3: count // 2, 4: max(1, count // 20)}[shape]
        if series.statistic in {"Sum", "SampleCount"} and series.metric_name in {
            "Errors",
            "Throttles",
            "5XXError",
        }:
            return [(1.0, bad)] if bad else [(0.0, 1)]
        if series.statistic == "Sum":
            return [(1.0, count)]
        if series.statistic == "SampleCount":
            return [(1.0, count)]
        if series.metric_name == "ApproximateNumberOfMessagesVisible":
            return [(float(shape >= 3), 1)]
        return [(900.0 if shape == 3 else 100.0, count)]

    return values


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.label)
@given(shapes=SHAPES, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=timedelta(seconds=5))
def test_it_says_what_the_model_says(trigger, shapes, seed):
    world, rng = World(trigger), random.Random(seed)
    for shape in shapes:
        world.minute(values_of(shape, rng))

    assert world.ours() == world.theirs()


@pytest.mark.parametrize("trigger", BANDED, ids=lambda trigger: trigger.label)
def test_a_band_is_left_where_the_record_says_so(trigger):
    question = question_of(trigger, TARGET)
    starts = [START + n * MINUTE for n in range(10)]
    value = Track(starts=starts, values=[100.0] * 5 + [900.0] * 5)
    edge = Track(starts=starts, values=[200.0] * 10)
    series = bare(question.value)
    found = would_have_said(
        question,
        {series: value},
        {(series, question.alarm_band): edge},
        START,
        START + 10 * MINUTE,
    )

    assert [(r.state.value, (r.transitioned_at - START) / MINUTE) for r in found] == [
        ("OK", 0),
        ("ALARM", 7),
    ]
