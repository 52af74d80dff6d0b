"""Each kind of thing that a check makes, and how it is removed.

What cannot be tagged goes with what it belongs to: versions, aliases and the address of a function
with the function, subscriptions with their topic (SNS API reference, DeleteTopic: "deletes a topic
and all its subscriptions"), groups with their application (CodeDeploy API reference,
DeleteApplication), a role's inline policy before it.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

Clients: TypeAlias = Callable[[str], Any]
Sleep: TypeAlias = Callable[[float], None]

# The one inline policy of a role, the one group of an application, the one target of a rule.
ONLY = "only"
# Of IAM's own path, because the Resource Groups Tagging API does not find roles.
ROLE_PATH = "/rollback-conformance/"
# What the services answer where there is nothing of that name.
GONE = frozenset(
    {
        "ApplicationDoesNotExistException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "DeploymentGroupDoesNotExistException",
        "NoSuchEntity",
        "NotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
LIVE = ("Created", "Queued", "InProgress", "Ready", "Baking")
STACK_SECONDS = 900
LOOK_SECONDS = 10


class Kind(StrEnum):
    """The kinds, in an order in which they can be removed."""

    STACK = "stack"
    APPLICATION = "CodeDeploy application"
    COMPOSITE = "composite alarm"
    MUTE_RULE = "alarm mute rule"
    ALARM = "alarm"
    RULE = "EventBridge rule"
    TOPIC = "topic"
    QUEUE = "queue"
    FUNCTION = "function"
    LOG_GROUP = "log group"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Thing:
    """One of them by its name; of a topic its ARN."""

    kind: Kind
    name: str


class StillThere(Exception):
    """It was told to go, and has not."""


def remove(clients: Clients, thing: Thing, *, sleep: Sleep) -> None:
    """Removes it; what is not there is removed already.

    Raises:
        ClientError: the service refuses.
        StillThere: it did not go in time.
    """
    _REMOVERS[thing.kind](clients, thing.name, sleep)


@contextmanager
def _gone_is_good() -> "Iterator[None]":
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def _role(clients: Clients, name: str, _: Sleep) -> None:
    iam = clients("iam")
    with _gone_is_good():
        iam.delete_role_policy(RoleName=name, PolicyName=ONLY)
    with _gone_is_good():
        iam.delete_role(RoleName=name)


def _function(clients: Clients, name: str, _: Sleep) -> None:
    with _gone_is_good():
        clients("lambda").delete_function(FunctionName=name)


def _log_group(clients: Clients, name: str, _: Sleep) -> None:
    with _gone_is_good():
        clients("logs").delete_log_group(logGroupName=name)


def _topic(clients: Clients, arn: str, _: Sleep) -> None:
    with _gone_is_good():
        clients("sns").delete_topic(TopicArn=arn)


def _queue(clients: Clients, name: str, _: Sleep) -> None:
    sqs = clients("sqs")
    with _gone_is_good():
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _rule(clients: Clients, name: str, _: Sleep) -> None:
    events = clients("events")
    with _gone_is_good():
        events.remove_targets(Rule=name, Ids=[ONLY])
    with _gone_is_good():
        events.delete_rule(Name=name)


def _alarm(clients: Clients, name: str, _: Sleep) -> None:
    with _gone_is_good():
        clients("cloudwatch").delete_alarms(AlarmNames=[name])


def _mute_rule(clients: Clients, name: str, _: Sleep) -> None:
    with _gone_is_good():
        clients("cloudwatch").delete_alarm_mute_rule(AlarmMuteRuleName=name)


def _application(clients: Clients, name: str, sleep: Sleep) -> None:
    codedeploy = clients("codedeploy")
    with _gone_is_good():
        found = codedeploy.list_deployments(
            applicationName=name, deploymentGroupName=ONLY, includeOnlyStatuses=list(LIVE)
        )
        for deployment in found["deployments"]:
            # Over by now, or not to be stopped: the application says whether it can go.
            with suppress(ClientError):
                codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=False)
            sleep(LOOK_SECONDS)
    with _gone_is_good():
        codedeploy.delete_application(applicationName=name)


def _stack(clients: Clients, name: str, sleep: Sleep) -> None:
    """A stack that is being updated is cancelled first; one that rolls back is waited for."""
    cloudformation = clients("cloudformation")
    for _ in range(0, STACK_SECONDS, LOOK_SECONDS):
        status = stack_status(cloudformation, name)
        if status in {None, "DELETE_COMPLETE"}:
            return
        if status == "UPDATE_IN_PROGRESS":
            cloudformation.cancel_update_stack(StackName=name)
        elif not status.endswith("_IN_PROGRESS") or status == "CREATE_IN_PROGRESS":
            cloudformation.delete_stack(StackName=name)
        sleep(LOOK_SECONDS)
    raise StillThere(f"the stack {name} is {status} after {STACK_SECONDS} seconds")


def stack_status(cloudformation: Any, name: str) -> str | None:
    """None where there is no such stack: a ValidationError (DescribeStacks, API reference)."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        answer = error.response["Error"]
        if answer["Code"] == "ValidationError" and "does not exist" in answer["Message"]:
            return None
        raise
    return str(stack["StackStatus"])


_REMOVERS: Mapping[Kind, Callable[[Clients, str, Sleep], None]] = {
    Kind.STACK: _stack,
    Kind.APPLICATION: _application,
    Kind.COMPOSITE: _alarm,
    Kind.MUTE_RULE: _mute_rule,
    Kind.ALARM: _alarm,
    Kind.RULE: _rule,
    Kind.TOPIC: _topic,
    Kind.QUEUE: _queue,
    Kind.FUNCTION: _function,
    Kind.LOG_GROUP: _log_group,
    Kind.ROLE: _role,
}
