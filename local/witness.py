"""What really happened, read from the world and never from the responder's own answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, assert_never

from local import journal_export, pipeline
from local.aws_model.evaluation import State
from local.scenarios import Ending, Way
from local.slack_inbox.server import SlackInbox
from local.world import World

ROLLOUT_WORDS = {
    Way.CODEDEPLOY: "CodeDeploy: deployments",
    Way.HELD_UPDATE: "CloudFormation: stack Shop",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something changed: when in model time, after how many real seconds, and what."""

    at: datetime
    real_seconds: float
    key: str
    text: str


class Witness:
    """Looks at alias, alarms, journal and Slack, and notes each change."""

    def __init__(
        self,
        world: World,
        inbox: SlackInbox,
        table: str,
        real_seconds: Callable[[], float],
        way: Way,
    ) -> None:
        self._world = world
        self._inbox = inbox
        self._table = table
        self._way = way
        self._real_seconds = real_seconds
        self._stack = ExitStack()
        self._lambda: Any = None
        self._dynamodb: Any = None
        self._seen: dict[str, str] = {}
        self.moments: list[Moment] = []

    def __enter__(self) -> Self:
        emulator = self._world.emulator
        self._lambda = self._stack.enter_context(closing(emulator.client("lambda")))
        self._dynamodb = self._stack.enter_context(closing(emulator.client("dynamodb")))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def note(self, key: str, text: str) -> Moment:
        """Note something that the story itself did."""
        moment = Moment(
            at=self._world.clock.now(), real_seconds=self._real_seconds(), key=key, text=text
        )
        self.moments.append(moment)
        return moment

    def look(self) -> list[Moment]:
        """Note what has changed since the last look, and return it."""
        fresh = []
        for key, text in self._sights():
            if self._seen.get(key, "") != text:
                self._seen[key] = text
                fresh.append(self.note(key, text))
        return fresh

    def first(self, key: str) -> Moment | None:
        """The first moment of that kind."""
        return next((moment for moment in self.moments if moment.key == key), None)

    def alias(self) -> tuple[str, str | None]:
        """The alias's version, and the other one of a weighted alias."""
        alias = self._lambda.get_alias(FunctionName="shop", Name="live")
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return alias["FunctionVersion"], next(iter(weights), None)

    def row(self) -> dict[str, Any]:
        """The service's row in the journal: its ledgers and its incident, as plain JSON."""
        item = self._dynamodb.get_item(
            TableName=self._table,
            Key={"pk": {"S": "service#shop"}, "sk": {"S": "row"}},
            ConsistentRead=True,
        ).get("Item", {})
        return {
            name: json.loads(item[name]["S"]) for name in ("ledgers", "incident") if name in item
        }

    def proven(self) -> set[str]:
        """The versions that have proved themselves, as the ledger has it."""
        ledger = self.row().get("ledgers", {}).get("lambda_alias/shop/live", {})
        return {good["version"] for good in ledger.get("good", [])}

    def incident(self) -> dict[str, Any] | None:
        """The service's latest incident."""
        incident: dict[str, Any] | None = self.row().get("incident")
        return incident

    def label(self) -> bool | None:
        """What people said of the latest incident, as the journal keeps it: was it right?"""
        incident = self.incident()
        if incident is None:
            return None
        key = {"pk": {"S": "service#shop"}, "sk": {"S": f"label#{incident['id']}"}}
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return bool(item["Item"]["is_right"]["BOOL"]) if "Item" in item else None

    def export(self) -> dict[str, Any]:
        """The whole journal."""
        return journal_export.scanned(self._dynamodb, self._table)

    def rollout(self) -> str | None:
        """How the deployments or the stack stand, as the server and the emulator answer it."""
        match self._way:
            case Way.CDK:
                return None
            case Way.CODEDEPLOY:
                return ", ".join(pipeline.deployments(self._world.emulator).values())
            case Way.HELD_UPDATE:
                emulator = self._world.emulator
                status, why = pipeline.stack_status(emulator), pipeline.why_rolled_back(emulator)
                return f"{status}, {why}" if why else status
            case _:
                assert_never(self._way)

    def acts(self) -> int:
        """How many mutating calls the responder made, as its functions logged them."""
        with closing(self._world.emulator.client("logs")) as client:
            groups = client.describe_log_groups()["logGroups"]
            return sum(
                "MUTATED" in event["message"]
                for group in groups
                for page in client.get_paginator("filter_log_events").paginate(
                    logGroupName=group["logGroupName"]
                )
                for event in page["events"]
            )

    def told(self) -> str:
        """Everything that Slack shows to everybody, as one text."""
        return json.dumps(
            [[message.text, message.blocks] for message in self._inbox.for_everybody()],
            ensure_ascii=False,
            default=str,
        )

    def faults(self, ending: Ending) -> list[str]:
        """In what the world differs from the ending that the story must have."""
        version, other = self.alias()
        incident = self.incident()
        last = incident["steps"][-1] if incident else {"state": None, "reason": None}
        compared = [
            ("the alias serves version", ending.version, version),
            ("it shares traffic with version", ending.shared_with, other),
            ("the rollout stands at", ending.rollout, self.rollout()),
            ("the responder's mutating calls are", ending.acts, self.acts()),
            ("the incident is labelled right", ending.label, self.label()),
        ]
        faults = [
            f"{what} {found}, not {expected}"
            for what, expected, found in compared
            if expected != found
        ]
        if not ending.allows(last["state"], last["reason"]):
            faults.append(
                f"the incident is {last['state']} ({last['reason']}),"
                f" not {ending.state} ({ending.reason})"
            )
        told = self.told()
        if ending.headline is None and self._inbox.messages():
            faults.append("Slack was told something")
        if ending.headline is not None and ending.headline not in told:
            faults.append(f"Slack does not say {ending.headline!r}")
        return faults

    def _sights(self) -> Iterator[tuple[str, str]]:
        for row in self._world.model.alarms():
            name, key = row.alarm.name, f"alarm {row.alarm.name}"
            if self._world.model.state(name).value is State.ALARM:
                yield key, f"CloudWatch: alarm {name} fires"
            elif key in self._seen:
                yield key, f"CloudWatch: alarm {name} is no longer firing"
        version, other = self.alias()
        shared = f", shared with version {other}" if other else ""
        yield "alias", f"Lambda: alias shop:live serves version {version}{shared}"
        rollout = self.rollout()
        if rollout:
            yield "rollout", f"{ROLLOUT_WORDS[self._way]}: {rollout}"
        incident = self.incident()
        if incident:
            step = incident["steps"][-1]
            yield "incident", f"Journal: {step['state']} ({step['reason']}): {step['text']}"
        messages = self._inbox.messages()
        if messages:
            # The head's first sentence is its headline; it is edited in place.
            yield "slack", f"Slack: {messages[0].text.partition('. ')[0]}"
