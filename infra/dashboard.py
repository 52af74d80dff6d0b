"""One page that tells at a glance whether the services are well, and whether the responder is."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.health import own_metric
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy

# CloudWatch API, dashboard body: an alarm widget shows at most 100 alarms.
MOST_ALARMS_IN_A_WIDGET = 100
WIDE, HALF, HEIGHT = 24, 12, 6
FIVE_MINUTES = Duration.minutes(5)


class Dashboard(Construct):
    """The dashboard, top to bottom: services, what was done, the way there, the functions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        own_alarms: Sequence[cloudwatch.IAlarm],
        alarms: sqs.IQueue,
        dead_letters: Mapping[str, sqs.IQueue],
        functions: Mapping[str, lambda_.IFunction],
    ) -> None:
        super().__init__(scope, construct_id)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Page",
            dashboard_name=naming.metrics_service(policy.environment),
            widgets=[
                *([widget] for widget in self._scope(policy)),
                [self._responder(own_alarms)],
                [self._deeds(policy.environment), self._beats(policy.environment)],
                [self._queues(alarms, dead_letters), self._age(alarms)],
                [self._errors(functions), self._durations(functions)],
            ],
        )

    def _scope(self, policy: Policy) -> list[cloudwatch.AlarmStatusWidget]:
        names = list(dict.fromkeys(watched.alarm_name for watched in policy.watched()))
        chunks = [
            names[i : i + MOST_ALARMS_IN_A_WIDGET]
            for i in range(0, len(names), MOST_ALARMS_IN_A_WIDGET)
        ]
        return [
            cloudwatch.AlarmStatusWidget(
                title="Services: alarms in scope", alarms=self._by_name(chunk), width=WIDE
            )
            for chunk in chunks
        ]

    def _by_name(self, names: Sequence[str]) -> list[cloudwatch.IAlarm]:
        arn = f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:"
        return [
            cloudwatch.Alarm.from_alarm_arn(self, f"InScope {name}", f"{arn}{name}")
            for name in names
        ]

    def _responder(self, own_alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.AlarmStatusWidget:
        return cloudwatch.AlarmStatusWidget(
            title="The responder itself", alarms=list(own_alarms), width=WIDE
        )

    def _deeds(self, environment: str) -> cloudwatch.GraphWidget:
        # Each decision has a reason and each reason a count; a search finds those of tomorrow too.
        schema = f"{{{naming.METRICS_NAMESPACE},service}}"
        service = naming.metrics_service(environment)
        search = f'{schema} service="{service}" NOT MetricName="{naming.HEARTBEAT}"'
        search += f' NOT MetricName="{naming.UNWATCHED}"'
        return cloudwatch.GraphWidget(
            title="Actions and stand-downs, by reason",
            left=[
                cloudwatch.MathExpression(
                    expression=f"SEARCH('{search}', 'Sum', 300)", label="", period=FIVE_MINUTES
                )
            ],
            width=HALF,
            height=HEIGHT,
        )

    def _beats(self, environment: str) -> cloudwatch.GraphWidget:
        return _graph(
            "Heartbeat of the watcher, beats a minute", [own_metric(environment, naming.HEARTBEAT)]
        )

    def _queues(
        self, alarms: sqs.IQueue, dead_letters: Mapping[str, sqs.IQueue]
    ) -> cloudwatch.GraphWidget:
        named = {"alarms": alarms, **dead_letters}
        return _graph(
            "Messages waiting",
            [
                queue.metric_approximate_number_of_messages_visible(
                    label=name, statistic="Maximum", period=FIVE_MINUTES
                )
                for name, queue in named.items()
            ],
        )

    def _age(self, alarms: sqs.IQueue) -> cloudwatch.GraphWidget:
        return _graph(
            "Oldest alarm waiting, seconds",
            [
                alarms.metric_approximate_age_of_oldest_message(
                    statistic="Maximum", period=FIVE_MINUTES
                )
            ],
        )

    def _errors(self, functions: Mapping[str, lambda_.IFunction]) -> cloudwatch.GraphWidget:
        return _graph(
            "Failed and refused runs",
            [
                metric
                for name, function in functions.items()
                for metric in (
                    function.metric_errors(label=f"{name} errors", period=FIVE_MINUTES),
                    function.metric_throttles(label=f"{name} throttles", period=FIVE_MINUTES),
                )
            ],
        )

    def _durations(self, functions: Mapping[str, lambda_.IFunction]) -> cloudwatch.GraphWidget:
        return _graph(
            "Duration of runs, p95, ms",
            [
                function.metric_duration(label=name, statistic="p95", period=FIVE_MINUTES)
                for name, function in functions.items()
            ],
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=HALF, height=HEIGHT)
