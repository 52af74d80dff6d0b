"""One CloudWatch alarm for each measured trigger of each target.

The metric, the threshold and the name come from the domain, where the run-time query takes them
too. Adopted alarms exist already and are not made here.
"""

import zlib
from collections.abc import Iterable
from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from rollback_responder.domain import metric, naming
from rollback_responder.domain.alarm_query import AlarmQuery, alarm_query
from rollback_responder.domain.policy import Policy, Watched
from rollback_responder.domain.trigger import AdoptedAlarm, LogFormat, PointerTrigger, Timeouts

# CloudFormation takes 500 resources and 1 MB a template; 200 alarms are about 400 KB.
MOST_ALARMS_IN_A_STACK = 200


def own_alarms(policy: Policy) -> tuple[Watched, ...]:
    """The alarms in scope that this app makes itself."""
    return tuple(w for w in policy.watched() if not isinstance(w.trigger, AdoptedAlarm))


def shards_of(alarms: Iterable[Watched]) -> tuple[tuple[Watched, ...], ...]:
    """The alarms parted into the fewest stacks, a power of two, such that none is too large.

    An alarm's stack follows from its name alone, one on timeouts from its function's, so adding or
    removing a service moves no other alarm. CloudFormation refuses to make an alarm that another
    stack still has; when the number of stacks doubles, alarms move from stack k to stack k + half
    only, and these depend on each other in that order.
    """
    named = [(zlib.crc32(_together_with(w).encode()), w) for w in alarms]
    count = 1
    while True:
        shards = tuple(tuple(w for hashed, w in named if hashed % count == k) for k in range(count))
        if all(len(shard) <= MOST_ALARMS_IN_A_STACK for shard in shards):
            return shards
        count *= 2


def _together_with(watched: Watched) -> str:
    """What decides an alarm's stack: a function's timeouts must be counted in one stack only."""
    if isinstance(watched.trigger, Timeouts) and watched.pointer:
        return watched.pointer.function
    return watched.alarm_name


class TargetAlarms(Construct):
    """The alarms of one stack. They publish to the topic by its ARN, which its name gives away."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: str, alarms: Iterable[Watched]
    ) -> None:
        super().__init__(scope, construct_id)
        arn = (
            f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}"
            f":{naming.topic_name(environment)}"
        )
        self.action = actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", arn))
        self.alarms = [self._alarm(environment, watched) for watched in alarms]

    def _alarm(self, environment: str, watched: Watched) -> cloudwatch.AlarmBase:
        trigger = watched.trigger
        assert not isinstance(trigger, AdoptedAlarm)
        if isinstance(trigger, Timeouts):
            self._count_timeouts(watched, trigger)
        question = metric.question_of(trigger, watched.pointer)
        query = alarm_query(question)
        alarm = _made(
            self,
            watched.alarm_name,
            query,
            alarm_name=watched.alarm_name,
            alarm_description=_description(environment, watched, question, query),
            metric=_metric(query),
            evaluation_periods=query.evaluation_periods,
            datapoints_to_alarm=query.datapoints_to_alarm,
            # No requests is no fault that a rollback could mend.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            # CloudWatch keeps the state where a percentile has too few samples to mean anything
            # (CloudWatch user guide, "Percentile-based alarms and low data samples").
            evaluate_low_sample_count_percentile="ignore" if query.ignores_low_samples else None,
        )
        alarm.add_alarm_action(self.action)
        # OK is told too: it changes nothing at once, but the log then has both ends of an alarm.
        alarm.add_ok_action(self.action)
        return alarm

    def _count_timeouts(self, watched: Watched, trigger: Timeouts) -> None:
        """A metric filter on the function's log group, which must exist already."""
        assert watched.pointer is not None
        function = watched.pointer.function
        if self.node.try_find_child(f"Timeouts-{function}"):
            return
        logs.MetricFilter(
            self,
            f"Timeouts-{function}",
            log_group=logs.LogGroup.from_log_group_name(
                self, f"Log-{function}", f"/aws/lambda/{function}"
            ),
            filter_pattern=TIMEOUT_PATTERNS[trigger.log_format],
            metric_namespace=metric.TIMEOUTS_NAMESPACE,
            metric_name=function,
            metric_value="1",
            default_value=0,
        )


# Lambda developer guide: "Troubleshoot invocation issues" for the text, "Lambda Telemetry API,
# platform.report" for JSON.
TIMEOUT_PATTERNS = {
    LogFormat.TEXT: logs.FilterPattern.literal('"Task timed out after"'),
    LogFormat.JSON: logs.FilterPattern.literal(
        '{ $.type = "platform.report" && $.record.status = "timeout" }'
    ),
}


def _made(scope: Construct, name: str, query: AlarmQuery, **common: Any) -> cloudwatch.AlarmBase:
    """An alarm above the band, or above the threshold.

    CloudWatch trains the band's model by itself once an alarm uses it; until then the alarm has no
    data (CloudWatch user guide, "Using CloudWatch anomaly detection").
    """
    operators = cloudwatch.ComparisonOperator
    if query.band_width is not None:
        return cloudwatch.AnomalyDetectionAlarm(
            scope,
            name,
            std_devs=query.band_width,
            comparison_operator=operators.GREATER_THAN_UPPER_THRESHOLD,
            **common,
        )
    assert query.threshold is not None
    return cloudwatch.Alarm(
        scope,
        name,
        threshold=query.threshold,
        comparison_operator=operators.GREATER_THAN_THRESHOLD,
        **common,
    )


def _metric(query: AlarmQuery) -> cloudwatch.IMetric:
    period = Duration.seconds(query.period_seconds)
    series = {
        one.id: cloudwatch.Metric(
            namespace=one.namespace,
            metric_name=one.metric_name,
            dimensions_map=dict(one.dimensions),
            statistic=one.statistic,
            period=period,
        )
        for one in query.series
    }
    if query.expression is None:
        (only,) = series.values()
        return only
    return cloudwatch.MathExpression(
        expression=query.expression, using_metrics=series, label=query.label, period=period
    )


def _description(
    environment: str, watched: Watched, question: metric.Question, query: AlarmQuery
) -> str:
    pointer = watched.pointer if isinstance(watched.trigger, PointerTrigger) else None
    return (
        f"{watched.service.name}: {question.said}{f' on {pointer.title}' if pointer else ''}, "
        f"in {query.datapoints_to_alarm} of {query.evaluation_periods} periods. "
        f"Made by the rollback responder from the policy of {environment}: "
        "change the policy, not this alarm."
    )
