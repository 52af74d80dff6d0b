"""What is on trial: which change an alarm may be about, and whose rollback would undo it.

Whoever owns the change is told to stop; a pointer is moved only when nothing owns it. An alias that
is moved behind CodeDeploy's back makes the next deployment fail (INVALID_LAMBDA_CONFIGURATION).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rollback_responder.domain.assessment import CHANGE_TOLERANCE
from rollback_responder.domain.leg import How, Leg
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Observation, Origin, Release
from rollback_responder.domain.response import ChangeAges
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import (
    AfterSuccess,
    CloudFormationStack,
    CodeDeployGroup,
    Pointer,
    Rollout,
    Target,
)

Sights = Sequence[tuple[Rollout, Sight | None]]


class Trial(Struct, frozen=True, kw_only=True):
    """A change, and how it would be undone.

    Attributes:
        change: names it; the same change is never acted upon twice.
        since_at: when it began to be live, or to be rolled out.
        title: the change in words.
        why: why this one and no other, in words.
        legs: what would be done, in order.
        exact: whether AWS itself says when it began; the ledger may have heard of it late.
    """

    change: str
    since_at: datetime
    title: str
    why: str
    legs: tuple[Leg, ...]
    exact: bool

    @property
    def scope(self) -> str:
        """Names all that would be undone."""
        return ", ".join(self.changes)

    @property
    def changes(self) -> tuple[str, ...]:
        """Names each part of what would be undone, with its target."""
        return tuple(leg.name for leg in self.legs)

    @property
    def moves_pointer(self) -> bool:
        """Whether a pointer would be moved, by us or by a deployment that we begin."""
        return any(leg.how in {How.MOVE, How.REDEPLOY} for leg in self.legs)


class Returning(Struct, frozen=True, kw_only=True):
    """A rollback that is under way already, or that was over a moment ago."""

    change: str
    text: str
    legs: tuple[Leg, ...]
    over: bool


class NoTrial(Struct, frozen=True, kw_only=True):
    """Nothing that could be undone, and why."""

    reason: Reason
    text: str
    change: str | None = None


OnTrial = Trial | Returning | NoTrial


def on_trial(
    *,
    sights: Sights,
    pointer: Pointer | None,
    observation: Observation | None,
    release: Release | None,
    alarm_since_at: datetime,
    now: datetime,
    ages: ChangeAges,
) -> OnTrial:
    """What an alarm of a service may be about, by what is happening to its targets now.

    A rollback under way is followed, whoever began it. Else a deployment under way is stopped, and
    a stack that drives it is left to unwind. Else stack updates under way are cancelled, in the
    policy's order. Else, where nothing is in the way, the pointer's own release is on trial.
    """
    seen = [(target, sight) for target, sight in sights if sight is not None]
    gone = [target for target, sight in sights if sight is None]
    if gone:
        return NoTrial(reason=Reason.TARGET_GONE, text=f"{gone[0].title} does not exist")
    found = (
        _unknown(seen)
        or _returning(seen, observation, alarm_since_at, now - ages.act)
        or _deployments(seen)
        or _in_the_way(seen, now, ages.suspect)
        or _updates(seen, release)
    )
    if found:
        return found
    finished = [
        (target, sight)
        for target, sight in seen
        # A stack does not say when its update ended; that was after it began.
        if sight.phase is Phase.SETTLED
        and (ended_at := sight.ended_at or sight.began_at)
        and ended_at > now - ages.suspect
    ]
    if pointer is None or release is None:
        return _nothing_to_undo(pointer, finished)
    return _of_the_pointer(pointer, release, finished)


def _unknown(seen: Sequence[tuple[Rollout, Sight]]) -> OnTrial | None:
    for target, sight in seen:
        if sight.phase is Phase.UNKNOWN:
            text = f"{target.title} is {sight.status}, which the responder does not know"
            return NoTrial(reason=Reason.UNKNOWN_STATUS, text=text, change=sight.change)
    return None


def _returning(
    seen: Sequence[tuple[Rollout, Sight]],
    observation: Observation | None,
    since_at: datetime,
    oldest: datetime,
) -> OnTrial | None:
    """A rollback under way, or one that ended after the alarm had begun.

    A deployment that leads back is one too, though CodeDeploy calls it like any other: ours, or one
    that a person began by hand. So is one that has failed, where the policy lets us continue it,
    unless its update is so old that the service has lived on without it.
    """
    going = [
        (t, s)
        for t, s in seen
        if s.phase is Phase.RETURNING
        or _may_continue(t, s, oldest)
        or (s.phase is Phase.RUNNING and _leads_back(t, s, observation))
    ]
    over = [
        (t, s)
        for t, s in seen
        if s.phase is Phase.RETURNED and s.ended_at is not None and s.ended_at >= since_at
    ]
    found = going or over
    if not found:
        return None
    legs = tuple(
        leg_of(target, sight, How.REDEPLOY if sight.phase is Phase.RUNNING else How.FOLLOW)
        for target, sight in found
    )
    said = ", ".join(
        f"{target.title} is {sight.status}"
        + (" with a deployment that leads back" if sight.phase is Phase.RUNNING else "")
        for target, sight in found
    )
    return Returning(change=legs[0].change, text=said, legs=legs, over=not going)


def _may_continue(target: Rollout, sight: Sight, oldest: datetime) -> bool:
    return (
        isinstance(target, CloudFormationStack)
        and target.continue_rollback
        and sight.phase is Phase.STUCK
        and sight.began_at is not None
        and sight.began_at > oldest
    )


def _leads_back(target: Rollout, sight: Sight, observation: Observation | None) -> bool:
    """Whether a deployment under way takes traffic to an older version.

    It says so itself, or the alias does: CodeDeploy gives the new version the weight (A2).
    """
    if sight.marker or sight.leads_back:
        return True
    if observation is None or observation.other is None:
        return False
    return isinstance(target, CodeDeployGroup) and observation.suspect == observation.primary


def _deployments(seen: Sequence[tuple[Rollout, Sight]]) -> OnTrial | None:
    """Deployments under way, and the stacks of this service that drive them."""
    groups = [
        (t, s) for t, s in seen if isinstance(t, CodeDeployGroup) and s.phase is Phase.RUNNING
    ]
    if not groups:
        return None
    drivers = {sight.driver for _, sight in groups} - {None}
    driving = [(t, s) for t, s in seen if s.identity in drivers and s.phase is Phase.RUNNING]
    legs = [leg_of(target, sight, How.STOP) for target, sight in groups]
    legs += [leg_of(target, sight, How.FOLLOW) for target, sight in driving]
    why = "caught before it finished"
    if drivers:
        why += "; CloudFormation drives it, and unwinds by itself when it is stopped"
    return _trial(groups, tuple(legs), why)


def _in_the_way(
    seen: Sequence[tuple[Rollout, Sight]], now: datetime, change_age: timedelta
) -> OnTrial | None:
    """What is under way, or lies broken, and can neither be stopped nor worked around."""
    for target, sight in seen:
        said = ". ".join([f"{target.title} is {sight.status}", *sight.detail])
        recent = sight.ended_at is None or sight.ended_at > now - change_age
        match sight.phase:
            case Phase.FINISHING:
                reason = Reason.CHANGE_FINISHING
            case Phase.BROKEN if sight.has_just_ended(now):
                reason = Reason.CHANGE_FINISHING
            case Phase.UNTOUCHABLE:
                reason = Reason.NOT_STOPPABLE
            case Phase.STUCK:
                reason = Reason.CHANGE_BROKEN
            case Phase.BROKEN if recent:
                reason = Reason.CHANGE_BROKEN
            case _:
                continue
        return NoTrial(reason=reason, text=said, change=sight.change)
    return None


def _updates(seen: Sequence[tuple[Rollout, Sight]], release: Release | None) -> OnTrial | None:
    """Stack updates under way: the roots, in the policy's order.

    A release that was live before all of them, and had not proved itself, may be what fails: they
    did not bring it, one of them may be the remedy, and it is moved by nobody while they run.
    """
    running = [(t, s) for t, s in seen if s.phase is Phase.RUNNING]
    roots = [(t, s) for t, s in running if s.driver is None]
    known = {sight.identity for _, sight in roots}
    for target, sight in running:
        if sight.driver is not None and sight.driver not in known:
            return NoTrial(
                reason=Reason.ROOT_NOT_IN_SCOPE,
                text=f"{target.title} is nested; only its root can be cancelled, and the policy"
                f" does not name that: {sight.driver}",
                change=sight.change,
            )
    if not roots:
        return None
    legs = tuple(leg_of(target, sight, How.STOP) for target, sight in roots)
    found = _trial(roots, legs, "caught before it finished; no deployment is under way")
    if isinstance(found, Trial) and release and _may_be_it(release, found.since_at):
        return NoTrial(
            reason=Reason.INCONCLUSIVE,
            text=f"version {release.version}, which has not proved itself, was live before"
            f" {found.title} began; which of them fails is judged when that has ended",
            change=found.change,
        )
    return found


def _may_be_it(release: Release, began_at: datetime) -> bool:
    return (
        release.origin in {Origin.DEPLOYED, Origin.PUT_BACK}
        and release.proven_at is None
        and release.since_at < began_at - CHANGE_TOLERANCE
    )


def _nothing_to_undo(pointer: Pointer | None, finished: Sequence[tuple[Rollout, Sight]]) -> OnTrial:
    if finished:
        target, sight = finished[0]
        return NoTrial(
            reason=Reason.CHANGE_FINISHED,
            text=f"{target.title} is {sight.status}: it can no longer be stopped",
            change=sight.change,
        )
    if pointer is not None:
        return NoTrial(reason=Reason.TARGET_GONE, text=f"{pointer.title} does not exist")
    return NoTrial(reason=Reason.NO_RECENT_CHANGE, text="no change is under way, none ended lately")


def _of_the_pointer(
    pointer: Pointer, release: Release, finished: Sequence[tuple[Rollout, Sight]]
) -> OnTrial:
    """The release behind the pointer: moved back, unless a deployment put it there."""
    title = f"version {release.version}"
    how, why = How.MOVE, "nothing is under way; the release is on trial"
    target: Target = pointer
    for group, sight in finished:
        # Whether it put this version there cannot be told by time: the ledger may hear late of it.
        if not isinstance(group, CodeDeployGroup):
            continue
        if group.after_success is AfterSuccess.ASK:
            return NoTrial(
                reason=Reason.CHANGE_FINISHED,
                text=f"{group.title} is {sight.status}: it can no longer be stopped, and an alias"
                " moved behind CodeDeploy's back makes its next deployment fail",
                change=release.key,
            )
        how, target = How.REDEPLOY, group
        why = "its deployment has finished, and the policy lets the version before be deployed"
    leg = Leg(target=target, how=how, change=release.key, title=title)
    return Trial(
        change=release.key,
        since_at=release.since_at,
        title=title,
        why=why,
        legs=(leg,),
        exact=False,
    )


def _trial(
    found: Sequence[tuple[Rollout, Sight]], legs: tuple[Leg, ...], why: str
) -> Trial | NoTrial:
    began = [sight.began_at for _, sight in found if sight.began_at is not None]
    if len(began) < len(found):
        unnamed = next(target for target, sight in found if sight.began_at is None)
        return NoTrial(
            reason=Reason.UNKNOWN_STATUS,
            text=f"{unnamed.title}: AWS does not say when its change began",
        )
    notes = dict.fromkeys(sight.note for _, sight in found if sight.note)
    return Trial(
        change=legs[0].change,
        since_at=min(began),
        title=" and ".join(_titles(legs)),
        why=". ".join([why, *notes]),
        legs=legs,
        exact=True,
    )


def _titles(legs: Sequence[Leg]) -> Iterator[str]:
    return (leg.title for leg in legs if leg.how is How.STOP)


def leg_of(target: Rollout, sight: Sight, how: How) -> Leg:
    """A rollout's part in a rollback of its latest change."""
    change = sight.change or sight.status
    deployment = isinstance(target, CodeDeployGroup)
    title = f"deployment {change}" if deployment else f"the update of {target.title}"
    return Leg(target=target, how=how, change=change, title=title)
