"""What is zipped for Lambda: the package, its pinned dependencies and the policy.

    <asset>/rollback_responder/   what the function can load of our own code (infra/own_code.py)
    <asset>/<dependency>/         functions/requirements.txt, built for the Lambda platform
    <asset>/policy.json           the policy that this synth parsed
    <asset>/policy.index          the same by alarm and service, for who answers one alarm
    <asset>/sdk/                  the SDK's data, reduced to what is called (infra/sdk_data.py)

Each function has an asset of its own. That of `notify` is made from
functions/requirements-notify.txt: it draws pictures, and that takes ten times the rest.

Staged without Docker. Dependencies are installed by their hashes and kept by the hash of their
pins, so only the first synth needs a package index; the asset is named by its content, so two
synths give the same one. botocore is in it, without its data: the runtime brings one, but which,
AWS may change on any day (Lambda developer guide, "Runtime dependencies in Python"). All is
compiled where this machine has a Python of the runtime's version; without, each cold start compiles
it anew, as nothing can be kept there. `Compiled` says what to do about two machines that differ in
that.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path

from infra import own_code, sdk_data
from rollback_responder.domain.errors import RollbackError
from rollback_responder.domain.policy import Policy
from rollback_responder.policies import index_of

PROJECT = Path(__file__).resolve().parent.parent
REQUIREMENTS = PROJECT / "functions" / "requirements.txt"
NOTIFY_REQUIREMENTS = PROJECT / "functions" / "requirements-notify.txt"
PACKAGE = PROJECT / "functions" / "rollback_responder"
# The functions, and what each is shipped with of others.
FUNCTIONS = {
    "respond": REQUIREMENTS,
    "watch": REQUIREMENTS,
    "notify": NOTIFY_REQUIREMENTS,
    "interact": REQUIREMENTS,
}
BUILD = PROJECT / "build"
VERSION = "3.13"
# Where Lambda unpacks it; tracebacks name files there.
UNPACKED = "/var/task"
# Lambda runtime python3.13 on arm64, on Amazon Linux 2023 with glibc 2.34 (Lambda developer guide,
# "Lambda runtimes").
PLATFORM = (
    "--implementation=cp",
    f"--python-version={VERSION}",
    "--platform=manylinux2014_aarch64",
    "--platform=manylinux_2_28_aarch64",
    # The pins are of Lambda's Python; pip would ask the one that it runs on.
    "--ignore-requires-python",
)
# For what runs the asset here: the bench, and tests.
THIS_MACHINE: tuple[str, ...] = ()
# Scripts for a shell, and what the installer notes about this machine. METADATA stays: scanners
# read names and versions there. Of matplotlib and numpy a quarter are their own tests. The data of
# botocore that is needed stands in sdk/.
LEFT_OUT = (
    "bin",
    "botocore/data",
    "share",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "matplotlib/tests",
    "matplotlib/mpl-data/sample_data",
    "numpy/**/tests",
    "**/*.pyi",
)
KEPT_SECONDS = 3600

# Lambda needs these to read the package (Lambda developer guide, "Deployment package file
# permissions"), and CDK's zip keeps a file's mode: a checkout's and an installer's are what their
# user's umask left.
FILE_MODE, FOLDER_MODE = 0o644, 0o755
NOT_AS_PINNED = "DO NOT MATCH THE HASHES"


class PackageError(RollbackError):
    """The Lambda package could not be made: its dependencies, or a Python that compiles it."""


class Compiled(StrEnum):
    """Whether bytecode is shipped: `never` and `required` give the same zip on every machine."""

    IF_POSSIBLE = "if-possible"
    REQUIRED = "required"
    NEVER = "never"

    def interpreter(self) -> str | None:
        """The Python that compiles; none is where nothing is to be, or can be.

        Raises:
            PackageError: one is required, and this machine has none of the runtime's version.
        """
        python = None if self is Compiled.NEVER else compiler()
        if python is None and self is Compiled.REQUIRED:
            raise PackageError(
                f"this machine has no python{VERSION}, which alone can compile for Lambda; install "
                f"it, or set the context `compiled` to {Compiled.IF_POSSIBLE} or {Compiled.NEVER}"
            )
        return python


@cache
def compiler() -> str | None:
    """A Python of the runtime's version on this machine; only that one compiles for it."""
    for python in (sys.executable, shutil.which(f"python{VERSION}")):
        asking = [python or "", "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            told = subprocess.run(asking, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
        except OSError:
            continue
        if told.stdout.strip() == VERSION:
            return python
    return None


def stage(
    policy: Policy,
    function: str,
    *,
    build: Path = BUILD,
    platform: Sequence[str] = PLATFORM,
    python: str | None = None,
) -> Path:
    """The folder to be zipped, made under `build` if it is not there yet, and named by its content.

    It is that of one of `FUNCTIONS`. `python` compiles it; without one, nothing is compiled.

    Raises:
        PackageError: a dependency is not in the cache and cannot be installed.
    """
    installed = dependencies(FUNCTIONS[function], build=build, platform=platform, python=python)
    handler = f"{PACKAGE.name}.handlers.{function}"

    def fill(folder: Path) -> None:
        shutil.copytree(installed, folder, dirs_exist_ok=True)
        for path in own_code.reached(PACKAGE, handler):
            shipped = folder / path.relative_to(PACKAGE.parent)
            shipped.parent.mkdir(parents=True, exist_ok=True)
            shipped.write_text(own_code.bare(path.read_text("utf-8")), "utf-8")
        _compile(folder / PACKAGE.name, folder, python)
        document = json.dumps(policy.to_document(), sort_keys=True, indent=2)
        (folder / "policy.json").write_text(document + "\n", encoding="utf-8")
        (folder / "policy.index").write_bytes(index_of(policy))
        sdk_data.write(folder / "sdk")
        _open_to_all(folder)

    asset = _settle(build, fill, _name_of_asset)
    os.utime(asset)
    _clear_up(build)
    return asset


def _clear_up(build: Path) -> None:
    """CDK copies an asset at once; what no synth asked for since `KEPT_SECONDS` is left over."""
    for asset in build.glob("asset-*"):
        # Another synth may clear up as well.
        with suppress(FileNotFoundError):
            if asset.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(asset, ignore_errors=True)


def _compile(what: Path, root: Path, python: str | None) -> None:
    """Compiles for the place where Lambda unpacks it.

    Unchecked: the zip changes every file's time, and a cache that looks stale is not read (Python
    reference, "Cached bytecode invalidation").
    """
    if python is None:
        return
    command = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(root), "-p", UNPACKED, str(what)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode != 0:
        raise PackageError(f"{python} could not compile the Lambda package:\n{done.stdout.strip()}")


def dependencies(
    requirements: Path,
    *,
    build: Path = BUILD,
    platform: Sequence[str] = PLATFORM,
    python: str | None = None,
) -> Path:
    """A folder with what `requirements` pins, for that platform; from the cache if it is there.

    Raises:
        PackageError: it is not in the cache and cannot be installed.
    """
    wheels = platform or (sysconfig.get_platform(), sys.implementation.cache_tag)
    pins = requirements.read_bytes() + " ".join((*wheels, *LEFT_OUT, python or "")).encode()
    name = f"dependencies-{hashlib.sha256(pins).hexdigest()[:16]}"
    if (build / name).is_dir():
        return build / name

    def fill(folder: Path) -> None:
        _install(requirements, folder, platform)
        for pattern in LEFT_OUT:
            for path in list(folder.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        _compile(folder, folder, python)

    return _settle(build, fill, lambda _: name)


def _install(requirements: Path, folder: Path, platform: Sequence[str]) -> None:
    """Wheels only: nothing is built on this machine."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    command += ["--require-hashes", "--no-compile", "--only-binary=:all:", *platform]
    command += [f"--target={folder}", f"--requirement={requirements}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if NOT_AS_PINNED in done.stderr:
        raise PackageError(
            f"a package is not the one that {requirements.name} pins: its hash is another. Nothing "
            "was installed. If you did not change the pins, somebody changed the package: find out "
            f"who, before you run `make lock`. pip said:\n{done.stderr.strip()}"
        )
    if done.returncode != 0:
        raise PackageError(
            "the dependencies of the Lambda package could not be installed from "
            f"{requirements.parent.name}/{requirements.name}; pip must reach a package index once, "
            f"later synths take them from {BUILD.name}/. pip said:\n{done.stderr.strip()}"
        )


def _settle(build: Path, fill: Callable[[Path], None], name: Callable[[Path], str]) -> Path:
    """Fills a folder aside and gives it its name at the end: a synth that dies leaves no half.

    One that is there already stays, unless its content has lost its name: something ran from it
    and left its bytecode, say.
    """
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="unfinished-") as aside:
        folder = Path(aside) / "content"
        folder.mkdir()
        fill(folder)
        settled = build / name(folder)
        if settled.is_dir() and name(settled) != settled.name:
            settled.rename(Path(aside) / "spoilt")
        if not settled.is_dir():
            try:
                folder.rename(settled)
            except OSError:
                # Another synth was faster; it settled the same content.
                if not settled.is_dir():
                    raise
        return settled


def _open_to_all(folder: Path) -> None:
    folder.chmod(FOLDER_MODE)
    for path in folder.rglob("*"):
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)


def _name_of_asset(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return f"asset-{digest.hexdigest()}"


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
