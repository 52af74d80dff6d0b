"""The chronicler: what a week came to, read from the journal and the watcher's heart."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.figures import summary
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.week import WEEK, StillOn, Week
from rollback_responder.ports import Annals, Journal, Pulse, Row


class Chronicler:
    """Reads what happened; writes nothing."""

    def __init__(self, policy: Policy, journal: Journal, annals: Annals, pulse: Pulse) -> None:
        self._policy = policy
        self._journal, self._annals, self._pulse = journal, annals, pulse

    def week(self, until_at: datetime) -> Week:
        """The seven days before an instant: the incidents that ended in them, and what is open.

        An incident is found by when it began, so a week more is read: what was asked about, or
        waited for, may have taken days.

        Raises:
            JournalError: the journal could not be read.
        """
        names = [service.name for service in self._policy.services]
        since_at = until_at - WEEK
        rows = self._journal.rows(names)
        chapter = self._annals.chapter(names, since_at=since_at - WEEK, now=until_at)
        ended = [i for i in chapter.incidents if since_at <= i.steps[-1].at < until_at]
        latest = [row.incident for row in rows.values() if row.incident]
        damages = (f"{name}: {row.damage}" for name, row in sorted(rows.items()) if row.damage)
        return Week(
            environment=self._policy.environment,
            since_at=since_at,
            until_at=until_at,
            services=len(names),
            summary=summary(ended, chapter.labels),
            open=tuple(sorted((i for i in latest if i.is_open), key=lambda i: (i.opened_at, i.id))),
            paused_by=self._annals.paused_by(),
            still_on=tuple(_still_on(rows, until_at)),
            beats=self._beats(since_at, until_at),
            unreadable=(*damages, *chapter.damages),
        )

    def _beats(self, since_at: datetime, until_at: datetime) -> int | None:
        """What cannot be read is not known; the rest of the week is told without it."""
        try:
            return self._pulse.beats(since_at, until_at)
        except MeasurementError:
            return None


def _still_on(rows: Mapping[str, Row], now: datetime) -> Iterator[StillOn]:
    for name, row in sorted(rows.items()):
        if fix := row.controls.fixing(now):
            yield StillOn(service=name, text="fixed forward", by=fix.by, until_at=fix.until_at)
        if frozen := row.controls.freeze(now):
            yield StillOn(service=name, text="frozen", by=frozen.by, until_at=frozen.until_at)
        for mark in row.controls.unsafe:
            if mark.until_at is None or now < mark.until_at:
                which = "any version" if mark.version is None else f"version {mark.version}"
                text = f"{which} unsafe to roll back ({mark.why})"
                yield StillOn(service=name, text=text, by=mark.by, until_at=mark.until_at)
