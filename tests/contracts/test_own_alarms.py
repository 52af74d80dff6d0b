"""Who watches the watcher: each of the responder's own alarms fires by its cause, and by no other.

The alarms are those of the template, evaluated by the strict model of CloudWatch; the handlers are
the real ones, and what they print as metrics is what counts. Lambda and SQS are played by what
their guides say of their metrics: a function that does not start fails each invocation; an
invocation beyond the reserved concurrency is a throttle; the iterator's age is that of the last
record handed over; a message that was not answered is visible again after its time-out.
"""

import importlib
import json
import sys
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from botocore.exceptions import ClientError
from scenarios import ERROR_RATE

from house import ACCOUNT, MINUTE, REGION, House, model_alarms
from local.aws_model.alarm import Actions
from local.aws_model.alarm_book import Account
from local.aws_model.alarms_from_template import read
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import Metric
from local.aws_model.mute_rules import MuteRule
from local.slack_inbox.server import SlackInbox
from rollback_responder import bootstrap
from rollback_responder.bootstrap import interact, notify, respond, watch
from rollback_responder.domain.errors import JournalError, PolicyError, Problem
from rollback_responder.domain.permissions import needs_of
from rollback_responder.domain.readiness import PermissionFacts
from rollback_responder.driller import Driller
from rollback_responder.journal.codec import encode
from rollback_responder.journal.memory import MemoryNotices, MemoryStorms
from rollback_responder.preflight import Preflight
from rollback_responder.signals import wake
from rollback_responder.wiring import NotifyWiring, RespondWiring
from tests.builders import a_rolled_back_incident

HANDLERS = {
    "respond": "<Responder/Respond/Function>",
    "watch": "<Watcher/Watch/Function>",
    "notify": "<Notifier/Notify/Function>",
    "interact": "<Interactor/Interact/Function>",
}
ALARMS, DEAD, FAILURES = "<Ingress/Alarms>", "<Ingress/DeadLetters>", "<NotifyFailures>"
LEASE = timedelta(seconds=90)
TOPIC, OPERATORS = "<Health/Topic>", f"arn:aws:sns:{REGION}:{ACCOUNT}:operators"
PREFIX = "rollback-responder-test-"
MORNING = "06:15"


@dataclass
class Waiting:
    """A message in a queue, or a record in the journal's stream."""

    body: object
    sent_at: datetime
    visible_at: datetime
    receives: int = 0


