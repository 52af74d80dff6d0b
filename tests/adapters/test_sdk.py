"""The SDK as the functions use it: our data where it will do, few roots where they will."""

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionClosedError, SSLError, UnknownServiceError
from botocore.httpsession import DEFAULT_CA_BUNDLE
from botocore.loaders import Loader
from botocore.model import ServiceModel

from infra import sdk_data
from local import certificate
from rollback_responder import bootstrap, lean_client, sdk
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.bootstrap.secret import reading
from rollback_responder.domain.errors import NotificationError
from rollback_responder.lean_client import Roots
from rollback_responder.notifiers.slack import parse_secret

CONFIGS = {"reads": bootstrap.READS, "acts": bootstrap.ONCE}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdk")
    sdk_data.write(folder)
    return folder


@pytest.fixture(autouse=True)
def lambda_environment(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


# -- the data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", sdk_data.OPERATIONS)
def test_the_reduced_data_says_the_same_of_what_is_called(data, service):
    lean, whole = Loader([str(data)], include_default_search_paths=False), Loader()
    mine, its = (
        ServiceModel(loader.load_service_model(service, "service-2"), service)
        for loader in (lean, whole)
    )

    assert set(mine.operation_names) == sdk_data.OPERATIONS[service]
    assert mine.resolved_protocol == its.resolved_protocol
    for name in sdk_data.OPERATIONS[service]:
        ours, theirs = mine.operation_model(name), its.operation_model(name)
        assert ours.http == theirs.http
        assert [shape.name for shape in ours.error_shapes] == [s.name for s in theirs.error_shapes]
        assert members(ours.input_shape) == members(theirs.input_shape)
        assert members(ours.output_shape) == members(theirs.output_shape)


def members(shape):
    return list(getattr(shape, "members", ()))


def test_nothing_else_is_read(data):
    with pytest.raises(UnknownServiceError):
        bootstrap.clients(data)("s3", bootstrap.READS)


def test_without_our_data_it_reads_its_own(tmp_path):
    client = bootstrap.clients(tmp_path / "none")("lambda", bootstrap.READS)

    assert callable(client.list_versions_by_function)


def test_a_bundle_without_one_of_the_roots_is_an_error():
    with pytest.raises(ValueError, match="no 'Amazon Root CA 1'"):
        sdk_data._roots("# Label: another\n")


def test_the_roots_are_amazons(data):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(data / lean_client.ROOTS)
    found = context.get_ca_certs()
    subjects = [dict(pair for (pair,) in each["subject"]) for each in found]

    assert sorted(subject["commonName"] for subject in subjects) == sorted(sdk_data.ROOTS)
    assert {s["organizationName"] for s in subjects} == {"Amazon", "Starfield Technologies, Inc."}
    assert all(each["issuer"] == each["subject"] for each in found)


@pytest.mark.parametrize("said", [1764403200, 1764403200.0, "2025-11-29T08:00:00Z"])
def test_every_instant_is_in_utc(said):
    assert sdk.utc(said) == datetime(2025, 11, 29, 8, 0, tzinfo=UTC)
    assert sdk.utc(said).utcoffset() == timedelta(0)


# -- the roots ------------------------------------------------------------------------------------


def a_certificate(folder, name, **of):
    return certificate.write(folder, name, datetime.now(UTC), **of)


@contextmanager
def aws_with(pem, private):
    """A server that refuses everything, behind that certificate; yields its address and calls."""
    calls = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            calls.append(self.headers["X-Amz-Target"])
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"__type":"ThrottlingException"}'
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()


