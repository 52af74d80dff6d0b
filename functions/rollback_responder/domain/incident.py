"""An incident: one symptom on one target, from the first look to the last word, and its states.

Every step it took is kept; the journal writes it whole, and Slack reads nothing else.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain import naming
from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.document import Doc
from rollback_responder.domain.leg import How, Leg, LegState, name_of
from rollback_responder.domain.policy import AfterFailure, Verification
from rollback_responder.domain.reason import QUIET, URGENT, Reason
from rollback_responder.domain.recording import Recording
from rollback_responder.domain.release import Origin, Release
from rollback_responder.domain.response import Mode, Severity
from rollback_responder.domain.target import Target
from rollback_responder.domain.trigger import Trigger


class State(StrEnum):
    """Where an incident stands."""

    UNDECIDED = "undecided"
    ASKING = "asking"
    ROLLING_BACK = "rolling_back"
    WATCHING = "watching"
    FIXED = "fixed"
    NOT_FIXED = "not_fixed"
    UNKNOWN = "unknown"
    STOOD_DOWN = "stood_down"
    INCOMPLETE = "incomplete"
    INDETERMINATE = "indeterminate"
    UNDOING = "undoing"
    UNDONE = "undone"


OPEN = frozenset({State.UNDECIDED, State.ASKING, State.ROLLING_BACK, State.WATCHING, State.UNDOING})
# Nothing was done yet, and it is judged again each minute.
PENDING = frozenset({State.UNDECIDED, State.ASKING})
FIRST = frozenset(
    {
        State.UNDECIDED,
        State.ASKING,
        State.ROLLING_BACK,
        State.WATCHING,
        State.STOOD_DOWN,
        State.INDETERMINATE,
    }
)
# An attempt that ended without a word may have a call in flight. Its process ends within its
# timeout, and no clock is wrong by more than some minutes; after this nothing of it can land.
SETTLED_AFTER = timedelta(minutes=30)

# An alarm that fires within this time after its trigger convicted a version says the same.
ALARM_FOLLOWS = timedelta(minutes=10)

# From here a person may undo the rollback.
UNDOABLE = frozenset({State.WATCHING, State.FIXED, State.NOT_FIXED, State.UNKNOWN})

# None stands for "no incident yet". A closed incident stays closed, unless a person undoes it.
TRANSITIONS: dict[State | None, frozenset[State]] = {
    None: FIRST,
    State.UNDECIDED: FIRST,
    State.ASKING: FIRST,
    State.ROLLING_BACK: frozenset({State.ROLLING_BACK, State.WATCHING, State.INCOMPLETE}),
    **{state: frozenset({State.UNDOING}) for state in UNDOABLE},
    State.WATCHING: frozenset({State.FIXED, State.NOT_FIXED, State.UNKNOWN, State.UNDOING}),
    State.UNDOING: frozenset({State.UNDONE, State.UNKNOWN}),
    **{state: frozenset() for state in State if state not in OPEN | UNDOABLE},
}


class Step(Struct, frozen=True, kw_only=True):
    """One thing that happened, in words."""

    at: Annotated[datetime, Doc("When.")]
    state: Annotated[State, Doc("Where the incident stood afterwards.")]
    reason: Annotated[Reason, Doc("Why.")]
    text: Annotated[str, Doc("The numbers that led there.")]
    aside: Annotated[bool, Doc("Whether it changes nothing about how the incident stands.")] = False


class Answered(Struct, frozen=True, kw_only=True):
    """An alarm's transition that an earlier incident of the service has answered."""

    alarm_name: Annotated[str, Doc("The alarm.")]
    since_at: Annotated[datetime, Doc("When it entered ALARM.")]
    change: Annotated[str | None, Doc("The change that it was judged on.")] = None


class Attempt(Struct, frozen=True, kw_only=True):
    """An attempt that ended without a word: it may have acted, or may still.

    It meant to stop `changes`, or, where there are none, to move the pointer from `revision`.
    """

    claim_id: Annotated[str, Doc("The claim it held.")]
    lost_at: Annotated[datetime, Doc("When somebody took over from it.")]
    changes: Annotated[tuple[str, ...], Doc("What was being rolled out.")] = ()
    revision: Annotated[str | None, Doc("The pointer's revision while it is untouched.")] = None

    def is_settled(self, now: datetime) -> bool:
        """Whether nothing of it can land any more."""
        return now >= self.lost_at + SETTLED_AFTER