class Region:
    """The deployed responder, minute by minute. A test breaks one thing."""

    def __init__(self, template, monkeypatch, capsys, inbox):
        self.template, self.patch, self.capsys, self.inbox = template, monkeypatch, capsys, inbox
        self.house = House()
        self.told = []
        account = Account(id=ACCOUNT, region=REGION)
        self.cloudwatch = CloudWatch(account=account, clock=self.clock, listener=self._hear)
        alarms = {
            name: {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": json.loads(json.dumps(properties).replace(TOPIC, OPERATORS)),
            }
            for name, properties in template.of_type("AWS::CloudWatch::Alarm").items()
        }
        self.cloudwatch.put_alarms(read({"Resources": alarms}, account=account))
        self.queues = {name: deque() for name in (ALARMS, DEAD, FAILURES)}
        self.stream = deque()
        self.busy = dict.fromkeys(HANDLERS, 0)
        self.requests = 10
        self.broken, self.raised = {}, []
        self.denied = set()
        self.secret = json.dumps({"bot_token": inbox.token, "api_url": inbox.api_url})
        self._furnish()

    def clock(self):
        return self.house.now

    def _hear(self, transition):
        name = transition.alarm.name.removeprefix(PREFIX)
        assert transition.actions == (OPERATORS,)
        self.told.append((name, str(transition.current.value)))
        return ((OPERATORS, None),)

    # -- the functions --------------------------------------------------------------------------

    def _furnish(self):
        house = self.house
        base = {"account_id": ACCOUNT, "region": REGION, "journal_table": "t"}
        made = {
            "respond": lambda: respond.RespondHouse(
                wiring=RespondWiring(**base, dead_letter_queue_url="q"),
                policy=house.policy,
                responder=house.responder,
                expect=lambda _: None,
                dead_letter=lambda body, *_: self.send(DEAD, body),
            ),
            "watch": lambda: watch.WatchHouse(
                policy=house.policy,
                watcher=house.watcher,
                driller=Driller(
                    policy=house.policy, journal=house.journal, desk=house.desk, clock=self.clock
                ),
                preflight=Preflight(rooms=house.rooms, permissions=self._permissions).findings,
            ),
            "notify": lambda: notify.NotifyHouse(
                wiring=NotifyWiring(**base, slack_secret_arn="s", failure_queue_url="q"),
                policy=house.policy,
                notices=MemoryNotices(LEASE),
                storms=MemoryStorms(LEASE),
                read_secret=self._read_secret,
                park=lambda body, *_: self.send(FAILURES, body),
                week=lambda _: pytest.fail("no digest here"),
            ),
            "interact": lambda: interact.InteractHouse(
                policy=house.policy, desk=house.desk, read_secret=self._read_secret
            ),
        }
        for name, make in made.items():
            load = partial(self._load, name, make)
            self.patch.setattr(f"rollback_responder.bootstrap.{name}.open_house", load)
        self.patch.setattr(bootstrap, "utc_now", self.clock)

    def _load(self, name, make, _environment):
        if name in self.broken:
            raise self.broken[name]
        return make()

    def _permissions(self, policy):
        return [
            PermissionFacts(
                need=need, decision="implicitDeny" if need.action in self.denied else "allowed"
            )
            for need in needs_of(policy)
        ]

    def _read_secret(self):
        if self.secret is None:
            denied = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(denied, "GetSecretValue")
        return self.secret

    def invoke(self, name, event):
        """A cold invocation; returns what the function returned, or None where it did not."""
        function = self.template.properties(f"{HANDLERS[name].strip('<>')}")
        if self.busy[name] >= function["ReservedConcurrentExecutions"]:
            self._count(name, "Throttles", 1)
            return None
        module = f"rollback_responder.handlers.{name}"
        self.patch.delitem(sys.modules, module, raising=False)
        try:
            answer = importlib.import_module(module).handler(event, None)
        except Exception as error:  # noqa: BLE001 - as the runtime does
            self.raised.append(error)
            self._count(name, "Errors", 1)
            answer = None
        else:
            self._count(name, "Errors", 0)
        for line in self.capsys.readouterr().out.splitlines():
            self._embedded(json.loads(line))
        return answer

    def _count(self, name, metric, value):
        dimensions = {"FunctionName": HANDLERS[name]}
        self._record("AWS/Lambda", metric, dimensions, value)

    def _record(self, namespace, metric, dimensions, value):
        at = self.clock() - timedelta(seconds=1)
        self.cloudwatch.record(Metric.of(namespace, metric, dimensions), timestamp=at, value=value)

    def _embedded(self, document):
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            dimensions = {"service": document["service"]}
            for metric in directive["Metrics"]:
                for value in document[metric["Name"]]:
                    self._record(directive["Namespace"], metric["Name"], dimensions, value)

    # -- what feeds them ------------------------------------------------------------------------

    def send(self, queue, body):
        now = self.clock()
        self.queues[queue].append(Waiting(body=body, sent_at=now, visible_at=now))

    def write(self, text):
        """A row of the journal, as its stream shows it."""
        now = self.clock()
        image = {"incident": {"S": text}}
        record = {"dynamodb": {"NewImage": image, "OldImage": {}, "SequenceNumber": "7"}}
        self.stream.append(Waiting(body=record, sent_at=now, visible_at=now))

    def _poll(self):
        properties = self.template.properties(ALARMS.strip("<>"))
        again = timedelta(seconds=properties["VisibilityTimeout"])
        for message in list(self.queues[ALARMS]):
            if message.visible_at > self.clock():
                continue
            if message.receives >= properties["RedrivePolicy"]["maxReceiveCount"]:
                self.queues[ALARMS].remove(message)
                self.send(DEAD, message.body)
                continue
            message.receives, message.visible_at = message.receives + 1, self.clock() + again
            record = {"messageId": "m", "body": message.body}
            answer = self.invoke("respond", {"Records": [record]})
            if answer == {"batchItemFailures": []}:
                self.queues[ALARMS].remove(message)

    def _read_stream(self):
        while self.stream:
            first = self.stream[0]
            age = (self.clock() - first.sent_at) / timedelta(milliseconds=1)
            self._count("notify", "IteratorAge", age)
            if self.invoke("notify", {"Records": [first.body]}) != {"batchItemFailures": []}:
                return
            self.stream.popleft()

    def minute(self, minutes=1):
        for _ in range(minutes):
            self.house.traffic(1, requests=self.requests, watch=False)
            if f"{self.clock():%H:%M}" == MORNING:
                self.invoke("watch", {"preflight": "day"})
                self.invoke("notify", {"preflight": "day"})
            self.invoke("watch", {})
            for alarm_name in self.house.woken:
                self.send(ALARMS, wake.body(alarm_name, account_id=ACCOUNT, region=REGION))
            self.house.woken.clear()
            self._poll()
            self._read_stream()
            for name, queue in self.queues.items():
                dimensions = {"QueueName": f"<{name.strip('<>')}.QueueName>"}
                visible = [m for m in queue if m.visible_at <= self.clock()]
                oldest = max(((self.clock() - m.sent_at).total_seconds() for m in queue), default=0)
                for metric, value in (
                    ("ApproximateNumberOfMessagesVisible", len(visible)),
                    ("ApproximateAgeOfOldestMessage", oldest),
                ):
                    self._record("AWS/SQS", metric, dimensions, value)
            self.cloudwatch.tick()

    def fired(self):
        return [name for name, state in self.told if state == "ALARM"]

    def next_morning(self):
        """The clock's next preflight; what lies between is not played."""
        hour, minute = map(int, MORNING.split(":"))
        at = self.house.now.replace(hour=hour, minute=minute)
        self.house.now = at - MINUTE + timedelta(days=at <= self.house.now)
        self.house.cloudwatch.tick()
        self.minute(3)
        self.told = [(name, state) for name, state in self.told if name != "heartbeat-missing"]


