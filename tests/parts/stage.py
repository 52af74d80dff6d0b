"""The world of one round: emulator, models, Slack, bus, edges, and the minutes that pass in it."""

import contextlib
import json
import os
import signal
import threading
import time
from contextlib import ExitStack, closing
from datetime import timedelta

from local import emulator as emulators
from local.aws_model import codedeploy_front, front
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.codedeploy import CodeDeploy
from local.codedeploy import EmulatorAliases
from local.delivery import Schedules
from local.rollout_events import RolloutEvents
from local.slack_inbox.server import SlackInbox
from local.traffic import Invocation, pick_version, record
from tests.parts.bus import Bus, Stream
from tests.parts.clock import MINUTE, Leaps
from tests.parts.deployed import (
    ACCOUNT,
    ALIAS,
    HOLD,
    code_at,
    copied,
    kept_in,
    service_code,
    service_template,
    zipped,
)
from tests.parts.edges import Edges, workers_of
from tests.parts.plan import WATCH, Kind, What

REQUESTS_A_MINUTE = 36
# The deployment shifts as in the demo: ten percent more of the traffic every two minutes.
CONFIG = "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes"
# Real seconds within which a minute must be over; Slack's silence is not waited for.
LONGEST_SECONDS = 120.0
_LOOK_SECONDS, _WORK_SECONDS, _SILENT_SECONDS = 0.01, 0.08, 0.5


class StuckError(Exception):
    """A minute that does not end."""


