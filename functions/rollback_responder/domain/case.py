"""A case: one look at a service, and what is to be written about it. Pure bookkeeping, no order.

Every function here returns an `Entry` or None for "that is not what this is about".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.decision import Ask, RollBack, StandDown, Switches
from rollback_responder.domain.incident import Attempt, Incident, State
from rollback_responder.domain.leg import How, Leg, LegState
from rollback_responder.domain.policy import Guardrails, Watched
from rollback_responder.domain.reason import UNDECIDED, WAITING, Reason
from rollback_responder.domain.release import Ledger, Observation, Origin, Release
from rollback_responder.domain.response import Mode, Responses
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import Pointer, Rollout
from rollback_responder.domain.trial import OnTrial, Returning, Trial, on_trial

Ledgers = Mapping[str, Ledger]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
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
    def approved_by(self) -> str | None:
        """Who approved what the open incident asks for, if that is still what is on trial."""
        pending, trial = self.open_incident, self.on_trial()
        if pending is None or not isinstance(trial, Trial) or pending.asks_about != trial.scope:
            return None
        return self.controls.approved_by(pending.id)

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
    def _untouched(self) -> str | None:
        """The pointer's revision if no earlier attempt has moved it.

        An attempt writes down what it sees before it moves a pointer, so it moved from the written
        release or from nothing; and it would not have moved from one that is no deploy on trial.
        """
        pointer = self.watched.pointer
        written = self.written.get(pointer.target_id, Ledger()) if pointer else Ledger()
        release = written.current
        if release and release.origin is Origin.DEPLOYED:
            return written.revision
        return self.observation.revision if self.observation else None

    def on_trial(self) -> OnTrial:
        """What the alarm may be about."""
        return on_trial(
            sights=self.sights,
            pointer=self.watched.pointer,
            observation=self.observation,
            release=self.release,
            alarm_since_at=self.alarm.transitioned_at if self.alarm else self.now,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be written about a service, and a sentence for the log.

    `news` is the reason of the step that this look added to the incident, if it added one.
    """

    ledgers: Ledgers
    incident: Incident | None
    text: str
    news: Reason | None = None


def answered(case: Case) -> Entry | None:
    """The service's latest incident already answers for this alarm."""
    incident = case.incident
    if incident is None:
        return None
    if incident.state is State.WATCHING:
        return Entry(ledgers=case.written, incident=incident, text="a rollback is being verified")
    if incident.is_open or case.lost:
        return None
    if case.alarm is None:
        same = incident.alarm_name == case.watched.alarm_name
        told = same and incident.reason is Reason.ALARM_GONE
        text = f"incident {incident.id} has said that it is gone"
        return Entry(ledgers=case.ledgers, incident=incident, text=text) if told else None
    covering = case.covering
    if covering is None or (case.is_shifting and covering.reason in UNDECIDED):
        # While traffic is shifting, what was not sure before may be sure by now.
        return None
    return _covered(case, covering)


def _covered(case: Case, covering: Incident) -> Entry:
    text = f"answered by incident {covering.id}"
    return Entry(ledgers=case.ledgers, incident=covering, text=text)


def stood_down(case: Case, assessment: Assessment, decision: StandDown) -> Entry:
    """Nothing is done. While it may still go either way, the incident stays open.

    It may as long as the reason may pass, and as long as an attempt that ended without a word may
    still have a call in flight.
    """
    if case.covering:
        return _covered(case, case.covering)
    pending = case.open_incident
    recheck = timedelta(minutes=case.guardrails.recheck_minutes)
    in_time = pending is None or case.now < (pending.asks_until_at or pending.opened_at + recheck)
    unsettled = any(not attempt.is_settled(case.now) for attempt in case.lost)
    if pending and in_time and pending.alarm_name != case.watched.alarm_name:
        return _of_another_alarm(case, pending)
    if moot := _moot(case):
        return moot
    if pending and in_time and _is_dip(case, pending, decision):
        return Entry(ledgers=case.ledgers, incident=pending, text=decision.text)
    if decision.reason is Reason.ALARM_NOT_FIRING and pending is None and not unsettled:
        return Entry(ledgers=case.ledgers, incident=case.incident, text=decision.text)
    incident = _judged(case, assessment, decision.would)
    waits = in_time or decision.reason in WAITING
    again = (decision.reason in UNDECIDED and waits) or unsettled
    if again and pending and pending.reason is decision.reason:
        return Entry(ledgers=case.ledgers, incident=incident, text=decision.text)
    state = State.UNDECIDED if again else State.STOOD_DOWN
    return stepped(case, incident, state, decision.reason, decision.text)


