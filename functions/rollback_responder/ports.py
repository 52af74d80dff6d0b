"""What the hallway needs from the rooms. Small on purpose: each is easy to fake and to replace."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import Question
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.rollout import Sight
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.target import Pointer

T = TypeVar("T")
Clock = Callable[[], datetime]
# Asks `respond` to look at the alarm of that name.
Wake = Callable[[str], None]


class Start(Protocol):
    """Starts a call and returns how to wait for it: at once in Lambda, in order in tests."""

    def __call__(self, call: Callable[[], T], /) -> Callable[[], T]:
        """The returned callable gives the result, or raises what the call raised."""
        ...


class Metrics(Protocol):
    """Reads CloudWatch. Never judges."""

    def read_alarms(self, names: Collection[str]) -> Mapping[str, AlarmReading]:
        """The alarms as they are now; a name that is not in the answer does not exist.

        Raises:
            MeasurementError: they could not be read.
        """
        ...

    def muted_by(self, alarm_name: str) -> str | None:
        """The rule that mutes the alarm's actions now, or None.

        Raises:
            MeasurementError: that could not be read.
        """
        ...

    def read(
        self, questions: Mapping[str, Question], *, since_at: datetime, now: datetime
    ) -> Mapping[str, tuple[Bucket, ...]]:
        """The minutes from `since_at` to `now` that answer each question, all in one call.

        The questions go by names that CloudWatch takes as ids: a lower-case letter, then letters
        and digits.

        Raises:
            MeasurementError: they could not be read, or not in full.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a pointer, with the compare-and-set that makes it safe.

    `claim_id` goes into the target with the move, so that a later look can tell who made it.
    """

    to_version: str
    expected_revision: str
    claim_id: str


class PointerAction(Protocol):
    """One kind of pointer: reading it, moving it, and what else must be known of it."""

    def observe(self, target: Any) -> Observation | None:
        """The target as it is now, or None if it does not exist.

        Raises:
            ActionError: it could not be read.
        """
        ...

    def move(self, target: Any, move: Move) -> Observation:
        """Moves the target, once: no retry below this line. Returns it as it is afterwards.

        Raises:
            TargetGone, TargetChanged, ActionDenied, ActionThrottled: nothing was applied.
            ActionUnclear: nobody knows; look at the target before anything else.
        """
        ...

    def fingerprint(self, target: Any, version: str) -> str | None:
        """The hash of a version's code, or None if the version does not exist any more.

        Raises:
            ActionError: it could not be read.
        """
        ...


class RolloutAction(Protocol):
    """One kind of rollout: reading it, stopping it, and what brings it back otherwise."""

    def observe(self, target: Any, *, about: str | None = None) -> Sight | None:
        """The target as it is now, or None if it does not exist.

        `about` names a change to look at where it is no longer the latest one.

        Raises:
            ActionError: it could not be read.
        """
        ...

    def stop(self, target: Any, change: str, *, token: str) -> None:
        """Stops a change and lets it go back, once; AWS has taken the order when this returns.

        The same token marks the same order.

        Raises:
            TargetGone, TargetChanged, ActionDenied, ActionThrottled: nothing was applied.
                TargetChanged also where the change is over.
            ActionUnclear: nobody knows; look at the target before anything else.
        """
        ...

    def go_on(self, target: Any, *, token: str) -> None:
        """Continues a rollback that failed; errors as `stop`."""
        ...

    def redeploy(self, target: Any, redeploy: "Redeploy") -> str:
        """Rolls the version before out again; returns what names that change. Errors as `stop`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeploy:
    """A deployment that leads back; `from_version` is the compare-and-set that makes it safe."""

    pointer: Pointer
    from_version: str
    to_version: str
    claim_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write about a service, and to act upon its targets, until `until`.

    `inherited` are the ids of claims whose holders meant to act and never closed them.
    """

    id: str
    service: str
    until: datetime
    ledgers: Mapping[str, Ledger]
    incident: Incident | None
    inherited: tuple[str, ...]
    controls: Controls = field(default_factory=Controls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the journal holds of a service: ledgers, latest incident, controls, who holds it.

    `acting_until` is the end of a claim that may act, while there is one. A row that cannot be read
    holds nothing but its `damage`, in words.
    """

    ledgers: Mapping[str, Ledger]
    incident: Incident | None
    acting_until: datetime | None
    controls: Controls = field(default_factory=Controls)
    damage: str | None = None


class Journal(Protocol):
    """One row for each service. Every write is conditional on the claim."""

    def claim(self, service: str, *, claim_id: str, may_act: bool, now: datetime) -> Claim | None:
        """Takes the service, in one conditional write that returns all that is known of it.

        With `may_act`, the row reads *may have acted* from here until the claim is closed. Returns
        None while somebody else holds the service; also, without `may_act`, where a holder who may
        have acted never came back: only who can settle that may inherit it.

        Raises:
            JournalError: it could not be written; nothing may be done.
        """
        ...

    def close(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """Writes what came of it and gives the service free, in one write.

        Raises:
            ClaimLost: somebody took the service over meanwhile; nothing was written.
            JournalError: it could not be written.
        """
        ...

    def keep(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """Writes what is known so far without giving the service free; errors as `close`."""
        ...

    def rows(self, services: Collection[str]) -> Mapping[str, Row]:
        """The rows as they are now, read strongly; a service never seen is not in the answer.

        Raises:
            JournalError: they could not be read.
        """
        ...


class Budget(Protocol):
    """What people flip and what all services share: the pause, and the rollbacks of this hour."""

    def read(self, *, limit: int, now: datetime) -> Switches:
        """Reads the switches, and whether one more rollback fits into this hour. Takes nothing.

        Raises:
            JournalError: it could not be read.
        """
        ...

    def set_aside(self, claim_id: str, *, limit: int, now: datetime) -> Switches:
        """Reads the switches and sets one rollback of this hour aside, in one conditional write.

        The same claim sets aside once. Nothing is set aside while the responder is paused.

        Raises:
            JournalError: it could not be read; nothing may be done.
        """
        ...

    def give_back(self, claim_id: str) -> None:
        """Gives back what was set aside and not used; it is lost until the hour is over otherwise.

        Raises:
            JournalError: it could not be written.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """How much of an incident was told: that many steps, under what names its message."""

    told: int
    head: str | None


class Notices(Protocol):
    """What was told of each incident, so that nothing is told twice or never."""

    def take(self, incident_id: str, *, steps: int, now: datetime) -> Notice | None:
        """Takes the telling of an incident, or returns None where all its steps were told.

        Raises:
            JournalError: it could not be written, or somebody else is telling it right now.
        """
        ...

    def record(self, incident_id: str, *, told: int, head: str) -> None:
        """Writes down that one more message was taken."""
        ...

    def give_back(self, incident_id: str) -> None:
        """Lets somebody else go on with it."""
        ...


class Thread(Protocol):
    """One place where incidents are told."""

    def open(self, message: Any) -> str:
        """Posts an incident's message; returns what names it.

        Raises:
            NotificationError: it was not taken.
        """
        ...

    def reply(self, head: str, text: str, *, rings: bool) -> None:
        """Adds one step under it, and rings somebody if asked to; errors as `open`."""
        ...

    def update(self, head: str, message: Any, *, news: bool) -> None:
        """Makes it say how things stand now; errors as `open`.

        `news` means that the incident's state is another than when it was told last.
        """
        ...
