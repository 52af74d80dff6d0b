"""Known weaknesses of every pin, by pip-audit: shipped, building, and the emulator's.

    0    every pin was looked up, and none has a known weakness
    1    a pin has one: they are listed, with the versions that mend them
    3    a pin was not looked up, so nothing is known: no source of advisories can be reached, or it
         does not know the package

pip-audit alone ends with 1 both where it finds something and where it could not ask, and with 0
where it passes over a package (pip-audit 2.10, `_cli.py`); so its answers are counted here, which
is stricter than its own `--strict`: that stops at the first package it does not know.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import package

CLEAN, WEAK, UNKNOWN = 0, 1, 3
LOCKS = (
    package.REQUIREMENTS,
    package.NOTIFY_REQUIREMENTS,
    package.PROJECT / "requirements-install.txt",
    package.PROJECT / "requirements.txt",
    package.PROJECT / "local" / "emulator-requirements.txt",
)
# Of what pip-audit says where it fails, the end is enough to know why.
LINES_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What is known of one file of pins.

    Attributes:
        looked_up: how many pins a source of advisories answered for.
        weak: a line for each known weakness.
        unknown: why nothing is known of some pins; empty where all were looked up.
    """

    looked_up: int
    weak: tuple[str, ...] = ()
    unknown: str = ""


def pins(lock: Path) -> set[tuple[str, str]]:
    """Name and version of each pin that this machine's Python would install."""
    found = set()
    for line in lock.read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.lstrip().startswith("#"):
            wanted = Requirement(line.rstrip("\\ "))
            if wanted.marker is None or wanted.marker.evaluate():
                version = next(iter(wanted.specifier)).version
                found.add((str(canonicalize_name(wanted.name)), version))
    return found


def audit(lock: Path, *, asking: Sequence[str]) -> Audit:
    """Looks every pin of a file up.

    Args:
        lock: a file of pins with hashes.
        asking: options of pip-audit that say whom to ask.
    """
    command = [sys.executable, "-m", "pip_audit", f"--requirement={lock}", "--require-hashes"]
    command += ["--disable-pip", "--format=json", "--progress-spinner=off", *asking]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        end = "\n".join(done.stderr.strip().splitlines()[-LINES_TOLD:])
        return Audit(
            looked_up=0, unknown=f"pip-audit could not ask (exit {done.returncode}): {end}"
        )
    return judged(pins(lock), told, status=done.returncode)


def judged(
    wanted: set[tuple[str, str]], told: Sequence[Mapping[str, Any]], *, status: int
) -> Audit:
    """What pip-audit's answer is worth: only what names every pin, with its version, counts."""
    looked_up = {
        (str(canonicalize_name(each["name"])), each["version"]) for each in told if "vulns" in each
    }
    weak = tuple(
        f"{each['name']} {each['version']}: {vuln['id']}"
        f" (mended in {', '.join(vuln['fix_versions']) or 'no version yet'})"
        for each in told
        for vuln in each.get("vulns", [])
    )
    missing = sorted(name for name, _ in wanted - looked_up)
    unknown = ""
    if not wanted:
        unknown = "the file pins nothing"
    elif missing:
        unknown = f"not looked up: {', '.join(missing)}"
    elif status != CLEAN and not weak:
        unknown = f"pip-audit failed (exit {status}) and named no weakness"
    return Audit(looked_up=len(wanted & looked_up), weak=weak, unknown=unknown)


def main(arguments: Sequence[str] | None = None) -> int:
    """Audits each file; says what was found, or that nothing is known."""
    parser = argparse.ArgumentParser(prog="make audit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--osv-url", help="ask this source of advisories, which speaks as OSV does")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS)
    given = parser.parse_args(arguments)
    asking = ["--vulnerability-service=osv", f"--osv-url={given.osv_url}"] if given.osv_url else []
    status = CLEAN
    for lock in given.locks:
        name = f"{lock.resolve().parent.name}/{lock.name}"
        found = audit(lock, asking=asking)
        for line in found.weak:
            print(f"{name}: {line}")
        print(f"{name}: {found.looked_up} pins looked up, {len(found.weak)} weaknesses")
        if found.unknown:
            print(f"{name}: NOT AUDITED, so it may be unsafe. {found.unknown}", file=sys.stderr)
        # A weakness that is known weighs more than what is not known.
        status = WEAK if found.weak or status == WEAK else UNKNOWN if found.unknown else status
        if found.unknown and not found.looked_up:
            print("the files after it were not audited either", file=sys.stderr)
            break
    return status


if __name__ == "__main__":
    sys.exit(main())
