"""Reading an account into a record: alarms, minutes, releases, deployments, updates, the journal.

Facts relied on (API references, as in the SDK's service models, unless stated):
DescribeAlarmHistory also keeps the history of deleted alarms, and pages by 100; it goes back two
weeks (AWS blog, "Extending and exploring alarm history in Amazon CloudWatch"; the API reference
does not say). GetMetricData answers at most 500 metrics and 100,800 datapoints a call; minutes are
kept for 15 days. ListVersionsByFunction pages by 50 and knows no deleted version. ListDeployments
filters by when a deployment was created; DescribeStackEvents goes back 90 days.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, TypeVar

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.cli import rollout_history
from rollback_responder.cli.history import (
    History,
    KeptLedger,
    KeptRow,
    Phased,
    Recorded,
    RecordedAlarm,
    RecordedPointer,
    RecordedRollout,
    Version,
    recorded,
    series_of,
)
from rollback_responder.cli.releases import known_stays, stays_of
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.metric import (
    Level,
    Question,
    Series,
    question_of,
    tells_versions_apart,
)
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.target import CodeDeployGroup, Pointer, Rollout
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate
from rollback_responder.journal.codec import decode_incident
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics, band_query, metric_query
from rollback_responder.metrics.recorded import bare
from rollback_responder.ports import Row

T = TypeVar("T")
DAY = timedelta(days=1)
# CloudWatch user guide, "Metrics retention": one-minute datapoints.
MINUTES_KEPT = 15 * DAY
# 1,440 minutes of so many series stay below the 100,800 datapoints of one call.
SERIES_A_CALL = 60
# Versions that were published before the record begins and may have been live in it.
OLDER_VERSIONS = 5

# Says on the way what is read.
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the journal holds: rows by service, and every incident that is still kept."""

    rows: Mapping[str, Row]
    incidents: tuple[Incident, ...]
    switches: Switches


