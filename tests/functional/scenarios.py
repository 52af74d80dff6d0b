"""One story for each reason: the whole house, brought to say exactly that.

`SCENARIOS` names, for each reason, the story, the state the incident is in when that is said, and
how often the alias was moved by then. `tests/contracts/test_every_reason.py` walks the table. What
is rolled out step by step has its stories in `rollout_scenarios.py`.
"""

from datetime import timedelta

from faults import (
    MINUTE,
    Died,
    Operations,
    client_error,
    connect_timeout,
    healthy_v1,
    lose,
    on,
    read_timeout,
    refuse,
)
from faults import after as just_after
from faults import before as just_before
from msgspec.structs import replace
from rollout_scenarios import ROLLOUT_SCENARIOS, Scenario

from house import START, House, policy_document
from local.aws_model.alarm import Actions, CompositeAlarm, MetricAlarm, Suppressor
from local.aws_model.evaluation import State as AlarmValue
from local.aws_model.evaluation import TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.mute_rules import MuteRule
from local.aws_model.queries import MetricStat
from rollback_responder.cli.now import entry_for, planned, revision_of
from rollback_responder.cli.walk import look
from rollback_responder.domain.controls import Controls, FixingForward, Unsafe
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import Approve, Hold, RollBackNow, Undo
from rollback_responder.domain.reason import Reason

ERROR_RATE = "rollback.test.shop.shop.live.error-rate"
LATENCY = "rollback.test.shop.shop.live.latency-p50"


def adopting(name: str, **changes: object) -> dict:
    """A policy whose only trigger is an alarm that exists already."""
    document = policy_document()
    document["services"][0]["triggers"] = [{"kind": "alarm", "name": name, **changes}]
    return document


def errors_alarm(name: str, **changes: object) -> MetricAlarm:
    """An alarm of somebody else: more than three errors a minute, twice."""
    dimensions = {"FunctionName": "shop", "Resource": "shop:live"}
    return MetricAlarm(
        name=name,
        stat=MetricStat(
            metric=Metric.of("AWS/Lambda", "Errors", dimensions),
            period=MINUTE,
            statistic=Statistic.parse("Sum"),
        ),
        evaluation_periods=2,
        datapoints_to_alarm=2,
        threshold=3,
        comparison="GreaterThanThreshold",
        treat_missing_data=TreatMissingData.NOT_BREACHING,
        **changes,
    )


def house_with(*alarms: object, document: dict | None = None) -> House:
    house = House(document)
    house.cloudwatch.put_alarms(alarms)
    return healthy_v1(house)


def bad_deploy(house: House | None = None, *, minutes: int = 4, errors: float = 0.6) -> House:
    """v1 is proved, v2 fails. The operations are at `house.ops`."""
    house = house or healthy_v1(House())
    house.ops = getattr(house, "ops", None) or Operations(house)
    house.deploy("v2", errors=errors)
    house.ops.pass_minutes(minutes)
    return house


# -- rolling back ---------------------------------------------------------------------------------


def metric_breaching() -> House:
    return bad_deploy()


def alarm_trusted() -> House:
    document = adopting("legacy", when_unmeasurable="trust_alarm")
    return bad_deploy(house_with(errors_alarm("legacy"), document=document))


def found_done() -> House:
    """The process dies after the move; whoever comes next finds the marker."""
    house = healthy_v1(House())
    on(house, "UpdateAlias", lose(Died()))
    return bad_deploy(house, minutes=7)


# -- the alarm ------------------------------------------------------------------------------------


def alarm_gone() -> House:
    house = healthy_v1(House())
    house.deploy("v2")
    house.cloudwatch.delete_alarms([ERROR_RATE])
    house.respond(ERROR_RATE)
    return house


def alarm_not_firing() -> House:
    """Undecided for want of errors, then the alarm falls silent."""
    house = inconclusive()
    assert house.incident.state is State.UNDECIDED
    house.errors["2"] = 0.0
    house.ops.pass_minutes(6)
    return house


def alarm_suppressed() -> House:
    suppressor = errors_alarm("maintenance-child")
    composite = CompositeAlarm(
        name="legacy",
        rule='ALARM("child")',
        suppressor=Suppressor(alarm="maintenance-child", wait=MINUTE, extension=MINUTE),
    )
    document = adopting("legacy", when_unmeasurable="trust_alarm")
    return bad_deploy(
        house_with(suppressor, errors_alarm("child"), composite, document=document), minutes=6
    )


