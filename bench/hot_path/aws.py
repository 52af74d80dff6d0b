"""AWS on loopback with a latency for each service, that keeps when each call arrived.

What it answers comes from the strict models of `local/aws_model`, so a handler that asks for
something wrong is refused as AWS would refuse it. All processes of one machine share the clock
that the instants are read from (CLOCK_MONOTONIC).
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any, Self

from botocore.exceptions import ClientError

from bench.hot_path.world import World
from local.aws_model.errors import ModelError

JSON = "application/x-amz-json-1.0"
SERVICES = {
    "GraniteServiceVersion20100801": "cloudwatch",
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


def serve(control: Connection, latencies: Mapping[str, float]) -> None:
    """The server's own process: answers until it is told to stop."""
    with _Server(latencies) as server:
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
    def __init__(self, latencies: Mapping[str, float]) -> None:
        self.calls: list[Call] = []
        self._latencies = latencies
        self._world = World(_now())
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"server_side": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
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
        """The bad deploy again, and nothing done about it; an empty list of calls."""
        now = _now()
        if now - self._world.began_at > timedelta(seconds=20):
            self._world = World(now)
        self._world.reset(now)
        self.calls = []

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        arrived_ns = time.monotonic_ns()
        service, operation = _name_of(method, path, headers)
        with self._lock:
            try:
                status, document = 200, self._world.answer(service, operation, body)
                more: dict[str, str] = {}
            except ModelError as error:
                status, document = error.status, {"__type": error.code, "message": error.message}
                more = {"x-amzn-ErrorType": error.code}
            except ClientError as error:
                # The model of DynamoDB refuses as the SDK raises it.
                known: Any = error.response
                told = {"__type": known["Error"]["Code"], "message": known["Error"]["Message"]}
                status, more = 400, {}
                document = told | {k: known[k] for k in ("Item",) if k in known}
            content = json.dumps(document).encode()
        # What the model takes is part of the latency, not beside it.
        taken = (time.monotonic_ns() - arrived_ns) / 1e9
        time.sleep(max(0.0, self._latencies.get(service, 0.0) - taken))
        with self._lock:
            self.calls.append(
                Call(
                    service=service,
                    operation=operation,
                    arrived_ns=arrived_ns,
                    answered_ns=time.monotonic_ns(),
                )
            )
        return status, content, more


def _name_of(method: str, path: str, headers: Mapping[str, str]) -> tuple[str, str]:
    target = headers.get("x-amz-target", "")
    if target:
        prefix, _, operation = target.partition(".")
        return SERVICES.get(prefix, prefix), operation
    if "/aliases/" in path:
        return "lambda", "GetAlias" if method == "GET" else "UpdateAlias"
    if path.startswith("/2015-03-31/"):
        return "lambda", "ListVersionsByFunction"
    return "slack", "post"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_side: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content, more = self.server_side.answer(self.command, self.path, headers, body)
        lines = {"Content-Type": JSON, "Content-Length": str(len(content)), **more}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        # In one piece: a head that waits for its body costs forty milliseconds.
        self.wfile.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Stays silent."""


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), tz=UTC)
