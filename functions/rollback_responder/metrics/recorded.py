"""CloudWatch as it was: minutes and alarms out of a record, seen from any instant within it."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.measurement import MINUTE, Bucket
from rollback_responder.domain.metric import Level, Question, Series
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.metrics.cloudwatch import BAND, buckets
from rollback_responder.ports import Clock


class Track(Struct, frozen=True, kw_only=True):
    """One series, oldest first: when each minute began, and its number."""

    starts: Sequence[datetime]
    values: Sequence[float]

    def between(self, since_at: datetime, until_at: datetime) -> Mapping[datetime, float]:
        """The minutes that begin in that time, the end not included."""
        low, high = bisect_left(self.starts, since_at), bisect_left(self.starts, until_at)
        return dict(zip(self.starts[low:high], self.values[low:high], strict=True))


NOTHING = Track(starts=(), values=())


class RecordedMetrics:
    """See `Metrics`. Nothing is seen before it was there: a minute is, once it has ended.

    Args:
        series: what was measured, by `bare` series; one that is not in it never had a datapoint.
        bands: the upper edges of CloudWatch's bands, by series and width.
        alarms: every state that an alarm entered, oldest first; each holds until the next.
        clock: the instant from which the record is looked at.
    """

    def __init__(
        self,
        *,
        series: Mapping[Series, Track],
        bands: Mapping[tuple[Series, float], Track],
        alarms: Mapping[str, Sequence[AlarmReading]],
        clock: Clock,
    ) -> None:
        self._series, self._bands, self._clock = series, bands, clock
        self._alarms = alarms
        self._entered = {
            name: [reading.transitioned_at for reading in readings]
            for name, readings in alarms.items()
        }

    def read_alarms(self, names: Collection[str]) -> Mapping[str, AlarmReading]:
        """See `Metrics.read_alarms`. An alarm exists from its first state on."""
        found = {}
        for name in names:
            number = bisect_right(self._entered.get(name, ()), self._clock())
            if number:
                found[name] = self._alarms[name][number - 1]
        return found

    def muted_by(self, alarm_name: str) -> str | None:
        """See `Metrics.muted_by`. Only what was read with the alarm itself is known."""
        found = self.read_alarms([alarm_name]).get(alarm_name)
        return found.muted_by if found else None

    def muted(self, names: Collection[str]) -> Mapping[str, str]:
        """See `Metrics.muted`."""
        return {name: rule for name in names if (rule := self.muted_by(name))}

    def read(
        self, questions: Mapping[str, Question], *, since_at: datetime, now: datetime
    ) -> Mapping[str, tuple[Bucket, ...]]:
        """See `Metrics.read`."""
        first_at = since_at.replace(second=0, microsecond=0)
        until_at = min(now, self._clock()) - MINUTE
        return {
            name: tuple(buckets(asked, self._points(asked, first_at, until_at)))
            for name, asked in questions.items()
        }

    def _points(
        self, question: Question, since_at: datetime, until_at: datetime
    ) -> Mapping[str, Mapping[datetime, float]]:
        # A minute that begins at `until_at` has just ended.
        end_at = until_at.replace(second=0, microsecond=0) + MINUTE
        found = {
            one.id: self._series.get(bare(one), NOTHING).between(since_at, end_at)
            for one in question.series
        }
        found[BAND] = {}
        if isinstance(question, Level) and question.band_width is not None:
            band = self._bands.get((bare(question.value), question.band_width), NOTHING)
            found[BAND] = band.between(since_at, end_at)
        return found


def bare(series: Series) -> Series:
    """A series whatever metric math calls it."""
    return replace(series, id="")
