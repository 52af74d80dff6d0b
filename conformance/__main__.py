"""`python -m conformance`: docs/conformance.md tells it all."""

import argparse
import secrets
import signal
import socket
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
)

from conformance import report
from conformance.account import Account, Refused, admitted
from conformance.by_hand import BY_HAND
from conformance.check import Check
from conformance.checks import CHECKS
from conformance.lab import TAG, Lab
from conformance.run import run, sweep, utc_now

UNTOLD, NO_CREDENTIALS = 2, 3
NO_ACCESS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
)
# What STS answers to credentials that are no good (IAM user guide, common errors).
BAD_KEYS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
CURE = (
    "There are no AWS credentials that work. Sign in (`aws sso login --profile NAME`, or "
    "`aws configure`), then run it again with --profile NAME and --region REGION. "
    "--dry-run needs none."
)
STANDARD = Config(retries={"mode": "standard", "max_attempts": 5})


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance",
        description="Puts what is assumed of AWS to the test, in an account of yours.",
        epilog="Exit: 0 all hold, 1 some do not, 2 some could not be told, 3 no credentials.",
    )
    parser.add_argument("--account", metavar="ID", help="the account that may be used")
    parser.add_argument("--region", help="the region, if the profile has none or another")
    parser.add_argument("--profile", help="the profile of your AWS configuration")
    parser.add_argument("--only", metavar="A5,...", help="these checks, by their keys")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--dry-run", action="store_true", help="list the checks; needs nothing")
    parser.add_argument("--clean-up", action="store_true", help="remove what runs have left")
    parser.add_argument("--out", type=Path, default=Path("build/conformance"), metavar="FOLDER")
    return parser.parse_args(given)


def main(
    given: Sequence[str] | None = None,
    *,
    session_of: Callable[..., boto3.Session] = boto3.Session,
    lab_of: Callable[..., Lab] | None = None,
) -> int:
    """Does what the command line says; returns the exit code."""
    asked = arguments(given)
    try:
        checks = chosen(asked.only)
    except KeyError as error:
        return _end(f"there is no check {error.args[0]!r}; --dry-run lists them", UNTOLD)
    if asked.dry_run:
        print("\n".join(report.plan(checks)))
        print(f"By hand (docs/conformance.md): {', '.join(hand.key for hand in BY_HAND)}")
        return 0
    # A polite end is as good as Ctrl-C: what was made is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _with_account(asked, checks, session_of, lab_of or laboratory)
    except Refused as error:
        return _end(f"refused: {error}", UNTOLD)
    except NO_ACCESS as error:
        return _end(f"{CURE}\n({error})", NO_CREDENTIALS)
    except NoRegionError:
        return _end("no region is configured: give one with --region", UNTOLD)
    except ClientError as error:
        if error.response["Error"]["Code"] in BAD_KEYS:
            return _end(f"{CURE}\n({error})", NO_CREDENTIALS)
        return _end(str(error), UNTOLD)
    except BotoCoreError as error:
        return _end(str(error), UNTOLD)
    except KeyboardInterrupt:
        return _end("broken off; nothing was being made", UNTOLD)


def chosen(only: str | None) -> tuple[Check[Any], ...]:
    """The checks to run; a family such as A11 by what its keys begin with.

    Raises:
        KeyError: there is none of that name.
    """
    if not only:
        return CHECKS
    found: dict[str, Check[Any]] = {}
    for word in only.split(","):
        named = {c.key: c for c in CHECKS if word.strip() in {c.key, c.key.partition("-")[0]}}
        if not named:
            raise KeyError(word.strip())
        found |= named
    return tuple(found.values())


