"""What CodeDeploy and CloudFormation tell EventBridge: each change of a deployment or a stack.

The emulator's CloudFormation tells nobody, and the model of CodeDeploy has no bus. Both are looked
at here, and what changed between two looks is put on the emulator's bus. Shapes: CodeDeploy user
guide, "Monitoring deployments with Amazon EventBridge"; CloudFormation user guide, "Managing events
with CloudFormation and Amazon EventBridge".
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from local.aws_model.codedeploy import CodeDeploy
from local.delivery import EmulatorDelivery, JsonObject
from local.emulator import Emulator

_LOOK_SECONDS = 0.4
# CodeDeploy names states on the bus otherwise than in its API; other statuses are not told.
STATES = {
    "InProgress": "START",
    "Succeeded": "SUCCESS",
    "Failed": "FAILURE",
    "Stopped": "STOP",
    "Ready": "READY",
}


class RolloutEvents:
    """Tells each change of a deployment, or of a stack that is followed; a context manager."""

    def __init__(
        self,
        *,
        emulator: Emulator,
        delivery: EmulatorDelivery,
        codedeploy: CodeDeploy,
        clock: Callable[[], datetime],
    ) -> None:
        self._delivery, self._codedeploy, self._clock = delivery, codedeploy, clock
        self._stack = ExitStack()
        self._cloudformation = self._stack.enter_context(closing(emulator.client("cloudformation")))
        self._stacks: list[str] = []
        self._seen: dict[str, str] = {}
        self._looked = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def follow(self, stack: str) -> None:
        """Tell the changes of a stack from now on."""
        self._seen[stack] = self._status(stack)[1]
        self._stacks.append(stack)

    def tick(self) -> None:
        """Look, if it is time to."""
        if time.monotonic() < self._looked + _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for event in [*self._deployments(), *self._stack_changes()]:
            self._delivery.publish(event)

    def _deployments(self) -> Iterator[JsonObject]:
        with self._codedeploy.lock:
            self._codedeploy.tick()
            ids = self._codedeploy.list_deployments()["deployments"]
            found = [self._codedeploy.get_deployment(deploymentId=one) for one in ids]
        for info in (answer["deploymentInfo"] for answer in reversed(found)):
            deployment, status = info["deploymentId"], info["status"]
            if self._seen.get(deployment) == status:
                continue
            self._seen[deployment] = status
            if status in STATES:
                yield self._event(
                    "aws.codedeploy",
                    "CodeDeploy Deployment State-change Notification",
                    {
                        "region": self._delivery.account.region,
                        "deploymentId": deployment,
                        "state": STATES[status],
                        "application": info["applicationName"],
                        "deploymentGroup": info["deploymentGroupName"],
                    },
                )

    def _stack_changes(self) -> Iterator[JsonObject]:
        for stack in self._stacks:
            stack_id, status = self._status(stack)
            if self._seen[stack] != status:
                self._seen[stack] = status
                yield self._event(
                    "aws.cloudformation",
                    "CloudFormation Stack Status Change",
                    {"stack-id": stack_id, "status-details": {"status": status}},
                )

    def _status(self, stack: str) -> tuple[str, str]:
        found = self._cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return found["StackId"], found["StackStatus"]

    def _event(self, source: str, detail_type: str, detail: JsonObject) -> JsonObject:
        account = self._delivery.account
        event: dict[str, Any] = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": account.id,
            "time": f"{self._clock():%Y-%m-%dT%H:%M:%SZ}",
            "region": account.region,
            "resources": [],
            "detail": detail,
        }
        return event
