"""CloudFormation: what is read and sent, what each answer means, what follows from a status."""

from datetime import UTC, datetime, timedelta

import botocore.exceptions
import botocore.session
import pytest

from local.aws_model.clients import cloudformation_client
from local.aws_model.cloudformation import CloudFormation
from rollback_responder.actions.cloudformation_stack import (
    NOT_APPLIED,
    PHASES,
    CloudFormationStackAction,
)
from rollback_responder.actions.refusal import COMMON
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    ActionUnclear,
    TargetChanged,
)
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.response import ChangeAges
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.target import CloudFormationStack
from rollback_responder.domain.trial import NoTrial, Returning, Trial, on_trial
from rollback_responder.ports import Redeploy
from tests.builders import STACK, TARGET

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODEL = botocore.session.get_session().get_service_model("cloudformation")
STATUSES = tuple(MODEL.shape_for("StackStatus").enum)

AGES = ChangeAges(suspect=timedelta(hours=1), act=timedelta(hours=1))


class World:
    """A root stack and one nested in it; the requests that were sent; time in the hand."""

    def __init__(self, intercept=None, **stack):
        self.now = START
        self.model = CloudFormation(clock=lambda: self.now)
        self.model.add_stack("shop", **stack)
        self.model.add_stack("nested", parent="shop")
        self.sent = []
        client = cloudformation_client(self.model, intercept or (lambda _, answer: answer()))
        client.meta.events.register(
            "provide-client-params.cloudformation",
            lambda params, model, **_: self.sent.append((model.name, dict(params))),
        )
        self.action = CloudFormationStackAction(reads=client, acts=client)

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.model.tick()

    def see(self, name="shop"):
        return self.action.observe(CloudFormationStack(stack=name))

    def stuck(self, **how):
        self.model.fail_rollbacks("shop", ["Function"], **how)
        self.model.begin_update("shop", seconds=600)
        self.action.stop(STACK, "change", token="first")
        self.wait(30)


def judged(sight, now, name="shop", **policy):
    found = on_trial(
        sights=[(CloudFormationStack(stack=name, **policy), sight)],
        pointer=None,
        observation=None,
        release=None,
        alarm_since_at=START,
        now=now,
        ages=AGES,
    )
    match found:
        case Trial(legs=(leg,)):
            return leg.how.value
        case Returning(over=over):
            return "is back" if over else "follow"
        case NoTrial(reason=reason):
            return reason.value


# -- every status ---------------------------------------------------------------------------------


def test_every_status_of_the_sdk_has_a_phase_and_no_other():
    assert set(PHASES) == set(STATUSES)


LEFT_ALONE = Reason.NOT_STOPPABLE.value
AT_REST = Reason.NO_RECENT_CHANGE.value
# Of a change that is younger than the ages of the decision table; later it is at rest.
FINISHED = Reason.CHANGE_FINISHED.value
# What the responder does about a root, and about a nested stack that the policy names alone.
TABLE = {
    "CREATE_IN_PROGRESS": (LEFT_ALONE, LEFT_ALONE),
    "CREATE_FAILED": (LEFT_ALONE, LEFT_ALONE),
    "CREATE_COMPLETE": (FINISHED, FINISHED),
    "ROLLBACK_IN_PROGRESS": (LEFT_ALONE, LEFT_ALONE),
    "ROLLBACK_FAILED": (LEFT_ALONE, LEFT_ALONE),
    "ROLLBACK_COMPLETE": (LEFT_ALONE, LEFT_ALONE),
    "DELETE_IN_PROGRESS": (LEFT_ALONE, LEFT_ALONE),
    "DELETE_FAILED": (LEFT_ALONE, LEFT_ALONE),
    "DELETE_COMPLETE": (LEFT_ALONE, LEFT_ALONE),
    "UPDATE_IN_PROGRESS": ("stop", Reason.ROOT_NOT_IN_SCOPE.value),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": (
        Reason.CHANGE_FINISHING.value,
        Reason.CHANGE_FINISHING.value,
    ),
    "UPDATE_COMPLETE": (FINISHED, FINISHED),
    "UPDATE_FAILED": (Reason.CHANGE_BROKEN.value, Reason.CHANGE_BROKEN.value),
    "UPDATE_ROLLBACK_IN_PROGRESS": ("follow", "follow"),
    "UPDATE_ROLLBACK_FAILED": (Reason.CHANGE_BROKEN.value, Reason.CHANGE_BROKEN.value),
    # AWS does not say when it ended, so it is nobody's answer to an alarm that fires now.
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": (AT_REST, AT_REST),
    "UPDATE_ROLLBACK_COMPLETE": (AT_REST, AT_REST),
    "REVIEW_IN_PROGRESS": (LEFT_ALONE, LEFT_ALONE),
    "IMPORT_IN_PROGRESS": (LEFT_ALONE, LEFT_ALONE),
    "IMPORT_COMPLETE": (FINISHED, FINISHED),
    "IMPORT_ROLLBACK_IN_PROGRESS": (LEFT_ALONE, LEFT_ALONE),
    "IMPORT_ROLLBACK_FAILED": (LEFT_ALONE, LEFT_ALONE),
    "IMPORT_ROLLBACK_COMPLETE": (FINISHED, FINISHED),
}


