"""The judge: minutes against one question. See `assessment.py` for what it is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from math import exp, log
from typing import Annotated, assert_never

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.document import Doc
from rollback_responder.domain.evidence import log_e_above, log_e_between, upper_bound
from rollback_responder.domain.measurement import MINUTE, Bucket
from rollback_responder.domain.metric import EVIDENCE_MINUTES, Level, Question, Share
from rollback_responder.domain.minutes import (
    bad_count,
    has_enough,
    is_bad,
    latest,
    limit_of,
    normal_of,
    over_count,
    persists,
    rate_of,
    says_something,
    sums,
)

# How sure it must be (docs/detection.md): 100 where bad minutes persist, 1000 where one is severe.
SURE, SURE_AT_ONCE = log(100), log(1000)
SEVERE_PERCENT, SEVERE_REQUESTS = 25, 10
# Where a threshold is near the baseline, a trivial difference gets sure with enough traffic.
WORSE_RATIO, WORSE_PERCENT = 2, 0.5
# A number must be that many times its own normal, or that of the version beside it.
WORSE_TIMES = 1.25
BEYOND_WORDS = log(1_000_000)


class Verdict(StrEnum):
    """What the numbers say."""

    BREACHING = "breaching"
    HEALTHY = "healthy"
    INCONCLUSIVE = "inconclusive"
    UNMEASURABLE = "unmeasurable"


# The order in which one verdict outweighs another about the same minutes.
WORSE = (Verdict.UNMEASURABLE, Verdict.HEALTHY, Verdict.INCONCLUSIVE, Verdict.BREACHING)


class Evidence(Struct, frozen=True, kw_only=True):
    """The numbers behind a verdict, over the question's window of minutes."""

    verdict: Annotated[Verdict, Doc("What the numbers say.")]
    text: Annotated[str, Doc("The arithmetic, in words.")]
    value: Annotated[float | None, Doc("The rate in percent, or the number.")] = None
    threshold: Annotated[float | None, Doc("What it is compared with, in the same unit.")] = None
    requests: Annotated[int, Doc("Requests in the window.")] = 0
    errors: Annotated[int, Doc("Bad requests in the window.")] = 0
    minutes: Annotated[int, Doc("Minutes in the window.")] = 0
    persists: Annotated[bool, Doc("Whether it is over its threshold in enough minutes.")] = False
    log_e: Annotated[
        float | None, Doc("The logarithm of the e-value that it is worse than the version before.")
    ] = None


class Frame(Struct, frozen=True, kw_only=True):
    """All the minutes that a judgement rests on.

    Attributes:
        new: the suspect's, oldest first.
        beside: its predecessor's, by their begin.
        history: its predecessor's last hour before the suspect served.
        excused: minutes that count for nothing where no other version served in them.
        shifting: whether the predecessor still serves; then it is compared with nothing else.
        until: when they were read.
        complete_until: a minute that ends later may be incomplete.
    """

    new: tuple[Bucket, ...]
    beside: Mapping[datetime, Bucket]
    history: tuple[Bucket, ...]
    excused: frozenset[datetime]
    shifting: bool
    until: datetime
    complete_until: datetime


def judge(question: Question, frame: Frame) -> tuple[Evidence, bool]:
    """The verdict about the suspect, and whether its predecessor served beside it.

    The window ends with the latest whole minute. It is moved on over younger minutes where these
    are bad, and the worst verdict stands: fresh minutes can convict but never acquit.
    """
    normal = normal_of(question, frame.history)
    usable = [b for b in frame.new if b.start_at in frame.beside or b.start_at not in frame.excused]
    settled = [b for b in usable if b.start_at + MINUTE <= frame.complete_until]
    fresh = [b for b in usable if frame.complete_until < b.start_at + MINUTE]
    fresh = [b for b in fresh if b.start_at < frame.until]
    ends = [n for n, b in enumerate(fresh, start=1) if is_bad(question, b, normal)]
    found = []
    # All minutes up to a bad one: none is left out because the version before did worse in it.
    for end in (0, *ends):
        counted = [*settled, *fresh[:end]]
        window = _recent(counted, frame, question.minutes)
        served = bool(window) and all(bucket.start_at in frame.beside for bucket in window)
        beside = frame.shifting or served
        look = _Look(
            window=window,
            latest=_recent(counted, frame, EVIDENCE_MINUTES),
            frame=frame,
            normal=normal,
            beside=beside,
        )
        found.append((_judged(question, look), beside))
    return max(reversed(found), key=lambda each: WORSE.index(each[0].verdict))


def look_back(question: Question, buckets: Sequence[Bucket], history: Sequence[Bucket]) -> Evidence:
    """What the version before did in its own latest minutes, asked the same question."""
    normal = normal_of(question, history)
    window = latest(buckets, question.minutes)
    bad = persists(question, window, normal)
    known = any(says_something(question, bucket, normal) for bucket in window)
    verdict = Verdict.HEALTHY if known else Verdict.INCONCLUSIVE
    return _evidence(question, window, normal, Verdict.BREACHING if bad else verdict, "")


