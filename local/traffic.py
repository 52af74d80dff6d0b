"""Real traffic on the demo service, and the part that Lambda plays in CloudWatch.

Each request really invokes the function in the emulator. Two things that AWS does and the emulator
does not are done here: requests are routed by the alias's weights, and each invocation becomes the
``AWS/Lambda`` metrics Invocations, Errors and Duration, under all three sets of dimensions that
Lambda publishes (Lambda guide, "Types of metrics for Lambda functions").
"""

import hashlib
import itertools
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import MINUTE, Metric
from local.emulator import Emulator

_THREADS = 8
_ALIAS_SECONDS = 0.2
_KEEP = 10 * MINUTE
# Real seconds: a minute of the demo. What a busy machine let slip is made up for, but not what it
# could never make up for.
_MAKES_UP_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One request: when it began in model time, how it went, and which version served it."""

    began_at: datetime
    duration_ms: float
    failed: bool
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What happened in a span of model time.

    ``refused`` counts calls that no version took, for instance because the function was throttled;
    Lambda reports them neither as Invocations nor as Errors.
    """

    requests: int
    errors: int
    refused: int
    versions: Mapping[str, int]
    errors_by_version: Mapping[str, int]


def order(number: int) -> dict[str, Any]:
    """Return the order with a number: always the same one, so that runs repeat."""
    digest = hashlib.sha256(f"order {number}".encode()).digest()
    return {
        "request_id": f"order-{number:06d}",
        "items": [
            {"sku": f"sku-{digest[2] % 20}", "price_cents": 990, "quantity": 1 + digest[3] % 5}
        ],
        "discount_code": "WELCOME" if digest[0] < 0.6 * 256 else "SAVE10",
        "first_order": digest[1] < 0.1 * 256,
    }


def pick_version(number: int, primary: str, weights: Mapping[str, float]) -> str:
    """Return the version that serves a request, by the alias's weights, the same on every run."""
    digest = hashlib.sha256(f"route {number}".encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    for version, weight in sorted(weights.items()):
        if share < weight:
            return version
        share -= weight
    return primary


def record(model: CloudWatch, function: str, alias: str, invocation: Invocation) -> None:
    """Record an invocation as Lambda does; the timestamp is the invocation's start.

    ``Errors`` is recorded as 0 for a success, and ``Duration`` is in milliseconds.
    """
    resource = f"{function}:{alias}"
    for dimensions in (
        {"FunctionName": function},
        {"FunctionName": function, "Resource": resource},
        {
            "FunctionName": function,
            "Resource": resource,
            "ExecutedVersion": invocation.version,
        },
    ):
        for name, value, unit in (
            ("Invocations", 1.0, "Count"),
            ("Errors", float(invocation.failed), "Count"),
            ("Duration", invocation.duration_ms, "Milliseconds"),
        ):
            model.record(
                Metric.of("AWS/Lambda", name, dimensions),
                timestamp=invocation.began_at,
                value=value,
                unit=unit,
            )


class Pace:
    """When each request is due: at a steady rate, and what was missed follows at once.

    Args:
        per_second: the rate.
        makes_up_seconds: how far back a request may have been due and still be made.
        clock: in seconds.
    """

    def __init__(
        self,
        per_second: float,
        *,
        makes_up_seconds: float = _MAKES_UP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 1 / per_second
        self._makes_up = makes_up_seconds
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Take the next request; return in how many seconds it is due, or 0 if it is late."""
        with self._lock:
            now = self._clock()
            due = max(self._next, now - self._makes_up)
            self._next = due + self._interval
        return max(0.0, due - now)


class Traffic:
    """Customers that order, at a steady rate, until the block ends.

    Args:
        emulator: where the function runs.
        model: receives the metrics; its clock stamps them.
        requests_per_second: in real seconds; a model minute holds ``rate * 60 / speed`` requests.
        function: the function's name.
        alias: the alias that customers call.
    """

    def __init__(
        self,
        emulator: Emulator,
        model: CloudWatch,
        *,
        requests_per_second: float,
        function: str = "shop",
        alias: str = "live",
    ) -> None:
        self._model = model
        self._function = function
        self._alias = alias
        self._pace = Pace(requests_per_second)
        self._client = emulator.client("lambda")
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._recent: deque[Invocation] = deque()
        self._refused: deque[datetime] = deque()
        self._route: tuple[float, str, dict[str, float]] = (float("-inf"), "", {})
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._customer, daemon=True) for _ in range(_THREADS)
        ]
        self.last_refusal: str | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def last_minute(self) -> Counts:
        """Return what happened in the last sixty seconds of model time."""
        since = self._model.clock() - MINUTE
        with self._lock:
            seen = [one for one in self._recent if one.began_at >= since]
            refused = sum(at >= since for at in self._refused)
        return Counts(
            requests=len(seen),
            errors=sum(one.failed for one in seen),
            refused=refused,
            versions=Counter(one.version for one in seen),
            errors_by_version=Counter(one.version for one in seen if one.failed),
        )

    def _customer(self) -> None:
        while not self._stop.wait(self._pace.wait()):
            self._order(next(self._numbers))

    def _order(self, number: int) -> None:
        began_at = self._model.clock()
        try:
            invocation = self._invoke(number, began_at)
        except (ClientError, BotoCoreError) as error:
            with self._lock:
                self._refused.append(began_at)
                self.last_refusal = str(error)
            return
        record(self._model, self._function, self._alias, invocation)
        with self._lock:
            self._recent.append(invocation)
            while self._recent[0].began_at < began_at - _KEEP:
                self._recent.popleft()

    def _invoke(self, number: int, began_at: datetime) -> Invocation:
        primary, weights = self._weights()
        qualifier = pick_version(number, primary, weights) if weights else self._alias
        began = time.perf_counter()
        answer = self._client.invoke(
            FunctionName=self._function,
            Qualifier=qualifier,
            Payload=json.dumps(order(number)).encode(),
        )
        answer["Payload"].close()
        return Invocation(
            began_at=began_at,
            duration_ms=(time.perf_counter() - began) * 1000,
            failed="FunctionError" in answer,
            version=answer["ExecutedVersion"],
        )

    def _weights(self) -> tuple[str, dict[str, float]]:
        """Return the alias's version and weights, read at most every 0.2 s."""
        with self._lock:
            read_at, primary, weights = self._route
            if time.monotonic() - read_at < _ALIAS_SECONDS:
                return primary, weights
        alias = self._client.get_alias(FunctionName=self._function, Name=self._alias)
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        with self._lock:
            self._route = (time.monotonic(), alias["FunctionVersion"], weights)
        return alias["FunctionVersion"], weights
