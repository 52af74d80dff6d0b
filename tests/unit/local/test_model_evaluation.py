"""Alarm evaluation: every documented table is a test."""

import pytest

from local.aws_model.evaluation import State, TreatMissingData, judge
from local.aws_model.metrics import Statistic

OK, ALARM, NONE, KEEP = State.OK, State.ALARM, State.INSUFFICIENT_DATA, None
# missing, ignore, breaching, notBreaching
THREE_OF_THREE = [
    ("0-X-X", OK, OK, OK, OK),
    ("0----", OK, OK, OK, OK),
    ("-----", NONE, KEEP, ALARM, OK),
    ("0XX-X", ALARM, ALARM, ALARM, ALARM),
    ("--X--", ALARM, KEEP, ALARM, OK),
    ("X----", ALARM, KEEP, ALARM, OK),
]
TWO_OF_THREE = [
    ("0-X-X", ALARM, ALARM, ALARM, ALARM),
    ("00X0X", ALARM, ALARM, ALARM, ALARM),
    ("0-X--", OK, OK, ALARM, OK),
    ("----0", OK, OK, ALARM, OK),
    ("---X-", ALARM, KEEP, ALARM, OK),
]
CASES = [
    (points, needed, policy, expected)
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, *row in table
    for policy, expected in zip(
        (
            TreatMissingData.MISSING,
            TreatMissingData.IGNORE,
            TreatMissingData.BREACHING,
            TreatMissingData.NOT_BREACHING,
        ),
        row,
        strict=True,
    )
]


def judged(points, needed, policy):
    return judge(
        [{"0": False, "X": True, "-": None}[point] for point in points],
        evaluation_periods=3,
        datapoints_to_alarm=needed,
        missing=policy,
    )


@pytest.mark.parametrize(("points", "needed", "policy", "expected"), CASES)
def test_the_guides_tables(points, needed, policy, expected):
    assert judged(points, needed, policy) is expected


@pytest.mark.parametrize("points", ["----X", "---X-"])
def test_a_premature_alarm_is_avoided(points):
    assert judged(points, 3, TreatMissingData.MISSING) is KEEP


@pytest.mark.parametrize("points", ["---X0", "--X-0"])
def test_a_good_datapoint_after_it_means_ok(points):
    assert judged(points, 3, TreatMissingData.MISSING) is OK


@pytest.mark.parametrize(
    ("name", "limit"), [("p99", 1000), ("p95", 200), ("p90", 100), ("p10", 100), ("Sum", 0)]
)
def test_low_sample_limits(name, limit):
    assert Statistic.parse(name).low_sample_limit() == limit
