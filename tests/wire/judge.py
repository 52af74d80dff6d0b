"""The judge: reads the models, the journal's items and Slack, nothing that the code returned."""

from collections import Counter
from dataclasses import dataclass

from house import ACCOUNT, REGION
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import How, LegState
from rollback_responder.journal.codec import decode_incident
from rollback_responder.notifiers.message import message_of, reply
from tests.wire.doors import TABLE

WEEK, STILL = "The week in ", "still so "
# A watcher that cannot read the journal or the alarms beats no heart; a preflight that cannot ask
# is none; a digest that cannot be made is Lambda's to try again. All else takes what fails as what
# it is.
MAY_RAISE = (
    "watch: MeasurementError",
    "watch: JournalError",
    "watch: ActionError",
    "notify: JournalError",
    "notify: NotificationError",
    "rollback: ",
)


def incidents_of(account):
    """Every incident that the journal holds, oldest first; the ended ones are in its archive."""
    found = {}
    for item in account.dynamodb.items(TABLE):
        for name in ("archive", "incident"):
            if name in item and item[name].get("S", "") != "{}":
                incident = decode_incident(item[name]["S"])
                found[incident.id] = incident
    return [found[key] for key in sorted(found)]


def claims_of(account):
    return [item["claim_id"]["S"] for item in account.dynamodb.items(TABLE) if "claim_id" in item]


def acts_of(account):
    """What AWS was told and did, oldest first within its kind: the act, and what names the change.

    A continuation names its stack, whose update stays the same.
    """
    deploys, stacks = account.codedeploy, account.cloudformation
    return [
        *(
            ("forward" if int(after) > int(before) else "move", f"{before}>{after}")
            for _, before, after in account.aliases.moves
        ),
        *(("stop", made) for made, _ in deploys.stops),
        *(("deploy", made) for made in deploys.creations),
        *(("cancel", cancel.operation) for cancel in stacks.cancels),
        *(("continue", continued.stack) for continued in stacks.continues),
        *(("tell the week", m.ts) for m in account.slack.messages() if m.text.startswith(WEEK)),
        *(("look ahead", number) for number, _ in enumerate(account.preflights)),
        # A message whose reply was lost may come twice, as all messages of a queue may.
        *(("lay aside", body) for body in dict.fromkeys(_aside(account))),
    ]


