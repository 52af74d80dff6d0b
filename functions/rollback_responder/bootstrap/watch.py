"""What `watch` needs."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from rollback_responder import bootstrap
from rollback_responder.bootstrap.desk import desk_of, waking
from rollback_responder.bootstrap.rooms import furnished, kinds_of
from rollback_responder.domain.finding import Finding
from rollback_responder.domain.policy import Policy
from rollback_responder.driller import Driller
from rollback_responder.watcher import Watcher
from rollback_responder.wiring import WatchWiring


class WatchHouse(Struct, frozen=True, kw_only=True):
    """What `watch` needs. `preflight` looks whether rollbacks would work."""

    policy: Policy
    watcher: Watcher
    driller: Driller
    preflight: Callable[[], Sequence[Finding]]


def open_house(environment: Mapping[str, str]) -> WatchHouse:
    """Everything the watcher needs; errors as `bootstrap.respond` has them."""
    wiring = WatchWiring.from_environment(environment)
    policy, client = bootstrap.load_policy(), bootstrap.clients()
    rooms = furnished(policy, kinds_of(policy), wiring.journal_table, client)
    wake = waking(wiring, wiring.alarm_queue_url, client)
    desk = desk_of(policy, wiring.journal_table, wake, client)
    driller = Driller(policy=policy, journal=rooms.journal, desk=desk, clock=bootstrap.utc_now)

    def preflight() -> Sequence[Finding]:
        # Once a day: no cold start waits for these.
        from rollback_responder.iam import RolePermissions
        from rollback_responder.preflight import Preflight

        role = RolePermissions(
            client("iam", bootstrap.READS),
            role_arn=wiring.respond_role_arn,
            account_id=wiring.account_id,
            region=wiring.region,
        )
        return Preflight(rooms=rooms, permissions=role.facts).findings()

    return WatchHouse(
        policy=policy, watcher=Watcher(rooms, wake), driller=driller, preflight=preflight
    )
