"""Processes die, replies get lost, AWS throttles: at every call, once and twice, and yet one move.

The canonical incident is played once to learn its calls; then each of them meets each fault.
"""

import itertools
import random
from datetime import timedelta

import pytest
from checker import incidents_of, problems_of
from faults import (
    FAULTS,
    Died,
    Operations,
    client_error,
    connect_timeout,
    connection_closed,
    healthy_v1,
    lose,
    on,
    read_timeout,
    refuse,
)
from faults import before as just_before
from rollout_scenarios import GROUP, house_of
from scenarios import ERROR_RATE

from house import LEASE, MINUTE, House
from rollback_responder.domain.errors import (
    ActionError,
    ActionUnclear,
    MeasurementError,
    TargetHeld,
)
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin


def ready(requests=24):
    house = healthy_v1(House(), requests=requests)
    house.ops = Operations(house)
    house.deploy("v2", errors=0.6)
    return house


def play(faults, minutes=13):
    """The incident, with these faults at the numbered calls; then everything comes to rest."""
    house = ready(requests=10)
    house.calls.clear()
    met = []

    def fault(name, answer):
        number = len(house.calls) - 1
        if number not in faults:
            return answer()
        met.append((name, faults[number]))
        return FAULTS[faults[number]](name)(answer)

    house.fault = fault
    for _ in range(minutes):
        house.ops.pass_minutes(1, requests=10)
        if house.incident and not house.incident.is_open:
            break
    house.ops.pass_minutes(2, requests=10)
    house.met = met
    return house


def calls_of_the_canonical_incident():
    house = play({})
    last = max(i for i, name in enumerate(house.calls) if name == "UpdateAlias")
    return house.calls[: last + 8]


CALLS = calls_of_the_canonical_incident()


def check(house):
    assert problems_of(house, good={"1"}) == []
    # Liveness: a bad deploy whose alarm fires is undone, whatever went wrong once.
    assert house.aliases.moves == [("shop", "2", "1")]
    assert house.live == "1"
    assert house.incident.state is State.FIXED


def faults_of(name):
    """The SDK tells each fault in its own way; those of the journal are the simulation's."""
    return FAULTS if name[0].isupper() else ["dies after", "reply lost"]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_one_fault_at_any_call(number):
    for kind in faults_of(CALLS[number]):
        house = play({number: kind})
        assert house.met, "the fault met no call"
        check(house)


def test_two_faults_at_any_two_calls():
    """Never wrong, and never silent: what two faults kept from being undone has paged somebody."""
    pairs = list(itertools.combinations(range(len(CALLS) + 12), 2))
    draw = random.Random(20261122)
    undone = 0
    for pair in draw.sample(pairs, 16):
        kinds = draw.choices(list(FAULTS), k=2)
        house = play(dict(zip(pair, kinds, strict=True)), minutes=18)
        note = f"{pair} {kinds} met {house.met}"

        assert problems_of(house, good={"1"}) == [], note
        assert house.aliases.moves or any(i.needs_a_person for i in incidents_of(house)), note
        undone += len(house.aliases.moves)
    assert undone >= 14


# -- one by one -----------------------------------------------------------------------------------


def at_the_moment():
    """A bad v2, its alarm in ALARM, nobody has looked yet."""
    house = ready()
    house.traffic(3, requests=24, watch=False)
    house.calls.clear()
    return house


