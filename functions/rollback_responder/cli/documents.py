"""What `--json` prints. Keys stay; new ones may come. `docs/cli.md` explains each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from rollback_responder.cli.figures import figures_of
from rollback_responder.cli.records import Label, Record, Shared
from rollback_responder.domain.document import write
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.release import Ledger, Release
from rollback_responder.domain.said import Said
from rollback_responder.notifiers.headline import headline


def incident_in_brief(incident: Incident) -> dict[str, Any]:
    """One line of a list of incidents."""
    return {
        "id": incident.id,
        "service": incident.service,
        "environment": incident.environment,
        "state": incident.state.value,
        "reason": incident.reason.value,
        "open": incident.is_open,
        "needs_a_person": incident.needs_a_person,
        "severity": incident.severity.value,
        "headline": headline(incident),
        "opened_at": incident.opened_at.isoformat(),
        "latest_at": incident.steps[-1].at.isoformat(),
        "minutes": asdict(figures_of(incident)),
    }


def incident_in_full(
    incident: Incident, label: Label | None, said: Sequence[Said]
) -> dict[str, Any]:
    """An incident as the journal keeps it, beside what is worked out from it."""
    return incident_in_brief(incident) | {
        "label": asdict(label) if label else None,
        "said": [write(each) for each in said],
        "incident": write(incident),
    }


def standing_of(release: Release) -> str:
    """Whether a version is on trial or has proved itself, in one word."""
    return "proved" if release.proven_at else release.origin.value


def status(
    policy: Policy | None,
    pages: tuple[Record, ...],
    shared: Shared,
    heartbeat: timedelta | None,
    now: datetime,
) -> dict[str, Any]:
    """How everything stands."""
    return {
        "at": now.isoformat(),
        "environment": policy.environment if policy else None,
        "mode": policy.mode.value if policy else None,
        "paused_by": shared.paused_by,
        "rollbacks_this_hour": shared.rollbacks_this_hour,
        "rollbacks_an_hour": policy.guardrails.rollbacks_an_hour if policy else None,
        "heartbeat_age_seconds": int(heartbeat.total_seconds()) if heartbeat is not None else None,
        "services": [_page(page, policy, now) for page in pages],
    }


def _page(page: Record, policy: Policy | None, now: datetime) -> dict[str, Any]:
    service = next((s for s in policy.services if s.name == page.service), None) if policy else None
    fixing, holder = page.controls.fixing(now), page.holder
    frozen = page.controls.freeze(now)
    return {
        "service": page.service,
        "mode": policy.mode_of(service).value if policy and service else None,
        "targets": [_ledger(target, ledger) for target, ledger in sorted(page.ledgers.items())],
        "incident": incident_in_brief(page.incident) if page.incident else None,
        "held_by": holder.claim_id if holder else None,
        "held_until": holder.until.isoformat() if holder else None,
        "holder_may_act": holder.may_act if holder else None,
        "fix_forward": write(fixing) if fixing else None,
        "frozen": write(frozen) if frozen else None,
        "unsafe": [write(mark) for mark in page.controls.unsafe],
        "damage": page.damage,
    }


def _ledger(target: str, ledger: Ledger) -> dict[str, Any]:
    release = ledger.current
    return {
        "target": target,
        "live_version": release.version if release else None,
        "since_at": release.since_at.isoformat() if release else None,
        "standing": standing_of(release) if release else None,
        "proved": [good.version for good in ledger.good],
        "rolled_back_from": [bad.version for bad in ledger.bad],
    }