class Reader:
    """Reads what one policy would have seen. `client` gives clients that only read."""

    def __init__(
        self,
        policy: Policy,
        client: Callable[[str], Any],
        *,
        kept: Kept,
        span: tuple[datetime, datetime],
        progress: Progress,
    ) -> None:
        self._policy, self._kept, self._progress = policy, kept, progress
        self._client = client
        self._from_at, self._to_at = span
        self._unknown: list[str] = []

    def read(self) -> History:
        """The record.

        Raises:
            MeasurementError: AWS could not be read.
        """
        alarms = tuple(self._alarms())
        versions = {pointer: self._versions(pointer) for pointer in self._pointers}
        series = tuple(self._series(versions))
        tracks = {series_of(one): one for one in series}
        pointers = tuple(
            self._pointer(pointer, found, tracks) for pointer, found in versions.items()
        )
        rollouts = tuple(self._rollout(rollout) for rollout in self._rollouts)
        return History(
            region=str(self._client("cloudwatch").meta.region_name),
            from_at=self._from_at,
            to_at=self._to_at,
            judged_from_at=self._judged_from_at,
            alarms=alarms,
            pointers=pointers,
            rollouts=rollouts,
            series=series,
            rows=tuple(self._rows()),
            switches=self._kept.switches,
            unknown=tuple(self._unknown),
        )

    @cached_property
    def _pointers(self) -> list[Pointer]:
        return list(dict.fromkeys(p for s in self._policy.services for p in s.pointers))

    @cached_property
    def _rollouts(self) -> list[Rollout]:
        return list(dict.fromkeys(r for s in self._policy.services for r in s.rollouts))

    @property
    def _judged_from_at(self) -> datetime:
        return max(self._from_at, self._to_at - MINUTES_KEPT)

    # -- alarms ---------------------------------------------------------------------------------

    def _alarms(self) -> Iterator[RecordedAlarm]:
        names = [entry.alarm_name for entry in self._policy.watched()]
        names += [name for service in self._policy.services for name in service.dependencies]
        metrics = CloudWatchMetrics(self._client("cloudwatch"))
        present = metrics.read_alarms(set(names))
        for name in dict.fromkeys(names):
            self._progress(f"alarm {name}")
            now = present.get(name)
            if now is not None:
                now = replace(now, muted_by=metrics.muted_by(name))
            readings = _readings(self._transitions(name), now, self._from_at)
            if readings:
                yield RecordedAlarm(name=name, readings=readings)
            else:
                self._unknown.append(f"no history and no present state of the alarm {name}")

    def _transitions(self, name: str) -> list[tuple[datetime, AlarmState, AlarmState]]:
        """When, from which state, to which."""
        client = self._client("cloudwatch")
        pages = _called(
            f"history of {name}",
            lambda: list(
                client.get_paginator("describe_alarm_history").paginate(
                    AlarmName=name,
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                    HistoryItemType="StateUpdate",
                    StartDate=self._from_at,
                    EndDate=self._to_at,
                    ScanBy="TimestampAscending",
                )
            ),
        )
        found = []
        for item in (item for page in pages for item in page["AlarmHistoryItems"]):
            data = json.loads(item["HistoryData"])
            old, new = (data[key]["stateValue"] for key in ("oldState", "newState"))
            found.append((item["Timestamp"], AlarmState(old), AlarmState(new)))
        return found

    # -- minutes --------------------------------------------------------------------------------

    def _series(self, versions: Mapping[Pointer, list[Any]]) -> Iterator[Recorded]:
        """Every series that the house may ask about, day by day."""
        questions = list(self._questions(versions))
        wanted = list(dict.fromkeys(bare(one) for q in questions for one in q.series))
        bands = {
            (bare(q.value), width)
            for q in questions
            if isinstance(q, Level)
            for width in (q.band_width, q.alarm_band)
            if width is not None
        }
        first_at = self._judged_from_at
        if first_at > self._from_at:
            self._unknown.append(
                f"no minutes before {first_at:%Y-%m-%d %H:%M} UTC: CloudWatch keeps them for 15"
                " days, and five-minute datapoints are not judged as if they were minutes"
            )
        points: dict[Series, dict[datetime, float]] = {one: {} for one in wanted}
        edges: dict[tuple[Series, float], dict[datetime, float]] = {key: {} for key in bands}
        for begin in _days(first_at, self._to_at):
            self._progress(f"minutes of {begin:%Y-%m-%d}, {len(wanted)} series")
            end = min(begin + DAY, self._to_at)
            for number in range(0, len(wanted), SERIES_A_CALL):
                self._read_day(wanted[number : number + SERIES_A_CALL], begin, end, points)
            for key in bands:
                self._read_band(key, begin, end, edges[key])
        yield from (recorded(one, found) for one, found in points.items())
        yield from (recorded(one, found, band_width=w) for (one, w), found in edges.items())

    def _questions(self, versions: Mapping[Pointer, list[Any]]) -> Iterator[Question]:
        for pointer in self._pointers:
            # What a release proves itself on, and what tells who served.
            for version in (None, *(each["Version"] for each in versions[pointer])):
                traffic = ErrorRate(threshold_percent=50)
                yield question_of(traffic, pointer, version=version)
        for entry in self._policy.watched():
            trigger = entry.trigger
            if isinstance(trigger, AdoptedAlarm):
                continue
            yield question_of(trigger, entry.pointer)
            if entry.pointer and tells_versions_apart(trigger):
                for each in versions[entry.pointer]:
                    yield question_of(trigger, entry.pointer, version=each["Version"])

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
        pages = _called(
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
            self._unknown.append(
                f"CloudWatch gave only a part of {len(partial_ids)} series of {begin:%Y-%m-%d}"
            )

    # -- releases -------------------------------------------------------------------------------

    def _versions(self, pointer: Pointer) -> list[Any]:
        """The versions that may have been live, oldest first."""
        self._progress(f"versions of {pointer.function}")
        client = self._client("lambda")
        pages = _called(
            f"versions of {pointer.function}",
            lambda: list(
                client.get_paginator("list_versions_by_function").paginate(
                    FunctionName=pointer.function
                )
            ),
        )
        found = [v for page in pages for v in page["Versions"] if v["Version"].isdigit()]
        found.sort(key=lambda version: int(version["Version"]))
        young = [v for v in found if _published(v) >= self._from_at]
        return [*found[: len(found) - len(young)][-OLDER_VERSIONS:], *young]

    def _pointer(
        self, pointer: Pointer, versions: list[Any], tracks: Mapping[Series, Recorded]
    ) -> RecordedPointer:
        served = {}
        for each in versions:
            version = each["Version"]
            traffic = ErrorRate(threshold_percent=50)
            requests = question_of(traffic, pointer, version=version).series[0]
            track = tracks[bare(requests)].track()
            served[version] = dict(zip(track.starts, track.values, strict=True))
        ledger = self._ledger_of(pointer)
        known = known_stays(pointer, ledger, self._kept.incidents)
        published = {each["Version"]: _published(each) for each in versions}
        if not any(served.values()):
            self._unknown.append(
                f"CloudWatch does not tell the versions behind {pointer.title} apart: when each"
                " went live is taken from the journal, or guessed from when it was published"
            )
        return RecordedPointer(
            target=pointer.target_id,
            stays=stays_of(served, published, known, self._from_at),
            versions=tuple(
                Version(version=each["Version"], code_sha256=each.get("CodeSha256"))
                for each in versions
            ),
        )

    def _ledger_of(self, pointer: Pointer) -> Ledger:
        for row in self._kept.rows.values():
            if pointer.target_id in row.ledgers:
                return row.ledgers[pointer.target_id]
        return Ledger()

    # -- rollouts -------------------------------------------------------------------------------

    def _rollout(self, rollout: Rollout) -> RecordedRollout:
        self._progress(rollout.title)
        span = self._from_at, self._to_at
        try:
            if isinstance(rollout, CodeDeployGroup):
                client = self._client("codedeploy")
                phases = rollout_history.of_group(client, rollout, *span)
            else:
                client = self._client("cloudformation")
                phases = rollout_history.of_stack(client, rollout, *span)
        except AwsError as error:
            self._unknown.append(f"{rollout.title} could not be read: {name_of(error)}")
            phases = [Phased(from_at=self._from_at)]
        return RecordedRollout(target=rollout.target_id, phases=tuple(phases))

    # -- the journal ----------------------------------------------------------------------------

    def _rows(self) -> Iterator[KeptRow]:
        """As they are now: for `explain`. A replay begins with an empty journal."""
        for name, row in self._kept.rows.items():
            ledgers = [KeptLedger(target=t, ledger=kept) for t, kept in row.ledgers.items()]
            yield KeptRow(
                service=name,
                ledgers=tuple(ledgers),
                incident=row.incident,
                controls=row.controls,
            )


def kept_in(policy: Policy, client_of: Callable[[str], Any], table: str | None) -> Kept:
    """What the journal's table holds; nothing where none is named.

    Raises:
        JournalError: it could not be read.
    """
    services = [service.name for service in policy.services]
    if table is None:
        return Kept(rows={}, incidents=(), switches=Switches())
    dynamodb = client_of("dynamodb")
    rows = DynamoDbJournal(dynamodb, table, timedelta(0)).rows(services)
    found: list[Incident] = []
    for name in services:
        pages = _called(f"incidents of {name}", partial(_archive, dynamodb, table, name))
        items = [item for page in pages for item in page["Items"]]
        found += [decode_incident(item["archive"]["S"]) for item in items]
    return Kept(rows=rows, incidents=tuple(found), switches=Switches())


def _archive(dynamodb: Any, table: str, service: str) -> list[Any]:
    return list(
        dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={
                ":pk": {"S": f"service#{service}"},
                ":prefix": {"S": "incident#"},
            },
        )
    )