class Stage:
    """A round's world; a context manager."""

    def __init__(self, deployed, kind, folder):
        self.deployed, self.kind = deployed, kind
        self.service = kind.value
        self.clock = Leaps(folder / "leaps")
        self.edges = Edges(self.clock)
        self.stream = Stream(deployed.stream_arn)
        self.inbox = SlackInbox(channel="deploys", clock=self.clock.now)
        self.cloudwatch = CloudWatch(account=ACCOUNT, clock=self.clock.now)
        self.cloudwatch.put_alarms(deployed.alarms)
        # That an alarm is OK for the first time would wake every function at once.
        self.clock.leap(MINUTE)
        self.cloudwatch.tick()
        self.bad = frozenset()
        self.undelivered = []
        self._folder = folder
        self._stack, self._running, self._carrying = ExitStack(), ExitStack(), ExitStack()
        self._lock = threading.Lock()
        self._down_for = None
        self._until = {}
        self._elsewhere = {}

    def __enter__(self):
        with ExitStack() as stack:
            stack.callback(self._running.close)
            stack.callback(self._carrying.close)
            stack.enter_context(self.inbox)
            aliases = stack.enter_context(EmulatorAliases())
            self.codedeploy = CodeDeploy(
                clock=self.clock.now, aliases=aliases, account=ACCOUNT.id, region=ACCOUNT.region
            )
            self.codedeploy.add_group(
                "deployment", "deployment", function="deployment", alias=ALIAS, config=CONFIG
            )
            models = {
                "cloudwatch": stack.enter_context(front.serve(self.cloudwatch)).url,
                "codedeploy": stack.enter_context(codedeploy_front.serve(self.codedeploy)).url,
            }
            doors = {
                name: stack.enter_context(self.edges.door(lambda url=url: url, self.workers)).url
                for name, url in {**models, "slack": self.inbox.url}.items()
            }
            aws = stack.enter_context(self.edges.door(lambda: self.emulator.url, self.workers))
            slack = doors.pop("slack")
            state = copied(self.deployed, self._folder)
            self._elsewhere = doors
            self._environment = (
                self.clock.environment() | kept_in(state) | {"AWS_ENDPOINT_URL": aws.url}
            )
            self._start_emulator()
            aliases.attach(self.emulator)
            for service in ("cloudformation", "dynamodb", "lambda", "secretsmanager", "sqs"):
                client = stack.enter_context(closing(self.emulator.client(service)))
                setattr(self, f"_{service}", client)
            secret = {
                "bot_token": self.inbox.token,
                "signing_secret": self.inbox.signing_secret,
                "api_url": f"{slack}/api/",
            }
            self._secretsmanager.put_secret_value(
                SecretId=self.deployed.secret, SecretString=json.dumps(secret)
            )
            self._start_bus()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.edges.disarm()
        self._stack.close()

    # -- the parts --------------------------------------------------------------------------------

    def workers(self):
        """The function processes that run at this moment."""
        return workers_of(self.process) if self.process else []

    def _start_emulator(self):
        self.process = 0
        before = set(workers_of("self"))
        self.emulator = self._running.enter_context(
            emulators.started(
                run_folder=self._folder,
                account=ACCOUNT.id,
                elsewhere=self._elsewhere,
                extra_environment=self._environment,
                port=self.deployed.port,
            )
        )
        (self.process,) = set(workers_of("self")) - before

    def _start_bus(self):
        self.bus = self._carrying.enter_context(
            Bus(
                self.emulator,
                self.undelivered.append,
                deployed=self.deployed,
                stream=self.stream,
                clock=self.clock,
            )
        )
        self.cloudwatch.listener = self.bus.announce
        self.schedules = Schedules(self.bus, self.clock.now)
        self.events = self._carrying.enter_context(
            RolloutEvents(
                emulator=self.emulator,
                delivery=self.bus,
                codedeploy=self.codedeploy,
                clock=self.clock.now,
            )
        )
        self.events.follow(Kind.STACK.value)

    # -- the service ------------------------------------------------------------------------------

    def alias(self):
        """The version that the service's alias is on, and the weights of others."""
        found = self._lambda.get_alias(FunctionName=self.service, Name=ALIAS)
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return found["FunctionVersion"], weights

    def items(self):
        """Everything in the journal's table, read strongly."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.deployed.table, ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]

    def stack_status(self):
        stacks = self._cloudformation.describe_stacks(StackName=self.service)["Stacks"]
        return stacks[0]["StackStatus"]

    def stack_events(self):
        events = self._cloudformation.describe_stack_events(StackName=self.service)["StackEvents"]
        return [(one["ResourceStatus"], one.get("ResourceStatusReason", "")) for one in events]

    def code_of(self, function):
        """The zip that a function of the responder was deployed with."""
        return code_at(self._lambda, self.deployed.functions[function])

    def deploy_code(self, function, packed):
        """Deploys a function of the responder with another zip."""
        name = self.deployed.functions[function]
        self._lambda.update_function_code(FunctionName=name, ZipFile=packed)

    def deploy_bad(self):
        """Version 2, which breaks most of the requests; in the way of the round's kind."""
        self.bad = frozenset({"2"})
        if self.kind is Kind.DEPLOYMENT:
            self._lambda.update_function_code(
                FunctionName=self.service, ZipFile=zipped(service_code(2)), Publish=True
            )
            with self.codedeploy.lock:
                self.codedeploy.deploy("deployment", "deployment", target_version="2")
            return
        held = self.kind is Kind.STACK
        template = service_template(self.service, 2, held=held)
        self._cloudformation.update_stack(StackName=self.service, TemplateBody=template)
        self._until_true(self._is_held if held else self._is_updated, "the update")

    def _is_updated(self):
        return self.stack_status() == "UPDATE_COMPLETE"

    def _is_held(self):
        events = self._cloudformation.describe_stack_events(StackName=self.service)["StackEvents"]
        latest = next((one for one in events if one["LogicalResourceId"] == HOLD), None)
        return latest is not None and latest["ResourceStatus"].endswith("IN_PROGRESS")

    def _until_true(self, holds, what):
        deadline = time.monotonic() + LONGEST_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise StuckError(f"{what} does not come to its end")
            time.sleep(_LOOK_SECONDS)

    # -- time -------------------------------------------------------------------------------------

    def pass_minute(self):
        """The minute ends: its requests are counted, the alarms evaluated, and all is carried."""
        if self.edges.hanging:
            # Slack's client waits for ten real seconds: hours would pass meanwhile.
            time.sleep(_SILENT_SECONDS)
        now = self.clock.now()
        ends_at = now.replace(second=0, microsecond=0) + MINUTE
        self.clock.leap(ends_at + timedelta(seconds=1) - now)
        self._serve(ends_at - MINUTE)
        self.settle()

    def _serve(self, began_at):
        """A minute's requests of the service, as Lambda's metrics tell them."""
        version, weights = self.alias()
        for number in range(REQUESTS_A_MINUTE):
            served_by = pick_version(int(began_at.timestamp()) + number, version, weights)
            invocation = Invocation(
                began_at=began_at + number * MINUTE / REQUESTS_A_MINUTE,
                duration_ms=80.0,
                failed=served_by in self.bad and number % 5 > 1,
                version=served_by,
            )
            record(self.cloudwatch, self.service, ALIAS, invocation)

    def settle(self):
        """Until nothing is carried any more, but for what Slack keeps silent about.

        Raises:
            StuckError: it does not come to that.
        """
        deadline, calm = time.monotonic() + LONGEST_SECONDS, 0
        while calm < 2:
            if time.monotonic() > deadline:
                raise StuckError("a minute does not end")
            self.edges.check()
            self._do_what_no_door_can()
            self.cloudwatch.tick()
            self.schedules.tick()
            self.events.tick()
            self.bus.pump()
            silent = self.edges.hanging > 0
            is_calm = self.bus.is_empty(but_stream=silent)
            calm = calm + 1 if is_calm else 0
            # Whoever works needs the processor more than whoever looks.
            time.sleep(_LOOK_SECONDS if is_calm else _WORK_SECONDS)

    # -- what fails -------------------------------------------------------------------------------

    def fail(self, failure):
        """Called by the edges, at its very moment."""
        match failure.what:
            case What.AGAIN:
                self.bus.copies = failure.times
            case What.WATCHER | What.TWO_WATCHERS:
                with self._lock:
                    self._until[failure.what] = self.clock.now() + failure.span
                    self._set_watchers()
            case What.RESTART:
                self.bus.break_off()
                self._kill_all()
                with self._lock:
                    self._down_for = failure.minutes

    def acted(self, call):
        """Called by the edges when AWS took an act: a held update goes on, and finds the cancel."""
        if call.operation == "CancelUpdateStack":
            self._cloudformation.signal_resource(
                StackName=self.service, LogicalResourceId=HOLD, UniqueId="go on", Status="SUCCESS"
            )

    def _set_watchers(self):
        """As many watchers as there are to be at once: none, if that is one of the things."""
        self.bus.watchers = 2 if What.TWO_WATCHERS in self._until else 1
        at_once = 0 if What.WATCHER in self._until else self.bus.watchers
        self._lambda.put_function_concurrency(
            FunctionName=self.deployed.functions[WATCH], ReservedConcurrentExecutions=at_once
        )

    def _kill_all(self):
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def is_whole(self):
        """Whether every part is there again."""
        return not self._until and self._down_for is None and self.edges.is_quiet

    def _do_what_no_door_can(self):
        """What ends by the clock; and a restart, which takes the driver's own hands."""
        with self._lock:
            over = [what for what, until in self._until.items() if self.clock.now() >= until]
            for what in over:
                del self._until[what]
            if over:
                self._set_watchers()
            minutes, self._down_for = self._down_for, None
        if minutes is not None:
            self._restart(minutes)

    def _restart(self, minutes):
        """The functions are dead. The bus is broken off, and the emulator comes up anew.

        A held update lives in the emulator's process and in none of its files, so there only the
        functions and the bus are restarted.
        """
        self.cloudwatch.listener = lambda _: iter(())
        self._carrying.close()
        copies = self.bus.copies
        self._kill_all()
        if self.kind is not Kind.STACK:
            self._read_stream()
            self._running.close()
            self._start_emulator()
            self.stream.begin_anew()
        for _ in range(minutes):
            self.clock.leap(MINUTE)
            self._serve(self.clock.now().replace(second=0, microsecond=0) - MINUTE)
            self.cloudwatch.tick()
        self._start_bus()
        self.bus.copies = copies
        with self._lock:
            self._set_watchers()

    def _read_stream(self):
        with closing(self.emulator.client("dynamodbstreams")) as client:
            self.stream.read(client)
