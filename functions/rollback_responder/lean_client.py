"""Calls of AWS by botocore's own parts, its serializer, signer and parser, over urllib3 as it does.

Its client is left out. Around these parts that puts a hundred modules, for which each cold start
pays, and some twenty hooks, for which each call pays, on behalf of services and settings that are
not ours (bench/hot_path/README.md has the figures). What botocore promises to keep is the client
and not the parts, so the botocore that they were proved with is shipped with the code, and a
contract test holds that either sends the same, and makes the same of an answer.
"""

import logging
import os
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit
from zlib import crc32

import urllib3
from botocore import exceptions as botocore_exceptions
from botocore import xform_name
from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import prepare_request_dict
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import ClientError, NoRegionError
from botocore.httpsession import ProxyConfiguration, mask_proxy_url, where
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import PROTOCOL_PARSERS, ResponseParserError
from botocore.serialize import create_serializer
from botocore.utils import ensure_boolean, get_environ_proxies
from urllib3 import exceptions as urllib3_exceptions
from urllib3.util import Url

from rollback_responder import sdk

logger = logging.getLogger(__name__)

# CloudTrail names who moved an alias.
AGENT = "rollback-responder"
# Shipped beside the package by infra/package.py; not there on a person's own machine.
DATA = Path(__file__).resolve().parent.parent / "sdk"
ROOTS = "roots.pem"
# That nobody who is trusted has signed it: unlike a wrong name or a date that is over, another root
# may mend it (OpenSSL, X509_STORE_CTX_get_error).
NOT_SIGNED = {2, 18, 19, 20, 21}
# A request goes out in two pieces; without this the second waits for the first to be confirmed.
AT_ONCE = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
# As many as the SDK's client keeps open.
CONNECTIONS = 10
NO_RETRY = urllib3.Retry(total=False)
# What the SDK calls what a connection raises; whatever else that may be is an `HTTPClientError`.
LOST = {
    urllib3_exceptions.SSLError: botocore_exceptions.SSLError,
    urllib3_exceptions.NewConnectionError: botocore_exceptions.EndpointConnectionError,
    urllib3_exceptions.ProxyError: botocore_exceptions.ProxyConnectionError,
    urllib3_exceptions.ConnectTimeoutError: botocore_exceptions.ConnectTimeoutError,
    urllib3_exceptions.ReadTimeoutError: botocore_exceptions.ReadTimeoutError,
    urllib3_exceptions.ProtocolError: botocore_exceptions.ConnectionClosedError,
}


class Limits(NamedTuple):
    """How long a call may take, in seconds, and how often it is sent at most."""

    connect: float
    read: float
    attempts: int


class Credentials(NamedTuple):
    """What Lambda gives a function in its environment, and what a request is signed with."""

    access_key: str
    secret_key: str
    token: str | None


class Signer(SigV4Auth):
    """Signs as the SDK does, the headers in plain dictionaries: its own are those of e-mails.

    Source: IAM user guide, "Create a signed AWS API request".
    """

    def headers_to_sign(self, request: Any) -> Any:
        """The signed headers by their small names, values as they are signed."""
        return {
            name.lower(): " ".join(value.split())
            for name, value in request.headers.items()
            if name.lower() not in SIGNED_HEADERS_BLACKLIST
        }

    def canonical_headers(self, headers_to_sign: Any) -> str:
        """One in each line."""
        return "\n".join(f"{name}:{headers_to_sign[name]}" for name in sorted(headers_to_sign))

    def signed_headers(self, headers_to_sign: Any) -> str:
        """Their names."""
        return ";".join(sorted(headers_to_sign))


class Answer(NamedTuple):
    """What came back, by the names that botocore's parts ask for."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class _Shared(ssl.SSLContext):
    """One for all threads: what urllib3 sets anew for each connection stays as it is set first.

    A context must not be changed while another thread begins a connection (OpenSSL, SSL_CTX_new).
    """

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Stays at HTTP/1.1."""


class Roots:
    """The certificates that are trusted: AWS's own roots, and all of the SDK's once it must be.

    All connections share one context, so a file is read once: 126 roots take twenty times as long
    as five. AWS's endpoints have certificates of Amazon Trust Services, whose roots these are
    (amazontrust.com/repository). Where these are a person's own choice, nothing `widens` them.
    """

    def __init__(self, file: Path, *, widens: bool = True) -> None:
        self.context = _Shared(ssl.PROTOCOL_TLS_CLIENT)
        ssl.SSLContext.set_alpn_protocols(self.context, ["http/1.1"])
        self.context.load_verify_locations(file)
        self._widens, self._are_all = widens, False
        self._lock = threading.Lock()

    def widen(self, error: botocore_exceptions.SSLError) -> bool:
        """Trusts all of the SDK's, if none of these few signed; whether it may be tried again."""
        (why,) = getattr(error.kwargs["error"], "args", ())[:1] or (None,)
        if not self._widens or getattr(why, "verify_code", None) not in NOT_SIGNED:
            return False
        with self._lock:
            if not self._are_all:
                logger.warning("none of Amazon's roots signed it, so all are trusted: %s", error)
                self.context.load_verify_locations(where())
                self._are_all = True
        return True


