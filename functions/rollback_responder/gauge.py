"""Measuring: what is read about one alarm, all in one call, and what it comes to."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from msgspec import Struct

from rollback_responder.domain.assessment import (
    CHANGE_TOLERANCE,
    HISTORY,
    WINDOW,
    Assessment,
    assess,
    unmeasurable,
)
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.measurement import MINUTE, Bucket, Measurement
from rollback_responder.domain.metric import Question, Share, question_of, tells_versions_apart
from rollback_responder.domain.minutes import is_bad
from rollback_responder.domain.policy import Policy, Service, Watched
from rollback_responder.domain.recording import Recording, record
from rollback_responder.domain.release import (
    Ledger,
    Observation,
    Origin,
    likely,
    way_back,
)
from rollback_responder.domain.rollout import was_under_way
from rollback_responder.domain.trigger import AdoptedAlarm, PointerTrigger
from rollback_responder.ports import Row
from rollback_responder.rooms import Rooms

TOTAL, NEW, PREVIOUS = "total", "new", "previous"


class Sibling(Struct, frozen=True, kw_only=True):
    """One thing that is asked of a service that shares what another one depends on."""

    service: str
    question: Question


class Suspect(Struct, frozen=True, kw_only=True):
    """What is to be judged: an alarm's trigger, and the versions to tell apart where it can."""

    watched: Watched
    changed_at: datetime
    new: str | None = None
    previous: str | None = None
    shifting: bool = False


class Ahead(Struct, frozen=True, kw_only=True):
    """Minutes that are read while nobody knows yet which ones will be needed."""

    since_at: datetime
    questions: Mapping[str, Question]
    answer: Callable[[], Mapping[str, tuple[Bucket, ...]]]

    def covers(self, asked: Collection[Question], since_at: datetime) -> bool:
        """Whether they answer these questions, since then."""
        return self.since_at <= since_at and set(asked) <= set(self.questions.values())

    def read(
        self, asked: Mapping[str, Question], since_at: datetime
    ) -> Mapping[str, tuple[Bucket, ...]]:
        """See `Metrics.read`, for what they cover."""
        found, first_at = self.answer(), since_at.replace(second=0, microsecond=0)
        by_question = {question: found[name] for name, question in self.questions.items()}
        return {
            name: tuple(bucket for bucket in by_question[question] if bucket.start_at >= first_at)
            for name, question in asked.items()
        }


def _no_minutes() -> None:
    return None


class Measured(NamedTuple):
    """What the numbers say, which siblings fail, and what makes the minutes fit for the journal.

    That is worked out when it is asked for: nothing that acts waits for it.
    """

    assessment: Assessment
    failing: tuple[str, ...]
    recorded: Callable[[], Recording | None] = _no_minutes


def suspect_of(
    watched: Watched, observation: Observation | None, ledger: Ledger, changed_at: datetime
) -> Suspect:
    """The versions to measure apart, where the change on trial is what put the newer one there."""
    release = ledger.current
    bare = Suspect(watched=watched, changed_at=changed_at)
    if observation is None or release is None or isinstance(watched.trigger, AdoptedAlarm):
        return bare
    if not tells_versions_apart(watched.trigger):
        return bare
    if observation.rest is None and release.since_at < changed_at - CHANGE_TOLERANCE:
        return bare
    return Suspect(
        watched=watched,
        changed_at=changed_at,
        new=observation.suspect,
        previous=observation.rest or way_back(ledger, observation),
        shifting=observation.rest is not None,
    )


def siblings_of(
    policy: Policy, service: Service, rows: Mapping[str, Row], now: datetime
) -> tuple[Sibling, ...]:
    """What is asked of a service's siblings: how many of their requests fail.

    One whose own release is still on trial says nothing: it may fail for a reason of its own. Nor
    does one that was rolled back a moment ago, or of which something is being rolled out.
    """
    by_name = {each.name: each for each in policy.services}
    found = []
    for name in service.siblings:
        row = rows.get(name)
        ledgers = row.ledgers.values() if row else ()
        if not any(_says_nothing(ledger, now) for ledger in ledgers):
            found += [Sibling(service=name, question=q) for q in _shares_of(by_name[name])]
    return tuple(found)


def _says_nothing(ledger: Ledger, now: datetime) -> bool:
    """Whether a service may fail, or has failed a moment ago, for a reason of its own."""
    release = ledger.current
    if release is None:
        return was_under_way(ledger.revision)
    rolled_back = release.origin is Origin.ROLLED_BACK and now - release.since_at <= WINDOW
    return rolled_back or (release.origin is Origin.DEPLOYED and release.proven_at is None)


def _shares_of(service: Service) -> Iterator[Question]:
    """Its first trigger that counts bad requests, on each of its aliases."""
    for trigger in service.triggers:
        if isinstance(trigger, AdoptedAlarm):
            continue
        pointers = service.pointers if isinstance(trigger, PointerTrigger) else (None,)
        asked = [question_of(trigger, pointer) for pointer in pointers]
        if any(isinstance(question, Share) for question in asked):
            yield from asked
            return


