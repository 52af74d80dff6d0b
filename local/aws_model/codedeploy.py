"""The model of CodeDeploy for Lambda: deployments that shift an alias, their stop, their rollback.

In process and strict, in the shapes of the SDK's own service model. Time moves only by the clock:
every call first brings all deployments to where the clock says they are, event by event in the
order of their times, so that it does not matter how often somebody calls.

Where a rule comes from is said at the method. What no source settles, and this model chooses:

- during a shift the alias keeps ``FunctionVersion`` = old and gives the new version a weight (A2);
- ``autoRollbackEnabled`` left out means the deployment's or else the group's own setting (A7);
- while a stop is pending no more traffic is shifted, so an accepted stop always ends in Stopped
  (``loses_stops`` is the knob for the opposite);
- a stop of a deployment that has not started takes effect at once and answers Succeeded, and
  leaves nothing to roll back (``rolls_back_unstarted`` is the knob for the opposite);
- an alias that somebody else moved during a shift fails the deployment at its next step
  (``overwrites_outside_moves`` is the knob for the opposite);
- a rollback goes before deployments that are queued.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, Protocol, TypeAlias

from local.aws_model.errors import ModelError

# The share of the new version at a time after the start of the shift.
Steps: TypeAlias = tuple[tuple[timedelta, float], ...]

IN_FLIGHT = frozenset({"Created", "Queued", "InProgress", "Baking", "Ready"})
ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
_UNSTARTED = frozenset({"Created", "Queued"})
_ID = re.compile(r"d-[A-Z0-9]{9}")
# The operation's text says 25 and the error's text says 100; who obeys 25 is right either way.
_BATCH = 25

_AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"
_ON_FAILURE = "DEPLOYMENT_FAILURE"
_ON_ALARM = "DEPLOYMENT_STOP_ON_ALARM"
_ON_REQUEST = "DEPLOYMENT_STOP_ON_REQUEST"


class Aliases(Protocol):
    """What CodeDeploy does with Lambda; ``LambdaAliases`` is one, and so may be an emulator.

    ``version_of`` raises KeyError for an alias that does not exist, and the configuration of a
    version that does not exist is a ``ModelError``.
    """

    def point(
        self,
        function: str,
        alias: str,
        version: str,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Point an alias somewhere."""

    def version_of(self, function: str, alias: str) -> str:
        """Return the alias's primary version."""

    def weights_of(self, function: str, alias: str) -> Mapping[str, float]:
        """Return the alias's additional weights."""

    def get_function_configuration(self, *, FunctionName: str, Qualifier: str) -> dict[str, Any]:
        """GetFunctionConfiguration."""


def canary(percent: int, every: timedelta) -> Steps:
    """Two increments: so much at the start, the rest after the interval (CodeDeploy guide)."""
    return ((timedelta(0), percent / 100), (every, 1.0))


