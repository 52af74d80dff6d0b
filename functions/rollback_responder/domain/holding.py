"""Holding: what is written while nothing is undone. It waits, asks, or stands down.

Every function here returns an `Entry` or None for "that is not what this is about".
"""

from datetime import timedelta

from msgspec.structs import replace

from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.case import Case, Entry, answering, incident_of, said, stepped
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.reason import UNDECIDED, WAITING, Reason
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import Ask, RollBack, StandDown
from rollback_responder.domain.trial import Trial


def answered(case: Case) -> Entry | None:
    """The service's latest incident already answers for this alarm."""
    incident = case.incident
    if incident is None:
        return None
    if incident.state is State.WATCHING:
        return Entry(ledgers=case.written, incident=incident, text="a rollback is being verified")
    if incident.state is State.UNDOING:
        return Entry(ledgers=case.written, incident=incident, text="a rollback is being undone")
    if incident.is_open or case.lost or case.ordered:
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
    if pending and in_time and pending.alarm_name != case.watched.alarm_name:
        return _of_another_alarm(case, pending)
    if moot := _moot(case):
        return moot
    if pending and in_time and _is_dip(case, pending, decision):
        return Entry(ledgers=case.ledgers, incident=pending, text=decision.text)
    if decision.reason is Reason.ALARM_NOT_FIRING and pending is None and not case.is_unsettled:
        return Entry(ledgers=case.ledgers, incident=case.incident, text=decision.text)
    incident = _judged(case, assessment, decision.would)
    if decision.reason is Reason.FIX_FORWARD:
        # Whoever fixes it has answered the question; what is left when they are done asks anew.
        incident = replace(incident, asks_until_at=None, asks_about=None)
    waits = in_time or decision.reason in WAITING
    again = (decision.reason in UNDECIDED and waits) or case.is_unsettled
    if again and pending and pending.reason is decision.reason:
        return Entry(ledgers=case.ledgers, incident=incident, text=decision.text)
    state = State.UNDECIDED if again else State.STOOD_DOWN
    return stepped(case, incident, state, decision.reason, decision.text)


def order_refused(case: Case, assessment: Assessment, decision: StandDown) -> Entry:
    """An order that cannot be carried out, said once. What was undecided before, still is."""
    order, pending = case.ordered, case.open_incident
    assert order is not None
    text = f"{order.by} ordered a rollback: {decision.text}"
    throttled = decision.reason is Reason.ACTION_THROTTLED
    if pending:
        # What an attempt that ended without a word may still do is not forgotten over it.
        pending = replace(pending, lost=case.lost)
    if throttled and (pending or not case.is_unsettled):
        # The watcher wakes for it again, until it is too late for it.
        incident = pending or case.incident
        return Entry(ledgers=case.ledgers, incident=incident, text=decision.text)
    if pending:
        return said(case, replace(pending, order_at=order.at), text)
    incident = _judged(case, assessment, decision.would)
    if not case.is_unsettled:
        incident = answering(incident, order)
        return stepped(case, incident, State.STOOD_DOWN, decision.reason, text)
    if not throttled:
        incident = replace(incident, order_at=order.at)
    return stepped(case, incident, State.UNDECIDED, decision.reason, text)


def asked(case: Case, assessment: Assessment, decision: Ask) -> Entry:
    """A person is asked, once, and may take their time; then nothing is done."""
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
    same = asking and (asking.reason, asking.to_version) == (decision.reason, incident.to_version)
    if same:
        return Entry(ledgers=case.ledgers, incident=incident, text=decision.text)
    return stepped(case, incident, State.ASKING, decision.reason, decision.text)


def must_wait(case: Case, decision: RollBack) -> Entry | None:
    """A more severe alarm has asked about the same; a lesser one does not act over the question."""
    pending = case.open_incident
    if pending is None or pending.asks_about != decision.trial.scope:
        return None
    if case.approval or case.ordered:
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
        return said(case, pending, told)
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
    if decision.reason is Reason.FIX_FORWARD:
        return False
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
