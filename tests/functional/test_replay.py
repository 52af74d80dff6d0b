"""A replay of a record does what the live house did: same code, same minutes, same end."""

import re

import pytest
from faults import Operations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from recording import record

from house import MINUTE, START, House, policy_document
from local.aws_model.codedeploy import canary
from rollback_responder.cli.replay import Replay
from rollback_responder.domain.incident import State

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


def test_a_release_that_proves_itself_in_a_silence_is_not_skipped():
    """Where versions are not told apart, time and a few requests are enough."""
    house = House()
    house.deploy("v1")
    house.traffic(3, watch=False)
    house.traffic(40, requests=0, watch=False)
    house.deploy("v2", errors=0.9)
    house.traffic(12, watch=False)
    history = record(house, since_at=START)
    known = tuple(s for s in history.series if len(s.dimensions) < 3)
    history = replace(history, series=known)
    (fast,) = Replay(history, house.policy).run().incidents
    (slow,) = Replay(history, house.policy, every_minute=True).run().incidents

    assert fast.to_version == "1"
    assert what_came_of([fast]) == what_came_of([slow])


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


# -- rollouts -------------------------------------------------------------------------------------

GROUP = {"kind": "codedeploy_group", "application": "shop", "group": "live"}
STACK = {"kind": "cloudformation_stack", "stack": "shop"}


def with_rollout(rollout):
    document = policy_document()
    document["services"][0]["targets"].append(rollout)
    return document


def deployed(house):
    """A bad deployment that shifts half of the traffic for an hour."""
    house.codedeploy.add_config("Half", canary(50, 60 * MINUTE))
    house.codedeploy.add_group("shop", "live", function="shop", alias="live", config="Half")

    def begin():
        bad = house.aliases.publish("shop", "v2")
        house.errors[bad], house.latency_ms[bad] = 0.8, 100.0
        house.codedeploy.deploy("shop", "live", target_version=bad)

    return begin


def updated(house):
    """A bad stack update that takes an hour."""
    house.cloudformation.add_stack("shop")

    def begin():
        bad = house.aliases.publish("shop", "v2")
        house.errors[bad], house.latency_ms[bad] = 0.8, 100.0
        house.cloudformation.begin_update(
            "shop",
            seconds=3600,
            on_begin=lambda: house.aliases.point("shop", "live", bad),
            on_rollback=lambda: house.aliases.point("shop", "live", "1"),
        )

    return begin


@pytest.mark.parametrize(
    ("rollout", "furnish"), [(GROUP, deployed), (STACK, updated)], ids=["deployment", "update"]
)
def test_a_replay_stops_what_the_live_house_stopped(rollout, furnish):
    """At the same minute, for the same reason; when it was back is the record's to say."""
    house = House(with_rollout(rollout))
    ops, begin = Operations(house, copies=2), furnish(house)
    house.deploy("v1")
    ops.pass_minutes(8, requests=60)
    begin()
    ops.pass_minutes(30, requests=60)
    (live,) = live_incidents(house)
    history = record(house, since_at=START)
    (replayed,) = Replay(history, house.policy).run().incidents

    assert live.steps[0].state is State.ROLLING_BACK
    assert (replayed.acted_at, replayed.change) == (live.acted_at, live.change)
    assert replayed.steps[0] == live.steps[0]
    assert [step.state for step in replayed.steps] == [step.state for step in live.steps]


@pytest.mark.parametrize(
    ("rollout", "furnish"), [(GROUP, deployed), (STACK, updated)], ids=["deployment", "update"]
)
def test_what_nobody_stopped_is_stopped_in_the_replay_and_its_alias_goes_back_with_it(
    rollout, furnish
):
    house = House(with_rollout(rollout))
    begin = furnish(house)
    house.deploy("v1")
    house.traffic(8, watch=False)
    begin()
    house.traffic(30, watch=False)
    history = record(house, since_at=START)
    (incident,) = Replay(history, house.policy).run().incidents

    assert incident.steps[0].state is State.ROLLING_BACK
    assert incident.steps[1].state is State.WATCHING
    assert incident.acted_at <= START + 12 * MINUTE
    assert incident.to_version == "1"
