"""The zip holds the package, its pinned dependencies and the policy, and nothing else."""

import json
import marshal
import os
import sys
import zipfile
from pathlib import Path

import boto3
import pytest

from infra import own_code, package, sdk_data
from rollback_responder.domain.policy import parse_policy
from rollback_responder.policies import IndexedPolicy
from tests.infra.synthesis import POLICY

HOUSES = {
    "respond": "Responder/Respond",
    "watch": "Watcher/Watch",
    "notify": "Notifier/Notify",
    "interact": "Interactor/Interact",
}
LARGEST_BYTES = 12_000_000
# Our own source, as it is zipped: 150 KB were aimed at.
LARGEST_OWN_BYTES = 150 * 1024
# Lambda quotas: 250 MB unzipped, with everything.
LARGEST_NOTIFY_BYTES = 160_000_000


def asset_of(synthesis, function):
    key = synthesis.responder.properties(f"{function}/Function")["Code"]["S3Key"]
    return synthesis.folder / f"asset.{key.removesuffix('.zip')}"


@pytest.fixture(scope="module")
def asset(synthesis):
    return asset_of(synthesis, "Responder/Respond")


@pytest.fixture(scope="module")
def notify_asset(synthesis):
    return asset_of(synthesis, "Notifier/Notify")


@pytest.fixture(scope="module", params=HOUSES)
def function(request):
    return request.param


@pytest.fixture(scope="module")
def each_asset(synthesis, function):
    return asset_of(synthesis, HOUSES[function])


