"""The figures as the functions print them, in CloudWatch's embedded metric format."""

import importlib
import json
import sys

import pytest

from house import ACCOUNT, REGION, House
from rollback_responder import bootstrap
from rollback_responder.bootstrap.respond import RespondHouse
from rollback_responder.bootstrap.watch import WatchHouse
from rollback_responder.domain import naming
from rollback_responder.domain.incident import State
from rollback_responder.driller import Driller
from rollback_responder.signals import wake
from rollback_responder.wiring import RespondWiring

ALARM = "rollback.test.shop.shop.live.error-rate"


class Functions:
    """Both handlers over one house in memory."""

    def __init__(self, monkeypatch, house):
        self.house, self.expected = house, []
        wiring = RespondWiring(
            account_id=ACCOUNT, region=REGION, journal_table="t", dead_letter_queue_url="q"
        )
        respond = RespondHouse(
            wiring=wiring,
            policy=house.policy,
            responder=house.responder,
            expect=self.expected.append,
            dead_letter=lambda *_: None,
        )
        driller = Driller(
            policy=house.policy, journal=house.journal, desk=house.desk, clock=house.clock
        )
        watch = WatchHouse(
            policy=house.policy, watcher=house.watcher, driller=driller, preflight=tuple
        )
        monkeypatch.setattr("rollback_responder.bootstrap.respond.open_house", lambda _: respond)
        monkeypatch.setattr("rollback_responder.bootstrap.watch.open_house", lambda _: watch)
        monkeypatch.setattr(bootstrap, "utc_now", house.clock)
        self.respond, self.watch = (
            self._fresh(monkeypatch, f"rollback_responder.handlers.{name}").handler
            for name in ("respond", "watch")
        )

    def _fresh(self, monkeypatch, name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    def answer(self):
        body = wake.body(ALARM, account_id=ACCOUNT, region=REGION)
        self.respond({"Records": [{"messageId": "m", "body": body}]}, None)


def figures_in(text):
    """Every metric in the output, with its unit and values."""
    found = {}
    for line in text.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == naming.METRICS_NAMESPACE
            assert directive["Dimensions"] == [["service"]]
            assert document["service"] == "rollback-responder-test"
            for metric in directive["Metrics"]:
                found[metric["Name"]] = (metric["Unit"], document[metric["Name"]])
    return found


@pytest.fixture
def functions(monkeypatch):
    house = House()
    house.deploy("v1")
    house.traffic(8, requests=20)
    house.deploy("v2", errors=0.6)
    house.traffic(3, requests=20, watch=False)
    house.woken.clear()
    return Functions(monkeypatch, house)


def test_a_bad_deploy_is_counted_from_the_act_to_the_recovery(functions, capsys):
    house = functions.house
    functions.watch({}, None)
    functions.answer()
    acted = figures_in(capsys.readouterr().out)
    incident = house.incident
    assert incident.state is State.WATCHING
    house.traffic(4, requests=20, watch=False)
    functions.watch({}, None)
    ended = figures_in(capsys.readouterr().out)
    incident = house.incident
    assert incident.state is State.FIXED

    seconds = (incident.acted_at - incident.alarm_since_at).total_seconds()
    recovery = (incident.steps[-1].at - incident.alarm_since_at).total_seconds()
    assert acted["SecondsToAction"] == ("Seconds", [seconds])
    assert acted["metric_breaching"] == ("Count", [1.0])
    assert ended["RollbackFixed"] == ("Count", [1.0])
    assert ended["SecondsToBack"] == ("Seconds", [seconds])
    assert ended["SecondsToRecovery"] == ("Seconds", [recovery])
    assert ended["IncidentsOpen"] == ("Count", [1.0])
    assert ended["OldestOpenSeconds"] == ("Seconds", [240.0])


def test_a_quiet_round_says_that_nothing_is_open(functions, capsys):
    functions.watch({}, None)
    quiet = figures_in(capsys.readouterr().out)

    assert quiet["IncidentsOpen"] == ("Count", [0.0])
    assert quiet["OldestOpenSeconds"] == ("Seconds", [0.0])
    assert quiet[naming.HEARTBEAT] == ("Count", [1.0])


def test_the_alarms_of_a_batch_are_expected_together_and_one_alone_is_not(functions):
    """Every invocation expects something, if nothing. No message of ours keeps others from it."""
    latency = "rollback.test.shop.shop.live.latency-p50"
    bodies = [wake.body(name, account_id=ACCOUNT, region=REGION) for name in (ALARM, latency)]

    def records(*those):
        return {"Records": [{"messageId": str(n), "body": body} for n, body in enumerate(those)]}

    functions.respond(records(bodies[0]), None)
    functions.respond(records(bodies[0], bodies[0]), None)
    functions.respond(records("not json", *bodies), None)

    assert functions.expected == [set(), set(), {ALARM, latency}]