@pytest.mark.parametrize("error", [connection_closed(), read_timeout()])
def test_a_reply_lost_after_the_move_is_found_at_once(error):
    house = at_the_moment()
    on(house, "UpdateAlias", lose(error))

    entry = house.respond(ERROR_RATE)

    assert entry.incident.state is State.WATCHING
    assert house.calls.count("UpdateAlias") == 1
    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_move_that_never_arrived_is_tried_again_only_after_the_lease():
    house = at_the_moment()
    on(house, "UpdateAlias", refuse(connect_timeout()))

    assert isinstance(house.try_respond(ERROR_RATE), ActionUnclear)
    assert house.incident.reason is Reason.ACTION_UNCLEAR
    assert isinstance(house.try_respond(ERROR_RATE), TargetHeld)
    assert house.calls.count("UpdateAlias") == 1
    house.now += LEASE + MINUTE
    house.traffic(1, requests=24, watch=False)
    entry = house.respond(ERROR_RATE)

    assert entry.incident.state is State.WATCHING
    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_move_that_never_gets_a_clear_answer_ends_with_a_page():
    house = ready()
    on(house, "UpdateAlias", refuse(connect_timeout()), times=999)
    house.ops.pass_minutes(30)

    assert house.incident.state is State.INDETERMINATE
    assert house.incident.reason is Reason.ACTION_UNCLEAR
    assert house.incident.needs_a_person
    assert house.aliases.moves == []
    assert house.calls.count("UpdateAlias") <= 15
    tried = house.calls.count("UpdateAlias")
    house.ops.pass_minutes(10)
    assert house.calls.count("UpdateAlias") == tried


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AccessDeniedException", Reason.ACTION_DENIED),
        ("AccessDenied", Reason.ACTION_DENIED),
        ("ExpiredTokenException", Reason.ACTION_DENIED),
        ("InvalidParameterValueException", Reason.ACTION_DENIED),
        ("ResourceNotFoundException", Reason.VERSION_DELETED),
        ("PreconditionFailedException", Reason.TARGET_CHANGED),
        ("ResourceConflictException", Reason.TARGET_CHANGED),
    ],
)
def test_a_refusal_is_told_once_and_never_tried_again(code, reason):
    house = ready()
    on(house, "UpdateAlias", refuse(client_error(code)), times=999)
    house.ops.pass_minutes(25)

    assert [i.reason for i in incidents_of(house)] == [reason]
    assert house.incident.needs_a_person
    assert house.calls.count("UpdateAlias") == 1
    assert house.live == "2"


def test_a_move_that_is_throttled_for_seconds_waits_for_them():
    """In a storm all want the same fifteen calls a second; a throttle is surely no act."""
    house = at_the_moment()
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=9)
    began_at = house.now

    entry = house.respond(ERROR_RATE)

    assert entry.incident.state is State.WATCHING
    assert house.calls.count("UpdateAlias") == 10
    assert house.now - began_at < timedelta(seconds=5)
    assert house.calls.count("claim") == 1


def test_a_move_that_is_throttled_for_longer_is_tried_again_each_minute():
    house = ready()
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=60)
    house.ops.pass_minutes(15)

    check(house)
    assert Reason.ACTION_THROTTLED in {step.reason for step in incidents_of(house)[0].steps}


def test_a_move_throttled_for_long_ends_with_a_page():
    house = ready()
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=999)
    house.ops.pass_minutes(25)

    assert (house.incident.state, house.incident.reason) == (
        State.STOOD_DOWN,
        Reason.ACTION_THROTTLED,
    )
    assert house.incident.needs_a_person
    assert house.aliases.moves == []


def test_an_unknown_answer_of_aws_is_unclear_never_a_refusal():
    house = at_the_moment()
    on(house, "UpdateAlias", refuse(client_error("ServiceException")))

    assert isinstance(house.try_respond(ERROR_RATE), ActionUnclear)
    assert house.incident.reason is Reason.ACTION_UNCLEAR


def test_an_error_before_the_move_leaves_the_target_free():
    house = at_the_moment()
    on(house, "DescribeAlarms", refuse(client_error("ThrottlingException", "DescribeAlarms")))

    assert isinstance(house.try_respond(ERROR_RATE), MeasurementError)
    assert house.respond(ERROR_RATE).incident.state is State.WATCHING


def test_the_budget_is_given_back_after_it_was_set_aside_also_where_nothing_could_be_read():
    """Both are under way at once; the other way round it would be lost until the hour is over."""
    house = at_the_moment()
    on(house, "DescribeAlarms", refuse(client_error("ThrottlingException", "DescribeAlarms")))

    assert isinstance(house.try_respond(ERROR_RATE), MeasurementError)
    calls = [name for name in house.calls if name in {"set_aside", "give_back"}]
    assert calls == ["set_aside", "give_back"]


