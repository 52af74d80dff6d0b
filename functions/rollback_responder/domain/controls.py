"""What people and pipelines say about one service while it runs: kept in its row, by them alone.

They come with the claim, so what was said before an attempt began always counts.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Struct

from rollback_responder.domain.document import Doc

# What was true when a rollback was shown and ordered is taken for granted for so long.
ORDERED_WITHIN = timedelta(minutes=10)


class FixingForward(Struct, frozen=True, kw_only=True):
    """Somebody is fixing it with a new deploy: nothing is rolled back until then."""

    by: Annotated[str, Doc("Who said so.")]
    until_at: Annotated[datetime, Doc("When it expires.")]


class Frozen(Struct, frozen=True, kw_only=True):
    """Somebody froze the service: a person is asked before anything of it is rolled back."""

    by: Annotated[str, Doc("Who said so.")]
    until_at: Annotated[datetime, Doc("When it expires.")]


class Unsafe(Struct, frozen=True, kw_only=True):
    """A mark that going back would break something: a migration ran, a format changed."""

    by: Annotated[str, Doc("Who set it, a person or a pipeline.")]
    why: Annotated[str, Doc("What would break.")]
    version: Annotated[
        str | None, Doc("The version that must not be rolled back from; any, where left out.")
    ] = None
    until_at: Annotated[datetime | None, Doc("When it expires; never, where left out.")] = None


class Approval(Struct, frozen=True, kw_only=True):
    """A person's yes to the rollback that one incident asks for."""

    incident_id: Annotated[str, Doc("The incident that asks.")]
    by: Annotated[str, Doc("Who approved it.")]
    at: Annotated[datetime, Doc("When.")]
    to_version: Annotated[
        str | None, Doc("The way back that was asked about; any, where left out.")
    ] = None


class Held(Struct, frozen=True, kw_only=True):
    """A person's no: nothing of that change is rolled back."""

    incident_id: Annotated[str, Doc("The incident that was looked at.")]
    changes: Annotated[tuple[str, ...], Doc("What is left as it is: each target and its change.")]
    by: Annotated[str, Doc("Who said so.")]
    at: Annotated[datetime, Doc("When.")]


class UndoAsked(Struct, frozen=True, kw_only=True):
    """A person wants the version back that an incident rolled back from."""

    incident_id: Annotated[str, Doc("The incident that rolled it back.")]
    by: Annotated[str, Doc("Who wants it.")]
    at: Annotated[datetime, Doc("When.")]


class RollbackOrdered(Struct, frozen=True, kw_only=True):
    """A person wants what is live or under way undone, whatever the alarms say of it."""

    by: Annotated[str, Doc("Who wants it.")]
    at: Annotated[datetime, Doc("When.")]
    changes: Annotated[tuple[str, ...], Doc("What is to be undone: each target and its change.")]
    alarm_name: Annotated[str, Doc("The alarm by which it is looked at.")]
    to_version: Annotated[str | None, Doc("Where a pointer goes back to, if one is moved.")] = None
    drill: Annotated[bool, Doc("Whether it is a rehearsal, and goes forward again.")] = False
    revision: Annotated[str | None, Doc("The pointer's revision when it was shown.")] = None

    def has_lapsed(self, now: datetime) -> bool:
        """Whether it is too old to be carried out."""
        return now >= self.at + ORDERED_WITHIN


class Controls(Struct, frozen=True, kw_only=True):
    """All that was said about one service."""

    fix_forward: Annotated[FixingForward | None, Doc("Whether somebody is fixing it forward.")] = (
        None
    )
    frozen: Annotated[Frozen | None, Doc("Whether somebody froze it.")] = None
    unsafe: Annotated[tuple[Unsafe, ...], Doc("What must not be rolled back.")] = ()
    approvals: Annotated[tuple[Approval, ...], Doc("What was approved.")] = ()
    holds: Annotated[tuple[Held, ...], Doc("What is left as it is.")] = ()
    undos: Annotated[tuple[UndoAsked, ...], Doc("Which rollbacks are to be undone.")] = ()
    rollback: Annotated[RollbackOrdered | None, Doc("The latest order to roll back.")] = None
    no_drill_at: Annotated[
        datetime | None, Doc("When a monthly drill was held back last, and that was told.")
    ] = None

    def fixing(self, now: datetime) -> FixingForward | None:
        """Who fixes it forward at that time, if anybody does."""
        return self.fix_forward if self.fix_forward and now < self.fix_forward.until_at else None

    def freeze(self, now: datetime) -> Frozen | None:
        """Who froze it, if it is frozen at that time."""
        return self.frozen if self.frozen and now < self.frozen.until_at else None

    def tells_of_no_drill(self, now: datetime) -> bool:
        """Whether it was told in this month already that a drill was held back."""
        at = self.no_drill_at
        return at is not None and (at.year, at.month) == (now.year, now.month)

    def mark_on(self, version: str | None, now: datetime) -> Unsafe | None:
        """The mark that holds for a version at that time, if there is one."""
        for mark in self.unsafe:
            if mark.version in {None, version} and (mark.until_at is None or now < mark.until_at):
                return mark
        return None

    def approval(self, incident_id: str, to_version: str | None) -> Approval | None:
        """The yes to what that incident asks for, if it is about that way back."""
        for each in self.approvals:
            if each.incident_id == incident_id and each.to_version in {None, to_version}:
                return each
        return None

    def held(self, changes: Collection[str]) -> Held | None:
        """Who said that one of these is left as it is, if anybody did."""
        return next((hold for hold in self.holds if set(hold.changes) & set(changes)), None)

    def undo_of(self, incident_id: str) -> UndoAsked | None:
        """Who wants that incident's rollback undone, if anybody does."""
        return next((undo for undo in self.undos if undo.incident_id == incident_id), None)
