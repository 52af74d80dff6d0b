"""What the hallway needs from the rooms. Small on purpose: each is easy to fake and to replace."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from msgspec import Struct, field

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import Question
from rollback_responder.domain.release import Build, Ledger, Observation
from rollback_responder.domain.rollout import Sight
from rollback_responder.domain.said import Said
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.storm import Gathering, Member
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

    def muted(self, names: Collection[str]) -> Mapping[str, str]:
        """The rule that mutes it, for each that is muted of these alarms, which exist.

        Errors as `muted_by`.
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


class Move(Struct, frozen=True, kw_only=True):
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

    def build(self, target: Any, version: str) -> Build | None:
        """What a version is made of, or None if the version does not exist any more.

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


class Redeploy(Struct, frozen=True, kw_only=True):
    """A deployment that leads back; `from_version` is the compare-and-set that makes it safe."""

    pointer: Pointer
    from_version: str
    to_version: str
    claim_id: str


class Claim(Struct, frozen=True, kw_only=True):
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


class Row(Struct, frozen=True, kw_only=True):
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


class Page(Struct, frozen=True, kw_only=True):
    """What is written of a service right now. `written` is its controls as they stand there."""

    service: str
    controls: Controls
    incident: Incident | None
    written: str | None


class Book(Protocol):
    """What people said. Each write keeps, with it, what is to be told of it."""

    def page(self, service: str) -> Page:
        """What is written of a service.

        Raises:
            JournalError: it could not be read; `RowDamaged` where it is not what it should be.
        """
        ...

    def write(self, page: Page, controls: Controls, *, said: Said) -> bool:
        """Writes a service's controls, unless the page has been turned since: then False.

        Raises:
            JournalError: it could not be written.
        """
        ...

    def label(self, service: str, incident_id: str, *, right: bool, said: Said) -> str | None:
        """Writes whether an incident was right, or returns who has said the same already.

        Raises:
            OrderRefused: no such incident has ended.
            JournalError: it could not be written.
        """
        ...

    def pause(self, by: str, *, said: Said) -> str | None:
        """Pauses the responder, or returns who has already; errors as `write`."""
        ...

    def resume(self, *, said: Said) -> bool:
        """Lets it go on; False where it was not paused. Errors as `write`."""
        ...

    def is_new(self, nonce: str, now: datetime) -> bool:
        """Whether a request with that nonce comes for the first time; errors as `write`."""
        ...


class Chapter(Struct, frozen=True, kw_only=True):
    """Incidents that are over, what people said of them by id, and what could not be read."""

    incidents: tuple[Incident, ...]
    labels: Mapping[str, bool] = field(default_factory=dict)
    damages: tuple[str, ...] = ()


class Annals(Protocol):
    """What is over, and what holds for everybody: for people, never for a decision."""

    def chapter(self, services: Collection[str], *, since_at: datetime, now: datetime) -> Chapter:
        """The incidents of these services that began since then and are over.

        Raises:
            JournalError: they could not be read.
        """
        ...

    def paused_by(self) -> str | None:
        """Who paused the responder, if it is paused; errors as `chapter`."""
        ...


class Pulse(Protocol):
    """The watcher's heart."""

    def beats(self, since_at: datetime, now: datetime) -> int:
        """How often it beat.

        Raises:
            MeasurementError: it could not be read.
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


class Notice(Struct, frozen=True, kw_only=True):
    """How much of an incident was told: that many steps, under what names its message.

    `shown` names the moments of which a picture was shown.
    """

    told: int
    head: str | None
    shown: frozenset[str] = frozenset()


class Notices(Protocol):
    """What was told of each incident, so that nothing is told twice or never."""

    def take(self, incident_id: str, *, steps: int, now: datetime) -> Notice | None:
        """Takes the telling of an incident, or returns None where all its steps were told.

        Raises:
            JournalError: it could not be written, or somebody else is telling it right now.
        """
        ...

    def record(self, incident_id: str, *, told: int, head: str) -> None:
        """Writes down that one more message was taken; nothing where more were by now.

        Raises:
            JournalError: it could not be written.
        """
        ...

    def record_shown(self, incident_id: str, moment: str) -> None:
        """Writes down that a picture of that moment was taken."""
        ...

    def give_back(self, incident_id: str) -> None:
        """Lets somebody else go on with it."""
        ...

    def head(self, incident_id: str) -> str | None:
        """What names its message, where it was told.

        Raises:
            JournalError: it could not be read.
        """
        ...


class Storms(Protocol):
    """Which incidents were opened close together, so that a storm is told as one."""

    def join(self, incident_id: str, member: Member, now: datetime) -> Gathering:
        """Puts an incident into its gathering, the first time or as it stands by now.

        Raises:
            JournalError: it could not be read or written.
        """
        ...

    def take(self, name: str, now: datetime) -> bool:
        """Takes the posting of a gathering's message; False where somebody else has.

        Raises:
            JournalError: it could not be written.
        """
        ...

    def record(self, name: str, head: str, *, called: int) -> None:
        """Writes down what names its message, and how many needed a person when it rang.

        Raises:
            JournalError: it could not be written.
        """
        ...


class Thread(Protocol):
    """One place where incidents are told; whether it can show pictures, it says itself."""

    @property
    def takes_pictures(self) -> bool:
        """Whether `show` does anything."""
        ...

    def check(self) -> None:
        """Asks, as far as that can be asked, whether a message would be taken; errors as `open`."""
        ...

    def pass_on(self, head: str | None, text: str) -> None:
        """Posts what somebody said, under a message or by itself; errors as `open`."""
        ...

    def announce(self, bulletin: Any, *, rings: bool = False) -> str:
        """Posts a message of its own, under no incident; returns and raises as `open`."""
        ...

    def amend(self, head: str, bulletin: Any, *, news: bool) -> None:
        """Makes such a message say how things stand now; errors as `open`.

        `news` means that it is worth a message where nothing can be edited.
        """
        ...

    def open(self, message: Any, *, under: str | None = None) -> str:
        """Posts an incident's message, or adds it under another one; returns what names it.

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

    def show(self, head: str, png: bytes, *, alt: str, title: str) -> None:
        """Adds a picture under it, with its words for who cannot see it; errors as `open`."""
        ...
