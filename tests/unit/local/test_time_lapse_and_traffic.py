"""The clock, and the parts of the traffic that need no emulator."""

import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local import traffic
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import Metric, Statistic
from local.clock import TimeLapse

SITE = Path(__file__).parents[3] / "local" / "emulator_site"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_clock_starts_at_a_whole_minute_and_runs_faster():
    clock = TimeLapse.starting_now(600)
    first = clock.now()
    assert first.tzinfo is UTC
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=2)
    assert (first.second, first.microsecond >= 0) == (first.second, True)
    clock.sleep(60)
    assert timedelta(seconds=60) <= clock.now() - first < timedelta(seconds=240)
    target = clock.now() + timedelta(seconds=30)
    clock.sleep_until(target)
    assert clock.now() >= target
    clock.sleep_until(first)
    assert clock.model_epoch % 60 == 0
    with pytest.raises(ValueError, match="speed"):
        TimeLapse(speed=0, real_epoch=0, model_epoch=0)


@pytest.mark.parametrize("worker", [True, False])
def test_sitecustomize_changes_workers_only_and_not_their_own_script(tmp_path, worker):
    (tmp_path / "function.py").write_text(
        "import time, datetime\n"
        "def read(): return time.time()\n"
        "def real(): return datetime.datetime.now().timestamp()\n"
    )
    clock = TimeLapse(speed=10, real_epoch=time.time() - 100, model_epoch=5000.0)
    environment = clock.environment() | {"PYTHONPATH": f"{SITE}:{tmp_path}"}
    if worker:
        environment["LAMBDA_TASK_ROOT"] = str(tmp_path)
    script = "import function, time; print(function.read(), function.real(), time.time())"
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    read, real, own = map(float, run.stdout.split())
    assert abs(real - time.time()) < 30
    assert abs(own - time.time()) < 30
    assert (6000 <= read < 6300) is worker


@pytest.mark.parametrize("worker", [True, False])
def test_a_worker_takes_what_is_compiled_from_this_machine(tmp_path, worker):
    """An asset holds numpy for Lambda's machine, and stands first on a worker's path."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("raise ImportError('compiled for another')")
    environment = {"PYTHONPATH": f"{SITE}:{tmp_path}"}
    if worker:
        environment["LAMBDA_TASK_ROOT"] = str(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", "import numpy; print(numpy.array([7]).sum())"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (run.stdout.strip() == "7") is worker
    assert ("compiled for another" in run.stderr) is not worker


@pytest.mark.parametrize("says", [True, False])
def test_a_function_that_needs_no_sdk_is_started_without_one(says):
    environment = {"PYTHONPATH": str(SITE), "LAMBDA_TASK_ROOT": "/"}
    if says:
        environment["WITHOUT_SDK"] = "1"
    run = subprocess.run(
        [sys.executable, "-c", "import botocore; print(botocore.__name__)"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ("No module named 'botocore'" in run.stderr) is says
    assert (run.stdout.strip() == "botocore") is not says


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def paced(clock, pace, seconds):
    """How many requests one customer makes in that time, each answered at once."""
    ends, made = clock.now + seconds, 0
    while (wait := pace.wait()) + clock.now < ends:
        clock.now += wait
        made += 1
    clock.now = ends
    return made


def test_requests_come_at_a_steady_rate():
    clock = Seconds()
    pace = traffic.Pace(8, clock=clock)

    assert paced(clock, pace, 10) == 80


def test_what_a_busy_machine_let_slip_is_made_up_for():
    """After three seconds without a request a minute of the demo still has what it must."""
    clock = Seconds()
    pace = traffic.Pace(8, makes_up_seconds=4, clock=clock)
    clock.now += 3

    assert paced(clock, pace, 1) == 4 * 8


def test_no_more_is_made_up_for_than_a_minute_of_the_demo():
    clock = Seconds()
    pace = traffic.Pace(8, makes_up_seconds=4, clock=clock)
    clock.now += 600

    assert paced(clock, pace, 0.001) == 4 * 8 + 1


def test_orders_are_the_same_on_every_run_and_60_percent_use_welcome():
    orders = [traffic.order(number) for number in range(2000)]
    assert orders == [traffic.order(number) for number in range(2000)]
    share = sum(order["discount_code"] == "WELCOME" for order in orders) / len(orders)
    assert 0.57 < share < 0.63


def test_requests_follow_the_weights():
    served = Counter(traffic.pick_version(n, "1", {"2": 0.1}) for n in range(5000))
    assert 0.085 < served["2"] / 5000 < 0.115
    assert traffic.pick_version(7, "1", {}) == "1"


def test_an_invocation_is_recorded_under_three_sets_of_dimensions():
    model = CloudWatch(account=Account(id="123456789012"), clock=lambda: NOW)
    invocation = traffic.Invocation(began_at=NOW, duration_ms=12.5, failed=False, version="3")
    traffic.record(model, "shop", "live", invocation)
    assert len(list(model.metrics.metrics())) == 9
    full = {"FunctionName": "shop", "Resource": "shop:live", "ExecutedVersion": "3"}
    found = model.metrics.datapoint(
        Metric.of("AWS/Lambda", "Errors", full),
        Statistic.parse("Sum"),
        start=NOW,
        period=timedelta(minutes=1),
        seen_at=NOW,
    )
    assert (found.value, found.sample_count) == (0.0, 1.0)
