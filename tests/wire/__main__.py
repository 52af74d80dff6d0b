"""Plays the matrix of faults on the wire, and prints how each case ended.

    python -m tests.wire [--only TEXT] [--short] [--jobs 2] [--json] [--docs] [--calls]

Exit code 1 where a case ends in another way than the table says, or its fault met no request. The
whole matrix is followed by a case for each fault that is planted in the product on purpose: it must
end otherwise.
"""

import argparse
import json
import sys
import time

from tests.wire import page
from tests.wire.commands import SAID
from tests.wire.ends import end_of, row_of
from tests.wire.matrix import Form, cases
from tests.wire.planted import PLANTED
from tests.wire.play import Stage, played
from tests.wire.stories import STORIES


def main(arguments):
    """Plays and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument(
        "--short", action="store_true", help="each fault once: one whole call fails"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--docs", action="store_true", help="write docs/faults.md, play nothing")
    parser.add_argument("--calls", action="store_true", help="which calls are made at all, as JSON")
    options = parser.parse_args(arguments)
    if options.docs:
        page.PAGE.write_text(page.render(), encoding="utf-8")
        return 0
    if options.calls:
        print(json.dumps(calls()))
        return 0
    forms = {Form.CALL} if options.short else set(Form)
    wanted = [case for case in cases() if options.only in case.name and case.form in forms]
    began = time.monotonic()
    results = play(wanted, options.jobs, say=_progress(len(wanted)))
    if not options.only and not options.short:
        results += missed()
    wrong = [result for result in results if not result["ok"]]
    seconds = time.monotonic() - began
    if options.json:
        print(json.dumps({"cases": results, "wrong": len(wrong), "seconds": round(seconds, 1)}))
    else:
        print("\n".join(_line(result) for result in results))
        print(f"{len(results)} cases, {len(wrong)} wrong, {seconds:.0f} s")
    return 1 if wrong or not results else 0


def calls():
    """The calls of each story and each command, where nothing goes wrong."""
    with Stage() as stage:
        return {name: stage.play(name)["calls_made"] for name in (*STORIES, *SAID)}


def missed():
    """The planted faults as results: ok where the matrix finds one."""
    every = {case.name: case for case in cases()}
    for plant, name in PLANTED.items():
        (result,) = play([every[name]], 1, plant=plant)
        found = not result["ok"] and result["end"] != "broken"
        yield result | {"name": f"planted: {plant.__name__}", "expected": "found", "ok": found}


def play(wanted, jobs, say=lambda _: None, plant=lambda: None):
    """The results of cases, in their order: name, end, expected, ok, and what was seen."""
    found = {}
    for case, seen in played(wanted, jobs, plant):
        expected = row_of(case).end
        end = "broken" if "broken" in seen else end_of(case.point.story, seen)
        after = seen.get("after", {}).get("wrong", ())
        found[case.name] = {
            "name": case.name,
            "end": str(end),
            "expected": str(expected),
            "ok": end == expected and seen["fired"] > 0 and not after,
            "seen": seen,
        }
        say(found[case.name])
    return [found[case.name] for case in wanted]


def _progress(count):
    done = 0

    def say(result):
        nonlocal done
        done += 1
        if not result["ok"]:
            print(f"\r{_line(result)}\n{json.dumps(result['seen'])}", file=sys.stderr)
        print(f"\r{done} of {count}", end="", file=sys.stderr, flush=True)

    return say


def _line(result):
    verdict = "ok   " if result["ok"] else "WRONG"
    expected = "" if result["end"] == result["expected"] else f"; expected: {result['expected']}"
    return f"{verdict} {result['name']:<66} {result['end']}{expected}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
