"""The moment that is measured: version 2 fails, its alarm has just fired, version 1 is proved."""

import json
from datetime import datetime, timedelta
from typing import Any

from local.alarms_of_policy import model_alarms
from local.aws_model import operations
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.dynamodb import DynamoDb
from local.aws_model.lambda_aliases import LambdaAliases
from local.aws_model.metrics import Metric
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.domain.release import Good, Ledger, Origin, Release
from rollback_responder.journal.budget import KEY, hour_of
from rollback_responder.journal.codec import encode_ledgers

ACCOUNT, REGION, TABLE = "123456789012", "us-east-1", "journal"
MINUTE = timedelta(minutes=1)
FUNCTION, ALIAS = "shop", "live"
REQUESTS, DEPLOYED_AGO = 600, 4
POLICY: dict[str, Any] = {
    "environment": "bench",
    "mode": "enforce",
    "slack": {"channel": "#deploys"},
    "services": [
        {
            "name": "shop",
            "targets": [{"kind": "lambda_alias", "function": FUNCTION, "alias": ALIAS}],
            "triggers": [{"kind": "error_rate", "threshold_percent": 5, "severity": "critical"}],
        }
    ],
}
ALARM = "rollback.bench.shop.shop.live.error-rate"


def policy() -> Policy:
    """The policy of the bench."""
    return parse_policy(POLICY)


class World:
    """A service with a bad deploy, in the models."""

    def __init__(self, now: datetime) -> None:
        self.began_at = self._now = now
        self._clock = self._whole_minute - 30 * MINUTE
        self._cloudwatch = CloudWatch(
            account=Account(id=ACCOUNT, region=REGION), clock=lambda: self._clock
        )
        self._cloudwatch.put_alarms(model_alarms(policy()))
        self._clock = self._whole_minute
        for minutes_ago in range(30, 0, -1):
            self._record(self._clock - minutes_ago * MINUTE, bad=minutes_ago <= DEPLOYED_AGO)
        self._cloudwatch.tick()
        self.reset(now)

    @property
    def _whole_minute(self) -> datetime:
        return self._now.replace(second=0, microsecond=0)

    def reset(self, now: datetime) -> None:
        """The alias at version 2 again, the row as the watcher left it."""
        self._now = self._clock = now
        self._aliases = LambdaAliases(lambda: self._now)
        for code in ("v1", "v2"):
            self._aliases.publish(FUNCTION, code)
        self._aliases.point(FUNCTION, ALIAS, "2")
        revision = self._aliases.get_alias(FunctionName=FUNCTION, Name=ALIAS)["RevisionId"]
        deployed_at = self._whole_minute - DEPLOYED_AGO * MINUTE
        ledger = Ledger(
            current=Release(
                version="2",
                since_at=deployed_at,
                origin=Origin.DEPLOYED,
                whole_since_at=deployed_at,
                code_sha256="b",
            ),
            revision=revision,
            good=(Good(version="1", proven_at=deployed_at - 20 * MINUTE, code_sha256="a"),),
        )
        self._dynamodb = DynamoDb(TABLE, clock=lambda: self._now)
        self._dynamodb.put_item(
            TableName=TABLE,
            Item={
                "pk": {"S": "service#shop"},
                "sk": {"S": "row"},
                "ledgers": {"S": encode_ledgers({"lambda_alias/shop/live": ledger})},
            },
        )
        # A warm process knows that the hour has begun.
        hour = {"hour": {"N": str(hour_of(now))}}
        self._dynamodb.put_item(TableName=TABLE, Item={**KEY, **hour})

    def _record(self, minute: datetime, *, bad: bool) -> None:
        version = "2" if bad else "1"
        base = {"FunctionName": FUNCTION}
        alias = base | {"Resource": f"{FUNCTION}:{ALIAS}"}
        errors = REQUESTS * 0.4 if bad else 0.0
        for dimensions in (base, alias, alias | {"ExecutedVersion": version}):
            for name, value in (("Invocations", float(REQUESTS)), ("Errors", errors)):
                metric = Metric.of("AWS/Lambda", name, dimensions)
                self._cloudwatch.record(metric, timestamp=minute, value=value)

    def answer(self, service: str, operation: str, body: bytes) -> Any:
        """What AWS would answer.

        Raises:
            ModelError: what AWS would refuse.
        """
        if service == "slack":
            return {"ok": True}
        given: dict[str, Any] = json.loads(body) if body else {}
        if service == "cloudwatch":
            return operations.call(self._cloudwatch, operation, given)
        if service == "lambda":
            return self._lambda(operation, given)
        methods: dict[str, Any] = {
            "UpdateItem": self._dynamodb.update_item,
            "GetItem": self._dynamodb.get_item,
            "PutItem": self._dynamodb.put_item,
            "BatchGetItem": self._dynamodb.batch_get_item,
            "TransactWriteItems": self._dynamodb.transact_write_items,
        }
        return methods[operation](**given)

    def _lambda(self, operation: str, given: dict[str, Any]) -> Any:
        if operation == "ListVersionsByFunction":
            return self._aliases.list_versions_by_function(FunctionName=FUNCTION)
        who: dict[str, Any] = {"FunctionName": FUNCTION, "Name": ALIAS}
        if operation == "GetAlias":
            return self._aliases.get_alias(**who)
        return self._aliases.update_alias(**who, **given)
