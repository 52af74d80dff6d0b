"""One CloudWatch alarm for each measured trigger of each target.

The metric, the threshold and the name come from the domain, where the run-time query takes them
too. Adopted alarms exist already and are not made here.
"""

import zlib
from collections.abc import Iterable
from typing import assert_never

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from rollback_responder.domain import metric, naming
from rollback_responder.domain.policy import Policy, Watched
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate, Latency, MeasuredTrigger

# CloudFormation takes 500 resources and 1 MB a template; 200 alarms are about 400 KB.
MOST_ALARMS_IN_A_STACK = 200
PERIOD = Duration.seconds(metric.PERIOD_SECONDS)


def own_alarms(policy: Policy) -> tuple[Watched, ...]:
    """The alarms in scope that this app makes itself."""
    return tuple(w for w in policy.watched() if not isinstance(w.trigger, AdoptedAlarm))


def shards_of(alarms: Iterable[Watched]) -> tuple[tuple[Watched, ...], ...]:
    """The alarms parted into the fewest stacks, a power of two, such that none is too large.

    An alarm's stack follows from its name alone, so adding or removing a service moves no other
    alarm. CloudFormation refuses to make an alarm that another stack still has; when the number of
    stacks doubles, alarms move from stack k to stack k + half only, and these depend on each other
    in that order.
    """
    named = [(zlib.crc32(w.alarm_name.encode()), w) for w in alarms]
    count = 1
    while True:
        shards = tuple(tuple(w for hashed, w in named if hashed % count == k) for k in range(count))
        if all(len(shard) <= MOST_ALARMS_IN_A_STACK for shard in shards):
            return shards
        count *= 2


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

    def _alarm(self, environment: str, watched: Watched) -> cloudwatch.Alarm:
        trigger = watched.trigger
        assert not isinstance(trigger, AdoptedAlarm)
        assert watched.pointer is not None
        alarm = cloudwatch.Alarm(
            self,
            watched.alarm_name,
            alarm_name=watched.alarm_name,
            alarm_description=_description(environment, watched, watched.pointer, trigger),
            metric=_metric(metric.alarm_query(trigger, watched.pointer)),
            threshold=metric.threshold_of(trigger),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=trigger.minutes,
            datapoints_to_alarm=trigger.breaching_minutes,
            # No requests is no fault that a rollback could mend.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            evaluate_low_sample_count_percentile=_low_samples(trigger),
        )
        alarm.add_alarm_action(self.action)
        # OK is told too: it changes nothing at once, but the log then has both ends of an alarm.
        alarm.add_ok_action(self.action)
        return alarm


def _metric(query: metric.AlarmQuery) -> cloudwatch.IMetric:
    series = {
        one.id: cloudwatch.Metric(
            namespace=one.namespace,
            metric_name=one.metric_name,
            dimensions_map=dict(one.dimensions),
            statistic=one.statistic,
            period=PERIOD,
        )
        for one in query.series
    }
    if query.expression is None:
        (only,) = series.values()
        return only
    return cloudwatch.MathExpression(
        expression=query.expression, using_metrics=series, label=query.label, period=PERIOD
    )


def _low_samples(trigger: MeasuredTrigger) -> str | None:
    """CloudWatch keeps the state where a percentile has too few samples to mean anything.

    Source: CloudWatch user guide, "Percentile-based alarms and low data samples".
    """
    match trigger:
        case ErrorRate():
            return None
        case Latency():
            return None if trigger.statistic.percentile is None else "ignore"
        case _:
            assert_never(trigger)


def _description(
    environment: str, watched: Watched, pointer: Pointer, trigger: MeasuredTrigger
) -> str:
    return (
        f"{watched.service.name}: {_said(trigger)} on {pointer.title}, "
        f"in {trigger.breaching_minutes} of {trigger.minutes} minutes. "
        f"Made by the rollback responder from the policy of {environment}: "
        "change the policy, not this alarm."
    )


def _said(trigger: MeasuredTrigger) -> str:
    match trigger:
        case ErrorRate():
            return f"more than {trigger.threshold_percent:g} percent of requests failed"
        case Latency():
            return f"{trigger.statistic.value} latency above {trigger.threshold_ms:g} ms"
        case _:
            assert_never(trigger)
