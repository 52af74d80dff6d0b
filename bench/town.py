"""Any number of services in memory: the real rooms over the strict models, every call counted.

Each service has an alias and two alarms, and stands as the watcher left it a day ago: version 1 has
proved itself. Time passes by whole minutes, in the hand of whoever measures.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local.alarms_of_policy import model_alarms
from local.aws_model.alarm_book import Account
from local.aws_model.clients import cloudwatch_client, lambda_client
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.dynamodb import DynamoDb
from local.aws_model.lambda_aliases import LambdaAliases
from local.aws_model.metrics import Metric
from rollback_responder.actions import Clients, pointers
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.domain.release import Good, Ledger, Origin, Release
from rollback_responder.journal.budget import DynamoDbBudget
from rollback_responder.journal.codec import encode_ledgers
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from rollback_responder.responder import Responder
from rollback_responder.rooms import Rooms
from rollback_responder.watcher import Watcher

ACCOUNT, REGION, TABLE, ALIAS = "123456789012", "us-east-1", "journal", "live"
LEASE, MINUTE = timedelta(seconds=90), timedelta(minutes=1)
START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of AWS, by the SDK's names, and what was answered; None where it was refused."""

    service: str
    operation: str
    given: Mapping[str, Any]
    answer: Mapping[str, Any] | None


class Counted:
    """A client whose calls are kept."""

    def __init__(self, service: str, client: Any, calls: list[Call]) -> None:
        self._service, self._client, self._calls = service, client, calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**given: Any) -> Any:
            answer = None
            try:
                answer = method(**given)
            finally:
                call = Call(service=self._service, operation=name, given=given, answer=answer)
                self._calls.append(call)
            return answer

        return call


def counted(service: str, client: Any, calls: list[Call]) -> Any:
    """A client of the SDK, to whoever calls it."""
    return Counted(service, client, calls)


def name_of(number: int) -> str:
    """A service's name, its function's too."""
    return f"service-{number:05}"


def document(services: int, **changes: Any) -> dict[str, Any]:
    """A policy of so many services, each with an alias, two alarms and a sibling."""
    return {
        "environment": "bench",
        "mode": "enforce",
        "slack": {"channel": "#deploys"},
        "guardrails": {"bake_minutes": 5, "metric_lag_minutes": 0},
        "services": [
            {
                "name": name_of(number),
                "siblings": [name_of((number + 1) % services)] if services > 1 else [],
                "targets": [{"kind": "lambda_alias", "function": name_of(number), "alias": ALIAS}],
                "triggers": [
                    {"kind": "error_rate", "threshold_percent": 5, "severity": "critical"},
                    {"kind": "latency", "statistic": "p95", "threshold_ms": 1500},
                ],
            }
            for number in range(services)
        ],
        **changes,
    }


class Town:
    """The services, what watches them, and the calls since they were last taken."""

    def __init__(self, services: int) -> None:
        self.now = START
        self.policy: Policy = parse_policy(document(services))
        self.cloudwatch = CloudWatch(account=Account(id=ACCOUNT, region=REGION), clock=self.clock)
        self.cloudwatch.put_alarms(model_alarms(self.policy))
        self.aliases = LambdaAliases(self.clock)
        self._table = DynamoDb(TABLE, clock=self.clock)
        self._calls: list[Call] = []
        self.woken: list[str] = []
        self.dynamodb = counted("dynamodb", self._table, self._calls)
        functions = counted("lambda", lambda_client(self.aliases), self._calls)
        watched = counted("cloudwatch", cloudwatch_client(self.cloudwatch), self._calls)
        ids = (f"inc-{number:04d}" for number in itertools.count(1))
        self.rooms = Rooms(
            policy=self.policy,
            journal=DynamoDbJournal(self.dynamodb, TABLE, LEASE),
            budget=DynamoDbBudget(self.dynamodb, TABLE),
            metrics=CloudWatchMetrics(watched),
            pointers=pointers(
                ["lambda_alias"], Clients(reads=lambda _: functions, acts=lambda _: functions)
            ),
            rollouts={},
            clock=self.clock,
            stopwatch=self.stopwatch,
            wait=lambda: None,
            new_id=lambda _: next(ids),
            start=lambda call: call,
        )
        self.responder = Responder(self.rooms)
        self.watcher = Watcher(self.rooms, self.woken.append)
        for service in self.policy.services:
            self._settle(service.name, service.pointers[0].target_id)

    def clock(self) -> datetime:
        """The instant."""
        return self.now

    def stopwatch(self) -> float:
        """Seconds since the start."""
        return (self.now - START).total_seconds()

    def taken(self) -> list[Call]:
        """The calls since they were last taken."""
        calls = list(self._calls)
        self._calls.clear()
        return calls

    def deploy(self, number: int) -> None:
        """The next version, all at once."""
        name = name_of(number)
        self.aliases.point(name, ALIAS, self.aliases.publish(name, f"v{self.now.isoformat()}"))

    def minute(self, number: int, *, failing: Mapping[str, float]) -> None:
        """A minute of traffic at one service; which share fails, by version."""
        name = name_of(number)
        version = self.aliases.version_of(name, ALIAS)
        base = {"FunctionName": name}
        alias = base | {"Resource": f"{name}:{ALIAS}"}
        errors = 600 * failing.get(version, 0.0)
        for dimensions in (base, alias, alias | {"ExecutedVersion": version}):
            for metric, value in (("Invocations", 600.0), ("Errors", errors)):
                known = Metric.of("AWS/Lambda", metric, dimensions)
                self.cloudwatch.record(known, timestamp=self.now, value=value)
        self.now += MINUTE
        self.cloudwatch.tick()

    def _settle(self, name: str, target_id: str) -> None:
        self.aliases.publish(name, "v1")
        self.aliases.point(name, ALIAS, "1")
        since_at = START - timedelta(days=1)
        alias = self.aliases.get_alias(FunctionName=name, Name=ALIAS)
        built = self.aliases.get_function_configuration(FunctionName=name, Qualifier="1")
        release = Release(
            version="1",
            since_at=since_at,
            origin=Origin.DEPLOYED,
            whole_since_at=since_at,
            proven_at=since_at + timedelta(minutes=10),
            code_sha256=built["CodeSha256"],
        )
        good = Good(version="1", proven_at=since_at, code_sha256=built["CodeSha256"])
        ledger = Ledger(current=release, revision=alias["RevisionId"], good=(good,))
        self._table.put_item(
            TableName=TABLE,
            Item={
                "pk": {"S": f"service#{name}"},
                "sk": {"S": "row"},
                "ledgers": {"S": encode_ledgers({target_id: ledger})},
            },
        )
