"""Figures: how soon, how often and how rightly, of one incident and of many.

What one incident adds is counted when it happens (`of_latest`), for CloudWatch. What many come to
is computed from the journal (`summary`), for the digest and whoever asks; both by these formulas:

- to action: from the alarm to the rollback's begin. Not of one that was judged before its alarm.
- to back: from the alarm (or that judgement) to when everything was where it belongs. This is the
  rollback time of the targets; waiting for a person is part of it.
- to recovery: from the same to the proof that it helped, the minutes of the proof included.
- success: of the rollbacks that are over, those that are proved to have helped. Unknown is not.
- false: of the rollbacks that somebody labelled, those labelled wrong. Unlabelled ones say nothing.

A rollback that somebody else began is followed and told, but counts in none of these. Nothing is
counted by service: a mean of the two rollbacks that a service has in a year says nothing, and what
each of them took is in the journal.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from rollback_responder.domain import naming
from rollback_responder.domain.incident import OPEN, Incident, State
from rollback_responder.domain.reason import Reason

# The targets of the runbooks ("Rollback Metrics and KPIs").
MEAN_ROLLBACK_TIME = timedelta(minutes=15)
SUCCESS_PERCENT = 95
FALSE_PERCENT = 5
# The fourth is kept by construction and measured nowhere: no data store is ever rolled back.
DATA_LOSSES = 0

# How a rollback may end.
OUTCOMES = tuple(state for state in State if state not in OPEN and state is not State.STOOD_DOWN)


class Unit(StrEnum):
    """CloudWatch's words for units (CloudWatch API, MetricDatum)."""

    COUNT = "Count"
    SECONDS = "Seconds"


class Figure(Struct, frozen=True, kw_only=True):
    """One number for CloudWatch."""

    name: str
    value: float
    unit: Unit = Unit.COUNT


# -- of one incident ------------------------------------------------------------------------------


def outcome_of(incident: Incident) -> State | None:
    """How its rollback ended; None where there was none, it is not over, or it was not ours."""
    tried = incident.acted_at is not None or incident.state is State.INDETERMINATE
    return incident.state if tried and not incident.is_open and not incident.adopted else None


def to_action(incident: Incident) -> timedelta | None:
    """From the alarm to the rollback's begin."""
    if incident.acted_at is None or incident.early or incident.adopted:
        return None
    return max(timedelta(0), incident.acted_at - incident.alarm_since_at)


def to_back(incident: Incident) -> timedelta | None:
    """From the alarm, or the judgement before it, to when everything was back."""
    if incident.back_at is None or incident.adopted:
        return None
    return max(timedelta(0), incident.back_at - incident.alarm_since_at)


def to_recovery(incident: Incident) -> timedelta | None:
    """From the alarm, or the judgement before it, to the proof that the rollback helped."""
    if outcome_of(incident) is not State.FIXED:
        return None
    return max(timedelta(0), incident.steps[-1].at - incident.alarm_since_at)


def of_latest(incident: Incident) -> Iterator[Figure]:
    """What the latest step of an incident adds to the figures."""
    if incident.drill:
        return
    last = incident.steps[-1]
    yield Figure(name=last.reason.value, value=1)
    if incident.acted_at == last.at:
        yield from _lasted(naming.SECONDS_TO_ACTION, to_action(incident))
    outcome = outcome_of(incident)
    if outcome:
        # The others are counted as none: a rate can be computed from the first rollback on.
        for state in OUTCOMES:
            yield Figure(name=naming.rollback_count(state.value), value=int(state is outcome))
        yield from _lasted(naming.SECONDS_TO_BACK, to_back(incident))
        yield from _lasted(naming.SECONDS_TO_RECOVERY, to_recovery(incident))


def of_open(incidents: Iterable[Incident], now: datetime) -> Iterator[Figure]:
    """How many incidents are open, and for how long the oldest of them."""
    ages = [now - incident.opened_at for incident in incidents]
    oldest = max(ages, default=timedelta(0))
    yield Figure(name=naming.INCIDENTS_OPEN, value=len(ages))
    yield from _lasted(naming.OLDEST_OPEN_SECONDS, max(timedelta(0), oldest))


