"""Telling an incident: what has not been told yet, in order, each step once.

What was told is written down after each message Slack took. So a dead Slack loses nothing, and only
a crash between Slack's answer and that write can repeat a message.

A picture comes after the words, and is never tried again: a Slack that takes no files would hold up
the words about every other incident.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from rollback_responder.domain.errors import (
    JournalError,
    MessageGone,
    NotificationError,
    RowDamaged,
)
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.said import Said
from rollback_responder.domain.storm import Gathering, Member
from rollback_responder.domain.week import Week
from rollback_responder.notifiers.digest import digest_of
from rollback_responder.notifiers.message import Message, message_of, reply
from rollback_responder.notifiers.picture import picture_title, picture_words, png_of
from rollback_responder.notifiers.storm_message import call_of, storm_of
from rollback_responder.ports import Notices, Storms, Thread

logger = logging.getLogger(__name__)

Draw = Callable[[Incident], bytes | None]
ASKED, OUTCOME = "asked", "outcome"


class Teller:
    """Tells incidents to one Slack."""

    def __init__(
        self,
        thread: Thread,
        notices: Notices,
        storms: Storms,
        *,
        account_id: str,
        region: str,
        draw: Draw = png_of,
    ) -> None:
        self._draw = draw
        self._thread = thread
        self._notices = notices
        self._storms = storms
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
            storm = self._storm(incident, now, is_new=notice.head is None)
            head = self._tell(incident, notice.told, notice.head, storm)
        except (NotificationError, JournalError):
            with suppress(JournalError):
                self._notices.give_back(incident.id)
            raise
        self._show(incident, head, notice.shown)
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

    def _storm(self, incident: Incident, now: datetime, *, is_new: bool) -> str | None:
        """The message of the storm that the incident is part of, brought up to date."""
        if incident.drill:
            return None
        member = Member(
            service=incident.service,
            state=incident.state,
            needs_a_person=incident.needs_a_person,
        )
        try:
            gathering = self._storms.join(incident.id, member, now)
        except RowDamaged as error:
            # What is damaged may be another incident's part of it; each is told by itself then.
            logger.warning("incident %s is told by itself: %s", incident.id, error)
            return None
        if not gathering.is_storm:
            return None
        bulletin = storm_of(gathering, account_id=self._account_id, region=self._region)
        if gathering.head:
            # Whatever is told next of it brings it up to date again.
            with suppress(NotificationError):
                news = is_new and gathering.has_doubled
                self._thread.amend(gathering.head, bulletin, news=news)
            self._call_again(gathering, gathering.head)
            return gathering.head
        if not self._storms.take(gathering.name, now):
            raise JournalError("the storm is being told by somebody else")
        head = self._thread.announce(bulletin, rings=True)
        self._storms.record(gathering.name, head, called=gathering.calls)
        return head

    def _call_again(self, gathering: Gathering, head: str) -> None:
        """In a storm nothing else rings; who was called before many needed them is called again."""
        if not gathering.calls_again:
            return
        # Where the storm's message is gone, each of it rings by itself.
        with suppress(MessageGone):
            self._thread.reply(head, call_of(gathering), rings=True)
        self._storms.record(gathering.name, head, called=gathering.calls)

    def _tell(self, incident: Incident, told: int, head: str | None, storm: str | None) -> str:
        message = message_of(incident, account_id=self._account_id, region=self._region)
        news = False
        if head is None:
            head = self._opened(message, storm)
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
            try:
                self._thread.reply(head, reply(step), rings=rings)
            except MessageGone:
                # It was told in a storm's thread, and that is gone: from here in one of its own.
                head = self._thread.open(message)
                self._notices.record(incident.id, told=count - 1, head=head)
                self._thread.reply(head, reply(step), rings=False)
            self._notices.record(incident.id, told=count, head=head)
        return head

    def _opened(self, message: Message, storm: str | None) -> str:
        try:
            return self._thread.open(message, under=storm)
        except MessageGone:
            return self._thread.open(message)

    def _show(self, incident: Incident, head: str, shown: frozenset[str]) -> None:
        """The picture of a moment that has one, once. Without it nothing is missing but itself."""
        moment = moment_of(incident)
        if moment is None or moment in shown or not self._thread.takes_pictures:
            return
        try:
            png = self._draw(incident)
            alt, title = picture_words(incident), picture_title(incident)
            if png and alt and title:
                self._thread.show(head, png, alt=alt, title=title)
                self._notices.record_shown(incident.id, moment)
        except Exception as error:  # noqa: BLE001 - whatever it is, the words have been told
            logger.warning("incident %s is told without its picture: %s", incident.id, error)

    def announce(self, week: Week, now: datetime) -> bool:
        """Tells a week's digest, once; False where it was told already. Errors as `tell`."""
        name = f"digest-{week.until_at:%G-W%V}"
        if self._notices.take(name, steps=1, now=now) is None:
            return False
        digest = digest_of(week, account_id=self._account_id, region=self._region)
        try:
            head = self._thread.announce(digest)
        except NotificationError:
            with suppress(JournalError):
                self._notices.give_back(name)
            raise
        self._notices.record(name, told=1, head=head)
        self._notices.give_back(name)
        return True


def moment_of(incident: Incident) -> str | None:
    """What a picture would be of: a question, or how a rollback ended."""
    if incident.drill:
        return None
    if incident.state is State.ASKING:
        return ASKED
    return OUTCOME if incident.acted_at and not incident.is_open else None
