"""docs/conformance.md, which `make docs` writes."""

from collections.abc import Iterator
from typing import Any

from conformance.by_hand import BY_HAND, NOT_RELIED_ON
from conformance.check import ByHand, Check
from conformance.checks import CHECKS
from conformance.report import cell

HEAD = """# Conformance

Some things that the responder assumes of AWS cannot be proved without an AWS account. This pack
puts them to the test in an account of yours, one after the other, and says whether each holds.

**It has not been run against AWS until somebody has.** The checks themselves are tested on this
machine: each tells a model of AWS that holds its assumption from one that does not, and leaves
nothing behind whichever of its calls fails (`tests/conformance`). That proves the checks, not AWS.
Whoever runs it: please send `report.json` (it has your account's id in it) with a pull request that
changes the table in [SECURITY.md](../SECURITY.md#what-a-real-account-must-still-confirm).

```sh
make conformance               # what it would do; needs no account
make conformance ACCOUNT=123456789012 OPTIONS="--region eu-west-1 --profile sandbox"
.venv/bin/python -m conformance --account 123456789012 --only A5,A11  # some; A11 is a family
.venv/bin/python -m conformance --account 123456789012 --clean-up     # what a killed run has left
```

It says first what it will make, for how long and for how much, and begins when you type `yes`
(`--yes` does not ask). The report is written to `build/conformance/RUN`, as Markdown and as JSON;
`--json` prints it as well, `--out FOLDER` puts it elsewhere.

| exit code | meaning |
|---|---|
| 0 | all that was checked holds |
| 1 | something does not hold |
| 2 | something could not be told, is left in the account, or nothing was done |
| 3 | there are no credentials that work; it says how to get some |

**Which account.** One for experiments, with an administrator's rights. Its id must be given and be
the one that STS reports. An account whose alias, or tag in AWS Organizations, says production is
refused, and so is one whose alias cannot be read.

**What stays.** Nothing: each thing is written down before it is made, and removed when its check is
over, after an error and after Ctrl-C as well. Everything has the tag `rollback-conformance` with
the run's id, roles the path `/rollback-conformance/`; by these a run looks at its end for what is
left, and `--clean-up` for what any run has left, also one that is under way. A deleted alarm stays
in CloudWatch's history for two weeks, a deleted stack in CloudFormation's list for 90 days.

"""
COLUMNS = (
    "key",
    "assumption",
    "what speaks for it, or why it is not sure",
    "how it is seen",
    "makes",
    "minutes, cents at most",
)
ADDING = """

## A new check

1. Write a class in the file of its family under `conformance/checks/`, like its neighbours: what it
   assumes, from where, what it does, makes and costs; `create` uses `making.py`, `observe` returns
   what JSON can hold, `tell` judges that and nothing else. Where `SECURITY.md` has the assumption,
   use its words.
2. Name it in `conformance/checks/__init__.py`.
3. Teach `tests/conformance/world.py` what it calls, add the member that breaks the assumption, and
   name that in `BENT` in `test_checks.py`. A new kind of thing needs a line in `things.py` and in
   `leftovers.py`, and one in `shelf.py`.
4. `make docs` writes it here.
"""


def conformance_page() -> str:
    """The whole page."""
    return HEAD + "\n".join(_lines()) + ADDING


def _lines() -> Iterator[str]:
    minutes, cents = sum(c.minutes for c in CHECKS), sum(c.cents for c in CHECKS)
    yield f"## The {len(CHECKS)} checks\n"
    yield f"All of them take {minutes} minutes and cost {cents} cents at most.\n"
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for one in CHECKS:
        texts = (one.key, one.assumes, one.source, one.does, one.makes)
        yield f"| {' | '.join(cell(t) for t in texts)} | {one.minutes}, {one.cents} |"
    yield "\nUntil each is confirmed, this is what the product does:\n"
    yield "| key | meanwhile |\n|---|---|"
    every: tuple[Check[Any] | ByHand, ...] = (*CHECKS, *BY_HAND)
    yield from (f"| {one.key} | {cell(one.meanwhile)} |" for one in every)
    yield "\n## By hand\n"
    for hand in BY_HAND:
        yield f"**{hand.key}**: {hand.assumes}. By hand because {hand.why}.\n"
        steps = (cell(step) for step in hand.steps.strip().split("\n\n"))
        yield from (f"{number}. {step}" for number, step in enumerate(steps, start=1))
        yield ""
    yield "Nothing rests on these, for the responder has no such action:"
    yield "; ".join(f"{key}, {words}" for key, words in NOT_RELIED_ON.items()) + "."
