"""What is told of more than one incident, and of drills: stories for the gallery.

A storm and a week are real incidents of the functional house; of a storm each is told under the
name of a service of its own.
"""

from datetime import timedelta

from faults import Operations, client_error, healthy_v1, on, refuse
from msgspec.structs import replace
from scenarios import approval_needed, bad_deploy, dependency_failing

from house import MINUTE, House, policy_document
from rollback_responder.chronicler import Chronicler
from rollback_responder.domain.controls import Controls, Unsafe
from rollback_responder.domain.drill import due, rehearsal
from rollback_responder.domain.order import FixForward
from rollback_responder.driller import Driller
from rollback_responder.journal.memory import MemoryAnnals

# -- drills ---------------------------------------------------------------------------------------


def live(minutes):
    """v1 has proved itself, and v2 is live for so long."""
    house = healthy_v1(House(policy_document(drills={})))
    house.ops = Operations(house)
    house.deploy("v2")
    house.ops.pass_minutes(minutes)
    return house


def rehearse(house):
    (service,) = house.policy.services
    kept = house.journal.rows([service.name])[service.name].ledgers
    house.say(rehearsal(house.policy, service, kept, by="ann", now=house.now))


def passed():
    house = live(12)
    rehearse(house)
    house.ops.pass_minutes(2)


def not_forward_again():
    house = live(12)
    rehearse(house)
    on(house, "UpdateAlias", refuse(client_error("AccessDeniedException")), times=9)
    house.ops.pass_minutes(3)


def not_begun():
    rehearse(live(2))


DRILLS = {
    "a drill that passed": passed,
    "a drill that could not go forward again": not_forward_again,
    "a drill of a version that has not proved itself": not_begun,
}


# -- bulletins ------------------------------------------------------------------------------------


def storm(teller):
    """Six services whose dependency fails, one that was rolled back, and one that asks."""
    failing, rolled_back, asking = (
        story().incident for story in (dependency_failing, bad_deploy, approval_needed)
    )
    now = max(incident.steps[-1].at for incident in (failing, rolled_back, asking))
    for number, incident in enumerate([failing] * 6 + [rolled_back, asking]):
        of = replace(incident, id=f"{incident.id}-{number}", service=f"service-{number}")
        teller.tell(of, now)


class Heart:
    """A watcher that missed five minutes of the week."""

    def beats(self, since_at, now):
        return (now - since_at) // MINUTE - 5


def chronicler(house):
    annals = MemoryAnnals(house.journal, house.budget)
    return Chronicler(house.policy, house.journal, annals, Heart())


def busy_week(teller):
    house = bad_deploy(minutes=8)
    house.journal.say("shop", Controls(unsafe=(Unsafe(by="ci", why="a migration", version="2"),)))
    house.budget.paused_by = "ann"
    teller.announce(chronicler(house).week(house.now), house.now)


def quiet_week(teller):
    house = live(12)
    teller.announce(chronicler(house).week(house.now), house.now)


def drill_held_back(teller):
    house = live(12)
    days = (house.now + timedelta(days=day) for day in range(31))
    house.now = next(now for now in days if list(due(house.policy, now)))
    until_at = house.now + timedelta(hours=2)
    house.desk.take(FixForward(service="shop", until_at=until_at, by="bob"))
    Driller(policy=house.policy, journal=house.journal, desk=house.desk, clock=house.clock).begin()
    teller.pass_on(house.book.said[-1], "said#1", house.now)


# By name: where it is from, and what tells it.
BULLETINS = {
    "storm": ("stories of eight services within ten minutes", storm),
    "week": ("a week with a rollback, a pause and a mark", busy_week),
    "quiet-week": ("a week in which nothing happened", quiet_week),
    "drill-held-back": ("a monthly drill while somebody fixes it forward", drill_held_back),
}