def test_only_notify_carries_what_draws_pictures(asset, notify_asset):
    assert {path.name for path in asset.iterdir()} < {path.name for path in notify_asset.iterdir()}
    assert (notify_asset / "matplotlib").is_dir()
    assert not (asset / "matplotlib").exists()
    assert (notify_asset / "matplotlib" / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf").is_file()


def test_what_is_compiled_is_compiled_for_lambda(each_asset):
    """An extension takes no other interpreter than its own, and no other machine."""
    libraries = {path.name for path in each_asset.rglob("*.so") if "cpython" in path.name}

    assert libraries
    assert {name.split(".")[1] for name in libraries} == {"cpython-313-aarch64-linux-gnu"}


def test_no_pin_depends_on_the_python_of_the_machine_that_synthesises():
    for requirements in (package.REQUIREMENTS, package.NOTIFY_REQUIREMENTS):
        assert ";" not in requirements.read_text()


def test_what_all_share_is_pinned_to_the_same_versions():
    pins, more = (
        {line for line in path.read_text().splitlines() if "==" in line}
        for path in (package.REQUIREMENTS, package.NOTIFY_REQUIREMENTS)
    )

    assert pins < more


def test_the_asset_holds_only_what_it_should(asset):
    names = {path.name.split("-")[0] for path in asset.iterdir()}
    assert names == {
        "rollback_responder",
        "policy.json",
        "policy.index",
        "sdk",
        "aws_lambda_powertools",
        "botocore",
        "dateutil",
        "jmespath",
        "msgspec",
        "python_dateutil",
        "six",
        "six.py",
        "slack",
        "slack_sdk",
        "typing_extensions",
        "typing_extensions.py",
        "urllib3",
        *(["__pycache__"] if package.compiler() else []),
    }


def test_botocore_comes_without_its_data_and_boto3_not_at_all(each_asset):
    found = [path.name for path in each_asset.glob("boto*") if path.suffix != ".dist-info"]
    assert found == ["botocore"]
    assert not (each_asset / "botocore" / "data").exists()


def test_no_trace_of_this_machine(each_asset):
    for path in each_asset.rglob("*"):
        assert path.name not in {"RECORD", "INSTALLER", "direct_url.json"}
        assert path.suffix != ".egg-info"
        assert not path.is_symlink()


def test_one_thing_compiled_is_on_the_way_of_a_rollback(asset):
    (library,) = asset.rglob("*.so")

    assert library.parent == asset / "msgspec"


def own_source(asset):
    return [p for p in (asset / "rollback_responder").rglob("*.py") if p.is_file()]


def test_the_package_is_what_the_handler_reaches(each_asset, function):
    handler = f"rollback_responder.handlers.{function}"
    wanted = {
        path.relative_to(package.PACKAGE): own_code.bare(path.read_text("utf-8"))
        for path in own_code.reached(package.PACKAGE, handler)
    }
    staged = each_asset / "rollback_responder"

    assert {p.relative_to(staged): p.read_text("utf-8") for p in own_source(each_asset)} == wanted
    assert Path("handlers") / f"{function}.py" in wanted


def test_the_command_line_stays_at_home(each_asset):
    """Its libraries are not in the zip, so its modules could not even be imported there."""
    assert (package.PACKAGE / "cli").is_dir()
    assert not (each_asset / "rollback_responder" / "cli").exists()


def test_our_own_code_stays_small(each_asset, tmp_path):
    zipped = tmp_path / "own.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in own_source(each_asset):
            archive.write(path, path.relative_to(each_asset))

    assert 100 * 1024 < zipped.stat().st_size <= LARGEST_OWN_BYTES


def bytes_of(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def test_the_assets_stay_small(asset, notify_asset):
    assert bytes_of(asset) < LARGEST_BYTES
    assert bytes_of(notify_asset) < LARGEST_NOTIFY_BYTES


def test_the_policy_in_the_asset_is_the_policy_of_the_synthesis(each_asset, synthesis):
    text = (each_asset / "policy.json").read_text()
    assert parse_policy(json.loads(text)) == synthesis.policy
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_index_in_the_asset_is_of_the_same_policy(each_asset, synthesis):
    index = IndexedPolicy(each_asset / "policy.index")
    for entry in synthesis.policy.watched():
        assert index.part(entry.alarm_name).watched == entry


def test_the_asset_is_named_by_its_content(tmp_path):
    build = tmp_path / "build"
    build.mkdir()
    for warm in package.BUILD.glob("dependencies-*"):
        (build / warm.name).symlink_to(warm)
    policy = parse_policy(POLICY)
    first = package.stage(policy, "respond", build=build)
    os.utime(first / "policy.json", (0, 0))
    assert package.stage(policy, "respond", build=build) == first
    other = package.stage(parse_policy({**POLICY, "mode": "observe"}), "respond", build=build)
    assert other != first
    assert not list(build.glob("unfinished-*"))


def test_an_asset_that_no_synth_asked_for_in_an_hour_is_cleared_up(tmp_path):
    build = tmp_path / "build"
    build.mkdir()
    for warm in package.BUILD.glob("dependencies-*"):
        (build / warm.name).symlink_to(warm)
    old, recent = (
        package.stage(parse_policy({**POLICY, "mode": mode}), "respond", build=build)
        for mode in ("enforce", "observe")
    )
    for asset in (old, recent):
        os.utime(asset, (0, 0))
    assert (
        package.stage(parse_policy({**POLICY, "mode": "observe"}), "respond", build=build) == recent
    )
    assert sorted(path.name for path in build.glob("asset-*")) == [recent.name]


def test_what_is_compiled_is_never_found_stale_and_twice_the_same(tmp_path):
    """By the header of a cache: its flags are 1 where it is by hash, and unchecked (PEP 552)."""
    policy = parse_policy(POLICY)
    first, again = (
        package.stage(policy, "respond", build=tmp_path / name, python=sys.executable)
        for name in ("a", "b")
    )
    caches = list(first.rglob("*.pyc"))

    assert first.name == again.name
    assert len(caches) == len(list(first.rglob("*.py")))
    for path in caches:
        content = path.read_bytes()
        assert int.from_bytes(content[4:8], "little") == 1
        assert marshal.loads(content[16:]).co_filename.startswith("/var/task/")  # noqa: S302


def test_only_the_python_of_the_runtime_compiles(monkeypatch):
    package.compiler.cache_clear()
    running = "{}.{}".format(*sys.version_info)
    with monkeypatch.context() as patch:
        patch.setattr(package, "VERSION", running)
        assert package.compiler() == sys.executable
        package.compiler.cache_clear()
        patch.setattr(package, "VERSION", "2.0")
        assert package.compiler() is None
    package.compiler.cache_clear()


def test_a_warm_cache_needs_no_installer(synthesis, tmp_path, monkeypatch):
    assert synthesis.responder
    monkeypatch.setattr(package, "_install", lambda *_: pytest.fail("pip was run"))
    assert package.stage(parse_policy(POLICY), "respond", python=package.compiler()).is_dir()


def test_no_package_index_is_an_error_in_words(tmp_path, monkeypatch):
    # A port that nobody listens on; whatever this machine is configured with is left aside.
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(package.PackageError, match="pip must reach a package index once") as told:
        package.stage(parse_policy(POLICY), "respond", build=tmp_path / "build")
    assert str(Path("functions") / "requirements.txt") in str(told.value)
    assert list((tmp_path / "build").iterdir()) == []


def test_the_sdks_data_is_as_it_is_on_disk_whatever_clients_this_process_has(tmp_path):
    """A client fills in what it reads (botocore.regions merges defaults into endpoints)."""
    sdk_data._files.cache_clear()
    sdk_data.write(tmp_path / "before")
    for service in sdk_data.OPERATIONS:
        boto3.session.Session().client(service, region_name="eu-west-1")
    sdk_data._files.cache_clear()
    sdk_data.write(tmp_path / "after")
    before, after = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.json")}
        for folder in (tmp_path / "before", tmp_path / "after")
    )
    assert before
    assert [str(path) for path in before if before[path] != after[path]] == []


def test_whatever_the_umask_every_file_can_be_read_by_lambda(tmp_path, monkeypatch):
    """CDK's zip keeps the modes, and Lambda is neither the owner nor of the group."""
    source = tmp_path / "source" / "rollback_responder"
    handler = source / "handlers" / "respond.py"
    handler.parent.mkdir(parents=True)
    handler.write_text("x = 1\n")
    handler.chmod(0o600)
    source.chmod(0o700)
    (tmp_path / "nothing").mkdir(mode=0o700)
    monkeypatch.setattr(package, "PACKAGE", source)
    monkeypatch.setattr(package, "dependencies", lambda *_, **__: tmp_path / "nothing")
    before = os.umask(0o077)
    try:
        asset = package.stage(parse_policy(POLICY), "respond", build=tmp_path / "build")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in asset.rglob("*")}
    assert modes["respond.py"] == 0o644
    assert {modes["policy.json"], modes["partitions.json"]} == {0o644}
    assert {modes["handlers"], modes["sdk"], asset.stat().st_mode & 0o777} == {0o755}


