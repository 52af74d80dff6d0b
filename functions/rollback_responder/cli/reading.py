"""Reading an account into a record: alarms, minutes, releases, deployments, updates, the journal.

Facts relied on (API references, as in the SDK's service models, unless stated):
DescribeAlarmHistory also keeps the history of deleted alarms, and pages by 100; it goes back two
weeks (AWS blog, "Extending and exploring alarm history in Amazon CloudWatch"; the API reference
does not say).
GetMetricData answers at most 500 metrics and 100,800 datapoints a call; minutes are kept for 15
days. ListVersionsByFunction pages by 50 and knows no deleted version. ListDeployments filters by
when a deployment was created; DescribeStackEvents goes back 90 days.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from msgspec.structs import replace

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
    series_of,
)
from rollback_responder.cli.kept import Kept
from rollback_responder.cli.releases import known_stays, stays_of
from rollback_responder.cli.series_reading import Progress, SeriesReader, called
from rollback_responder.domain.metric import (
    Series,
    question_of,
)
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import CodeDeployGroup, Pointer, Rollout
from rollback_responder.domain.trigger import ErrorRate
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from rollback_responder.metrics.recorded import bare

T = TypeVar("T")
DAY = timedelta(days=1)
# CloudWatch user guide, "Metrics retention": one-minute datapoints.
MINUTES_KEPT = 15 * DAY
# Versions that were published before the record begins and may have been live in it.
OLDER_VERSIONS = 5


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
        if self._judged_from_at > self._from_at:
            self._unknown.append(
                f"no minutes before {self._judged_from_at:%Y-%m-%d %H:%M} UTC: CloudWatch keeps"
                " them for 15 days, and five-minute datapoints are not judged as if they were"
                " minutes"
            )
        versions = {pointer: self._versions(pointer) for pointer in self._pointers}
        reader = SeriesReader(
            self._policy,
            self._client,
            span=(self._judged_from_at, self._to_at),
            progress=self._progress,
        )
        names = {p: [each["Version"] for each in found] for p, found in versions.items()}
        series, unfinished = reader.read(names)
        self._unknown += unfinished
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
        pages = called(
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

    # -- releases -------------------------------------------------------------------------------

    def _versions(self, pointer: Pointer) -> list[Any]:
        """The versions that may have been live, oldest first."""
        self._progress(f"versions of {pointer.function}")
        client = self._client("lambda")
        pages = called(
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


def _published(version: Mapping[str, Any]) -> datetime:
    """Lambda writes 2026-11-22T04:11:05.123+0000 (API reference, FunctionConfiguration)."""
    return datetime.fromisoformat(version["LastModified"])
