"""Which account and region are meant: found where AWS's command line does, or asked for."""

import json

import pytest

from rollback_responder.bootstrap import people
from rollback_responder.cli import main
from rollback_responder.cli.access import MENDS, cure_of
from rollback_responder.cli.failure import NotRead
from rollback_responder.cli.place import reading
from rollback_responder.cli.sample import event_of
from tests.adapters.test_cloudformation_stack import client_error
from tests.builders import NOW, a_policy

NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID")
NAMES += ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
NO_REGION = "--region: got nothing, and neither the environment nor the AWS configuration names one"
READS = [["status"], ["check"], ["backtest"], ["explain"], ["now", "shop"], ["approve", "inc-1"]]


@pytest.fixture
def rollback(monkeypatch, tmp_path, capsys):
    """A machine without credentials or a region, whose configuration has the profile `staging`."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("[profile staging]\nregion = eu-north-1\n[profile odd]\nregion = e_u\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    policy, known = tmp_path / "cdk.json", a_policy(environment="staging")
    policy.write_text(json.dumps({"context": {"rollback": known.to_document()}}))
    event, alarm = tmp_path / "event.json", next(known.watched()).alarm_name
    event.write_text(json.dumps(event_of(alarm, region="eu-west-1", at=NOW)))

    def run(command, *options):
        given = [*command, *([str(event)] if command == ["explain"] else [])]
        code = main.run([*given, *options, "--policy", str(policy)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize("command", READS)
def test_without_a_region_each_command_says_how_to_name_one(rollback, command):
    code, out, err = rollback(command)

    assert (code, out) == (3, "")
    assert err.startswith(f"rollback: {NO_REGION}; allowed: a region such as eu-west-1;")
    assert err.endswith("; name it with --region or AWS_REGION\n")


@pytest.mark.parametrize("command", READS)
def test_an_unknown_profile_is_named_with_those_that_there_are(rollback, command):
    code, out, err = rollback(command, "--profile", "stagin", "--region", "eu-west-1")

    assert (code, out) == (2, "")
    assert err.startswith("rollback: --profile: got 'stagin'; allowed: odd, staging; name one of")


def test_so_is_one_of_the_environment(rollback, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nope")

    assert "rollback: AWS_PROFILE: got 'nope'; allowed: odd, staging" in rollback(["status"])[2]


@pytest.mark.parametrize("command", READS)
def test_without_credentials_each_command_says_to_sign_in(rollback, command):
    code, out, err = rollback(command, "--region", "eu-west-1", "--table", "t")

    assert (code, out) == (3, "")
    assert err.endswith(
        "; no AWS credentials were found: sign in first, or name a profile with --profile\n"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--region", "eu_west"], "--region: got 'eu_west'; allowed: a region such as eu-west-1"),
        (
            ["--profile", "odd"],
            "the region of your AWS configuration: got 'e_u'; allowed: a region",
        ),
    ],
)
def test_what_is_no_region_is_refused(rollback, options, told):
    code, _, err = rollback(["backtest"], *options)

    assert code == 2
    assert told in err


@pytest.mark.parametrize(
    ("environment", "options", "region"),
    [
        ({"AWS_REGION": "eu-west-3"}, [], "eu-west-3"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, [], "us-east-2"),
        ({"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "us-east-2"}, [], "eu-west-3"),
        ({"AWS_REGION": "eu-west-3"}, ["--region", "ap-south-1"], "ap-south-1"),
        ({}, ["--profile", "staging"], "eu-north-1"),
        ({"AWS_PROFILE": "staging"}, [], "eu-north-1"),
    ],
)
def test_the_region_is_found_as_the_aws_command_line_finds_it(
    rollback, monkeypatch, environment, options, region
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, out, _ = rollback(["sample", "shop"], *options)
    place = people.Place(**{name.removeprefix("--"): value for name, value in pairs(options)})
    operator = people.operator_clients(region=place.region, profile=place.profile)

    assert code == 0
    assert json.loads(out)["region"] == region
    assert people.reading_client("lambda", place).meta.region_name == region
    assert operator.reads("lambda").meta.region_name == region


def pairs(options):
    return zip(options[::2], options[1::2], strict=True)


@pytest.mark.parametrize("code", sorted(MENDS))
def test_what_mends_it_is_told_once(code):
    def refused():
        raise client_error(code)

    with pytest.raises(NotRead) as found:
        reading("it", refused)

    assert str(found.value).endswith(MENDS[code])
    assert cure_of(found.value) == ""


def test_an_error_that_aws_has_no_part_in_has_no_cure():
    assert cure_of(NotRead("x")) == ""
