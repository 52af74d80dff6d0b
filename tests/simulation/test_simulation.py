"""The short form of the simulation; `make simulate` plays a hundred thousand histories."""

import json
import logging

import pytest

from tests.simulation.exhaustive import FROZEN, KINDS, outcomes_of
from tests.simulation.planted import PLANTED
from tests.simulation.soak import RATES, play

# Seeds that once failed, with what they showed.
FAILED = [
    (1552, 0.05, "a rollback deployment that failed was followed for ever"),
    (1634, 0.2, "an attempt landed, a pipeline moved on, and the journal said nothing was done"),
    (5621, 0.2, "a lost move was taken for a lost stop, because an update had begun since"),
    (5708, 0.05, "the same"),
    (5774, 0.2, "a lost redeploy was hidden by a later deployment"),
    (6310, 0.05, "the watcher had seen a lost move first, and its version was lost"),
    (6830, 0.05, "the same, with a second service"),
    (6937, 0.05, "a lost move behind a stack's next update"),
]


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("rate", [0.0, *RATES])
def test_no_history_violates_an_invariant(rate):
    mutations = 0
    for seed in range(400):
        story, violations = play(seed, rate)
        assert violations == [], f"seed {seed} at rate {rate}"
        mutations += len(story.world.mutations)
    # A responder that does nothing violates nothing.
    assert mutations > {0.0: 250, 0.05: 200, 0.2: 100, 0.4: 50}[rate]


@pytest.mark.parametrize(("seed", "rate", "story"), FAILED)
def test_a_seed_that_failed_once_fails_no_more(seed, rate, story):
    assert play(seed, rate)[1] == [], story


def test_a_seed_replays():
    first, second = play(31, 0.2)[0], play(31, 0.2)[0]

    assert first.world.calls == second.world.calls
    assert list(map(str, first.world.mutations)) == list(map(str, second.world.mutations))
    assert first.house.slack.told == second.house.slack.told


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_fault_each_incident_is_rolled_back_exactly_once(kind):
    """`make simulate` plays every schedule of two, and most of three."""
    counts, wrong = outcomes_of(kind, 1)

    assert wrong == []
    assert counts == json.loads(FROZEN.read_text())[kind]["1"]


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_caught(bug):
    with bug():
        for seed in range(4000):
            if play(seed, 0.05)[1]:
                return
    pytest.fail(f"nobody noticed: {bug.__doc__}")
