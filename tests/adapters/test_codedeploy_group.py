"""CodeDeploy: what is read and sent, what each answer means, what follows from a status."""

import json
from datetime import UTC, datetime, timedelta

import botocore.exceptions
import botocore.session
import pytest
from msgspec.structs import replace

from local.aws_model.clients import codedeploy_client
from local.aws_model.codedeploy import ENDED, CodeDeploy, canary
from local.aws_model.lambda_aliases import LambdaAliases
from rollback_responder.actions.codedeploy_group import (
    NOT_APPLIED,
    PHASES,
    CodeDeployGroupAction,
    sight_of,
)
from rollback_responder.actions.refusal import COMMON
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    ActionUnclear,
    TargetChanged,
    TargetGone,
)
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.response import ChangeAges
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import AfterSuccess
from rollback_responder.domain.trial import NoTrial, Returning, Trial, on_trial
from rollback_responder.ports import Redeploy
from tests.builders import GROUP, TARGET, a_release, an_observation

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODEL = botocore.session.get_session().get_service_model("codedeploy")
STATUSES = tuple(MODEL.shape_for("DeploymentStatus").enum)
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1"
REDEPLOY = Redeploy(pointer=TARGET, from_version="2", to_version="1", claim_id="inc-7")

AGES = ChangeAges(suspect=timedelta(hours=1), act=timedelta(hours=1))


class World:
    """A group whose canary takes an hour; the requests that were sent; time in the hand."""

    def __init__(self, intercept=None):
        self.now = START
        self.aliases = LambdaAliases()
        for code in "abc":
            self.aliases.publish("shop", code)
        self.aliases.point("shop", "live", "1")
        self.model = CodeDeploy(clock=lambda: self.now, aliases=self.aliases)
        self.model.add_config("Half", canary(50, timedelta(hours=1)))
        for group in ("live", "other"):
            self.model.add_group("shop", group, function="shop", alias="live", config="Half")
        self.sent = []
        client = codedeploy_client(self.model, intercept or (lambda _, answer: answer()))
        client.meta.events.register(
            "provide-client-params.codedeploy",
            lambda params, model, **_: self.sent.append((model.name, dict(params))),
        )
        self.action = CodeDeployGroupAction(reads=client, acts=client)

    def deploy(self, version="2", **how):
        return self.model.deploy("shop", "live", target_version=version, **how)

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.model.tick()

    def put(self, deployment, status):
        """Whatever the model would make of it: this is about reading."""
        found = self.model._deployments[deployment]
        found.status = status
        if status in ENDED:
            found.completed = self.now
            found.group.line.remove(found)
            self.model._next_in_line(found.group, self.now)
            self.model._reckon()

    def see(self, **about):
        return self.action.observe(GROUP, **about)

    @property
    def calls(self):
        return [name for name, _ in self.sent]


