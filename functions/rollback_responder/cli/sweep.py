"""What other thresholds would have changed: the same record, played again."""

from datetime import datetime
from statistics import median
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.cli.findings import WOULD_BE, findings_of, modelled
from rollback_responder.cli.history import History
from rollback_responder.cli.replay import Progress, Replay
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.trigger import Trigger

FACTORS = (0.5, 1.0, 2.0)
# None: as the policy has it.
BREACHING_MINUTES = (None, 1, 2, 3)
# What a threshold is called, and what it may be at most.
THRESHOLDS = {"threshold_percent": 100.0, "threshold_ms": 900_000.0, "times": 100.0}


class Variant(Struct, frozen=True, kw_only=True):
    """The policy with other thresholds, against the policy as it is.

    `later_minutes` is the median over what both would roll back, or ask about; `lost` are those
    only of the policy as it is, `more` those only of the variant. Without `breaching_minutes` each
    trigger keeps its own.
    """

    factor: float
    breaching_minutes: int | None
    would_be: int
    later_minutes: float | None
    lost: int
    more: int


def varied(policy: Policy, factor: float, breaching_minutes: int | None) -> Policy:
    """All thresholds times a factor, and so many bad minutes, as far as a trigger has them."""
    services = tuple(
        replace(
            service,
            triggers=tuple(_varied(t, factor, breaching_minutes) for t in service.triggers),
        )
        for service in policy.services
    )
    return replace(policy, services=services)


def _varied(trigger: Trigger, factor: float, breaching_minutes: int | None) -> Trigger:
    changes: dict[str, Any] = {
        name: min(most, getattr(trigger, name) * factor)
        for name, most in THRESHOLDS.items()
        if hasattr(trigger, name)
    }
    if breaching_minutes is not None and hasattr(trigger, "breaching_minutes"):
        changes["breaching_minutes"] = min(breaching_minutes, getattr(trigger, "minutes", 1))
    return replace(trigger, **changes)


def sweep(history: History, policy: Policy, progress: Progress) -> tuple[Variant, ...]:
    """What other thresholds would have changed. All alarms are worked out anew, also the policy's.

    Compared by what was on trial: the service, and the version or the change.
    """
    base = _would_be(history, policy, progress)
    found = []
    for factor in FACTORS:
        for breaching_minutes in BREACHING_MINUTES:
            variant = varied(policy, factor, breaching_minutes)
            other = base if variant == policy else _would_be(history, variant, progress)
            both = [(other[key] - base[key]) / MINUTE for key in other if key in base]
            found.append(
                Variant(
                    factor=factor,
                    breaching_minutes=breaching_minutes,
                    would_be=len(other),
                    later_minutes=round(median(both), 1) if both else None,
                    lost=sum(key not in other for key in base),
                    more=sum(key not in base for key in other),
                )
            )
    return tuple(found)


def _would_be(
    history: History, policy: Policy, progress: Progress
) -> dict[tuple[str, str | None], datetime]:
    """What would be rolled back, or asked about, and when."""
    alarms = modelled(history, policy)
    replayed = Replay(history, policy, alarms=alarms, progress=progress).run()
    found: dict[tuple[str, str | None], datetime] = {}
    for finding in findings_of(history, replayed.incidents):
        if finding.kind in WOULD_BE:
            key = (finding.incident.service, finding.version or finding.incident.change)
            found.setdefault(key, finding.step.at)
    return found
