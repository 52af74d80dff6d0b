"""The alarm that wakes the responder and the query that judges are the same metric."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from house import model_alarms
from local.aws_model.alarm import Actions
from local.aws_model.alarm_book import Account
from local.aws_model.alarms_from_template import read
from local.aws_model.clients import cloudwatch_client
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.evaluation import State
from local.aws_model.metrics import Metric, Statistic
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import Share, question_of, tells_versions_apart
from rollback_responder.domain.minutes import is_bad, persists
from rollback_responder.domain.policy import Policy, Service, Slack, parse_policy
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.domain.trigger import (
    AdoptedAlarm,
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
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from tests.infra.synthesis import POLICY

ACCOUNT = Account(id="111122223333", region="eu-west-1")
MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SHOP = LambdaAlias(function="shop", alias="live")
MEASURED = [
    watched
    for watched in parse_policy(POLICY).watched()
    if not isinstance(watched.trigger, AdoptedAlarm)
]
EVERY = pytest.mark.parametrize("watched", MEASURED, ids=lambda watched: watched.alarm_name)


def test_the_model_alarms_of_the_stories_are_those_of_the_template(synthesis):
    """What the stories prove in memory, they prove of the alarms that are deployed."""
    synthesised = {alarm.name: _core(alarm) for alarm in deployed(synthesis)}
    expected = {alarm.name: _core(alarm) for alarm in model_alarms(synthesis.policy)}

    assert synthesised == expected


def deployed(synthesis):
    """The alarms of the template as the model takes them; nobody hears of them."""
    return [
        replace(alarm, actions=Actions(), description=None)
        for template in synthesis.alarm_stacks
        for alarm in read(template.document, account=ACCOUNT)
    ]


def _core(alarm):
    """All that decides when it fires; what a query that returns data is called does not."""
    queries = frozenset((q.stat, q.expression, q.return_data) for q in alarm.metrics)
    compared = [q.expression for q in alarm.metrics if q.id == alarm.threshold_metric_id]
    return {f.name: getattr(alarm, f.name) for f in fields(alarm)} | {
        "metrics": queries,
        "threshold_metric_id": compared,
    }


# -- the same series ------------------------------------------------------------------------------


def asked_about(watched):
    """The requests that the adapter makes about a trigger, each version apart where it can."""
    requests = []
    client = cloudwatch_client(CloudWatch(account=ACCOUNT, clock=lambda: START))
    client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: requests.append(params),
    )
    questions = {"total": question_of(watched.trigger, watched.pointer)}
    if tells_versions_apart(watched.trigger):
        questions["new"] = question_of(watched.trigger, watched.pointer, version="2")
        questions["previous"] = question_of(watched.trigger, watched.pointer, version="1")
    CloudWatchMetrics(client).read(questions, since_at=START - MINUTE, now=START)
    return requests


def identity(stat):
    """What makes a series the same one, whatever its period."""
    metric = stat["Metric"]
    dimensions = frozenset((d["Name"], d["Value"]) for d in metric.get("Dimensions", ()))
    return metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"]


def watched_in(template):
    """The series of a template's alarm, and its period."""
    if "Metrics" in template:
        stats = [entry["MetricStat"] for entry in template["Metrics"] if "MetricStat" in entry]
        (period,) = {stat["Period"] for stat in stats}
        return {identity(stat) for stat in stats}, period
    metric = {key: template.get(key, []) for key in ("Namespace", "MetricName", "Dimensions")}
    statistic = template.get("ExtendedStatistic") or template["Statistic"]
    return {identity({"Metric": metric, "Stat": statistic})}, template["Period"]


