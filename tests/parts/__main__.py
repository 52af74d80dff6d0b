"""Plays rounds in which parts fail, against the emulator, and prints how each ended.

    python -m tests.parts [--rounds 50] [--seed N] [--round N] [--json]

A round is drawn from the seed and its number: `--seed S --round N` plays that one again. What is
drawn is the same each time; how the processes of this machine get on beside each other is not.

Exit code 1 where something was lost, done twice, or left out of a thread.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from local import processes
from tests.parts.deployed import deploy
from tests.parts.plan import drawn
from tests.parts.play import played


def main(arguments):
    """Plays and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.parts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--round", type=int, default=None, help="this one alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    say = (lambda text: print(text, file=sys.stderr)) if options.json else _say
    say(f"seed {seed}")
    numbers = [options.round] if options.round is not None else range(1, options.rounds + 1)
    rounds = []
    with (
        processes.sigterm_as_exit(),
        tempfile.TemporaryDirectory(prefix="rollback-parts-") as folder,
    ):
        deployed = deploy(Path(folder), say)
        for number in numbers:
            rounds.append(played(deployed, drawn(seed, number)))
            say(line(rounds[-1]))
    if options.json:
        print(json.dumps({"seed": seed, "rounds": [as_json(one) for one in rounds]}))
    say(summary(seed, rounds))
    return 1 if any(one.verdict.wrong for one in rounds) or not rounds else 0


def _say(text):
    print(text, flush=True)


def line(one):
    """A round in a line; what is wrong, and how to see it again, in more."""
    plan, verdict = one.plan, one.verdict
    state = one.end.incidents[-1].state.value if one.end.incidents else "nothing"
    ended = f"{state}, a person is called" if verdict.held else state
    repeats = f"; {verdict.repeats} told again" if verdict.repeats else ""
    failed = "; ".join(str(failure) for _, failure in one.met) or "nothing failed"
    told = (
        f"{'WRONG' if verdict.wrong else 'ok   '} {plan.number:>3}  {plan.kind.value:<10} "
        f" {ended}{repeats} | {failed} | {one.minutes} min in {one.seconds:.0f} s"
    )
    if not verdict.wrong:
        return told
    again = f"      again: python -m tests.parts --seed {plan.seed} --round {plan.number}"
    steps = [
        f"      {step.at:%H:%M:%S} {step.state.value}: {step.text}"
        for incident in one.end.incidents
        for step in incident.steps
    ]
    return "\n".join([told, *(f"      {wrong}" for wrong in verdict.wrong), *steps, again])


def as_json(one):
    return {
        "round": one.plan.number,
        "kind": one.plan.kind.value,
        "planned": [str(failure) for failure in one.plan.failures],
        "met": [f"{at:%H:%M:%S} {failure}" for at, failure in one.met],
        "ended": [f"{i.state.value}: {i.reason.value}" for i in one.end.incidents],
        "acts": [act for act, _ in one.end.acts],
        "held": one.verdict.held,
        "told_again": one.verdict.repeats,
        "wrong": list(one.verdict.wrong),
        "minutes": one.minutes,
        "calls": one.calls,
        "seconds": round(one.seconds, 1),
    }


def summary(seed, rounds):
    """The figures of all rounds, the last line those that count."""
    met = Counter(failure.what.value for one in rounds for _, failure in one.met)
    kinds = Counter(one.plan.kind.value for one in rounds)
    held = sum(one.verdict.held for one in rounds)
    counts = [sum(bool(getattr(one.verdict, name)) for one in rounds) for name in PROMISES]
    score = (
        f"{counts[0]} lost, {counts[1]} twice, {counts[2]} threads incomplete,"
        f" in {len(rounds)} rounds of seed {seed}"
    )
    return "\n".join(
        [
            "rounds: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),
            "failed: " + ", ".join(f"{what} {count}" for what, count in met.most_common()),
            f"{held} held, with a person called; {sum(one.seconds for one in rounds):.0f} s",
            score,
        ]
    )


PROMISES = ("lost", "twice", "thread")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
