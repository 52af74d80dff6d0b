"""The edges between the functions and everything else: here a call is counted, and here parts fail.

Every request of a function's process comes through one of these doors: to AWS, to the models of
what the emulator lacks, to Slack. A door forwards it and writes down what came of it. At the calls
that a plan names it ends the process before the request has left, or after it was done and before
anybody hears; from then on it refuses for the table, or keeps silent for Slack.
"""

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.parts.plan import AFTER, BEFORE, NOTIFY, RESPOND, WATCH, What

# What changes a target.
ACTS = frozenset(
    {
        "UpdateAlias",
        "StopDeployment",
        "CreateDeployment",
        "CancelUpdateStack",
        "ContinueUpdateRollback",
        "RollbackStack",
    }
)
MARKS = {"RespondFunction": RESPOND, "WatchFunction": WATCH, "NotifyFunction": NOTIFY}
SLACK, TABLE = "slack", "dynamodb"
_PATIENCE_SECONDS = 60.0
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that came through.

    Attributes:
        about: the version or the deployment that an act names.
        status: what AWS, or Slack, answered; 0 where nobody was asked.
    """

    at: datetime
    function: str
    service: str
    operation: str
    about: str
    status: int

    @property
    def is_act(self):
        return self.operation in ACTS and 200 <= self.status < 300


class Edges:
    """The doors of a round, and what fails at them.

    Attributes:
        calls: what came through since the edges were armed, oldest first.
        met: the failures whose moment came, with when that was.
        hanging: how many requests Slack keeps silent about at this moment.
    """

    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = Counter()
        self._failures = []
        self._stage = None
        self._refusing_until, self._refusal = None, ""
        self._silent, self._side = 0, BEFORE
        self._over = threading.Event()
        self.calls, self.met = [], []
        self.hanging = 0
        self.broken = None

    def check(self):
        """Raises what broke a door, if anything did."""
        if self.broken is not None:
            raise self.broken

    def arm(self, failures, stage):
        """From now on calls count. `stage` does what no door can: it has `fail(failure)`."""
        with self._lock:
            self._failures, self._stage = list(failures), stage
            self._numbers.clear()

    def disarm(self):
        """Nothing fails any more, and nobody is kept waiting."""
        with self._lock:
            self._failures.clear()
            self._refusing_until, self._silent = None, 0
        self._over.set()

    @property
    def is_quiet(self):
        """Whether nothing fails at this moment that ends by itself."""
        with self._lock:
            until = self._refusing_until
            return self.hanging == 0 and (until is None or self._clock.now() > until)

    def acts(self):
        """The mutating calls that AWS took."""
        with self._lock:
            return [call for call in self.calls if call.is_act]

    def door(self, upstream, pids):
        """A door to an address; both arguments are callables, `pids` gives the emulator's workers.

        Enter it to open it; its `url` is where the functions are led.
        """
        return _Door(self, upstream, pids)

    # -- what a door asks -----------------------------------------------------------------------

    def passes(self, request, worker):
        """What is to be done with a request: a step of `Verdict`."""
        with self._lock:
            # Before the bad deploy nothing counts, and nothing that a dead process still asked.
            if self._stage is None or not worker.pid:
                return Verdict()
            self._numbers[worker.function] += 1
            number = self._numbers[worker.function]
            failing = self._due(worker.function, number, request.operation)
            before = [one for one in failing if one.at.side == BEFORE]
            self._begin(before, worker)
            refuses = self._refuses(request, worker)
            hangs = self._hangs(request)
        return Verdict(
            dead=any(one.what in KILLING for one in before),
            refusal=refuses,
            hangs=hangs,
            after=[one for one in failing if one.at.side == AFTER],
        )

    def done(self, request, worker, status, verdict):
        """What came of it; what fails after it fails now."""
        call = Call(
            at=self._clock.now(),
            function=worker.function,
            service=request.service,
            operation=request.operation,
            about=request.about,
            status=status,
        )
        with self._lock:
            if self._stage is not None:
                self.calls.append(call)
                if call.is_act:
                    self._stage.acted(call)
            # An act that was refused is none.
            after = [one for one in verdict.after if not (one.at.is_the_act and not call.is_act)]
            self._failures += [one for one in verdict.after if one not in after]
            self._begin(after, worker)
        return any(one.what in KILLING for one in after)

    def _due(self, function, number, operation):
        due = [
            one
            for one in self._failures
            if (one.at.is_the_act and operation in ACTS)
            or (one.at.function == function and one.at.number == number)
        ]
        for one in due:
            self._failures.remove(one)
        return due

    def _begin(self, failures, worker):
        for one in failures:
            self.met.append((self._clock.now(), one))
            match one.what:
                case What.KILL:
                    worker.kill()
                case What.TABLE:
                    self._refusing_until, self._refusal = self._clock.now() + one.span, one.how
                case What.SLACK:
                    self._silent, self._side = one.times, one.at.side
                case _:
                    self._stage.fail(one)

    def _refuses(self, request, worker):
        until = self._refusing_until
        if request.service != TABLE or until is None or self._clock.now() > until:
            return ""
        return self._refusal

    def _hangs(self, request):
        if request.service != SLACK or not self._silent:
            return ""
        self._silent -= 1
        return self._side

    @contextlib.contextmanager
    def silence(self):
        """While Slack keeps silent about a request."""
        with self._lock:
            self.hanging += 1
        try:
            yield self._over
        finally:
            with self._lock:
                self.hanging -= 1


KILLING = frozenset({What.KILL, What.RESTART})


class Verdict:
    """What is to be done with a request.

    Attributes:
        dead: whoever asked is dead, and the request never left.
        refusal: how the table refuses it; empty where it does not.
        hangs: whether Slack keeps silent before it takes it, or after; empty where it does not.
        after: what fails when it is done.
    """

    def __init__(self, *, dead=False, refusal="", hangs="", after=()):
        self.dead, self.refusal, self.hangs, self.after = dead, refusal, hangs, list(after)


class Request:
    """A request as it came."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.service, self.operation = _named(method, path, headers, body)

    @property
    def about(self):
        """The version or the deployment that an act names; empty for what names neither."""
        if self.operation not in {"UpdateAlias", "StopDeployment"}:
            return ""
        given = json.loads(self.body)
        return given.get("FunctionVersion") or given.get("deploymentId") or ""


