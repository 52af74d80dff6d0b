"""The zip holds the package, its pinned dependencies and the policy, and nothing else."""

import json
import os
from pathlib import Path

import pytest

from infra import package
from rollback_responder.domain.policy import parse_policy
from tests.infra.synthesis import POLICY

LARGEST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def asset(synthesis):
    (folder,) = [path for path in synthesis.folder.glob("asset.*") if path.is_dir()]
    return folder


def test_all_functions_share_one_asset(synthesis, asset):
    codes = [
        f["Code"]["S3Key"] for f in synthesis.responder.of_type("AWS::Lambda::Function").values()
    ]
    assert codes == [f"{asset.name.removeprefix('asset.')}.zip"] * 4


def test_the_asset_holds_only_what_it_should(asset):
    names = {path.name.split("-")[0] for path in asset.iterdir()}
    assert names == {
        "rollback_responder",
        "policy.json",
        "aws_lambda_powertools",
        "jmespath",
        "slack",
        "slack_sdk",
        "typing_extensions",
        "typing_extensions.py",
    }


def test_boto3_is_left_to_the_runtime(asset):
    assert not [path for path in asset.rglob("boto*") if path.parent == asset]


def test_no_cache_no_compiled_code_and_no_trace_of_this_machine(asset):
    for path in asset.rglob("*"):
        assert path.name not in {"__pycache__", "RECORD", "INSTALLER", "direct_url.json"}
        assert path.suffix not in {".pyc", ".so", ".egg-info"}
        assert not path.is_symlink()


def test_the_package_is_the_source_root(asset):
    source = package.PACKAGE
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.relative_to(source).parts[0] != "cli"
    }
    staged = asset / "rollback_responder"
    assert {p.relative_to(staged) for p in staged.rglob("*") if p.is_file()} == wanted


def test_the_command_line_stays_at_home(asset):
    """Its libraries are not in the zip, so its modules could not even be imported there."""
    assert (package.PACKAGE / "cli").is_dir()
    assert not (asset / "rollback_responder" / "cli").exists()


def test_the_asset_stays_small(asset):
    assert sum(p.stat().st_size for p in asset.rglob("*") if p.is_file()) < LARGEST_BYTES


def test_the_policy_in_the_asset_is_the_policy_of_the_synthesis(asset, synthesis):
    text = (asset / "policy.json").read_text()
    assert parse_policy(json.loads(text)) == synthesis.policy
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_asset_is_named_by_its_content(tmp_path):
    build = tmp_path / "build"
    build.mkdir()
    warm = next(package.BUILD.glob("dependencies-*"))
    (build / warm.name).symlink_to(warm)
    policy = parse_policy(POLICY)
    first = package.stage(policy, build=build)
    os.utime(first / "policy.json", (0, 0))
    assert package.stage(policy, build=build) == first
    other = package.stage(parse_policy({**POLICY, "mode": "observe"}), build=build)
    assert other != first
    assert not list(build.glob("unfinished-*"))


def test_a_warm_cache_needs_no_installer(synthesis, tmp_path, monkeypatch):
    assert synthesis.responder
    monkeypatch.setattr(package.subprocess, "run", lambda *_, **__: pytest.fail("pip was run"))
    assert package.stage(parse_policy(POLICY)).is_dir()


def test_no_package_index_is_an_error_in_words(tmp_path, monkeypatch):
    # A port that nobody listens on; whatever this machine is configured with is left aside.
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(package.PackageError, match="pip must reach a package index once") as told:
        package.stage(parse_policy(POLICY), build=tmp_path / "build")
    assert str(Path("functions") / "requirements.txt") in str(told.value)
    assert list((tmp_path / "build").iterdir()) == []
