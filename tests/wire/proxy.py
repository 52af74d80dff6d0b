"""The proxy that injects faults between the SDK and the account: microburst, in a process.

It is a library and not our own because it does what matters here: an error is rendered from the
SDK's own service models in the protocol that the request speaks, so the SDK believes it; a rule
names an operation and, by JMESPath, a part of its body, and fires so many times; `reset` aborts the
connection before anything is forwarded, `abort_bytes` and `truncate_bytes` after AWS has answered;
`latency` forwards late, also where the SDK has hung up by then; and `/_microburst/fired` tells what
fired. It is alive (0.10.0 is of October 2026). Its 4 ms a call are why only the service that is to
fail is reached through it.
"""

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 5.0


class Proxy:
    """A running proxy; a context manager."""

    def __init__(self, upstream):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.wire.proxy_server", upstream],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def set(self, *rules):
        """Replaces all rules."""
        self._ask("POST", "rules", list(rules))
        self._ask("DELETE", "fired")

    def fired(self):
        """How many requests have met a rule since then."""
        return len(self._ask("GET", "fired?limit=2000"))

    def _ask(self, method, what, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, f"/_microburst/{what}", json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return json.loads(text)
        finally:
            connection.close()


def until(holds, *, what):
    """Waits in real time until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.01)
