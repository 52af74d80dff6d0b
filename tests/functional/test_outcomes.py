"""How it ends: fixed or not, moved by somebody, too little to tell; and what is never repeated."""

import itertools
from dataclasses import replace

import pytest
from checker import incidents_of, problems_of
from faults import Operations, client_error, healthy_v1, on, refuse
from scenarios import (
    ERROR_RATE,
    adopting,
    alarm_suppressed,
    bad_deploy,
    errors_alarm,
    house_with,
    inconclusive,
    symptom_remains,
)

from house import MINUTE, House, policy_document
from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason


def said(house):
    return [(i.state, i.reason) for i in incidents_of(house)]


def test_a_rollback_that_does_not_help_is_said_and_never_followed_by_another():
    house = symptom_remains()
    house.ops.pass_minutes(20)

    assert said(house)[0] == (State.NOT_FIXED, Reason.SYMPTOM_REMAINS)
    assert incidents_of(house)[0].needs_a_person
    assert house.aliases.moves == [("shop", "2", "1")]


def test_an_incident_ends_although_its_metric_cannot_be_read():
    house = bad_deploy()
    assert house.incident.state is State.WATCHING
    on(house, "GetMetricData", refuse(client_error("AccessDenied", "GetMetricData")), times=9999)
    house.ops.pass_minutes(20)

    assert house.incident.state is State.UNKNOWN
    assert house.incident.needs_a_person
    assert "could not be read" in house.incident.steps[-1].text
    assert house.ops.problems


def test_an_incident_ends_although_its_target_cannot_be_read():
    house = bad_deploy()
    on(house, "GetAlias", refuse(client_error("AccessDenied", "GetAlias")), times=9999)
    house.ops.pass_minutes(20)

    assert house.incident.state in {State.UNKNOWN, State.NOT_FIXED}
    assert house.incident.needs_a_person
    assert house.ops.problems


def test_an_alias_deleted_during_verification_is_said():
    house = bad_deploy()
    house.aliases.delete_alias("shop", "live")
    house.now += 20 * MINUTE
    house.ops.look()

    assert house.incident.state is State.UNKNOWN
    assert "does not exist" in house.incident.steps[-1].text


def test_a_move_by_somebody_during_verification_is_left_alone():
    house = bad_deploy()
    house.deploy("v3")
    house.ops.pass_minutes(15)

    assert said(house)[0] == (State.UNKNOWN, Reason.MOVED_AGAIN)
    assert house.live == "3"
    assert house.aliases.moves == [("shop", "2", "1")]


def test_weights_added_during_verification_are_a_move_as_well():
    house = bad_deploy()
    house.aliases.point("shop", "live", "1", {"2": 0.1})
    house.ops.pass_minutes(2)

    assert said(house)[0] == (State.UNKNOWN, Reason.MOVED_AGAIN)


def test_a_bad_canary_is_taken_back_and_its_weights_are_cleared():
    house = healthy_v1(House())
    house.ops = Operations(house)
    version = house.deploy("v2", errors=0.9)
    house.aliases.point("shop", "live", "1", {version: 0.5})
    house.ops.pass_minutes(12, requests=60)

    assert house.aliases.moves == [("shop", "1", "1")]
    assert house.aliases.weights_of("shop", "live") == {}
    assert house.incident.state is State.FIXED


def test_a_canary_without_traffic_is_not_blamed_for_the_version_beside_it():
    document = policy_document()
    document["guardrails"]["metric_lag_minutes"] = 2
    house = healthy_v1(House(document))
    house.ops = Operations(house)
    version = house.deploy("v2")
    house.aliases.point("shop", "live", "1", {version: 0.0})
    for errors in (0.0, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0):
        house.errors["1"] = errors
        house.ops.pass_minutes(1)

    assert house.aliases.moves == []


def test_an_undecided_alarm_is_judged_each_minute_and_then_a_person_is_asked():
    house = inconclusive()
    assert house.incident.state is State.UNDECIDED
    assert not house.incident.needs_a_person
    looks = house.calls.count("GetMetricData")
    house.ops.pass_minutes(5)
    assert house.calls.count("GetMetricData") >= looks + 5
    house.ops.pass_minutes(14)

    assert (house.incident.state, house.incident.reason) == (State.STOOD_DOWN, Reason.INCONCLUSIVE)
    assert house.incident.needs_a_person
    assert [s.reason for s in house.incident.steps] == [Reason.INCONCLUSIVE] * 2
    looks = house.calls.count("GetMetricData")
    house.ops.pass_minutes(5)
    assert house.calls.count("GetMetricData") == looks


