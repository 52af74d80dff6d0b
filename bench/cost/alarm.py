"""What one alarm makes each design do, counted."""

from collections import Counter
from typing import Any, cast

from bench.cost import bill
from bench.hot_path import aws, runs, world
from bench.town import ACCOUNT, LEASE, MINUTE, REGION, TABLE, Town, name_of
from infra import package
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.journal.notices import DynamoDbNotices
from rollback_responder.journal.storms import DynamoDbStorms
from rollback_responder.notifiers.telling import Teller
from rollback_responder.ports import Thread

ALARM = f"rollback.bench.{name_of(0)}.{name_of(0)}.live.error-rate"
SERVICES = 10
# A bad deploy that is rolled back has ended by then.
MINUTES = 10


def theirs(name: str) -> bill.Amounts:
    """A peer's handler, invoked by SNS, on loopback."""
    design = next(design for design in runs.DESIGNS if design.name == name)
    with aws.running(aws.Line()) as server:
        environment = runs.environment_of(server, package.PROJECT)
        with runs.staying([design], environment, None) as processes:
            server.reset()
            calls = processes[name].ask(server).calls
    assert world.ACTS[design.service] in {call.operation for call in calls}
    return bill.run_of(call.service for call in calls)


def answered() -> bill.Amounts:
    """Our `respond`, from both messages of an alarm to the act and the journal."""
    town = _after_a_bad_deploy()
    amounts = _answer(town)
    if town.aliases.version_of(name_of(0), "live") != "1":
        raise SystemExit("it was not rolled back")
    return amounts


def followed() -> bill.Amounts:
    """The same with all that comes after: followed, judged, told in Slack; a quiet minute apart."""
    town = _after_a_bad_deploy()
    amounts = _answer(town)
    thread = cast("Thread", _Nowhere())
    teller = Teller(
        thread,
        DynamoDbNotices(town.dynamodb, TABLE, LEASE),
        DynamoDbStorms(town.dynamodb, TABLE, LEASE),
        account_id=ACCOUNT,
        region=REGION,
    )
    told: Incident | None = None
    for _ in range(MINUTES):
        (row,) = town.rooms.journal.rows([name_of(0)]).values()
        town.taken()
        if row.incident and row.incident != told:
            told = row.incident
            teller.tell(told, town.now)
            calls = town.taken()
            amounts += bill.amounts_of(calls)
            amounts += bill.run_of([*(call.service for call in calls), "slack"])
            amounts["secret_request"] += 1
        town.minute(0, failing={"2": 0.5})
        quiet = _quiet()
        town.watcher.watch()
        amounts += bill.amounts_of(town.taken()) - quiet
    if told is None or told.is_open:
        raise SystemExit("the incident did not end")
    return amounts


def _answer(town: Town) -> bill.Amounts:
    """An alarm comes by SNS and by EventBridge: two messages, of which one finds it answered."""
    amounts: bill.Amounts = Counter()
    for _ in range(2):
        signal = Signal(
            alarm_name=ALARM,
            account_id=ACCOUNT,
            region=REGION,
            state=AlarmState.ALARM,
            at=town.now,
        )
        town.responder.respond(signal)
        calls = town.taken()
        amounts += bill.amounts_of(calls) + bill.run_of(call.service for call in calls)
        # Sent, received, deleted.
        amounts["sqs_request"] += 3
    return amounts


def _after_a_bad_deploy() -> Town:
    town = Town(SERVICES)
    for _ in range(MINUTES):
        town.minute(0, failing={})
        town.watcher.watch()
    town.deploy(0)
    while not town.woken:
        town.minute(0, failing={"2": 0.5})
        town.watcher.watch()
        if town.stopwatch() > 3 * MINUTES * MINUTE.total_seconds():
            raise SystemExit("the alarm does not fire")
    town.taken()
    return town


def _quiet() -> bill.Amounts:
    town = Town(SERVICES)
    town.watcher.watch()
    town.taken()
    town.watcher.watch()
    return bill.amounts_of(town.taken())


class _Nowhere:
    """A Slack that takes everything, and no pictures."""

    takes_pictures = False

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: "1.0"
