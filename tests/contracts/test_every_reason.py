"""Every reason has its words, its place in the runbook, and a story that produces it."""

import re
from pathlib import Path

import pytest
from scenarios import SCENARIOS

from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.words import WORDS

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text("utf-8")
HEADINGS = re.findall(r"^### `([a-z_]+)`$", RUNBOOK, re.MULTILINE)


def test_every_reason_has_words_and_no_words_are_left_over():
    assert set(WORDS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_one_place_in_the_runbook(reason):
    assert HEADINGS.count(reason.value) == 1


def test_every_reason_has_a_story():
    """`tests/functional/test_reasons.py` runs them all."""
    assert set(SCENARIOS) == set(Reason)
