"""The judge: reads the world, the journal's items and the Slack log, and nothing the code returned.

The invariants are those of the project's safety case, by number:

I1 one mutation for each target and change          I6 nothing out of scope is claimed
I2 never to a newer or an unproved version,         I7 nothing new after the pause was seen
   but once where a person undoes a rollback
I3 each mutation is in the journal                  I8 the hour's budget is kept
I4 a stand-down touched nothing                     I9 everything comes to rest
I5 each ended incident is told
"""

from collections import Counter

from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.reason import Reason
from tests.simulation.simulated import decode_incident, message_of
from tests.simulation.world import TABLE


def incidents_of(story):
    """Every incident that the journal holds, by its id; the ended ones are in its archive."""
    found = {}
    for item in story.world.dynamodb.items(TABLE):
        for name in ("archive", "incident"):
            if name in item:
                incident = decode_incident(item[name]["S"])
                found[incident.id] = incident
    return found


def violations_of(story):
    """What the responder must never do, as sentences; empty if it did none of it."""
    incidents = incidents_of(story)
    return [
        *_twice(story),
        *_forward(story),
        *_unjournaled(story, incidents),
        *_phantoms(story, incidents),
        *_untold(story, incidents),
        *_out_of_scope(story),
        *_paused(story),
        *_over_budget(story, incidents),
        *_restless(story, incidents),
    ]


def _twice(story):
    counts = Counter((m.kind, m.target, m.change) for m in story.world.mutations)
    return [f"I1: {key} {count} times" for key, count in counts.items() if count > 1]


def _tells_of_undo(incident, mutation):
    undoing = any(step.state is State.UNDOING for step in incident.steps)
    return undoing and incident.release.version == mutation.detail[1]


def _is_undo(mutation):
    """Forward: only a person's word leads there."""
    return mutation.kind == "move" and int(mutation.detail[1]) > int(mutation.detail[0])


def _forward(story):
    asked = Counter(story.undos)
    for mutation in story.world.mutations:
        if mutation.kind != "move":
            continue
        before, after, weighted = mutation.detail
        if _is_undo(mutation) and asked[mutation.target, after]:
            asked[mutation.target, after] -= 1
            continue
        if int(after) >= int(before):
            yield f"I2: moved forward, {before} to {after}"
        if weighted:
            yield f"I2: weights were left behind: {mutation}"
        name = mutation.target.split("/")[1]
        site = story.sites[name]
        if not _had_proved_itself(site, after, mutation.at):
            yield f"I2: moved to {after}, which had not proved itself: {mutation}"


def _had_proved_itself(site, version, at):
    """It took all traffic, without an error, in as many minutes as it takes, before that."""
    good = 0
    for minute in site.minutes:
        if minute.start_at >= at:
            break
        requests, errors = minute.versions.get(version, (0, 0))
        if requests and len(minute.versions) == 1:
            good = good + 1 if errors == 0 else 0
            if good >= 5:
                return True
        elif version in minute.versions:
            good = 0
    return False


def _journaled(mutation, incidents):
    """The incident that tells of a mutation."""
    if _is_undo(mutation):
        return next((i for i in incidents.values() if _tells_of_undo(i, mutation)), None)
    for incident in incidents.values():
        if incident.state is State.INDETERMINATE and incident.service in _owners(mutation):
            return incident
        for leg in incident.legs:
            if incident.acted_at is None:
                continue
            if mutation.kind == "move" and leg.how is How.MOVE:
                moved = leg.change.partition("@")[0], incident.to_version
                if moved == mutation.detail[:2] and leg.target.target_id == mutation.target:
                    return incident
            elif leg.change == mutation.change and mutation.kind != "move":
                return incident
        # What a redeploy makes has no name before it is made: its attempt has one.
        lost = {attempt.claim_id for attempt in incident.lost}
        if mutation.kind == "redeploy" and lost & set(mutation.process.claims):
            return incident
    return None


def _owners(mutation):
    """The services that a mutation may belong to, by the names of the world."""
    if mutation.kind in {"stop", "redeploy"}:
        return set("abcdef")
    return {mutation.target.split("/")[1].partition("-")[0]}


def _unjournaled(story, incidents):
    for mutation in story.world.mutations:
        if _journaled(mutation, incidents) is None:
            yield f"I3: not in the journal: {mutation}"
        for claim in mutation.process.claims:
            incident = incidents.get(claim)
            if incident and incident.state is State.STOOD_DOWN and not incident.lost:
                yield f"I4: {claim} stood down ({incident.reason.value}) and yet: {mutation}"