class LeanClient:
    """One service: `client.get_alias(FunctionName=...)`, as botocore's client has it.

    Raises, as that does:
        ClientError: AWS refused; BotoCoreError: no answer came, or nobody knows the region or the
        credentials; ResponseParserError: the answer is none.
    """

    def __init__(
        self,
        service: str,
        limits: Limits,
        *,
        loader: Loader,
        roots: Roots,
        environment: Mapping[str, str],
    ) -> None:
        self._limits, self._roots = limits, roots
        self._model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        protocol = self._model.resolved_protocol
        self._serializer = create_serializer(protocol, include_validation=False)
        parser: Any = PROTOCOL_PARSERS[protocol]
        self._parser = parser(timestamp_parser=sdk.utc)
        self._url, self._signer = _place(self._model, loader, environment)
        self._host = urlsplit(self._url).netloc
        self._connections, self._before_path = _connections(self._url, limits, roots)
        self._names = {xform_name(name): name for name in self._model.operation_names}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"this service has no operation {name!r}")
        call = partial(self._call, self._model.operation_model(self._names[name]))
        # The next time it is found without coming here.
        setattr(self, name, call)
        return call

    def _call(self, operation: OperationModel, **arguments: Any) -> Any:
        # The same at every attempt, so that AWS knows the second for the first.
        arguments |= {n: str(uuid.uuid4()) for n in operation.idempotent_members - arguments.keys()}
        attempt = 1
        while True:
            answer = None
            try:
                answer = self._send(operation, arguments)
            except (
                botocore_exceptions.ConnectionError,
                botocore_exceptions.HTTPClientError,
            ) as caught:
                error: Exception = caught
            else:
                if attempt == self._limits.attempts or not _is_damaged(operation, answer):
                    parsed = self._parsed(operation, operation.output_shape, answer)
                    if answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
                        sdk.check_document(answer, parsed, operation)
                        return parsed
                    error = ClientError(self._told(operation, answer, parsed), operation.name)
                else:
                    error = ResponseParserError(f"{operation.name}: the answer is damaged")
            if attempt == self._limits.attempts:
                raise error
            seconds = _seconds_until_next(operation, attempt, answer, error)
            if seconds is None:
                raise error
            time.sleep(seconds)
            attempt += 1

    def _told(self, operation: OperationModel, answer: Answer, parsed: Any) -> Any:
        """What an error says, also beside its code and text: the row that failed a condition."""
        model: Any = operation.service_model
        try:
            shape = model.shape_for_error_code(parsed.get("Error", {}).get("Code"))
        except (AttributeError, TypeError):
            # No such error is AWS's.
            raise ResponseParserError(f"{operation.name}: the error is no such error") from None
        return parsed if shape is None else parsed | self._parsed(operation, shape, answer)

    def _send(self, operation: OperationModel, arguments: dict[str, Any]) -> Answer:
        asked: Any = self._serializer.serialize_to_request(arguments, operation)
        headers = asked["headers"]
        # Lambda counts by it how often its functions wake one another (Lambda developer guide,
        # "Use Lambda recursive loop detection").
        if trace := os.environ.get("_X_AMZN_TRACE_ID"):
            headers["X-Amzn-Trace-Id"] = quote(trace, safe="-=;:+&[]{}\"',")
        headers["Host"] = self._host
        prepare_request_dict(asked, self._url, user_agent=AGENT)
        body = asked["body"]
        if isinstance(body, dict):
            body = urlencode(body)
        if isinstance(body, str):
            body = body.encode()
        if asked["method"] != "GET":
            headers["Content-Length"] = str(len(body))
        ready: Any = SimpleNamespace(
            method=asked["method"],
            url=asked["url"],
            headers=headers,
            body=body,
            context={},
            params=None,
        )
        self._signer.add_auth(ready)
        try:
            return self._over_the_wire(ready)
        except botocore_exceptions.SSLError as error:
            if not self._roots.widen(error):
                raise
            # The handshake failed, so it was not sent.
            return self._over_the_wire(ready)

    def _over_the_wire(self, ready: Any) -> Answer:
        try:
            answer = self._connections.urlopen(
                ready.method,
                ready.url.removeprefix(self._before_path) or "/",
                body=ready.body or None,
                headers=ready.headers,
                retries=NO_RETRY,
                redirect=False,
                assert_same_host=False,
                decode_content=False,
            )
        except Exception as error:
            raise _lost(ready.url, self._connections.proxy, error) from error
        return Answer(answer.status, answer.headers, answer.data)

    def _parsed(self, operation: OperationModel, shape: Any, answer: Answer) -> Any:
        said = {
            "headers": answer.headers,
            "status_code": answer.status_code,
            "body": answer.content,
            "context": {"operation_name": operation.name},
        }
        try:
            # A document that says nothing at all is null.
            return dict(self._parser.parse(said, shape))
        except ResponseParserError:
            raise
        except Exception as error:
            # Of a document that is another than AWS's it raises whatever it stumbled over.
            raise ResponseParserError(f"{operation.name}: the answer is no such answer") from error


