"""Each role may do exactly what is listed here, and nobody may act on the responder itself."""

import json
from collections import defaultdict
from fnmatch import filter as fnmatches
from fnmatch import fnmatchcase

import pytest
from policy_sentry.querying.actions import get_action_data
from policy_sentry.querying.all import get_all_actions

from infra.denials import ACTS_OF_IAM
from infra.grants import may_deploy, respond_grants, respond_on_everything, watch_grants
from infra.grants.everything import REASONS
from infra.grants.grant import LONGEST_POLICY, MOST_POLICIES, Grant, GrantError, pack
from rollback_responder.domain.policy import parse_policy
from tests.infra.deployed import statements
from tests.infra.synthesis import POLICY

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:"
CODEDEPLOY = "arn:aws:codedeploy:eu-west-1:111122223333:"
JOURNAL = "<Journal.Arn>"
MUTE_RULES = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm-mute-rule:*"
QUEUE, DEAD_LETTERS = "<Ingress/Alarms.Arn>", "<Ingress/DeadLetters.Arn>"
ROLES = (
    "Responder/Respond/Role",
    "Watcher/Watch/Role",
    "Notifier/Notify/Role",
    "Interactor/Interact/Role",
)
KINDS = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")

READ_MUTES = {"cloudwatch:GetAlarmMuteRule", "cloudwatch:ListAlarmMuteRules"}
READ_GROUP = {
    "codedeploy:BatchGetDeployments",
    "codedeploy:GetDeployment",
    "codedeploy:GetDeploymentGroup",
    "codedeploy:ListDeployments",
}
READ_STACK = {"cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"}
# What changes something in AWS that people deploy.
ACTS = {
    "lambda:UpdateAlias",
    "codedeploy:StopDeployment",
    "codedeploy:CreateDeployment",
    "codedeploy:RegisterApplicationRevision",
    "cloudformation:CancelUpdateStack",
    "cloudformation:ContinueUpdateRollback",
}


def group(name):
    return f"{CODEDEPLOY}deploymentgroup:{name}"


