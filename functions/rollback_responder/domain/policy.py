"""The policy: what an operator writes in `cdk.json`, typed once, for the synth and the function."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Struct, field

from rollback_responder.domain import naming
from rollback_responder.domain.conflicts import Places, conflicts_of
from rollback_responder.domain.document import AtLeastOne, Doc, Limits, Pattern, Reader, write
from rollback_responder.domain.errors import PolicyError
from rollback_responder.domain.freeze import Day, Freeze
from rollback_responder.domain.response import Mode, Responses
from rollback_responder.domain.target import Pointer, Rollout, Target
from rollback_responder.domain.trigger import ALARM_NAME, AdoptedAlarm, PointerTrigger, Trigger

T = TypeVar("T")
MINUTES_A_DAY = Limits(0, 1440)
MEMBER_ID = Pattern(r"[UW][A-Z0-9]{2,20}", "a Slack member id, such as U012AB3CD")
SERVICE_NAME = Pattern(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "1 to 64 letters, digits, hyphens, underscores"
)


class AfterFailure(StrEnum):
    """What to do about the targets that follow one which could not be rolled back."""

    STOP = "stop"
    GO_ON = "go_on"


class Access(StrEnum):
    """By what the responder's roles know the functions and stacks that they may touch."""

    NAMES = "names"
    TAGS = "tags"


class Mention(StrEnum):
    """Whom a page in Slack rings."""

    HERE = "here"
    CHANNEL = "channel"
    NOBODY = "nobody"


class Digest(Struct, frozen=True, kw_only=True):
    """One message a week about the seven days before it, also when nothing happened.

    Monday at eight lies before a week is planned; it rings nobody.
    """

    day: Annotated[Day, Doc("The day on which it comes.")] = Day.MONDAY
    hour: Annotated[int, Doc("The hour at which it comes, in UTC."), Limits(0, 23)] = 8


class Slack(Struct, frozen=True, kw_only=True):
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
    approvers: Annotated[
        tuple[Annotated[str, MEMBER_ID], ...],
        Doc(
            "Who may press the buttons: approve, hold, undo, fix forward, and say whether it was "
            "right. Without anybody here there are no buttons, and no address that takes them."
        ),
    ] = ()
    digest: Annotated[
        Digest | None, Doc("Once a week, what happened; none comes where this is left out.")
    ] = None


class Guardrails(Struct, frozen=True, kw_only=True):
    """Limits on acting, the same for all services."""

    cooldown_minutes: Annotated[
        int, Doc("After acting on a target, hands off it for this long."), MINUTES_A_DAY
    ] = 30
    bake_minutes: Annotated[
        int,
        Doc("A release has proved itself after serving this long with its alarms quiet."),
        Limits(1, 1440),
    ] = 10
    approval_minutes: Annotated[
        int,
        Doc("How long a person may take to approve a rollback; then nothing is done."),
        Limits(1, 1440),
    ] = 60
    recheck_minutes: Annotated[
        int,
        Doc("How long an undecided alarm is judged again each minute before a person is asked."),
        Limits(1, 60),
    ] = 15
    rollbacks_an_hour: Annotated[
        int,
        Doc(
            "More than this many rollbacks in one hour, of all services together, look like a "
            "shared outage: the rest is left to people."
        ),
        Limits(1, 1000),
    ] = 10
    service_rollbacks_a_day: Annotated[
        int,
        Doc(
            "More rollbacks than this of one service within 24 hours are not what it takes to mend "
            "it: the rest is left to people."
        ),
        # The ledger remembers the latest twenty.
        Limits(1, 20),
    ] = 3
    metric_lag_minutes: Annotated[
        int,
        Doc("A minute younger than this may still be incomplete and never counts as healthy."),
        Limits(0, 10),
    ] = 1


class Verification(Struct, frozen=True, kw_only=True):
    """When a rollback counts as having helped."""

    healthy_minutes: Annotated[
        int, Doc("Alarm OK and metric healthy for this many minutes means fixed."), Limits(1, 60)
    ] = 3
    deadline_minutes: Annotated[
        int, Doc("Not fixed by then: a person is called."), Limits(2, 240)
    ] = 15