class Incident(Struct, frozen=True, kw_only=True):
    """An incident as the journal keeps it. Old incidents outlive new policies, so it holds its own.

    `alarm_since_at` is the alarm's transition that began it; with `change` it tells one incident
    from the next.
    """

    id: Annotated[str, Doc("Names the incident."), naming.INCIDENT_ID]
    environment: Annotated[str, Doc("The policy's environment.")]
    service: Annotated[str, Doc("The service's name.")]
    mode: Annotated[Mode, Doc("What the responder was allowed to do.")]
    target: Annotated[Target, Doc("Where the symptom shows, or what goes back first.")]
    trigger: Annotated[Trigger, Doc("What fired.")]
    verification: Annotated[Verification, Doc("When it counts as fixed.")]
    alarm_name: Annotated[str, Doc("The alarm that fired.")]
    alarm_since_at: Annotated[datetime, Doc("When the alarm entered ALARM.")]
    opened_at: Annotated[datetime, Doc("When the responder first looked.")]
    early: Annotated[bool, Doc("Whether that was before its alarm fired.")] = False
    change: Annotated[str | None, Doc("Names the change on trial.")] = None
    release: Annotated[Release | None, Doc("What the pointer shows of it, if there is one.")] = None
    after_failure: Annotated[AfterFailure, Doc("What to do after a leg that failed.")] = (
        AfterFailure.STOP
    )
    legs: Annotated[tuple[Leg, ...], Doc("Each target's part in the rollback, in order.")] = ()
    lost: Annotated[tuple[Attempt, ...], Doc("Attempts that ended without a word.")] = ()
    answered: Annotated[tuple[Answered, ...], Doc("What else it answers for.")] = ()
    steps: Annotated[tuple[Step, ...], Doc("Everything that happened, oldest first.")] = ()
    assessment: Annotated[Assessment | None, Doc("The numbers of the latest judgement.")] = None
    minutes: Annotated[Recording | None, Doc("The minutes that were judged, and followed.")] = None
    asks_until_at: Annotated[datetime | None, Doc("Until when it may be approved.")] = None
    asks_about: Annotated[str | None, Doc("What a yes to it would undo, and nothing else.")] = None
    to_version: Annotated[str | None, Doc("Where it was moved, or would have been.")] = None
    acted_at: Annotated[datetime | None, Doc("When the rollback began.")] = None
    back_at: Annotated[datetime | None, Doc("When everything was back.")] = None
    approved_by: Annotated[str | None, Doc("Who said yes to it, if it asked.")] = None
    ordered_by: Annotated[str | None, Doc("Who ordered it, if a person did.")] = None
    drill: Annotated[bool, Doc("Whether it is a rehearsal.")] = False
    order_at: Annotated[datetime | None, Doc("The latest order that is answered.")] = None

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.steps[-1].state

    @property
    def reason(self) -> Reason:
        """Why it stands there."""
        return self.steps[-1].reason

    @property
    def news(self) -> Step:
        """The step that brought it to where it stands."""
        return next(step for step in reversed(self.steps) if not step.aside)

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done."""
        return self.state in OPEN

    @property
    def severity(self) -> Severity:
        """How bad the operator said it is."""
        return self.trigger.severity

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody must look: it ended, and not well, or it goes badly."""
        if self.reason is Reason.SEVERITY_TELLS:
            return self.severity in {Severity.CRITICAL, Severity.HIGH}
        if self.drill and not self.is_open:
            # Where nothing was touched, or all is as it was, nothing is lost, and it is told.
            return self.state not in {State.STOOD_DOWN, State.UNDONE}
        if self.reason is Reason.HELD:
            # Whoever held it knows; of another alarm on it nobody does.
            return len(self.steps) == 1 and not self.is_open
        return self.reason in URGENT or (not self.is_open and self.reason not in QUIET)

    @property
    def adopted(self) -> bool:
        """Whether somebody else began the rollback."""
        return any(step.reason is Reason.ROLLBACK_ADOPTED for step in self.steps)

    @property
    def changes(self) -> tuple[str, ...]:
        """Each part of what it is about, and the release that it brought, with its target."""
        parts = [leg.name for leg in self.legs]
        if self.change and not parts:
            parts.append(name_of(self.target, self.change))
        if self.release:
            parts.append(name_of(self.target, self.release.key))
        return tuple(dict.fromkeys(parts))

    def undoes(self, changes: Collection[str]) -> bool:
        """Whether one of these is what it is about; of a release, whenever that was first seen."""
        own = {_unseen(part) for part in self.changes}
        return any(_unseen(change) in own for change in changes)

    @property
    def orders_until(self) -> datetime | None:
        """No order given until then is still to be carried out, unless it is about another part."""
        known = [at for at in (self.order_at, self.acted_at) if at is not None]
        return max(known, default=None)

    @property
    def is_silent(self) -> bool:
        """Whether it answers for no alarm itself.

        An order that came to nothing has judged none, and a drill undoes nothing for good; a shift
        that was judged before its alarm fired, and got well, has seen none.
        """
        if self.ordered_by is not None:
            return self.acted_at is None or self.drill
        return self.early and self.reason is Reason.ALARM_NOT_FIRING

    @property
    def approved(self) -> bool:
        """Whether a person said yes to it, or ordered it."""
        return self.ordered_by is not None or any(
            step.reason is Reason.APPROVED for step in self.steps
        )

    @property
    def may_be_undone(self) -> bool:
        """Whether it moved a pointer, and nothing else, and nobody has tried to undo that yet."""
        (*others, leg) = self.legs or (None,)
        moved = leg is not None and not others and leg.how is How.MOVE
        # A canary is not given all traffic by taking its rollback back.
        whole = self.release is not None and self.release.whole_since_at is not None
        tried = any(step.state is State.UNDOING for step in self.steps)
        return moved and whole and self.state in UNDOABLE and not tried

    def say(self, at: datetime, text: str) -> "Incident":
        """The incident after something was said that changes nothing about how it stands."""
        last = self.steps[-1]
        step = Step(at=at, state=last.state, reason=last.reason, text=text, aside=True)
        return replace(self, steps=(*self.steps, step))

    def leg_counts(self) -> tuple[int, int]:
        """How many legs are back, of how many."""
        return sum(leg.state is LegState.BACK for leg in self.legs), len(self.legs)

    def step(self, at: datetime, state: State, reason: Reason, text: str) -> "Incident":
        """The incident after one more thing happened.

        Raises:
            ValueError: for a transition that is not legal; never written, never shown.
        """
        before = self.state if self.steps else None
        if state not in TRANSITIONS[before]:
            raise ValueError(f"incident {self.id}: {before} cannot become {state}")
        return replace(
            self, steps=(*self.steps, Step(at=at, state=state, reason=reason, text=text))
        )

    def answers(self) -> tuple[Answered, ...]:
        """Every transition that it answers for: its own, and those of incidents before it.

        While traffic shifts it may be judged before its alarm fires: it answers for that as well,
        and one that acted for every transition of its alarm until its end.
        """
        since_at = self.alarm_since_at
        if self.acted_at and self.steps:
            since_at = max(since_at, self.steps[-1].at)
        elif self.early:
            since_at += ALARM_FOLLOWS
        if self.is_silent:
            return self.answered
        own = Answered(alarm_name=self.alarm_name, since_at=since_at, change=self.change)
        others = (other for other in self.answered if other.alarm_name != self.alarm_name)
        return (own, *others)

    def answers_about(self, change: str | None, release: Release | None) -> tuple[Answered, ...]:
        """The same, for the next incident: about its change is also what led there."""
        if not self.is_about(change, release):
            return self.answers()
        return tuple(
            replace(answer, change=change) if answer.change == self.change else answer
            for answer in self.answers()
        )

    def is_about(self, change: str | None, release: Release | None) -> bool:
        """Whether it is about that change; after a rollback also about where that led."""
        left = {leg.change for leg in self.legs if leg.state is LegState.LEFT}
        if change == self.change or change in left:
            return True
        if self.acted_at is None:
            return False
        if self.state is State.UNDONE and release and self.release:
            # Whoever put it back knows; it is not told once more for the same firing.
            return release.origin is Origin.PUT_BACK and release.version == self.release.version
        if release is None:
            return change is None
        if change != release.key:
            return False
        led_here = self.to_version in {None, release.version}
        return release.since_at <= self.acted_at or (
            release.origin is Origin.ROLLED_BACK and led_here
        )

    def covers(
        self, alarm_name: str, since_at: datetime, change: str | None, release: Release | None
    ) -> bool:
        """Whether this incident already answers for an alarm's transition on a change.

        So do those before it, each for what it was about: a service may have several aliases, each
        with a release and an alarm of its own.
        """
        about = self.is_about(change, release) and not self.is_silent
        return any(
            answer.alarm_name == alarm_name
            and answer.since_at >= since_at
            and (answer.change == change or (about and answer.change == self.change))
            for answer in self.answers()
        )


def _unseen(part: str) -> str:
    """The name of a part without when a release was first seen; a target may have an @ as well."""
    name, _, _ = part.rpartition("@")
    return name if " " in name else part
