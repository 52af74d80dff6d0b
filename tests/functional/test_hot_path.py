"""What is called before the act, in which order, and what waits for what: free of noise.

A call takes one tick. Calls that are started together take it together, so the tick at which the
act arrives is the longest chain of calls that each waited for the one before.
"""

from datetime import timedelta

import pytest
from faults import healthy_v1
from msgspec.structs import replace
from rollout_scenarios import GROUP, MUTATING, STACK, canary_deploy, house_of, update_stack
from scenarios import ERROR_RATE

from house import House
from rollback_responder import gauge, looking
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.situation import Switches
from rollback_responder.gauge import measured
from rollback_responder.responder import Responder

LAMBDA = {"GetAlias", "UpdateAlias", "GetFunctionConfiguration"}
# The journal's calls go by the names of its methods; each is one call of DynamoDB.
BESIDE = {"claim", "set_aside", "DescribeAlarms", "ListAlarmMuteRules", "GetMetricData"}


class Ticks:
    """Makes the house's calls take time, one tick each or as given; keeps when each arrived."""

    def __init__(self, house, **slow):
        self.now = 0
        self.slow = slow
        self.arrived = []
        house.fault = self._call
        self.responder = Responder(replace(house.rooms, start=self._start))

    def _call(self, name, answer):
        self.arrived.append((name, self.now))
        self.now += self.slow.get(name, 1)
        return answer()

    def _start(self, call):
        began = self.now
        try:
            result, error = call(), None
        except Exception as raised:  # noqa: BLE001 - whoever waits gets it
            result, error = None, raised
        ended, self.now = self.now, began

        def wait():
            self.now = max(self.now, ended)
            if error:
                raise error
            return result

        return wait

    def respond(self, house, *, seen_before):
        """One alarm; returns the call that acted, its tick, and what arrived before it."""
        house.responder = self.responder
        if seen_before:
            self.responder._known.update(house.journal.rows(["shop"])["shop"].ledgers)
        house.respond(ERROR_RATE)
        (number,) = [n for n, (name, _) in enumerate(self.arrived) if name in MUTATING]
        name, depth = self.arrived[number]
        return name, depth, dict(self.arrived[:number])

    def count(self, names):
        return sum(name in names for name, _ in self.arrived)


def bad_version():
    house = healthy_v1(House(), requests=24)
    house.deploy("v2", errors=0.6)
    return firing(house)


def weighted():
    """Half of the traffic, without CodeDeploy."""
    house = healthy_v1(House(), requests=60)
    version = house.aliases.publish("shop", "v2")
    house.errors[version], house.latency_ms[version] = 0.9, 100.0
    house.aliases.point("shop", "live", "1", weights={version: 0.5})
    return firing(house)


def canary():
    house = house_of(GROUP)
    canary_deploy(house)
    return firing(house)


def update():
    house = house_of(STACK)
    update_stack(house)
    return firing(house)


def firing(house):
    """The watcher has seen the change; the alarm fires, and nobody has looked since."""
    house.traffic(1, requests=60, watch=False)
    house.watcher.watch()
    house.woken.clear()
    house.traffic(3, requests=60, watch=False)
    return house


@pytest.mark.parametrize("story", [bad_version, canary, update])
def test_the_minutes_are_made_fit_for_the_journal_after_the_act(story, monkeypatch):
    house = story()
    ticks, recorded = Ticks(house), gauge.record

    def record(*of, **known):
        ticks.arrived.append(("record", ticks.now))
        return recorded(*of, **known)

    monkeypatch.setattr(gauge, "record", record)
    _, _, before = ticks.respond(house, seen_before=True)

    assert "record" not in before
    assert ticks.count({"record"}) == 1
    assert house.incident.minutes.total.minutes


@pytest.mark.parametrize("seen_before", [True, False])
def test_before_an_untouched_alias_is_moved_there_is_one_step(seen_before):
    """Which minutes to read is in the row: a process that never saw the service reads it first."""
    house = bad_version()
    ticks = Ticks(house)

    name, depth, before = ticks.respond(house, seen_before=seen_before)

    assert (name, set(before), house.live) == ("UpdateAlias", BESIDE, "1")
    assert depth == (1 if seen_before else 2)
    assert all(tick == 0 for call, tick in before.items() if seen_before or call != "GetMetricData")
    assert ticks.count(LAMBDA) == 1


def test_what_is_slow_beside_the_claim_holds_up_no_reading():
    """The budget takes two calls where an hour has begun that this process does not know of."""
    house = bad_version()
    ticks = Ticks(house, set_aside=2)

    _, depth, before = ticks.respond(house, seen_before=False)

    assert (before["GetMetricData"], depth) == (1, 2)


