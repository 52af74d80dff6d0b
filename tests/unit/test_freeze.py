"""Freeze windows: once, or each week, also over midnight. 22 November 2026 is a Sunday."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.freeze import Day, OneFreeze, WeeklyFreeze, is_frozen

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WEEKEND = WeeklyFreeze(name="weekend", days=(Day.SATURDAY, Day.SUNDAY))
NIGHT = WeeklyFreeze(name="night", days=(Day.SUNDAY,), from_clock="22:00", until_clock="06:00")
LUNCH = WeeklyFreeze(name="lunch", days=(Day.MONDAY,), from_clock="12:00", until_clock="13:30")


@pytest.mark.parametrize(
    ("after", "frozen"),
    [(-MINUTE, False), (0 * HOUR, True), (59 * MINUTE, True), (HOUR, False)],
)
def test_a_freeze_begins_with_its_begin_and_is_over_at_its_end(after, frozen):
    freeze = OneFreeze(name="launch", from_at=SUNDAY, until_at=SUNDAY + HOUR)

    assert is_frozen(freeze, SUNDAY + after) is frozen


@pytest.mark.parametrize(
    ("freeze", "hours", "frozen"),
    [
        # A day without clocks is the whole of it, until midnight.
        (WEEKEND, -24.1, False),
        (WEEKEND, -24, True),
        (WEEKEND, 0, True),
        (WEEKEND, 23.9, True),
        (WEEKEND, 24, False),
        # It begins on Sunday and lasts into Monday; on Sunday's early morning it is not on.
        (NIGHT, 5, False),
        (NIGHT, 21.9, False),
        (NIGHT, 22, True),
        (NIGHT, 29.9, True),
        (NIGHT, 30, False),
        (NIGHT, 46, False),
        (LUNCH, 12, False),
        (LUNCH, 35.9, False),
        (LUNCH, 36, True),
        (LUNCH, 37.4, True),
        (LUNCH, 37.5, False),
    ],
)
def test_a_weekly_freeze(freeze, hours, frozen):
    assert is_frozen(freeze, SUNDAY + hours * HOUR) is frozen


CLOCKS = st.times().map(lambda clock: f"{clock:%H:%M}")
FREEZES = st.builds(
    WeeklyFreeze,
    name=st.just("any"),
    days=st.lists(st.sampled_from(Day), min_size=1, unique=True).map(tuple),
    from_clock=CLOCKS,
    until_clock=CLOCKS,
)
INSTANTS = st.integers(0, 7 * 24 * 60 - 1).map(lambda minutes: SUNDAY + minutes * MINUTE)


@given(FREEZES, INSTANTS)
def test_a_weekly_freeze_is_the_same_each_week(freeze, now):
    assert is_frozen(freeze, now) is is_frozen(freeze, now + timedelta(weeks=1))


@given(FREEZES, INSTANTS)
def test_a_weekly_freeze_lasts_as_long_as_its_clocks_say_from_each_of_its_days(freeze, now):
    """Equal clocks are a whole day; what begins on Saturday may last into the next week."""
    begin, end = (
        timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))
        for clock in (freeze.from_clock, freeze.until_clock)
    )
    length = (end - begin) % timedelta(days=1) or timedelta(days=1)
    days = [SUNDAY + timedelta(days=number) for number in range(-1, 7)]
    begins = [day + begin for day in days if list(Day)[day.weekday()] in freeze.days]

    assert is_frozen(freeze, now) is any(at <= now < at + length for at in begins)
