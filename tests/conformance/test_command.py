"""`python -m conformance`: whose account, what is asked first, what is written, how it ends."""

import io
import json
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
import world
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from conformance import __main__ as command
from conformance import report
from conformance.checks import CHECKS
from conformance.run import run
from local import certificate

ROOT = Path(__file__).resolve().parents[2]
HERE = ("--account", world.ACCOUNT, "--region", world.REGION)


class Session:
    """A boto3 session of a world."""

    def __init__(self, here, **answers):
        self.here, self.answers = here, answers
        self.region_name = world.REGION

    def client(self, service, **_):
        if service in self.answers:
            return self.answers[service]
        return world.client(self.here, service, None)

    def get_credentials(self):
        return None


def main(here, *given, **answers):
    def lab_of(_session, account, clients, _run, say):
        lab = here.lab(say=say)
        lab.account, lab.clients = account, clients
        return lab

    session = Session(here, **answers)
    return command.main(given, session_of=lambda **_: session, lab_of=lab_of)


def refuses(code):
    def call(**_):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Any")

    return call


def test_a_dry_run_lists_every_check_without_credentials():
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "--dry-run"],
        cwd=ROOT,
        env={"PYTHONPATH": f"functions:{ROOT}", "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    for check in CHECKS:
        assert f"  {check.key:18} {check.assumes}" in done.stdout
    minutes, cents = sum(c.minutes for c in CHECKS), sum(c.cents for c in CHECKS)
    assert f"{len(CHECKS)} checks, one after the other: {minutes} minutes and {cents} cents" in (
        done.stdout
    )


def test_it_says_what_it_will_make_and_asks_before_it_makes_anything(account, capsys, monkeypatch):
    here = world.World()
    for typed in ("\n", "no\n", "y\n"):
        stdin = SimpleNamespace(isatty=lambda: True, readline=lambda typed=typed: typed)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(here, *HERE, "--only", "A1") == 2
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    assert main(here, *HERE, "--only", "A1") == 2

    told = capsys.readouterr().err
    assert "makes a function with two or three versions" in told
    assert "nothing was done" in told
    assert "give --yes" in told
    assert not [call for call in here.heard if call[1].startswith(("Create", "Put"))]


def test_a_yes_runs_them_and_writes_both_reports(account, tmp_path, capsys, monkeypatch):
    stdin = SimpleNamespace(isatty=lambda: True, readline=lambda: "yes\n")
    monkeypatch.setattr(sys, "stdin", stdin)
    here = world.World()
    code = main(here, *HERE, "--only", "A1,roots", "--out", str(tmp_path), "--json")

    (folder,) = tmp_path.iterdir()
    text = (folder / "report.json").read_text()
    assert (code, capsys.readouterr().out) == (0, text)
    first, second = json.loads(text)["results"]
    assert (first["key"], second["key"]) == ("roots", "A1") or first["key"] == "A1"
    by_key = {row["key"]: row for row in (first, second)}
    assert by_key["A1"]["seen"] == {"version": "3", "weights": {"2": 0.1}}
    assert by_key["A1"]["verdict"] == "holds"
    page = (folder / "report.md").read_text()
    for words in ("UpdateAlias", "is moved to 3", '{"version": "3"', "**holds**", "always sent"):
        assert words in page
    assert "2 hold, 0 do not hold, 0 could not be told" in page
    assert here.left() == world.NOTHING


@pytest.mark.parametrize(
    ("bent", "only", "code"),
    [
        ({}, "A1", 0),
        ({"keeps_weights": False}, "A1", 1),
        ({"starts_at_once": True}, "waiting", 2),
        ({"keeps_weights": False, "starts_at_once": True}, "A1,waiting", 1),
    ],
)
def test_the_exit_code_tells_how_it_went(account, tmp_path, bent, only, code):
    here = world.World()
    for name, value in bent.items():
        setattr(here, name, value)

    assert main(here, *HERE, "--only", only, "--yes", "--out", str(tmp_path)) == code


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        ProfileNotFound(profile="x"),
        TokenRetrievalError(provider="sso", error_msg="expired"),
        ClientError({"Error": {"Code": "ExpiredToken", "Message": "no"}}, "GetCallerIdentity"),
        ClientError({"Error": {"Code": "InvalidClientTokenId", "Message": "no"}}, "Any"),
    ],
)
def test_without_credentials_it_says_how_to_get_some(capsys, error):
    def nobody(**_):
        raise error

    code = main(world.World(), *HERE, sts=SimpleNamespace(get_caller_identity=nobody))

    assert code == 3
    assert "aws sso login" in capsys.readouterr().err


@pytest.mark.parametrize("named", [(), ("--account", "999999999999")])
def test_an_account_that_nobody_named_is_refused(account, capsys, named):
    here = world.World()

    assert main(here, *named, "--region", world.REGION, "--yes") == 2
    assert f"say so: --account {world.ACCOUNT}" in capsys.readouterr().err
    assert here.left() == world.NOTHING


@pytest.mark.parametrize(
    ("alias", "refused"),
    [
        ("acme-production", True),
        ("acme-prod-eu", True),
        ("preprod", True),
        ("PRD", True),
        ("acme-live", True),
        ("acme-productionlike", True),
        ("acme-nonprod", False),
        ("acme-non-prod", False),
        ("product-team", False),
        ("liverpool", False),
        ("sandbox", False),
    ],
)
def test_an_account_that_is_called_production_is_refused(account, tmp_path, capsys, alias, refused):
    iam = SimpleNamespace(list_account_aliases=lambda: {"AccountAliases": [alias]})
    here = world.World()
    real = world.client(here, "iam", None)
    iam.get_paginator = real.get_paginator
    code = main(here, *HERE, "--only", "A19", "--yes", "--out", str(tmp_path), iam=iam)

    assert code == (2 if refused else 0)
    assert ("says production" in capsys.readouterr().err) is refused


