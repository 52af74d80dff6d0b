"""A `LeanClient` and botocore's own client: they send the same, and make the same of answers."""

import copy
import io
import itertools
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.sax.saxutils import escape
from zlib import crc32

import botocore.auth
import pytest
import urllib3
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ProxyConnectionError,
)
from botocore.parsers import ResponseParserError
from botocore.retries import quota, standard
from urllib3.exceptions import (
    ConnectTimeoutError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from infra import sdk_data
from rollback_responder import bootstrap, lean_client, sdk
from rollback_responder.bootstrap import people

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
EVERY = [
    (service, name) for service, names in sdk_data.OPERATIONS.items() for name in sorted(names)
]
ONE_OF_EACH = sorted(dict(EVERY).items())
# What botocore's client adds about itself and its attempts.
ABOUT_ITSELF = {"User-Agent", "amz-sdk-invocation-id", "amz-sdk-request", "Authorization", "Host"}
# The last is left to the connection there.


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdk")
    sdk_data.write(folder)
    return folder


@pytest.fixture(autouse=True)
def still(monkeypatch):
    """Nothing passes, and nothing is drawn at random."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))


class Request(NamedTuple):
    """What is handed to a connection."""

    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str | bytes]
    proxy: tuple[str, str, Mapping[str, str]] | None
    # How long is waited for a connection and for an answer, how the socket is set, whether the
    # connection itself sends it again.
    waits: tuple[float, float]
    options: list[tuple[int, int, int]]
    repeats: int | bool | None


class Wire:
    """Stands for the connections of both: keeps what is sent, and answers it."""

    def __init__(self, monkeypatch):
        self.sent, self.waits, self.says = [], [], itertools.repeat((200, {}, b"{}"))
        wire = self

        def urlopen(pool, method, url, body=None, headers=None, **more):
            port = f":{pool.port}" if pool.port not in {80, 443} else ""
            whole = url if "://" in url else f"{pool.scheme}://{pool.host}{port}{url}"
            proxy = pool.proxy and (pool.proxy.scheme, pool.proxy.netloc, pool.proxy_headers)
            waits = pool.timeout.connect_timeout, pool.timeout.read_timeout
            options, repeats = pool.conn_kw["socket_options"], more["retries"].total
            wire.sent.append(Request(method, whole, body, headers, proxy, waits, options, repeats))
            said = next(wire.says)
            if isinstance(said, Exception):
                raise said
            status, told, content = said
            return urllib3.HTTPResponse(
                io.BytesIO(content), told, status, preload_content=more.get("preload_content", True)
            )

        monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", urlopen)
        monkeypatch.setattr("time.sleep", self.waits.append)
        # One client makes more calls here than botocore has them repeated.
        monkeypatch.setattr(quota.RetryQuota, "acquire", lambda *_: True)

    def clear(self):
        self.sent, self.waits = [], []


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


def theirs(service, limits=bootstrap.ONCE):
    """botocore's own client of its whole data, told what `bootstrap` tells a person's."""
    import botocore.session  # noqa: PLC0415 - the one place that makes another client

    session = botocore.session.Session()
    sdk.tell_utc(session)
    sdk.refuse_half_answers(session)
    config = people._config(limits).merge(Config(parameter_validation=False))
    return session.create_client(service, config=config)


def ours(data, service, limits=bootstrap.ONCE):
    return bootstrap.clients(data)(service, limits)


# -- what is sent ---------------------------------------------------------------------------------


def sample(shape, depth=3):
    """Some value of a shape, with every member; recursive ones end somewhere."""
    match shape.type_name:
        case "structure":
            members = shape.members.items() if depth else ()
            return {name: sample(member, depth - 1) for name, member in members}
        case "list":
            return [sample(shape.member, depth - 1)] if depth else []
        case "map":
            return {"ä key": sample(shape.value, depth - 1)} if depth else {}
        case "string":
            return shape.enum[0] if shape.enum else "a b/ü+%"
        case "timestamp":
            return NOW
        case "blob":
            return b"\x00bytes"
        case "boolean":
            return True
        case "integer" | "long":
            return 7
        case "float" | "double":
            return 7.5
    raise AssertionError(shape.type_name)


def call(client, name, arguments):
    return getattr(client, botocore.xform_name(name))(**arguments)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def told(request):
    headers = {k: text(v) for k, v in request.headers.items() if k not in ABOUT_ITSELF}
    signed = text(request.headers["Authorization"]).partition("Credential=")[2]
    return request._replace(
        body=text(request.body), headers=headers | {"signed": signed.partition(",")[0]}
    )


def sent_by(wire, clients, name, arguments):
    """What each of them sends; nothing comes of it."""
    wire.says = itertools.repeat((400, {}, b"{}"))
    for client in clients:
        with pytest.raises((ClientError, ResponseParserError)):
            call(client, name, arguments)
    return wire.sent


def signed_by_botocore(request, its):
    """What botocore's own signer makes of the same headers and body."""
    headers = {k: text(v) for k, v in request.headers.items() if k != "Authorization"}
    again = AWSRequest(request.method, request.url, headers, request.body or b"")
    region, service = text(its.headers["Authorization"]).split("/")[2:4]
    credentials = lean_client.Credentials("AKIATEST", "secret", "token")
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(again)
    return again.headers["Authorization"]


@pytest.mark.parametrize("whole", [True, False], ids=["every argument", "what must be"])
@pytest.mark.parametrize(("service", "name"), EVERY)
def test_they_send_the_same(data, wire, service, name, whole):
    its = theirs(service)
    shape = its.meta.service_model.operation_model(name).input_shape
    arguments = sample(shape)
    if not whole:
        arguments = {
            key: value for key, value in arguments.items() if key in shape.required_members
        }
    of_theirs, of_ours = sent_by(wire, (its, ours(data, service)), name, arguments)
    assert told(of_ours) == told(of_theirs)
    assert text(of_ours.headers["User-Agent"]) == lean_client.AGENT
    assert text(of_ours.headers["Host"]) == urlsplit(of_theirs.url).netloc
    assert text(of_ours.headers["Authorization"]) == signed_by_botocore(of_ours, of_theirs)


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_REGION": "us-east-1"},
        {"AWS_REGION": "cn-north-1"},
        {"AWS_REGION": "us-gov-west-1"},
        {"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "True"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_REGION": "us-east-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://vpce.example.com"},
        {"HTTPS_PROXY": "http://proxy.example.com:3128"},
        {"HTTPS_PROXY": "http://me:word@proxy.example.com:3128"},
        {"HTTPS_PROXY": "proxy.example.com:3128", "AWS_REGION": "us-east-1"},
        {"HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": ".amazonaws.com"},
        {"HTTP_PROXY": "http://proxy.example.com:3128", "AWS_ENDPOINT_URL": "http://aws.test/a"},
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", ONE_OF_EACH, ids=lambda each: each[0])
def test_they_send_it_to_the_same_place(data, wire, monkeypatch, operation, environment):
    service, name = operation
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", environment.get("AWS_REGION", "eu-central-1"))
    its = theirs(service)
    arguments = sample(its.meta.service_model.operation_model(name).input_shape)
    of_theirs, of_ours = sent_by(wire, (its, ours(data, service)), name, arguments)
    assert told(of_ours) == told(of_theirs)


def test_lambda_sees_its_own_functions_wake_one_another(data, wire, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "watch")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988;Parent=53995c3f;Sampled=1;Lineage=a:5")
    for client in (theirs("sqs"), ours(data, "sqs")):
        client.send_message(QueueUrl="http://q", MessageBody="m")

    of_theirs, of_ours = wire.sent
    key = "X-Amzn-Trace-Id"
    assert text(of_ours.headers[key]) == text(of_theirs.headers[key])


def test_without_a_region_or_credentials_it_says_so(data, wire, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(BotoCoreError, match="Unable to locate credentials"):
        ours(data, "lambda").get_alias(FunctionName="shop", Name="live")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(BotoCoreError, match="You must specify a region"):
        ours(data, "lambda")
    assert wire.sent == []


def test_a_copy_of_a_client_is_one(data):
    assert copy.copy(ours(data, "lambda")).get_alias


def test_what_is_not_called_is_not_there(data):
    with pytest.raises(AttributeError, match="has no operation 'delete_alias'"):
        ours(data, "lambda").delete_alias()


# -- what comes back ------------------------------------------------------------------------------


def as_json(shape, value):
    match shape.type_name:
        case "structure":
            return {
                shape.members[k].serialization.get("name", k): as_json(shape.members[k], v)
                for k, v in value.items()
            }
        case "list":
            return [as_json(shape.member, each) for each in value]
        case "map":
            return {key: as_json(shape.value, each) for key, each in value.items()}
        case "timestamp":
            return value.timestamp()
        case "blob":
            return "AGJ5dGVz"
    return value


def as_xml(shape, value):
    match shape.type_name:
        case "structure":
            return "".join(
                f"<{name}>{as_xml(shape.members[name], each)}</{name}>"
                for name, each in value.items()
            )
        case "list":
            return "".join(f"<member>{as_xml(shape.member, each)}</member>" for each in value)
        case "map":
            return "".join(
                f"<entry><key>{key}</key><value>{as_xml(shape.value, each)}</value></entry>"
                for key, each in value.items()
            )
        case "timestamp":
            return value.isoformat()
        case "boolean":
            return str(value).lower()
    return escape(str(value))


def answers(model, name):
    """What that operation may answer: all that its shape has, and each of its errors."""
    operation, xml = model.operation_model(name), model.resolved_protocol == "query"
    shape = operation.output_shape
    if xml:
        inside = as_xml(shape, sample(shape)) if shape else ""
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        inside = f"<{wrapper}>{inside}</{wrapper}>" if wrapper else inside
        ids = "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
        yield 200, {}, f"<{name}Response>{inside}{ids}</{name}Response>".encode()
    else:
        whole = json.dumps(as_json(shape, sample(shape))).encode()
        yield 200, {"x-amzn-RequestId": "r"}, whole
        for cut, told in ((0, 0), (0, 1), (1, 0)):
            sum_of = str(crc32(whole) + told)
            yield 200, {"x-amz-crc32": sum_of}, whole[: len(whole) - cut]
            yield 400, {"x-amz-crc32": sum_of}, whole[: len(whole) - cut]
    codes = ["Throttling", "AccessDenied", "Unheard"]
    codes += [
        error.metadata.get("error", {}).get("code", error.name) for error in operation.error_shapes
    ]
    for code, status in itertools.product(codes, (400, 429, 503)):
        body = {"__type": f"x#{code}", "message": "no", "Message": "No", "Item": {"a": {"S": "b"}}}
        written = json.dumps(body).encode()
        if xml:
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
            written = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()
        headers = {"x-amzn-errortype": code, "x-amzn-query-error": f"Old{code};Sender"}
        yield status, headers, written
        yield status, headers | {"x-amz-crc32": str(crc32(written))}, written
    broken = (
        *(b"", b"<html>down</html>", b"{", b"null", b"[]", b'{"__type": []}', b'{"__type": {}}'),
        b"<ErrorResponse><Error/></ErrorResponse>",
        b"<ErrorResponse><Error><Code>a</Code><Code>b</Code></Error></ErrorResponse>",
    )
    yield from ((status, {}, body) for status in (200, 302, 403, 500) for body in broken)


def came_of(client, name, arguments):
    """What a call returns or raises, without what says how often it was sent."""
    try:
        found = call(client, name, arguments)
    except ClientError as error:
        found, kind = error.response, "ClientError"
    except (BotoCoreError, ResponseParserError) as error:
        return type(error).__name__
    except Exception:  # noqa: BLE001 - whatever it is
        # What its parser stumbles over, where ours says what it is.
        assert not isinstance(client, lean_client.LeanClient)
        return "ResponseParserError"
    else:
        kind = "answer"
    metadata = dict(found["ResponseMetadata"])
    metadata.pop("RetryAttempts", None)
    metadata.pop("MaxAttemptsReached", None)
    return kind, found | {"ResponseMetadata": metadata}


@pytest.mark.parametrize("limits", [bootstrap.READS, bootstrap.ONCE], ids=["reads", "acts"])
@pytest.mark.parametrize(("service", "name"), EVERY)
def test_they_make_the_same_of_an_answer_and_send_it_as_often(data, wire, service, name, limits):
    its, mine = theirs(service, limits), ours(data, service, limits)
    model = its.meta.service_model
    arguments = sample(model.operation_model(name).input_shape)
    for said in answers(model, name):
        seen = []
        for client in (its, mine):
            wire.clear()
            wire.says = itertools.repeat(said)
            seen.append((came_of(client, name, arguments), len(wire.sent)))
        of_theirs, of_ours = seen
        assert of_ours == of_theirs, said


LOST = {
    "ReadTimeoutError": ReadTimeoutError(None, "https://x", "late"),
    "ConnectTimeoutError": ConnectTimeoutError("late"),
    "ConnectionClosedError": ProtocolError("reset"),
    "EndpointConnectionError": NewConnectionError(None, "refused"),
    "SSLError": SSLError("bad record mac"),
    "ProxyConnectionError": ProxyError("refused", OSError()),
    "HTTPClientError": OSError("odd"),
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("limits", [bootstrap.READS, bootstrap.ONCE], ids=["reads", "acts"])
def test_what_gets_no_answer_is_sent_as_often(data, wire, limits, lost):
    seen = []
    for client in (theirs("lambda", limits), ours(data, "lambda", limits)):
        wire.clear()
        wire.says = itertools.repeat(LOST[lost])
        seen.append(
            (came_of(client, "GetAlias", {"FunctionName": "f", "Name": "n"}), len(wire.sent))
        )

    of_theirs, of_ours = seen
    assert of_ours == of_theirs == (lost, limits.attempts)


def test_a_lost_proxy_is_named_without_its_password(data, wire, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:word@proxy.example.com:3128")
    wire.says = itertools.repeat(LOST["ProxyConnectionError"])
    said = []
    for client in (theirs("lambda"), ours(data, "lambda")):
        with pytest.raises(ProxyConnectionError) as caught:
            client.get_alias(FunctionName="f", Name="n")
        said.append(str(caught.value))

    of_theirs, of_ours = said
    assert of_ours == of_theirs
    assert "proxy.example.com" in of_ours
    assert "word" not in of_ours


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTPS_PROXY": "http://proxy:port"},
        {"HTTPS_PROXY": "http://me:wörd@proxy.example.com"},
        {"AWS_ENDPOINT_URL": "ftp://aws.test"},
    ],
    ids=str,
)
def test_an_address_that_is_none_is_an_error_of_aws(data, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(HTTPClientError):
        ours(data, "lambda")


def test_the_second_attempt_is_the_first_one_again(data, wire):
    wire.says = iter([LOST["ReadTimeoutError"], (200, {}, b"{}")])
    ours(data, "dynamodb", bootstrap.READS).transact_write_items(TransactItems=[])

    first, second = wire.sent
    assert first.body == second.body
    assert b'"ClientRequestToken"' in first.body


@pytest.mark.parametrize("service", ["cloudwatch", "dynamodb"])
@pytest.mark.parametrize("code", ["ThrottlingException", "Unheard"])
def test_between_two_attempts_it_waits_as_the_sdk_does(data, wire, monkeypatch, service, code):
    """At most that long: how long of it is drawn."""
    longest = standard.ExponentialBackoff._get_base_scale
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", longest)
    name = {"cloudwatch": "DescribeAlarms", "dynamodb": "Query"}[service]
    wire.says = itertools.repeat((503, {}, json.dumps({"__type": code}).encode()))
    for client in (theirs(service, bootstrap.READS), ours(data, service, bootstrap.READS)):
        with pytest.raises(ClientError):
            call(client, name, {})

    of_theirs, of_ours = wire.waits
    assert of_ours == of_theirs


def test_people_and_functions_have_one_name_in_cloudtrail(wire):
    theirs("lambda").get_alias(FunctionName="f", Name="n")

    assert lean_client.AGENT in wire.sent[0].headers["User-Agent"].decode()
