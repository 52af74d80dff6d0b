"""The shop's CDK app: one function behind an alias, in the release that the context names.

``cdk deploy --app "python3 local/shop/app.py" -c release=good_v1``; with ``-c canary_from=1`` half
of the traffic stays on version 1, ``-c payments=URL`` says where the payment provider is, and with
``-c held=1`` the update waits when the alias has moved.
"""

import os
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct

RELEASES = Path(__file__).parent / "releases"


class Shop(cdk.Stack):
    """The function ``shop`` and its alias ``live``."""

    def __init__(
        self,
        scope: Construct,
        *,
        release: str,
        canary_from: str | None,
        payments: str | None,
        held: bool,
        env: cdk.Environment,
    ) -> None:
        super().__init__(scope, "Shop", env=env)
        function = lambda_.Function(
            self,
            "Function",
            function_name="shop",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_asset(str(RELEASES / release)),
            timeout=cdk.Duration.seconds(10),
            # For the emulator: no release of the shop calls AWS.
            environment={"WITHOUT_SDK": "1"} | ({"PAYMENTS_URL": payments} if payments else {}),
            # CDK's default deletes the former version, and with it the way back.
            current_version_options=lambda_.VersionOptions(
                removal_policy=cdk.RemovalPolicy.RETAIN, description=f"release {release}"
            ),
        )
        version = function.current_version
        if canary_from is None:
            alias = lambda_.Alias(self, "Live", alias_name="live", version=version)
            if held:
                self._hold_behind(alias)
            return
        former = lambda_.Version.from_version_arn(
            self, "Former", f"{function.function_arn}:{canary_from}"
        )
        half = lambda_.VersionWeight(version=version, weight=0.5)
        lambda_.Alias(self, "Live", alias_name="live", version=former, additional_versions=[half])

    def _hold_behind(self, alias: lambda_.Alias) -> None:
        """Let the update wait when the alias has moved, with one more resource behind the wait.

        The emulator notices a cancel only before it begins the next resource.
        """
        handle = cdk.CfnWaitConditionHandle(self, "Handle")
        hold = cdk.CfnWaitCondition(self, "Hold", handle=handle.ref, timeout="900", count=1)
        hold.node.add_dependency(alias)
        behind = ssm.StringParameter(self, "Behind", string_value="what comes last")
        behind.node.add_dependency(hold)


def main() -> None:
    """Synthesise the app."""
    app = cdk.App()
    release = app.node.try_get_context("release")
    known = sorted(folder.name for folder in RELEASES.iterdir())
    if release not in known:
        raise SystemExit(f"Give -c release= one of {', '.join(known)}, not {release!r}.")
    env = cdk.Environment(
        account=os.environ["CDK_DEFAULT_ACCOUNT"], region=os.environ["CDK_DEFAULT_REGION"]
    )
    context = app.node.try_get_context
    Shop(
        app,
        release=release,
        canary_from=context("canary_from"),
        payments=context("payments"),
        held=context("held") is not None,
        env=env,
    )
    app.synth()


if __name__ == "__main__":
    main()