def stack(name):
    return f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{name}/*"


EXPECTED = {
    "Responder/Respond/Role": {
        ("<Responder/Respond/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        (QUEUE,): {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
        (DEAD_LETTERS,): {"sqs:SendMessage"},
        # The rows of siblings are read beside the own.
        (JOURNAL,): {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        (MUTE_RULES,): READ_MUTES,
        ("*",): {
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
            "codedeploy:StopDeployment",
        },
        # Enforced, or after an approval: may be moved.
        tuple(
            f"{FUNCTION}{name}"
            for name in ("checkout", "checkout-worker", "payments", "storefront")
        ): {"lambda:GetAlias", "lambda:UpdateAlias"},
        # Only observed: may not.
        (f"{FUNCTION}search",): {"lambda:GetAlias"},
        tuple(map(group, ("search/prod", "ledger/live", "ledger/batch"))): READ_GROUP,
        (stack("search"),): READ_STACK,
        tuple(map(stack, ("payments", "ledger"))): (
            READ_STACK | {"cloudformation:CancelUpdateStack"}
        ),
        # Only where the policy asks for it.
        (stack("payments"),): {"cloudformation:ContinueUpdateRollback"},
        (group("payments/live"),): READ_GROUP | {"codedeploy:CreateDeployment"},
        (f"{CODEDEPLOY}deploymentconfig:CodeDeployDefault.LambdaAllAtOnce",): {
            "codedeploy:GetDeploymentConfig"
        },
        (f"{CODEDEPLOY}application:payments",): {
            "codedeploy:GetApplicationRevision",
            "codedeploy:RegisterApplicationRevision",
        },
    },
    "Watcher/Watch/Role": {
        ("<Watcher/Watch/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        (QUEUE,): {"sqs:SendMessage"},
        # An order for a drill is written upon the page as it was read.
        (JOURNAL,): {
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        },
        ("*",): {"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"},
        (MUTE_RULES,): READ_MUTES,
        ("<Responder/Respond/Role.Arn>",): {"iam:SimulatePrincipalPolicy"},
        tuple(
            f"{FUNCTION}{name}{versions}"
            for name in ("checkout", "checkout-worker", "search", "payments", "storefront")
            for versions in ("", ":*")
        ): {"lambda:GetAlias", "lambda:GetFunctionConfiguration"},
        tuple(map(group, ("search/prod", "payments/live", "ledger/live", "ledger/batch"))): (
            READ_GROUP
        ),
        tuple(map(stack, ("search", "payments", "ledger"))): READ_STACK,
    },
    "Notifier/Notify/Role": {
        ("<Notifier/Notify/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        ("<Journal.StreamArn>",): {
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
        },
        # The digest reads the rows, the archive and the pause, and the watcher's heartbeat.
        ("*",): {"cloudwatch:GetMetricData", "dynamodb:ListStreams"},
        ("<SlackSecret>",): {"secretsmanager:GetSecretValue"},
        (JOURNAL,): {
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        },
        ("<NotifyFailures.Arn>",): {"sqs:SendMessage"},
    },
    "Interactor/Interact/Role": {
        ("<Interactor/Interact/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        ("<SlackSecret>",): {"secretsmanager:GetSecretValue"},
        (JOURNAL,): {
            "dynamodb:ConditionCheckItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        },
        (QUEUE,): {"sqs:SendMessage"},
    },
}


def policies_of(template, role):
    """Documents of every policy that the role holds, whichever side attaches it."""
    held = template.properties(role).get("ManagedPolicyArns", [])
    for kind in KINDS:
        for name, properties in template.of_type(kind).items():
            if f"<{role}>" in properties.get("Roles", []) or f"<{name}>" in held:
                yield name, properties["PolicyDocument"]


def held_by(template, role, effect="Allow"):
    return [
        statement
        for _, document in policies_of(template, role)
        for statement in statements(document)
        if statement["Effect"] == effect
    ]


def every_statement(template):
    for kind in KINDS:
        for properties in template.of_type(kind).values():
            yield from statements(properties["PolicyDocument"])


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_granted_exactly_this(responder, role):
    granted = [(tuple(s["Resource"]), set(s["Action"])) for s in held_by(responder, role)]
    assert len(granted) == len(EXPECTED[role])
    assert dict(granted) == EXPECTED[role]


def test_there_are_no_other_roles_and_no_policies_of_aws(responder):
    roles = responder.of_type("AWS::IAM::Role")
    assert set(roles) == set(ROLES)
    for role in roles.values():
        assert not [arn for arn in role.get("ManagedPolicyArns", []) if "iam::aws" in arn]
        (trust,) = statements({"Statement": [{**s, "Resource": []} for s in trusts(role)]})
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def trusts(role):
    return role["AssumeRolePolicyDocument"]["Statement"]


@pytest.mark.parametrize("action", sorted(ACTS))
def test_only_respond_may_touch_a_target(responder, action):
    able = [role for role in ROLES if any(action in s["Action"] for s in held_by(responder, role))]
    assert able == ["Responder/Respond/Role"]


def only(name):
    """The policy with this one of its services."""
    (chosen,) = [service for service in POLICY["services"] if service["name"] == name]
    return parse_policy({**POLICY, "services": [{**chosen, "siblings": []}]})


def in_mode(mode):
    """The policy with all of its services in one mode."""
    services = [{**service, "mode": mode} for service in POLICY["services"]]
    return parse_policy({**POLICY, "services": services})


def acts_of(policy):
    granted = {action for grant in respond_grants(policy) for action in grant.actions}
    return {*granted, *respond_on_everything(policy)} & ACTS


def test_an_observed_policy_cannot_touch_anything():
    observed = in_mode("observe")

    assert acts_of(observed) == set()
    assert not may_deploy(observed)
    assert {a for grant in respond_grants(observed) for a in grant.actions} == {
        *READ_MUTES,
        "lambda:GetAlias",
        *READ_GROUP,
        *READ_STACK,
    }


def test_what_a_person_must_approve_needs_the_same_grants_as_what_is_enforced():
    approved, enforced = in_mode("approve"), in_mode("enforce")

    assert list(respond_grants(approved)) == list(respond_grants(enforced))
    assert respond_on_everything(approved) == respond_on_everything(enforced)
    assert acts_of(approved) == ACTS
    assert may_deploy(approved)


@pytest.mark.parametrize("mode", ["observe", "approve", "enforce"])
def test_the_watcher_is_granted_the_same_in_every_mode(mode):
    grants = list(watch_grants(in_mode(mode)))

    assert grants == list(watch_grants(parse_policy(POLICY)))
    assert not {action for grant in grants for action in grant.actions} & ACTS


def test_a_trigger_that_is_held_back_takes_no_grant_from_its_service():
    document = json.loads(json.dumps(POLICY))
    for service in document["services"]:
        service["triggers"] = [{**t, "mode": "observe"} for t in service["triggers"]]

    assert list(respond_grants(parse_policy(document))) == list(
        respond_grants(parse_policy(POLICY))
    )


@pytest.mark.parametrize(
    ("service", "acts"),
    [
        ("checkout", {"lambda:UpdateAlias"}),
        ("search", set()),
        ("storefront", {"lambda:UpdateAlias"}),
        ("ledger", {"codedeploy:StopDeployment", "cloudformation:CancelUpdateStack"}),
        ("payments", ACTS),
    ],
)
def test_a_service_brings_the_acts_that_it_asks_for_and_no_other(service, acts):
    assert acts_of(only(service)) == acts
    assert may_deploy(only(service)) is ("codedeploy:CreateDeployment" in acts)


def test_a_failed_rollback_is_continued_without_a_role_of_its_own(responder):
    """A role that is passed once would be used for every later operation on the stack."""
    conditions = {
        action: statement.get("Condition")
        for statement in held_by(responder, "Responder/Respond/Role")
        for action in statement["Action"]
        if statement.get("Condition")
    }
    assert conditions == {
        "cloudformation:ContinueUpdateRollback": {"Null": {"cloudformation:RoleArn": "true"}}
    }


def test_iam_knows_the_condition_that_keeps_the_role_out():
    known = get_action_data("cloudformation", "ContinueUpdateRollback")["cloudformation"]

    assert "cloudformation:RoleArn" in {key for row in known for key in row["condition_keys"]}


def test_equal_actions_under_another_condition_are_another_statement():
    free = Grant(actions=("a:One",), resources=("arn:x",))
    bound = Grant(actions=("a:One",), resources=("arn:x",), without=("a:Key",))

    assert pack([free, bound]) == [[free, bound]]


@pytest.fixture(scope="module")
def cautious(synthesise):
    """The same services; none may deploy anything, and none has siblings."""
    document = json.loads(json.dumps(POLICY))
    for service in document["services"]:
        service.pop("siblings", None)
        for target in service["targets"]:
            target.pop("after_success", None)
    return synthesise(document).responder


def test_rows_of_others_are_read_only_where_a_service_has_siblings(responder, cautious):
    read = {
        name: [
            a
            for s in held_by(template, ROLES[0])
            if s["Resource"] == [JOURNAL]
            for a in s["Action"]
        ]
        for name, template in (("siblings", responder), ("none", cautious))
    }
    assert set(read["siblings"]) - set(read["none"]) == {"dynamodb:BatchGetItem"}
    assert set(read["none"]) == {"dynamodb:PutItem", "dynamodb:UpdateItem"}


@pytest.mark.parametrize("role", ROLES)
def test_a_deployment_is_denied_to_everybody_unless_a_group_asks_for_it(responder, cautious, role):
    for template, denied in ((cautious, True), (responder, False)):
        denials = {s["Sid"]: s for s in held_by(template, role, "Deny")}
        assert ("codedeploy:CreateDeployment" in denials["NeverMakeDeleteOrHush"]["Action"]) is (
            denied
        )


def test_nothing_that_is_granted_is_denied_as_well(responder, cautious):
    for template in (responder, cautious):
        for role in ROLES:
            allowed = {a for s in held_by(template, role) for a in s["Action"]}
            (never,) = [
                s for s in held_by(template, role, "Deny") if s["Sid"] == "NeverMakeDeleteOrHush"
            ]
            assert not any(fnmatches(allowed, pattern) for pattern in never["Action"])


def test_everything_is_granted_only_for_a_stated_reason(responder):
    for role in ROLES:
        for statement in held_by(responder, role):
            if "*" in statement["Resource"]:
                assert set(statement["Action"]) <= set(REASONS)
    assert all(len(reason) > 50 for reason in REASONS.values())


def test_no_stated_reason_is_left_over(responder):
    used = {a for s in every_statement(responder) if s["Resource"] == ["*"] for a in s["Action"]}
    assert set(REASONS) <= used


def test_what_is_granted_is_never_a_pattern_of_actions(responder):
    for role in ROLES:
        assert not [a for s in held_by(responder, role) for a in s["Action"] if "*" in a]


def test_iam_knows_every_action(responder):
    known = {action.lower() for action in get_all_actions()}
    named = {a for s in every_statement(responder) for a in s["Action"]}
    unknown = {action for action in named if not fnmatches(known, action.lower())}
    assert unknown == set()


def test_an_action_without_a_resource_type_is_granted_on_everything_only(responder):
    """IAM would quietly ignore a narrower grant."""
    for role in ROLES:
        for statement in held_by(responder, role):
            for action in statement["Action"]:
                service, name = action.split(":")
                kinds = {r["resource_arn_format"] for r in get_action_data(service, name)[service]}
                if kinds == {"*"}:
                    assert statement["Resource"] == ["*"], action


@pytest.mark.parametrize("role", ROLES)
def test_no_role_may_touch_the_responder_itself(responder, role):
    denials = {s["Sid"]: s for s in held_by(responder, role, "Deny")}
    functions = responder.of_type("AWS::Lambda::Function")
    own = {f"<{name}.Arn>" for name in functions} | {f"<{name}.Arn>:*" for name in functions}
    assert len(functions) == 4
    assert set(denials["NeverItself"]["Resource"]) == own
    assert "lambda:UpdateAlias" in denials["NeverItself"]["Action"]
    stacks = denials["NeverItsStacks"]
    assert stacks["Action"] == [
        "cloudformation:CancelUpdateStack",
        "cloudformation:ContinueUpdateRollback",
    ]
    assert [arn.rpartition(":")[2] for arn in stacks["Resource"]] == [
        "stack/RollbackResponder-test/*",
        "stack/RollbackAlarms-test-*/*",
    ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "action",
    [
        *ACTS_OF_IAM,
        "lambda:UpdateFunctionCode",
        "lambda:DeleteFunction",
        "lambda:PublishVersion",
        "lambda:AddPermission",
        "cloudformation:RollbackStack",
        "cloudformation:CreateChangeSet",
        "cloudformation:DeleteChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:UpdateStack",
        "cloudformation:DeleteStack",
        "cloudformation:CreateStack",
        "cloudformation:SetStackPolicy",
        "cloudwatch:SetAlarmState",
        "cloudwatch:DisableAlarmActions",
        "cloudwatch:PutAlarmMuteRule",
        "cloudwatch:DeleteAlarms",
        "cloudwatch:PutMetricAlarm",
        "dynamodb:DeleteItem",
        "dynamodb:UpdateTable",
        "events:*",
        "scheduler:*",
        "secretsmanager:Put*",
        "sns:*",
        "sqs:PurgeQueue",
    ],
)
def test_no_role_may_make_delete_or_hush(responder, role, action):
    denials = {s["Sid"]: s for s in held_by(responder, role, "Deny")}
    assert action in denials["NeverMakeDeleteOrHush"]["Action"]
    assert denials["NeverMakeDeleteOrHush"]["Resource"] == ["*"]


