"""What no single field of a policy can be wrong about: names, modes and alarms that collide."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from rollback_responder.domain import naming
from rollback_responder.domain.errors import Problem
from rollback_responder.domain.freeze import Freeze, OneFreeze
from rollback_responder.domain.target import (
    AfterSuccess,
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
)
from rollback_responder.domain.trigger import AdoptedAlarm, LogFormat, PointerTrigger, Timeouts

if TYPE_CHECKING:
    from rollback_responder.domain.policy import Policy, Service
    from rollback_responder.domain.response import Mode


class Places(Struct, frozen=True, kw_only=True):
    """Where in the document the parts stand that a policy was made of.

    Attributes:
        services, freezes: the index of each.
        unread: the names of services that are there and could not be read.
        has_mode: whether its mode could be read; else it says nothing of a service without one.
    """

    services: Sequence[int]
    freezes: Sequence[int]
    unread: frozenset[str] = frozenset()
    has_mode: bool = True


def conflicts_of(policy: "Policy", places: Places | None = None) -> Iterator[Problem]:
    """Every conflict of a policy; `places` where it is only a part of the document."""
    places = places or Places(
        services=range(len(policy.services)), freezes=range(len(policy.freezes))
    )
    services = list(zip(places.services, policy.services, strict=True))
    yield from _repeated(
        [(f"rollback.services[{i}].name", s.name) for i, s in services],
        "a name no other service has",
    )
    yield from _repeated(
        [
            (f"rollback.services[{i}].targets[{j}]", target.target_id)
            for i, service in services
            for j, target in enumerate(service.targets)
        ],
        "a target that no other entry names",
    )
    lag = policy.guardrails.metric_lag_minutes
    names = {*places.unread, *(service.name for _, service in services)}
    for i, service in services:
        path = f"rollback.services[{i}]"
        yield from _service_conflicts(service, path, lag)
        yield from _sibling_conflicts(service, names, path)
        yield from _own_conflicts(service, policy.environment, path)
    yield from _freeze_conflicts(zip(places.freezes, policy.freezes, strict=True))
    yield from _drill_conflicts(policy)
    said = [(i, service) for i, service in services if places.has_mode or service.mode]
    yield from _mode_conflicts(policy, said)
    yield from _log_format_conflicts(services)
    yield from _dependency_conflicts(policy, services)
    yield from _alarm_conflicts(policy)


def _service_conflicts(service: "Service", path: str, lag: int) -> Iterator[Problem]:
    yield from _repeated(
        [(f"{path}.triggers[{j}]", t.label) for j, t in enumerate(service.triggers)],
        "a trigger that the service does not have yet",
    )
    yield from _trigger_conflicts(service, path)
    yield from _redeploy_conflicts(service, path)
    yield from _verification_conflicts(service, path, lag)


def _trigger_conflicts(service: "Service", path: str) -> Iterator[Problem]:
    """What a trigger asks of, and how often it must be bad."""
    aliases = len(service.pointers)
    for j, trigger in enumerate(service.triggers):
        of_pointer = isinstance(trigger, PointerTrigger)
        if not of_pointer and aliases > 1:
            yield Problem(
                path=f"{path}.triggers[{j}]",
                got=f'a trigger of kind "{trigger.kind}" on {aliases} aliases',
                allowed="such a trigger in a service with one alias",
                change="give each alias its own service: one alarm cannot say which broke",
            )
        if of_pointer and not aliases:
            yield Problem(
                path=f"{path}.triggers[{j}]",
                got=f'a trigger of kind "{trigger.kind}" in a service without an alias',
                allowed="such a trigger where there is a lambda_alias to measure",
                change="add the alias to targets, or take a trigger with a metric of its own",
            )
        most, least = getattr(trigger, "minutes", 1), getattr(trigger, "breaching_minutes", 1)
        if least > most:
            yield Problem(
                path=f"{path}.triggers[{j}].breaching_minutes",
                got=str(least),
                allowed=f"at most minutes, which is {most}",
                change="lower breaching_minutes or raise minutes",
            )


# They are read in one GetMetricData call with the service itself, which takes 500 series.
MOST_SIBLINGS = 20


def _sibling_conflicts(service: "Service", names: set[str], path: str) -> Iterator[Problem]:
    if len(service.siblings) > MOST_SIBLINGS:
        yield Problem(
            path=f"{path}.siblings",
            got=f"{len(service.siblings)} names",
            allowed=f"at most {MOST_SIBLINGS}",
            change="keep those that share the most with it: three say enough",
        )
    for j, sibling in enumerate(service.siblings):
        if sibling == service.name or sibling not in names:
            yield Problem(
                path=f"{path}.siblings[{j}]",
                got=repr(sibling),
                allowed="the name of another service of this policy",
                change="name a service that shares its dependencies, or remove it",
            )


def _own_conflicts(service: "Service", environment: str, path: str) -> Iterator[Problem]:
    """The responder is nobody's target: it would stop itself in the middle of a rollback."""
    for j, target in enumerate(service.targets):
        match target:
            case LambdaAlias(function=name) | CloudFormationStack(stack=name):
                is_own = naming.is_own(environment, name)
            case CodeDeployGroup():
                is_own = False
            case _:
                assert_never(target)
        if is_own:
            yield Problem(
                path=f"{path}.targets[{j}]",
                got=f"{target.title!r}, the responder's own",
                allowed="what is not a part of the responder",
                change="remove it: a person rolls the responder back, with CloudFormation",
            )


