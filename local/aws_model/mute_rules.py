"""Alarm mute rules: windows in which the actions of named alarms are held back.

Sources: SDK model, ``PutAlarmMuteRule`` and its shapes; CloudWatch guide, "Alarm mute rules" and
"How alarm mute rules work". One-time windows only: ``at(...)``; ``cron(...)`` is refused. Start and
expire dates are "additional boundaries for your mute windows", so a window is what is left between
them. Not documented, and assumed here: a window includes its first instant and not its last, and of
several active rules the first by name is the one that an event names.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from local.aws_model.errors import resource_not_found_exception, validation_error

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)", re.ASCII)
_DURATION = re.compile(
    r"P(?=.)(?:(?P<days>\d+)D)?(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?", re.ASCII
)
_MAX_MINUTES = 15 * 24 * 60
_MAX_NAME = 255
_MAX_TARGETS = 100


class MuteStatus(StrEnum):
    """The statuses of a rule (SDK model, ``AlarmMuteRuleStatus``)."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Which rule holds back the actions of a transition, and its window."""

    arn: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteRule:
    """One rule, as ``PutAlarmMuteRule`` takes it; ``timezone`` None means UTC."""

    name: str
    description: str | None = None
    expression: str
    duration: str
    timezone: str | None = None
    alarm_names: tuple[str, ...]
    start_date: datetime | None = None
    expire_date: datetime | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= _MAX_NAME:
            raise validation_error("A mute rule's name has 1 to 255 characters.")
        if len(self.alarm_names) > _MAX_TARGETS:
            raise validation_error(f"{self.name}: a mute rule has at most 100 alarm names.")
        try:
            start, end = self.window
        except OverflowError as error:
            raise validation_error(f"{self.name}: the window is beyond the calendar.") from error
        if not start < end:
            # What CloudWatch makes of a rule that can never be active is not documented.
            raise validation_error(f"{self.name}: the dates leave nothing of the window.")

    @property
    def window(self) -> tuple[datetime, datetime]:
        """When the rule mutes: its first instant, and the first one after it."""
        at = _begin(self.expression, self.timezone or "UTC")
        start = at if self.start_date is None else max(at, self.start_date)
        end = at + _length(self.duration)
        return start, end if self.expire_date is None else min(end, self.expire_date)

    def status(self, at: datetime) -> MuteStatus:
        """Return the status at an instant.

        EXPIRED "occurs for one-time mute rules after the mute window has ended" (guide).
        """
        start, end = self.window
        if at >= end:
            return MuteStatus.EXPIRED
        return MuteStatus.SCHEDULED if at < start else MuteStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteRow:
    """A rule of the model: what was put, its ARN, and when."""

    rule: MuteRule
    arn: str
    updated_at: datetime

    def mute(self) -> Mute:
        """Return what an event says of the rule."""
        start, end = self.rule.window
        return Mute(arn=self.arn, start=start, end=end)


@dataclass(slots=True, kw_only=True)
class MuteBook:
    """All rules by name. Not thread-safe: its owner holds a lock."""

    rows: dict[str, MuteRow] = field(default_factory=dict)

    def row(self, name: str) -> MuteRow:
        """Return a rule's row.

        Raises:
            ModelError: ResourceNotFoundException.
        """
        if name not in self.rows:
            raise resource_not_found_exception(f"The alarm mute rule {name} does not exist.")
        return self.rows[name]

    def active(self, alarm_name: str, at: datetime) -> Mute | None:
        """Return what mutes an alarm at an instant, or None."""
        for _, row in sorted(self.rows.items()):
            if alarm_name in row.rule.alarm_names and row.rule.status(at) is MuteStatus.ACTIVE:
                return row.mute()
        return None


def _begin(expression: str, timezone: str) -> datetime:
    if expression.startswith("cron("):
        raise validation_error(f"Recurring mute windows are not modelled: {expression}")
    found = _AT.fullmatch(expression)
    if found is None:
        raise validation_error(f"The expression is not at(yyyy-MM-ddThh:mm): {expression}")
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise validation_error(f"There is no time zone {timezone}.") from error
    try:
        local = datetime.fromisoformat(found[1])
    except ValueError as error:
        raise validation_error(f"There is no such time: {expression}") from error
    return local.replace(tzinfo=zone).astimezone(UTC)


def _length(duration: str) -> timedelta:
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise validation_error(f"The duration is not days, hours and minutes: {duration}")
    days, hours, minutes = (int(part or 0) for part in found.group("days", "hours", "minutes"))
    total = (days * 24 + hours) * 60 + minutes
    if not 1 <= total <= _MAX_MINUTES:
        raise validation_error(f"The duration is not between PT1M and P15D: {duration}")
    return timedelta(minutes=total)