@pytest.mark.parametrize("role", ROLES)
def test_iam_itself_may_only_be_asked_what_it_would_say(responder, role):
    patterns = {s["Sid"]: s for s in held_by(responder, role, "Deny")}["NeverMakeDeleteOrHush"]
    left = {
        action
        for action in get_all_actions()
        if action.startswith("iam:")
        and not any(fnmatchcase(action, pattern) for pattern in patterns["Action"])
    }
    assert left == {"iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy"}


def invokers(template):
    """Who may call a function, by the function."""
    found = defaultdict(list)
    for permission in template.of_type("AWS::Lambda::Permission").values():
        found[permission["FunctionName"]].append(permission)
    return found


def test_slack_s_address_is_open_for_requests_and_for_nothing_else(responder):
    """Slack cannot sign for IAM; `interact` proves Slack's own signature instead."""
    url = responder.properties("Interactor/Interact/Function/FunctionUrl")
    assert url["AuthType"] == "NONE"
    for permission in invokers(responder)["<Interactor/Interact/Function.Arn>"]:
        assert permission["Principal"] == "*"
        assert permission.get("InvokedViaFunctionUrl") or permission["FunctionUrlAuthType"]


def test_where_nobody_may_press_there_is_no_address(synthesise):
    template = synthesise(POLICY | {"slack": {"channel": "#deploys"}}).responder
    assert not template.of_type("AWS::Lambda::Url")
    assert len(template.of_type("AWS::Lambda::Function")) == 3
    assert set(invokers(template)) == {
        "<Watcher/Watch/Function.Arn>",
        "<Notifier/Notify/Function.Arn>",
    }