def _readings(
    transitions: list[tuple[datetime, AlarmState, AlarmState]],
    present: AlarmReading | None,
    from_at: datetime,
) -> tuple[AlarmReading, ...]:
    """Every state of an alarm, oldest first; the last one as it is read now, with all of it."""
    found = [AlarmReading(state=new, transitioned_at=at) for at, _, new in transitions]
    if transitions and transitions[0][0] > from_at:
        found.insert(0, AlarmReading(state=transitions[0][1], transitioned_at=from_at))
    if present is None:
        return tuple(found)
    if not found or present.transitioned_at > found[-1].transitioned_at:
        return (*found, present)
    if present.state is found[-1].state:
        return (*found[:-1], replace(present, transitioned_at=found[-1].transitioned_at))
    return tuple(found)


def _days(since_at: datetime, until_at: datetime) -> Iterator[datetime]:
    at = since_at.replace(second=0, microsecond=0)
    while at < until_at:
        yield at
        at += DAY


def _published(version: Mapping[str, Any]) -> datetime:
    """Lambda writes 2026-11-22T04:11:05.123+0000 (API reference, FunctionConfiguration)."""
    return datetime.fromisoformat(version["LastModified"])


def _called(what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except AwsError as error:
        raise MeasurementError(f"{what} could not be read: {name_of(error)}") from error
