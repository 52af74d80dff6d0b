"""The real house on the world: hallway, watcher, actions, journal, telling. Only metrics are short.

CloudWatch is asked by the responder through three methods; what they answer comes from the world's
minutes directly. How the real adapter gets these answers is for `tests/functional`.
"""

from datetime import timedelta
from functools import lru_cache

from botocore.exceptions import BotoCoreError, ClientError

from rollback_responder.actions import POINTERS, ROLLOUTS, Clients, pointers, rollouts
from rollback_responder.desk import Desk
from rollback_responder.domain.document import write
from rollback_responder.domain.errors import (
    MeasurementError,
    NotificationError,
    QueueError,
    RollbackError,
    SignalError,
)
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.redaction import REDACTED
from rollback_responder.domain.signal import AlarmReading, AlarmState, Signal
from rollback_responder.journal import codec, dynamodb
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.journal.budget import DynamoDbBudget
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.journal.notices import DynamoDbNotices
from rollback_responder.journal.storms import DynamoDbStorms
from rollback_responder.notifiers import telling
from rollback_responder.notifiers.telling import Teller
from rollback_responder.responder import Responder
from rollback_responder.rooms import Rooms
from rollback_responder.watcher import Watcher
from tests.simulation.world import TABLE, clients_of

LEASE = timedelta(seconds=90)
ACCOUNT, REGION = "123456789012", "us-east-1"


class Codec:
    """The journal's codec, remembering what it wrote: the same text is read again and again.

    That a text reads back to an equal value is for the journal's contract suite; one history in
    fifty reads every text anew all the same (`forget`).
    """

    def __init__(self):
        self._known = {}
        self._written = {}

    def forget(self):
        self._known.clear()
        self._written.clear()

    def write(self, value):
        """The document of a value, once for each object: what is written is never changed."""
        found = self._written.get(id(value))
        if found is None:
            found = self._written[id(value)] = (value, write(value))
        return found[1]

    def encode(self, incident):
        return self._keep(codec.encode(incident), incident)

    def encode_ledgers(self, ledgers):
        return self._keep(codec.encode_ledgers(ledgers), dict(ledgers))

    def _keep(self, text, value):
        # What was taken out of a text does not come back.
        if REDACTED not in text:
            self._known[text] = value
        return text

    def decode_incident(self, text):
        if text not in self._known:
            self._known[text] = codec.decode_incident(text)
        return self._known[text]

    def decode_ledgers(self, text):
        if text not in self._known:
            self._known[text] = codec.decode_ledgers(text)
        return self._known[text]


CODEC = Codec()
decode_incident = CODEC.decode_incident
for name in ("encode", "encode_ledgers", "decode_incident", "decode_ledgers"):
    setattr(dynamodb, name, getattr(CODEC, name))
codec.write = CODEC.write
# Messages are pure as well, and the judge makes the same ones again.
telling.message_of = message_of = lru_cache(512)(telling.message_of)


class Metrics:
    """CloudWatch's answers, out of the world's minutes."""

    def __init__(self, world, story):
        self._world, self._story = world, story

    def _asked(self, operation, answer):
        try:
            return self._world.call("cloudwatch", operation, answer)
        except (ClientError, BotoCoreError) as error:
            raise MeasurementError(f"{operation}: {type(error).__name__}") from error

    def read_alarms(self, names):
        return self._asked(
            "DescribeAlarms",
            lambda: {
                name: self._story.alarms[name] for name in names if name in self._story.alarms
            },
        )

    def muted_by(self, alarm_name):
        return self._asked("ListAlarmMuteRules", lambda: None)

    def muted(self, names):
        return self._asked("ListAlarmMuteRules", dict)

    def read(self, questions, *, since_at, now):
        def answer():
            found = {}
            for name, question in questions.items():
                dimensions = dict(question.bad.dimensions)
                minutes = self._story.minutes_of(dimensions["FunctionName"])
                version = dimensions.get("ExecutedVersion")
                found[name] = tuple(
                    minute.bucket(version)
                    for minute in minutes
                    if since_at <= minute.start_at and version in {None, *minute.versions}
                )
            return found

        return self._asked("GetMetricData", answer)


