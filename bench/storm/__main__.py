"""A storm of alarms: what is lost, what is done twice, and how long it takes beside the quota.

python -m bench.storm [--seed N] [--json]
"""

import argparse
import json
import logging
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict

from bench.storm.quota import ideal_seconds
from bench.storm.virtual import LAMBDA, Outcome, Storm

DUPLICATES = 0.3
# Alarms at once, and rollbacks that the policy allows in an hour.
STORMS = ((200, 1000), (200, 20), (10_000, 1000))
MINUTES = 10


def main(arguments: Sequence[str]) -> int:
    """Plays the storms and prints; returns 1 where anything was lost or done twice."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    # Each act is worth a line in the log; here they are counted.
    logging.getLogger("rollback_responder").setLevel(logging.ERROR)
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    found = []
    for services, limit in STORMS:
        print(f"{services} alarms, {limit} rollbacks an hour", file=sys.stderr, flush=True)
        storm = Storm(services, rollbacks_an_hour=limit, seed=options.seed)
        found.append((limit, storm.play(duplicates=DUPLICATES, minutes=MINUTES)))
    if options.json:
        print(json.dumps([{"limit": limit, **asdict(each)} for limit, each in found], indent=2))
    else:
        print(table(found))
    return int(any(each.lost or each.twice or each.acts > limit for limit, each in found))


def table(found: Sequence[tuple[int, Outcome]]) -> str:
    """The same as a table."""
    heads = (
        "alarms",
        "messages",
        "allowed an hour",
        "acts",
        "twice",
        "lost",
        "last act, s",
        "quota's ideal, s",
        "ratio",
        "throttled",
        "Lambda's calls",
        "DescribeAlarms",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for limit, each in found:
        ideal = ideal_seconds(each.acts, LAMBDA)
        ratio = f"{each.seconds / ideal:.2f}" if ideal else "-"
        calls = each.calls
        lines.append(
            f"| {each.alarms} | {each.messages} | {limit} | {each.acts} | {each.twice} |"
            f" {each.lost} | {each.seconds:.1f} | {ideal:.1f} | {ratio} | {each.throttled} |"
            f" {calls.get('UpdateAlias', 0) + calls.get('GetAlias', 0)} |"
            f" {calls.get('DescribeAlarms', 0)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
