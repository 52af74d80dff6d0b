"""How long from an alarm to the act, beside what a user would otherwise write.

    python -m bench.hot_path [--rounds 50] [--only 20ms|closed|cold|...] [--publish | --json]

Every design is asked in every round, in alternating order; what counts is the median over the
rounds of its time divided by that of its naive handler in the same round.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from botocore.httpsession import DEFAULT_CA_BUNDLE

from bench.hot_path import aws, picture, runs, world
from bench.hot_path.share import share_of
from infra import package
from local import certificate

RESULTS = Path(__file__).parent / "RESULTS.md"
WARM_UP = 3
MEMORY_MB = 512
REALISTIC = {
    "lambda": 0.060,
    "dynamodb": 0.006,
    "cloudwatch": 0.040,
    "codedeploy": 0.060,
    "cloudformation": 0.060,
    "slack": 0.150,
}
ALL = runs.DESIGNS
ALIAS = tuple(design for design in ALL if design.name in runs.ALIAS_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table: what is measured, of which designs, over which line."""

    title: str
    designs: tuple[runs.Design, ...] = ALL
    seconds: Mapping[str, float] = field(default_factory=dict)
    closes: bool = False
    share_mb: int | None = None
    cold: bool = False


EACH_20_MS = dict.fromkeys(REALISTIC, 0.020)
PARTS = {
    "0ms": Part(title="Warm, no latency: our own overhead"),
    "20ms": Part(title="Warm, 20 ms a call", seconds=EACH_20_MS),
    "realistic": Part(
        title="Warm, assumed latencies: DynamoDB 6 ms, CloudWatch 40, Slack 150, the others 60",
        seconds=REALISTIC,
    ),
    "closed": Part(
        title=f"Warm, TLS, each connection closed, {MEMORY_MB} MB's share of a processor, 20 ms",
        designs=ALIAS,
        seconds=EACH_20_MS,
        closes=True,
        share_mb=MEMORY_MB,
    ),
    "cold": Part(
        title="Cold: from the start of the process, 20 ms a call",
        designs=ALIAS,
        seconds=EACH_20_MS,
        cold=True,
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.hot_path", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--publish", action="store_true", help=f"write {RESULTS.name}, a picture")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    # Compiled as a synth on the runtime's own Python has it.
    asset, alone = (
        package.stage(
            world.policy(services), "respond", platform=package.THIS_MACHINE, python=sys.executable
        )
        for services in (world.SERVICES, world.SERVICES[:1])
    )
    found: dict[str, dict[str, list[runs.Run]]] = {}
    tables = [f"{machine()}, {options.rounds} rounds.", sizes(asset)]
    for name in options.only or PARTS:
        part = PARTS[name]
        print(f"{part.title}: {options.rounds} rounds", file=sys.stderr, flush=True)
        runs_of = measured(part, options.rounds, alone if part.designs == ALIAS else asset)
        if runs_of is None:
            tables.append(f"## {part.title}\n\nnot measured: this machine gives no share")
            continue
        found[name] = runs_of
        tables.append(f"## {part.title}\n\n{table(part, runs_of)}")
    if options.json:
        summaries = {name: summary(PARTS[name], each) for name, each in found.items()}
        print(json.dumps(summaries, indent=2))
        return 0
    text = "\n\n".join(tables)
    print(text)
    if options.publish:
        RESULTS.write_text(
            f"# The hot path: the last run\n\n![](hot-path.svg)\n\n{text}\n", "utf-8"
        )
        ratios = {
            PARTS[name].title: {
                design: each["act_ratio"]
                for design, each in summary(PARTS[name], found[name]).items()
            }
            for name in found
        }
        picture.draw(ratios, RESULTS.with_name("hot-path.svg"))
    return 0


def measured(part: Part, rounds: int, asset: Path) -> dict[str, list[runs.Run]] | None:
    """The runs of each design, one for each round; None where the machine cannot."""
    found: dict[str, list[runs.Run]] = {design.name: [] for design in part.designs}
    with (
        _roots(part, asset) as (line, roots, ours),
        share_of(part.share_mb) as share,
        aws.running(line) as server,
    ):
        if part.share_mb and share is None:
            return None
        environment = runs.environment_of(server, ours, roots=roots)
        staying = () if part.cold else part.designs
        with runs.staying(staying, environment, share) as processes:
            for number in range(-WARM_UP, rounds):
                for design in part.designs[:: 1 if number % 2 else -1]:
                    server.reset()
                    if part.cold:
                        run = _started(design, environment, server)
                    else:
                        run = processes[design.name].ask(server)
                    if number >= 0:
                        found[design.name].append(run)
    return found


def _started(design: runs.Design, environment: Mapping[str, str], server: aws.Aws) -> runs.Run:
    process = runs.Process(design, environment)
    try:
        process.send()
        process.wait()
        return process.run(server, since_ns=process.started_ns)
    finally:
        process.end()


@contextmanager
def _roots(part: Part, asset: Path) -> Iterator[tuple[aws.Line, Path | None, Path]]:
    """The line; what the SDK trusts by itself; and the asset, which trusts ours among few."""
    if not part.closes:
        yield aws.Line(seconds=part.seconds), None, asset
        return
    with tempfile.TemporaryDirectory() as folder:
        pem, key = certificate.write(Path(folder), "aws", datetime.now(UTC))
        every, ours = Path(folder) / "every.pem", Path(folder) / "asset"
        every.write_bytes(Path(DEFAULT_CA_BUNDLE).read_bytes() + pem.read_bytes())
        shutil.copytree(asset, ours)
        few = ours / "sdk" / "roots.pem"
        few.write_bytes(few.read_bytes() + pem.read_bytes())
        yield aws.Line(seconds=part.seconds, closes=True, certificate=(pem, key)), every, ours


# -- telling --------------------------------------------------------------------------------------


def summary(part: Part, found: Mapping[str, Sequence[runs.Run]]) -> dict[str, dict[str, float]]:
    """The figures of each design; ratios are medians of the rounds' own ratios."""
    return {
        design.name: {
            "act_ms": statistics.median(run.act_ms for run in found[design.name]),
            "act_ratio": _ratio(found[design.name], found[design.beside], "act_ms"),
            "total_ratio": _ratio(found[design.name], found[design.beside], "total_ms"),
            "calls_before": statistics.median(len(run.before) for run in found[design.name]),
            "depth": statistics.median(run.depth for run in found[design.name]),
            "control_plane_calls": statistics.median(
                run.control_plane_calls for run in found[design.name]
            ),
            "memory_mb": statistics.median(run.memory_mb for run in found[design.name]),
        }
        for design in part.designs
    }


def _ratio(mine: Sequence[runs.Run], its: Sequence[runs.Run], what: str) -> float:
    pairs = zip(mine, its, strict=True)
    ratios = [getattr(run, what) / getattr(other, what) for run, other in pairs]
    return float(statistics.median(ratios))


def table(part: Part, found: Mapping[str, Sequence[runs.Run]]) -> str:
    """The same as a table."""
    lines = [
        "| design | act, ms | act / naive | all / naive | calls before | depth | Lambda's | MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, each in summary(part, found).items():
        lines.append(
            f"| {name} | {each['act_ms']:.1f} | {each['act_ratio']:.2f} |"
            f" {each['total_ratio']:.2f} | {each['calls_before']:.0f} | {each['depth']:.0f} |"
            f" {each['control_plane_calls']:.0f} | {each['memory_mb']:.0f} |"
        )
    return "\n".join(lines)


def _part(path: Path, asset: Path) -> str:
    """What of the package a file belongs to, by the name that it is installed under."""
    return path.relative_to(asset).parts[0].split("-")[0].removesuffix(".py")


def sizes(asset: Path) -> str:
    """What the package weighs, zipped as CDK zips it."""
    every = [path for path in asset.rglob("*") if path.is_file()]
    names = sorted({_part(path, asset) for path in every} - {"__pycache__"})
    parts = {name: [path for path in every if _part(path, asset) == name] for name in names}
    source = [path for path in parts[package.PACKAGE.name] if path.suffix == ".py"]
    lines = ["| in the package | KB | KB zipped |", "|---|---|---|"]
    for name, files in {"all of it": every, **parts, "our own source": source}.items():
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
                for path in files:
                    zipped.write(path, path.relative_to(asset))
            packed = file.tell() or file.seek(0, os.SEEK_END)
        whole = sum(path.stat().st_size for path in files)
        lines.append(f"| {name} | {whole / 1024:.0f} | {packed / 1024:.0f} |")
    return "\n".join(lines)


def machine() -> str:
    """What it was measured on."""
    load = os.getloadavg()[0]
    return (
        f"{platform.platform()}, {os.cpu_count()} cores (load {load:.1f} at the start),"
        f" Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