class Minute:
    """One minute of a service's traffic: requests and errors by version."""

    __slots__ = ("_total", "start_at", "versions")

    def __init__(self, start_at, versions):
        self.start_at, self.versions = start_at, versions
        requests = sum(r for r, _ in versions.values())
        errors = sum(e for _, e in versions.values())
        self._total = Bucket(start_at=start_at, requests=requests, errors=errors)

    def bucket(self, version):
        if version is None:
            return self._total
        requests, errors = self.versions[version]
        return Bucket(start_at=self.start_at, requests=requests, errors=errors)

    @property
    def is_bad(self):
        return self._total.errors * 20 > self._total.requests


class SlackLog:
    """A Slack that keeps what it was told: the incident's state and reason at that time.

    It takes no pictures: a hundred thousand histories would draw as many.
    """

    takes_pictures = False

    def __init__(self, world):
        self._world = world
        self.heads = {}
        self.told = []

    def _said(self, apply):
        try:
            return self._world.call("slack", "slack", apply)
        except (ClientError, BotoCoreError):
            raise NotificationError("Slack cannot be reached", retryable=True) from None

    def open(self, message, *, under=None):
        def apply():
            head = f"head-{len(self.heads)}"
            self.heads[head] = message
            return head

        return self._said(apply)

    def announce(self, bulletin, *, rings=False):
        return self._said(lambda: "storm")

    def amend(self, head, bulletin, *, news):
        self._said(lambda: None)

    def reply(self, head, text, *, rings):
        self._said(lambda: self.told.append((head, text, rings)))

    def update(self, head, message, *, news):
        self._said(lambda: self.heads.__setitem__(head, message))


class House:
    """What is deployed: three functions over one journal."""

    def __init__(self, world, story, policy):
        self.world, self.story, self.policy = world, story, policy
        clients = clients_of(world)
        tables = Clients(reads=clients.__getitem__, acts=clients.__getitem__)
        self.journal = DynamoDbJournal(clients["dynamodb"], TABLE, LEASE)
        self.notices = DynamoDbNotices(clients["dynamodb"], TABLE, LEASE)
        self.rooms = Rooms(
            policy=policy,
            journal=self.journal,
            budget=DynamoDbBudget(clients["dynamodb"], TABLE),
            metrics=Metrics(world, story),
            pointers=pointers(POINTERS, tables),
            rollouts=rollouts(ROLLOUTS, tables),
            clock=world.process_clock,
            stopwatch=world.stopwatch,
            wait=world.wait,
            new_id=world.new_id,
            start=lambda call: call,
        )
        self.responder = Responder(self.rooms)
        self.watcher = Watcher(self.rooms, self._wake)
        self.desk = Desk(
            policy=policy,
            book=DynamoDbBook(clients["dynamodb"], TABLE),
            wake=story.enqueue,
            clock=world.clock,
        )
        self.slack = SlackLog(world)
        storms = DynamoDbStorms(clients["dynamodb"], TABLE, LEASE)
        self.teller = Teller(self.slack, self.notices, storms, account_id=ACCOUNT, region=REGION)
        self.stream = []
        self.parked = []
        world.dynamodb.listener = self._changed

    def _changed(self, before, after):
        text = after and after.get("incident", {}).get("S")
        if text and (before is None or before.get("incident", {}).get("S") != text):
            self.stream.append(text)

    # -- the functions, as their handlers call them -----------------------------------------------

    def respond(self, message):
        signal = Signal(
            alarm_name=message.alarm,
            account_id=ACCOUNT,
            region=REGION,
            state=AlarmState.ALARM,
            at=None,
        )
        try:
            self.responder.respond(signal)
        except SignalError:
            self.story.dead_letters.append(message)
        except RollbackError:
            return
        message.done = True

    def watch(self):
        try:
            self.watcher.watch()
        except RollbackError:
            return

    def notify(self):
        """Tells what the stream holds, in order; on a failure it comes again."""
        while self.stream:
            text = self.stream[0]
            try:
                self.teller.tell(decode_incident(text), self.world.process_clock())
            except RollbackError:
                return
            if self.stream and self.stream[0] is text:
                self.stream.pop(0)

    def _wake(self, alarm_name):
        try:
            self.world.call("sqs", "SendMessage", lambda: self.story.enqueue(alarm_name))
        except (ClientError, BotoCoreError):
            raise QueueError("respond could not be woken") from None


def reading(state, at):
    return AlarmReading(state=state, transitioned_at=at)
