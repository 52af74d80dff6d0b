"""Readiness: each thing that would keep a rollback from working is found, and nothing else."""

import golden
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain import naming, readiness
from rollback_responder.domain.alias_readiness import AliasFacts, Caller, Moved, Way, moved
from rollback_responder.domain.finding import LEVELS, Check, Level, Unread
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.metric_readiness import MetricFacts, named_series
from rollback_responder.domain.permissions import Need, needs_of
from rollback_responder.domain.policy import parse_policy
from rollback_responder.domain.readiness import (
    AlarmFacts,
    DependencyFacts,
    GroupFacts,
    PermissionFacts,
    StackFacts,
    StackState,
    findings_of,
)
from rollback_responder.domain.release import Bad, Ledger
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.target import AfterSuccess
from rollback_responder.domain.trigger import (
    AdoptedAlarm,
    Api,
    ApiErrorCount,
    DeadLetters,
    ErrorRate,
)
from tests.builders import (
    GROUP,
    NOW,
    STACK,
    TARGET,
    a_good,
    a_ledger,
    a_policy,
    an_alarm,
    an_observation,
)

UNREAD = Unread(why="AccessDenied")
(QUEUE,) = question_of(DeadLetters(queue="q"), None).series
(API,) = question_of(ApiErrorCount(api=Api(name="shop"), more_than=10), None).series[:1]
TWO = (("ApiName", "shop"), ("Stage", "live"))
TOPIC = "arn:aws:sns:eu-west-1:111122223333:rollback-alarms-prod"


def an_alias(**changes):
    """An alias that is ready: version 2 is live, version 1 has proved itself and is still there."""
    given = {
        "target": TARGET,
        "versions": frozenset({"1", "2"}),
        "observation": an_observation("2"),
        "ledger": a_ledger(),
        "callers": (Caller(way=Way.EVENT_SOURCE, name="queue", qualifier="live"),),
        "kept": True,
        "aliases": frozenset({"live"}),
    }
    return AliasFacts(**(given | changes))


def a_ready_alarm(**changes):
    given = {
        "name": "rollback.prod.shop.shop.live.error-rate",
        "reading": an_alarm(AlarmState.OK),
        "actions": (TOPIC,),
        "topic": TOPIC,
    }
    return AlarmFacts(**(given | changes))


def a_stack(**changes):
    given = {
        "phase": Phase.SETTLED,
        "status": "UPDATE_COMPLETE",
        "has_role": True,
        "monitoring_minutes": 10,
    }
    return StackFacts(target=STACK, state=StackState(**(given | changes)))


def called(qualifier, way=Way.EVENT_SOURCE):
    return (Caller(way=way, name="orders", qualifier=qualifier),)


def proved(*versions):
    return a_ledger(good=tuple(a_good(version) for version in versions))


