"""A storm as one message: how many services, and how each stands."""

from collections.abc import Iterator

from rollback_responder.domain.incident import State
from rollback_responder.domain.storm import Gathering, Member
from rollback_responder.notifiers.bulletin import Bulletin

# More names than these are counted, not listed.
MOST_NAMES = 20
# The most urgent first.
STANDINGS: dict[State, str] = {
    State.ASKING: "Asking you",
    State.NOT_FIXED: "Rolled back, and it did not help",
    State.INCOMPLETE: "Not brought back in full",
    State.INDETERMINATE: "Perhaps rolled back",
    State.UNKNOWN: "Rolled back, without proof that it helped",
    State.UNDECIDED: "Not decided yet",
    State.ROLLING_BACK: "Being rolled back",
    State.WATCHING: "Rolled back, being watched",
    State.UNDOING: "Rollback being undone",
    State.UNDONE: "Rollback undone by a person",
    State.FIXED: "Rolled back, and well again",
    State.STOOD_DOWN: "Not rolled back",
}


def storm_of(gathering: Gathering, *, account_id: str, region: str) -> Bulletin:
    """The message about a storm, as it stands."""
    members = list(gathering.members.values())
    count, calls = len(gathering.services), gathering.calls
    need = f"; {calls} need{'s' if calls == 1 else ''} you" if calls else ""
    first = "Look for a shared cause first: a dependency, the network, an AWS service."
    return Bulletin(
        icon="rotating_light",
        headline=f"{count} services have alarms at the same time{need}",
        parts=(
            (
                "Next",
                f"{first} The incidents, with their buttons, are in this thread or just above it.",
            ),
            *_parts(members),
        ),
        footer=f"{gathering.name} · account {account_id} · {region}",
    )


def call_of(gathering: Gathering) -> str:
    """What rings somebody later on."""
    if gathering.calls == 1:
        return "1 incident of this storm needs you"
    return f"{gathering.calls} incidents of this storm need you"


def _parts(members: list[Member]) -> Iterator[tuple[str, str]]:
    for state, title in STANDINGS.items():
        names = sorted({member.service for member in members if member.state is state})
        if names:
            more = len(names) - MOST_NAMES
            told = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
            yield f"{title} ({len(names)})", told
