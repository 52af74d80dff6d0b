"""The whole house in memory: real rooms, real SDK clients, the strict model of AWS behind them.

Time stands still until a test lets it pass. A test reads as a story: traffic, deploy, look.
"""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from local.alarms_of_policy import model_alarms
from local.aws_model.alarm_book import Account
from local.aws_model.clients import (
    cloudformation_client,
    cloudwatch_client,
    codedeploy_client,
    lambda_client,
)
from local.aws_model.cloudformation import CloudFormation
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.codedeploy import CodeDeploy
from local.aws_model.lambda_aliases import LambdaAliases
from local.aws_model.metrics import Metric
from rollback_responder.actions import POINTERS, ROLLOUTS, Clients, pointers, rollouts
from rollback_responder.desk import Desk
from rollback_responder.domain.case import Entry
from rollback_responder.domain.errors import RollbackError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.order import Order
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.journal.memory import MemoryBook, MemoryBudget, MemoryJournal
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from rollback_responder.responder import Responder
from rollback_responder.rooms import Rooms
from rollback_responder.watcher import Round, Watcher

ACCOUNT, REGION = "111122223333", "us-east-1"
LEASE = timedelta(seconds=90)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def policy_document(**changes: Any) -> dict[str, Any]:
    """A policy for one service, with a short bake time; `changes` replace top-level members."""
    return {
        "environment": "test",
        "mode": "enforce",
        "slack": {"channel": "#deploys"},
        "guardrails": {"bake_minutes": 5, "metric_lag_minutes": 0},
        "services": [
            {
                "name": "shop",
                "targets": [{"kind": "lambda_alias", "function": "shop", "alias": "live"}],
                "triggers": [
                    {"kind": "error_rate", "threshold_percent": 5, "severity": "critical"},
                    {"kind": "latency", "statistic": "p50", "threshold_ms": 300},
                ],
            }
        ],
    } | changes


class _Watched:
    """A room whose calls `house.fault` sees as well, under the names of its methods."""

    def __init__(self, room: Any, intercept: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._room, self._intercept = room, intercept

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._room, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._intercept(name, lambda: method(*args, **kwargs))

        return call


class World:
    """AWS in the models, traffic through an alias, and time, which stands still until it passes."""

    begins_at = START

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.now = self.begins_at
        self.policy = parse_policy(document or policy_document())
        self.cloudwatch = CloudWatch(account=Account(id=ACCOUNT, region=REGION), clock=self.clock)
        self.aliases = LambdaAliases(self.clock)
        self.codedeploy = CodeDeploy(clock=self.clock, aliases=self.aliases)
        self.cloudformation = CloudFormation(clock=self.clock)
        self.random = random.Random(7)
        self.errors: dict[str, float] = {}
        self.latency_ms: dict[str, float] = {}
        self.cloudwatch.put_alarms(model_alarms(self.policy))

    def clock(self) -> datetime:
        return self.now

    def watch(self) -> Any:
        """What looks each minute."""

    def deploy(self, code: str, *, errors: float = 0.0, latency_ms: float = 100.0) -> str:
        """Publishes and points the alias at it, all at once."""
        version = self.aliases.publish("shop", code)
        self.errors[version], self.latency_ms[version] = errors, latency_ms
        self.aliases.point("shop", "live", version)
        return version

    def traffic(self, minutes: int = 1, *, requests: int = 60, watch: bool = True) -> None:
        """Whole minutes of traffic through the alias, the watcher at the end of each."""
        for _ in range(minutes):
            begin = self.now
            for number in range(requests):
                self._request(begin + MINUTE * number / max(1, requests))
            self.now = begin + MINUTE
            self.codedeploy.tick()
            self.cloudformation.tick()
            self.cloudwatch.tick()
            if watch:
                self.watch()

    def _request(self, at: datetime) -> None:
        version = self.aliases.version_of("shop", "live")
        for other, weight in self.aliases.weights_of("shop", "live").items():
            if self.random.random() < weight:
                version = other
        failed = self.random.random() < self.errors[version]
        base = {"FunctionName": "shop"}
        alias = base | {"Resource": "shop:live"}
        for dimensions in (base, alias, alias | {"ExecutedVersion": version}):
            for name, value in (
                ("Invocations", 1.0),
                ("Errors", float(failed)),
                ("Duration", self.latency_ms[version]),
            ):
                metric = Metric.of("AWS/Lambda", name, dimensions)
                self.cloudwatch.record(metric, timestamp=at, value=value)

    @property
    def live(self) -> str:
        return self.aliases.version_of("shop", "live")


class House(World):
    """Everything, wired; time in the tester's hand."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        super().__init__(document)
        self.journal = MemoryJournal(LEASE)
        self.budget = MemoryBudget()
        self.woken: list[str] = []
        self.calls: list[str] = []
        self.fault: Callable[[str, Callable[[], Any]], Any] = lambda _, answer: answer()
        ids = (f"inc-{number:04d}" for number in itertools.count(1))
        clients = {
            "lambda": lambda_client(self.aliases, self._intercept),
            "codedeploy": codedeploy_client(self.codedeploy, self._intercept),
            "cloudformation": cloudformation_client(self.cloudformation, self._intercept),
        }
        tables = Clients(reads=clients.__getitem__, acts=clients.__getitem__)
        self.rooms = Rooms(
            policy=self.policy,
            journal=_Watched(self.journal, self._intercept),
            metrics=CloudWatchMetrics(cloudwatch_client(self.cloudwatch, self._intercept)),
            budget=_Watched(self.budget, self._intercept),
            pointers=pointers(POINTERS, tables),
            rollouts=rollouts(ROLLOUTS, tables),
            clock=self.clock,
            stopwatch=self.stopwatch,
            wait=self._wait,
            new_id=lambda _: next(ids),
            start=lambda call: call,
        )
        self.responder = Responder(self.rooms)
        self.watcher = Watcher(self.rooms, self.woken.append)
        self.book = MemoryBook(self.journal, self.budget)
        self.desk = Desk(
            policy=self.policy, book=self.book, wake=self.woken.append, clock=self.clock
        )

    def _intercept(self, operation: str, answer: Callable[[], Any]) -> Any:
        self.calls.append(operation)
        return self.fault(operation, answer)

    def stopwatch(self) -> float:
        return (self.now - START).total_seconds()

    def _wait(self) -> None:
        self.now += timedelta(seconds=0.25)

    # -- the responder --------------------------------------------------------------------------

    def watch(self) -> Round:
        """One round, and `respond` for whatever it woke."""
        done = self.watcher.watch()
        while self.woken:
            self.respond(self.woken.pop(0))
        return done

    def say(self, order: Order) -> str:
        """A person says something, and `respond` is woken for it."""
        text = self.desk.take(order)
        while self.woken:
            self.respond(self.woken.pop(0))
        return text

    def respond(self, alarm_name: str, state: AlarmState = AlarmState.ALARM) -> Entry | None:
        signal = Signal(
            alarm_name=alarm_name, account_id=ACCOUNT, region=REGION, state=state, at=self.now
        )
        return self.responder.respond(signal)

    def try_respond(self, alarm_name: str) -> RollbackError | Entry | None:
        try:
            return self.respond(alarm_name)
        except RollbackError as error:
            return error

    @property
    def incident(self) -> Incident | None:
        row = self.journal.rows(["shop"]).get("shop")
        return row.incident if row else None

    @property
    def ledger(self) -> Ledger:
        row = self.journal.rows(["shop"]).get("shop")
        return row.ledgers.get("lambda_alias/shop/live", Ledger()) if row else Ledger()
