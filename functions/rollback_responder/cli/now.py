"""`rollback now`: a person orders a rollback. What it would do is shown, then asked, then said.

Nothing is done here: the order goes to the desk, and `respond` carries out just what was shown.
"""

from collections.abc import Iterator
from typing import Annotated

import typer

from rollback_responder.bootstrap import people
from rollback_responder.cli.failure import BadUsage
from rollback_responder.cli.house import house_to_look_at
from rollback_responder.cli.options import AsJson, PolicyFile, Profile, Region, TableName
from rollback_responder.cli.orders import Yes
from rollback_responder.cli.place import Place, service_named
from rollback_responder.cli.saying import give
from rollback_responder.cli.screen import Screen, clock
from rollback_responder.cli.walk import Looked, act, look
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.order import RollBackNow
from rollback_responder.domain.ordered import possible
from rollback_responder.domain.policy import Policy, Watched
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import RollBack, StandDown
from rollback_responder.notifiers.words import WORDS


def now(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    *,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="FUNCTION:ALIAS",
            help="Which alias, where the service has several.",
            show_default=False,
        ),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Roll a service back because you say so, whatever its alarms say.

    The plan is shown first; just that is done, or you hear why it is not.

    Example: rollback now checkout
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    watched = entry_for(place.policy, service, target)
    screen = Screen()
    with screen.waiting("looking at the service"):
        rooms, _ = house_to_look_at(
            place.policy,
            policy_file=policy,
            facts=None,
            table=table,
            place=people.Place(region=region, profile=profile),
        )
        found = look(rooms, watched)
    plan = planned(found)
    give(
        place,
        service,
        list(_shown(found, plan)),
        lambda by: RollBackNow(
            service=service,
            changes=plan.trial.changes,
            title=plan.trial.title,
            to_version=plan.to_version,
            alarm_name=watched.alarm_name,
            by=by,
            revision=revision_of(found),
        ),
        yes=yes,
        as_json=as_json,
        head=(f"This will {act(plan)}.", "bold"),
    )


def entry_for(policy: Policy, service: str, target: str | None) -> Watched:
    """The alarm by which the service, or one alias of it, is looked at.

    Raises:
        BadUsage: there is no such service or alias, or there are several.
    """
    named = service_named(policy, service)
    found = [policy.entry_for(named, pointer) for pointer in named.pointers or (None,)]
    entries = {each.pointer.title if each.pointer else "": each for each in found if each}
    if target is None and len(entries) == 1:
        return next(iter(entries.values()))
    if target in entries:
        return entries[target]
    allowed = ", ".join(sorted(entries)) or "none, no alarm watches it"
    raise BadUsage(f"--target: got {target!r}; allowed: {allowed}")


def planned(found: Looked) -> RollBack:
    """What can be ordered now.

    Raises:
        OrderRefused: nothing can, with the reason and what to do.
    """
    situation = found.situation
    plan = situation if isinstance(situation, StandDown) else possible(situation)
    if isinstance(plan, RollBack):
        return plan
    if isinstance(plan, StandDown):
        raise OrderRefused(f"{plan.text}. {WORDS[plan.reason].next_step}")
    raise OrderRefused(f"it is being rolled back already: {plan.returning.text}")


def revision_of(found: Looked) -> str | None:
    """What says that the alias is as it was shown, also where the journal has not seen it yet."""
    observation = found.case.observation
    return observation.revision if observation else None


def _shown(found: Looked, plan: RollBack) -> Iterator[str]:
    """What whoever orders it should know before the answer."""
    case, said = found.case, found.assessment
    yield f"It is there since {clock(plan.trial.since_at)}; {plan.trial.why}."
    yield f"Its numbers: {said.new.text}."
    if said.previous:
        yield f"The version before: {said.previous.text}."
    alarm = case.alarm
    firing = alarm is not None and alarm.state is AlarmState.ALARM
    yield f"The alarm {case.watched.alarm_name} {'fires' if firing else 'does not fire'}."
    if hold := case.controls.held(plan.trial.changes):
        yield f"{hold.by} said that it stays: this overrules that."
    if fix := case.controls.fixing(case.now):
        yield f"{fix.by} fixes it forward until {clock(fix.until_at)}: this does not wait."