def of_label(*, right: bool) -> tuple[Figure, Figure]:
    """What a person's judgement of a rollback adds: whoever takes a label counts it so."""
    return (
        Figure(name=naming.LABELLED_RIGHT, value=int(right)),
        Figure(name=naming.LABELLED_WRONG, value=int(not right)),
    )


def _lasted(name: str, duration: timedelta | None) -> Iterator[Figure]:
    if duration is not None:
        yield Figure(name=name, value=duration.total_seconds(), unit=Unit.SECONDS)


# -- of many --------------------------------------------------------------------------------------


class Times(Struct, frozen=True, kw_only=True):
    """How long something took, so many times; None where it never happened."""

    count: int
    mean: timedelta | None
    median: timedelta | None
    p90: timedelta | None


class Summary(Struct, frozen=True, kw_only=True):
    """What many incidents come to.

    Attributes:
        outcomes: how the rollbacks that are over ended, and how often.
        adopted: rollbacks that somebody else began.
        stood_down: why nothing was done, the most frequent first.
        right, wrong: what people said of the rollbacks.
    """

    outcomes: Mapping[State, int]
    adopted: int
    stood_down: tuple[tuple[Reason, int], ...]
    right: int
    wrong: int
    to_action: Times
    to_back: Times
    to_recovery: Times

    @property
    def rollbacks(self) -> int:
        """Rollbacks that are over, or may be."""
        return sum(self.outcomes.values())

    @property
    def saves(self) -> int:
        """Rollbacks that are proved to have helped."""
        return self.outcomes.get(State.FIXED, 0)

    @property
    def success_percent(self) -> float | None:
        """How many of the rollbacks helped, or None where there were none."""
        return 100 * self.saves / self.rollbacks if self.rollbacks else None

    @property
    def false_percent(self) -> float | None:
        """How many of the labelled rollbacks were wrong, or None where nobody labelled any."""
        labelled = self.right + self.wrong
        return 100 * self.wrong / labelled if labelled else None

    @property
    def missed(self) -> tuple[str, ...]:
        """The targets that are missed, in words; of what nothing is known none is."""
        told = []
        mean = self.to_back.mean
        if mean is not None and mean >= MEAN_ROLLBACK_TIME:
            told.append(
                f"mean rollback time under {MEAN_ROLLBACK_TIME // timedelta(minutes=1)} min"
            )
        if self.success_percent is not None and self.success_percent <= SUCCESS_PERCENT:
            told.append(f"success over {SUCCESS_PERCENT} %")
        if self.false_percent is not None and self.false_percent >= FALSE_PERCENT:
            told.append(f"false rollbacks under {FALSE_PERCENT} %")
        return tuple(told)


def summary(incidents: Sequence[Incident], labels: Mapping[str, bool]) -> Summary:
    """What incidents that are over come to.

    Args:
        incidents: each once, as it ended; open ones say nothing yet, and drills nothing at all.
        labels: whether it was right, by the incident's id, where somebody said so.
    """
    over = [incident for incident in incidents if not incident.is_open and not incident.drill]
    ended = [(incident.id, outcome) for incident in over if (outcome := outcome_of(incident))]
    said = [labels[incident_id] for incident_id, _ in ended if incident_id in labels]
    stood_down = Counter(i.reason for i in over if i.state is State.STOOD_DOWN)
    return Summary(
        outcomes=dict(Counter(outcome for _, outcome in ended)),
        adopted=sum(incident.adopted for incident in over),
        # Where two are as frequent, the order of the reasons; so the same week reads the same.
        stood_down=tuple(sorted(stood_down.items(), key=lambda pair: (-pair[1], pair[0]))),
        right=said.count(True),
        wrong=said.count(False),
        to_action=_times(map(to_action, over)),
        to_back=_times(map(to_back, over)),
        to_recovery=_times(map(to_recovery, over)),
    )


def _times(durations: Iterable[timedelta | None]) -> Times:
    known = sorted(duration for duration in durations if duration is not None)
    mean = sum(known, timedelta(0)) / len(known) if known else None
    return Times(
        count=len(known), mean=mean, median=percentile(known, 50), p90=percentile(known, 90)
    )


def percentile(ordered: Sequence[timedelta], percent: int) -> timedelta | None:
    """The nearest rank: the smallest that at least so many percent are not above."""
    if not ordered:
        return None
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