def _with_account(
    asked: argparse.Namespace,
    checks: Sequence[Check[Any]],
    session_of: Callable[..., boto3.Session],
    lab_of: Callable[..., Lab],
) -> int:
    session = session_of(profile_name=asked.profile, region_name=asked.region)
    session_client: Any = session.client  # typed by service's literal name otherwise
    clients = cache(lambda service: session_client(service, config=STANDARD))
    region = session.region_name
    if not region:
        raise NoRegionError
    account, unread = admitted(clients, named=asked.account, region=region)
    say = _say
    say(f"account {account.id}, region {account.region}, as {account.arn}")
    if unread:
        say(f"note: {unread}")
    lab = lab_of(session, account, clients, secrets.token_hex(4), say)
    if asked.clean_up:
        return _clean_up(lab)
    for line in report.plan(checks):
        say(line)
    if not asked.yes and not _agreed():
        return _end("nothing was done", UNTOLD)
    done = run(lab, checks)
    folder = asked.out / lab.run
    folder.mkdir(parents=True, exist_ok=True)
    text = report.as_json(done, account, lab.run)
    (folder / "report.json").write_text(text, encoding="utf-8")
    markdown = report.as_markdown(done, account, lab.run)
    (folder / "report.md").write_text(markdown, encoding="utf-8")
    if asked.json:
        print(text, end="")
    for left in report.remains(done):
        say(f"LEFT BEHIND: {left.thing.kind} {left.thing.name}: {left.problem}")
    if done.unread or report.remains(done):
        say(f"{done.unread or 'some would not go'}; run it again with --clean-up")
    say(f"the report is {folder}/report.md, and report.json beside it")
    return report.exit_code(done)


def _clean_up(lab: Lab) -> int:
    left, unread = sweep(lab, None)
    for one in left:
        lab.say(f"LEFT BEHIND: {one.thing.kind} {one.thing.name}: {one.problem}")
    lab.say(unread or ("some would not go" if left else f"nothing has the tag {TAG} any more"))
    return UNTOLD if left or unread else 0


def _agreed() -> bool:
    if not sys.stdin.isatty():
        _say("this is no terminal: give --yes")
        return False
    print("Run them? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _end(line: str, code: int) -> int:
    _say(line)
    return code


def laboratory(
    session: boto3.Session,
    account: Account,
    clients: Callable[[str], Any],
    run_id: str,
    say: Callable[[str], None],
) -> Lab:
    """A lab in a real account."""

    def client_of(service: str, taken: Mapping[str, Any]) -> Any:
        making: Any = session.client  # typed by each service's literal name
        return making(
            service,
            config=STANDARD,
            aws_access_key_id=taken["AccessKeyId"],
            aws_secret_access_key=taken["SecretAccessKey"],
            aws_session_token=taken["SessionToken"],
        )

    def fetch(address: str, form: bytes | None) -> bytes:
        headers: dict[str, str] = {}
        if form is not None:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            request = AWSRequest(method="POST", url=address, data=form, headers=kind)
            own: Any = session.get_credentials()  # there are some: STS has answered
            signer: Any = SigV4Auth(own.get_frozen_credentials(), "lambda", account.region)
            signer.add_auth(request)
            headers = dict(request.headers.items())
        if not address.startswith("https://"):
            raise OSError(f"{address} is not by TLS")
        asking = urllib.request.Request(address, data=form, headers=headers)  # noqa: S310 - checked
        with urllib.request.urlopen(asking, timeout=30) as answer:  # noqa: S310 - the same
            body: bytes = answer.read()
            return body

    return Lab(
        account=account,
        run=run_id,
        clients=clients,
        client_of=client_of,
        say=say,
        sleep=time.sleep,
        now=time.monotonic,
        wall=utc_now,
        fetch=fetch,
        handshake=handshake,
    )


def handshake(host: str, roots: Path, port: int = 443) -> str:
    """Connects by TLS; returns what went wrong, or nothing."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(cafile=str(roots))
    try:
        with (
            socket.create_connection((host, port), timeout=10) as plain,
            trusting.wrap_socket(plain, server_hostname=host),
        ):
            return ""
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