def test_undecided_becomes_a_rollback_as_soon_as_the_numbers_convict():
    house = healthy_v1(House())
    house.ops = Operations(house)
    on(house, "GetMetricData", refuse(client_error("InternalServiceError", "GetMetricData")))
    on(house, "GetMetricData", refuse(client_error("Throttling", "GetMetricData")), times=6)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(8)

    steps = [s.reason for i in incidents_of(house) for s in i.steps]
    assert steps[:2] == [Reason.UNMEASURABLE, Reason.METRIC_BREACHING]
    assert house.live == "1"


def test_alarms_that_cannot_be_read_change_nothing_and_are_tried_again():
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    on(house, "DescribeAlarms", refuse(client_error("Throttling", "DescribeAlarms")), times=6)
    house.ops.pass_minutes(2)
    assert house.aliases.moves == []
    house.ops.pass_minutes(4)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_the_cooldown_keeps_a_second_bad_deploy_for_a_person():
    house = bad_deploy(minutes=10)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(8)

    assert house.live == "3"
    assert house.incident.reason is Reason.COOLDOWN
    assert house.incident.needs_a_person


def test_after_the_cooldown_a_second_bad_deploy_is_undone_as_well():
    house = bad_deploy(minutes=10)
    house.ops.pass_minutes(30)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(8)

    assert house.aliases.moves == [("shop", "2", "1"), ("shop", "3", "1")]
    assert problems_of(house, good={"1"}, deploys=2) == []


def test_a_flapping_alarm_moves_once_for_one_deploy():
    house = bad_deploy()
    for _ in range(6):
        house.errors["1"] = 0.6
        house.ops.pass_minutes(4)
        house.errors["1"] = 0.0
        house.ops.pass_minutes(4)

    assert house.aliases.moves == [("shop", "2", "1")]


def test_the_second_alarm_never_leads_further_back():
    """v1 and v2 proved themselves, v3 fails, and so does v2 afterwards: one hop only."""
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.deploy("v2")
    house.ops.pass_minutes(10)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(9)
    assert house.live == "2"
    house.errors["2"] = 0.6
    house.ops.pass_minutes(40)

    assert house.aliases.moves == [("shop", "3", "2")]


def test_a_version_that_was_rolled_back_from_is_never_a_way_back():
    """5 fails, back to 4, forward to 6 which fails too: back to 4, not to 5."""
    document = policy_document()
    document["guardrails"]["cooldown_minutes"] = 0
    house = healthy_v1(House(document))
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(8)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(8)

    assert house.aliases.moves == [("shop", "2", "1"), ("shop", "3", "1")]


def test_what_a_person_rolled_back_from_is_no_way_back_either():
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.deploy("v2")
    house.ops.pass_minutes(8)
    house.aliases.point("shop", "live", "1")
    house.ops.pass_minutes(2)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(4)

    assert house.aliases.moves == [("shop", "3", "1")]


def test_a_bad_configuration_does_not_condemn_the_same_code():
    """A version whose code is the good version's: only the configuration was bad."""
    document = policy_document()
    document["guardrails"]["cooldown_minutes"] = 0
    house = healthy_v1(House(document))
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    versions = house.aliases._versions["shop"]
    versions["2"] = versions["1"]
    house.ops.pass_minutes(6)
    assert house.live == "1"
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(4)

    assert house.aliases.moves == [("shop", "2", "1"), ("shop", "3", "1")]


def test_a_version_is_not_proved_while_its_alarm_does_not_exist():
    house = House()
    house.cloudwatch.delete_alarms([ERROR_RATE])
    house.deploy("v1")
    house.traffic(12, requests=24)

    assert house.ledger.good == ()


@pytest.mark.parametrize("requests", [0, 1])
def test_a_version_without_real_traffic_never_proves_itself(requests):
    house = House()
    house.deploy("v1")
    house.traffic(12, requests=requests)

    assert house.ledger.good == ()


