"""Reasons: every fork in the house has one of these words, and numbers beside it."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something was done or not. Each has its sentence in `docs/runbook.md`."""

    # Rolling back.
    METRIC_BREACHING = "metric_breaching"
    ALARM_TRUSTED = "alarm_trusted"
    APPROVED = "approved"
    ORDERED = "ordered"
    FOUND_DONE = "found_done"
    ROLLBACK_ADOPTED = "rollback_adopted"
    # On the way back.
    LEG_BACK = "leg_back"
    LEG_FAILED = "leg_failed"
    NEXT_LEG = "next_leg"
    ROLLBACK_STUCK = "rollback_stuck"
    ROLLBACK_CONTINUED = "rollback_continued"
    ROLLBACK_OVERDUE = "rollback_overdue"
    ALL_BACK = "all_back"
    # Not rolling back: the alarm.
    ALARM_GONE = "alarm_gone"
    ALARM_NOT_FIRING = "alarm_not_firing"
    ALARM_SUPPRESSED = "alarm_suppressed"
    ALARM_DISABLED = "alarm_disabled"
    ALARM_MUTED = "alarm_muted"
    ALARM_UNSOUND = "alarm_unsound"
    # Not rolling back: the change.
    TARGET_GONE = "target_gone"
    ALIAS_ON_LATEST = "alias_on_latest"
    NO_RECENT_CHANGE = "no_recent_change"
    CHANGE_IS_ROLLBACK = "change_is_rollback"
    ALARM_BEFORE_CHANGE = "alarm_before_change"
    CHANGE_FINISHED = "change_finished"
    CHANGE_FINISHING = "change_finishing"
    CHANGE_BROKEN = "change_broken"
    NOT_STOPPABLE = "not_stoppable"
    ROOT_NOT_IN_SCOPE = "root_not_in_scope"
    UNKNOWN_STATUS = "unknown_status"
    # Not rolling back: the evidence.
    ALARM_NOT_TRUSTED = "alarm_not_trusted"
    UNMEASURABLE = "unmeasurable"
    INCONCLUSIVE = "inconclusive"
    METRIC_HEALTHY = "metric_healthy"
    BOTH_VERSIONS_FAIL = "both_versions_fail"
    # Not rolling back: another cause.
    DEPENDENCY_FAILING = "dependency_failing"
    SIBLINGS_FAIL = "siblings_fail"
    # Not rolling back: the guardrails.
    ALREADY_ACTED = "already_acted"
    COOLDOWN = "cooldown"
    SERVICE_BUDGET_SPENT = "service_budget_spent"
    NO_PROVEN_RELEASE = "no_proven_release"
    # Not rolling back: people and the policy.
    ROLLBACK_UNSAFE = "rollback_unsafe"
    HELD = "held"
    PUT_BACK = "put_back"
    FIX_FORWARD = "fix_forward"
    OBSERVE_MODE = "observe_mode"
    SEVERITY_TELLS = "severity_tells"
    PAUSED = "paused"
    BUDGET_SPENT = "budget_spent"
    # Asking.
    RELEASE_PROVED = "release_proved"
    BEGAN_TOO_LATE = "began_too_late"
    SEVERITY_ASKS = "severity_asks"
    APPROVAL_NEEDED = "approval_needed"
    FROZEN = "frozen"
    NOT_APPROVED = "not_approved"
    ORDER_LAPSED = "order_lapsed"
    # Not rolling back: the target refused.
    VERSION_DELETED = "version_deleted"
    TARGET_CHANGED = "target_changed"
    ACTION_DENIED = "action_denied"
    ACTION_THROTTLED = "action_throttled"
    ACTION_UNCLEAR = "action_unclear"
    # How it ended.
    SYMPTOM_GONE = "symptom_gone"
    SYMPTOM_REMAINS = "symptom_remains"
    NOT_ENOUGH_DATA = "not_enough_data"
    MOVED_AGAIN = "moved_again"
    WRONG_VERSION = "wrong_version"
    RESULT_UNKNOWN = "result_unknown"
    FINISHED_ANYWAY = "finished_anyway"
    ROLLBACK_INCOMPLETE = "rollback_incomplete"
    # A person undoes a rollback.
    UNDO_ORDERED = "undo_ordered"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


# These may still turn out either way: the watcher asks again each minute, for a while.
UNDECIDED = frozenset(
    {
        Reason.INCONCLUSIVE,
        Reason.METRIC_HEALTHY,
        Reason.UNMEASURABLE,
        Reason.BOTH_VERSIONS_FAIL,
        Reason.DEPENDENCY_FAILING,
        Reason.SIBLINGS_FAIL,
        Reason.ALARM_UNSOUND,
        Reason.ALARM_SUPPRESSED,
        Reason.ALARM_DISABLED,
        Reason.ALARM_MUTED,
        Reason.FIX_FORWARD,
        Reason.ACTION_THROTTLED,
        Reason.CHANGE_FINISHING,
        Reason.PAUSED,
        # Copies of one message set it aside for a moment each; and an hour ends.
        Reason.BUDGET_SPENT,
    }
)
# Somebody must get up for these although it is not over.
URGENT = frozenset(
    {
        Reason.BOTH_VERSIONS_FAIL,
        Reason.DEPENDENCY_FAILING,
        Reason.SIBLINGS_FAIL,
        Reason.RELEASE_PROVED,
        Reason.BEGAN_TOO_LATE,
        Reason.SEVERITY_ASKS,
        Reason.APPROVAL_NEEDED,
        Reason.FROZEN,
        Reason.BUDGET_SPENT,
        Reason.ROLLBACK_STUCK,
        Reason.ROLLBACK_OVERDUE,
        Reason.LEG_FAILED,
    }
)
# These hold for as long as somebody wants them to; the present is judged when they are over.
WAITING = frozenset({Reason.PAUSED, Reason.FIX_FORWARD})
# Nobody needs to get up for these: the symptom is gone, or somebody asked for silence.
QUIET = frozenset(
    {
        Reason.METRIC_BREACHING,
        Reason.ALARM_TRUSTED,
        Reason.APPROVED,
        Reason.ORDERED,
        Reason.FOUND_DONE,
        Reason.ROLLBACK_ADOPTED,
        Reason.LEG_BACK,
        Reason.NEXT_LEG,
        Reason.ROLLBACK_CONTINUED,
        Reason.ALL_BACK,
        Reason.ALARM_NOT_FIRING,
        Reason.ALARM_SUPPRESSED,
        Reason.ALARM_DISABLED,
        Reason.ALARM_MUTED,
        Reason.FIX_FORWARD,
        Reason.HELD,
        Reason.OBSERVE_MODE,
        Reason.PAUSED,
        Reason.SYMPTOM_GONE,
        Reason.UNDO_ORDERED,
        Reason.UNDONE,
    }
)
