"""What a hostile reader tried on what people may say: each of these goes wrong."""

from datetime import timedelta

import pytest
from checker import incidents_of
from faults import Died, Operations, client_error, healthy_v1, lose, on, refuse
from faults import before as just_before
from msgspec.structs import force_setattr, replace
from rollout_scenarios import (
    GROUP,
    HALF,
    STACK,
    STACKS,
    add_group,
    canary_deploy,
    house_of,
    publish,
    update_stack,
)
from rollout_scenarios import document as with_rollouts
from scenarios import ERROR_RATE, LATENCY, approval_needed, approve, bad_deploy, rollback_order

from house import House, policy_document
from local.aws_model.codedeploy import canary
from local.aws_model.metrics import Metric
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import State
from rollback_responder.domain.order import Approve, FixForward, Freeze, Hold, Undo
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.responder import Responder
from rollback_responder.watcher import Watcher

BETA_ERRORS = "rollback.test.shop.shop.beta.error-rate"
BACK, FORWARD = ("shop", "2", "1"), ("shop", "1", "2")


class TwoAliases(House):
    """One service with two aliases of one function; each has its traffic and its errors."""

    def __init__(self, **changes):
        document = policy_document(**changes)
        (service,) = document["services"]
        service["targets"].append({"kind": "lambda_alias", "function": "shop", "alias": "beta"})
        service["triggers"] = service["triggers"][:1]
        self.bad = set()
        super().__init__(document)

    def _request(self, at):
        for alias in ("live", "beta"):
            version = self.aliases.version_of("shop", alias)
            failed = (alias, version) in self.bad and self.random.random() < 0.6
            base = {"FunctionName": "shop"}
            named = base | {"Resource": f"shop:{alias}"}
            for dimensions in (named, named | {"ExecutedVersion": version}):
                for name, value in (
                    ("Invocations", 1.0),
                    ("Errors", float(failed)),
                    ("Duration", 100.0),
                ):
                    metric = Metric.of("AWS/Lambda", name, dimensions)
                    self.cloudwatch.record(metric, timestamp=at, value=value)

    def move(self, alias, version, *, bad=False):
        self.aliases.point("shop", alias, version)
        if bad:
            self.bad.add((alias, version))

    def at(self, alias):
        return self.aliases.version_of("shop", alias)


# More often than it is tried again at once.
LONG = 30


def two_aliases(**changes):
    house = TwoAliases(**changes)
    house.aliases.publish("shop", "v1")
    for alias in ("live", "beta"):
        house.move(alias, "1")
    house.traffic(9, requests=24)
    house.aliases.publish("shop", "v2")
    house.aliases.publish("shop", "v3")
    house.ops = Operations(house)
    return house


def undo(house, by="bob"):
    return Undo(service="shop", incident_id=house.incident.id, by=by)


def with_policy(house, document):
    """The stack is deployed with another policy; the journal is as it was."""
    force_setattr(house.rooms, "policy", parse_policy(document))
    house.policy = house.rooms.policy
    house.responder = Responder(house.rooms)
    house.watcher = Watcher(house.rooms, house.ops._wake)


# -- two aliases ----------------------------------------------------------------------------------


def test_a_hold_of_one_alias_does_not_leak_to_another_deployed_with_it():
    house = two_aliases(mode="approve")
    house.move("live", "2", bad=True)
    house.move("beta", "2")
    house.ops.pass_minutes(4)
    assert (house.incident.state, house.incident.target.alias) == (State.ASKING, "live")
    house.say(Hold(service="shop", incident_id=house.incident.id, by="bob"))
    house.bad = {("beta", "2")}
    house.ops.pass_minutes(4)

    assert house.incident.target.alias == "beta"
    assert house.incident.state is State.ASKING, house.incident.steps[-1].text


