"""How each case must end, and why: the one table of expectations.

An end is told from what is to be seen in the world, the journal and Slack. A row names points by
their beginnings; the first row that fits a case counts, so what is particular stands first.
"""

from dataclasses import dataclass
from enum import StrEnum

from tests.wire.matrix import Fault, Form
from tests.wire.stories import STORIES


class End(StrEnum):
    """Where a story ends."""

    DONE = "as without the fault"
    TWICE = "as without it; Slack repeats a message"
    REPEATED = "as without it; each try repeats a message in Slack, and an alarm calls"
    RUNG = "as without it; an alarm of the responder calls as well"
    UNTOLD = "as without it; Slack hears when the fault is over, and an alarm calls until then"
    UNSURE = "done; whether it helped is not known, and a person is called"
    OPEN = "done; followed until the fault is over, and an alarm calls"
    UNWRITTEN = "done; the row reads *may have acted*, and an alarm calls"
    PART = "begun; a person is called for the rest"
    TRIED = "begun; it is tried until the fault is over, and an alarm calls or Slack says so"
    HELD = "nothing is touched; the incident says why, and calls a person"
    UNCLEAR = "whether it was done is not known; that is what it says, and a person is called"
    NOTHING = "nothing is touched; an alarm calls"
    REFUSED = "nothing is touched; whoever said it hears that it failed"


WRONG = "wrong"
OPEN_STATES = {"rolling_back", "watching", "undoing"}
BEFORE_STATES = {"asking", "undecided"}


def end_of(name, found):
    """The end of a story by what was seen; `wrong` where it is none that may be."""
    story = STORIES[name]
    states = tuple(each.partition(":")[0] for each in found["ends"])
    acts, rings = tuple(found["acts"]), bool(found["rings"])
    twice = [one for one in found["untold"] if "times" in one or "messages" in one]
    if found["wrong"] or len(found["untold"]) > len(twice):
        return WRONG
    if acts == story.acts:
        return _done(story, found, states, rings=rings, twice=bool(twice))
    failed = bool(found["said"]) and found["said"][-1] not in {0, 200}
    if "indeterminate" in states and found["calls"]:
        return End.UNCLEAR
    if acts:
        return _begun(story, found, states, rings=rings)
    if states and set(states) <= {"stood_down", "unknown"} and found["calls"]:
        return End.HELD
    if states == ("undoing",) and (rings or found["reminded"]):
        return End.TRIED
    if set(states) <= BEFORE_STATES and failed:
        return End.REFUSED
    return End.NOTHING if set(states) <= BEFORE_STATES and rings else WRONG


def _begun(story, found, states, *, rings):
    if tuple(found["acts"]) != story.acts[: len(found["acts"])]:
        return WRONG
    if found["calls"]:
        return End.PART
    return End.TRIED if set(states) <= OPEN_STATES and rings else WRONG


def _done(story, found, states, *, rings, twice):
    if states == story.states and not found["calls"]:
        if found["behind"]:
            late = End.REPEATED if twice else End.UNTOLD
            return late if rings else WRONG
        if twice:
            return End.TWICE
        return End.RUNG if set(found["rings"]) - set(story.rings) else End.DONE
    if "indeterminate" in states and found["calls"]:
        return End.UNCLEAR
    if states and states[-1] == "unknown" and found["calls"]:
        return End.UNSURE
    if "incomplete" in states and found["calls"]:
        return End.PART
    if states and states[-1] in OPEN_STATES and rings:
        return End.OPEN
    if not states and rings and found["claimed"]:
        return End.UNWRITTEN
    return WRONG


@dataclass(frozen=True, kw_only=True)
class Row:
    """Expectations of some points, faults and forms; empty for all."""

    points: tuple[str, ...] = ()
    faults: frozenset[Fault] = frozenset()
    forms: frozenset[Form] = frozenset()
    end: End
    why: str

    def fits(self, case):
        return (
            (not self.points or case.point.name.startswith(self.points))
            and (not self.faults or case.fault in self.faults)
            and (not self.forms or case.form in self.forms)
        )


def row(end, why, points=(), faults=(), forms=()):
    """A row; `points` may be one beginning."""
    beginnings = (points,) if isinstance(points, str) else tuple(points)
    return Row(
        points=beginnings, faults=frozenset(faults), forms=frozenset(forms), end=end, why=why
    )


def row_of(case):
    """The row that says how a case ends."""
    return next(row for row in ROWS if row.fits(case))


