"""A storm of any size by a clock of its own: the real responder, models of AWS, five workers.

Five functions work side by side, as many as are reserved; here one does all their work in turn, and
what one takes is a fifth of it by the clock. The queue delivers again what failed, and the watcher
wakes each minute for what is undecided, as in the deployment.
"""

import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from bench.storm.quota import Bucket
from local.aws_model.clients import lambda_client
from local.aws_model.lambda_aliases import LambdaAliases
from rollback_responder.actions import Clients, pointers
from rollback_responder.domain.errors import MeasurementError, RollbackError
from rollback_responder.domain.incident import PENDING, Incident
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.measurement import Bucket as Minute
from rollback_responder.domain.metric import Question, Share
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.release import Good, Ledger, Origin, Release
from rollback_responder.domain.signal import AlarmReading, AlarmState, Signal
from rollback_responder.journal.memory import MemoryBudget, MemoryJournal
from rollback_responder.metrics.shared import SharedMetrics
from rollback_responder.responder import Responder
from rollback_responder.rooms import Rooms

START = datetime(2026, 11, 22, 3, 4, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "us-east-1"
# Calls a second that Lambda's control plane, and CloudWatch for each operation, take by default.
LAMBDA, DESCRIBE_ALARMS, GET_METRIC_DATA = 15, 9, 50
WORKERS, BATCH = 5, 10
# What one alarm takes a worker: bench/hot_path, assumed latencies, with the write after the act.
SECONDS_AN_ALARM = 0.13
VISIBLE_AGAIN_SECONDS = 360.0
DEPLOYED_AGO = 4 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a storm. `seconds` is when the last act was made, by its own clock."""

    alarms: int
    messages: int
    acts: int
    twice: int
    lost: int
    seconds: float
    throttled: int
    calls: Mapping[str, int]
    reasons: Mapping[str, int]


class Storm:
    """So many services, each with a bad deploy whose alarm has just fired."""

    def __init__(self, services: int, *, rollbacks_an_hour: int, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a storm is no secret
        self._seconds = 0.0
        self._names = [f"service-{number:05d}" for number in range(services)]
        self._policy = parse_policy(_document(self._names, rollbacks_an_hour))
        self._aliases = LambdaAliases(self._clock)
        self._journal = MemoryJournal(timedelta(seconds=90))
        self._quotas = {
            "UpdateAlias": (bucket := Bucket(LAMBDA)),
            "GetAlias": bucket,
            "DescribeAlarms": Bucket(DESCRIBE_ALARMS),
            "GetMetricData": Bucket(GET_METRIC_DATA),
        }
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.acts: list[tuple[str, float]] = []
        ids = (f"claim-{number:06d}" for number in itertools.count(1))
        client = lambda_client(self._aliases, self._intercept)
        metrics = SharedMetrics(_Numbers(self), lambda: self._seconds)
        clients = Clients(reads=lambda _: client, acts=lambda _: client)
        self._expect = metrics.expect
        self._responder = Responder(
            Rooms(
                policy=self._policy,
                journal=self._journal,
                budget=MemoryBudget(),
                metrics=metrics,
                pointers=pointers(["lambda_alias"], clients),
                rollouts={},
                clock=self._clock,
                stopwatch=lambda: self._seconds,
                wait=self._wait,
                new_id=lambda _: next(ids),
                start=lambda call: call,
            )
        )
        self._alarms = {entry.alarm_name: entry.service.name for entry in self._policy.watched()}
        for name in self._names:
            self._deploy(name)

    def _clock(self) -> datetime:
        return START + timedelta(seconds=self._seconds)

    def _wait(self) -> None:
        self._seconds += self._random.uniform(0.1, 0.4) / WORKERS

    def _deploy(self, name: str) -> None:
        for code in ("v1", "v2"):
            self._aliases.publish(name, code)
        self._aliases.point(name, "live", "2")
        deployed_at = START - DEPLOYED_AGO
        ledger = Ledger(
            current=Release(
                version="2",
                since_at=deployed_at,
                origin=Origin.DEPLOYED,
                whole_since_at=deployed_at,
                code_sha256="b",
            ),
            revision=self._aliases.get_alias(FunctionName=name, Name="live")["RevisionId"],
            good=(Good(version="1", proven_at=deployed_at - 20 * MINUTE, code_sha256="a"),),
        )
        claim = self._journal.claim(name, claim_id="watch", may_act=False, now=START)
        assert claim is not None
        ledgers = {f"lambda_alias/{name}/live": ledger}
        self._journal.close(claim, ledgers=ledgers, incident=None)

    def _intercept(self, operation: str, answer: Callable[[], Any]) -> Any:
        if not self.takes(operation):
            error: Any = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}
            raise ClientError(error, operation)
        return answer()

    def takes(self, operation: str) -> bool:
        """Whether AWS takes a call now."""
        self.calls[operation] += 1
        quota = self._quotas.get(operation)
        taken = quota is None or quota.takes(self._seconds)
        self.throttled[operation] += not taken
        return taken

    def failing(self, alarm_name: str) -> bool:
        """Whether the version behind an alarm is still the bad one."""
        return self._aliases.version_of(self._alarms[alarm_name], "live") == "2"

    # -- delivering -----------------------------------------------------------------------------

    def play(self, *, duplicates: float, minutes: int) -> Outcome:
        """All alarms at once, so many of them twice; then until nothing is left, or so long."""
        names = list(self._alarms)
        names += self._random.sample(names, round(len(names) * duplicates))
        self._random.shuffle(names)
        messages = len(names)
        queue, later = deque(names), deque[tuple[float, str]]()
        next_minute = 60.0
        pending = names
        while self._seconds < minutes * 60:
            while later and later[0][0] <= self._seconds:
                queue.append(later.popleft()[1])
            if self._seconds >= next_minute:
                next_minute += 60.0
                waiting, pending = set(queue), self._pending()
                queue.extend(name for name in pending if name not in waiting)
            if queue:
                batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
                later.extend(
                    (self._seconds + VISIBLE_AGAIN_SECONDS, n) for n in self._answer(batch)
                )
            elif later or pending:
                self._seconds = min([next_minute, *(at for at, _ in itertools.islice(later, 1))])
            else:
                break
        return self._outcome(messages)

    def _answer(self, batch: list[str]) -> Iterator[str]:
        """Answers a batch; what failed comes again."""
        self._responder.begin()
        together = batch if len(set(batch)) > 1 else ()
        self._expect({each for name in together for each in self._responder.alarms_about(name)})
        for name in batch:
            signal = Signal(
                alarm_name=name,
                account_id=ACCOUNT,
                region=REGION,
                state=AlarmState.ALARM,
                at=self._clock(),
            )
            before = len(self._aliases.moves)
            try:
                self._responder.respond(signal)
            except RollbackError:
                yield name
            moved = self._aliases.moves[before:]
            self.acts += [(function, self._seconds) for function, *_ in moved]
            self._seconds += SECONDS_AN_ALARM / WORKERS

    def _pending(self) -> list[str]:
        """What the watcher wakes for: the undecided, and what fires and nobody has answered."""
        incidents = self._incidents()
        return [
            alarm_name
            for alarm_name, name in self._alarms.items()
            if (name in incidents and incidents[name].state in PENDING)
            or (name not in incidents and self.failing(alarm_name))
        ]

    def _incidents(self) -> dict[str, Incident]:
        rows = self._journal.rows(self._names)
        return {name: row.incident for name, row in rows.items() if row.incident}

    def _outcome(self, messages: int) -> Outcome:
        incidents = self._incidents()
        moved = Counter(name for name, _ in self.acts)
        return Outcome(
            alarms=len(self._names),
            messages=messages,
            acts=len(self.acts),
            twice=sum(times > 1 for times in moved.values()),
            lost=len(set(self._names) - incidents.keys()),
            seconds=max((at for _, at in self.acts), default=0.0),
            throttled=sum(self.throttled.values()),
            calls=dict(self.calls),
            reasons=Counter(incident.reason.value for incident in incidents.values()),
        )


class _Numbers:
    """CloudWatch: version 2 fails, version 1 did not; the quotas are those of the storm."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm

    def _ask(self, operation: str) -> None:
        if not self._storm.takes(operation):
            raise MeasurementError(f"{operation}: ThrottlingException")

    def read_alarms(self, names: Collection[str]) -> Mapping[str, AlarmReading]:
        self._ask("DescribeAlarms")
        return {
            name: AlarmReading(
                state=AlarmState.ALARM if self._storm.failing(name) else AlarmState.OK,
                transitioned_at=START,
                actions_enabled=True,
            )
            for name in names
        }

    def muted_by(self, alarm_name: str) -> str | None:
        del alarm_name
        self._ask("ListAlarmMuteRules")
        return None

    def muted(self, names: Collection[str]) -> Mapping[str, str]:
        del names
        self._ask("ListAlarmMuteRules")
        return {}

    def read(
        self, questions: Mapping[str, Question], *, since_at: datetime, now: datetime
    ) -> Mapping[str, tuple[Minute, ...]]:
        self._ask("GetMetricData")
        return {name: _minutes(question, since_at, now) for name, question in questions.items()}


def _minutes(question: Question, since_at: datetime, now: datetime) -> tuple[Minute, ...]:
    assert isinstance(question, Share)
    version = dict(question.bad.dimensions).get("ExecutedVersion")
    deployed_at = START - DEPLOYED_AGO
    found, at = [], max(since_at, START - 30 * MINUTE).replace(second=0, microsecond=0)
    while at + MINUTE <= now:
        served = "2" if at >= deployed_at else "1"
        if version in {None, served}:
            errors = 240 if served == "2" else 0
            found.append(Minute(start_at=at, requests=600, errors=errors))
        at += MINUTE
    return tuple(found)


def _document(names: Collection[str], rollbacks_an_hour: int) -> dict[str, Any]:
    return {
        "environment": "storm",
        "mode": "enforce",
        "slack": {"channel": "#deploys"},
        "guardrails": {"rollbacks_an_hour": rollbacks_an_hour},
        "services": [
            {
                "name": name,
                "targets": [{"kind": "lambda_alias", "function": name, "alias": "live"}],
                "triggers": [
                    {"kind": "error_rate", "threshold_percent": 5, "severity": "critical"}
                ],
            }
            for name in names
        ],
    }
