"""Metric math: the tables of the CloudWatch guide, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

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
