"""An independent judge: it reads only the world and the journal, never what the code returned.

`moves` are the mutating calls that AWS took; what a pipeline or a person does is not among them.
"""

from house import House
from rollback_responder.domain.incident import State

ROW = "lambda_alias/shop/live"


def incidents_of(house: House) -> list:
    current = house.incident
    open_one = [current] if current and current.is_open else []
    return [*house.journal.archive.values(), *open_one]


def problems_of(house: House, *, good: set[str], deploys: int = 1) -> list[str]:
    """What the responder must never do, as sentences; empty if it did none of it."""
    moves, incidents = house.aliases.moves, incidents_of(house)
    acted = [incident for incident in incidents if incident.acted_at]
    unsure = [incident for incident in incidents if incident.state is State.INDETERMINATE]
    found = []
    if len(moves) > deploys:
        found.append(f"acted {len(moves)} times on {deploys} deploys")
    for _, before, after in moves:
        if before.isdigit() and int(after) >= int(before):
            found.append(f"moved forward, from {before} to {after}")
        if after not in good:
            found.append(f"moved to {after}, which never proved itself")
    if not len(acted) <= len(moves) <= len(acted) + len(unsure):
        said = [(i.state.value, i.reason.value) for i in incidents]
        found.append(f"{len(moves)} moves, but the journal says {said}")
    told = [("shop", incident.release.version, incident.to_version) for incident in acted]
    found += [f"a move that never was: {move}" for move in told if move not in moves]
    kept = house.journal._kept.get(ROW)
    if incidents and kept and kept.incident and kept.incident.is_open:
        found.append(f"still open: {kept.incident.state.value}, {kept.incident.reason.value}")
    if kept and kept.claim:
        found.append(f"still held by {kept.claim.id}")
    return found
