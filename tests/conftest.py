"""For every test: no real credentials, no network beyond this machine, no surprise in random runs.

A random run is reproducible: hypothesis is derandomised, and prints a blob with each failure. Set
`HYPOTHESIS_PROFILE=explore` to let it look further; the seed is then in the header of the run.
"""

import functools
import os
import secrets
import socket
import sys
from pathlib import Path

import botocore.loaders
import pytest
from hypothesis import HealthCheck, settings

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    # A client of a test that says nothing else tries once, so that a fault is met once.
    "AWS_MAX_ATTEMPTS": "1",
}


class SharedLoader(botocore.loaders.JSONFileLoader):
    """Every house makes clients of its own; the SDK's data behind them is read only once.

    A client writes into what it reads (botocore.regions merges defaults into endpoints), so this is
    for clients alone: who wants the data as it is on disk takes a plain JSONFileLoader.
    """

    @staticmethod
    @functools.cache
    def _load_file(*where):
        return botocore.loaders.JSONFileLoader()._load_file(*where)


botocore.loaders.Loader.FILE_LOADER_CLASS = SharedLoader
TESTS = Path(__file__).parent
# The folders whose tests count for the domain's coverage.
TRACED = {"unit", "adapters"}
SEED = int(os.environ.get("TEST_SEED", "0")) or secrets.randbits(32)

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    if settings.get_current_profile_name() == "explore" and config.option.__dict__.get(
        "hypothesis_seed"
    ) in (None, ""):
        config.option.hypothesis_seed = str(SEED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """The domain is covered by values in, values out: to trace the others doubles their time.

    pytest-cov's own `no_cover` does nothing in a worker of pytest-xdist, where it traces twice.
    """
    parts = item.path.relative_to(TESTS).parts
    if parts[0] in TRACED and "local" not in parts:
        return (yield)
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


def pytest_report_header():
    profile = settings.get_current_profile_name()
    return f"random runs: profile {profile}, seed {SEED if profile == 'explore' else 'fixed'}"


@pytest.fixture(scope="session", autouse=True)
def dummy_credentials():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def no_network(request):
    """Whatever leaves this machine fails by its address, not by a timeout."""
    if request.node.get_closest_marker("e2e"):
        yield
        return
    connect = socket.socket.connect

    def refused(self, address):
        if self.family == socket.AF_UNIX or address[0] in LOOPBACK:
            return connect(self, address)
        raise AssertionError(f"a test wanted to reach {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refused)
        yield