def test_an_account_whose_tag_says_production_is_refused(account, capsys):
    tags = {"Tags": [{"Key": "stage", "Value": "production"}]}
    organizations = SimpleNamespace(list_tags_for_resource=lambda **_: tags)

    assert main(world.World(), *HERE, "--yes", organizations=organizations) == 2
    assert "stage=production" in capsys.readouterr().err


def test_an_account_whose_alias_cannot_be_read_is_refused(account, capsys):
    iam = SimpleNamespace(list_account_aliases=refuses("AccessDenied"))

    assert main(world.World(), *HERE, "--yes", iam=iam) == 2
    assert "iam:ListAccountAliases" in capsys.readouterr().err


def test_clean_up_removes_what_is_left_and_makes_nothing(account, capsys):
    here = world.World()
    check = next(check for check in CHECKS if check.key == "A18")
    check.create(here.lab())

    assert main(here, *HERE, "--clean-up") == 0
    assert here.left() == world.NOTHING
    assert "nothing has the tag" in capsys.readouterr().err


def test_what_is_left_ends_in_2_and_stands_in_the_report(account, tmp_path, capsys):
    here = world.World()
    sqs = world.client(here, "sqs", None)
    stubborn = SimpleNamespace(
        create_queue=sqs.create_queue,
        receive_message=sqs.receive_message,
        delete_message=sqs.delete_message,
        get_queue_url=refuses("AccessDenied"),
    )
    given = ("--only", "A11-disabled", "--yes", "--out", str(tmp_path))

    assert main(here, *HERE, *given, sqs=stubborn) == 2
    (folder,) = tmp_path.iterdir()
    assert (folder / "report.md").read_text().count("LEFT BEHIND: queue") == 2
    assert len(json.loads((folder / "report.json").read_text())["left"]) == 2
    assert "run it again with --clean-up" in capsys.readouterr().err


def test_where_the_tag_cannot_be_asked_it_does_not_say_that_all_is_gone(account, tmp_path, capsys):
    index = SimpleNamespace(get_paginator=refuses("AccessDenied"))
    index.get_paginator = lambda _: SimpleNamespace(paginate=refuses("AccessDenied"))
    given = ("--only", "A1", "--yes", "--out", str(tmp_path))

    assert main(world.World(), *HERE, *given, resourcegroupstaggingapi=index) == 2
    (folder,) = tmp_path.iterdir()
    assert "is not known" in (folder / "report.md").read_text()


def test_a_check_that_there_is_none_of_is_named(capsys):
    assert command.main(["--only", "A1,nothing", "--dry-run"]) == 2
    assert "'nothing'" in capsys.readouterr().err


def test_a_family_is_chosen_by_its_number():
    assert [check.key for check in command.chosen("A11")] == ["A11-disabled", "A11-muted"]
    assert command.chosen(None) == CHECKS


def test_a_call_that_is_denied_tells_nothing_and_says_why(account):
    here = world.World()
    lab = here.lab()
    inner = lab.clients
    denied = SimpleNamespace(create_role=refuses("AccessDenied"))
    lab.clients = lambda service: denied if service == "iam" else inner(service)
    check = next(check for check in CHECKS if check.key == "A1")
    done = run(lab, [check])

    assert report.exit_code(done) == 2
    assert "AccessDenied" in done.results[0].problem


def test_a_text_cannot_break_the_reports_table():
    assert report.cell("a | b\n| c") == "a \\| b \\| c"


def test_a_handshake_trusts_only_the_roots_that_it_is_given(tmp_path):
    """A real server of TLS on this machine: with its own certificate it is good, else not."""
    mine, key = certificate.write(tmp_path, "mine", datetime.now(UTC))
    other, _ = certificate.write(tmp_path, "other", datetime.now(UTC))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(mine, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve():
            for _ in range(2):
                plain, _ = listening.accept()
                with suppress(OSError), serving.wrap_socket(plain, server_side=True) as spoken:
                    spoken.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        good = command.handshake("127.0.0.1", mine, port)
        bad = command.handshake("127.0.0.1", other, port)
        thread.join()

    assert (good, "CERTIFICATE_VERIFY_FAILED" in bad) == ("", True)
    assert "refused" in command.handshake("127.0.0.1", mine, port)


def test_a_form_is_posted_as_it_is_with_a_signature_and_a_page_is_read_without(monkeypatch):
    asked = []

    def urlopen(request, timeout):
        asked.append(request)
        return io.BytesIO(b"answer")

    monkeypatch.setattr(command.urllib.request, "urlopen", urlopen)
    here = world.World()
    session = boto3.Session("AKIA", "secret", "token", region_name=world.REGION)
    lab = command.laboratory(session, here.lab().account, here.lab().clients, "0" * 8, print)

    assert lab.fetch("https://x.lambda-url.invalid/", b"a=%7e&b=+") == b"answer"
    assert lab.fetch("https://x.invalid/live/", None) == b"answer"
    posted, read = asked
    assert (posted.get_method(), posted.data) == ("POST", b"a=%7e&b=+")
    assert "/us-east-1/lambda/aws4_request" in posted.get_header("Authorization")
    assert posted.get_header("Content-type") == "application/x-www-form-urlencoded"
    assert (read.get_method(), read.headers) == ("GET", {})
    with pytest.raises(OSError, match="not by TLS"):
        lab.fetch("http://x.invalid/", None)
