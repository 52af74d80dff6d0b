"""How long from an alarm to the act, beside what a user would otherwise write.

    python -m bench.hot_path [--rounds 50] [--profile 20ms|0ms|realistic] [--json]

Every design is asked in every round, in alternating order; what counts is the median over the
rounds of its time divided by that of `naive` in the same round.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.hot_path import aws, world
from infra import package

ROOT = Path(__file__).resolve().parents[2]
PEERS = "bench.hot_path.peers"
DESIGNS = {
    "floor": f"{PEERS}.floor",
    "naive": f"{PEERS}.naive",
    "typical": f"{PEERS}.typical",
    "ours": "rollback_responder.handlers.respond",
}
# Seconds a call. The realistic ones are assumptions, as nothing here was measured on AWS.
PROFILES: dict[str, dict[str, float]] = {
    "0ms": {},
    "20ms": dict.fromkeys(("lambda", "dynamodb", "cloudwatch", "slack"), 0.020),
    "realistic": {"lambda": 0.060, "dynamodb": 0.006, "cloudwatch": 0.040, "slack": 0.150},
}
WARM_UP = 3
ACT = "UpdateAlias"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One answer of one design: milliseconds to the act and in all, and its calls."""

    act_ms: float
    total_ms: float
    calls: tuple[aws.Call, ...]

    @property
    def before(self) -> list[aws.Call]:
        """The calls that arrived before the act."""
        act = next(call for call in self.calls if call.operation == ACT)
        return [call for call in self.calls if call.arrived_ns < act.arrived_ns]

    @property
    def depth(self) -> int:
        """The longest chain before the act in which each call waited for the one before."""
        depths: list[int] = []
        for call in self.before:
            waited = (d for d, b in zip(depths, self.before, strict=False) if _after(b, call))
            depths.append(1 + max(waited, default=0))
        return max(depths, default=0)

    @property
    def control_plane_calls(self) -> int:
        """Of Lambda: they share fifteen requests a second in an account and region."""
        return sum(call.service == "lambda" for call in self.calls)


def _after(before: aws.Call, call: aws.Call) -> bool:
    return before.answered_ns <= call.arrived_ns


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.hot_path", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--profile", choices=PROFILES, action="append", help="default: all")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    asset = package.stage(world.policy())
    found = {}
    for profile in options.profile or PROFILES:
        if not options.json:
            print(f"{profile}: {options.rounds} rounds", flush=True)
        found[profile] = measured(PROFILES[profile], options.rounds, asset)
        if not options.json:
            print(table(found[profile]), flush=True)
    if options.json:
        print(json.dumps({name: summary(runs) for name, runs in found.items()}, indent=2))
    else:
        print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    return 0


def measured(latencies: Mapping[str, float], rounds: int, asset: Path) -> dict[str, list[Run]]:
    """The runs of each design, one for each round."""
    with _aws(latencies) as (ask, port), _designs(port, asset) as designs:
        runs: dict[str, list[Run]] = {name: [] for name in DESIGNS}
        for number in range(-WARM_UP, rounds):
            order = list(DESIGNS) if number % 2 else list(reversed(DESIGNS))
            for name in order:
                ask("reset")
                run = _asked(designs[name], ask)
                if number >= 0:
                    runs[name].append(run)
        return runs


@contextmanager
def _aws(latencies: Mapping[str, float]) -> Iterator[tuple[Any, int]]:
    """The server, in a process of its own: how to control it, and its port."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=aws.serve, args=(theirs, dict(latencies)), daemon=True)
    server.start()
    theirs.close()
    port = ours.recv()

    def ask(what: str) -> Any:
        ours.send(what)
        return ours.recv()

    try:
        yield ask, port
    finally:
        ours.send("stop")
        server.join(5)


@contextmanager
def _designs(port: int, asset: Path) -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    started: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, module in DESIGNS.items():
            started[name] = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-m", "bench.hot_path.design", module],
                cwd=ROOT,
                env=environment(port, asset),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            if _line(started[name]) != "ready":
                raise SystemExit(f"{name} did not start; try: python -c 'import {module}'")
        yield started
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def environment(port: int, asset: Path) -> dict[str, str]:
    """What Lambda would give, with AWS on loopback. The asset stands before the source tree."""
    url = f"http://127.0.0.1:{port}"
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{asset}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": world.REGION,
        "AWS_REGION": world.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SLACK_WEBHOOK": f"{url}/slack",
        "ACCOUNT_ID": world.ACCOUNT,
        "REGION": world.REGION,
        "JOURNAL_TABLE": world.TABLE,
        "DEAD_LETTER_QUEUE_URL": f"{url}/queue",
    }


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _asked(process: "subprocess.Popen[str]", ask: Any) -> Run:
    assert process.stdin is not None
    process.stdin.write(json.dumps(event()) + "\n")
    process.stdin.flush()
    began, ended = map(int, _line(process).split())
    calls = tuple(sorted(ask("calls"), key=lambda call: call.arrived_ns))
    act = next((call for call in calls if call.operation == ACT), None)
    if act is None:
        raise SystemExit(f"a design did not act; its calls: {[c.operation for c in calls]}")
    return Run(act_ms=(act.arrived_ns - began) / 1e6, total_ms=(ended - began) / 1e6, calls=calls)


def event() -> dict[str, Any]:
    """An alarm as SNS hands it over, both to a function and, as `body`, to a queue."""
    message = json.dumps(
        {
            "AlarmName": world.ALARM,
            "AWSAccountId": world.ACCOUNT,
            "AlarmArn": f"arn:aws:cloudwatch:{world.REGION}:{world.ACCOUNT}:alarm:{world.ALARM}",
            "NewStateValue": "ALARM",
            "OldStateValue": "OK",
            "StateChangeTime": time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime()),
            "Region": "US East (N. Virginia)",
        }
    )
    notification = {"Type": "Notification", "Message": message}
    record = {"EventSource": "aws:sns", "Sns": notification, "messageId": "m"}
    return {"Records": [record | {"body": json.dumps(notification)}]}


# -- telling --------------------------------------------------------------------------------------


def summary(runs: Mapping[str, Sequence[Run]]) -> dict[str, dict[str, float]]:
    """The figures of each design; ratios are medians of the rounds' own ratios to `naive`."""
    naive = runs["naive"]
    return {
        name: {
            "act_ms": statistics.median(run.act_ms for run in mine),
            "act_ratio": statistics.median(
                run.act_ms / other.act_ms for run, other in zip(mine, naive, strict=True)
            ),
            "total_ratio": statistics.median(
                run.total_ms / other.total_ms for run, other in zip(mine, naive, strict=True)
            ),
            "calls_before": statistics.median(len(run.before) for run in mine),
            "depth": statistics.median(run.depth for run in mine),
            "control_plane_calls": statistics.median(run.control_plane_calls for run in mine),
        }
        for name, mine in runs.items()
    }


def table(runs: Mapping[str, Sequence[Run]]) -> str:
    """The same as a table."""
    lines = [
        "| design | act, ms | act / naive | all / naive | calls before | depth | Lambda's |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in summary(runs).items():
        lines.append(
            f"| {name} | {each['act_ms']:.1f} | {each['act_ratio']:.2f} |"
            f" {each['total_ratio']:.2f} | {each['calls_before']:.0f} | {each['depth']:.0f} |"
            f" {each['control_plane_calls']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
