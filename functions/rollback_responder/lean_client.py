"""Calls of AWS by botocore's own parts: its serializer, its signer, its connections, its parser.

Its client is left out. Around these parts that puts a hundred modules, for which each cold start
pays, and some twenty hooks, for which each call pays, on behalf of services and settings that are
not ours (bench/hot_path/README.md has the figures). What botocore promises to keep is the client
and not the parts, so the botocore that they were proved with is shipped with the code, and a
contract test holds that either sends the same, and makes the same of an answer.
"""

import logging
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from botocore import xform_name
from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSRequestPreparer, AWSResponse, prepare_request_dict
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore has it so
    HTTPClientError,
    NoRegionError,
    SSLError,
)
from botocore.httpsession import URLLib3Session, where
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import PROTOCOL_PARSERS, ResponseParserError
from botocore.serialize import create_serializer
from botocore.utils import ensure_boolean, get_environ_proxies

from rollback_responder import sdk

logger = logging.getLogger(__name__)

# CloudTrail names who moved an alias.
AGENT = "rollback-responder"
# Shipped beside the package by infra/package.py; not there on a person's own machine.
DATA = Path(__file__).resolve().parent.parent / "sdk"
ROOTS = "roots.pem"
NOT_SIGNED = "CERTIFICATE_VERIFY_FAILED"
PREPARER = AWSRequestPreparer()
# A request goes out in two pieces; without this the second waits for the first to be confirmed.
AT_ONCE = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


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


class Roots:
    """The certificates that are trusted: AWS's own roots, and all of the SDK's once it must be.

    The file is read for every connection that is opened (urllib3), and 126 roots take twenty times
    as long as five. AWS's endpoints have certificates of Amazon Trust Services, whose roots these
    are (amazontrust.com/repository).
    """

    def __init__(self, few: Path, aside: Path) -> None:
        # Of this process alone, wherever several share a folder.
        self.path = aside / f"{os.getpid()}-{ROOTS}"
        shutil.copyfile(few, self.path)
        self._lock = threading.Lock()

    def widen(self, error: SSLError) -> bool:
        """Trusts all of the SDK's, if none of these few signed; whether it may be tried again."""
        if NOT_SIGNED not in str(error):
            return False
        every = Path(where())
        with self._lock:
            if self.path.stat().st_size != every.stat().st_size:
                logger.warning("none of Amazon's roots signed it, so all are trusted: %s", error)
                whole = self.path.with_suffix(".whole")
                shutil.copyfile(every, whole)
                whole.replace(self.path)
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
        roots: Roots | None,
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
        connections: Any = URLLib3Session
        self._http = connections(
            verify=str(roots.path) if roots else environment.get("AWS_CA_BUNDLE", True),
            proxies=get_environ_proxies(self._url),
            timeout=(limits.connect, limits.read),
            socket_options=AT_ONCE,
        )
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
            except (ConnectionError, HTTPClientError) as caught:
                error: Exception = caught
            else:
                parsed = self._parsed(operation, operation.output_shape, answer)
                if answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
                    sdk.check_document(answer, parsed, operation)
                    return parsed
                error = ClientError(self._told(operation, answer, parsed), operation.name)
            if attempt == self._limits.attempts:
                raise error
            seconds = _seconds_until_next(operation, attempt, answer, error)
            if seconds is None:
                raise error
            time.sleep(seconds)
            attempt += 1

    def _told(self, operation: OperationModel, answer: AWSResponse, parsed: Any) -> Any:
        """What an error says, also beside its code and text: the row that failed a condition."""
        model: Any = operation.service_model
        try:
            shape = model.shape_for_error_code(parsed.get("Error", {}).get("Code"))
        except (AttributeError, TypeError):
            # No such error is AWS's.
            raise ResponseParserError(f"{operation.name}: the error is no such error") from None
        return parsed if shape is None else parsed | self._parsed(operation, shape, answer)

    def _send(self, operation: OperationModel, arguments: dict[str, Any]) -> Any:
        asked: Any = self._serializer.serialize_to_request(arguments, operation)
        # Lambda counts by it how often its functions wake one another (Lambda developer guide,
        # "Use Lambda recursive loop detection").
        if trace := os.environ.get("_X_AMZN_TRACE_ID"):
            asked["headers"]["X-Amzn-Trace-Id"] = quote(trace, safe="-=;:+&[]{}\"',")
        asked["headers"]["Host"] = self._host
        prepare_request_dict(asked, self._url, user_agent=AGENT)
        of: Any = SimpleNamespace(**asked, data=asked["body"], params=None, stream_output=False)
        ready: Any = PREPARER.prepare(of)
        if isinstance(ready.body, str):
            ready.body = ready.body.encode()
        # The signer looks for what a request was made of as well.
        ready.params = None
        self._signer.add_auth(ready)
        try:
            return self._http.send(ready)
        except SSLError as error:
            if self._roots is None or not self._roots.widen(error):
                raise
            # The handshake failed, so it was not sent.
            return self._http.send(ready)

    def _parsed(self, operation: OperationModel, shape: Any, answer: AWSResponse) -> Any:
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


def _seconds_until_next(
    operation: OperationModel, attempt: int, answer: AWSResponse | None, error: Exception
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
