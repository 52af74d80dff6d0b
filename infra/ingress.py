"""The front door: alarms reach one queue on two ways, an SNS topic and EventBridge.

Both ways deliver at least once and neither is trusted; what comes twice is claimed once. Messages
that cannot be delivered or handled end in one dead-letter queue.
"""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.grants.grant import GrantError
from infra.patterns import alarm_patterns
from infra.queues import dead_letter_queue, let_send
from infra.topics import alarm_topic
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy

# SQS quotas: a queue's policy has 8,192 bytes, and each rule is named in it.
MOST_RULES = 25


class Ingress(Construct):
    """Topic, rules, queue and dead-letter queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, policy: Policy, handler_timeout: Duration
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = dead_letter_queue(self, "DeadLetters")
        # Lambda developer guide, "Using Lambda with Amazon SQS": at least six times the
        # function's timeout, and five tries before the dead-letter queue.
        self.redelivery = Duration.seconds(6 * handler_timeout.to_seconds())
        self.queue = sqs.Queue(
            self,
            "Alarms",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=self.redelivery,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=5),
        )
        self.topic = alarm_topic(
            self,
            "Topic",
            topic_name=naming.topic_name(policy.environment),
            alarm_prefix=naming.own_alarm_prefix(policy.environment),
        )
        self._subscribe()
        # Only ALARM asks for an answer; OK is the watcher's, INSUFFICIENT_DATA nobody's.
        patterns = alarm_patterns(policy, state="ALARM")
        if len(patterns) > MOST_RULES:
            raise GrantError(
                f"{len(patterns)} rules of EventBridge are needed to tell the adopted alarms, the "
                f"queue's policy holds {MOST_RULES}; part the services into two environments"
            )
        self.rules = [self._rule(n, pattern) for n, pattern in enumerate(patterns, start=1)]
        self._admit()

    def _subscribe(self) -> None:
        # The envelope stays on: it tells this way of delivery from the other.
        sns.CfnSubscription(
            self,
            "Subscription",
            topic_arn=self.topic.topic_arn,
            protocol="sqs",
            endpoint=self.queue.queue_arn,
            raw_message_delivery=False,
            redrive_policy={"deadLetterTargetArn": self.dead_letters.queue_arn},
        )

    def _rule(self, number: int, pattern: dict[str, Any]) -> events.CfnRule:
        return events.CfnRule(
            self,
            f"Rule{number}",
            description="Alarms of the rollback responder's policy, to its queue.",
            event_pattern=pattern,
            targets=[
                events.CfnRule.TargetProperty(
                    id="Queue",
                    arn=self.queue.queue_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=self.dead_letters.queue_arn
                    ),
                )
            ],
        )

    def _admit(self) -> None:
        rule_arns = [rule.attr_arn for rule in self.rules]
        for queue in (self.queue, self.dead_letters):
            let_send(
                queue,
                sid="FromTopic",
                service="sns.amazonaws.com",
                source_arns=[self.topic.topic_arn],
            )
            let_send(queue, sid="FromRules", service="events.amazonaws.com", source_arns=rule_arns)
