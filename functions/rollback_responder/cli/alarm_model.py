"""What CloudWatch would have said: a policy's own alarms, worked out from recorded minutes.

For an alarm that was not there yet, or with another threshold than the one that was. It is
CloudWatch's rule, not ours (user guide, "Configuring how alarms treat missing data": the newest N
datapoints of a range that is a little longer than N; fewer, and missing ones are not breaching);
tests hold it equal to the model of CloudWatch that everything else is tested on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from rollback_responder.domain.alarm_query import AlarmQuery, alarm_query
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.metric import Question, Series, Share
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.metrics.recorded import NOTHING, Track, bare

# How many periods more than N are looked at for datapoints.
EXTRA_PERIODS = 2

# Whether the alarm's own datapoint that begins then breaches; None where it is missing.
Point = Callable[[datetime], bool | None]


def would_have_said(
    question: Question,
    tracks: Mapping[Series, Track],
    bands: Mapping[tuple[Series, float], Track],
    from_at: datetime,
    to_at: datetime,
) -> tuple[AlarmReading, ...]:
    """Every state that the alarm of a question would have entered, oldest first."""
    query = alarm_query(question)
    starts, point = _points(question, query, tracks, bands)
    says = _samples(question, tracks) if query.ignores_low_samples else None
    state = AlarmState.OK
    found = [AlarmReading(state=state, transitioned_at=from_at)]
    reach = (query.evaluation_periods + EXTRA_PERIODS) * _period(query)
    for at in _instants(starts, reach, from_at, to_at):
        if says is not None and not says(at):
            continue
        now = _state(point, query, at)
        if now is not state:
            state = now
            found.append(AlarmReading(state=state, transitioned_at=at))
    return tuple(found)


def _period(query: AlarmQuery) -> timedelta:
    return timedelta(seconds=query.period_seconds)


def _instants(
    starts: Sequence[datetime], reach: timedelta, from_at: datetime, to_at: datetime
) -> Iterator[datetime]:
    """The ends of minutes at which an evaluation could differ from the one before."""
    at = from_at
    for start in starts:
        at = max(at, start + MINUTE)
        while at <= min(start + reach + MINUTE, to_at):
            yield at
            at += MINUTE


def _state(point: Point, query: AlarmQuery, at: datetime) -> AlarmState:
    count, period = query.evaluation_periods, _period(query)
    # Oldest first. What is missing is left out.
    found = (point(at - n * period) for n in range(count + EXTRA_PERIODS, 0, -1))
    newest = [breaching for breaching in found if breaching is not None][-count:]
    return AlarmState.ALARM if newest.count(True) >= query.datapoints_to_alarm else AlarmState.OK


def _points(
    question: Question,
    query: AlarmQuery,
    tracks: Mapping[Series, Track],
    bands: Mapping[tuple[Series, float], Track],
) -> tuple[Sequence[datetime], Point]:
    """The minutes that have a datapoint, in order, and each of the alarm's own."""

    def points(series: Series) -> dict[datetime, float]:
        track = tracks.get(bare(series), NOTHING)
        return dict(zip(track.starts, track.values, strict=True))

    if isinstance(question, Share):
        bad = points(question.bad)
        if question.more_than is not None:
            return sorted(bad), _counted(bad, question.minutes, question.more_than)
        found = _shares(question, bad, [points(one) for one in question.whole])
        if len(question.whole) > 1:
            # FILL makes a zero of every minute that is missing, so none is.
            return sorted(found), lambda at: found.get(at, False)
        return sorted(found), found.get
    value = points(question.value)
    if query.band_width is not None:
        band = bands.get((bare(question.value), query.band_width), NOTHING)
        upper = dict(zip(band.starts, band.values, strict=True))
        found = {at: number > upper[at] for at, number in value.items() if at in upper}
    else:
        limit = query.threshold or 0.0
        found = {at: number > limit for at, number in value.items()}
    return sorted(found), found.get


def _shares(
    question: Share, bad: Mapping[datetime, float], wholes: Sequence[Mapping[datetime, float]]
) -> dict[datetime, bool]:
    """As the alarm's metric math has it: a minute with too few requests is zero percent."""
    floor, limit = question.minimum_requests_a_minute, question.threshold_percent or 0.0
    found = {}
    for at in {at for whole in wholes for at in whole}:
        requests = sum(whole.get(at, 0.0) for whole in wholes)
        enough = requests >= floor and requests > 0
        found[at] = enough and 100 * bad.get(at, 0.0) / requests > limit
    return found


def _counted(bad: Mapping[datetime, float], minutes: int, more_than: int) -> Point:
    """A count is of the whole window, which is one period and slides by the minute."""

    def point(start: datetime) -> bool | None:
        counts = [bad[at] for n in range(minutes) if (at := start + n * MINUTE) in bad]
        return sum(counts) > more_than if counts else None

    return point


def _samples(question: Question, tracks: Mapping[Series, Track]) -> Callable[[datetime], bool]:
    """Whether a percentile rests on enough samples: where it does not, the state stays."""
    counts: dict[datetime, float] = {}
    if not isinstance(question, Share) and question.samples is not None:
        track = tracks.get(bare(question.samples), NOTHING)
        counts = dict(zip(track.starts, track.values, strict=True))
    enough = 1 if isinstance(question, Share) else question.enough_samples
    periods = question.minutes

    def says(at: datetime) -> bool:
        seen = sum(counts.get(at - n * MINUTE, 0.0) for n in range(1, periods + 1))
        return seen == 0 or seen >= enough

    return says
