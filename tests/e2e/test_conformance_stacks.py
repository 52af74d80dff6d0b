"""Where the model of CloudFormation's updates and the emulator overlap, they answer alike.

The update is held by a WaitCondition with one more resource behind it, so that only the cancel can
explain a rollback. Known differences, each with a test of its own that fails when it goes away
(seen with ministack 1.5.33):

- a token that was used before is accepted, where AWS answers TokenAlreadyExistsException;
- ``LastOperations`` is not told.

The emulator looks for a cancel only before it starts a next resource. The model's knobs
``cancel_is_noticed_after`` and ``loses_cancels`` say the same, so that is no difference.
"""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from local import emulator
from local.aws_model.clients import cloudformation_client
from local.aws_model.cloudformation import CloudFormation

pytestmark = pytest.mark.e2e
HOUR = 3600


class Emulated:
    """Stacks in the emulator."""

    def __init__(self, client):
        self.client = client

    def create(self, name):
        self.client.create_stack(StackName=name, TemplateBody=template(name, "1"))
        self.settle(name)

    def update(self, name, *, behind):
        self.client.update_stack(
            StackName=name, TemplateBody=template(name, "2", held=True, behind=behind)
        )
        until(lambda: "Hold" in self.begun(name))

    def begun(self, name):
        events = self.client.describe_stack_events(StackName=name)["StackEvents"]
        return {event["LogicalResourceId"] for event in events}

    def let_go(self, name):
        self.client.signal_resource(
            StackName=name, LogicalResourceId="Hold", UniqueId="1", Status="SUCCESS"
        )
        self.settle(name)

    def settle(self, name):
        until(lambda: not status(self.client, name).endswith("IN_PROGRESS"))


class Modelled:
    """The same in the model: the hold is an hour, and a cancel is noticed at its end."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, tzinfo=UTC)
        self.model = CloudFormation(clock=lambda: self.now)
        self.model.cancel_is_noticed_after = HOUR
        self.client = cloudformation_client(self.model)

    def create(self, name):
        self.model.add_stack(name)

    def update(self, name, *, behind):
        self.model.loses_cancels = not behind
        self.model.begin_update(name, seconds=HOUR)

    def let_go(self, name):
        self.now += timedelta(hours=2)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    emulator.install(print)
    folder = tmp_path_factory.mktemp("conformance")
    account = emulator.random_account()
    unused = "http://127.0.0.1:9"
    with emulator.started(
        run_folder=folder, account=account, elsewhere={"cloudwatch": unused}
    ) as running:
        client = running.client("cloudformation")
        yield Emulated(client)
        client.close()


@pytest.fixture
def model():
    return Modelled()


def template(name, value, *, held=False, behind=False):
    def setting(suffix):
        properties = {"Type": "String", "Name": f"/{name}/{suffix}", "Value": value}
        return {"Type": "AWS::SSM::Parameter", "Properties": properties}

    resources = {"Setting": setting("setting")}
    if held:
        wait = {"Handle": {"Ref": "Handle"}, "Timeout": "60", "Count": 1}
        resources["Handle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        resources["Hold"] = {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": "Setting",
            "Properties": wait,
        }
    if behind:
        resources["Behind"] = setting("behind") | {"DependsOn": "Hold"}
    return json.dumps({"Resources": resources})


def until(check):
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(client, name):
    return client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def own_events(client, name):
    """The stack's own events of its last update, oldest first, without the cleanup.

    How long a stack is seen cleaning up, and whether at all, differs by nature.
    """
    events = client.describe_stack_events(StackName=name)["StackEvents"][::-1]
    own = [event for event in events if event["LogicalResourceId"] == name]
    statuses = [event["ResourceStatus"] for event in own]
    begin = len(statuses) - 1 - statuses[::-1].index("UPDATE_IN_PROGRESS")
    return [
        (event["ResourceStatus"], event.get("ClientRequestToken"))
        for event in own[begin:]
        if "CLEANUP" not in event["ResourceStatus"]
    ]


def play(side, name, *, cancels, behind=True):
    """One story of calls; what came of each, without what differs by nature."""
    client = side.client
    seen = []

    def call(method, **arguments):
        try:
            getattr(client, method)(**arguments)
        except ClientError as error:
            code = error.response["ResponseMetadata"]["HTTPStatusCode"]
            seen.append((method, error.response["Error"]["Code"], code))
        else:
            seen.append((method, "accepted"))

    def cancel(token):
        call("cancel_update_stack", StackName=name, ClientRequestToken=token)

    call("describe_stacks", StackName=name)
    call("cancel_update_stack", StackName=name)
    side.create(name)
    seen.append(status(client, name))
    cancel("when-nothing-runs")
    side.update(name, behind=behind)
    seen.append(status(client, name))
    call("continue_update_rollback", StackName=name)
    if cancels:
        cancel("first")
        seen.append(status(client, name))
    side.let_go(name)
    seen.append(status(client, name))
    seen.append(own_events(client, name))
    cancel("when-it-is-over")
    call("continue_update_rollback", StackName=name)
    return seen


@pytest.mark.parametrize(
    ("cancels", "behind", "end"),
    [
        (True, True, "UPDATE_ROLLBACK_COMPLETE"),
        (False, True, "UPDATE_COMPLETE"),
        (True, False, "UPDATE_COMPLETE"),
        (False, False, "UPDATE_COMPLETE"),
    ],
    ids=["cancelled", "the control", "the cancel is lost", "the control without a resource behind"],
)
def test_the_model_and_the_emulator_tell_the_same_story(real, model, cancels, behind, end):
    name = f"story-{int(cancels)}{int(behind)}"
    modelled = play(model, name, cancels=cancels, behind=behind)
    assert modelled == play(real, name, cancels=cancels, behind=behind)
    assert end in modelled


def test_a_second_cancel_before_the_first_is_noticed(real, model):
    for side in (model, real):
        side.create("twice")
        side.update("twice", behind=True)
        for token in ("first", "second"):
            side.client.cancel_update_stack(StackName="twice", ClientRequestToken=token)
        side.let_go("twice")
        assert status(side.client, "twice") == "UPDATE_ROLLBACK_COMPLETE"
    assert len(model.model.cancels) == 1


def test_the_reason_is_the_user(real, model):
    for side in (model, real):
        side.create("why")
        side.update("why", behind=True)
        side.client.cancel_update_stack(StackName="why")
        side.let_go("why")
        events = side.client.describe_stack_events(StackName="why")["StackEvents"]
        reasons = [
            event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS"
            and event["LogicalResourceId"] == "why"
        ]
        assert reasons == ["User Initiated"]


def test_the_known_difference_of_the_token_is_still_there(real, model):
    """When the emulator learns it, this fails, and the sentence above can go."""
    for side in (model, real):
        side.create("token")
        side.update("token", behind=True)
        side.client.cancel_update_stack(StackName="token", ClientRequestToken="same")
    again = {"StackName": "token", "ClientRequestToken": "same"}
    with pytest.raises(model.client.exceptions.TokenAlreadyExistsException):
        model.client.cancel_update_stack(**again)

    real.client.cancel_update_stack(**again)
    real.let_go("token")


def test_the_known_difference_of_the_operations_is_still_there(real, model):
    for side in (model, real):
        side.create("operations")
    shown = model.client.describe_stacks(StackName="operations")["Stacks"][0]
    assert shown["LastOperations"][0]["OperationType"] == "CREATE_STACK"

    assert "LastOperations" not in real.client.describe_stacks(StackName="operations")["Stacks"][0]
