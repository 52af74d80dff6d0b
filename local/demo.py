"""`make demo`: a real bad deploy, rolled back end to end on this machine.

The app is deployed by the real CDK command line to an emulator that runs its real functions; the
shop is a real function that gets real traffic; CloudWatch is the strict model, and Slack an inbox
on this machine. The ending is read back from the emulator, the journal and the inbox.

Exit status: 0 the story ended as it must, or as that button means which a person chose, 1 it did
not, 2 no such story or an installation failed, 130 interrupted.
"""

import json
import shlex
import shutil
import signal
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any, assert_never

from local import cdk, emulator, journal_export, pipeline, world
from local.aws_model.alarm import Transition
from local.cdk import App, CdkError
from local.choices import (
    DECISIONS,
    MEANS,
    OPINIONS,
    ending_after,
    is_yours,
    leaves_the_story,
)
from local.clock import TimeLapse
from local.emulator import ROOT
from local.narrator import Narrator
from local.scenarios import ALARM_PREFIX, SCENARIOS, Ending, Scenario, Way, policy_document
from local.shop.payments import Payments
from local.slack_inbox.pressing import SLACK_SECONDS, Pressed, PressError, buttons_of
from local.slack_inbox.server import SlackInbox
from local.slack_inbox.workspace import Message
from local.traffic import Traffic
from local.witness import Witness

# Model seconds in a real one: a minute of CloudWatch takes four seconds here.
SPEED = 15
REQUESTS_PER_SECOND = 9
# Where a story leaves what it keeps, if no other folder is named.
KEPT = ROOT / ".cache" / "demo"
STACK = "RollbackResponder-demo"
# Model seconds that a step may take before the story counts as stuck.
PATIENCE = 40 * 60
# Real ones: a picture follows the words about an outcome within this time, or not at all.
PICTURE_SECONDS = 10
OPEN_STATES = {"undecided", "asking", "rolling_back", "watching", "undoing"}
# How long the responder may take to carry out what was said last, in the local world's time.
SETTLES = timedelta(minutes=5)
# Real seconds in which whoever watches at a terminal may press a button before the story does.
YOUR_TURN_SECONDS = 45


TIME_LAPSE = (
    f"the clock there runs {SPEED} times as fast, and what this machine needs for itself (starting"
    f" a function, a message to Slack) is not any faster: 4 s of yours are a minute in the times"
    " shown"
)


