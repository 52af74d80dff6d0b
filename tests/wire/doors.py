"""The doors of a process: addresses, handlers and SDK clients, which accounts come and go behind.

The product is as it is but for its edges: its clock, where its clients are led, and for how long
the SDK waits where it is to wait in vain.
"""

import functools
import json
import os
import sys
import threading
import time as real_time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import ClassVar

import botocore.endpoint
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from house import ACCOUNT, REGION
from local.loopback import LoopbackServer
from local.slack_inbox.server import SlackInbox
from local.slack_inbox.workspace import Workspace
from rollback_responder import bootstrap, lean_client
from rollback_responder.bootstrap import people, respond
from rollback_responder.bootstrap import rooms as furnishing
from rollback_responder.cli import drill
from rollback_responder.notifiers.telling import Teller
from rollback_responder.policies import IndexedPolicy, index_of

TABLE = "journal"
ALARMS, DEAD, UNTOLD = "alarms", "dead", "untold"
ENVIRONMENT = {
    "ACCOUNT_ID": ACCOUNT,
    "REGION": REGION,
    "JOURNAL_TABLE": TABLE,
    "ALARM_QUEUE_URL": f"http://sqs/{ALARMS}",
    "RESPOND_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/respond",
    "DEAD_LETTER_QUEUE_URL": f"http://sqs/{DEAD}",
    "FAILURE_QUEUE_URL": f"http://sqs/{UNTOLD}",
    "SLACK_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:111122223333:secret:slack",
    # No picture is drawn here.
    "MPLCONFIGDIR": os.devnull,
}
# What the SDK reads, and nothing of whoever runs this.
OF_THE_SDK = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "COLUMNS": "160",
    "NO_COLOR": "1",
}
# How long the SDK waits where it is to wait in vain; everywhere else it waits as the product says.
QUICK_SECONDS = 0.25
LATE_SECONDS = 0.4


class Clockwork:
    """Stands for the module `time` where the product or the SDK waits: the model's time passes."""

    def __init__(self):
        self.account = None

    def time(self):
        return self.account.now.timestamp() if self.account else real_time.time()

    def monotonic(self):
        return self.time()

    def sleep(self, seconds):
        if self.account:
            self.account.now += timedelta(seconds=seconds)


class Pools(ThreadPoolExecutor):
    """Pools that can be ended before a process forks."""

    made: ClassVar = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.made.append(self)

    @classmethod
    def end(cls):
        while cls.made:
            cls.made.pop().shutdown()


class Doors:
    """The addresses of a process, its handlers, and its SDK clients, each made once.

    The listening sockets are opened here; a thread serves them only while an account is `open`.
    """

    def __init__(self, folder):
        self.folder, self.proxy_url = folder, ""
        self.clockwork = Clockwork()
        self.server = LoopbackServer(self._answer)
        self.slack = SlackInbox(channel="deploys", clock=self.clock)
        self.policy_file = folder / f"cdk-{os.getpid()}.json"
        # Which service is reached through the proxy, and whether the SDK waits for it but briefly.
        self.proxied, self.quick = None, False
        self.handlers = {}
        # Waits for what the SDK has given up on, and AWS has still to get.
        self.drain = lambda: None
        self._made = {}
        self._prepare()

    @property
    def account(self):
        return self.clockwork.account

    def clock(self):
        return self.account.now

    def _answer(self, request):
        return self.account.answer(request)

    def _prepare(self):
        """Puts the product's edges into this process: its clock, its clients, its handlers."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(OF_THE_SDK)
        os.environ["AWS_ENDPOINT_URL"] = self.server.url
        furnishing.time = bootstrap.time = self.clockwork
        botocore.endpoint.time = lean_client.time = drill.time = self.clockwork
        furnishing.ThreadPoolExecutor = Pools
        # Sessions read megabytes of JSON each.
        people._session = functools.cache(people._session)
        make = bootstrap.clients(self.folder / "sdk")
        bootstrap.clients = lambda: functools.partial(self._client, make)
        self.slack.presser.url = f"{self.server.url}/press"
        # No call of AWS depends on a picture, and each takes as long as a story.
        Teller.__init__.__kwdefaults__["draw"] = lambda _: None

    def _client(self, make, service, limits):
        through = service == self.proxied
        key = service, limits, through, through and self.quick
        if key not in self._made:
            given = limits._replace(read=QUICK_SECONDS) if key[-1] else limits
            os.environ["AWS_ENDPOINT_URL"] = self.proxy_url if through else self.server.url
            client = make(service, given)
            os.environ["AWS_ENDPOINT_URL"] = self.server.url
            client._over_the_wire = functools.partial(self._send, client._over_the_wire, limits)
            self._made[key] = client
        return self._made[key]

    def _send(self, send, limits, request):
        """Where it gives up waiting, it has waited as long as the product has it wait."""
        try:
            return send(request)
        except ReadTimeoutError:
            self.clockwork.sleep(limits.read)
            raise
        except ConnectTimeoutError:
            self.clockwork.sleep(limits.connect)
            raise

    @contextmanager
    def open(self, account, *, proxied=None, quick=False):
        """Serves an account and furnishes the functions in it."""
        self.clockwork.account = account
        self.proxied, self.quick = proxied, quick
        if account.slack is None:
            account.slack = Workspace(
                channel="deploys", clock=self.clock, monotonic=real_time.monotonic
            )
        self.slack.workspace = account.slack
        document = account.policy.to_document()
        self.policy_file.write_text(json.dumps({"context": {"rollback": document}}))
        index = self.policy_file.with_suffix(".index")
        index.write_bytes(index_of(account.policy))
        bootstrap.load_policy = lambda: account.policy
        respond.load_index = lambda: IndexedPolicy(index)
        account.doors, self.handlers = self, _furnished()
        with _serving(self.server), _serving(self.slack._server):
            yield account
        Pools.end()


@contextmanager
def _serving(server):
    """A thread at a socket that stays open afterwards."""
    http = server._server
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        http.shutdown()
        thread.join()


def _furnished():
    """The handlers' modules, each with a house of its own."""
    modules = {}
    for name in ("respond", "watch", "notify", "interact"):
        os.environ.update(ENVIRONMENT)
        full = f"rollback_responder.handlers.{name}"
        if full in sys.modules:
            sys.modules[full].house = import_module(
                f"rollback_responder.bootstrap.{name}"
            ).open_house(ENVIRONMENT)
        modules[name] = import_module(full)
    return modules
