"""`rollback check` over an account: what each thing that is wrong comes to, and how it ends."""

import json

import pytest
from cli_account import (
    ACCOUNT,
    FUNCTION,
    REGION,
    CheckedAccount,
    document,
    refused,
    template,
)
from cli_account import mapping as a_mapping

from house import policy_document
from local.aws_model.mute_rules import MuteRule
from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from rollback_responder.cli import main

ERROR_RATE = "rollback.test.shop.shop.live.error-rate"


@pytest.fixture
def account():
    return CheckedAccount()


@pytest.fixture
def check(account, monkeypatch, tmp_path, capsys):
    """Runs the check; gives its exit code, and each finding as (severity, check)."""
    for name, value in {"COLUMNS": "160", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    policy = tmp_path / "cdk.json"
    policy.write_text(json.dumps({"context": {"rollback": document()}}))

    def run(*options, raw=False):
        monkeypatch.setattr(people, "operator_clients", account.clients)
        monkeypatch.setattr(bootstrap, "utc_now", account.house.clock)
        code = main.run(["check", "--policy", str(policy), *options])
        out, err = capsys.readouterr()
        if raw or code == 2 or not out:
            return code, out, err
        return code, [(f["severity"], f["check"]) for f in json.loads(out)["findings"]], err

    return lambda *options, **how: run(*(options or ("--json",)), **how)


def test_an_account_that_is_ready_ends_with_nought(check):
    assert check() == (0, [], "")


def test_people_are_told_so(check, account):
    code, out, err = check("--region", REGION, raw=True)

    assert (code, err) == (0, "")
    assert out == (
        "the responder\n  ready\n\nshop\n  ready\n\n"
        "Ready: a rollback would work. 0 errors, 0 warnings, 0 notes.\n"
    )


def disable(account):
    account.publish_alarms("arn:aws:sns:us-east-1:111122223333:other", enabled=False)


def mute(account):
    rule = MuteRule(
        name="maintenance",
        expression=f"at({account.house.now:%Y-%m-%dT%H:%M})",
        duration="PT6H",
        alarm_names=(ERROR_RATE,),
    )
    account.house.cloudwatch.put_mute_rule(rule)


def answers(**changes):
    return lambda account: account.answers.update(changes)


def permit(principal, arn):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": "lambda:InvokeFunction",
        "Condition": {"ArnLike": {"AWS:SourceArn": arn}},
    }

    def policy(asked):
        if "Qualifier" in asked:
            return refused("ResourceNotFoundException")
        return {"Policy": json.dumps({"Statement": [statement]})}

    return policy