def _phantoms(story, incidents):
    """What the journal says was done and the world knows nothing of."""
    moves = {(m.target, *m.detail[:2]) for m in story.world.mutations if m.kind == "move"}
    undone = {m.change for m in story.world.mutations}
    for incident in incidents.values():
        undone = incident.target.target_id, incident.to_version
        by_us = incident.state is State.UNDONE and "already" not in incident.steps[-1].text
        if by_us and (*undone, incident.release.version) not in moves:
            yield f"I3: an undo that never was: {incident.id}"
        ours = incident.acted_at and not incident.adopted
        for leg in incident.legs:
            if leg.how is How.MOVE and leg.state is LegState.BACK:
                version = leg.change.partition("@")[0]
                if (leg.target.target_id, version, incident.to_version) not in moves:
                    yield f"I3: a move that never was: {incident.id} {version}"
            if leg.how is How.STOP and leg.state is LegState.BACK and ours:
                found = incident.steps[0].reason is Reason.FOUND_DONE
                if leg.change not in undone and not found and not _stopped(story, leg):
                    yield f"I3: a stop that never was: {incident.id} {leg.change}"


def _stopped(story, leg):
    """Somebody else's stop counts: the responder found it going back."""
    if leg.target.kind == "codedeploy_group":
        return story.world.codedeploy.status_of(leg.change) in {"Stopped", "Failed"}
    return True


def _untold(story, incidents):
    # A crash between Slack's answer and our note of it can leave a second message behind.
    shown = {(m.footer.split(" · ")[1], m.headline) for m in story.house.slack.heads.values()}
    parked = set(story.house.parked)
    for incident in incidents.values():
        if incident.is_open or incident.id in parked:
            continue
        expected = message_of(incident, account_id="123456789012", region="us-east-1")
        if (incident.id, expected.headline) not in shown:
            said = [headline for told, headline in shown if told == incident.id]
            yield f"I5: Slack says {said} of {incident.id}, not {expected.headline!r}"


def _out_of_scope(story):
    known = {f"service#{name}" for name in story.sites}
    for item in story.world.dynamodb.items(TABLE):
        key = item["pk"]["S"]
        if key.startswith("service#") and key not in known:
            yield f"I6: a row for {key}"
    for mutation in story.world.mutations:
        if mutation.kind in {"stop", "redeploy"}:
            continue
        if mutation.target.split("/")[1].partition("-")[0] not in story.sites:
            yield f"I6: out of scope: {mutation}"


def _paused(story):
    for mutation in story.world.mutations:
        if mutation.aside in {None, "paused"} and not _is_undo(mutation):
            yield f"I7: the pause was not asked, or was on: {mutation}"


def _is_ordered(mutation, incidents):
    """A person's order takes from the budget what there is of it, and waits for none."""
    ordered = {name: each for name, each in incidents.items() if each.ordered_by is not None}
    return _journaled(mutation, ordered) is not None


def _over_budget(story, incidents):
    limit = story.policy.guardrails.rollbacks_an_hour
    first = {}
    for mutation in story.world.mutations:
        if _is_later_leg(mutation) or _is_undo(mutation) or _is_ordered(mutation, incidents):
            continue
        if mutation.aside == "full":
            yield f"I8: nothing was set aside for: {mutation}"
        first.setdefault(mutation.aside, set()).add(id(mutation.process))
    for hour, processes in first.items():
        if len(processes) > limit:
            yield f"I8: {len(processes)} rollbacks in hour {hour}, {limit} are allowed"


def _is_later_leg(mutation):
    """A rollback is one of the budget's, however many targets it has."""
    token = mutation.detail.get("ClientRequestToken", "") if type(mutation.detail) is dict else ""
    return "-next-" in token or "-go-on-" in token


def _restless(story, incidents):
    for incident in incidents.values():
        if incident.is_open:
            last = incident.steps[-1]
            yield (
                f"I9: {incident.id} of {incident.service} is still {incident.state.value}"
                f" ({last.reason.value}: {last.text})"
            )
    for item in story.world.dynamodb.items(TABLE):
        if item.get("claim_acts", {}).get("BOOL"):
            yield f"I9: {item['pk']['S']} is still held by {item['claim_id']['S']}"
    if story.house.stream:
        yield f"I9: {len(story.house.stream)} changes were never told"
