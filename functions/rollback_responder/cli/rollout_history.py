"""Deployments and stack updates of the past, as the house would have seen them at the time.

AWS shows how they ended. What they looked like before is put together from when each thing began
and ended, and goes through the same tables as at run time.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rollback_responder.actions import cloudformation_stack, codedeploy_group
from rollback_responder.actions.codedeploy_group import MOST_IDS
from rollback_responder.cli.history import Phased
from rollback_responder.cli.releases import JUST_AFTER
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import CloudFormationStack, CodeDeployGroup

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_codedeploy import CodeDeployClient


# Of a deployment that ended, what was not there while it ran.
ENDS = frozenset({"completeTime", "errorInformation", "rollbackInfo"})


def of_group(
    client: "CodeDeployClient", target: CodeDeployGroup, from_at: datetime, to_at: datetime
) -> list[Phased]:
    """How a deployment group looked: each deployment while it ran, and how it ended."""
    pages = client.get_paginator("list_deployments").paginate(
        applicationName=target.application,
        deploymentGroupName=target.group,
        createTimeRange={"start": from_at, "end": to_at},
    )
    ids = [one for page in pages for one in page["deployments"]]
    infos: dict[str, Any] = {}
    for begin in range(0, len(ids), MOST_IDS):
        answer = client.batch_get_deployments(deploymentIds=ids[begin : begin + MOST_IDS])
        infos |= {info["deploymentId"]: info for info in answer["deploymentsInfo"]}
    found = [Phased(from_at=from_at, sight=_idle("without a deployment"))]
    for info in infos.values():
        undone = info.get("rollbackInfo", {}).get("rollbackTriggeringDeploymentId")
        found += _of_rollback(infos[undone], info) if undone in infos else _of_deployment(info)
    return sorted(found, key=lambda phase: phase.from_at)


def _idle(status: str) -> Sight:
    return Sight(phase=Phase.SETTLED, status=status)


def _of_deployment(info: Any) -> Iterator[Phased]:
    running: Any = {key: value for key, value in info.items() if key not in ENDS}
    yield Phased(
        from_at=info["createTime"],
        sight=codedeploy_group.sight_of(running | {"status": "InProgress"}, None),
    )
    ended_at = info.get("completeTime")
    if ended_at:
        yield Phased(from_at=ended_at + JUST_AFTER, sight=codedeploy_group.sight_of(info, None))


def _of_rollback(undone: Any, info: Any) -> Iterator[Phased]:
    """What is undone, from when its rollback began."""
    going: Any = {key: value for key, value in info.items() if key != "completeTime"}
    yield Phased(
        from_at=info["createTime"] + 2 * JUST_AFTER,
        sight=codedeploy_group.sight_of(undone, going | {"status": "InProgress"}),
    )
    ended_at = info.get("completeTime")
    if ended_at:
        sight = codedeploy_group.sight_of(undone, info)
        yield Phased(from_at=ended_at + 3 * JUST_AFTER, sight=sight)


def of_stack(
    client: "CloudFormationClient", target: CloudFormationStack, from_at: datetime, to_at: datetime
) -> list[Phased]:
    """How a stack looked: each status that it took, from when it took it."""
    stack: Any = client.describe_stacks(StackName=target.stack)["Stacks"][0]
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
    own: list[Any] = []
    for page in pages:
        events = page["StackEvents"]
        own += [e for e in events if e.get("PhysicalResourceId") == stack["StackId"]]
        if events and events[-1]["Timestamp"] < from_at:
            break
    found, update = [Phased(from_at=from_at, sight=_idle("CREATE_COMPLETE"))], stack
    for event in reversed(own):
        at, status = event["Timestamp"], event["ResourceStatus"]
        if at > to_at:
            continue
        if status == "UPDATE_IN_PROGRESS":
            operations = [
                {"OperationType": "UPDATE_STACK", "OperationId": event.get("OperationId")}
            ]
            update = stack | {"LastUpdatedTime": at}
            if event.get("OperationId"):
                update |= {"LastOperations": operations}
        sight = cloudformation_stack.sight_of(update | {"StackStatus": status}, ())
        after = at if status == "UPDATE_IN_PROGRESS" else at + JUST_AFTER
        found.append(Phased(from_at=max(after, from_at), sight=sight))
    return found
