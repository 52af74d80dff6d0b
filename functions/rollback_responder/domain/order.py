"""Orders: what a person may tell the responder, by a button or a command, and whether it may be.

An order is judged against the journal alone. What it comes to is the business of the next look.
"""

from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.case import live_order
from rollback_responder.domain.controls import (
    Approval,
    Controls,
    FixingForward,
    Frozen,
    Held,
    RollbackOrdered,
    UndoAsked,
)
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import PENDING, Incident, State

# What people said of a service is kept for that many incidents.
LONGEST_MEMORY = 20
# Somebody who fixes forward says so again after a day.
LONGEST_FIX = timedelta(hours=24)
# What is to hold for longer belongs into the policy.
LONGEST_FREEZE = timedelta(days=31)
# Whoever wants back what was rolled back a day ago deploys it.
UNDO_WITHIN = timedelta(hours=24)
A_MOMENT = timedelta(microseconds=1)


class Approve(Struct, frozen=True, kw_only=True):
    """Do what an incident asks about."""

    service: str
    incident_id: str
    by: str


class Hold(Struct, frozen=True, kw_only=True):
    """Do not roll back what an incident is about."""

    service: str
    incident_id: str
    by: str


class Undo(Struct, frozen=True, kw_only=True):
    """Put the version back that an incident rolled back from."""

    service: str
    incident_id: str
    by: str


class FixForward(Struct, frozen=True, kw_only=True):
    """Roll nothing of a service back until then; None ends that.

    `incident_id` is where it is told, if anywhere.
    """

    service: str
    until_at: datetime | None
    by: str
    incident_id: str | None = None


class Freeze(Struct, frozen=True, kw_only=True):
    """Ask before anything of a service is rolled back, until then; None ends that."""

    service: str
    until_at: datetime | None
    by: str
    incident_id: str | None = None


class Label(Struct, frozen=True, kw_only=True):
    """Whether what an incident did, or did not do, was right. It feeds the figures."""

    service: str
    incident_id: str
    right: bool
    by: str


class Pause(Struct, frozen=True, kw_only=True):
    """Act no more; go on watching and judging."""

    by: str


class Resume(Struct, frozen=True, kw_only=True):
    """Act again, on what is then the case."""

    by: str


class RollBackNow(Struct, frozen=True, kw_only=True):
    """Undo what is live or under way, whatever the alarms say: just this, and back to just that.

    It overrules whoever held one of these `changes`, or fixes the service forward. A `drill` goes
    forward again as soon as it is back, and overrules nobody. `revision` is the pointer's as it was
    shown.
    """

    service: str
    changes: tuple[str, ...]
    title: str
    to_version: str | None
    alarm_name: str
    by: str
    drill: bool = False
    revision: str | None = None
    incident_id: str | None = None


class NoDrill(Struct, frozen=True, kw_only=True):
    """The monthly drill of a service is held back: that is told, once a month."""

    service: str
    why: str
    by: str
    incident_id: str | None = None


OfControls = Approve | Hold | Undo | FixForward | Freeze | RollBackNow | NoDrill
Order = OfControls | Label | Pause | Resume


class Taken(Struct, frozen=True, kw_only=True):
    """An order that was taken: what the row says from now on, and in one sentence what was said.

    `controls` are as before where somebody had said the same already.
    """

    controls: Controls
    text: str


def taken(order: OfControls, controls: Controls, incident: Incident | None, now: datetime) -> Taken:
    """What comes of an order about a service whose latest incident is that one.

    Raises:
        OrderRefused: it cannot be done (any more), in a sentence for whoever said it.
    """
    match order:
        case Approve():
            return _approved(order, controls, _of(incident, order.incident_id), now)
        case Hold():
            return _left(order, controls, _of(incident, order.incident_id), now)
        case Undo():
            return _to_be_undone(order, controls, _of(incident, order.incident_id), now)
        case FixForward():
            if order.incident_id is not None:
                _of(incident, order.incident_id)
            return _fixed_forward(order, controls, now)
        case Freeze():
            return _frozen(order, controls, now)
        case RollBackNow():
            return _ordered(order, controls, incident, now)
        case NoDrill():
            text = f"no drill of {order.service} this month: {order.why}"
            told = controls.tells_of_no_drill(now)
            return Taken(
                controls=controls if told else replace(controls, no_drill_at=now), text=text
            )
        case _:
            assert_never(order)


def _of(incident: Incident | None, incident_id: str) -> Incident:
    if incident is None or incident.id != incident_id:
        raise OrderRefused(f"{incident_id} is not the latest incident of its service any more")
    return incident


def _approved(order: Approve, controls: Controls, incident: Incident, now: datetime) -> Taken:
    if before := controls.approval(incident.id, incident.to_version):
        return Taken(controls=controls, text=f"{before.by} has approved it already")
    if hold := controls.held(incident.changes):
        raise OrderRefused(f"{hold.by} holds it already")
    if fixing := controls.fixing(now):
        until = _clock(fixing.until_at)
        raise OrderRefused(f"{fixing.by} fixes it forward until {until}: end that first")
    if incident.state is not State.ASKING or incident.asks_until_at is None:
        raise OrderRefused("it does not ask for anything any more")
    if now >= incident.asks_until_at:
        raise OrderRefused(f"it could be approved until {incident.asks_until_at:%H:%M:%S} UTC")
    approval = Approval(
        incident_id=incident.id, by=order.by, at=now, to_version=incident.to_version
    )
    approvals = (approval, *controls.approvals)[:LONGEST_MEMORY]
    return Taken(
        controls=replace(controls, approvals=approvals), text=f"{order.by} approved the rollback"
    )


