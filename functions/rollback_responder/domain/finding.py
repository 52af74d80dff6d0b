"""Findings: what a readiness check finds wrong, how bad that is, and how it is mended."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How bad a finding is. Only an error would keep a rollback from working."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Check(StrEnum):
    """What was looked at; the word that scripts know a finding by."""

    NOT_READ = "not_read"
    PAUSED = "paused"
    OBSERVES = "observes"
    FUNCTION_GONE = "function_gone"
    ALIAS_GONE = "alias_gone"
    ALIAS_ON_LATEST = "alias_on_latest"
    NO_WAY_BACK = "no_way_back"
    NOTHING_PROVED = "nothing_proved"
    WAY_BACK_NOT_KEPT = "way_back_not_kept"
    VERSION_DELETED = "version_deleted"
    VERSION_NOT_KEPT = "version_not_kept"
    PAST_THE_ALIAS = "past_the_alias"
    MAY_CALL_PAST_IT = "may_call_past_the_alias"
    OTHER_ALIAS = "other_alias"
    CONCURRENCY_ON_VERSION = "concurrency_on_version"
    CONCURRENCY_MOVES = "concurrency_moves"
    ALARM_GONE = "alarm_gone"
    ALARM_DISABLED = "alarm_disabled"
    ALARM_MUTED = "alarm_muted"
    ALARM_SUPPRESSED = "alarm_suppressed"
    ALARM_UNSOUND = "alarm_unsound"
    ALARM_WITHOUT_ACTION = "alarm_without_action"
    ALARM_WITHOUT_DATA = "alarm_without_data"
    ALARM_FIRES = "alarm_fires"
    METRIC_WITHOUT_DATA = "metric_without_data"
    DEPENDENCY_GONE = "dependency_gone"
    DEPENDENCY_FIRES = "dependency_fires"
    GROUP_GONE = "group_gone"
    GROUP_WITHOUT_ROLLBACK = "group_without_rollback"
    STACK_GONE = "stack_gone"
    STACK_NOT_STABLE = "stack_not_stable"
    STACK_IS_NESTED = "stack_is_nested"
    STACK_WITHOUT_ROLE = "stack_without_role"
    STACK_WITHOUT_MONITORING = "stack_without_monitoring"
    NOT_ALLOWED = "not_allowed"
    NO_APPROVERS = "no_approvers"
    SLACK_SECRET = "slack_secret"  # noqa: S105 - names a check, holds nothing


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be, and how it is mended."""

    check: Check
    level: Level
    about: str
    found: str
    fix: str


class Unread(Struct, frozen=True, kw_only=True):
    """A fact that could not be read, and why."""

    why: str


LEVELS: dict[Check, Level] = {
    **dict.fromkeys(Check, Level.ERROR),
    **dict.fromkeys(
        (
            Check.NOT_READ,
            Check.NOTHING_PROVED,
            Check.VERSION_DELETED,
            Check.VERSION_NOT_KEPT,
            Check.MAY_CALL_PAST_IT,
            Check.CONCURRENCY_ON_VERSION,
            Check.ALARM_MUTED,
            Check.ALARM_SUPPRESSED,
            Check.ALARM_UNSOUND,
            Check.ALARM_WITHOUT_ACTION,
            Check.METRIC_WITHOUT_DATA,
            Check.DEPENDENCY_FIRES,
            Check.GROUP_WITHOUT_ROLLBACK,
            Check.STACK_WITHOUT_ROLE,
            Check.STACK_WITHOUT_MONITORING,
            Check.SLACK_SECRET,
        ),
        Level.WARNING,
    ),
    **dict.fromkeys(
        (
            Check.OBSERVES,
            Check.NO_APPROVERS,
            Check.OTHER_ALIAS,
            Check.CONCURRENCY_MOVES,
            Check.ALARM_WITHOUT_DATA,
            Check.ALARM_FIRES,
        ),
        Level.NOTE,
    ),
}


def not_read(about: str, what: str, unread: Unread) -> Finding:
    """The finding about a fact that could not be read."""
    return finding(
        Check.NOT_READ,
        about,
        f"{what} could not be read: {unread.why}",
        "allow your credentials to read it, or run the check with others: it was not checked",
    )


def finding(check: Check, about: str, found: str, fix: str) -> Finding:
    """A finding; how bad it is goes by what was checked."""
    return Finding(check=check, level=LEVELS[check], about=about, found=found, fix=fix)
