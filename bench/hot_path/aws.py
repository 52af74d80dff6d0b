"""AWS on loopback with a latency for each service, that keeps when each call arrived.

What it answers comes from the strict models of `local/aws_model`, so a handler that asks for
something wrong is refused as AWS would refuse it. All processes of one machine share the clock
that the instants are read from (CLOCK_MONOTONIC).
"""

import json
import multiprocessing
import select
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from botocore.exceptions import ClientError

from bench.hot_path.world import World
from local.aws_model.errors import ModelError

JSON, XML = "application/x-amz-json-1.0", "text/xml"
SERVICES = {
    "GraniteServiceVersion20100801": "cloudwatch",
    "CodeDeploy_20141006": "codedeploy",
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: when it arrived and when it was answered, in nanoseconds."""

    service: str
    operation: str
    arrived_ns: int
    answered_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How AWS is reached: seconds a call of each service takes, and over which connections.

    `certificate` and its key make it TLS; where it `closes`, each reply ends its connection, which
    is what a function sees that nobody has called for some minutes.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    closes: bool = False
    certificate: tuple[Path, Path] | None = None

    @property
    def scheme(self) -> str:
        """What an address begins with."""
        return "https" if self.certificate else "http"


class Aws:
    """The server as its user sees it: where it is, and how to control it."""

    def __init__(self, control: Connection, line: Line) -> None:
        self._control = control
        self.url = f"{line.scheme}://127.0.0.1:{control.recv()}"

    def reset(self) -> None:
        """The bad deploys again, and nothing done about them; no calls."""
        self._ask("reset")

    def calls(self) -> tuple[Call, ...]:
        """The calls since then, as they arrived."""
        return tuple(sorted(self._ask("calls"), key=lambda call: call.arrived_ns))

    def _ask(self, what: str) -> Any:
        self._control.send(what)
        return self._control.recv()


@contextmanager
def running(line: Line) -> Iterator[Aws]:
    """The server, in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, line), daemon=True)
    server.start()
    theirs.close()
    try:
        yield Aws(ours, line)
    finally:
        ours.send("stop")
        server.join(5)


def _serve(control: Connection, line: Line) -> None:
    """The server's own process: answers until it is told to stop."""
    # Whoever has a request waits for no model.
    sys.setswitchinterval(1e-4)
    with _Server(line) as server:
        control.send(server.port)
        while True:
            match control.recv():
                case "reset":
                    server.reset()
                    control.send(None)
                case "calls":
                    control.send(server.calls)
                case _:
                    return


class _Server:
    def __init__(self, line: Line) -> None:
        self.calls: list[Call] = []
        self.line = line
        self._world = World(_now())
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"server_side": self})
        self._http = _Http(("127.0.0.1", 0), handler)
        if line.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*line.certificate)
            self._http.tls = context
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._http.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def reset(self) -> None:
        now = _now()
        if now - self._world.began_at > timedelta(seconds=20):
            self._world = World(now)
        self._world.reset(now)
        self.calls = []

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, arrived_ns: int
    ) -> tuple[int, bytes, dict[str, str]]:
        service, operation = _name_of(method, path, headers, body)
        with self._lock:
            status, content, more = self._answer(service, operation, path, body)
        # What reading it and the model take is part of the latency, not beside it.
        taken = (time.monotonic_ns() - arrived_ns) / 1e9
        time.sleep(max(0.0, self.line.seconds.get(service, 0.0) - taken))
        answered_ns = time.monotonic_ns()
        with self._lock:
            self.calls.append(
                Call(
                    service=service,
                    operation=operation,
                    arrived_ns=arrived_ns,
                    answered_ns=answered_ns,
                )
            )
        return status, content, more

    def _answer(
        self, service: str, operation: str, path: str, body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        try:
            document = self._world.answer(service, operation, path, body)
        except ModelError as error:
            told: Any = {"__type": error.code, "message": error.message}
            return error.status, json.dumps(told).encode(), {"x-amzn-ErrorType": error.code}
        except ClientError as error:
            # The model of DynamoDB refuses as the SDK raises it.
            known: Any = error.response
            told = {"__type": known["Error"]["Code"], "message": known["Error"]["Message"]}
            told |= {k: known[k] for k in ("Item",) if k in known}
            return 400, json.dumps(told).encode(), {}
        if isinstance(document, bytes):
            return 200, document, {"Content-Type": XML if document[:1] == b"<" else JSON}
        return 200, json.dumps(document).encode(), {}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # A storm opens many connections at once.
    request_queue_size = 256
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so a handshake holds up no other one."""
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)


def _name_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    target = headers.get("x-amz-target", "")
    if target:
        prefix, _, operation = target.partition(".")
        return SERVICES.get(prefix, prefix), operation
    if "/aliases/" in path:
        return "lambda", "GetAlias" if method == "GET" else "UpdateAlias"
    if path.startswith("/2015-03-31/"):
        return "lambda", "ListVersionsByFunction"
    if path == "/slack":
        return "slack", "post"
    return "cloudformation", parse_qs(body.decode())["Action"][0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_side: _Server

    def handle_one_request(self) -> None:
        """Notes when a request comes: reading those that come at once takes one interpreter."""
        buffered = isinstance(self.connection, ssl.SSLSocket) and self.connection.pending()
        if not buffered:
            select.select([self.connection], [], [])
        self._arrived_ns = time.monotonic_ns()
        super().handle_one_request()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content, more = self.server_side.answer(
            self.command, self.path, headers, body, self._arrived_ns
        )
        lines = {"Content-Type": JSON, "Content-Length": str(len(content)), **more}
        if self.server_side.line.closes:
            lines["Connection"] = "close"
            self.close_connection = True
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        # In one piece: a head that waits for its body costs forty milliseconds.
        self.wfile.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Stays silent."""


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), tz=UTC)
