"""One page that tells at a glance whether the services are well, and whether the responder is."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.health import own_metric
from rollback_responder.domain import figures, naming
from rollback_responder.domain.incident import State
from rollback_responder.domain.policy import Policy

# CloudWatch API, dashboard body: an alarm widget shows at most 100 alarms.
MOST_ALARMS_IN_A_WIDGET = 100
# Nobody reads more on one page, and a template holds 1 MB.
MOST_ALARMS_ON_THE_PAGE = 500
WIDE, HALF, HEIGHT = 24, 12, 6
FIVE_MINUTES, DAY = Duration.minutes(5), Duration.days(1)
FROM_ZERO = cloudwatch.YAxisProps(min=0, show_units=False)
PERCENT = cloudwatch.YAxisProps(min=0, max=100, show_units=False)
# Every other metric of the responder counts a reason.
NOT_REASONS = (
    naming.HEARTBEAT,
    naming.UNWATCHED,
    naming.SECONDS_TO_ACTION,
    naming.SECONDS_TO_BACK,
    naming.SECONDS_TO_RECOVERY,
    naming.INCIDENTS_OPEN,
    naming.OLDEST_OPEN_SECONDS,
    naming.LABELLED_RIGHT,
    naming.LABELLED_WRONG,
    *(naming.rollback_count(state.value) for state in figures.OUTCOMES),
)


class Dashboard(Construct):
    """The dashboard, top to bottom: services, figures, what was done, the way there, functions."""

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
                [self._times(policy.environment), self._outcomes(policy.environment)],
                [self._success(policy.environment), self._false(policy.environment)],
                [self._open(policy.environment), _no_data_lost()],
                [self._deeds(policy.environment), self._beats(policy.environment)],
                [self._queues(alarms, dead_letters), self._age(alarms)],
                [self._errors(functions), self._durations(functions)],
            ],
        )

    def _scope(self, policy: Policy) -> list[cloudwatch.ConcreteWidget]:
        names = list(dict.fromkeys(watched.alarm_name for watched in policy.watched()))
        if len(names) > MOST_ALARMS_ON_THE_PAGE:
            return [_elsewhere(policy.environment, len(names))]
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
        others = "".join(f' NOT MetricName="{name}"' for name in NOT_REASONS)
        search = f'{schema} service="{service}"{others}'
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

    # -- figures ------------------------------------------------------------------------------

    def _times(self, environment: str) -> cloudwatch.GraphWidget:
        limit = figures.MEAN_ROLLBACK_TIME.total_seconds()
        return cloudwatch.GraphWidget(
            title="Rollback time, seconds, mean of each day",
            left=[
                own_metric(environment, name).with_(statistic="Average", period=DAY, label=label)
                for name, label in (
                    (naming.SECONDS_TO_ACTION, "alarm to action"),
                    (naming.SECONDS_TO_BACK, "alarm to back"),
                    (naming.SECONDS_TO_RECOVERY, "alarm to recovery, proved"),
                )
            ],
            left_annotations=[
                cloudwatch.HorizontalAnnotation(
                    value=limit, label=f"target: alarm to back under {limit:g} s on average"
                )
            ],
            left_y_axis=FROM_ZERO,
            width=HALF,
            height=HEIGHT,
        )

    def _outcomes(self, environment: str) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title="Rollbacks by outcome, each day",
            left=[
                own_metric(environment, naming.rollback_count(state.value)).with_(
                    period=DAY, label=state.value.replace("_", " ")
                )
                for state in figures.OUTCOMES
            ],
            stacked=True,
            left_y_axis=FROM_ZERO,
            width=HALF,
            height=HEIGHT,
        )

    def _success(self, environment: str) -> cloudwatch.GraphWidget:
        names = [naming.rollback_count(state.value) for state in figures.OUTCOMES]
        return _share(
            "Rollbacks that helped, % of all since the left edge",
            [own_metric(environment, name) for name in names],
            of=names.index(naming.rollback_count(State.FIXED.value)),
            target=cloudwatch.HorizontalAnnotation(
                value=figures.SUCCESS_PERCENT, label=f"target: over {figures.SUCCESS_PERCENT} %"
            ),
        )

    def _false(self, environment: str) -> cloudwatch.GraphWidget:
        names = (naming.LABELLED_RIGHT, naming.LABELLED_WRONG)
        return _share(
            "False rollbacks, % of those labelled since the left edge",
            [own_metric(environment, name) for name in names],
            of=names.index(naming.LABELLED_WRONG),
            target=cloudwatch.HorizontalAnnotation(
                value=figures.FALSE_PERCENT, label=f"target: under {figures.FALSE_PERCENT} %"
            ),
        )

    def _open(self, environment: str) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title="Incidents open, and the age of the oldest in seconds",
            left=[own_metric(environment, naming.INCIDENTS_OPEN).with_(statistic="Maximum")],
            right=[own_metric(environment, naming.OLDEST_OPEN_SECONDS).with_(statistic="Maximum")],
            left_y_axis=FROM_ZERO,
            right_y_axis=FROM_ZERO,
            width=HALF,
            height=HEIGHT,
        )

    # -- the way there --------------------------------------------------------------------------

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


def _share(
    title: str,
    metrics: Sequence[cloudwatch.Metric],
    *,
    of: int,
    target: cloudwatch.HorizontalAnnotation,
) -> cloudwatch.GraphWidget:
    """One of several counts as a percentage of all, added up from the left edge on.

    All of them are published together, zeros too (`figures.py`), so that each has the same
    datapoints. RUNNING_SUM: CloudWatch user guide, "Using math expressions with metrics".
    """
    ids = [f"m{number}" for number in range(len(metrics))]
    share = cloudwatch.MathExpression(
        expression=f"100 * RUNNING_SUM({ids[of]}) / RUNNING_SUM({' + '.join(ids)})",
        using_metrics=dict(zip(ids, metrics, strict=True)),
        label="percent",
        period=DAY,
    )
    return cloudwatch.GraphWidget(
        title=title,
        left=[share],
        left_annotations=[target],
        left_y_axis=PERCENT,
        width=HALF,
        height=HEIGHT,
    )


def _elsewhere(environment: str, alarms: int) -> cloudwatch.TextWidget:
    prefix = naming.own_alarm_prefix(environment)
    return cloudwatch.TextWidget(
        markdown=f"### Services: alarms in scope\n\n{alarms} are too many for a page: "
        f"[those that fire](#alarmsV2:?~(search~'{prefix}~alarmStateFilter~'ALARM)), among those "
        "that the policy made; adopted ones have their own names.",
        width=WIDE,
    )


def _no_data_lost() -> cloudwatch.TextWidget:
    return cloudwatch.TextWidget(
        markdown="### No data lost\n\nThe target is "
        f"{figures.DATA_LOSSES}. Nothing measures it: the responder moves aliases, stops "
        "deployments and cancels stack updates, and its roles may touch no data store but its "
        "own journal.",
        width=HALF,
        height=HEIGHT,
    )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=HALF, height=HEIGHT)
