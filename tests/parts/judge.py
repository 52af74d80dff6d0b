"""How a round ended: read from the emulator, the table and Slack, not from what code returned."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

from rollback_responder.domain.incident import State
from rollback_responder.journal.codec import decode_incident
from rollback_responder.notifiers.message import message_of, reply
from tests.parts.deployed import ACCOUNT
from tests.parts.plan import NOTIFY, Kind, What
from tests.wire.judge import lies, unjournaled, untold

REPEATED = (" messages", " times of: ")


@dataclass(frozen=True, kw_only=True)
class End:
    """What there is to be seen in the end.

    Attributes:
        acts: what was done to the target: the act, and what names the change.
        version: what the alias serves; `weights`, whom else.
        rollout: how the deployments or the stack stand.
        incidents: every one that the journal holds, oldest first.
        claimed: whether a row reads *may have acted*.
        waiting: whether something lies in the queue or the stream.
        messages: what Slack shows.
    """

    acts: tuple
    version: str
    weights: dict
    rollout: tuple
    incidents: tuple
    claimed: bool
    waiting: bool
    messages: tuple


def seen(stage):
    version, weights = stage.alias()
    items = stage.items()
    incidents = incidents_in(items)
    return End(
        acts=tuple(acts_of(stage, incidents)),
        version=version,
        weights=weights,
        rollout=tuple(_rollout(stage)),
        incidents=tuple(incidents),
        claimed=any("claim_id" in item for item in items),
        waiting=not (stage.bus.is_empty() and stage.bus.has_told_everything()),
        messages=tuple(stage.inbox.for_everybody()),
    )


def incidents_in(items):
    """Every incident of the table, oldest first; the ended ones are in its archive."""
    found = {}
    for item in items:
        for name in ("archive", "incident"):
            if name in item:
                incident = decode_incident(item[name]["S"])
                found[incident.id] = incident
    return [found[key] for key in sorted(found)]


def acts_of(stage, incidents):
    """What AWS was told by the functions and took, as the edges wrote it down."""
    updates = [leg.change for one in incidents for leg in one.legs]
    for call in stage.edges.acts():
        match call.operation:
            case "UpdateAlias":
                yield ("move", "2>1") if call.about == "1" else ("forward", call.about)
            case "StopDeployment":
                yield "stop", call.about
            case "CancelUpdateStack":
                # It names a stack; that only one update was begun is the round's own doing.
                yield "cancel", updates[0] if updates else ""
            case other:
                yield other, call.about


def _rollout(stage):
    if stage.kind is Kind.DEPLOYMENT:
        with stage.codedeploy.lock:
            ids = stage.codedeploy.list_deployments()["deployments"]
            return [stage.codedeploy.status_of(one) for one in ids]
    return [stage.stack_status()] if stage.kind is Kind.STACK else []


def is_at_rest(end):
    """Whether nothing more is to come."""
    open_ = [one for one in end.incidents if one.is_open]
    return bool(end.incidents) and not open_ and not end.claimed and not end.waiting


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is wrong, by what was promised, as sentences; whether a person was called instead."""

    lost: tuple = ()
    twice: tuple = ()
    thread: tuple = ()
    repeats: int = 0
    held: bool = False

    @property
    def wrong(self):
        return (*self.lost, *self.twice, *self.thread)


def judged(end, met):
    """The verdict on a round in which these failures were met."""
    lacks, repeats = _thread(end)
    if repeats and not may_repeat(met):
        lacks += repeats
    is_back = end.version == "1" and not end.weights
    last = end.incidents[-1] if end.incidents else None
    held = last is not None and last.state is not State.FIXED and last.needs_a_person
    return Verdict(
        lost=tuple(_lost(end, last, is_back=is_back, held=held)),
        twice=tuple(_twice(end)),
        thread=tuple(lacks),
        repeats=len(repeats),
        held=held,
    )


def _lost(end, last, *, is_back, held):
    for one in end.incidents:
        if one.is_open:
            yield f"{one.id} is still {one.state.value}"
    if end.claimed:
        yield "the row still reads: may have acted"
    if end.waiting:
        yield "something is still waiting in the queue or the stream"
    if last is None:
        yield "nobody has answered: there is no incident"
        return
    if not held and last.state is not State.FIXED:
        yield f"it is {last.state.value} ({last.reason.value}), and no person is called"
    if last.state is State.FIXED and not is_back:
        yield f"it is called fixed, and version {end.version} serves, shared with {end.weights}"
    if last.state is State.FIXED and not end.acts:
        yield "it is called fixed, and nothing was done"
    yield from unjournaled(end.incidents, end.acts)
    yield from lies(end.incidents, end.acts)


def _twice(end):
    if len(end.acts) > 1:
        yield f"{len(end.acts)} acts: {', '.join(act for act, _ in end.acts)}"


def may_repeat(met):
    """Whether a message may stand in Slack twice: its answer, or the note of it, was lost.

    `notify` died, the table was away, or Slack was silent, after it had taken a message.
    """
    return any(
        one.what in {What.TABLE, What.SLACK, What.RESTART}
        or (one.what is What.KILL and one.at.function == NOTIFY)
        for one in met
    )


def _thread(end):
    """What the threads lack, or have in the wrong order; and what they have twice."""
    workspace = SimpleNamespace(messages=lambda: list(end.messages))
    found = list(untold(SimpleNamespace(slack=workspace), end.incidents))
    repeats = [one for one in found if any(mark in one for mark in REPEATED)]
    lacks = [one for one in found if one not in repeats]
    for incident in end.incidents:
        lacks += _out_of_order(incident, end.messages)
    return lacks, repeats


def _out_of_order(incident, messages):
    """Replies that came before one that they should follow."""
    shown = message_of(incident, account_id=ACCOUNT.id, region=ACCOUNT.region)
    heads = [m for m in messages if m.thread_ts is None and shown.footer in str(m.blocks)]
    if not heads:
        return
    due = [_words(reply(step)) for step in incident.steps]
    told = [_words(m.text) for m in messages if m.thread_ts == heads[0].ts]
    reached = 0
    for words in told:
        if reached < len(due) and words == due[reached]:
            reached += 1
        elif words in due and words not in due[:reached]:
            yield f"{incident.id} is told out of order: {words}"


def _words(text):
    """A reply without its time."""
    plain = text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
    return plain.partition(" UTC · ")[2]


def ledger_in(item, target_id):
    """The ledger of a target, as the row has it."""
    return json.loads(item["ledgers"]["S"]).get(target_id, {})