@pytest.mark.parametrize("story", [bad_version, canary, update])
def test_what_the_numbers_say_is_worked_out_before_the_last_answers_are_waited_for(
    monkeypatch, story
):
    """Once, of what was seen before them; they say nothing that it rests on."""
    house = story()
    ticks, order = Ticks(house), []

    def start(call):
        wait = ticks._start(call)
        name, _ = ticks.arrived[-1]

        def waiting():
            order.append(name)
            return wait()

        return waiting

    def measuring(*args):
        order.append("measured")
        return measured(*args)

    monkeypatch.setattr(looking, "measured", measuring)
    ticks.responder = Responder(replace(house.rooms, start=start))

    ticks.respond(house, seen_before=True)

    assert order[0] == "claim"
    assert order.count("measured") == 1
    last = ("measured", "DescribeAlarms", "ListAlarmMuteRules", "set_aside")
    assert tuple(name for name in order if name in last) == last


def test_what_was_measured_of_another_change_is_measured_anew():
    """A canary went back after the alarm began: it is on trial, not the update that came since."""
    house = house_of(GROUP, STACK)
    made = canary_deploy(house)
    house.traffic(6, watch=False)
    house.codedeploy.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    house.traffic(1, watch=False)
    house.cloudformation.begin_update("shop", seconds=3600)
    house.now += timedelta(seconds=20)

    house.respond(ERROR_RATE)

    found = house.incident.assessment
    assert "0.0 %" in found.new.text
    assert "88" in found.previous.text


def test_after_the_move_there_is_one_write():
    house = bad_version()
    ticks = Ticks(house)

    _, depth, _ = ticks.respond(house, seen_before=True)

    assert [each for each in ticks.arrived if each[1] > depth] == [("close", depth + 1)]


def test_a_deploy_that_the_process_never_saw_costs_no_step():
    """Lambda counts versions up: the next ones are asked for as well."""
    house = healthy_v1(House(), requests=24)
    known = house.journal.rows(["shop"])["shop"].ledgers
    house.deploy("v2", errors=0.6)
    house = firing(house)
    ticks = Ticks(house)
    ticks.responder._known.update(known)

    _, depth, _ = ticks.respond(house, seen_before=False)

    assert depth == 1


def test_an_alias_that_was_touched_since_is_looked_at_after_the_refusal():
    house = bad_version()
    house.aliases.point("shop", "live", "2")
    house.fault = lambda _, answer: answer()
    ticks = Ticks(house)
    house.responder = ticks.responder

    house.respond(ERROR_RATE)

    calls = [name for name, _ in ticks.arrived if name in LAMBDA]
    assert calls == ["UpdateAlias", "GetAlias", "UpdateAlias"]
    assert (house.live, house.aliases.moves[-1]) == ("1", ("shop", "2", "1"))
    assert ticks.count({"claim"}) == 1


@pytest.mark.parametrize(
    ("story", "act", "seen_before", "steps"),
    [
        (weighted, "UpdateAlias", True, 2),
        (weighted, "UpdateAlias", False, 2),
        (canary, "StopDeployment", True, 2),
        (canary, "StopDeployment", False, 2),
        (update, "CancelUpdateStack", True, 1),
        (update, "CancelUpdateStack", False, 2),
    ],
)
def test_no_kind_of_act_waits_longer_than_it_must(story, act, seen_before, steps):
    """A shifting alias has no sure ledger; a deployment is found in two reads."""
    house = story()
    ticks = Ticks(house)

    name, depth, _ = ticks.respond(house, seen_before=seen_before)

    assert (name, depth) == (act, steps)
    assert ticks.count(LAMBDA) == (2 if story is weighted else 1)


def test_over_the_budget_no_call_of_lambdas_is_spent():
    """In a storm they are for those that move."""
    house = bad_version()
    house.budget.set_aside = lambda *_, **__: Switches(in_budget=False)
    ticks = Ticks(house)
    house.responder = ticks.responder

    entry = house.respond(ERROR_RATE)

    assert entry.incident.reason is Reason.BUDGET_SPENT
    assert ticks.count(LAMBDA) == 0


def test_what_is_not_moved_is_looked_at():
    """The ledger is good for a move alone: nothing else is said of an alias that nobody saw."""
    house = healthy_v1(House(), requests=24)
    house.deploy("v2", errors=0.6)
    house.traffic(4, requests=60, watch=False)
    ticks = Ticks(house)
    house.responder = ticks.responder
    ticks.responder._known.update(house.journal.rows(["shop"])["shop"].ledgers)

    entry = house.respond(ERROR_RATE)

    assert [name for name, _ in ticks.arrived if name in LAMBDA] == ["GetAlias", "UpdateAlias"]
    assert entry.ledgers["lambda_alias/shop/live"].bad[0].version == "2"
