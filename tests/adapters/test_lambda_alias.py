"""Moving an alias: what is sent, what each answer means, and whose marker proves what."""

import boto3
import botocore.exceptions
import pytest
import urllib3
from botocore.stub import Stubber

from local.aws_model.clients import lambda_client
from local.aws_model.lambda_aliases import LambdaAliases
from rollback_responder import bootstrap
from rollback_responder.actions.lambda_alias import NOT_APPLIED, LambdaAliasAction
from rollback_responder.actions.refusal import COMMON
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    ActionUnclear,
    TargetChanged,
    TargetGone,
)
from rollback_responder.domain.release import Build
from rollback_responder.ports import Move
from tests.builders import TARGET, an_observation

MOVE = Move(to_version="1", expected_revision="r1", claim_id="inc-7")
SENT = {
    "FunctionName": "shop",
    "Name": "live",
    "FunctionVersion": "1",
    "RoutingConfig": {"AdditionalVersionWeights": {}},
    "RevisionId": "r1",
    "Description": "rollback-responder claim inc-7 to version 1",
}
ANSWER = {"FunctionVersion": "1", "RevisionId": "r2", "Description": SENT["Description"]}


@pytest.fixture
def stub():
    client = boto3.client("lambda", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def action(stub):
    return LambdaAliasAction(reads=stub.client, acts=stub.client)


def test_a_move_always_sends_revision_empty_weights_and_marker(stub):
    stub.add_response("update_alias", ANSWER, SENT)

    assert action(stub).move(TARGET, MOVE) == an_observation("1", None, "r2", "inc-7")


def test_the_description_fits_however_long_the_names_are():
    """UpdateAlias takes 256 characters."""
    claim_id = bootstrap.new_id(bootstrap.utc_now())

    assert len(claim_id) <= 36
    assert len(f"rollback-responder claim {claim_id} to version {'9' * 1}") <= 256


KINDS = {
    TargetGone: ["ResourceNotFoundException"],
    TargetChanged: ["PreconditionFailedException", "ResourceConflictException"],
    ActionDenied: [
        "AccessDeniedException",
        "AccessDenied",
        "ExpiredTokenException",
        "ExpiredToken",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidParameterValueException",
        "ValidationException",
    ],
    ActionThrottled: ["TooManyRequestsException", "ThrottlingException", "Throttling"],
    ActionUnclear: ["ServiceException", "InternalFailure", "ServiceUnavailable", "SomethingNew"],
}


@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, codes in KINDS.items() for code in codes]
)
def test_what_each_answer_to_a_move_means(stub, kind, code):
    stub.add_client_error("update_alias", code, "arn:aws:lambda:secret", expected_params=SENT)
    with pytest.raises(ActionError) as raised:
        action(stub).move(TARGET, MOVE)

    assert type(raised.value) is kind
    assert str(raised.value) == f"moving shop:live to version 1: {code}"


def test_every_code_in_the_table_is_tried_above():
    tried = {code for kind, codes in KINDS.items() if kind is not ActionUnclear for code in codes}

    assert {*NOT_APPLIED, *COMMON} == tried
    assert not {*NOT_APPLIED} & {*COMMON}


ENDPOINT = {"endpoint_url": "https://x"}
UNCLEAR = [
    botocore.exceptions.ConnectionClosedError(**ENDPOINT),
    botocore.exceptions.ReadTimeoutError(**ENDPOINT),
    botocore.exceptions.ConnectTimeoutError(**ENDPOINT),
    botocore.exceptions.EndpointConnectionError(**ENDPOINT),
    botocore.exceptions.HTTPClientError(error="x"),
    botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    botocore.exceptions.NoCredentialsError(),
]


@pytest.mark.parametrize("error", UNCLEAR, ids=lambda error: type(error).__name__)
def test_no_answer_to_a_move_is_unclear(error):
    def interrupted(operation, answer):
        raise error

    client = lambda_client(LambdaAliases(), interrupted)
    with pytest.raises(ActionUnclear, match=type(error).__name__):
        LambdaAliasAction(reads=client, acts=client).move(TARGET, MOVE)