def linear(percent: int, every: timedelta) -> Steps:
    """Equal increments with equal intervals, the first at the start (CodeDeploy guide)."""
    return tuple(
        (every * number, min(1.0, percent * (number + 1) / 100))
        for number in range(-(-100 // percent))
    )


def _predefined() -> dict[str, Steps]:
    found: dict[str, Steps] = {_AT_ONCE: ((timedelta(0), 1.0),)}
    for minutes in (5, 10, 15, 30):
        name = f"CodeDeployDefault.LambdaCanary10Percent{minutes}Minutes"
        found[name] = canary(10, timedelta(minutes=minutes))
    for minutes in (1, 2, 3, 10):
        unit = "Minute" if minutes == 1 else "Minutes"
        name = f"CodeDeployDefault.LambdaLinear10PercentEvery{minutes}{unit}"
        found[name] = linear(10, timedelta(minutes=minutes))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What an AppSpec for Lambda asks for."""

    function: str
    alias: str
    current: str
    target: str

    def back(self) -> "_Change":
        return _Change(
            function=self.function, alias=self.alias, current=self.target, target=self.current
        )

    def revision(self) -> dict[str, Any]:
        properties = {
            "Name": self.function,
            "Alias": self.alias,
            "CurrentVersion": self.current,
            "TargetVersion": self.target,
        }
        resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
        content = json.dumps({"version": 0.0, "Resources": [{self.function: resource}]})
        return {"revisionType": "String", "string": {"content": content}}


@dataclass(slots=True, kw_only=True, eq=False)
class _Group:
    application: str
    name: str
    id: str
    function: str
    alias: str
    config: str
    auto_rollback: frozenset[str]
    platform: str
    stoppable: bool
    before: timedelta
    after: timedelta
    bake: timedelta
    fails_rollbacks: bool = False
    deleted: bool = False
    deployments: "list[_Deployment]" = field(default_factory=list)
    # The one that runs, then those that wait.
    line: "list[_Deployment]" = field(default_factory=list)
    last_successful: "_Deployment | None" = None


@dataclass(slots=True, kw_only=True, eq=False)
class _Deployment:
    id: str
    group: _Group
    creator: str
    change: _Change | None
    revision: Mapping[str, Any]
    previous_revision: Mapping[str, Any] | None
    config: str
    auto_rollback: frozenset[str]
    created: datetime
    description: str | None = None
    external_id: str | None = None
    status: str = "Created"
    started: datetime | None = None
    completed: datetime | None = None
    error: tuple[str, str] | None = None
    # What happens when: a share of traffic to shift to, or the name of a step.
    plan: list[tuple[datetime, float | str]] = field(default_factory=list)
    step: int = 0
    held_since: datetime | None = None
    # Where this deployment left the alias; None before its first shift.
    left: tuple[str, dict[str, float]] | None = None
    stop_at: datetime | None = None
    stop_asked: bool = False
    stop_rolls_back: bool = False
    triggered_by: "_Deployment | None" = None
    rollback: "_Deployment | None" = None
    rollback_message: str = ""

    @property
    def due(self) -> datetime | None:
        if self.stop_at is not None:
            return self.stop_at
        return None if self.held_since is not None else self.plan[self.step][0]


class CodeDeploy:
    """Applications, deployment groups, and deployments that shift a Lambda alias.

    Args:
        clock: the only source of time; aware datetimes that never go back.
        aliases: whose aliases are shifted, as the world does it: never by UpdateAlias.
        account: twelve digits.
        region: for the ARNs in answers.

    Attributes:
        lock: held by whoever calls while others may call too, for instance by the front.
        stops: what StopDeployment changed: the deployment's id, and whether it is rolled back.
        creations: the ids of deployments that CreateDeployment made.
        start_seconds: how long a deployment stays Created once it is its turn.
        stop_seconds: from an accepted stop until the deployment reads Stopped.
        rollback_seconds: how long a rollback deployment runs.
        page_size: how many ids ListDeployments gives at once.
        queues: whether a deployment waits while another runs in its group. The service queues what
            Auto Scaling makes and answers others DeploymentLimitExceededException; both are
            here because a reader of statuses must cope with Queued.
        loses_stops: an accepted stop changes nothing, and the deployment runs to its end.
        rolls_back_unstarted: a stop before anything was shifted makes a rollback deployment too.
        overwrites_outside_moves: a shift goes on over an alias that somebody else has moved.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        aliases: Aliases,
        account: str = "123456789012",
        region: str = "us-east-1",
    ) -> None:
        self._clock = clock
        self._aliases = aliases
        self._account, self._region = account, region
        self._numbers = itertools.count(1)
        self._configs = _predefined()
        self._groups: dict[str, dict[str, _Group]] = {}
        self._deployments: dict[str, _Deployment] = {}
        self._busy: dict[_Group, None] = {}
        self._due: datetime | None = None
        self._next: _Group | None = None
        self._tokens: dict[str, tuple[Any, str]] = {}
        self.lock = RLock()
        self.stops: list[tuple[str, bool]] = []
        self.creations: list[str] = []
        self.start_seconds = 0.0
        self.stop_seconds = 3.0
        self.rollback_seconds = 20.0
        self.page_size = 100
        self.queues = True
        self.loses_stops = False
        self.rolls_back_unstarted = False
        self.overwrites_outside_moves = False

    # -- what a pipeline or a person does -------------------------------------------------------

    def tick(self) -> None:
        """Bring every deployment to where the clock says it is."""
        self._now()

    def add_config(self, name: str, steps: Steps) -> None:
        """Add a deployment configuration of one's own; see ``canary`` and ``linear``."""
        self._configs[name] = steps

    def add_group(
        self,
        application: str,
        group: str,
        *,
        function: str,
        alias: str,
        config: str = _AT_ONCE,
        auto_rollback_events: Iterable[str] = (),
        compute_platform: str = "Lambda",
        stoppable: bool = True,
        before_seconds: float = 0.0,
        after_seconds: float = 0.0,
        bake_seconds: float = 0.0,
    ) -> None:
        """Add a deployment group, and its application where that is new.

        Args:
            application: the application's name.
            group: the group's name.
            function: which function ``deploy`` changes.
            alias: which of its aliases.
            config: the group's deployment configuration.
            auto_rollback_events: for which events a deployment is rolled back by itself.
            compute_platform: on other platforms than Lambda no alias is touched.
            stoppable: False for a blue/green deployment that CloudFormation runs.
            before_seconds: InProgress before the first shift, as a BeforeAllowTraffic hook takes.
            after_seconds: InProgress after the last shift, as an AfterAllowTraffic hook takes.
            bake_seconds: Baking after that.
        """
        self._steps_of(config)
        self._groups.setdefault(application, {})[group] = _Group(
            application=application,
            name=group,
            id=f"00000000-0000-4000-8000-{next(self._numbers):012x}",
            function=function,
            alias=alias,
            config=config,
            auto_rollback=frozenset(auto_rollback_events),
            platform=compute_platform,
            stoppable=stoppable,
            before=timedelta(seconds=before_seconds),
            after=timedelta(seconds=after_seconds),
            bake=timedelta(seconds=bake_seconds),
        )

    def delete_group(self, application: str, group: str) -> None:
        """Delete a group; what it had in flight fails (error code from the SDK's service model)."""
        now = self._now()
        gone = self._groups[application].pop(group)
        gone.deleted = True
        error = ("DEPLOYMENT_GROUP_MISSING", "The deployment group was deleted.")
        for deployment in reversed(tuple(gone.line)):
            self._end(deployment, now, "Failed", error)
        self._reckon()

    def deploy(
        self,
        application: str,
        group: str,
        *,
        target_version: str,
        creator: str = "user",
        external_id: str | None = None,
        config: str | None = None,
        description: str | None = None,
    ) -> str:
        """Deploy a version from where the alias is now; returns the deployment's id.

        What is due at once, for instance the first shift, has happened on return.
        """
        now = self._now()
        to = self._groups[application][group]
        self._refuse_another(to)
        change = None
        if to.platform == "Lambda":
            change = _Change(
                function=to.function,
                alias=to.alias,
                current=self._aliases.version_of(to.function, to.alias),
                target=target_version,
            )
        made = self._create(
            to,
            now,
            change=change,
            revision=change.revision() if change else {"revisionType": "AppSpecContent"},
            creator=creator,
            config=config,
        )
        made.external_id, made.description = external_id, description
        self._now()
        return made.id

    def fail(self, deployment_id: str, code: str = "HOOK_EXECUTION_FAILURE") -> None:
        """Fail a deployment as its hook would; it is rolled back if its group says so."""
        self._end_early(deployment_id, "Failed", (code, "A validation failed."), _ON_FAILURE)

    def alarm(self, deployment_id: str) -> None:
        """Stop a deployment as an alarm of its group would; rolled back if its group says so."""
        error = ("ALARM_ACTIVE", "One or more alarms have been activated.")
        self._end_early(deployment_id, "Stopped", error, _ON_ALARM)

    def ready(self, deployment_id: str) -> None:
        """Hold a deployment in progress as Ready, until ``go_on`` or its end."""
        now = self._now()
        held = self._deployments[deployment_id]
        if held.status != "InProgress":
            raise ValueError(f"{deployment_id} is {held.status}")
        held.status, held.held_since = "Ready", now
        self._reckon()

    def go_on(self, deployment_id: str) -> None:
        """Let a deployment that is Ready go on, its times later by as long as it was held."""
        now = self._now()
        held = self._deployments[deployment_id]
        if held.held_since is None or held.status != "Ready":
            raise ValueError(f"{deployment_id} is {held.status}")
        late = now - held.held_since
        held.plan = [(at + late, what) for at, what in held.plan]
        held.status, held.held_since = "InProgress", None
        self._reckon()

    def fail_rollbacks(self, application: str, group: str, *, failing: bool = True) -> None:
        """Make the rollback deployments of a group fail from now on, or succeed again."""
        self._groups[application][group].fails_rollbacks = failing

    def status_of(self, deployment_id: str) -> str:
        """The status of a deployment, without an API call."""
        self._now()
        return self._deployments[deployment_id].status

    # -- what the API answers -------------------------------------------------------------------

    def list_deployments(
        self,
        *,
        applicationName: str | None = None,
        deploymentGroupName: str | None = None,
        externalId: str | None = None,
        includeOnlyStatuses: Sequence[str] | None = None,
        createTimeRange: Mapping[str, datetime] | None = None,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """ListDeployments.

        Application and group are given both or not at all, and the filters narrow the answer
        (CodeDeploy API reference, ListDeployments). That the newest comes first, and that both ends
        of the time range belong to it, is assumed.
        """
        self._now()
        statuses = frozenset(includeOnlyStatuses or ())
        if unknown := statuses - IN_FLIGHT - ENDED:
            raise ModelError("InvalidDeploymentStatusException", f"No status {min(unknown)}.")
        start, end = (createTimeRange or {}).get("start"), (createTimeRange or {}).get("end")
        if start is not None and end is not None and start > end:
            raise ModelError("InvalidTimeRangeException", "The start is after the end.")
        found = [
            deployment.id
            for deployment in self._pool(applicationName, deploymentGroupName, statuses)
            if (not statuses or deployment.status in statuses)
            and (externalId is None or deployment.external_id == externalId)
            and (start is None or deployment.created >= start)
            and (end is None or deployment.created <= end)
        ]
        if nextToken is None and len(found) <= self.page_size:
            return {"deployments": found}
        query = (applicationName, deploymentGroupName, externalId, statuses, start, end)
        return self._page(found, query, nextToken)

    def get_deployment(self, *, deploymentId: str) -> dict[str, Any]:
        """GetDeployment."""
        self._now()
        return {"deploymentInfo": self._shown(self._found(deploymentId))}

    def batch_get_deployments(self, *, deploymentIds: Sequence[str]) -> dict[str, Any]:
        """BatchGetDeployments.

        At most 25 ids (CodeDeploy API reference; the text of BatchLimitExceededException says 100).
        The operation has no error for an id that does not exist, so it is left out (assumed).
        """
        self._now()
        if not deploymentIds:
            raise ModelError("DeploymentIdRequiredException", "At least one id is required.")
        if len(deploymentIds) > _BATCH:
            raise ModelError("BatchLimitExceededException", f"More than {_BATCH} ids were given.")
        for one in deploymentIds:
            _check_id(one)
        found = [self._deployments[one] for one in deploymentIds if one in self._deployments]
        return {"deploymentsInfo": [self._shown(deployment) for deployment in found]}

    def get_deployment_group(
        self, *, applicationName: str, deploymentGroupName: str
    ) -> dict[str, Any]:
        """GetDeploymentGroup.

        A rollback deployment counts as attempted and, when it succeeds, as successful (assumed).
        """
        self._now()
        group = self._group(applicationName, deploymentGroupName)
        shown: dict[str, Any] = {
            "applicationName": group.application,
            "deploymentGroupId": group.id,
            "deploymentGroupName": group.name,
            "deploymentConfigName": group.config,
            "serviceRoleArn": f"arn:aws:iam::{self._account}:role/codedeploy",
            "autoRollbackConfiguration": _auto_rollback(group.auto_rollback),
            "deploymentStyle": _style(),
            "computePlatform": group.platform,
        }
        if group.last_successful is not None:
            shown["targetRevision"] = group.last_successful.revision
            shown["lastSuccessfulDeployment"] = _last(group.last_successful)
        if group.deployments:
            shown["lastAttemptedDeployment"] = _last(group.deployments[-1])
        return {"deploymentGroupInfo": shown}

    def stop_deployment(
        self, *, deploymentId: str, autoRollbackEnabled: bool | None = None
    ) -> dict[str, Any]:
        """StopDeployment.

        Pending or Succeeded, and the errors for a deployment that is over or of a kind that cannot
        be stopped (SDK's service model); that a rollback is a deployment of its own, with an id of
        its own (CodeDeploy guide). A second stop while one is pending changes nothing, not even
        whether there is a rollback (assumed).
        """
        now = self._now()
        deployment = self._found(deploymentId)
        if deployment.group.deleted:
            raise ModelError("DeploymentGroupDoesNotExistException", "The group does not exist.")
        if deployment.status in ENDED:
            raise ModelError(
                "DeploymentAlreadyCompletedException",
                f"The deployment {deploymentId} is already in a terminal state.",
            )
        if not deployment.group.stoppable:
            raise ModelError(
                "UnsupportedActionForDeploymentTypeException",
                "A blue/green deployment through CloudFormation cannot be stopped here.",
            )
        if deployment.stop_asked:
            return {"status": "Pending", "statusMessage": "The deployment is being stopped."}
        rolls_back = autoRollbackEnabled
        if rolls_back is None:
            rolls_back = _ON_REQUEST in deployment.auto_rollback
        self.stops.append((deploymentId, rolls_back))
        return self._stop(deployment, now, rolls_back=rolls_back)

    def create_deployment(
        self,
        *,
        applicationName: str,
        deploymentGroupName: str | None = None,
        revision: Mapping[str, Any] | None = None,
        deploymentConfigName: str | None = None,
        description: str | None = None,
        autoRollbackConfiguration: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """CreateDeployment, for Lambda, with the AppSpec as JSON in the request.

        Which members a revision has is from the SDK's service model, and which properties an
        AppSpec for Lambda has from the CodeDeploy guide. YAML and S3 are not modelled.
        """
        now = self._now()
        if deploymentGroupName is None:
            raise ModelError("DeploymentGroupNameRequiredException", "The group is required.")
        group = self._group(applicationName, deploymentGroupName)
        if revision is None:
            raise ModelError("RevisionRequiredException", "The revision is required.")
        if group.platform != "Lambda":
            raise ModelError("InvalidComputePlatformException", "Only Lambda is modelled.")
        change = _read(revision)
        if deploymentConfigName is not None:
            self._steps_of(deploymentConfigName)
        self._refuse_another(group)
        made = self._create(
            group,
            now,
            change=change,
            revision=dict(revision),
            creator="user",
            config=deploymentConfigName,
        )
        made.description = description
        if autoRollbackConfiguration is not None:
            enabled = autoRollbackConfiguration.get("enabled", False)
            events = autoRollbackConfiguration.get("events", ()) if enabled else ()
            made.auto_rollback = frozenset(events)
        self.creations.append(made.id)
        return {"deploymentId": made.id}

    # -- time -----------------------------------------------------------------------------------

    def _now(self) -> datetime:
        now = self._clock()
        while self._due is not None and self._due <= now and self._next is not None:
            self._happen(self._next.line[0], self._due)
            self._reckon()
        return now

    def _reckon(self) -> None:
        """Find what happens next, in which group; the group that is busy longer goes first."""
        self._due = self._next = None
        for group in self._busy:
            due = group.line[0].due
            if due is not None and (self._due is None or due < self._due):
                self._due, self._next = due, group

    def _happen(self, deployment: _Deployment, at: datetime) -> None:
        if deployment.stop_at is not None:
            error = ("MANUAL_STOP", "The deployment was stopped on request.")
            self._end(deployment, at, "Stopped", error, rolls_back=deployment.stop_rolls_back)
            return
        what = deployment.plan[deployment.step][1]
        deployment.step += 1
        if isinstance(what, float):
            self._shift(deployment, at, what)
        elif what == "start":
            self._start(deployment, at)
        elif what == "back":
            self._go_back(deployment, at)
        elif what == "Baking":
            deployment.status = "Baking"
        else:
            self._end(deployment, at, "Succeeded")

    def _start(self, deployment: _Deployment, at: datetime) -> None:
        """Begin, unless the alias is not where the AppSpec says it is.

        That this is the error was reported by users of AWS SAM (serverless-application-model,
        issue 291); that weights on the alias count as well is assumed.
        """
        deployment.status, deployment.started = "InProgress", at
        if deployment.triggered_by is not None:
            wait = timedelta(seconds=self.rollback_seconds)
            deployment.plan.append((at + wait, "back"))
            return
        change = deployment.change
        if change is not None and not self._alias_is(change, change.current, {}):
            self._fail(deployment, at, _NOT_CURRENT)
            return
        if change is not None and not self._exists(change.function, change.target):
            self._fail(deployment, at, _NO_VERSION)
            return
        group = deployment.group
        begin = at + group.before
        steps = self._configs[deployment.config]
        deployment.plan += [(begin + offset, share) for offset, share in steps]
        over = begin + steps[-1][0] + group.after
        if group.bake:
            deployment.plan.append((over, "Baking"))
        deployment.plan.append((over + group.bake, "Succeeded"))

    def _shift(self, deployment: _Deployment, at: datetime, share: float) -> None:
        change = deployment.change
        if change is None:
            deployment.left = ("", {})
            return
        was = deployment.left or (change.current, {})
        if not self.overwrites_outside_moves and not self._alias_is(change, *was):
            self._fail(deployment, at, _NOT_CURRENT)
            return
        whole = share >= 1
        deployment.left = (change.target, {}) if whole else (change.current, {change.target: share})
        self._aliases.point(change.function, change.alias, *deployment.left)

    def _go_back(self, rollback: _Deployment, at: datetime) -> None:
        change = rollback.change
        if rollback.group.fails_rollbacks:
            error = ("INTERNAL_ERROR", "The traffic could not be shifted back.")
            self._end(rollback, at, "Failed", error)
        elif change is None:
            self._end(rollback, at, "Succeeded")
        elif not self._exists(change.function, change.target):
            self._end(rollback, at, "Failed", _NO_VERSION)
        else:
            self._aliases.point(change.function, change.alias, change.target)
            rollback.left = (change.target, {})
            self._end(rollback, at, "Succeeded")

    def _fail(self, deployment: _Deployment, at: datetime, error: tuple[str, str]) -> None:
        rolls_back = _ON_FAILURE in deployment.auto_rollback
        self._end(deployment, at, "Failed", error, rolls_back=rolls_back)

    def _end_early(
        self, deployment_id: str, status: str, error: tuple[str, str], event: str
    ) -> None:
        now = self._now()
        deployment = self._deployments[deployment_id]
        if deployment.status in ENDED:
            raise ValueError(f"{deployment_id} is {deployment.status}")
        self._end(deployment, now, status, error, rolls_back=event in deployment.auto_rollback)
        self._reckon()

    def _end(
        self,
        deployment: _Deployment,
        at: datetime,
        status: str,
        error: tuple[str, str] | None = None,
        *,
        rolls_back: bool = False,
    ) -> None:
        group = deployment.group
        deployment.status, deployment.completed, deployment.error = status, at, error
        place = group.line.index(deployment)
        del group.line[place]
        if status == "Succeeded":
            group.last_successful = deployment
        if trigger := deployment.triggered_by:
            trigger.rollback_message = f"The rollback is over: {status}."
        if rolls_back and trigger is None and (deployment.left or self.rolls_back_unstarted):
            self._roll_back(deployment, at, min(place, 1))
        self._next_in_line(group, at)

    def _roll_back(self, deployment: _Deployment, at: datetime, place: int) -> None:
        """Make the rollback deployment; that its AppSpec has the versions swapped is assumed."""
        change = deployment.change.back() if deployment.change else None
        rollback = self._create(
            deployment.group,
            at,
            change=change,
            revision=change.revision() if change else deployment.revision,
            creator="codeDeployRollback",
            config=None,
            place=place,
        )
        rollback.triggered_by, deployment.rollback = deployment, rollback
        deployment.rollback_message = "The rollback is in progress."

    def _stop(self, deployment: _Deployment, now: datetime, *, rolls_back: bool) -> dict[str, Any]:
        if deployment.status in _UNSTARTED:
            error = ("MANUAL_STOP", "The deployment was stopped before it started.")
            self._end(deployment, now, "Stopped", error, rolls_back=rolls_back)
            self._reckon()
            return {"status": "Succeeded", "statusMessage": "The deployment was stopped."}
        deployment.stop_asked, deployment.stop_rolls_back = True, rolls_back
        if not self.loses_stops:
            deployment.stop_at = now + timedelta(seconds=self.stop_seconds)
        self._reckon()
        return {"status": "Pending", "statusMessage": "The deployment is being stopped."}

    # -- the books ------------------------------------------------------------------------------

    def _create(
        self,
        group: _Group,
        at: datetime,
        *,
        change: _Change | None,
        revision: Mapping[str, Any],
        creator: str,
        config: str | None,
        place: int | None = None,
    ) -> _Deployment:
        last = group.last_successful
        made = _Deployment(
            id=f"d-{next(self._numbers):09X}",
            group=group,
            creator=creator,
            change=change,
            revision=revision,
            previous_revision=last.revision if last else None,
            config=config or group.config,
            auto_rollback=group.auto_rollback,
            created=at,
            status="Queued",
        )
        self._deployments[made.id] = made
        group.deployments.append(made)
        group.line.insert(len(group.line) if place is None else place, made)
        self._next_in_line(group, at)
        self._reckon()
        return made

    def _next_in_line(self, group: _Group, at: datetime) -> None:
        """Whoever is first in the line, and waited, gets its turn."""
        if not group.line:
            self._busy.pop(group, None)
            return
        self._busy[group] = None
        first = group.line[0]
        if first.status == "Queued":
            first.status = "Created"
            first.plan = [(at + timedelta(seconds=self.start_seconds), "start")]

    def _exists(self, function: str, version: str) -> bool:
        try:
            self._aliases.get_function_configuration(FunctionName=function, Qualifier=version)
        except ModelError:
            return False
        return True

    def _alias_is(self, change: _Change, version: str, weights: Mapping[str, float]) -> bool:
        try:
            where = self._aliases.version_of(change.function, change.alias)
        except KeyError:
            return False
        now = self._aliases.weights_of(change.function, change.alias)
        return where == version and now == weights

    def _steps_of(self, config: str) -> Steps:
        steps = self._configs.get(config)
        if steps is None:
            raise ModelError(
                "DeploymentConfigDoesNotExistException", f"No deployment configuration {config}."
            )
        return steps

    def _refuse_another(self, group: _Group) -> None:
        if group.line and not self.queues:
            raise ModelError(
                "DeploymentLimitExceededException",
                f"The Deployment Group '{group.name}' already has an active Deployment "
                f"'{group.line[0].id}'",
            )

    def _group(self, application: str, name: str) -> _Group:
        groups = self._groups.get(application)
        if groups is None:
            raise ModelError(
                "ApplicationDoesNotExistException", f"No application found for name: {application}"
            )
        group = groups.get(name)
        if group is None:
            raise ModelError(
                "DeploymentGroupDoesNotExistException",
                f"No Deployment Group found for name: {name}",
            )
        return group

    def _found(self, deployment_id: str) -> _Deployment:
        found = self._deployments.get(deployment_id)
        if found is None:
            _check_id(deployment_id)
            raise ModelError(
                "DeploymentDoesNotExistException", f"The deployment {deployment_id} is unknown."
            )
        return found

    def _pool(
        self, application: str | None, name: str | None, statuses: frozenset[str]
    ) -> Iterable[_Deployment]:
        """The deployments that may match, the newest first."""
        if application is None and name is None:
            return reversed(self._deployments.values())
        if application is None:
            raise ModelError("ApplicationNameRequiredException", "The application is required.")
        if name is None:
            raise ModelError("DeploymentGroupNameRequiredException", "The group is required.")
        group = self._group(application, name)
        if statuses and statuses <= IN_FLIGHT:
            # What is in flight stands in the line, so a long history need not be walked through.
            return sorted(group.line, key=lambda deployment: deployment.id, reverse=True)
        return reversed(group.deployments)

    def _page(self, found: list[str], query: tuple[Any, ...], token: str | None) -> dict[str, Any]:
        begin = 0
        if token is not None:
            asked, last = self._tokens.get(token, (None, ""))
            if asked != query:
                raise ModelError("InvalidNextTokenException", "The next token is not valid.")
            # Ids grow, so this is right also where the last one does not match any more.
            begin = sum(1 for one in found if one >= last)
        page = found[begin : begin + self.page_size]
        answer: dict[str, Any] = {"deployments": page}
        if begin + self.page_size < len(found):
            answer["nextToken"] = f"page-{len(self._tokens) + 1}"
            self._tokens[answer["nextToken"]] = (query, page[-1])
        return answer

    def _shown(self, deployment: _Deployment) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "applicationName": deployment.group.application,
            "deploymentGroupName": deployment.group.name,
            "deploymentConfigName": deployment.config,
            "deploymentId": deployment.id,
            "revision": deployment.revision,
            "status": deployment.status,
            "createTime": deployment.created,
            "creator": deployment.creator,
            "ignoreApplicationStopFailures": False,
            "autoRollbackConfiguration": _auto_rollback(deployment.auto_rollback),
            "updateOutdatedInstancesOnly": False,
            "deploymentStyle": _style(),
            "instanceTerminationWaitTimeStarted": False,
            "computePlatform": deployment.group.platform,
        }
        if deployment.previous_revision is not None:
            shown["previousRevision"] = deployment.previous_revision
        if deployment.started is not None:
            shown["startTime"] = deployment.started
        if deployment.completed is not None:
            shown["completeTime"] = deployment.completed
        if deployment.error is not None:
            code, message = deployment.error
            shown["errorInformation"] = {"code": code, "message": message}
        if deployment.description is not None:
            shown["description"] = deployment.description
        if deployment.external_id is not None:
            shown["externalId"] = deployment.external_id
        if deployment.triggered_by is not None:
            trigger = deployment.triggered_by.id
            shown["rollbackInfo"] = {"rollbackTriggeringDeploymentId": trigger}
        elif deployment.rollback is not None:
            shown["rollbackInfo"] = {
                "rollbackDeploymentId": deployment.rollback.id,
                "rollbackMessage": deployment.rollback_message,
            }
        return shown


_NOT_CURRENT = (
    "INVALID_LAMBDA_CONFIGURATION",
    "The Lambda function alias version does not match the current version in AppSpec file",
)
_NO_VERSION = ("INVALID_LAMBDA_FUNCTION", "The version to shift to does not exist.")


def _check_id(deployment_id: str) -> None:
    """Refuse what does not look like an id; what one looks like is from the guide's examples."""
    if not _ID.fullmatch(deployment_id):
        raise ModelError("InvalidDeploymentIdException", f"{deployment_id!r} is not an id.")


def _auto_rollback(events: frozenset[str]) -> dict[str, Any]:
    return {"enabled": bool(events), "events": sorted(events)}


def _style() -> dict[str, str]:
    """Lambda deployments are always blue/green with traffic control (CodeDeploy guide)."""
    return {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}


def _last(deployment: _Deployment) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "deploymentId": deployment.id,
        "status": deployment.status,
        "createTime": deployment.created,
    }
    if deployment.completed is not None:
        shown["endTime"] = deployment.completed
    return shown


def _read(revision: Mapping[str, Any]) -> _Change:
    member = {"String": "string", "AppSpecContent": "appSpecContent"}.get(
        revision.get("revisionType", "")
    )
    try:
        document = json.loads(revision[member or ""]["content"])
        (resource,) = document["Resources"][0].values()
        properties = resource["Properties"]
        values = [properties[k] for k in ("Name", "Alias", "CurrentVersion", "TargetVersion")]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _invalid_revision("The AppSpec file cannot be read.") from error
    if not all(isinstance(value, str) and value for value in values):
        raise _invalid_revision("A property of the AppSpec file is not text.")
    function, alias, current, target = values
    return _Change(function=function, alias=alias, current=current, target=target)


def _invalid_revision(message: str) -> ModelError:
    return ModelError("InvalidRevisionException", message)
