"""Ways to make the hot path act wrongly, or say nothing, that somebody has tried."""

import importlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from checker import incidents_of
from faults import Died, Operations, healthy_v1, on, refuse
from faults import before as just_before
from rollout_scenarios import STACK, document
from scenarios import ERROR_RATE, LATENCY, fire

from house import ACCOUNT, REGION, House, policy_document
from local.aws_model.evaluation import State as AlarmValue
from rollback_responder import bootstrap
from rollback_responder.bootstrap import RespondHouse
from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.reason import Reason
from rollback_responder.metrics.shared import SharedMetrics
from rollback_responder.policies import IndexedPolicy, index_of
from rollback_responder.responder import Responder
from rollback_responder.signals import wake
from rollback_responder.wiring import RespondWiring

# -- minutes that are asked for ahead ----------------------------------------------------------


def on_latest(**trigger):
    """An alias that has always pointed to $LATEST, beside the stack that holds the function."""
    policy = document(STACK)
    policy["services"][0]["triggers"] = [
        {"kind": "error_rate", "threshold_percent": 5, "severity": "critical", **trigger}
    ]
    house = House(policy)
    house.cloudformation.add_stack("shop")
    house.aliases._versions["shop"] = {"$LATEST": "sha"}
    house.aliases.point("shop", "live", "$LATEST")
    house.errors["$LATEST"], house.latency_ms["$LATEST"] = 0.0, 100.0
    house.ops = Operations(house)
    house.ops.pass_minutes(70, requests=60)
    return house


def test_an_alarm_is_not_trusted_over_good_numbers_because_the_alias_is_on_latest():
    """$LATEST is no part of an id of GetMetricData: the reading ahead is refused as a whole."""
    house = on_latest(when_unmeasurable="trust_alarm")
    house.cloudformation.begin_update("shop", seconds=3600)
    house.ops.pass_minutes(3, requests=60)
    fire(house)
    house.ops.deliver()

    assert "CancelUpdateStack" not in house.calls
    assert house.incident.reason is Reason.METRIC_HEALTHY


def test_a_bad_update_is_cancelled_although_the_alias_is_on_latest():
    house = on_latest()
    house.cloudformation.begin_update("shop", seconds=3600)
    house.errors["$LATEST"] = 0.9
    house.ops.pass_minutes(5, requests=60)

    assert house.calls.count("CancelUpdateStack") == 1


def test_a_deploy_that_takes_the_alias_from_latest_is_judged_by_its_numbers():
    """Within the minute in which the ledger still says $LATEST."""
    policy = policy_document()
    policy["services"][0]["triggers"][0]["when_unmeasurable"] = "trust_alarm"
    house = healthy_v1(House(policy), requests=60)
    house.aliases._versions["shop"]["$LATEST"] = "sha"
    house.errors["$LATEST"], house.latency_ms["$LATEST"] = 0.0, 100.0
    house.aliases.point("shop", "live", "$LATEST")
    house.traffic(3, requests=60)
    house.aliases._versions["shop"]["2"] = "sha2"
    house.errors["2"], house.latency_ms["2"] = 0.0, 100.0
    house.aliases.point("shop", "live", "2")
    house.traffic(1, requests=60, watch=False)
    fire(house)
    house.respond(ERROR_RATE)

    assert house.aliases.moves == []
    assert house.incident.reason is not Reason.ALARM_TRUSTED


# -- the alarms of a batch ----------------------------------------------------------------------


class Function:
    """The function `respond` as Lambda runs it: one process, an invocation for each batch."""

    def __init__(self, monkeypatch, house, policies=None):
        self.house = house
        shared = SharedMetrics(house.rooms.metrics, house.stopwatch)
        wiring = RespondWiring(
            account_id=ACCOUNT, region=REGION, journal_table="t", dead_letter_queue_url="q"
        )
        responder = Responder(replace(house.rooms, metrics=shared), policies)
        respond = RespondHouse(
            wiring=wiring,
            policy=house.policy,
            responder=responder,
            expect=shared.expect,
            dead_letter=lambda *_: None,
        )
        monkeypatch.setattr(bootstrap, "respond_house", lambda _: respond)
        name = "rollback_responder.handlers.respond"
        monkeypatch.delitem(sys.modules, name, raising=False)
        self.handler = importlib.import_module(name).handler

    def invoke(self, *alarms):
        bodies = [wake.body(name, account_id=ACCOUNT, region=REGION) for name in alarms]
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        return self.handler({"Records": records}, None)


