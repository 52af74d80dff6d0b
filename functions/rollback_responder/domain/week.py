"""A week as the journal and the watcher's heart tell it."""

from datetime import datetime, timedelta

from msgspec import Struct

from rollback_responder.domain.figures import Summary
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.measurement import MINUTE

WEEK = timedelta(days=7)


class StillOn(Struct, frozen=True, kw_only=True):
    """Something that somebody said of a service and that still holds; None: until it is said."""

    service: str
    text: str
    by: str
    until_at: datetime | None = None


class Week(Struct, frozen=True, kw_only=True):
    """Everything that a digest tells.

    Attributes:
        services: how many are watched.
        summary: of the incidents that ended in it.
        open: incidents that are not over, the oldest first.
        paused_by: who paused the responder, if it is paused.
        still_on: fix-forwards, freezes and marks that hold.
        beats: how often the watcher looked; None where that could not be read.
        unreadable: what of the journal could not be read, each in words.
    """

    environment: str
    since_at: datetime
    until_at: datetime
    services: int
    summary: Summary
    open: tuple[Incident, ...] = ()
    paused_by: str | None = None
    still_on: tuple[StillOn, ...] = ()
    beats: int | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def minutes(self) -> int:
        """How many it has; the watcher looks once in each."""
        return (self.until_at - self.since_at) // MINUTE

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happened, nothing is left to do, and nothing is held back."""
        happened = self.summary.rollbacks or self.summary.adopted or self.summary.stood_down
        held = self.open or self.paused_by or self.still_on or self.unreadable
        return not happened and not held
