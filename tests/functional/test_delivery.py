"""One transition, however often and in whatever order it is told, is one incident and one move."""

import itertools
import json
from contextlib import suppress

import pytest
from checker import incidents_of, orders_of, problems_of
from faults import MINUTE, Operations, healthy_v1, lose, on, read_timeout, refuse
from faults import after as just_after
from faults import before as just_before
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import force_setattr
from rollout_scenarios import GROUP, STACK, canary_deploy, house_of, update_stack
from scenarios import ERROR_RATE, LATENCY, bad_deploy, fire

from house import ACCOUNT, REGION, House, policy_document
from rollback_responder import signals
from rollback_responder.domain.errors import JournalError, RollbackError, SignalError, TargetHeld
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.signal import AlarmState
from rollback_responder.handlers.batch import answer_all
from rollback_responder.signals import wake

ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{ERROR_RATE}"
AT = "2026-11-22T03:10:00.000+0000"


def by_sns(state="ALARM", at=AT, arn=ARN):
    message = {"AlarmArn": arn, "NewStateValue": state, "StateChangeTime": at}
    return json.dumps({"Type": "Notification", "Message": json.dumps(message)})


def by_eventbridge(state="ALARM", at=AT, arn=ARN):
    return json.dumps(
        {
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "account": ACCOUNT,
            "region": REGION,
            "resources": [arn],
            "detail": {"state": {"value": state, "timestamp": at}},
        }
    )


def by_watcher(name=ERROR_RATE):
    return wake.body(name, account_id=ACCOUNT, region=REGION)


def at_the_moment():
    """A bad v2, its alarm in ALARM, nobody has looked yet."""
    house = healthy_v1(House())
    house.deploy("v2", errors=0.6)
    house.traffic(3, requests=12, watch=False)
    house.calls.clear()
    return house


class Queue:
    """The queue in front of `respond`: a batch at a time, and what failed comes again."""

    def __init__(self, house):
        self.house = house
        self.dead = []

    def deliver(self, bodies):
        records = [{"messageId": str(i), "body": body} for i, body in enumerate(bodies)]
        answer = answer_all({"Records": records}, self._answer, self._reject)
        return [int(f["itemIdentifier"]) for f in answer["batchItemFailures"]]

    def _answer(self, message):
        signal = signals.parse(message, account_id=ACCOUNT, region=REGION)
        self.house.respond(signal.alarm_name, signal.state)

    def _reject(self, body, error):
        self.dead.append((body, error.reason))


def test_ten_copies_in_any_order_are_one_move():
    house = at_the_moment()
    bodies = [by_sns()] * 5 + [by_eventbridge()] * 5

    assert Queue(house).deliver(bodies) == []
    assert house.calls.count("UpdateAlias") == 1
    assert house.aliases.moves == [("shop", "2", "1")]
    assert len(incidents_of(house)) == 1


@pytest.mark.parametrize(
    "order", [*itertools.permutations(["sns", "eventbridge", "ok", "latency"])]
)
def test_every_order_of_copies_and_other_alarms_is_one_move(order):
    bodies = {
        "sns": by_sns(),
        "eventbridge": by_eventbridge(),
        "ok": by_sns(state="OK", at="2026-11-22T03:09:00.000+0000"),
        "latency": by_watcher(LATENCY),
    }
    house = at_the_moment()

    assert Queue(house).deliver([bodies[name] for name in order]) == []
    assert house.aliases.moves == [("shop", "2", "1")]
    assert [i.reason for i in incidents_of(house)] == [Reason.METRIC_BREACHING]


FAULTS = {
    "claim lost": ("claim", lose(JournalError("no answer"))),
    "close lost": ("close", lose(JournalError("no answer"))),
    "close refused": ("close", refuse(JournalError("no answer"))),
    "move lost": ("UpdateAlias", lose(read_timeout())),
    "move refused": ("UpdateAlias", refuse(read_timeout())),
    "alarm unread": ("DescribeAlarms", refuse(read_timeout())),
    "target unread": ("GetAlias", refuse(read_timeout())),
    "metric unread": ("GetMetricData", refuse(read_timeout())),
}
EVENTS = st.one_of(
    st.sampled_from(["sns", "eventbridge", "watcher", "other", "round", "minute"]),
    st.sampled_from(sorted(FAULTS)),
)


