"""Each check tells a world that holds its assumption from one that does not, and leaves nothing."""

import pytest
import world

from conformance.check import Verdict
from conformance.checks import CHECKS
from conformance.run import run

ALL = {check.key: check for check in CHECKS}
HOLDS, NOT, UNTOLD = Verdict.HOLDS, Verdict.DOES_NOT_HOLD, Verdict.NOT_TOLD
# By check: how the world is bent, and what the check must say then.
BENT = {
    "A1": [({"keeps_weights": False}, NOT)],
    "A3": [({"revision_first": False}, NOT)],
    "revision": [({"rotates": False}, NOT)],
    "description": [({"keeps_description": False}, NOT)],
    "A4": [({"versions_have_metrics": False}, NOT)],
    "A25": [({"lag_seconds": 150}, NOT), ({"lag_seconds": 1000}, UNTOLD)],
    "api-count": [({"samples_are_requests": False}, NOT)],
    "A11-disabled": [({"reports_silent": False}, NOT)],
    "A11-muted": [({"reports_silent": False}, NOT)],
    "mute-rules": [
        ({"mute_rules_are_listed": False}, NOT),
        ({"mute_rules_tell_targets": False}, NOT),
    ],
    "A13": [({"topic_denies": False}, NOT), ({"topic_is_deaf": True}, NOT)],
    "A18": [({"same_instant": False}, NOT)],
    "A12": [({"composite_has_arn": False}, NOT)],
    "A19": [({"refuses_forged": False}, NOT)],
    "A23": [({"hides_composites": False}, NOT), ({"narrow_describe_fails": True}, NOT)],
    "A2": [({"old_stays_primary": False}, NOT)],
    "A5": [({"stop_has_resource": False}, NOT)],
    "A7": [({"own_setting": False}, NOT)],
    "waiting": [({"rolls_back_unstarted": True}, NOT), ({"starts_at_once": True}, UNTOLD)],
    "create-deployment": [({"four_suffice": False}, NOT)],
    "A6": [({"deployments_can_be_stopped": False}, NOT)],
    "A8": [({"monitoring_can_be_cancelled": False}, NOT)],
    "A9": [({"token_is_told": False}, NOT)],
    "stack-update": [({"operations_are_kept": False}, NOT)],
    "A10": [({"caller_is_not_needed": False}, NOT)],
    "tags-lambda": [({"tags_count": False}, NOT)],
    "tags-stack": [({"tags_count": False}, NOT)],
    "simulate": [({"simulates_tags": False}, NOT)],
    "url": [
        ({"mirror": lambda form: {"body": form.decode().lower(), "isBase64Encoded": False}}, NOT),
        ({"mirror": lambda form: {"body": "cGF5", "isBase64Encoded": True}}, NOT),
    ],
    "timeout-log": [
        ({"report": {"type": "platform.report", "record": {"status": "failure"}}}, NOT),
        ({"report": {"type": "platform.other", "record": {}}}, UNTOLD),
    ],
    "sdk": [({"runtime_speaks": False}, NOT)],
    "roots": [
        ({"handshakes": lambda host: "[SSL: CERTIFICATE_VERIFY_FAILED] no issuer"}, NOT),
        ({"handshakes": lambda host: "timed out"}, UNTOLD),
    ],
}


def played(key, **bent):
    here = world.World()
    for name, value in bent.items():
        assert hasattr(here, name), name
        setattr(here, name, value)
    done = run(here.lab(), [ALL[key]])
    (result,) = done.results
    return here, done, result


@pytest.mark.parametrize("key", ALL)
def test_a_world_that_holds_it_is_told_and_left_as_it_was(account, key):
    here, done, result = played(key)

    assert (result.verdict, result.problem) == (HOLDS, ""), result
    assert here.left() == world.NOTHING
    assert done.left == result.left == ()
    assert result.seconds <= ALL[key].minutes * 60, "longer than it says"


@pytest.mark.parametrize(
    ("key", "bent", "verdict"),
    [(key, bent, verdict) for key, cases in BENT.items() for bent, verdict in cases],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_a_world_that_does_not_is_told_from_it(account, key, bent, verdict):
    here, _, result = played(key, **bent)

    assert result.verdict is verdict, result
    assert here.left() == world.NOTHING


def test_every_check_has_a_world_that_breaks_it():
    assert set(BENT) == set(ALL)
    assert all(any(verdict is NOT for _, verdict in cases) for cases in BENT.values())