def judged(sight, now, alarm_since_at=START):
    found = on_trial(
        sights=[(GROUP, sight)],
        pointer=None,
        observation=None,
        release=None,
        alarm_since_at=alarm_since_at,
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


FINISHED, FINISHING, BROKEN = (
    Reason.CHANGE_FINISHED.value,
    Reason.CHANGE_FINISHING.value,
    Reason.CHANGE_BROKEN.value,
)
RUNNING = dict.fromkeys(("Created", "Queued", "InProgress", "Baking", "Ready"), "stop")
GOING_BACK = dict.fromkeys(RUNNING, "follow")
# The status of a deployment, and what the responder makes of it a moment and a while later.
PLAIN = {
    **{status: (what, what) for status, what in RUNNING.items()},
    "Succeeded": (FINISHED, FINISHED),
    # It may still name its rollback.
    "Failed": (FINISHING, BROKEN),
    "Stopped": (FINISHING, BROKEN),
}
ROLLBACK = {
    **{status: (what, what) for status, what in GOING_BACK.items()},
    "Succeeded": ("is back", "is back"),
    # A rollback that failed is final: CodeDeploy cannot continue it, so a person is called.
    "Failed": (FINISHING, BROKEN),
    "Stopped": (FINISHING, BROKEN),
}


def plain(world):
    return world.deploy()


def by_creator(creator):
    return lambda world: world.deploy(creator=creator)


def driven(world):
    return world.deploy(creator="CloudFormation", external_id=STACK_ID)


def by_rollback_info(world):
    """A person stopped a deployment, and its rollback is looked at."""
    made = world.deploy()
    world.model.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    world.wait(world.model.stop_seconds)
    return world.model._deployments[made].rollback.id


KINDS = {
    "plain": (plain, PLAIN),
    "made by CodeDeploy for another reason": (by_creator("CodeDeployAutoUpdate"), PLAIN),
    "driven by CloudFormation": (driven, PLAIN),
    "rollback by creator": (by_creator("codeDeployRollback"), ROLLBACK),
    "rollback of CloudFormation": (by_creator("CloudFormationRollback"), ROLLBACK),
    "rollback by rollbackInfo": (by_rollback_info, ROLLBACK),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_responder_does_about_each_status(kind, status):
    make, expected = KINDS[kind]
    world = World()
    world.put(make(world), status)
    sight = world.see()
    at_once, later = expected[status]

    assert judged(sight, world.now) == at_once
    assert judged(sight, world.now + timedelta(minutes=10)) == later
    assert sight.driver == (STACK_ID if kind == "driven by CloudFormation" else None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_that_nobody_knows_is_unknown_and_nothing_is_done(kind):
    world = World()
    made = KINDS[kind][0](world)
    world.put(made, "Pondering")
    sight = world.see()

    assert sight.phase is Phase.UNKNOWN
    assert "Pondering" in sight.status
    assert judged(sight, world.now) == Reason.UNKNOWN_STATUS.value


def test_a_rollback_is_seen_as_the_state_of_what_it_undoes():
    world = World()
    world.wait(60)
    made = world.deploy()
    world.wait(60)
    began_at = world.now - timedelta(seconds=60)
    world.action.stop(GROUP, made, token="t")
    assert (world.see().phase, world.see().change) == (Phase.RUNNING, made)
    world.wait(3)
    going = world.see()
    assert (going.phase, going.change, going.began_at) == (Phase.RETURNING, made, began_at)
    assert going == world.see(about=made)
    world.wait(20)
    back = world.see()
    assert (back.phase, back.change, back.ended_at) == (Phase.RETURNED, made, world.now)


def test_a_rollback_that_failed_says_why():
    world = World()
    world.model.fail_rollbacks("shop", "live")
    made = world.deploy()
    world.action.stop(GROUP, made, token="t")
    world.wait(60)
    broken = world.see()

    assert (broken.phase, broken.change, broken.is_undone) == (Phase.BROKEN, made, True)
    assert broken.detail == ("INTERNAL_ERROR: The traffic could not be shifted back.",)


def test_a_deployment_that_never_started_has_nothing_to_take_back():
    world = World()
    world.model.start_seconds = 60
    made = world.deploy()
    world.action.stop(GROUP, made, token="t")

    assert world.see().phase is Phase.RETURNED


def test_of_several_in_flight_the_one_that_runs_is_seen():
    world = World()
    first = world.deploy()
    for _ in range(40):
        world.deploy("3")

    assert world.see().change == first


def test_a_rollback_that_waits_goes_before_whatever_else_waits():
    """Nothing may be stopped while the rollback has not begun."""
    world = World()
    first, _ = world.deploy(), world.deploy("3")
    world.model.start_seconds = 60
    world.action.stop(GROUP, first, token="t")
    world.wait(10)

    assert (world.see().phase, world.see().change) == (Phase.RETURNING, first)


def two_in_flight(**second):
    """The first waits since the beginning, the second came a minute later and is listed first."""

    def listed(name, answer):
        found = answer()
        if name == "BatchGetDeployments":
            infos = sorted(found["deploymentsInfo"], key=lambda info: info["deploymentId"])
            infos[0] |= {"status": "Created", "createTime": START}
            infos[1] |= {"createTime": START + timedelta(minutes=1)} | second
            found["deploymentsInfo"] = infos[::-1]
        return found

    world = World(listed)
    return world, (world.deploy(), world.deploy("3"))


@pytest.mark.parametrize(
    ("second", "seen"),
    [
        ({"status": "Created"}, 0),
        ({"status": "Queued"}, 0),
        ({"status": "InProgress"}, 1),
        ({"status": "Created", "creator": "CloudFormationRollback"}, 1),
    ],
)
def test_which_of_two_is_seen_does_not_hang_on_the_order_of_the_list(second, seen):
    world, made = two_in_flight(**second)

    assert world.see().change == made[seen]


def test_a_rollback_is_known_by_what_it_undoes_as_well():
    undoes = {"rollbackTriggeringDeploymentId": "d-000000009"}
    world, _ = two_in_flight(status="Queued", rollbackInfo=undoes)
    world.see()

    assert world.sent[-1] == ("GetDeployment", {"deploymentId": "d-000000009"})


def test_what_is_listed_and_gone_a_moment_later_is_no_deployment():
    def gone(name, answer):
        found = answer()
        return found | {"deploymentsInfo": []} if name == "BatchGetDeployments" else found

    world = World(gone)
    world.deploy()

    assert world.see().phase is Phase.SETTLED


def an_info(status="InProgress", **changes):
    """A deployment as CodeDeploy answers it."""
    return {"deploymentId": "d-1", "status": status, "createTime": START} | changes


@pytest.mark.parametrize(
    ("info", "rollback", "stopped"),
    [
        (an_info(), None, False),
        (an_info("Failed"), None, False),
        (an_info("Stopped", startTime=START), None, True),
        (an_info("Failed"), an_info(deploymentId="d-2"), True),
    ],
)
def test_it_was_stopped_where_it_says_so_or_something_undoes_it(info, rollback, stopped):
    assert sight_of(info, rollback).stopped is stopped


def test_only_what_cloudformation_made_is_driven_by_it():
    assert sight_of(an_info(creator="user", externalId=STACK_ID), None).driver is None


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        ({"code": "X", "message": "why"}, ("X: why",)),
        ({"code": "X"}, ("X: ",)),
        ({"message": "why"}, ("an error: why",)),
        ({}, ()),
    ],
)
def test_what_went_wrong_is_told_as_far_as_it_is_said(error, detail):
    assert sight_of(an_info("Failed", errorInformation=error), None).detail == detail


def test_a_change_is_looked_at_when_it_is_no_longer_the_latest():
    world = World()
    first = world.deploy()
    world.action.stop(GROUP, first, token="t")
    world.wait(60)
    second = world.deploy("3")

    assert (world.see().change, world.see().phase) == (second, Phase.RUNNING)
    assert (world.see(about=first).change, world.see(about=first).phase) == (first, Phase.RETURNED)


def test_an_answer_to_a_redeploy_that_names_no_deployment_is_unclear():
    class Empty:
        def create_deployment(self, **_):
            return {}

    action = CodeDeployGroupAction(reads=Empty(), acts=Empty())
    with pytest.raises(ActionUnclear) as caught:
        action.redeploy(GROUP, REDEPLOY)

    what = f"deploying version 1 again through {GROUP.title}"
    assert str(caught.value) == f"{what}: the answer has no 'deploymentId'"


def test_a_group_that_has_never_deployed_is_settled():
    sight = World().see()

    assert sight == Sight(phase=Phase.SETTLED, status="without a deployment")


def test_what_we_deployed_ourselves_is_known_by_its_description():
    world = World()
    world.aliases.point("shop", "live", "2")
    made = world.action.redeploy(GROUP, REDEPLOY)

    assert (world.see().change, world.see().marker) == (made, "inc-7")
    world.wait(10)
    world.deploy(description="rollback-responder claim inc-8, or so it says")
    assert world.see().marker is None


@pytest.mark.parametrize(
    ("revision", "leads_back"),
    [
        ({"string": {"content": '{"CurrentVersion": "10", "TargetVersion": "9"}'}}, True),
        ({"string": {"content": '{"CurrentVersion":"9","TargetVersion":"10"}'}}, False),
        ({"appSpecContent": {"content": "TargetVersion: 1\n  CurrentVersion: '2'"}}, True),
        ({"appSpecContent": {"content": "CurrentVersion: 2\nTargetVersion: 2"}}, False),
        ({"appSpecContent": {"content": "CurrentVersion: 2\nTargetVersion: $LATEST"}}, False),
        # What lies elsewhere is not read.
        ({"s3Location": {"bucket": "b", "key": "k"}}, False),
        ({}, False),
    ],
)
def test_a_deployment_of_an_older_version_leads_back(revision, leads_back):
    def with_revision(name, answer):
        found = answer()
        if name == "GetDeployment":
            found["deploymentInfo"]["revision"] = revision
        return found

    world = World(with_revision)
    deployment = world.deploy()

    assert world.see(about=deployment).leads_back is leads_back


# -- the alias beside it --------------------------------------------------------------------------


def beside(world, *, live_for=timedelta(minutes=1), group=GROUP):
    """What is on trial for an alias at version 2, first seen so long ago."""
    release = a_release(since_at=world.now - live_for)
    found = on_trial(
        sights=[(group, world.see())],
        pointer=TARGET,
        observation=an_observation(),
        release=release,
        alarm_since_at=world.now,
        now=world.now,
        ages=AGES,
    )
    return found.legs[0].how.value if isinstance(found, Trial) else found.reason.value


def shifted(world, minutes_ago):
    """A deployment that put version 2 there ended so long ago."""
    world.deploy()
    world.wait(3600 + 60 * minutes_ago)
    return world


def test_an_alias_beside_a_group_is_moved_only_where_no_deployment_put_it_there():
    never, long_ago = World(), shifted(World(), 61)

    assert beside(never) == "move"
    assert beside(long_ago, live_for=timedelta(minutes=61)) == "move"
    assert beside(long_ago, live_for=timedelta(minutes=1)) == "move"


def test_an_alias_that_a_deployment_put_there_is_never_moved_behind_its_back():
    """When the version was first seen proves nothing: the ledger may hear of it late."""
    world, lately = shifted(World(), 1), shifted(World(), 59)
    redeploys = replace(GROUP, after_success=AfterSuccess.REDEPLOY)

    assert beside(world) == Reason.CHANGE_FINISHED.value
    assert beside(world, live_for=timedelta(minutes=61)) == Reason.CHANGE_FINISHED.value
    assert beside(world, group=redeploys) == "redeploy"
    assert beside(lately) == Reason.CHANGE_FINISHED.value
    assert beside(lately, group=redeploys) == "redeploy"


@pytest.mark.parametrize("status", RUNNING)
def test_an_alias_is_never_moved_while_a_deployment_is_in_flight(status):
    world = World()
    world.put(world.deploy(), status)

    assert beside(world) == "stop"


# -- what is sent ---------------------------------------------------------------------------------


def test_a_stop_always_asks_for_the_rollback_and_for_nothing_else():
    world = World()
    made = world.deploy()
    world.action.stop(GROUP, made, token="anything")

    sent = {"deploymentId": made, "autoRollbackEnabled": True}
    assert world.sent == [("StopDeployment", sent)]
    assert world.model.stops == [(made, True)]


def test_a_redeployment_is_sent_with_the_version_that_the_alias_is_at():
    world = World()
    world.aliases.point("shop", "live", "2")
    world.action.redeploy(GROUP, REDEPLOY)
    ((name, sent),) = world.sent
    spec = json.loads(sent["revision"]["appSpecContent"].pop("content"))
    sent["revision"]["appSpecContent"].pop("sha256")

    assert name == "CreateDeployment"
    assert sent == {
        "applicationName": "shop",
        "deploymentGroupName": "live",
        "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
        "description": "rollback-responder claim inc-7",
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {}},
    }
    assert spec == {
        "version": 0.0,
        "Resources": [
            {
                "shop": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Name": "shop",
                        "Alias": "live",
                        "CurrentVersion": "2",
                        "TargetVersion": "1",
                    },
                }
            }
        ],
    }
    world.wait(1)
    assert world.aliases.version_of("shop", "live") == "1"


