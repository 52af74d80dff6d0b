"""An independent judge: it reads only the world and the journal, never what the code returned.

`moves` are the mutating calls that AWS took; what a pipeline or a person does is not among them.
"""

from collections import Counter

from house import House
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.message import Message, message_of

ROW = "shop"


def incidents_of(house: House) -> list:
    current = house.incident
    open_one = [current] if current and current.is_open else []
    return [*house.journal.archive.values(), *open_one]


def problems_of(house: House, *, good: set[str], deploys: int = 1) -> list[str]:
    """What the responder must never do, as sentences; empty if it did none of it."""
    moves, incidents = house.aliases.moves, incidents_of(house)
    moved = [i for i in incidents if i.acted_at and any(leg.how is How.MOVE for leg in i.legs)]
    unsure = [incident for incident in incidents if incident.state is State.INDETERMINATE]
    found = []
    if len(moves) > deploys:
        found.append(f"acted {len(moves)} times on {deploys} deploys")
    for _, before, after in moves:
        if before.isdigit() and int(after) >= int(before):
            found.append(f"moved forward, from {before} to {after}")
        if after not in good:
            found.append(f"moved to {after}, which never proved itself")
    if not len(moved) <= len(moves) <= len(moved) + len(unsure):
        said = [(i.state.value, i.reason.value) for i in incidents]
        found.append(f"{len(moves)} moves, but the journal says {said}")
    told = [("shop", incident.release.version, incident.to_version) for incident in moved]
    found += [f"a move that never was: {move}" for move in told if move not in moves]
    found += _problems_of_orders(house, incidents)
    kept = house.journal._kept.get(ROW)
    if incidents and kept and kept.incident and kept.incident.is_open:
        found.append(f"still open: {kept.incident.state.value}, {kept.incident.reason.value}")
    if kept and kept.claim:
        found.append(f"still held by {kept.claim.id}")
    return found


def orders_of(house: House) -> list[tuple[str, str]]:
    """What the responder told a rollout to do and AWS did: the order, and what names the change.

    A continuation names its stack, whose update stays the same.
    """
    deploy, stacks = house.codedeploy, house.cloudformation
    return [
        *(("stop", made) for made, _ in deploy.stops),
        *(("cancel", cancel.operation) for cancel in stacks.cancels),
        *(("continue", continued.stack) for continued in stacks.continues),
        *(("deploy", made) for made in deploy.creations),
    ]


def _problems_of_orders(house: House, incidents: list) -> list[str]:
    """Each order once, as careful as promised, and in the journal as what it was."""
    orders, deploy, stacks = orders_of(house), house.codedeploy, house.cloudformation
    found = [f"{order} {count} times" for order, count in Counter(orders).items() if count > 1]
    found += [f"stopped {made} without its rollback" for made, back in deploy.stops if not back]
    found += [
        f"a cancel without a token: {cancel}" for cancel in stacks.cancels if not cancel.token
    ]
    found += [
        f"a continuation that skips or brings a role: {one}"
        for one in stacks.continues
        if one.skipped or one.role
    ]
    legs = [leg for incident in incidents if incident.acted_at for leg in incident.legs]
    told = {leg.change for leg in legs} | {getattr(leg.target, "stack", "") for leg in legs}
    if not any(incident.state is State.INDETERMINATE for incident in incidents):
        found += [f"not in the journal: {order}" for order in orders if order[1] not in told]
    done = {change for _, change in orders}
    found += [
        f"an order that never was: {leg.title}, {leg.state.value}"
        for leg in legs
        if leg.how in {How.STOP, How.REDEPLOY}
        and leg.state in {LegState.UNDER_WAY, LegState.BACK}
        and leg.change not in done
    ]
    return found


def latest(house: House) -> Incident:
    return incidents_of(house)[-1]


def reasons(house: House, number: int = 0) -> list[Reason]:
    """Why it stood where it stood, one after the other; a reminder changes nothing."""
    return [step.reason for step in incidents_of(house)[number].steps if not step.aside]


def told(house: House, number: int = 0) -> Message:
    """What Slack says of an incident."""
    return message_of(incidents_of(house)[number], account_id="111122223333", region="us-east-1")


def is_back(house: House, version: str = "1") -> bool:
    return (house.live, dict(house.aliases.weights_of("shop", "live"))) == (version, {})
