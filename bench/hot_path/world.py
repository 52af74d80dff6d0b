"""The moment that is measured: version 2 fails, its alarm has just fired, version 1 is proved.

Three services, one for each kind of act: `shop` has an alias alone, `cart` a deployment of
CodeDeploy in mid-shift, `mail` a stack update under way.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from botocore import xform_name

from local.alarms_of_policy import model_alarms
from local.aws_model import cloudformation_front, operations
from local.aws_model.alarm_book import Account
from local.aws_model.clients import (
    cloudformation_client,
    codedeploy_client,
    lambda_client,
)
from local.aws_model.cloudformation import CloudFormation
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.codedeploy import CodeDeploy, canary
from local.aws_model.dynamodb import DynamoDb
from local.aws_model.lambda_aliases import LambdaAliases
from local.aws_model.metrics import Metric
from rollback_responder.actions import ROLLOUTS, Clients, rollouts
from rollback_responder.domain.policy import Policy, Service, parse_policy
from rollback_responder.domain.release import Good, Ledger, Origin, Release, seen_rollout
from rollback_responder.journal.budget import KEY, hour_of
from rollback_responder.journal.codec import encode_ledgers

ACCOUNT, REGION, TABLE = "123456789012", "us-east-1", "journal"
MINUTE = timedelta(minutes=1)
ALIAS = "live"
REQUESTS, DEPLOYED_AGO = 600, 4
SHOP, CART, MAIL = "shop", "cart", "mail"
# What acts upon each service.
ACTS = {SHOP: "UpdateAlias", CART: "StopDeployment", MAIL: "CancelUpdateStack"}
GROUP = {"kind": "codedeploy_group", "application": CART, "group": ALIAS}
STACK = {"kind": "cloudformation_stack", "stack": MAIL}


def service(name: str, *rollouts: Mapping[str, Any]) -> dict[str, Any]:
    """A service with an alias of a function of its name, and these rollouts."""
    return {
        "name": name,
        "targets": [{"kind": "lambda_alias", "function": name, "alias": ALIAS}, *rollouts],
        "triggers": [{"kind": "error_rate", "threshold_percent": 5, "severity": "critical"}],
    }


SERVICES = (service(SHOP), service(CART, GROUP), service(MAIL, STACK))


def policy(services: Sequence[Mapping[str, Any]] = SERVICES) -> Policy:
    """The policy of the bench, of all three or of other services."""
    return parse_policy(
        {
            "environment": "bench",
            "mode": "enforce",
            "slack": {"channel": "#deploys"},
            "services": list(services),
        }
    )


def alarm_of(name: str) -> str:
    """The alarm that fires."""
    return f"rollback.bench.{name}.{name}.{ALIAS}.error-rate"


class World:
    """Three services, each with a bad deploy, in the models."""

    def __init__(self, now: datetime) -> None:
        self.began_at = self._now = now
        self._clock = self._whole_minute - 30 * MINUTE
        self._cloudwatch = CloudWatch(
            account=Account(id=ACCOUNT, region=REGION), clock=lambda: self._clock
        )
        self._services = policy().services
        self._cloudwatch.put_alarms(model_alarms(policy()))
        self._clock = self._whole_minute
        for minutes_ago in range(30, 0, -1):
            for each in ACTS:
                at = self._clock - minutes_ago * MINUTE
                self._record(each, at, deployed=minutes_ago <= DEPLOYED_AGO)
        self._cloudwatch.tick()
        self._known: dict[str, bytes] = {}
        self.reset(now)

    @property
    def _whole_minute(self) -> datetime:
        return self._now.replace(second=0, microsecond=0)

    def reset(self, now: datetime) -> None:
        """Version 2 at each alias again, the rows as the watcher left them."""
        deployed_at = now.replace(second=0, microsecond=0) - DEPLOYED_AGO * MINUTE
        self._now = self._clock = deployed_at
        self._aliases = LambdaAliases(lambda: self._now)
        self._codedeploy = CodeDeploy(clock=lambda: self._now, aliases=self._aliases)
        self._cloudformation = CloudFormation(clock=lambda: self._now)
        self._dynamodb = DynamoDb(TABLE, clock=lambda: self._now)
        for each in ACTS:
            for code in ("v1", "v2"):
                self._aliases.publish(each, code)
            self._aliases.point(each, ALIAS, "1" if each == CART else "2")
        self._codedeploy.add_config("Half", canary(50, timedelta(hours=1)))
        self._codedeploy.add_group(CART, ALIAS, function=CART, alias=ALIAS, config="Half")
        self._codedeploy.deploy(CART, ALIAS, target_version="2")
        self._cloudformation.add_stack(MAIL)
        self._cloudformation.begin_update(MAIL, seconds=3600)
        self._now = self._clock = now
        self._codedeploy.tick()
        self._cloudformation.tick()
        for one in self._services:
            self._write(one, deployed_at)
        # A warm process knows that the hour has begun.
        hour = {"hour": {"N": str(hour_of(now))}}
        self._dynamodb.put_item(TableName=TABLE, Item={**KEY, **hour})

    def _write(self, each: Service, deployed_at: datetime) -> None:
        """The row of a service, after the watcher has seen its change."""
        alias = self._aliases.get_alias(FunctionName=each.name, Name=ALIAS)
        shifting = bool(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"))
        ledgers = {
            each.pointers[0].target_id: Ledger(
                current=Release(
                    version="2",
                    since_at=deployed_at,
                    origin=Origin.DEPLOYED,
                    whole_since_at=None if shifting else deployed_at,
                    code_sha256="b",
                ),
                revision=alias["RevisionId"],
                good=(Good(version="1", proven_at=deployed_at - 20 * MINUTE, code_sha256="a"),),
            )
        }
        clients = {
            "codedeploy": codedeploy_client(self._codedeploy),
            "cloudformation": cloudformation_client(self._cloudformation),
            "lambda": lambda_client(self._aliases),
        }.__getitem__
        actions = rollouts(ROLLOUTS, Clients(reads=clients, acts=clients))
        for rollout in each.rollouts:
            sight = actions[rollout.kind].observe(rollout)
            assert sight is not None
            ledgers[rollout.target_id] = seen_rollout(Ledger(), sight)
        self._dynamodb.put_item(
            TableName=TABLE,
            Item={
                "pk": {"S": f"service#{each.name}"},
                "sk": {"S": "row"},
                "ledgers": {"S": encode_ledgers(ledgers)},
            },
        )

    def _record(self, name: str, minute: datetime, *, deployed: bool) -> None:
        base = {"FunctionName": name}
        alias = base | {"Resource": f"{name}:{ALIAS}"}
        versions = [("2", 0.4)] if deployed else [("1", 0.0)]
        if deployed and name == CART:
            versions.append(("1", 0.0))
        for version, failing in versions:
            requests = REQUESTS / len(versions)
            for dimensions in (base, alias, alias | {"ExecutedVersion": version}):
                counted = {"Invocations": requests, "Errors": requests * failing}
                for metric_name, value in counted.items():
                    metric = Metric.of("AWS/Lambda", metric_name, dimensions)
                    self._cloudwatch.record(metric, timestamp=minute, value=value)

    # -- answering ------------------------------------------------------------------------------

    def answer(self, service: str, operation: str, path: str, body: bytes) -> Any:
        """What AWS would answer, as JSON would say it, or in bytes.

        Raises:
            ModelError, ClientError: what AWS would refuse.
        """
        if service == "slack":
            return {"ok": True}
        if service == "cloudformation":
            return self._stack(dict(parse_qsl(body.decode())))
        given: dict[str, Any] = json.loads(body) if body else {}
        if service == "cloudwatch":
            return self._watched(operation, given)
        if service == "codedeploy":
            return _plain(getattr(self._codedeploy, xform_name(operation))(**given))
        if service == "lambda":
            return self._lambda(operation, path, given)
        methods: dict[str, Any] = {
            "UpdateItem": self._dynamodb.update_item,
            "GetItem": self._dynamodb.get_item,
            "PutItem": self._dynamodb.put_item,
            "BatchGetItem": self._dynamodb.batch_get_item,
            "TransactWriteItems": self._dynamodb.transact_write_items,
        }
        return methods[operation](**given)

    def _watched(self, operation: str, given: dict[str, Any]) -> bytes:
        """From CloudWatch nothing changes within a minute, so the model is asked once.

        It is strict and slow, and AWS is not one process that answers all calls in turn.
        """
        minute = {name: given[name] // 60 for name in ("StartTime", "EndTime") if name in given}
        key = operation + json.dumps(given | minute)
        if key not in self._known:
            found = operations.call(self._cloudwatch, operation, given)
            self._known[key] = json.dumps(found).encode()
        return self._known[key]

    def _lambda(self, operation: str, path: str, given: dict[str, Any]) -> Any:
        function = path.split("/")[3]
        if operation == "ListVersionsByFunction":
            return self._aliases.list_versions_by_function(FunctionName=function)
        who: dict[str, Any] = {"FunctionName": function, "Name": ALIAS}
        if operation == "GetAlias":
            return self._aliases.get_alias(**who)
        return self._aliases.update_alias(**who, **given)

    def _stack(self, given: dict[str, str]) -> bytes:
        operation = given.pop("Action")
        given.pop("Version")
        found = getattr(self._cloudformation, xform_name(operation))(**given)
        return cloudformation_front.encoded(operation, found or {})


def _plain(answer: Any) -> Any:
    """An answer as JSON takes it: instants are seconds since the epoch."""
    if isinstance(answer, datetime):
        return answer.timestamp()
    if isinstance(answer, Mapping):
        return {key: _plain(value) for key, value in answer.items()}
    return [_plain(each) for each in answer] if isinstance(answer, list | tuple) else answer
