"""The shop's releases do what their names say, on the orders that the traffic sends."""

import importlib.util
import time
from pathlib import Path

import pytest

from local import traffic
from local.shop.payments import Payments

RELEASES = Path(__file__).parents[3] / "local" / "shop" / "releases"
ORDERS = [traffic.order(number) for number in range(400)]


def handler(release):
    spec = importlib.util.spec_from_file_location(
        f"shop_{release}", RELEASES / release / "index.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


def failures(serve):
    failed = 0
    for order in ORDERS:
        try:
            assert serve(order, None)["total_cents"] > 0
        except (ValueError, OSError):
            failed += 1
    return failed / len(ORDERS)


@pytest.mark.parametrize("release", ["good_v1", "good_v2"])
def test_good_releases_never_fail(release):
    assert failures(handler(release)) == 0


def test_bad_errors_fails_for_about_60_percent():
    assert 0.5 < failures(handler("bad_errors")) < 0.7


def test_bad_latency_sleeps_on_most_requests(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert failures(handler("bad_latency")) == 0
    assert set(slept) == {0.4}
    assert 0.8 < len(slept) / len(ORDERS) < 0.97


@pytest.mark.parametrize("release", ["needs_dependency", "needs_dependency_v2"])
@pytest.mark.parametrize(("down", "share"), [(False, 0), (True, 1)])
def test_both_releases_that_need_payments_fail_without_them(monkeypatch, release, down, share):
    payments = Payments()
    payments.down = down
    with payments.server:
        monkeypatch.setenv("PAYMENTS_URL", payments.server.url)

        assert failures(handler(release)) == share