class Story:
    """One scenario, told while it happens."""

    def __init__(
        self, name: str, scenario: Scenario, narrator: Narrator, *, folder: Path, kept: Path
    ) -> None:
        self._name = name
        self._scenario = scenario
        self._narrator = narrator
        self._folder = folder
        self._page = kept / f"slack-{name}.html"
        self._export = kept / f"journal-{name}.json"
        self._payments = Payments()
        self._world: world.World
        self._inbox: SlackInbox
        self._witness: Witness
        self._update: pipeline.HeldUpdate | None = None
        self._told_at: float | None = None
        self._begun: set[int] = set()
        self._answered: set[int] = set()

    def tell(self) -> list[str]:
        """Play the story to its end; return in what it ended wrongly."""
        scenario, say = self._scenario, self._narrator
        say.title(f"{self._name}: {scenario.promise}")
        self._export.unlink(missing_ok=True)
        with ExitStack() as stack:
            self._open(stack)
            self._deploy_responder(stack)
            self._deploy_shop("v1", scenario.first)
            if scenario.way is Way.CODEDEPLOY:
                self._add_group()
            traffic = stack.enter_context(
                Traffic(
                    self._world.emulator, self._world.model, requests_per_second=REQUESTS_PER_SECOND
                )
            )
            self._until(lambda: "1" in self._witness.proven(), traffic, "v1 to prove itself")
            self._witness.note("story", "v1 has served its bake time: it has proved itself")
            say.moment(self._witness.moments[-1])
            self._deploy_second()
            if scenario.outage:
                self._outage()
            self._follow(traffic)
            self._end_update()
            faults = self._witness.faults(self._ending())
            self._close()
            self._say_what_came(faults)
        return faults

    # -- the stage ------------------------------------------------------------------------------

    def _open(self, stack: ExitStack) -> None:
        say = self._narrator
        emulator.install(say.say)
        cdk.install(say.say)
        clock = TimeLapse.starting_now(SPEED)
        with say.doing("starting AWS and Slack on this machine"):
            stack.enter_context(self._payments.server)
            self._inbox = stack.enter_context(SlackInbox(channel="deploys", clock=clock.now))
            self._world = stack.enter_context(
                world.opened(run_folder=self._folder, clock=clock, report=self._undelivered)
            )
            self._world.model.listener = self._announce
        say.say(f"   Slack is at {self._inbox.url}")
        say.say(f"   {TIME_LAPSE}")
        say.say(
            "   the only setting shortened for this story: a release proves itself in 3 minutes"
        )

    def _announce(self, transition: Transition) -> Iterator[tuple[str, str | None]]:
        """Deliver a transition as often as the story says, a round of the watcher among them."""
        delivery = self._world.delivery
        for copy in range(self._scenario.copies):
            if copy:
                for rule in delivery.rules_due(self._world.clock.now()):
                    delivery.deliver(rule, {"source": "demo"})
            yield from delivery.announce(transition)

    def _undelivered(self, text: str) -> None:
        self._narrator.say(f"not delivered: {text}", "yellow")

    def _deploy_responder(self, stack: ExitStack) -> None:
        """The app as it is, with the story's policy as its context; then the Slack secret."""
        with self._narrator.doing("cdk bootstrap"):
            self._world.cdk.bootstrap()
        app = App(
            command=f"{sys.executable} app.py",
            output=self._folder / "responder.out",
            context={"rollback": json.dumps(policy_document(self._scenario))},
        )
        with self._narrator.doing("cdk synth and cdk deploy: the responder"):
            templates = self._world.cdk.synth(app)
            self._world.cdk.deploy_synthesised(app, [STACK])
        alarms = self._world.adopt_alarms(
            [t for name, t in templates.items() if name.startswith("RollbackAlarms")]
        )
        for alarm in alarms:
            self._narrator.say(f"   alarm {alarm.name}")
        resources = self._resources()
        secret = {
            "bot_token": self._inbox.token,
            "signing_secret": self._inbox.signing_secret,
            "api_url": self._inbox.api_url,
        }
        self._inbox.presser.url = self._press_url(resources["AWS::Lambda::Url"])
        with closing(self._world.emulator.client("secretsmanager")) as client:
            client.put_secret_value(
                SecretId=resources["AWS::SecretsManager::Secret"], SecretString=json.dumps(secret)
            )
        table, real_seconds = resources["AWS::DynamoDB::Table"], self._narrator.real_seconds
        self._witness = stack.enter_context(
            Witness(self._world, self._inbox, table, real_seconds, self._scenario.way)
        )

    def _resources(self) -> dict[str, str]:
        """Physical ids by type, of the types that the stack has one of."""
        with closing(self._world.emulator.client("cloudformation")) as client:
            pages = client.get_paginator("list_stack_resources").paginate(StackName=STACK)
            found = [one for page in pages for one in page["StackResourceSummaries"]]
        return {one["ResourceType"]: one["PhysicalResourceId"] for one in found}

    def _press_url(self, function: str) -> str:
        """Where the emulator takes presses: the function URL, by its path on this machine."""
        with closing(self._world.emulator.client("lambda")) as client:
            url = client.get_function_url_config(FunctionName=function)["FunctionUrl"]
        host = urllib.parse.urlparse(url).hostname or ""
        return f"{self._world.emulator.url}/_aws/lambda-url/{host.partition('.')[0]}/"

    def _deploy_second(self) -> None:
        """The second release, in the way of the story."""
        match self._scenario.way:
            case Way.CDK:
                self._deploy_shop("v2", self._scenario.second, canary=self._scenario.canary)
            case Way.CODEDEPLOY:
                self._deploy_through_codedeploy()
            case Way.HELD_UPDATE:
                self._begin_update()
            case _:
                assert_never(self._scenario.way)

    def _add_group(self) -> None:
        """The shop's deployment group; the emulator's CloudFormation cannot make one."""
        with self._world.codedeploy.lock:
            self._world.codedeploy.add_group(
                pipeline.APPLICATION, pipeline.GROUP, function="shop", alias="live"
            )

    def _deploy_through_codedeploy(self) -> None:
        release = self._scenario.second
        deployment = pipeline.deploy_through_codedeploy(self._world.emulator, release)
        self._narrator.moment(
            self._witness.note(
                "story", f"the pipeline begins {deployment}: v2 ({release}), ten percent at a time"
            )
        )

    def _begin_update(self) -> None:
        """A stack update that has moved the alias, and waits before its last resource."""
        app = self._shop("v2", {"release": self._scenario.second, "held": "1"})
        self._world.events.follow("Shop")
        with self._narrator.doing(f"cdk deploy: the shop, v2 ({self._scenario.second})"):
            self._update = pipeline.HeldUpdate(self._world.cdk, app, self._world.emulator)
            self._world.wait_until(
                self._update.is_held, what="the update to wait half-way", model_seconds=PATIENCE
            )
        self._narrator.moment(
            self._witness.note("story", "the update has moved the alias and waits half-way")
        )

    def _end_update(self) -> None:
        """What the pipeline's own command line said about the cancelled update."""
        if self._update is None:
            return
        said = self._update.join()
        if said is None and self._has_left():
            return
        if said is None:
            raise CdkError("cdk deploy said that the cancelled update succeeded")
        last = next(line for line in reversed(said.splitlines()) if line.strip())
        self._narrator.say(f"cdk deploy ended with an error, as it must: {last.strip()}")

    def _shop(self, title: str, context: dict[str, str]) -> App:
        return App(
            command=f"{sys.executable} {ROOT / 'local' / 'shop' / 'app.py'}",
            output=self._folder / f"shop-{title}.out",
            context=context | {"payments": self._payments.server.url},
            cwd=self._folder,
        )

    def _deploy_shop(self, title: str, release: str, *, canary: bool = False) -> None:
        app = self._shop(title, {"release": release} | ({"canary_from": "1"} if canary else {}))
        share = ", to half of the traffic" if canary else ""
        with self._narrator.doing(f"cdk deploy: the shop, {title} ({release}){share}"):
            self._world.cdk.deploy(app, ["Shop"])

    def _outage(self) -> None:
        self._payments.down = True
        self._narrator.moment(
            self._witness.note("story", "the payment provider goes down, for every version")
        )

    # -- the plot -------------------------------------------------------------------------------

    def _follow(self, traffic: Traffic) -> None:
        scenario, witness = self._scenario, self._witness
        if not scenario.alarms:
            self._until(lambda: "2" in witness.proven(), traffic, "v2 to prove itself")
            self._narrator.moment(witness.note("story", "v2 has proved itself as well"))
            return
        alarm = f"alarm {ALARM_PREFIX}{scenario.trigger}"
        # While traffic is shifting the watcher may be sure before the alarm is.
        self._until(
            lambda: witness.first(alarm) is not None or witness.incident() is not None,
            traffic,
            "the alarm",
        )
        if self._update is not None:
            self._let_go(traffic, self._update)
        for action in scenario.presses:
            self._press(traffic, action)
        self._until(self._is_over, traffic, "the end of the incident")

    def _press(self, traffic: Traffic, action: str) -> None:
        """A person presses a button: whoever watches, or ann, who is in the story."""
        group = DECISIONS if action in DECISIONS else OPINIONS
        self._until(
            lambda: self._offering(action) is not None or self._has_said(group),
            traffic,
            f"the button {action!r}",
        )
        if self._narrator.is_watched and not self._has_said(group):
            self._narrator.say(
                f"   press any button at {self._inbox.url}, or ann presses {action!r} in"
                f" {YOUR_TURN_SECONDS} s"
            )
            self._until(self._turn_is_over(group), traffic, "your press, or ann's")
        message = self._offering(action)
        if message is None or self._has_said(group):
            return
        with ThreadPoolExecutor(1) as pool:
            pressing = pool.submit(self._inbox.press, message.ts, action)
            self._until(pressing.done, traffic, "the answer to the press")
        status = pressing.result()
        if status != HTTPStatus.OK:
            raise PressError(f"the responder answered {status} to the press of {action!r}")

    def _taken(self) -> list[Pressed]:
        return [pressed for pressed in self._inbox.presses if pressed.is_taken]

    def _actions(self) -> list[str]:
        return [pressed.action for pressed in self._taken()]

    def _ending(self) -> Ending:
        """How it must end, after what was pressed by now."""
        return ending_after(self._scenario, self._actions())

    def _has_said(self, group: Collection[str]) -> bool:
        """Whether one of these buttons was pressed and taken, or another story was chosen."""
        return bool(set(self._actions()) & set(group)) or self._has_left()

    def _has_left(self) -> bool:
        """Whether a person chose another story than this."""
        return leaves_the_story(self._scenario, self._actions())

    def _turn_is_over(self, group: Collection[str]) -> Callable[[], bool]:
        ends = self._narrator.real_seconds() + YOUR_TURN_SECONDS

        def is_over() -> bool:
            if not all(pressed.is_over for pressed in self._inbox.presses):
                return False
            return self._has_said(group) or self._narrator.real_seconds() > ends

        return is_over

    def _say_first_start(self, number: int) -> None:
        if number == 0:
            self._narrator.say(
                "   its function starts for the first time, which takes some seconds"
            )

    def _hear_presses(self) -> None:
        """Tell each press when it is made, and again when it is answered."""
        for number, pressed in enumerate(self._inbox.presses):
            who = "you press" if pressed.in_page else "ann presses"
            if number not in self._begun:
                self._begun.add(number)
                text = f"{who} {pressed.label!r} in Slack: a signed request over HTTP"
                self._narrator.moment(self._witness.note("story", text))
                self._say_first_start(number)
            if pressed.is_over and number not in self._answered:
                self._answered.add(number)
                self._narrator.say(f"   {_answer(pressed)}")

    def _offering(self, action: str) -> Message | None:
        """The message that has that button, if one does."""
        for message in self._inbox.messages():
            if any(button.get("action_id") == action for button in buttons_of(message)):
                return message
        return None

    def _let_go(self, traffic: Traffic, update: pipeline.HeldUpdate) -> None:
        """The emulator notices a cancel before it begins the next resource: the wait must end."""
        self._until(
            lambda: self._is_rolling_back() or self._has_left(),
            traffic,
            "the update to be cancelled",
        )
        update.let_go()
        if self._has_left():
            return
        text = "the wait ends well, and yet the update goes back: only the cancel explains it"
        self._narrator.moment(self._witness.note("story", text))

    def _is_rolling_back(self) -> bool:
        incident = self._witness.incident()
        return incident is not None and incident["steps"][-1]["state"] == "rolling_back"

    def _is_over(self) -> bool:
        """The incident stands as it must, or will not come to that any more, and Slack tells it."""
        incident = self._witness.incident()
        if not incident:
            return False
        last, ending = incident["steps"][-1], self._ending()
        stands = ending.allows(last["state"], last["reason"])
        is_told = ending.headline is None or ending.headline in self._witness.told()
        if not (stands and is_told):
            is_open = last["state"] in OPEN_STATES and not stands
            return not is_open and self._has_settled(last)
        words, pictures = self._inbox.words_and_pictures()
        if words <= len(incident["steps"]):
            return False
        self._told_at = self._told_at or time.monotonic()
        # The words count; a picture that does not come is a warning in the notifier's log.
        drawn = pictures > 0 or "acted_at" not in incident
        return drawn or time.monotonic() - self._told_at > PICTURE_SECONDS

    def _has_settled(self, last: Mapping[str, Any]) -> bool:
        """Whether nothing comes any more of what happened, and of what was said, last."""
        said_at = [pressed.at for pressed in self._taken()]
        latest = max([datetime.fromisoformat(last["at"]), *said_at])
        return self._world.clock.now() > latest + SETTLES

    def _until(self, holds: Callable[[], bool], traffic: Traffic, what: str) -> None:
        """Wait, telling whatever changes meanwhile."""
        with self._narrator.waiting(lambda: self._waiting_text(traffic, what)) as refresh:

            def look() -> bool:
                refresh()
                self._hear_presses()
                for moment in self._witness.look():
                    self._narrator.moment(moment)
                return holds()

            self._world.wait_until(look, what=what, model_seconds=PATIENCE)

    def _waiting_text(self, traffic: Traffic, what: str) -> str:
        counts = traffic.last_minute()
        return (
            f"{self._world.clock.now():%H:%M:%S}  waiting for {what};"
            f" last minute: {counts.requests} requests, {counts.errors} failed"
        )

    def _close(self) -> None:
        self._page.parent.mkdir(parents=True, exist_ok=True)
        self._inbox.save(self._page)
        self._narrator.thread(self._inbox.messages())
        self._narrator.timeline(self._witness.moments, legend=TIME_LAPSE)
        self._narrator.say(f"the page as Slack would show it: {_named(self._page)}")
        incident = self._witness.incident()
        journal_export.write(self._witness.export(), self._export)
        self._narrator.say("the journal is kept, and the command line reads it without AWS:")
        for command in journal_export.commands(
            _named(self._export), incident["id"] if incident else None
        ):
            self._narrator.command(shlex.join([".venv/bin/rollback", *command]))

    def _say_what_came(self, faults: list[str]) -> None:
        """The last word: the story's own, or what came of the buttons that a person chose."""
        own = self._scenario.presses
        others = {one.action: one.label for one in self._taken() if one.action not in own}
        incident = self._witness.incident()
        if not others or incident is None:
            self._narrator.verdict(faults)
            return
        version, _ = self._witness.alias()
        last = incident["steps"][-1]
        self._narrator.choice(
            *(f"You chose {label!r}: {MEANS[action]}." for action, label in others.items()),
            f"This came of it: {last['text']}. Version {version} serves, and the incident is"
            f" {last['state'].replace('_', ' ')}.",
        )
        if self._has_left() and not is_yours(self._scenario):
            self._narrator.choice("This story has no ending for that; approve, hold and undo have.")
        self._narrator.verdict(faults, good="It ended as that button means.")