@given(st.lists(EVENTS, min_size=4, max_size=25))
@settings(max_examples=20)
def test_no_interleaving_of_copies_rounds_and_faults_acts_twice(events):
    house = at_the_moment()
    queue = Queue(house)
    house.woken = []
    house.watcher._wake = house.woken.append
    bodies = {"sns": by_sns(), "eventbridge": by_eventbridge(), "watcher": by_watcher()}
    bodies["other"] = by_watcher(LATENCY)
    for event in events:
        if event in FAULTS:
            on(house, *FAULTS[event])
        elif event == "round":
            with suppress(RollbackError):
                house.watcher.watch()
        elif event == "minute":
            house.now += MINUTE
        else:
            queue.deliver([bodies[event]])
    house.fault = lambda _, answer: answer()
    operations = Operations(house)
    # Longer than an attempt that ended without a word may still land.
    for _ in range(40):
        operations.pass_minutes(1, requests=10)
        if is_told(house) and not house.incident.is_open:
            break
    operations.pass_minutes(3, requests=10)

    assert problems_of(house, good={"1"}) == []
    assert is_told(house)


def is_told(house):
    return house.aliases.moves or any(i.needs_a_person for i in incidents_of(house))


def test_a_copy_that_comes_while_another_works_waits_and_then_finds_it_done():
    house = at_the_moment()
    queue, failed = Queue(house), []
    on(house, "UpdateAlias", just_before(lambda: failed.extend(queue.deliver([by_eventbridge()]))))

    assert queue.deliver([by_sns()]) == []
    assert failed == [0]
    assert queue.deliver([by_eventbridge()]) == []
    assert house.aliases.moves == [("shop", "2", "1")]


@pytest.mark.parametrize("operation", ["DescribeAlarms", "GetAlias", "GetMetricData", "close"])
def test_a_copy_in_the_middle_of_any_call_is_held_off(operation):
    house = at_the_moment()
    seen = []
    on(house, operation, just_before(lambda: seen.append(house.try_respond(ERROR_RATE))))

    house.respond(ERROR_RATE)

    assert [type(error) for error in seen] == [TargetHeld]
    assert house.aliases.moves == [("shop", "2", "1")]


def test_two_watchers_at_once_write_once_and_wake_what_is_to_be_woken():
    house = healthy_v1(House())
    house.deploy("v2", errors=0.6)
    house.traffic(1, requests=24, watch=False)
    on(house, "claim", just_before(house.watcher.watch))

    done = house.watcher.watch()

    assert done.problems == []
    assert house.ledger.current.version == "2"


def test_two_watchers_at_once_end_an_incident_once():
    house = bad_deploy(minutes=3)
    house.traffic(3, requests=24, watch=False)
    rounds = []
    on(house, "claim", just_before(lambda: rounds.append(house.watcher.watch())))
    rounds.append(house.watcher.watch())

    assert sum(len(done.ended) for done in rounds) == 1
    assert house.incident.state is State.FIXED
    assert [s.reason for s in house.incident.steps].count(Reason.SYMPTOM_GONE) == 1


# -- one stop, one cancel --------------------------------------------------------------------------


def a_bad_canary():
    house = house_of(GROUP)
    canary_deploy(house)
    return house


def a_bad_update():
    house = house_of(STACK)
    # A second order would find it as it was.
    house.cloudformation.cancel_is_noticed_after = 90
    update_stack(house)
    return house


ROLLOUTS = {
    "StopDeployment": (a_bad_canary, "BatchGetDeployments"),
    "CancelUpdateStack": (a_bad_update, "DescribeStacks"),
}


def rolled_out(act):
    """A change under way whose alarm has just fired; nobody has looked yet."""
    house = ROLLOUTS[act][0]()
    house.traffic(3, requests=20, watch=False)
    house.calls.clear()
    return house


def comes_to_one_order(house, act):
    operations = Operations(house)
    for _ in range(12):
        operations.pass_minutes(1, requests=20)
        if not house.incident.is_open:
            break
    operations.pass_minutes(1, requests=20)
    assert house.calls.count(act) == 1
    assert len(orders_of(house)) == 1
    assert problems_of(house, good={"1"}) == []
    assert [i.state for i in incidents_of(house)] == [State.FIXED]


