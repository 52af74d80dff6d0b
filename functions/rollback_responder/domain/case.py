"""A case: one look at a target, and what is to be written about it. Pure bookkeeping, no order.

Every function here returns an `Entry` or None for "that is not what this is about".
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.decision import UNDECIDED, Reason, StandDown
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.policy import Guardrails, Mode, Watched
from rollback_responder.domain.release import Ledger, Observation, Release
from rollback_responder.domain.signal import AlarmReading, AlarmState


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known before anything is judged.

    Attributes:
        claim_id: names this attempt; becomes the incident's id if it opens one.
        inherited: earlier attempts that may have acted and never said so.
        written: the ledger as the journal has it.
        ledger: the same after seeing `observation`.
        incident: the target's latest incident, open or closed.
        alarm, observation: as read now; None where it does not exist.
    """

    watched: Watched
    environment: str
    mode: Mode
    guardrails: Guardrails
    now: datetime
    claim_id: str
    inherited: tuple[str, ...]
    written: Ledger
    ledger: Ledger
    incident: Incident | None
    alarm: AlarmReading | None
    observation: Observation | None

    @property
    def release(self) -> Release | None:
        """The deploy on trial."""
        return self.ledger.current

    @property
    def open_incident(self) -> Incident | None:
        """The target's incident, if it is still open."""
        return self.incident if self.incident and self.incident.is_open else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be written about a target, and a sentence for the log.

    `news` is the reason of the step that this look added to the incident, if it added one.
    """

    ledger: Ledger
    incident: Incident | None
    text: str
    news: Reason | None = None


def recovered(case: Case) -> Entry | None:
    """Settles an earlier attempt that may have acted, before any gate is asked.

    Its marker in the target proves that it acted. An unchanged revision proves that nobody did.
    Anything else can be proved neither way: it is never called a refusal, and the release counts as
    acted upon. While a rollback is being verified nobody acts, so there is nothing to settle then.
    """
    if not case.inherited or (case.incident and case.incident.state is State.WATCHING):
        return None
    observation, before = case.observation, case.written.current
    incident = case.open_incident or _incident(case)
    if observation and observation.marker in case.inherited:
        return _watching(
            case, incident, before, reason=Reason.FOUND_DONE, after=observation, now=case.now
        )
    if observation and observation.revision == case.written.revision:
        return _given_up(case, incident)
    ledger = ledgers.acting(case.ledger, before, case.now) if before else case.ledger
    return _stepped(
        replace(case, ledger=ledger),
        incident,
        State.INDETERMINATE,
        Reason.RESULT_UNKNOWN,
        f"attempt {', '.join(case.inherited)} ended without a word; the target has changed since",
    )


def _given_up(case: Case, incident: Incident) -> Entry | None:
    """Nothing was applied. After `recheck_minutes` without a clear answer a person is asked."""
    recheck = timedelta(minutes=case.guardrails.recheck_minutes)
    unclear_since = incident.opened_at if incident.steps else case.now
    if case.now < unclear_since + recheck or incident.reason is not Reason.ACTION_UNCLEAR:
        return None
    text = "no attempt got a clear answer; the target is untouched"
    return _stepped(case, incident, State.STOOD_DOWN, Reason.ACTION_UNCLEAR, text)


def answered(case: Case) -> Entry | None:
    """The target's latest incident already answers for this alarm."""
    incident = case.incident
    if incident is None:
        return None
    if incident.state is State.WATCHING:
        return Entry(ledger=case.written, incident=incident, text="a rollback is being verified")
    if incident.is_open:
        return None
    if case.alarm is None:
        same = incident.alarm_name == case.watched.alarm_name
        told = same and incident.reason is Reason.ALARM_GONE
        text = f"incident {incident.id} has said that it is gone"
        return Entry(ledger=case.ledger, incident=incident, text=text) if told else None
    if incident.covers(case.watched.alarm_name, case.alarm.transitioned_at, case.release):
        text = f"answered by incident {incident.id}"
        return Entry(ledger=case.ledger, incident=incident, text=text)
    return None


