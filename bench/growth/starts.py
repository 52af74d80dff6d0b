"""`respond` with many services: its look-up, its cold start, its warm answer, its memory."""

import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.hot_path import aws, runs, world
from infra import package
from rollback_responder.domain.policy import Policy
from rollback_responder.policies import IndexedPolicy

LOOK_UPS = 2000
OURS = next(design for design in runs.DESIGNS if design.name == "ours")


@dataclass(slots=True, kw_only=True)
class Start:
    """What was measured with one number of services; milliseconds, one for each round."""

    asset: Path
    cold_ms: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)
    memory_mb: float = 0.0
    look_up_us: float = 0.0

    @property
    def asset_mb(self) -> float:
        """All that is unzipped."""
        return sum(p.stat().st_size for p in self.asset.rglob("*") if p.is_file()) / 1e6

    @property
    def policy_mb(self) -> float:
        """Of that, the policy and its index."""
        return sum((self.asset / f"policy.{end}").stat().st_size for end in ("json", "index")) / 1e6


def policy(services: int) -> Policy:
    """The hot path's `shop`, and others beside it."""
    others: list[dict[str, Any]] = [world.service(f"other-{n:05}") for n in range(services - 1)]
    return world.policy([world.SERVICES[0], *others])


def measured(numbers: Sequence[int], rounds: int) -> dict[int, Start]:
    """Each number of services in each round, in alternating order; AWS is the hot path's model."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        found = {number: Start(asset=_asset(number, Path(folder))) for number in numbers}
        server = stack.enter_context(aws.running(aws.Line()))
        environments = {
            number: runs.environment_of(server, start.asset) for number, start in found.items()
        }
        staying = {}
        for number, environment in environments.items():
            (process,) = stack.enter_context(runs.staying([OURS], environment, None)).values()
            staying[number] = process
        for turn in range(-2, rounds):
            for number in list(numbers)[:: 1 if turn % 2 else -1]:
                cold = _cold(environments[number])
                server.reset()
                warm = staying[number].ask(server).total_ms
                if turn >= 0:
                    found[number].cold_ms.append(cold)
                    found[number].warm_ms.append(warm)
        for number, start in found.items():
            start.memory_mb = staying[number].memory_mb
            start.look_up_us = _looked_up(start.asset / "policy.index")
        for start in found.values():
            # The folder goes, its size stays.
            start.asset = _kept(start.asset)
    return found


def _asset(number: int, folder: Path) -> Path:
    """Staged as the synth stages it, but to run on this machine."""
    build = folder / str(number)
    build.mkdir()
    for known in package.BUILD.glob("dependencies-*"):
        (build / known.name).symlink_to(known)
    return package.stage(
        policy(number), "respond", build=build, platform=package.THIS_MACHINE, python=sys.executable
    )


def _kept(asset: Path) -> Path:
    kept = package.BUILD / "bench" / "growth" / asset.parent.name
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(asset, kept)
    return kept


def _cold(environment: dict[str, str]) -> float:
    """From the start of the process until it is ready."""
    process = runs.Process(OURS, environment)
    try:
        process.wait()
        return (time.monotonic_ns() - process.started_ns) / 1e6
    finally:
        process.end()


def _looked_up(index: Path) -> float:
    """Microseconds of one look-up, the service parsed, the median of many."""
    name = world.alarm_of(world.SHOP)
    # Each of a policy that has not been asked before: it remembers.
    asked = (partial(IndexedPolicy(index).part, name) for _ in range(LOOK_UPS))
    return statistics.median(map(_timed, asked)) / 1e3


def _timed(call: Callable[[], object]) -> int:
    began = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - began


def ratio(mine: Sequence[float], its: Sequence[float]) -> float:
    """The median over the rounds of one's time divided by the other's in the same round."""
    return statistics.median(one / other for one, other in zip(mine, its, strict=True))
