"""Stopping a CodeDeploy deployment, with rollback, and following what brings it back.

Facts relied on (CodeDeploy API reference, as in the SDK's service model, unless stated): one
deployment at a time runs in a group; a rollback is a *new* deployment with an id of its own, whose
`rollbackInfo.rollbackTriggeringDeploymentId` names the one it undoes, and which that one's
`rollbackInfo.rollbackDeploymentId` names in turn; a finished deployment answers
DeploymentAlreadyCompletedException to a stop. `autoRollbackEnabled` is always sent: what omitting
it means is assumed (A7).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rollback_responder.actions.refusal import refused
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionThrottled,
    ActionUnclear,
    TargetChanged,
    TargetGone,
)
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import CodeDeployGroup
from rollback_responder.pages import pages
from rollback_responder.ports import Redeploy

if TYPE_CHECKING:
    from mypy_boto3_codedeploy import CodeDeployClient
    from mypy_boto3_codedeploy.literals import DeploymentStatusType
    from mypy_boto3_codedeploy.type_defs import DeploymentInfoTypeDef

# Every status of the SDK's model; a test compares.
PHASES: dict[str, Phase] = {
    "Created": Phase.RUNNING,
    "Queued": Phase.RUNNING,
    "InProgress": Phase.RUNNING,
    "Baking": Phase.RUNNING,
    "Ready": Phase.RUNNING,
    "Succeeded": Phase.SETTLED,
    "Failed": Phase.BROKEN,
    "Stopped": Phase.BROKEN,
}
# The phase of a change whose rollback reads so.
UNDOING: dict[Phase, Phase] = {
    Phase.RUNNING: Phase.RETURNING,
    Phase.SETTLED: Phase.RETURNED,
    # Final: CodeDeploy cannot continue a rollback that failed.
    Phase.BROKEN: Phase.BROKEN,
}
RUNNING: "tuple[DeploymentStatusType, ...]" = (
    "Created",
    "Queued",
    "InProgress",
    "Baking",
    "Ready",
)
# Deployments that undo another one, whoever asked for them.
ROLLBACKS = frozenset({"codeDeployRollback", "CloudFormationRollback"})
GONE = frozenset(
    {
        "ApplicationDoesNotExistException",
        "DeploymentGroupDoesNotExistException",
        "DeploymentDoesNotExistException",
    }
)
NOT_APPLIED: dict[str, type[ActionError]] = {
    "DeploymentAlreadyCompletedException": TargetChanged,
    "DeploymentDoesNotExistException": TargetGone,
    "DeploymentGroupDoesNotExistException": TargetGone,
    "ApplicationDoesNotExistException": TargetGone,
    "InvalidDeploymentIdException": ActionDenied,
    # Assumed (A6): CloudFormation's own blue/green deployments answer so.
    "UnsupportedActionForDeploymentTypeException": ActionDenied,
    # Somebody else's deployment runs in the group already.
    "DeploymentLimitExceededException": TargetChanged,
    "InvalidRevisionException": ActionDenied,
    "RevisionDoesNotExistException": ActionDenied,
    "DeploymentConfigDoesNotExistException": ActionDenied,
    "InvalidComputePlatformException": ActionDenied,
    "InvalidRoleException": ActionDenied,
    "RequestLimitExceeded": ActionThrottled,
}
# BatchGetDeployments takes so many (API reference); the text of its error says 100.
MOST_IDS = 25
AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"
MARKER = re.compile(r"rollback-responder claim (\S+)")
# An AppSpec is JSON or YAML, and says both versions of the one function in words of its own.
VERSIONS = {
    name: re.compile(rf"""\b{name}["']?\s*:\s*["']?(\d+)\b""")
    for name in ("CurrentVersion", "TargetVersion")
}


