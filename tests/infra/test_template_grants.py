"""Each role may do exactly what is listed here, and nobody may act on the responder itself."""

import pytest
from policy_sentry.querying.actions import get_action_data
from policy_sentry.querying.all import get_all_actions

from infra.grants import respond_grants
from infra.grants.everything import REASONS
from infra.grants.grant import LONGEST_POLICY, MOST_POLICIES, Grant, GrantError, pack
from rollback_responder.domain.policy import parse_policy
from tests.infra.deployed import statements
from tests.infra.synthesis import POLICY

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:"
JOURNAL = "<Journal.Arn>"
QUEUE, DEAD_LETTERS = "<Ingress/Alarms.Arn>", "<Ingress/DeadLetters.Arn>"
ROLES = ("Responder/Respond/Role", "Watcher/Watch/Role", "Notifier/Notify/Role")
KINDS = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")

EXPECTED = {
    "Responder/Respond/Role": {
        ("<Responder/Respond/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        (QUEUE,): {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
        (DEAD_LETTERS,): {"sqs:SendMessage"},
        (JOURNAL,): {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        ("*",): {"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"},
        # Enforced: may be moved.
        (f"{FUNCTION}checkout", f"{FUNCTION}checkout-worker"): {
            "lambda:GetAlias",
            "lambda:UpdateAlias",
        },
        # Only observed: may not.
        (f"{FUNCTION}search",): {"lambda:GetAlias"},
    },
    "Watcher/Watch/Role": {
        ("<Watcher/Watch/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        (QUEUE,): {"sqs:SendMessage"},
        (JOURNAL,): {
            "dynamodb:BatchGetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        },
        ("*",): {"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"},
        tuple(
            f"{FUNCTION}{name}{versions}"
            for name in ("checkout", "checkout-worker", "search")
            for versions in ("", ":*")
        ): {"lambda:GetAlias", "lambda:GetFunctionConfiguration"},
    },
    "Notifier/Notify/Role": {
        ("<Notifier/Notify/Logs.Arn>",): {"logs:CreateLogStream", "logs:PutLogEvents"},
        ("<Journal.StreamArn>",): {
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
        },
        ("*",): {"dynamodb:ListStreams"},
        ("<SlackSecret>",): {"secretsmanager:GetSecretValue"},
        (JOURNAL,): {"dynamodb:UpdateItem"},
        ("<NotifyFailures.Arn>",): {"sqs:SendMessage"},
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


def test_only_respond_may_move_a_target(responder):
    movers = [
        role
        for role in ROLES
        if any("lambda:UpdateAlias" in s["Action"] for s in held_by(responder, role))
    ]
    assert movers == ["Responder/Respond/Role"]


def test_an_observed_policy_cannot_move_anything():
    observed = parse_policy({**POLICY, "mode": "observe"})
    assert {action for grant in respond_grants(observed) for action in grant.actions} == {
        "lambda:GetAlias"
    }


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
    named = {a for s in every_statement(responder) for a in s["Action"]} - {"iam:*"}
    assert {action for action in named if action.lower() not in known} == set()


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
    assert len(functions) == 3
    assert set(denials["NeverItself"]["Resource"]) == own
    assert "lambda:UpdateAlias" in denials["NeverItself"]["Action"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "action",
    [
        "iam:*",
        "lambda:UpdateFunctionCode",
        "lambda:DeleteFunction",
        "lambda:PublishVersion",
        "lambda:AddPermission",
        "codedeploy:CreateDeployment",
        "cloudformation:UpdateStack",
        "cloudformation:DeleteStack",
        "cloudformation:CreateStack",
        "cloudformation:SetStackPolicy",
        "cloudwatch:SetAlarmState",
        "cloudwatch:DisableAlarmActions",
        "cloudwatch:PutAlarmMuteRule",
        "cloudwatch:DeleteAlarms",
        "dynamodb:DeleteItem",
    ],
)
def test_no_role_may_make_delete_or_hush(responder, role, action):
    denials = {s["Sid"]: s for s in held_by(responder, role, "Deny")}
    assert action in denials["NeverMakeDeleteOrHush"]["Action"]
    assert denials["NeverMakeDeleteOrHush"]["Resource"] == ["*"]


def test_only_the_tick_may_invoke_and_only_the_watcher(responder):
    (permission,) = responder.of_type("AWS::Lambda::Permission").values()
    assert permission == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "<Watcher/Watch/Function.Arn>",
        "Principal": "events.amazonaws.com",
        "SourceArn": "<Watcher/Tick.Arn>",
    }


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
