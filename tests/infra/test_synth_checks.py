"""What the checkers say about the templates: nothing that is not answered."""

import json
from collections import Counter

import pytest
from cfnlint.api import lint

from infra.grants.everything import REASONS

STACK = "arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/"
FUNCTION = "arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:"
MUTE_RULES = "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm-mute-rule:*"


@pytest.fixture(scope="module")
def nag(synthesis):
    report = json.loads((synthesis.folder / "validation-report.json").read_text())
    (answer,) = [r for r in report["pluginReports"] if r["pluginName"] == "AwsSolutions"]
    return answer


def accepted(nag):
    return Counter(
        (
            finding["ruleName"].removeprefix("AwsSolutions-"),
            construct["constructPath"].removeprefix("RollbackResponder-test/"),
        )
        for finding in nag["suppressedViolations"]
        for construct in finding["violatingConstructs"]
    )


def test_cdk_nag_finds_nothing_unanswered(nag):
    assert nag["violations"] == []
    assert nag["conclusion"] == "success"


def test_exactly_these_findings_are_accepted(nag):
    houses = ("Responder/Respond", "Watcher/Watch", "Notifier/Notify")
    assert accepted(nag) == Counter(
        [
            ("SMG4", "SlackSecret/Resource"),
            ("L1", "Interactor/Interact/Function/Resource"),
            *(("L1", f"{house}/Function/Resource") for house in houses),
            *(("IAM5[Resource::*]", f"{house}/Permissions/Resource") for house in houses),
            *(
                (f"IAM5[Resource::{FUNCTION}{name}:*]", "Watcher/Targets1/Resource")
                for name in ("checkout", "checkout-worker", "search", "payments", "storefront")
            ),
            (f"IAM5[Resource::{MUTE_RULES}]", "Responder/Targets1/Resource"),
            (f"IAM5[Resource::{MUTE_RULES}]", "Watcher/Targets1/Resource"),
            *(
                (f"IAM5[Resource::{STACK}{name}/*]", f"{house}/Targets1/Resource")
                for name in ("search", "payments", "ledger")
                for house in ("Responder", "Watcher")
            ),
            ("SQS3", "NotifyFailures/Resource"),
        ]
    )


def test_every_accepted_finding_has_its_reason_on_the_construct_itself(nag):
    for finding in nag["suppressedViolations"]:
        assert len(finding["reason"]) > 60
        assert finding["reason"].endswith(".")
        (construct,) = finding["violatingConstructs"]
        # At most one level above what the finding names: no acknowledgement for a whole stack.
        assert construct["constructPath"] == f"{finding['acknowledgedAt']}/Resource"


def test_a_grant_on_everything_is_accepted_for_the_reasons_the_code_states(nag):
    for finding in nag["suppressedViolations"]:
        if finding["ruleName"].endswith("IAM5[Resource::*]"):
            assert any(reason in finding["reason"] for reason in REASONS.values())


def test_cfn_lint_finds_nothing(synthesis):
    for name, template in synthesis.templates.items():
        assert [str(match) for match in lint(template.text)] == [], name


def test_nothing_in_the_template_stops_it_from_deploying_to_the_emulator(responder):
    """Metric math is in the alarm stacks, which are read into the model there."""
    types = {resource["Type"] for resource in responder.resources.values()}
    assert "AWS::CloudWatch::CompositeAlarm" not in types
    assert "AWS::Logs::QueryDefinition" not in types
    alarms = responder.of_type("AWS::CloudWatch::Alarm").values()
    assert not [alarm for alarm in alarms if "Metrics" in alarm]