def test_an_undo_whose_wake_was_lost_is_done_though_another_alias_alarm_is_younger():
    house = two_aliases()
    house.move("live", "2", bad=True)
    house.ops.pass_minutes(12)
    assert house.incident.state is State.FIXED
    house.move("beta", "2", bad=True)
    house.ops.hear = house.ops.watch = False
    house.ops.pass_minutes(3)
    house.bad = {("live", "2")}
    house.ops.pass_minutes(8)
    house.ops.hear = house.ops.watch = True
    house.desk.take(undo(house))
    house.woken.clear()
    house.ops.pass_minutes(10)

    assert house.at("live") == "2"


def test_while_an_undo_waits_another_alias_is_not_moved_without_a_word_in_the_journal():
    house = two_aliases()
    house.move("live", "2", bad=True)
    house.ops.pass_minutes(12)
    assert house.incident.state is State.FIXED
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=LONG)
    house.say(undo(house))
    assert house.incident.state is State.UNDOING
    house.move("beta", "2", bad=True)
    house.ops.watch = False
    house.ops.pass_minutes(3)

    assert house.journal._kept["shop"].claim is None, "respond broke off after it had acted"
    assert house.at("beta") == "2"


def found_on_the_other_alias():
    """beta was moved from 2 to 1 by an attempt that died; live, at 3, was looked at in between."""
    house = two_aliases()
    house.move("beta", "2", bad=True)
    house.move("live", "3", bad=True)
    house.watch()
    house.ops.hear = house.ops.watch = False
    house.ops.pass_minutes(4)
    on(house, "UpdateAlias", lose(Died()))
    with pytest.raises(Died):
        house.respond(BETA_ERRORS)
    assert (house.at("beta"), house.at("live")) == ("1", "3")
    until_at = house.now + timedelta(hours=1)
    house.desk.take(FixForward(service="shop", until_at=until_at, by="ann"))
    house.now += timedelta(seconds=91)
    house.respond(ERROR_RATE)
    assert house.incident.state is State.UNDECIDED
    house.respond(BETA_ERRORS)
    assert (house.incident.state, house.incident.target.alias) == (State.WATCHING, "beta")
    return house


def test_an_undo_puts_back_the_version_that_this_alias_was_rolled_back_from():
    house = found_on_the_other_alias()
    house.desk.take(undo(house))
    house.respond(BETA_ERRORS)

    assert house.at("beta") == "2", [step.text for step in house.incident.steps]


def test_what_was_found_done_on_another_alias_comes_to_rest_when_it_is_to_be_undone():
    """The incident keeps the alarm that it was opened for; only that one is ever woken."""
    house = found_on_the_other_alias()
    house.say(undo(house))
    house.ops.watch = True
    house.ops.pass_minutes(60)

    assert house.incident.state is not State.WATCHING


# -- an undo that is never done, or told wrongly ---------------------------------------------------


@pytest.mark.parametrize("minutes", [3, 10], ids=["watching", "fixed"])
def test_a_policy_that_now_denies_the_bad_version_does_not_blind_the_service(minutes):
    house = bad_deploy(minutes=minutes)
    house.desk.take(undo(house))
    house.woken.clear()
    document = policy_document()
    document["services"][0]["targets"][0]["never_back_to"] = ["2"]
    with_policy(house, document)
    house.ops.pass_minutes(30)

    assert State.UNDONE in {incident.state for incident in incidents_of(house)}


def test_a_good_version_deployed_meanwhile_is_the_way_back_although_an_undo_waits():
    house = bad_deploy(minutes=10)
    house.desk.take(undo(house))
    house.woken.clear()
    document = policy_document()
    document["services"][0]["targets"][0]["never_back_to"] = ["2"]
    with_policy(house, document)
    house.ops.pass_minutes(40)
    house.deploy("v3")
    house.ops.pass_minutes(20)
    house.deploy("v4", errors=0.6)
    house.ops.pass_minutes(8)

    assert house.live == "3", f"at {house.live}: the watcher has stopped keeping the ledger"


