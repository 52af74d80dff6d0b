"""The shop's CDK app: one function behind an alias, in the release that the context names.

``cdk deploy --app "python3 local/shop/app.py" -c release=good_v1``; with ``-c canary_from=1`` half
of the traffic stays on version 1, and ``-c payments=URL`` says where the payment provider is.
"""

import os
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
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
            environment={"PAYMENTS_URL": payments} if payments else {},
            # CDK's default deletes the former version, and with it the way back.
            current_version_options=lambda_.VersionOptions(removal_policy=cdk.RemovalPolicy.RETAIN),
        )
        version = function.current_version
        if canary_from is None:
            lambda_.Alias(self, "Live", alias_name="live", version=version)
            return
        former = lambda_.Version.from_version_arn(
            self, "Former", f"{function.function_arn}:{canary_from}"
        )
        half = lambda_.VersionWeight(version=version, weight=0.5)
        lambda_.Alias(self, "Live", alias_name="live", version=former, additional_versions=[half])


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
        env=env,
    )
    app.synth()


if __name__ == "__main__":
    main()