def stood_down(case: Case, assessment: Assessment, decision: StandDown) -> Entry:
    """Nothing is done. While the reason may still go either way, the incident stays open."""
    pending = case.open_incident
    recheck = timedelta(minutes=case.guardrails.recheck_minutes)
    in_time = pending is None or case.now < pending.opened_at + recheck
    if pending and in_time and pending.alarm_name != case.watched.alarm_name:
        text = f"incident {pending.id} is open for another alarm"
        return Entry(ledger=case.ledger, incident=pending, text=text)
    if decision.reason is Reason.ALARM_NOT_FIRING and pending is None:
        return Entry(ledger=case.ledger, incident=case.incident, text=decision.text)
    incident = replace(
        _incident(case),
        assessment=assessment,
        release=case.release,
        to_version=decision.would_move_to,
    )
    again = decision.reason in UNDECIDED and in_time
    if again and pending and pending.reason is decision.reason:
        return Entry(ledger=case.ledger, incident=incident, text=decision.text)
    state = State.UNDECIDED if again else State.STOOD_DOWN
    return _stepped(case, incident, state, decision.reason, decision.text)


def unclear(case: Case, assessment: Assessment, text: str) -> Entry:
    """AWS gave no clear answer to the move. Open until somebody has looked at the target."""
    incident = replace(_incident(case), assessment=assessment, release=case.release)
    return _stepped(case, incident, State.UNDECIDED, Reason.ACTION_UNCLEAR, text)


def moved(
    case: Case, assessment: Assessment, reason: Reason, after: Observation, now: datetime
) -> Entry:
    """The target was moved by this attempt."""
    incident = replace(_incident(case), assessment=assessment)
    return _watching(case, incident, case.release, reason=reason, after=after, now=now)


def _watching(
    case: Case,
    incident: Incident,
    release: Release | None,
    *,
    reason: Reason,
    after: Observation,
    now: datetime,
) -> Entry:
    """From here the watcher follows it until the symptom is gone or the deadline has passed."""
    title, version = case.watched.target.title, release.version if release else "unknown"
    text = f"moved {title} from version {version} to {after.primary}"
    incident = replace(incident, release=release, to_version=after.primary, acted_at=now)
    incident = incident.step(now, State.WATCHING, reason, text)
    ledger = case.ledger
    if release:
        ledger = ledgers.rolled_back(
            ledgers.acting(ledger, release, now),
            release,
            to_version=after.primary,
            revision=after.revision,
            incident_id=incident.id,
            now=now,
        )
    return Entry(ledger=ledger, incident=incident, text=text, news=reason)


def _incident(case: Case) -> Incident:
    """The open incident, carried on for the alarm in hand, or a new one."""
    watched = case.watched
    pending = case.open_incident
    since_at = pending.alarm_since_at if pending else case.now
    if case.alarm and case.alarm.state is AlarmState.ALARM:
        since_at = case.alarm.transitioned_at
    if pending:
        return replace(
            pending, trigger=watched.trigger, alarm_name=watched.alarm_name, alarm_since_at=since_at
        )
    before = case.incident
    return Incident(
        id=case.claim_id,
        environment=case.environment,
        service=watched.service.name,
        mode=case.mode,
        target=watched.target,
        trigger=watched.trigger,
        verification=watched.service.verification,
        alarm_name=watched.alarm_name,
        alarm_since_at=since_at,
        opened_at=case.now,
        release=case.release,
        # Two alarms that fire together must not displace each other for ever.
        answered=before.answers() if before and before.is_about(case.release) else (),
    )


def _stepped(case: Case, incident: Incident, state: State, reason: Reason, text: str) -> Entry:
    stepped = incident.step(case.now, state, reason, text)
    return Entry(ledger=case.ledger, incident=stepped, text=text, news=reason)
