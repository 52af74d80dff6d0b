"""The faults that may go unnoticed, and why; and the scores that must hold."""

import json
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

from tests.mutation.mutants import GATES_AND_TRANSITIONS, plain
from tests.mutation.runner import KILLED, NO_TESTS, REFUSED, SURVIVED, TIMEOUT

FILE = Path(__file__).with_name("survivors.toml")
NOTICED = (KILLED, TIMEOUT, REFUSED)
UNNOTICED = (SURVIVED, NO_TESTS)
# No fault at all, as its reason proves; or one that is not worth a test.
EQUIVALENT, ACCEPTED = "equivalent", "accepted"
COLUMNS = (*NOTICED, *UNNOTICED, EQUIVALENT)
# Of all faults; of the gates and transitions, all that are faults at all.
EXACT = "gates and transitions"
LEAST_PERCENT = {"domain": 90, "actions": 90}


def survivors():
    """Those that are named: each entry by what names its mutant."""
    entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get("survivor", [])
    return {(e["module"], e["where"], plain(e["was"]), plain(e["now"])): e for e in entries}


def print_new(verdicts):
    """An entry for each that goes unnoticed and is not named: its reason is to be written."""
    named = survivors()
    for key in dict.fromkeys(key for key, verdict in verdicts if verdict in UNNOTICED):
        if key not in named:
            values = zip(("module", "where", "was", "now"), key, strict=True)
            lines = [f"{name} = {json.dumps(value)}" for name, value in values]
            print("[[survivor]]", *lines, 'kind = ""', 'reason = ""', "", sep="\n")


def report(results, *, whole):
    """Prints the scores and whatever is wrong; returns the exit status.

    A room's score is judged where its `whole` was tried.
    """
    named = survivors()
    unnoticed = {key for key, verdict in results if verdict in UNNOTICED}
    rows = defaultdict(Counter)
    for key, verdict in results:
        module, room = key[0], key[0].partition(".")[0]
        for row in (module, room, *([EXACT] if module in GATES_AND_TRANSITIONS else [])):
            rows[row][verdict] += 1
            rows[row][EQUIVALENT] += (
                key in unnoticed and key in named and named[key]["kind"] == EQUIVALENT
            )
    print(f"\n{'':28}{'faults':>8}", *(f"{name:>11}" for name in COLUMNS), sep="")
    wrong = [_row(name, count, whole=whole) for name, count in sorted(rows.items())]
    new = unnoticed - named.keys()
    wrong += [f"{len(new)} go unnoticed and are not in {FILE.name}"] if new else []
    tried = {key[0] for key, _ in results}
    wrong += [
        f"{FILE.name} names what is noticed or no more: {key}"
        for key in named.keys() - unnoticed
        if key[0] in tried
    ]
    wrong = [line for line in wrong if line]
    print("", *wrong, sep="\n")
    return int(bool(wrong))


def _row(name, count, *, whole):
    """Prints a line of the table; returns what is wrong with it."""
    noticed = sum(count[verdict] for verdict in NOTICED)
    faults = noticed + sum(count[verdict] for verdict in UNNOTICED)
    counts = "".join(f"{count[column]:11}" for column in COLUMNS)
    score, exact = 100 * noticed / faults, 100 * noticed / max(faults - count[EQUIVALENT], 1)
    print(f"{name:28}{faults:8}{counts}   {score:5.1f} %, without equivalent ones {exact:5.1f} %")
    if name == EXACT and exact < 100:
        return f"{name}: a fault goes unnoticed"
    if whole and score < LEAST_PERCENT.get(name, 0):
        return f"{name}: {score:.1f} % is less than {LEAST_PERCENT[name]} %"
    return None
