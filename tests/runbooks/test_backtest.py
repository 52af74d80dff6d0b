"""A month of each team's account, with nobody to roll back, is played through the team's policy.

The known bad deploys are found, each of them and nothing else: not the blips, not the outages, not
the good deploys.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from golden import check
from recording import record

from house import MINUTE
from rollback_responder.cli.backtest_text import document_of
from rollback_responder.cli.findings import WOULD_BE, Kind, findings_of
from rollback_responder.cli.history import History, load, save
from rollback_responder.cli.main import run
from rollback_responder.cli.recorded import rooms_in
from rollback_responder.cli.replay import Replay
from rollback_responder.cli.walk import Explained, look_at
from rollback_responder.cli.whole import backtest
from rollback_responder.domain.signal import AlarmState
from rollback_responder.signals import wake
from tests.runbooks.team_house import EXAMPLES, TeamHouse

DAY = timedelta(days=1)
MONTH = 30 * DAY
# From the deploy until it would be rolled back, or a person asked.
SOON = 12 * MINUTE


class Month:
    """An account without a responder, and what its people do in a month."""

    def __init__(self, example: str) -> None:
        self.house = TeamHouse(example).settle()
        self.bad: list[tuple[str, datetime]] = []

    def serve(self, minutes: int) -> None:
        self.house.traffic(minutes, watch=False)

    def serve_well(self, minutes: int) -> None:
        """Minutes in which no alarm has anything to say; they are evaluated when they are over."""
        for _ in range(minutes):
            self.house._serve(self.house.now)
            self.house.now += MINUTE
            self.house.codedeploy.tick()
            self.house.cloudformation.tick()
        self.house.cloudwatch._evaluated_at = self.house.now - MINUTE
        self.house.cloudwatch.tick()

    def days_later(self, days: float) -> None:
        """A quiet time, and an hour of traffic before whatever comes next."""
        self.house.now += days * DAY
        self.serve_well(75)

    def known_bad(self, service: str) -> None:
        """What has just been deployed is bad, and nobody does anything about it for a while."""
        self.bad.append((service, self.house.now))
        self.serve(25)

    def bad_release(self, service: str, function: str, **behaviour: float) -> None:
        """Somebody points the alias back by hand in the end."""
        before = self.house.live_of(function)
        self.house.release(function, f"bad at {self.house.now}", **behaviour)
        self.known_bad(service)
        alias = self.house._alias_of(function).alias
        self.house.aliases.point(function, alias, before)
        self.serve(20)

    def good_release(self, function: str) -> None:
        self.house.release(function, f"good at {self.house.now}")
        self.serve_well(self.house.policy.guardrails.bake_minutes + 5)

    def bad_update(self, service: str, stack: str, *functions: str, **behaviour: float) -> None:
        """Somebody cancels it by hand in the end.

        The aliases are back within that minute; the house serves whole minutes, so at its begin.
        """
        before = {name: self.house.live_of(name) for name in functions}
        code = f"bad at {self.house.now}"
        self.house.update(stack, *functions, seconds=7200, code=code, **behaviour)
        self.known_bad(service)
        self.house.cloudformation.cancel_update_stack(StackName=stack)
        for name, version in before.items():
            self.house.aliases.point(name, self.house._alias_of(name).alias, version)
        self.serve(30)

    def bad_deployment(self, service: str, **behaviour: float) -> None:
        """Somebody stops it by hand in the end."""
        made = self.house.deploy(service, code=f"bad at {self.house.now}", **behaviour)
        self.known_bad(service)
        self.house.codedeploy.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
        self.serve(20)

    def good_deployment(self, service: str) -> None:
        self.house.deploy(service, code=f"good at {self.house.now}")
        self.serve_well(100)

    def blip(self, function: str, minutes: int = 1, errors: float = 0.3) -> None:
        """What is live fails for a moment, and has not been deployed lately."""
        version = self.house.live_of(function)
        self.house.behave(function, version, errors=errors)
        self.serve(minutes)
        self.house.behave(function, version)
        self.serve(25)

    def outage(self, *functions: str, minutes: int = 10) -> None:
        """Everything fails at once, and nothing was deployed."""
        versions = {name: self.house.live_of(name) for name in functions}
        for name, version in versions.items():
            self.house.behave(name, version, errors=0.6)
        self.serve(minutes)
        for name, version in versions.items():
            self.house.behave(name, version)
        self.serve(25)


def forum(month: Month) -> None:
    month.bad_release("forum-addon", "ir-auth", errors=0.6)  # before there are minutes
    month.days_later(16)
    month.serve_well(200)
    month.good_release("ir-auth")
    month.days_later(2)
    month.bad_release("forum-addon", "ir-auth", errors=0.6)
    month.days_later(2)
    month.blip("ir-driver")
    month.days_later(3)
    month.outage("ir-auth", "ir-custid", "ir-driver")
    month.days_later(2)
    month.bad_update("forum-addon", "CdkInfrastructureStack-prod", "ir-custid", errors=0.3)


JOBS = "CiraInvoice-JobManagement-prod"


def invoice(month: Month) -> None:
    month.days_later(17)
    month.bad_update("invoice", "CiraInvoice-Workflow-prod", JOBS, errors=0.4)
    month.days_later(3)
    month.blip(JOBS)
    month.days_later(4)
    month.outage(JOBS)
    month.days_later(4)
    month.bad_release("invoice", JOBS, errors=0.5)


def design_assistant(month: Month) -> None:
    month.days_later(17)
    month.good_deployment("api")
    month.days_later(2)
    month.bad_deployment("api", errors=0.5)
    month.days_later(3)
    month.blip("security-assistant-api-prod")
    month.days_later(3)
    month.outage("security-assistant-api-prod", "security-assistant-worker-prod")
    month.days_later(2)
    month.bad_deployment("worker", errors=0.08)


HYBRID = ("distronation-authentication", "distronation-analytics", "distronation-admin-tools")


def hybrid(month: Month) -> None:
    month.days_later(17)
    month.good_release("distronation-authentication")
    month.days_later(2)
    month.bad_release("authentication", "distronation-authentication", errors=0.5)
    month.days_later(3)
    month.blip("distronation-analytics")
    month.days_later(3)
    month.outage(*HYBRID)
    month.days_later(2)
    month.bad_deployment("core-api", errors=0.4)


def ecs(month: Month) -> None:
    """Its policy only tells, and of ECS it sees nothing but the load balancer."""
    month.days_later(17)
    month.house.shows["api-requests-failing"] = 0.2
    month.serve(10)
    month.house.shows.clear()
    month.serve(30)
    month.days_later(5)
    month.house.shows["api-requests-failing"] = 0.5
    month.house.update("CDKToolkit", seconds=7200)
    month.known_bad("api")
    month.house.shows.clear()
    month.house.cloudformation.cancel_update_stack(StackName="CDKToolkit")
    month.serve(30)


STORIES: dict[str, Callable[[Month], None]] = {
    "1-forum-addon/prod.json": forum,
    "2-invoice/prod.json": invoice,
    "3-design-assistant/prod.json": design_assistant,
    "4-hybrid-lambda/prod.json": hybrid,
    "5-ecs-api/production.json": ecs,
}


@pytest.fixture(scope="module", params=STORIES)
def played(request, tmp_path_factory):
    """The example, its month, and the record of it as it was exported."""
    month = Month(request.param)
    STORIES[request.param](month)
    folder = tmp_path_factory.mktemp("record")
    save(record(month.house, since_at=month.house.now - MONTH), folder)
    return request.param, month, folder


def judged(month: Month, history: History) -> list[tuple[str, datetime]]:
    return [(service, at) for service, at in month.bad if at >= history.begins_at]


def test_exactly_the_known_bad_deploys_are_found(played):
    _, month, folder = played
    history = load(folder)
    replayed = Replay(history, month.house.policy).run()
    findings = findings_of(history, replayed.incidents)
    found = [
        (finding.incident.service, finding.deployed_at or finding.step.at)
        for finding in findings
        if finding.kind in WOULD_BE
    ]
    assert replayed.problems == []
    assert [service for service, _ in found] == [service for service, _ in judged(month, history)]
    for finding in findings:
        if finding.kind in WOULD_BE:
            (deployed,) = [
                at
                for service, at in month.bad
                if service == finding.incident.service and at <= finding.step.at < at + 25 * MINUTE
            ]
            assert finding.step.at - deployed <= SOON
    # The outages and what else fired was looked at, and left alone.
    assert any(finding.kind is Kind.STAND_DOWN for finding in findings)


def test_the_backtest_of_an_example_reads_as_it_did(played, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    example, _, folder = played
    name = example.partition("/")[0]
    page = folder / "page.html"
    arguments = ["backtest", "--from", folder, "--policy", EXAMPLES / example, "--html", page]
    code = run([str(argument) for argument in arguments])

    assert code == 0
    check(f"backtest-{name}.txt", capsys.readouterr().out)
    text = page.read_text()
    assert "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_an_event_of_the_month_is_explained(played, capsys, tmp_path):
    """As somebody looks who comes when the last alarm of the month has just fired."""
    example, month, folder = played
    history = load(folder)
    own = {entry.alarm_name for entry in month.house.policy.watched()}
    fired = [
        (reading.transitioned_at, alarm.name)
        for alarm in history.alarms
        for reading in alarm.readings
        if alarm.name in own and reading.state is AlarmState.ALARM
    ]
    at, name = max(fired)
    document = json.loads((folder / "history.json").read_text())
    facts = tmp_path / "history.json"
    facts.write_text(json.dumps(document | {"to_at": at.isoformat()}))
    event = tmp_path / "event.json"
    event.write_text(wake.body(name, account_id="111122223333", region="us-east-1"))
    arguments = ["explain", event, "--facts", facts, "--policy", EXAMPLES / example]
    code = run([str(argument) for argument in arguments])

    assert code == 0
    check(f"explain-{example.partition('/')[0]}.txt", capsys.readouterr().out)
    found = look_at(rooms_in(load(facts), month.house.policy), json.loads(event.read_text()))
    assert isinstance(found, Explained)


def test_the_same_record_gives_the_same_answer(played):
    example, month, folder = played
    history = load(folder)
    once, again = (
        backtest(history, month.house.policy, with_sweep=False, progress=lambda _: None)
        for _ in range(2)
    )

    assert once.findings == again.findings
    # The last digits of the evidence are the machine's.
    document = json.loads(
        json.dumps(document_of(once)), parse_float=lambda text: round(float(text), 6)
    )
    check(f"backtest-{example.partition('/')[0]}.json", json.dumps(document, indent=2) + "\n")
