"""How much grows with the number of services, as one table.

    python -m bench.growth [--services 10 1000 10000] [--rounds 15] [--no-synth]

Start, memory and answer are those of the real `respond` in a process, with AWS on loopback and no
latency; calls are counted on the real watcher over the strict models; the synthesis is a process.
"""

import argparse
import platform
import statistics
import sys
from collections import Counter
from collections.abc import Sequence

from bench.growth import starts, synth
from bench.town import Town

SERVICES = (10, 1000, 10_000)


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--services", type=int, nargs="+", default=SERVICES)
    parser.add_argument("--rounds", type=int, default=15, help="of starts (default 15)")
    parser.add_argument("--no-synth", action="store_true", help="leave the synthesis out")
    options = parser.parse_args(arguments)
    numbers: list[int] = options.services
    rows = started(starts.measured(numbers, options.rounds))
    rows |= watched({number: calls_a_minute(number) for number in numbers})
    if not options.no_synth:
        rows |= synthesised({number: synth.run(number, "tags") for number in numbers})
    print(f"Python {platform.python_version()}, {options.rounds} rounds.\n")
    print(table(numbers, rows))
    return 0


def started(found: dict[int, starts.Start]) -> dict[str, list[str]]:
    """The rows about `respond`, ratios to the first number of services."""
    all_of_them = list(found.values())
    first = all_of_them[0]
    return {
        "look up an alarm, µs": [f"{each.look_up_us:.0f}" for each in all_of_them],
        "start cold, ms": [f"{statistics.median(each.cold_ms):.0f}" for each in all_of_them],
        "the same, ratio": [
            f"{starts.ratio(each.cold_ms, first.cold_ms):.2f}" for each in all_of_them
        ],
        "answer warm, ms": [f"{statistics.median(each.warm_ms):.1f}" for each in all_of_them],
        "the same, ratio ": [
            f"{starts.ratio(each.warm_ms, first.warm_ms):.2f}" for each in all_of_them
        ],
        "memory, MB": [f"{each.memory_mb:.0f}" for each in all_of_them],
        "asset unzipped, MB": [f"{each.asset_mb:.1f}" for each in all_of_them],
        "of that, the policy": [f"{each.policy_mb:.2f}" for each in all_of_them],
    }


def calls_a_minute(services: int) -> Counter[str]:
    """What the real watcher calls in a minute in which nothing happens."""
    town = Town(services)
    # The first round takes note of what it finds.
    town.watcher.watch()
    town.taken()
    done = town.watcher.watch()
    if done.problems or done.woken:
        raise SystemExit(f"the minute was not quiet: {done.problems} {done.woken}")
    return Counter(f"{call.service} {call.operation}" for call in town.taken())


def watched(found: dict[int, Counter[str]]) -> dict[str, list[str]]:
    """The rows about `watch`."""
    names = sorted({name for counted in found.values() for name in counted})
    return {
        f"`watch`, a minute: {name}": [f"{each[name]:,}" for each in found.values()]
        for name in names
    }


def synthesised(found: dict[int, synth.Synthesis]) -> dict[str, list[str]]:
    """The rows about the templates, with access by tags."""
    done = list(found.values())
    return {
        "synthesis, s": [f"{each.seconds:.0f}" for each in done],
        "templates": [str(len(each.templates)) if not each.refused else "refused" for each in done],
        "the largest, kB": [f"{each.largest_kb:.0f}" for each in done],
    }


def table(numbers: Sequence[int], rows: dict[str, list[str]]) -> str:
    """All of it in Markdown."""
    lines = [
        "| services | " + " | ".join(f"{number:,}" for number in numbers) + " |",
        "|---|" + "---|" * len(numbers),
    ]
    lines += [f"| {name.strip()} | {' | '.join(values)} |" for name, values in rows.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
