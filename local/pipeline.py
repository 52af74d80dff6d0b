"""The shop's pipelines: through CodeDeploy, or by a stack update that is held half-way."""

import io
import json
import zipfile
from contextlib import closing
from threading import Thread

from local.cdk import App, Cdk, CdkError
from local.emulator import ROOT, Emulator

RELEASES = ROOT / "local" / "shop" / "releases"
APPLICATION = GROUP = "shop"
# Ten percent more of the traffic every two minutes.
CONFIG = "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes"
HOLD = "Hold"


def deploy_through_codedeploy(emulator: Emulator, release: str) -> str:
    """Publish a release and begin its deployment; returns the deployment's id."""
    with closing(emulator.client("lambda")) as client:
        version = client.update_function_code(
            FunctionName="shop", ZipFile=_zip(release), Publish=True
        )["Version"]
        current = client.get_alias(FunctionName="shop", Name="live")["FunctionVersion"]
    properties = {
        "Name": "shop",
        "Alias": "live",
        "CurrentVersion": current,
        "TargetVersion": version,
    }
    resource = {"shop": {"Type": "AWS::Lambda::Function", "Properties": properties}}
    content = json.dumps({"version": 0.0, "Resources": [resource]})
    with closing(emulator.client("codedeploy")) as client:
        answer = client.create_deployment(
            applicationName=APPLICATION,
            deploymentGroupName=GROUP,
            deploymentConfigName=CONFIG,
            revision={
                "revisionType": "AppSpecContent",
                "appSpecContent": {"content": content},
            },
        )
    return str(answer["deploymentId"])


def deployments(emulator: Emulator) -> dict[str, str]:
    """The status of every deployment, as the server answers it, oldest first."""
    with closing(emulator.client("codedeploy")) as client:
        ids = client.list_deployments(applicationName=APPLICATION, deploymentGroupName=GROUP)[
            "deployments"
        ]
        infos = [client.get_deployment(deploymentId=one)["deploymentInfo"] for one in ids]
    infos.sort(key=lambda info: info["createTime"])
    return {info["deploymentId"]: info["status"] for info in infos}


class HeldUpdate:
    """A ``cdk deploy`` whose stack update waits half-way, until it is let go."""

    def __init__(self, cdk: Cdk, app: App, emulator: Emulator) -> None:
        self._cdk, self._app, self._emulator = cdk, app, emulator
        self.error: CdkError | None = None
        self._thread = Thread(target=self._deploy, daemon=True)
        self._thread.start()

    def _deploy(self) -> None:
        try:
            self._cdk.deploy(self._app, ["Shop"])
        except CdkError as error:
            self.error = error

    def is_held(self) -> bool:
        """Whether the update has come to where it waits."""
        if not self._thread.is_alive():
            raise CdkError(f"the update did not wait: {self.error or 'it completed'}")
        with closing(self._emulator.client("cloudformation")) as client:
            events = client.describe_stack_events(StackName="Shop")["StackEvents"]
        latest = next((one for one in events if one["LogicalResourceId"] == HOLD), None)
        return latest is not None and str(latest["ResourceStatus"]).endswith("IN_PROGRESS")

    def let_go(self) -> None:
        """Report success to the wait condition, so that only a cancel can explain a rollback."""
        with closing(self._emulator.client("cloudformation")) as client:
            client.signal_resource(
                StackName="Shop", LogicalResourceId=HOLD, UniqueId="demo", Status="SUCCESS"
            )

    def join(self) -> str | None:
        """Wait for the command line's end; what it said if it failed."""
        self._thread.join()
        return str(self.error) if self.error else None


def stack_status(emulator: Emulator) -> str:
    """The shop's stack, as the emulator describes it."""
    with closing(emulator.client("cloudformation")) as client:
        return str(client.describe_stacks(StackName="Shop")["Stacks"][0]["StackStatus"])


def why_rolled_back(emulator: Emulator) -> str | None:
    """The reason that the emulator gives for the stack's latest rollback."""
    with closing(emulator.client("cloudformation")) as client:
        events = client.describe_stack_events(StackName="Shop")["StackEvents"]
    for event in events:
        if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS":
            return str(event.get("ResourceStatusReason"))
    return None


def _zip(release: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((RELEASES / release).iterdir()):
            if file.is_file():
                archive.write(file, file.name)
    return packed.getvalue()
