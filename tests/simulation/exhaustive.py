"""Every schedule of one, two and three faults on the canonical incident of each kind of action.

A good version serves; a bad one comes, in the way of the kind; the alarm fires and is announced
once. The calls from the message to the journaled act are the call points. Each run meets its faults
at the numbered calls, and none later; then everything comes to rest. What came of it is counted and
compared with `outcomes.json`, which `make outcomes` writes anew after a change on purpose.
"""

import itertools
from collections import Counter
from pathlib import Path

from tests.simulation.checker import incidents_of, violations_of
from tests.simulation.shapes import policy_of
from tests.simulation.story import Story
from tests.simulation.world import MINUTE, WRITES

FAULTS = ("throttle", "crash_before", "crash_after", "lost", "dropped")
KINDS = {"move": "alias", "stop": "group", "cancel": "stack", "redeploy": "redeploy"}
SLOW_CANARY = "CodeDeployDefault.LambdaCanary10Percent15Minutes"
FROZEN = Path(__file__).with_name("outcomes.json")


class Canonical(Story):
    """The incident, without chance: nothing flaps, no clock is wrong, the message comes once."""

    def __init__(self, kind):
        super().__init__(7, 0, policy=policy_of((KINDS[kind],)))
        # Long enough that it is still under way when a lost attempt has been taken over.
        if kind == "stop":
            self.canary = SLOW_CANARY
        self.world.repeats = 0
        self.quiet = True
        self.announces = False

    def enqueue(self, alarm):
        # The alarm is announced once, when everything is ready.
        if self.announces or self.world.process:
            super().enqueue(alarm)

    def play_with(self, faults):
        """The incident with these faults at the numbered calls."""
        site = self.sites["a"]
        self.deploy(site, bad=True)
        minutes = 8 if site.shape == "redeploy" else 2
        for _ in range(minutes):
            self.advance(MINUTE)
            self.world.processes.clear() if self._fires(site) else self.world.run()
        self.world.processes.clear()
        self.world.calls = 0
        self.world.trace = []
        self.world.faults = dict(faults)
        self.announces = True
        self.enqueue(site.alarm)
        self.deliver()
        self.world.run()
        self.tell()
        self.world.run()
        self.rest()

    def _fires(self, site):
        return self.alarms[site.alarm].state.value == "ALARM"


def calls_of(kind):
    """How many calls the undisturbed incident takes up to its journaled act."""
    story = Canonical(kind)
    story.play_with({})
    return next(n for n, name in enumerate(story.world.trace) if name in WRITES) + 2


def schedules(kind, faults):
    """Every placement of that many faults."""
    for numbers in itertools.combinations(range(1, calls_of(kind) + 1), faults):
        for chosen in itertools.product(FAULTS, repeat=faults):
            yield dict(zip(numbers, chosen, strict=True))


def outcome_of(kind, schedule):
    """What came of one schedule: how many effective mutations, how it ended, what was violated."""
    story = Canonical(kind)
    story.play_with(schedule)
    ended = sorted(f"{i.state.value} {i.reason.value}" for i in incidents_of(story).values())
    return len(story.world.mutations), " + ".join(ended), violations_of(story)


def outcomes_of(kind, faults, *, part=0, parts=1):
    """The outcomes of every schedule, or of one part of them, counted; and what went wrong."""
    counts, wrong = Counter(), []
    for number, schedule in enumerate(schedules(kind, faults)):
        if number % parts != part:
            continue
        mutations, ended, violations = outcome_of(kind, schedule)
        counts[f"{mutations} mutation{'' if mutations == 1 else 's'}: {ended}"] += 1
        if violations or mutations > 1 or (faults < 3 and mutations != 1):
            wrong.append((schedule, mutations, ended, violations))
    return counts, wrong
