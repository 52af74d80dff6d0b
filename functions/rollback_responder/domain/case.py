"""A case: one look at a service, and what is to be written about it."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.controls import Approval, Controls, RollbackOrdered
from rollback_responder.domain.incident import Attempt, Incident, State
from rollback_responder.domain.leg import name_of
from rollback_responder.domain.policy import Guardrails, Watched
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import Recording
from rollback_responder.domain.release import Ledger, Observation, Origin, Release
from rollback_responder.domain.response import Mode, Responses
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.target import Pointer, Rollout
from rollback_responder.domain.trial import OnTrial, Trial, on_trial

Ledgers = Mapping[str, Ledger]


class Case(Struct, frozen=True, kw_only=True):
    """What is known before anything is judged.

    Attributes:
        claim_id: names this attempt; becomes the incident's id if it opens one.
        inherited: earlier attempts that may have acted and never said so.
        written: the ledgers as the journal has them, by target id.
        ledgers: the same after seeing `observation` and `sights`.
        incident: the service's latest incident, open or closed.
        controls: what people said about the service.
        alarm, observation: as read now; None where it does not exist, or where the service has no
            pointer.
        sights: the service's rollouts as they are now, in the policy's order.
        minutes: what was measured for it; None before that, and where nothing could be.
    """

    watched: Watched
    environment: str
    mode: Mode
    guardrails: Guardrails
    responses: Responses
    switches: Switches
    now: datetime
    claim_id: str
    inherited: tuple[str, ...]
    written: Ledgers
    ledgers: Ledgers
    incident: Incident | None
    controls: Controls
    alarm: AlarmReading | None
    observation: Observation | None
    sights: tuple[tuple[Rollout, Sight | None], ...]
    minutes: Recording | None = None

    @property
    def ledger(self) -> Ledger:
        """The pointer's ledger; an empty one where there is no pointer."""
        pointer = self.watched.pointer
        return self.ledgers.get(pointer.target_id, Ledger()) if pointer else Ledger()

    @property
    def release(self) -> Release | None:
        """The release behind the pointer."""
        return self.ledger.current if self.observation else None

    @property
    def open_incident(self) -> Incident | None:
        """The service's incident, if it is still open."""
        return self.incident if self.incident and self.incident.is_open else None

    @property
    def covering(self) -> Incident | None:
        """The closed incident that already answers for this alarm, if there is one."""
        incident = self.incident
        if incident is None or incident.is_open or self.lost or self.alarm is None:
            return None
        since_at, change = self.alarm.transitioned_at, self.on_trial().change
        covers = incident.covers(self.watched.alarm_name, since_at, change, self.release)
        return incident if covers else None

    @property
    def approval(self) -> Approval | None:
        """The yes to what the open incident asks for, if that is still what is on trial."""
        pending, trial = self.open_incident, self.on_trial()
        if pending is None or not isinstance(trial, Trial) or pending.asks_about != trial.scope:
            return None
        return self.controls.approval(pending.id, pending.to_version)

    @property
    def ordered(self) -> RollbackOrdered | None:
        """The order to roll back that this look is to carry out, if there is one."""
        order = live_order(self.controls, self.incident)
        if order is None:
            return None
        # That it has lapsed is said by whichever alarm: its own may not be looked at any more.
        mine = order.alarm_name == self.watched.alarm_name
        return order if mine or order.has_lapsed(self.now) else None

    def order_about(self, release: Release | None) -> RollbackOrdered | None:
        """The order that a lost attempt upon a release may have carried out.

        A drill only if it is about just that, and the release had proved itself: nobody moves such
        a one unasked. A rollback in earnest is not taken for a drill: that goes forward again.
        """
        order, pointer = live_order(self.controls, self.incident), self.watched.pointer
        if order is None or not order.drill:
            return self.ordered
        if release is None or release.proven_at is None or pointer is None:
            return None
        return order if order.changes == (name_of(pointer, release.key),) else None

    @property
    def is_shifting(self) -> bool:
        """Whether the alias shares its traffic between two versions."""
        return self.observation is not None and self.observation.other is not None

    @property
    def lost(self) -> tuple[Attempt, ...]:
        """Every attempt that ended without a word and may still have a call in flight."""
        before = self.open_incident.lost if self.open_incident else ()
        known = {attempt.claim_id for attempt in before}
        # An attempt writes down what it sees before it acts, so these are what it may have stopped.
        changes = {change for change, running in written_changes(self).items() if running}
        new = (
            Attempt(
                claim_id=claim_id,
                lost_at=self.now,
                changes=tuple(sorted(changes)),
                revision=self._untouched,
            )
            for claim_id in self.inherited
            if claim_id not in known
        )
        return (*before, *new)

    @property
    def is_unsettled(self) -> bool:
        """Whether something of a lost attempt may still land."""
        return any(not attempt.is_settled(self.now) for attempt in self.lost)

    @property
    def _untouched(self) -> str | None:
        """The pointer's revision if no earlier attempt has moved it.

        An attempt writes down what it sees before it moves a pointer, so it moved from the written
        release or from nothing; and unless that was ordered, it would not have moved from one that
        is no deploy on trial.
        """
        pointer = self.watched.pointer
        written = self.written.get(pointer.target_id, Ledger()) if pointer else Ledger()
        release = written.current
        movable = {Origin.DEPLOYED}
        if live_order(self.controls, self.incident):
            movable |= {Origin.PUT_BACK, Origin.FIRST_SEEN}
        if release and release.origin in movable:
            return written.revision
        return self.observation.revision if self.observation else None

    def on_trial(self) -> OnTrial:
        """What the alarm may be about."""
        alarm = self.alarm
        # One that does not fire is about nothing that was over before.
        firing = alarm is not None and alarm.state is AlarmState.ALARM
        return on_trial(
            sights=self.sights,
            pointer=self.watched.pointer,
            observation=self.observation,
            release=self.release,
            alarm_since_at=alarm.transitioned_at if alarm and firing else self.now,
            now=self.now,
            ages=self.responses.change_ages(self.watched.trigger.severity),
        )


