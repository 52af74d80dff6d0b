"""Drills: a rollback that is rehearsed, and forward again. The order is like any other."""

import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime

from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.freeze import is_frozen
from rollback_responder.domain.leg import name_of
from rollback_responder.domain.order import RollBackNow
from rollback_responder.domain.policy import Policy, Service
from rollback_responder.domain.release import Ledger, Observation, way_back
from rollback_responder.domain.response import Mode

# Every month has as many days.
DAYS = 28


def due(policy: Policy, now: datetime) -> Iterator[Service]:
    """The services whose day it is; each has one in every month.

    Only those that are enforced: where a person must say yes, a calendar is none.
    """
    for service in policy.services:
        mine = zlib.crc32(service.name.encode()) % DAYS + 1 == now.day
        if mine and service.pointers and policy.mode_of(service) is Mode.ENFORCE:
            yield service


def rehearsal(
    policy: Policy, service: Service, kept: Mapping[str, Ledger], *, by: str, now: datetime
) -> RollBackNow:
    """The order for a drill, by what the ledger says; of several aliases another each month.

    Whether it can be done, `respond` finds out: that is what is rehearsed.

    Raises:
        OrderRefused: there is nothing that could be rehearsed.
    """
    if policy.is_production:
        raise OrderRefused(f"{policy.environment} is production: nothing is rehearsed there")
    if not policy.mode_of(service).may_act:
        raise OrderRefused(f"the mode of {service.name} is observe: nothing is touched")
    for freeze in policy.freezes:
        if is_frozen(freeze, now):
            raise OrderRefused(f"the freeze {freeze.name!r} is on")
    if not service.pointers:
        raise OrderRefused(f"{service.name} has no alias: only an alias is rehearsed")
    pointer = service.pointers[now.month % len(service.pointers)]
    ledger = kept.get(pointer.target_id, Ledger())
    if ledger.current is None:
        raise OrderRefused(f"{pointer.title} has never been seen")
    entry = policy.entry_for(service, pointer)
    if entry is None:
        raise OrderRefused(f"no alarm watches {pointer.title}")
    live = Observation(primary=ledger.current.version, other=None, revision="", marker=None)
    return RollBackNow(
        service=service.name,
        changes=(name_of(pointer, ledger.current.key),),
        title=f"version {ledger.current.version}",
        to_version=way_back(ledger, live, pointer.never_back_to),
        alarm_name=entry.alarm_name,
        by=by,
        drill=True,
    )
