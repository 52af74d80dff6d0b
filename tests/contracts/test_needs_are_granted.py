"""What the readiness check asks IAM about is exactly what the synth grants to `respond`."""

import pytest
from aws_cdk import Aws

from infra.grants import respond_grants, respond_on_everything
from infra.slack_secret import secret_name
from rollback_responder.domain import naming
from rollback_responder.domain.permissions import needs_of
from rollback_responder.domain.policy import parse_policy
from tests.infra.synthesis import POLICY

# What `infra/responder.py` grants whatever the policy is.
ALWAYS = {("cloudwatch:DescribeAlarms", "*"), ("cloudwatch:GetMetricData", "*")}


def open_places(resource):
    here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
    return resource.replace(Aws.PARTITION, "{partition}").replace(here, "{here}")


@pytest.mark.parametrize("mode", ["observe", "approve", "enforce"])
def test_every_need_is_granted_and_every_grant_is_needed(mode):
    policy = parse_policy({**POLICY, "mode": mode})
    granted = {
        (action, open_places(resource))
        for grant in respond_grants(policy)
        for action in grant.actions
        for resource in grant.resources
    }
    granted |= {(action, "*") for action in respond_on_everything(policy)}

    assert {(need.action, need.resource) for need in needs_of(policy)} == granted | ALWAYS


def test_the_command_line_finds_the_stack_its_outputs_and_the_secret(synthesis, responder):
    assert synthesis.responder.path.name.startswith(naming.stack_name("test"))
    assert secret_name("test") == naming.slack_secret_name("test")
    assert {"JournalTable", "RespondRole", "AlarmQueueUrl"} <= set(responder.outputs())