def test_a_redeployment_from_another_version_than_the_alias_is_at_moves_nothing():
    world = World()
    world.aliases.point("shop", "live", "3")
    world.action.redeploy(GROUP, REDEPLOY)
    world.wait(60)

    assert world.aliases.version_of("shop", "live") == "3"
    assert world.see().phase is Phase.BROKEN


def test_the_requests_of_a_look_are_narrowed_to_the_group():
    world = World()
    world.deploy()
    world.see()
    names = {"applicationName": "shop", "deploymentGroupName": "live"}

    assert world.calls == ["ListDeployments", "BatchGetDeployments"]
    assert world.sent[0][1].items() >= names.items()
    assert set(world.sent[0][1]["includeOnlyStatuses"]) == set(RUNNING)


def test_no_more_ids_are_asked_for_than_one_call_takes():
    """BatchGetDeployments takes 25 (CodeDeploy API reference)."""
    world = World()
    for _ in range(60):
        world.deploy("3")
    world.sent.clear()
    world.see()
    batches = [sent["deploymentIds"] for name, sent in world.sent if name == "BatchGetDeployments"]

    assert list(map(len, batches)) == [25, 25, 10]
    assert len({one for batch in batches for one in batch}) == 60


def test_an_empty_page_is_not_the_end_of_the_list():
    """A filtered list may come in pages, and a page may be empty."""
    empty = [{"deployments": [], "nextToken": "more"}]

    def first_page_is_empty(name, answer):
        if name == "ListDeployments" and empty:
            return empty.pop() | {"ResponseMetadata": {"HTTPStatusCode": 200}}
        return answer()

    world = World(first_page_is_empty)
    made = world.deploy()
    world.model._tokens["more"] = world.model._tokens.setdefault("more", (None, ""))
    world.model.list_deployments, listed = (
        lambda nextToken=None, **how: listed(**how),
        world.model.list_deployments,
    )

    assert (world.see().change, world.see().phase) == (made, Phase.RUNNING)


