"""The synthesis as a whole: repeatable, plain in its refusals, and sound at size."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from aws_cdk import App

from infra.alarms import MOST_ALARMS_IN_A_STACK, own_alarms, shards_of
from infra.context import ContextError, read_compiled, read_policy
from infra.package import Compiled
from rollback_responder.domain.errors import PolicyError
from rollback_responder.domain.policy import parse_policy
from tests.infra.deployed import PSEUDO
from tests.infra.synthesis import POLICY

PROJECT = Path(__file__).parents[2]
IAM_SIZE = {"AWS::IAM::Policy": 10_240, "AWS::IAM::ManagedPolicy": 6_144}
LONGEST = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "AWS::AccountId": "111122223333",
}


def run_app(tmp_path, context):
    """`app.py` as the CDK command line starts it: context in the environment."""
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env={
            **os.environ,
            "PYTHONPATH": "functions",
            "CDK_OUTDIR": str(tmp_path / "cdk.out"),
            "CDK_CONTEXT_JSON": json.dumps(context),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def service(i, **more):
    return {
        "name": f"service-{i}",
        "targets": [
            {"kind": "lambda_alias", "function": f"shop-prod-service-{i:03d}", "alias": "live"}
        ],
        "triggers": [
            {"kind": "error_rate", "threshold_percent": 5},
            {"kind": "latency", "statistic": "p95", "threshold_ms": 1500},
            *([{"kind": "alarm", "name": f"adopted {i}"}] if i % 10 == 0 else []),
        ],
        **more,
    }


@pytest.fixture(scope="module")
def large(synthesise):
    return synthesise({**POLICY, "services": [service(i) for i in range(300)]})


def files_in(folder):
    """Hash by name of every file, those of the assets as well; the folder's own name is not in."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_syntheses_give_the_same_files_byte_for_byte(synthesis, synthesise):
    """The templates, their manifests, and what is zipped for Lambda."""
    again = synthesise(POLICY)
    assert sorted(files_in(again.folder).items() ^ files_in(synthesis.folder).items()) == []
    assert list(again.templates) == list(synthesis.templates)


def test_the_shipped_policy_synthesises_as_the_command_line_does_it(tmp_path):
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    done = run_app(tmp_path, context)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "cdk.out").glob("*.template.json")} == {
        "RollbackAlarms-dev-1.template.json",
        "RollbackResponder-dev.template.json",
    }


def test_a_bad_policy_is_refused_with_all_its_problems_and_no_traceback(tmp_path):
    bad = {**POLICY, "mode": "yolo", "extra": 1, "services": [service(1, mode="maybe")]}
    with pytest.raises(PolicyError) as raised:
        parse_policy(bad)
    done = run_app(tmp_path, {"rollback": bad})
    assert done.returncode == 1
    assert done.stderr == f"{raised.value}\n"
    assert len(raised.value.problems) == 3
    assert not list((tmp_path).rglob("*.template.json"))


def test_a_missing_policy_is_an_error_that_says_where_to_look(tmp_path):
    done = run_app(tmp_path, {})
    assert done.returncode == 1
    assert done.stderr.startswith("no policy: context 'rollback' is missing")
    assert "Traceback" not in done.stderr


def test_a_policy_given_on_the_command_line_is_a_string():
    app = App(context={"rollback": json.dumps(POLICY)})
    assert read_policy(app) == parse_policy(POLICY)


def test_a_string_that_is_not_json_is_an_error():
    with pytest.raises(ContextError, match="is not JSON"):
        read_policy(App(context={"rollback": "{environment: test}"}))


def test_whether_bytecode_is_shipped_is_context_and_an_unknown_word_an_error():
    assert read_compiled(App()) is Compiled.IF_POSSIBLE
    assert read_compiled(App(context={"compiled": "never"})) is Compiled.NEVER
    with pytest.raises(ContextError, match="may be if-possible, required, never"):
        read_compiled(App(context={"compiled": "yes"}))


def test_what_node_does_to_numbers_and_nulls_does_not_change_the_policy():
    mangled = json.loads(json.dumps(POLICY))
    mangled["services"][0]["triggers"][1]["threshold_ms"] = 1500.0
    mangled["services"][0]["mode"] = None
    assert read_policy(App(context={"rollback": mangled})) == parse_policy(POLICY)


def test_three_hundred_services_keep_every_stack_within_cloudformations_limits(large):
    assert len(large.alarms()) == 600
    for name, template in large.templates.items():
        assert len(template.resources) < 500, name
        assert len(template.text.encode()) < 1_000_000, name
    for template in large.alarm_stacks:
        assert len(template.resources) <= MOST_ALARMS_IN_A_STACK