def test_a_late_undo_that_landed_is_not_called_a_failure_nor_rolled_back_again():
    document = policy_document()
    document["guardrails"] |= {"cooldown_minutes": 2}
    house = bad_deploy(healthy_v1(House(document)), minutes=10)
    late = []

    def hang(answer):
        late.append(answer)
        raise Died

    def land(answer):
        late.pop()()
        return answer()

    on(house, "UpdateAlias", hang)
    house.desk.take(undo(house))
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    house.now += timedelta(seconds=95)
    on(house, "UpdateAlias", land)
    house.respond(ERROR_RATE)
    house.woken.clear()
    house.ops.pass_minutes(45)

    assert house.aliases.moves == [BACK, FORWARD], "rolled back again, against a person's word"
    assert Reason.UNDO_FAILED not in {step.reason for i in incidents_of(house) for step in i.steps}


def test_an_undo_is_not_refused_for_the_mode_of_another_trigger():
    document = policy_document()
    document["services"][0]["triggers"][1]["mode"] = "observe"
    house = bad_deploy(healthy_v1(House(document)), minutes=10)
    assert house.incident.alarm_name == ERROR_RATE
    house.desk.take(undo(house))
    house.respond(LATENCY)

    assert house.live == "2", house.incident.steps[-1].text


def test_an_undo_that_aws_is_too_busy_for_does_not_wait_for_ever_in_silence():
    house = bad_deploy(minutes=10)
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=10_000)
    house.say(undo(house))
    house.ops.pass_minutes(180, requests=2)

    assert not house.incident.is_open or house.incident.needs_a_person


def test_an_undo_said_days_ago_is_not_done_today():
    house = bad_deploy(minutes=10)
    house.desk.take(undo(house))
    house.woken.clear()
    house.now += timedelta(days=3)
    house.ops.look()
    house.ops.deliver()

    assert house.live == "1"


# -- presses on what has changed since -------------------------------------------------------------


def test_fixing_forward_on_the_message_of_an_old_incident_is_refused():
    house = bad_deploy(minutes=10)
    with pytest.raises(OrderRefused):
        house.desk.take(
            FixForward(
                service="shop",
                until_at=house.now + timedelta(hours=1),
                by="bob",
                incident_id="inc-from-last-month",
            )
        )


def test_who_says_yes_to_what_is_held_is_told_so():
    house = approval_needed()
    about = {"service": "shop", "incident_id": house.incident.id}
    house.desk.take(Hold(**about, by="ann"))
    with pytest.raises(OrderRefused):
        house.desk.take(Approve(**about, by="bob"))


def test_a_hold_for_a_slow_version_does_not_silence_that_it_breaks_later():
    document = policy_document(mode="approve")
    house = healthy_v1(House(document), requests=24)
    house.ops = Operations(house)
    house.deploy("v2", latency_ms=900)
    house.ops.pass_minutes(4, requests=24)
    assert (house.incident.state, house.incident.alarm_name) == (State.ASKING, LATENCY)
    house.say(Hold(service="shop", incident_id=house.incident.id, by="bob"))
    house.errors["2"] = 1.0
    house.ops.pass_minutes(8, requests=24)

    later = house.incident
    assert later.alarm_name == ERROR_RATE
    assert later.needs_a_person, f"critical, every request fails: {later.reason}, and quiet"


# -- behind somebody's back ------------------------------------------------------------------------


def with_a_hook():
    """v2 was pointed to by hand and rolled back; then a deployment of v3 waits for its hook."""
    house = House(with_rollouts(GROUP))
    house.codedeploy.add_config(HALF, canary(50, timedelta(hours=1)))
    add_group(house, before_seconds=1800)
    bad_deploy(healthy_v1(house), minutes=10)
    assert house.aliases.moves == [BACK]
    fix = publish(house, "v3", 0.0)
    at_once = "CodeDeployDefault.LambdaAllAtOnce"
    made = house.codedeploy.deploy("shop", "live", target_version=fix, config=at_once)
    house.ops.pass_minutes(2)
    assert (house.codedeploy.status_of(made), house.live) == ("InProgress", "1")
    return house, made


