"""Alarms get in, nobody else does, and nothing that fails on the way is lost."""

import json

from infra.patterns import LONGEST, alarm_patterns, rollout_patterns
from rollback_responder.domain.policy import parse_policy
from tests.infra.deployed import statements
from tests.infra.synthesis import POLICY

QUEUE, DEAD_LETTERS, TOPIC = "Ingress/Alarms", "Ingress/DeadLetters", "Ingress/Topic"


def policy_of(responder, name):
    return statements(responder.properties(f"{name}/Policy")["PolicyDocument"])


def by_sid(responder, name):
    return {s["Sid"]: s for s in policy_of(responder, name) if "Sid" in s}


def test_only_alarms_of_this_account_and_policy_may_publish_to_the_topic(responder):
    allowed = [s for s in policy_of(responder, TOPIC) if s["Effect"] == "Allow"]
    assert allowed == [
        {
            "Sid": "OnlyAlarmsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["sns:Publish"],
            "Resource": [f"<{TOPIC}>"],
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "111122223333"},
                "ArnLike": {
                    "aws:SourceArn": (
                        "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:rollback.test.*"
                    )
                },
            },
        }
    ]


def test_people_and_roles_of_the_account_may_not_publish_to_the_topic(responder):
    denied = by_sid(responder, TOPIC)["NobodyElse"]
    assert denied["Effect"] == "Deny"
    assert denied["Principal"] == {"AWS": "*"}
    assert denied["Action"] == ["sns:Publish"]
    assert denied["Condition"] == {"Bool": {"aws:PrincipalIsAWSService": "false"}}


