"""The naive handler for CloudFormation: an update under way is cancelled."""

import json
from typing import Any

import boto3

cloudformation = boto3.client("cloudformation")


def handler(event: Any, _context: Any) -> None:
    """DescribeStacks, CancelUpdateStack."""
    for record in event["Records"]:
        alarm = json.loads(record["Sns"]["Message"])
        if alarm["NewStateValue"] != "ALARM":
            continue
        stack = cloudformation.describe_stacks(StackName="mail")["Stacks"][0]
        if stack["StackStatus"] == "UPDATE_IN_PROGRESS":
            cloudformation.cancel_update_stack(StackName="mail")
