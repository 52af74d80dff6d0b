"""Simulated traffic: the minutes of two versions behind one alias, run by run.

The model (reference: the product's detection notes, section 2): Poisson arrivals, binomial errors,
one-minute buckets, a watch of sixty minutes that begins with the minute of the deploy. The deploy
comes at a random second of that minute, and so does everything else: what lasts a minute touches
two buckets. The hour before the deploy is simulated as well.

Arrays are [runs, minutes]. Rates are per second, probabilities are shares of one, times are seconds
from the begin of the deploy's minute.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

MINUTE = 60.0
# Minutes watched, counted from the minute of the deploy; minutes known from before it.
WATCH, HISTORY = 60, 60
# How long CloudWatch takes to show a finished minute (assumed).
LAG = 60.0
WHOLE = 100
LATE_MINUTES = 30
OUTAGE_EXTRA, OUTAGE_MINUTES = 0.30, 10
BLIP_EXTRA, MOST_BLIPS = 0.10, 12
COLD = 0.08
SIBLINGS, SIBLING_RATE = 3, 10


class Scenario(StrEnum):
    """What happens during the watch."""

    NONE = "no change"
    BLIP = "blip"
    OUTAGE = "shared outage"
    COLD = "cold start"
    COLD_MINUTE = "cold minute"
    SHARED_1 = "bursty together, CV 1"
    SHARED_2 = "bursty together, CV 2"
    OWN_1 = "bursty apart, CV 1"
    OWN_2 = "bursty apart, CV 2"
    FAULT = "fault"
    LATE = "late fault"


WOBBLES = {
    Scenario.SHARED_1: (1.0, True),
    Scenario.SHARED_2: (2.0, True),
    Scenario.OWN_1: (1.0, False),
    Scenario.OWN_2: (2.0, False),
}
FAULTY = (Scenario.FAULT, Scenario.LATE)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One configuration of the study.

    Attributes:
        scenario: what happens.
        rate: requests a second, of both versions together.
        base_percent: errors of a healthy version.
        share_percent: the new version's part of the traffic; 100 is all at once.
        fault_percent: errors of the new version, where it is at fault; else 0.
    """

    scenario: Scenario
    rate: int
    base_percent: float
    share_percent: int = 10
    fault_percent: float = 0.0

    @property
    def name(self) -> str:
        """Names the cell in results, and chooses its random numbers."""
        fault = f" {self.fault_percent:g} %" if self.fault_percent else ""
        where = "all at once" if self.at_once else f"canary {self.share_percent} %"
        return (
            f"{where}, {self.rate} requests/s, base {self.base_percent:g} %, {self.scenario}{fault}"
        )

    @property
    def at_once(self) -> bool:
        """Whether the new version takes all traffic at the deploy."""
        return self.share_percent == WHOLE

    @property
    def is_fault(self) -> bool:
        """Whether a rollback is right."""
        return self.scenario in FAULTY

    def generator(self, seed: int, *, part: str = "") -> np.random.Generator:
        """Random numbers of this cell's own, whichever process plays it and in whatever order."""
        return np.random.default_rng([seed, zlib.crc32(f"{self.name}{part}".encode())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What was counted.

    Attributes:
        cell: the configuration.
        deploy_at: [runs], the second of minute 0 in which the new version goes live.
        clock_at: [runs], from when a delay is counted: the deploy, or the late fault.
        new_requests, new_errors: [runs, WATCH].
        old_requests, old_errors: [runs, HISTORY + WATCH]; minute 0 is at HISTORY.
        shared: [runs, HISTORY + WATCH], the share of any version's requests that a shared event
            makes fail, as a whole minute of even traffic sees it.
    """

    cell: Cell
    deploy_at: Floats
    clock_at: Floats
    new_requests: Counts
    new_errors: Counts
    old_requests: Counts
    old_errors: Counts
    shared: Floats

    @property
    def runs(self) -> int:
        """How many watches."""
        return int(self.deploy_at.shape[0])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that makes a share of requests fail from `begin` to `end`, each [runs, 1]."""

    begin: Floats
    end: Floats
    probability: float


def simulate(cell: Cell, runs: int, seed: int) -> Traffic:
    """Plays one configuration `runs` times."""
    rng = cell.generator(seed)
    deploy = rng.uniform(0.0, MINUTE, (runs, 1))
    share = cell.share_percent / WHOLE
    before = _overlap(np.full((runs, 1), -np.inf), deploy)
    after = MINUTE - before
    old_seconds = before + (1.0 - share) * after
    base_new, base_old = _bases(cell, runs, rng)

    shared_new, shared_old, shared = (np.zeros(before.shape) for _ in range(3))
    for event in _shared_events(cell, runs, rng):
        early = _overlap(event.begin, np.minimum(event.end, deploy))
        late = _overlap(np.maximum(event.begin, deploy), event.end)
        shared_new += event.probability * _ratio(late, after)
        shared_old += event.probability * _ratio(early + (1.0 - share) * late, old_seconds)
        shared += event.probability * (early + late) / MINUTE
    own = _own_event(cell, deploy)
    touched = _ratio(_overlap(own.begin, own.end), after)
    p_new = base_new * (1.0 - touched) + own.probability * touched

    new_requests = rng.poisson(cell.rate * share * after)[:, HISTORY:]
    old_requests = rng.poisson(cell.rate * old_seconds)
    return Traffic(
        cell=cell,
        deploy_at=deploy[:, 0],
        clock_at=deploy[:, 0] + (MINUTE * LATE_MINUTES if cell.scenario is Scenario.LATE else 0.0),
        new_requests=new_requests,
        new_errors=rng.binomial(new_requests, _also(p_new, shared_new)[:, HISTORY:]),
        old_requests=old_requests,
        old_errors=rng.binomial(old_requests, _also(base_old, shared_old)),
        shared=np.minimum(shared, 1.0),
    )


def failing_siblings(
    traffic: Traffic, seed: int, *, dependency: float, threshold_percent: float
) -> Flags:
    """In which minutes any of three services that were not deployed is above its threshold.

    Each has ten requests a second and the same base, and shares the failing dependency with the
    probability `dependency`. [runs, HISTORY + WATCH].
    """
    cell = traffic.cell
    rng = cell.generator(seed, part=f" siblings {dependency:g}")
    failing = np.zeros(traffic.shared.shape, dtype=np.bool_)
    for _ in range(SIBLINGS):
        depends = rng.random((traffic.runs, 1)) < dependency
        requests = rng.poisson(SIBLING_RATE * MINUTE, traffic.shared.shape)
        p = _also(np.full(traffic.shared.shape, cell.base_percent / 100), traffic.shared * depends)
        failing |= 100 * rng.binomial(requests, p) > threshold_percent * requests
    return failing


def delays(acts: Flags, traffic: Traffic) -> Floats:
    """Seconds from the deploy, or from the late fault, to the first act; infinite without one.

    An act rests on a finished minute, `LAG` after its end. Acts before a late fault are left out:
    they are false rollbacks, which the scenarios without a fault count. [runs].
    """
    acts = acts & may_be_due(traffic)
    first = acts.argmax(axis=1)
    found: Floats = (first + 1) * MINUTE + LAG - traffic.clock_at
    found[~acts.any(axis=1)] = np.inf
    return found


def may_be_due(traffic: Traffic) -> Flags:
    """Which minutes end after what they may be due to. [runs, WATCH]."""
    ends = MINUTE * np.arange(1, WATCH + 1)
    found: Flags = ends[None, :] > traffic.clock_at[:, None]
    return found


def _overlap(begin: Floats, end: Floats) -> Floats:
    """Seconds of each minute from -HISTORY to WATCH that lie in [begin, end)."""
    starts = MINUTE * np.arange(-HISTORY, WATCH)[None, :]
    found: Floats = np.clip(np.minimum(starts + MINUTE, end) - np.maximum(starts, begin), 0.0, None)
    return found


def _ratio(part: Floats, whole: Floats) -> Floats:
    found: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)
    return found


def _also(p: Floats, extra: Floats) -> Floats:
    """The probability of failing for one of two independent reasons."""
    found: Floats = 1.0 - (1.0 - p) * (1.0 - np.minimum(extra, 1.0))
    return found


def _bases(cell: Cell, runs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """What a healthy new and old version err, minute by minute.

    Bursty: the minute's probability follows a Beta distribution with the base as its mean and the
    coefficient of variation as named, the same for both versions or one for each.
    """
    base, size = cell.base_percent / 100, (runs, HISTORY + WATCH)
    if cell.scenario not in WOBBLES:
        return np.full(size, base), np.full(size, base)
    variation, together = WOBBLES[cell.scenario]
    strength = (1.0 - base) / base / variation**2 - 1.0
    new = rng.beta(base * strength, (1.0 - base) * strength, size)
    old = new if together else rng.beta(base * strength, (1.0 - base) * strength, size)
    return new, old


def _shared_events(cell: Cell, runs: int, rng: np.random.Generator) -> Iterator[Event]:
    """What hits every version and every service alike.

    Blips: sixty seconds in which one request in ten fails, about once an hour, before the deploy
    too. Outage: ten minutes in which three in ten fail, beginning 2 to 50 minutes after minute 0.
    """
    if cell.scenario is Scenario.BLIP:
        span = MINUTE * (HISTORY + WATCH + 1)
        count = np.minimum(rng.poisson(span / 3600, (runs, 1)), MOST_BLIPS)
        for index in range(MOST_BLIPS):
            begin = rng.uniform(-MINUTE * (HISTORY + 1), MINUTE * WATCH, (runs, 1))
            begin[count <= index] = np.inf
            yield Event(begin, begin + MINUTE, BLIP_EXTRA)
    if cell.scenario is Scenario.OUTAGE:
        begin = MINUTE * rng.uniform(2.0, 50.0, (runs, 1))
        yield Event(begin, begin + MINUTE * OUTAGE_MINUTES, OUTAGE_EXTRA)


def _own_event(cell: Cell, deploy: Floats) -> Event:
    """What only the new version does, in place of its base.

    `COLD` is the reference's cold start: 8 % errors until the deploy's minute is over, which is
    half a minute on average. `COLD_MINUTE` lasts the sixty seconds after the deploy.
    """
    never = np.full(deploy.shape, np.inf)
    match cell.scenario:
        case Scenario.COLD:
            return Event(deploy, np.full(deploy.shape, MINUTE), COLD)
        case Scenario.COLD_MINUTE:
            return Event(deploy, deploy + MINUTE, COLD)
        case Scenario.FAULT:
            return Event(deploy, never, cell.fault_percent / 100)
        case Scenario.LATE:
            return Event(deploy + MINUTE * LATE_MINUTES, never, cell.fault_percent / 100)
        case _:
            return Event(never, never, 0.0)