def test_an_undo_does_not_move_the_alias_under_a_deployment_that_is_under_way():
    house, _ = with_a_hook()
    house.say(undo(house))

    assert house.aliases.moves == [BACK]


def test_a_fix_under_way_is_not_stopped_for_what_a_person_put_back():
    house, made = with_a_hook()
    house.say(undo(house))
    house.ops.pass_minutes(20)

    assert house.codedeploy.status_of(made) == "InProgress"
    assert "StopDeployment" not in house.calls


def under_an_update(*, put_back):
    """v2, which has not proved itself, fails again while a stack update is under way."""
    short = {"verification": {"healthy_minutes": 1}}
    guardrails = {"cooldown_minutes": 0, "bake_minutes": 15}
    house = House(with_rollouts(STACK, guardrails=guardrails, **short))
    house.cloudformation.add_stack("shop")
    healthy_v1(house, minutes=20)
    if put_back:
        bad_deploy(house, minutes=10)
        house.say(undo(house))
        assert house.incident.state is State.UNDONE
        house.errors["2"] = 0.0
    else:
        house.ops = Operations(house)
        house.deploy("v2")
    house.ops.pass_minutes(6)
    house.cloudformation.begin_update("shop", seconds=3600)
    house.ops.pass_minutes(2)
    house.errors["2"] = 0.6
    house.ops.pass_minutes(6)
    return house


@pytest.mark.parametrize("put_back", [False, True], ids=["deployed", "put back"])
def test_a_stack_update_is_not_cancelled_for_a_version_that_was_live_before(put_back):
    assert "CancelUpdateStack" not in under_an_update(put_back=put_back).calls


# -- what is held stays ----------------------------------------------------------------------------


def test_what_was_held_while_it_was_rolled_out_stays_when_it_is_through():
    """The update has an id of its own, the version that it brought another name."""
    house = house_of(STACK)
    house.budget.paused_by = "ann"
    update_stack(house, seconds=480)
    house.ops.pass_minutes(5, requests=60)
    assert (house.incident.state, house.incident.reason) == (State.UNDECIDED, Reason.PAUSED)
    house.say(Hold(service="shop", incident_id=house.incident.id, by="bob"))
    house.budget.paused_by = None
    house.ops.pass_minutes(10, requests=60)

    assert (house.live, house.aliases.moves) == ("2", [])


def test_what_was_held_as_several_parts_stays_when_one_of_them_is_through():
    house = house_of(*STACKS)
    house.budget.paused_by = "ann"
    update_stack(house, "api", seconds=480)
    for name in ("workflow", "database"):
        house.cloudformation.begin_update(name, seconds=3600)
    house.ops.pass_minutes(5, requests=60)
    assert (house.incident.state, len(house.incident.legs)) == (State.UNDECIDED, 3)
    house.say(Hold(service="shop", incident_id=house.incident.id, by="bob"))
    house.budget.paused_by = None
    house.ops.pass_minutes(10, requests=60)

    assert "CancelUpdateStack" not in house.calls


# -- more than was there before --------------------------------------------------------------------


def test_an_undo_gives_a_version_no_more_traffic_than_it_had():
    """It took a tenth when it was rolled back; nobody has ever let it take all."""
    house = healthy_v1(House(), requests=60)
    house.ops = Operations(house)
    version = house.aliases.publish("shop", "v2")
    house.errors[version], house.latency_ms[version] = 0.9, 100.0
    house.aliases.point("shop", "live", "1", {version: 0.1})
    house.ops.pass_minutes(12, requests=240)
    assert house.aliases.moves
    assert house.aliases.weights_of("shop", "live") == {}
    assert house.incident.release.whole_since_at is None
    try:
        house.say(undo(house))
    except OrderRefused:
        return

    assert house.live == "1", "all traffic goes to the version that had a tenth"