@EVERY
def test_the_run_time_query_reads_the_series_of_the_alarm_minute_by_minute(synthesis, watched):
    (request,) = asked_about(watched)
    stats = {
        query["Id"]: query["MetricStat"]
        for query in request["MetricDataQueries"]
        if "MetricStat" in query
    }
    total = {identity(stat) for name, stat in stats.items() if name.startswith("total_")}
    alarmed, period = watched_in(synthesis.alarms()[watched.alarm_name])
    minutes = watched.trigger.minutes if isinstance(watched.trigger, ApiErrorCount) else 1

    assert alarmed <= total
    assert {stat["Period"] for stat in stats.values()} == {60}
    assert period == 60 * minutes, "a count is of its whole window, everything else by the minute"


@EVERY
def test_what_is_read_beside_the_alarms_series_is_how_many_there_were(synthesis, watched):
    """An alarm on a latency or a count sees one series; the judge wants to know of how many."""
    (request,) = asked_about(watched)
    asked = {
        identity(query["MetricStat"])
        for query in request["MetricDataQueries"]
        if query["Id"].startswith("total_") and "MetricStat" in query
    }
    alarmed, _ = watched_in(synthesis.alarms()[watched.alarm_name])
    beside = {name for _, name, _, _ in asked - alarmed}
    counted = isinstance(watched.trigger, Latency | LatencyTimesNormal | ApiErrorCount)

    assert len(beside) == counted
    assert beside <= {"Invocations", "Count"}


@EVERY
def test_a_version_is_the_same_series_with_one_dimension_more(watched):
    (request,) = asked_about(watched)
    stats = {
        q["Id"]: identity(q["MetricStat"])
        for q in request["MetricDataQueries"]
        if "MetricStat" in q
    }
    apart = {name: stat for name, stat in stats.items() if not name.startswith("total_")}
    versions = {"new": "2", "previous": "1"} if tells_versions_apart(watched.trigger) else {}

    assert {name.partition("_")[0] for name in apart} == set(versions)
    for name, (namespace, metric, dimensions, statistic) in apart.items():
        which, _, series = name.partition("_")
        less = dimensions - {("ExecutedVersion", versions[which])}
        assert less != dimensions
        assert stats[f"total_{series}"] == (namespace, metric, less, statistic)


@EVERY
def test_a_band_that_judges_is_the_alarms_and_no_other_is_read(synthesis, watched):
    (request,) = asked_about(watched)
    bands = [q["Expression"] for q in request["MetricDataQueries"] if "Expression" in q]
    expected = []
    if isinstance(watched.trigger, Anomaly):
        template = synthesis.alarms()[watched.alarm_name]["Metrics"]
        (band,) = [entry["Expression"] for entry in template if "Expression" in entry]
        (about,) = [entry["Id"] for entry in template if "MetricStat" in entry]
        expected = [band.replace(about, "total_value")]

    assert bands == expected


# -- the same judgement ---------------------------------------------------------------------------


class Watch:
    """One trigger's alarm over a model, and the judge's view of the same minutes."""

    def __init__(self, trigger):
        self.now = START
        self.model = CloudWatch(account=ACCOUNT, clock=lambda: self.now)
        self.question = question_of(trigger, SHOP)
        service = Service(name="shop", targets=(SHOP,), triggers=(trigger,))
        policy = Policy(environment="test", slack=Slack(channel="#deploys"), services=(service,))
        (self.alarm,) = model_alarms(policy)
        self.model.put_alarms([self.alarm])

    def record(self, series, value, *, at=START, count=1):
        """One value, `count` times; None is no datapoint."""
        if value is not None:
            metric = Metric.of(series.namespace, series.metric_name, dict(series.dimensions))
            self.model.record(metric, timestamp=at, value=value, count=count)

    def record_share(self, bad, *whole, at=START):
        for series, value in zip(self.question.whole, whole, strict=True):
            self.record(series, value, at=at)
        if self.question.bad not in self.question.whole:
            self.record(self.question.bad, bad, at=at)

    def look(self, minutes=1):
        """Whether the alarm fires once these minutes are over, and what the judge reads of them."""
        self.now = START + minutes * MINUTE
        self.model.tick()
        client = cloudwatch_client(self.model)
        found = CloudWatchMetrics(client).read(
            {"total": self.question}, since_at=START, now=self.now
        )["total"]
        return self.state.value is State.ALARM, found

    @property
    def state(self):
        return self.model.state(self.alarm.name)

    def agree(self):
        """Whether alarm and judge say the same of one minute, and what."""
        alarmed, found = self.look()
        assert alarmed == any(is_bad(self.question, bucket) for bucket in found), found
        return alarmed


