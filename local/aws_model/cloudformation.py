"""The model of CloudFormation's update of a stack: its statuses, its cancel, its rollback.

In process and strict, in the shapes of the SDK's own service model. What a stack holds is not
modelled, only what becomes of it: an update takes as long as it is told to, and calls back where
the world has to move. Time moves only by the clock: every call first brings all stacks to where the
clock says they are, event by event in the order of their times.

Where a rule comes from is said at the method. What no source settles, and this model chooses:

- during the monitoring time the stack reads UPDATE_IN_PROGRESS, and a cancel is accepted (A8);
- the events after a cancel carry the cancel's token (A9);
- a token that the stack has seen is refused before its status is looked at, also where the call is
  an exact repetition; a refused call does not use its token up;
- a second cancel before the first is noticed is accepted and changes nothing (seen in an emulator);
- a cancel rolls back also where rollback is disabled (``disabled_rollback_stops_cancels`` is the
  knob for the opposite);
- ``LastOperations`` has the newest first; a cancel adds none, a continuation adds one.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from local.aws_model.errors import ModelError, validation_error

_ROLE = "arn:aws:iam::123456789012:role/deployment"
_STACK = "AWS::CloudFormation::Stack"
_FUNCTION = "AWS::Lambda::Function"
# ClientRequestToken (SDK's service model; the SDK does not check it).
_TOKEN = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_MAX_TOKEN = 128
# From which an update may begin: the stable ones, and the one with its failed resources preserved
# (CloudFormation guide, stack status codes).
UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_FAILED",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)


class Cancel(NamedTuple):
    """A CancelUpdateStack that took effect, or was accepted and lost."""

    stack: str
    operation: str
    token: str | None


class Continuation(NamedTuple):
    """A ContinueUpdateRollback that took effect."""

    stack: str
    operation: str
    token: str | None
    skipped: tuple[str, ...]
    role: str | None


def _nothing() -> None:
    """For a callback that nobody gave."""


@dataclass(slots=True, kw_only=True)
class _Resource:
    type: str
    physical: str
    status: str
    at: datetime
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class _Update:
    """The update in flight: whom to tell, and what happens when."""

    operation: str
    token: str | None = None
    on_deployed: Callable[[], None] = _nothing
    on_complete: Callable[[], None] = _nothing
    on_rollback: Callable[[], None] = _nothing
    plan: list[tuple[datetime, str]] = field(default_factory=list)
    cancelled: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class _Stack:
    name: str
    id: str
    parent: "_Stack | None"
    role_arn: str | None
    monitoring_minutes: int | None
    disable_rollback: bool
    created: datetime
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    resources: dict[str, _Resource] = field(default_factory=dict)
    operations: list[tuple[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    update: _Update | None = None
    # What the next rollback fails at: logical id and reason.
    failing: dict[str, str] = field(default_factory=dict)
    # What the last rollback failed at: only this may be skipped.
    failed: dict[str, str] = field(default_factory=dict)
    children: "list[_Stack]" = field(default_factory=list)

    @property
    def root(self) -> "_Stack":
        top = self
        while top.parent is not None:
            top = top.parent
        return top

    def family(self) -> "list[_Stack]":
        """This stack and those below it, parents first."""
        return [self, *(one for child in self.children for one in child.family())]


class CloudFormation:
    """Stacks, and what becomes of their updates.

    Args:
        clock: the only source of time; aware datetimes that never go back.
        account: twelve digits.
        region: for the ids of stacks.

    Attributes:
        cancels: the cancels that were accepted, without those that changed nothing.
        continues: the continuations that were accepted.
        rollback_seconds: how long a rollback takes.
        cleanup_seconds: how long a stack stays in a CLEANUP_IN_PROGRESS status.
        cancel_is_noticed_after: seconds during which a stack with an accepted cancel still reads
            UPDATE_IN_PROGRESS; at the latest it is noticed when the update would be complete.
        loses_cancels: an accepted cancel changes nothing, and the update completes. An emulator
            does that where no resource is left to be updated; of AWS it is not known.
        disabled_rollback_stops_cancels: a cancelled update of a stack with rollback disabled ends
            in UPDATE_FAILED.
        page_size: how many events DescribeStackEvents gives at once.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        account: str = "123456789012",
        region: str = "us-east-1",
    ) -> None:
        self._clock = clock
        self._account, self._region = account, region
        self._numbers = itertools.count(1)
        self._by_name: dict[str, _Stack] = {}
        self._by_id: dict[str, _Stack] = {}
        self._busy: dict[_Stack, None] = {}
        self._due: datetime | None = None
        self._next: _Stack | None = None
        self.cancels: list[Cancel] = []
        self.continues: list[Continuation] = []
        self.rollback_seconds = 30.0
        self.cleanup_seconds = 5.0
        self.cancel_is_noticed_after = 0.0
        self.loses_cancels = False
        self.disabled_rollback_stops_cancels = False
        self.page_size = 100

    # -- what a pipeline or a person does -------------------------------------------------------

    def tick(self) -> None:
        """Bring every stack to where the clock says it is."""
        self._now()

    def add_stack(
        self,
        name: str,
        *,
        parent: str | None = None,
        role_arn: str | None = _ROLE,
        monitoring_minutes: int | None = None,
        disable_rollback: bool = False,
        resources: Mapping[str, str] | None = None,
    ) -> str:
        """Add a stack that is CREATE_COMPLETE; returns its id.

        Args:
            name: its name.
            parent: the name of the stack that holds it as a resource.
            role_arn: its service role, or None where it has none.
            monitoring_minutes: how long a deployed update stays cancellable.
            disable_rollback: whether a failed update stays as it is.
            resources: their types by logical id; one Lambda function if left out.
        """
        now = self._now()
        above = self._by_name[parent] if parent is not None else None
        number = next(self._numbers)
        where = f"arn:aws:cloudformation:{self._region}:{self._account}:stack"
        stack = _Stack(
            name=name,
            id=f"{where}/{name}/00000000-0000-4000-8000-{number:012x}",
            parent=above,
            role_arn=role_arn,
            monitoring_minutes=monitoring_minutes,
            disable_rollback=disable_rollback,
            created=now,
        )
        self._by_name[name] = self._by_id[stack.id] = stack
        self._operation(stack, "CREATE_STACK")
        kinds = {"Function": _FUNCTION} if resources is None else resources
        for logical, kind in kinds.items():
            self._resource(stack, now, logical, "CREATE_COMPLETE", kind=kind)
        if above is not None:
            above.children.append(stack)
            self._resource(above, now, name, "CREATE_COMPLETE", kind=_STACK, physical=stack.id)
        self._enter(stack, now, "CREATE_COMPLETE")
        return stack.id

    def begin_update(
        self,
        name: str,
        *,
        seconds: float,
        on_begin: Callable[[], None] | None = None,
        on_deployed: Callable[[], None] | None = None,
        on_complete: Callable[[], None] | None = None,
        on_rollback: Callable[[], None] | None = None,
        token: str | None = None,
    ) -> str:
        """Begin an update of a root stack; returns the operation's id.

        Args:
            name: the stack's name; its nested stacks follow.
            seconds: how long its resources take.
            on_begin: called before this returns.
            on_deployed: called when the resources are there, before the monitoring time.
            on_complete: called when the update cannot be cancelled any more.
            on_rollback: called when a rollback has put the resources back.
            token: the update's own ClientRequestToken.
        """
        now = self._now()
        stack = self._by_name[name]
        if stack.parent is not None:
            raise ValueError(f"{name} is nested: update {stack.root.name}")
        if stack.status not in UPDATABLE:
            raise validation_error(
                f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            )
        self._use_token(stack, token)
        update = _Update(
            operation=self._operation(stack, "UPDATE_STACK"),
            token=token,
            on_deployed=on_deployed or _nothing,
            on_complete=on_complete or _nothing,
            on_rollback=on_rollback or _nothing,
        )
        for one in stack.family():
            one.update, one.updated, one.failed = update, now, {}
            if one is not stack:
                one.operations.insert(0, ("UPDATE_STACK", update.operation))
        self._enter(stack, now, "UPDATE_IN_PROGRESS", "User Initiated")
        for one in stack.family():
            for logical in one.resources:
                self._resource(one, now, logical, "UPDATE_IN_PROGRESS")
        deployed = now + timedelta(seconds=seconds)
        monitored = deployed + timedelta(minutes=stack.monitoring_minutes or 0)
        self._follow(stack, [(deployed, "deployed"), (monitored, "complete")])
        (on_begin or _nothing)()
        return update.operation

    def fail_update(
        self, name: str, resources: Iterable[str], reason: str = "Resource handler failed"
    ) -> None:
        """Let an update fail at resources: it rolls back, or stays failed if that is disabled."""
        now = self._now()
        stack = self._by_name[name]
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ValueError(f"{name} is {stack.status}")
        named = list(resources)
        for logical in named:
            self._resource(stack, now, logical, "UPDATE_FAILED", reason=reason)
        self._turn_back(
            stack.root, now, _failed_to_update(named), stays=stack.root.disable_rollback
        )

    def fail_rollbacks(
        self, name: str, resources: Iterable[str], reason: str = "Resource handler failed"
    ) -> None:
        """Let rollbacks fail at resources of this stack, until ``mend``."""
        self._now()
        self._by_name[name].failing = dict.fromkeys(resources, reason)

    def mend(self, name: str) -> None:
        """Let rollbacks of this stack succeed again."""
        self._now()
        self._by_name[name].failing = {}

    def put_status(self, name: str, status: str, reason: str | None = None) -> None:
        """Put a stack into a status, also an unknown one, where it stays; its family is left."""
        now = self._now()
        stack = self._by_name[name]
        if stack.parent is None:
            self._follow(stack, [])
        if stack.update is None or status == "UPDATE_IN_PROGRESS":
            stack.update = _Update(operation=self._operation(stack, "UPDATE_STACK"))
            stack.updated = now
        stack.failed = dict(stack.failing) if status == "UPDATE_ROLLBACK_FAILED" else {}
        for logical, why in stack.failed.items():
            self._resource(stack, now, logical, "UPDATE_FAILED", reason=why)
        self._enter(stack, now, status, reason, alone=True)

    def delete(self, name: str) -> None:
        """Delete a stack and those below it; their name is free again."""
        now = self._now()
        stack = self._by_name[name]
        if stack.parent is None:
            self._follow(stack, [])
        else:
            stack.parent.children.remove(stack)
        for one in stack.family():
            one.update = None
            self._operation(one, "DELETE_STACK")
        self._enter(stack, now, "DELETE_COMPLETE")

    def status_of(self, name: str) -> str:
        """The status of a stack, without an API call."""
        self._now()
        return self._by_name[name].status

    # -- what the API answers -------------------------------------------------------------------

    def describe_stacks(
        self, *, StackName: str | None = None, NextToken: str | None = None
    ) -> dict[str, Any]:
        """DescribeStacks.

        By name or id, a deleted stack by id only, and without either all that are not deleted; an
        unknown one is a ValidationError (CloudFormation API reference). All are on one page.
        """
        self._now()
        if NextToken is not None:
            raise validation_error("The NextToken is not valid.")
        if StackName is not None:
            stack = self._found(StackName, f"Stack with id {StackName} does not exist")
            return {"Stacks": [_shown(stack)]}
        there = (stack for stack in self._by_id.values() if not _is_deleted(stack))
        return {"Stacks": [_shown(stack) for stack in there]}

    def describe_stack_events(
        self, *, StackName: str, NextToken: str | None = None
    ) -> dict[str, Any]:
        """DescribeStackEvents: in reverse chronological order (CloudFormation API reference)."""
        self._now()
        stack = self._found(StackName, f"Stack [{StackName}] does not exist")
        end = len(stack.events)
        if NextToken is not None:
            # How many older events are left, so that a new one does not move the pages.
            left, _, of = NextToken.partition(":")
            if of != stack.id or not left.isdecimal() or int(left) > end:
                raise validation_error("The NextToken is not valid.")
            end = int(left)
        begin = max(0, end - self.page_size)
        answer: dict[str, Any] = {"StackEvents": stack.events[begin:end][::-1]}
        if begin:
            answer["NextToken"] = f"{begin}:{stack.id}"
        return answer

    def describe_stack_resources(
        self, *, StackName: str, LogicalResourceId: str | None = None
    ) -> dict[str, Any]:
        """DescribeStackResources, of one stack; of those nested in it only their own resource."""
        self._now()
        stack = self._found(StackName, f"Stack with id {StackName} does not exist")
        if LogicalResourceId is not None and LogicalResourceId not in stack.resources:
            raise validation_error(
                f"Resource {LogicalResourceId} does not exist for stack {stack.name}"
            )
        return {
            "StackResources": [
                {
                    "StackName": stack.name,
                    "StackId": stack.id,
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": resource.physical,
                    "ResourceType": resource.type,
                    "Timestamp": resource.at,
                    "ResourceStatus": resource.status,
                }
                | ({"ResourceStatusReason": resource.reason} if resource.reason else {})
                for logical, resource in stack.resources.items()
                if LogicalResourceId in {None, logical}
            ]
        }

    def cancel_update_stack(self, *, StackName: str, ClientRequestToken: str | None = None) -> None:
        """CancelUpdateStack.

        Only in UPDATE_IN_PROGRESS, and the update is then rolled back (CloudFormation API
        reference). The only modelled error is TokenAlreadyExistsException, so a wrong status is
        the generic ValidationError (SDK's service model). That a nested stack is refused follows
        the text of ContinueUpdateRollback; for a cancel it is assumed.
        """
        now = self._now()
        stack = self._found(StackName, f"Stack [{StackName}] does not exist")
        self._check_token(stack, ClientRequestToken)
        if stack.parent is not None:
            raise _nested(stack, "CancelUpdateStack")
        if stack.status != "UPDATE_IN_PROGRESS" or stack.update is None:
            raise validation_error("CancelUpdateStack cannot be called from current stack status")
        self._use_token(stack, ClientRequestToken)
        if stack.update.cancelled:
            return
        stack.update.cancelled = True
        self.cancels.append(Cancel(stack.name, stack.update.operation, ClientRequestToken))
        if self.loses_cancels:
            return
        stack.update.token = ClientRequestToken
        noticed = now + timedelta(seconds=self.cancel_is_noticed_after)
        plan = [entry for entry in stack.update.plan if entry[0] <= noticed]
        if all(what != "complete" for _, what in plan):
            plan.append((noticed, "cancelled"))
        else:
            plan = [(at, "cancelled" if what == "complete" else what) for at, what in plan]
        self._follow(stack, plan)

    def continue_update_rollback(
        self,
        *,
        StackName: str,
        RoleARN: str | None = None,
        ResourcesToSkip: Sequence[str] | None = None,
        ClientRequestToken: str | None = None,
        ForceRollback: bool | None = None,
    ) -> dict[str, Any]:
        """ContinueUpdateRollback.

        Only from UPDATE_ROLLBACK_FAILED and never on a nested stack; only resources whose rollback
        failed may be skipped, with ``Nested.LogicalId`` for those below; skipped ones become
        UPDATE_COMPLETE; skipping excludes forcing; a role that is given stays (all CloudFormation
        API reference). The text of the refusal is assumed.
        """
        now = self._now()
        stack = self._found(StackName, f"Stack [{StackName}] does not exist")
        self._check_token(stack, ClientRequestToken)
        if stack.parent is not None:
            raise _nested(stack, "ContinueUpdateRollback")
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise validation_error(
                f"Stack:{stack.id} is in {stack.status} state and can not continue rollback"
            )
        if ForceRollback and ResourcesToSkip:
            raise validation_error("ForceRollback and ResourcesToSkip exclude each other")
        places = {
            logical if one is stack else f"{one.name}.{logical}": (one, logical)
            for one in stack.family()
            for logical in one.failed
        }
        skipped = tuple(places) if ForceRollback else tuple(ResourcesToSkip or ())
        if unknown := [one for one in skipped if one not in places]:
            raise validation_error(
                f"Resource {unknown[0]} is not in a state where its rollback can be skipped"
            )
        self._use_token(stack, ClientRequestToken)
        if RoleARN is not None:
            stack.role_arn = RoleARN
        operation = self._operation(stack, "CONTINUE_ROLLBACK")
        self.continues.append(
            Continuation(stack.name, operation, ClientRequestToken, skipped, RoleARN)
        )
        if stack.update is None:
            stack.update = _Update(operation=operation)
        stack.update.operation, stack.update.token = operation, ClientRequestToken
        for one, logical in (places[name] for name in skipped):
            one.failing.pop(logical, None)
            self._resource(one, now, logical, "UPDATE_COMPLETE")
        self._roll_back(stack, now, None)
        return {}

    # -- time -----------------------------------------------------------------------------------

    def _now(self) -> datetime:
        now = self._clock()
        while self._due is not None and self._due <= now and self._next is not None:
            stack, at = self._next, self._due
            plan = stack.update.plan if stack.update else []
            _, what = plan[0]
            self._follow(stack, plan[1:])
            self._happen(stack, at, what)
        return now

    def _follow(self, stack: _Stack, plan: list[tuple[datetime, str]]) -> None:
        """Give a stack its plan, and find what happens next, in which stack."""
        if stack.update is not None:
            stack.update.plan = plan
        if plan:
            self._busy[stack] = None
        else:
            self._busy.pop(stack, None)
        self._due = self._next = None
        for one in self._busy:
            due = one.update.plan[0][0] if one.update else None
            if due is not None and (self._due is None or due < self._due):
                self._due, self._next = due, one

    def _happen(self, stack: _Stack, at: datetime, what: str) -> None:
        update = stack.update
        if update is None:
            return
        cleanup = at + timedelta(seconds=self.cleanup_seconds)
        if what == "deployed":
            for one in stack.family():
                for logical in one.resources:
                    self._resource(one, at, logical, "UPDATE_COMPLETE")
            update.on_deployed()
        elif what == "complete":
            self._enter(stack, at, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._follow(stack, [(cleanup, "cleaned up")])
            update.on_complete()
        elif what == "cleaned up":
            self._enter(stack, at, "UPDATE_COMPLETE")
        elif what == "cancelled":
            stays = stack.disable_rollback and self.disabled_rollback_stops_cancels
            for one in stack.family():
                self._interrupt(one, at)
            self._turn_back(stack, at, "User Initiated", stays=stays)
        elif what == "rolled back":
            self._end_rollback(stack, at, update)
        else:
            self._enter(stack, at, "UPDATE_ROLLBACK_COMPLETE")

    def _interrupt(self, stack: _Stack, at: datetime) -> None:
        """What was under way is UPDATE_FAILED, for another reason than a failed rollback.

        That a cancel does this is said at ResourcesToSkip (CloudFormation API reference); the
        words of the reason are assumed.
        """
        for logical, resource in stack.resources.items():
            if resource.status == "UPDATE_IN_PROGRESS":
                why = "Resource update cancelled"
                self._resource(stack, at, logical, "UPDATE_FAILED", reason=why)

    def _turn_back(self, stack: _Stack, at: datetime, reason: str, *, stays: bool) -> None:
        if stays:
            self._follow(stack, [])
            self._enter(stack, at, "UPDATE_FAILED", reason)
        else:
            self._roll_back(stack, at, reason)

    def _roll_back(self, stack: _Stack, at: datetime, reason: str | None) -> None:
        self._enter(stack, at, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        over = at + timedelta(seconds=self.rollback_seconds)
        self._follow(stack, [(over, "rolled back")])

    def _end_rollback(self, stack: _Stack, at: datetime, update: _Update) -> None:
        family = stack.family()
        for one in family:
            one.failed = dict(one.failing)
            for logical in one.resources:
                if logical not in one.failed:
                    self._resource(one, at, logical, "UPDATE_COMPLETE")
            for logical, why in one.failed.items():
                self._resource(one, at, logical, "UPDATE_FAILED", reason=why)
        broken = [one for one in family if any(below.failed for below in one.family())]
        for one in broken:
            if one.parent is not None:
                self._resource(
                    one.parent, at, one.name, "UPDATE_FAILED", reason="The nested stack failed"
                )
        if broken:
            names = [name for one in family for name in one.failed]
            reason = _failed_to_update(names)
            for one in family:
                status = "UPDATE_ROLLBACK_FAILED" if one in broken else "UPDATE_ROLLBACK_COMPLETE"
                self._enter(one, at, status, reason if one in broken else None, alone=True)
            return
        self._enter(stack, at, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        cleanup = at + timedelta(seconds=self.cleanup_seconds)
        self._follow(stack, [(cleanup, "rollback cleaned up")])
        update.on_rollback()

    # -- the books ------------------------------------------------------------------------------

    def _enter(
        self,
        stack: _Stack,
        at: datetime,
        status: str,
        reason: str | None = None,
        *,
        alone: bool = False,
    ) -> None:
        """Enter a status, and those below with it: a nested stack follows its root (assumed)."""
        for one in [stack] if alone else stack.family():
            one.status, one.reason = status, reason
            one.deleted = at if status == "DELETE_COMPLETE" else None
            itself = _Resource(type=_STACK, physical=one.id, status=status, at=at, reason=reason)
            self._event(one, one.name, itself)

    def _resource(
        self,
        stack: _Stack,
        at: datetime,
        logical: str,
        status: str,
        *,
        reason: str | None = None,
        kind: str | None = None,
        physical: str | None = None,
    ) -> None:
        known = stack.resources.get(logical)
        if known is None:
            known = stack.resources[logical] = _Resource(
                type=kind or "Custom::Resource",
                physical=physical or f"{stack.name}-{logical}",
                status=status,
                at=at,
            )
        known.status, known.at, known.reason = status, at, reason
        self._event(stack, logical, known)

    def _event(self, stack: _Stack, logical: str, resource: _Resource) -> None:
        event = {
            "StackId": stack.id,
            "EventId": f"event-{next(self._numbers):09d}",
            "StackName": stack.name,
            "LogicalResourceId": logical,
            "PhysicalResourceId": resource.physical,
            "ResourceType": resource.type,
            "Timestamp": resource.at,
            "ResourceStatus": resource.status,
            "OperationId": stack.update.operation if stack.update else stack.operations[0][1],
        }
        if resource.reason is not None:
            event["ResourceStatusReason"] = resource.reason
        if stack.update is not None and stack.update.token is not None:
            event["ClientRequestToken"] = stack.update.token
        stack.events.append(event)

    def _operation(self, stack: _Stack, kind: str) -> str:
        made = f"00000000-0000-4000-9000-{next(self._numbers):012x}"
        stack.operations.insert(0, (kind, made))
        return made

    def _check_token(self, stack: _Stack, token: str | None) -> None:
        if token is not None and not (_TOKEN.fullmatch(token) and len(token) <= _MAX_TOKEN):
            raise validation_error(
                f"1 validation error detected: Value '{token}' at 'clientRequestToken' failed to "
                "satisfy constraint: Member must satisfy regular expression pattern: "
                f"{_TOKEN.pattern}"
            )
        if token is not None and token in stack.tokens:
            raise ModelError(
                "TokenAlreadyExistsException", f"The request token {token} was used before."
            )

    def _use_token(self, stack: _Stack, token: str | None) -> None:
        self._check_token(stack, token)
        if token is not None:
            stack.tokens.add(token)

    def _found(self, name_or_id: str, otherwise: str) -> _Stack:
        found = self._by_id.get(name_or_id)
        if found is None:
            found = self._by_name.get(name_or_id)
            if found is not None and _is_deleted(found):
                found = None
        if found is None:
            raise validation_error(otherwise)
        return found


def _is_deleted(stack: _Stack) -> bool:
    return stack.status == "DELETE_COMPLETE"


def _failed_to_update(resources: Sequence[str]) -> str:
    return f"The following resource(s) failed to update: [{', '.join(resources)}]. "


def _nested(stack: _Stack, operation: str) -> ModelError:
    return validation_error(
        f"{operation} cannot be called on the nested stack {stack.id}: call it on its root"
    )


def _shown(stack: _Stack) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        "DisableRollback": stack.disable_rollback,
        "LastOperations": [
            {"OperationType": kind, "OperationId": made} for kind, made in stack.operations
        ],
        "RollbackConfiguration": {},
        "NotificationARNs": [],
        "Tags": [],
    }
    if stack.monitoring_minutes is not None:
        shown["RollbackConfiguration"] = {"MonitoringTimeInMinutes": stack.monitoring_minutes}
    if stack.reason is not None:
        shown["StackStatusReason"] = stack.reason
    if stack.updated is not None:
        shown["LastUpdatedTime"] = stack.updated
    if stack.deleted is not None:
        shown["DeletionTime"] = stack.deleted
    if stack.role_arn is not None:
        shown["RoleARN"] = stack.role_arn
    if stack.parent is not None:
        shown["ParentId"] = stack.parent.id
        shown["RootId"] = stack.root.id
    return shown