@pytest.fixture
def region(responder, monkeypatch, capsys):
    with SlackInbox(channel="deploys", clock=lambda: datetime.now().astimezone()) as inbox:
        made = Region(responder, monkeypatch, capsys, inbox)
        made.house.deploy("v1")
        made.minute(8)
        assert made.raised == []
        assert made.told == [(name, "OK") for name, _ in made.told]
        made.told.clear()
        yield made


# -- the causes ---------------------------------------------------------------------------------


def cannot_load(region, name):
    """The policy beside the function's code cannot be read: it does not even start."""
    problem = Problem(path="policy.json", got="nothing", allowed="a policy", change="deploy again")
    region.broken[name] = PolicyError("the policy file", (problem,))


def watch_cannot_load(region):
    cannot_load(region, "watch")
    region.minute(6)


def the_journal_cannot_be_read(region):
    def down(name, answer):
        if name == "rows":
            raise JournalError("ProvisionedThroughputExceededException")
        return answer()

    region.house.fault = down
    region.minute(6)


def a_target_is_gone(region):
    region.requests = 0
    region.house.aliases.delete_alias("shop", "live")
    region.minute(4)


def an_alarm_is_disabled(region):
    (alarm, *_) = model_alarms(region.house.policy)
    region.house.cloudwatch.put_alarms([replace(alarm, actions=Actions(enabled=False))])
    region.minute(4)


def an_alarm_is_muted(region):
    at = f"at({region.clock():%Y-%m-%dT%H:%M})"
    region.house.cloudwatch.put_mute_rule(
        MuteRule(name="quiet", expression=at, duration="PT1H", alarm_names=(ERROR_RATE,))
    )
    region.minute(4)


def respond_may_not_act(region):
    region.denied.add("lambda:UpdateAlias")
    region.next_morning()


def the_way_back_is_deleted(region):
    region.house.deploy("v2")
    region.minute()
    region.house.aliases.delete_version("shop", "1")
    region.next_morning()


def respond_cannot_load(region):
    cannot_load(region, "respond")
    region.send(ALARMS, wake.body(ERROR_RATE, account_id=ACCOUNT, region=REGION))
    region.minute(10)


