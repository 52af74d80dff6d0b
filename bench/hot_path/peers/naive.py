"""The naive handler: an alarm by SNS, the version before by counting down."""

import json
from typing import Any

import boto3

lambda_ = boto3.client("lambda")


def handler(event: Any, _context: Any) -> None:
    """GetAlias, UpdateAlias."""
    for record in event["Records"]:
        alarm = json.loads(record["Sns"]["Message"])
        if alarm["NewStateValue"] != "ALARM":
            continue
        alias = lambda_.get_alias(FunctionName="shop", Name="live")
        before = str(int(alias["FunctionVersion"]) - 1)
        lambda_.update_alias(FunctionName="shop", Name="live", FunctionVersion=before)
