"""A thousand services can be deployed: what they synthesise into stays within AWS's limits.

Each limit is a quota that the service's own documentation names.
"""

import json
from fnmatch import fnmatchcase

import pytest
from aws_cdk import Aws

from infra.grants import respond_grants, watch_grants
from infra.grants.grant import LONGEST_POLICY, MOST_POLICIES, GrantError, pack
from infra.patterns import LONGEST_PATTERN, rollout_patterns
from rollback_responder.domain.permissions import needs_of
from rollback_responder.domain.policy import parse_policy
from tests.infra.deployed import statements
from tests.infra.synthesis import POLICY

pytestmark = pytest.mark.growth

SERVICES = 1000
# The longest partition, region and account together; the longest name that a rule can be given.
LONGEST = {"eu-west-1": "us-gov-west-1", "arn:aws:": "arn:aws-us-gov:"}
ACTING = {
    "lambda:UpdateAlias",
    "cloudformation:CancelUpdateStack",
    "cloudformation:ContinueUpdateRollback",
}
LONGEST_RULE = f"arn:aws-us-gov:events:us-gov-west-1:111122223333:rule/{'x' * 64}"


def a_service(number):
    """Each has an alias and a stack, every second a CodeDeploy group, and three alarms."""
    name = f"service-{number:05}"
    group = {"kind": "codedeploy_group", "application": name, "group": "live"}
    return {
        "name": name,
        "siblings": [f"service-{(number + 1) % SERVICES:05}"],
        "targets": [
            {"kind": "lambda_alias", "function": name, "alias": "live"},
            *([group] if number % 2 else []),
            {"kind": "cloudformation_stack", "stack": name},
        ],
        "triggers": [
            {"kind": "error_rate", "threshold_percent": 5, "severity": "critical"},
            {"kind": "latency", "statistic": "p95", "threshold_ms": 1500},
            {"kind": "alarm", "name": f"{name}-at-the-edge"},
        ],
    }


def a_policy(**changes):
    document = {**POLICY, "services": [a_service(number) for number in range(SERVICES)]}
    return {**document, "access": "tags", **changes}


@pytest.fixture(scope="module")
def grown(synthesise):
    return synthesise(a_policy())


@pytest.fixture(scope="module")
def responder(grown):
    return grown.responder


def length(value):
    text = json.dumps(value, separators=(",", ":"))
    for short, long in LONGEST.items():
        text = text.replace(short, long)
    return len(text)


def test_of_more_services_than_a_morning_looks_at_nobody_is_told_that_all_is_well(responder):
    """The next morning looks at others, and says nothing of what this one found."""
    alarms = responder.of_type("AWS::CloudWatch::Alarm").values()
    quiet = [alarm["AlarmName"] for alarm in alarms if "OKActions" not in alarm]
    assert quiet == ["rollback-responder-test-not-ready"]


def test_no_stack_is_larger_than_cloudformation_takes(grown):
    for template in grown.templates.values():
        assert template.path.stat().st_size <= 1_000_000
        assert len(template.document["Resources"]) <= 500
        assert len(template.document.get("Outputs", {})) <= 200
        assert len(template.document.get("Parameters", {})) <= 200
        assert len(template.document.get("Mappings", {})) <= 200


def test_every_alarm_of_every_service_is_made_once(grown):
    made = [
        alarm["AlarmName"]
        for template in grown.alarm_stacks
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
    ]
    wanted = {e.alarm_name for e in grown.policy.watched() if e.trigger.kind != "alarm"}
    assert len(made) == 2 * SERVICES
    assert set(made) == wanted


def test_no_role_holds_more_than_iam_takes(responder):
    for policy in responder.of_type("AWS::IAM::ManagedPolicy").values():
        assert length(policy["PolicyDocument"]) <= LONGEST_POLICY
    attached = [
        len(role.get("ManagedPolicyArns", []))
        for role in responder.of_type("AWS::IAM::Role").values()
    ]
    assert sum(attached) == len(responder.of_type("AWS::IAM::ManagedPolicy")) > 2
    assert max(attached) <= MOST_POLICIES
    inline = {}
    for policy in responder.of_type("AWS::IAM::Policy").values():
        for role in policy["Roles"]:
            inline[role] = inline.get(role, 0) + length(policy["PolicyDocument"])
    assert max(inline.values()) <= 10_240


def test_no_queue_and_no_function_knows_more_callers_than_its_policy_holds(responder):
    for policy in responder.of_type("AWS::SQS::QueuePolicy").values():
        document = policy["PolicyDocument"]
        assert len(document["Statement"]) <= 20
        text = json.dumps(document, separators=(",", ":"))
        rules = [name for name in responder.of_type("AWS::Events::Rule") if name in text]
        for rule in rules:
            text = text.replace(f"<{rule}.Arn>", LONGEST_RULE)
        assert len(text) <= 8_192
    callers = {}
    for permission in responder.of_type("AWS::Lambda::Permission").values():
        known = callers.setdefault(permission["FunctionName"], [])
        known.append(json.dumps(permission) + LONGEST_RULE * 3)
    assert max(len("".join(known)) for known in callers.values()) <= 20_480


def test_what_the_functions_are_told_fits(responder):
    for function in responder.of_type("AWS::Lambda::Function").values():
        assert length(function["Environment"]) <= 4_096


