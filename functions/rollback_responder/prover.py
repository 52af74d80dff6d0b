"""Proving: which live version has earned to be gone back to, and whether that is still there."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain import release as ledgers
from rollback_responder.domain.assessment import HISTORY, span_of
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.metric import Level, Question, question_of, tells_versions_apart
from rollback_responder.domain.minutes import normal_of, served_well
from rollback_responder.domain.policy import Watched
from rollback_responder.domain.release import Ledger, Observation, Release
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate, PointerTrigger
from rollback_responder.gauge import NEW, TOTAL
from rollback_responder.rooms import Rooms

logger = logging.getLogger(__name__)

# A release proves itself on real traffic; fewer requests than this prove nothing (decision D22).
ENOUGH_REQUESTS = 20
# CloudWatch keeps minutes for 15 days, and returns none to whoever asks for older ones as well
# (CloudWatch API reference, MetricStat, Period).
MINUTES_KEPT = timedelta(days=14)


class Live(Struct, frozen=True, kw_only=True):
    """What is live behind one pointer, and its alarms; `busy` while an incident is open."""

    pointer: Pointer
    observation: Observation
    entries: Sequence[Watched]
    alarms: Mapping[str, AlarmReading]
    busy: bool
    now: datetime


class Prover:
    """Keeps the ledger's list of good versions true."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def examined(self, live: Live, ledger: Ledger) -> Ledger:
        """The ledger after a closer look at the live version, and at the way back from it.

        Raises:
            ActionError, MeasurementError: something could not be read.
        """
        pointer, release = live.pointer, ledger.current
        if release is None:
            return ledger
        action = self._rooms.pointer(pointer)
        if release.code_sha256 is None:
            build = action.build(pointer, release.version)
            if build:
                release = replace(release, code_sha256=build.code_sha256, about=build.about)
                ledger = replace(ledger, current=release)
        if self._is_proved(live, release):
            return ledgers.proved(ledger, release, live.now)
        back = ledgers.way_back(ledger, live.observation)
        # The way back matters while a rollback may be needed; CDK deletes it by default (D19).
        young = live.now - release.since_at < self._rooms.policy.responses.horizon
        if back and young and action.build(pointer, back) is None:
            logger.error("version %s of %s was deleted: it is no way back", back, pointer.title)
            ledger = ledgers.vanished(ledger, back)
        return ledger

    def _is_proved(self, live: Live, release: Release) -> bool:
        """Whether a release has now served its bake time, all traffic, well, with quiet alarms.

        Any change of an alarm's state begins the bake time anew. An alarm that does not exist, or
        that CloudWatch itself doubts, vouches for nothing; nor does one that few requests keep
        quiet, so the minutes themselves are asked as well.
        """
        if release.proven_at or release.whole_since_at is None:
            return False
        if release.version != live.observation.primary or not release.version.isdigit():
            return False
        names = [entry.alarm_name for entry in live.entries]
        alarms = [live.alarms[name] for name in names if name in live.alarms]
        if live.busy or len(alarms) < len(names):
            return False
        if any(alarm.state is AlarmState.ALARM or alarm.unsound for alarm in alarms):
            return False
        since_at = max([release.whole_since_at, *(alarm.transitioned_at for alarm in alarms)])
        return live.now - since_at >= self._bake and self._served_well(live, release, since_at)

    @property
    def _bake(self) -> timedelta:
        return timedelta(minutes=self._rooms.policy.guardrails.bake_minutes)

    def _served_well(self, live: Live, release: Release, since_at: datetime) -> bool:
        """What CloudWatch measured of the version speaks for it, over all of its bake time.

        The time is CloudWatch's own, where it knows the version apart: our clock, or that of
        whoever wrote since when it serves, may be wrong.
        """
        pointer = live.pointer
        since_at = max(since_at, live.now - MINUTES_KEPT)
        read = partial(self._rooms.metrics.read, since_at=since_at, now=live.now)
        # Requests are the same series whatever is asked of them.
        traffic = read({TOTAL: question_of(ErrorRate(threshold_percent=50), pointer)})[TOTAL]
        if sum(bucket.requests for bucket in traffic) < ENOUGH_REQUESTS:
            return False
        for entry in live.entries:
            trigger = entry.trigger
            if isinstance(trigger, AdoptedAlarm):
                continue
            question = question_of(trigger, pointer)
            asked = {TOTAL: question}
            if tells_versions_apart(trigger):
                asked[NEW] = question_of(trigger, pointer, version=release.version)
            found = read(asked)
            if not found[TOTAL] and not isinstance(trigger, PointerTrigger):
                # A metric of the service's own that says nothing says nothing against it.
                continue
            new = found.get(NEW, ())
            if new and span_of(new) < self._bake:
                return False
            normal = self._normal(question, release, live.now)
            if not served_well(question, new or found[TOTAL], normal):
                return False
        return True

    def _normal(self, question: Question, release: Release, now: datetime) -> float | None:
        """What the number was before the release, where its own normal is what it is held to."""
        if not isinstance(question, Level) or question.times_normal is None:
            return None
        since_at = release.since_at - HISTORY
        found = self._rooms.metrics.read({TOTAL: question}, since_at=since_at, now=now)[TOTAL]
        return normal_of(question, [b for b in found if b.start_at + MINUTE <= release.since_at])