def test_the_table_has_every_status():
    assert set(TABLE) == set(STATUSES)


def put(world, name, status):
    """Every status can be described, DELETE_COMPLETE by the stack's id only."""
    found = world.model._by_name[name]
    world.model.put_status(name, status)
    return CloudFormationStack(stack=name), found.id


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("name", "column"), [("shop", 0), ("nested", 1)])
def test_what_the_responder_does_about_each_status(name, column, status):
    world = World()
    put(world, name, status)
    sight = world.see(name)
    if status == "DELETE_COMPLETE":
        # A deleted stack is found by its id alone; by its name it does not exist.
        assert sight is None
        return

    expected = TABLE[status][column]
    later = world.now + timedelta(hours=2)
    assert judged(sight, world.now, name) == expected
    assert judged(sight, later, name) == (AT_REST if expected == FINISHED else expected)
    assert sight.phase is PHASES[status]
    assert sight.status == status


@pytest.mark.parametrize("name", ["shop", "nested"])
def test_a_failed_rollback_is_followed_only_where_the_policy_lets_us_continue_it(name):
    world = World()
    put(world, name, "UPDATE_ROLLBACK_FAILED")

    assert judged(world.see(name), world.now, name, continue_rollback=True) == "follow"


@pytest.mark.parametrize("name", ["shop", "nested"])
def test_a_status_that_nobody_knows_is_unknown_and_nothing_is_done(name):
    world = World()
    put(world, name, "UPDATE_PONDERING")
    sight = world.see(name)

    assert (sight.phase, sight.status) == (Phase.UNKNOWN, "UPDATE_PONDERING")
    assert judged(sight, world.now, name) == Reason.UNKNOWN_STATUS.value


def test_an_update_is_named_by_its_operation_through_all_its_states():
    world = World()
    operation = world.model.begin_update("shop", seconds=600)
    seen = [world.see()]
    world.action.stop(STACK, operation, token="t")
    for seconds in (0, 30, 5):
        world.wait(seconds)
        seen.append(world.see())

    assert [sight.phase for sight in seen] == [
        Phase.RUNNING,
        Phase.RETURNING,
        Phase.RETURNED,
        Phase.RETURNED,
    ]
    assert {sight.change for sight in seen} == {operation}
    assert {sight.began_at for sight in seen} == {START}


def test_an_update_is_named_by_its_beginning_where_aws_names_no_operation():
    world = World()
    world.model.begin_update("shop", seconds=600)
    world.model._by_name["shop"].operations.clear()
    before = world.see().change
    world.wait(605)
    settled = world.see().change
    world.wait(60)
    world.model.begin_update("shop", seconds=600)
    world.model._by_name["shop"].operations.clear()

    assert before == settled == "2026-11-22T12:00:00.000000Z"
    assert world.see().change != before


def test_a_continued_rollback_is_still_the_same_update():
    world = World()
    world.stuck()
    before = world.see().change
    world.model.mend("shop")
    world.action.go_on(STACK, token="second")
    assert (world.see().phase, world.see().change) == (Phase.RETURNING, before)
    world.wait(60)
    assert (world.see().phase, world.see().change) == (Phase.RETURNED, before)


def test_a_root_is_named_by_what_its_nested_stacks_call_their_root():
    world = World()

    assert world.see("nested").driver == world.see().identity
    assert world.see().driver is None


def test_a_failed_rollback_is_told_with_its_resources_and_the_command():
    world = World(resources={"Table": "AWS::DynamoDB::Table", "Function": "AWS::Lambda::Function"})
    world.stuck(reason="the layer was deleted")

    assert world.see().phase is Phase.STUCK
    assert world.see().detail == (
        "Function: the layer was deleted",
        "Run: `aws cloudformation continue-update-rollback --stack-name shop`",
    )