def alarm_disabled() -> House:
    document = adopting("legacy", when_unmeasurable="trust_alarm")
    alarm = errors_alarm("legacy", actions=Actions(enabled=False))
    return bad_deploy(house_with(alarm, document=document))


def alarm_unsound() -> House:
    house = healthy_v1(House())
    read = house.rooms.metrics.read_alarms

    def doubting(names):
        return {name: replace(a, unsound="EVALUATION_FAILURE") for name, a in read(names).items()}

    house.rooms.metrics.read_alarms = doubting
    return bad_deploy(house)


# -- the change -----------------------------------------------------------------------------------


def target_gone() -> House:
    house = healthy_v1(House())
    house.ops = Operations(house, hear=False, watch=False)
    bad_deploy(house, minutes=3)
    on(house, "GetAlias", just_before(lambda: house.aliases.delete_alias("shop", "live")))
    house.respond(ERROR_RATE)
    return house


def alias_on_latest() -> House:
    house = healthy_v1(House())
    house.errors["$LATEST"], house.latency_ms["$LATEST"] = 0.6, 100
    house.aliases._versions["shop"]["$LATEST"] = "sha"
    house.aliases.point("shop", "live", "$LATEST")
    Operations(house).pass_minutes(4)
    return house


def no_recent_change() -> House:
    house = healthy_v1(House())
    house.now += timedelta(minutes=120)
    house.errors["1"] = 0.6
    Operations(house).pass_minutes(4)
    return house


def change_is_rollback() -> House:
    """The version that was gone back to fails as well, later."""
    house = bad_deploy(minutes=10)
    assert house.incident.state is State.FIXED
    house.errors["1"] = 0.6
    house.ops.pass_minutes(4)
    return house


def alarm_before_change() -> House:
    """It fires for half an hour; the deploy that comes then is not to blame."""
    house = healthy_v1(House())
    house.now += timedelta(minutes=70)
    house.errors["1"] = 0.6
    house.ops = Operations(house)
    house.ops.pass_minutes(10)
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(3)
    return house


def release_proved() -> House:
    """It served well for half an hour; what breaks it then is hardly the deploy."""
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.deploy("v2")
    house.ops.pass_minutes(30)
    house.errors["2"] = 0.6
    house.ops.pass_minutes(4)
    return house


# -- the evidence ---------------------------------------------------------------------------------


def alarm_not_trusted() -> House:
    return bad_deploy(house_with(errors_alarm("legacy"), document=adopting("legacy")))


def unmeasurable() -> House:
    house = healthy_v1(House())
    on(house, "GetMetricData", refuse(client_error("AccessDenied", "GetMetricData")), times=999)
    return bad_deploy(house)


def watching_window(**changes: object) -> dict:
    document = policy_document()
    document["services"][0]["triggers"] = [
        {"kind": "error_rate", "threshold_percent": 5, **changes}
    ]
    return document


def inconclusive() -> House:
    return bad_deploy(healthy_v1(House(watching_window(minimum_errors=1000))))


def metric_healthy() -> House:
    """Somebody sets the alarm's state by hand; the numbers say otherwise."""
    house = healthy_v1(House())
    house.deploy("v2")
    house.ops = Operations(house)
    house.ops.pass_minutes(3)
    fire(house)
    house.ops.deliver()
    return house


def fire(house: House, name: str = ERROR_RATE) -> None:
    house.cloudwatch.set_alarm_state(name, AlarmValue.ALARM, "by hand")


def both_versions_fail() -> House:
    house = healthy_v1(House())
    version = house.deploy("v2")
    house.aliases.point("shop", "live", "1", {version: 0.5})
    house.errors = {"1": 0.5, "2": 0.5}
    Operations(house).pass_minutes(6, requests=60)
    return house


# -- another cause --------------------------------------------------------------------------------


def alarm_muted() -> House:
    house = healthy_v1(House())
    house.cloudwatch.put_mute_rule(
        MuteRule(
            name="maintenance",
            expression=f"at({house.now:%Y-%m-%dT%H:%M})",
            duration="PT6H",
            alarm_names=(ERROR_RATE,),
        )
    )
    # Muted, it tells nobody; the watcher sees it fire.
    return bad_deploy(house, minutes=5)


def depending(*names: str) -> dict:
    document = policy_document()
    document["services"][0]["dependencies"] = list(names)
    return document


def dependency_failing() -> House:
    house = house_with(errors_alarm("payments are down"), document=depending("payments are down"))
    house.deploy("v2", errors=0.6)
    fire(house, "payments are down")
    house.ops = Operations(house)
    house.ops.pass_minutes(4)
    return house


