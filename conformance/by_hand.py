"""Assumptions whose check would take hours or more than some cents, or cannot be made to happen."""

from conformance.check import ByHand

BY_HAND: tuple[ByHand, ...] = (
    ByHand(
        key="band",
        assumes=(
            "CloudWatch trains a band's model once an alarm uses it, and GetMetricData answers "
            "with both edges under one id"
        ),
        why="a model is trained from hours of data",
        steps="""
            Give a service of the policy a trigger of the kind `anomaly`, deploy it, and wait for
            three hours of traffic.

            `aws cloudwatch describe-anomaly-detectors` must list the trigger's metric with a
            `StateValue` of TRAINED, without anybody having made it.

            Write the alarm's own queries, `aws cloudwatch describe-alarms --alarm-names NAME
            --query 'MetricAlarms[0].Metrics'`, into `q.json`, and run `aws cloudwatch
            get-metric-data --start-time ... --end-time ... --metric-data-queries file://q.json`:
            the id of the band must be there twice, once for each edge.
        """,
        meanwhile="the higher one is taken; a minute without a band is not bad",
    ),
    ByHand(
        key="A16",
        assumes="which error code each operation answers when it throttles (A16)",
        why="the quota of an account would have to be used up",
        steps="""
            In an account in which nothing else runs, call UpdateAlias on a spare alias from thirty
            processes at once, with `AWS_MAX_ATTEMPTS=1`, for ten seconds.

            Note the codes other than PreconditionFailedException; TooManyRequestsException is
            expected. Do the same with StopDeployment and CancelUpdateStack (of something at rest),
            DescribeAlarms and GetMetricData.
        """,
        meanwhile="known throttling codes count as not applied; another one is in doubt, and read",
    ),
    ByHand(
        key="A17",
        assumes="what CodeDeploy and CloudFormation do with an alarm in ALARM at the start (A17)",
        why="nothing rests on it",
        steps="""
            Name an alarm that is in ALARM in a CodeDeploy group's `alarmConfiguration`, and deploy:
            note whether the deployment starts.

            Name it in a stack's `RollbackConfiguration`, and update: note the status.
        """,
        meanwhile="the responder reads the alarm and its onset itself",
    ),
    ByHand(
        key="A20",
        assumes="stacks of the CDK's bootstrap have the execution role as `RoleARN` (A20)",
        why="it wants an account that the CDK was bootstrapped in",
        steps="""
            `aws cloudformation describe-stacks --stack-name STACK --query 'Stacks[0].RoleARN'` of a
            stack that the CDK deployed must name a role with `cfn-exec-role` in it.
        """,
        meanwhile="it is read, and said in the incident where there is none",
    ),
    ByHand(
        key="A22",
        assumes="the quotas of an account are as documented (A22)",
        why="they are the account's own",
        steps="""
            `aws service-quotas list-service-quotas --service-code lambda` (then `monitoring` and
            `cloudformation`): of the concurrent executions 100 must be left beside what all
            functions reserve.
        """,
        meanwhile="few calls, and an alarm on the responder's own throttles",
    ),
)

# Numbers of the list that the responder does not rest on: it has no such action.
NOT_RELIED_ON = {
    "A14": "permissions of an ECS deployment",
    "A15": "API Gateway's throttling",
    "A21": "how surely CodeDeploy's events arrive: it is asked each minute",
    "A24": "stages of a secret",
}
