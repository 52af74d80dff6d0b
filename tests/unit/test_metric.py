"""A metric is one value, rendered as a query here and as an alarm at synth."""

import pytest

from rollback_responder.domain.metric import alarm_query, series_of, threshold_of
from rollback_responder.domain.trigger import ErrorRate, Latency, Statistic
from tests.builders import TARGET

RATE = ErrorRate(threshold_percent=5)
SLOW = Latency(statistic=Statistic.P95, threshold_ms=300)
ALIAS = (("FunctionName", "shop"), ("Resource", "shop:live"))


def test_an_error_rate_is_two_sums():
    assert [(s.id, s.metric_name, s.statistic, s.dimensions) for s in series_of(RATE, TARGET)] == [
        ("requests", "Invocations", "Sum", ALIAS),
        ("errors", "Errors", "Sum", ALIAS),
    ]


@pytest.mark.parametrize(("statistic", "spelled"), [("p95", "p95"), ("average", "Average")])
def test_a_latency_is_spelled_as_cloudwatch_spells_it(statistic, spelled):
    trigger = Latency(statistic=Statistic(statistic), threshold_ms=1)
    (_, latency) = series_of(trigger, TARGET, version="7")

    assert latency.statistic == spelled
    assert latency.dimensions == (*ALIAS, ("ExecutedVersion", "7"))


def test_what_an_alarm_watches():
    query = alarm_query(RATE, TARGET)

    assert query.expression == "IF(requests >= 7, 100 * FILL(errors, 0) / requests, 0)"
    assert [s.id for s in query.series] == ["requests", "errors"]
    assert alarm_query(SLOW, TARGET).expression is None
    assert [s.id for s in alarm_query(SLOW, TARGET).series] == ["latency"]


def test_thresholds_are_in_the_unit_of_their_query():
    assert (threshold_of(RATE), threshold_of(SLOW)) == (5, 300)
