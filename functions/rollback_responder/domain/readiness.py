"""Readiness: whether a rollback would work if one were needed now, judged from facts read before.

A fact that could not be read is `Unread`, which is never taken for a good one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from msgspec import Struct

from rollback_responder.domain.alias_readiness import AliasFacts, alias_findings
from rollback_responder.domain.finding import Check, Finding, Unread, finding, not_read
from rollback_responder.domain.metric_readiness import MetricFacts, metric_findings
from rollback_responder.domain.permissions import Need
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import CloudFormationStack, CodeDeployGroup

# So many services the preflight looks at each day: IAM and Lambda are asked for all of them within
# one run. Of more each has its turn every few days.
SERVICES_A_DAY = 50


class AlarmFacts(Struct, frozen=True, kw_only=True):
    """An alarm in scope.

    `adopted` means that it is somebody else's. `topic` is what it must publish to, or None where it
    need not. Where it `vouches`, no release proves itself without it.
    """

    name: str
    reading: AlarmReading | Unread | None
    adopted: bool = False
    actions: tuple[str, ...] = ()
    topic: str | None = None
    muted_by: str | Unread | None = None
    vouches: bool = True


class DependencyFacts(Struct, frozen=True, kw_only=True):
    """The alarm of something that a service depends on."""

    name: str
    reading: AlarmReading | Unread | None


class GroupFacts(Struct, frozen=True, kw_only=True):
    """A deployment group; `rolls_back` says whether it does so by itself, None if it is gone."""

    target: CodeDeployGroup
    rolls_back: bool | Unread | None


class StackState(Struct, frozen=True, kw_only=True):
    """A stack as CloudFormation describes it; `root` is named where it is nested."""

    phase: Phase
    status: str
    has_role: bool
    monitoring_minutes: int
    root: str | None = None


class StackFacts(Struct, frozen=True, kw_only=True):
    """A stack, or None if it is gone."""

    target: CloudFormationStack
    state: StackState | Unread | None


class PermissionFacts(Struct, frozen=True, kw_only=True):
    """What IAM's simulation says of one need; `decision` is its word."""

    need: Need
    decision: str


Fact = AliasFacts | AlarmFacts | MetricFacts | DependencyFacts | GroupFacts | StackFacts


def findings_of(fact: Fact) -> Iterator[Finding]:
    """What is wrong with one target or alarm."""
    match fact:
        case AliasFacts():
            yield from alias_findings(fact)
        case AlarmFacts():
            yield from _alarm(fact)
        case MetricFacts():
            yield from metric_findings(fact)
        case DependencyFacts():
            yield from _dependency(fact)
        case GroupFacts():
            yield from _group(fact)
        case StackFacts():
            yield from _stack(fact)
        case _:
            assert_never(fact)


def paused(by: str) -> Finding:
    """Somebody paused the responder."""
    return finding(Check.PAUSED, "every service", f"paused by {by}", "resume it: `rollback resume`")


def observes(service: str) -> Finding:
    """A service is only observed."""
    return finding(
        Check.OBSERVES,
        service,
        "mode observe: it says what it would do and does nothing",
        "set mode to approve or enforce once you trust it",
    )


def no_approvers(services: Sequence[str]) -> Finding:
    """A person is asked before anything is rolled back, and nobody may press a button."""
    return finding(
        Check.NO_APPROVERS,
        "Slack",
        f"slack.approvers names nobody, and the mode of {', '.join(services)} is approve: its "
        "questions have no buttons",
        "name who may press them, or let them say `rollback approve`, which each question names",
    )


def slack_secret(problem: str) -> Finding:
    """The Slack secret cannot be used."""
    return finding(
        Check.SLACK_SECRET,
        "Slack",
        problem,
        "fill it: the output FillSlackSecret of the responder's stack is the command",
    )


def denied(permissions: Iterable[PermissionFacts]) -> Iterator[Finding]:
    """What the role of `respond` may not do and must."""
    for one in permissions:
        if one.decision != "allowed":
            yield finding(
                Check.NOT_ALLOWED,
                one.need.title,
                f"respond may not {one.need.action} on {one.need.resource} ({one.decision})",
                "deploy the responder's stack again; if it is denied explicitly, take that out of "
                "the permissions boundary or the organization's policy",
            )


