"""Freeze windows: times in which nothing is changed without a person's word."""

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Literal, assert_never

from msgspec import Struct

from rollback_responder.domain.document import AtLeastOne, Doc, Pattern

NAME = Pattern(r"[^\x00-\x1f\x7f<>]{1,80}", "1 to 80 characters")
CLOCK = Pattern(r"([01]\d|2[0-3]):[0-5]\d", "a time of day as HH:MM")


class Day(StrEnum):
    """A day of the week, in UTC, in the order of `datetime.weekday`."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class OneFreeze(Struct, frozen=True, kw_only=True):
    """A freeze with a begin and an end."""

    kind: Annotated[Literal["once"], Doc("The kind of freeze.")] = "once"
    name: Annotated[str, Doc("What people call it."), NAME]
    from_at: Annotated[datetime, Doc("When it begins.")]
    until_at: Annotated[datetime, Doc("When it ends.")]


class WeeklyFreeze(Struct, frozen=True, kw_only=True):
    """A freeze on certain days of each week, in UTC.

    One that ends earlier than it begins lasts until the next day.
    """

    kind: Annotated[Literal["weekly"], Doc("The kind of freeze.")] = "weekly"
    name: Annotated[str, Doc("What people call it."), NAME]
    days: Annotated[tuple[Day, ...], Doc("The days on which it begins."), AtLeastOne()]
    from_clock: Annotated[str, Doc("When it begins, in UTC.", "write HH:MM"), CLOCK] = "00:00"
    until_clock: Annotated[
        str, Doc("When it ends, in UTC; 00:00 is midnight.", "write HH:MM"), CLOCK
    ] = "00:00"


Freeze = OneFreeze | WeeklyFreeze


def is_frozen(freeze: Freeze, now: datetime) -> bool:
    """Whether that freeze is on. `now` is aware and UTC."""
    match freeze:
        case OneFreeze():
            return freeze.from_at <= now < freeze.until_at
        case WeeklyFreeze():
            return any(_began(freeze, now, days_ago) for days_ago in (0, 1))
        case _:
            assert_never(freeze)


def _began(freeze: WeeklyFreeze, now: datetime, days_ago: int) -> bool:
    """Whether it began that many days ago and is still on."""
    day = (now - timedelta(days=days_ago)).date()
    if list(Day)[day.weekday()] not in freeze.days:
        return False
    begin = datetime.combine(day, time.fromisoformat(freeze.from_clock), now.tzinfo)
    end = datetime.combine(day, time.fromisoformat(freeze.until_clock), now.tzinfo)
    if end <= begin:
        end += timedelta(days=1)
    return begin <= now < end
