"""The house behind its handlers, with the real journal on the model of its table.

Everything that goes out is caught: what is logged, what is put into a queue, what Slack is told. A
world can be put back to what it was, so that a case does not depend on the one before.
"""

import copy
import importlib
import io
import json
import logging
import os
import sys
from types import SimpleNamespace

from faults import healthy_v1
from msgspec.structs import replace
from scenarios import bad_deploy

from house import ACCOUNT, LEASE, REGION, House, _Watched, policy_document
from local.aws_model.dynamodb import DynamoDb
from rollback_responder import bootstrap
from rollback_responder.bootstrap import interact, notify, respond, watch
from rollback_responder.bootstrap.desk import waking
from rollback_responder.bootstrap.parking import parking
from rollback_responder.desk import Desk
from rollback_responder.driller import Driller
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.journal.budget import DynamoDbBudget
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.journal.notices import DynamoDbNotices
from rollback_responder.journal.storms import DynamoDbStorms
from rollback_responder.metrics.shared import SharedMetrics
from rollback_responder.notifiers import slack
from rollback_responder.responder import Responder
from rollback_responder.watcher import Watcher
from rollback_responder.wiring import NotifyWiring, RespondWiring, WatchWiring
from tests.conftest import CREDENTIALS
from tests.fuzz.checks import APPROVER, Violation, expect
from tests.fuzz.noise import CANARY

TABLE = "journal"
ROW_KEY = {"pk": {"S": "service#shop"}, "sk": {"S": "row"}}
SIGNING_SECRET = "c4n4ry731e10b8888abcd99yyyzzz85a5"
WEBHOOK = "https://hooks.slack.com/services/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"
BOT_TOKEN = "xoxb-17653672481-19874698323-c4n4ryPdFMh17YCZR"
ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4",
    "AWS_SESSION_TOKEN": "c4n4ry-session-token",
    "SLACK_WEBHOOK_URL": WEBHOOK,
}
QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/queue"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/respond"
WIRING = {"account_id": ACCOUNT, "region": REGION, "journal_table": TABLE}
# What whoever published the bad version wrote about it.
DESCRIPTION = f"build 811 by <!channel> token={CANARY}0000 {WEBHOOK} \u202eevil"
HANDLERS = ("respond", "watch", "notify", "interact")


class Queue:
    """A queue that takes what SQS takes (API reference, SendMessage, MessageAttributeValue).

    At most 1 MiB with attributes, at least one character, and only these characters.
    """

    def __init__(self):
        self.sent = []

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes=None):
        texts = [MessageBody]
        for name, value in (MessageAttributes or {}).items():
            expect(value["StringValue"], f"the attribute {name} is empty")
            texts += [name, value["DataType"], value["StringValue"]]
        expect(MessageBody, "a message without a body cannot be sent")
        for text in texts:
            expect(all(map(_is_taken, set(text))), f"SQS does not take {text[:80]!r}")
        size = sum(len(text.encode()) for text in texts)
        expect(size <= 1_048_576, f"a message of {size} bytes cannot be sent")
        attributes = {k: v["StringValue"] for k, v in (MessageAttributes or {}).items()}
        self.sent.append((MessageBody, attributes))


def _is_taken(c):
    return c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"


class Slack:
    """What Slack was told, by either client of slack_sdk."""

    def __init__(self):
        self.posts = []

    def __call__(self, *_, **__):
        return self

    def _take(self, content):
        # As it goes over the wire.
        json.dumps(content).encode()
        self.posts.append(content)
        return {"ok": True, "channel": "C012", "ts": "1.2"}

    def chat_postMessage(self, **content):  # noqa: N802 - slack_sdk's name
        return self._take(content)

    def chat_update(self, **content):
        return self._take(content)

    def files_upload_v2(self, **content):
        content.pop("content")
        return self._take(content)

    def send(self, **content):
        self._take(content)
        return SimpleNamespace(status_code=200, body="ok")