def test_topics_and_queues_refuse_what_does_not_come_over_tls(responder):
    policies = {
        **responder.of_type("AWS::SNS::TopicPolicy"),
        **responder.of_type("AWS::SQS::QueuePolicy"),
    }
    holders = {
        **responder.of_type("AWS::SNS::Topic"),
        **responder.of_type("AWS::SQS::Queue"),
    }
    assert {name.removesuffix("/Policy") for name in policies} == set(holders)
    for policy in policies.values():
        denials = [s for s in statements(policy["PolicyDocument"]) if s["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in denials]


def test_a_topic_is_never_on_a_key_that_cloudwatch_cannot_use(responder):
    """Such a topic deploys cleanly and delivers nothing; without a key there is no such trap."""
    for topic in responder.of_type("AWS::SNS::Topic").values():
        assert "KmsMasterKeyId" not in topic


def test_every_queue_is_encrypted_by_sqs(responder):
    for queue in responder.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
        assert "KmsMasterKeyId" not in queue


def test_only_the_topic_and_the_rules_may_send_to_the_queue(responder):
    allowed = [s for s in policy_of(responder, QUEUE) if s["Effect"] == "Allow"]
    assert [(s["Principal"], s["Action"], s["Condition"]) for s in allowed] == [
        (
            {"Service": "sns.amazonaws.com"},
            ["sqs:SendMessage"],
            {"ArnEquals": {"aws:SourceArn": [f"<{TOPIC}>"]}},
        ),
        (
            {"Service": "events.amazonaws.com"},
            ["sqs:SendMessage"],
            {"ArnEquals": {"aws:SourceArn": ["<Ingress/Rule1.Arn>"]}},
        ),
    ]


def test_only_named_senders_may_send_to_a_dead_letter_queue(responder):
    for name in (DEAD_LETTERS, "NotifyFailures"):
        for statement in policy_of(responder, name):
            if statement["Effect"] == "Allow":
                assert statement["Action"] == ["sqs:SendMessage"]
                assert statement["Condition"]["ArnEquals"]["aws:SourceArn"]


def test_the_subscription_keeps_the_envelope_and_has_a_dead_letter_queue(responder):
    subscription = responder.properties("Ingress/Subscription")
    assert subscription == {
        "Endpoint": f"<{QUEUE}.Arn>",
        "Protocol": "sqs",
        "RawMessageDelivery": False,
        "RedrivePolicy": {"deadLetterTargetArn": f"<{DEAD_LETTERS}.Arn>"},
        "TopicArn": f"<{TOPIC}>",
    }


def changes(source, detail_type, detail):
    return {
        "source": [source],
        "account": ["111122223333"],
        "detail-type": [detail_type],
        "detail": detail,
    }


def alarms_in(state):
    adopted = ("ledger is broken", "search is broken (composite)", "storefront is broken (canary)")
    names = [{"prefix": "rollback.test."}, *adopted]
    return changes(
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        {"alarmName": names, "state": {"value": [state]}},
    )


def deployments(application, *groups):
    return changes(
        "aws.codedeploy",
        "CodeDeploy Deployment State-change Notification",
        {"application": [application], "deploymentGroup": list(groups)},
    )


def rules(responder):
    """The patterns, by the function or queue they lead to."""
    found = {QUEUE: [], "Watcher/Watch/Function": []}
    for rule in responder.of_type("AWS::Events::Rule").values():
        if "EventPattern" in rule:
            assert "EventBusName" not in rule
            (target,) = rule["Targets"]
            found[target["Arn"].strip("<>").removesuffix(".Arn")].append(rule["EventPattern"])
    return found


def test_the_queue_gets_alarms_in_scope_that_fire_and_nothing_else(responder):
    assert rules(responder)[QUEUE] == [alarms_in("ALARM")]


def test_the_watcher_looks_at_once_when_an_alarm_clears_or_something_in_scope_moves(responder):
    prefix = "arn:aws:cloudformation:eu-west-1:111122223333:stack"
    assert rules(responder)["Watcher/Watch/Function"] == [
        alarms_in("OK"),
        deployments("ledger", "batch", "live"),
        deployments("payments", "live"),
        deployments("search", "prod"),
        changes(
            "aws.cloudformation",
            "CloudFormation Stack Status Change",
            {
                "stack-id": [
                    {"prefix": f"{prefix}/{name}/"} for name in ("ledger", "payments", "search")
                ]
            },
        ),
    ]


def test_what_is_lost_on_the_way_to_the_watcher_is_not_sent_again(responder):
    """The next tick does better."""
    for name, rule in responder.of_type("AWS::Events::Rule").items():
        if name.startswith("Watcher/"):
            (target,) = rule["Targets"]
            assert target["RetryPolicy"] == {
                "MaximumEventAgeInSeconds": 60,
                "MaximumRetryAttempts": 0,
            }


def test_events_go_straight_to_queue_or_function_and_never_through_the_topic(responder):
    wanted = {
        "Ingress": f"<{QUEUE}.Arn>",
        "Watcher": "<Watcher/Watch/Function.Arn>",
        "Notifier": "<Notifier/Notify/Function.Arn>",
    }
    for name, rule in responder.of_type("AWS::Events::Rule").items():
        assert [t["Arn"] for t in rule["Targets"]] == [wanted[name.partition("/")[0]]], name


def test_every_rule_target_has_a_dead_letter_queue(responder):
    for name, rule in responder.of_type("AWS::Events::Rule").items():
        queue = "NotifyFailures" if name.startswith("Notifier/") else DEAD_LETTERS
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": f"<{queue}.Arn>"}


def test_what_fails_five_times_is_kept_for_two_weeks(responder):
    assert responder.properties(QUEUE)["RedrivePolicy"] == {
        "deadLetterTargetArn": f"<{DEAD_LETTERS}.Arn>",
        "maxReceiveCount": 5,
    }
    for name in (DEAD_LETTERS, "NotifyFailures"):
        assert responder.properties(name)["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_a_message_stays_hidden_six_times_as_long_as_respond_may_run(responder):
    timeout = responder.properties("Responder/Respond/Function")["Timeout"]
    assert responder.properties(QUEUE)["VisibilityTimeout"] == 6 * timeout


def test_many_adopted_alarms_are_spread_over_rules_that_eventbridge_takes():
    # Non-ASCII letters are the worst case: JSON may write six characters for one.
    adopted = [f"{i:03d} " + "ä" * (i % 250) for i in range(300)]
    document = {
        **POLICY,
        "services": [
            {
                "name": f"s{i}",
                "targets": [{"kind": "lambda_alias", "function": f"f{i}", "alias": "live"}],
                "triggers": [{"kind": "alarm", "name": name}],
            }
            for i, name in enumerate(adopted)
        ],
    }
    for state in ("ALARM", "OK"):
        patterns = alarm_patterns(parse_policy(document), state=state)
        assert len(patterns) > 1
        assert all(length(pattern) <= 2048 for pattern in patterns)
        assert {tuple(p["detail"]["state"]["value"]) for p in patterns} == {(state,)}
        named = [name for pattern in patterns for name in pattern["detail"]["alarmName"]]
        assert named == [{"prefix": "rollback.test."}, *sorted(adopted)]


def length(pattern):
    """As it is deployed, where the pseudo parameters are at their longest."""
    text = json.dumps(pattern)
    for token, longest in LONGEST.items():
        text = text.replace(token, longest)
    return len(text)


def test_an_alarm_that_two_services_share_would_be_named_once():
    patterns = alarm_patterns(parse_policy(POLICY), state="ALARM")
    names = [name for pattern in patterns for name in pattern["detail"]["alarmName"]]

    assert len(names) == len({str(name) for name in names})


def test_many_rollouts_are_spread_over_rules_that_eventbridge_takes():
    groups = [f"{i:03d}" + "ä" * (i % 97) for i in range(120)]
    stacks = [f"s{i:03d}" + "-" * (i % 124) for i in range(200)]
    targets = [
        *(
            {"kind": "codedeploy_group", "application": f"app-{i % 2}", "group": g}
            for i, g in enumerate(groups)
        ),
        *({"kind": "cloudformation_stack", "stack": name} for name in reversed(stacks)),
    ]
    adopted = [{"kind": "alarm", "name": "adopted"}]
    service = {"name": "all", "targets": targets, "triggers": adopted}
    patterns = rollout_patterns(parse_policy({**POLICY, "services": [service]}))
    found = [pattern["detail"] for pattern in patterns]

    assert all(length(pattern) <= 2048 for pattern in patterns)
    assert all(length(p) > 1024 for p in patterns[:-1] if "stack-id" in p["detail"])
    assert sorted(
        (detail["application"][0], name)
        for detail in found
        for name in detail.get("deploymentGroup", ())
    ) == sorted((f"app-{i % 2}", name) for i, name in enumerate(groups))
    named = [entry["prefix"] for detail in found for entry in detail.get("stack-id", ())]
    assert [prefix.split(":stack/")[1] for prefix in named] == [f"{name}/" for name in stacks]


def test_a_policy_without_rollouts_asks_for_no_events_of_them():
    aliases = [service for service in POLICY["services"] if service["name"] == "checkout"]

    assert rollout_patterns(parse_policy({**POLICY, "services": aliases})) == []