def _connections(url: str, limits: Limits, roots: Roots) -> tuple[urllib3.HTTPConnectionPool, str]:
    """The connections to an address, and what of it is left out of a request's first line.

    Where the environment names a proxy they go by it, and without TLS that is told the whole.

    Raises:
        HTTPClientError: it is no address, or the proxy's is none.
    """
    settings: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "socket_options": AT_ONCE,
        "ssl_context": roots.context,
        "timeout": urllib3.Timeout(connect=limits.connect, read=limits.read),
    }
    scheme, place, *_ = urlsplit(url)
    before_path = f"{scheme}://{place}"
    proxies: Any = ProxyConfiguration(get_environ_proxies(url))
    proxy = proxies.proxy_url_for(url)
    try:
        if not proxy:
            return urllib3.PoolManager(**settings).connection_from_url(url), before_path
        settings["proxy_headers"] = proxies.proxy_headers_for(proxy)
        manager = urllib3.ProxyManager(proxy, **settings)
        return manager.connection_from_url(url), before_path if scheme == "https" else ""
    except Exception as error:
        raise _lost(url, None, error) from error


def _lost(url: str, proxy: Url | None, error: Exception) -> Exception:
    """What came instead of an answer, as the SDK's client says it."""
    told: Any = next(
        (own for kind, own in LOST.items() if isinstance(error, kind)),
        botocore_exceptions.HTTPClientError,
    )
    by = mask_proxy_url(proxy.url) if proxy else None
    found: Exception = told(endpoint_url=url, proxy_url=by, error=error)
    return found


def _place(
    model: ServiceModel, loader: Loader, environment: Mapping[str, str]
) -> tuple[str, Signer]:
    """The address of a service in the environment's region, and what signs for it.

    Source: AWS SDKs and tools reference guide, "Settings reference" (the names of the variables).

    Raises:
        NoRegionError: the environment names none.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise NoRegionError
    asked: dict[str, Any] = {
        "Region": region,
        "UseFIPS": ensure_boolean(environment.get("AWS_USE_FIPS_ENDPOINT", "")),
        "UseDualStack": ensure_boolean(environment.get("AWS_USE_DUALSTACK_ENDPOINT", "")),
    }
    name = model.service_id.replace(" ", "_").upper()
    own = environment.get(f"AWS_ENDPOINT_URL_{name}") or environment.get("AWS_ENDPOINT_URL")
    if own and not ensure_boolean(environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "")):
        asked["Endpoint"] = own
    rules = loader.load_service_model(model.service_name, "endpoint-rule-set-1")
    found = EndpointProvider(rules, loader.load_data("partitions")).resolve_endpoint(**asked)
    # IAM's are signed for one region, whatever region asks.
    schemes: Any = found.properties.get("authSchemes")
    scheme = schemes[0] if schemes else {}
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    token = environment.get("AWS_SESSION_TOKEN")
    # Without credentials the signer itself says so, at the first call.
    credentials: Any = Credentials(key, secret, token) if key and secret else None
    signed_as = scheme.get("signingName", model.signing_name)
    return found.url, Signer(credentials, signed_as, scheme.get("signingRegion", region))


def _is_damaged(operation: OperationModel, answer: Answer) -> bool:
    """Whether an answer is another one than DynamoDB sent: it tells its checksum.

    Source: botocore, `RetryDDBChecksumError`.
    """
    told = answer.headers.get("x-amz-crc32")
    if told is None or operation.service_model.service_name != "dynamodb":
        return False
    return told != str(crc32(answer.content))


def _seconds_until_next(
    operation: OperationModel, attempt: int, answer: Answer | None, error: Exception
) -> float | None:
    """How long to wait for the next attempt, as the SDK's standard mode has it; None for never.

    It counts no quota of attempts: two are the most that any call has.
    """
    # Seldom needed, so no cold start waits for it.
    from botocore.retries import standard  # noqa: PLC0415

    context = standard.RetryContext(
        attempt_number=attempt,
        operation_model=operation,
        parsed_response=error.response if isinstance(error, ClientError) else None,
        http_response=answer,
        caught_exception=None if answer else error,
    )
    if not standard.StandardRetryConditions().is_retryable(context):
        return None
    throttled = standard.ThrottlingErrorDetector(standard.RetryEventAdapter())
    service = operation.service_model.service_id.hyphenize()
    backoff = standard.ExponentialBackoff(service_name=service, throttling_detector=throttled)
    return float(backoff.delay_amount(context))
