"""What the role of `respond` must be allowed, target by target."""

import pytest

from rollback_responder.domain.permissions import Need, needs_of
from tests.builders import a_policy

ALIAS = {"kind": "lambda_alias", "function": "shop", "alias": "live"}
GROUP = {"kind": "codedeploy_group", "application": "app", "group": "blue"}
STACK = {"kind": "cloudformation_stack", "stack": "base"}
FUNCTION = "arn:{partition}:lambda:{here}:function:shop"
DEPLOYMENTS = "arn:{partition}:codedeploy:{here}:deploymentgroup:app/blue"
APPLICATION = "arn:{partition}:codedeploy:{here}:application:app"
STACKS = "arn:{partition}:cloudformation:{here}:stack/base/*"
RULES = "arn:{partition}:cloudwatch:{here}:alarm-mute-rule:*"

READS_ALIAS = [("lambda:GetAlias", FUNCTION)]
READS_GROUP = [
    ("codedeploy:BatchGetDeployments", DEPLOYMENTS),
    ("codedeploy:GetDeployment", DEPLOYMENTS),
    ("codedeploy:GetDeploymentGroup", DEPLOYMENTS),
    ("codedeploy:ListDeployments", DEPLOYMENTS),
]
READS_STACK = [
    ("cloudformation:DescribeStackEvents", STACKS),
    ("cloudformation:DescribeStacks", STACKS),
]
MOVES = [("lambda:UpdateAlias", FUNCTION)]
STOPS = [("codedeploy:StopDeployment", "*")]
REDEPLOYS = [
    ("codedeploy:CreateDeployment", DEPLOYMENTS),
    (
        "codedeploy:GetDeploymentConfig",
        "arn:{partition}:codedeploy:{here}:deploymentconfig:CodeDeployDefault.LambdaAllAtOnce",
    ),
    ("codedeploy:GetApplicationRevision", APPLICATION),
    ("codedeploy:RegisterApplicationRevision", APPLICATION),
]
CANCELS = [("cloudformation:CancelUpdateStack", STACKS)]
CONTINUES = [("cloudformation:ContinueUpdateRollback", STACKS)]

EVERYWHERE = [
    Need(action=f"cloudwatch:{verb}", resource=where, title="every service")
    for verb, where in [
        ("DescribeAlarms", "*"),
        ("GetMetricData", "*"),
        ("GetAlarmMuteRule", RULES),
        ("ListAlarmMuteRules", RULES),
    ]
]


@pytest.mark.parametrize(
    ("target", "title", "mode", "needs"),
    [
        (ALIAS, "shop:live", "observe", READS_ALIAS),
        (ALIAS, "shop:live", "approve", READS_ALIAS + MOVES),
        (ALIAS, "shop:live", "enforce", READS_ALIAS + MOVES),
        (GROUP, "app/blue", "observe", READS_GROUP),
        (GROUP, "app/blue", "enforce", READS_GROUP + STOPS),
        (STACK, "stack base", "observe", READS_STACK),
        (STACK, "stack base", "enforce", READS_STACK + CANCELS),
        (STACK | {"continue_rollback": True}, "stack base", "observe", READS_STACK),
        (
            STACK | {"continue_rollback": True},
            "stack base",
            "enforce",
            READS_STACK + CANCELS + CONTINUES,
        ),
    ],
)
def test_a_role_may_do_what_its_targets_need_and_acts_only_where_it_may(target, title, mode, needs):
    service = {"name": "s", "targets": [target], "triggers": [{"kind": "alarm", "name": "a"}]}
    found = list(needs_of(a_policy(services=[service], mode=mode)))

    assert found[:4] == EVERYWHERE
    assert found[4:] == [
        Need(action=action, resource=where, title=title) for action, where in needs
    ]


@pytest.mark.parametrize(("mode", "more"), [("observe", []), ("enforce", STOPS + REDEPLOYS)])
def test_a_group_that_deploys_the_version_before_needs_what_that_takes(mode, more):
    targets = [ALIAS, GROUP | {"after_success": "redeploy"}]
    service = {"name": "s", "targets": targets, "triggers": [{"kind": "alarm", "name": "a"}]}
    found = list(needs_of(a_policy(services=[service], mode=mode)))

    assert [(need.action, need.resource) for need in found if need.title == "app/blue"] == [
        *READS_GROUP,
        *more,
    ]
