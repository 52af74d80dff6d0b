"""CloudFormation's model: through a real SDK client, by stories, tables and random stories."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import botocore.exceptions
import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws_model.clients import cloudformation_client
from local.aws_model.cloudformation import Cancel, CloudFormation
from local.aws_model.errors import ModelError

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STATUSES = botocore.loaders.Loader().load_service_model("cloudformation", "service-2")["shapes"][
    "StackStatus"
]["enum"]


class World:
    """A stack, a stack nested in it, and time in the hand."""

    def __init__(self, **stack):
        self.now = START
        self.told = []
        self.model = CloudFormation(clock=lambda: self.now)
        self.id = self.model.add_stack("shop", **stack)
        self.nested = self.model.add_stack("shop-data", parent="shop", resources={"Table": "T"})
        self.client = cloudformation_client(self.model)

    def update(self, seconds=60, **how):
        tell = {name: lambda n=name: self.told.append((n, self.now)) for name in CALLBACKS}
        return self.model.begin_update("shop", seconds=seconds, **tell, **how)

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.model.tick()

    def stack(self, name="shop"):
        (found,) = self.client.describe_stacks(StackName=name)["Stacks"]
        return found

    def status(self, name="shop"):
        return self.stack(name)["StackStatus"]

    def statuses(self, name="shop"):
        """The statuses that the stack's own events tell, oldest first."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        own = [event for event in events if event["LogicalResourceId"] == name]
        return [event["ResourceStatus"] for event in own][::-1]

    def cancel(self, name="shop", **how):
        return self.client.cancel_update_stack(StackName=name, **how)

    def go_on(self, name="shop", **how):
        return self.client.continue_update_rollback(StackName=name, **how)

    def failed(self, name="shop"):
        found = self.client.describe_stack_resources(StackName=name)["StackResources"]
        return {
            one["LogicalResourceId"]: one["ResourceStatusReason"]
            for one in found
            if one["ResourceStatus"] == "UPDATE_FAILED"
        }


UPDATABLE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_FAILED",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
CALLBACKS = ("on_begin", "on_deployed", "on_complete", "on_rollback")
NORMAL = [
    "CREATE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
]
BACK = [
    "CREATE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
]


def refused(call, *args, **how):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*args, **how)
    return error.value.response["Error"]["Code"]


# -- an update ----------------------------------------------------------------------------------


def test_an_update_to_its_end():
    world = World()
    assert world.stack()["LastOperations"][0]["OperationType"] == "CREATE_STACK"
    operation = world.update()
    assert world.stack()["LastOperations"][0] == {
        "OperationType": "UPDATE_STACK",
        "OperationId": operation,
    }
    assert world.stack()["LastUpdatedTime"] == START
    assert world.stack("shop-data")["LastOperations"][0]["OperationId"] == operation
    world.wait(59)
    assert world.status() == "UPDATE_IN_PROGRESS"
    world.wait(1)
    assert world.status() == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    world.wait(5)
    assert world.statuses() == world.statuses("shop-data") == NORMAL
    minute = START + timedelta(minutes=1)
    assert world.told == [("on_begin", START), ("on_deployed", minute), ("on_complete", minute)]


def test_the_monitoring_time_keeps_it_in_progress_and_cancellable():
    world = World(monitoring_minutes=10)
    assert world.stack()["RollbackConfiguration"] == {"MonitoringTimeInMinutes": 10}
    world.update()
    world.wait(60)
    assert [name for name, _ in world.told] == ["on_begin", "on_deployed"]
    world.wait(599)
    assert world.status() == "UPDATE_IN_PROGRESS"
    world.cancel()
    world.wait(100)
    assert world.statuses() == BACK
    assert [name for name, _ in world.told] == ["on_begin", "on_deployed", "on_rollback"]
    world.update()
    world.wait(665)
    assert world.status() == "UPDATE_COMPLETE"


def test_a_cancel_rolls_back():
    world = World()
    operation = world.update(token="deploy-7")
    world.wait(10)
    world.cancel(ClientRequestToken="inc-1")
    assert world.model.cancels == [Cancel("shop", operation, "inc-1")]
    assert world.stack()["StackStatusReason"] == "User Initiated"
    interrupted = dict.fromkeys(("Function", "shop-data"), "Resource update cancelled")
    assert world.failed() == interrupted
    world.wait(29)
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    world.wait(1)
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    assert world.told[-1] == ("on_rollback", world.now)
    world.wait(5)
    assert world.statuses() == world.statuses("shop-data") == BACK
    assert world.stack()["LastOperations"][0]["OperationId"] == operation
    assert world.failed() == {}
    events = world.client.describe_stack_events(StackName="shop")["StackEvents"]
    assert [event["Timestamp"] for event in events] == sorted(
        (event["Timestamp"] for event in events), reverse=True
    )
    assert events[0]["ClientRequestToken"] == "inc-1"
    tokens = {event.get("ClientRequestToken") for event in events}
    assert tokens == {None, "deploy-7", "inc-1"}