def asked_ahead(rooms: Rooms, watched: Watched, ledger: Ledger, now: datetime) -> Ahead | None:
    """Begins to read what a ledger makes likely; None where it makes nothing likely.

    It goes back far enough for the release in the ledger, and for a change of the last minutes.
    """
    trigger, current = watched.trigger, ledger.current
    if isinstance(trigger, AdoptedAlarm) or current is None:
        return None
    versions = likely(ledger) if tells_versions_apart(trigger) else ()
    siblings = siblings_of(rooms.policy, watched.service, {}, now)
    # Named by number: an id of GetMetricData takes no "$LATEST".
    questions = _asked(watched, siblings, {f"version{n}": v for n, v in enumerate(versions)})
    since_at = min(now - WINDOW - HISTORY, _since(rooms, current.since_at, now))
    reading = partial(rooms.metrics.read, questions, since_at=since_at, now=now)
    return Ahead(since_at=since_at, questions=questions, answer=rooms.start(reading))


def _asked(
    watched: Watched, siblings: Sequence[Sibling], versions: Mapping[str, str | None]
) -> dict[str, Question]:
    """What is asked of the siblings, of all traffic, and of each version by its name here."""
    trigger, pointer = watched.trigger, watched.pointer
    asked = {f"sibling{n}": sibling.question for n, sibling in enumerate(siblings)}
    if not isinstance(trigger, AdoptedAlarm):
        asked[TOTAL] = question_of(trigger, pointer)
        asked |= {
            name: question_of(trigger, pointer, version=version)
            for name, version in versions.items()
            if version is not None
        }
    return asked


def _since(rooms: Rooms, changed_at: datetime, now: datetime) -> datetime:
    """From when on minutes are needed about a change: with its history, where it is young."""
    young = now - changed_at <= rooms.policy.responses.horizon
    return min(now - WINDOW, changed_at - HISTORY if young else now)


def _read(
    rooms: Rooms,
    asked: Mapping[str, Question],
    since_at: datetime,
    now: datetime,
    ahead: Ahead | None,
) -> Mapping[str, tuple[Bucket, ...]]:
    """See `Metrics.read`. One call, where it was read ahead none; one more where that failed."""
    if ahead and ahead.covers(asked.values(), since_at):
        # More was asked than is needed, and that may be what could not be answered.
        with suppress(MeasurementError):
            return ahead.read(asked, since_at)
    return rooms.metrics.read(asked, since_at=since_at, now=now)


def measured(
    rooms: Rooms,
    suspect: Suspect,
    siblings: Sequence[Sibling],
    now: datetime,
    ahead: Ahead | None = None,
) -> Measured:
    """Reads the suspect's minutes and its siblings', judges them, and names the siblings that fail.

    Where nothing can be read, the assessment says so.
    """
    watched, lag = suspect.watched, rooms.policy.guardrails.metric_lag_minutes * MINUTE
    asked = _asked(watched, siblings, {NEW: suspect.new, PREVIOUS: suspect.previous})
    question, since_at = asked.get(TOTAL), _since(rooms, suspect.changed_at, now)
    try:
        found = _read(rooms, asked, since_at, now, ahead)
    except MeasurementError as error:
        return Measured(unmeasurable(f"the metric could not be read: {error}"), ())
    failing: dict[str, list[Bucket]] = {sibling.service: [] for sibling in siblings}
    for n, sibling in enumerate(siblings):
        failing[sibling.service] += [
            bucket for bucket in found[f"sibling{n}"] if is_bad(sibling.question, bucket)
        ]
    names = tuple(name for name, bad in failing.items() if _is_failing(bad, now, lag))
    if question is None:
        text = "the responder does not read the metric of an alarm that is not its own"
        return Measured(unmeasurable(text), names)
    measurement = Measurement(
        since_at=since_at,
        read_at=now,
        total=found[TOTAL],
        new=found.get(NEW, ()),
        previous=found.get(PREVIOUS, ()),
    )
    excused = frozenset(bucket.start_at for bad in failing.values() for bucket in bad)
    assessment = assess(
        question,
        measurement,
        changed_at=suspect.changed_at,
        lag=lag,
        shifting=suspect.shifting,
        excused=excused,
    )
    recorded = partial(
        record,
        question,
        measurement,
        threshold=assessment.new.threshold,
        changed_at=suspect.changed_at,
        new_version=suspect.new,
        previous_version=suspect.previous,
    )
    return Measured(assessment, names, recorded)


def _is_failing(bad: Sequence[Bucket], now: datetime, lag: timedelta) -> bool:
    """Whether one of the latest two whole minutes was bad, or a younger one."""
    return any(bucket.start_at > now - lag - 3 * MINUTE for bucket in bad)
