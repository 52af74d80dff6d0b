"""Values with good defaults; a test overrides what it is about."""

from datetime import UTC, datetime, timedelta

from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.incident import Attempt, Incident, State
from rollback_responder.domain.judging import Evidence, Verdict
from rollback_responder.domain.leg import How, Leg, LegState
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.policy import Verification, parse_policy
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Good, Ledger, Observation, Origin, Release
from rollback_responder.domain.response import Mode
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.target import CloudFormationStack, CodeDeployGroup, LambdaAlias
from rollback_responder.domain.trial import Trial
from rollback_responder.domain.trigger import ErrorRate

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TARGET = LambdaAlias(function="shop", alias="live")
GROUP = CodeDeployGroup(application="shop", group="live")
STACK = CloudFormationStack(stack="shop")


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


def a_sight(phase=Phase.RUNNING, change="d-1", **changes):
    """Of a rollout whose change began five minutes ago; its status is the phase's name."""
    given = {"status": phase.value.upper(), "began_at": NOW - 5 * MINUTE}
    return Sight(phase=phase, change=change, **(given | changes))


def a_leg(target=GROUP, how=How.STOP, state=LegState.TO_DO, **changes):
    given = {"change": "d-1", "title": f"{target.title}: d-1", "at": NOW}
    return Leg(target=target, how=how, state=state, **(given | changes))


def a_moved_leg(**changes):
    """The leg of a pointer that was moved back from version 2."""
    given = {"change": a_release().key, "title": "version 2", "state": LegState.BACK}
    return a_leg(TARGET, How.MOVE, **(given | changes))


def a_trial(*legs, **changes):
    """A release behind the alias on trial, or the change of the legs that are given."""
    chosen = legs or (a_moved_leg(state=LegState.TO_DO, at=None),)
    given = {
        "change": chosen[0].change,
        "since_at": a_release().since_at,
        "title": chosen[0].title,
        "why": "so",
        "legs": chosen,
        "exact": bool(legs),
    }
    return Trial(**(given | changes))


def an_alarm(state=AlarmState.ALARM, **changes):
    return AlarmReading(state=state, **({"transitioned_at": NOW - 2 * MINUTE} | changes))


def evidence(verdict=Verdict.BREACHING, text="error rate 40.0 % > 5 % (60 requests)", **changes):
    return Evidence(verdict=verdict, text=text, **changes)


def an_assessment(verdict=Verdict.BREACHING, previous=None):
    return Assessment(new=evidence(verdict), previous=previous)


def an_attempt(claim_id="inc-5", lost_at=NOW, changes=(), revision="r1"):
    return Attempt(claim_id=claim_id, lost_at=lost_at, changes=changes, revision=revision)


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
    given |= changes
    release = given["release"]
    incident = Incident(**({"change": release.key if release else None} | given))
    for number, (state, reason, *text) in enumerate(steps):
        said = text[0] if text else reason.value.replace("_", " ")
        incident = incident.step(NOW + number * MINUTE, state, reason, said)
    return incident


def a_rolled_back_incident(*more, **changes):
    given = {"to_version": "1", "acted_at": NOW, "back_at": NOW, "legs": (a_moved_leg(),)}
    return an_incident((State.WATCHING, Reason.METRIC_BREACHING), *more, **(given | changes))


def minutes(*errors, requests=60, end_at=NOW):
    """One bucket for each number of errors, the last one ending at `end_at`; None is a gap."""
    first_at = end_at - len(errors) * MINUTE
    return tuple(
        Bucket(
            start_at=first_at + number * MINUTE,
            requests=requests,
            errors=count,
        )
        for number, count in enumerate(errors)
        if count is not None
    )


def a_bucket(minute, requests=60, errors=0, **changes):
    """The minute that begins so many minutes after `NOW`."""
    return Bucket(start_at=NOW + minute * MINUTE, requests=requests, errors=errors, **changes)


def counted(*counts, first=0):
    """Minutes one after the other, each as (requests, errors); None is a gap."""
    return tuple(
        a_bucket(minute, *pair) for minute, pair in enumerate(counts, first) if pair is not None
    )


def leveled(*values, first=0, requests=1000, limit=None):
    """Minutes one after the other, each with its number; None is a gap."""
    return tuple(
        a_bucket(minute, requests, value=value, limit=limit)
        for minute, value in enumerate(values, first)
        if value is not None
    )
