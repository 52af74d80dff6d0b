"""A question as the alarm that wakes the responder."""

import pytest
from msgspec.structs import replace

from rollback_responder.domain.alarm_query import alarm_query, band_of
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    ApiErrorRate,
    DeadLetters,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
    Ratio,
    Throttles,
    Timeouts,
)
from tests.builders import TARGET

ANYBODYS = MetricName(namespace="Shop", name="Basket")
ALL_THAT_CAME = "(FILL(requests, 0) + FILL(throttles, 0))"
# What it watches: series, expression, period and M of N, threshold or band.
ALARMS = [
    (
        ErrorRate(threshold_percent=5),
        (["requests", "errors"], "IF(requests >= 2, 100 * FILL(errors, 0) / requests, 0)"),
        (60, 2, 3, 5, None),
    ),
    (
        ErrorRate(threshold_percent=0.5, minutes=5, breaching_minutes=3, minimum_requests=101),
        (["requests", "errors"], "IF(requests >= 11, 100 * FILL(errors, 0) / requests, 0)"),
        (60, 3, 5, 0.5, None),
    ),
    (
        Timeouts(threshold_percent=5),
        (["requests", "errors"], "IF(requests >= 2, 100 * FILL(errors, 0) / requests, 0)"),
        (60, 2, 3, 5, None),
    ),
    (
        Throttles(),
        (
            ["requests", "throttles"],
            f"IF({ALL_THAT_CAME} >= 2, 100 * FILL(throttles, 0) / {ALL_THAT_CAME}, 0)",
        ),
        (60, 2, 3, 1, None),
    ),
    (
        ApiErrorRate(api=Api(name="shop"), threshold_percent=5),
        (["requests", "errors"], "IF(requests >= 2, 100 * FILL(errors, 0) / requests, 0)"),
        (60, 2, 3, 5, None),
    ),
    (
        Ratio(name="declined", bad=ANYBODYS, whole=ANYBODYS, threshold_percent=5),
        (["requests", "errors"], "IF(requests >= 2, 100 * FILL(errors, 0) / requests, 0)"),
        (60, 2, 3, 5, None),
    ),
    # A count is of the whole window, so the window is its one period.
    (
        ApiErrorCount(api=Api(name="shop"), more_than=10),
        (["errors"], None),
        (300, 1, 1, 10, None),
    ),
    (Latency(statistic="p95", threshold_ms=300), (["value"], None), (60, 2, 3, 300, None)),
    (LatencyTimesNormal(statistic="p95", times=3), (["value"], None), (60, 2, 3, None, 4)),
    (DeadLetters(queue="dead", more_than=7), (["value"], None), (60, 2, 3, 7, None)),
    (Anomaly(name="basket", metric=ANYBODYS, band_width=3), (["value"], None), (60, 2, 3, None, 3)),
]


def asked(trigger):
    return question_of(trigger, TARGET)


@pytest.mark.parametrize(("trigger", "watched", "limits"), ALARMS, ids=lambda each: str(each)[:20])
def test_what_an_alarm_watches(trigger, watched, limits):
    query = alarm_query(asked(trigger))

    assert ([one.id for one in query.series], query.expression) == watched
    assert limits == (
        query.period_seconds,
        query.datapoints_to_alarm,
        query.evaluation_periods,
        query.threshold,
        query.band_width,
    )


@pytest.mark.parametrize(("trigger", "watched", "limits"), ALARMS, ids=lambda each: str(each)[:20])
def test_an_alarm_watches_what_is_read_and_has_one_limit(trigger, watched, limits):
    question = asked(trigger)
    query = alarm_query(question)

    assert set(query.series) <= set(question.series)
    assert (query.threshold is None) is (query.band_width is not None)
    assert query.label.startswith(question.noun)


@pytest.mark.parametrize(
    ("trigger", "label", "ignores"),
    [
        (Latency(statistic="p95", threshold_ms=300), "p95 latency ms", True),
        (Latency(statistic="average", threshold_ms=300), "average latency ms", False),
        # With a band beside it, it is no single series any more.
        (LatencyTimesNormal(statistic="p99.9", times=3), "p99.9 latency ms", False),
        (DeadLetters(queue="dead"), "messages in the dead-letter queue", False),
        (ErrorRate(threshold_percent=5), "error rate in percent", False),
    ],
)
def test_only_percentiles_of_few_requests_are_ignored(trigger, label, ignores):
    query = alarm_query(asked(trigger))

    assert (query.label, query.ignores_low_samples) == (label, ignores)


def test_a_version_has_an_alarm_of_its_own_series():
    query = alarm_query(question_of(ErrorRate(threshold_percent=5), TARGET, version="7"))

    assert all(("ExecutedVersion", "7") in one.dimensions for one in query.series)


def test_a_threshold_that_judges_may_be_woken_by_a_band():
    level = asked(Latency(statistic="p95", threshold_ms=300))
    query = alarm_query(replace(level, alarm_band=2.5))

    assert (query.threshold, query.band_width) == (None, 2.5)


@pytest.mark.parametrize(
    ("width", "spelled"),
    [
        (2.0, "ANOMALY_DETECTION_BAND(m1, 2)"),
        (2.5, "ANOMALY_DETECTION_BAND(m1, 2.5)"),
        (2.3456789, "ANOMALY_DETECTION_BAND(m1, 2.3456789)"),
    ],
)
def test_a_band_as_cloudwatch_spells_it(width, spelled):
    assert band_of("m1", width) == spelled
