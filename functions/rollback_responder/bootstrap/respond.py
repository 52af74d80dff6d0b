"""What `respond` needs."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder import bootstrap
from rollback_responder.bootstrap.parking import parking
from rollback_responder.bootstrap.rooms import furnished
from rollback_responder.domain.policy import Policy
from rollback_responder.metrics.shared import SharedMetrics
from rollback_responder.policies import IndexedPolicy
from rollback_responder.responder import Responder
from rollback_responder.wiring import RespondWiring

POLICY_INDEX = bootstrap.POLICY_FILE.with_suffix(".index")


class RespondHouse(Struct, frozen=True, kw_only=True):
    """What `respond` needs.

    `dead_letter` parks a message: body, reason, detail. `expect` is told at the start of every
    invocation which alarms are to be read at once. `policy` is what is said for all services; these
    are read as their alarms come.
    """

    wiring: RespondWiring
    policy: Policy
    responder: Responder
    expect: Callable[[Collection[str]], None]
    dead_letter: Callable[[str, str, str], None]


def open_house(environment: Mapping[str, str]) -> RespondHouse:
    """Everything behind the front door.

    Raises:
        WiringError, PolicyError: the deployment is broken; both say what to mend.
    """
    wiring = RespondWiring.from_environment(environment)
    policies, client = load_index(), bootstrap.clients()
    rooms = furnished(policies.head, policies.kinds, wiring.journal_table, client)
    shared = SharedMetrics(rooms.metrics, rooms.stopwatch)
    return RespondHouse(
        wiring=wiring,
        policy=policies.head,
        responder=Responder(replace(rooms, metrics=shared), policies),
        expect=shared.expect,
        dead_letter=parking(wiring.dead_letter_queue_url, client),
    )


def load_index(path: Path = POLICY_INDEX) -> IndexedPolicy:
    """The same policy, to be asked about one alarm at a time; raises as `bootstrap.load_policy`."""
    return IndexedPolicy(path)
