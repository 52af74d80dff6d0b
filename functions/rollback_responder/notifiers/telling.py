"""Telling an incident: what has not been told yet, in order, each step once.

What was told is written down after each message Slack took. So a dead Slack loses nothing, and only
a crash between Slack's answer and that write can repeat a message.
"""

from contextlib import suppress
from datetime import datetime

from rollback_responder.domain.errors import JournalError, MessageGone, NotificationError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.said import Said
from rollback_responder.notifiers.message import message_of, reply
from rollback_responder.ports import Notices, Thread


class Teller:
    """Tells incidents to one Slack."""

    def __init__(self, thread: Thread, notices: Notices, *, account_id: str, region: str) -> None:
        self._thread = thread
        self._notices = notices
        self._account_id = account_id
        self._region = region

    def tell(self, incident: Incident, now: datetime) -> int:
        """Tells the steps that nobody has told yet.

        Returns:
            How many that were.

        Raises:
            NotificationError: Slack did not take a message; what it took before is written down.
            JournalError: what was told could not be read or written.
        """
        notice = self._notices.take(incident.id, steps=len(incident.steps), now=now)
        if notice is None:
            return 0
        try:
            self._tell(incident, notice.told, notice.head)
        except NotificationError:
            with suppress(JournalError):
                self._notices.give_back(incident.id)
            raise
        self._notices.give_back(incident.id)
        return len(incident.steps) - notice.told

    def pass_on(self, said: Said, name: str, now: datetime) -> int:
        """Tells what somebody said, once: under its incident, or by itself. As `tell`.

        `name` is what the journal calls it.
        """
        if self._notices.take(name, steps=1, now=now) is None:
            return 0
        try:
            head = self._notices.head(said.incident_id) if said.incident_id else None
            self._thread.pass_on(head, f"{said.at:%H:%M:%S} UTC · {said.text}")
        except NotificationError:
            with suppress(JournalError):
                self._notices.give_back(name)
            raise
        self._notices.record(name, told=1, head=head or name)
        self._notices.give_back(name)
        return 1

    def _tell(self, incident: Incident, told: int, head: str | None) -> None:
        message = message_of(incident, account_id=self._account_id, region=self._region)
        news = False
        if head is None:
            head = self._thread.open(message)
            self._notices.record(incident.id, told=0, head=head)
        else:
            # Whoever opened it told at least of the first step, even if no reply followed.
            before = incident.steps[max(told, 1) - 1].state
            # On the way back a person may be called although the state stays the same.
            news = before is not incident.state or (incident.is_open and message.pages)
            try:
                self._thread.update(head, message, news=news)
            except MessageGone:
                head = self._thread.open(message)
                self._notices.record(incident.id, told=told, head=head)
        for count, step in enumerate(incident.steps[told:], start=told + 1):
            rings = news and message.pages and count == len(incident.steps)
            self._thread.reply(head, reply(step), rings=rings)
            self._notices.record(incident.id, told=count, head=head)
