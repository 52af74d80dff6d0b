"""The policy: what an operator writes in `cdk.json`, typed once, for the synth and the function."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, TypeVar

from rollback_responder.domain import naming
from rollback_responder.domain.document import AtLeastOne, Doc, Limits, Pattern, Reader, write
from rollback_responder.domain.errors import PolicyError, Problem
from rollback_responder.domain.target import Target
from rollback_responder.domain.trigger import AdoptedAlarm, Trigger

T = TypeVar("T")
MINUTES_A_DAY = Limits(0, 1440)


class Mode(StrEnum):
    """What the responder may do with its own judgement."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


class Mention(StrEnum):
    """Whom a page in Slack rings."""

    HERE = "here"
    CHANNEL = "channel"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Where and how loudly to tell. The webhook or token is in the Slack secret, never here."""

    channel: Annotated[
        str,
        Doc(
            "The channel's name or id, for a bot token; a webhook has its own.",
            "write it as Slack shows it, such as #deploys",
        ),
        # Slack: channel names are at most 80 characters.
        Pattern(r"#?[^\s#<>&,]{1,80}", "a channel name or id of 1 to 80 characters"),
    ]
    mention: Annotated[Mention, Doc("Whom to ring when a person must look.")] = Mention.HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """Limits on acting, the same for all services."""

    change_age_minutes: Annotated[
        int,
        Doc("A release older than this is not what broke the service; it is left alone."),
        Limits(5, 1440),
    ] = 60
    cooldown_minutes: Annotated[
        int, Doc("After acting on a target, hands off it for this long."), MINUTES_A_DAY
    ] = 30
    bake_minutes: Annotated[
        int,
        Doc("A release has proved itself after serving this long with its alarms quiet."),
        Limits(1, 1440),
    ] = 10
    recheck_minutes: Annotated[
        int,
        Doc("How long an undecided alarm is judged again each minute before a person is asked."),
        Limits(1, 60),
    ] = 15
    metric_lag_minutes: Annotated[
        int,
        Doc("A minute younger than this may still be incomplete and never counts as healthy."),
        Limits(0, 10),
    ] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """When a rollback counts as having helped."""

    healthy_minutes: Annotated[
        int, Doc("Alarm OK and metric healthy for this many minutes means fixed."), Limits(1, 60)
    ] = 3
    deadline_minutes: Annotated[
        int, Doc("Not fixed by then: a person is called."), Limits(2, 240)
    ] = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: what moves when it is deployed, and what shows that it is broken."""

    # Dots part the pieces of an alarm's name, so a service's name has none.
    name: Annotated[
        str,
        Doc("The service's name, as people say it.", "use letters, digits and hyphens"),
        Pattern(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "1 to 64 letters, digits, hyphens, underscores"),
    ]
    targets: Annotated[tuple[Target, ...], Doc("What is rolled back."), AtLeastOne()]
    triggers: Annotated[tuple[Trigger, ...], Doc("What shows that it is broken."), AtLeastOne()]
    verification: Annotated[Verification, Doc("When a rollback counts as having helped.")] = field(
        default_factory=Verification
    )
    mode: Annotated[Mode | None, Doc("Overrides the policy's mode for this service.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Who is told when the responder itself is ill, by a way that does not need it."""

    emails: Annotated[
        tuple[Annotated[str, Pattern(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")], ...],
        Doc("Addresses that get the responder's own alarms by e-mail."),
    ] = ()


class Watched(NamedTuple):
    """One alarm in scope: which service, target and trigger it stands for."""

    alarm_name: str
    service: Service
    target: Target
    trigger: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole of context `rollback`."""

    environment: Annotated[
        str,
        Doc("Which environment this is.", "use a short word such as prod"),
        Pattern(r"[a-z][a-z0-9-]{0,19}", "1 to 20 lower-case letters, digits or hyphens"),
    ]
    mode: Annotated[
        Mode,
        Doc("observe: say what would be done. enforce: do it. Start with observe."),
    ] = Mode.OBSERVE
    slack: Annotated[Slack, Doc("Where to tell what was done and why.")]
    guardrails: Annotated[Guardrails, Doc("Limits on acting.")] = field(default_factory=Guardrails)
    health: Annotated[Health, Doc("Who is told when the responder itself is ill.")] = field(
        default_factory=Health
    )
    services: Annotated[tuple[Service, ...], Doc("What is watched."), AtLeastOne()]

    def watched(self) -> Iterator[Watched]:
        """Every alarm in scope, in the order of the document."""
        for service in self.services:
            for target in service.targets:
                for trigger in service.triggers:
                    name = naming.alarm_name(self.environment, service.name, target, trigger)
                    yield Watched(name, service, target, trigger)

    def mode_of(self, service: Service) -> Mode:
        """The service's own mode, else the policy's."""
        return service.mode or self.mode

    def to_document(self) -> dict[str, Any]:
        """The policy as plain JSON; `parse_policy` reads it back to an equal value."""
        document: dict[str, Any] = write(self)
        return document


def parse_policy(document: object) -> Policy:
    """Reads a policy, at synth and again in the function.

    Args:
        document: plain JSON, as `json.loads` gives it.

    Raises:
        PolicyError: with every problem, each with its path, what was got, what is allowed and what
            to change.
    """
    reader = Reader()
    policy = reader.read(Policy, document, "rollback")
    whole, places = (policy, range(len(policy.services))) if policy else _readable(document)
    problems = [*reader.problems, *_conflicts(whole, places)]
    if problems or policy is None:
        raise PolicyError("the rollback policy", tuple(problems))
    return policy


def _readable(document: object) -> tuple[Policy, list[int]]:
    """As much of a faulty document as can be read, so that its conflicts are told as well.

    With it the places in the document where the services that could be read stand.
    """
    parts = document if isinstance(document, Mapping) else {}
    found = parts.get("services")
    services = [_read(Service, each) for each in (found if isinstance(found, list) else [])]
    policy = Policy(
        environment=str(parts.get("environment", "")),
        slack=Slack(channel="unknown"),
        guardrails=_read(Guardrails, parts.get("guardrails")) or Guardrails(),
        services=tuple(service for service in services if service),
    )
    return policy, [place for place, service in enumerate(services) if service]


def _read(cls: type[T], document: object) -> T | None:
    return Reader().read(cls, document, "")


def _conflicts(policy: Policy, places: Sequence[int]) -> Iterator[Problem]:
    """What no single field can be wrong about. `places` are the services' own indices."""
    services = list(zip(places, policy.services, strict=True))
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
    for i, service in services:
        path = f"rollback.services[{i}]"
        yield from _service_conflicts(service, path, lag)
    yield from _mode_conflicts(policy, services)
    yield from _alarm_conflicts(policy)


def _service_conflicts(service: Service, path: str, lag: int) -> Iterator[Problem]:
    yield from _repeated(
        [(f"{path}.triggers[{j}]", t.label) for j, t in enumerate(service.triggers)],
        "a trigger that the service does not have yet",
    )
    for j, trigger in enumerate(service.triggers):
        if isinstance(trigger, AdoptedAlarm):
            if len(service.targets) > 1:
                yield Problem(
                    path=f"{path}.triggers[{j}]",
                    got=f"an adopted alarm on {len(service.targets)} targets",
                    allowed="an adopted alarm in a service with one target",
                    change="give each target its own service: one alarm cannot say which broke",
                )
            continue
        where = f"{path}.triggers[{j}].breaching_minutes"
        if trigger.breaching_minutes > trigger.minutes:
            yield Problem(
                path=where,
                got=str(trigger.breaching_minutes),
                allowed=f"at most minutes, which is {trigger.minutes}",
                change="lower breaching_minutes or raise minutes",
            )
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


def _mode_conflicts(policy: Policy, services: list[tuple[int, Service]]) -> Iterator[Problem]:
    """IAM cannot tell the aliases of one function apart, so they share a mode."""
    modes: dict[str, Mode] = {}
    for i, service in services:
        mode = policy.mode_of(service)
        for target in service.targets:
            other = modes.setdefault(target.function, mode)
            if other is not mode:
                yield Problem(
                    path=f"rollback.services[{i}].mode",
                    got=f"{mode.value} for an alias of function {target.function}",
                    allowed=f"{other.value}, the mode of its other alias",
                    change="give all aliases of one function the same mode",
                )


def _alarm_conflicts(policy: Policy) -> Iterator[Problem]:
    watched = list(policy.watched())
    yield from _repeated(
        [
            (f"alarm of service {w.service.name!r}, trigger {w.trigger.label!r}", w.alarm_name)
            for w in watched
        ],
        "an alarm name that no other trigger has",
    )
    prefix = naming.own_alarm_prefix(policy.environment)
    for entry in watched:
        if len(entry.alarm_name) > naming.LONGEST_ALARM_NAME:
            yield Problem(
                path=f"alarm of service {entry.service.name!r}, trigger {entry.trigger.label!r}",
                got=f"a name of {len(entry.alarm_name)} characters",
                allowed=f"at most {naming.LONGEST_ALARM_NAME}, CloudWatch's limit",
                change="shorten the service's, function's or alias's name",
            )
        if isinstance(entry.trigger, AdoptedAlarm) and entry.alarm_name.startswith(prefix):
            yield Problem(
                path=f"alarm of service {entry.service.name!r}",
                got=repr(entry.alarm_name),
                allowed=f"a name that does not begin with {prefix}",
                change="adopt an alarm that this policy does not make itself",
            )


def _repeated(named: list[tuple[str, str]], allowed: str) -> Iterator[Problem]:
    counts = Counter(value for _, value in named)
    seen: set[str] = set()
    for path, value in named:
        if counts[value] > 1 and value in seen:
            yield Problem(
                path=path, got=f"{value!r} again", allowed=allowed, change="remove or rename one"
            )
        seen.add(value)
