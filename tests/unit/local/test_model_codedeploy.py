"""CodeDeploy's model: through a real SDK client, by stories and by random ones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Thread

import botocore.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws_model.clients import codedeploy_client
from local.aws_model.codedeploy import ENDED, IN_FLIGHT, CodeDeploy, canary, linear
from local.aws_model.errors import ModelError
from local.aws_model.lambda_aliases import LambdaAliases

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
LINEAR = "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"
AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"
GROUP = {"applicationName": "shop", "deploymentGroupName": "live"}


class World:
    """One function with three versions, alias at the first; one group; time in the hand."""

    def __init__(self, config=CANARY, **group):
        self.now = START
        self.aliases = LambdaAliases()
        for code in "abc":
            self.aliases.publish("shop", code)
        self.aliases.point("shop", "live", "1")
        self.model = CodeDeploy(clock=lambda: self.now, aliases=self.aliases)
        self.model.add_group("shop", "live", function="shop", alias="live", config=config, **group)
        self.client = codedeploy_client(self.model)

    def deploy(self, version="2", **how):
        return self.model.deploy("shop", "live", target_version=version, **how)

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.model.tick()

    def info(self, deployment):
        return self.client.get_deployment(deploymentId=deployment)["deploymentInfo"]

    def status(self, deployment):
        return self.info(deployment)["status"]

    def stop(self, deployment, **how):
        return self.client.stop_deployment(deploymentId=deployment, **how)["status"]

    def listed(self, **how):
        return self.client.list_deployments(**(how or GROUP))["deployments"]

    @property
    def alias(self):
        weights = self.aliases.weights_of("shop", "live")
        return self.aliases.version_of("shop", "live"), dict(weights)


def code_of(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


# -- a shift ------------------------------------------------------------------------------------


def test_a_canary_gives_the_new_version_a_weight_and_then_everything():
    world = World()
    made = world.deploy()
    assert (world.status(made), world.alias) == ("InProgress", ("1", {"2": 0.1}))
    world.wait(299)
    assert (world.status(made), world.alias) == ("InProgress", ("1", {"2": 0.1}))
    world.wait(1)
    assert (world.status(made), world.alias) == ("Succeeded", ("2", {}))
    info = world.info(made)
    assert info["completeTime"] - info["startTime"] == timedelta(minutes=5)
    assert world.aliases.moves == []


def test_linear_shifts_in_ten_equal_steps():
    world = World(LINEAR)
    world.deploy()
    seen = [world.alias]
    for _ in range(9):
        world.wait(60)
        seen.append(world.alias)
    assert seen == [*(("1", {"2": tenths / 10}) for tenths in range(1, 10)), ("2", {})]


def test_all_at_once_is_over_at_once():
    world = World(AT_ONCE)
    made = world.deploy()
    assert (world.status(made), world.alias) == ("Succeeded", ("2", {}))


def test_the_names_of_the_predefined_configurations():
    """CodeDeploy guide, predefined deployment configurations for Lambda."""
    world = World()
    names = [
        AT_ONCE,
        *(f"CodeDeployDefault.LambdaCanary10Percent{m}Minutes" for m in (5, 10, 15, 30)),
        LINEAR,
        *(f"CodeDeployDefault.LambdaLinear10PercentEvery{m}Minutes" for m in (2, 3, 10)),
    ]
    assert set(world.model._configs) == set(names)


@given(percent=st.integers(1, 100), seconds=st.integers(0, 600))
def test_every_configuration_goes_up_and_ends_with_everything(percent, seconds):
    every = timedelta(seconds=seconds)
    for steps in (linear(percent, every), canary(percent, every)):
        shares = [share for _, share in steps]
        assert shares[-1] == 1.0
        assert steps[0][0] == timedelta(0)
        assert all(a < b for a, b in pairwise(shares)) or percent == 100


def test_created_hooks_and_baking_take_their_time():
    world = World(AT_ONCE, before_seconds=10, after_seconds=20, bake_seconds=30)
    world.model.start_seconds = 5
    made = world.deploy()
    seen = [(world.status(made), world.alias[0])]
    for seconds in (5, 10, 20, 30):
        world.wait(seconds)
        seen.append((world.status(made), world.alias[0]))
    assert seen == [
        ("Created", "1"),
        ("InProgress", "1"),
        ("InProgress", "2"),
        ("Baking", "2"),
        ("Succeeded", "2"),
    ]


def test_one_at_a_time_and_the_next_starts_when_the_first_is_over():
    world = World()
    first, second = world.deploy("2"), world.deploy("3")
    assert [world.status(one) for one in (first, second)] == ["InProgress", "Queued"]
    world.wait(300)
    # Its AppSpec was written while the alias was at version 1.
    assert world.info(second)["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert (world.status(second), world.alias) == ("Failed", ("2", {}))


def test_where_nothing_queues_a_second_one_is_refused():
    world = World()
    world.model.queues = False
    world.deploy()
    answer = code_of(world.client.create_deployment, **GROUP, revision=revision())
    assert answer == "DeploymentLimitExceededException"
    with pytest.raises(ModelError):
        world.deploy("3")


@pytest.mark.parametrize(
    "move",
    [
        lambda aliases: aliases.point("shop", "live", "3"),
        lambda aliases: aliases.point("shop", "live", "1", {"3": 0.5}),
        lambda aliases: aliases.delete_alias("shop", "live"),
    ],
    ids=["version", "weights", "gone"],
)
@pytest.mark.parametrize("when", ["before it starts", "during the shift"])
def test_an_alias_that_is_elsewhere_fails_the_deployment(move, when):
    world = World()
    world.model.start_seconds = 5 if when == "before it starts" else 0
    made = world.deploy()
    move(world.aliases)
    left = world.aliases._aliases.copy()
    world.wait(1000)
    assert world.status(made) == "Failed"
    assert world.info(made)["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert world.aliases._aliases == left


def test_the_knob_by_which_a_shift_overwrites_what_others_did():
    world = World()
    world.model.overwrites_outside_moves = True
    made = world.deploy()
    world.aliases.point("shop", "live", "1")
    world.wait(300)
    assert (world.status(made), world.alias) == ("Succeeded", ("2", {}))


def test_a_version_that_does_not_exist():
    world = World()
    made = world.deploy("9")
    assert world.info(made)["errorInformation"]["code"] == "INVALID_LAMBDA_FUNCTION"


# -- a stop -------------------------------------------------------------------------------------


def test_a_stop_with_rollback_is_a_deployment_of_its_own():
    world = World()
    made = world.deploy()
    world.wait(60)
    assert world.stop(made, autoRollbackEnabled=True) == "Pending"
    assert (world.status(made), world.alias) == ("InProgress", ("1", {"2": 0.1}))
    assert world.model.stops == [(made, True)]
    world.wait(3)
    stopped = world.info(made)
    assert stopped["rollbackInfo"]["rollbackMessage"] == "The rollback is in progress."
    assert stopped["errorInformation"]["code"] == "MANUAL_STOP"
    rollback = world.info(stopped["rollbackInfo"]["rollbackDeploymentId"])
    assert (stopped["status"], rollback["status"]) == ("Stopped", "InProgress")
    assert stopped["completeTime"] == rollback["createTime"] == world.now
    assert rollback["creator"] == "codeDeployRollback"
    assert rollback["rollbackInfo"] == {"rollbackTriggeringDeploymentId": made}
    assert world.alias == ("1", {"2": 0.1})
    world.wait(20)
    assert world.status(rollback["deploymentId"]) == "Succeeded"
    assert world.alias == ("1", {})
    assert world.listed() == [rollback["deploymentId"], made]
    told = world.info(made)["rollbackInfo"]["rollbackMessage"]
    assert told == "The rollback is over: Succeeded."
    assert world.aliases.moves == []


def test_a_stop_without_rollback_leaves_the_alias_where_it_is():
    world = World()
    made = world.deploy()
    world.stop(made, autoRollbackEnabled=False)
    world.wait(1000)
    assert "rollbackInfo" not in world.info(made)
    assert (world.status(made), world.alias) == ("Stopped", ("1", {"2": 0.1}))
    assert world.listed() == [made]


@pytest.mark.parametrize("events", [[], ["DEPLOYMENT_STOP_ON_REQUEST"]])
def test_a_stop_that_does_not_say_obeys_the_group(events):
    world = World(auto_rollback_events=events)
    made = world.deploy()
    world.stop(made)
    world.wait(100)
    assert world.model.stops == [(made, bool(events))]
    assert len(world.listed()) == 1 + bool(events)


def test_a_second_stop_changes_nothing():
    world = World()
    made = world.deploy()
    world.stop(made, autoRollbackEnabled=True)
    world.wait(2)
    assert world.stop(made, autoRollbackEnabled=False) == "Pending"
    world.wait(1)
    assert world.status(made) == "Stopped"
    assert world.model.stops == [(made, True)]
    assert "rollbackDeploymentId" in world.info(made)["rollbackInfo"]


@pytest.mark.parametrize("end", ["Succeeded", "Failed", "Stopped"])
def test_what_is_over_cannot_be_stopped(end):
    world = World()
    made = world.deploy()
    if end == "Failed":
        world.model.fail(made)
    if end == "Stopped":
        world.model.alarm(made)
    world.wait(300)
    assert world.status(made) == end
    with pytest.raises(world.client.exceptions.DeploymentAlreadyCompletedException):
        world.stop(made, autoRollbackEnabled=True)
    assert world.model.stops == []


def test_no_traffic_moves_while_a_stop_is_pending():
    world = World()
    world.model.stop_seconds = 30
    made = world.deploy()
    world.wait(290)
    world.stop(made, autoRollbackEnabled=True)
    world.wait(29)
    assert (world.status(made), world.alias) == ("InProgress", ("1", {"2": 0.1}))
    world.wait(1)
    assert world.status(made) == "Stopped"


def test_the_knob_by_which_a_stop_is_lost():
    world = World()
    world.model.loses_stops = True
    made = world.deploy()
    assert world.stop(made, autoRollbackEnabled=True) == "Pending"
    assert world.stop(made, autoRollbackEnabled=True) == "Pending"
    world.wait(300)
    assert (world.status(made), world.alias) == ("Succeeded", ("2", {}))
    assert world.model.stops == [(made, True)]


@pytest.mark.parametrize("rolls_back", [False, True])
def test_what_has_not_started_is_stopped_at_once(rolls_back):
    world = World()
    world.model.rolls_back_unstarted = rolls_back
    world.model.start_seconds = 5
    created, queued = world.deploy(), world.deploy()
    assert [world.status(one) for one in (created, queued)] == ["Created", "Queued"]
    assert world.stop(queued, autoRollbackEnabled=True) == "Succeeded"
    assert world.stop(created, autoRollbackEnabled=True) == "Succeeded"
    assert [world.status(one) for one in (created, queued)] == ["Stopped", "Stopped"]
    world.wait(1000)
    assert world.alias == ("1", {})
    assert len(world.listed()) == (4 if rolls_back else 2)


def test_a_rollback_goes_before_what_is_queued():
    world = World()
    first, second = world.deploy(), world.deploy("3")
    world.stop(first, autoRollbackEnabled=True)
    world.wait(3)
    rollback = world.info(first)["rollbackInfo"]["rollbackDeploymentId"]
    assert [world.status(one) for one in (rollback, second)] == ["InProgress", "Queued"]
    world.wait(20)
    assert [world.status(one) for one in (rollback, second)] == ["Succeeded", "InProgress"]
    assert world.alias == ("1", {"3": 0.1})


def test_a_rollback_may_fail_and_may_itself_be_stopped():
    world = World()
    world.model.fail_rollbacks("shop", "live")
    made = world.deploy()
    world.stop(made, autoRollbackEnabled=True)
    world.wait(100)
    rollback = world.info(world.info(made)["rollbackInfo"]["rollbackDeploymentId"])
    assert rollback["status"] == "Failed"
    assert rollback["errorInformation"]["code"] == "INTERNAL_ERROR"
    assert world.alias == ("1", {"2": 0.1})

    world = World()
    made = world.deploy()
    world.stop(made, autoRollbackEnabled=True)
    world.wait(4)
    rollback = world.info(made)["rollbackInfo"]["rollbackDeploymentId"]
    world.stop(rollback, autoRollbackEnabled=True)
    world.wait(100)
    assert world.status(rollback) == "Stopped"
    assert world.listed() == [rollback, made]


def test_a_rollback_to_a_deleted_version_fails():
    world = World(AT_ONCE, after_seconds=60)
    made = world.deploy()
    world.aliases.delete_version("shop", "1")
    world.stop(made, autoRollbackEnabled=True)
    world.wait(100)
    rollback = world.info(world.info(made)["rollbackInfo"]["rollbackDeploymentId"])
    assert rollback["errorInformation"]["code"] == "INVALID_LAMBDA_FUNCTION"
    assert world.alias == ("2", {})


@pytest.mark.parametrize("cause", ["fail", "alarm", "outside"])
def test_codedeploy_rolls_back_by_itself_where_the_group_says_so(cause):
    world = World(auto_rollback_events=["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"])
    made = world.deploy()
    if cause == "outside":
        world.aliases.point("shop", "live", "3")
        world.wait(300)
    else:
        getattr(world.model, cause)(made)
    assert world.status(made) == ("Stopped" if cause == "alarm" else "Failed")
    assert (
        world.info(made)["errorInformation"]["code"]
        == {
            "fail": "HOOK_EXECUTION_FAILURE",
            "alarm": "ALARM_ACTIVE",
            "outside": "INVALID_LAMBDA_CONFIGURATION",
        }[cause]
    )
    world.wait(20)
    assert world.alias == ("1", {})
    assert world.model.stops == []


def test_what_cannot_be_stopped():
    world = World()
    world.model.add_group(
        "shop",
        "blue",
        function="-",
        alias="-",
        compute_platform="ECS",
        stoppable=False,
        after_seconds=60,
    )
    made = world.model.deploy("shop", "blue", target_version="-", creator="CloudFormation")
    assert world.info(made)["computePlatform"] == "ECS"
    with pytest.raises(world.client.exceptions.UnsupportedActionForDeploymentTypeException):
        world.stop(made, autoRollbackEnabled=True)
    world.wait(60)
    assert world.status(made) == "Succeeded"


def test_ready_holds_until_somebody_lets_it_go_on_or_stops_it():
    world = World()
    made = world.deploy()
    world.wait(100)
    world.model.ready(made)
    world.wait(10_000)
    assert (world.status(made), world.alias) == ("Ready", ("1", {"2": 0.1}))
    assert world.listed(**GROUP, includeOnlyStatuses=["Ready"]) == [made]
    world.model.go_on(made)
    world.wait(199)
    assert world.status(made) == "InProgress"
    world.wait(1)
    assert world.status(made) == "Succeeded"
    again = world.deploy("3")
    world.model.ready(again)
    world.stop(again, autoRollbackEnabled=True)
    world.wait(3)
    assert world.status(again) == "Stopped"
    for wrong in (world.model.go_on, world.model.ready, world.model.fail):
        with pytest.raises(ValueError, match="Stopped"):
            wrong(again)


CALLS = {
    "list_deployments": lambda _: {**GROUP, "includeOnlyStatuses": ["Stopped"]},
    "get_deployment": lambda made: {"deploymentId": made},
    "batch_get_deployments": lambda made: {"deploymentIds": [made]},
    "get_deployment_group": lambda _: GROUP,
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_first_goes_to_where_the_clock_is(call):
    world = World()
    made = world.deploy()
    world.stop(made, autoRollbackEnabled=False)
    world.now += timedelta(seconds=3)
    answer = getattr(world.model, call)(**CALLS[call](made))
    assert made in str(answer)
    assert call == "list_deployments" or "Stopped" in str(answer)


def test_a_stop_and_a_creation_also_first_go_to_where_the_clock_is():
    world = World()
    made = world.deploy()
    world.now += timedelta(minutes=5)
    assert code_of(world.client.stop_deployment, deploymentId=made) == (
        "DeploymentAlreadyCompletedException"
    )
    made = world.deploy("3")
    world.now += timedelta(minutes=5)
    answer = world.client.create_deployment(**GROUP, revision=revision("3", "1"))
    assert world.status(answer["deploymentId"]) == "InProgress"
    with pytest.raises(ModelError, match="LambdaSlowly"):
        world.model.add_group("shop", "b", function="-", alias="-", config="LambdaSlowly")


# -- what is asked ------------------------------------------------------------------------------


def revision(current="1", target="2", kind="String", **changed):
    names = {"Name": "shop", "Alias": "live", "CurrentVersion": current, "TargetVersion": target}
    properties = str({**names, **changed}).replace("'", '"')
    content = '{"version": 0.0, "Resources": [{"f": {"Properties": ' + properties + "}}]}"
    member = {"String": "string", "AppSpecContent": "appSpecContent"}[kind]
    return {"revisionType": kind, member: {"content": content}}


@pytest.mark.parametrize("kind", ["String", "AppSpecContent"])
def test_a_deployment_through_the_api(kind):
    world = World()
    answer = world.client.create_deployment(
        **GROUP,
        revision=revision(kind=kind),
        deploymentConfigName=LINEAR,
        description="by hand",
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    )
    made = answer["deploymentId"]
    info = world.info(made)
    assert world.model.creations == [made]
    assert (info["creator"], info["status"], info["description"]) == (
        "user",
        "InProgress",
        "by hand",
    )
    assert info["revision"] == revision(kind=kind)
    assert info["autoRollbackConfiguration"]["events"] == ["DEPLOYMENT_FAILURE"]
    assert world.alias == ("1", {"2": 0.1})


def test_a_revision_that_cannot_be_read_is_refused():
    world = World()
    create = world.client.create_deployment
    bad = [
        {"revisionType": "S3"},
        {"revisionType": "String", "string": {"content": "version: 0.0"}},
        {"revisionType": "String", "appSpecContent": {"content": "{}"}},
        {"revisionType": "String", "string": {"content": '{"Resources": []}'}},
        revision(Alias=""),
        revision(TargetVersion=2),
    ]
    for one in bad:
        assert code_of(create, **GROUP, revision=one) == "InvalidRevisionException"
    assert code_of(create, **GROUP) == "RevisionRequiredException"
    missing = {"deploymentConfigName": "CodeDeployDefault.LambdaSlowly"}
    answer = code_of(create, **GROUP, revision=revision(), **missing)
    assert answer == "DeploymentConfigDoesNotExistException"
    assert world.model.creations == []
    assert world.listed() == []


def test_errors_of_ids_and_names():
    world = World()
    client = world.client
    made = world.deploy()
    for call in (client.get_deployment, client.stop_deployment):
        assert code_of(call, deploymentId="d-ABCDEFGH1") == "DeploymentDoesNotExistException"
        assert code_of(call, deploymentId="nonsense") == "InvalidDeploymentIdException"
    batch = client.batch_get_deployments
    assert code_of(batch, deploymentIds=[]) == "DeploymentIdRequiredException"
    assert code_of(batch, deploymentIds=[made, "x"]) == "InvalidDeploymentIdException"
    assert code_of(batch, deploymentIds=[made] * 26) == "BatchLimitExceededException"
    assert len(batch(deploymentIds=[made] * 25)["deploymentsInfo"]) == 25
    found = batch(deploymentIds=["d-ABCDEFGH1", made])["deploymentsInfo"]
    assert [one["deploymentId"] for one in found] == [made]
    other_app = {**GROUP, "applicationName": "x"}
    other_group = {**GROUP, "deploymentGroupName": "x"}
    for call in (client.list_deployments, client.get_deployment_group):
        assert code_of(call, **other_app) == "ApplicationDoesNotExistException"
        assert code_of(call, **other_group) == "DeploymentGroupDoesNotExistException"
    listing = client.list_deployments
    assert code_of(listing, applicationName="shop") == "DeploymentGroupNameRequiredException"
    assert code_of(listing, deploymentGroupName="live") == "ApplicationNameRequiredException"
    unknown = {"includeOnlyStatuses": ["IN_PROGRESS"]}
    assert code_of(listing, **GROUP, **unknown) == "InvalidDeploymentStatusException"
    backwards = {"createTimeRange": {"start": START, "end": START - timedelta(seconds=1)}}
    assert code_of(listing, **GROUP, **backwards) == "InvalidTimeRangeException"
    assert code_of(listing, **GROUP, nextToken="page-1") == "InvalidNextTokenException"


def test_a_deleted_group_fails_what_was_in_flight():
    world = World()
    first, second = world.deploy(), world.deploy()
    world.model.delete_group("shop", "live")
    for one in (first, second):
        assert world.info(one)["errorInformation"]["code"] == "DEPLOYMENT_GROUP_MISSING"
        stop = world.client.stop_deployment
        assert code_of(stop, deploymentId=one) == "DeploymentGroupDoesNotExistException"
    listing = world.client.list_deployments
    assert code_of(listing, **GROUP) == "DeploymentGroupDoesNotExistException"
    world.wait(1000)
    assert world.alias == ("1", {"2": 0.1})


def test_the_group_knows_its_last_attempt_and_its_last_success():
    world = World()
    asked = world.client.get_deployment_group
    info = asked(**GROUP)["deploymentGroupInfo"]
    assert not {"lastAttemptedDeployment", "lastSuccessfulDeployment"} & set(info)
    first = world.deploy()
    info = asked(**GROUP)["deploymentGroupInfo"]
    assert info["lastAttemptedDeployment"] == {
        "deploymentId": first,
        "status": "InProgress",
        "createTime": START,
    }
    world.wait(300)
    second = world.deploy("3")
    world.model.fail(second)
    info = asked(**GROUP)["deploymentGroupInfo"]
    assert info["lastAttemptedDeployment"]["deploymentId"] == second
    assert info["lastSuccessfulDeployment"] == {
        "deploymentId": first,
        "status": "Succeeded",
        "createTime": START,
        "endTime": world.now,
    }
    assert info["computePlatform"] == "Lambda"


def test_listing_by_stack_by_time_and_by_status():
    world = World()
    first = world.deploy(creator="CloudFormation", external_id="arn:stack")
    world.wait(400)
    second = world.deploy("3")
    everything = world.client.list_deployments
    assert world.listed(externalId="arn:stack") == [first]
    assert everything()["deployments"] == [second, first]
    since = {"start": START + timedelta(seconds=1)}
    assert world.listed(**GROUP, createTimeRange=since) == [second]
    assert world.listed(**GROUP, createTimeRange={"end": START}) == [first]
    assert world.listed(**GROUP, createTimeRange={"start": START, "end": START}) == [first]
    assert world.listed(**GROUP, includeOnlyStatuses=["Succeeded"]) == [first]
    assert world.listed(**GROUP, includeOnlyStatuses=["Succeeded", "InProgress"]) == [second, first]
    assert world.info(first)["creator"] == "CloudFormation"


def test_pages_follow_each_other_also_when_something_is_added():
    world = World(AT_ONCE)
    world.model.page_size = 2
    made = [world.deploy("2" if number % 2 else "1") for number in range(5)]
    pages = world.client.get_paginator("list_deployments").paginate(**GROUP)
    seen = []
    for number, page in enumerate(pages):
        seen += page["deployments"]
        assert len(page["deployments"]) <= 2
        if number == 0:
            world.deploy()
    assert seen == made[::-1]
    token = world.client.list_deployments(**GROUP)["nextToken"]
    other = {"includeOnlyStatuses": ["Succeeded"], "nextToken": token}
    assert code_of(world.client.list_deployments, **GROUP, **other) == "InvalidNextTokenException"


# -- the client in between ----------------------------------------------------------------------


def test_an_answer_that_the_service_model_does_not_have_is_an_error():
    class Wrong(CodeDeploy):
        def get_deployment(self, *, deploymentId):
            return {"deploymentInfo": {"deploymentID": deploymentId}}

        def stop_deployment(self, **_):
            raise ModelError("ResourceNotFoundException", "an error of another service")

        def batch_get_deployments(self, **_):
            raise ModelError("ThrottlingException", "any operation may answer it")

    client = codedeploy_client(Wrong(clock=lambda: START, aliases=LambdaAliases()))
    with pytest.raises(TypeError, match="deploymentID"):
        client.get_deployment(deploymentId="d-000000001")
    with pytest.raises(TypeError, match="ResourceNotFoundException"):
        client.stop_deployment(deploymentId="d-000000001")
    assert code_of(client.batch_get_deployments, deploymentIds=["x"]) == "ThrottlingException"
    with pytest.raises(NotImplementedError, match="ListApplications"):
        client.list_applications()
    with pytest.raises(botocore.exceptions.ParamValidationError):
        client.stop_deployment(deploymentId="d-000000001", force=True)


def test_a_fault_comes_instead_of_an_answer_or_after_it():
    world = World()
    seen = []

    def lost(operation, answer):
        seen.append((operation, answer()["ResponseMetadata"]["HTTPStatusCode"]))
        raise botocore.exceptions.ReadTimeoutError(endpoint_url="https://x")

    client = codedeploy_client(world.model, lost)
    made = world.deploy()
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        client.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    assert world.model.stops == [(made, True)]
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        client.get_deployment(deploymentId="nonsense")
    assert seen == [("StopDeployment", 200), ("GetDeployment", 400)]


def test_threads_may_share_a_client():
    world = World(AT_ONCE)
    made = [world.deploy("2" if number % 2 else "1") for number in range(8)]
    wrong = []

    def ask(deployment):
        answers = [world.info(deployment)["deploymentId"] for _ in range(50)]
        wrong.extend(set(answers) - {deployment})

    threads = [Thread(target=ask, args=(one,)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- random stories -----------------------------------------------------------------------------

ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 400)),
    st.tuples(st.just("deploy"), st.sampled_from(["1", "2", "3", "9"])),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("move"), st.sampled_from(["1", "2"])),
    st.tuples(st.sampled_from(["fail", "alarm", "ready", "go_on"]), st.just(0)),
)
KNOBS = st.fixed_dictionaries(
    {
        "start_seconds": st.sampled_from([0.0, 2.0]),
        "stop_seconds": st.sampled_from([0.0, 3.0]),
        "rollback_seconds": st.sampled_from([0.0, 20.0]),
        "rolls_back_unstarted": st.booleans(),
        "overwrites_outside_moves": st.booleans(),
        "loses_stops": st.booleans(),
    }
)


def play(actions, knobs, config, ticks):
    """One story; what the model was asked to tell of it at its end."""
    world = World(config, auto_rollback_events=["DEPLOYMENT_STOP_ON_ALARM"], bake_seconds=7)
    vars(world.model).update(knobs)
    ended = {}
    for what, value in actions:
        live = world.model.list_deployments(**GROUP, includeOnlyStatuses=sorted(IN_FLIGHT))
        if what == "wait":
            for _ in range(ticks):
                world.wait(value / ticks)
        elif what == "deploy":
            world.deploy(value)
        elif what == "move":
            world.aliases.point("shop", "live", value)
        elif live["deployments"]:
            one = live["deployments"][-1]
            status = world.model.status_of(one)
            if what == "stop":
                world.model.stop_deployment(deploymentId=one, autoRollbackEnabled=value)
            elif what in {"fail", "alarm"} or status == {"ready": "InProgress"}.get(what, "Ready"):
                getattr(world.model, what)(one)
        check(world, ended)
    infos = [world.info(one) for one in world.listed()]
    return infos, world.alias, world.model.stops


def check(world, ended):
    """What holds at every moment."""
    world.model.tick()
    infos = {one["deploymentId"]: one for one in map(world.info, world.listed())}
    running = [one for one in infos.values() if one["status"] in IN_FLIGHT - {"Queued"}]
    waiting = [one for one in infos.values() if one["status"] == "Queued"]
    assert len(running) <= 1
    assert running or not waiting
    for name, info in infos.items():
        over = info["status"] in ENDED
        assert over == ("completeTime" in info)
        assert ended.setdefault(name, info["status"]) == info["status"] if over else True
        assert ("errorInformation" in info) == (info["status"] in {"Failed", "Stopped"})
        rollback = info.get("rollbackInfo", {}).get("rollbackDeploymentId")
        if rollback:
            back = infos[rollback]
            assert back["creator"] == "codeDeployRollback"
            assert back["rollbackInfo"] == {"rollbackTriggeringDeploymentId": name}
            assert back["createTime"] == info["completeTime"]
    unfinished = world.listed(**GROUP, includeOnlyStatuses=sorted(IN_FLIGHT))
    assert unfinished == [name for name in infos if infos[name]["status"] in IN_FLIGHT]
    stopped = [name for name, _ in world.model.stops]
    assert len(stopped) == len(set(stopped))


@given(
    actions=st.lists(ACTIONS, max_size=15),
    knobs=KNOBS,
    config=st.sampled_from([CANARY, LINEAR, AT_ONCE]),
)
def test_stories_hold_together_and_do_not_depend_on_how_often_one_looks(actions, knobs, config):
    assert play(actions, knobs, config, 1) == play(actions, knobs, config, 8)
