"""Cancelling a stack update, and following its rollback to the end.

Facts relied on (CloudFormation API reference, as in the SDK's service model, unless stated): only
UPDATE_IN_PROGRESS can be cancelled, anything else answers ValidationError; a client token marks
the same order; of nested stacks only the root can be cancelled or continued; a failed rollback is
continued from UPDATE_ROLLBACK_FAILED. `RoleARN`, `ResourcesToSkip` and `ForceRollback` are never
sent: the first sticks to the stack for ever, the others leave it apart from its template.
"""

from typing import TYPE_CHECKING

from rollback_responder.actions.refusal import refused
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    TargetChanged,
)
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import CloudFormationStack
from rollback_responder.ports import Redeploy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

# Every status of the SDK's model; a test compares.
PHASES: dict[str, Phase] = {
    # Also while a monitoring time runs (assumed, A8).
    "UPDATE_IN_PROGRESS": Phase.RUNNING,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Phase.FINISHING,
    "UPDATE_COMPLETE": Phase.SETTLED,
    "UPDATE_FAILED": Phase.BROKEN,
    "UPDATE_ROLLBACK_IN_PROGRESS": Phase.RETURNING,
    # Rolled back and usable; only leftovers are being removed.
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Phase.RETURNED,
    "UPDATE_ROLLBACK_COMPLETE": Phase.RETURNED,
    "UPDATE_ROLLBACK_FAILED": Phase.STUCK,
    # Stable; there is no update to undo.
    "CREATE_COMPLETE": Phase.SETTLED,
    "IMPORT_COMPLETE": Phase.SETTLED,
    "IMPORT_ROLLBACK_COMPLETE": Phase.SETTLED,
    # Making, deleting, importing, reviewing: never touched. A failed creation can only be deleted.
    "CREATE_IN_PROGRESS": Phase.UNTOUCHABLE,
    "CREATE_FAILED": Phase.UNTOUCHABLE,
    "ROLLBACK_IN_PROGRESS": Phase.UNTOUCHABLE,
    "ROLLBACK_FAILED": Phase.UNTOUCHABLE,
    "ROLLBACK_COMPLETE": Phase.UNTOUCHABLE,
    "DELETE_IN_PROGRESS": Phase.UNTOUCHABLE,
    "DELETE_FAILED": Phase.UNTOUCHABLE,
    "DELETE_COMPLETE": Phase.UNTOUCHABLE,
    "REVIEW_IN_PROGRESS": Phase.UNTOUCHABLE,
    "IMPORT_IN_PROGRESS": Phase.UNTOUCHABLE,
    "IMPORT_ROLLBACK_IN_PROGRESS": Phase.UNTOUCHABLE,
    "IMPORT_ROLLBACK_FAILED": Phase.UNTOUCHABLE,
}
FAILED = frozenset({"UPDATE_FAILED", "DELETE_FAILED", "CREATE_FAILED"})
# A message must have room for all of them, and for the command behind them.
MOST_FAILURES, LONGEST_FAILURE = 5, 300
NOT_APPLIED: dict[str, type[ActionError]] = {
    # After a good DescribeStacks: the stack has moved on since.
    "ValidationError": TargetChanged,
    # The same order arrived before.
    "TokenAlreadyExistsException": TargetChanged,
    "InsufficientCapabilitiesException": ActionDenied,
}
NO_MONITORING = (
    "The stack has no MonitoringTimeInMinutes: with one, an update stays cancellable for that long"
    " after its last resource"
)
NO_ROLE = "The stack has no service role, so whose permissions its rollback uses is not documented"