def with_sibling() -> dict:
    """A second service on the same table, with an alias of its own."""
    document = policy_document()
    document["services"][0]["siblings"] = ["cart"]
    document["services"].append(
        {
            "name": "cart",
            "targets": [{"kind": "lambda_alias", "function": "cart", "alias": "live"}],
            "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
        }
    )
    return document


def siblings_fail() -> House:
    """A release that took all traffic at once, and a sibling that fails in the same minutes."""
    house = House(with_sibling())
    house.aliases.point("cart", "live", house.aliases.publish("cart", "v1"))
    healthy_v1(house)
    house.deploy("v2", errors=0.6)
    house.ops = Operations(house)
    for _ in range(5):
        sibling_minute(house, errors=0.5)
        house.ops.pass_minutes(1)
    return house


def sibling_minute(house: House, *, errors: float, requests: int = 60) -> None:
    """A minute of the sibling's traffic, which begins now."""
    dimensions = {"FunctionName": "cart", "Resource": "cart:live"}
    for name, value in (("Invocations", requests), ("Errors", round(errors * requests))):
        metric = Metric.of("AWS/Lambda", name, dimensions)
        house.cloudwatch.record(metric, timestamp=house.now, value=value)


def began_too_late() -> House:
    """The watcher was away, so nobody saw that it had proved itself."""
    house = healthy_v1(House())
    house.deploy("v2")
    house.traffic(1, requests=24)
    house.traffic(25, requests=24, watch=False)
    house.errors["2"] = 0.6
    house.traffic(3, requests=24, watch=False)
    house.respond(ERROR_RATE)
    return house


# -- the guardrails -------------------------------------------------------------------------------


def already_acted() -> House:
    """An attempt that may have acted, undone by a person who stays with the deploy."""
    document = policy_document()
    document["guardrails"] |= {"cooldown_minutes": 0}
    house = healthy_v1(House(document))

    def undone_by_hand():
        house.aliases.point("shop", "live", "2")
        raise Died

    on(house, "UpdateAlias", just_after(undone_by_hand))
    bad_deploy(house, minutes=7)
    house.errors["2"] = 0.0
    house.ops.pass_minutes(6)
    house.errors["2"] = 0.6
    house.ops.pass_minutes(4)
    return house


def cooldown() -> House:
    house = bad_deploy(minutes=10)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(5)
    return house


def service_budget_spent() -> House:
    """Three bad deploys in a day were undone; the fourth is left to people."""
    document = policy_document()
    document["guardrails"] |= {"cooldown_minutes": 0, "service_rollbacks_a_day": 1}
    house = bad_deploy(healthy_v1(House(document)), minutes=10)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(5)
    return house


def said(controls: Controls, **changes: object) -> House:
    """A bad deploy about which somebody has said something before."""
    house = healthy_v1(House(policy_document(**changes)))
    house.journal.say("shop", controls)
    return bad_deploy(house)


def rollback_unsafe() -> House:
    return said(Controls(unsafe=(Unsafe(by="pipeline", why="orders was split", version="2"),)))


def fix_forward() -> House:
    return said(Controls(fix_forward=FixingForward(by="ann", until_at=START + timedelta(hours=1))))


NEVER = {"roll_back_minutes": 0, "ask_minutes": 0}
ASKS = {"roll_back_minutes": 0, "ask_minutes": 60}


def severity_tells() -> House:
    return said(Controls(), responses={"critical": NEVER})


def severity_asks() -> House:
    return said(Controls(), responses={"critical": ASKS})


def approval_needed() -> House:
    return said(Controls(), mode="approve")


def frozen() -> House:
    freeze = {"kind": "weekly", "name": "the weekend", "days": ["sat", "sun"]}
    return said(Controls(), freezes=[freeze])


def approved() -> House:
    house = approval_needed()
    approve(house)
    house.ops.pass_minutes(1)
    return house


def approve(house: House, by: str = "bob") -> None:
    """A yes that nobody has looked at yet."""
    house.desk.take(Approve(service="shop", incident_id=house.incident.id, by=by))
    house.woken.clear()


def held() -> House:
    house = approval_needed()
    house.say(Hold(service="shop", incident_id=house.incident.id, by="bob"))
    return house


