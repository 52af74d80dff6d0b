"""The naive handler for CodeDeploy: the deployment that runs is stopped."""

import json
from typing import Any

import boto3

codedeploy = boto3.client("codedeploy")


def handler(event: Any, _context: Any) -> None:
    """ListDeployments, GetDeployment, StopDeployment."""
    for record in event["Records"]:
        alarm = json.loads(record["Sns"]["Message"])
        if alarm["NewStateValue"] != "ALARM":
            continue
        found = codedeploy.list_deployments(
            applicationName="cart",
            deploymentGroupName="live",
            includeOnlyStatuses=["InProgress"],
        )["deployments"]
        info = codedeploy.get_deployment(deploymentId=found[0])["deploymentInfo"]
        if info["status"] == "InProgress":
            codedeploy.stop_deployment(deploymentId=found[0], autoRollbackEnabled=True)