@pytest.mark.parametrize("act", ROLLOUTS)
def test_copies_redeliveries_and_rounds_in_any_order_are_one_order(act):
    for order in itertools.permutations(["announced", "watcher", "round"]):
        house = rolled_out(act)
        queue = Queue(house)
        bodies = {
            "announced": [by_sns(), by_eventbridge(), by_sns()],
            "watcher": [by_watcher()] * 3,
        }
        for event in order * 2:
            if event == "round":
                house.watch()
            else:
                # What failed comes again.
                failed = queue.deliver(bodies[event])
                assert queue.deliver([bodies[event][number] for number in failed]) == []
        comes_to_one_order(house, act)


@pytest.mark.parametrize("act", ROLLOUTS)
@pytest.mark.parametrize("other", ["copy", "round"])
def test_a_copy_or_a_round_at_any_moment_of_an_order_makes_no_second_one(act, other):
    for operation in ("claim", ROLLOUTS[act][1], "GetMetricData", act, "close"):
        house = rolled_out(act)
        queue = Queue(house)

        def meanwhile(house=house, queue=queue):
            if other == "copy":
                queue.deliver([by_eventbridge()])
            else:
                house.watch()

        place = just_after if operation == act else just_before
        on(house, operation, place(meanwhile))
        queue.deliver([by_sns()])
        comes_to_one_order(house, act)


@pytest.mark.parametrize("act", ROLLOUTS)
def test_an_order_whose_answer_is_lost_is_found_not_repeated(act):
    house = rolled_out(act)
    on(house, act, lose(read_timeout()))
    queue = Queue(house)
    for _ in range(4):
        queue.deliver([by_sns(), by_eventbridge()])

    assert len(orders_of(house)) == 1
    Operations(house).pass_minutes(15, requests=30)
    assert len(orders_of(house)) == 1
    assert problems_of(house, good={"1"}) == []


# -- a message alone does nothing -----------------------------------------------------------------


def test_a_message_about_an_alarm_that_does_not_fire_moves_nothing():
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(2, requests=24)
    house.calls.clear()

    Queue(house).deliver([by_sns(), by_eventbridge(), by_watcher()])

    assert "UpdateAlias" not in house.calls
    assert incidents_of(house) == []


@pytest.mark.parametrize("hours", [1, 24, 23 * 24])
def test_a_stale_message_is_judged_by_how_things_are_now(hours):
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(2, requests=24)
    house.now += hours * 60 * MINUTE

    assert Queue(house).deliver([by_sns()]) == []
    assert house.live == "2"


def test_an_alarm_set_by_hand_convicts_nobody():
    """Whoever may set an alarm's state or forge its message cannot move an alias by that."""
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(2, requests=24)
    for _ in range(5):
        fire(house)
        Queue(house).deliver([by_sns()])
        house.traffic(1, requests=24)

    assert house.aliases.moves == []
    assert house.live == "2"


@pytest.mark.parametrize("state", [AlarmState.OK, AlarmState.INSUFFICIENT_DATA])
def test_a_message_that_is_not_about_alarm_reads_and_writes_nothing(state):
    house = at_the_moment()

    assert house.respond(ERROR_RATE, state) is None
    assert house.calls == []


BAD = [
    "",
    "null",
    "[]",
    "{",
    '"text"',
    "7",
    "NaN",
    "[" * 100_000,
    '{"a":' * 5_000,
    json.dumps({"Records": []}),
    json.dumps({"Type": "Notification", "Message": "hello"}),
    json.dumps({"Type": "Notification", "Message": {"AlarmArn": ARN}}),
    json.dumps({"Type": "SubscriptionConfirmation", "Message": "x"}),
    by_sns(arn=ARN.replace(ACCOUNT, "999999999999")),
    by_sns(arn=ARN.replace(REGION, "eu-west-1")),
    by_sns(arn="arn:aws:cloudwatch:::alarm:"),
    by_sns(arn=ARN.replace(ERROR_RATE, "somebody-elses")),
    by_sns(state="FIRING"),
    by_sns(at="2026-11-22T03:10:00"),
    by_eventbridge(arn=ARN.replace(ACCOUNT, "999999999999")),
    by_eventbridge().replace("aws.cloudwatch", "my.app"),
    by_eventbridge().replace("Alarm State Change", "Alarm Configuration Change"),
    by_watcher("somebody-elses"),
    by_watcher().replace(ACCOUNT, "999999999999"),
]


@pytest.fixture(scope="module")
def untouched():
    """For what touches nothing."""
    return at_the_moment()


