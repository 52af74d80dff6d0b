"""A replay of a record does what the live house did: same code, same minutes, same end."""

import re
from dataclasses import replace

import pytest
from faults import Operations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording import record

from house import MINUTE, START, House, policy_document
from rollback_responder.cli.replay import Replay

IDS = re.compile(r"\b(inc|replayed)-\d+\b")


def what_came_of(incidents):
    """All that an incident says but the names that were drawn for it."""
    found = []
    for incident in sorted(incidents, key=lambda one: one.opened_at):
        steps = [(s.at, s.state, s.reason, IDS.sub("ID", s.text)) for s in incident.steps]
        release = incident.release and (incident.release.version, incident.release.since_at)
        found.append((incident.alarm_name, incident.opened_at, incident.to_version, release, steps))
    return found


def live_incidents(house):
    row = house.journal.rows(["shop"])["shop"]
    known = dict(house.journal.archive)
    if row.incident:
        known[row.incident.id] = row.incident
    return list(known.values())


class Story:
    """A house, and what happens to it."""

    def __init__(self, *, mode="enforce", requests=30):
        self.house = House(policy_document(mode=mode))
        self.ops = Operations(self.house, copies=2)
        self.requests, self.deploys = requests, 0
        self.deploy(0.0)
        self.pass_minutes(8)

    def pass_minutes(self, minutes):
        self.ops.pass_minutes(minutes, requests=self.requests)

    def deploy(self, errors, latency_ms=100.0):
        self.deploys += 1
        self.house.deploy(f"v{self.deploys}", errors=errors, latency_ms=latency_ms)

    def outage(self, minutes, errors=0.5):
        """Every version fails."""
        before = dict(self.house.errors)
        self.house.errors = dict.fromkeys(before, errors)
        self.pass_minutes(minutes)
        self.house.errors = before

    def replay(self, **how):
        history = record(self.house, since_at=START)
        return Replay(history, self.house.policy, **how).run()


EVENTS = st.one_of(
    st.tuples(st.just("deploy"), st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.9])),
    st.tuples(st.just("slow"), st.sampled_from([350.0, 900.0])),
    st.tuples(st.just("outage"), st.integers(1, 6)),
    st.tuples(st.just("quiet"), st.integers(1, 25)),
)


def play(story, events):
    for what, how in events:
        if what == "deploy":
            story.deploy(how)
            story.pass_minutes(3)
        elif what == "slow":
            story.deploy(0.0, latency_ms=how)
            story.pass_minutes(3)
        elif what == "outage":
            story.outage(how)
        else:
            story.pass_minutes(how)
    story.pass_minutes(6)


@given(st.lists(EVENTS, min_size=1, max_size=5), st.sampled_from(["enforce", "approve", "observe"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_replay_does_what_the_live_house_did(events, mode):
    story = Story(mode=mode)
    play(story, events)

    assert what_came_of(story.replay().incidents) == what_came_of(live_incidents(story.house))


def test_the_property_is_asked_of_real_rollbacks_too():
    story = Story()
    story.deploy(0.5)
    story.pass_minutes(10)
    (incident,) = story.replay().incidents

    assert incident.acted_at is not None
    assert incident.to_version == "1"
    assert what_came_of([incident]) == what_came_of(live_incidents(story.house))


def test_minutes_in_which_nothing_can_happen_are_skipped_and_nothing_is_lost():
    story = Story()
    story.pass_minutes(60)
    story.deploy(0.5)
    story.pass_minutes(30)
    fast, slow = story.replay(), story.replay(every_minute=True)

    assert what_came_of(fast.incidents) == what_came_of(slow.incidents)
    assert fast.rounds < slow.rounds / 2


@pytest.mark.parametrize("mode", ["observe", "approve"])
def test_another_policy_gives_another_answer(mode):
    """The live house only watched; what enforcing it would have done is another replay."""
    story = Story(mode=mode)
    story.deploy(0.5)
    story.pass_minutes(12)
    history = record(story.house, since_at=START)
    enforcing = House(policy_document(mode="enforce")).policy
    (incident,) = Replay(history, enforcing).run().incidents

    assert story.house.live == "2"
    assert incident.to_version == "1"
    assert incident.acted_at is not None


def test_a_minute_is_not_seen_before_it_has_ended():
    story = Story()
    story.deploy(0.9)
    story.pass_minutes(6)
    history = record(story.house, since_at=START)
    (whole,) = Replay(history, story.house.policy).run().incidents
    acted_at = whole.acted_at
    cut = replace(history, to_at=acted_at - MINUTE)

    assert Replay(cut, story.house.policy).run().incidents == ()