ONE = {"minutes": 1, "breaching_minutes": 1}
# As people write them. Of a larger whole, the last digit of a float may decide at the threshold.
PERCENT = st.integers(0, 9999).map(lambda hundredths: hundredths / 100)
MANY = st.none() | st.integers(0, 300)
HALF_AS_MANY = st.none() | st.integers(0, 150)


def ratio(**changes):
    named = {
        "name": "declined",
        "bad": MetricName(namespace="Shop", name="Declined"),
        "whole": MetricName(namespace="Shop", name="Payments"),
    }
    return Ratio(**(named | changes))


SHARES = {
    "error_rate": ErrorRate,
    "timeouts": Timeouts,
    "api_5xx_rate": lambda **given: ApiErrorRate(api=Api(name="shop"), **given),
    "ratio": ratio,
}


@pytest.mark.parametrize("make", SHARES.values(), ids=SHARES)
@given(
    requests=MANY, errors=MANY, threshold=PERCENT, floor=st.integers(1, 900), before=st.booleans()
)
def test_a_bad_minute_is_bad_for_the_alarm_and_for_the_judge(
    make, *, requests, errors, threshold, floor, before
):
    """The metric math of the alarm and `is_bad` agree on every minute, whatever is missing."""
    watch = Watch(make(threshold_percent=threshold, minimum_requests=floor, **ONE))
    if watch.question.whole[0].statistic == "SampleCount" and requests:
        for _ in range(requests):
            watch.record(watch.question.whole[0], 1)
        watch.record(watch.question.bad, errors)
    else:
        watch.record_share(errors, requests)
    if before:
        watch.record_share(None, 500, at=START - MINUTE)
    watch.agree()


@given(
    requests=HALF_AS_MANY,
    throttled=HALF_AS_MANY,
    threshold=PERCENT,
    floor=st.integers(1, 900),
    before=st.booleans(),
)
def test_a_minute_of_throttles_is_bad_for_the_alarm_and_for_the_judge(
    requests, throttled, threshold, floor, before
):
    """Throttled requests are in no other count, so the whole is a sum; either part may be missing.

    `before` leaves another minute in the alarm's range: only then has FILL something to fill.
    """
    watch = Watch(Throttles(threshold_percent=threshold, minimum_requests=floor, **ONE))
    watch.record_share(throttled, requests, throttled)
    if before:
        watch.record_share(None, 500, 0, at=START - MINUTE)
    watch.agree()


