"""A record of one account as one policy sees it, in one JSON file: the form, read and written.

`backtest --export` writes it, `backtest --from` and `explain --facts` read it; it may be written by
hand. Version 1; docs/backtest.md has every member.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Struct, field

from rollback_responder.domain.controls import Controls
from rollback_responder.domain.document import COUNTABLE, Doc, Limits, Reader, write
from rollback_responder.domain.errors import DocumentError, Problem
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.metric import Series
from rollback_responder.domain.release import Ledger, Observation
from rollback_responder.domain.rollout import Sight
from rollback_responder.domain.signal import AlarmReading
from rollback_responder.domain.situation import Switches
from rollback_responder.metrics.recorded import Track

FILE = "history.json"


class Dimension(Struct, frozen=True, kw_only=True):
    """One dimension of a metric."""

    name: Annotated[str, Doc("Its name.")]
    value: Annotated[str, Doc("Its value.")]


class Recorded(Struct, frozen=True, kw_only=True):
    """One series of one-minute datapoints. `minutes` and `values` go together."""

    namespace: Annotated[str, Doc("The metric's namespace.")]
    metric: Annotated[str, Doc("The metric's name.")]
    dimensions: Annotated[tuple[Dimension, ...], Doc("Its dimensions.")] = ()
    statistic: Annotated[str, Doc("Its statistic, as CloudWatch spells it.")]
    band_width: Annotated[
        float | None, Doc("The upper edge of the band of that width, instead of the metric itself.")
    ] = None
    from_at: Annotated[datetime, Doc("What `minutes` are counted from; a whole minute.")]
    minutes: Annotated[
        tuple[Annotated[int, Limits(0, 100_000)], ...], Doc("Which minutes have a datapoint.")
    ]
    values: Annotated[tuple[float, ...], Doc("Their datapoints.")]

    def track(self) -> Track:
        """The same as it is looked up."""
        return Track(
            starts=[self.from_at + number * MINUTE for number in self.minutes], values=self.values
        )


class RecordedAlarm(Struct, frozen=True, kw_only=True):
    """An alarm, and every state that it entered, oldest first; each holds until the next."""

    name: Annotated[str, Doc("The alarm's name.")]
    readings: Annotated[tuple[AlarmReading, ...], Doc("The states that it entered.")]


class Stay(Struct, frozen=True, kw_only=True):
    """Where a pointer stood from then on. Without a version it did not exist."""

    from_at: Annotated[datetime, Doc("From when.")]
    primary: Annotated[str | None, Doc("The version that it points to.")] = None
    other: Annotated[str | None, Doc("The second version of a weighted alias.")] = None
    revision: Annotated[str | None, Doc("Its revision, where that is known.")] = None
    marker: Annotated[str | None, Doc("The claim that put it there, if it was ours.")] = None
    by: Annotated[str | None, Doc("How this is known.")] = None

    def observation(self) -> Observation | None:
        """The same as it would have been observed."""
        if self.primary is None:
            return None
        return Observation(
            primary=self.primary,
            other=self.other,
            revision=self.revision or f"at {self.from_at.isoformat()}",
            marker=self.marker,
        )


class Version(Struct, frozen=True, kw_only=True):
    """A version, and the hash of its code; without one it has been deleted."""

    version: Annotated[str, Doc("The version.")]
    code_sha256: Annotated[str | None, Doc("The hash of its code.")] = None


class RecordedPointer(Struct, frozen=True, kw_only=True):
    """A pointer, by its target id, and everywhere it stood."""

    target: Annotated[str, Doc("The target, such as lambda_alias/shop/live.")]
    stays: Annotated[tuple[Stay, ...], Doc("Where it stood, oldest first.")]
    versions: Annotated[tuple[Version, ...], Doc("The versions that are known.")] = ()


class Phased(Struct, frozen=True, kw_only=True):
    """How a rollout looked from then on. Without a sight it did not exist."""

    from_at: Annotated[datetime, Doc("From when.")]
    sight: Annotated[Sight | None, Doc("How it looked.")] = None


class RecordedRollout(Struct, frozen=True, kw_only=True):
    """A rollout, by its target id, and how it looked in time."""

    target: Annotated[str, Doc("The target, such as codedeploy_group/shop/live.")]
    phases: Annotated[tuple[Phased, ...], Doc("How it looked, oldest first.")]


class KeptLedger(Struct, frozen=True, kw_only=True):
    """What the journal holds of one target."""

    target: Annotated[str, Doc("The target's id.")]
    ledger: Annotated[Ledger, Doc("Its ledger.")]


class KeptRow(Struct, frozen=True, kw_only=True):
    """What the journal held of a service when the record ends."""

    service: Annotated[str, Doc("The service's name.")]
    ledgers: Annotated[tuple[KeptLedger, ...], Doc("The ledgers of its targets.")] = ()
    incident: Annotated[Incident | None, Doc("Its latest incident.")] = None
    controls: Annotated[Controls, Doc("What people said of it.")] = field(default_factory=Controls)


class History(Struct, frozen=True, kw_only=True):
    """The whole record. What it does not mention was not there."""

    version: Annotated[Literal[1], Doc("The version of this form.")] = 1
    region: Annotated[str, Doc("The region that was read.")]
    from_at: Annotated[datetime, Doc("When the record begins.")]
    to_at: Annotated[datetime, Doc("When it ends; `explain` looks from there.")]
    judged_from_at: Annotated[
        datetime | None, Doc("From when there are minutes; from the begin, where left out.")
    ] = None
    alarms: Annotated[tuple[RecordedAlarm, ...], Doc("The alarms.")] = ()
    pointers: Annotated[tuple[RecordedPointer, ...], Doc("The pointers.")] = ()
    rollouts: Annotated[tuple[RecordedRollout, ...], Doc("The rollouts.")] = ()
    series: Annotated[tuple[Recorded, ...], Doc("What was measured.")] = ()
    rows: Annotated[tuple[KeptRow, ...], Doc("The journal when the record ends.")] = ()
    switches: Annotated[Switches, Doc("The pause, and this hour's budget.")] = field(
        default_factory=Switches
    )
    unknown: Annotated[tuple[str, ...], Doc("What could not be read, a sentence each.")] = ()

    @property
    def begins_at(self) -> datetime:
        """When there is first something to judge."""
        return max(self.from_at, self.judged_from_at or self.from_at)

    def tracks(self) -> dict[Series, Track]:
        """What was measured, by series."""
        return {series_of(one): one.track() for one in self.series if one.band_width is None}

    def bands(self) -> dict[tuple[Series, float], Track]:
        """The upper edges of bands, by series and width."""
        return {
            (series_of(one), one.band_width): one.track()
            for one in self.series
            if one.band_width is not None
        }


def series_of(one: Recorded) -> Series:
    """Which series it is, whatever metric math calls it."""
    return Series(
        id="",
        namespace=one.namespace,
        metric_name=one.metric,
        dimensions=tuple((each.name, each.value) for each in one.dimensions),
        statistic=one.statistic,
    )


def recorded(
    series: Series, points: dict[datetime, float], *, band_width: float | None = None
) -> Recorded:
    """A series in this form."""
    starts = sorted(points)
    from_at = starts[0] if starts else datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    return Recorded(
        namespace=series.namespace,
        metric=series.metric_name,
        dimensions=tuple(Dimension(name=n, value=v) for n, v in series.dimensions),
        statistic=series.statistic,
        band_width=band_width,
        from_at=from_at,
        minutes=tuple((at - from_at) // timedelta(minutes=1) for at in starts),
        values=tuple(points[at] for at in starts),
    )


def load(path: Path) -> History:
    """Reads a record; `path` is the file, or the folder that it lies in.

    Raises:
        DocumentError: it cannot be read; with every problem, each with its path.
    """
    file = path / FILE if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = Problem(
            path=str(file),
            got=f"{type(error).__name__}: {error}",
            allowed="a record that `rollback backtest --export` wrote",
            change="name its file or its folder",
        )
        raise DocumentError("the record", (problem,)) from error
    reader = Reader(years=COUNTABLE)
    found = reader.read(History, document, "")
    problems = [*reader.problems, *(_problems(found) if found else ())]
    if found is None or problems:
        raise DocumentError(f"the record {file}", tuple(problems))
    return found


def _problems(history: History) -> list[Problem]:
    """What the types cannot say."""
    return [
        Problem(
            path=f"series[{number}].values",
            got=f"{len(one.values)} values for {len(one.minutes)} minutes",
            allowed="one value for each minute, the minutes in order",
            change="export the record again",
        )
        for number, one in enumerate(history.series)
        if len(one.values) != len(one.minutes) or list(one.minutes) != sorted(set(one.minutes))
    ]


def save(history: History, folder: Path) -> Path:
    """Writes a record into a folder; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    file.write_text(json.dumps(write(history), sort_keys=True) + "\n", encoding="utf-8")
    return file
