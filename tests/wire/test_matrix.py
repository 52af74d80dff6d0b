"""Every call of AWS, every way in which it fails on the wire: each case ends as the table says."""

import json
import os

import pytest

from tests.wire.matrix import cases
from tests.wire.test_table import wire

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def results():
    done = wire("--json", "--jobs", str(os.cpu_count() or 1))
    return {result["name"]: result for result in json.loads(done.stdout)["cases"]}


@pytest.mark.parametrize("name", [case.name for case in cases()])
def test_it_ends_as_the_table_says(results, name):
    result = results[name]

    assert result["end"] == result["expected"], result["seen"]
    assert result["ok"], result["seen"]