def other_api(uri):
    """Another API than the policy's calls the function; it is found by its permission."""
    arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:rest12345/*/GET/pets"

    def integrations(asked):
        if asked["ApiId"] == "rest12345":
            return refused("NotFoundException")
        return {"Items": []}

    methods = {"GET": {"methodIntegration": {"uri": uri}}}
    return answers(
        GetPolicy=permit("apigateway.amazonaws.com", arn),
        GetIntegrations=integrations,
        GetResources={"items": [{"resourceMethods": methods}]},
    )


def invocation(arn):
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"


def with_one_more_dimension(asked):
    """A REST API's detailed metrics have its name as well; they are others."""
    dimensions = [*asked["Dimensions"], {"Name": "Method", "Value": "GET"}]
    return {"Metrics": [{"MetricName": asked["MetricName"], "Dimensions": dimensions}]}


def deny(*actions):
    return lambda account: account.denied.update(actions)


def stack(**changes):
    def change(account):
        before = account.answers["DescribeStacks"]

        def describe(asked):
            if asked["StackName"] != "shop":
                return before(asked)
            shown = account.house.cloudformation.describe_stacks(StackName="shop")["Stacks"][0]
            shown = {name: value for name, value in shown.items() if changes.get(name, 1)}
            return {"Stacks": [shown | {k: v for k, v in changes.items() if v}]}

        account.answers["DescribeStacks"] = describe

    return change


def gone_stack(account):
    before = account.answers["DescribeStacks"]
    account.answers["DescribeStacks"] = lambda asked: (
        refused("ValidationError") if asked["StackName"] == "shop" else before(asked)
    )


def mappings(*found):
    return answers(ListEventSourceMappings={"EventSourceMappings": list(found)})


def paused(account):
    account.answers["GetItem"] = lambda asked: (
        {"Item": asked["Key"] | {"paused_by": {"S": "joe"}}}
        if asked["Key"]["pk"]["S"] == "switches"
        else {"Item": account.items[0]}
    )


SNS = f"arn:aws:sns:{REGION}:{ACCOUNT}:news"
BROKEN = {
    "function deleted": (
        answers(ListVersionsByFunction=refused("ResourceNotFoundException")),
        [("error", "function_gone")],
    ),
    "alias deleted": (
        lambda account: account.house.aliases.delete_alias("shop", "live"),
        [("error", "alias_gone")],
    ),
    "version cleaned up": (
        answers(ListVersionsByFunction={"Versions": [{"Version": "2"}]}),
        [("warning", "version_deleted")],
    ),
    "versions not kept": (
        answers(GetTemplate={"TemplateBody": template(None)}),
        [("warning", "version_not_kept")],
    ),
    "queue calls $LATEST": (mappings(a_mapping(FUNCTION, "q")), [("error", "past_the_alias")]),
    "queue calls a version": (
        mappings(a_mapping(f"{FUNCTION}:7", "q")),
        [("error", "past_the_alias")],
    ),
    "queue calls another alias": (
        mappings(a_mapping(f"{FUNCTION}:beta", "q")),
        [("note", "other_alias")],
    ),
    "function URL": (
        answers(
            GetFunctionUrlConfig={
                "FunctionUrl": f"https://{'x' * 32}.lambda-url.us-east-1.on.aws/",
                "FunctionArn": FUNCTION,
                "AuthType": "AWS_IAM",
                "CreationTime": "2026-11-22T03:00:00Z",
                "LastModifiedTime": "2026-11-22T03:00:00Z",
            }
        ),
        [("error", "past_the_alias")],
    ),
    "the policy's own API": (
        answers(GetIntegrations={"Items": [{"IntegrationUri": FUNCTION}]}),
        [("error", "past_the_alias")],
    ),
    "a REST API": (other_api(invocation(FUNCTION)), [("error", "past_the_alias")]),
    "a topic may": (
        answers(GetPolicy=permit("sns.amazonaws.com", SNS)),
        [("warning", "may_call_past_the_alias")],
    ),
    "concurrency on a version": (
        answers(
            ListProvisionedConcurrencyConfigs={
                "ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{FUNCTION}:2"}]
            }
        ),
        [("warning", "concurrency_on_version")],
    ),
    "alarm deleted": (
        lambda account: account.house.cloudwatch.delete_alarms([ERROR_RATE]),
        [("error", "alarm_gone")],
    ),
    "no such API": (answers(ListMetrics={"Metrics": []}), [("warning", "metric_without_data")] * 2),
    "an API with data under other names only": (
        answers(ListMetrics=with_one_more_dimension),
        [("warning", "metric_without_data")] * 2,
    ),
    "alarms disabled": (
        disable,
        [("error", "alarm_disabled"), ("warning", "alarm_without_action")] * 3,
    ),
    "alarm muted": (mute, [("warning", "alarm_muted")]),
    "group deleted": (
        answers(GetDeploymentGroup=refused("DeploymentGroupDoesNotExistException")),
        [("error", "group_gone")],
    ),
    "group without rollback": (
        lambda account: account.house.codedeploy.add_group(
            "shop", "live", function="shop", alias="live"
        ),
        [("warning", "group_without_rollback")],
    ),
    "stack deleted": (
        gone_stack,
        [("error", "stack_gone")],
    ),
    "stack without a role": (stack(RoleARN=None), [("warning", "stack_without_role")]),
    "stack without monitoring": (
        stack(RollbackConfiguration=None),
        [("warning", "stack_without_monitoring")],
    ),
    "stack stuck": (
        stack(StackStatus="UPDATE_ROLLBACK_FAILED"),
        [("error", "stack_not_stable")],
    ),
    "stack nested": (
        stack(RootId=f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/parent/1"),
        [("error", "stack_is_nested")],
    ),
    "may not move": (deny("lambda:UpdateAlias"), [("error", "not_allowed")]),
    "may not stop": (deny("codedeploy:StopDeployment"), [("error", "not_allowed")]),
    "paused": (paused, [("error", "paused")]),
    "Slack secret empty": (
        answers(GetSecretValue={"SecretString": '{"webhook_url": ""}'}),
        [("warning", "slack_secret")],
    ),
    "Slack secret deleted": (
        answers(GetSecretValue=refused("ResourceNotFoundException")),
        [("warning", "slack_secret")],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_thing_that_is_wrong_is_the_one_finding(check, account, name):
    change, wanted = BROKEN[name]
    change(account)
    code, found, err = check()

    assert (found, err) == (wanted, "")
    errors = any(severity == "error" for severity, _ in wanted)
    assert code == (1 if errors else 0)


HARMLESS = {
    "a disabled event source": mappings(a_mapping(FUNCTION, "q", "Disabled")),
    "another function's": mappings(a_mapping(f"{FUNCTION}per", "q")),
    "a REST API on the alias": other_api(invocation(f"{FUNCTION}:live")),
    "an API of another function": answers(
        GetIntegrations={"Items": [{"IntegrationUri": "https://example.com"}, {}]}
    ),
    "an API of a function whose name only begins so": answers(
        GetIntegrations={"Items": [{"IntegrationUri": f"{FUNCTION}per"}]}
    ),
    "no stack": answers(DescribeStackResources=refused("ValidationError")),
    "a stack that publishes no versions": answers(GetTemplate={"TemplateBody": "{}"}),
    "versions kept but for their creation": answers(
        GetTemplate={"TemplateBody": template("RetainExceptOnCreate")}
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_fault_is_not_found(check, account, name):
    HARMLESS[name](account)

    assert check() == (0, [], "")


DENIED = [
    "DescribeAlarms",
    "ListAlarmMuteRules",
    "ListMetrics",
    "GetAlias",
    "GetDeploymentGroup",
    "GetItem",
    "SimulatePrincipalPolicy",
    "GetSecretValue",
    "ListVersionsByFunction",
    "ListProvisionedConcurrencyConfigs",
    "ListEventSourceMappings",
    "GetPolicy",
    "GetFunctionUrlConfig",
    "GetIntegrations",
    "DescribeStackResources",
    "GetTemplate",
]


@pytest.mark.parametrize("operation", DENIED)
def test_what_could_not_be_read_is_never_taken_for_ready(check, account, operation):
    account.answers[operation] = refused("AccessDeniedException", operation)
    code, found, _ = check()

    assert code == 3
    assert {kind for _, kind in found} == {"not_read"}


def test_an_error_that_was_seen_counts_more_than_what_was_not(check, account):
    account.answers["GetPolicy"] = refused("AccessDenied")
    account.house.cloudwatch.delete_alarms([ERROR_RATE])

    assert check()[0] == 1


def test_a_yaml_template_is_said_not_to_have_been_read(check, account):
    account.answers["GetTemplate"] = {"TemplateBody": "Resources: {}"}
    code, out, _ = check("--region", REGION, raw=True)

    assert code == 3
    assert "could not be read: the template of shop is YAML" in out
    assert "Not known: not everything could be read." in out


def test_a_stack_older_than_the_command_is_told(check, account):
    account.answers["DescribeStacks"] = None
    code, out, _ = check("--region", REGION, "--table", "journal", raw=True)

    assert code == 3
    assert "has no output RespondRole: deploy the responder's stack again" in out


def test_without_credentials_nothing_is_said_of_readiness(check, account):
    account.answers["GetCallerIdentity"] = refused("ExpiredToken")
    code, out, err = check("--region", REGION, raw=True)

    assert (code, out) == (3, "")
    assert err == "rollback: your AWS identity could not be read: ExpiredToken; sign in again\n"


def test_a_bad_policy_ends_it_before_aws_is_asked(check, account, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"context": {"rollback": policy_document(services=[])}}))
    code, out, err = check("--policy", str(bad))

    assert (code, out) == (2, "")
    assert "rollback.services: got []" in err
    assert account.asked == []


def test_it_changes_nothing(check, account):
    check()
    reads = ("Get", "List", "Describe", "Simulate", "BatchGet")

    assert account.asked
    assert [name for name, _ in account.asked if not name.startswith(reads)] == []


def test_the_secret_is_never_shown(check, account):
    account.answers["GetSecretValue"] = {"SecretString": '{"token": "xoxb-secret"}'}
    _, out, err = check("--region", REGION, raw=True)

    assert "xoxb-secret" not in out + err
    assert "unknown keys: token" in out


def test_an_observed_service_is_noted_and_needs_no_leave_to_act(check, account, tmp_path):
    observing = tmp_path / "observing.json"
    policy = document() | {"mode": "observe"}
    observing.write_text(json.dumps({"context": {"rollback": policy}}))
    asked = []

    def simulate(parameters):
        asked.extend(parameters["ActionNames"])
        results = [
            {"EvalActionName": name, "EvalDecision": "allowed"}
            for name in parameters["ActionNames"]
        ]
        return {"EvaluationResults": results}

    account.answers["SimulatePrincipalPolicy"] = simulate
    code, found, _ = check("--json", "--policy", str(observing))

    assert (code, found) == (0, [("note", "observes")])
    assert "lambda:UpdateAlias" not in asked
    assert "lambda:GetAlias" in asked


def test_by_tags_iam_is_asked_as_if_the_tag_were_there(check, account, tmp_path):
    by_tags = tmp_path / "tags.json"
    by_tags.write_text(json.dumps({"context": {"rollback": document() | {"access": "tags"}}}))
    entries = []

    def simulate(parameters):
        entries.extend(parameters["ContextEntries"])
        results = [
            {"EvalActionName": name, "EvalDecision": "allowed"}
            for name in parameters["ActionNames"]
        ]
        return {"EvaluationResults": results}

    account.answers["SimulatePrincipalPolicy"] = simulate
    environment = document()["environment"]

    assert check("--json", "--policy", str(by_tags)) == (0, [], "")
    assert {entry["ContextKeyName"] for entry in entries} == {
        f"aws:ResourceTag/rollback-target-{environment}"
    }
    assert {tuple(entry["ContextKeyValues"]) for entry in entries} == {("act",)}


def test_what_has_no_data_is_told_with_its_names_and_what_may_be(check, account):
    account.answers["ListMetrics"] = {"Metrics": []}
    code, out, _ = check("--region", REGION, raw=True)

    assert code == 0
    assert (
        "metric AWS/ApiGateway 5xx of ApiId a1b2c3d4e5, Stage $default: no datum in 14 days: the "
        "trigger api-5xx-rate" in out
    )
    assert "is the name right? A REST API is known by its name, an HTTP API by its id" in out


def approving(tmp_path, **slack):
    file = tmp_path / "approving.json"
    policy = document() | {"mode": "approve"}
    policy["slack"] = policy["slack"] | slack
    file.write_text(json.dumps({"context": {"rollback": policy}}))
    return "--json", "--policy", str(file)


def test_where_a_person_is_asked_it_is_noted_that_nobody_may_press(check, tmp_path):
    assert check(*approving(tmp_path)) == (0, [("note", "no_approvers")], "")
    assert check(*approving(tmp_path, approvers=["U012AB3CD"])) == (0, [], "")