class World(House):
    """A house with the real journal, and with what its handlers are furnished with."""

    def __init__(self, document):
        super().__init__(document)
        self.table = DynamoDb(TABLE, clock=self.clock)
        self.writes = []
        self.table.listener = lambda before, after: self.writes.append((before, after))
        self.journal = DynamoDbJournal(self.table, TABLE, LEASE)
        self.budget = DynamoDbBudget(self.table, TABLE)
        self.rooms = replace(
            self.rooms,
            journal=_Watched(self.journal, self._intercept),
            budget=_Watched(self.budget, self._intercept),
        )
        self.queue = Queue()
        wake = waking(
            WatchWiring(**WIRING, alarm_queue_url=QUEUE, respond_role_arn=ROLE),
            QUEUE,
            lambda *_: self.queue,
        )
        self.responder = Responder(self.rooms)
        self.watcher = Watcher(self.rooms, self.woken.append)
        self.book = DynamoDbBook(self.table, TABLE)
        self.desk = Desk(
            policy=self.policy, book=self.book, wake=self.woken.append, clock=self.clock
        )
        read = self.aliases.get_function_configuration
        self.aliases.get_function_configuration = lambda **which: (
            read(**which) | {"Description": DESCRIPTION}
        )
        self._furnish(wake)

    def _furnish(self, wake):
        shared = SharedMetrics(self.rooms.metrics, self.stopwatch)
        park = parking(QUEUE, lambda *_: self.queue)
        desk = replace(self.desk, wake=wake)
        self.houses = {
            "respond": respond.RespondHouse(
                wiring=RespondWiring(**WIRING, dead_letter_queue_url=QUEUE),
                policy=self.policy,
                responder=Responder(replace(self.rooms, metrics=shared)),
                expect=shared.expect,
                dead_letter=park,
            ),
            "watch": watch.WatchHouse(
                policy=self.policy,
                watcher=Watcher(self.rooms, wake),
                driller=Driller(
                    policy=self.policy, journal=self.journal, desk=desk, clock=self.clock
                ),
                # IAM is no part of these worlds.
                preflight=lambda: (),
            ),
            "notify": notify.NotifyHouse(
                wiring=NotifyWiring(**WIRING, slack_secret_arn="arn", failure_queue_url=QUEUE),
                policy=self.policy,
                notices=DynamoDbNotices(self.table, TABLE, LEASE),
                storms=DynamoDbStorms(self.table, TABLE, LEASE),
                read_secret=lambda: json.dumps({"bot_token": BOT_TOKEN}),
                park=park,
                week=None,
            ),
            "interact": interact.InteractHouse(
                policy=self.policy,
                desk=desk,
                read_secret=lambda: json.dumps(
                    {"bot_token": BOT_TOKEN, "signing_secret": SIGNING_SECRET}
                ),
            ),
        }

    # -- rows -----------------------------------------------------------------------------------

    def items(self):
        return self.table.items(TABLE)

    def row(self):
        """The item of the service."""
        return self.table.get_item(TableName=TABLE, Key=ROW_KEY)["Item"]

    def put(self, item):
        self.table.put_item(TableName=TABLE, Item=item)

    @property
    def moves(self):
        return self.aliases.moves

    @property
    def acts(self):
        """Every call that changes something in AWS."""
        acting = {"UpdateAlias", "StopDeployment", "CreateDeployment"}
        acting |= {"CancelUpdateStack", "ContinueUpdateRollback"}
        return [call for call in self.calls if call in acting]

    # -- back to what it was --------------------------------------------------------------------

    def keep(self):
        """Remembers how it is; `put_back` leads here."""
        self._kept = (
            dict(self.table._tables[TABLE]),
            copy.deepcopy(self.aliases._aliases),
            len(self.aliases.moves),
            self.now,
        )
        self.clear()
        return self

    def clear(self):
        self.calls.clear()
        self.woken.clear()
        self.writes.clear()
        self.queue.sent.clear()

    def put_back(self):
        rows, aliases, moves, now = self._kept
        if self.writes or len(self.aliases.moves) > moves:
            self.table._tables[TABLE] = dict(rows)
            self.table._tokens.clear()
            self.table._tokens_since.clear()
            self.aliases._aliases.clear()
            self.aliases._aliases.update(copy.deepcopy(aliases))
            del self.aliases.moves[moves:]
            self.budget._hour = None
        self.now = now
        self.clear()


def _hot():
    """A bad version is live, its alarm fires, and nobody has looked yet."""
    world = healthy_v1(World(document()))
    world.deploy("v2", errors=0.6)
    world.traffic(3, requests=12, watch=False)
    return world


def _quiet():
    """A good version is live and no alarm fires."""
    world = healthy_v1(World(document()))
    world.deploy("v2")
    world.traffic(2, requests=24)
    return world


def _asking():
    """The policy wants a yes, and an incident asks for it."""
    return bad_deploy(healthy_v1(World(document(mode="approve"))))


def _watching():
    """It was rolled back, and is watched."""
    return bad_deploy(healthy_v1(World(document())))


def _fixed():
    """It was rolled back, and that has helped."""
    return bad_deploy(healthy_v1(World(document())), minutes=12)


def document(**changes):
    return policy_document(slack={"channel": "#deploys", "approvers": [APPROVER]}, **changes)


WORLDS = {"hot": _hot, "quiet": _quiet, "asking": _asking, "watching": _watching, "fixed": _fixed}


class Tape(io.TextIOBase):
    """Standard output as Lambda has it: text that UTF-8 can hold."""

    def __init__(self):
        self.parts = []

    def write(self, text):
        self.parts.append(text.encode().decode())
        return len(text)

    def take(self):
        text = "".join(self.parts)
        self.parts.clear()
        return text


class Stage:
    """The four handlers in this process, each time before the world that a case wants."""

    def __init__(self):
        os.environ.update(CREDENTIALS | ENVIRONMENT)
        self.tape, self.slack, self._worlds, self.world = Tape(), Slack(), {}, None
        sys.stdout, self._stdout = self.tape, sys.stdout
        logging.raiseExceptions = True
        logging.Handler.handleError = _not_logged
        slack.WebClient = slack.WebhookClient = self.slack
        bootstrap.utc_now = self._now
        first = self._made("quiet")
        for name in HANDLERS:
            opens = importlib.import_module(f"rollback_responder.bootstrap.{name}")
            opens.open_house = lambda _, name=name: first.houses[name]
            sys.modules.pop(f"rollback_responder.handlers.{name}", None)
            setattr(self, name, importlib.import_module(f"rollback_responder.handlers.{name}"))

    def _now(self):
        return self.world.clock()

    def _made(self, name):
        if name not in self._worlds:
            self.world = world = WORLDS[name]()
            self._worlds[name] = world.keep()
            self.tape.take()
        return self._worlds[name]

    def before(self, name):
        """The stage before a world, as it was when it was made."""
        self.world = world = self._made(name)
        world.put_back()
        self.slack.posts.clear()
        for each in HANDLERS:
            getattr(self, each).house = world.houses[each]
        return world

    def logged(self):
        return self.tape.take()


def _not_logged(_, record):
    raise Violation("log", f"a record could not be written: {record.msg!r} {sys.exc_info()[1]!r}")