ROLLED_BACK_FROM = Bad(version="1", at=NOW, incident_id="inc-1")
READY = {
    "alias": an_alias(),
    "the live version is the way back of the next deploy": an_alias(ledger=proved("2")),
    "no stack publishes its versions": an_alias(kept=None),
    "called by another alias of the policy": an_alias(
        callers=called("canary"), aliases=frozenset({"live", "canary"})
    ),
    "a rollout carries the way back": an_alias(ledger=Ledger(), moved=Moved.NEVER),
    "alarm": a_ready_alarm(),
    "adopted alarm": a_ready_alarm(adopted=True, topic=None, actions=()),
    "dependency": DependencyFacts(name="database", reading=an_alarm(AlarmState.OK)),
    "dependency of which nothing is heard": DependencyFacts(
        name="database", reading=an_alarm(AlarmState.INSUFFICIENT_DATA)
    ),
    "group": GroupFacts(target=GROUP, rolls_back=True),
    "metric": MetricFacts(trigger="dead-letters-q", series=QUEUE, has_data=True),
    "stack": a_stack(),
    "stack on its way": a_stack(phase=Phase.RUNNING),
}
FOUND = [
    (Check.METRIC_WITHOUT_DATA, MetricFacts(trigger="x", series=QUEUE, has_data=False)),
    (Check.NOT_READ, MetricFacts(trigger="x", series=QUEUE, has_data=UNREAD)),
    (Check.FUNCTION_GONE, an_alias(versions=None)),
    (Check.ALIAS_GONE, an_alias(observation=None)),
    (Check.ALIAS_ON_LATEST, an_alias(observation=an_observation("$LATEST"))),
    (Check.NO_WAY_BACK, an_alias(ledger=Ledger())),
    (Check.NO_WAY_BACK, an_alias(target=replace(TARGET, never_back_to=("1",)))),
    (
        Check.NO_WAY_BACK,
        an_alias(target=replace(TARGET, never_back_to=("2",)), ledger=proved("2")),
    ),
    (Check.NO_WAY_BACK, an_alias(ledger=replace(proved("1"), bad=(ROLLED_BACK_FROM,)))),
    (Check.NO_WAY_BACK, an_alias(observation=an_observation("2", "3"), ledger=proved("1"))),
    (Check.NO_WAY_BACK, an_alias(observation=an_observation("1", "2"), ledger=proved("2"))),
    (Check.NOTHING_PROVED, an_alias(ledger=Ledger(), moved=Moved.ONCE_FINISHED)),
    (Check.VERSION_DELETED, an_alias(ledger=proved("2", "0"))),
    (Check.WAY_BACK_NOT_KEPT, an_alias(kept=False)),
    (Check.VERSION_NOT_KEPT, an_alias(kept=False, moved=Moved.ONCE_FINISHED)),
    (Check.VERSION_NOT_KEPT, an_alias(kept=False, moved=Moved.NEVER)),
    (Check.PAST_THE_ALIAS, an_alias(callers=called(None))),
    (Check.PAST_THE_ALIAS, an_alias(callers=called("$LATEST", Way.API))),
    (Check.PAST_THE_ALIAS, an_alias(callers=called("7", Way.FUNCTION_URL))),
    (Check.MAY_CALL_PAST_IT, an_alias(callers=called(None, Way.PERMISSION))),
    (Check.OTHER_ALIAS, an_alias(callers=called("beta"))),
    (Check.CONCURRENCY_ON_VERSION, an_alias(concurrency=("2",))),
    (Check.CONCURRENCY_MOVES, an_alias(concurrency=("live",))),
    (Check.NOT_READ, an_alias(versions=UNREAD)),
    (Check.NOT_READ, an_alias(observation=UNREAD)),
    (Check.NOT_READ, an_alias(ledger=UNREAD)),
    (Check.NOT_READ, an_alias(callers=(UNREAD,))),
    (Check.NOT_READ, an_alias(concurrency=UNREAD)),
    (Check.NOT_READ, an_alias(kept=UNREAD)),
    (Check.NOT_READ, a_ready_alarm(reading=UNREAD)),
    (Check.NOT_READ, a_ready_alarm(muted_by=UNREAD)),
    (Check.NOT_READ, GroupFacts(target=GROUP, rolls_back=UNREAD)),
    (Check.NOT_READ, StackFacts(target=STACK, state=UNREAD)),
    (Check.ALARM_GONE, a_ready_alarm(reading=None)),
    (Check.ALARM_DISABLED, a_ready_alarm(reading=an_alarm(AlarmState.OK, actions_enabled=False))),
    (Check.ALARM_WITHOUT_ACTION, a_ready_alarm(actions=())),
    (Check.ALARM_MUTED, a_ready_alarm(muted_by="the night")),
    (
        Check.ALARM_SUPPRESSED,
        a_ready_alarm(reading=an_alarm(AlarmState.OK, suppressed_by="Alarm")),
    ),
    (Check.ALARM_UNSOUND, a_ready_alarm(reading=an_alarm(AlarmState.OK, unsound="PARTIAL_DATA"))),
    (Check.ALARM_WITHOUT_DATA, a_ready_alarm(reading=an_alarm(AlarmState.INSUFFICIENT_DATA))),
    (Check.ALARM_FIRES, a_ready_alarm(reading=an_alarm())),
    (Check.NOT_READ, DependencyFacts(name="database", reading=UNREAD)),
    (Check.DEPENDENCY_GONE, DependencyFacts(name="database", reading=None)),
    (Check.DEPENDENCY_FIRES, DependencyFacts(name="database", reading=an_alarm())),
    (Check.GROUP_GONE, GroupFacts(target=GROUP, rolls_back=None)),
    (Check.GROUP_WITHOUT_ROLLBACK, GroupFacts(target=GROUP, rolls_back=False)),
    (Check.STACK_GONE, StackFacts(target=STACK, state=None)),
    (Check.STACK_NOT_STABLE, a_stack(phase=Phase.STUCK, status="UPDATE_ROLLBACK_FAILED")),
    (Check.STACK_IS_NESTED, a_stack(root="parent")),
    (Check.STACK_WITHOUT_ROLE, a_stack(has_role=False)),
    (Check.STACK_WITHOUT_MONITORING, a_stack(monitoring_minutes=0)),
]


