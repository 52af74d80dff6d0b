"""A metric is one value: what is asked of whom, as which series, and in which words."""

import pytest
from msgspec.structs import replace

from rollback_responder.domain.metric import Level, Share, question_of, tells_versions_apart
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    ApiErrorRate,
    ApiType,
    DeadLetters,
    Dimension,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
    PointerTrigger,
    Ratio,
    Throttles,
    Timeouts,
)
from tests.builders import TARGET

ALIAS = (("FunctionName", "shop"), ("Resource", "shop:live"))
DEAD_QUEUE = (("QueueName", "dead"),)
EU = Dimension(name="Region", value="eu")
DECLINED = MetricName(namespace="Shop", name="Declined", dimensions=(EU,))
PAYMENTS = MetricName(namespace="Shop", name="Payments")
REST, HTTP = Api(name="shop"), Api(name="a1b2", type=ApiType.HTTP)
INVOCATIONS = ("AWS/Lambda", "Invocations", ALIAS, "Sum")
# The trigger, its series in order, and its limit in words.
QUESTIONS = [
    (
        ErrorRate(threshold_percent=5),
        {"requests": INVOCATIONS, "errors": ("AWS/Lambda", "Errors", ALIAS, "Sum")},
        "error rate above 5 %",
    ),
    # A log group knows no alias: it counts the whole function's, and so do the requests.
    (
        Timeouts(threshold_percent=2.5),
        {
            "requests": ("AWS/Lambda", "Invocations", ALIAS[:1], "Sum"),
            "errors": ("RollbackResponder/Timeouts", "shop", (), "Sum"),
        },
        "timed out requests above 2.5 %",
    ),
    # Throttled requests are in no other metric, so they are a part of the whole as well.
    (
        Throttles(),
        {"requests": INVOCATIONS, "throttles": ("AWS/Lambda", "Throttles", ALIAS, "Sum")},
        "throttled requests above 1 %",
    ),
    (
        Latency(statistic="p95", threshold_ms=1500),
        {"requests": INVOCATIONS, "value": ("AWS/Lambda", "Duration", ALIAS, "p95")},
        "p95 latency above 1500 ms",
    ),
    (
        Latency(statistic="average", threshold_ms=300),
        {"requests": INVOCATIONS, "value": ("AWS/Lambda", "Duration", ALIAS, "Average")},
        "average latency above 300 ms",
    ),
    (
        LatencyTimesNormal(statistic="p99.9", times=5),
        {"requests": INVOCATIONS, "value": ("AWS/Lambda", "Duration", ALIAS, "p99.9")},
        "p99.9 latency above 5 times its normal",
    ),
    (
        ApiErrorRate(api=replace(REST, stage="prod"), threshold_percent=5),
        {
            "requests": (
                "AWS/ApiGateway",
                "Count",
                (("ApiName", "shop"), ("Stage", "prod")),
                "SampleCount",
            ),
            "errors": (
                "AWS/ApiGateway",
                "5XXError",
                (("ApiName", "shop"), ("Stage", "prod")),
                "Sum",
            ),
        },
        "5xx responses above 5 %",
    ),
    (
        ApiErrorCount(api=HTTP, more_than=10),
        {
            "requests": ("AWS/ApiGateway", "Count", (("ApiId", "a1b2"),), "SampleCount"),
            "errors": ("AWS/ApiGateway", "5xx", (("ApiId", "a1b2"),), "Sum"),
        },
        "more than 10 5xx responses in 5 min",
    ),
    (
        DeadLetters(queue="dead"),
        {"value": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", DEAD_QUEUE, "Maximum")},
        "messages in the dead-letter queue above 0",
    ),
    (
        Ratio(name="declined", bad=DECLINED, whole=PAYMENTS, threshold_percent=5),
        {
            "requests": ("Shop", "Payments", (), "Sum"),
            "errors": ("Shop", "Declined", (("Region", "eu"),), "Sum"),
        },
        "declined above 5 %",
    ),
    (
        Anomaly(name="basket", metric=PAYMENTS, statistic="p90", band_width=2.5),
        {"value": ("Shop", "Payments", (), "p90")},
        "basket above CloudWatch's band of 2.5 deviations",
    ),
]
EVERY = pytest.mark.parametrize(
    ("trigger", "series", "said"), QUESTIONS, ids=[trigger.label for trigger, _, _ in QUESTIONS]
)


def read(question):
    return {
        one.id: (one.namespace, one.metric_name, one.dimensions, one.statistic)
        for one in question.series
    }


@EVERY
def test_each_trigger_asks_for_its_series_and_says_its_limit(trigger, series, said):
    question = question_of(trigger, TARGET)

    assert list(read(question).items()) == list(series.items())
    assert question.said == said


@EVERY
def test_a_question_keeps_what_its_trigger_says(trigger, series, said):
    question = question_of(trigger, TARGET)

    assert question.minutes == trigger.minutes
    assert question.breaching_minutes == getattr(trigger, "breaching_minutes", 1)
    for floor in ("minimum_requests", "minimum_errors"):
        if hasattr(trigger, floor):
            assert getattr(question, floor) == getattr(trigger, floor)


@EVERY
def test_a_question_has_one_limit(trigger, series, said):
    question = question_of(trigger, TARGET)
    limits = {
        Share: lambda asked: (asked.threshold_percent, asked.more_than),
        Level: lambda asked: (asked.threshold, asked.times_normal, asked.band_width),
    }[type(question)](question)

    assert len([limit for limit in limits if limit is not None]) == 1


@EVERY
def test_a_trigger_of_a_pointer_needs_one_and_no_other_does(trigger, series, said):
    if isinstance(trigger, PointerTrigger):
        with pytest.raises(ValueError, match=f"trigger {trigger.label} is measured on a pointer"):
            question_of(trigger, None)
    else:
        assert question_of(trigger, None) == question_of(trigger, TARGET, version="7")


@EVERY
def test_versions_are_told_apart_where_each_executes_its_own_requests(trigger, series, said):
    """Each of the series has the dimension; a throttled or logged request has no version."""
    apart = tells_versions_apart(trigger)

    assert apart is isinstance(trigger, ErrorRate | Latency | LatencyTimesNormal)
    if apart:
        question = question_of(trigger, TARGET, version="7")
        dimensions = {one.dimensions for one in question.series}
        assert dimensions == {(*ALIAS, ("ExecutedVersion", "7"))}


@pytest.mark.parametrize(
    ("statistic", "enough"),
    [
        # CloudWatch's rule, 10 / (1 - p), rounded up.
        ("p50", 20),
        ("p90", 100),
        ("p95", 200),
        ("p99", 1000),
        ("p99.9", 10_000),
        ("p99.99", 100_000),
        ("p97", 334),
        # The floor of 20 in ten minutes.
        ("average", 2),
    ],
)
def test_a_percentile_needs_enough_requests_in_a_minute(statistic, enough):
    assert (
        question_of(Latency(statistic=statistic, threshold_ms=1), TARGET).enough_samples == enough
    )


def test_latency_is_looked_at_after_the_cold_starts_and_must_be_clearly_worse():
    for trigger in (
        Latency(statistic="p95", threshold_ms=300),
        LatencyTimesNormal(statistic="p95", times=3),
    ):
        question = question_of(trigger, TARGET)
        assert (question.cold_minutes, question.worse_by, question.stays) == (2, 100, False)


def test_dead_letters_stay_until_a_person_takes_them_away():
    question = question_of(DeadLetters(queue="dead", more_than=3), None)

    assert (question.stays, question.threshold, question.cold_minutes) == (True, 3, 0)
    assert question.samples is None


def test_a_multiple_of_the_normal_judges_where_a_band_only_wakes():
    question = question_of(LatencyTimesNormal(statistic="p95", times=3), TARGET)

    assert (question.times_normal, question.band_width, question.alarm_band) == (3, None, 4)


@pytest.mark.parametrize(("floor", "a_minute"), [(1, 1), (10, 1), (11, 2), (20, 2), (1000, 100)])
def test_a_floor_is_spread_over_ten_minutes(floor, a_minute):
    question = question_of(ErrorRate(threshold_percent=5, minimum_requests=floor), TARGET)

    assert question.minimum_requests_a_minute == a_minute


@pytest.mark.parametrize(
    ("trigger", "unit"),
    [
        (ErrorRate(threshold_percent=5), " %"),
        (ApiErrorCount(api=REST, more_than=10), ""),
        (Latency(statistic="p95", threshold_ms=300), " ms"),
        (DeadLetters(queue="dead"), ""),
        (Anomaly(name="basket", metric=PAYMENTS), ""),
    ],
)
def test_a_number_has_its_unit(trigger, unit):
    assert question_of(trigger, TARGET).unit == unit


@pytest.mark.parametrize(
    ("trigger", "label"),
    [
        (ErrorRate(threshold_percent=5), "error-rate"),
        (ErrorRate(threshold_percent=5, name="strict"), "error-rate-strict"),
        (Timeouts(threshold_percent=5), "timeouts"),
        (Throttles(), "throttles"),
        (Latency(statistic="p99.9", threshold_ms=300), "latency-p99-9"),
        (LatencyTimesNormal(statistic="p95", times=3), "latency-p95-times-normal"),
        (ApiErrorRate(api=REST, threshold_percent=5), "api-5xx-rate"),
        (ApiErrorCount(api=REST, more_than=10), "api-5xx-count"),
        (DeadLetters(queue="dead.fifo"), "dead-letters-dead-fifo"),
        (Ratio(name="declined", bad=DECLINED, whole=PAYMENTS, threshold_percent=5), "declined"),
        (Anomaly(name="basket", metric=PAYMENTS), "basket"),
    ],
)
def test_a_label_is_a_piece_of_an_alarms_name_and_has_no_dot(trigger, label):
    assert trigger.label == label
    assert "." not in label
