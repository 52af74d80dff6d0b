"""Judging a measurement: four verdicts, never a bool, and only one of them can roll back.

A version is convicted when its minutes are over the threshold, again and again (persistence), and
when it is surely worse than the version before (the e-value of `evidence.py`), and when both rest
on enough requests (the floors). The version before serves beside it while traffic is shifting, or
is known by its last hour. The arithmetic is kept in words, for the journal and Slack.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Struct

from rollback_responder.domain import judging
from rollback_responder.domain.document import Doc
from rollback_responder.domain.judging import Evidence, Frame, Verdict
from rollback_responder.domain.measurement import MINUTE, Bucket, Measurement, in_order
from rollback_responder.domain.metric import Level, Question, Share

# The watcher looks once a minute, so a change may be this much older than when it was first seen.
CHANGE_TOLERANCE = 2 * MINUTE
# The latest minutes that the evidence is read over: no state is kept between two looks
# (detection.md, section 3.3: faster at late faults than since the deploy, and as rarely wrong).
WINDOW = 10 * MINUTE
# How far back the version before is known by.
HISTORY = 60 * MINUTE


class Baseline(StrEnum):
    """What the suspect is compared with."""

    BESIDE = "beside"
    BEFORE = "before"
    NONE = "none"


class Assessment(Struct, frozen=True, kw_only=True):
    """The suspect's evidence, and its predecessor's where there is any.

    `served_since_at` is the first minute in which the suspect itself is known to have served;
    `served_before` says that it served when the window began, so nobody knows since when.
    """

    new: Annotated[Evidence, Doc("What the numbers say of the suspect.")]
    previous: Annotated[Evidence | None, Doc("What they say of its predecessor.")] = None
    baseline: Annotated[Baseline, Doc("What the suspect is compared with.")] = Baseline.NONE
    served_since_at: Annotated[datetime | None, Doc("Its first minute, as measured.")] = None
    served_before: Annotated[bool, Doc("Whether it served before anything was measured.")] = False

    @property
    def convicts(self) -> bool:
        """Whether a rollback is what the numbers ask for."""
        return self.new.verdict is Verdict.BREACHING

    @property
    def convicts_beside(self) -> bool:
        """The same, by what both versions did in the same minutes: nothing else can explain it."""
        return self.convicts and self.baseline is Baseline.BESIDE

    @property
    def both_fail(self) -> bool:
        """Whether the version before was over the same threshold, and nothing tells them apart."""
        if self.convicts or not self.new.persists or self.previous is None:
            return False
        return self.previous.persists


def unmeasurable(text: str) -> Assessment:
    """The assessment where nothing could be read."""
    return Assessment(new=Evidence(verdict=Verdict.UNMEASURABLE, text=text))


def assess(
    question: Question,
    measurement: Measurement,
    *,
    changed_at: datetime,
    lag: timedelta,
    shifting: bool,
    excused: Collection[datetime] = frozenset(),
) -> Assessment:
    """Judges the suspect version against its predecessor.

    Where CloudWatch tells the versions apart, each has its own series; where it knows only the new
    one, the previous one is what remains of all traffic. Where it knows neither, all traffic after
    the change stands for the new version and all traffic well before it for the previous one; the
    minutes of the change belong to neither.

    Minutes younger than the lag may be incomplete: the window is moved on over them where they are
    bad, and the worst verdict stands. Fresh minutes can convict but never acquit.

    Args:
        question: what is asked.
        measurement: the latest minutes, in any order; from an hour before the change if the
            version before does not serve any more.
        changed_at: when the suspect was first seen live.
        lag: how long a minute may still be incomplete.
        shifting: whether the version before still takes a part of the traffic.
        excused: minutes in which siblings failed as well; they count for nothing where no other
            version served in them.
    """
    total, new, previous = (
        in_order(each) for each in (measurement.total, measurement.new, measurement.previous)
    )
    apart = bool(new)
    if apart and not shifting:
        # CloudWatch may tell versions apart only while both serve: the rest is the new one's (A4).
        last_at = max(bucket.start_at for bucket in (*new, *previous))
        new = (*new, *(bucket for bucket in total if bucket.start_at > last_at))
    if not new and not previous:
        new = tuple(b for b in total if b.start_at >= changed_at)
        until = changed_at - CHANGE_TOLERANCE
        previous = tuple(b for b in total if b.start_at + MINUTE <= until)
    if not previous and apart:
        previous = _rest(question, total, new)
    new = _of_this_stay(new, previous, changed_at)
    since_at = new[0].start_at if new else changed_at
    served_before = apart and since_at < measurement.since_at + MINUTE
    warm_at = since_at if served_before else _warm_at(question, since_at)
    frame = Frame(
        new=tuple(bucket for bucket in new if bucket.start_at >= warm_at),
        beside={bucket.start_at: bucket for bucket in previous},
        history=tuple(b for b in previous if since_at - HISTORY <= b.start_at < since_at),
        excused=frozenset(excused),
        shifting=shifting,
        until=measurement.read_at,
        complete_until=measurement.read_at - lag,
    )
    found, beside = judging.judge(question, frame)
    baseline = Baseline.BESIDE if beside else Baseline.BEFORE if frame.history else Baseline.NONE
    return Assessment(
        new=found,
        previous=judging.look_back(question, previous, frame.history) if previous else None,
        baseline=baseline,
        served_since_at=since_at if apart and new else None,
        served_before=served_before,
    )


def _of_this_stay(
    new: tuple[Bucket, ...], previous: Sequence[Bucket], changed_at: datetime
) -> tuple[Bucket, ...]:
    """The new version's minutes since the other last served alone: it may have been here before."""
    served = {bucket.start_at for bucket in new}
    alone = [b.start_at for b in previous if b.start_at < changed_at and b.start_at not in served]
    return tuple(bucket for bucket in new if not alone or bucket.start_at > max(alone))


def _warm_at(question: Question, since_at: datetime) -> datetime:
    """When the first minutes after a shift are over, in which new sandboxes are started."""
    return since_at + (question.cold_minutes if isinstance(question, Level) else 0) * MINUTE


def _rest(question: Question, total: Sequence[Bucket], new: Sequence[Bucket]) -> tuple[Bucket, ...]:
    """All traffic less the new version's. Counts can be taken apart, percentiles cannot."""
    taken = {bucket.start_at: bucket for bucket in new}
    found = []
    for bucket in total:
        mine = taken.get(bucket.start_at)
        if mine is None:
            found.append(bucket)
        elif isinstance(question, Share) and bucket.requests > mine.requests:
            rest = Bucket(
                start_at=bucket.start_at,
                requests=bucket.requests - mine.requests,
                errors=min(max(0, bucket.errors - mine.errors), bucket.requests - mine.requests),
            )
            found.append(rest)
    return tuple(found)


def span_of(buckets: Sequence[Bucket]) -> timedelta:
    """From the begin of the first minute with traffic to the end of the last."""
    return buckets[-1].start_at + MINUTE - buckets[0].start_at