def test_an_alarm_that_fires_after_a_batch_is_read_for_its_own_message(monkeypatch):
    """What one invocation read is older than the message of the next: the alarm is lost by it."""
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    function = Function(monkeypatch, house)
    house.traffic(1, requests=60, watch=False)
    function.invoke(ERROR_RATE, LATENCY)
    assert house.incident is None
    house.now += timedelta(seconds=2)
    fire(house)

    function.invoke(ERROR_RATE)

    assert house.incident is not None


def test_an_alarm_that_recovered_after_a_batch_is_not_acted_upon_in_the_next(monkeypatch):
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    function = Function(monkeypatch, house)
    house.traffic(4, requests=60, watch=False)
    on(house, "claim", refuse(JournalError("no answer")), times=2)
    function.invoke(ERROR_RATE, LATENCY)
    assert house.live == "2"
    house.now += timedelta(seconds=2)
    house.cloudwatch.set_alarm_state(ERROR_RATE, AlarmValue.OK, "it is over")

    function.invoke(ERROR_RATE)

    assert house.live == "2"


def test_a_service_that_cannot_be_read_does_not_hold_up_the_others_of_its_batch(
    monkeypatch, tmp_path
):
    policy = policy_document()
    other = {
        "name": "other",
        "targets": [{"kind": "lambda_alias", "function": "other", "alias": "live"}],
        "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
    }
    policy["services"].append(other)
    house = House(policy)
    house.aliases.publish("other", "v1")
    house.aliases.point("other", "live", "1")
    healthy_v1(house, requests=60)
    house.deploy("v2", errors=0.6)
    house.traffic(4, requests=60, watch=False)
    path = tmp_path / "policy.index"
    lines = index_of(house.policy).splitlines(keepends=True)
    broken = b'["service","other"]'
    path.write_bytes(
        b"".join(broken + b"\t{\n" if line.startswith(broken) else line for line in lines)
    )
    function = Function(monkeypatch, house, IndexedPolicy(path))

    answer = function.invoke("rollback.test.other.other.live.error-rate", ERROR_RATE)

    assert house.live == "1"
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}


# -- the order of calls -------------------------------------------------------------------------


def test_what_is_set_aside_after_the_claim_failed_is_given_back():
    """Both are under way at once, and the claim's answer comes first."""
    house = healthy_v1(House(), requests=60)
    pool = ThreadPoolExecutor(max_workers=8)
    house.responder = Responder(replace(house.rooms, start=lambda call: pool.submit(call).result))
    on(house, "claim", refuse(JournalError("no answer")))
    on(house, "set_aside", just_before(lambda: time.sleep(0.3)))

    assert isinstance(house.try_respond(ERROR_RATE), JournalError)
    pool.shutdown(wait=True)

    assert house.budget._spent == set()


def test_a_touch_that_the_ledger_missed_and_a_crash_do_not_make_the_result_unknown():
    """Nothing was sent. A look before the move was written down, so that an heir could tell."""
    house = healthy_v1(House(), requests=60)
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=60)
    house.traffic(2, requests=60, watch=False)
    house.aliases.point("shop", "live", "2")
    on(house, "UpdateAlias", refuse(Died()))
    house.ops.deliver()
    house.ops.queue.append((ERROR_RATE, 1))
    house.ops.pass_minutes(15, requests=60)

    assert Reason.RESULT_UNKNOWN not in {i.reason for i in incidents_of(house)}


def test_a_pause_or_an_empty_budget_does_not_say_what_is_not_so_of_an_alias():
    """A person has moved it back; the page says that its bad version is live and stays."""
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=60)
    house.traffic(2, requests=60, watch=False)
    house.aliases.point("shop", "live", "1")
    house.now += timedelta(seconds=20)
    for n in range(house.policy.guardrails.rollbacks_an_hour):
        house.budget.set_aside(f"other-{n}", limit=99, now=house.now)

    house.respond(ERROR_RATE)

    assert house.incident is None or house.incident.reason is not Reason.BUDGET_SPENT