def _redeploy_conflicts(service: "Service", path: str) -> Iterator[Problem]:
    """A redeployment leads back to a version of the one alias that the group shifts."""
    aliases = len(service.pointers)
    for j, target in enumerate(service.targets):
        redeploys = (
            isinstance(target, CodeDeployGroup) and target.after_success is AfterSuccess.REDEPLOY
        )
        groups = sum(isinstance(other, CodeDeployGroup) for other in service.rollouts)
        if redeploys and (aliases, groups) != (1, 1):
            yield Problem(
                path=f"{path}.targets[{j}].after_success",
                got=f"redeploy, aliases of the service: {aliases}, CodeDeploy groups: {groups}",
                allowed="redeploy in a service with one alias and the one group that shifts it",
                change="name these two only, or write ask",
            )


def _verification_conflicts(service: "Service", path: str, lag: int) -> Iterator[Problem]:
    """Healthy for so long must be possible before the deadline."""
    verification = service.verification
    # The act falls into a minute that counts for nothing, and the last ones come late.
    soonest = verification.healthy_minutes + lag + 1
    if soonest > verification.deadline_minutes:
        yield Problem(
            path=f"{path}.verification.healthy_minutes",
            got=str(verification.healthy_minutes),
            allowed=f"at most {verification.deadline_minutes - lag - 1}: deadline_minutes less"
            " metric_lag_minutes less one",
            change="raise deadline_minutes",
        )


def _freeze_conflicts(freezes: Iterable[tuple[int, Freeze]]) -> Iterator[Problem]:
    for j, freeze in freezes:
        if isinstance(freeze, OneFreeze) and freeze.until_at <= freeze.from_at:
            yield Problem(
                path=f"rollback.freezes[{j}].until_at",
                got=freeze.until_at.isoformat(),
                allowed=f"an instant after from_at, {freeze.from_at.isoformat()}",
                change="let it end after it begins",
            )


def _drill_conflicts(policy: "Policy") -> Iterator[Problem]:
    if policy.drills is not None and policy.is_production:
        yield Problem(
            path="rollback.drills",
            got=f"drills in the environment {policy.environment!r}",
            allowed="drills where the environment is not called production",
            change="leave the key out here, and put it into the staging environment's policy",
        )


def _mode_conflicts(policy: "Policy", services: list[tuple[int, "Service"]]) -> Iterator[Problem]:
    """IAM cannot tell the aliases of one function apart: all may be touched, or none."""
    modes: dict[str, Mode] = {}
    for i, service in services:
        mode = policy.mode_of(service)
        for target in service.pointers:
            other = modes.setdefault(target.function, mode)
            if other.may_act is not mode.may_act:
                yield Problem(
                    path=f"rollback.services[{i}].mode",
                    got=f"{mode.value} for an alias of function {target.function}",
                    allowed=f"{other.value}, the mode of its other alias",
                    change="let all aliases of one function be touched, or none",
                )


def _log_format_conflicts(services: list[tuple[int, "Service"]]) -> Iterator[Problem]:
    """A function has one log, and its log one format."""
    formats: dict[str, LogFormat] = {}
    for i, service in services:
        for j, trigger in enumerate(service.triggers):
            if not isinstance(trigger, Timeouts):
                continue
            for pointer in service.pointers:
                other = formats.setdefault(pointer.function, trigger.log_format)
                if other is not trigger.log_format:
                    yield Problem(
                        path=f"rollback.services[{i}].triggers[{j}].log_format",
                        got=f"{trigger.log_format.value} for function {pointer.function}",
                        allowed=f"{other.value}, as in its other timeouts trigger",
                        change="write the format that the function logs in, in both",
                    )


def _dependency_conflicts(
    policy: "Policy", services: list[tuple[int, "Service"]]
) -> Iterator[Problem]:
    """What calls for a rollback cannot be what holds it back."""
    own = {(entry.service.name, entry.alarm_name) for entry in policy.watched()}
    for i, service in services:
        for j, name in enumerate(service.dependencies):
            if (service.name, name) in own:
                yield Problem(
                    path=f"rollback.services[{i}].dependencies[{j}]",
                    got=f"{name!r}, an alarm of one of its triggers",
                    allowed="alarms of what the service depends on",
                    change="remove it: while it fires, nothing would be rolled back",
                )


def _alarm_conflicts(policy: "Policy") -> Iterator[Problem]:
    watched = list(policy.watched())
    yield from _repeated(
        [
            (f"alarm of service {w.service.name!r}, trigger {w.trigger.label!r}", w.alarm_name)
            for w in watched
        ],
        "an alarm name that no other trigger has",
    )
    made, on_itself = (
        naming.own_alarm_prefix(policy.environment),
        naming.health_alarm_prefix(policy.environment),
    )
    for entry in watched:
        if len(entry.alarm_name) > naming.LONGEST_ALARM_NAME:
            yield Problem(
                path=f"alarm of service {entry.service.name!r}, trigger {entry.trigger.label!r}",
                got=f"a name of {len(entry.alarm_name)} characters",
                allowed=f"at most {naming.LONGEST_ALARM_NAME}, CloudWatch's limit",
                change="shorten the service's, function's or alias's name",
            )
        if isinstance(entry.trigger, AdoptedAlarm) and entry.alarm_name.startswith(
            (made, on_itself)
        ):
            yield Problem(
                path=f"alarm of service {entry.service.name!r}",
                got=repr(entry.alarm_name),
                allowed=f"a name that begins with neither {made} nor {on_itself}",
                change="adopt an alarm that the responder does not make itself",
            )


def _repeated(named: list[tuple[str, str]], allowed: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, value in named:
        if value in seen:
            yield Problem(
                path=path, got=f"{value!r} again", allowed=allowed, change="remove or rename one"
            )
        seen.add(value)
