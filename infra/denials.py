"""What no function of the responder may ever do, whatever it is granted one day.

The policy's reader refuses a target that is the responder's own; where access goes by tags,
somebody could still put one on it, and is met by the denial here.
"""

from collections.abc import Collection, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from rollback_responder.domain import naming

# How all of IAM's actions begin but Simulate*, which only tells what IAM would say.
ACTS_OF_IAM = (*(f"iam:{letter}*" for letter in "ACDEGLPRTU"), "iam:Se*")
# Making, deleting and hushing is for people and pipelines, never for a responder.
NEVER = (
    *ACTS_OF_IAM,
    "lambda:AddPermission",
    "lambda:DeleteAlias",
    "lambda:DeleteFunction",
    "lambda:PublishVersion",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "codedeploy:CreateDeployment",
    "cloudformation:CreateChangeSet",
    "cloudformation:CreateStack",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    # It deletes a stack that has no stable state to go back to.
    "cloudformation:RollbackStack",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:SetStackPolicy",
    "cloudformation:UpdateStack",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DisableAlarmActions",
    "cloudwatch:PutAlarmMuteRule",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:SetAlarmState",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:PutResourcePolicy",
    "dynamodb:Scan",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
    # What feeds the functions, and what they are told with: only a deploy changes it.
    "events:*",
    "scheduler:*",
    "secretsmanager:Delete*",
    "secretsmanager:Put*",
    "secretsmanager:Update*",
    "sns:*",
    "sqs:AddPermission",
    "sqs:DeleteQueue",
    "sqs:PurgeQueue",
    "sqs:SetQueueAttributes",
)
# What could move, stop or starve the responder itself.
NEVER_ITSELF = (
    "lambda:CreateAlias",
    "lambda:DeleteFunctionConcurrency",
    "lambda:InvokeFunction",
    "lambda:PutFunctionConcurrency",
    "lambda:UpdateAlias",
)
NEVER_ITS_STACKS = ("cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback")


def deny(
    scope: Construct,
    construct_id: str,
    *,
    environment: str,
    roles: Sequence[iam.IRole],
    functions: Sequence[lambda_.IFunction],
    except_for: Collection[str] = (),
) -> iam.Policy:
    """One policy of denials on all roles; it waits for the functions, they do not wait for it.

    `except_for` are actions of `NEVER` that the policy asks for after all.
    """
    own = [arn for f in functions for arn in (f.function_arn, f"{f.function_arn}:*")]
    return iam.Policy(
        scope,
        construct_id,
        roles=list(roles),
        statements=[
            iam.PolicyStatement(
                sid="NeverMakeDeleteOrHush",
                effect=iam.Effect.DENY,
                actions=[action for action in NEVER if action not in except_for],
                resources=["*"],
            ),
            iam.PolicyStatement(
                sid="NeverItself",
                effect=iam.Effect.DENY,
                actions=list(NEVER_ITSELF),
                resources=own,
            ),
            iam.PolicyStatement(
                sid="NeverItsStacks",
                effect=iam.Effect.DENY,
                actions=list(NEVER_ITS_STACKS),
                resources=[
                    Stack.of(scope).format_arn(
                        service="cloudformation", resource="stack", resource_name=f"{name}/*"
                    )
                    for name in (
                        naming.stack_name(environment),
                        naming.alarm_stack_name(environment, "*"),
                    )
                ],
            ),
        ],
    )
