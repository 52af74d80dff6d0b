"""The house that a command looks at: the policy file, and an account or a record of one."""

from pathlib import Path

from rollback_responder.bootstrap import people
from rollback_responder.cli.access import known_region
from rollback_responder.cli.history import load
from rollback_responder.cli.place import Place
from rollback_responder.cli.recorded import rooms_in
from rollback_responder.domain.policy import Policy
from rollback_responder.rooms import Rooms


def house_to_look_at(
    policy: Policy,
    *,
    policy_file: Path | None,
    facts: Path | None,
    table: str | None,
    place: people.Place,
) -> tuple[Rooms, str | None]:
    """The account, with its journal in a table, or a record; and its region, where it is said.

    A table that is not named is found by the outputs of the responder's stack.

    Raises:
        DocumentError: the record cannot be used.
        BadUsage: there is no such profile, or it is no region.
        NotRead: the table could not be found, or no region is known.
    """
    if facts is not None:
        history = load(facts)
        return rooms_in(history, policy), history.region
    known_region(place)
    named = Place(
        policy_file=policy_file, table_name=table, region=place.region, profile=place.profile
    )
    return people.looking_rooms(policy, named.table, place), place.region
