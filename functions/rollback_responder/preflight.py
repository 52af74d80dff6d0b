"""The preflight: once a day, whether a rollback would work if one were needed now.

It asks IAM what `respond` may do, and looks whether the versions to go back to are still there. It
changes nothing, and does nothing to find out.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain import readiness
from rollback_responder.domain.alias_readiness import AliasFacts, moved, way_back_findings
from rollback_responder.domain.errors import ActionError
from rollback_responder.domain.finding import Finding, Unread, not_read
from rollback_responder.domain.policy import Policy, Service
from rollback_responder.domain.readiness import PermissionFacts
from rollback_responder.domain.release import Ledger, vanished, way_back
from rollback_responder.domain.target import Pointer
from rollback_responder.rooms import Rooms


class Preflight(Struct, frozen=True, kw_only=True):
    """Looks at the services of the day. `permissions` tells IAM's word on what a policy needs."""

    rooms: Rooms
    permissions: Callable[[Policy], Sequence[PermissionFacts]]

    def findings(self) -> list[Finding]:
        """What would keep a rollback from working, or could not be read.

        Raises:
            RollbackError: IAM or the journal could not be asked at all.
        """
        services = self._of_the_day()
        found = [*readiness.denied(self.permissions(replace(self.rooms.policy, services=services)))]
        rows = self.rooms.journal.rows([service.name for service in services])
        for service in services:
            row = rows.get(service.name)
            if row is None or not self.rooms.policy.mode_of(service).may_act:
                continue
            if row.damage:
                about = "its row in the journal"
                found.append(not_read(service.name, about, Unread(why=row.damage)))
                continue
            for pointer in service.pointers:
                ledger = row.ledgers.get(pointer.target_id, Ledger())
                try:
                    found += self._way_back(service, pointer, ledger)
                except ActionError as error:
                    found.append(not_read(pointer.title, "its versions", Unread(why=str(error))))
        return found

    def _of_the_day(self) -> tuple[Service, ...]:
        services = self.rooms.policy.services
        days = -(-len(services) // readiness.SERVICES_A_DAY)
        return services[self.rooms.clock().toordinal() % days :: days]

    def _way_back(self, service: Service, pointer: Pointer, ledger: Ledger) -> Iterator[Finding]:
        action = self.rooms.pointer(pointer)
        seen = action.observe(pointer)
        if seen is None:
            # The watcher says so each minute.
            return
        # Of the versions that proved themselves, up to the first one that is still there: Lambda's
        # calls are for those that move.
        kept = ledger
        while (back := way_back(kept, seen, pointer.never_back_to)) and not action.build(
            pointer, back
        ):
            kept = vanished(kept, back)
        fact = AliasFacts(
            target=pointer,
            versions=frozenset(good.version for good in kept.good),
            observation=seen,
            ledger=ledger,
            moved=moved(service),
        )
        yield from way_back_findings(fact, seen, ledger)
