"""The fronts of DynamoDB and CloudFormation, spoken to by real boto3 clients; Query beside moto."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from local.aws_model import cloudformation_front, dynamodb_front
from local.aws_model.cloudformation import CloudFormation
from local.aws_model.dynamodb import DynamoDb
from local.loopback import LoopbackServer, Response
from tests.tables import TABLE, make_table

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
TWICE = Config(retries={"mode": "standard", "total_max_attempts": 2})
BETWEEN = {
    "TableName": TABLE,
    "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
    "ExpressionAttributeValues": {
        ":pk": {"S": "a"},
        ":first": {"S": "2"},
        ":last": {"S": "4"},
    },
}
BEGINS = {
    "TableName": TABLE,
    "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
    "ExpressionAttributeValues": {":pk": {"S": "a"}, ":prefix": {"S": "3"}},
}


def client(service, url, config=ONCE):
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        config=config,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def tables():
    model = DynamoDb(TABLE, clock=lambda: START)
    with LoopbackServer(lambda request: dynamodb_front.answer(model, request)) as server:
        yield client("dynamodb", server.url)


def fill(table):
    for pk, sk in (("a", "5"), ("a", "31"), ("b", "3"), ("a", "2"), ("a", "3")):
        table.put_item(TableName=TABLE, Item={"pk": {"S": pk}, "sk": {"S": sk}})


@pytest.mark.parametrize("query", [BETWEEN, BEGINS])
def test_a_query_answers_what_moto_answers(tables, query):
    fill(tables)
    with mock_aws():
        moto = make_table()
        fill(moto)
        expected = moto.query(**query)

    found = tables.query(**query)
    assert (found["Items"], found["Count"]) == (expected["Items"], expected["Count"])
    assert found["Items"]


def test_a_query_that_is_no_range_of_one_partition_is_not_served(tables):
    with pytest.raises(ClientError, match="does not serve"):
        tables.query(
            TableName=TABLE,
            KeyConditionExpression="sk = :sk",
            ExpressionAttributeValues={":sk": {"S": "3"}},
        )


def test_a_refused_condition_comes_with_its_item(tables):
    fill(tables)
    with pytest.raises(ClientError) as refused:
        tables.put_item(
            TableName=TABLE,
            Item={"pk": {"S": "a"}, "sk": {"S": "2"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"] == {"pk": {"S": "a"}, "sk": {"S": "2"}}


def test_an_operation_that_is_not_served_is_refused(tables):
    with pytest.raises(ClientError) as refused:
        tables.scan(TableName=TABLE)

    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


def test_the_sdk_finds_a_body_that_was_changed_by_its_checksum():
    model = DynamoDb(TABLE, clock=lambda: START)
    answered = []

    def spoilt(request):
        good = dynamodb_front.answer(model, request)
        answered.append(request)
        body = good.body if len(answered) > 2 else good.body[:-1] + b" "
        return Response(
            status=good.status, content_type=good.content_type, body=body, headers=good.headers
        )

    key = {"pk": {"S": "a"}, "sk": {"S": "2"}}
    model.put_item(TableName=TABLE, Item=key)
    with LoopbackServer(spoilt) as server:
        client("dynamodb", server.url, TWICE).get_item(TableName=TABLE, Key=key)

    assert len(answered) == 2


@pytest.fixture
def stacks():
    model = CloudFormation(clock=lambda: START)
    model.add_stack("shop")
    with LoopbackServer(lambda request: cloudformation_front.answer(model, request)) as server:
        yield model, client("cloudformation", server.url)


def test_a_stack_is_described_and_its_update_cancelled(stacks):
    model, client = stacks
    model.begin_update("shop", seconds=60)
    (stack,) = client.describe_stacks(StackName="shop")["Stacks"]
    assert (stack["StackStatus"], stack["LastUpdatedTime"]) == ("UPDATE_IN_PROGRESS", START)

    client.cancel_update_stack(StackName="shop", ClientRequestToken="t-1")

    assert [cancel.token for cancel in model.cancels] == ["t-1"]
    events = client.describe_stack_events(StackName="shop")["StackEvents"]
    assert events[0]["StackName"] == "shop"


def test_a_stack_that_does_not_exist_is_a_refusal(stacks):
    with pytest.raises(ClientError) as refused:
        stacks[1].describe_stacks(StackName="other")

    assert refused.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.parametrize("call", ["list_stacks", "describe_type"])
def test_an_operation_of_stacks_that_is_not_modelled_is_an_error(stacks, call):
    with pytest.raises(ClientError) as refused:
        getattr(stacks[1], call)()

    assert refused.value.response["Error"]["Code"] == "InternalFailure"