def test_an_answer_to_a_move_that_says_nothing_is_unclear():
    class Empty:
        def update_alias(self, **_):
            return {}

    with pytest.raises(ActionUnclear, match="the answer has no 'FunctionVersion'"):
        LambdaAliasAction(reads=Empty(), acts=Empty()).move(TARGET, MOVE)


def test_moves_are_made_once_by_the_client_that_bootstrap_makes(monkeypatch):
    calls = []

    def refused(*_, **__):
        calls.append(1)
        raise urllib3.exceptions.ReadTimeoutError(None, "https://x", "late")

    monkeypatch.setattr("urllib3.HTTPConnectionPool.urlopen", refused)
    monkeypatch.setattr("time.sleep", lambda _: None)
    for limits, expected in ((bootstrap.ONCE, 1), (bootstrap.READS, 2)):
        client = bootstrap.clients()("lambda", limits)
        calls.clear()
        with pytest.raises(botocore.exceptions.ReadTimeoutError):
            client.get_alias(FunctionName="shop", Name="live")
        assert len(calls) == expected


# -- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ({}, an_observation("2")),
        ({"Description": "production"}, an_observation("2")),
        (
            {"Description": "rollback-responder claim inc-7 to version 2"},
            an_observation("2", marker="inc-7"),
        ),
        # The description outlives the next deploy: it proves nothing about another version.
        ({"Description": "rollback-responder claim inc-7 to version 1"}, an_observation("2")),
        ({"Description": "rollback-responder claim inc-7 to version 22"}, an_observation("2")),
        ({"RoutingConfig": {}}, an_observation("2")),
        ({"RoutingConfig": {"AdditionalVersionWeights": {}}}, an_observation("2")),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}}, an_observation("2", "3")),
        (
            {
                "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}},
                "Description": "rollback-responder claim inc-7 to version 2",
            },
            an_observation("2", "3"),
        ),
    ],
)
def test_what_is_seen_of_an_alias(stub, answer, seen):
    shown = {"FunctionVersion": "2", "RevisionId": "r1"} | answer
    stub.add_response("get_alias", shown, {"FunctionName": "shop", "Name": "live"})

    assert action(stub).observe(TARGET) == seen


def test_what_does_not_exist_is_seen_as_nothing(stub):
    stub.add_client_error("get_alias", "ResourceNotFoundException")
    stub.add_client_error("get_function_configuration", "ResourceNotFoundException")

    assert action(stub).observe(TARGET) is None
    assert action(stub).build(TARGET, "1") is None


@pytest.mark.parametrize(
    ("description", "about"), [("build 811", "build 811"), ("", None)], ids=["said", "unsaid"]
)
def test_a_version_is_its_code_and_what_its_publisher_wrote(stub, description, about):
    stub.add_response(
        "get_function_configuration",
        {"CodeSha256": "abc=", "Description": description},
        {"FunctionName": "shop", "Qualifier": "1"},
    )
    assert action(stub).build(TARGET, "1") == Build(code_sha256="abc=", about=about)


@pytest.mark.parametrize("code", ["AccessDeniedException", "TooManyRequestsException", "Odd"])
def test_what_cannot_be_read_is_an_error_never_an_absence(stub, code):
    for operation in ("get_alias", "get_function_configuration"):
        stub.add_client_error(operation, code, "arn:secret")
    for look in (
        lambda: action(stub).observe(TARGET),
        lambda: action(stub).build(TARGET, "1"),
    ):
        with pytest.raises(ActionError, match=code) as raised:
            look()
        assert "secret" not in str(raised.value)
        assert not isinstance(raised.value, ActionUnclear)


def test_a_canarys_weights_are_cleared_in_the_model():
    model = LambdaAliases()
    for code in ("a", "b"):
        model.publish("shop", code)
    model.point("shop", "live", "1", {"2": 0.1})
    client = lambda_client(model)
    moving = LambdaAliasAction(reads=client, acts=client)
    before = moving.observe(TARGET)
    move = Move(to_version="1", expected_revision=before.revision, claim_id="inc-7")
    after = moving.move(TARGET, move)

    assert (before.other, after.other, after.marker) == ("2", None, "inc-7")
    with pytest.raises(TargetChanged):
        moving.move(TARGET, move)