def test_three_hundred_services_keep_every_policy_within_iams_limits(large, monkeypatch):
    for pseudo, longest in LONGEST.items():
        monkeypatch.setitem(PSEUDO, pseudo, longest)
    again = type(large.responder)(large.responder.path)
    for kind, most in IAM_SIZE.items():
        for name, properties in again.of_type(kind).items():
            size = len(json.dumps(properties["PolicyDocument"], separators=(",", ":")))
            assert size <= most, name
    for role in again.of_type("AWS::IAM::Role").values():
        assert len(role.get("ManagedPolicyArns", [])) <= 10


def test_three_hundred_services_lose_no_grant(large):
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:shop-prod-service-"
    mutes = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm-mute-rule:*"
    for kind, suffixes in (("Responder", ("",)), ("Watcher", ("", ":*"))):
        granted = [
            resource
            for name, properties in large.responder.of_type("AWS::IAM::ManagedPolicy").items()
            if name.startswith(kind)
            for statement in properties["PolicyDocument"]["Statement"]
            for resource in [statement["Resource"]]
        ]
        flat = [r for one in granted for r in (one if isinstance(one, list) else [one])]
        expected = {f"{arn}{i:03d}{suffix}" for i in range(300) for suffix in suffixes}
        assert Counter(flat) == Counter(dict.fromkeys({*expected, mutes}, 1))


def test_a_new_service_moves_no_alarm_to_another_stack():
    """CloudFormation would refuse to make an alarm that another stack still has."""

    def places(count):
        document = {**POLICY, "services": [service(i) for i in range(count)]}
        shards = shards_of(own_alarms(parse_policy(document)))
        return len(shards), {w.alarm_name: k for k, shard in enumerate(shards) for w in shard}

    stacks, before = places(200)
    more_stacks, after = places(220)
    assert stacks == more_stacks > 1
    assert before.items() <= after.items()


def test_the_timeouts_of_one_function_are_counted_in_one_stack_only():
    """Two metric filters on one log would count each of them twice."""
    triggers = [
        {"kind": "timeouts", "threshold_percent": 1},
        {"kind": "timeouts", "threshold_percent": 10, "name": "gross"},
    ]
    services = [service(i, triggers=triggers) for i in range(250)]
    for i in range(250):
        beta = {**services[i]["targets"][0], "alias": "beta"}
        services.append(service(250 + i, targets=[beta], triggers=triggers))
    shards = shards_of(own_alarms(parse_policy({**POLICY, "services": services})))
    places = {(w.pointer.function, k) for k, shard in enumerate(shards) for w in shard}

    assert len(shards) > 4
    assert all(len(shard) <= MOST_ALARMS_IN_A_STACK for shard in shards)
    assert len(places) == 250


def test_a_stack_full_of_alarms_on_timeouts_has_room_for_a_metric_filter_each():
    assert 2 * MOST_ALARMS_IN_A_STACK < 500


def test_a_policy_of_adopted_alarms_only_has_no_alarm_stack(synthesise):
    adopted = [{"kind": "alarm", "name": "adopted"}]
    synthesis = synthesise({**POLICY, "services": [service(1, triggers=adopted)]})
    assert list(synthesis.templates) == ["RollbackResponder-test"]


def test_alarms_are_deployed_after_the_responder_that_judges_them(synthesis):
    """Both hold the policy's thresholds, and the topic has to be there when an alarm fires."""
    manifest = json.loads((synthesis.folder / "manifest.json").read_text())["artifacts"]
    assert "RollbackResponder-test" in manifest["RollbackAlarms-test-1"]["dependencies"]
    assert "RollbackAlarms-test-1" not in manifest["RollbackResponder-test"]["dependencies"]


def test_when_stacks_double_alarms_move_up_only_and_stacks_deploy_in_that_order(large):
    few = parse_policy({**POLICY, "services": [service(i) for i in range(150)]})
    half = len(large.alarm_stacks) // 2
    old = shards_of(own_alarms(few))
    new = shards_of(own_alarms(large.policy))
    assert len(new) == 2 * len(old) == 2 * half
    now = {w.alarm_name: k for k, shard in enumerate(new) for w in shard}
    for k, shard in enumerate(old):
        assert {now[w.alarm_name] for w in shard} == {k, k + half}
    manifest = json.loads((large.folder / "manifest.json").read_text())["artifacts"]
    for k in range(half):
        later = manifest[f"RollbackAlarms-test-{k + half + 1}"]
        assert f"RollbackAlarms-test-{k + 1}" in later["dependencies"]