def test_no_more_rules_than_a_bus_takes_and_none_too_long(responder):
    rules = responder.of_type("AWS::Events::Rule")
    assert len(rules) <= 300
    patterns = [rule["EventPattern"] for rule in rules.values() if "EventPattern" in rule]
    assert max(length(pattern) for pattern in patterns) <= LONGEST_PATTERN


def test_every_adopted_alarm_has_a_rule_that_brings_it_to_the_queue(responder, grown):
    named = {
        name
        for rule, properties in responder.of_type("AWS::Events::Rule").items()
        if rule.startswith("Ingress/")
        for name in properties["EventPattern"]["detail"]["alarmName"]
        if isinstance(name, str)
    }
    assert named == {e.alarm_name for e in grown.policy.watched() if e.trigger.kind == "alarm"}


def test_more_aliases_than_one_account_can_read_in_a_minute_are_warned_of(grown):
    text = (grown.folder / "manifest.json").read_text()
    for file in grown.folder.glob("*.metadata.json"):
        text += file.read_text()

    assert f"{SERVICES} aliases are more than 500" in text
    assert "take 15 rules" not in text
    assert "15 are made: what they do not tell is seen within the minute" in text


def test_by_name_they_are_too_many_for_a_role_and_the_error_says_what_to_do(synthesise):
    with pytest.raises(GrantError, match=r"IAM lets a role have 10; part .* or grant by tags"):
        synthesise(a_policy(access="names"))


def test_too_many_adopted_alarms_for_the_queue_are_refused_in_words(synthesise):
    services = [a_service(0)]
    services[0]["siblings"] = []
    services[0]["targets"] = services[0]["targets"][:1]
    services[0]["triggers"] = [{"kind": "alarm", "name": f"{i:0250}"} for i in range(200)]
    with pytest.raises(GrantError, match=r"rules of EventBridge are needed .* holds 25; part"):
        synthesise(a_policy(services=services))


# -- by tags ------------------------------------------------------------------------------------


def open_places(resource):
    here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
    return resource.replace(Aws.PARTITION, "{partition}").replace(here, "{here}")


@pytest.mark.parametrize("mode", ["observe", "approve", "enforce"])
def test_by_tags_respond_may_do_what_it_needs_and_act_only_where_the_tag_says_so(mode):
    policy = parse_policy({**POLICY, "access": "tags", "mode": mode})
    grants = list(respond_grants(policy))
    for need in needs_of(policy):
        if need.resource == "*":
            continue
        assert any(
            need.action in grant.actions and fnmatchcase(need.resource, open_places(resource))
            for grant in grants
            for resource in grant.resources
        ), need
    for grant in grants:
        if not ACTING.isdisjoint(grant.actions):
            assert grant.tagged == ("rollback-target-test", "act")
        for resource in grant.resources:
            if resource.endswith((":function:*", ":stack/*")):
                assert grant.tagged


def test_by_tags_nothing_may_be_moved_where_everything_is_only_observed():
    services = [service | {"mode": "observe"} for service in POLICY["services"]]
    policy = parse_policy({**POLICY, "access": "tags", "services": services})
    actions = {action for grant in respond_grants(policy) for action in grant.actions}
    assert ACTING.isdisjoint(actions)


def test_by_tags_watch_cannot_read_what_respond_could_not_move():
    """So that a tag still at `look` is told each minute, not when a rollback is refused for it."""
    services = [service | {"mode": "enforce"} for service in POLICY["services"]]
    policy = parse_policy({**POLICY, "access": "tags", "services": services})
    tagged = {grant.tagged for grant in watch_grants(policy) if grant.tagged}
    assert tagged == {("rollback-target-test", "act")}


def test_by_tags_every_open_resource_in_the_template_stands_under_its_condition(responder):
    found = 0
    for policy in responder.of_type("AWS::IAM::ManagedPolicy").values():
        for statement in statements(policy["PolicyDocument"]):
            for resource in statement["Resource"]:
                if resource.endswith((":function:*", ":stack/*")):
                    found += 1
                    (values,) = statement["Condition"]["StringEquals"].values()
                    acts = not ACTING.isdisjoint(statement["Action"])
                    assert values == ["act"] or (not acts and values == ["act", "look"])
    assert found >= 4


def test_by_tags_the_number_of_functions_and_stacks_makes_no_policy_longer():
    services = [a_service(number) | {"siblings": []} for number in range(0, SERVICES, 2)]
    few, many = (parse_policy(a_policy(services=some)) for some in (services[:2], services))
    for grants in (respond_grants, watch_grants):
        assert pack(grants(few)) == pack(grants(many))


def test_applications_whose_groups_are_named_alike_share_a_rule_and_no_other_group_is_in_it():
    groups = {"a": ["live"], "b": ["live"], "c": ["live", "batch"], "d": ["batch"]}
    services = [
        {
            "name": f"{application}-{group}",
            "targets": [{"kind": "codedeploy_group", "application": application, "group": group}],
            "triggers": [{"kind": "alarm", "name": f"{application} {group}"}],
        }
        for application, names in groups.items()
        for group in names
    ]
    told = [
        (application, group)
        for pattern in rollout_patterns(parse_policy(a_policy(services=services)))
        for application in pattern["detail"]["application"]
        for group in pattern["detail"]["deploymentGroup"]
    ]
    assert sorted(told) == sorted((a, g) for a, names in groups.items() for g in names)
