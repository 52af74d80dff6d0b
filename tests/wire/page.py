"""The page `docs/faults.md`, made from the table of expected ends."""

from itertools import groupby
from pathlib import Path

from tests.wire.ends import ROWS, End, row_of
from tests.wire.matrix import POINTS, Fault, Form, cases
from tests.wire.stories import STORIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

HEAD = """# Faults on the wire

<!-- Made by `python -m tests.wire --docs`; do not edit. -->

Every call of AWS that the four functions and the commands make is made to fail, in every way
that makes sense, by a proxy between the real SDK and a strict model of AWS. Each time a whole
incident is played: the functions' own handlers, the queue with its redeliveries, the stream, the
watcher's minutes, Slack. `make wire` plays all {cases} cases and prints how each ended; its exit
code is 1 where one ended in another way than this page says.

An end is read from AWS, the journal and Slack, never from what the code returned. In every case:
nothing is done twice, nothing goes forward that no person and no drill asked for, the journal says
what was done and nothing that was not, and what a thread lacked is there when the fault is over.

It shows how the responder takes these faults, not how often AWS has them. Time is the model's: a
wait of the SDK passes as long as the product has it wait, and takes a quarter of a second.

## What goes wrong

| fault | is |
|---|---|
{faults}

*One request* fails, and the SDK sends it again; *one call* fails, with all its requests; or it
fails *for ever*. Then a command or a press is tried three times; in the end the fault is lifted.

## How it ends

| end | cases |
|---|---|
{ends}

The alarms are those on the responder itself ([runbook](runbook.md)).

## The incidents

| incident | is |
|---|---|
{stories}

## Every call

Where a fault ends alike in all its forms, they are left out.

| call | in | fault | ends | because |
|---|---|---|---|---|
{rows}
"""
FAULTS = {
    Fault.THROTTLED: "AWS answers that there are too many requests, in the service's own words",
    Fault.ERROR: "AWS answers with an internal error, and has done nothing",
    Fault.LATE: "the SDK gives up waiting; AWS does it all the same, a moment later",
    Fault.RESET: "the connection is reset before AWS has the request",
    Fault.LOST: "AWS has done it, and the connection ends before the answer",
    Fault.CUT: "the connection ends in the middle of the answer",
    Fault.SHORT: "AWS has done it, and the answer ends in the middle without an error",
    Fault.DENIED: "the role may not",
    Fault.CONFLICT: "AWS answers that something else is under way, or was first",
    Fault.STALE: "AWS answers that the alias has changed since it was read",
}


def render():
    """The page's text."""
    every = list(cases())
    counts = {end: sum(row_of(case).end is end for case in every) for end in End}
    return HEAD.format(
        cases=len(every),
        faults="\n".join(f"| {fault.value} | {FAULTS[fault]} |" for fault in Fault),
        ends="\n".join(f"| {end.value} | {count} |" for end, count in counts.items() if count),
        stories="\n".join(f"| {name} | {story.about} |" for name, story in STORIES.items()),
        rows="\n".join(line for point in POINTS for line in _lines(point, every)),
    )


def _lines(point, every):
    mine = sorted((case for case in every if case.point == point), key=_place)
    for row, found in groupby(mine, key=row_of):
        told = _faults(list(found), mine)
        call = f"{point.name}: `{point.operation}`"
        yield f"| {call} | {point.story} | {told} | {row.end.value} | {row.why} |"


def _place(case):
    return ROWS.index(row_of(case)), list(Fault).index(case.fault), list(Form).index(case.form)


def _faults(found, mine):
    """The faults of some cases of a point, with their forms where others of it end otherwise."""
    told = []
    for fault in dict.fromkeys(case.fault for case in found):
        forms = [case.form for case in found if case.fault is fault]
        every = [case.form for case in mine if case.fault is fault]
        told.append((fault.value, "" if forms == every else " or ".join(f.value for f in forms)))
    parts = []
    for forms, names in groupby(sorted(told, key=lambda one: one[1]), key=lambda one: one[1]):
        named = ", ".join(name for name, _ in names)
        parts.append(f"{named} ({forms})" if forms else named)
    return "; ".join(parts)
