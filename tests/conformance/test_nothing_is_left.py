"""Whatever breaks, and whenever: what a check has made is gone when it is over."""

import os
import signal
import threading

import pytest
import shelf
import world
from botocore.exceptions import ClientError

from conformance import leftovers
from conformance.check import Verdict
from conformance.checks import CHECKS, runtime
from conformance.lab import Lab
from conformance.run import Interrupts, _one, run, sweep
from conformance.things import Kind, Thing

ALL = {check.key: check for check in CHECKS}


def throttled():
    return ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "Any")


def quiet():
    return Interrupts(lambda line: None)


@pytest.mark.parametrize("key", ALL)
def test_at_each_call_of_a_check_and_of_its_removal(account, key, monkeypatch):
    """Done and then lost, or never done; refused, or broken off by Ctrl-C."""
    monkeypatch.setattr(runtime, "asking_package", lambda: {"index.py": ""})
    monkeypatch.setattr(world, "_asked", lambda *_: {})
    here = world.World()
    _one(here.lab(), ALL[key], quiet())
    heard = here.heard
    made = 0
    for at in range(len(heard)):
        for after, error in ((False, world.Lost), (True, world.Lost), (False, throttled),
                             (True, KeyboardInterrupt)):  # fmt: skip
            if error is KeyboardInterrupt and at >= _begin_of_removal(heard):
                continue  # it is not raised then: see below
            there = shelf.Shelf(heard, at, after=after, error=error)
            again = world.World()
            again.outputs, again.addresses = here.outputs, here.addresses
            lab = there.lab(again.lab())
            result = _one(lab, ALL[key], quiet())
            assert there.there == set(), (at, heard[at][:2], after, error)
            assert (result.left, "Assertion" in result.problem) == ((), False), result.problem
            assert result.verdict is not Verdict.DOES_NOT_HOLD, "an outage is no answer"
            made += 1
    assert made > 2 * len(heard) or not heard


def _begin_of_removal(heard):
    """The first call after the last that is none of a removal."""
    removals = {*shelf.TAKES, "GetQueueUrl", "DeleteQueue", "DeleteAlarms", "ListDeployments",
                "DeleteApplication", "DescribeStacks", "DeleteStack", "StopDeployment"}  # fmt: skip
    last = [number for number, call in enumerate(heard) if call[1] not in removals]
    return last[-1] + 1 if last else 0


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 32, 2))
def test_the_same_in_motos_account(account, at, after):
    here = world.World(world.Faults(at, after=after))
    done = run(here.lab(), [ALL["A18"]])

    assert here.left() == world.NOTHING
    assert done.left == ()


def test_what_does_not_go_is_told_and_found_again_by_its_tag(account):
    here = world.World()
    stubborn = here.lab()
    inner = stubborn.clients

    def clients(service):
        if service == "sqs":
            raise throttled()
        return inner(service)

    stubborn.clients = lambda service: clients(service) if refusing else inner(service)
    refusing = False
    ALL["A18"].create(stubborn)
    refusing = True
    left = stubborn.clean_up()

    assert {one.thing.kind for one in left} == {Kind.QUEUE}
    assert len(here.left()["queues"]) == 2
    found = leftovers.find(inner)
    assert {thing.kind for thing in found} == {Kind.QUEUE}
    assert sweep(here.lab(), None) == ([], "")
    assert here.left() == world.NOTHING


def test_everything_of_a_run_that_was_killed_is_found_by_its_tag_and_removed(account):
    """Nothing is removed at all, as when the process is killed; some of it is under way."""
    here = world.World()
    keys = ("A18", "A12", "A11-muted", "timeout-log", "A5", "A6", "A8", "A10")
    for key in keys:
        lab = here.lab()
        ALL[key].observe(lab, ALL[key].create(lab))
    before = here.left()
    assert all(before.values()), before

    assert sweep(here.lab(), "ffffffff") == ([], "")
    assert here.left() == before, "another run's things are not touched"
    assert sweep(here.lab(), "0a1b2c3d") == ([], "")
    assert here.left() == world.NOTHING


def test_what_only_looks_like_ours_is_not_removed(account):
    here = world.World()
    name = "rollback-conformance-of-mine"
    world.raw("sqs").create_queue(QueueName=name)
    here.tagged[name] = "0a1b2c3d"

    assert sweep(here.lab(), None) == ([], "")
    assert len(here.left()["queues"]) == 1
    assert leftovers.thing_of("arn:aws:ssm:us-east-1:1:parameter/other") is None


def test_all_kinds_can_be_removed_where_there_is_nothing(account):
    here = world.World()
    lab = here.lab()
    for kind in Kind:
        arn = "arn:aws:sns:us-east-1:123456789012:gone"
        lab.owe(Thing(kind, arn if kind is Kind.TOPIC else "gone"))

    assert lab.clean_up() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_check_removes_what_it_made_and_begins_no_other(account, number):
    here, before = world.World(), signal.getsignal(signal.SIGINT)
    lab, said = here.lab(), []
    lab.say = said.append
    sleep = lab.sleep

    def pressed(seconds):
        if here.left()["queues"]:
            os.kill(os.getpid(), number)
        sleep(seconds)

    lab.sleep = pressed
    done = run(lab, [ALL["A11-muted"], ALL["A18"]])

    assert done.broken_off
    assert [(r.verdict, r.problem) for r in done.results] == [(Verdict.NOT_TOLD, "broken off")]
    assert here.left() == world.NOTHING
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_while_things_are_removed_is_only_noted(account, monkeypatch):
    here = world.World()
    lab, said = here.lab(), []
    lab.say = said.append
    inner = Lab.clean_up

    def impatient(self):
        os.kill(os.getpid(), signal.SIGINT)
        return inner(self)

    monkeypatch.setattr(Lab, "clean_up", impatient)
    done = run(lab, [ALL["A1"], ALL["A3"]])

    assert [r.verdict for r in done.results] == [Verdict.HOLDS]
    assert done.broken_off
    assert any("being removed" in line for line in said)
    assert here.left() == world.NOTHING


def test_in_another_thread_no_signal_is_heard_and_all_is_removed(account):
    here = world.World()
    lab = here.lab()
    done = []
    thread = threading.Thread(target=lambda: done.append(run(lab, [ALL["A19"]])))
    thread.start()
    thread.join()

    assert done[0].results[0].verdict is Verdict.HOLDS