def asked(case: Case, assessment: Assessment, decision: Ask) -> Entry:
    """A person is asked, once, and may take their time; then it is left undone."""
    if case.covering:
        return _covered(case, case.covering)
    last, scope = case.incident, decision.would.trial.scope
    if last and last.reason is Reason.NOT_APPROVED and last.asks_about == scope:
        # Nobody wanted it undone; another alarm about it does not ask again.
        return _covered(case, last)
    pending, now = case.open_incident, case.now
    asking = pending if pending and pending.state is State.ASKING else None
    if asking and asking.alarm_name != case.watched.alarm_name:
        return _of_another_alarm(case, asking)
    if moot := _moot(case):
        return moot
    until_at = asking.asks_until_at if asking else None
    until_at = until_at or now + timedelta(minutes=case.guardrails.approval_minutes)
    incident = replace(
        _judged(case, assessment, decision.would),
        asks_until_at=until_at,
        asks_about=scope,
    )
    if now >= until_at:
        text = f"nobody approved it by {until_at:%H:%M:%S} UTC: {decision.text}"
        return stepped(case, incident, State.STOOD_DOWN, Reason.NOT_APPROVED, text)
    if asking and asking.reason is decision.reason:
        return Entry(ledgers=case.ledgers, incident=incident, text=decision.text)
    text = f"{decision.text}. Not approved by {until_at:%H:%M:%S} UTC, it is left undone"
    return stepped(case, incident, State.ASKING, decision.reason, text)


def must_wait(case: Case, decision: RollBack) -> Entry | None:
    """A more severe alarm has asked about the same; a lesser one does not act over the question."""
    pending = case.open_incident
    if pending is None or pending.asks_about != decision.trial.scope or case.approved_by:
        return None
    if not pending.severity.outranks(case.watched.trigger.severity):
        return None
    return _of_another_alarm(case, pending)


def _of_another_alarm(case: Case, pending: Incident) -> Entry:
    """It waits for the open incident; where that may wait for a person, so that they know."""
    text = f"incident {pending.id} is open for another alarm"
    pending = replace(pending, lost=case.lost)
    told = f"{case.watched.alarm_name} fires as well, and waits for this question"
    fires = case.alarm is not None and case.alarm.state is AlarmState.ALARM
    known = any(step.text == told for step in pending.steps)
    if pending.state is State.ASKING and fires and not known:
        return stepped(case, pending, State.ASKING, pending.reason, told)
    return Entry(ledgers=case.ledgers, incident=pending, text=text)


def _moot(case: Case) -> Entry | None:
    """A question about something that is not on trial any more ends; a yes to it is worth nothing.

    The next look asks anew, by another name.
    """
    pending, trial = case.open_incident, case.on_trial()
    if pending is None or pending.asks_about is None:
        return None
    if isinstance(trial, Trial) and trial.scope == pending.asks_about:
        return None
    text = "what it asked about is not live or under way any more"
    incident = replace(pending, legs=(), to_version=None)
    return stepped(case, incident, State.STOOD_DOWN, Reason.TARGET_CHANGED, text)


def _is_dip(case: Case, pending: Incident, decision: StandDown) -> bool:
    """Whether the numbers waver: that takes no question back, and ends no incident of a shift."""
    if decision.reason is Reason.ALARM_NOT_FIRING:
        return pending.early and case.is_shifting
    return pending.state is State.ASKING and decision.reason in UNDECIDED


def _judged(case: Case, assessment: Assessment, would: RollBack | None) -> Incident:
    """The incident with the latest judgement, and what would be done."""
    return replace(
        incident_of(case),
        assessment=assessment,
        release=case.release,
        change=case.on_trial().change,
        to_version=would.to_version if would else None,
        legs=would.trial.legs if would else (),
    )


def unclear(case: Case, assessment: Assessment, decision: RollBack, text: str) -> Entry:
    """AWS gave no clear answer to the act. Open until somebody has looked at the target."""
    incident = replace(
        incident_of(case),
        assessment=assessment,
        release=case.release,
        change=decision.trial.change,
    )
    return stepped(case, incident, State.UNDECIDED, Reason.ACTION_UNCLEAR, text)


def moved(
    case: Case, assessment: Assessment, decision: RollBack, after: Observation, now: datetime
) -> Entry:
    """The pointer was moved by this attempt."""
    incident = replace(incident_of(case), assessment=assessment, change=decision.trial.change)
    return watching(case, incident, case.release, reason=decision.reason, after=after, now=now)


