"""Alarms get in, nobody else does, and nothing that fails on the way is lost."""

import json

from infra.ingress import LONGEST_PATTERN, alarm_patterns
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


def test_the_rule_lets_through_the_alarms_in_scope_and_nothing_else(responder):
    rule = responder.properties("Ingress/Rule1")
    assert "EventBusName" not in rule
    assert rule["EventPattern"] == {
        "source": ["aws.cloudwatch"],
        "account": ["111122223333"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {
            "alarmName": [{"prefix": "rollback.test."}, "search is broken (composite)"],
            "state": {"value": ["ALARM", "OK"]},
        },
    }


def test_events_go_straight_to_the_queue_and_never_through_the_topic(responder):
    for name, rule in responder.of_type("AWS::Events::Rule").items():
        if "EventPattern" in rule:
            assert [t["Arn"] for t in rule["Targets"]] == [f"<{QUEUE}.Arn>"], name


def test_every_rule_target_has_a_dead_letter_queue(responder):
    for rule in responder.of_type("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": f"<{DEAD_LETTERS}.Arn>"}


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
    patterns = alarm_patterns(parse_policy(document), "111122223333")
    assert all(len(json.dumps(pattern)) <= LONGEST_PATTERN for pattern in patterns)
    named = [name for pattern in patterns for name in pattern["detail"]["alarmName"]]
    assert named == [{"prefix": "rollback.test."}, *sorted(adopted)]
