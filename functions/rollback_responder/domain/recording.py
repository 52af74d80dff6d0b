"""The minutes that were judged, as the journal keeps them: pictures and reports read nothing else.

They are kept in columns, so that an hour of three series takes about three kilobytes.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple, assert_never

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.document import Doc
from rollback_responder.domain.measurement import MINUTE, Bucket, Measurement, in_order
from rollback_responder.domain.metric import Level, Question, Share

# What is kept of the minutes before a judgement, and of those between it and the way back.
LONGEST = 60 * MINUTE
SIGNIFICANT = 6
# Nothing is followed for as long as a year.
LATEST_MINUTE = 366 * 24 * 60


class Scale(StrEnum):
    """What the number of a minute is."""

    PERCENT = "percent"
    COUNT = "count"
    LEVEL = "level"


class Point(NamedTuple):
    """One minute: its number, and the limit that it was held to where that is its own."""

    at: datetime
    number: float
    limit: float | None


class Track(Struct, frozen=True, kw_only=True):
    """One series in columns. Minutes without traffic, or without a number, are not in it."""

    minutes: Annotated[tuple[int, ...], Doc("Each minute, counted from the recording's begin.")]
    requests: Annotated[tuple[int, ...], Doc("Requests that began in it.")]
    errors: Annotated[tuple[int, ...], Doc("How many of them were bad.")] = ()
    values: Annotated[tuple[float, ...], Doc("The number, where it is no count.")] = ()
    limits: Annotated[tuple[float, ...], Doc("Each minute's own limit, where it has one.")] = ()

    def is_whole(self, scale: Scale) -> bool:
        """Whether each minute has its requests, and its number on that scale."""
        count = len(self.minutes)
        numbers = self.values if scale is Scale.LEVEL else self.errors
        return (
            len(self.requests) == len(numbers) == count
            and len(self.limits) in {0, count}
            and all(requests > 0 for requests in self.requests)
            and all(0 <= minute <= LATEST_MINUTE for minute in self.minutes)
        )


class Recording(Struct, frozen=True, kw_only=True):
    """The minutes of all traffic, and of the two versions apart where CloudWatch tells them apart.

    An empty track means "not known", never "no errors".
    """

    since_at: Annotated[datetime, Doc("The first minute's begin.")]
    read_at: Annotated[datetime, Doc("When the last of them was read; it may be incomplete.")]
    scale: Annotated[Scale, Doc("What the number of a minute is.")]
    noun: Annotated[str, Doc("What is measured.")]
    unit: Annotated[str, Doc("What its number is followed by.")]
    said: Annotated[str, Doc("The limit in words.")]
    threshold: Annotated[
        float | None, Doc("Above it a minute is bad; of a count, a minute's part of the limit.")
    ] = None
    changed_at: Annotated[datetime | None, Doc("When what is on trial was first seen.")] = None
    new_version: Annotated[str | None, Doc("The version that `new` is of.")] = None
    previous_version: Annotated[str | None, Doc("The version that `previous` is of.")] = None
    total: Annotated[Track, Doc("All traffic.")]
    new: Annotated[Track | None, Doc("The suspect's.")] = None
    previous: Annotated[Track | None, Doc("Its predecessor's.")] = None

    @property
    def is_whole(self) -> bool:
        """Whether its columns fit together, so that its points can be told."""
        tracks = (self.total, self.new, self.previous)
        return all(track.is_whole(self.scale) for track in tracks if track)

    def points(self, track: Track | None) -> tuple[Point, ...]:
        """The numbers of a track, oldest first."""
        return tuple(self._points(track)) if track else ()

    def _points(self, track: Track) -> Iterator[Point]:
        numbers: Sequence[float]
        match self.scale:
            case Scale.PERCENT:
                pairs = zip(track.errors, track.requests, strict=True)
                numbers = [100 * errors / requests for errors, requests in pairs]
            case Scale.COUNT:
                numbers = track.errors
            case Scale.LEVEL:
                numbers = track.values
            case _:
                assert_never(self.scale)
        limits = track.limits or (None,) * len(numbers)
        for minute, number, limit in zip(track.minutes, numbers, limits, strict=True):
            yield Point(at=self.since_at + minute * MINUTE, number=number, limit=limit)

    def completed(
        self, question: Question, buckets: Sequence[Bucket], now: datetime
    ) -> "Recording":
        """With the minutes of all traffic that were read to verify the outcome.

        They take the place of what is known of the same minutes; what lies between is kept.
        """
        later = tuple(bucket for bucket in in_order(buckets) if bucket.start_at >= self.since_at)
        if not later:
            return self
        begin = _minute_of(later[0], self.since_at)
        count = sum(minute < begin for minute in self.total.minutes)
        before, after = _first(self.total, count), _track(question, later, self.since_at)
        return replace(self, total=_joined(before, after), read_at=now)


def record(
    question: Question,
    measurement: Measurement,
    *,
    threshold: float | None = None,
    changed_at: datetime | None = None,
    new_version: str | None = None,
    previous_version: str | None = None,
) -> Recording | None:
    """What is kept of a measurement: its last hour, or None where there is no minute in it.

    It raises nothing: a rollback may be done by then that has still to be journaled.

    Args:
        question: what was asked.
        measurement: the minutes that were judged.
        threshold: what they were held to; of a share, the question knows it better.
        changed_at: when what is on trial was first seen, if anything is.
        new_version: the version that was measured apart, if it was.
        previous_version: the one before it, if it was measured apart.
    """
    oldest_at = measurement.read_at - LONGEST
    recent = [
        tuple(bucket for bucket in in_order(buckets) if bucket.start_at >= oldest_at)
        for buckets in (measurement.total, measurement.new, measurement.previous)
    ]
    begins = [buckets[0].start_at for buckets in recent if buckets]
    if not begins:
        return None
    since_at = min(begins)
    total, new, previous = (_track(question, buckets, since_at) for buckets in recent)
    return Recording(
        since_at=since_at,
        read_at=measurement.read_at,
        scale=_scale_of(question),
        noun=question.noun,
        unit=question.unit,
        said=question.said,
        threshold=_threshold_of(question, threshold),
        changed_at=changed_at if changed_at and changed_at < measurement.read_at else None,
        new_version=new_version,
        previous_version=previous_version,
        total=total,
        new=new if new.minutes else None,
        previous=previous if previous.minutes else None,
    )


def _scale_of(question: Question) -> Scale:
    if isinstance(question, Level):
        return Scale.LEVEL
    return Scale.COUNT if question.threshold_percent is None else Scale.PERCENT


def _threshold_of(question: Question, judged: float | None) -> float | None:
    """The line that a minute's number is held to. That of a band is each minute's own."""
    match question:
        case Share(threshold_percent=None):
            return (question.more_than or 0) / question.minutes
        case Share():
            return question.threshold_percent
        case Level(band_width=None):
            return judged if question.threshold is None else question.threshold
        case Level():
            return None
        case _:
            assert_never(question)


def _track(question: Question, buckets: Sequence[Bucket], since_at: datetime) -> Track:
    if isinstance(question, Share):
        return Track(
            minutes=tuple(_minute_of(bucket, since_at) for bucket in buckets),
            requests=tuple(bucket.requests for bucket in buckets),
            errors=tuple(bucket.errors for bucket in buckets),
        )
    known = [(bucket, bucket.value) for bucket in buckets if bucket.value is not None]
    limits = [bucket.limit for bucket, _ in known if bucket.limit is not None]
    return Track(
        minutes=tuple(_minute_of(bucket, since_at) for bucket, _ in known),
        requests=tuple(bucket.requests for bucket, _ in known),
        values=tuple(_rounded(value) for _, value in known),
        # A band that is not learned yet has no limit: then none of the line is drawn.
        limits=tuple(map(_rounded, limits)) if len(limits) == len(known) else (),
    )


def _minute_of(bucket: Bucket, since_at: datetime) -> int:
    return round((bucket.start_at - since_at) / MINUTE)


def _rounded(number: float) -> float:
    """As exact as a picture can show, in a third of the characters."""
    return float(f"{number:.{SIGNIFICANT}g}")


def _first(track: Track, count: int) -> Track:
    return Track(
        minutes=track.minutes[:count],
        requests=track.requests[:count],
        errors=track.errors[:count],
        values=track.values[:count],
        limits=track.limits[:count],
    )


def _joined(one: Track, other: Track) -> Track:
    limits = (*one.limits, *other.limits)
    count = len(one.minutes) + len(other.minutes)
    return Track(
        minutes=(*one.minutes, *other.minutes),
        requests=(*one.requests, *other.requests),
        errors=(*one.errors, *other.errors),
        values=(*one.values, *other.values),
        limits=limits if len(limits) == count else (),
    )
