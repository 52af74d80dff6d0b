"""What CodeDeploy does. Source of all: CodeDeploy user guide and API reference, for Lambda."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.lab import Lab
from conformance.making import Json
from conformance.things import LIVE, ONLY, Kind, Thing

MAKES = (
    "a function with two versions and an alias, a CodeDeploy application, two roles, a log group"
)
SLOWLY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
ON_REQUEST = "DEPLOYMENT_STOP_ON_REQUEST"
OVER = frozenset({"Succeeded", "Failed", "Stopped"})


class Shop(NamedTuple):
    """A function whose alias `live` CodeDeploy may shift from version 1 to 2."""

    application: str
    function: str

    @property
    def group(self) -> Json:
        """What names the group in a call."""
        return {"applicationName": self.application, "deploymentGroupName": ONLY}


def shop(lab: Lab, suffix: str, *, rolls_back: bool = True) -> Shop:
    """The function, the application and its group; `rolls_back` when it is stopped."""
    function = making.function(lab, suffix)
    making.publish(lab, function, "second")
    return Shop(application(lab, suffix, function, rolls_back=rolls_back), function)


def application(lab: Lab, suffix: str, function: str, *, rolls_back: bool = True) -> str:
    """An application with a group for this function; returns its name."""
    arn = lab.account.arn_of("lambda", f"function:{function}")
    # AWSCodeDeployRoleForLambdaLimited, narrowed to the function.
    actions = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
    role = making.role(
        lab,
        f"{suffix}-cd",
        {"Service": "codedeploy.amazonaws.com"},
        making.allow(actions, [arn, f"{arn}:*"]),
        making.allow(["cloudwatch:DescribeAlarms"], "*"),
    )
    name = lab.name(suffix)
    lab.owe(Thing(Kind.APPLICATION, name))
    client = lab.clients("codedeploy")
    client.create_application(applicationName=name, computePlatform="Lambda", tags=lab.tag_list())
    rollback: Json = {"enabled": rolls_back}
    if rolls_back:
        rollback["events"] = [ON_REQUEST]
    making.settled(
        lab,
        "CodeDeploy can take on its role",
        lambda: client.create_deployment_group(
            applicationName=name,
            deploymentGroupName=ONLY,
            deploymentConfigName=SLOWLY,
            serviceRoleArn=role,
            deploymentStyle={
                "deploymentType": "BLUE_GREEN",
                "deploymentOption": "WITH_TRAFFIC_CONTROL",
            },
            autoRollbackConfiguration=rollback,
            tags=lab.tag_list(),
        ),
        "InvalidRoleException",
    )
    return name


def revision(function: str) -> Json:
    """From version 1 of the alias to 2."""
    properties = {"Name": function, "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    content = json.dumps({"version": 0.0, "Resources": [{"live": resource}]})
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {
        "revisionType": "AppSpecContent",
        "appSpecContent": {"content": content, "sha256": digest},
    }


def deploy(client: Any, to: Shop) -> str:
    """Begins a deployment; returns its id."""
    made = client.create_deployment(**to.group, revision=revision(to.function))
    return str(made["deploymentId"])


def info(lab: Lab, deployment: str) -> Json:
    """The deployment as CodeDeploy shows it."""
    shown = lab.clients("codedeploy").get_deployment(deploymentId=deployment)
    found: Json = shown["deploymentInfo"]
    return found


def ends(lab: Lab, deployment: str) -> Json:
    """The deployment when it is over."""

    def look() -> Json | None:
        found = info(lab, deployment)
        return found if found["status"] in OVER else None

    return lab.until(f"the deployment {deployment} is over", look, seconds=300)


def at_rest(lab: Lab, to: Shop) -> None:
    """Waits until nothing is under way in the group."""

    def look() -> bool | None:
        found = lab.clients("codedeploy").list_deployments(
            **to.group, includeOnlyStatuses=list(LIVE)
        )
        return None if found["deployments"] else True

    lab.until("nothing is under way in the group", look, seconds=300)


def shifting(lab: Lab, to: Shop) -> Json:
    """The alias once CodeDeploy has given away weight."""

    def look() -> Json | None:
        found: Json = lab.clients("lambda").get_alias(FunctionName=to.function, Name="live")
        moved = found["FunctionVersion"] != "1"
        return found if moved or found.get("RoutingConfig") else None

    return lab.until("CodeDeploy shifts traffic", look, seconds=300)


class _Deployment(Check[Shop]):
    makes = MAKES
    minutes = 10
    rolls_back = True

    def create(self, lab: Lab) -> Shop:
        made = shop(lab, self.key.lower(), rolls_back=self.rolls_back)
        making.alias(lab, made.function)
        return made


class OldStaysPrimary(_Deployment):
    """A2."""

    key = "A2"
    assumes = "during a shift CodeDeploy leaves the old version as the alias's primary (A2)"
    source = "The guide shows weights, and not which version is the primary."
    does = "A canary of a tenth is begun, and the alias is read while it lasts."
    meanwhile = "the alias is never touched while a deployment runs, and read again after"

    def observe(self, lab: Lab, made: Shop) -> Seen:
        deploy(lab.clients("codedeploy"), made)
        shown = shifting(lab, made)
        weights = shown.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return {"primary": shown["FunctionVersion"], "weights": dict(weights)}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["primary"] == "1" and seen["weights"] == {"2": 0.1})


class StopByGroup(_Deployment):
    """A5."""

    key = "A5"
    assumes = "`StopDeployment` can be narrowed to a group (A5)"
    source = "The guide names the group's ARN; the Service Authorization Reference has none."
    does = "A role that may stop deployments of this group only stops one."
    meanwhile = "granted on `*`, the group is checked in code"

    def observe(self, lab: Lab, made: Shop) -> Seen:
        group = lab.account.arn_of("codedeploy", f"deploymentgroup:{made.application}/{ONLY}")
        actions = ["codedeploy:StopDeployment", "codedeploy:GetDeployment"]
        narrow = making.acting(lab, "a5-narrow", making.allow(actions, group))("codedeploy")
        deployment = deploy(lab.clients("codedeploy"), made)
        shifting(lab, made)
        reads = making.permitted(lab, lambda: narrow.get_deployment(deploymentId=deployment))
        stops = making.permitted(lab, lambda: narrow.stop_deployment(deploymentId=deployment))
        return {"reading_one_of_the_group": reads, "stopping_it": stops}

    def tell(self, seen: Seen) -> Verdict:
        if seen["reading_one_of_the_group"] != "done":
            return Verdict.NOT_TOLD
        if seen["stopping_it"] in making.DENIED:
            return Verdict.DOES_NOT_HOLD
        return Verdict.HOLDS if seen["stopping_it"] == "done" else Verdict.NOT_TOLD


class OwnSetting(_Deployment):
    """A7."""

    key = "A7"
    assumes = "`StopDeployment` without `autoRollbackEnabled` does as the group says (A7)"
    source = "SDK model, StopDeployment: what leaving it out means is not said."
    does = "A deployment of a group that rolls back on a stop is stopped without the member."
    meanwhile = "it is always sent"

    def observe(self, lab: Lab, made: Shop) -> Seen:
        client = lab.clients("codedeploy")
        deployment = deploy(client, made)
        shifting(lab, made)
        client.stop_deployment(deploymentId=deployment)
        ends(lab, deployment)
        # The rollback is made after the stop.
        lab.sleep(30)
        found = info(lab, deployment).get("rollbackInfo", {})
        return {"rollback": "rollbackDeploymentId" in found}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["rollback"])


class WaitingStop(_Deployment):
    """Read as back where it never started."""

    key = "waiting"
    assumes = "a stop of a waiting deployment makes no rollback deployment"
    source = "Not documented."
    does = "A deployment is stopped in the moment that it is made, while no traffic has moved."
    meanwhile = "read as back where it never started"
    makes = MAKES

    def observe(self, lab: Lab, made: Shop) -> Seen:
        client = lab.clients("codedeploy")
        deployment = deploy(client, made)
        before = info(lab, deployment)["status"]
        client.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
        ends(lab, deployment)
        lab.sleep(30)
        found = info(lab, deployment).get("rollbackInfo", {})
        return {"status_when_stopped": before, "rollback": "rollbackDeploymentId" in found}

    def tell(self, seen: Seen) -> Verdict:
        if seen["status_when_stopped"] not in {"Created", "Queued", "Ready"}:
            return Verdict.NOT_TOLD
        return verdict(holds=not seen["rollback"])


def grants_to_deploy(lab: Lab, application_name: str) -> dict[str, str]:
    """Action and resource, as `infra/grants/codedeploy_group.py` grants them."""
    arn = lab.account.arn_of
    application_arn = arn("codedeploy", f"application:{application_name}")
    return {
        "codedeploy:CreateDeployment": arn(
            "codedeploy", f"deploymentgroup:{application_name}/{ONLY}"
        ),
        "codedeploy:GetDeploymentConfig": arn("codedeploy", f"deploymentconfig:{SLOWLY}"),
        "codedeploy:GetApplicationRevision": application_arn,
        "codedeploy:RegisterApplicationRevision": application_arn,
    }


class DeployGrants(_Deployment):
    """Which of the four are needed is seen as well."""

    key = "create-deployment"
    assumes = "which permissions CreateDeployment needs besides its own"
    source = "The Service Authorization Reference names no dependent action."
    does = "Roles with all four that are granted, and with all but each one, begin a deployment."
    meanwhile = "four are granted, only by opt-in"
    makes = "a function with two versions and an alias, a CodeDeploy application, seven roles"
    minutes = 20

    def observe(self, lab: Lab, made: Shop) -> Seen:
        grants = grants_to_deploy(lab, made.application)
        came = {"all four": self._try(lab, made, "all", grants)}
        for number, action in enumerate(grants):
            rest = {name: arn for name, arn in grants.items() if name != action}
            came[f"without {action}"] = self._try(lab, made, f"no{number}", rest)
        return came

    def _try(self, lab: Lab, made: Shop, suffix: str, grants: dict[str, str]) -> str:
        statements = [making.allow([action], arn) for action, arn in grants.items()]
        client = making.acting(lab, f"create-{suffix}", *statements)("codedeploy")
        ids: list[str] = []
        came = making.permitted(lab, lambda: ids.append(deploy(client, made)))
        for deployment in ids:
            lab.clients("codedeploy").stop_deployment(
                deploymentId=deployment, autoRollbackEnabled=True
            )
            at_rest(lab, made)
        return came

    def tell(self, seen: Seen) -> Verdict:
        """It holds where the four suffice; the rest says which of them could go."""
        if seen["all four"] in making.DENIED:
            return Verdict.DOES_NOT_HOLD
        return Verdict.HOLDS if seen["all four"] == "done" else Verdict.NOT_TOLD


class StackDrives(Check[tuple[Shop, str, Callable[[str], Json]]]):
    """A6."""

    key = "A6"
    assumes = "a deployment that CloudFormation drives can be stopped, and its stack unwinds (A6)"
    source = "The guide says of blue/green through CloudFormation only that its console cannot."
    does = "A stack's update shifts an alias through CodeDeploy; that deployment is stopped."
    meanwhile = "a refusal is told; the stack is followed, never cancelled at the same time"
    makes = f"{MAKES}, a stack with the alias"
    minutes = 20

    def create(self, lab: Lab) -> tuple[Shop, str, Callable[[str], Json]]:
        made = shop(lab, "a6")

        def template(version: str) -> Json:
            return {
                "Resources": {
                    "Live": {
                        "Type": "AWS::Lambda::Alias",
                        "Properties": {
                            "FunctionName": made.function,
                            "FunctionVersion": version,
                            "Name": "live",
                        },
                        "UpdatePolicy": {
                            "CodeDeployLambdaAliasUpdate": {
                                "ApplicationName": made.application,
                                "DeploymentGroupName": ONLY,
                            }
                        },
                    }
                }
            }

        return made, making.stack(lab, "a6-stack", template("1")), template

    def observe(self, lab: Lab, made: tuple[Shop, str, Callable[[str], Json]]) -> Seen:
        to, stack, template = made
        lab.clients("cloudformation").update_stack(
            StackName=stack, TemplateBody=json.dumps(template("2"))
        )
        client = lab.clients("codedeploy")

        def look() -> str | None:
            found = client.list_deployments(**to.group, includeOnlyStatuses=["InProgress"])
            return next(iter(found["deployments"]), None)

        deployment = lab.until("CloudFormation's deployment", look, seconds=300)
        creator = info(lab, deployment).get("creator")
        stop = making.answer(
            lambda: client.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
        )
        if stop != "done":
            return {"creator": creator, "stop": stop}
        status = making.stack_ends(lab, stack)
        version = lab.clients("lambda").get_alias(FunctionName=to.function, Name="live")
        return {
            "creator": creator,
            "stop": stop,
            "stack": status,
            "version": version["FunctionVersion"],
        }

    def tell(self, seen: Seen) -> Verdict:
        found = (seen["stop"], seen.get("stack"), seen.get("version"))
        return verdict(holds=found == ("done", "UPDATE_ROLLBACK_COMPLETE", "1"))