@pytest.mark.parametrize(("latency_ms", "versions"), [(100, ["2", "1"]), (900, ["1"])])
def test_a_version_that_is_many_times_slower_than_normal_never_proves_itself(latency_ms, versions):
    """Its alarm sleeps: CloudWatch has learned no band yet, or the slowness already."""
    document = policy_document()
    document["services"][0]["triggers"] = [
        {"kind": "latency_times_normal", "statistic": "average", "times": 5}
    ]
    house = healthy_v1(House(document))
    house.deploy("v2", latency_ms=latency_ms)
    house.traffic(12)

    assert house.incident is None
    assert [good.version for good in house.ledger.good] == versions


def test_observe_touches_nothing_however_long_it_fails():
    house = healthy_v1(House(policy_document(mode="observe")))
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(20)

    assert "UpdateAlias" not in house.calls
    assert house.live == "2"
    assert said(house) == [(State.STOOD_DOWN, Reason.OBSERVE_MODE)]


def test_one_service_may_observe_while_the_policy_enforces():
    document = policy_document()
    document["services"][0]["mode"] = "observe"
    house = bad_deploy(healthy_v1(House(document)))

    assert house.live == "2"
    assert house.incident.reason is Reason.OBSERVE_MODE


def test_an_adopted_alarm_on_hold_pages_and_moves_nothing():
    house = bad_deploy(house_with(errors_alarm("legacy"), document=adopting("legacy")), minutes=12)

    assert house.aliases.moves == []
    assert said(house) == [(State.STOOD_DOWN, Reason.ALARM_NOT_TRUSTED)]
    assert house.incident.needs_a_person


def test_an_adopted_alarm_that_is_trusted_moves_and_is_fixed_when_it_is_quiet():
    document = adopting("legacy", when_unmeasurable="trust_alarm")
    house = bad_deploy(house_with(errors_alarm("legacy"), document=document), minutes=12)

    assert house.aliases.moves == [("shop", "2", "1")]
    assert said(house) == [(State.FIXED, Reason.SYMPTOM_GONE)]


def test_a_trusted_alarm_that_fired_before_the_deploy_moves_nothing():
    document = adopting("legacy", when_unmeasurable="trust_alarm")
    house = house_with(errors_alarm("legacy"), document=document)
    house.ops = Operations(house)
    house.errors["1"] = 0.6
    house.ops.pass_minutes(10)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(6)

    assert house.aliases.moves == []


def test_a_suppression_that_ends_lets_the_alarm_act():
    house = alarm_suppressed()
    assert house.aliases.moves == []
    house.cloudwatch.put_alarms([errors_alarm_of_nobody("maintenance-child")])
    house.ops.pass_minutes(6)

    assert house.aliases.moves == [("shop", "2", "1")]


def errors_alarm_of_nobody(name):
    return replace(errors_alarm(name), threshold=1e9)


def test_a_deploy_that_took_its_old_version_along_is_told_before_it_is_needed(caplog):
    """CDK's current_version deletes the version before: it is no way back, and the log says so."""
    house = healthy_v1(House())
    house.deploy("v2")
    house.aliases.delete_version("shop", "1")
    house.ops = Operations(house)
    house.ops.pass_minutes(2)

    assert "version 1 of shop:live was deleted" in caplog.text
    house.errors["2"] = 0.6
    house.ops.pass_minutes(4)
    assert house.incident.reason is Reason.NO_PROVEN_RELEASE
    assert "UpdateAlias" not in house.calls


def test_an_outcome_that_cannot_be_written_is_a_problem_each_minute():
    """The alarm on that wants three in a row; a claim left behind would have hidden every second.

    Each write of an outcome is refused, as where the archive beside it is; what frees the row is
    taken.
    """
    house = healthy_v1(House(), requests=24)
    house.ops = Operations(house)
    house.deploy("v2", errors=0.9)
    while house.incident is None or house.incident.state is not State.WATCHING:
        house.ops.pass_minutes(1)
    closes = itertools.count()

    def fault(name, answer):
        if name == "close" and next(closes) % 2 == 0:
            raise JournalError("the archive is not written")
        return answer()

    house.fault = fault
    problems = []
    for _ in range(12):
        house.traffic(1, watch=False)
        problems.append(bool(house.watcher.watch().problems))

    assert house.incident.state is State.WATCHING
    assert problems[-6:] == [True] * 6
    house.fault = lambda _, answer: answer()
    house.ops.pass_minutes(1)
    assert house.incident.state is State.FIXED