def test_what_an_heir_cannot_read_stays_open_for_the_next():
    """The first dies after the move, the second cannot read: the third must still know of it."""
    house = at_the_moment()
    on(house, "UpdateAlias", lose(Died()))
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    house.now += LEASE + MINUTE
    on(house, "GetAlias", refuse(client_error("ThrottlingException", "GetAlias")))
    assert isinstance(house.try_respond(ERROR_RATE), ActionError)
    assert isinstance(house.try_respond(ERROR_RATE), TargetHeld)
    house.now += LEASE + MINUTE

    entry = house.respond(ERROR_RATE)

    assert entry.incident.reason is Reason.FOUND_DONE
    assert entry.ledgers["lambda_alias/shop/live"].acted
    assert [bad.version for bad in entry.ledgers["lambda_alias/shop/live"].bad] == ["2"]


def test_a_dead_duplicate_during_verification_settles_nothing():
    """It cannot have acted, and what a person did since is not its doing."""
    house = at_the_moment()
    house.respond(ERROR_RATE)
    assert house.incident.state is State.WATCHING
    on(house, "close", refuse(Died()))
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    house.deploy("v3")
    house.ops.pass_minutes(4)

    assert house.incident.reason is Reason.MOVED_AGAIN
    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_lost_attempt_is_verified_by_the_alarm_it_was_about():
    """The other alarm of the target is quiet all along, and proves nothing."""
    house = healthy_v1(House(), requests=24)
    house.ops = Operations(house)
    house.deploy("v2", latency_ms=900)
    on(house, "UpdateAlias", lose(Died()))
    for _ in range(12):
        if not house.ops.deaths:
            house.ops.pass_minutes(1)
    assert house.ops.deaths
    # Its message is lost with it: only the watcher finds out, and it knows two alarms.
    house.ops.queue.clear()
    house.ops.pass_minutes(2)
    house.latency_ms["1"] = 900
    house.ops.pass_minutes(20)

    assert house.aliases.moves == [("shop", "2", "1")]
    incident = incidents_of(house)[0]
    assert incident.alarm_name.endswith("latency-p50")
    assert incident.state is State.NOT_FIXED


def test_a_zombie_that_lands_while_its_heir_acts_is_no_refusal():
    """The heir is refused by the revision, because the attempt it inherited has just landed."""
    house = at_the_moment()
    late = []

    def never_came(answer):
        late.append(answer)
        raise Died

    on(house, "UpdateAlias", never_came)
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    house.now += LEASE + MINUTE
    house.traffic(1, requests=24, watch=False)
    on(house, "UpdateAlias", just_before(late[0]))

    entry = house.respond(ERROR_RATE)

    assert entry.incident.reason is Reason.FOUND_DONE
    assert entry.incident.minutes
    assert house.aliases.moves == [("shop", "2", "1")]


def test_somebody_else_deploys_at_the_very_moment():
    house = at_the_moment()
    on(house, "UpdateAlias", just_before(lambda: house.deploy("v3")))

    entry = house.respond(ERROR_RATE)

    assert entry.incident.reason is Reason.TARGET_CHANGED
    assert house.live == "3"
    assert house.aliases.moves == []


def test_a_look_older_than_the_ledger_is_not_believed():
    """The target is read beside the claim. A deploy and the watcher may come in between."""
    # Where a deployment may be under way, the alias is looked at in any case.
    house = house_of(GROUP)
    house.deploy("v2", errors=0.6)
    house.traffic(3, requests=24, watch=False)
    old = house.rooms.pointers["lambda_alias"].observe(house.policy.services[0].targets[0])
    house.deploy("v3", errors=0.6)
    house.watcher.watch()
    house.woken.clear()
    house.rooms.pointers["lambda_alias"].observe, read = (
        lambda target: looks.pop(0) or read(target),
        house.rooms.pointers["lambda_alias"].observe,
    )
    looks = [old, None, None, None]

    entry = house.respond(ERROR_RATE)

    assert entry.ledgers["lambda_alias/shop/live"].current.version == "3"
    assert entry.ledgers["lambda_alias/shop/live"].current.origin is Origin.DEPLOYED
