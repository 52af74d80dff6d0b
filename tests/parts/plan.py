"""What fails in a round, and when: drawn from its seed, whole, before anything begins."""

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

RESPOND, WATCH, NOTIFY = "respond", "watch", "notify"
BEFORE, AFTER = "before", "after"
# A call of these functions that is made in most rounds; the act itself is drawn by its name.
CALLS = {RESPOND: 16, WATCH: 60, NOTIFY: 30}
THE_ACT = "the act"


class Kind(StrEnum):
    """What the bad deploy changes, and what undoes it."""

    ALIAS = "alias"
    DEPLOYMENT = "deployment"
    STACK = "stack"


class What(StrEnum):
    """What fails."""

    KILL = "killed"
    TABLE = "the table is away"
    AGAIN = "the queue delivers again"
    SLACK = "Slack hangs"
    WATCHER = "the watcher is stopped"
    TWO_WATCHERS = "two watchers at once"
    RESTART = "everything is restarted"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A call of a function, by its number since the bad deploy; or the act. Before it or after."""

    function: str
    number: int
    side: str

    @property
    def is_the_act(self):
        return self.function == THE_ACT

    def __str__(self):
        if self.is_the_act:
            return f"{self.side} the act"
        return f"{self.side} call {self.number} of {self.function}"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Something fails at a moment.

    Attributes:
        minutes: for how long; how long nobody carries anything, where everything is restarted.
        times: how many of Slack's answers do not come; how often a message is delivered.
        how: how the table refuses.
    """

    what: What
    at: Moment
    minutes: int = 0
    times: int = 0
    how: str = ""

    @property
    def span(self):
        return timedelta(minutes=self.minutes)

    def __str__(self):
        detail = {
            What.KILL: f"{self.at.function} is killed",
            What.TABLE: f"{self.what} for {self.minutes} min ({self.how})",
            What.AGAIN: f"{self.what}: {self.times} times",
            What.SLACK: f"{self.what}: {self.times} answers",
        }.get(self.what, f"{self.what} for {self.minutes} min")
        if self.what is What.KILL and self.at.is_the_act:
            detail = "respond is killed"
        return f"{detail}, {self.at}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A round."""

    seed: int
    number: int
    kind: Kind
    failures: tuple[Failure, ...]


# How the table refuses: an error of its own, a throttle, or no answer at all.
REFUSALS = ("InternalServerError", "ProvisionedThroughputExceededException", "reset")


def drawn(seed, number):
    """The plan of a round: the same for the same seed and number."""
    draw = random.Random(f"{seed}/{number}")
    kind = draw.choice(list(Kind))
    whats = draw.sample(list(What), draw.randint(1, 3))
    failures = [_failure(draw, what) for what in whats]
    failures += [_failure(draw, What.KILL) for _ in range(draw.randint(0, 2))]
    return Plan(seed=seed, number=number, kind=kind, failures=tuple(failures))


def _failure(draw, what):
    match what:
        case What.KILL:
            return Failure(what=what, at=_moment(draw))
        case What.TABLE:
            # Before the act, while `respond` is on its way to it; or after it.
            before = Moment(function=RESPOND, number=draw.randint(1, 8), side=BEFORE)
            after = Moment(function=THE_ACT, number=1, side=AFTER)
            return Failure(
                what=what,
                at=draw.choice([before, after]),
                minutes=draw.randint(1, 6),
                how=draw.choice(REFUSALS),
            )
        case What.AGAIN:
            at = Moment(function=WATCH, number=1, side=BEFORE)
            return Failure(what=what, at=at, times=draw.randint(2, 4))
        case What.SLACK:
            at = Moment(
                function=NOTIFY,
                number=draw.randint(1, 8),
                side=draw.choice([BEFORE, AFTER]),
            )
            return Failure(what=what, at=at, times=draw.randint(1, 2))
        case What.WATCHER:
            return Failure(what=what, at=_moment(draw), minutes=10)
        case What.TWO_WATCHERS:
            return Failure(what=what, at=_moment(draw), minutes=draw.randint(5, 20))
        case What.RESTART:
            return Failure(what=what, at=_moment(draw), minutes=draw.randint(0, 5))


def _moment(draw):
    side = draw.choice([BEFORE, AFTER])
    function = draw.choice([*CALLS, THE_ACT])
    number = 1 if function == THE_ACT else draw.randint(1, CALLS[function])
    return Moment(function=function, number=number, side=side)