ONCE, EVER = {Form.CALL}, {Form.EVER}
UNANSWERED = {Fault.ERROR, Fault.RESET}
DONE_UNSEEN = {Fault.LOST, Fault.SHORT, Fault.LATE}
COMPARED = {Fault.STALE, Fault.CONFLICT}
LATER_ACTS = ("stack: continue", "stack: cancel the next")
FIRST_ACTS = ("alias: move", "deployment: stop", "deployment: redeploy", "stack: cancel")
ROLLOUTS = ("deployments", "group", "stack: look", "rows: siblings")
TOLD_BY_STREAM = ("notice: take", "storm", "Slack secret: notify")
BY_PERSON = ("press", "Slack secret: interact", "command", "outputs")
OF_CLAIM = ("row: claim", "row: close", "row: keep", "budget", "alarms: respond", *ROLLOUTS)
ROWS = (
    row(
        End.DONE,
        "the SDK sends it again, and what its first request did is known for our own",
        forms={Form.REQUEST},
    ),
    # -- acts: the SDK sends each once --------------------------------------------------------
    row(
        End.HELD,
        "it was refused, and is not tried again: what is there by now is somebody else's",
        "alias: move",
        COMPARED,
    ),
    row(
        End.PART,
        "it is refused, and not asked again: a person is called for what is left",
        LATER_ACTS,
        {Fault.DENIED, Fault.CONFLICT},
    ),
    row(
        End.DONE,
        "whoever inherits the claim looks, and does what is not done yet",
        LATER_ACTS,
        forms=ONCE,
    ),
    row(
        End.DONE,
        "the target shows that it was done",
        LATER_ACTS,
        DONE_UNSEEN,
    ),
    row(
        End.PART,
        "it is tried each time; that the rollback is stuck has called a person before",
        "stack: continue",
    ),
    row(
        End.TRIED,
        "it is tried each time; nobody is called in Slack as long as no leg is overdue",
        "stack: cancel the next",
    ),
    row(
        End.DONE,
        "what is on trial is looked at again, and is still there to be undone",
        FIRST_ACTS,
        {Fault.CONFLICT},
        ONCE,
    ),
    row(End.HELD, "it is refused twice over, and not tried again", FIRST_ACTS, {Fault.CONFLICT}),
    row(End.HELD, "the role may not: nothing but a person helps", FIRST_ACTS, {Fault.DENIED}),
    row(
        End.DONE,
        "a throttle is surely no act: it is tried again for five seconds, then each minute",
        FIRST_ACTS,
        {Fault.THROTTLED},
        ONCE,
    ),
    row(
        End.HELD,
        "it is tried again for as long as `recheck_minutes`, and was surely never done",
        FIRST_ACTS,
        {Fault.THROTTLED},
    ),
    row(
        End.DONE,
        "the target is looked at, and shows at once that it was done",
        ("alias: move", "deployment: redeploy", "stack: cancel"),
        {Fault.LOST, Fault.SHORT},
    ),
    row(
        End.DONE,
        "the target does not show it at once; whoever inherits the claim finds it done",
        FIRST_ACTS,
        DONE_UNSEEN,
    ),
    row(
        End.DONE,
        "nobody knows until the claim is inherited; the target is untouched then, and it is done",
        FIRST_ACTS,
        UNANSWERED,
        ONCE,
    ),
    row(
        End.UNCLEAR,
        "no attempt gets a clear answer within `recheck_minutes`, and the last may still land",
        FIRST_ACTS,
        UNANSWERED,
    ),
    row(
        End.HELD,
        "it is refused, and said so: whoever ordered it may look and order it again",
        "alias: undo",
        {*COMPARED, Fault.DENIED},
    ),
    row(
        End.DONE,
        "a throttle is surely no act: it is tried again for five seconds, then each minute",
        "alias: undo",
        {Fault.THROTTLED},
        ONCE,
    ),
    row(
        End.DONE,
        "the marker shows at once that it was done",
        "alias: undo",
        {Fault.LOST, Fault.SHORT},
    ),
    row(End.DONE, "whoever inherits the claim finds it done", "alias: undo", {Fault.LATE}),
    row(End.DONE, "whoever inherits the claim does it", "alias: undo", UNANSWERED, ONCE),
    row(
        End.TRIED,
        "a person's word stands until it is done; every half hour and more rarely Slack says so",
        "alias: undo",
    ),
    # -- what is read about the targets -------------------------------------------------------
    row(
        End.NOTHING,
        "its message was lost, and the watcher cannot look for it",
        ("alias: watcher's look", "alarms: watch", "rows: watch", "watcher: wake"),
        {Fault.THROTTLED, Fault.SHORT, Fault.DENIED},
        EVER,
    ),
    row(
        End.RUNG,
        "the round fails and beats no heart; the next one does what it would have done",
        ("alarms: watch", "rows: watch"),
    ),
    row(
        End.UNSURE,
        "the alias is moved on what its ledger says, and cannot be looked at afterwards",
        "alias: look",
        forms=EVER,
    ),
    row(
        End.RUNG,
        "what a version is made of is not known, and not needed to go back",
        "alias: build",
        forms=EVER,
    ),
    row(
        End.OPEN,
        "it is stopped, and nobody can see whether it is back",
        ("deployment: look", "row: watcher's claim", "row: close and archive"),
        {Fault.THROTTLED, Fault.DENIED, Fault.CONFLICT},
        EVER,
    ),
    row(
        End.OPEN,
        "it is stopped, and nobody can see whether it is back",
        ("deployment: look", "row: watcher's claim"),
        forms=EVER,
    ),
    row(
        End.HELD,
        "without its minutes nothing is condemned, unless the policy trusts the alarm",
        "minutes",
        forms=EVER,
    ),
    row(
        End.HELD,
        "where nobody knows whether it is muted, the alarm is in doubt",
        "mute rules: respond",
        forms=EVER,
    ),
    # -- the journal --------------------------------------------------------------------------
    row(
        End.UNWRITTEN,
        "it cannot be written; the claim stands, and whoever inherits it finds it done",
        "row: close",
        {Fault.THROTTLED, Fault.DENIED, Fault.CONFLICT},
        EVER,
    ),
    row(
        End.DONE,
        "the watcher writes it in its next round",
        "row: close and archive",
    ),
    row(
        End.RUNG,
        "it is written each time, and taken for failed",
        "row: close",
        {Fault.LOST},
        EVER,
    ),
    row(
        End.NOTHING,
        "without row, budget, alarm and rollouts nothing is touched; it is tried again",
        OF_CLAIM,
        forms=EVER,
    ),
    row(
        End.DONE,
        "the watcher asks again within a minute; the message that failed waits for six",
        OF_CLAIM,
    ),
    # -- Slack --------------------------------------------------------------------------------
    row(
        End.DONE,
        "it was written all the same",
        "notice: record",
        DONE_UNSEEN,
    ),
    row(
        End.REPEATED,
        "what Slack took cannot be written down, and Slack cannot be asked whether it took it",
        "notice: record",
        forms=EVER,
    ),
    row(
        End.TWICE,
        "what Slack took was not written down, and Slack cannot be asked whether it took it",
        "notice: record",
    ),
    row(End.DONE, "the next telling takes it over after its lease", "notice: give back"),
    row(
        End.UNTOLD,
        "the stream tries again for a day",
        TOLD_BY_STREAM,
        forms=EVER,
    ),
    row(End.DONE, "the stream delivers it again", TOLD_BY_STREAM),
    # -- people -------------------------------------------------------------------------------
    row(
        End.REFUSED,
        "a press that nobody knows to be new is not taken",
        "press: once",
        {Fault.LOST},
        EVER,
    ),
    row(
        End.DONE,
        "it is taken or sent all the same; said again, it is the same order",
        BY_PERSON,
        {Fault.LOST},
    ),
    row(
        End.NOTHING,
        "the order is taken, and waits until `respond` can be woken",
        ("press: wake", "command: wake"),
        forms=EVER,
    ),
    row(
        End.DONE,
        "the order is taken, and the watcher finds it within a minute",
        ("press: wake", "command: wake"),
    ),
    row(End.REFUSED, "whoever says it hears each time that it failed", BY_PERSON, forms=EVER),
    row(End.DONE, "whoever says it hears that it failed, and says it again", BY_PERSON),
    # -- the rest -----------------------------------------------------------------------------
    row(
        End.RUNG,
        "the order is written all the same; the run that wrote it fails",
        "drill: order",
        DONE_UNSEEN,
    ),
    row(
        End.RUNG,
        "it does not know whether an alarm is muted, and says so; what fires is found all the same",
        ("mute rules: watch", "mute rule: watch"),
        forms=EVER,
    ),
    row(End.NOTHING, "there is no preflight today", ("preflight: permissions", "preflight: rows")),
    row(End.RUNG, "the watcher says each minute that it cannot read it", "preflight", forms=EVER),
    row(End.DONE, "what could not be read is in the log", "preflight"),
    row(End.NOTHING, "a drill that is not ordered is next month's", "drill"),
    row(
        End.DONE, "the digest says that it does not know how often the watcher looked", "heartbeats"
    ),
    row(
        End.NOTHING,
        "Lambda tries twice more, and then there is no digest this week",
        "digest",
        forms=EVER,
    ),
    row(End.RUNG, "Lambda tries again", "digest"),
    row(
        End.RUNG,
        "SQS delivers it again, and lays it aside itself after five times",
        "dead letter: message",
        forms=EVER,
    ),
    row(End.DONE, "SQS delivers it again", "dead letter: message"),
    row(End.UNTOLD, "it is laid aside at each try", "dead letter: row", {Fault.LOST}, EVER),
    row(End.NOTHING, "the record waits in the stream", "dead letter: row", forms=EVER),
    row(End.DONE, "the stream delivers it again", "dead letter: row"),
    row(End.DONE, "what was not read is read a minute later"),
)
