"""`rollback check` over each team's account: one that is ready, and one with its typical faults."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cli_account import FUNCTIONS, REGION, TOPICS, CheckedAccount, mapping, refused, template
from golden import check

from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from rollback_responder.cli import main
from rollback_responder.domain.target import CloudFormationStack
from tests.runbooks.team_house import EXAMPLES, TeamHouse

API = "rest123456"
CALL = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTIONS}"


class TeamAccount(CheckedAccount):
    """A team's account: everything has proved itself, and every call comes by an alias."""

    def __init__(self, example: str) -> None:
        house = TeamHouse(example)
        for service in house.policy.services:
            for target in service.rollouts:
                if isinstance(target, CloudFormationStack):
                    house.cloudformation.add_stack(target.stack, monitoring_minutes=15)
        super().__init__(house.settle())
        names = {t.api.name for s in house.policy.services for t in s.triggers if hasattr(t, "api")}
        self.answers["GetRestApis"] = {"items": [{"id": API, "name": name} for name in names]}
        self.answers["GetIntegrations"] = refused("NotFoundException")
        for pointer in self.pointers[:1]:
            self.api_calls(f"{pointer.function}:{pointer.alias}")

    def api_calls(self, called: str) -> None:
        """The team's REST API, which the policy knows by its name, calls this."""
        method = {"methodIntegration": {"uri": f"{CALL}:{called}/invocations"}}

        def resources(asked: Mapping[str, Any]) -> Any:
            assert asked["restApiId"] == API
            return {"items": [{"resourceMethods": {"GET": method}}]}

        self.answers["GetResources"] = resources

    def for_one(self, operation: str, name: str, answer: Any) -> None:
        """Answers so where it is asked for this name, and as before where it is for others."""
        before = self.answers.get(operation)

        def choose(asked: Mapping[str, Any]) -> Any:
            if name in asked.values():
                return answer
            return before(asked) if callable(before) else before

        self.answers[operation] = choose

    def without(self, *alarms: str) -> None:
        """These alarms do not exist."""
        self.house.cloudwatch.delete_alarms(list(alarms))


def forum(account: TeamAccount) -> None:
    """As CDK does it unasked: old versions go, the queue calls the function, no monitoring time."""
    account.answers["GetTemplate"] = {"TemplateBody": template(None)}
    called = [mapping(f"{FUNCTIONS}:ir-custid", "custid-requests")]
    account.answers["ListEventSourceMappings"] = {"EventSourceMappings": called}
    account.house.cloudformation.add_stack("CdkInfrastructureStack-prod", role_arn=None)
    account.without("rollback.prod.forum-addon.ir-auth.live.error-rate-down")
    # Installed this morning: no version of one function has proved itself yet.
    ledgers = json.loads(account.items[0]["ledgers"]["S"])
    del ledgers["lambda_alias/ir-driver/live"]
    account.items[0]["ledgers"]["S"] = json.dumps(ledgers)


def invoice(account: TeamAccount) -> None:
    """The API calls the bare function, alarms to adopt were never made, the database is stuck."""
    account.api_calls("CiraInvoice-JobManagement-prod")
    account.without("CiraInvoice-DataIntegrity-prod", "CiraInvoice-SecurityVulnerability-prod")
    database = "CiraInvoice-Database-prod"
    (stack,) = account.house.cloudformation.describe_stacks(StackName=database)["Stacks"]
    stuck = {"Stacks": [stack | {"StackStatus": "UPDATE_ROLLBACK_FAILED"}]}
    account.for_one("DescribeStacks", database, stuck)
    account.denied = {"cloudformation:ContinueUpdateRollback"}


def design_assistant(account: TeamAccount) -> None:
    """Alarms are still disabled from a maintenance, a group is gone, the worker has an address."""
    account.publish_alarms(f"{TOPICS}:rollback-alarms-prod", enabled=False)
    gone = refused("DeploymentGroupDoesNotExistException")
    account.for_one("GetDeploymentGroup", "worker", gone)
    account.for_one(
        "GetFunctionUrlConfig",
        "security-assistant-worker-prod",
        {
            "FunctionUrl": f"https://{'x' * 32}.lambda-url.{REGION}.on.aws/",
            "FunctionArn": f"{FUNCTIONS}:security-assistant-worker-prod",
            "AuthType": "AWS_IAM",
            "CreationTime": "2026-11-22T03:00:00Z",
            "LastModifiedTime": "2026-11-22T03:00:00Z",
        },
    )


def hybrid(account: TeamAccount) -> None:
    """The dependency's alarm was never made, an alias is called otherwise, Slack is not filled."""
    account.without("distronation-firebase-unavailable")
    account.house.aliases.delete_alias("distronation-analytics", "PROD")
    on_version = {"ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{FUNCTIONS}:core:1"}]}
    account.for_one("ListProvisionedConcurrencyConfigs", "distronation-core-api", on_version)
    account.for_one("GetTemplate", "distronation-authentication", {"TemplateBody": template(None)})
    account.answers["GetSecretValue"] = {"SecretString": '{"webhook_url": ""}'}


def ecs(account: TeamAccount) -> None:
    """An alarm to adopt was never made, and the bootstrap stack is as CDK makes it."""
    account.without("replaydash-production-api-health")
    account.house.cloudformation.add_stack("CDKToolkit", role_arn=None)


TEAMS: dict[str, Callable[[TeamAccount], None]] = {
    "1-forum-addon/prod.json": forum,
    "2-invoice/prod.json": invoice,
    "3-design-assistant/prod.json": design_assistant,
    "4-hybrid-lambda/prod.json": hybrid,
    "5-ecs-api/production.json": ecs,
}


@pytest.fixture
def checked(monkeypatch, capsys):
    """Runs the check of an example over an account; gives its exit code and what it printed."""

    def run(example, account, *options):
        monkeypatch.setattr(people, "operator_clients", account.clients)
        monkeypatch.setattr(bootstrap, "utc_now", account.house.clock)
        policy = str(EXAMPLES / example)
        code = main.run(["check", "--region", REGION, "--policy", policy, *options])
        out, err = capsys.readouterr()
        assert err == ""
        return code, out

    return run


@pytest.mark.parametrize("example", TEAMS)
def test_the_check_of_an_example_reads_as_it_did(example, checked):
    name = example.partition("/")[0]
    texts, documents = [], {}
    for state, code in (("ready", 0), ("wrong", 1)):
        account = TeamAccount(example)
        if state == "wrong":
            TEAMS[example](account)
        told, text = checked(example, account)
        same, document = checked(example, account, "--json")
        assert told == same == code
        texts.append(f"==== {state}: exit {code}\n{text}")
        documents[state] = json.loads(document)
    check(f"check-{name}.txt", "\n".join(texts))
    check(f"check-{name}.json", json.dumps(documents, indent=2) + "\n")


def test_apis_whose_names_cannot_be_read_are_not_taken_for_ready(checked):
    account = TeamAccount("2-invoice/prod.json")
    account.answers["GetRestApis"] = refused("AccessDeniedException")
    code, text = checked("2-invoice/prod.json", account)

    assert code == 3
    assert "who calls the function could not be read: GetRestApis: AccessDenied" in text