def written_changes(case: Case) -> dict[str, bool]:
    """The change that each rollout's ledger names, and whether it was running when written."""
    found = {}
    for target, _ in case.sights:
        revision = case.written.get(target.target_id, Ledger()).revision
        if revision:
            change, _, phase = revision.rpartition(" ")
            found[change] = phase == Phase.RUNNING.value
    return found


def seen(
    written: Mapping[str, Ledger],
    pointer: Pointer | None,
    observation: Observation | None,
    sights: tuple[tuple[Rollout, Sight | None], ...],
    now: datetime,
) -> dict[str, Ledger]:
    """The ledgers after looking at the targets."""
    kept = dict(written)
    if pointer and observation:
        kept[pointer.target_id] = ledgers.seen(
            written.get(pointer.target_id, Ledger()), observation, now
        )
    for rollout, sight in sights:
        if sight is not None:
            before = written.get(rollout.target_id, Ledger())
            kept[rollout.target_id] = ledgers.seen_rollout(before, sight)
    return kept


class Entry(Struct, frozen=True, kw_only=True):
    """What is to be written about a service, and a sentence for the log.

    `news` is the reason of the step that this look added to the incident, if it added one.
    """

    ledgers: Ledgers
    incident: Incident | None
    text: str
    news: Reason | None = None


def incident_of(case: Case) -> Incident:
    """The open incident, carried on for the alarm in hand, or a new one."""
    watched = case.watched
    pending = case.open_incident
    since_at = pending.alarm_since_at if pending else case.now
    if case.alarm and case.alarm.state is AlarmState.ALARM:
        since_at = case.alarm.transitioned_at
    if pending:
        known = pending.minutes if pending.trigger == watched.trigger else None
        return replace(
            pending,
            target=watched.pointer or pending.target,
            trigger=watched.trigger,
            alarm_name=watched.alarm_name,
            alarm_since_at=since_at,
            lost=case.lost,
            minutes=case.minutes or known,
            approved_by=case.approval.by if case.approval else pending.approved_by,
        )
    before, service = case.incident, watched.service
    change = case.on_trial().change
    return Incident(
        id=case.claim_id,
        environment=case.environment,
        service=service.name,
        mode=case.mode,
        target=watched.pointer or service.targets[0],
        trigger=watched.trigger,
        verification=service.verification,
        alarm_name=watched.alarm_name,
        alarm_since_at=since_at,
        opened_at=case.now,
        early=case.alarm is not None and case.alarm.state is not AlarmState.ALARM,
        order_at=_answered_until(case.controls, before),
        change=change,
        release=case.release,
        after_failure=service.after_failure,
        lost=case.lost,
        minutes=case.minutes,
        # Alarms that fire together must not displace each other for ever.
        answered=before.answers_about(change, case.release) if before else (),
    )


def live_order(controls: Controls, incident: Incident | None) -> RollbackOrdered | None:
    """The order to roll back a service that nobody has answered yet.

    What was rolled back of it since it was given answers it as well.
    """
    order = controls.rollback
    if order is None or incident is None:
        return order
    if incident.order_at and order.at <= incident.order_at:
        return None
    since = incident.acted_at is not None and order.at <= incident.acted_at
    return None if since and incident.undoes(order.changes) else order


def _answered_until(controls: Controls, before: Incident | None) -> datetime | None:
    """Until when orders are answered, for the incident after that one."""
    if before is None:
        return None
    return before.order_at if live_order(controls, before) else before.orders_until


def answering(incident: Incident, order: RollbackOrdered | None) -> Incident:
    """The incident as the answer to an order, so that it is carried out once."""
    if order is None:
        return incident
    return replace(incident, ordered_by=order.by, order_at=order.at, drill=order.drill, early=False)


def stepped(case: Case, incident: Incident, state: State, reason: Reason, text: str) -> Entry:
    """The entry of one more thing that happened."""
    incident = incident.step(case.now, state, reason, text)
    return Entry(ledgers=case.ledgers, incident=incident, text=text, news=reason)


def said(case: Case, incident: Incident, text: str) -> Entry:
    """The entry of something that changes nothing about how the incident stands."""
    return Entry(ledgers=case.ledgers, incident=incident.say(case.now, text), text=text)
