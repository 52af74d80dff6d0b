"""`watch`: looks once a minute, and on events, for what nobody announced or finished."""

from collections.abc import Mapping

from aws_cdk import Annotations, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.function import HouseFunction
from infra.grants import watch_grants
from infra.grants.grant import allow, grant_to
from infra.patterns import Pattern, alarm_patterns, rollout_patterns
from infra.queues import let_send
from rollback_responder.domain.policy import Drills, Policy
from rollback_responder.wiring import WatchWiring

# Before a day's work begins, in UTC; Slack is asked at the same time.
PREFLIGHT = events.Schedule.cron(minute="15", hour="6")
EVERY = Duration.minutes(1)
# Less than the time between two ticks, so that a slow run is over before the next begins.
TIMEOUT = Duration.seconds(55)
# Each rule is named in the policy of the dead-letter queue, which holds 8,192 bytes, beside those
# of the ingress (SQS quotas), and in the function's own, which holds 20 KB (Lambda quotas).
MOST_RULES = 15
# Each alias is read once a round, one after the other. Lambda takes 15 control-plane calls a second
# of all callers of an account and region (Lambda quotas), and deployments need theirs.
MOST_ALIASES = 500


class Watcher(Construct):
    """The function `watch` and its clock. It wakes `respond` through the queue, and never acts."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        code: lambda_.Code,
        wiring: WatchWiring,
        journal: dynamodb.ITable,
        alarms: sqs.IQueue,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.watch = HouseFunction(
            self,
            "Watch",
            handler="rollback_responder.handlers.watch.handler",
            description="Follows open incidents and finds what no alarm announced.",
            code=code,
            timeout=TIMEOUT,
            wiring=wiring,
            # Two at once would read every alarm twice.
            reserved_concurrency=1,
            statements=_permissions(journal, alarms, wiring.respond_role_arn, policy.drills),
            on_everything=["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"],
        )
        grant_to(self.watch.role, self, watch_grants(policy))
        self.tick = _tick(self, self.watch.function, dead_letters)
        _once_a_day(
            self,
            "Preflight",
            "Lets the rollback responder look whether a rollback would work.",
            schedule=PREFLIGHT,
            event={"preflight": "day"},
            watch=self.watch.function,
            dead_letters=dead_letters,
        )
        if policy.drills:
            # What is lost comes next month.
            _once_a_day(
                self,
                "Drills",
                "Lets the rollback responder rehearse the rollbacks of the day.",
                schedule=events.Schedule.cron(minute="30", hour=str(policy.drills.hour)),
                event={"drills": "day"},
                watch=self.watch.function,
                dead_letters=dead_letters,
            )
        aliases = sum(len(service.pointers) for service in policy.services)
        if aliases > MOST_ALIASES:
            Annotations.of(self).add_warning_v2(
                "rollback-responder:aliases",
                f"{aliases} aliases are more than {MOST_ALIASES}: the watcher reads each once a"
                " minute, and may be throttled or not be done in time; part the services into"
                " accounts or regions (docs/growth.md)",
            )
        patterns = [*alarm_patterns(policy, state="OK"), *rollout_patterns(policy)]
        if len(patterns) > MOST_RULES:
            Annotations.of(self).add_info(
                f"all changes in scope would take {len(patterns)} rules of EventBridge, and"
                f" {MOST_RULES} are made: what they do not tell is seen within the minute"
            )
        self.rules = [
            _rule(self, number, pattern, self.watch.function, dead_letters)
            for number, pattern in enumerate(patterns[:MOST_RULES], start=1)
        ]
        if self.rules:
            arns = [rule.attr_arn for rule in self.rules]
            let_send(
                dead_letters, sid="FromProgress", service="events.amazonaws.com", source_arns=arns
            )


def _permissions(
    journal: dynamodb.ITable, alarms: sqs.IQueue, respond_role_arn: str, drills: Drills | None
) -> list[iam.PolicyStatement]:
    return [
        allow(
            journal.table_arn,
            "dynamodb:BatchGetItem",
            # An order is written as a person's is, upon the page as it was read.
            *(["dynamodb:GetItem"] if drills else []),
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ),
        allow(alarms.queue_arn, "sqs:SendMessage"),
        # What IAM would say to `respond`: nothing is done to find out.
        allow(respond_role_arn, "iam:SimulatePrincipalPolicy"),
    ]


def _tick(scope: Construct, watch: lambda_.Function, dead_letters: sqs.IQueue) -> events.Rule:
    # The next tick does better than a late one.
    watch.configure_async_invoke(max_event_age=EVERY, retry_attempts=0)
    return events.Rule(
        scope,
        "Tick",
        description="Wakes the rollback responder's watcher.",
        schedule=events.Schedule.rate(EVERY),
        targets=[
            targets.LambdaFunction(
                watch, dead_letter_queue=dead_letters, max_event_age=EVERY, retry_attempts=0
            )
        ],
    )


def _once_a_day(
    scope: Construct,
    construct_id: str,
    description: str,
    *,
    schedule: events.Schedule,
    event: Mapping[str, str],
    watch: lambda_.Function,
    dead_letters: sqs.IQueue,
) -> None:
    events.Rule(
        scope,
        construct_id,
        description=description,
        schedule=schedule,
        targets=[
            targets.LambdaFunction(
                watch,
                event=events.RuleTargetInput.from_object(event),
                dead_letter_queue=dead_letters,
                max_event_age=EVERY,
                retry_attempts=0,
            )
        ],
    )


def _rule(
    scope: Construct,
    number: int,
    pattern: Pattern,
    watch: lambda_.Function,
    dead_letters: sqs.Queue,
) -> events.CfnRule:
    """Something in scope has changed: look now, not in a minute. What is lost costs that minute."""
    rule = events.CfnRule(
        scope,
        f"Progress{number}",
        description="Wakes the rollback responder's watcher when something in scope has changed.",
        event_pattern=pattern,
        targets=[
            events.CfnRule.TargetProperty(
                id="Watch",
                arn=watch.function_arn,
                retry_policy=events.CfnRule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=EVERY.to_seconds(), maximum_retry_attempts=0
                ),
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                    arn=dead_letters.queue_arn
                ),
            )
        ],
    )
    watch.add_permission(
        f"Progress{number}",
        principal=iam.ServicePrincipal("events.amazonaws.com"),
        source_arn=rule.attr_arn,
    )
    return rule