class CloudFormationStackAction:
    """Reads stacks and cancels updates. `acts` must be a client without retries."""

    def __init__(self, *, reads: "CloudFormationClient", acts: "CloudFormationClient") -> None:
        self._reads = reads
        self._acts = acts

    def observe(self, target: CloudFormationStack, *, about: str | None = None) -> Sight | None:
        """See `RolloutAction.observe`. One DescribeStacks; the events too where a rollback failed.

        A stack shows its latest update only, whatever it is asked `about`.
        """
        del about
        try:
            stack = self._reads.describe_stacks(StackName=target.stack)["Stacks"][0]
        except AwsError as error:
            # DescribeStacks models no error; a stack that does not exist is a ValidationError.
            if name_of(error) == "ValidationError":
                return None
            raise ActionError(f"reading {target.title}: {name_of(error)}") from error
        return sight_of(stack, self._failures(stack["StackId"]) if _is_stuck(stack) else ())

    def stop(self, target: CloudFormationStack, change: str, *, token: str) -> None:
        """See `RolloutAction.stop`. One CancelUpdateStack: it names a stack, not an update."""
        try:
            self._acts.cancel_update_stack(StackName=target.stack, ClientRequestToken=token)
        except AwsError as error:
            refused(f"cancelling update {change} of {target.title}", error, NOT_APPLIED)

    def go_on(self, target: CloudFormationStack, *, token: str) -> None:
        """See `RolloutAction.go_on`. One ContinueUpdateRollback that skips nothing."""
        try:
            self._acts.continue_update_rollback(StackName=target.stack, ClientRequestToken=token)
        except AwsError as error:
            refused(f"continuing the rollback of {target.title}", error, NOT_APPLIED)

    def redeploy(self, target: CloudFormationStack, redeploy: Redeploy) -> str:
        """See `RolloutAction.redeploy`. Never: an update is the pipeline's to make."""
        raise ActionDenied(f"{target.title} is not updated to {redeploy.to_version} by itself")

    def _failures(self, stack_id: str) -> tuple[str, ...]:
        """What failed in the latest rollback, newest first, as its events tell it.

        That it failed is told also where these cannot be read.
        """
        try:
            events = self._reads.describe_stack_events(StackName=stack_id)["StackEvents"]
        except AwsError as error:
            return (f"what failed could not be read: {name_of(error)}",)
        found: list[str] = []
        for event in events:
            status = event.get("ResourceStatus", "")
            itself = event.get("PhysicalResourceId") == stack_id
            if status == "UPDATE_ROLLBACK_IN_PROGRESS" and itself:
                break
            if status in FAILED:
                reason = event.get("ResourceStatusReason", "no reason given")
                said = f"{event.get('LogicalResourceId', 'a resource')}: {reason}"
                found.append(said if len(said) <= LONGEST_FAILURE else f"{said[:LONGEST_FAILURE]}…")
        return tuple(found[:MOST_FAILURES])


def _is_stuck(stack: "StackTypeDef") -> bool:
    return stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"


def sight_of(stack: "StackTypeDef", failures: tuple[str, ...]) -> Sight:
    """A stack as `DescribeStacks` shows it, and what failed in its rollback."""
    phase = PHASES.get(stack["StackStatus"], Phase.UNKNOWN)
    monitored = stack.get("RollbackConfiguration", {}).get("MonitoringTimeInMinutes", 0)
    notes = [] if monitored else [NO_MONITORING]
    notes += [] if stack.get("RoleARN") else [NO_ROLE]
    if phase is Phase.STUCK:
        # Of nested stacks only the root can be continued.
        root = stack.get("RootId") or stack["StackName"]
        failures = (
            *failures,
            f"Run: `aws cloudformation continue-update-rollback --stack-name {root}`",
        )
    updated_at = stack.get("LastUpdatedTime")
    return Sight(
        phase=phase,
        status=stack["StackStatus"],
        change=_change(stack),
        began_at=updated_at,
        driver=stack.get("RootId"),
        identity=stack["StackId"],
        detail=failures,
        note=". ".join(notes) or None,
    )


def _change(stack: "StackTypeDef") -> str:
    """Names the latest update: by its operation where AWS tells it, else by when it began."""
    for operation in stack.get("LastOperations", []):
        if operation.get("OperationType") == "UPDATE_STACK" and "OperationId" in operation:
            return operation["OperationId"]
    began_at = stack.get("LastUpdatedTime") or stack["CreationTime"]
    return began_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
