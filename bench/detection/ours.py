"""The product's own judgement, called minute by minute as the product calls it.

At the end of each minute and the metric's lag after it, `assess` is given what CloudWatch would
show: the last ten minutes while traffic is shifting, and all since an hour before the deploy where
the new version took all traffic at once. The minute that is under way is not visible yet.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import numpy as np

from bench.detection.rivals import latest
from bench.detection.traffic import (
    HISTORY,
    LAG,
    WATCH,
    Counts,
    Flags,
    Traffic,
    may_be_due,
)
from rollback_responder.domain import judging
from rollback_responder.domain.assessment import assess
from rollback_responder.domain.measurement import MINUTE, Bucket, Measurement
from rollback_responder.domain.metric import EVIDENCE_MINUTES, Share, question_of
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.domain.trigger import ErrorRate

THRESHOLD_PERCENT = 5.0
LAG_TIME = timedelta(seconds=LAG)
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
# When each minute begins; minute 0 is at HISTORY.
INSTANTS = [BEGIN + index * MINUTE for index in range(-HISTORY, WATCH)]

# Whether a rollback is what the numbers ask for.
Judge = Callable[[Share, Measurement, datetime, Collection[datetime], bool], bool]


def _question(trigger: ErrorRate) -> Share:
    found = question_of(trigger, LambdaAlias(function="orders", alias="live"))
    if not isinstance(found, Share):
        raise TypeError(f"an error rate is a share, not {found}")
    return found


QUESTION = _question(ErrorRate(threshold_percent=THRESHOLD_PERCENT))
# What the product offers for services whose errors come in bursts.
QUESTION_3_OF_5 = _question(
    ErrorRate(threshold_percent=THRESHOLD_PERCENT, minutes=5, breaching_minutes=3)
)


def product_judge(
    question: Share,
    measurement: Measurement,
    changed_at: datetime,
    excused: Collection[datetime],
    shifting: bool,  # noqa: FBT001 - as `assess` has it
) -> bool:
    """The code under test."""
    found = assess(
        question,
        measurement,
        changed_at=changed_at,
        lag=LAG_TIME,
        shifting=shifting,
        excused=excused,
    )
    return found.convicts


def acts(
    traffic: Traffic,
    judge: Judge = product_judge,
    *,
    question: Share = QUESTION,
    allowed: Flags | None = None,
    excused: Flags | None = None,
    apart: bool = True,
    skip: bool = True,
) -> Flags:
    """The first minute of each run in which the product would roll back.

    Args:
        traffic: what was counted.
        judge: what decides; the product's unless a test says otherwise.
        question: what is asked.
        allowed: the minutes in which the gates do not object, [runs, WATCH]; None for all.
        excused: the minutes in which siblings fail, [runs, HISTORY + WATCH].
        apart: whether CloudWatch tells the versions apart.
        skip: whether to leave out the minutes that `worth_a_look` excludes.

    Returns:
        [runs, WATCH], at most one minute of each run.
    """
    look = may_be_due(traffic)
    if skip:
        look = look & worth_a_look(traffic, question)
    if allowed is not None:
        look = look & allowed
    found = np.zeros(look.shape, dtype=np.bool_)
    for run in np.flatnonzero(look.any(axis=1)).tolist():
        watch = Watch(traffic, run, apart=apart)
        for minute in np.flatnonzero(look[run]).tolist():
            none: Collection[datetime] = frozenset()
            failing = none if excused is None else excused_at(excused[run], minute)
            measured = watch.measured_at(minute)
            if judge(question, measured, watch.changed_at, failing, not traffic.cell.at_once):
                found[run, minute] = True
                break
    return found


def worth_a_look(traffic: Traffic, question: Share) -> Flags:
    """The minutes in which the product could convict at all. [runs, WATCH].

    What is left out is left out without effect. A share convicts only where enough minutes of the
    question's window are bad, or where its newest minute is severe (`judging._share_verdict`). That
    window ends with the newest minute that has requests and does not count, and nothing in it
    begins earlier than one minute more than its length before the end of the latest
    (`judging._latest`: silence is no evidence). So the latest `minutes` + 1 must hold that many bad
    minutes, or one severe one. A test compares this with looking at every minute.
    """
    requests, errors = traffic.new_requests, traffic.new_errors
    if traffic.cell.at_once:
        # Where CloudWatch does not tell the versions apart, all traffic stands for the new one.
        requests = requests + traffic.old_requests[:, HISTORY:]
        errors = errors + traffic.old_errors[:, HISTORY:]
        own = _could_convict(traffic.new_requests, traffic.new_errors, question)
        found: Flags = own | _could_convict(requests, errors, question)
        return found
    return _could_convict(requests, errors, question)


def _could_convict(requests: Counts, errors: Counts, question: Share) -> Flags:
    percent, reach = question.threshold_percent or 0.0, question.minutes + 1
    bad = (requests >= question.minimum_requests_a_minute) & (100 * errors > percent * requests)
    severe = (
        bad
        & (requests >= judging.SEVERE_REQUESTS)
        & (100 * errors >= judging.SEVERE_PERCENT * requests)
    )
    persists = latest(bad.astype(np.int64), reach) >= question.breaching_minutes
    found: Flags = persists | (latest(severe.astype(np.int64), reach) > 0)
    return found


def excused_at(failing: Flags, minute: int) -> frozenset[datetime]:
    """The minutes of the evidence, as seen after `minute`, in which siblings failed."""
    newest = HISTORY + minute
    first = newest - EVIDENCE_MINUTES
    return frozenset(INSTANTS[index] for index in range(first, newest + 1) if failing[index])


class Watch:
    """One run as CloudWatch shows it. Buckets are made once, when they are first asked for."""

    def __init__(self, traffic: Traffic, run: int, *, apart: bool = True) -> None:
        self._at_once, self._apart = traffic.cell.at_once, apart
        self.changed_at = BEGIN + timedelta(seconds=float(traffic.deploy_at[run]))
        nothing = [0] * HISTORY
        new = (
            nothing + traffic.new_requests[run].tolist(),
            nothing + traffic.new_errors[run].tolist(),
        )
        old = traffic.old_requests[run].tolist(), traffic.old_errors[run].tolist()
        self._new, self._old = _Series(*new), _Series(*old)
        self._total = _Series(
            *([a + b for a, b in zip(*both, strict=True)] for both in zip(new, old, strict=True))
        )

    def measured_at(self, minute: int) -> Measurement:
        """What can be read `LAG` after the end of a minute."""
        end = HISTORY + minute + 1
        begin = 0 if self._at_once else end - EVIDENCE_MINUTES
        # CloudWatch gives the whole minute in which the time that is asked for lies.
        since_at = self.changed_at - HISTORY * MINUTE if self._at_once else INSTANTS[begin]
        return Measurement(
            since_at=since_at,
            read_at=INSTANTS[end - 1] + MINUTE + LAG_TIME,
            total=self._total.buckets(begin, end),
            new=self._new.buckets(begin, end) if self._apart else (),
            previous=self._old.buckets(begin, end) if self._apart else (),
        )


class _Series:
    """One CloudWatch series pair: minutes with requests only."""

    def __init__(self, requests: list[int], errors: list[int]) -> None:
        self._requests, self._errors = requests, errors
        self._made: list[Bucket | None] = [None] * len(requests)

    def buckets(self, begin: int, end: int) -> tuple[Bucket, ...]:
        """The minutes from `begin` to before `end` that have requests, oldest first."""
        return tuple(self._bucket(index) for index in range(begin, end) if self._requests[index])

    def _bucket(self, index: int) -> Bucket:
        made = self._made[index]
        if made is None:
            made = Bucket(
                start_at=INSTANTS[index],
                requests=self._requests[index],
                errors=self._errors[index],
            )
            self._made[index] = made
        return made
