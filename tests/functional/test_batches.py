"""Several alarms in one batch: what CloudWatch tells of them is asked once, and not for long."""

from datetime import timedelta

import pytest
from faults import client_error, healthy_v1, on, refuse
from msgspec.structs import replace
from scenarios import ERROR_RATE, LATENCY

from house import House
from local.aws_model.mute_rules import MuteRule
from rollback_responder.metrics.shared import FRESH_SECONDS, SharedMetrics
from rollback_responder.responder import Responder

ABOUT_ALARMS = {"DescribeAlarms", "ListAlarmMuteRules", "GetAlarmMuteRule"}
ALARMS = (ERROR_RATE, LATENCY)


@pytest.fixture
def batch():
    house = healthy_v1(House(), requests=24)
    house.deploy("v2", errors=0.6, latency_ms=900)
    house.traffic(4, requests=24, watch=False)
    shared = SharedMetrics(house.rooms.metrics, house.stopwatch)
    house.responder = Responder(replace(house.rooms, metrics=shared))
    house.shared = shared
    house.calls.clear()
    return house


def asked(house):
    return [name for name in house.calls if name in ABOUT_ALARMS]


def test_the_alarms_of_a_batch_are_read_in_one_call(batch):
    batch.shared.expect(ALARMS)
    for name in ALARMS:
        batch.respond(name)

    assert asked(batch) == ["DescribeAlarms", "ListAlarmMuteRules"]
    assert batch.live == "1"


def test_what_was_read_long_ago_is_read_again(batch):
    batch.shared.expect(ALARMS)
    batch.now += timedelta(seconds=FRESH_SECONDS)

    batch.respond(ERROR_RATE)

    assert asked(batch)[2:] == ["DescribeAlarms", "ListAlarmMuteRules"]


def test_an_alarm_that_nobody_expected_is_read(batch):
    batch.shared.expect([LATENCY])
    batch.respond(ERROR_RATE)

    assert asked(batch)[2:] == ["DescribeAlarms", "ListAlarmMuteRules"]


@pytest.mark.parametrize("operation", sorted(ABOUT_ALARMS))
def test_what_could_not_be_read_for_all_is_read_for_each(batch, operation):
    mute(batch, LATENCY)
    on(batch, operation, refuse(client_error("ThrottlingException", operation)))
    batch.shared.expect(ALARMS)

    batch.respond(ERROR_RATE)

    assert batch.live == "1"


def test_a_rule_that_mutes_another_alarm_of_the_batch_holds_up_only_that(batch):
    mute(batch, LATENCY)
    batch.shared.expect(ALARMS)
    for name in (LATENCY, ERROR_RATE):
        batch.respond(name)

    assert asked(batch) == ["DescribeAlarms", "ListAlarmMuteRules", "GetAlarmMuteRule"]
    assert batch.live == "1"


def test_a_muted_alarm_of_a_batch_moves_nothing(batch):
    mute(batch, *ALARMS)
    batch.shared.expect(ALARMS)
    for name in ALARMS:
        batch.respond(name)

    assert batch.live == "2"


def mute(house, *names):
    house.cloudwatch.put_mute_rule(
        MuteRule(
            name="deploys",
            expression=f"at({house.now:%Y-%m-%dT%H:%M})",
            duration="PT6H",
            alarm_names=names,
        )
    )
