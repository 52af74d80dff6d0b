"""What the responder's functions have in common."""

from collections.abc import Sequence

from aws_cdk import CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.grants.everything import grant_on_everything
from infra.grants.grant import allow
from infra.nag import acknowledge
from rollback_responder.wiring import Wiring

# The log is the second witness of a rollback, so it outlives the stack, for a quarter.
LOGS_KEPT = logs.RetentionDays.THREE_MONTHS
# Lambda gives CPU by memory; with less, a cold start takes long enough to matter.
MEMORY_MB = 512


class HouseFunction(Construct):
    """A Lambda function with its own role and log group, told exactly what its wiring holds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        description: str,
        code: lambda_.Code,
        timeout: Duration,
        wiring: Wiring,
        reserved_concurrency: int,
        statements: Sequence[iam.PolicyStatement],
        on_everything: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self, "Logs", retention=LOGS_KEPT, removal_policy=RemovalPolicy.RETAIN
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        permissions = iam.Policy(
            self,
            "Permissions",
            roles=[self.role],
            statements=[
                allow(self.log_group.log_group_arn, "logs:CreateLogStream", "logs:PutLogEvents"),
                *statements,
            ],
        )
        if on_everything:
            grant_on_everything(permissions, *on_everything)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler,
            code=code,
            role=self.role,
            memory_size=MEMORY_MB,
            timeout=timeout,
            environment=wiring.to_environment(),
            reserved_concurrent_executions=reserved_concurrency,
            log_group=self.log_group,
            # Powertools prints JSON itself; Lambda's own would wrap it once more.
            logging_format=lambda_.LoggingFormat.TEXT,
        )
        _wait_for(self.function, permissions)
        _explain_runtime(self.function)


def _explain_runtime(function: lambda_.Function) -> None:
    acknowledge(
        function,
        finding="L1",
        reason="python3.13 is a supported runtime, the one that the dependencies are pinned and "
        "built for; a newer one is taken on purpose, with a test run, not when it appears.",
    )


def _wait_for(function: lambda_.Function, permissions: iam.Policy) -> None:
    """Event sources are refused while the role lacks its permissions.

    The L2 function waits for its role by name, which it refers to anyway (cfn-lint W3005); what it
    has to wait for is the policy.
    """
    stack = Stack.of(function)
    resources = (function.node.default_child, permissions.node.default_child)
    cfn_function, cfn_policy = (one for one in resources if isinstance(one, CfnResource))
    cfn_function.add_override("DependsOn", [stack.get_logical_id(cfn_policy)])