def respond_cannot_load_for_hours(region):
    respond_cannot_load(region)
    region.minute(40)


def a_message_is_no_alarm(region):
    region.send(ALARMS, "{")
    region.minute()


def the_secret_is_denied(region):
    region.secret = None
    region.write(NEWS)
    region.minute(8)


def slack_is_down(region):
    region.secret = json.dumps({"bot_token": "xoxb-1", "api_url": "http://127.0.0.1:9/api/"})
    region.write(NEWS)
    region.minute(8)


def the_token_is_revoked_and_nothing_happens(region):
    region.secret = json.dumps({"bot_token": "xoxb-old", "api_url": region.inbox.api_url})
    region.next_morning()


def a_row_is_damaged(region):
    region.write("{")
    region.minute()


def interact_cannot_load(region):
    cannot_load(region, "interact")
    region.invoke("interact", {})
    region.minute()


def watch_never_ends(region):
    region.busy["watch"] = 1
    region.minute(6)


def respond_is_busy(region):
    region.busy["respond"] = 5
    for _ in range(4):
        region.send(ALARMS, wake.body(ERROR_RATE, account_id=ACCOUNT, region=REGION))
        region.minute()


def notify_is_busy(region):
    region.busy["notify"] = 5
    region.write(NEWS)
    region.minute(4)


def interact_is_flooded(region):
    region.busy["interact"] = 2
    for _ in range(4):
        region.invoke("interact", {})
        region.minute()


NEWS = encode(a_rolled_back_incident())
CAUSES = {
    watch_cannot_load: {"watch-errors", "heartbeat-missing"},
    the_journal_cannot_be_read: {"watch-errors", "heartbeat-missing"},
    a_target_is_gone: {"targets-unwatched"},
    an_alarm_is_disabled: {"alarms-hushed"},
    an_alarm_is_muted: {"alarms-hushed"},
    respond_may_not_act: {"not-ready"},
    the_way_back_is_deleted: {"not-ready"},
    respond_cannot_load: {"respond-errors", "alarms-waiting"},
    respond_cannot_load_for_hours: {"respond-errors", "alarms-waiting", "dead-letters-not-empty"},
    a_message_is_no_alarm: {"dead-letters-not-empty"},
    the_secret_is_denied: {"notify-errors", "notify-behind"},
    slack_is_down: {"notify-behind"},
    the_token_is_revoked_and_nothing_happens: {"notify-errors"},
    a_row_is_damaged: {"notify-failures-not-empty"},
    interact_cannot_load: {"interact-errors"},
    watch_never_ends: {"watch-throttled", "heartbeat-missing"},
    respond_is_busy: {"respond-throttled"},
    notify_is_busy: {"notify-throttled"},
    interact_is_flooded: {"interact-throttled"},
}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_an_own_alarm_fires_by_its_cause_and_tells_people(region, cause):
    cause(region)

    assert set(region.fired()) == CAUSES[cause]


def test_a_run_that_fails_once_is_an_error_and_its_message_is_not_late(region):
    cannot_load(region, "respond")
    region.send(ALARMS, wake.body(ERROR_RATE, account_id=ACCOUNT, region=REGION))
    region.minute()
    region.broken.clear()
    region.minute(10)

    assert not region.queues[ALARMS]
    assert region.fired() == ["respond-errors"]


def test_every_own_alarm_has_a_cause(region):
    names = {row.alarm.name for row in region.cloudwatch.alarms()}

    assert names == {
        f"rollback-responder-test-{name}" for names in CAUSES.values() for name in names
    }


def test_what_a_morning_found_stands_until_the_next(region):
    respond_may_not_act(region)
    region.minute(30)
    assert region.told == [("not-ready", "ALARM")]
    region.denied.clear()
    region.next_morning()

    assert region.told == [("not-ready", "ALARM"), ("not-ready", "OK")]


def test_one_throttled_run_tells_nobody(region):
    region.busy["watch"] = 1
    region.minute()
    region.busy["watch"] = 0
    region.minute(3)

    assert region.told == []


def test_a_morning_on_which_all_is_well_tells_nobody(region):
    region.next_morning()

    assert region.fired() == []
