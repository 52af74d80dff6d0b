"""Plays a round: a bad deploy, what fails meanwhile, and the time it takes to be quiet again."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.parts import judge
from tests.parts.deployed import ALIAS
from tests.parts.stage import Stage

# The model's minutes within which version 1 must have proved itself, and all be over.
PROVING, LONGEST = 12, 120
# What comes late would come within these.
AFTERWARDS = 5


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round that was played."""

    plan: object
    end: judge.End
    verdict: judge.Verdict
    met: tuple
    minutes: int
    calls: int
    seconds: float


def played(deployed, plan, plant=None, longest=LONGEST):
    """Plays a plan in a world of its own, for so many minutes at most.

    `plant` may spoil the world before anything begins.
    """
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="rollback-parts-") as folder,
        Stage(deployed, plan.kind, Path(folder)) as stage,
    ):
        if plant:
            plant(stage)
        _prove(stage)
        stage.deploy_bad()
        stage.edges.arm(plan.failures, stage)
        minutes = _until_quiet(stage, longest)
        end = judge.seen(stage)
        met = tuple(stage.edges.met)
        return Round(
            plan=plan,
            end=end,
            verdict=judge.judged(end, [failure for _, failure in met]),
            met=met,
            minutes=minutes,
            calls=len(stage.edges.calls),
            seconds=time.monotonic() - began,
        )


def _prove(stage):
    """Version 1 serves until the ledger says that it has proved itself."""
    for _ in range(PROVING):
        stage.pass_minute()
        if "1" in _proven(stage):
            return
    raise AssertionError("version 1 must prove itself")


def _proven(stage):
    for item in stage.items():
        if item["pk"]["S"] == f"service#{stage.service}" and "ledgers" in item:
            ledger = judge.ledger_in(item, f"lambda_alias/{stage.service}/{ALIAS}")
            return {good["version"] for good in ledger.get("good", [])}
    return set()


def _until_quiet(stage, longest):
    """Until everything is over, and a while longer; in how many minutes."""
    quiet = 0
    for minute in range(1, longest + 1):
        stage.pass_minute()
        over = stage.is_whole and judge.is_at_rest(judge.seen(stage))
        quiet = quiet + 1 if over else 0
        if quiet > AFTERWARDS:
            return minute
    return longest