def undone() -> House:
    """A person thinks better of it, while the symptom is still watched."""
    house = bad_deploy()
    house.say(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    return house


def undo_failed() -> House:
    """Somebody was faster."""
    house = bad_deploy()
    house.deploy("v3")
    house.say(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    return house


def put_back() -> House:
    """The alarm clears, and fires once more on what a person put back."""
    house = bad_deploy(minutes=8)
    house.say(Undo(service="shop", incident_id=house.incident.id, by="bob"))
    house.ops.pass_minutes(4)
    return house


def not_approved() -> House:
    house = approval_needed()
    house.ops.pass_minutes(61)
    return house


def no_proven_release() -> House:
    house = House()
    house.deploy("v1")
    house.traffic(2, requests=24)
    return bad_deploy(house)


def observe_mode() -> House:
    return bad_deploy(healthy_v1(House(policy_document(mode="observe"))))


# -- the target refuses ---------------------------------------------------------------------------


def version_deleted() -> House:
    house = healthy_v1(House())
    gone = just_before(lambda: house.aliases.delete_version("shop", "1"))
    on(house, "UpdateAlias", gone)
    return bad_deploy(house)


def target_changed() -> House:
    house = healthy_v1(House())
    # The first move rests on the ledger; once it is refused the alias is looked at.
    on(house, "UpdateAlias", just_before(lambda: house.deploy("v3")), skip=1)
    on(house, "UpdateAlias", just_before(lambda: house.aliases.point("shop", "live", "2")))
    return bad_deploy(house)


def action_denied() -> House:
    house = healthy_v1(House())
    on(house, "UpdateAlias", refuse(client_error("AccessDeniedException")), times=999)
    return bad_deploy(house)


def action_throttled() -> House:
    house = healthy_v1(House())
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=999)
    return bad_deploy(house)


def action_unclear() -> House:
    house = healthy_v1(House())
    on(house, "UpdateAlias", refuse(connect_timeout()))
    return bad_deploy(house, minutes=3)


# -- how it ended ---------------------------------------------------------------------------------


def symptom_gone() -> House:
    return bad_deploy(minutes=10)


def symptom_remains() -> House:
    house = bad_deploy()
    house.errors["1"] = 0.6
    house.ops.pass_minutes(20)
    return house


def not_enough_data() -> House:
    house = bad_deploy()
    house.ops.pass_minutes(20, requests=0)
    return house


def moved_again() -> House:
    house = bad_deploy()
    house.deploy("v3")
    house.ops.pass_minutes(2)
    return house


def result_unknown() -> House:
    """The reply is lost, and before anybody can look, a pipeline moves the alias again."""
    house = healthy_v1(House())

    def lost_and_moved(answer):
        answer()
        house.deploy("v3")
        raise read_timeout()

    on(house, "UpdateAlias", lost_and_moved)
    return bad_deploy(house, minutes=7)


def rollback_order(house: House, by: str = "ann", target: str | None = None) -> RollBackNow:
    """What `rollback now shop` would say, as things stand."""
    watched = entry_for(house.policy, "shop", target)
    found = look(house.rooms, watched)
    plan = planned(found)
    return RollBackNow(
        service="shop",
        changes=plan.trial.changes,
        title=plan.trial.title,
        to_version=plan.to_version,
        alarm_name=watched.alarm_name,
        by=by,
        revision=revision_of(found),
    )


def ordered() -> House:
    """Nothing is wrong with v2, as far as the alarms can tell."""
    house = bad_deploy(minutes=2, errors=0.0)
    house.say(rollback_order(house))
    return house


def order_lapsed() -> House:
    """Nobody looked for a quarter of an hour after the order."""
    house = bad_deploy(minutes=2, errors=0.0)
    house.desk.take(rollback_order(house))
    house.woken.clear()
    house.traffic(15, watch=False)
    house.ops.pass_minutes(1)
    return house


STOOD_DOWN, UNDECIDED, WATCHING = State.STOOD_DOWN, State.UNDECIDED, State.WATCHING
ASKING = State.ASKING
SCENARIOS: dict[Reason, Scenario] = {
    Reason.METRIC_BREACHING: Scenario(metric_breaching, WATCHING, 1),
    Reason.ALARM_TRUSTED: Scenario(alarm_trusted, WATCHING, 1),
    Reason.FOUND_DONE: Scenario(found_done, WATCHING, 1),
    Reason.ALARM_GONE: Scenario(alarm_gone, STOOD_DOWN, 0),
    Reason.ALARM_NOT_FIRING: Scenario(alarm_not_firing, STOOD_DOWN, 0),
    Reason.ALARM_SUPPRESSED: Scenario(alarm_suppressed, UNDECIDED, 0),
    Reason.ALARM_DISABLED: Scenario(alarm_disabled, UNDECIDED, 0),
    Reason.ALARM_UNSOUND: Scenario(alarm_unsound, UNDECIDED, 0),
    Reason.TARGET_GONE: Scenario(target_gone, STOOD_DOWN, 0),
    Reason.ALIAS_ON_LATEST: Scenario(alias_on_latest, STOOD_DOWN, 0),
    Reason.NO_RECENT_CHANGE: Scenario(no_recent_change, STOOD_DOWN, 0),
    Reason.CHANGE_IS_ROLLBACK: Scenario(change_is_rollback, STOOD_DOWN, 1),
    Reason.ALARM_BEFORE_CHANGE: Scenario(alarm_before_change, STOOD_DOWN, 0),
    Reason.RELEASE_PROVED: Scenario(release_proved, ASKING, 0),
    Reason.BEGAN_TOO_LATE: Scenario(began_too_late, ASKING, 0),
    Reason.ALARM_MUTED: Scenario(alarm_muted, UNDECIDED, 0),
    Reason.DEPENDENCY_FAILING: Scenario(dependency_failing, UNDECIDED, 0),
    Reason.SIBLINGS_FAIL: Scenario(siblings_fail, UNDECIDED, 0),
    Reason.ALARM_NOT_TRUSTED: Scenario(alarm_not_trusted, STOOD_DOWN, 0),
    Reason.UNMEASURABLE: Scenario(unmeasurable, UNDECIDED, 0),
    Reason.INCONCLUSIVE: Scenario(inconclusive, UNDECIDED, 0),
    Reason.METRIC_HEALTHY: Scenario(metric_healthy, UNDECIDED, 0),
    Reason.BOTH_VERSIONS_FAIL: Scenario(both_versions_fail, UNDECIDED, 0),
    Reason.ALREADY_ACTED: Scenario(already_acted, STOOD_DOWN, 1),
    Reason.COOLDOWN: Scenario(cooldown, STOOD_DOWN, 1),
    Reason.SERVICE_BUDGET_SPENT: Scenario(service_budget_spent, STOOD_DOWN, 1),
    Reason.ROLLBACK_UNSAFE: Scenario(rollback_unsafe, STOOD_DOWN, 0),
    Reason.FIX_FORWARD: Scenario(fix_forward, UNDECIDED, 0),
    Reason.SEVERITY_TELLS: Scenario(severity_tells, STOOD_DOWN, 0),
    Reason.SEVERITY_ASKS: Scenario(severity_asks, ASKING, 0),
    Reason.APPROVAL_NEEDED: Scenario(approval_needed, ASKING, 0),
    Reason.FROZEN: Scenario(frozen, ASKING, 0),
    Reason.APPROVED: Scenario(approved, WATCHING, 1),
    Reason.ORDERED: Scenario(ordered, WATCHING, 1),
    Reason.ORDER_LAPSED: Scenario(order_lapsed, STOOD_DOWN, 0),
    Reason.HELD: Scenario(held, STOOD_DOWN, 0),
    Reason.UNDO_ORDERED: Scenario(undone, State.UNDOING, 2),
    Reason.UNDONE: Scenario(undone, State.UNDONE, 2),
    Reason.UNDO_FAILED: Scenario(undo_failed, State.UNKNOWN, 1),
    Reason.PUT_BACK: Scenario(put_back, STOOD_DOWN, 2),
    Reason.NOT_APPROVED: Scenario(not_approved, STOOD_DOWN, 0),
    Reason.NO_PROVEN_RELEASE: Scenario(no_proven_release, STOOD_DOWN, 0),
    Reason.OBSERVE_MODE: Scenario(observe_mode, STOOD_DOWN, 0),
    Reason.VERSION_DELETED: Scenario(version_deleted, STOOD_DOWN, 0),
    Reason.TARGET_CHANGED: Scenario(target_changed, STOOD_DOWN, 0),
    Reason.ACTION_DENIED: Scenario(action_denied, STOOD_DOWN, 0),
    Reason.ACTION_THROTTLED: Scenario(action_throttled, UNDECIDED, 0),
    Reason.ACTION_UNCLEAR: Scenario(action_unclear, UNDECIDED, 0),
    Reason.SYMPTOM_GONE: Scenario(symptom_gone, State.FIXED, 1),
    Reason.SYMPTOM_REMAINS: Scenario(symptom_remains, State.NOT_FIXED, 1),
    Reason.NOT_ENOUGH_DATA: Scenario(not_enough_data, State.UNKNOWN, 1),
    Reason.MOVED_AGAIN: Scenario(moved_again, State.UNKNOWN, 1),
    Reason.RESULT_UNKNOWN: Scenario(result_unknown, State.INDETERMINATE, 1),
    **ROLLOUT_SCENARIOS,
}