@pytest.mark.parametrize("body", BAD, ids=lambda body: body[:40] or "empty")
def test_a_bad_message_is_a_dead_letter_with_no_claim_and_no_call(untouched, body):
    house = untouched
    before = dict(house.journal._kept)
    queue = Queue(house)

    assert queue.deliver([body]) == []
    assert [dead for dead, _ in queue.dead] == [body]
    assert house.calls == []
    assert house.journal._kept == before


def test_a_bad_message_never_holds_up_the_others():
    house = at_the_moment()
    queue = Queue(house)

    assert queue.deliver([*BAD, by_sns(), *BAD]) == []
    assert len(queue.dead) == 2 * len(BAD)
    assert house.aliases.moves == [("shop", "2", "1")]


def test_a_new_house_has_an_empty_journal_after_a_thousand_bad_messages():
    house = House()
    queue = Queue(house)
    queue.deliver(BAD * 40)

    assert house.journal._kept == {}
    assert house.calls == []


def test_an_alarm_of_no_service_is_refused_before_anything_is_read():
    house = at_the_moment()
    with pytest.raises(SignalError, match="unknown_alarm"):
        house.respond("rollback.test.other.other.live.error-rate")

    assert house.calls == []


# -- no message at all ----------------------------------------------------------------------------


def test_an_alarm_that_no_message_announced_is_found_within_a_minute():
    house = healthy_v1(House())
    house.ops = Operations(house, hear=False)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(3)

    assert house.live == "1"


def test_messages_alone_suffice_where_the_watcher_is_dead():
    house = healthy_v1(House())
    house.ops = Operations(house, watch=False)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(3)

    assert house.live == "1"


def test_the_watcher_wakes_for_the_second_alarm_while_the_first_is_undecided():
    """Latency has too little traffic to judge; the errors, whose message was lost, do not."""
    document = policy_document()
    document["services"][0]["triggers"][1] |= {"minimum_requests": 1000}
    house = healthy_v1(House(document))
    house.ops = Operations(house, hear=False)
    house.deploy("v2", latency_ms=900)
    house.ops.pass_minutes(4)
    assert house.incident.state is State.UNDECIDED
    house.errors["2"] = 0.6
    house.ops.pass_minutes(4)

    assert house.live == "1"
    assert house.incident.alarm_name == ERROR_RATE


def test_an_undecided_incident_of_an_alarm_the_policy_dropped_is_closed_not_woken_for_ever():
    document = policy_document()
    document["services"][0]["triggers"][1] |= {"minimum_requests": 1000}
    house = healthy_v1(House(document))
    house.ops = Operations(house)
    house.deploy("v2", latency_ms=900)
    house.ops.pass_minutes(4)
    assert house.incident.alarm_name == LATENCY
    del document["services"][0]["triggers"][1]
    smaller = House(document)
    smaller.now, smaller.cloudwatch, smaller.aliases = house.now, house.cloudwatch, house.aliases
    smaller.errors, smaller.latency_ms = house.errors, house.latency_ms
    smaller.journal._kept = house.journal._kept
    smaller.ops = Operations(smaller)
    smaller.aliases.point("shop", "live", "2")
    on_world(smaller, house)
    smaller.ops.pass_minutes(20)

    assert smaller.ops.dead == []
    assert not smaller.incident.is_open


def on_world(house, other):
    """Both houses look at the same AWS."""
    for name in ("metrics", "pointers", "rollouts"):
        force_setattr(house.rooms, name, getattr(other.rooms, name))


def test_a_message_while_the_lease_of_a_dead_watcher_runs_comes_again():
    house = at_the_moment()
    house.watcher.watch()
    house.journal.claim("shop", claim_id="dead", may_act=False, now=house.now)

    assert isinstance(house.try_respond(ERROR_RATE), TargetHeld)
    house.traffic(2, requests=24, watch=False)
    assert house.respond(ERROR_RATE).incident.state is State.WATCHING


def test_copies_of_a_message_about_a_deleted_alarm_are_one_incident():
    house = healthy_v1(House())
    house.cloudwatch.delete_alarms([ERROR_RATE])
    Queue(house).deliver([by_sns()] * 5 + [by_eventbridge()] * 5)

    assert [i.reason for i in incidents_of(house)] == [Reason.ALARM_GONE]


def test_a_deploy_that_the_watcher_missed_is_still_undone():
    """The ledger hears of it late; the new version's own minutes say since when it serves."""
    house = House()
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.6)
    house.traffic(6, watch=False)
    house.traffic(2)

    assert house.live == "1"
    assert house.incident.steps[0].reason is Reason.METRIC_BREACHING