def test_an_asset_from_which_something_ran_is_made_anew(tmp_path, monkeypatch):
    (tmp_path / "nothing").mkdir()
    monkeypatch.setattr(package, "dependencies", lambda *_, **__: tmp_path / "nothing")
    policy, build = parse_policy(POLICY), tmp_path / "build"
    asset = package.stage(policy, "respond", build=build)
    (asset / "__pycache__").mkdir()
    (asset / "__pycache__" / "left.cpython-311.pyc").touch()
    assert package.stage(policy, "respond", build=build) == asset
    assert not (asset / "__pycache__").exists()
    assert [path.name for path in build.iterdir()] == [asset.name]


@pytest.mark.parametrize("has", [None, "/usr/bin/python-of-the-runtime"])
def test_whether_bytecode_is_shipped_can_be_made_the_same_on_every_machine(monkeypatch, has):
    monkeypatch.setattr(package, "compiler", lambda: has)
    assert package.Compiled.NEVER.interpreter() is None
    assert package.Compiled.IF_POSSIBLE.interpreter() == has
    if has:
        assert package.Compiled.REQUIRED.interpreter() == has
    else:
        with pytest.raises(package.PackageError, match=r"has no python3\.13"):
            package.Compiled.REQUIRED.interpreter()


def test_the_stack_says_whether_bytecode_is_shipped(synthesis, asset):
    told = synthesis.responder.outputs()["Compiled"]["Value"]
    assert told == (f"python{package.VERSION}" if list(asset.rglob("*.pyc")) else "no")
