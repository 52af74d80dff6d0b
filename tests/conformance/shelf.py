"""An account that knows only what is there: so quick that every call of every check can break.

What a check asks for is answered as the `World` answered it, call by call, for a run is the same
each time. Once a call was broken only removals follow, and these the shelf answers by itself,
strictly: a role with a policy, a rule with a target or an alarm that another needs does not go.
"""

from contextlib import suppress
from types import SimpleNamespace

import botocore
import world
from botocore.exceptions import ClientError

# What a call puts there, and under which parameter it has its name.
PUTS = {
    "CreateRole": ("role", "RoleName"),
    "PutRolePolicy": ("policy", "RoleName"),
    "CreateLogGroup": ("log group", "logGroupName"),
    "CreateFunction": ("function", "FunctionName"),
    "CreateQueue": ("queue", "QueueName"),
    "CreateTopic": ("topic", "Name"),
    "PutRule": ("rule", "Name"),
    "PutTargets": ("targets", "Rule"),
    "PutMetricAlarm": ("alarm", "AlarmName"),
    "PutCompositeAlarm": ("composite", "AlarmName"),
    "PutAlarmMuteRule": ("mute rule", "Name"),
    "CreateApplication": ("application", "applicationName"),
    "CreateDeploymentGroup": ("group", "applicationName"),
    "CreateStack": ("stack", "StackName"),
}
# What a call takes away: the kind, the parameter with the name, what must be gone before, and the
# error where it is not there; None where that is no error.
TAKES = {
    "DeleteRolePolicy": ("policy", "RoleName", (), "NoSuchEntity"),
    "DeleteRole": ("role", "RoleName", ("policy",), "NoSuchEntity"),
    "DeleteLogGroup": ("log group", "logGroupName", (), "ResourceNotFoundException"),
    "DeleteFunction": ("function", "FunctionName", (), "ResourceNotFoundException"),
    "DeleteTopic": ("topic", "TopicArn", (), None),
    "RemoveTargets": ("targets", "Rule", (), None),
    "DeleteRule": ("rule", "Name", ("targets",), None),
    "DeleteAlarmMuteRule": ("mute rule", "AlarmMuteRuleName", (), None),
}


class Shelf:
    """`heard` is what a World answered; the call `at` is broken, `after` it was done or before."""

    def __init__(self, heard, at, *, after, error):
        self.heard, self.at, self.after, self.error = heard, at, after, error
        self.count = 0
        self.there = set()
        self.updating = set()

    def lab(self, like):
        like.clients = like_of = lambda service: _Client(self, like, service)
        like.client_of = lambda service, taken: like_of(service)
        return like

    def call(self, service, operation, given):
        number, self.count = self.count, self.count + 1
        breaks = number == self.at
        if breaks and not self.after:
            raise self.error()
        replayed = None
        if number <= self.at:
            heard_service, heard_operation, replayed = self.heard[number]
            assert (service, operation) == (heard_service, heard_operation)
        if breaks:
            with suppress(ClientError):
                self._done(operation, given, replayed)
            raise self.error()
        return self._done(operation, given, replayed)

    def _done(self, operation, given, replayed):
        if replayed is not None and "Error" in replayed:
            raise ClientError(replayed, operation)
        if operation in PUTS:
            assert replayed is not None, f"{operation} in a clean-up"
            kind, word = PUTS[operation]
            self.there.add((kind, given[word]))
            return replayed
        if operation in TAKES:
            return self._take(operation, given)
        if operation == "DescribeStacks" and replayed is not None:
            # It may have come to rest by itself.
            if replayed["Stacks"][0]["StackStatus"] != "UPDATE_IN_PROGRESS":
                self.updating.discard(given["StackName"])
            return replayed
        own = getattr(self, f"_{botocore.xform_name(operation)}", None)
        if own is not None:
            answered = own(given)
            return answered if replayed is None else replayed
        assert replayed is not None, f"{operation} in a clean-up"
        return replayed

    def _take(self, operation, given):
        kind, word, before, error = TAKES[operation]
        name = given[word].rpartition(":")[2] if kind == "topic" else given[word]
        for other in before:
            if (other, name) in self.there:
                raise _error(operation, "DeleteConflict")
        if (kind, name) not in self.there and error is not None:
            raise _error(operation, error)
        self.there.discard((kind, name))
        return {}

    def _get_queue_url(self, given):
        if ("queue", given["QueueName"]) not in self.there:
            raise _error("GetQueueUrl", "AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": f"https://x/{given['QueueName']}"}

    def _delete_queue(self, given):
        self.there.discard(("queue", given["QueueUrl"].rpartition("/")[2]))
        return {}

    def _delete_alarms(self, given):
        (name,) = given["AlarmNames"]
        kinds = {kind for kind, found in self.there if found == name}
        if not kinds:
            raise _error("DeleteAlarms", "ResourceNotFound")
        if kinds == {"alarm"} and any(kind == "composite" for kind, _ in self.there):
            raise _error("DeleteAlarms", "ValidationError")
        self.there -= {(kind, name) for kind in kinds}
        return {}

    def _list_deployments(self, given):
        if ("group", given["applicationName"]) not in self.there:
            raise _error("ListDeployments", "DeploymentGroupDoesNotExistException")
        return {"deployments": []}

    def _delete_application(self, given):
        name = given["applicationName"]
        self.there -= {("application", name), ("group", name)}
        return {}

    def _update_stack(self, given):
        self.updating.add(given["StackName"])

    def _cancel_update_stack(self, given):
        self.updating.discard(given["StackName"])
        return {}

    def _describe_stacks(self, given):
        name = given["StackName"]
        if ("stack", name) not in self.there:
            raise _error("DescribeStacks", "ValidationError", f"Stack {name} does not exist")
        status = "UPDATE_IN_PROGRESS" if name in self.updating else "CREATE_COMPLETE"
        return {"Stacks": [{"StackStatus": status}]}

    def _delete_stack(self, given):
        name = given["StackName"]
        if name in self.updating:
            raise _error("DeleteStack", "ValidationError", "it is being updated")
        self.there.discard(("stack", name))
        return {}


def _error(operation, code, message="no"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class _Client:
    def __init__(self, shelf, lab, service):
        self._shelf, self._lab, self._service = shelf, lab, service
        self._real = world.raw(service)
        self.meta = SimpleNamespace(endpoint_url=self._real.meta.endpoint_url)

    def __getattr__(self, method):
        operation = self._real.meta.method_to_api_mapping[method]

        def call(**given):
            if operation == "ReceiveMessage":
                self._lab.sleep(given["WaitTimeSeconds"])
            return self._shelf.call(self._service, operation, given)

        return call