def _left(order: Hold, controls: Controls, incident: Incident, now: datetime) -> Taken:
    changes = incident.changes
    if incident.state not in PENDING or not changes:
        raise OrderRefused("nothing is pending any more that could be held")
    if hold := controls.held(changes):
        return Taken(controls=controls, text=f"{hold.by} holds it already")
    if before := controls.approval(incident.id, incident.to_version):
        raise OrderRefused(f"{before.by} has approved it already")
    hold = Held(incident_id=incident.id, changes=changes, by=order.by, at=now)
    holds = (hold, *controls.holds)[:LONGEST_MEMORY]
    text = f"{order.by} holds it: from the next look on nothing of it is rolled back"
    return Taken(controls=replace(controls, holds=holds), text=text)


def _to_be_undone(order: Undo, controls: Controls, incident: Incident, now: datetime) -> Taken:
    if undo := controls.undo_of(incident.id):
        return Taken(controls=controls, text=f"{undo.by} has asked for that already")
    if not incident.may_be_undone or incident.acted_at is None:
        raise OrderRefused("there is no move of an alias here that could be undone")
    if now >= incident.acted_at + UNDO_WITHIN:
        raise OrderRefused("it was rolled back more than a day ago: deploy a new version")
    undo = UndoAsked(incident_id=incident.id, by=order.by, at=now)
    undos = (undo, *controls.undos)[:LONGEST_MEMORY]
    text = f"{order.by} wants the rollback undone"
    return Taken(controls=replace(controls, undos=undos), text=text)


def _fixed_forward(order: FixForward, controls: Controls, now: datetime) -> Taken:
    fixing = controls.fixing(now)
    if order.until_at is None:
        if fixing is None:
            return Taken(controls=controls, text=f"nobody fixes {order.service} forward")
        text = f"{order.by} ended the fixing forward of {order.service}: it is judged as before"
        return Taken(controls=replace(controls, fix_forward=None), text=text)
    if not now < order.until_at <= now + LONGEST_FIX:
        hours = LONGEST_FIX / timedelta(hours=1)
        raise OrderRefused(f"the time must end within {hours:.0f} hours, and after now")
    if fixing and fixing.until_at >= order.until_at:
        until = _clock(fixing.until_at)
        return Taken(controls=controls, text=f"{fixing.by} fixes it forward already, until {until}")
    fix = FixingForward(by=order.by, until_at=order.until_at)
    text = f"{order.by} fixes it forward, until {_clock(order.until_at)}"
    return Taken(controls=replace(controls, fix_forward=fix), text=text)


def _frozen(order: Freeze, controls: Controls, now: datetime) -> Taken:
    before = controls.freeze(now)
    if order.until_at is None:
        if before is None:
            return Taken(controls=controls, text=f"{order.service} is not frozen by anybody")
        text = f"{order.by} ended the freeze of {order.service}"
        return Taken(controls=replace(controls, frozen=None), text=text)
    if not now < order.until_at <= now + LONGEST_FREEZE:
        raise OrderRefused(f"a freeze must end within {LONGEST_FREEZE.days} days, and after now")
    if before and before.until_at >= order.until_at:
        until = _clock(before.until_at)
        return Taken(controls=controls, text=f"{before.by} froze it already, until {until}")
    until = _clock(order.until_at)
    text = f"{order.by} froze {order.service} until {until}: a rollback is asked about first"
    frozen = Frozen(by=order.by, until_at=order.until_at)
    return Taken(controls=replace(controls, frozen=frozen), text=text)


def _ordered(
    order: RollBackNow, controls: Controls, incident: Incident | None, now: datetime
) -> Taken:
    if incident and incident.is_open and incident.state not in PENDING:
        raise OrderRefused(f"{incident.id} is on it already: {incident.state.value}")
    if order.drill and (why := _no_time_for_a_drill(order, controls, incident, now)):
        raise OrderRefused(why)
    before = live_order(controls, incident)
    if before and (order.drill or not before.has_lapsed(now)):
        return Taken(controls=controls, text=f"{before.by} has ordered a rollback already")
    answered_until = incident.orders_until if incident else None
    ordered = RollbackOrdered(
        by=order.by,
        # By a clock that is slow it would count as answered.
        at=max(now, answered_until + A_MOMENT) if answered_until else now,
        changes=order.changes,
        to_version=order.to_version,
        alarm_name=order.alarm_name,
        drill=order.drill,
        revision=order.revision,
    )
    where = f" to version {order.to_version}" if order.to_version else ""
    if order.drill:
        text = f"{order.by} began a drill of {order.service}: {order.title} goes back{where}"
        controls = replace(controls, rollback=ordered)
        return Taken(controls=controls, text=f"{text} and forward again")
    text = f"{order.by} ordered a rollback of {order.service}: {order.title} goes back{where}"
    holds = tuple(hold for hold in controls.holds if not set(hold.changes) & set(order.changes))
    controls = replace(controls, rollback=ordered, holds=holds, fix_forward=None)
    return Taken(controls=controls, text=text)


def _no_time_for_a_drill(
    order: RollBackNow, controls: Controls, incident: Incident | None, now: datetime
) -> str | None:
    if incident and incident.is_open:
        return f"{incident.id} is open: {incident.reason.value}"
    if hold := controls.held(order.changes):
        return f"{hold.by} holds it"
    if fix := controls.fixing(now):
        end = f"`rollback fix-forward {order.service} --end` ends that"
        return f"{fix.by} fixes it forward until {_clock(fix.until_at)}; {end}"
    if freeze := controls.freeze(now):
        end = f"`rollback freeze {order.service} --end` ends that"
        return f"{freeze.by} froze it until {_clock(freeze.until_at)}; {end}"
    return None


def _clock(instant: datetime) -> str:
    return f"{instant:%d %b %H:%M:%S} UTC"
