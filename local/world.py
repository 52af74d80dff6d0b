"""The local world in one block: clock, model, front, emulator, delivery, and their heartbeat."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local import emulator as emulators
from local.aws_model import alarms_from_template, codedeploy_front, front
from local.aws_model.alarm import Alarm
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.codedeploy import CodeDeploy
from local.cdk import Cdk
from local.clock import TimeLapse
from local.codedeploy import EmulatorAliases
from local.delivery import EmulatorDelivery, Schedules
from local.emulator import Emulator
from local.heartbeat import Heartbeat
from local.rollout_events import RolloutEvents

_BEAT_SECONDS = 0.05
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a scenario plays with.

    Attributes:
        clock: model time; pass ``clock.now`` to whatever asks the time.
        model: CloudWatch; evaluated by the heartbeat once each model minute.
        codedeploy: CodeDeploy, on the emulator's aliases; hold its lock to use it.
        events: what CodeDeploy and followed stacks tell EventBridge.
        emulator: everything else of AWS.
        cdk: the real CDK command line against the emulator.
        delivery: hands events to what is deployed.
        heartbeat: ``heartbeat.check()`` raises what broke the clockwork.
    """

    clock: TimeLapse
    model: CloudWatch
    codedeploy: CodeDeploy
    events: RolloutEvents
    emulator: Emulator
    cdk: Cdk
    delivery: EmulatorDelivery
    heartbeat: Heartbeat

    def wait_until(self, holds: Callable[[], bool], *, what: str, model_seconds: float) -> None:
        """Wait until something holds, looking about ten times a real second.

        Args:
            holds: looks.
            what: names it, for the error.
            model_seconds: how long to wait at most.

        Raises:
            TimeoutError: if it does not hold in time.
            Exception: what broke the clockwork, if anything did.
        """
        deadline = self.clock.now() + timedelta(seconds=model_seconds)
        while not holds():
            self.heartbeat.check()
            if self.clock.now() > deadline:
                raise TimeoutError(f"not within {model_seconds:.0f} s of model time: {what}")
            self.clock.sleep(_LOOK_SECONDS * self.clock.speed)

    def adopt_alarms(self, templates: Iterable[Mapping[str, Any]]) -> list[Alarm]:
        """Put every alarm of the synthesised templates into the model; return them.

        Imported values are resolved with the exports of the stacks that are deployed by now.

        Raises:
            TemplateError: for what cannot be resolved.
        """
        with closing(self.emulator.client("cloudformation")) as client:
            pages = client.get_paginator("list_exports").paginate()
            exports = {one["Name"]: one["Value"] for page in pages for one in page["Exports"]}
        alarms = [
            alarm
            for template in templates
            for alarm in alarms_from_template.read(
                template, account=self.model.account, exports=exports
            )
        ]
        self.model.put_alarms(alarms)
        return alarms


@contextlib.contextmanager
def opened(
    *,
    run_folder: Path,
    clock: TimeLapse,
    report: Callable[[str], None],
    extra_environment: Mapping[str, str] | None = None,
) -> Iterator[World]:
    """Open a world, and leave no process, thread or socket of it behind.

    The emulator and the CDK must be installed (``emulator.install``, ``cdk.install``).

    Args:
        run_folder: exists; holds everything that this run writes.
        clock: model time; made by the caller, so that a Slack inbox can have it before.
        report: receives a sentence for each event that could not be delivered.
        extra_environment: more variables that every function inherits, such as where Slack is.
    """
    account = Account(id=emulators.random_account(), region=emulators.REGION)
    model = CloudWatch(account=account, clock=clock.now)
    with (
        EmulatorAliases() as aliases,
        front.serve(model) as cloudwatch_server,
    ):
        codedeploy = CodeDeploy(
            clock=clock.now, aliases=aliases, account=account.id, region=account.region
        )
        with (
            codedeploy_front.serve(codedeploy) as codedeploy_server,
            emulators.started(
                run_folder=run_folder,
                account=account.id,
                elsewhere={
                    "cloudwatch": cloudwatch_server.url,
                    "codedeploy": codedeploy_server.url,
                },
                extra_environment=clock.environment() | dict(extra_environment or {}),
            ) as emulator,
            EmulatorDelivery(emulator, report) as delivery,
            RolloutEvents(
                emulator=emulator, delivery=delivery, codedeploy=codedeploy, clock=clock.now
            ) as events,
        ):
            aliases.attach(emulator)
            model.listener = delivery.announce
            schedules = Schedules(delivery, clock.now)
            beats = [model.tick, schedules.tick, events.tick]
            with Heartbeat(beats, every_seconds=_BEAT_SECONDS) as heartbeat:
                yield World(
                    clock=clock,
                    model=model,
                    codedeploy=codedeploy,
                    events=events,
                    emulator=emulator,
                    cdk=Cdk(emulator=emulator, run_folder=run_folder),
                    delivery=delivery,
                    heartbeat=heartbeat,
                )
