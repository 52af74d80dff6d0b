"""The bench itself, in one round: what it counts must be what the code calls, free of noise."""

import json

import pytest

from bench.hot_path.__main__ import main
from bench.hot_path.runs import DESIGNS

# Calls before the act, the longest chain of them, and the calls of Lambda's in all.
COUNTED = {
    "floor": (0, 0, 1),
    "naive": (1, 1, 2),
    "typical": (3, 3, 3),
    "ours": (5, 1, 1),
    "naive, deployment": (2, 2, 0),
    "naive, stack": (1, 1, 0),
    "ours, stack": (7, 1, 1),
}


@pytest.fixture(scope="module")
def counted():
    with pytest.MonkeyPatch.context() as patch:
        told = []
        patch.setattr("builtins.print", lambda text, **_: told.append(text))
        assert main(["--rounds", "1", "--only", "20ms", "--json"]) == 0
    return json.loads(told[-1])["20ms"]


def test_every_design_acts(counted):
    assert set(counted) == {design.name for design in DESIGNS}


@pytest.mark.parametrize("name", COUNTED)
def test_each_calls_what_it_says(counted, name):
    figures = counted[name]

    assert (
        figures["calls_before"],
        figures["depth"],
        figures["control_plane_calls"],
    ) == COUNTED[name]
