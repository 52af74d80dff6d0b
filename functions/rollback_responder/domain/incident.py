"""An incident: one symptom on one target, from the first look to the last word, and its states.

Every step it took is kept; the journal writes it whole, and Slack reads nothing else.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.decision import QUIET, Reason
from rollback_responder.domain.document import Doc
from rollback_responder.domain.policy import Mode, Verification
from rollback_responder.domain.release import Release
from rollback_responder.domain.target import Target
from rollback_responder.domain.trigger import Severity, Trigger


class State(StrEnum):
    """Where an incident stands."""

    UNDECIDED = "undecided"
    WATCHING = "watching"
    FIXED = "fixed"
    NOT_FIXED = "not_fixed"
    UNKNOWN = "unknown"
    STOOD_DOWN = "stood_down"
    INDETERMINATE = "indeterminate"


OPEN = frozenset({State.UNDECIDED, State.WATCHING})

# None stands for "no incident yet". A closed incident stays closed.
TRANSITIONS: dict[State | None, frozenset[State]] = {
    None: frozenset({State.UNDECIDED, State.WATCHING, State.STOOD_DOWN, State.INDETERMINATE}),
    State.UNDECIDED: frozenset(
        {State.UNDECIDED, State.WATCHING, State.STOOD_DOWN, State.INDETERMINATE}
    ),
    State.WATCHING: frozenset({State.FIXED, State.NOT_FIXED, State.UNKNOWN}),
    **{state: frozenset() for state in State if state not in OPEN},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened, in words."""

    at: Annotated[datetime, Doc("When.")]
    state: Annotated[State, Doc("Where the incident stood afterwards.")]
    reason: Annotated[Reason, Doc("Why.")]
    text: Annotated[str, Doc("The numbers that led there.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An alarm's transition that an earlier incident on the same release has answered."""

    alarm_name: Annotated[str, Doc("The alarm.")]
    since_at: Annotated[datetime, Doc("When it entered ALARM.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as the journal keeps it. Old incidents outlive new policies, so it holds its own.

    `alarm_since_at` is the alarm's transition that began it; with `release` it tells one incident
    from the next.
    """

    id: Annotated[str, Doc("Names the incident.")]
    environment: Annotated[str, Doc("The policy's environment.")]
    service: Annotated[str, Doc("The service's name.")]
    mode: Annotated[Mode, Doc("What the responder was allowed to do.")]
    target: Annotated[Target, Doc("What moves.")]
    trigger: Annotated[Trigger, Doc("What fired.")]
    verification: Annotated[Verification, Doc("When it counts as fixed.")]
    alarm_name: Annotated[str, Doc("The alarm that fired.")]
    alarm_since_at: Annotated[datetime, Doc("When the alarm entered ALARM.")]
    opened_at: Annotated[datetime, Doc("When the responder first looked.")]
    release: Annotated[Release | None, Doc("The deploy on trial, if the target exists.")] = None
    answered: Annotated[tuple[Answered, ...], Doc("What else it answers for.")] = ()
    steps: Annotated[tuple[Step, ...], Doc("Everything that happened, oldest first.")] = ()
    assessment: Annotated[Assessment | None, Doc("The numbers of the latest judgement.")] = None
    to_version: Annotated[str | None, Doc("Where it was moved, or would have been.")] = None
    acted_at: Annotated[datetime | None, Doc("When it was moved.")] = None

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.steps[-1].state

    @property
    def reason(self) -> Reason:
        """Why it stands there."""
        return self.steps[-1].reason

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
        """Whether somebody must look: it ended, and not well."""
        return not self.is_open and self.reason not in QUIET

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
        """Every transition that it answers for: its own, and those of incidents before it."""
        own = Answered(alarm_name=self.alarm_name, since_at=self.alarm_since_at)
        others = (other for other in self.answered if other.alarm_name != self.alarm_name)
        return (own, *others)

    def is_about(self, release: Release | None) -> bool:
        """Whether it is about that release; after a rollback also about where that led."""
        if release is None or self.release is None:
            return release is self.release
        return release.key == self.release.key or (
            self.acted_at is not None and release.version == self.to_version
        )

    def covers(self, alarm_name: str, since_at: datetime, release: Release | None) -> bool:
        """Whether this incident already answers for an alarm's transition on a release."""
        return self.is_about(release) and any(
            answer.alarm_name == alarm_name and answer.since_at >= since_at
            for answer in self.answers()
        )