def test_a_message_has_room_for_the_command_however_much_aws_says():
    world = World()
    world.stuck(reason="because " * 500)
    *failures, command = world.see().detail

    assert len(". ".join([*failures, command])) < 2000
    assert command.endswith("--stack-name shop`")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"LogicalResourceId": "Fn", "ResourceStatusReason": "why"}, ("Fn: why",)),
        ({"LogicalResourceId": "Fn"}, ("Fn: no reason given",)),
        ({"ResourceStatusReason": "why"}, ("a resource: why",)),
        ({"LogicalResourceId": "Fn", "ResourceStatusReason": "x" * 296}, ("Fn: " + "x" * 296,)),
        (
            {"LogicalResourceId": "Fn", "ResourceStatusReason": "x" * 297},
            ("Fn: " + "x" * 296 + "…",),
        ),
        ({"ResourceStatus": "UPDATE_COMPLETE"}, ()),
        ({"ResourceStatus": None}, ()),
    ],
)
@pytest.mark.parametrize("status", ["UPDATE_FAILED", "DELETE_FAILED", "CREATE_FAILED"])
def test_what_failed_is_told_as_far_as_it_is_said(status, event, said):
    def events(name, answer):
        found = answer()
        if name == "DescribeStackEvents":
            shown = {"ResourceStatus": status} | event
            found["StackEvents"] = [{k: v for k, v in shown.items() if v is not None}] * 6
        return found

    world = World(events)
    world.stuck()

    # Of many the latest five.
    assert world.see().detail[:-1] == said * 5


def test_only_the_failures_of_the_latest_rollback_are_told():
    world = World()
    world.stuck(reason="the layer was deleted")
    world.model.fail_rollbacks("shop", ["Function"], "the role was deleted")
    world.action.go_on(STACK, token="second")
    world.wait(30)

    assert world.see().detail[0] == "Function: the role was deleted"
    assert len(world.see().detail) == 2


def test_of_a_nested_stack_the_command_names_the_root():
    """AWS refuses to continue a nested one."""
    world = World()
    world.stuck()
    world.model.put_status("nested", "UPDATE_ROLLBACK_FAILED")
    command = world.see("nested").detail[-1]
    world.model.continue_update_rollback(StackName=command.rpartition(" ")[2].rstrip("`"))

    assert [continued.stack for continued in world.model.continues] == ["shop"]


def test_a_failed_rollback_is_told_although_its_events_cannot_be_read():
    """The page matters more than the list."""

    def without_events(name, answer):
        if name == "DescribeStackEvents":
            raise client_error("AccessDenied")
        return answer()

    world = World(without_events)
    world.stuck()

    assert world.see().phase is Phase.STUCK
    assert world.see().detail[0] == "what failed could not be read: AccessDenied"
    assert world.see().detail[-1].startswith("Run: `aws cloudformation continue-update-rollback")


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ({}, ["MonitoringTimeInMinutes"]),
        ({"monitoring_minutes": 10}, []),
        ({"monitoring_minutes": 10, "role_arn": None}, ["service role"]),
        ({"role_arn": None}, ["MonitoringTimeInMinutes", "service role"]),
    ],
)
def test_what_makes_a_rollback_harder_is_noted(stack, words):
    note = World(**stack).see().note or ""

    assert [word for word in ("MonitoringTimeInMinutes", "service role") if word in note] == words


def test_what_makes_a_rollback_harder_is_said_in_sentences():
    assert World(role_arn=None).see().note == (
        "The stack has no MonitoringTimeInMinutes: with one, an update stays cancellable for that"
        " long after its last resource. The stack has no service role, so whose permissions its"
        " rollback uses is not documented"
    )


# -- what is sent ---------------------------------------------------------------------------------


def test_a_cancel_is_sent_with_a_token_and_nothing_else():
    world = World()
    operation = world.model.begin_update("shop", seconds=600)
    world.action.stop(STACK, operation, token="rbk-inc-7-0")

    sent = {"StackName": "shop", "ClientRequestToken": "rbk-inc-7-0"}
    assert world.sent == [("CancelUpdateStack", sent)]
    assert world.model.cancels == [("shop", operation, "rbk-inc-7-0")]


def test_a_continuation_skips_nothing_forces_nothing_and_brings_no_role():
    world = World()
    world.stuck()
    world.sent.clear()
    world.action.go_on(STACK, token="rbk-inc-7-0-go-on")

    sent = {"StackName": "shop", "ClientRequestToken": "rbk-inc-7-0-go-on"}
    assert world.sent == [("ContinueUpdateRollback", sent)]
    (continued,) = world.model.continues
    assert (continued.skipped, continued.role) == ((), None)