def _aside(account):
    """What is no message of an alarm, wherever it was laid."""
    for body in (*account.dead, *account.untold, *account.redriven):
        if "AlarmName" not in body and "rollbackResponderLookAt" not in body:
            yield body


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is to be seen afterwards.

    Attributes:
        acts: what AWS did.
        live: whether the version that is good serves alone.
        ends: how each new incident stands and why.
        calls: whether one of them calls a person; `reminded`, whether one says that it is still so.
        rings: the alarms on the responder itself that have fired.
        claimed: whether the row reads *may have acted*.
        behind: how many records the notifier has not got through.
        wrong: what must never be.
    """

    acts: tuple[str, ...]
    live: bool
    ends: tuple[str, ...]
    calls: bool
    reminded: bool
    rings: tuple[str, ...]
    claimed: bool
    behind: int
    said: tuple[int, ...]
    wrong: tuple[str, ...]


def seen(account, before, forward=0):
    """What is to be seen, but for what was so `before`: incidents, acts and messages."""
    everything = incidents_of(account)
    incidents = [one for one in everything if one.is_open or one not in before.incidents]
    every_act = acts_of(account)
    acts = list(every_act)
    for act in before.acts:
        acts.remove(act)
    weights = account.aliases.weights_of("shop", "live")
    return Seen(
        acts=tuple(act for act, _ in acts),
        live=account.live == "1" and not weights,
        ends=tuple(f"{one.state.value}: {one.reason.value}" for one in incidents),
        calls=any(one.needs_a_person for one in incidents),
        reminded=any(step.text.startswith(STILL) for one in incidents for step in one.steps),
        rings=tuple(sorted(account.rings)),
        claimed=bool(claims_of(account)),
        behind=len(account.stream),
        said=tuple(account.said),
        wrong=tuple(wrongs(account, everything, every_act, forward)),
    )


@dataclass(frozen=True, kw_only=True)
class Before:
    """What was so before a story began."""

    incidents: tuple
    acts: tuple


def before(account):
    return Before(incidents=tuple(incidents_of(account)), acts=tuple(acts_of(account)))


def wrongs(account, incidents, acts, forward):
    """What must never be, as sentences."""
    yield from (f"{act} {name} {n} times" for (act, name), n in Counter(acts).items() if n > 1)
    forwards = sum(act == "forward" for act, _ in acts)
    if forwards > forward:
        yield f"moved forward {forwards} times, and a person asked for {forward}"
    for made, back in account.codedeploy.stops:
        if not back:
            yield f"stopped {made} without its rollback"
    for one in account.cloudformation.continues:
        if one.skipped or one.role:
            yield f"a continuation that skips or brings a role: {one}"
    if not claims_of(account):
        # From a claim until it is closed, the row reads *may have acted*.
        yield from unjournaled(incidents, acts)
    yield from lies(incidents, acts)
    yield from (f"raised: {one}" for one in account.raised if not one.startswith(MAY_RAISE))


def unjournaled(incidents, acts):
    """What was done, and is not in the journal."""
    unsure = any(one.state is State.INDETERMINATE or one.lost for one in incidents)
    legs = [(one, leg) for one in incidents if one.acted_at for leg in one.legs]
    moved = {f"{one.release.version}>{one.to_version}" for one, leg in legs if leg.how is How.MOVE}
    undone = [one for one in incidents if any(step.state is State.UNDOING for step in one.steps)]
    forward = {f"{one.to_version}>{one.release.version}" for one in undone}
    told = {leg.change for _, leg in legs} | {getattr(leg.target, "stack", "") for _, leg in legs}
    for act, name in acts:
        if act in {"lay aside", "look ahead", "tell the week"}:
            continue
        known = {"move": moved, "forward": forward}.get(act, told)
        if name not in known and not unsure:
            yield f"not in the journal: {act} {name}"


def lies(incidents, acts):
    """What is in the journal, and was never done."""
    done = {name for _, name in acts}
    for one in incidents:
        for leg in one.legs if one.acted_at else ():
            if leg.how is How.MOVE and f"{one.release.version}>{one.to_version}" not in done:
                yield f"a move that never was, in {one.id}"
            under_way = leg.state in {LegState.UNDER_WAY, LegState.BACK}
            if leg.how in {How.STOP, How.REDEPLOY} and under_way and leg.change not in done:
                yield f"an order that never was, in {one.id}: {leg.title}"
        if one.state is State.STOOD_DOWN and one.acted_at:
            yield f"{one.id} stood down, and acted"


def untold(account, incidents):
    """What the thread of an incident lacks, or has twice, as sentences."""
    messages = account.slack.messages()
    for one in incidents:
        shown = message_of(one, account_id=ACCOUNT, region=REGION)
        heads = [m for m in messages if one.id in str(m.blocks) and m.thread_ts is None]
        if not heads:
            yield f"{one.id} has no message"
            continue
        head = next((m for m in heads if shown.footer in str(m.blocks)), None)
        if head is None:
            yield f"the message of {one.id} is not up to date"
            continue
        if len(heads) > 1:
            yield f"{one.id} has {len(heads)} messages"
        replies = [m.text for m in messages if m.thread_ts == head.ts]
        told = Counter(_words(text) for text in replies)
        due = Counter(_words(reply(step)) for step in one.steps)
        for words, count in due.items():
            if told[words] == 0:
                yield f"{one.id} is not told of: {words}"
            elif told[words] > count:
                yield f"{one.id} is told {told[words]} times of: {words}"


def _words(text):
    """A reply without its time: a step that was written and taken back may be told of as it was."""
    plain = text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
    return plain.partition(" UTC · ")[2]