def _named(method, path, headers, body):
    """The service and the operation of a request, from the protocols that the functions speak."""
    prefix, _, operation = headers.get("x-amz-target", "").partition(".")
    if operation:
        return prefix.partition("_")[0].lower(), operation
    if path.startswith("/2015-03-31/functions/"):
        if "/aliases/" in path:
            return "lambda", "GetAlias" if method == "GET" else "UpdateAlias"
        return "lambda", f"{method} {path.rpartition('/')[2].partition('?')[0]}"
    if path.startswith("/api/"):
        return SLACK, path.removeprefix("/api/").partition("?")[0]
    found = re.search(rb"Action=(\w+)", body)
    return ("query", found[1].decode()) if found else ("http", path)


class Worker:
    """The process that asks: which function it runs, as its own environment says."""

    def __init__(self, pid):
        self.pid = pid
        try:
            environment = Path(f"/proc/{pid}/environ").read_text(errors="replace")
        except OSError:
            environment = ""
        name = re.search(r"AWS_LAMBDA_FUNCTION_NAME=([^\0]*)", environment)
        marks = [role for mark, role in MARKS.items() if name and mark in name[1]]
        self.function = marks[0] if marks else "somebody"

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def workers_of(pid):
    """The processes that a process has started and that still run."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def caller(port, door, pids):
    """Which of these processes holds the loopback connection between two ports; 0 for none.

    The kernel's table may lack a line while others come and go, so it is read again.
    """
    ends = [f"0100007F:{port:04X}", f"0100007F:{door:04X}"]
    for _ in range(_TRIES):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1:3] == ends and (pid := _holder(f"socket:[{fields[9]}]", pids)):
                return pid
    return 0


def _holder(socket_name, pids):
    for pid in pids:
        with contextlib.suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(handle.readlink()) == socket_name:
                        return pid
    return 0


class _Door:
    """A server on loopback that forwards; a context manager."""

    def __init__(self, edges, upstream, pids):
        handler = type(
            "Handler",
            (_Forwarding,),
            {"edges": edges, "upstream": staticmethod(upstream), "pids": staticmethod(pids)},
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Forwarding(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # whoever was ended in the middle of a request has no answer coming
        except Exception as error:  # noqa: BLE001 - raised again by whoever looks
            self.edges.broken = error

    def _handle(self):
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        worker = Worker(caller(self.client_address[1], self.server.server_port, self.pids()))
        verdict = self.edges.passes(request, worker)
        if verdict.dead or verdict.refusal == "reset":
            self.edges.done(request, worker, 0, verdict)
            self._reset()
        elif verdict.refusal:
            self.edges.done(request, worker, 0, verdict)
            self._refuse(verdict.refusal)
        elif verdict.hangs == BEFORE:
            self._keep_silent()
        else:
            self._forward(request, worker, verdict)

    def _forward(self, request, worker, verdict):
        status, headers, body = forwarded(self.upstream(), request)
        killed = self.edges.done(request, worker, status, verdict)
        if killed or status == 0:
            self._reset()
        elif verdict.hangs == AFTER:
            self._keep_silent()
        else:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _keep_silent(self):
        """Until whoever asked has hung up, or all failing is over."""
        with self.edges.silence() as over:
            while not over.wait(0.05):
                readable, _, _ = select.select([self.connection], [], [], 0)
                if readable and not self.connection.recv(1, socket.MSG_PEEK):
                    return
        self._reset()

    def _refuse(self, name):
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}"}).encode()
        self.send_response(500 if name == "InternalServerError" else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self):
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    do_GET = _handle  # noqa: N815 - the base class looks for this name
    do_POST = _handle  # noqa: N815 - the base class looks for this name
    do_PUT = _handle  # noqa: N815 - the base class looks for this name

    def log_message(self, *_):
        """Stays silent: what came through is written down."""


# Headers that are of one connection, and are not passed on.
_OF_A_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


def forwarded(url, request):
    """Status, headers and body of the answer; status 0 where nobody answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_PATIENCE_SECONDS)
    headers = {
        name: value for name, value in request.headers.items() if name not in _OF_A_CONNECTION
    }
    try:
        connection.request(request.method, request.path, request.body, headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return 0, [], b""
    finally:
        connection.close()
    kept = [pair for pair in answer.getheaders() if pair[0].lower() not in _OF_A_CONNECTION]
    return answer.status, [*kept, ("Content-Length", str(len(body)))], body
