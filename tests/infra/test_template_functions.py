"""The three functions: how they run, what wakes them, what they are told."""

import json

import pytest

from infra.package import PACKAGE
from rollback_responder.wiring import InteractWiring, NotifyWiring, RespondWiring, WatchWiring
from tests.infra.synthesis import POLICY
from tests.infra.test_template_grants import held_by

NAMES = {
    "respond": "Responder/Respond",
    "watch": "Watcher/Watch",
    "notify": "Notifier/Notify",
    "interact": "Interactor/Interact",
}
WIRINGS = {
    "respond": RespondWiring,
    "watch": WatchWiring,
    "notify": NotifyWiring,
    "interact": InteractWiring,
}
EVERY = pytest.mark.parametrize("name", NAMES)


def function(responder, name):
    return responder.properties(f"{NAMES[name]}/Function")


@EVERY
def test_a_function_runs_so(responder, name):
    properties = function(responder, name)
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]
    assert properties["MemorySize"] == 512
    assert properties["Handler"] == f"rollback_responder.handlers.{name}.handler"
    assert properties["Role"] == f"<{NAMES[name]}/Role.Arn>"


@EVERY
def test_a_handler_is_there(responder, name):
    module, _, callable_name = function(responder, name)["Handler"].rpartition(".")
    source = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    assert f"\ndef {callable_name}(" in source.read_text()


def test_no_function_is_named_so_no_policy_can_know_its_name(responder):
    functions = responder.of_type("AWS::Lambda::Function")
    assert len(functions) == 4
    assert not [f for f in functions.values() if "FunctionName" in f]


@EVERY
def test_a_function_is_told_exactly_its_wiring(responder, name):
    variables = function(responder, name)["Environment"]["Variables"]
    assert set(variables) == {field.upper() for field in WIRINGS[name].__struct_fields__}
    assert all(variables.values())
    assert variables["ACCOUNT_ID"] == "111122223333"
    assert variables["REGION"] == "eu-west-1"
    assert variables["JOURNAL_TABLE"] == "<Journal>"


def test_names_in_the_environment_are_the_right_ones(responder):
    told = {name: function(responder, name)["Environment"]["Variables"] for name in NAMES}
    assert told["respond"]["DEAD_LETTER_QUEUE_URL"] == "<Ingress/DeadLetters>"
    assert told["watch"]["ALARM_QUEUE_URL"] == "<Ingress/Alarms>"
    assert told["notify"]["SLACK_SECRET_ARN"] == "<SlackSecret>"


@EVERY
def test_a_function_has_its_own_log_that_ends_and_outlives_the_stack(responder, name):
    logging = function(responder, name)["LoggingConfig"]
    assert logging == {"LogFormat": "Text", "LogGroup": f"<{NAMES[name]}/Logs>"}
    assert responder.properties(f"{NAMES[name]}/Logs")["RetentionInDays"] == 90
    assert responder.resources[f"{NAMES[name]}/Logs"]["DeletionPolicy"] == "Retain"


@EVERY
def test_a_function_waits_for_its_permissions(responder, name):
    depends_on = responder.resources[f"{NAMES[name]}/Function"]["DependsOn"]
    names = [responder._names[logical_id] for logical_id in depends_on]
    assert names == [f"{NAMES[name]}/Permissions"]


def test_respond_takes_ten_messages_and_returns_the_failed_ones(responder):
    assert responder.properties("Responder/Alarms") == {
        "BatchSize": 10,
        "EventSourceArn": "<Ingress/Alarms.Arn>",
        "FunctionName": "<Responder/Respond/Function>",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 5},
        "Tags": [{"Key": "rollback-responder", "Value": "test"}],
    }


def test_respond_has_as_many_runs_reserved_as_its_queue_may_start(responder):
    assert function(responder, "respond")["ReservedConcurrentExecutions"] == 5
    assert function(responder, "respond")["Timeout"] == 60


