"""Parts fail against the emulator: nothing lost, nothing twice, and every planted fault is seen."""

import pytest

from tests.parts.deployed import deploy
from tests.parts.plan import Kind, drawn
from tests.parts.planted import PLANTED
from tests.parts.play import played

pytestmark = pytest.mark.e2e
SEED = 7
# In minutes: a planted fault has shown itself by then.
LONGEST = 40
# The first round of each kind.
ROUNDS = {plan.kind: plan for plan in (drawn(SEED, number) for number in range(50, 0, -1))}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    return deploy(tmp_path_factory.mktemp("parts"), print)


# CI plays a kind and plants a fault; before a release the others are as well.
def first_in_ci(those):
    first, *others = those
    return [first, *(pytest.param(each, marks=pytest.mark.every_story) for each in others)]


@pytest.mark.parametrize("kind", first_in_ci(Kind))
def test_nothing_is_lost_and_nothing_done_twice(deployed, kind):
    found = played(deployed, ROUNDS[kind])

    assert found.verdict.wrong == (), found
    assert found.met


@pytest.mark.parametrize("plant", first_in_ci(PLANTED))
def test_each_planted_fault_is_seen(deployed, plant):
    plan, promise = PLANTED[plant]
    found = played(deployed, plan, plant, LONGEST)

    assert getattr(found.verdict, promise), found
