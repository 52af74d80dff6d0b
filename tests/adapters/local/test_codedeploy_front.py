"""The CodeDeploy front, spoken to by real boto3 clients of both versions that are in use."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import botocore.httpsession
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import emulator
from local.aws_model import codedeploy_front
from local.aws_model.codedeploy import CodeDeploy
from local.aws_model.lambda_aliases import LambdaAliases

START = datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC)
EMULATOR_PYTHON = Path(__file__).parents[3] / ".venv-emulator" / "bin" / "python"
GROUP = {"applicationName": "shop", "deploymentGroupName": "live"}
CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"


class World:
    def __init__(self):
        self.now = START
        self.aliases = LambdaAliases()
        for code in "ab":
            self.aliases.publish("shop", code)
        self.aliases.point("shop", "live", "1")
        self.model = CodeDeploy(clock=lambda: self.now, aliases=self.aliases)
        self.model.add_group("shop", "live", function="shop", alias="live", config=CANARY)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def url(world):
    with codedeploy_front.serve(world.model) as server:
        yield server.url


@pytest.fixture
def client(url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", url)
    made = boto3.client(
        "codedeploy",
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=8),
    )
    yield made
    made.close()


def code_of(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_a_deployment_is_found_stopped_and_followed_to_its_rollback(world, client):
    made = world.model.deploy("shop", "live", target_version="2")
    around = {"start": START, "end": START + timedelta(seconds=1)}
    listed = client.list_deployments(
        **GROUP, includeOnlyStatuses=["InProgress"], createTimeRange=around
    )
    assert listed["deployments"] == [made]
    later = {"start": START + timedelta(seconds=0.25)}
    assert client.list_deployments(**GROUP, createTimeRange=later)["deployments"] == []
    info = client.get_deployment(deploymentId=made)["deploymentInfo"]
    assert (info["createTime"], info["status"]) == (START, "InProgress")
    stop = client.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    assert stop["status"] == "Pending"
    world.now += timedelta(minutes=1)
    info = client.batch_get_deployments(deploymentIds=[made])["deploymentsInfo"][0]
    rollback = info["rollbackInfo"]["rollbackDeploymentId"]
    group = client.get_deployment_group(**GROUP)["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == rollback
    assert (world.aliases.version_of("shop", "live"), world.model.stops) == ("1", [(made, True)])
    with pytest.raises(client.exceptions.DeploymentAlreadyCompletedException, match="terminal"):
        client.stop_deployment(deploymentId=made)


def test_a_deployment_is_made(world, client):
    properties = {"Name": "shop", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    content = json.dumps({"version": 0.0, "Resources": [{"f": {"Properties": properties}}]})
    revision = {"revisionType": "String", "string": {"content": content}}
    made = client.create_deployment(**GROUP, revision=revision, description="ä")["deploymentId"]
    info = client.get_deployment(deploymentId=made)["deploymentInfo"]
    assert (info["description"], info["revision"]) == ("ä", revision)
    assert world.model.creations == [made]


def test_refusals(client):
    assert code_of(client.get_deployment, deploymentId="d-ABCDEFGHI") == (
        "DeploymentDoesNotExistException"
    )
    assert code_of(client.list_applications) == "UnknownOperationException"
    members = {"ignoreApplicationStopFailures": True}
    assert code_of(client.create_deployment, **GROUP, **members) == "InternalFailure"


GOOD = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "CodeDeploy_20141006."}


TARGET, JSON = "CodeDeploy_20141006.", "application/x-amz-json-1.1"
CBOR = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}


def sent(operation="GetDeployment", target=TARGET, kind=JSON):
    return {"X-Amz-Target": target + operation, "Content-Type": kind}


@pytest.mark.parametrize(
    ("path", "headers", "body", "code"),
    [
        ("/", sent(), "[]", "SerializationException"),
        ("/", sent(), "x", "SerializationException"),
        ("/", sent(), "{}", "SerializationException"),
        ("/", sent(), '{"deploymentId": 1}', "SerializationException"),
        ("/", sent(), '{"deploymentID": "d-1"}', "SerializationException"),
        (
            "/",
            sent("ListDeployments"),
            '{"createTimeRange": {"start": "2026-11-22"}}',
            "SerializationException",
        ),
        ("/", sent("GetEverything"), "{}", "UnknownOperationException"),
        ("/x", sent("ListDeployments"), "{}", "UnknownOperationException"),
        ("/", sent("ListDeployments", target="Other."), "{}", "UnknownOperationException"),
        ("/", sent("ListDeployments", kind="text/json"), "{}", "UnknownOperationException"),
        (
            "/service/CodeDeploy_20141006/operation/ListDeployments",
            CBOR,
            "\x7f",
            "UnknownOperationException",
        ),
    ],
)
def test_what_no_client_sends_is_refused(url, path, headers, body, code):
    answer = botocore.httpsession.URLLib3Session().send(
        AWSRequest(method="POST", url=url + path, data=body, headers=headers).prepare()
    )
    assert answer.status_code == 400
    assert json.loads(answer.content)["__type"] == code


def test_many_ask_while_time_moves_and_one_stop_wins(world, client):
    made = world.model.deploy("shop", "live", target_version="2")

    def ask(number):
        with world.model.lock:
            world.now += timedelta(seconds=0.01)
        if number % 4 == 0:
            client.stop_deployment(deploymentId=made, autoRollbackEnabled=number % 8 == 0)
        return client.get_deployment(deploymentId=made)["deploymentInfo"]["deploymentId"]

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert set(pool.map(ask, range(80))) == {made}
    assert len(world.model.stops) == 1


@pytest.mark.e2e
def test_the_emulators_own_sdk(world, url):
    """The functions inside the emulator run on its interpreter, with its SDK."""
    emulator.install(print)
    made = world.model.deploy("shop", "live", target_version="2")
    script = """
import sys, boto3, botocore
client = boto3.client("codedeploy")
print(botocore.__version__)
group = {"applicationName": "shop", "deploymentGroupName": "live"}
print(client.list_deployments(**group, includeOnlyStatuses=["InProgress"])["deployments"])
print(client.get_deployment(deploymentId=sys.argv[1])["deploymentInfo"]["createTime"].isoformat())
print(client.stop_deployment(deploymentId=sys.argv[1], autoRollbackEnabled=True)["status"])
try:
    client.get_deployment(deploymentId="d-ABCDEFGHI")
except client.exceptions.DeploymentDoesNotExistException as error:
    print(error.response["Error"]["Code"])
"""
    environment = {
        "AWS_ACCESS_KEY_ID": "1",
        "AWS_SECRET_ACCESS_KEY": "1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_CODEDEPLOY": url,
        "TZ": "UTC",
    }
    run = subprocess.run(
        [EMULATOR_PYTHON, "-c", script, made],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.stdout.splitlines() == [
        "1.43.106",
        str([made]),
        START.isoformat(),
        "Pending",
        "DeploymentDoesNotExistException",
    ], run.stderr
    assert world.model.stops == [(made, True)]