def test_a_deployment_of_another_group_is_refused():
    world = World()
    stranger = world.model.deploy("shop", "other", target_version="2")
    with pytest.raises(ActionError, match="not one of shop/live"):
        world.see(about=stranger)


def test_a_failed_rollback_is_never_continued():
    world = World()
    with pytest.raises(ActionDenied, match=r"shop/live cannot be continued \(t\)"):
        world.action.go_on(GROUP, token="t")
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
    "StopDeployment": lambda action: action.stop(GROUP, "d-000000001", token="t"),
    "CreateDeployment": lambda action: action.redeploy(GROUP, REDEPLOY),
}
DOING = {
    "StopDeployment": "stopping deployment d-000000001 of shop/live: ",
    "CreateDeployment": "deploying version 1 again through shop/live: ",
}
MEANS = {
    TargetChanged: {"DeploymentAlreadyCompletedException", "DeploymentLimitExceededException"},
    TargetGone: {
        "DeploymentDoesNotExistException",
        "DeploymentGroupDoesNotExistException",
        "ApplicationDoesNotExistException",
    },
    ActionDenied: {
        "InvalidDeploymentIdException",
        "UnsupportedActionForDeploymentTypeException",
        "InvalidRevisionException",
        "RevisionDoesNotExistException",
        "DeploymentConfigDoesNotExistException",
        "InvalidComputePlatformException",
        "InvalidRoleException",
        "AccessDeniedException",
        "ExpiredTokenException",
    },
    ActionThrottled: {"ThrottlingException", "Throttling", "RequestLimitExceeded"},
}