@pytest.mark.parametrize("asked", [False, True], ids=["nobody", "an undo"])
def test_an_attempt_in_flight_is_remembered_although_an_undo_came_in_between(asked):
    house = bad_deploy(minutes=10)
    late = []

    def hang(answer):
        late.append(answer)
        raise Died

    house.now += timedelta(minutes=40)
    house.ops.pass_minutes(2)
    house.ops.hear = house.ops.watch = False
    house.deploy("v3", errors=0.9)
    house.watch()
    house.ops.pass_minutes(3)
    on(house, "UpdateAlias", hang)
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    if asked:
        house.desk.take(undo(house))
    house.now += timedelta(seconds=95)
    on(house, "UpdateAlias", just_before(late[0]))
    house.respond(ERROR_RATE)
    if house.live == "3":
        late[0]()
    assert house.aliases.moves == [BACK, ("shop", "3", "1")]
    house.ops.hear = house.ops.watch = True
    house.ops.pass_minutes(10)

    assert "3" in {bad.version for bad in house.ledger.bad}, [
        (i.reason, i.steps[-1].text) for i in incidents_of(house)
    ]


def test_a_yes_to_one_way_back_is_no_yes_to_another():
    """Whoever said yes was asked about version 2, and the message still says so."""
    house = healthy_v1(House(policy_document(mode="approve")), requests=24)
    house.ops = Operations(house)
    house.deploy("v2")
    house.ops.pass_minutes(10)
    house.deploy("v3", errors=0.6)
    house.ops.pass_minutes(4)
    assert (house.incident.state, house.incident.to_version) == (State.ASKING, "2")
    asked = house.incident
    approve(house)
    document = policy_document(mode="approve")
    document["services"][0]["targets"][0]["never_back_to"] = ["2"]
    with_policy(house, document)
    house.ops.pass_minutes(2)
    assert house.live == "3", f"moved to {house.live}, which nobody was asked about"
    assert len(house.incident.steps) == len(asked.steps) + 1, "it is asked anew"
    house.say(Approve(service="shop", incident_id=asked.id, by="bob"))

    assert house.live == "1"


def test_who_holds_what_is_being_rolled_back_this_second_is_not_told_that_it_stays():
    """The attempt has its controls by then; the row says that it may act."""
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.budget.paused_by = "ann"
    house.deploy("v2", errors=0.6)
    house.ops.pass_minutes(4)
    assert house.incident.state is State.UNDECIDED
    house.budget.paused_by = None
    order, taken = Hold(service="shop", incident_id=house.incident.id, by="bob"), []
    on(house, "UpdateAlias", just_before(lambda: taken.append(house.desk.take(order))))
    house.respond(ERROR_RATE)

    assert house.live == "1"
    assert "this change is not rolled back" not in taken[0]


# -- an order while an attempt is lost -------------------------------------------------------------


def lost_attempt(*, paused_before=False):
    """An attempt upon v2 hangs at its call and dies; then a rollback is ordered.

    Returns the house before anybody looks again, and what lands the call.
    """
    house = healthy_v1(House())
    house.ops = Operations(house, hear=False, watch=False)
    house.budget.paused_by = "eve" if paused_before else None
    house.deploy("v2", errors=0.6)
    house.watch()
    house.ops.pass_minutes(3)
    if paused_before:
        house.respond(ERROR_RATE)
        assert house.incident.reason is Reason.PAUSED
        house.budget.paused_by = None
    late = []

    def hang(answer):
        late.append(answer)
        raise Died

    on(house, "UpdateAlias", hang)
    with pytest.raises(Died):
        house.respond(ERROR_RATE)
    order = rollback_order(house)
    house.now += timedelta(seconds=95)
    house.desk.take(order)
    house.woken.clear()
    return house, late[0]


@pytest.mark.parametrize("open_before", [False, True], ids=["closed", "open"])
def test_an_order_that_is_refused_does_not_make_a_lost_attempt_forgotten(open_before):
    house, land = lost_attempt(paused_before=open_before)
    house.budget.paused_by = "eve"
    house.respond(ERROR_RATE)
    assert house.incident.steps[-1].text.endswith("paused by eve")
    land()
    house.budget.paused_by = None
    house.ops.hear = house.ops.watch = True
    house.ops.pass_minutes(10)

    assert house.aliases.moves == [BACK]
    assert "2" in {bad.version for bad in house.ledger.bad}
    assert Reason.FOUND_DONE in {step.reason for i in incidents_of(house) for step in i.steps}


