"""The shop's releases do what their names say, on the orders that the traffic sends."""

import importlib.util
import time
from pathlib import Path

import boto3
import pytest

from local import traffic

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
        except (ValueError, ConnectionError):
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


@pytest.mark.parametrize(("state", "share"), [("up", 0), ("down", 1)])
def test_needs_dependency_fails_while_payments_are_down(monkeypatch, state, share):
    class Parameters:
        def get_parameter(self, Name):  # noqa: N803 - as boto3 names it
            assert Name == "/shop/payments"
            return {"Parameter": {"Value": state}}

    monkeypatch.setattr(boto3, "client", lambda service: Parameters())
    assert failures(handler("needs_dependency")) == share
