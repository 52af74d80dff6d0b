"""What a storm may never do, on a small one; the big one is `make bench`."""

import pytest

from bench.storm.quota import Bucket, ideal_seconds
from bench.storm.virtual import LAMBDA, Storm


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_done_twice_and_the_quota_is_used(seed):
    found = Storm(90, rollbacks_an_hour=1000, seed=seed).play(duplicates=0.3, minutes=10)

    assert (found.acts, found.twice, found.lost) == (90, 0, 0)
    assert found.seconds <= 1.3 * ideal_seconds(90, LAMBDA)
    assert found.reasons == {"metric_breaching": 90}


def test_the_budget_is_kept_and_the_rest_is_told():
    found = Storm(60, rollbacks_an_hour=10, seed=1).play(duplicates=0.3, minutes=3)

    assert (found.acts, found.twice, found.lost) == (10, 0, 0)
    assert found.reasons == {"metric_breaching": 10, "budget_spent": 50}


def test_the_alarms_of_a_batch_are_read_together():
    found = Storm(90, rollbacks_an_hour=1000, seed=1).play(duplicates=0.3, minutes=10)

    assert found.calls["DescribeAlarms"] < found.messages / 2


def test_a_bucket_takes_what_it_holds_and_fills_at_its_rate():
    bucket = Bucket(15)

    assert sum(bucket.takes(0.0) for _ in range(100)) == 15
    assert sum(bucket.takes(1.0) for _ in range(100)) == 15
    assert sum(bucket.takes(1.25) for _ in range(100)) == 3
    assert ideal_seconds(200, 15) == pytest.approx(12.33, abs=0.01)
