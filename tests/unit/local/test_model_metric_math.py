"""Metric math: the tables of the CloudWatch guide, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws_model import expression, metric_math
from local.aws_model.errors import ModelError

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PERIODS = [START + timedelta(minutes=i) for i in range(5)]


def series(*values):
    return {at: float(v) for at, v in zip(PERIODS, values, strict=False) if v is not None}


def run(text, **known):
    return metric_math.evaluate(expression.parse(text), known, PERIODS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1 < m2", (0, 0, 1, 0)),
        ("m1 >= 30", (1, 0, 0, 0)),
        ("m1 > 15 AND m2 > 15", (1, 0, 0, 0)),
        ("m1 > 15 && m2 > 15", (1, 0, 0, 0)),
    ],
)
def test_the_guides_table_of_comparisons(text, expected):
    m1, m2 = series(30, 20, 0, 0), series(20, None, 20, None)
    assert run(text, m1=m1, m2=m2) == series(*expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IF(m1, m2, m3)", (30, 0, 20, None, None)),
        ("IF(m1, 5, m3)", (5, 5, 20, None, None)),
        ("IF(m1, m2, 5)", (30, 0, 5, 5, None)),
        ("IF(m1, m2)", (30, 0, None, None, None)),
    ],
)
def test_the_guides_tables_of_if(text, expected):
    known = {
        "m1": series(1, 1, 0, 0, None),
        "m2": series(30, None, 0, 0, 30),
        "m3": series(0, 0, 20, None, 20),
    }
    assert run(text, **known) == series(*expected)


def test_missing_is_zero_where_the_other_series_has_a_datapoint():
    errors, invocations = series(None, 2, None), series(4, 4, None)
    assert run("100 * errors / invocations", errors=errors, invocations=invocations) == series(
        0, 50, None
    )


def test_a_division_by_zero_drops_the_datapoint():
    assert run("e / i", e=series(1, 1), i=series(0, 2)) == series(None, 0.5)


def test_fill_fills_every_period_but_not_an_empty_series():
    assert run("FILL(m1, 7)", m1=series(None, 1)) == series(7, 1, 7, 7, 7)
    assert run("FILL(m1, 7)", m1={}) == {}


def test_precedence_and_unary_minus():
    assert run("-m1 + 2 * 3 - 4 / 2", m1=series(1)) == series(3)
    assert run("(1 + 1) * m1", m1=series(2)) == series(4)
    assert run("m1 > 1 OR m1 < -1 AND m1 == 5", m1=series(2)) == series(1)
    assert run("m1 != 2 || m1 <= 2", m1=series(2)) == series(1)


def test_the_alarm_expression_of_this_project_reads_as_expected():
    text = "IF(invocations >= 20, 100 * FILL(errors, 0) / invocations, 0)"
    found = run(text, invocations=series(40, 10, None), errors=series(4, 5, None))
    assert found == series(10, 0)


RATIO = (
    "IF(FILL(throttles,0) + FILL(requests,0) >= 2, "
    "100 * FILL(throttles,0) / (FILL(throttles,0) + FILL(requests,0)), 0)"
)


@pytest.mark.parametrize(
    ("throttles", "requests", "expected"),
    [
        (series(1, None, 0, 1), series(1, 4, None, None), series(50, 0, 0, 0, 0)),
        (series(None, 3), series(None, 1), series(0, 75, 0, 0, 0)),
        ({}, series(5, None), series(0, 0, 0, 0, 0)),
        (series(None, 2), {}, series(0, 100, 0, 0, 0)),
        ({}, {}, {}),
    ],
)
def test_a_share_of_a_sum_of_filled_series(throttles, requests, expected):
    assert run(RATIO, throttles=throttles, requests=requests) == expected


POINTS = st.lists(st.none() | st.integers(0, 1000), min_size=5, max_size=5)


@given(throttles=POINTS, requests=POINTS)
def test_the_share_is_what_it_says_in_every_period(throttles, requests):
    found = run(RATIO, throttles=series(*throttles), requests=series(*requests))
    if not any(value is not None for value in (*throttles, *requests)):
        assert found == {}
        return
    for at, bad, good in zip(PERIODS, throttles, requests, strict=True):
        whole = (bad or 0) + (good or 0)
        assert found[at] == (100 * (bad or 0) / whole if whole >= 2 else 0)


@given(columns=st.lists(POINTS, min_size=2, max_size=5))
def test_a_sum_has_a_datapoint_wherever_one_of_its_series_has(columns):
    known = {f"m{n}": series(*column) for n, column in enumerate(columns)}
    found = run(" + ".join(known), **known)
    for at, *values in zip(PERIODS, *columns, strict=True):
        present = [value for value in values if value is not None]
        assert found.get(at) == (sum(present) if present else None)


@pytest.mark.parametrize(
    "text",
    [
        "SUM(m1)",
        "m1 ^ 2",
        "if(m1, 1, 0)",
        "FILL(m1)",
        "FILL(m1, REPEAT)",
        "IF(m1)",
        "m1 +",
        "(m1",
        "m1 m2",
        "",
        "M1",
        "AND",
        "m1 = 2",
    ],
)
def test_everything_else_is_a_validation_error(text):
    with pytest.raises(ModelError) as refused:
        run(text, m1=series(1), m2=series(1))
    assert refused.value.code == "ValidationError"


def test_an_unknown_id_is_a_validation_error():
    with pytest.raises(ModelError, match="unknown id: m9"):
        run("m9 + 1")
