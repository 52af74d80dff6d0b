"""The incidents that are played over the wire, each up to the moment before its first call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from house import MINUTE, START, policy_document
from local.aws_model.codedeploy import canary
from local.aws_model.mute_rules import MuteRule
from local.slack_inbox.pressing import ANN
from rollback_responder.domain.drill import due
from rollback_responder.domain.policy import parse_policy
from tests.wire.account import GONE, Account
from tests.wire.judge import acts_of, claims_of, incidents_of

GROUP = {"kind": "codedeploy_group", "application": "shop", "group": "live"}
STACK = {"kind": "cloudformation_stack", "stack": "shop"}
AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"
HALF = "HalfForAnHour"
# How long one is played at most, in minutes: until a message was received five times, or until
# there is a reminder.
LONGEST, UNTIL_REMINDED = 27, 33
# Longer than the time within which a cause is looked for (`recheck_minutes`), and than two tries.
UNCHANGED = 13
# Where nobody heard a yes; an order may have been taken all the same.
A_FEW = 8
# How often somebody says the same again who hears that it did not work.
MOST_TRIES = 3


def document(*rollouts, **changes):
    """A policy whose service has an alias and these rollouts; `changes` are of the service."""
    written = policy_document()
    written["slack"]["approvers"] = [ANN.id]
    # One trigger: what is said of a story is then said once.
    written["services"][0]["triggers"] = written["services"][0]["triggers"][:1]
    written["services"][0]["targets"] += rollouts
    written["services"][0] |= changes
    return written


def healthy(account, minutes=8):
    """A first version that proved itself."""
    account.deploy("v1")
    account.pass_minutes(1)
    account.pass_minutes(minutes - 2, look=False)
    account.pass_minutes(1)
    return account


def publish(account, code="v2", errors=0.9):
    version = account.aliases.publish("shop", code)
    account.errors[version], account.latency_ms[version] = errors, 100.0
    return version


def until_it_rings(account):
    """The watcher has seen the change, the alarm has just fired, and nobody has answered."""
    for _ in range(6):
        account.traffic(1, requests=12, watch=False)
        if account.queue:
            return account
        account.look()
        account.settle()
    raise AssertionError("the alarm must fire")


def bad_alias(**changes):
    account = healthy(Account(document(**changes)))
    account.deploy("v2", errors=0.9)
    return until_it_rings(account)


def an_alias():
    return bad_alias()


def unheard():
    """Its message is lost: the watcher finds the alarm."""
    account = bad_alias()
    account.queue.clear()
    account.hears = False
    return account


def unheard_beside_a_mute():
    """The same, while a rule mutes an alarm of another service."""
    account = beside_cart()
    account.queue.clear()
    account.hears = False
    rule = MuteRule(
        name="maintenance",
        expression="at(2026-11-22T00:00)",
        duration="P1D",
        alarm_names=("rollback.test.cart.cart.live.error-rate",),
    )
    account.cloudwatch.put_mute_rule(rule)
    return account


def with_rollout(*rollouts):
    account = Account(document(*rollouts))
    account.codedeploy.add_config(HALF, canary(50, timedelta(hours=1)))
    for rollout in rollouts:
        if rollout["kind"] == "codedeploy_group":
            account.codedeploy.add_group("shop", "live", function="shop", alias="live", config=HALF)
        else:
            account.cloudformation.add_stack(rollout["stack"])
    return healthy(account)


def a_canary():
    account = with_rollout(GROUP)
    account.codedeploy.deploy("shop", "live", target_version=publish(account, errors=1.0))
    return until_it_rings(account)


def a_finished_deployment():
    account = with_rollout(GROUP | {"after_success": "redeploy"})
    account.codedeploy.deploy("shop", "live", target_version=publish(account), config=AT_ONCE)
    return until_it_rings(account)


def update(account, name="shop"):
    version = publish(account)
    account.cloudformation.begin_update(
        name,
        seconds=7200,
        on_begin=lambda: account.aliases.point("shop", "live", version),
        on_rollback=lambda: account.aliases.point("shop", "live", "1"),
    )


def a_stack():
    """Its rollback fails once, and is continued."""
    account = with_rollout(STACK | {"continue_rollback": True})
    account.cloudformation.fail_rollbacks("shop", ["Function"])
    account.before["ContinueUpdateRollback"] = lambda: account.cloudformation.mend("shop")
    update(account)
    return until_it_rings(account)


def two_stacks():
    account = with_rollout(STACK, STACK | {"stack": "workflow"})
    update(account)
    account.cloudformation.begin_update("workflow", seconds=7200)
    return until_it_rings(account)


def siblings():
    return beside_cart(siblings=["cart"])


def beside_cart(**changes):
    written = document(**changes)
    alias = {"kind": "lambda_alias", "function": "cart", "alias": "live"}
    triggers = written["services"][0]["triggers"]
    written["services"].append({"name": "cart", "targets": [alias], "triggers": triggers})
    account = Account(written)
    account.aliases.publish("cart", "v1")
    account.aliases.point("cart", "live", "1")
    healthy(account)
    account.deploy("v2", errors=0.9)
    return until_it_rings(account)


def asking():
    """A person is asked, and has read it."""
    account = bad_alias(mode="approve")
    account.settle()
    return account


def rolled_back():
    """A rollback that is over, and did help; what it was about has been mended elsewhere since."""
    account = bad_alias()
    account.settle()
    while any(incident.is_open for incident in incidents_of(account)):
        account.pass_minutes(1)
    account.errors["2"] = 0.0
    return account


def quiet():
    """A second version that is as good as the first, and a person who does not like it."""
    account = healthy(Account(document()))
    account.deploy("v2")
    account.pass_minutes(7)
    return account


def a_drill_day():
    written = document() | {"drills": {}}
    day, policy = START, parse_policy(written)
    while "shop" not in [service.name for service in due(policy, day)]:
        day += timedelta(days=1)
    account = healthy(type("Later", (Account,), {"begins_at": day})(written))
    account.deploy("v2")
    account.pass_minutes(7)
    return account


def a_digest_day():
    account = rolled_back()
    account.now += timedelta(days=1)
    return account


def garbage():
    """What is no message of an alarm lies in the queue."""
    account = healthy(Account(document()))
    account.send("no JSON")
    return account


def damaged():
    """A row that nobody can read comes by the stream."""
    account = healthy(Account(document()))
    key = {"pk": {"S": "service#shop"}, "sk": {"S": "row"}}
    damage = {"incident": {"S": "{}"}}
    with account.lock:
        account.dynamodb.put_item(TableName="journal", Item=key | damage)
    return account


def minutes_pass(account, longest=LONGEST):
    """Until nothing is open any more, or an alarm calls and nothing has changed for long."""
    account.settle()
    before, unchanged = None, 0
    for _ in range(longest):
        account.pass_minutes(1)
        found = acts_of(account), [len(one.steps) for one in incidents_of(account)]
        before, unchanged = found, unchanged + 1 if found == before else 0
        if at_rest(account) or (account.rings and unchanged >= UNCHANGED):
            break
    account.pass_minutes(3)


def at_rest(account):
    found = incidents_of(account)
    is_open = any(incident.is_open for incident in found) or claims_of(account)
    return bool(found) and not is_open and not account.queue and not account.stream


def insist(say, account):
    """Says it, and again each minute while it is told that this did not work; whether it did."""
    for _ in range(MOST_TRIES):
        if say() in {0, 200, GONE}:
            return True
        account.pass_minutes(1)
    return False


def press(action, longest=LONGEST):
    def play(account):
        taken = insist(lambda: account.press(action), account)
        minutes_pass(account, longest if taken else A_FEW)

    return play


def command(*words):
    def play(account):
        said = [account.newest if word == "ID" else word for word in words]
        taken = insist(lambda: account.rollback(*said, "--yes"), account)
        minutes_pass(account, LONGEST if taken else A_FEW)

    return play


def drill(account):
    account.invoke("watch", {"drills": True})
    minutes_pass(account)


def preflight(account):
    account.invoke("watch", {"preflight": True})
    account.pass_minutes(3)


def digest(account):
    """Lambda calls an asynchronous function three times at most."""
    for _ in range(3):
        if account.invoke("notify", {"digest": True}) is not None:
            break
        account.now += MINUTE
    account.pass_minutes(1)


def a_while(account):
    account.settle()
    for _ in range(LONGEST):
        account.pass_minutes(1)
        if not account.queue and not account.stream:
            break
    account.pass_minutes(3)


@dataclass(frozen=True, kw_only=True)
class Story:
    """An incident: how it comes about, and what happens then."""

    begin: Callable
    play: Callable = minutes_pass
    about: str
    # How it ends where nothing goes wrong.
    acts: tuple[str, ...] = ("move",)
    states: tuple[str, ...] = ("fixed",)
    rings: tuple[str, ...] = ()


def said(*words):
    """A command, once, whatever comes of it."""

    def play(account):
        account.rollback(*(account.newest if word == "ID" else word for word in words), "--yes")

    return play


STORIES = {
    "alias": Story(begin=an_alias, about="a bad deploy behind an alias, its alarm heard"),
    "unheard": Story(begin=unheard, about="the same, and its message is lost"),
    "muted": Story(begin=unheard_beside_a_mute, about="the same, while another alarm is muted"),
    "siblings": Story(
        begin=siblings, about="a bad deploy, its alarm heard, with a sibling that is well"
    ),
    "canary": Story(begin=a_canary, about="a canary in mid-shift", acts=("stop",)),
    "redeploy": Story(
        begin=a_finished_deployment,
        about="a deployment that has finished, `after_success: redeploy`",
        acts=("deploy",),
    ),
    "stack": Story(
        begin=a_stack,
        about="a stack update whose rollback fails once",
        acts=("cancel", "continue"),
    ),
    "stacks": Story(
        begin=two_stacks, about="two stack updates under way", acts=("cancel", "cancel")
    ),
    "button": Story(begin=asking, play=press("approve"), about="a question, answered in Slack"),
    "undo": Story(
        begin=rolled_back,
        play=press("undo", UNTIL_REMINDED),
        about="a rollback, undone in Slack",
        acts=("forward",),
        states=("undone",),
    ),
    "order": Story(
        begin=asking,
        play=command("approve", "ID"),
        about="a question, answered on the command line",
    ),
    "now": Story(begin=quiet, play=command("now", "shop"), about="a rollback that a person orders"),
    "drill": Story(
        begin=a_drill_day,
        play=drill,
        about="the monthly drill",
        acts=("move", "forward"),
        states=("undone",),
    ),
    "preflight": Story(
        begin=quiet,
        play=preflight,
        about="the daily preflight",
        acts=("look ahead",),
        states=(),
    ),
    "digest": Story(
        begin=a_digest_day,
        play=digest,
        about="the weekly digest",
        acts=("tell the week",),
        states=(),
    ),
    "garbage": Story(
        begin=garbage,
        play=a_while,
        about="a message that is none",
        acts=("lay aside",),
        states=(),
        rings=("dead-letters-not-empty",),
    ),
    "damaged": Story(
        begin=damaged,
        play=a_while,
        about="a row that is none",
        acts=("lay aside",),
        states=(),
        rings=("notify-failures-not-empty", "targets-unwatched"),
    ),
}
