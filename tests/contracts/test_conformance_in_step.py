"""The checks speak of the product as it is: its documents, policies, filters and grants."""

import re
from pathlib import Path

import aws_cdk
from aws_cdk import assertions
from botocore import xform_name

from conformance.account import Account
from conformance.by_hand import BY_HAND, NOT_RELIED_ON
from conformance.checks import CHECKS, access, alarms, deployments, runtime
from conformance.lab import Lab
from infra import sdk_data
from infra.alarms import TIMEOUT_PATTERNS
from infra.grants import cloudformation_stack, codedeploy_group, lambda_alias
from infra.topics import alarm_topic
from rollback_responder.domain.target import (
    AfterSuccess,
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
)
from rollback_responder.domain.trigger import LogFormat

ROOT = Path(__file__).resolve().parents[2]
EVERY = (*CHECKS, *BY_HAND)
# For its names and its account; it does nothing here.
LAB = Lab(
    account=Account(partition="aws", id="123456789012", region="us-east-1", arn="arn:aws:iam::1:x"),
    run="0a1b2c3d",
    **dict.fromkeys(
        ("clients", "client_of", "say", "sleep", "now", "wall", "fetch", "handshake"), None
    ),
)


def rows_of_security():
    text = (ROOT / "SECURITY.md").read_text()
    table = text.partition("## What a real account must still confirm")[2]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return {assumption.strip(): meanwhile.strip() for assumption, meanwhile in rows[1:]}


def test_every_assumption_of_security_md_is_put_to_the_test_in_its_own_words():
    told = {one.assumes: one.meanwhile for one in EVERY}

    assert {words: told.get(words) for words in rows_of_security()} == rows_of_security()


def test_every_number_of_the_list_is_a_check_or_by_hand_or_nothing_rests_on_it():
    """A number that code or documents name anywhere has one of them."""
    keys = {one.key.partition("-")[0] for one in EVERY} | set(NOT_RELIED_ON)
    numbered = {number for words in rows_of_security() for number in re.findall(r"\bA\d+\b", words)}
    for folder in ("functions", "infra", "local", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md"}:
                numbered |= set(
                    re.findall(r"\((?:assumed, |assumption )?(A\d+)[):]", path.read_text())
                )

    assert numbered <= keys
    assert {f"A{number}" for number in range(1, 26)} == {key for key in keys if key[0] == "A"}


def test_keys_are_unlike_and_fit_into_names():
    keys = [one.key for one in EVERY]

    assert len(set(keys)) == len(keys)
    # IAM: a role's name has at most 64 characters.
    longest = max(len(LAB.name(f"{key}-differs")) for key in keys)
    assert longest <= 64
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", key) for key in keys)


def test_every_check_is_cheap_and_short():
    assert all(check.cents <= 1 and check.minutes <= 20 for check in CHECKS)
    for check in CHECKS:
        texts = (check.assumes, check.source, check.does, check.meanwhile, check.makes)
        assert all(isinstance(text, str) and text for text in texts)


def test_the_topics_policy_is_the_one_that_is_deployed():
    stack = aws_cdk.Stack(aws_cdk.App(), "S")
    alarm_topic(stack, "T", topic_name="t", alarm_prefix="prefix")
    template = assertions.Template.from_stack(stack).to_json()
    (policy,) = (
        resource["Properties"]["PolicyDocument"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::SNS::TopicPolicy"
    )
    known = {
        "AWS::Partition": "aws",
        "AWS::Region": LAB.account.region,
        "AWS::AccountId": LAB.account.id,
    }

    def resolved(value):
        if isinstance(value, list):
            return [resolved(one) for one in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Ref"}:
            return known.get(value["Ref"], "topic")
        if set(value) == {"Fn::Join"}:
            between, parts = value["Fn::Join"]
            return between.join(resolved(parts))
        return {key: resolved(one) for key, one in value.items()}

    def by_sid(document):
        return {one["Sid"]: one for one in document["Statement"]}

    deployed = by_sid(resolved(policy))
    ours = by_sid(alarms.topic_policy(LAB, "topic", "prefix"))
    # CDK writes the TLS statement for all principals and actions of its own choosing.
    assert set(deployed) == set(ours)
    for sid in ("OnlyAlarmsOfThisAccount", "NobodyElse"):
        assert deployed[sid] == ours[sid]
    assert (
        deployed["AllowPublishThroughSSLOnly"]["Condition"]
        == (ours["AllowPublishThroughSSLOnly"]["Condition"])
    )


def test_the_package_asks_every_service_that_data_is_shipped_for():
    module = {}
    exec(runtime.ASKING, module)  # noqa: S102 - the check's own code
    asked = {service: call[0] for service, call in module["CALLS"].items()}

    assert set(asked) == set(sdk_data.OPERATIONS)
    for service, method in asked.items():
        assert method in {xform_name(name) for name in sdk_data.OPERATIONS[service]}


def test_the_timeouts_filter_is_the_one_that_is_deployed():
    pattern = TIMEOUT_PATTERNS[LogFormat.JSON].log_pattern_string

    assert pattern == runtime.TIMEOUT_PATTERN


def test_the_actions_granted_by_tag_are_those_of_the_grants():
    alias = LambdaAlias(function="f", alias="live")
    stack = CloudFormationStack(stack="s")
    for_alias = {
        a for g in (lambda_alias.act(alias), lambda_alias.observe(alias)) for a in g.actions
    }
    for_stack = {a for g in cloudformation_stack.act(stack) for a in g.actions}

    assert set(access.ALIAS_ACTIONS) == for_alias
    assert set(access.STACK_ACTIONS) == for_stack


def test_the_grants_to_deploy_are_those_that_are_deployed():
    group = CodeDeployGroup(application="a", group="g", after_success=AfterSuccess.REDEPLOY)
    read, *_ = (codedeploy_group.read(group),)
    granted = {a for g in codedeploy_group.act(group) for a in g.actions} - set(read.actions)

    assert set(deployments.grants_to_deploy(LAB, "a")) == granted


def test_the_site_and_the_readme_say_that_it_was_never_run():
    for name in ("README.md", "docs/conformance.md"):
        text = " ".join((ROOT / name).read_text().split())
        assert "has not been run against AWS" in text, name