@pytest.mark.parametrize("open_before", [False, True], ids=["closed", "open"])
def test_nor_does_an_order_that_aws_is_too_busy_for(open_before):
    house, land = lost_attempt(paused_before=open_before)
    on(house, "UpdateAlias", refuse(client_error("TooManyRequestsException")), times=LONG)
    house.respond(ERROR_RATE)
    land()
    house.ops.hear = house.ops.watch = True
    house.ops.pass_minutes(10)

    assert house.aliases.moves == [BACK]
    assert "2" in {bad.version for bad in house.ledger.bad}
    assert Reason.FOUND_DONE in {step.reason for i in incidents_of(house) for step in i.steps}


def test_what_an_order_left_undecided_for_a_lost_attempt_comes_to_rest():
    house, _ = lost_attempt()
    house.budget.paused_by = "eve"
    house.respond(ERROR_RATE)
    house.errors["2"] = 0.0
    house.ops.hear = house.ops.watch = True
    house.ops.pass_minutes(45)

    assert house.aliases.moves == []
    assert not house.incident.is_open


# -- an order without a word -----------------------------------------------------------------------


def test_an_order_for_one_alias_is_not_answered_by_the_rollback_of_another():
    """It is given in the very seconds in which the other alias goes back."""
    house = two_aliases()
    house.move("live", "2", bad=True)
    house.move("beta", "2")
    house.ops.hear = house.ops.watch = False
    house.watch()
    house.ops.pass_minutes(3)
    order = rollback_order(house, target="shop:beta")

    def meanwhile():
        house.desk.take(order)
        house.now += timedelta(seconds=2)

    on(house, "UpdateAlias", just_before(meanwhile))
    house.respond(ERROR_RATE)
    house.woken.clear()
    assert (house.at("live"), house.at("beta")) == ("1", "2")
    house.ops.hear = house.ops.watch = True
    house.ops.pass_minutes(15)

    assert house.at("beta") == "1"


def test_an_order_by_a_slow_clock_is_not_taken_for_answered():
    house = bad_deploy(minutes=8)
    house.deploy("v3")
    house.ops.pass_minutes(1)
    order = rollback_order(house)
    house.now -= timedelta(minutes=8)
    assert house.now < house.incident.acted_at
    house.desk.take(order)
    house.now += timedelta(minutes=8)
    house.woken.clear()
    house.ops.pass_minutes(3)

    assert house.incident.ordered_by == "ann"


def without_errors():
    """A policy without the alarm by which the service is ordered back."""
    document = policy_document()
    document["services"][0]["triggers"] = document["services"][0]["triggers"][1:]
    return document


def test_an_order_whose_alarm_is_not_in_the_policy_is_told_when_it_has_lapsed():
    """Whoever gave it had another policy at hand than the one that is deployed."""
    house = bad_deploy(minutes=2, errors=0.0)
    house.desk.take(rollback_order(house))
    house.woken.clear()
    with_policy(house, without_errors())
    house.ops.pass_minutes(12)

    assert house.incident.reason is Reason.ORDER_LAPSED
    assert house.incident.ordered_by == "ann"


def test_an_order_that_has_lapsed_stands_in_nobodys_way():
    house = bad_deploy(minutes=2, errors=0.0)
    order = rollback_order(house)
    house.desk.take(order)
    house.woken.clear()
    house.now += timedelta(minutes=10)
    house.say(replace(order, by="bob"))

    assert house.aliases.moves == [BACK]
    assert house.incident.ordered_by == "bob"


def test_a_deploy_that_the_watcher_has_not_seen_yet_can_be_ordered_back():
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.deploy("v2")
    order = rollback_order(house)
    house.now += timedelta(seconds=20)
    house.say(order)

    assert house.aliases.moves == [BACK]
    assert house.incident.ordered_by == "ann"


