"""An account to check: the functional house on the strict model, and scripted answers for the rest.

What the model serves, it answers: alarms, mute rules, aliases, groups, stacks. Every other answer
is written down here, and must fit the SDK's own description of the operation to be given.
"""

import json
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

import botocore.session
import botocore.validate
from botocore.exceptions import ClientError

from house import ACCOUNT, MINUTE, START, House, model_alarms, policy_document
from local.aws_model.alarm import Actions
from local.aws_model.clients import (
    cloudformation_client,
    cloudwatch_client,
    codedeploy_client,
    lambda_client,
)
from rollback_responder.actions import Clients
from rollback_responder.domain import naming
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.journal.codec import encode_ledgers

REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/respond"
FUNCTIONS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
FUNCTION = f"{FUNCTIONS}:shop"
TOPICS = f"arn:aws:sns:{REGION}:{ACCOUNT}"
METADATA = {"HTTPStatusCode": 200, "RequestId": "r", "RetryAttempts": 0, "HTTPHeaders": {}}


@cache
def one_session() -> Any:
    """It keeps the service models, whose loading is most of a client's making."""
    return botocore.session.Session()


def refused(code, operation="Any"):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def document():
    policy = policy_document(mode="enforce")
    policy["services"][0]["targets"] += [
        {"kind": "codedeploy_group", "application": "shop", "group": "live"},
        {"kind": "cloudformation_stack", "stack": "shop"},
    ]
    policy["services"][0]["triggers"] += [
        {
            "kind": "api_5xx_rate",
            "api": {"name": "a1b2c3d4e5", "type": "http", "stage": "$default"},
            "threshold_percent": 2,
        }
    ]
    return policy


def ready_house() -> House:
    """The house of one shop: version 2 is live, and both of its versions have proved themselves."""
    house = House(document())
    house.codedeploy.add_group(
        "shop",
        "live",
        function="shop",
        alias="live",
        auto_rollback_events=["DEPLOYMENT_FAILURE"],
    )
    house.cloudformation.add_stack("shop", monitoring_minutes=10)
    house.deploy("v1")
    house.traffic(7, requests=10)
    house.deploy("v2")
    house.traffic(7, requests=10)
    assert house.incident is None
    return house


