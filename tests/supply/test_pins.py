"""Whatever is installed is pinned with its hash, and a package with another hash is refused."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import threading
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infra import package
from local import cdk
from supply import audit

ROOT = package.PROJECT
MAKEFILE = (ROOT / "Makefile").read_text()
NPM_LOCK = json.loads((cdk.PINS / "package-lock.json").read_text())
HOST = re.compile(r"https?:|index-url|find-links|resolved")


@pytest.mark.parametrize("lock", audit.LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pin_has_its_hashes_and_no_file_names_a_registry(lock):
    text = lock.read_text()
    pinned = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert pinned
    for line in pinned:
        assert re.match(r"[\w.-]+==\S+( ; .+)? \\$", line), line
    assert len(re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(pinned)
    assert not HOST.search(text)


def test_no_file_of_pins_is_left_out():
    found = {path for path in ROOT.glob("*/*requirements*.txt") if ".venv" not in path.parts}
    assert found | set(ROOT.glob("requirements*.txt")) == set(audit.LOCKS)


def test_what_is_asked_for_is_what_is_locked():
    """Each direct dependency of pyproject.toml is in its lock, with that version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    asked = {
        "functions/requirements.txt": project["project"]["dependencies"],
        "functions/requirements-notify.txt": groups["notify"],
        "requirements-install.txt": groups["install"],
        "requirements.txt": groups["dev"],
        "local/emulator-requirements.txt": groups["emulator"],
    }
    for lock, wanted in asked.items():
        pins = dict(audit.pins(ROOT / lock))
        for each in wanted:
            if isinstance(each, str):
                requirement = Requirement(each)
                assert f"=={pins[requirement.name]}" == str(requirement.specifier), lock
    assert project["build-system"]["requires"] == [f"hatchling=={pins_of('hatchling')}"]
    strings = {each for each in groups["dev"] + groups["notify"] if isinstance(each, str)}
    assert set(project["project"]["optional-dependencies"]["cli"]) <= strings


def pins_of(name):
    return dict(audit.pins(ROOT / "requirements-install.txt"))[name]


def test_every_installation_asks_for_hashes():
    """The Makefile's, but for the project itself, which is built here and needs no index."""
    installs = re.findall(r"(?:pip|uv pip)[^\n]* install (?:[^\n]*\\\n)*[^\n]*", MAKEFILE)
    assert len(installs) == 3
    *pinned, own = installs
    assert all("--require-hashes --only-binary :all:" in each for each in pinned)
    assert "--no-index --no-deps --no-build-isolation -e ." in own


def test_the_command_line_of_cdk_is_locked_by_its_hash():
    assert not HOST.search((cdk.PINS / "package-lock.json").read_text())
    wanted = json.loads((cdk.PINS / "package.json").read_text())["dependencies"]
    packages = {name: each for name, each in NPM_LOCK["packages"].items() if name}
    assert {f"node_modules/{name}": version for name, version in wanted.items()} == {
        name: each["version"] for name, each in packages.items()
    }
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())


@pytest.fixture
def only_here(tmp_path, monkeypatch):
    """pip finds one package, in a folder, and nothing that this machine is configured with."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        archive.writestr(
            "thing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def requiring(folder, digest):
    path = folder / "requirements.txt"
    path.write_text(f"thing==1.0 --hash=sha256:{digest}\n" if digest else "thing==1.0\n")
    return path


def test_a_package_with_its_hash_is_shipped(only_here, tmp_path):
    shipped = package.dependencies(requiring(tmp_path, only_here), build=tmp_path / "build")
    assert (shipped / "thing.py").is_file()


def test_a_package_with_another_hash_is_not_shipped_and_the_error_says_what_to_do(
    only_here, tmp_path
):
    pins = requiring(tmp_path, "0" * 64)
    with pytest.raises(package.PackageError, match=r"is not the one that requirements\.txt pins"):
        package.dependencies(pins, build=tmp_path / "build")
    assert list((tmp_path / "build").iterdir()) == []


def test_a_package_without_a_hash_is_not_shipped(only_here, tmp_path):
    with pytest.raises(package.PackageError, match="--require-hashes mode"):
        package.dependencies(requiring(tmp_path, None), build=tmp_path / "build")


@pytest.fixture
def npm_registry(monkeypatch, tmp_path):
    """A registry on loopback that has one version of aws-cdk; gives its tarball's integrity."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        manifest = json.dumps({"name": "aws-cdk", "version": "9.9.9"}).encode()
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
    tarball = buffer.getvalue()
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self):
            body = tarball
            if not self.path.endswith(".tgz"):
                dist = {"tarball": f"{url}/aws-cdk/-/aws-cdk-9.9.9.tgz", "integrity": integrity}
                version = {"name": "aws-cdk", "version": "9.9.9", "dist": dist}
                body = json.dumps({"name": "aws-cdk", "versions": {"9.9.9": version}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("npm_config_registry", url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        yield integrity
        server.shutdown()
        thread.join()


def locked(folder: Path, integrity):
    folder.mkdir()
    lock = json.loads(json.dumps(NPM_LOCK))
    lock["packages"][""]["dependencies"]["aws-cdk"] = "9.9.9"
    entry = {"version": "9.9.9", "integrity": integrity}
    lock["packages"]["node_modules/aws-cdk"] = entry
    (folder / "package-lock.json").write_text(json.dumps(lock))
    shutil.copy(cdk.PINS / "package.json", folder)
    manifest = folder / "package.json"
    manifest.write_text(manifest.read_text().replace("2.1148.1", "9.9.9"))
    return folder


def test_the_command_line_of_cdk_is_installed_if_its_hash_is_the_locks(npm_registry, tmp_path):
    pins, tools = locked(tmp_path / "pins", npm_registry), tmp_path / "tools"
    said = []
    for _ in range(2):
        cdk.install(said.append, pins=pins, tools=tools)
    assert (tools / "node_modules" / "aws-cdk" / "package.json").is_file()
    assert len(said) == 1


def test_the_command_line_of_cdk_with_another_hash_is_refused(npm_registry, tmp_path):
    other = f"sha512-{base64.b64encode(bytes(64)).decode()}"
    pins, tools = locked(tmp_path / "pins", other), tmp_path / "tools"
    with pytest.raises(cdk.CdkError, match="EINTEGRITY"):
        cdk.install(print, pins=pins, tools=tools)
    assert not (tools / "node_modules" / "aws-cdk").exists()
    assert not (tools / "installed.json").exists()
