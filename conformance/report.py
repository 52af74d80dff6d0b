"""The results, for people and for programs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from conformance.account import Account
from conformance.by_hand import BY_HAND
from conformance.check import Check, Verdict
from conformance.lab import Left
from conformance.run import Result, Run


def exit_code(run: Run) -> int:
    """0 all hold, 1 some do not, 2 some could not be told, or something is left."""
    verdicts = {result.verdict for result in run.results}
    if Verdict.DOES_NOT_HOLD in verdicts:
        return 1
    sure = verdicts == {Verdict.HOLDS} and not run.broken_off
    return 0 if sure and not remains(run) and not run.unread else 2


def remains(run: Run) -> list[Left]:
    """What is known to be left in the account at the end: the last look knows best."""
    if run.unread:
        return [left for result in run.results for left in result.left]
    return list(run.left)


def as_json(run: Run, account: Account, run_id: str) -> str:
    """One document with all that was seen."""
    document = {
        "account": account.id,
        "region": account.region,
        "run": run_id,
        "broken_off": run.broken_off,
        "results": [_result(result) for result in run.results],
        "left": [
            {"kind": left.thing.kind, "name": left.thing.name, "problem": left.problem}
            for left in remains(run)
        ],
        "left_unknown": run.unread,
        "by_hand": [hand.key for hand in BY_HAND],
    }
    return json.dumps(document, indent=2, default=str) + "\n"


def _result(result: Result) -> dict[str, Any]:
    check = result.check
    return {
        "key": check.key,
        "assumption": check.assumes,
        "source": check.source,
        "done": check.does,
        "seen": dict(result.seen),
        "verdict": result.verdict,
        "problem": result.problem,
        "meanwhile": check.meanwhile,
        "began_at": result.began_at.isoformat(),
        "seconds": round(result.seconds, 1),
    }


def as_markdown(run: Run, account: Account, run_id: str) -> str:
    """The same to read."""
    return "\n".join(_lines(run, account, run_id)) + "\n"


def _lines(run: Run, account: Account, run_id: str) -> Iterator[str]:
    counts = ", ".join(
        f"{sum(r.verdict is verdict for r in run.results)} {words}"
        for verdict, words in (
            (Verdict.HOLDS, "hold"),
            (Verdict.DOES_NOT_HOLD, "do not hold"),
            (Verdict.NOT_TOLD, "could not be told"),
        )
    )
    yield f"# Conformance of account {account.id} in {account.region}\n"
    yield f"Run {run_id}: {counts}.{' It was broken off.' if run.broken_off else ''}\n"
    if run.unread:
        yield f"What is left in the account is not known: {cell(run.unread)}\n"
    for left in remains(run):
        yield f"- LEFT BEHIND: {left.thing.kind} `{left.thing.name}` ({cell(left.problem)})"
    yield "| assumption | done | seen | verdict | what the product does meanwhile |"
    yield "|---|---|---|---|---|"
    for result in run.results:
        check = result.check
        seen = f"`{json.dumps(result.seen, default=str)}`" if result.seen else ""
        told = f"**{result.verdict}**" + (f": {result.problem}" if result.problem else "")
        row = (f"{check.key}: {check.assumes}", check.does, seen, told, check.meanwhile)
        yield f"| {' | '.join(cell(text) for text in row)} |"
    yield f"\nBy hand: {', '.join(hand.key for hand in BY_HAND)} (docs/conformance.md)."


def cell(text: str) -> str:
    """A text that cannot break a table."""
    return " ".join(text.replace("|", "\\|").split())


def plan(checks: Sequence[Check[Any]]) -> Iterator[str]:
    """What will be made, for how long, and what it costs at most."""
    for check in checks:
        yield f"  {check.key:18} {check.assumes}"
        yield f"  {'':18}   makes {check.makes}; {check.minutes} min, {check.cents} ct at most"
    minutes, cents = sum(c.minutes for c in checks), sum(c.cents for c in checks)
    yield f"{len(checks)} checks, one after the other: {minutes} minutes and {cents} cents at most."
    yield "Nothing lives longer than its check; everything has the tag rollback-conformance."
