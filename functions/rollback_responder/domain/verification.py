"""Whether a rollback helped: FIXED, NOT_FIXED, UNKNOWN, or not yet."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.measurement import MINUTE, Bucket, Measurement
from rollback_responder.domain.metric import Level, Question, question_of
from rollback_responder.domain.minutes import has_enough, is_bad
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import LONGEST, record
from rollback_responder.domain.release import Observation
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import AdoptedAlarm, PointerTrigger

# CloudWatch may still add to a minute for some minutes.
INCOMPLETE = 3 * MINUTE


class Outcome(Struct, frozen=True, kw_only=True):
    """How it ended, and the numbers that say so."""

    state: State
    reason: Reason
    text: str


def verify(
    incident: Incident,
    *,
    alarm: AlarmReading | None,
    observation: Observation | None,
    buckets: Sequence[Bucket] | None,
    bad_versions: frozenset[str],
    now: datetime,
    lag: timedelta,
) -> Outcome | None:
    """Judges an incident whose targets are all back.

    Fixed means: the target is where it was put, the alarm is OK, and each of the last
    `healthy_minutes` complete minutes since the act had traffic and none was bad. An adopted alarm
    has no metric of ours; it must have been OK for as long. What stays until a person takes it away
    must not have grown, whatever the alarm says. A version in `bad_versions` was rolled back from
    before: a stack's rollback restores what its template says, which may be just that.

    Returns:
        The outcome, or None while it is too early to say.
    """
    _back_at(incident)
    pointed = isinstance(incident.target, Pointer)
    by_rollout = any(not isinstance(leg.target, Pointer) for leg in incident.legs)
    if observation and by_rollout and observation.suspect in bad_versions:
        return Outcome(
            state=State.UNKNOWN,
            reason=Reason.WRONG_VERSION,
            text=f"the alias is at version {observation.suspect}, which was rolled back from"
            " before",
        )
    if observation and not _is_where_it_was_put(incident, observation):
        return Outcome(
            state=State.UNKNOWN,
            reason=Reason.MOVED_AGAIN,
            text=f"the alias is at version {observation.suspect}: somebody moved it since, or"
            " what was rolled back had not put it there",
        )
    there = observation is not None or not pointed
    healthy = _healthy_text(incident, alarm, buckets, now, lag) if there else None
    if healthy:
        return Outcome(state=State.FIXED, reason=Reason.SYMPTOM_GONE, text=healthy)
    if not _is_overdue(incident, now):
        return None
    if there and alarm and alarm.state is AlarmState.ALARM:
        return Outcome(
            state=State.NOT_FIXED,
            reason=Reason.SYMPTOM_REMAINS,
            text=f"the alarm still fires {incident.verification.deadline_minutes} min after"
            " everything was back",
        )
    return _unknown(_why_unknown(alarm, there=there))


def overdue(incident: Incident, problem: str, now: datetime) -> Outcome | None:
    """The outcome where it could not be looked at: none before the deadline, then unknown."""
    return _unknown(f"it could not be read: {problem}") if _is_overdue(incident, now) else None


def _is_overdue(incident: Incident, now: datetime) -> bool:
    deadline = timedelta(minutes=incident.verification.deadline_minutes)
    return incident.back_at is not None and now >= incident.back_at + deadline


def _unknown(text: str) -> Outcome:
    return Outcome(state=State.UNKNOWN, reason=Reason.NOT_ENOUGH_DATA, text=text)


def _why_unknown(alarm: AlarmReading | None, *, there: bool) -> str:
    if not there:
        return "the target does not exist any more"
    if alarm is None:
        return "the alarm can no longer be found"
    return f"the alarm is {alarm.state.value}, but not each of the last minutes was seen healthy"


def _is_where_it_was_put(incident: Incident, observation: Observation) -> bool:
    at_the_version = incident.to_version in {None, observation.primary}
    return at_the_version and observation.other is None


def _healthy_text(
    incident: Incident,
    alarm: AlarmReading | None,
    buckets: Sequence[Bucket] | None,
    now: datetime,
    lag: timedelta,
) -> str | None:
    """Why it counts as healthy, or None if it does not (yet)."""
    if alarm is None or incident.back_at is None:
        return None
    minutes = incident.verification.healthy_minutes
    question = question_about(incident)
    if isinstance(question, Level) and question.stays:
        return _not_grown(question, buckets or (), incident.back_at, minutes, now - lag)
    if alarm.state is not AlarmState.OK:
        return None
    if question is None:
        quiet_since = max(alarm.transitioned_at, incident.back_at)
        long_enough = now - quiet_since >= timedelta(minutes=minutes)
        return f"alarm OK for {minutes} min" if long_enough else None
    if buckets is None:
        return None
    normal = _normal_of(incident, question)
    # As many whole minutes as end by then begin after this instant: a gap among them counts.
    window_at = now - lag - (minutes + 1) * MINUTE
    since = [
        bucket
        for bucket in buckets
        if bucket.start_at >= incident.back_at and bucket.start_at > window_at
    ]
    latest = [bucket for bucket in since if bucket.start_at + MINUTE <= now - lag]
    bad_since = [bucket for bucket in since if is_bad(question, bucket, normal)]
    if len(latest) < minutes or bad_since or not all(has_enough(question, b) for b in latest):
        return None
    requests = sum(bucket.requests for bucket in latest)
    return f"alarm OK and no bad minute in {minutes} min, {requests} requests"


def question_about(incident: Incident) -> Question | None:
    """What is measured to verify it, or None where the alarm alone must do."""
    trigger = incident.trigger
    pointer = incident.target if isinstance(incident.target, Pointer) else None
    if isinstance(trigger, AdoptedAlarm) or (isinstance(trigger, PointerTrigger) and not pointer):
        return None
    return question_of(trigger, pointer)


def last_recorded(incident: Incident) -> datetime:
    """From when on the minutes of a rollback are read, to verify it and to complete the picture."""
    back_at = _back_at(incident)
    earliest_at = back_at - LONGEST
    if incident.minutes is None:
        return earliest_at
    # The last minutes may have been incomplete when they were judged.
    return max(earliest_at, min(back_at, incident.minutes.read_at - INCOMPLETE))


def with_aftermath(
    incident: Incident, question: Question, buckets: Sequence[Bucket], now: datetime
) -> Incident:
    """The incident with the minutes since it was judged; of one never judged, with all of them."""
    if incident.minutes:
        return replace(incident, minutes=incident.minutes.completed(question, buckets, now))
    measurement = Measurement(since_at=last_recorded(incident), read_at=now, total=tuple(buckets))
    changed_at = incident.release.since_at if incident.release else None
    return replace(incident, minutes=record(question, measurement, changed_at=changed_at))


def _back_at(incident: Incident) -> datetime:
    if incident.back_at is None:
        raise ValueError(f"incident {incident.id} has nothing back yet")
    return incident.back_at


def _normal_of(incident: Incident, question: Question) -> float | None:
    """Its normal, as it was judged by."""
    judged = incident.assessment.new.threshold if incident.assessment else None
    if not isinstance(question, Level) or question.times_normal is None or judged is None:
        return None
    return judged / question.times_normal


def _not_grown(
    question: Level, buckets: Sequence[Bucket], back_at: datetime, minutes: int, until: datetime
) -> str | None:
    """Why what stays counts as over: it has not grown for so many whole minutes."""
    since = [b for b in buckets if b.start_at >= back_at and b.start_at + MINUTE <= until]
    values = [bucket.value or 0.0 for bucket in since[-minutes - 1 :]]
    grows = any(later > before for before, later in pairwise(values))
    if len(values) <= minutes or grows:
        return None
    return f"no more {question.noun} for {minutes} min; {values[-1]:g} are left, for you to redrive"