@pytest.mark.parametrize("status", [*STATUSES, "A_STATUS_OF_TOMORROW"])
def test_what_each_status_allows(status):
    """CloudFormation API reference: a cancel and a continuation are each legal in one status."""
    world = World()
    world.model.put_status("shop", status)
    name = world.id if status == "DELETE_COMPLETE" else "shop"
    assert world.status(name) == status
    if status == "UPDATE_ROLLBACK_FAILED":
        assert refused(world.cancel, name) == "ValidationError"
        world.go_on(name)
    elif status == "UPDATE_IN_PROGRESS":
        assert refused(world.go_on, name) == "ValidationError"
        world.cancel(name)
    else:
        assert refused(world.cancel, name) == "ValidationError"
        assert refused(world.go_on, name) == "ValidationError"
        world.wait(1000)
        assert world.status(name) == status
        if status in UPDATABLE:
            world.update()
        else:
            with pytest.raises(ModelError):
                world.update()
        assert world.model.cancels == world.model.continues == []
        return
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    world.wait(35)
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert len(world.model.cancels + world.model.continues) == 1


def test_a_status_that_is_put_stays():
    world = World()
    world.update()
    world.now += timedelta(seconds=1)
    world.model.put_status("shop-data", "UPDATE_ROLLBACK_FAILED")
    assert world.status("shop-data") == "UPDATE_ROLLBACK_FAILED"
    world.wait(100)
    assert world.status() == "UPDATE_COMPLETE"
    world.update()
    world.model.put_status("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    world.wait(1000)
    assert world.status() == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


def test_each_update_that_is_put_is_one_of_its_own():
    world = World()
    for number in range(2):
        world.wait(100)
        world.model.put_status("shop", "UPDATE_IN_PROGRESS")
        assert world.stack()["LastUpdatedTime"] == world.now
        world.cancel()
        assert len(world.model.cancels) == number + 1
    assert len({cancel.operation for cancel in world.model.cancels}) == 2
    operations = world.stack()["LastOperations"]
    world.model.put_status("shop", "UPDATE_COMPLETE")
    assert world.stack()["LastOperations"] == operations


def test_a_failed_rollback_that_is_put_names_what_failed():
    world = World()
    world.model.fail_rollbacks("shop", ["Function"], "gone")
    world.model.put_status("shop", "UPDATE_COMPLETE")
    assert world.failed() == {}
    world.model.put_status("shop", "UPDATE_ROLLBACK_FAILED")
    assert world.failed() == {"Function": "gone"}
    world.go_on(ResourcesToSkip=["Function"])
    world.wait(35)
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"


CALLS = {
    "describe_stacks": "UPDATE_COMPLETE",
    "describe_stack_events": "UPDATE_COMPLETE",
    "describe_stack_resources": "UPDATE_COMPLETE",
    "cancel_update_stack": "ValidationError",
    "continue_update_rollback": "",
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_first_goes_to_where_the_clock_is(call):
    world = World(resources={})
    if call == "continue_update_rollback":
        world.model.fail_rollbacks("shop", ["Function"])
    world.update()
    if call == "continue_update_rollback":
        world.cancel()
    world.now += timedelta(seconds=100)
    if call == "cancel_update_stack":
        assert refused(world.cancel) == "ValidationError"
    else:
        assert CALLS[call] in str(getattr(world.client, call)(StackName="shop"))


def test_what_a_rollback_meets_is_decided_when_it_ends():
    for break_first in (False, True):
        world = World()
        if break_first:
            world.model.fail_rollbacks("shop", ["Function"])
        world.update()
        world.cancel()
        world.now += timedelta(seconds=100)
        if break_first:
            world.model.mend("shop")
            assert world.status() == "UPDATE_ROLLBACK_FAILED"
        else:
            world.model.fail_rollbacks("shop", ["Function"])
            assert world.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_cancel_that_is_noticed_late():
    world = World()
    world.model.cancel_is_noticed_after = 10
    world.update()
    world.cancel()
    world.wait(9)
    assert world.status() == "UPDATE_IN_PROGRESS"
    world.cancel(ClientRequestToken="again")
    assert len(world.model.cancels) == 1
    world.wait(1)
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert refused(world.cancel) == "ValidationError"
    assert len(world.model.cancels) == 1


def test_at_the_latest_it_is_noticed_when_the_update_would_be_complete():
    world = World()
    world.model.cancel_is_noticed_after = 3600
    world.update()
    world.cancel()
    world.wait(60)
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert [name for name, _ in world.told] == ["on_begin", "on_deployed"]


def test_the_knob_by_which_a_cancel_is_lost():
    world = World()
    world.model.loses_cancels = True
    operation = world.update()
    world.cancel(ClientRequestToken="inc-1")
    world.wait(65)
    assert world.statuses() == NORMAL
    assert world.model.cancels == [Cancel("shop", operation, "inc-1")]


def test_an_update_that_tells_nobody():
    world = World()
    world.model.begin_update("shop", seconds=60)
    world.wait(100)
    assert world.status() == "UPDATE_COMPLETE"
    world.model.begin_update("shop", seconds=60)
    world.cancel()
    world.wait(100)
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_token_is_good_for_one_operation():
    world = World()
    world.update(token="a")
    exists = world.client.exceptions.TokenAlreadyExistsException
    with pytest.raises(exists):
        world.cancel(ClientRequestToken="a")
    assert world.status() == "UPDATE_IN_PROGRESS"
    world.cancel(ClientRequestToken="b")
    with pytest.raises(exists):
        world.cancel(ClientRequestToken="b")
    assert refused(world.cancel, ClientRequestToken="c") == "ValidationError"
    assert refused(world.cancel, ClientRequestToken="-c") == "ValidationError"
    assert refused(world.cancel, ClientRequestToken="c" * 129) == "ValidationError"
    world.wait(100)
    world.update()
    world.cancel(ClientRequestToken="c")
    world.model.fail_rollbacks("shop", ["Function"])
    world.wait(100)
    with pytest.raises(exists):
        world.go_on(ClientRequestToken="c")
    world.go_on(ClientRequestToken="d")
    world.wait(100)
    with pytest.raises(exists):
        world.go_on(ClientRequestToken="d")
    world.model.mend("shop")
    world.go_on()
    with pytest.raises(exists):
        world.go_on(ClientRequestToken="d")
    world.wait(100)
    with pytest.raises(ModelError, match="used before"):
        world.update(token="d")
    assert [cancel.token for cancel in world.model.cancels] == ["b", "c"]
    assert [one.token for one in world.model.continues] == ["d", None]


def test_a_failed_update_rolls_back_by_itself_unless_that_is_disabled():
    world = World()
    world.update()
    world.model.fail_update("shop", ["Function"], "no such role")
    assert world.stack()["StackStatusReason"] == (
        "The following resource(s) failed to update: [Function]. "
    )
    world.wait(35)
    assert world.statuses() == BACK
    assert world.model.cancels == []

    world = World(disable_rollback=True)
    world.update()
    world.model.fail_update("shop", ["Function"], "no such role")
    world.wait(1000)
    assert world.status() == "UPDATE_FAILED"
    assert world.failed() == {"Function": "no such role"}
    assert world.stack()["DisableRollback"]


@pytest.mark.parametrize("stays", [False, True])
def test_a_cancel_where_rollback_is_disabled(stays):
    world = World(disable_rollback=True)
    world.model.disabled_rollback_stops_cancels = stays
    world.update()
    world.cancel()
    world.wait(1000)
    assert world.status() == ("UPDATE_FAILED" if stays else "UPDATE_ROLLBACK_COMPLETE")


# -- a rollback that fails ----------------------------------------------------------------------


def broken(name="shop", resource="Function", reason="the old image is gone"):
    world = World()
    world.model.fail_rollbacks(name, [resource], reason)
    world.update()
    world.cancel()
    world.wait(1000)
    assert world.status() == "UPDATE_ROLLBACK_FAILED"
    return world


def test_a_rollback_that_fails_and_is_continued_after_the_mending():
    world = broken()
    assert world.failed() == {"Function": "the old image is gone"}
    assert world.stack()["StackStatusReason"] == (
        "The following resource(s) failed to update: [Function]. "
    )
    events = world.client.describe_stack_events(StackName="shop")["StackEvents"]
    told = [
        event["ResourceStatusReason"]
        for event in events
        if (event["LogicalResourceId"], event["ResourceStatus"]) == ("Function", "UPDATE_FAILED")
    ]
    assert told == ["the old image is gone", "Resource update cancelled"]
    assert "on_rollback" not in dict(world.told)
    world.go_on(ClientRequestToken="first")
    world.wait(30)
    assert world.status() == "UPDATE_ROLLBACK_FAILED"
    world.model.mend("shop")
    world.go_on(ClientRequestToken="second")
    assert world.stack()["LastOperations"][0]["OperationType"] == "CONTINUE_ROLLBACK"
    world.wait(35)
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert "on_rollback" in dict(world.told)
    assert [(one.token, one.skipped) for one in world.model.continues] == [
        ("first", ()),
        ("second", ()),
    ]


def test_skipping_and_the_role_that_stays():
    world = broken()
    role = "arn:aws:iam::123456789012:role/other"
    assert refused(world.go_on, ResourcesToSkip=["Bucket"]) == "ValidationError"
    both = {"ResourcesToSkip": ["Function"], "ForceRollback": True}
    assert refused(world.go_on, **both) == "ValidationError"
    assert world.model.continues == []
    world.go_on(ResourcesToSkip=["Function"], RoleARN=role)
    world.wait(35)
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert world.stack()["RoleARN"] == role
    assert world.model.continues[0].skipped == ("Function",)


@pytest.mark.parametrize(
    "how", [{"ResourcesToSkip": ["shop-data.Table"]}, {"ForceRollback": True}], ids=str
)
def test_a_nested_stack_that_fails_is_continued_by_its_root(how):
    world = broken("shop-data", "Table")
    assert world.status("shop-data") == "UPDATE_ROLLBACK_FAILED"
    assert world.failed("shop-data") == {"Table": "the old image is gone"}
    assert world.failed() == {"shop-data": "The nested stack failed"}
    assert refused(world.go_on, "shop-data") == "ValidationError"
    assert refused(world.go_on, ResourcesToSkip=["shop-data"]) == "ValidationError"
    world.go_on(**how)
    world.wait(35)
    assert world.status() == world.status("shop-data") == "UPDATE_ROLLBACK_COMPLETE"
    assert world.model.continues[0].skipped == ("shop-data.Table",)


def test_what_was_interrupted_by_the_cancel_may_not_be_skipped():
    world = World(resources={"Function": "F", "Queue": "Q"})
    world.model.fail_rollbacks("shop", ["Function"])
    world.update()
    world.cancel()
    assert set(world.failed()) == {"Function", "Queue", "shop-data"}
    world.wait(1000)
    assert refused(world.go_on, ResourcesToSkip=["Queue"]) == "ValidationError"


# -- who is asked -------------------------------------------------------------------------------


def test_a_nested_stack_names_its_root_and_is_not_cancelled_by_itself():
    world = World()
    deep = world.model.add_stack("shop-data-deep", parent="shop-data")
    world.update()
    below = world.stack(deep)
    assert (below["ParentId"], below["RootId"]) == (world.nested, world.id)
    assert below["StackStatus"] == "UPDATE_IN_PROGRESS"
    assert not {"ParentId", "RootId"} & set(world.stack())
    assert refused(world.cancel, "shop-data-deep") == "ValidationError"
    assert world.status() == "UPDATE_IN_PROGRESS"
    world.cancel()
    world.wait(35)
    assert world.status(deep) == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(ValueError, match="nested"):
        world.model.begin_update("shop-data", seconds=1)


def test_a_deleted_stack_is_found_by_its_id_only():
    world = World(role_arn=None)
    assert "RoleARN" not in world.stack()
    assert world.status(world.id) == "CREATE_COMPLETE"
    world.update()
    world.model.delete("shop")
    for call in (
        world.client.describe_stacks,
        world.client.describe_stack_events,
        world.client.describe_stack_resources,
        world.client.cancel_update_stack,
        world.client.continue_update_rollback,
    ):
        assert refused(call, StackName="shop") == "ValidationError"
    assert world.stack(world.id)["DeletionTime"] == START
    assert world.client.describe_stack_events(StackName=world.id)["StackEvents"]
    assert world.client.describe_stacks()["Stacks"] == []
    again = world.model.add_stack("shop")
    assert world.stack()["StackId"] == again != world.id
    with pytest.raises(botocore.exceptions.ClientError, match="Stack with id x does not exist"):
        world.stack("x")
    world.wait(1000)
    assert world.status(world.id) == "DELETE_COMPLETE"
    assert [name for name, _ in world.told] == ["on_begin"]


def test_events_come_in_pages_that_new_ones_do_not_move():
    world = World()
    world.update()
    world.wait(1000)
    everything = world.client.describe_stack_events(StackName="shop")["StackEvents"]
    world.model.page_size = 2
    seen = []
    pages = world.client.get_paginator("describe_stack_events").paginate(StackName="shop")
    for number, page in enumerate(pages):
        seen += page["StackEvents"]
        if number == 1:
            world.update()
    assert seen == everything
    assert len({event["EventId"] for event in seen}) == len(seen)
    events = world.client.describe_stack_events
    for token in ("x", "1:other", f"999:{world.id}", f"x:{world.id}"):
        assert refused(events, StackName="shop", NextToken=token) == "ValidationError"
    one = world.client.describe_stack_resources(StackName="shop", LogicalResourceId="Function")
    assert [found["LogicalResourceId"] for found in one["StackResources"]] == ["Function"]
    unknown = {"StackName": "shop", "LogicalResourceId": "Nobody"}
    assert refused(world.client.describe_stack_resources, **unknown) == "ValidationError"


# -- random stories -----------------------------------------------------------------------------

NEXT = {
    "CREATE_COMPLETE": {"UPDATE_IN_PROGRESS"},
    "UPDATE_COMPLETE": {"UPDATE_IN_PROGRESS"},
    "UPDATE_ROLLBACK_COMPLETE": {"UPDATE_IN_PROGRESS"},
    "UPDATE_FAILED": {"UPDATE_IN_PROGRESS"},
    "UPDATE_IN_PROGRESS": {
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_FAILED",
    },
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": {"UPDATE_COMPLETE"},
    "UPDATE_ROLLBACK_IN_PROGRESS": {
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_FAILED",
    },
    "UPDATE_ROLLBACK_FAILED": {"UPDATE_ROLLBACK_IN_PROGRESS"},
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": {"UPDATE_ROLLBACK_COMPLETE"},
}
ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 100)),
    st.tuples(st.just("update"), st.integers(0, 100)),
    st.tuples(st.just("cancel"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.just("go on"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.sampled_from(["break", "mend", "fail"]), st.just(0)),
)
KNOBS = st.fixed_dictionaries(
    {
        "cancel_is_noticed_after": st.sampled_from([0.0, 7.0, 500.0]),
        "loses_cancels": st.booleans(),
        "rollback_seconds": st.sampled_from([0.0, 30.0]),
        "cleanup_seconds": st.sampled_from([0.0, 5.0]),
    }
)


def play(actions, knobs, stack, ticks):
    world = World(**stack)
    vars(world.model).update(knobs)
    for what, value in actions:
        before = world.model.status_of("shop")
        counts = len(world.model.cancels), len(world.model.continues)
        if attempt(world, what, value, ticks) is not None:
            assert world.model.status_of("shop") == before
            assert (len(world.model.cancels), len(world.model.continues)) == counts
        elif what == "cancel":
            assert before == "UPDATE_IN_PROGRESS"
        elif what == "go on":
            assert before == "UPDATE_ROLLBACK_FAILED"
    world.model.tick()
    for name in ("shop", "shop-data"):
        seen = world.statuses(name)
        assert seen[-1] == world.status(name)
        if name == "shop":
            for a, b in pairwise(seen):
                assert b in NEXT[a]
    told = [name for name, _ in world.told]
    assert told.count("on_complete") == world.statuses().count(NORMAL[2])
    assert told.count("on_rollback") == world.statuses().count(BACK[3])
    cancelled = [cancel.operation for cancel in world.model.cancels]
    assert len(cancelled) == len(set(cancelled))
    events = world.client.describe_stack_events(StackName="shop")["StackEvents"]
    return events, world.told, world.model.cancels, world.model.continues


def attempt(*action):
    try:
        step(*action)
    except ModelError as error:
        return error.code
    return None


def step(world, what, value, ticks):
    if what == "wait":
        for _ in range(ticks):
            world.wait(value / ticks)
    elif what == "update":
        world.update(value)
    elif what == "cancel":
        world.model.cancel_update_stack(StackName="shop", ClientRequestToken=value)
    elif what == "go on":
        world.model.continue_update_rollback(StackName="shop", ClientRequestToken=value)
    elif what == "break":
        world.model.fail_rollbacks("shop-data", ["Table"])
    elif what == "mend":
        world.model.mend("shop-data")
    elif world.model.status_of("shop") == "UPDATE_IN_PROGRESS":
        world.model.fail_update("shop-data", ["Table"])


@given(
    actions=st.lists(ACTIONS, max_size=15),
    knobs=KNOBS,
    stack=st.fixed_dictionaries(
        {"monitoring_minutes": st.sampled_from([None, 1]), "disable_rollback": st.booleans()}
    ),
)
def test_stories_hold_together_and_do_not_depend_on_how_often_one_looks(actions, knobs, stack):
    first, second = (play(actions, knobs, stack, ticks) for ticks in (1, 8))
    assert first[0] == second[0]
    assert [name for name, _ in first[1]] == [name for name, _ in second[1]]
    assert first[2:] == second[2:]