def _alarm(fact: AlarmFacts) -> Iterator[Finding]:
    about, reading = f"alarm {fact.name}", fact.reading
    if isinstance(reading, Unread):
        yield not_read(about, "the alarm", reading)
        return
    if reading is None:
        yield finding(
            Check.ALARM_GONE,
            about,
            "it does not exist: it wakes nobody"
            + (", and no release proves itself meanwhile" if fact.vouches else ""),
            f"{'create it' if fact.adopted else 'deploy the alarm stacks again'}, or take its "
            "trigger out of the policy",
        )
        return
    if not reading.actions_enabled:
        yield finding(
            Check.ALARM_DISABLED,
            about,
            "its actions are disabled: the responder takes that for a maintenance",
            f"aws cloudwatch enable-alarm-actions --alarm-names '{fact.name}'",
        )
    if fact.topic and fact.topic not in fact.actions:
        yield finding(
            Check.ALARM_WITHOUT_ACTION,
            about,
            f"it does not publish to {fact.topic}: EventBridge and the watcher must find it",
            "deploy the alarm stacks again: somebody changed the alarm by hand",
        )
    if isinstance(fact.muted_by, Unread):
        yield not_read(about, "its mute rules", fact.muted_by)
    elif fact.muted_by:
        yield finding(
            Check.ALARM_MUTED,
            about,
            f"the rule {fact.muted_by} mutes it: nothing is rolled back meanwhile",
            "nothing while that is meant; else end the rule",
        )
    yield from _state_of_alarm(about, reading)


def _dependency(fact: DependencyFacts) -> Iterator[Finding]:
    about, reading = f"dependency {fact.name}", fact.reading
    if isinstance(reading, Unread):
        yield not_read(about, "its alarm", reading)
    elif reading is None:
        yield finding(
            Check.DEPENDENCY_GONE,
            about,
            "its alarm does not exist: nobody knows how it is, so nothing is rolled back",
            "create the alarm, or take it out of the service's dependencies",
        )
    elif reading.state is AlarmState.ALARM:
        yield finding(
            Check.DEPENDENCY_FIRES,
            about,
            f"its alarm fires since {reading.transitioned_at:%Y-%m-%d %H:%M} UTC: nothing is "
            "rolled back meanwhile",
            "mend what it shows; a rollback of this service would not",
        )


def _state_of_alarm(about: str, reading: AlarmReading) -> Iterator[Finding]:
    if reading.suppressed_by:
        yield finding(
            Check.ALARM_SUPPRESSED,
            about,
            f"its actions are suppressed by {reading.suppressed_by}",
            "nothing while that is meant; else look at the suppressor",
        )
    if reading.unsound:
        yield finding(
            Check.ALARM_UNSOUND,
            about,
            f"CloudWatch itself doubts its state ({reading.unsound})",
            "look at the alarm's metric in the console",
        )
    if reading.state is AlarmState.INSUFFICIENT_DATA:
        yield finding(
            Check.ALARM_WITHOUT_DATA,
            about,
            "it has no data",
            "check that its metric has the names and dimensions that the service reports",
        )
    if reading.state is AlarmState.ALARM:
        yield finding(
            Check.ALARM_FIRES,
            about,
            f"it fires since {reading.transitioned_at:%Y-%m-%d %H:%M} UTC: a deploy after that is "
            "not blamed for it",
            "mend what it shows before you deploy",
        )


def _group(fact: GroupFacts) -> Iterator[Finding]:
    about = f"group {fact.target.title}"
    if isinstance(fact.rolls_back, Unread):
        yield not_read(about, "the group", fact.rolls_back)
    elif fact.rolls_back is None:
        yield finding(
            Check.GROUP_GONE,
            about,
            "it does not exist",
            "create it again, or take it out of the policy",
        )
    elif not fact.rolls_back:
        yield finding(
            Check.GROUP_WITHOUT_ROLLBACK,
            about,
            "a deployment that fails by itself is not taken back by CodeDeploy",
            "enable automatic rollback for DEPLOYMENT_FAILURE in the group",
        )


UNSTABLE = frozenset({Phase.STUCK, Phase.BROKEN, Phase.UNTOUCHABLE, Phase.UNKNOWN})


def _stack(fact: StackFacts) -> Iterator[Finding]:
    about, state = fact.target.title, fact.state
    if isinstance(state, Unread):
        yield not_read(about, "the stack", state)
        return
    if state is None:
        yield finding(
            Check.STACK_GONE,
            about,
            "it does not exist",
            "create it again, or take it out of the policy",
        )
        return
    if state.phase in UNSTABLE:
        yield finding(
            Check.STACK_NOT_STABLE,
            about,
            f"it is {state.status}: there is nothing to go back to",
            "bring it to a stable state first; the runbook has the commands",
        )
    if state.root:
        yield finding(
            Check.STACK_IS_NESTED,
            about,
            f"it is nested in {state.root}, and only a root can be cancelled",
            "name the root in the policy instead",
        )
    if not state.has_role:
        yield finding(
            Check.STACK_WITHOUT_ROLE,
            about,
            "it has no service role: with whose permissions it rolls back is not documented",
            "deploy it once with --role-arn of a role that may undo what it does",
        )
    if state.monitoring_minutes == 0:
        yield finding(
            Check.STACK_WITHOUT_MONITORING,
            about,
            "it has no monitoring time: an update cannot be cancelled once its last resource is "
            "done, which is often before any alarm fires",
            "deploy it with RollbackConfiguration MonitoringTimeInMinutes of 10 or more",
        )