class CheckedAccount:
    """A house that is ready; a test breaks one thing. `answers` are by operation."""

    def __init__(self, house: House | None = None) -> None:
        self.house = house or ready_house()
        environment = self.house.policy.environment
        self.responder = naming.stack_name(environment)
        self.house.cloudformation.add_stack(self.responder)
        self.publish_alarms(f"{TOPICS}:{naming.topic_name(environment)}")
        self.items = rows_of(self.house)
        self.answers: dict[str, Any] = self._answers()
        self.denied: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def pointers(self) -> list[LambdaAlias]:
        """Every alias of the policy."""
        return [pointer for service in self.house.policy.services for pointer in service.pointers]

    def publish_alarms(self, *topics: str, enabled: bool = True) -> None:
        actions = Actions(enabled=enabled, alarm=topics)
        alarms = model_alarms(self.house.policy)
        self.house.cloudwatch.put_alarms([_with(alarm, actions) for alarm in alarms])

    def clients(self, **_: Any) -> Clients:
        made: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in made:
                made[service] = self._client(service)
            return made[service]

        return Clients(reads=client, acts=client)

    def _client(self, service: str) -> Any:
        house = self.house
        modelled = {
            "cloudwatch": lambda: cloudwatch_client(house.cloudwatch),
            "lambda": lambda: lambda_client(house.aliases),
            "codedeploy": lambda: codedeploy_client(house.codedeploy),
            "cloudformation": lambda: cloudformation_client(house.cloudformation),
        }
        make = modelled.get(service)
        client = make() if make else one_session().create_client(service, REGION)
        keep = self._keep(service)
        client.meta.events.register_last(f"before-parameter-build.{service}", keep)
        client.meta.events.register_first(f"before-call.{service}", self._answer)
        return client

    def _keep(self, service: str) -> Any:
        def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["asked"] = params

        return keep

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        answer = self.answers.get(model.name)
        asked = context["asked"]
        self.asked.append((model.name, dict(asked)))
        if answer is None:
            return None
        found = answer(asked) if callable(answer) else answer
        if isinstance(found, ClientError):
            raise found
        if found is None:
            return None
        report = botocore.validate.ParamValidator().validate(found, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return _Ok(), found | {"ResponseMetadata": METADATA}

    def _answers(self) -> dict[str, Any]:
        items = {(item["pk"]["S"], item["sk"]["S"]): item for item in self.items}

        def get_item(asked: Any) -> Any:
            item = items.get((asked["Key"]["pk"]["S"], asked["Key"]["sk"]["S"]))
            return {"Item": item} if item else {}

        def describe_stacks(asked: Any) -> Any:
            if asked["StackName"] != self.responder:
                return None
            (stack,) = self.house.cloudformation.describe_stacks(**asked)["Stacks"]
            outputs = {"JournalTable": "journal", "RespondRole": ROLE, "AlarmQueueUrl": "q"}
            pairs = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
            return {"Stacks": [stack | {"Outputs": pairs}]}

        def simulate(asked: Any) -> Any:
            assert asked["PolicySourceArn"] == ROLE
            decided = [
                {
                    "EvalActionName": action,
                    "EvalDecision": "implicitDeny" if action in self.denied else "allowed",
                }
                for action in asked["ActionNames"]
            ]
            return {"EvaluationResults": decided, "IsTruncated": False}

        def own_resources(asked: Any) -> Any:
            return {"StackResources": [_function(asked["PhysicalResourceId"])]}

        return {
            "ListMetrics": lambda asked: {
                "Metrics": [
                    {"Namespace": asked["Namespace"], "MetricName": asked["MetricName"]}
                    | {"Dimensions": asked["Dimensions"]}
                ]
            },
            "GetCallerIdentity": {
                "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/jane",
                "Account": ACCOUNT,
                "UserId": "A:jane",
            },
            "GetItem": get_item,
            "DescribeStacks": describe_stacks,
            "SimulatePrincipalPolicy": simulate,
            "GetSecretValue": {"SecretString": json.dumps({"webhook_url": "https://hooks.x/y"})},
            "ListProvisionedConcurrencyConfigs": {"ProvisionedConcurrencyConfigs": []},
            "ListEventSourceMappings": {
                "EventSourceMappings": [
                    mapping(f"{FUNCTIONS}:{one.function}:{one.alias}", "orders")
                    for one in self.pointers
                ]
            },
            "GetPolicy": refused("ResourceNotFoundException"),
            "GetFunctionUrlConfig": refused("ResourceNotFoundException"),
            "GetIntegrations": {"Items": [{"IntegrationUri": f"{FUNCTION}:live"}]},
            "GetResources": refused("NotFoundException"),
            "GetRestApis": {"items": []},
            "DescribeStackResources": own_resources,
            "GetTemplate": {"TemplateBody": template("Retain")},
        }


def rows_of(house: House) -> list[dict[str, Any]]:
    """Rows without an incident, as the journal writes them."""
    names = [service.name for service in house.policy.services]
    return [
        {
            "pk": {"S": f"service#{name}"},
            "sk": {"S": "row"},
            "ledgers": {"S": encode_ledgers(row.ledgers)},
        }
        for name, row in house.journal.rows(names).items()
    ]


def template(deletion: str | None) -> str:
    """As CloudFormation sends it; the SDK parses it."""
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Shop"}}}
    kept = {"DeletionPolicy": deletion} if deletion else {}
    return json.dumps(
        {"Resources": {"Shop": {"Type": "AWS::Lambda::Function"}, "V2": version | kept}}
    )


def _function(name: str) -> dict[str, Any]:
    return {
        "StackName": name,
        "LogicalResourceId": "Shop",
        "PhysicalResourceId": name,
        "ResourceType": "AWS::Lambda::Function",
        "ResourceStatus": "CREATE_COMPLETE",
        "Timestamp": START - MINUTE,
    }


def mapping(function_arn: str, queue: str, state: str = "Enabled") -> dict[str, Any]:
    return {
        "UUID": "00000000-0000-4000-8000-000000000000",
        "FunctionArn": function_arn,
        "EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "State": state,
    }


def _with(alarm: Any, actions: Actions) -> Any:
    return replace(alarm, actions=actions)


class _Ok:
    status_code = 200
    headers = MappingProxyType({})
