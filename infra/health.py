"""Who watches the watcher: alarms on the responder itself, told by e-mail, not by the responder."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.topics import alarm_topic
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.readiness import SERVICES_A_DAY

MINUTE = Duration.minutes(1)
ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
# One delivery that fails is made up for by the next, and nobody need be called; whoever waits for
# longer after that is waited for in vain.
AFTER_REDELIVERY_SECONDS = 120
# News older than this came to Slack too late to be of use.
OLDEST_NEWS_MS = 5 * 60 * 1000
# The watcher beats every minute; one beat may be late.
MISSED_BEATS = 3


def own_metric(environment: str, name: str) -> cloudwatch.Metric:
    """One of the responder's own counts, such as the heartbeat at the end of each round."""
    return cloudwatch.Metric(
        namespace=naming.METRICS_NAMESPACE,
        metric_name=name,
        dimensions_map={"service": naming.metrics_service(environment)},
        statistic="Sum",
        period=MINUTE,
    )


class Health(Construct):
    """The operators' topic and the alarms that publish to it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        alarms: sqs.IQueue,
        redelivery: Duration,
        dead_letters: Mapping[str, sqs.IQueue],
        functions: Mapping[str, lambda_.IFunction],
        stream_reader: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.prefix = naming.health_alarm_prefix(policy.environment)
        self.alarms: list[cloudwatch.Alarm] = []
        self.topic = alarm_topic(
            self, "Topic", topic_name=f"{self.prefix}health", alarm_prefix=self.prefix
        )
        for email in policy.health.emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._queues(alarms, redelivery, dead_letters)
        self._functions(functions)
        self._alarm(
            "notify-behind",
            "Slack hears too late, or not at all: notify does not keep up with the journal.",
            stream_reader.metric("IteratorAge", period=MINUTE, statistic="Maximum"),
            threshold=OLDEST_NEWS_MS,
        )
        self._alarm(
            "heartbeat-missing",
            "The watcher does not run: nothing is found or finished that no alarm announces.",
            own_metric(policy.environment, naming.HEARTBEAT),
            threshold=1,
            periods=MISSED_BEATS,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._alarm(
            "targets-unwatched",
            "A target or alarm of the policy does not exist or cannot be read: see watch's log.",
            own_metric(policy.environment, naming.UNWATCHED),
            threshold=0,
            periods=MISSED_BEATS,
        )
        self._alarm(
            "alarms-hushed",
            "An alarm of the policy is disabled or muted, and nothing is rolled back for it"
            " meanwhile: see watch's log.",
            own_metric(policy.environment, naming.HUSHED),
            threshold=0,
            periods=MISSED_BEATS,
        )
        self._alarm(
            "not-ready",
            "A rollback would not work if one were needed now: see watch's log, or `rollback"
            " check`.",
            own_metric(policy.environment, naming.NOT_READY),
            threshold=0,
            # What one preflight found stands until the next. Where that looks at other services,
            # its OK says nothing of these.
            missing=cloudwatch.TreatMissingData.IGNORE,
            tells_ok=len(policy.services) <= SERVICES_A_DAY,
        )

    def _queues(
        self, alarms: sqs.IQueue, redelivery: Duration, dead_letters: Mapping[str, sqs.IQueue]
    ) -> None:
        self._alarm(
            "alarms-waiting",
            "Alarms wait to be judged: respond does not run, or fails on them.",
            alarms.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum"),
            threshold=redelivery.to_seconds() + AFTER_REDELIVERY_SECONDS,
        )
        for name, queue in dead_letters.items():
            self._alarm(
                f"{name}-not-empty",
                "Something could not be handled and was laid aside: read it, then redrive it.",
                queue.metric_approximate_number_of_messages_visible(
                    period=MINUTE, statistic="Maximum"
                ),
                threshold=0,
            )

    def _functions(self, functions: Mapping[str, lambda_.IFunction]) -> None:
        """One throttled run of a clock or an event is made up for within the minute."""
        for name, function in functions.items():
            self._alarm(
                f"{name}-errors",
                f"A run of {name} failed: read its log.",
                function.metric_errors(period=MINUTE, statistic="Sum"),
                threshold=0,
            )
            self._alarm(
                f"{name}-throttled",
                f"Lambda would not run {name}: it has used up its reserved concurrency.",
                function.metric_throttles(period=MINUTE, statistic="Sum"),
                threshold=0,
                periods=MISSED_BEATS,
            )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float,
        periods: int = 1,
        operator: cloudwatch.ComparisonOperator = ABOVE,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
        tells_ok: bool = True,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self.prefix}{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=operator,
            treat_missing_data=missing,
        )
        tell = actions.SnsAction(self.topic)
        alarm.add_alarm_action(tell)
        if tells_ok:
            alarm.add_ok_action(tell)
        self.alarms.append(alarm)
