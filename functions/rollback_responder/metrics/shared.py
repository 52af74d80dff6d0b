"""What several alarms of one batch ask of CloudWatch, asked once.

DescribeAlarms takes nine calls a second of an account and region by default (CloudWatch user guide,
"CloudWatch service quotas"), less than the acts that Lambda takes; it takes a hundred names a call.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from msgspec import Struct

from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.metric import Question
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.ports import Metrics

# Within one invocation, what was read before is as good as read now for so long.
FRESH_SECONDS = 5.0


class _Known(Struct, frozen=True, kw_only=True):
    names: frozenset[str]
    readings: Mapping[str, AlarmReading]
    muted: Mapping[str, str]
    until: float


class SharedMetrics:
    """Metrics that may be told beforehand of which alarms they will be asked.

    `stopwatch` gives seconds from some fixed instant.
    """

    def __init__(self, metrics: Metrics, stopwatch: Callable[[], float]) -> None:
        self._metrics = metrics
        self._stopwatch = stopwatch
        self._known: _Known | None = None

    def expect(self, names: Collection[str]) -> None:
        """Forgets what was read before and reads these alarms now, where there are any.

        To be called at the start of every invocation: what the one before read is older than the
        messages of this one, and while Lambda keeps a process frozen its stopwatch may stand still.
        What cannot be read is asked again by whoever needs it.
        """
        self._known, now = None, self._stopwatch()
        if not names:
            return
        try:
            readings = self._metrics.read_alarms(names)
            self._known = _Known(
                names=frozenset(names),
                readings=readings,
                muted=self._metrics.muted(readings),
                until=now + FRESH_SECONDS,
            )
        except MeasurementError:
            return

    def read_alarms(self, names: Collection[str]) -> Mapping[str, AlarmReading]:
        """See `Metrics.read_alarms`."""
        known = self._fresh(names)
        if known is None:
            return self._metrics.read_alarms(names)
        return {name: known.readings[name] for name in names if name in known.readings}

    def muted_by(self, alarm_name: str) -> str | None:
        """See `Metrics.muted_by`."""
        known = self._fresh((alarm_name,))
        return known.muted.get(alarm_name) if known else self._metrics.muted_by(alarm_name)

    def muted(self, names: Collection[str]) -> Mapping[str, str]:
        """See `Metrics.muted`."""
        return self._metrics.muted(names)

    def read(
        self, questions: Mapping[str, Question], *, since_at: datetime, now: datetime
    ) -> Mapping[str, tuple[Bucket, ...]]:
        """See `Metrics.read`."""
        return self._metrics.read(questions, since_at=since_at, now=now)

    def _fresh(self, names: Collection[str]) -> _Known | None:
        known = self._known
        if known is None or not known.names.issuperset(names):
            return None
        return known if self._stopwatch() < known.until else None
