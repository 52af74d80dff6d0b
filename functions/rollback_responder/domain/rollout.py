"""A rollout as AWS shows it: one vocabulary for deployments, stack updates and their like.

Each kind's action turns AWS's own status words into these phases, by a table that a test holds
equal to the SDK's. Everything behind it, choosing, following, telling, knows the phases only.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

# A deployment that was stopped names its rollback a moment later; until then it looks broken.
GRACE = timedelta(minutes=2)


class Phase(StrEnum):
    """Where a rollout stands."""

    # Nothing is under way, and the latest change was not undone.
    SETTLED = "settled"
    # A change is under way and can be stopped.
    RUNNING = "running"
    # A change is under way and can no longer be stopped.
    FINISHING = "finishing"
    # A rollback is under way, whoever began it.
    RETURNING = "returning"
    # A rollback is over: everything is as it was before the change.
    RETURNED = "returned"
    # A rollback failed half-way.
    STUCK = "stuck"
    # A change ended half-way, and nothing undoes it.
    BROKEN = "broken"
    # Something is under way, or left over, that is not for the responder: making, deleting.
    UNTOUCHABLE = "untouchable"
    # AWS answered with a word that this version does not know.
    UNKNOWN = "unknown"


# Something is on its way, back or forth.
UNDER_WAY = frozenset({Phase.RUNNING, Phase.FINISHING, Phase.RETURNING})


class Sight(Struct, frozen=True, kw_only=True):
    """A rollout as it is now.

    Attributes:
        phase: where it stands.
        status: AWS's own word for it.
        change: names the latest change: a deployment's id, a stack update's. None before the first.
        began_at, ended_at: when that change began and ended, where AWS says so.
        driver: what drives it and would be disturbed by a second hand: a stack's id, or None.
        identity: what others name it by as their `driver`, or None.
        stopped: whether somebody has stopped it, be it back by now or not.
        marker: the claim that began it, if it was one of ours.
        leads_back: whether the change itself takes traffic to an older version.
        detail: what a person must know about a failure, one sentence each.
        note: what makes a rollback harder than it need be, or None.
    """

    phase: Phase
    status: str
    change: str | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    driver: str | None = None
    identity: str | None = None
    stopped: bool = False
    marker: str | None = None
    leads_back: bool = False
    detail: tuple[str, ...] = ()
    note: str | None = None

    @property
    def is_undone(self) -> bool:
        """Whether somebody has stopped the change: it goes back, or tried to, or is back."""
        return self.stopped or self.phase in {Phase.RETURNING, Phase.RETURNED, Phase.STUCK}

    def has_just_ended(self, now: datetime) -> bool:
        """Whether what looks broken may still name its rollback."""
        return self.ended_at is not None and now < self.ended_at + GRACE

    @property
    def revision(self) -> str:
        """Equal as long as nobody has begun, stopped or finished anything."""
        return f"{self.change} {self.phase.value}"


def was_under_way(revision: str | None) -> bool:
    """Whether something was under way, by the `Sight.revision` that was written down."""
    return revision is not None and revision.rpartition(" ")[2] in UNDER_WAY
