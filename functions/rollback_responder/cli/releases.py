"""Where an alias stood, worked out from who served: Lambda keeps no history of an alias.

Which version served each minute is in the series with `ExecutedVersion`; a version that nobody
called left no trace there, and is known only if the journal saw it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from rollback_responder.cli.history import Stay
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.release import Ledger, Release
from rollback_responder.domain.target import Pointer

# A change within a minute is seen by the round after it: just after its minute began.
JUST_AFTER = timedelta(seconds=1)
# What the journal and the traffic say within this time of each other is the same change.
SAME = 5 * MINUTE
TRAFFIC, JOURNAL, PUBLISHED = "traffic", "journal", "publication"

Served = Mapping[str, Mapping[datetime, float]]


def stays_of(
    served: Served, published: Mapping[str, datetime], known: Sequence[Stay], from_at: datetime
) -> tuple[Stay, ...]:
    """Everywhere an alias stood, oldest first.

    Args:
        served: the requests of each version, by minute.
        published: when each version was published; where nobody served, the only hint there is.
        known: what the journal knows, oldest first.
        from_at: when the record begins.
    """
    found = list(_by_traffic(served))
    missing = [stay for stay in known if not any(_same(stay, other) for other in found)]
    found = [*found, *missing] or list(_by_publication(published, from_at))
    found.sort(key=lambda stay: stay.from_at)
    return tuple(_without_repeats(_begun(found, from_at)))


def _by_traffic(served: Served) -> Iterator[Stay]:
    """A stay begins with the first minute in which another set of versions served.

    The minute of a change has requests of both: it is a shift only if the next one has, too.
    """
    minutes: dict[datetime, set[str]] = {}
    for version, points in served.items():
        for at, count in points.items():
            if count > 0:
                minutes.setdefault(at, set()).add(version)
    order = sorted(minutes)
    before: tuple[str, str | None] | None = None
    for at, after in zip_longest(order, order[1:]):
        versions = sorted(minutes[at], key=_number)
        mixed = len(versions) > 1
        if mixed and (after is None or minutes[after] != minutes[at]):
            # The newer one if it goes on alone; the older one if that does.
            alone = minutes[after] if after else {versions[-1]}
            versions = [v for v in versions if v in alone][-1:] or versions[-1:]
        older, newer = versions[0], versions[-1]
        stands = (older, None if older == newer else newer)
        if stands != before:
            yield Stay(from_at=at + JUST_AFTER, primary=older, other=stands[1], by=TRAFFIC)
        before = stands


def _by_publication(published: Mapping[str, datetime], from_at: datetime) -> Iterator[Stay]:
    """Where nobody served: each version from when it was published, which is a guess."""
    for version, at in sorted(published.items(), key=lambda each: each[1]):
        if at >= from_at:
            yield Stay(from_at=at, primary=version, by=PUBLISHED)


def known_stays(pointer: Pointer, ledger: Ledger, incidents: Sequence[Incident]) -> list[Stay]:
    """Where the journal saw a pointer: the live release, those of incidents, and where they led."""
    releases = [ledger.current] if ledger.current else []
    releases += [i.release for i in incidents if i.release and i.target == pointer]
    found = [_stay(release) for release in releases]
    found += [
        Stay(from_at=i.back_at + JUST_AFTER, primary=i.to_version, by=JOURNAL)
        for i in incidents
        if i.target == pointer and i.back_at and i.to_version
    ]
    known = {(stay.from_at, stay.primary): stay for stay in found}
    return [known[key] for key in sorted(known, key=lambda key: (key[0], str(key[1])))]


def _stay(release: Release) -> Stay:
    return Stay(from_at=release.since_at, primary=release.version, by=JOURNAL)


def _same(one: Stay, other: Stay) -> bool:
    near = abs(one.from_at - other.from_at) <= SAME
    return near and one.primary in {other.primary, other.other}


def _begun(stays: Sequence[Stay], from_at: datetime) -> Iterator[Stay]:
    """The first one holds from the beginning."""
    for number, stay in enumerate(stays):
        begins = from_at if number == 0 else stay.from_at
        yield Stay(from_at=begins, primary=stay.primary, other=stay.other, by=stay.by)


def _without_repeats(stays: Iterator[Stay]) -> Iterator[Stay]:
    before: Stay | None = None
    for stay in stays:
        same = before and (before.primary, before.other) == (stay.primary, stay.other)
        if not same:
            yield stay
        before = stay


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isdigit() else -1, version)