def test_a_look_is_one_read_and_one_more_where_a_rollback_failed():
    world = World()
    world.see()
    assert world.sent == [("DescribeStacks", {"StackName": "shop"})]
    world.stuck()
    world.sent.clear()
    world.see()
    assert [name for name, _ in world.sent] == ["DescribeStacks", "DescribeStackEvents"]


def test_a_stack_is_never_updated():
    world = World()
    redeploy = Redeploy(pointer=TARGET, from_version="2", to_version="1", claim_id="inc-7")
    with pytest.raises(ActionDenied, match="stack shop is not updated to 1 by itself"):
        world.action.redeploy(STACK, redeploy)
    assert world.sent == []


# -- what each answer means -----------------------------------------------------------------------

ENDPOINT = {"endpoint_url": "https://x"}
NO_ANSWER = [
    botocore.exceptions.ConnectionClosedError(**ENDPOINT),
    botocore.exceptions.ReadTimeoutError(**ENDPOINT),
    botocore.exceptions.ConnectTimeoutError(**ENDPOINT),
    botocore.exceptions.EndpointConnectionError(**ENDPOINT),
    botocore.exceptions.HTTPClientError(error="x"),
    botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    botocore.exceptions.NoCredentialsError(),
]
UNKNOWN_CODES = ["InternalFailure", "ServiceUnavailable", "SomethingNew"]
ACTS = {
    "CancelUpdateStack": lambda action: action.stop(STACK, "change", token="t"),
    "ContinueUpdateRollback": lambda action: action.go_on(STACK, token="t"),
}
MEANS = {
    TargetChanged: {"ValidationError", "TokenAlreadyExistsException"},
    ActionDenied: {
        "InsufficientCapabilitiesException",
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "InvalidClientTokenId",
    },
    ActionThrottled: {"Throttling", "ThrottlingException"},
}


def refusing(error):
    def refuse(name, answer):
        raise error

    return World(refuse).action


def client_error(code, operation="CancelUpdateStack"):
    return botocore.exceptions.ClientError(
        {"Error": {"Code": code, "Message": "arn:aws:secret"}}, operation
    )


@pytest.mark.parametrize("operation", ACTS)
@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, codes in MEANS.items() for code in sorted(codes)]
)
def test_these_answers_mean_that_nothing_was_applied(operation, kind, code):
    with pytest.raises(ActionError) as raised:
        ACTS[operation](refusing(client_error(code, operation)))

    assert type(raised.value) is kind
    assert str(raised.value).endswith(code)
    assert "secret" not in str(raised.value)


def test_every_code_in_the_table_is_tried_above():
    tried = set.union(*MEANS.values())

    assert set(NOT_APPLIED) <= tried
    assert tried <= set(NOT_APPLIED) | set(COMMON)


@pytest.mark.parametrize("operation", ACTS)
def test_every_modelled_error_means_something(operation):
    modelled = {shape.error_code for shape in MODEL.operation_model(operation).error_shapes}

    assert modelled <= set(NOT_APPLIED)


@pytest.mark.parametrize("operation", ACTS)
@pytest.mark.parametrize(
    "error",
    [*NO_ANSWER, *map(client_error, UNKNOWN_CODES)],
    ids=lambda error: str(error)[:40],
)
def test_any_other_answer_and_none_at_all_is_unclear(operation, error):
    with pytest.raises(ActionUnclear):
        ACTS[operation](refusing(error))


@pytest.mark.parametrize("status", [s for s in STATUSES if s != "UPDATE_IN_PROGRESS"])
def test_a_cancel_that_comes_too_late_is_refused_as_changed(status):
    world = World()
    world.model.begin_update("shop", seconds=600)
    world.model.put_status("shop", status)
    with pytest.raises(TargetChanged):
        world.action.stop(STACK, "change", token="t")

    assert world.model.cancels == []


def test_the_same_order_twice_is_refused_by_its_token():
    world = World()
    world.model.begin_update("shop", seconds=600)
    world.model.cancel_is_noticed_after = 60
    world.action.stop(STACK, "change", token="t")
    with pytest.raises(TargetChanged):
        world.action.stop(STACK, "change", token="t")

    assert len(world.model.cancels) == 1


def test_what_does_not_exist_is_seen_as_nothing():
    assert World().see("nobody") is None


@pytest.mark.parametrize("error", [*NO_ANSWER, client_error("AccessDenied")])
def test_what_cannot_be_read_is_an_error_never_an_absence(error):
    with pytest.raises(ActionError) as raised:
        refusing(error).observe(STACK)

    assert type(raised.value) is ActionError
    assert str(raised.value).startswith("reading stack shop: ")
    assert "secret" not in str(raised.value)
