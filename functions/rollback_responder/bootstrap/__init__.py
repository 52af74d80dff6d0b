"""The only place that opens AWS clients: from environment and policy file to a furnished house.

Each handler module calls its own house once, at cold start, so that what is missing names itself
there. A cold start pays for every module it loads, and a function is shipped with what its house
reaches, so each house stands in a module of its own.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from botocore.httpsession import where
from botocore.loaders import Loader

from rollback_responder import lean_client
from rollback_responder.domain import naming
from rollback_responder.domain.errors import PolicyError, Problem
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.lean_client import LeanClient, Limits, Roots

# Makes what calls a service.
Client = Callable[[str, Limits], Any]

# Shipped beside the package by infra/package.py.
POLICY_FILE = Path(__file__).resolve().parents[2] / "policy.json"

# Reads may be repeated at once; a move of a target may not: the state machine is its only retry
# layer (decision D5). Ten seconds bound any one call.
READS = Limits(connect=2, read=5, attempts=2)
ONCE = Limits(connect=2, read=8, attempts=1)
# Longer than the longest invocation (60 s) with one more call under way.
LEASE = timedelta(seconds=90)


def clients(data: Path = lean_client.DATA) -> Client:
    """What calls AWS with the region and the credentials that the runtime provides.

    It reads the data that is shipped beside the code; where there is none, the SDK's own.
    """
    if data.is_dir():
        loader = Loader([str(data)], include_default_search_paths=False)
        roots = Roots(data / lean_client.ROOTS)
    else:
        loader = Loader()
        roots = Roots(Path(os.environ.get("AWS_CA_BUNDLE") or where()), widens=False)
    return partial(_lean, loader, roots)


def _lean(loader: Any, roots: Roots, service: str, limits: Limits) -> LeanClient:
    return LeanClient(service, limits, loader=loader, roots=roots, environment=os.environ)


def load_policy(path: Path = POLICY_FILE) -> Policy:
    """The policy that was deployed with the code.

    Raises:
        PolicyError: the file is missing or cannot be used; it names the file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = Problem(
            path=path.name,
            got=f"{type(error).__name__}: {error}",
            allowed="the policy that the synth wrote",
            change="deploy the responder's stack again",
        )
        raise PolicyError("the policy file", (problem,)) from error
    return parse_policy(document)


def utc_now() -> datetime:
    """The clock. The only one."""
    return datetime.fromtimestamp(time.time(), tz=UTC)


def new_id(now: datetime) -> str:
    """An incident's or a claim's name: when, and something nobody else drew. 28 characters."""
    return naming.incident_id(now, secrets.token_hex(4))