def refusing(error):
    def refuse(name, answer):
        raise error

    return World(refuse).action


def client_error(code, operation="StopDeployment"):
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
    assert str(raised.value).startswith(DOING[operation])
    assert str(raised.value).endswith(code)
    assert "secret" not in str(raised.value)


def test_every_code_in_the_table_is_tried_above():
    tried = set.union(*MEANS.values())

    assert set(NOT_APPLIED) <= tried
    assert tried <= set(NOT_APPLIED) | set(COMMON)


@pytest.mark.parametrize("operation", ACTS)
@pytest.mark.parametrize(
    "error",
    [*NO_ANSWER, *map(client_error, UNKNOWN_CODES)],
    ids=lambda error: str(error)[:40],
)
def test_any_other_answer_and_none_at_all_is_unclear(operation, error):
    with pytest.raises(ActionUnclear):
        ACTS[operation](refusing(error))


def test_a_stop_has_no_other_modelled_error_than_for_an_id_that_we_always_send():
    modelled = {shape.error_code for shape in MODEL.operation_model("StopDeployment").error_shapes}

    assert modelled - set(NOT_APPLIED) - set(COMMON) == {"DeploymentIdRequiredException"}


def test_the_model_refuses_as_the_table_says():
    world = World()
    made = world.deploy()
    world.wait(3600)
    with pytest.raises(TargetChanged):
        world.action.stop(GROUP, made, token="t")
    with pytest.raises(TargetGone):
        world.action.stop(GROUP, "d-ABCDEFGHI", token="t")
    with pytest.raises(ActionDenied):
        world.action.stop(GROUP, "nonsense", token="t")
    world.model.queues = False
    world.deploy()
    with pytest.raises(TargetChanged):
        world.action.redeploy(GROUP, REDEPLOY)


def test_a_group_that_cloudformation_runs_by_itself_is_denied():
    world = World()
    world.model._groups["shop"]["live"].stoppable = False
    with pytest.raises(ActionDenied):
        world.action.stop(GROUP, world.deploy(), token="t")


@pytest.mark.parametrize(
    "code",
    ["ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException"],
)
def test_what_does_not_exist_is_seen_as_nothing(code):
    assert refusing(client_error(code, "ListDeployments")).observe(GROUP) is None


def test_a_deployment_that_does_not_exist_any_more_is_seen_as_nothing():
    gone = refusing(client_error("DeploymentDoesNotExistException", "GetDeployment"))

    assert gone.observe(GROUP, about="d-000000001") is None


@pytest.mark.parametrize("error", [*NO_ANSWER, client_error("AccessDeniedException")])
@pytest.mark.parametrize("about", [None, "d-000000001"])
def test_what_cannot_be_read_is_an_error_never_an_absence(error, about):
    with pytest.raises(ActionError) as raised:
        refusing(error).observe(GROUP, about=about)

    assert type(raised.value) is ActionError
    assert str(raised.value).startswith("reading shop/live: ")
    assert "secret" not in str(raised.value)
