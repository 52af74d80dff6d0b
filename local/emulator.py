"""The life of ministack: its environment, its start on a free loopback port, its end.

What is relied on was observed with ministack 1.5.33: functions run on the emulator's interpreter
and inherit its whole environment, so it has an environment of its own and starts with a clean one;
a 12-digit access key is an account of its own.
"""

import contextlib
import http.client
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from local import processes

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv-emulator"
REQUIREMENTS = ROOT / "local" / "emulator-requirements.txt"
REGION = "us-east-1"
_PINNED = ["--require-hashes", "--only-binary", ":all:", "-r", REQUIREMENTS]
_SITE = ROOT / "local" / "emulator_site"
_START_SECONDS = 20.0
# A function's worker keeps no bytecode. Without any, each start of one would compile the SDK anew,
# and the emulator starts one for every first call and after every failed one.
_COMPILED = "--compile-bytecode"
# No profile and no configuration file of the person who runs this: (file key, variable, default,
# converter), as botocore's session takes them.
_NO_FILES: dict[str, tuple[Any, ...]] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class EmulatorError(RuntimeError):
    """The emulator could not be installed or started; the text holds what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running emulator.

    Attributes:
        url: the address of all services.
        elsewhere: addresses of services that the emulator does not serve, by the SDK's name.
        account: twelve digits, random for each run.
        log: what the emulator printed.
    """

    url: str
    elsewhere: Mapping[str, str]
    account: str
    log: Path
    region: str = REGION

    def environment(self) -> dict[str, str]:
        """Return the variables with which the SDKs and the CDK reach this emulator and no other.

        The endpoint is an IP address, so that the SDKs address S3 by path.
        """
        return {
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
        } | _endpoints(self.elsewhere)

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service, of CloudWatch too; close it when done."""
        session = boto3.session.Session(
            botocore_session=botocore.session.Session(session_vars=_NO_FILES),
            aws_access_key_id=self.account,
            aws_secret_access_key="local",  # noqa: S106 - the emulator checks none
            region_name=self.region,
        )
        url = self.elsewhere.get(service, self.url)
        config = Config(retries={"total_max_attempts": 2}, read_timeout=60, proxies={})
        # A service name that is only known at run time has no overload in the stubs.
        factory: Any = session.client
        return factory(service, endpoint_url=url, config=config)


def install(progress: Callable[[str], None]) -> None:
    """Create ``.venv-emulator`` as pinned, unless it is there already.

    Args:
        progress: receives a sentence before each step that takes time.

    Raises:
        EmulatorError: with the installer's whole output.
    """
    pins = REQUIREMENTS.read_text()
    wanted = f"{pins}# {_COMPILED}\n"
    stamp = ENVIRONMENT / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    progress("Installing the AWS emulator into .venv-emulator (once, about 180 MB)")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    python = ENVIRONMENT / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        steps = [
            [uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT],
            [uv, "pip", "install", "--quiet", _COMPILED, "--python", python, *_PINNED],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", ENVIRONMENT],
            [python, "-m", "pip", "install", "--quiet", *_PINNED],
        ]
    for step in steps:
        done = subprocess.run(
            [str(part) for part in step], capture_output=True, text=True, check=False, cwd=ROOT
        )
        if done.returncode:
            raise EmulatorError(f"{' '.join(map(str, step))}\n{done.stdout}{done.stderr}")
    stamp.write_text(wanted)


def random_account() -> str:
    """Return an account that no other run uses: twelve digits."""
    return str(10**11 + secrets.randbelow(9 * 10**11))


@contextlib.contextmanager
def started(
    *,
    run_folder: Path,
    account: str,
    elsewhere: Mapping[str, str],
    extra_environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Emulator]:
    """Run an emulator for as long as the block lasts.

    Args:
        run_folder: holds its home, its temporary files and its log; must exist.
        account: twelve digits.
        elsewhere: addresses of services that the emulator does not serve; every function inherits
            them as ``AWS_ENDPOINT_URL_<SERVICE>``.
        extra_environment: more variables for it and for every function; the time-lapse clock's.
        port: where it listens; None for a free one.

    Raises:
        EmulatorError: if it does not answer, with the end of its log.
    """
    home = run_folder / "emulator"
    home.mkdir(exist_ok=True)
    port = port or free_port()
    environment = _environment(home, port) | _endpoints(elsewhere) | dict(extra_environment or {})
    emulator = Emulator(
        url=f"http://127.0.0.1:{port}",
        elsewhere=dict(elsewhere),
        account=account,
        log=run_folder / "emulator.log",
    )
    with (
        processes.sigterm_as_exit(),
        processes.running(
            [ENVIRONMENT / "bin" / "ministack"], environment=environment, cwd=home, log=emulator.log
        ) as process,
    ):
        _wait_until_healthy(emulator, process)
        yield emulator


def _endpoints(elsewhere: Mapping[str, str]) -> dict[str, str]:
    return {f"AWS_ENDPOINT_URL_{name.upper()}": url for name, url in elsewhere.items()}


def _environment(home: Path, port: int) -> dict[str, str]:
    # Every function inherits this, so it holds nothing of the machine.
    return {
        "PATH": os.pathsep.join([str(ENVIRONMENT / "bin"), "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(home),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "PYTHONPATH": str(_SITE),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_healthy(emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
    # Loopback is never behind a proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            opener.open(f"{emulator.url}/_ministack/health", timeout=2),
        ):
            return
        time.sleep(0.05)
    raise EmulatorError(f"ministack does not answer:\n{emulator.log.read_text()[-3000:]}")