@pytest.mark.parametrize("name", READY)
def test_what_is_ready_has_no_finding(name):
    assert list(findings_of(READY[name])) == []


@pytest.mark.parametrize(("check", "fact"), FOUND)
def test_what_is_wrong_is_found_and_nothing_else(check, fact):
    (finding,) = findings_of(fact)

    assert finding.check is check
    assert finding.level is LEVELS[check]
    assert finding.about
    assert finding.found
    assert finding.fix


def test_only_the_metrics_that_a_person_names_are_looked_at():
    triggers = (ErrorRate(threshold_percent=5), DeadLetters(queue="q"), AdoptedAlarm(name="theirs"))
    service = replace(a_policy().services[0], triggers=triggers)

    assert list(named_series(service)) == [("dead-letters-q", QUEUE)]


def of_the_whole():
    yield readiness.paused("joe")
    yield readiness.observes("shop")
    yield readiness.slack_secret("it is empty")
    yield readiness.no_approvers(["shop", "cart"])
    yield from readiness.denied([_permission("implicitDeny")])


def test_what_is_found_is_said_with_what_to_do_about_it():
    """Word for word, in the order in which it is told: `GOLDEN=write` writes it anew."""
    more = [
        a_ready_alarm(reading=None, adopted=True),
        a_ready_alarm(reading=None, vouches=False),
        an_alias(ledger=proved("2", "0", "9")),
        an_alias(concurrency=("1", "2", "live")),
        MetricFacts(trigger="x", series=API, has_data=False),
        MetricFacts(trigger="x", series=replace(QUEUE, namespace="Shop"), has_data=False),
        MetricFacts(trigger="x", series=replace(QUEUE, dimensions=()), has_data=False),
        MetricFacts(trigger="x", series=replace(QUEUE, dimensions=TWO), has_data=False),
    ]
    facts = [fact for _, fact in FOUND] + more
    findings = [*of_the_whole(), *(finding for fact in facts for finding in findings_of(fact))]

    golden.check(
        "findings.txt",
        "\n".join(
            f"{finding.check.value} ({finding.level.value}), {finding.about}\n"
            f"    {finding.found}\n    {finding.fix}\n"
            for finding in findings
        ),
    )


def test_every_check_is_produced():
    produced = {check for check, _ in FOUND} | {finding.check for finding in of_the_whole()}

    assert produced == set(Check)


def test_only_what_keeps_a_rollback_from_working_is_an_error():
    """Each error is one that the responder would stand down for, or that leaves traffic behind."""
    errors = {check for check, level in LEVELS.items() if level is Level.ERROR}

    assert errors == {
        Check.PAUSED,
        Check.FUNCTION_GONE,
        Check.ALIAS_GONE,
        Check.ALIAS_ON_LATEST,
        Check.NO_WAY_BACK,
        Check.WAY_BACK_NOT_KEPT,
        Check.PAST_THE_ALIAS,
        Check.ALARM_GONE,
        Check.ALARM_DISABLED,
        Check.DEPENDENCY_GONE,
        Check.GROUP_GONE,
        Check.STACK_GONE,
        Check.STACK_NOT_STABLE,
        Check.STACK_IS_NESTED,
        Check.NOT_ALLOWED,
    }