class Service(Struct, frozen=True, kw_only=True):
    """One service: what moves when it is deployed, and what shows that it is broken."""

    # Dots part the pieces of an alarm's name, so a service's name has none.
    name: Annotated[
        str,
        Doc("The service's name, as people say it.", "use letters, digits and hyphens"),
        SERVICE_NAME,
    ]
    targets: Annotated[
        tuple[Target, ...],
        Doc("What is deployed, judged and rolled back together; stacks in this order."),
        AtLeastOne(),
    ]
    triggers: Annotated[tuple[Trigger, ...], Doc("What shows that it is broken."), AtLeastOne()]
    verification: Annotated[Verification, Doc("When a rollback counts as having helped.")] = field(
        default_factory=Verification
    )
    mode: Annotated[Mode | None, Doc("Overrides the policy's mode for this service.")] = None
    after_failure: Annotated[
        AfterFailure,
        Doc("After a target that could not be rolled back: stop there, or go on with the next."),
    ] = AfterFailure.STOP

    siblings: Annotated[
        tuple[Annotated[str, SERVICE_NAME], ...],
        Doc(
            "Services of this policy that share what this one depends on and do not call it. While "
            "one of them fails without a deploy of its own, a deploy that took all traffic at once "
            "is not blamed."
        ),
    ] = ()
    dependencies: Annotated[
        tuple[Annotated[str, ALARM_NAME], ...],
        Doc("Alarms of what it depends on. While one of them fires, nothing is rolled back."),
    ] = ()

    @property
    def pointers(self) -> tuple[Pointer, ...]:
        """The targets that are moved, and measured."""
        return tuple(target for target in self.targets if isinstance(target, Pointer))

    @property
    def rollouts(self) -> tuple[Rollout, ...]:
        """The targets that carry a change, in the policy's order."""
        return tuple(target for target in self.targets if isinstance(target, Rollout))


