"""A leg: one target's part in a rollback, from the act to its end.

Most rollbacks have one leg. Several stacks are rolled back one after the other, in the policy's
order; a deployment that a stack drives is stopped, and the stack is only followed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, assert_never

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.document import Doc
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.policy import AfterFailure
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import CloudFormationStack, Rollout, Target

# A rollback that takes longer than this is not followed any more.
LONGEST = timedelta(hours=24)


class How(StrEnum):
    """What a leg does."""

    # Move a pointer back: over at once.
    MOVE = "move"
    # Tell a rollout to stop and go back, then follow it.
    STOP = "stop"
    # Deploy the version before, then follow that.
    REDEPLOY = "redeploy"
    # Follow what goes back by itself, or what somebody else has stopped.
    FOLLOW = "follow"


class LegState(StrEnum):
    """Where a leg stands."""

    TO_DO = "to_do"
    UNDER_WAY = "under_way"
    BACK = "back"
    FAILED = "failed"
    LEFT = "left"


ENDED = frozenset({LegState.BACK, LegState.FAILED, LegState.LEFT})


class Leg(Struct, frozen=True, kw_only=True):
    """One target's part in a rollback."""

    target: Annotated[Target, Doc("What goes back.")]
    how: Annotated[How, Doc("What is done.")]
    change: Annotated[str, Doc("What is undone: a release, a deployment, an update.")]
    title: Annotated[str, Doc("The same in words.")]
    state: Annotated[LegState, Doc("Where it stands.")] = LegState.TO_DO
    at: Annotated[datetime | None, Doc("Since when.")] = None
    called: Annotated[bool, Doc("Whether a person was called about it.")] = False
    continued: Annotated[bool, Doc("Whether a failed rollback was continued.")] = False

    @property
    def name(self) -> str:
        """Names it among all that is undone: two aliases may have a release of one name each."""
        return name_of(self.target, self.change)

    def to(self, state: LegState, at: datetime) -> "Leg":
        """The leg in another state."""
        return replace(self, state=state, at=at)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED


def name_of(target: Target, change: str) -> str:
    """Names a change of a target."""
    return f"{target.target_id} {change}"


class News(StrEnum):
    """What a look at a leg found."""

    BACK = "back"
    STUCK = "stuck"
    OVERDUE = "overdue"
    FINISHED_ANYWAY = "finished_anyway"
    FAILED = "failed"


class Found(Struct, frozen=True, kw_only=True):
    """A leg after a look at its target, and what is new; `news` is None where nothing is."""

    leg: Leg
    news: News | None = None
    text: str = ""


def follow(leg: Leg, sight: Sight | None, now: datetime) -> Found:
    """A leg under way, after a look at its target.

    A stopped rollout may go on reading as running for a while; one that reads as running for
    *another* change was begun anew by somebody since.
    """
    if sight is None:
        text = f"{leg.target.title} does not exist any more"
        return _ended(leg, LegState.FAILED, News.FAILED, text, now)
    same = sight.change == leg.change
    if leg.how is How.REDEPLOY and same:
        return _redeployed(leg, sight, now)
    match sight.phase:
        case Phase.RETURNED:
            text = f"{leg.target.title} is back: {sight.status}"
            return _ended(leg, LegState.BACK, News.BACK, text, now)
        case Phase.STUCK:
            return _stuck(leg, sight, now)
        case Phase.RETURNING | Phase.UNKNOWN:
            return _waiting(leg, sight, now)
        case Phase.RUNNING | Phase.FINISHING | Phase.SETTLED:
            return _not_stopped(leg, sight, now, same=same)
        case Phase.BROKEN | Phase.UNTOUCHABLE:
            if same and sight.has_just_ended(now):
                return _waiting(leg, sight, now)
            text = ". ".join([f"{leg.target.title} is {sight.status}", *sight.detail])
            return _ended(leg, LegState.FAILED, News.FAILED, text, now)
        case _:
            assert_never(sight.phase)


def _not_stopped(leg: Leg, sight: Sight, now: datetime, *, same: bool) -> Found:
    """The change goes on or has finished, or another one has begun."""
    if sight.phase is not Phase.SETTLED and (same or leg.how is How.FOLLOW):
        return _waiting(leg, sight, now)
    if sight.phase is Phase.SETTLED and same:
        text = f"{leg.target.title}: {leg.title} finished anyway ({sight.status})"
        return _ended(leg, LegState.FAILED, News.FINISHED_ANYWAY, text, now)
    text = f"{leg.target.title}: somebody began another change since ({sight.status})"
    return _ended(leg, LegState.FAILED, News.FAILED, text, now)


def _redeployed(leg: Leg, sight: Sight, now: datetime) -> Found:
    """The deployment that leads back is an ordinary one: its success is our end."""
    if sight.phase is Phase.SETTLED:
        text = f"{leg.target.title} is back: {sight.status}"
        return _ended(leg, LegState.BACK, News.BACK, text, now)
    if sight.phase in {Phase.RUNNING, Phase.FINISHING, Phase.UNKNOWN}:
        return _waiting(leg, sight, now)
    text = ". ".join([f"{leg.target.title}: {leg.title} ended {sight.status}", *sight.detail])
    return _ended(leg, LegState.FAILED, News.FAILED, text, now)


def _stuck(leg: Leg, sight: Sight, now: datetime) -> Found:
    if leg.called:
        return _waiting(leg, sight, now)
    text = ". ".join([f"{leg.target.title} is {sight.status}", *sight.detail])
    return Found(leg=replace(leg, called=True), news=News.STUCK, text=text)


def _waiting(leg: Leg, sight: Sight, now: datetime) -> Found:
    since_at = leg.at or now
    since = f"after its way back began at {since_at:%H:%M:%S} UTC"
    if now >= since_at + LONGEST:
        since = f"24 hours {since}"
        text = f"{leg.target.title} is still {sight.status} {since}; it is followed no more"
        return _ended(leg, LegState.FAILED, News.FAILED, text, now)
    if not leg.called and now >= since_at + _deadline(leg.target):
        minutes = _deadline(leg.target) // MINUTE
        text = f"{leg.target.title} is still {sight.status} {minutes} min {since}"
        return Found(leg=replace(leg, called=True), news=News.OVERDUE, text=text)
    return Found(leg=leg)


def _deadline(target: Target) -> timedelta:
    minutes = target.deadline_minutes if isinstance(target, Rollout) else 0
    return timedelta(minutes=minutes)


def _ended(leg: Leg, state: LegState, news: News, text: str, now: datetime) -> Found:
    return Found(leg=leg.to(state, now), news=news, text=text)


def due(legs: tuple[Leg, ...], after_failure: AfterFailure) -> int | None:
    """The leg whose turn it is to begin, or None: one after the other, in order."""
    for number, leg in enumerate(legs):
        if leg.state is LegState.TO_DO:
            return number
        if leg.state is LegState.UNDER_WAY:
            return None
        if leg.state is LegState.FAILED and after_failure is AfterFailure.STOP:
            return None
    return None


def to_continue(legs: tuple[Leg, ...], sights: Mapping[str, Sight | None]) -> int | None:
    """The leg whose failed rollback the policy lets us continue, once, or None."""
    for number, leg in enumerate(legs):
        target = leg.target
        sight = sights.get(target.target_id)
        if (
            isinstance(target, CloudFormationStack)
            and target.continue_rollback
            and leg.state is LegState.UNDER_WAY
            and not leg.continued
            and sight is not None
            and sight.phase is Phase.STUCK
        ):
            return number
    return None
