"""Delivery of what CloudWatch and EventBridge send, to the emulator's topics, queues and functions.

The emulator refuses ``PutEvents`` with a source ``aws.*``, as AWS does, so events of AWS itself
are matched with its rules here (``TestEventPattern``) and handed to the targets directly. Not
modelled: input transformers, retries, and dead-letter queues of targets.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from local.aws_model import announcements
from local.aws_model.alarm import Transition
from local.aws_model.alarm_book import Account
from local.aws_model.metrics import MINUTE, floor_minute
from local.emulator import Emulator

JsonObject: TypeAlias = dict[str, Any]

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_DAILY = re.compile(r"cron\((\d+) (\d+) \* \* \? \*\)")
_UNITS = {"minute": MINUTE, "hour": timedelta(hours=1), "day": timedelta(days=1)}


class DeliveryError(Exception):
    """A target or a schedule that is not modelled."""


_FAILURES = (ClientError, BotoCoreError, DeliveryError)


class EmulatorDelivery:
    """Hands events and notifications to what is deployed in the emulator; a context manager.

    Args:
        emulator: where the rules, topics, queues and functions live.
        report: receives a sentence for each event that could not be delivered.
    """

    def __init__(self, emulator: Emulator, report: Callable[[str], None]) -> None:
        self.account = Account(id=emulator.account, region=emulator.region)
        self._report = report
        self._open = ExitStack()
        self._events = self._client(emulator, "events")
        self._functions = self._client(emulator, "lambda")
        self._queues = self._client(emulator, "sqs")
        self._topics = self._client(emulator, "sns")

    def _client(self, emulator: Emulator, service: str) -> Any:
        return self._open.enter_context(closing(emulator.client(service)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def announce(self, transition: Transition) -> Iterator[tuple[str, str | None]]:
        """Deliver one alarm transition: the listener of the model.

        Yields:
            The ARN of each action performed, with the reason why it failed, or None.
        """
        self.publish(announcements.event_bridge_event(transition, self.account))
        for arn in transition.actions:
            try:
                self._act(arn, transition)
            except _FAILURES as error:
                self._report(f"{arn}: {error}")
                yield arn, str(error)
            else:
                yield arn, None

    def publish(self, event: JsonObject) -> int:
        """Put an event of AWS on the default bus; return to how many targets it went."""
        delivered = 0
        for rule in self._rules():
            pattern = rule.get("EventPattern")
            if pattern and self._matches(pattern, event):
                delivered += self.deliver(rule["Name"], event)
        return delivered

    def rules_due(self, at: datetime) -> list[str]:
        """Return the names of the enabled rules whose schedule asks for this minute.

        Raises:
            DeliveryError: a schedule is neither a rate nor once a day.
        """
        found = []
        for rule in self._rules():
            schedule = rule.get("ScheduleExpression")
            if not schedule:
                continue
            if rate := _RATE.fullmatch(schedule):
                minutes = int(rate[1]) * _UNITS[rate[2]] // MINUTE
                due = int(at.timestamp()) // 60 % minutes == 0
            elif daily := _DAILY.fullmatch(schedule):
                due = (at.minute, at.hour) == (int(daily[1]), int(daily[2]))
            else:
                raise DeliveryError(f"{rule['Name']}: {schedule} is not modelled")
            if due:
                found.append(rule["Name"])
        return found

    def deliver(self, rule: str, event: JsonObject) -> int:
        """Hand an event to every target of a rule; return how many took it."""
        delivered = 0
        for target in self._events.list_targets_by_rule(Rule=rule)["Targets"]:
            try:
                self._hand_over(target, event)
            except _FAILURES as error:
                self._report(f"{rule} -> {target['Arn']}: {error}")
            else:
                delivered += 1
        return delivered

    def _rules(self) -> list[JsonObject]:
        pages = self._events.get_paginator("list_rules").paginate()
        return [rule for page in pages for rule in page["Rules"] if rule["State"] == "ENABLED"]

    def _matches(self, pattern: str, event: JsonObject) -> bool:
        found = self._events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
        return bool(found["Result"])

    def _hand_over(self, target: JsonObject, event: JsonObject) -> None:
        if "InputTransformer" in target or "InputPath" in target:
            raise DeliveryError("input transformers are not modelled")
        body = target.get("Input") or json.dumps(event)
        service = target["Arn"].split(":")[2]
        if service == "lambda":
            self.invoke(target["Arn"], body)
        elif service == "sqs":
            group = target.get("SqsParameters", {}).get("MessageGroupId")
            name = target["Arn"].rpartition(":")[2]
            self._queues.send_message(
                QueueUrl=self._queues.get_queue_url(QueueName=name)["QueueUrl"],
                MessageBody=body,
                **({"MessageGroupId": group} if group else {}),
            )
        else:
            raise DeliveryError(f"targets of {service} are not modelled")

    def _act(self, arn: str, transition: Transition) -> None:
        if arn.split(":")[2] == "sns":
            subject, message = announcements.sns_message(transition, self.account)
            self._topics.publish(TopicArn=arn, Subject=subject, Message=message)
        else:
            payload = announcements.lambda_payload(transition, self.account)
            self.invoke(arn, json.dumps(payload))

    def invoke(self, arn: str, payload: str) -> None:
        """Hand an event to a function, and do not wait for it."""
        self._functions.invoke(FunctionName=arn, InvocationType="Event", Payload=payload.encode())


class Schedules:
    """Fires the emulator's scheduled rules on model time; its own scheduler uses the wall clock.

    Args:
        delivery: knows the rules and their targets.
        clock: returns the present in model time.
    """

    def __init__(self, delivery: EmulatorDelivery, clock: Callable[[], datetime]) -> None:
        self._delivery = delivery
        self._clock = clock
        self._fired_at = floor_minute(clock())

    def tick(self) -> None:
        """Fire every rule that is due, once for each whole minute that has passed."""
        while self._fired_at + MINUTE <= self._clock():
            self._fired_at += MINUTE
            for name in self._delivery.rules_due(self._fired_at):
                self._delivery.deliver(name, self._event(name))

    def _event(self, rule: str) -> JsonObject:
        account = self._delivery.account
        arn = f"arn:{account.partition}:events:{account.region}:{account.id}:rule/{rule}"
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account.id,
            "time": f"{self._fired_at:%Y-%m-%dT%H:%M:%SZ}",
            "region": account.region,
            "resources": [arn],
            "detail": {},
        }