class Health(Struct, frozen=True, kw_only=True):
    """Who is told when the responder itself is ill, by a way that does not need it."""

    emails: Annotated[
        tuple[Annotated[str, Pattern(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")], ...],
        Doc("Addresses that get the responder's own alarms by e-mail."),
    ] = ()


class Drills(Struct, frozen=True, kw_only=True):
    """When rollbacks are rehearsed: each service on one day of each month, by its name."""

    hour: Annotated[int, Doc("The hour of the day, in UTC."), Limits(0, 23)] = 10


class Watched(NamedTuple):
    """One alarm in scope: which service and trigger it stands for.

    `pointer` is where the symptom shows; None for an alarm of a service without one.
    """

    alarm_name: str
    service: Service
    pointer: Pointer | None
    trigger: Trigger


class Policy(Struct, frozen=True, kw_only=True):
    """The whole of context `rollback`."""

    environment: Annotated[
        str,
        Doc("Which environment this is.", "use a short word such as prod"),
        Pattern(r"[a-z][a-z0-9-]{0,19}", "1 to 20 lower-case letters, digits or hyphens"),
    ]
    mode: Annotated[
        Mode,
        Doc(
            "observe: say what would be done. approve: do it when a person has said yes. "
            "enforce: do it. Start with observe."
        ),
    ] = Mode.OBSERVE
    slack: Annotated[Slack, Doc("Where to tell what was done and why.")]
    guardrails: Annotated[Guardrails, Doc("Limits on acting.")] = field(default_factory=Guardrails)
    responses: Annotated[
        Responses, Doc("Roll back, ask or tell, by severity and age of the change.")
    ] = field(default_factory=Responses)
    freezes: Annotated[
        tuple[Freeze, ...], Doc("Times in which a person is asked before anything is rolled back.")
    ] = ()
    drills: Annotated[
        Drills | None,
        Doc(
            "Each enforced service with an alias is rolled back and forward again once a month, "
            "and Slack told how that went; never where this is left out. Not for production."
        ),
    ] = None
    health: Annotated[Health, Doc("Who is told when the responder itself is ill.")] = field(
        default_factory=Health
    )
    access: Annotated[
        Access,
        Doc(
            "names: the roles may touch what the policy names, some hundred services. tags: they "
            "may touch the functions and stacks that carry the tag rollback-target-ENVIRONMENT, "
            "with the value act, or look for those that are only observed; any number of them."
        ),
    ] = Access.NAMES
    services: Annotated[tuple[Service, ...], Doc("What is watched."), AtLeastOne()]

    @property
    def is_production(self) -> bool:
        """Whether the environment is called so."""
        return "prod" in self.environment

    def watched(self) -> Iterator[Watched]:
        """Every alarm in scope, in the order of the document."""
        for service in self.services:
            for trigger in service.triggers:
                if isinstance(trigger, PointerTrigger):
                    for pointer in service.pointers:
                        name = naming.alarm_name(self.environment, service.name, trigger, pointer)
                        yield Watched(name, service, pointer, trigger)
                    continue
                if isinstance(trigger, AdoptedAlarm):
                    name = trigger.name
                else:
                    name = naming.alarm_name(self.environment, service.name, trigger)
                yield Watched(name, service, next(iter(service.pointers), None), trigger)

    def entry_for(self, service: Service, pointer: Pointer | None) -> Watched | None:
        """The alarm by which a person's order about that pointer is looked at.

        A trigger that is only observed moves nothing, so another one comes first.
        """
        entries = [e for e in self.watched() if e.service == service and e.pointer == pointer]
        entries.sort(key=lambda entry: not self.mode_of(service, entry.trigger).may_act)
        return next(iter(entries), None)

    def mode_of(self, service: Service, trigger: Trigger | None = None) -> Mode:
        """The service's own mode, else the policy's; a trigger may hold that back."""
        mode = service.mode or self.mode
        own = trigger.mode if trigger else None
        return own if own and mode.allows(own) else mode

    def to_document(self) -> dict[str, Any]:
        """The policy as plain JSON; `parse_policy` reads it back to an equal value."""
        document: dict[str, Any] = write(self)
        return document


def parse_policy(document: object, *, part: bool = False) -> Policy:
    """Reads a policy, at synth and again in the function.

    Args:
        document: plain JSON, as `json.loads` gives it.
        part: only some services of a policy that was read as a whole before: what they have in
            conflict with each other was told then.

    Raises:
        PolicyError: with every problem, each with its path, what was got, what is allowed and what
            to change.
    """
    reader = Reader()
    policy = reader.read(Policy, document, "rollback")
    if policy and part:
        return policy
    if policy:
        problems = list(conflicts_of(policy))
    else:
        problems = [*reader.problems, *conflicts_of(*_readable(document))]
    if problems or policy is None:
        raise PolicyError("the rollback policy", tuple(problems))
    return policy


def parse_service(document: object) -> Service:
    """Reads one service of a policy that was read as a whole before.

    Raises:
        PolicyError: as `parse_policy`.
    """
    reader = Reader()
    service = reader.read(Service, document, "rollback.services")
    if service is None:
        raise PolicyError("the rollback policy", tuple(reader.problems))
    return service


def _readable(document: object) -> tuple[Policy, Places]:
    """As much of a faulty document as can be read, so that its conflicts are told as well."""
    parts = document if isinstance(document, Mapping) else {}
    services, freezes = _items(parts, "services"), _items(parts, "freezes")
    known = [(i, found) for i, each in services if (found := _read(Service, each))]
    frozen = [(j, freeze) for j, each in freezes if (freeze := _freeze(each))]
    mode, names = parts.get("mode", Mode.OBSERVE), [_named(each) for _, each in services]
    has_mode = isinstance(mode, str) and mode in set(Mode)
    policy = Policy(
        environment=str(parts.get("environment", "")),
        mode=Mode(mode) if has_mode else Mode.OBSERVE,
        slack=Slack(channel="unknown"),
        guardrails=_read(Guardrails, parts.get("guardrails")) or Guardrails(),
        freezes=tuple(each for _, each in frozen),
        # What is wrong in it is told by itself; that it is there says enough.
        drills=Drills() if parts.get("drills") is not None else None,
        services=tuple(service for _, service in known),
    )
    places = Places(
        services=[i for i, _ in known],
        freezes=[j for j, _ in frozen],
        unread=frozenset(name for name in names if name is not None),
        has_mode=has_mode,
    )
    return policy, places


def _items(parts: Mapping[Any, Any], name: str) -> list[tuple[int, Any]]:
    given = parts.get(name)
    return list(enumerate(given)) if isinstance(given, list) else []


def _named(service: object) -> str | None:
    name = service.get("name") if isinstance(service, Mapping) else None
    return name if isinstance(name, str) else None


def _freeze(document: object) -> Freeze | None:
    found: Freeze | None = Reader().read_kind(Freeze, document, "")
    return found


def _read(cls: type[T], document: object) -> T | None:
    return Reader().read(cls, document, "")
