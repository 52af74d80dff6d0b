"""Designs as processes: asked many times while they stay, or started anew each time."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.hot_path import aws, world
from bench.hot_path.share import Share

ROOT = Path(__file__).resolve().parents[2]
PEERS = "bench.hot_path.peers"
OURS = "rollback_responder.handlers.respond"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A handler, the service whose alarm it is asked about, and what it is compared with."""

    name: str
    module: str
    beside: str = "naive"
    service: str = world.SHOP

    @property
    def act(self) -> str:
        """The call that acts."""
        return world.ACTS[self.service]


DESIGNS = (
    Design(name="floor", module=f"{PEERS}.floor"),
    Design(name="naive", module=f"{PEERS}.naive"),
    Design(name="typical", module=f"{PEERS}.typical"),
    Design(name="ours", module=OURS),
    Design(
        name="naive, deployment",
        module=f"{PEERS}.naive_codedeploy",
        beside="naive, deployment",
        service=world.CART,
    ),
    Design(name="ours, deployment", module=OURS, beside="naive, deployment", service=world.CART),
    Design(
        name="naive, stack",
        module=f"{PEERS}.naive_stack",
        beside="naive, stack",
        service=world.MAIL,
    ),
    Design(name="ours, stack", module=OURS, beside="naive, stack", service=world.MAIL),
)
ALIAS_ONLY = ("naive", "ours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One answer of one design: milliseconds to the act and in all, its calls, its memory."""

    act_ms: float
    total_ms: float
    act: str
    calls: tuple[aws.Call, ...]
    memory_mb: float

    @property
    def before(self) -> list[aws.Call]:
        """The calls that arrived before the act."""
        act = next(call for call in self.calls if call.operation == self.act)
        return [call for call in self.calls if call.arrived_ns < act.arrived_ns]

    @property
    def depth(self) -> int:
        """The longest chain before the act in which each call waited for the one before."""
        depths: list[int] = []
        for call in self.before:
            waited = (
                depth
                for depth, earlier in zip(depths, self.before, strict=False)
                if earlier.answered_ns <= call.arrived_ns
            )
            depths.append(1 + max(waited, default=0))
        return max(depths, default=0)

    @property
    def control_plane_calls(self) -> int:
        """Of Lambda: they share fifteen requests a second in an account and region."""
        return sum(call.service == "lambda" for call in self.calls)


class Process:
    """One design in a process of its own."""

    def __init__(
        self, design: Design, environment: Mapping[str, str], share: Share | None = None
    ) -> None:
        self._design = design
        # The asset brings an SDK of its own; what a user writes has the machine's.
        own = {} if design.module == OURS else {"PYTHONPATH": str(ROOT)}
        self.started_ns = time.monotonic_ns()
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "bench.hot_path.design", design.module],
            cwd=ROOT,
            env={**environment, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if share:
            share.limit(self._process.pid)

    def wait(self) -> None:
        """Until it is there.

        Raises:
            SystemExit: it is not.
        """
        word, _, kilobytes = self._line().partition(" ")
        if word != "ready":
            raise SystemExit(f"{self._design.name} did not start: import {self._design.module}")
        self.memory_mb = int(kilobytes) / 1024

    def ask(self, server: aws.Aws) -> Run:
        """One alarm.

        Raises:
            SystemExit: it did not act.
        """
        self.send()
        return self.run(server)

    def send(self) -> None:
        """Hands it an alarm, also before it is there."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(event(self._design.service)) + "\n")
        self._process.stdin.flush()

    def run(self, server: aws.Aws, *, since_ns: int | None = None) -> Run:
        """What came of it, counted from when its handler began or from an instant."""
        answer = self._line()
        calls, design = server.calls(), self._design
        act = next((call for call in calls if call.operation == design.act), None)
        if not answer or act is None:
            made = [call.operation for call in calls]
            raise SystemExit(f"{design.name} did not act; its calls: {made}")
        began, ended = map(int, answer.split())
        began = since_ns or began
        return Run(
            act_ms=(act.arrived_ns - began) / 1e6,
            total_ms=(ended - began) / 1e6,
            act=design.act,
            calls=calls,
            memory_mb=self.memory_mb,
        )

    def end(self) -> None:
        """Ends it."""
        self._process.kill()
        # It closes the pipes as well.
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def staying(
    designs: Sequence[Design], environment: Mapping[str, str], share: Share | None
) -> Iterator[dict[str, Process]]:
    """The designs, started once."""
    started: dict[str, Process] = {}
    try:
        for design in designs:
            started[design.name] = Process(design, environment, share)
            started[design.name].wait()
        yield started
    finally:
        for process in started.values():
            process.end()


def environment_of(server: aws.Aws, asset: Path, *, roots: Path | None = None) -> dict[str, str]:
    """What Lambda would give, with AWS on loopback. The asset stands before the source tree.

    `roots` are the certificates that the SDK trusts where it is not told otherwise.
    """
    found = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{asset}:{ROOT}",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": world.REGION,
        "AWS_REGION": world.REGION,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SLACK_WEBHOOK": f"{server.url}/slack",
        "ACCOUNT_ID": world.ACCOUNT,
        "REGION": world.REGION,
        "JOURNAL_TABLE": world.TABLE,
        "DEAD_LETTER_QUEUE_URL": f"{server.url}/queue",
    }
    return found | ({"AWS_CA_BUNDLE": str(roots)} if roots else {})


def event(service: str) -> dict[str, Any]:
    """An alarm as SNS hands it over, both to a function and, as `body`, to a queue."""
    name = world.alarm_of(service)
    message = json.dumps(
        {
            "AlarmName": name,
            "AWSAccountId": world.ACCOUNT,
            "AlarmArn": f"arn:aws:cloudwatch:{world.REGION}:{world.ACCOUNT}:alarm:{name}",
            "NewStateValue": "ALARM",
            "OldStateValue": "OK",
            "StateChangeTime": time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime()),
            "Region": "US East (N. Virginia)",
        }
    )
    notification = {"Type": "Notification", "Message": message}
    record = {"EventSource": "aws:sns", "Sns": notification, "messageId": "m"}
    return {"Records": [record | {"body": json.dumps(notification)}]}