class CodeDeployGroupAction:
    """Reads and stops the deployments of a group. `acts` must be a client without retries."""

    def __init__(self, *, reads: "CodeDeployClient", acts: "CodeDeployClient") -> None:
        self._reads = reads
        self._acts = acts

    def observe(self, target: CodeDeployGroup, *, about: str | None = None) -> Sight | None:
        """See `RolloutAction.observe`. Two to four reads."""
        try:
            deployment = self._get(target, about) if about else self._latest(target)
            if deployment is None:
                return Sight(phase=Phase.SETTLED, status="without a deployment")
            triggering = deployment.get("rollbackInfo", {}).get("rollbackTriggeringDeploymentId")
            if triggering and not about:
                return sight_of(self._get(target, triggering), deployment)
            rollback = deployment.get("rollbackInfo", {}).get("rollbackDeploymentId")
            return sight_of(deployment, self._get(target, rollback) if rollback else None)
        except AwsError as error:
            if name_of(error) in GONE:
                return None
            raise ActionError(f"reading {target.title}: {name_of(error)}") from error

    def stop(self, target: CodeDeployGroup, change: str, *, token: str) -> None:
        """See `RolloutAction.stop`. One StopDeployment; the deployment's id is its token."""
        del token
        try:
            self._acts.stop_deployment(deploymentId=change, autoRollbackEnabled=True)
        except AwsError as error:
            refused(f"stopping deployment {change} of {target.title}", error, NOT_APPLIED)

    def go_on(self, target: CodeDeployGroup, *, token: str) -> None:
        """See `RolloutAction.go_on`. CodeDeploy has no such call: a failed rollback is final."""
        raise ActionDenied(f"a failed rollback of {target.title} cannot be continued ({token})")

    def redeploy(self, target: CodeDeployGroup, redeploy: Redeploy) -> str:
        """See `RolloutAction.redeploy`. One CreateDeployment, all at once.

        The AppSpec names the version that the alias is at, and CodeDeploy refuses it
        (INVALID_LAMBDA_CONFIGURATION) where it is at another: that is the compare-and-set.
        """
        content = _app_spec(redeploy)
        what = f"deploying version {redeploy.to_version} again through {target.title}"
        try:
            answer = self._acts.create_deployment(
                applicationName=target.application,
                deploymentGroupName=target.group,
                deploymentConfigName=AT_ONCE,
                description=f"rollback-responder claim {redeploy.claim_id}",
                revision={
                    "revisionType": "AppSpecContent",
                    "appSpecContent": {
                        "content": content,
                        "sha256": hashlib.sha256(content.encode()).hexdigest(),
                    },
                },
            )
            return answer["deploymentId"]
        except AwsError as error:
            refused(what, error, NOT_APPLIED)
        except KeyError as error:
            raise ActionUnclear(f"{what}: the answer has no {error}") from error

    def _latest(self, target: CodeDeployGroup) -> "DeploymentInfoTypeDef | None":
        """The deployment that runs, else the one that was attempted last."""
        ids = self._in_flight(target)
        if not ids:
            info = self._reads.get_deployment_group(
                applicationName=target.application, deploymentGroupName=target.group
            )["deploymentGroupInfo"]
            attempted = info.get("lastAttemptedDeployment", {}).get("deploymentId")
            return self._get(target, attempted) if attempted else None
        found = [
            info
            for begin in range(0, len(ids), MOST_IDS)
            for info in self._reads.batch_get_deployments(
                deploymentIds=ids[begin : begin + MOST_IDS]
            )["deploymentsInfo"]
        ]
        # One runs and others may wait behind it. A rollback goes before what it undoes, and before
        # whatever else waits.
        found.sort(key=lambda info: (not _is_rollback(info), info["createTime"]))
        running = [info for info in found if info["status"] not in {"Created", "Queued"}]
        return next(iter([*running, *found]), None)

    def _in_flight(self, target: CodeDeployGroup) -> list[str]:
        asking = partial(
            self._reads.list_deployments,
            applicationName=target.application,
            deploymentGroupName=target.group,
            includeOnlyStatuses=list(RUNNING),
        )
        return [one for page in pages(asking, "nextToken") for one in page["deployments"]]

    def _get(self, target: CodeDeployGroup, deployment_id: str) -> "DeploymentInfoTypeDef":
        """One deployment, if it is the group's: StopDeployment itself cannot be narrowed by IAM."""
        info = self._reads.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        if (info["applicationName"], info["deploymentGroupName"]) != (
            target.application,
            target.group,
        ):
            raise ActionError(f"deployment {deployment_id} is not one of {target.title}")
        return info


def _is_rollback(info: "DeploymentInfoTypeDef") -> bool:
    return info.get("creator") in ROLLBACKS or bool(
        info.get("rollbackInfo", {}).get("rollbackTriggeringDeploymentId")
    )


def sight_of(info: "DeploymentInfoTypeDef", rollback: "DeploymentInfoTypeDef | None") -> Sight:
    """A deployment, and the one that undoes it."""
    phase = PHASES.get(info["status"], Phase.UNKNOWN)
    status: str = info["status"]
    ended_at, detail = info.get("completeTime"), _errors(info)
    if rollback is not None:
        phase = UNDOING.get(PHASES.get(rollback["status"], Phase.UNKNOWN), Phase.UNKNOWN)
        status = f"{status}, its rollback {rollback['deploymentId']} {rollback['status']}"
        ended_at, detail = rollback.get("completeTime"), _errors(rollback)
    elif info["status"] == "Stopped" and "startTime" not in info:
        # Stopped while it waited: no traffic was moved, so nothing has to go back.
        phase = Phase.RETURNED
    elif _is_rollback(info):
        # A rollback of CloudFormation's, which names no deployment that it undoes.
        phase = UNDOING.get(phase, phase)
    marker = MARKER.fullmatch(info.get("description", ""))
    return Sight(
        phase=phase,
        status=status,
        change=info["deploymentId"],
        began_at=info["createTime"],
        ended_at=ended_at,
        stopped=rollback is not None or info["status"] == "Stopped",
        driver=info.get("externalId") if info.get("creator") == "CloudFormation" else None,
        marker=marker.group(1) if marker else None,
        leads_back=_leads_back(info),
        detail=detail,
    )


def _leads_back(info: "DeploymentInfoTypeDef") -> bool:
    """Whether it deploys an older version than it finds: a rollback made by hand looks like this.

    Only where the AppSpec is in the answer; one that lies in S3 is not read.
    """
    revision = info.get("revision", {})
    inline = revision.get("appSpecContent") or revision.get("string") or {}
    content = inline.get("content", "")
    found = {name: pattern.findall(content) for name, pattern in VERSIONS.items()}
    return any(int(target) < int(current) for current, target in zip(*found.values(), strict=False))


def _errors(info: Mapping[str, Any]) -> tuple[str, ...]:
    error = info.get("errorInformation")
    return (f"{error.get('code', 'an error')}: {error.get('message', '')}",) if error else ()


def _app_spec(redeploy: Redeploy) -> str:
    properties = {
        "Name": redeploy.pointer.function,
        "Alias": redeploy.pointer.alias,
        "CurrentVersion": redeploy.from_version,
        "TargetVersion": redeploy.to_version,
    }
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    return json.dumps({"version": 0.0, "Resources": [{redeploy.pointer.function: resource}]})
