"""The driller: begins the drills of the day. It orders like a person, and touches nothing."""

import logging

from msgspec import Struct

from rollback_responder.desk import Desk
from rollback_responder.domain.drill import due, rehearsal
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.order import NoDrill
from rollback_responder.domain.policy import Policy
from rollback_responder.ports import Clock, Journal

logger = logging.getLogger(__name__)

BY = "the monthly drill"


class Driller(Struct, frozen=True, kw_only=True):
    """Orders rehearsals."""

    policy: Policy
    journal: Journal
    desk: Desk
    clock: Clock

    def begin(self) -> dict[str, str]:
        """What came of the order for each service whose day it is, in words.

        Slack hears of one that is held back, once a month.

        Raises:
            JournalError: the journal could not be read or written; the rest is left to next month.
        """
        now, told = self.clock(), {}
        services = list(due(self.policy, now))
        rows = self.journal.rows([service.name for service in services])
        for service in services:
            row = rows.get(service.name)
            if row and row.damage:
                # Nothing can be written to it; the watcher tells of it each minute.
                told[service.name] = row.damage
                logger.warning("no drill of %s: %s", service.name, row.damage)
                continue
            try:
                order = rehearsal(self.policy, service, row.ledgers if row else {}, by=BY, now=now)
                told[service.name] = self.desk.take(order)
            except OrderRefused as error:
                held_back = NoDrill(service=service.name, why=str(error), by=BY)
                told[service.name] = self.desk.take(held_back)
                logger.warning("%s", told[service.name])
        return told