@example(versions=frozenset("2"), good=["1"], live="2")
@given(
    versions=st.frozensets(st.sampled_from("123"), max_size=3),
    good=st.lists(st.sampled_from("123"), max_size=3, unique=True),
    live=st.sampled_from("123"),
)
def test_a_version_that_is_not_there_any_more_is_no_way_back(versions, good, live):
    fact = an_alias(
        versions=versions | {live}, observation=an_observation(live), ledger=proved(*good)
    )
    found = {finding.check for finding in findings_of(fact)}
    there = [version for version in good if version in versions | {live}]

    assert (Check.VERSION_DELETED in found) is (len(there) < len(good))
    assert (Check.NO_WAY_BACK in found) is not any(version <= live for version in there)


def test_a_call_past_the_alias_is_named_with_where_to_point_it():
    (finding,) = findings_of(an_alias(callers=called("7")))

    assert "event source orders calls version 7" in finding.found
    assert finding.fix == "point it at shop:live"


@pytest.mark.parametrize(
    ("how", "found", "fix"),
    [
        ({}, "and no release proves itself", "deploy the alarm stacks again"),
        ({"adopted": True}, "and no release proves itself", "create it, or take its trigger"),
        ({"vouches": False}, "it wakes nobody", "deploy the alarm stacks again"),
    ],
)
def test_an_alarm_that_is_not_there_is_made_by_whose_it_is(how, found, fix):
    (finding,) = findings_of(a_ready_alarm(reading=None, **how))

    assert found in finding.found
    assert ("proves" in finding.found) is how.get("vouches", True)
    assert finding.fix.startswith(fix)


# -- permissions ----------------------------------------------------------------------------------


def _permission(decision):
    need = Need(action="lambda:UpdateAlias", resource="arn", title="shop:live")
    return PermissionFacts(need=need, decision=decision)


def test_only_what_is_allowed_is_allowed():
    decisions = ["allowed", "implicitDeny", "explicitDeny", "something new"]
    findings = list(readiness.denied(map(_permission, decisions)))

    assert [finding.found.rpartition("(")[2] for finding in findings] == [
        f"{decision})" for decision in decisions[1:]
    ]


def test_what_the_policy_opts_into_is_needed_as_well():
    opted = {
        "codedeploy:CreateDeployment",
        "codedeploy:RegisterApplicationRevision",
        "cloudformation:ContinueUpdateRollback",
    }
    for targets, wanted in (
        ([{}, {}], set()),
        ([{"after_success": "redeploy"}, {"continue_rollback": True}], opted),
    ):
        group, stack = targets
        document = a_policy().to_document()
        document["services"][0]["targets"] += [
            {"kind": "codedeploy_group", "application": "shop", "group": "live", **group},
            {"kind": "cloudformation_stack", "stack": "shop", **stack},
        ]
        needs = {need.action: need.resource for need in needs_of(parse_policy(document))}
        assert needs.keys() & opted == wanted
    assert needs["codedeploy:CreateDeployment"].endswith(":deploymentgroup:shop/live")


def test_the_command_line_knows_names_that_the_deployment_made():
    assert naming.stack_name("prod") == "RollbackResponder-prod"
    assert naming.slack_secret_name("prod") == "rollback-responder/prod/slack"


def test_a_service_that_is_only_observed_needs_no_permission_to_act():
    acts = {
        "lambda:UpdateAlias",
        "codedeploy:StopDeployment",
        "cloudformation:CancelUpdateStack",
    }
    targets = [
        {"kind": "lambda_alias", "function": "shop", "alias": "live"},
        {"kind": "codedeploy_group", "application": "shop", "group": "live"},
        {"kind": "cloudformation_stack", "stack": "shop"},
    ]
    document = a_policy().to_document()
    document["services"][0]["targets"] = targets
    for mode, wanted in (("observe", set()), ("approve", acts), ("enforce", acts)):
        needs = needs_of(parse_policy(document | {"mode": mode}))
        assert {need.action for need in needs} & acts == wanted


@pytest.mark.parametrize(
    ("rollouts", "when"),
    [
        ((), Moved.ALWAYS),
        ((STACK,), Moved.ONCE_FINISHED),
        ((GROUP,), Moved.NEVER),
        ((replace(GROUP, after_success=AfterSuccess.REDEPLOY), STACK), Moved.ONCE_FINISHED),
    ],
)
def test_when_an_alias_is_moved_back_goes_by_what_rolls_it_out(rollouts, when):
    (service,) = a_policy().services
    assert moved(replace(service, targets=(TARGET, *rollouts))) is when