@pytest.mark.parametrize("change", ["a deploy", "the same version again"])
def test_and_only_as_it_was_shown(change):
    house = healthy_v1(House())
    house.ops = Operations(house)
    house.deploy("v2")
    order = rollback_order(house)
    if change == "a deploy":
        house.deploy("v3")
    else:
        house.aliases.point("shop", "live", "1")
        house.aliases.point("shop", "live", "2")
    house.now += timedelta(seconds=20)
    house.say(order)

    assert house.aliases.moves == []
    assert house.incident.reason is Reason.TARGET_CHANGED


# -- a wake for nobody -----------------------------------------------------------------------------


def test_nobody_is_woken_by_an_alarm_that_the_policy_does_not_name_any_more():
    """It would lie among the dead letters, and ring."""
    house = bad_deploy(minutes=10)
    with_policy(house, without_errors())
    house.desk = replace(house.desk, policy=house.policy)
    until_at = house.now + timedelta(hours=1)
    house.desk.take(Freeze(service="shop", until_at=until_at, by="ann"))

    assert house.woken == []


# -- an order is a yes -----------------------------------------------------------------------------


def test_a_rollback_that_was_ordered_is_continued_though_the_mode_asks():
    house = house_of(STACK | {"continue_rollback": True}, mode="approve")
    house.cloudformation.fail_rollbacks("shop", ["Function"], "the layer was deleted")
    update_stack(house, errors=0.0)
    house.ops.pass_minutes(2)
    house.say(rollback_order(house))
    house.ops.pass_minutes(5)

    assert "ContinueUpdateRollback" in house.calls
    assert Reason.ROLLBACK_CONTINUED in {step.reason for step in house.incident.steps}


# -- an old rollback is none that is under way -----------------------------------------------------


def test_what_was_rolled_back_long_ago_does_not_keep_from_ordering_what_is_live():
    """The alarm has never fired since: every rollback of the group ended after its last change."""
    house = house_of(GROUP)
    made = canary_deploy(house, errors=0.0)
    house.ops.pass_minutes(2)
    house.codedeploy.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    house.ops.pass_minutes(3)
    house.deploy("v3")
    house.ops.pass_minutes(3)
    house.say(rollback_order(house))

    assert house.aliases.moves == [("shop", "3", "1")]


# -- a claim that comes twice ----------------------------------------------------------------------


def claimed_once_more(house):
    """The claim of the attempt that moved the alias last lands a second time, after it was closed.

    Its request was thought lost, and repeated.
    """
    pointer = house.policy.services[0].pointers[0]
    claim_id = house.rooms.pointer(pointer).observe(pointer).marker
    assert claim_id
    house.journal.claim("shop", claim_id=claim_id, may_act=True, now=house.now)
    house.ops.pass_minutes(6)


def test_an_undo_that_was_told_is_not_found_done_once_more():
    house = bad_deploy(minutes=10)
    house.errors["2"] = 0.0
    house.say(undo(house))
    claimed_once_more(house)

    assert house.ledger.current.origin is Origin.PUT_BACK
    assert Reason.FOUND_DONE not in {step.reason for i in incidents_of(house) for step in i.steps}


def test_what_an_order_may_have_done_to_what_was_put_back_is_not_forgotten():
    """Alarms never move what a person put back; an order may, and its attempt died after it."""
    house = bad_deploy(minutes=10)
    house.errors["2"] = 0.0
    house.say(undo(house))
    house.ops.pass_minutes(2)
    house.desk.take(rollback_order(house))
    on(house, "UpdateAlias", lose(Died()))
    with pytest.raises(Died):
        house.respond(house.woken.pop())
    house.deploy("v3")
    house.ops.pass_minutes(6)

    assert (house.incident.state, house.incident.reason) == (
        State.INDETERMINATE,
        Reason.RESULT_UNKNOWN,
    )
