"""The desk: takes what people say, by a button or a command, and writes it down.

It never touches a target. Whoever looks next at the service finds what was said; `respond` is woken
so that this is at once.
"""

import logging
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from rollback_responder.domain.errors import JournalError, OrderRefused, QueueError
from rollback_responder.domain.order import (
    Approve,
    FixForward,
    Freeze,
    Hold,
    Label,
    NoDrill,
    OfControls,
    Order,
    Pause,
    Resume,
    RollBackNow,
    Undo,
    taken,
)
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.said import Said
from rollback_responder.ports import Book, Clock, Wake

logger = logging.getLogger(__name__)

MOST_TRIES = 4


class Desk(Struct, frozen=True, kw_only=True):
    """Takes orders. `wake` asks `respond` to look at an alarm."""

    policy: Policy
    book: Book
    wake: Wake
    clock: Clock

    def take(self, order: Order) -> str:
        """Writes an order down, once however often it is said, and says what it came to.

        Raises:
            OrderRefused: it cannot be done, in a sentence for whoever said it.
            JournalError: the journal could not be read or written; it may be said again.
        """
        now = self.clock()
        match order:
            case Approve() | Hold() | Undo() | FixForward() | Freeze() | RollBackNow() | NoDrill():
                return self._about_service(order, now)
            case Label(service=service, incident_id=incident_id, right=right, by=by):
                text = f"{by} says that this was {'right' if right else 'a false alarm'}"
                said = Said(at=now, by=by, text=text, incident_id=incident_id)
                same = self.book.label(service, incident_id, right=right, said=said)
                return f"{same} has said so already" if same else text
            case Pause(by=by):
                text = f"{by} paused the responder: it acts no more, and goes on watching"
                before = self.book.pause(by, said=Said(at=now, by=by, text=text))
                return f"{before} has paused it already" if before else text
            case Resume(by=by):
                text = f"{by} resumed the responder: it judges what is then the case"
                paused = self.book.resume(said=Said(at=now, by=by, text=text))
                return text if paused else "it is not paused"
            case _:
                assert_never(order)

    def _about_service(self, order: OfControls, now: datetime) -> str:
        if order.service not in {service.name for service in self.policy.services}:
            known = ", ".join(sorted(service.name for service in self.policy.services))
            raise OrderRefused(f"there is no service {order.service!r}; there is {known}")
        for _ in range(MOST_TRIES):
            page = self.book.page(order.service)
            found = taken(order, page.controls, page.incident, now)
            if found.controls == page.controls:
                return found.text
            said = Said(at=now, by=order.by, text=found.text, incident_id=order.incident_id)
            if self.book.write(page, found.controls, said=said):
                if isinstance(order, RollBackNow):
                    self._wake_for(order.alarm_name)
                elif page.incident and not isinstance(order, NoDrill):
                    self._wake_for(page.incident.alarm_name)
                return found.text
        raise JournalError("others say something about it at the same moment; say it again")

    def _wake_for(self, alarm_name: str) -> None:
        if alarm_name not in {entry.alarm_name for entry in self.policy.watched()}:
            # An old incident's; the watcher knows those of today.
            return
        try:
            self.wake(alarm_name)
        except QueueError as error:
            # The watcher finds it within a minute.
            logger.warning("%s", error)
