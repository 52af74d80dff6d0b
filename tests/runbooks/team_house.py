"""A team's account in memory under the team's own policy: its runbook, played minute by minute.

Everything that the policy of an example names is there: functions behind aliases, deployment
groups, stacks, APIs, queues, metrics of the team's own, and alarms of somebody else's. A version
has its `Behaviour`, and every minute of traffic leaves in CloudWatch what AWS would leave there.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from faults import Operations

from house import ACCOUNT, MINUTE, REGION, House
from local.aws_model.alarm import MetricAlarm, StateRecord
from local.aws_model.codedeploy import canary
from local.aws_model.evaluation import TreatMissingData
from local.aws_model.metrics import Datapoint, Metric, MetricStore, Sample, Statistic
from local.aws_model.queries import MetricStat
from rollback_responder.domain.controls import Approval, Controls
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.policy import Service
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.target import CloudFormationStack, CodeDeployGroup, LambdaAlias
from rollback_responder.domain.trigger import (
    AdoptedAlarm,
    Anomaly,
    Api,
    ApiErrorCount,
    ApiErrorRate,
    DeadLetters,
    MetricName,
    Ratio,
)
from rollback_responder.journal.memory import _Kept
from rollback_responder.notifiers.message import Message, message_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# CloudWatch's band needs a history of its own, and the judge an hour of it.
HISTORY = 150
REQUESTS = 240
HALF = "HalfForAnHour"
AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"
THEIRS = "Theirs"


@cache
def _read(example: str) -> str:
    return (EXAMPLES / example).read_text()


def document_of(example: str) -> dict[str, Any]:
    """The whole `cdk.json` of an example."""
    document: dict[str, Any] = json.loads(_read(example))
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a version behaves. Shares are of its requests, from 0 to 1.

    `timeouts` are among Lambda's errors. `api_errors` are failures that only the API sees. Each
    minute `dead_letters` messages end in the dead-letter queue. `shows` is what it does to metrics
    of the team's own, by the name of the trigger: the share of a ratio, the value of an anomaly.
    """

    errors: float = 0.0
    timeouts: float = 0.0
    throttled: float = 0.0
    latency_ms: float = 100.0
    api_errors: float = 0.0
    dead_letters: int = 0
    shows: Mapping[str, float] = field(default_factory=dict)


WELL = Behaviour()


@dataclass(slots=True, kw_only=True)
class Minute:
    """What went through a function in one minute, whatever its version."""

    requests: int = 0
    errors: int = 0
    timeouts: int = 0