def stopped(data, url, monkeypatch, kind):
    """What came of a call that acts, or of one that reads."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    return refusal_of(bootstrap.clients(data)("codedeploy", CONFIGS[kind]))


def refusal_of(client):
    try:
        client.stop_deployment(deploymentId="d-1")
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    return None


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_certificate_of_another_root_is_trusted_where_the_sdk_trusts_it(
    data, tmp_path, monkeypatch, kind, caplog
):
    """The handshake failed before anything was sent, so it was no attempt."""
    pem, private = a_certificate(tmp_path, "another")
    every = tmp_path / "every.pem"
    every.write_bytes(Path(DEFAULT_CA_BUNDLE).read_bytes() + pem.read_bytes())
    monkeypatch.setattr(lean_client, "where", lambda: str(every))
    with aws_with(pem, private) as (url, calls):
        error = stopped(data, url, monkeypatch, kind)

    assert name_of(error) == "ThrottlingException"
    assert len(calls) == CONFIGS[kind].attempts
    assert "none of Amazon's roots signed it" in caplog.text


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_certificate_of_no_known_root_is_refused(data, tmp_path, monkeypatch, kind):
    pem, private = a_certificate(tmp_path, "nobody")
    with aws_with(pem, private) as (url, calls):
        error = stopped(data, url, monkeypatch, kind)

    assert isinstance(error, SSLError)
    assert calls == []


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_certificate_of_one_of_the_few_roots_needs_no_more(data, tmp_path, monkeypatch, kind):
    pem, private = a_certificate(tmp_path, "amazon")
    mine = tmp_path / "mine"
    sdk_data.write(mine)
    (mine / lean_client.ROOTS).write_bytes(pem.read_bytes())
    monkeypatch.setattr(lean_client, "where", lambda: pytest.fail("the whole bundle was read"))
    with aws_with(pem, private) as (url, _):
        assert name_of(stopped(mine, url, monkeypatch, kind)) == "ThrottlingException"


def test_a_broken_connection_is_no_reason_to_trust_more_or_to_send_again(data):
    """It may have been sent: `bad record mac` comes in the middle of a connection."""
    roots = Roots(data / lean_client.ROOTS)
    broken = SSLError(endpoint_url="https://x", error="[SSL: DECRYPTION_FAILED] bad record mac")

    assert not roots.widen(broken)
    assert len(roots.context.get_ca_certs()) == len(sdk_data.ROOTS)


def test_a_certificate_of_another_host_is_no_reason_to_trust_more(data, tmp_path, monkeypatch):
    """Its root is known: another one would not mend it."""
    pem, private = a_certificate(tmp_path, "another", address="127.0.0.2")
    mine = tmp_path / "mine"
    sdk_data.write(mine)
    (mine / lean_client.ROOTS).write_bytes(pem.read_bytes())
    monkeypatch.setattr(lean_client, "where", lambda: pytest.fail("the whole bundle was read"))
    with aws_with(pem, private) as (url, calls):
        error = stopped(mine, url, monkeypatch, "acts")

    assert isinstance(error, SSLError)
    assert calls == []


def test_nobody_widens_what_a_person_trusts(tmp_path, monkeypatch):
    chosen, _ = a_certificate(tmp_path, "chosen")
    pem, private = a_certificate(tmp_path, "another")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(chosen))
    monkeypatch.setattr(lean_client, "where", lambda: pytest.fail("the whole bundle was read"))
    with aws_with(pem, private) as (url, calls):
        error = stopped(tmp_path / "no data", url, monkeypatch, "acts")

    assert isinstance(error, SSLError)
    assert calls == []


def test_calls_that_fail_together_are_each_sent_again_by_the_wider_roots(
    data, tmp_path, monkeypatch
):
    """The first to fail widens them; the others failed by the few as well."""
    pem, private = a_certificate(tmp_path, "another")
    every = tmp_path / "every.pem"
    every.write_bytes(Path(DEFAULT_CA_BUNDLE).read_bytes() + pem.read_bytes())
    reads = []
    monkeypatch.setattr(lean_client, "where", lambda: reads.append(1) or str(every))
    with aws_with(pem, private) as (url, calls):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        client = bootstrap.clients(data)("codedeploy", bootstrap.ONCE)
        # All load the few before any of them has failed.
        together, send = threading.Barrier(3), client._over_the_wire
        failed = []

        def waiting(request):
            try:
                return send(request)
            except SSLError:
                failed.append(request)
                together.wait(10)
                raise

        client._over_the_wire = waiting
        with ThreadPoolExecutor(3) as pool:
            errors = list(pool.map(lambda _: refusal_of(client), range(3)))

    assert [name_of(error) for error in errors] == ["ThrottlingException"] * 3
    assert (len(failed), len(calls), len(reads)) == (3, 3, 1)


# -- half an answer -------------------------------------------------------------------------------


@contextmanager
def aws_that_says(monkeypatch, body, content_type, *, longer=0, calls=None):
    """A server that answers everything with that, and says that it is `longer`; yields nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body) + longer))
            self.end_headers()
            self.wfile.write(body)
            if calls is not None:
                calls.append(self.path)

        do_GET = do_PUT = do_POST  # noqa: N815 - the base class looks for these names

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


ASKED = {
    "lambda": ("get_alias", {"FunctionName": "shop", "Name": "live"}),
    "dynamodb": ("get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}),
    "cloudwatch": ("list_alarm_mute_rules", {}),
    "codedeploy": ("stop_deployment", {"deploymentId": "d-1"}),
    "cloudformation": ("describe_stacks", {"StackName": "shop"}),
    "iam": (
        "simulate_principal_policy",
        {"PolicySourceArn": "arn:aws:iam::1:role/respond", "ActionNames": ["lambda:GetAlias"]},
    ),
    "sqs": ("send_message", {"QueueUrl": "http://sqs/q", "MessageBody": "m"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "s"}),
}


def test_the_list_of_services_is_whole():
    assert set(ASKED) == set(sdk_data.OPERATIONS)


@pytest.mark.parametrize("body", [b"", b"{", b"<", b'{"FunctionVersion": "1'])
@pytest.mark.parametrize("service", ASKED)
def test_half_an_answer_is_an_error_of_aws(monkeypatch, data, service, body):
    """Else an alarm that is muted passes for one that is not, and a move for nothing at all."""
    name, asked = ASKED[service]
    with aws_that_says(monkeypatch, body, "application/json"):
        client = bootstrap.clients(data)(service, bootstrap.ONCE)
        with pytest.raises(AwsError) as caught:
            getattr(client, name)(**asked)

    assert name_of(caught.value) == "ResponseParserError"


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_answer_that_ends_before_its_length_is_a_broken_connection(monkeypatch, data, kind):
    """Where the SDK makes of it whatever it can."""
    calls = []
    with aws_that_says(monkeypatch, b"{}", "application/json", longer=1, calls=calls):
        client = bootstrap.clients(data)("lambda", CONFIGS[kind])
        with pytest.raises(ConnectionClosedError):
            client.get_alias(FunctionName="f", Name="n")

    assert len(calls) == CONFIGS[kind].attempts


def test_an_answer_that_says_nothing_is_none(monkeypatch, data):
    with aws_that_says(monkeypatch, b"{}", "application/x-amz-json-1.0"):
        client = bootstrap.clients(data)("dynamodb", bootstrap.ONCE)
        assert "Item" not in client.get_item(**ASKED["dynamodb"][1])


@pytest.mark.parametrize("body", [b"{", b'{"ARN": "a", "SecretBinary": "AA=="}'])
def test_a_secret_that_cannot_be_read_is_a_message_that_is_told_later(monkeypatch, data, body):
    with aws_that_says(monkeypatch, body, "application/x-amz-json-1.1"):
        read = reading("arn", bootstrap.clients(data))
        with pytest.raises(NotificationError) as caught:
            parse_secret(read())

    assert caught.value.retryable
