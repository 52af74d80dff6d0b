"""The front door: alarms reach one queue on two ways, an SNS topic and EventBridge.

Both ways deliver at least once and neither is trusted; what comes twice is claimed once. Messages
that cannot be delivered or handled end in one dead-letter queue.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.queues import dead_letter_queue, let_send
from infra.topics import alarm_topic
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.trigger import AdoptedAlarm

# EventBridge quotas: an event pattern has at most 2,048 characters.
LONGEST_PATTERN = 2048
# A dozen digits in place of a token.
SOME_ACCOUNT = "000000000000"


class Ingress(Construct):
    """Topic, rules, queue and dead-letter queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, policy: Policy, handler_timeout: Duration
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = dead_letter_queue(self, "DeadLetters")
        self.queue = sqs.Queue(
            self,
            "Alarms",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # Lambda developer guide, "Using Lambda with Amazon SQS": at least six times the
            # function's timeout, and five tries before the dead-letter queue.
            visibility_timeout=Duration.seconds(6 * handler_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=5),
        )
        self.topic = alarm_topic(
            self,
            "Topic",
            topic_name=naming.topic_name(policy.environment),
            alarm_prefix=naming.own_alarm_prefix(policy.environment),
        )
        self._subscribe()
        patterns = alarm_patterns(policy, Aws.ACCOUNT_ID)
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


def alarm_patterns(policy: Policy, account: str) -> list[dict[str, Any]]:
    """EventBridge patterns that let through the alarms in scope, in as many rules as they need.

    Own alarms are known by their prefix, adopted ones by their exact names. Only changes to ALARM
    and to OK wake anybody: INSUFFICIENT_DATA is the watcher's to judge.
    """
    names: list[object] = [{"prefix": naming.own_alarm_prefix(policy.environment)}]
    names += sorted({w.alarm_name for w in policy.watched() if isinstance(w.trigger, AdoptedAlarm)})
    return [_pattern(chunk, account) for chunk in _chunks(names)]


def _chunks(names: Iterable[object]) -> Iterator[Sequence[object]]:
    chunk: list[object] = []
    for name in names:
        longer = [*chunk, name]
        if chunk and len(json.dumps(_pattern(longer, SOME_ACCOUNT))) > LONGEST_PATTERN:
            yield chunk
            longer = [name]
        chunk = longer
    yield chunk


def _pattern(names: Sequence[object], account: str) -> dict[str, Any]:
    return {
        "source": ["aws.cloudwatch"],
        "account": [account],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": list(names), "state": {"value": ["ALARM", "OK"]}},
    }
