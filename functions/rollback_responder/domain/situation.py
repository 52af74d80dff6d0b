"""What a decision rests on, and what it may be: every fork is a value with a reason."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.controls import Approval, Controls, RollbackOrdered
from rollback_responder.domain.freeze import Freeze
from rollback_responder.domain.policy import Guardrails
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger, Observation, Release
from rollback_responder.domain.response import Mode, Responses
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.trial import OnTrial, Returning, Trial
from rollback_responder.domain.trigger import Trigger


class RollBack(Struct, frozen=True, kw_only=True):
    """Undo what is on trial. `to_version` is for what moves a pointer."""

    reason: Reason
    trial: Trial
    to_version: str | None = None


class Adopt(Struct, frozen=True, kw_only=True):
    """Follow a rollback that somebody else began; nothing is to be done."""

    returning: Returning


class StandDown(Struct, frozen=True, kw_only=True):
    """Do nothing. `would` is what would have been undone but for the reason, if anything."""

    reason: Reason
    text: str
    would: RollBack | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """Do `would` if a person approves it in time."""

    reason: Reason
    text: str
    would: RollBack


Decision = RollBack | Ask | Adopt | StandDown


class Switches(Struct, frozen=True, kw_only=True):
    """What people flip and what all services share, as it was when the target was claimed.

    `paused_by` names who paused the responder, or is None. `in_budget` says whether one more
    rollback fits into this hour; it is then set aside for this attempt.
    """

    paused_by: str | None = None
    in_budget: bool = True


class Surroundings(Struct, frozen=True, kw_only=True):
    """What else was looked at, because it may be the cause.

    `dependencies` are the alarms of what the service depends on, None for one that does not exist.
    `failing_siblings` names the services that share these and fail without a deploy of their own.
    """

    dependencies: Mapping[str, AlarmReading | None] = field(default_factory=dict)
    failing_siblings: tuple[str, ...] = ()


class Situation(Struct, frozen=True, kw_only=True):
    """Everything a decision may rest on.

    `release` is the pointer's, as the ledger knows it; `ledger` is the pointer's and has already
    seen `observation`; all three are None where the service has no pointer. `ledgers` are those of
    all targets, by their ids. `approval` is the yes to what the open incident asks for, `ordered` a
    person's order to roll back, whatever is asked; `no_drill` says why nothing is rehearsed here.
    """

    now: datetime
    alarm: AlarmReading
    observation: Observation | None
    release: Release | None
    ledger: Ledger | None
    ledgers: Mapping[str, Ledger]
    trigger: Trigger
    on_trial: OnTrial
    assessment: Assessment
    mode: Mode
    guardrails: Guardrails
    responses: Responses
    switches: Switches
    freezes: tuple[Freeze, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    controls: Controls = field(default_factory=Controls)
    approval: Approval | None = None
    ordered: RollbackOrdered | None = None
    no_drill: str | None = None
    never_back_to: frozenset[str] = frozenset()

    def is_approved(self, would: RollBack) -> bool:
        """Whether a person said yes to just that, and to where it leads back."""
        yes = self.approval
        return yes is not None and yes.to_version in {None, would.to_version}
