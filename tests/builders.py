"""Values with good defaults; a test overrides what it is about."""

from datetime import UTC, datetime, timedelta

from rollback_responder.domain.assessment import Assessment, Evidence, Verdict
from rollback_responder.domain.decision import Reason
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.policy import Mode, Verification, parse_policy
from rollback_responder.domain.release import Good, Ledger, Observation, Origin, Release
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.domain.trigger import ErrorRate

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TARGET = LambdaAlias(function="shop", alias="live")


def a_policy(**changes):
    return parse_policy(
        {
            "environment": "prod",
            "mode": "enforce",
            "slack": {"channel": "#deploys"},
            "services": [
                {
                    "name": "shop",
                    "targets": [{"kind": "lambda_alias", "function": "shop", "alias": "live"}],
                    "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
                }
            ],
        }
        | changes
    )


def a_release(version="2", **changes):
    given = {"since_at": NOW - 5 * MINUTE, "origin": Origin.DEPLOYED}
    return Release(version=version, **(given | changes))


def a_good(version="1", **changes):
    return Good(version=version, **({"proven_at": NOW - 60 * MINUTE} | changes))


def a_ledger(**changes):
    given = {"current": a_release(), "revision": "r1", "good": (a_good(),)}
    return Ledger(**(given | changes))


def an_observation(primary="2", other=None, revision="r1", marker=None):
    return Observation(primary=primary, other=other, revision=revision, marker=marker)


def an_alarm(state=AlarmState.ALARM, **changes):
    return AlarmReading(state=state, **({"transitioned_at": NOW - 2 * MINUTE} | changes))


def evidence(verdict=Verdict.BREACHING, text="error rate 40.0 % > 5 % (60 requests)", **changes):
    return Evidence(verdict=verdict, text=text, **changes)


def an_assessment(verdict=Verdict.BREACHING, previous=None):
    return Assessment(new=evidence(verdict), previous=previous)


def an_incident(*steps, **changes):
    """With steps as (state, reason) or (state, reason, text); each a minute after the other."""
    given = {
        "id": "inc-1",
        "environment": "prod",
        "service": "shop",
        "mode": Mode.ENFORCE,
        "target": TARGET,
        "trigger": ErrorRate(threshold_percent=5),
        "verification": Verification(),
        "alarm_name": "rollback.prod.shop.shop.live.error-rate",
        "alarm_since_at": NOW - 2 * MINUTE,
        "opened_at": NOW,
        "release": a_release(),
    }
    incident = Incident(**(given | changes))
    for number, (state, reason, *text) in enumerate(steps):
        said = text[0] if text else reason.value.replace("_", " ")
        incident = incident.step(NOW + number * MINUTE, state, reason, said)
    return incident


def a_rolled_back_incident(*more, **changes):
    given = {"to_version": "1", "acted_at": NOW}
    return an_incident((State.WATCHING, Reason.METRIC_BREACHING), *more, **(given | changes))


def minutes(*errors, requests=60, end_at=NOW, latency_ms=None):
    """One bucket for each number of errors, the last one ending at `end_at`; None is a gap."""
    first_at = end_at - len(errors) * MINUTE
    return tuple(
        Bucket(
            start_at=first_at + number * MINUTE,
            requests=requests,
            errors=count if latency_ms is None else 0,
            latency_ms=None if latency_ms is None else latency_ms[number],
        )
        for number, count in enumerate(errors)
        if count is not None
    )
