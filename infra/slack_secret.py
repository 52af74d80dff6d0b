"""The Slack secret: made empty, filled by a person."""

import json

from aws_cdk import CfnOutput, RemovalPolicy, SecretValue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.nag import acknowledge

EMPTY = json.dumps({"webhook_url": ""})


def secret_name(environment: str) -> str:
    """The secret's name in Secrets Manager."""
    return f"rollback-responder/{environment}/slack"


def slack_secret(scope: Construct, construct_id: str, *, environment: str) -> secretsmanager.Secret:
    """The secret and the command that fills it. The template holds only the empty form.

    CloudFormation writes the value only when it changes in the template, so a later deploy leaves
    what a person put there.
    """
    name = secret_name(environment)
    secret = secretsmanager.Secret(
        scope,
        construct_id,
        secret_name=name,
        description="Webhook or bot token of the rollback responder. Empty until a person fills it",
        secret_string_value=SecretValue.unsafe_plain_text(EMPTY),
        removal_policy=RemovalPolicy.RETAIN,
    )
    acknowledge(
        secret,
        finding="SMG4",
        reason="Slack offers no call that rotates a webhook: a person makes a new one in Slack and "
        "puts it here; the notifier reads the secret again when Slack refuses the old one.",
    )
    CfnOutput(
        scope,
        "FillSlackSecret",
        description='Run this once; slack.json holds {"webhook_url": "https://..."}, or for '
        'threads and buttons {"bot_token": "xoxb-...", "signing_secret": "..."}',
        value=f"aws secretsmanager put-secret-value --secret-id {name} "
        "--secret-string file://slack.json",
    )
    return secret