@pytest.mark.parametrize(
    ("trigger", "bad", "whole", "fires"),
    [
        # At the threshold is not above it.
        (ErrorRate(threshold_percent=5, **ONE), 5, (100,), False),
        (ErrorRate(threshold_percent=5, **ONE), 6, (100,), True),
        (ErrorRate(threshold_percent=33.3, **ONE), 1, (3,), True),
        # Too few in a minute: two of twenty in ten minutes.
        (ErrorRate(threshold_percent=5, **ONE), 1, (1,), False),
        (ErrorRate(threshold_percent=5, **ONE), 1, (2,), True),
        (ErrorRate(threshold_percent=5, minimum_requests=21, **ONE), 2, (2,), False),
        (ErrorRate(threshold_percent=5, minimum_requests=21, **ONE), 3, (3,), True),
        # Nothing came: nothing is known.
        (ErrorRate(threshold_percent=0, **ONE), 3, (None,), False),
        (ErrorRate(threshold_percent=0, **ONE), None, (3,), False),
        (Timeouts(threshold_percent=50, **ONE), 3, (6,), False),
        (Timeouts(threshold_percent=50, **ONE), 4, (6,), True),
        # Throttled and served are the whole, also where all or none were throttled.
        (Throttles(threshold_percent=50, **ONE), 5, (5, 5), False),
        (Throttles(threshold_percent=50, **ONE), 6, (5, 6), True),
        (Throttles(threshold_percent=99.99, **ONE), 7, (None, 7), True),
        (Throttles(threshold_percent=0, **ONE), None, (7, None), False),
        (Throttles(threshold_percent=0, **ONE), 1, (7, 1), True),
        (Throttles(threshold_percent=0, minimum_requests=90, **ONE), 1, (7, 1), False),
        # Two metrics of anybody's need not agree.
        (ratio(threshold_percent=99, **ONE), 9, (3,), True),
        (ratio(threshold_percent=99, **ONE), 9, (None,), False),
        (ratio(threshold_percent=99, **ONE), 9, (0,), False),
    ],
)
def test_alarm_and_judge_know_the_limit_to_the_last_request(trigger, bad, whole, fires):
    watch = Watch(trigger)
    watch.record_share(bad, *whole)

    assert watch.agree() is fires


@pytest.mark.parametrize("make", [ErrorRate, Timeouts, Throttles, ratio])
@given(
    window=st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=6),
    most=st.integers(1, 6),
    threshold=PERCENT,
)
def test_as_many_minutes_are_bad_for_the_alarm_as_for_the_judge(make, window, most, threshold):
    """Of N minutes with traffic, M must be bad; both count the same ones."""
    needed = min(most, len(window))
    trigger = make(threshold_percent=threshold, minutes=len(window), breaching_minutes=needed)
    watch = Watch(trigger)
    for number, (requests, share) in enumerate(window):
        bad = round(requests * share)
        whole = (requests, bad) if make is Throttles else (requests,)
        watch.record_share(bad, *whole, at=START + number * MINUTE)
    alarmed, found = watch.look(len(window))

    assert len(found) == len(window)
    assert alarmed == persists(watch.question, found)


@given(
    errors=st.lists(st.integers(0, 8), min_size=1, max_size=12),
    more_than=st.integers(0, 40),
)
def test_a_count_is_of_the_whole_window_for_the_alarm_and_for_the_judge(errors, more_than):
    """The alarm's one period is the window; the judge adds up its minutes."""
    trigger = ApiErrorCount(api=Api(name="shop"), more_than=more_than, minutes=len(errors))
    watch = Watch(trigger)
    for number, count in enumerate(errors):
        at = START + number * MINUTE
        watch.record(watch.question.whole[0], 1, count=10, at=at)
        watch.record(watch.question.bad, count, at=at)
    alarmed, found = watch.look(len(errors))

    assert alarmed == persists(watch.question, found) == (sum(errors) > more_than)


@given(
    statistic=st.sampled_from(["p50", "p75", "p90", "p97.5", "p99", "p99.9"]),
    requests=st.integers(0, 12_000),
    milliseconds=st.integers(1, 400),
)
def test_a_percentile_is_bad_for_the_alarm_and_for_the_judge(statistic, requests, milliseconds):
    watch = Watch(Latency(statistic=statistic, threshold_ms=200, **ONE))
    if requests:
        watch.record(watch.question.samples, requests)
        watch.record(watch.question.value, milliseconds, count=requests)
    alarmed = watch.agree()

    assert alarmed == (milliseconds > 200 and requests >= watch.question.enough_samples)


@given(requests=st.integers(0, 20), milliseconds=st.integers(1, 400), floor=st.integers(1, 100))
def test_an_average_that_is_bad_for_the_judge_is_so_for_the_alarm(requests, milliseconds, floor):
    """CloudWatch's low-sample rule is for percentiles only: the alarm wakes, the judge knows it."""
    trigger = Latency(statistic="average", threshold_ms=200, minimum_requests=floor, **ONE)
    watch = Watch(trigger)
    if requests:
        watch.record(watch.question.samples, requests)
        watch.record(watch.question.value, milliseconds, count=requests)
    alarmed, found = watch.look()
    judged = any(is_bad(watch.question, bucket) for bucket in found)

    assert alarmed == (milliseconds > 200 and requests > 0)
    assert judged == (alarmed and 10 * requests >= floor)


