"""What CloudFormation does. Source of all: CloudFormation user guide and API reference."""

import json
from typing import Any

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.lab import Lab
from conformance.making import Json
from conformance.things import stack_status

MONITORING_MINUTES = 10


def template(value: str) -> Json:
    """One parameter of Systems Manager, which costs nothing and changes at once."""
    properties = {"Type": "String", "Value": value}
    return {"Resources": {"Value": {"Type": "AWS::SSM::Parameter", "Properties": properties}}}


def update(lab: Lab, name: str) -> None:
    """Begins an update that stays cancellable for `MONITORING_MINUTES`; returns within those."""
    client = lab.clients("cloudformation")
    client.update_stack(
        StackName=name,
        TemplateBody=json.dumps(template("second")),
        RollbackConfiguration={"MonitoringTimeInMinutes": MONITORING_MINUTES},
    )

    def deployed() -> bool | None:
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        own = [e for e in events if e["LogicalResourceId"] == "Value"]
        return any(e["ResourceStatus"] == "UPDATE_COMPLETE" for e in own) or None

    lab.until("the stack's resource is updated", deployed, seconds=300)


class _Stack(Check[str]):
    makes = "a stack with one parameter of Systems Manager"
    minutes = 10
    cents = 0

    def create(self, lab: Lab) -> str:
        return making.stack(lab, self.key.lower(), template("first"))


class MonitoringTime(_Stack):
    """A8."""

    key = "A8"
    assumes = "a stack in its monitoring time reads UPDATE_IN_PROGRESS (A8)"
    source = 'SDK model, RollbackConfiguration: cancellable "using CancelUpdateStack, for example".'
    does = "An update is read half a minute after its last resource, and cancelled."
    meanwhile = 'the status as read decides; a refusal is "too late"'

    def observe(self, lab: Lab, made: str) -> Seen:
        client = lab.clients("cloudformation")
        update(lab, made)
        lab.sleep(30)
        status = stack_status(client, made)
        cancel = making.answer(lambda: client.cancel_update_stack(StackName=made))
        return {"status": status, "cancel": cancel, "end": making.stack_ends(lab, made)}

    def tell(self, seen: Seen) -> Verdict:
        found = (seen["status"], seen["cancel"], seen["end"])
        return verdict(holds=found == ("UPDATE_IN_PROGRESS", "done", "UPDATE_ROLLBACK_COMPLETE"))


class CancelToken(_Stack):
    """A9."""

    key = "A9"
    assumes = "the token of `CancelUpdateStack` stands in the events that follow (A9)"
    source = (
        "SDK model, StackEvent: events of an operation have its token; of a cancel, it is inferred."
    )
    does = "An update is cancelled with a token, and the stack's events are read."
    meanwhile = "nothing rests on it alone; status and time are compared as well"

    def observe(self, lab: Lab, made: str) -> Seen:
        client = lab.clients("cloudformation")
        update(lab, made)
        token = lab.name("cancel")
        client.cancel_update_stack(StackName=made, ClientRequestToken=token)
        end = making.stack_ends(lab, made)
        events = client.describe_stack_events(StackName=made)["StackEvents"]
        tokens = sorted({event.get("ClientRequestToken", "") for event in events})
        return {"token": token, "tokens": tokens, "end": end}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["token"] in seen["tokens"])


class UpdateHasAName(_Stack):
    """What the responder knows an update by."""

    key = "stack-update"
    assumes = (
        "a stack's update is named by `LastOperations`, else by `LastUpdatedTime`, and neither "
        "changes while it rolls back"
    )
    source = "SDK model, Stack; what a rollback does to either is not said."
    does = "Both are read in the update, in its rollback and after it."
    meanwhile = "only used to tell a later update from this one"

    def observe(self, lab: Lab, made: str) -> Seen:
        client = lab.clients("cloudformation")
        names = [self._names(client, made)]
        update(lab, made)
        names.append(self._names(client, made))
        client.cancel_update_stack(StackName=made)
        names.append(self._names(client, made))
        making.stack_ends(lab, made)
        names.append(self._names(client, made))
        return dict(zip(("before", "in_it", "rolling_back", "after"), names, strict=True))

    @staticmethod
    def _names(client: Any, name: str) -> Json:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        operations = [
            one.get("OperationId", "")
            for one in stack.get("LastOperations", [])
            if one.get("OperationType") == "UPDATE_STACK"
        ]
        updated_at = stack.get("LastUpdatedTime")
        at = updated_at.isoformat() if updated_at else ""
        return {"operation": next(iter(operations), ""), "updated_at": at}

    def tell(self, seen: Seen) -> Verdict:
        def name(when: str) -> str:
            return str(seen[when]["operation"] or seen[when]["updated_at"])

        later = {name(when) for when in ("in_it", "rolling_back", "after")}
        return verdict(holds=len(later) == 1 and name("before") not in later)


class WhoseRights(_Stack):
    """A10."""

    key = "A10"
    assumes = "whose permissions a cancelled stack without a service role uses (A10)"
    source = "Not documented for CancelUpdateStack, which takes no role."
    does = "A role that may cancel, and touch no resource, cancels an update of these credentials."
    meanwhile = "said in the incident"
    makes = "a stack with one parameter of Systems Manager, a role"

    def observe(self, lab: Lab, made: str) -> Seen:
        arn = lab.account.arn_of("cloudformation", f"stack/{made}/*")
        narrow = making.acting(
            lab, "a10-narrow", making.allow(["cloudformation:CancelUpdateStack"], arn)
        )("cloudformation")
        update(lab, made)
        cancel = making.permitted(lab, lambda: narrow.cancel_update_stack(StackName=made))
        return {"cancel": cancel, "end": making.stack_ends(lab, made)}

    def tell(self, seen: Seen) -> Verdict:
        """It holds where those of whoever began the update are used: cancelling is enough then."""
        if seen["cancel"] != "done":
            return Verdict.NOT_TOLD
        return verdict(holds=seen["end"] == "UPDATE_ROLLBACK_COMPLETE")