def test_watch_runs_every_minute_and_never_twice_at_once(responder):
    tick = responder.properties("Watcher/Tick")
    assert tick["ScheduleExpression"] == "rate(1 minute)"
    assert tick["State"] == "ENABLED"
    (target,) = tick["Targets"]
    assert target["Arn"] == "<Watcher/Watch/Function.Arn>"
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    assert function(responder, "watch")["ReservedConcurrentExecutions"] == 1
    assert function(responder, "watch")["Timeout"] < 60


def test_a_late_tick_is_dropped_for_the_next_one(responder):
    (invoke,) = responder.of_type("AWS::Lambda::EventInvokeConfig").values()
    assert invoke["FunctionName"] == "<Watcher/Watch/Function>"
    assert invoke["MaximumEventAgeInSeconds"] == 60
    assert invoke["MaximumRetryAttempts"] == 0


def test_notify_reads_the_journals_stream_and_lays_aside_what_fails(responder):
    source = dict(responder.properties("Notifier/News"))
    patterns = source.pop("FilterCriteria")["Filters"]
    source.pop("Tags", None)
    assert source == {
        "BatchSize": 10,
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": {"OnFailure": {"Destination": "<NotifyFailures.Arn>"}},
        "EventSourceArn": "<Journal.StreamArn>",
        "FunctionName": "<Notifier/Notify/Function>",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRecordAgeInSeconds": 86400,
        "MaximumRetryAttempts": 10000,
        "StartingPosition": "LATEST",
    }
    assert [json.loads(each["Pattern"]) for each in patterns] == [
        {"dynamodb": {"NewImage": {kind: {"S": [{"exists": True}]}}}}
        for kind in ("incident", "said")
    ]


def test_no_environment_holds_a_secret(responder):
    for properties in responder.of_type("AWS::Lambda::Function").values():
        assert "resolve:secretsmanager" not in json.dumps(properties)


def test_the_week_is_told_when_the_policy_says(responder):
    rule = responder.properties("Notifier/Digest")
    (target,) = rule["Targets"]

    assert rule["ScheduleExpression"] == "cron(0 14 ? * FRI *)"
    assert target["Arn"] == "<Notifier/Notify/Function.Arn>"
    assert json.loads(target["Input"]) == {"digest": "week"}


def test_without_a_digest_nothing_is_scheduled_or_granted_for_it(synthesise):
    bare = synthesise({**POLICY, "slack": {"channel": "#deploys"}}).responder
    granted = {a for s in held_by(bare, "Notifier/Notify/Role") for a in s["Action"]}

    assert not [name for name in bare.of_type("AWS::Events::Rule") if "Digest" in name]
    assert not granted & {"dynamodb:Query", "dynamodb:BatchGetItem", "cloudwatch:GetMetricData"}


def test_each_day_it_is_asked_whether_rollbacks_and_slack_would_work(responder):
    for construct, function in (("Watcher", "Watch"), ("Notifier", "Notify")):
        rule = responder.properties(f"{construct}/Preflight")
        (target,) = rule["Targets"]
        assert rule["ScheduleExpression"] == "cron(15 6 * * ? *)"
        assert target["Arn"] == f"<{construct}/{function}/Function.Arn>"
        assert json.loads(target["Input"]) == {"preflight": "day"}
        assert target["DeadLetterConfig"]["Arn"]


def test_drills_are_begun_once_a_day_when_the_policy_says(responder):
    rule = responder.properties("Watcher/Drills")
    (target,) = rule["Targets"]

    assert rule["ScheduleExpression"] == "cron(30 4 * * ? *)"
    assert target["Arn"] == "<Watcher/Watch/Function.Arn>"
    assert json.loads(target["Input"]) == {"drills": "day"}


def test_without_drills_nothing_is_scheduled_or_granted_for_them(synthesise):
    bare = synthesise({key: value for key, value in POLICY.items() if key != "drills"}).responder
    granted = {a for s in held_by(bare, "Watcher/Watch/Role") for a in s["Action"]}

    assert not [name for name in bare.of_type("AWS::Events::Rule") if "Drills" in name]
    assert "dynamodb:GetItem" not in granted