class _Look(Struct, frozen=True, kw_only=True):
    """The minutes that count: the question's window, and the ten that the evidence rests on."""

    window: tuple[Bucket, ...]
    latest: tuple[Bucket, ...]
    frame: Frame
    normal: float | None
    beside: bool


def _recent(counted: Sequence[Bucket], frame: Frame, minutes: int) -> tuple[Bucket, ...]:
    """The latest minutes. Silence for longer than the window is no evidence at all."""
    oldest = frame.complete_until - (minutes + 1) * MINUTE
    return tuple(bucket for bucket in latest(counted, minutes) if bucket.start_at >= oldest)


def _judged(question: Question, look: _Look) -> Evidence:
    window, normal = look.window, look.normal
    if not window:
        return _evidence(question, window, normal, Verdict.INCONCLUSIVE, "no traffic")
    log_e: float | None = None
    match question:
        case Share():
            proof = _proof(question, look)
            verdict, why = _share_verdict(question, look, proof)
            # JSON knows no infinity; the journal says that nothing speaks for it.
            log_e = max(proof.log_e, -BEYOND_WORDS)
        case Level():
            verdict, why = _level_verdict(question, look)
        case _:
            assert_never(question)
    return replace(_evidence(question, window, normal, verdict, why), log_e=log_e)


# -- shares -----------------------------------------------------------------------------------


class _Proof(Struct, frozen=True, kw_only=True):
    """How surely, and how much, the suspect is worse than the version before."""

    log_e: float
    worse: bool
    known: bool
    said: str


def _pasts(question: Share, history: tuple[Bucket, ...]) -> tuple[tuple[Bucket, ...], ...]:
    """The predecessor's hour, and its last minutes where it failed in them: the worse counts.

    Few requests are enough for that: here a doubt is held against convicting. A count is no rate,
    so its last minutes always count.
    """
    last = latest(history, question.minutes)
    failed = (
        question.more_than is not None or over_count(question, last) >= question.breaching_minutes
    )
    return (history, last) if failed else (history,)


def _proof(question: Share, look: _Look) -> _Proof:
    """From the minutes beside each other; from those alone where the predecessor is over."""
    old = look.frame.beside
    pairs = [(bucket, old[bucket.start_at]) for bucket in look.latest if bucket.start_at in old]
    log_e = log_e_between(pairs)
    beside = tuple(each for _, each in pairs)
    rates = [rate_of(beside)]
    if not look.beside:
        # Only after its last minute is the predecessor gone; before that it may be silent.
        last_at = max(old, default=None)
        alone = [b for b in look.latest if last_at is None or b.start_at > last_at]
        known = [(*past, *beside) for past in _pasts(question, look.frame.history)]
        log_e += log_e_above(alone, max(upper_bound(minutes) for minutes in known))
        rates = [rate_of(minutes) for minutes in known]
    theirs = max((rate for rate in rates if rate is not None), default=None)
    mine, base = rate_of(look.latest) or 0.0, theirs or 0.0
    before = "" if theirs is None else f" ({theirs:.1f} %)"
    return _Proof(
        log_e=log_e,
        worse=mine >= max(WORSE_RATIO * base, base + WORSE_PERCENT),
        known=theirs is not None,
        said=f"{_odds(log_e)} that it is worse than the version before{before}",
    )


def _share_verdict(question: Share, look: _Look, proof: _Proof) -> tuple[Verdict, str]:
    newest, bad = look.window[-1], bad_count(question, look.window, None)
    if proof.worse and proof.log_e >= SURE_AT_ONCE and _is_severe(question, newest):
        return Verdict.BREACHING, f"{rate_of([newest]):.0f} % in one minute; {proof.said}"
    requests, errors = sums(look.latest)
    if requests < question.minimum_requests:
        why = f"fewer than {question.minimum_requests} requests in ten minutes prove nothing"
        return Verdict.INCONCLUSIVE, why
    if not persists(question, look.window):
        return _without_persistence(question, look, bad)
    said = _bad_minutes(question, bad)
    if errors < question.minimum_errors:
        why = f"fewer than {question.minimum_errors} bad requests in ten minutes prove nothing"
    elif not proof.known:
        why = "nothing is known of the version before"
    elif proof.log_e < SURE:
        why = f"{said}, but {proof.said}; it would take 100 to 1"
    elif not proof.worse:
        why = f"{said}, but it is not twice as bad as before; {proof.said}"
    else:
        return Verdict.BREACHING, f"{said}; {proof.said}"
    return Verdict.INCONCLUSIVE, why