def _named(file: Path) -> Path:
    """A file as it is named from the project's folder."""
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


def _answer(pressed: Pressed) -> str:
    """What came back to whoever pressed, and how long that took."""
    told = pressed.told or (
        f"the responder answered {pressed.status}" if pressed.status else "nobody took the press"
    )
    if pressed.seconds <= SLACK_SECONDS:
        return f"after {pressed.seconds:.1f} s: {told}"
    return (
        f"after {pressed.seconds:.1f} s (Slack waits {SLACK_SECONDS:.0f} s, and would have shown an"
        f" error meanwhile): {told}"
    )


def main(arguments: list[str]) -> int:
    """Tell the story that is named first, and keep what it leaves in the folder named second."""
    name = arguments[0] if arguments else "bad-deploy"
    kept = Path(arguments[1]).resolve() if len(arguments) > 1 else KEPT
    if name not in SCENARIOS:
        print(f"no story {name!r}; there are: {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    narrator = Narrator()
    folder = Path(tempfile.mkdtemp(prefix="rollback-demo-"))
    try:
        story = Story(name, SCENARIOS[name], narrator, folder=folder, kept=kept)
        return 1 if story.tell() else 0
    except KeyboardInterrupt:
        narrator.say("interrupted; everything that was started has been stopped")
        return 130
    except (emulator.EmulatorError, cdk.CdkError, TimeoutError, PressError) as error:
        narrator.say(f"the story broke off: {error}")
        return 1 if isinstance(error, TimeoutError | PressError) else 2
    finally:
        # A second Ctrl-C would leave half of it behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        narrator.say("removing what it wrote for itself; this may take a minute")
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
