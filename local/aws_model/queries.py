"""``MetricDataQuery`` lists: metric series and expressions over them, for one range of periods."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from local.aws_model import expression, metric_math
from local.aws_model.errors import validation_error
from local.aws_model.expression import AnomalyBand
from local.aws_model.metrics import MINUTE, Metric, MetricStore, Statistic

MAX_QUERIES = 500
_ID = re.compile(r"[a-z]\w*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricStat:
    """A statistic of one metric over a period of whole minutes.

    High-resolution periods (1 to 30 seconds) are refused: nothing here records them.
    """

    metric: Metric
    period: timedelta
    statistic: Statistic
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.period < MINUTE or self.period % MINUTE:
            raise validation_error("The model serves periods that are a multiple of 60 seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One entry of ``Metrics`` or ``MetricDataQueries``: a metric statistic or an expression.

    Exactly one of ``stat`` and ``expression`` is given. ``id`` matches ``[a-z][a-zA-Z0-9_]*``
    (SDK model, ``MetricDataQuery.Id``).
    """

    id: str
    stat: MetricStat | None = None
    expression: str | None = None
    label: str | None = None
    return_data: bool = True

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise validation_error(
                f"The value {self.id} for parameter Id is not matching the expected pattern "
                "^[a-z][a-zA-Z0-9_]*$."
            )
        if (self.stat is None) == (self.expression is None):
            raise validation_error(
                f"The query {self.id} must have exactly one of MetricStat and Expression."
            )
        if self.expression is not None:
            expression.parse(self.expression)

    def text(self) -> str:
        """Return the label that an answer shows for this query."""
        if self.label is not None:
            return self.label
        return self.id if self.stat is None else self.stat.metric.name

    @property
    def band(self) -> AnomalyBand | None:
        """The anomaly detection band that the expression is, if it is one."""
        tree = None if self.expression is None else expression.parse(self.expression)
        return tree if isinstance(tree, AnomalyBand) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A range of periods: the start of each one, oldest first, and the instant of the query."""

    periods: tuple[datetime, ...]
    period: timedelta
    seen_at: datetime

    @classmethod
    def of(cls, *, start: datetime, period: timedelta, count: int, seen_at: datetime) -> "Window":
        """Return ``count`` periods from ``start``, which must be a whole minute."""
        return cls(
            periods=tuple(start + index * period for index in range(count)),
            period=period,
            seen_at=seen_at,
        )


def check(queries: Sequence[Query]) -> None:
    """Refuse a list of queries that CloudWatch refuses.

    Raises:
        ModelError: ValidationError for no query or more than 500, a repeated id, no query that
            returns data, an expression over an unknown id or over an anomaly detection band, and
            expressions in a circle.
    """
    if not 1 <= len(queries) <= MAX_QUERIES:
        raise validation_error(f"There must be between 1 and {MAX_QUERIES} MetricDataQueries.")
    ids = [query.id for query in queries]
    if len(set(ids)) != len(ids):
        raise validation_error("The values for parameter Id are not unique.")
    if not any(query.return_data for query in queries):
        raise validation_error("At least one query must return data.")
    order(queries)


def order(queries: Sequence[Query], needed: Sequence[str] | None = None) -> tuple[Query, ...]:
    """Return the queries so that each one comes after those that it refers to.

    Args:
        queries: all that may be referred to.
        needed: the ids to begin with; what none of them needs is left out. None means all.
    """
    by_id = {query.id: query for query in queries}
    done: dict[str, Query] = {}

    def visit(query: Query, above: tuple[str, ...]) -> None:
        if query.id in above:
            raise validation_error(f"The expression of {query.id} refers to itself.")
        if query.id in done:
            return
        for name in sorted(expression.names(expression.parse(query.expression or "0"))):
            if name not in by_id:
                raise validation_error(
                    f"The expression of {query.id} refers to an unknown id: {name}"
                )
            if by_id[name].band is not None:
                raise validation_error(
                    f"The expression of {query.id} refers to a band, which is not modelled: {name}"
                )
            visit(by_id[name], (*above, query.id))
        done[query.id] = query

    for query in queries:
        if needed is None or query.id in needed:
            visit(query, ())
    return tuple(done.values())


def read_stat(
    store: MetricStore, stat: MetricStat, window: Window
) -> tuple[metric_math.Series, dict[datetime, float]]:
    """Return a metric's series in the window, and the number of samples behind each datapoint."""
    series: metric_math.Series = {}
    samples: dict[datetime, float] = {}
    for start in window.periods:
        if not store.has_samples(stat.metric, start, stat.period):
            continue
        found = store.datapoint(
            stat.metric,
            stat.statistic,
            start=start,
            period=stat.period,
            seen_at=window.seen_at,
            unit=stat.unit,
        )
        if found is not None:
            series[start] = found.value
            samples[start] = found.sample_count
    return series, samples


def read(
    store: MetricStore, queries: Sequence[Query], windows: Mapping[str, Window]
) -> dict[str, metric_math.Series | metric_math.Band]:
    """Evaluate each query; the result holds those that return data, in the order given.

    Args:
        store: the samples.
        queries: a checked list.
        windows: the range of each query, by id.

    Raises:
        ModelError: ValidationError where a query that returns data is a scalar.
    """
    known = _values(store, order(queries), windows)
    results: dict[str, metric_math.Series | metric_math.Band] = {}
    for query in queries:
        if not query.return_data:
            continue
        if query.band is not None:
            results[query.id] = _band(store, queries, query.band, windows[query.id])
            continue
        value = known[query.id]
        if not isinstance(value, dict):
            raise validation_error(f"The query {query.id} returns a scalar, not a time series.")
        results[query.id] = value
    return results


def _values(
    store: MetricStore, ordered: Sequence[Query], windows: Mapping[str, Window]
) -> dict[str, metric_math.Value]:
    """Evaluate all queries but the bands."""
    known: dict[str, metric_math.Value] = {}
    for query in ordered:
        window = windows[query.id]
        if query.stat is not None:
            known[query.id] = read_stat(store, query.stat, window)[0]
        elif query.expression is not None:
            tree = expression.parse(query.expression)
            if not isinstance(tree, AnomalyBand):
                known[query.id] = metric_math.evaluate(tree, known, window.periods)
    return known


def _band(
    store: MetricStore, queries: Sequence[Query], band: AnomalyBand, window: Window
) -> metric_math.Band:
    """Return a band over the window, learned from the history of what it names."""
    back = (metric_math.GAP + metric_math.TRAINING) // window.period
    past = Window.of(
        start=window.periods[0] - back * window.period,
        period=window.period,
        count=back + len(window.periods),
        seen_at=window.seen_at,
    )
    needed = order(queries, (band.series,))
    history = _values(store, needed, {query.id: past for query in needed})[band.series]
    if not isinstance(history, dict):
        raise validation_error("ANOMALY_DETECTION_BAND takes a time series.")
    return metric_math.anomaly_band(
        history, width=band.width, periods=window.periods, period=window.period
    )
