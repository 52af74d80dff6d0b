"""Reading the minutes of every series that the house may ask about, day by day, into a record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.cli.history import Recorded, recorded
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.metric import (
    Level,
    Question,
    Series,
    question_of,
    tells_versions_apart,
)
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate
from rollback_responder.metrics.cloudwatch import band_query, metric_query
from rollback_responder.metrics.recorded import bare

T = TypeVar("T")
DAY = timedelta(days=1)
# 1,440 minutes of so many series stay below the 100,800 datapoints of one call.
SERIES_A_CALL = 60

# Says on the way what is read.
Progress = Callable[[str], None]


class SeriesReader:
    """Reads what one policy may ask CloudWatch. `client` gives clients that only read."""

    def __init__(
        self,
        policy: Policy,
        client: Callable[[str], Any],
        *,
        span: tuple[datetime, datetime],
        progress: Progress,
    ) -> None:
        self._policy, self._client, self._progress = policy, client, progress
        self._from_at, self._to_at = span
        self._unfinished: list[str] = []

    def read(
        self, versions: Mapping[Pointer, Sequence[str]]
    ) -> tuple[tuple[Recorded, ...], list[str]]:
        """Every series that the house may ask about, and in words what was given in part only.

        Raises:
            MeasurementError: CloudWatch could not be read.
        """
        questions = list(self._questions(versions))
        wanted = list(dict.fromkeys(bare(one) for q in questions for one in q.series))
        bands = {
            (bare(q.value), width)
            for q in questions
            if isinstance(q, Level)
            for width in (q.band_width, q.alarm_band)
            if width is not None
        }
        points: dict[Series, dict[datetime, float]] = {one: {} for one in wanted}
        edges: dict[tuple[Series, float], dict[datetime, float]] = {key: {} for key in bands}
        for begin in _days(self._from_at, self._to_at):
            self._progress(f"minutes of {begin:%Y-%m-%d}, {len(wanted)} series")
            end = min(begin + DAY, self._to_at)
            for number in range(0, len(wanted), SERIES_A_CALL):
                self._read_day(wanted[number : number + SERIES_A_CALL], begin, end, points)
            for key in bands:
                self._read_band(key, begin, end, edges[key])
        series = [recorded(one, found) for one, found in points.items()]
        series += [recorded(one, found, band_width=w) for (one, w), found in edges.items()]
        return tuple(series), self._unfinished

    def _questions(self, versions: Mapping[Pointer, Sequence[str]]) -> Iterator[Question]:
        for pointer in versions:
            # What a release proves itself on, and what tells who served.
            for version in (None, *versions[pointer]):
                traffic = ErrorRate(threshold_percent=50)
                yield question_of(traffic, pointer, version=version)
        for entry in self._policy.watched():
            trigger = entry.trigger
            if isinstance(trigger, AdoptedAlarm):
                continue
            yield question_of(trigger, entry.pointer)
            if entry.pointer and tells_versions_apart(trigger):
                for version in versions[entry.pointer]:
                    yield question_of(trigger, entry.pointer, version=version)

    def _read_day(
        self,
        wanted: list[Series],
        begin: datetime,
        end: datetime,
        points: dict[Series, dict[datetime, float]],
    ) -> None:
        queries = [metric_query(f"s{number}", one) for number, one in enumerate(wanted)]
        for result in self._data(queries, begin, end):
            series = wanted[int(result["Id"][1:])]
            points[series].update(zip(result["Timestamps"], result["Values"], strict=True))

    def _read_band(
        self,
        key: tuple[Series, float],
        begin: datetime,
        end: datetime,
        edges: dict[datetime, float],
    ) -> None:
        series, width = key
        queries = [
            metric_query("s0", series) | {"ReturnData": False},
            band_query("b0", "s0", width),
        ]
        for result in self._data(queries, begin, end):
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                # Of a band's two edges the upper one.
                edges[at] = max(value, edges.get(at, value))

    def _data(self, queries: list[Any], begin: datetime, end: datetime) -> Iterator[Any]:
        client = self._client("cloudwatch")
        pages = called(
            "GetMetricData",
            lambda: list(
                client.get_paginator("get_metric_data").paginate(
                    MetricDataQueries=queries,
                    StartTime=begin,
                    EndTime=end,
                    ScanBy="TimestampAscending",
                )
            ),
        )
        # PartialData on one page of a series is mended by Complete on a later one.
        partial_ids: set[tuple[str, str]] = set()
        for page in pages:
            for result in page["MetricDataResults"]:
                status, key = result["StatusCode"], (result["Id"], result.get("Label", ""))
                if status == "Complete":
                    partial_ids.discard(key)
                elif status == "PartialData":
                    partial_ids.add(key)
                else:
                    raise MeasurementError(f"GetMetricData: {status}")
                yield result
        if partial_ids:
            self._unfinished.append(
                f"CloudWatch gave only a part of {len(partial_ids)} series of {begin:%Y-%m-%d}"
            )


def _days(since_at: datetime, until_at: datetime) -> Iterator[datetime]:
    at = since_at.replace(second=0, microsecond=0)
    while at < until_at:
        yield at
        at += DAY


def called(what: str, call: Callable[[], T]) -> T:
    """What a read of AWS answers.

    Raises:
        MeasurementError: it could not be read.
    """
    try:
        return call()
    except AwsError as error:
        raise MeasurementError(f"{what} could not be read: {name_of(error)}") from error