def _is_severe(question: Share, newest: Bucket) -> bool:
    """Whether one minute is so bad that no second one need be waited for."""
    return (
        newest.requests >= SEVERE_REQUESTS
        and newest.errors >= question.minimum_errors
        and 100 * newest.errors >= SEVERE_PERCENT * newest.requests
        and is_bad(question, newest)
    )


def _without_persistence(question: Question, look: _Look, bad: int) -> tuple[Verdict, str]:
    if bad and isinstance(question, Share) and question.more_than is not None:
        return Verdict.INCONCLUSIVE, "not that many yet"
    if bad:
        return Verdict.INCONCLUSIVE, f"only {_bad_minutes(question, bad)}"
    if not any(has_enough(question, bucket) for bucket in look.window):
        return Verdict.INCONCLUSIVE, "no minute has enough requests to judge"
    if not any(says_something(question, bucket, look.normal) for bucket in look.window):
        return Verdict.INCONCLUSIVE, "no minute has both a number and a limit to hold it to"
    return Verdict.HEALTHY, f"no bad minute in the last {question.minutes}"


def _odds(log_e: float) -> str:
    if log_e >= BEYOND_WORDS:
        return "more than a million to 1"
    return f"{exp(log_e):,.0f} to 1" if log_e >= 0 else "nothing says"


# -- levels -----------------------------------------------------------------------------------


def _level_verdict(question: Level, look: _Look) -> tuple[Verdict, str]:
    window, normal = look.window, look.normal
    requests, _ = sums(look.latest)
    if requests < question.minimum_requests:
        why = f"fewer than {question.minimum_requests} requests in ten minutes prove nothing"
        return Verdict.INCONCLUSIVE, why
    if question.times_normal is not None and normal is None:
        return Verdict.INCONCLUSIVE, "its normal is not known: no minute before the change says it"
    bad = bad_count(question, window, normal)
    if bad < question.breaching_minutes:
        return _without_persistence(question, look, bad)
    said = _bad_minutes(question, bad)
    if question.band_width is not None:
        return Verdict.BREACHING, said
    if normal is None and not look.beside:
        return Verdict.INCONCLUSIVE, "nothing is known of the version before"
    worse = sum(
        is_bad(question, bucket, normal) and _is_worse(question, look, bucket) for bucket in window
    )
    if worse < question.breaching_minutes:
        return Verdict.INCONCLUSIVE, f"{said}, but the version before was hardly better"
    return Verdict.BREACHING, said


def _is_worse(question: Level, look: _Look, bucket: Bucket) -> bool:
    """Whether a minute is clearly above the version beside it, or else above its own normal."""
    old = look.frame.beside.get(bucket.start_at)
    base = None if look.frame.shifting else look.normal
    if old is not None and old.value is not None and has_enough(question, old):
        base = old.value
    if base is None or bucket.value is None:
        return False
    return bucket.value > max(WORSE_TIMES * base, base + question.worse_by)


# -- words ------------------------------------------------------------------------------------


def _evidence(
    question: Question,
    window: Sequence[Bucket],
    normal: float | None,
    verdict: Verdict,
    why: str,
) -> Evidence:
    requests, errors = sums(window)
    value, threshold = _headline(question, window, normal)
    return Evidence(
        verdict=verdict,
        text=": ".join(part for part in (_said(question, window, value, threshold), why) if part),
        value=value,
        threshold=threshold,
        requests=requests,
        errors=errors,
        minutes=question.minutes,
        persists=persists(question, window, normal),
    )


def _headline(
    question: Question, window: Sequence[Bucket], normal: float | None
) -> tuple[float | None, float | None]:
    """The window's number and its limit. Percentiles cannot be combined, so the worst is shown."""
    match question:
        case Share(threshold_percent=None):
            return float(sum(b.errors for b in window)) if window else None, question.more_than
        case Share(threshold_percent=percent):
            return rate_of(window), percent
        case Level():
            known = [bucket for bucket in window if bucket.value is not None]
            if not known:
                return None, question.threshold
            worst = max(known, key=lambda bucket: bucket.value or 0.0)
            return worst.value, limit_of(question, worst, normal)
        case _:
            assert_never(question)


def _said(
    question: Question, window: Sequence[Bucket], value: float | None, threshold: float | None
) -> str:
    requests, _ = sums(window)
    counted = isinstance(question, Share) or question.samples is not None
    count = f"{requests} request{'' if requests == 1 else 's'} in " if counted else ""
    where = f"{count}{question.minutes} min"
    if value is None:
        return where
    sign = "?" if threshold is None else ">" if value > threshold else "≤"
    limit = "its limit" if threshold is None else f"{threshold:g}{question.unit}"
    places = 1 if question.unit == " %" else 0
    return f"{question.noun} {value:.{places}f}{question.unit} {sign} {limit} ({where})"


def _bad_minutes(question: Question, bad: int) -> str:
    one = "" if bad == 1 else "s"
    return f"{bad} bad minute{one} of {question.minutes}, {question.breaching_minutes} are enough"
