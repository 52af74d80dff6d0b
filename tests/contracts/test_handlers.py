"""The handlers that the template names start from the asset that is deployed, or say why not."""

import os
import shutil
import subprocess
import sys

import pytest

from infra import package
from rollback_responder.domain.policy import parse_policy
from rollback_responder.wiring import InteractWiring, NotifyWiring, RespondWiring, WatchWiring
from tests.infra.synthesis import POLICY

BASE = {"account_id": "111122223333", "region": "eu-west-1", "journal_table": "journal"}
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/queue"
ROLE = "arn:aws:iam::111122223333:role/respond"
WIRINGS = {
    "respond": RespondWiring(**BASE, dead_letter_queue_url=URL),
    "watch": WatchWiring(**BASE, alarm_queue_url=URL, respond_role_arn=ROLE),
    "notify": NotifyWiring(**BASE, slack_secret_arn="arn:secret", failure_queue_url=URL),
    "interact": InteractWiring(**BASE, slack_secret_arn="arn:secret", alarm_queue_url=URL),
}


@pytest.fixture(scope="session", params=WIRINGS)
def function(request):
    return request.param


@pytest.fixture(scope="session")
def asset(tmp_path_factory, function):
    """What is deployed, in a folder of this test, with wheels of this machine.

    What draws pictures is left out: it is loaded for a picture and not before.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(package.FUNCTIONS, "notify", package.REQUIREMENTS)
        staged = package.stage(
            parse_policy(POLICY),
            function,
            platform=package.THIS_MACHINE,
            python=package.compiler(),
        )
    folder = tmp_path_factory.mktemp("asset") / "task"
    shutil.copytree(staged, folder)
    return folder


def started(folder, function, environment):
    """Imports a handler as the Lambda runtime does, in a process of its own."""
    program = (
        f"from rollback_responder.handlers.{function} import handler;"
        "import rollback_responder; print(callable(handler), rollback_responder.__file__)"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(folder),
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_template_names_these_handlers_and_no_other(responder):
    named = {f["Handler"] for f in responder.of_type("AWS::Lambda::Function").values()}

    assert named == {f"rollback_responder.handlers.{name}.handler" for name in WIRINGS}


def test_a_handler_starts_from_the_asset(asset, function):
    done = started(asset, function, WIRINGS[function].to_environment())

    assert done.stdout.split() == ["True", f"{asset}/rollback_responder/__init__.py"], done.stderr


def test_a_missing_variable_names_itself_at_cold_start(asset, function):
    for name in WIRINGS[function].to_environment():
        environment = WIRINGS[function].to_environment()
        del environment[name]
        done = started(asset, function, environment)

        assert done.returncode != 0
        assert f"environment variables missing or empty: {name};" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, ": got FileNotFoundError"),
        ('["head"]\t{\n', ": got JSONDecodeError"),
        ("", ": got "),
    ],
    ids=["missing", "not JSON", "empty"],
)
def test_a_broken_policy_file_names_itself_at_cold_start(asset, tmp_path, function, text, said):
    file = "policy.index" if function == "respond" else "policy.json"
    folder = tmp_path / "task"
    shutil.copytree(asset, folder)
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text)
    done = started(folder, function, WIRINGS[function].to_environment())

    assert done.returncode != 0
    assert f"{file}{said}" in done.stderr