def test_only_the_tick_and_what_wakes_may_invoke_the_watcher_and_its_clock_notify(responder):
    rules = [name for name in responder.of_type("AWS::Events::Rule") if name.startswith("Watcher/")]
    found = invokers(responder)
    notify = found["<Notifier/Notify/Function.Arn>"]
    assert [p["SourceArn"] for p in notify] == [
        "<Notifier/Preflight.Arn>",
        "<Notifier/Digest.Arn>",
    ]
    assert set(found) == {
        "<Watcher/Watch/Function.Arn>",
        "<Notifier/Notify/Function.Arn>",
        "<Interactor/Interact/Function.Arn>",
    }
    permissions = found["<Watcher/Watch/Function.Arn>"]
    assert "Watcher/Tick" in rules
    assert len(rules) > 1
    assert sorted(p["SourceArn"] for p in permissions) == sorted(f"<{n}.Arn>" for n in rules)
    for permission in permissions:
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["FunctionName"] == "<Watcher/Watch/Function.Arn>"
        assert permission["Principal"] == "events.amazonaws.com"


def test_equal_actions_share_a_statement_and_no_resource_is_granted_twice():
    grant = Grant(actions=("a:One",), resources=("arn:x",))
    other = Grant(actions=("a:Two",), resources=("arn:x",))
    assert pack([grant, other, grant]) == [[grant, other]]


def test_a_full_policy_is_followed_by_another_and_nothing_is_lost():
    arns = tuple(f"arn:{'x' * 100}{i:04d}" for i in range(200))
    packed = pack([Grant(actions=("a:One", "a:Two"), resources=arns)])
    assert len(packed) > 1
    assert tuple(arn for document in packed for grant in document for arn in grant.resources) == (
        arns
    )
    for document in packed:
        size = sum(len(arn) + 3 for grant in document for arn in grant.resources)
        assert size < LONGEST_POLICY


def test_too_many_targets_for_one_role_are_refused_in_words(synthesise):
    services = [
        {
            "name": f"s{i}",
            "targets": [{"kind": "lambda_alias", "function": f"{i:064d}", "alias": "live"}],
            "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
        }
        for i in range(300)
    ]
    with pytest.raises(GrantError, match=f"IAM lets a role have {MOST_POLICIES}; part"):
        synthesise({**POLICY, "services": services})
