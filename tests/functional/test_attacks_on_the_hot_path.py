"""Ways to make the hot path act wrongly, or say nothing, that somebody has tried."""

import importlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from faults import Died, Operations, client_error, healthy_v1, lose, on, refuse
from faults import before as just_before
from msgspec.structs import replace
from rollout_scenarios import STACK, document
from scenarios import ERROR_RATE, LATENCY, fire

from house import ACCOUNT, REGION, House, policy_document
from local.aws_model.evaluation import State as AlarmValue
from rollback_responder.bootstrap.respond import RespondHouse
from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.metrics.shared import SharedMetrics
from rollback_responder.policies import IndexedPolicy, index_of
from rollback_responder.responder import Responder
from rollback_responder.rooms import PATIENT_SECONDS, PATIENT_SECONDS_TOGETHER
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
        monkeypatch.setattr("rollback_responder.bootstrap.respond.open_house", lambda _: respond)
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


def touched(house):
    """A person touches the alias before the call, which then is never made."""
    house.aliases.point("shop", "live", "2")
    on(house, "UpdateAlias", refuse(Died()))


def taken_back(house):
    """The call is made, and what it did is taken back by a person afterwards."""
    on(house, "UpdateAlias", lose(Died()))


@pytest.mark.parametrize(("story", "moves"), [(touched, []), (taken_back, [("shop", "2", "1")])])
def test_a_crash_beside_a_touch_that_the_ledger_missed_leaves_the_result_unknown(story, moves):
    """Both stories leave the same: another revision, no mark of ours, the version of before.

    In the second one we acted, so whoever inherits the claim may not say that nothing was done.
    Only a look that was written down before the move could tell them apart, and that is the call
    that the belief saves: a person is told, and nothing is moved on a guess.
    """
    house = healthy_v1(House(), requests=60)
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=60)
    house.traffic(2, requests=60, watch=False)
    story(house)
    house.ops.deliver()
    house.aliases.point("shop", "live", "2")
    house.calls.clear()
    house.ops.queue.append((ERROR_RATE, 1))
    house.ops.pass_minutes(15, requests=60)

    assert house.ops.deaths == 1
    assert (house.incident.state, house.incident.reason) == (
        State.INDETERMINATE,
        Reason.RESULT_UNKNOWN,
    )
    assert (house.aliases.moves, house.live) == (moves, "2")
    assert "UpdateAlias" not in house.calls


def test_a_refused_belief_is_looked_at_and_tried_once_more_at_most():
    """Somebody touches the alias before each move: the second refusal is one of what was seen."""
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=60)
    house.traffic(2, requests=60, watch=False)
    house.calls.clear()
    touch = just_before(lambda: house.aliases.point("shop", "live", "2"))
    on(house, "UpdateAlias", touch, times=99)
    house.respond(ERROR_RATE)
    calls = [name for name in house.calls if name in {"GetAlias", "UpdateAlias"}]
    house.traffic(5, requests=60)

    assert calls == ["UpdateAlias", "GetAlias", "UpdateAlias"]
    assert (house.incident.state, house.incident.reason) == (
        State.STOOD_DOWN,
        Reason.TARGET_CHANGED,
    )
    assert house.calls.count("UpdateAlias") == 2
    assert house.aliases.moves == []


def test_a_refused_belief_is_judged_anew_on_what_is_seen():
    """It is no second try of the same: the version that serves by then has done nothing."""
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=60)
    house.traffic(2, requests=60, watch=False)
    house.deploy("v3")
    house.calls.clear()
    house.respond(ERROR_RATE)

    assert [name for name in house.calls if name in {"GetAlias", "UpdateAlias"}] == [
        "UpdateAlias",
        "GetAlias",
    ]
    assert house.live == "3"


@pytest.mark.parametrize("reason", [Reason.PAUSED, Reason.BUDGET_SPENT])
def test_a_pause_or_an_empty_budget_does_not_say_what_is_not_so_of_an_alias(reason):
    """A person has moved it back, and a page must not say that its bad version is live.

    In a storm Lambda's calls are for those that move, so it is not looked at: the page says so, and
    what was seen last. Once the watcher has seen it, the incident is over.
    """
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=60)
    house.traffic(2, requests=60, watch=False)
    house.aliases.point("shop", "live", "1")
    house.now += timedelta(seconds=20)
    if reason is Reason.PAUSED:
        house.budget.paused_by = "ann"
    for n in range(house.policy.guardrails.rollbacks_an_hour):
        house.budget.set_aside(f"other-{n}", limit=99, now=house.now)
    entry = house.respond(ERROR_RATE)
    house.traffic(2, requests=60)

    since_at = entry.incident.release.since_at
    assert entry.incident.reason is reason
    assert entry.text.endswith(
        "; shop:live was not looked at now: when it last was, it had been at version 2 since"
        f" {since_at:%H:%M:%S} UTC"
    )
    assert (house.incident.is_open, house.incident.reason) == (False, Reason.CHANGE_IS_ROLLBACK)


# -- patience -----------------------------------------------------------------------------------


def test_a_batch_of_which_all_is_throttled_ends_long_before_its_timeout(monkeypatch):
    """Ten times five seconds and a bit would be all that the function has."""
    house = healthy_v1(House(), requests=60)
    house.deploy("v2", errors=0.6)
    house.traffic(4, requests=60, watch=False)
    function = Function(monkeypatch, house)
    on(house, "UpdateAlias", refuse(client_error("ThrottlingException")), times=999)
    waited = []
    for batch in ([ERROR_RATE] * 10, [ERROR_RATE]):
        house.calls.clear()
        began = house.stopwatch()
        function.invoke(*batch)
        waited.append(house.stopwatch() - began)
        assert house.calls.count("claim") == len(batch)

    assert PATIENT_SECONDS_TOGETHER < waited[0] < PATIENT_SECONDS_TOGETHER + 1
    # The next invocation has its own.
    assert PATIENT_SECONDS < waited[1] < PATIENT_SECONDS + 1