class Remembering(MetricStore):
    """The metric store, which sums up only once what is an hour old: nothing is added to that."""

    def datapoint(self, metric, statistic, *, start, period, seen_at, unit=None):
        key = (metric, statistic.name, start, period, unit)
        if key not in self.known:
            found = super().datapoint(
                metric, statistic, start=start, period=period, seen_at=seen_at, unit=unit
            )
            if start + period > self.clock() - 60 * MINUTE:
                return found
            self.known[key] = found
        return self.known[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A house in which everything has proved itself. No minute of it is written to again."""

    now: datetime
    samples: Mapping[Metric, Mapping[datetime, list[Sample]]]
    known: Mapping[tuple, Datapoint | None]
    states: Mapping[str, StateRecord]
    ledgers: Mapping[str, Mapping[str, Ledger]]


SETTLED: dict[str, Settled] = {}


class TeamHouse(House):
    """The whole house under one example's policy, and the team's account around it.

    Attributes:
        requests: how many come to each alias in a minute.
        ops: the queue, in which each alarm is told twice, as SNS and EventBridge do; the watcher.
        firing: names of alarms of somebody else's that fire.
        shows: what the team's own metrics show, whatever the version.
    """

    def __init__(self, example: str) -> None:
        super().__init__(document_of(example)["context"]["rollback"])
        self.example, self.requests = example, REQUESTS
        self.cloudwatch.metrics = Remembering(clock=self.clock)
        self.cloudwatch.metrics.known = {}
        self.firing: set[str] = set()
        self.shows: dict[str, float] = {}
        self.behaviours: dict[tuple[str, str], Behaviour] = {}
        self.dead: dict[str, int] = {}
        self.codedeploy.add_config(HALF, canary(50, timedelta(hours=1)))
        for service in self.policy.services:
            self._furnish(service)
        self.cloudwatch.put_alarms([_theirs(name) for name in sorted(set(self._adopted()))])
        self.ops = Operations(self, copies=2)

    def _furnish(self, service: Service) -> None:
        for target in service.targets:
            match target:
                case LambdaAlias():
                    version = self.publish(target.function, "v1", WELL)
                    self.aliases.point(target.function, target.alias, version)
                case CloudFormationStack():
                    self.cloudformation.add_stack(target.stack)
                case CodeDeployGroup():
                    (alias,) = service.pointers
                    self.codedeploy.add_group(
                        target.application,
                        target.group,
                        function=alias.function,
                        alias=alias.alias,
                        config=HALF,
                        auto_rollback_events=("DEPLOYMENT_FAILURE",),
                    )

    def _adopted(self) -> Iterator[str]:
        for service in self.policy.services:
            yield from service.dependencies
            yield from (t.name for t in service.triggers if isinstance(t, AdoptedAlarm))

    # -- time -----------------------------------------------------------------------------------

    def pass_minutes(self, minutes: int) -> None:
        """Minute by minute: traffic, alarms, messages, the watcher."""
        self.ops.pass_minutes(minutes, requests=self.requests)

    def pass_quietly(self, minutes: int) -> None:
        """The same for minutes in which nothing new happens: nobody looks until they are over."""
        for _ in range(minutes):
            self._serve(self.now)
            self.now += MINUTE
            self.codedeploy.tick()
            self.cloudformation.tick()
        # An evaluation reads its whole window by itself; those before the last save time.
        self.cloudwatch._evaluated_at = max(self.cloudwatch._evaluated_at, self.now - MINUTE)
        self.cloudwatch.tick()
        self.ops.deliver()
        self.ops.look()
        self.ops.deliver()

    def settle(self) -> "TeamHouse":
        """What is live has proved itself: it has served its bake time with its alarms quiet.

        That is played once for each example; every other house of it goes on from there.
        """
        settled = SETTLED.get(self.example)
        if settled is None:
            for ago in range(HISTORY, 0, -1):
                self._serve(self.now - ago * MINUTE)
            self.pass_minutes(1)
            self.pass_quietly(self.policy.guardrails.bake_minutes + 1)
            unproved = [
                target_id
                for kept in self.journal._kept.values()
                for target_id, ledger in kept.ledgers.items()
                if ledger.current and not ledger.current.proven_at
            ]
            assert unproved == []
            assert self.journal.archive == {}
            settled = SETTLED[self.example] = self._settled()
        self._go_on_from(settled)
        return self

    def _settled(self) -> Settled:
        return Settled(
            now=self.now,
            samples={
                metric: dict(kept) for metric, kept in self.cloudwatch.metrics._samples.items()
            },
            known=dict(self.cloudwatch.metrics.known),
            states={row.alarm.name: row.state for row in self.cloudwatch.alarms()},
            ledgers={name: kept.ledgers for name, kept in self.journal._kept.items()},
        )

    def _go_on_from(self, settled: Settled) -> None:
        self.now = self.cloudwatch._evaluated_at = settled.now
        self.cloudwatch.metrics._samples = {
            metric: defaultdict(list, kept) for metric, kept in settled.samples.items()
        }
        self.cloudwatch.metrics.known = dict(settled.known)
        for name, state in settled.states.items():
            self.cloudwatch._book.rows[name].state = state
        for name, ledgers in settled.ledgers.items():
            self.journal._kept[name] = _Kept(ledgers=ledgers)

    def traffic(self, minutes: int = 1, *, requests: int = 0, watch: bool = True) -> None:
        """Whole minutes of traffic through every alias."""
        for _ in range(minutes):
            self._serve(self.now)
            self.now += MINUTE
            self.codedeploy.tick()
            self.cloudformation.tick()
            self.cloudwatch.tick()
            if watch:
                self.watch()

    # -- what the team does ---------------------------------------------------------------------

    def publish(self, function: str, code: str, behaviour: Behaviour) -> str:
        """Publishes a version that behaves so."""
        version = self.aliases.publish(function, code)
        self.behaviours[function, version] = behaviour
        return version

    def behave(self, function: str, version: str, **behaviour: Any) -> None:
        """A version that is live already behaves differently from now on."""
        self.behaviours[function, version] = Behaviour(**behaviour)

    def release(self, function: str, code: str = "v2", **behaviour: Any) -> str:
        """Publishes a version and points the function's alias at it, all at once."""
        version = self.publish(function, code, Behaviour(**behaviour))
        self.aliases.point(function, self._alias_of(function).alias, version)
        return version

    def update(
        self, stack: str, *functions: str, seconds: float = 3600, code: str = "v2", **behaviour: Any
    ) -> str:
        """A stack update begins that points these functions' aliases elsewhere.

        They are pointed back when it is rolled back. Returns the operation's id.
        """
        before = {name: self.live_of(name) for name in functions}
        after = {name: self.publish(name, code, Behaviour(**behaviour)) for name in functions}

        def point(versions: Mapping[str, str]) -> None:
            for name, version in versions.items():
                self.aliases.point(name, self._alias_of(name).alias, version)

        return self.cloudformation.begin_update(
            stack,
            seconds=seconds,
            on_begin=lambda: point(after),
            on_rollback=lambda: point(before),
        )

    def deploy(
        self, service: str, *, config: str = HALF, code: str = "v2", driver: str = "", **behaviour
    ) -> str:
        """A deployment of the service's group begins; returns its id.

        `driver` is the stack whose update makes it.
        """
        (group,) = (t for t in self.service(service).targets if isinstance(t, CodeDeployGroup))
        (alias,) = self.service(service).pointers
        version = self.publish(alias.function, code, Behaviour(**behaviour))
        by = {"creator": "CloudFormation", "external_id": self.stack_id(driver)} if driver else {}
        return self.codedeploy.deploy(
            group.application, group.group, target_version=version, config=config, **by
        )

    def approve(self, service: str, by: str = "lead") -> None:
        """A person's yes to what the service's incident asks."""
        approval = Approval(incident_id=self.last(service).id, by=by, at=self.now)
        self.journal.say(service, Controls(approvals=(approval,)))

    def stack_id(self, stack: str) -> str:
        found: str = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        return found

    # -- what there is to see -------------------------------------------------------------------

    def service(self, name: str) -> Service:
        return next(service for service in self.policy.services if service.name == name)

    def _alias_of(self, function: str) -> LambdaAlias:
        return next(p for s in self.policy.services for p in s.pointers if p.function == function)

    def live_of(self, function: str) -> str:
        """The version that the function's alias points to."""
        return self.aliases.version_of(function, self._alias_of(function).alias)

    def incidents(self, service: str) -> list[Incident]:
        """Those that ended, then the open one."""
        found = [i for i in self.journal.archive.values() if i.service == service]
        row = self.journal.rows([service]).get(service)
        current = row.incident if row else None
        return [*found, *([current] if current and current.is_open else [])]

    def last(self, service: str) -> Incident:
        return self.incidents(service)[-1]

    def reasons(self, service: str, number: int = -1) -> list[Reason]:
        """What one incident of the service said, oldest first; what it repeats, once."""
        steps = self.incidents(service)[number].steps
        return [reason for reason, _ in groupby(step.reason for step in steps)]

    def told(self, service: str) -> Message:
        """What Slack says of the service's latest incident."""
        return message_of(self.last(service), account_id=ACCOUNT, region=REGION)

    @property
    def orders(self) -> list[tuple[str, str]]:
        """Every change that the responder asked AWS for and AWS made, by kind."""
        return [
            *(
                ("move", f"{name} {before} to {after}")
                for name, before, after in self.aliases.moves
            ),
            *(("stop", made) for made, _ in self.codedeploy.stops),
            *(("deploy", made) for made in self.codedeploy.creations),
            *(("cancel", cancel.stack) for cancel in self.cloudformation.cancels),
            *(("continue", one.stack) for one in self.cloudformation.continues),
        ]

    # -- what a minute leaves in CloudWatch -----------------------------------------------------

    def _serve(self, at: datetime) -> None:
        for service in self.policy.services:
            seen = Minute()
            for pointer in service.pointers:
                self._serve_alias(at, pointer, seen)
            for trigger in service.triggers:
                match trigger:
                    case DeadLetters():
                        self._dead_letters(at, service, trigger.queue)
                    case Ratio():
                        share = self._shown(service, trigger.name, 0.0)
                        self._counts(at, trigger.bad, round(share * self.requests))
                        self._counts(at, trigger.whole, self.requests)
                    case Anomaly():
                        level = self._shown(service, trigger.name, 20 * _unsteady(at))
                        self._record(at, _theirs_metric(trigger.metric), level)
            for api in {
                t.api for t in service.triggers if isinstance(t, ApiErrorRate | ApiErrorCount)
            }:
                self._serve_api(at, service, api, seen)
        for name in self.firing:
            self._record(at, Metric.of(THEIRS, name), 1.0)

    def _versions(self, pointer: LambdaAlias) -> Iterator[tuple[str, float]]:
        """The versions behind an alias, each with its share of the traffic."""
        weights = self.aliases.weights_of(pointer.function, pointer.alias)
        yield from weights.items()
        rest = 1 - sum(weights.values())
        yield self.aliases.version_of(pointer.function, pointer.alias), rest

    def _serve_alias(self, at: datetime, pointer: LambdaAlias, seen: Minute) -> None:
        """What AWS/Lambda publishes, and what the metric filter counts in the function's log."""
        base = {"FunctionName": pointer.function}
        alias = base | {"Resource": f"{pointer.function}:{pointer.alias}"}
        timed_out = 0
        for version, share in self._versions(pointer):
            behaviour = self.behaviours[pointer.function, version]
            came = round(self.requests * share)
            throttled = round(came * behaviour.throttled)
            ran = came - throttled
            timeouts = round(ran * behaviour.timeouts)
            failed = max(timeouts, round(ran * behaviour.errors))
            for dimensions in (base, alias, alias | {"ExecutedVersion": version}):
                self._share(at, Metric.of("AWS/Lambda", "Errors", dimensions), failed, ran)
                self._share(at, Metric.of("AWS/Lambda", "Invocations", dimensions), ran, ran)
                took = behaviour.latency_ms * _unsteady(at)
                self._record(at, Metric.of("AWS/Lambda", "Duration", dimensions), took, ran)
            for dimensions in (base, alias):
                # A request that is turned away is executed by no version.
                throttles = Metric.of("AWS/Lambda", "Throttles", dimensions)
                self._share(at, throttles, throttled, came)
            timed_out += timeouts
            seen.requests += came
            seen.errors += failed
        self._record(at, Metric.of("RollbackResponder/Timeouts", pointer.function), timed_out)

    def _serve_api(self, at: datetime, service: Service, api: Api, seen: Minute) -> None:
        """What AWS/ApiGateway publishes of a REST API: by its name, and by its stage."""
        own = max((b.api_errors for b in self._behaviours(service)), default=0.0)
        failed = max(seen.errors, round(seen.requests * own))
        by_stage = [{"Stage": api.stage}] if api.stage else []
        for more in ({}, *by_stage):
            dimensions = {"ApiName": api.name} | more
            count = Metric.of("AWS/ApiGateway", "Count", dimensions)
            self._share(at, count, seen.requests, seen.requests)
            errors = Metric.of("AWS/ApiGateway", "5XXError", dimensions)
            self._share(at, errors, failed, seen.requests)

    def _dead_letters(self, at: datetime, service: Service, queue: str) -> None:
        came = sum(behaviour.dead_letters for behaviour in self._behaviours(service))
        self.dead[queue] = self.dead.get(queue, 0) + came
        visible = "ApproximateNumberOfMessagesVisible"
        self._record(at, Metric.of("AWS/SQS", visible, {"QueueName": queue}), self.dead[queue])

    def _behaviours(self, service: Service) -> list[Behaviour]:
        return [
            self.behaviours[pointer.function, version]
            for pointer in service.pointers
            for version, _ in self._versions(pointer)
        ]

    def _shown(self, service: Service, name: str, usual: float) -> float:
        """What a metric of the team's own shows: by the account, a live version, or as usual."""
        shown = [b.shows[name] for b in self._behaviours(service) if name in b.shows]
        return self.shows.get(name, max(shown, default=usual))

    def _counts(self, at: datetime, name: MetricName, count: int) -> None:
        self._record(at, _theirs_metric(name), float(count))

    def _share(self, at: datetime, metric: Metric, bad: int, whole: int) -> None:
        """One value a request: 1 for each that counts, 0 for the others."""
        if bad:
            self._record(at, metric, 1.0, bad)
        if whole > bad:
            self._record(at, metric, 0.0, whole - bad)

    def _record(self, at: datetime, metric: Metric, value: float, count: int = 1) -> None:
        if count:
            self.cloudwatch.record(metric, timestamp=at, value=value, count=count)


def _theirs_metric(name: MetricName) -> Metric:
    return Metric.of(name.namespace, name.name, {one.name: one.value for one in name.dimensions})


def _theirs(name: str) -> MetricAlarm:
    """An alarm of somebody else's, which fires while the house says so."""
    return MetricAlarm(
        name=name,
        stat=MetricStat(
            metric=Metric.of(THEIRS, name), period=MINUTE, statistic=Statistic.parse("Maximum")
        ),
        evaluation_periods=1,
        datapoints_to_alarm=1,
        threshold=0,
        comparison="GreaterThanThreshold",
        treat_missing_data=TreatMissingData.NOT_BREACHING,
    )


def _unsteady(at: datetime) -> float:
    """A number about 1: no metric is the same in every minute."""
    return 1 + ((at.minute * 7919) % 11 - 5) / 100
