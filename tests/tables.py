"""The journal's table, as `infra/journal.py` makes it, where moto answers for DynamoDB."""

from datetime import timedelta

import boto3
from botocore.stub import Stubber

TABLE = "journal"
LEASE = timedelta(seconds=90)
KEYS = (("pk", "HASH"), ("sk", "RANGE"))


def make_table(region="us-east-1", table=TABLE):
    """Makes it, and returns a client for it."""
    client = boto3.client("dynamodb", region_name=region)
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in KEYS],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in KEYS],
    )
    return client


def stubbed():
    """A client whose answers are given one by one, and what gives them."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    return client, Stubber(client)