def stopped(
    case: Case, assessment: Assessment, decision: RollBack, legs: tuple[Leg, ...], now: datetime
) -> Entry:
    """The first leg of a rollback was told to go back; the others are to follow."""
    case = replace(case, now=now)
    trial = decision.trial
    first = legs[0]
    text = f"{first.title} was told to go back: {trial.why}"
    entry = rolling_back(case, incident_of(case), legs, decision.reason, text)
    assert entry.incident is not None
    incident = replace(
        entry.incident,
        assessment=assessment,
        change=trial.change,
        to_version=decision.to_version or _leads_to(case, trial),
    )
    ledger = case.ledgers.get(first.target.target_id, Ledger())
    acted = ledgers.acting(ledger, trial.legs[0].change, now)
    return replace(
        entry, incident=incident, ledgers={**case.ledgers, first.target.target_id: acted}
    )


def adopted(case: Case, assessment: Assessment, returning: Returning) -> Entry:
    """Somebody else's rollback is followed from here."""
    legs = tuple(leg.to(LegState.UNDER_WAY, case.now) for leg in returning.legs)
    entry = rolling_back(case, incident_of(case), legs, Reason.ROLLBACK_ADOPTED, returning.text)
    assert entry.incident is not None
    incident = replace(entry.incident, assessment=assessment, change=returning.change)
    return replace(entry, incident=incident)


def _leads_to(case: Case, trial: Trial) -> str | None:
    """The version that the pointer will be at when a rollout is back, where that can be said."""
    observation, release = case.observation, case.release
    if observation is None or release is None:
        return None
    if observation.rest is not None:
        return observation.rest
    if release.since_at < trial.since_at - CHANGE_TOLERANCE:
        return observation.primary
    return ledgers.way_back(case.ledger, observation)


def rolling_back(
    case: Case, incident: Incident, legs: tuple[Leg, ...], reason: Reason, text: str
) -> Entry:
    """From here the legs are followed until everything is back."""
    started = tuple(
        leg.to(LegState.UNDER_WAY, case.now)
        if leg.state is LegState.TO_DO and leg.how in {How.FOLLOW, How.REDEPLOY}
        else leg
        for leg in legs
    )
    incident = replace(
        incident,
        release=case.release,
        change=started[0].change,
        legs=started,
        acted_at=case.now,
    )
    return stepped(case, incident, State.ROLLING_BACK, reason, text)


def watching(
    case: Case,
    incident: Incident,
    release: Release | None,
    *,
    reason: Reason,
    after: Observation,
    now: datetime,
) -> Entry:
    """From here the watcher follows it until the symptom is gone or the deadline has passed."""
    pointer = case.watched.pointer
    assert pointer is not None
    version = release.version if release else "unknown"
    text = f"moved {pointer.title} from version {version} to {after.primary}"
    leg = Leg(
        target=pointer,
        how=How.MOVE,
        change=release.key if release else "unknown",
        title=f"version {version}",
        state=LegState.BACK,
        at=now,
    )
    incident = replace(
        incident,
        target=pointer,
        change=leg.change,
        release=release,
        legs=(leg,),
        to_version=after.primary,
        acted_at=now,
        back_at=now,
    )
    incident = incident.step(now, State.WATCHING, reason, text)
    kept = case.ledgers
    if release:
        ledger = ledgers.rolled_back(
            ledgers.acting(case.ledger, release.key, now),
            release,
            to_version=after.primary,
            revision=after.revision,
            incident_id=incident.id,
            now=now,
        )
        kept = {**kept, pointer.target_id: ledger}
    return Entry(ledgers=kept, incident=incident, text=text, news=reason)


def incident_of(case: Case) -> Incident:
    """The open incident, carried on for the alarm in hand, or a new one."""
    watched = case.watched
    pending = case.open_incident
    since_at = pending.alarm_since_at if pending else case.now
    if case.alarm and case.alarm.state is AlarmState.ALARM:
        since_at = case.alarm.transitioned_at
    if pending:
        return replace(
            pending,
            target=watched.pointer or pending.target,
            trigger=watched.trigger,
            alarm_name=watched.alarm_name,
            alarm_since_at=since_at,
            lost=case.lost,
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
        change=change,
        release=case.release,
        after_failure=service.after_failure,
        lost=case.lost,
        # Two alarms that fire together must not displace each other for ever.
        answered=before.answers() if before and before.is_about(change, case.release) else (),
    )


def stepped(case: Case, incident: Incident, state: State, reason: Reason, text: str) -> Entry:
    """The entry of one more thing that happened."""
    incident = incident.step(case.now, state, reason, text)
    return Entry(ledgers=case.ledgers, incident=incident, text=text, news=reason)