@given(messages=st.none() | st.integers(0, 40), more_than=st.integers(0, 40))
def test_dead_letters_are_bad_for_the_alarm_and_for_the_judge(messages, more_than):
    watch = Watch(DeadLetters(queue="dead", more_than=more_than, **ONE))
    watch.record(watch.question.value, messages)

    assert watch.agree() is (messages is not None and messages > more_than)


@given(
    history=st.lists(st.integers(0, 1000), max_size=25),
    value=st.integers(0, 4000),
    width=st.integers(4, 40).map(lambda quarters: quarters / 4),
    statistic=st.sampled_from(["Average", "Maximum", "Sum", "p90"]),
)
def test_the_upper_edge_that_the_judge_reads_is_the_alarms(history, value, width, statistic):
    metric = MetricName(namespace="Shop", name="Basket")
    trigger = Anomaly(name="basket", metric=metric, statistic=statistic, band_width=width, **ONE)
    watch = Watch(trigger)
    for number, before in enumerate(history):
        watch.record(watch.question.value, before, at=START - timedelta(hours=5) + number * MINUTE)
    watch.record(watch.question.value, value)
    watch.agree()
    _, (bucket,) = watch.look()
    edges = json.loads(watch.state.reason_data)["recentUpperThresholds"]

    assert edges == ([] if bucket.limit is None else [bucket.limit])
    assert (bucket.limit is None) == (len(history) < 20), "CloudWatch must have learned it first"


def test_what_is_compared_with_its_normal_is_judged_without_the_band_that_wakes():
    trigger = LatencyTimesNormal(statistic="p50", times=3, **ONE)
    watch = Watch(trigger)
    for number in range(60):
        at = START - timedelta(hours=5) + number * MINUTE
        watch.record(watch.question.value, 90 + number % 20, at=at, count=60)
    watch.record(watch.question.samples, 60)
    watch.record(watch.question.value, 250, count=60)
    alarmed, (bucket,) = watch.look()

    assert alarmed
    assert bucket.limit is None
    assert not is_bad(watch.question, bucket, 100.0), "beyond the band, and not three times normal"
    assert is_bad(watch.question, bucket, 80.0)


@pytest.mark.parametrize(
    ("statistic", "enough"),
    [
        ("p50", 20),
        ("p66.67", 31),
        ("p75", 40),
        ("p90", 100),
        ("p95", 200),
        ("p97.5", 400),
        ("p99", 1000),
        ("p99.5", 2000),
        ("p99.9", 10_000),
        ("p99.99", 100_000),
        # CloudWatch has no such rule for an average: a tenth of what ten minutes need.
        ("average", 2),
    ],
)
def test_the_judge_knows_the_alarms_low_sample_rule(statistic, enough):
    """Where CloudWatch ignores a percentile for too few samples, so does the judge."""
    question = question_of(Latency(statistic=statistic, threshold_ms=100), SHOP)
    few = Bucket(start_at=START, requests=enough - 1, value=999)
    many = Bucket(start_at=START, requests=enough, value=999)

    assert [is_bad(question, few), is_bad(question, many)] == [False, True]
    if statistic != "average":
        limit = Statistic.parse(statistic).low_sample_limit()
        assert enough - 1 < limit <= enough


def test_every_share_of_the_policy_is_compared_by_these_tests():
    kinds = {
        type(w.trigger) for w in MEASURED if isinstance(question_of(w.trigger, w.pointer), Share)
    }

    assert kinds == {ErrorRate, Timeouts, Throttles, ApiErrorRate, ApiErrorCount, Ratio}
