"""What each reason is called in Slack, and what a person does next. One entry for each reason.

The longer story of each reason is in `docs/runbook.md`, under its name.
"""

from dataclasses import dataclass

from rollback_responder.domain.decision import Reason

SHIP_NEW_VERSION = (
    "Your infrastructure code still names the version that was rolled back. Fix the fault and "
    "deploy a new version; deploying the same code again does not move the alias."
)


@dataclass(frozen=True, slots=True)
class Words:
    """A reason in a few words, and the next step for whoever reads it."""

    said: str
    next_step: str


WORDS: dict[Reason, Words] = {
    Reason.METRIC_BREACHING: Words("the new version fails and the one before did not", ""),
    Reason.ALARM_TRUSTED: Words("the alarm fires and the policy trusts it", ""),
    Reason.FOUND_DONE: Words("an earlier attempt had moved it and could not say so", ""),
    Reason.ALARM_GONE: Words(
        "the alarm does not exist any more",
        "Deploy the alarm stacks again, or take the alarm out of the policy.",
    ),
    Reason.ALARM_NOT_FIRING: Words("the alarm stopped firing", "Nothing to do."),
    Reason.ALARM_SUPPRESSED: Words(
        "the alarm's actions are suppressed", "Nothing to do while the suppression is meant."
    ),
    Reason.ALARM_DISABLED: Words(
        "the alarm's actions are disabled",
        "Enable its actions again when the maintenance is over.",
    ),
    Reason.ALARM_UNSOUND: Words(
        "CloudWatch itself doubts the alarm's state",
        "Look at the metric yourself: CloudWatch could not evaluate it in full.",
    ),
    Reason.TARGET_GONE: Words(
        "the alias does not exist", "Create the alias again, or take it out of the policy."
    ),
    Reason.ALIAS_ON_LATEST: Words(
        "the alias points to no published version",
        "Point the alias to a published version: $LATEST cannot be rolled back.",
    ),
    Reason.NO_RECENT_CHANGE: Words(
        "nothing was deployed lately",
        "Look for another cause: a dependency, traffic, data. No deploy to undo.",
    ),
    Reason.CHANGE_IS_ROLLBACK: Words(
        "the live version is itself a rollback",
        "Decide by hand: the version before is no better known, and one hop is the limit.",
    ),
    Reason.ALARM_BEFORE_CHANGE: Words(
        "the alarm fired before the deploy",
        "Look for another cause: the fault is older than the deploy.",
    ),
    Reason.RELEASE_PROVED: Words(
        "the live version had proved itself before",
        "Look for another cause first: a dependency, traffic, data. Or move the alias by hand.",
    ),
    Reason.ALARM_NOT_TRUSTED: Words(
        "its metric cannot be checked",
        "Look yourself. To let this alarm act alone, set when_unmeasurable to trust_alarm.",
    ),
    Reason.UNMEASURABLE: Words(
        "the metric could not be read",
        "Look at the service yourself, and at CloudWatch and the responder's permissions.",
    ),
    Reason.INCONCLUSIVE: Words(
        "there is too little evidence",
        "Look at the service yourself: there was too little traffic to judge it.",
    ),
    Reason.METRIC_HEALTHY: Words(
        "the metric looks healthy",
        "Compare the alarm with its metric: it fires on numbers that are no longer bad.",
    ),
    Reason.BOTH_VERSIONS_FAIL: Words(
        "both versions fail",
        "Look at what both versions need: a dependency, the network, the traffic.",
    ),
    Reason.ALREADY_ACTED: Words(
        "this deploy was acted upon before", "Decide by hand: the responder acts once on a deploy."
    ),
    Reason.COOLDOWN: Words(
        "the last rollback here was a moment ago", "Decide by hand, or wait for the cooldown."
    ),
    Reason.NO_PROVEN_RELEASE: Words(
        "no earlier version has proved itself",
        "Decide by hand which version is good; keep versions with RemovalPolicy.RETAIN.",
    ),
    Reason.OBSERVE_MODE: Words(
        "the mode is observe", "Set the mode to enforce when you agree with what it would do."
    ),
    Reason.VERSION_DELETED: Words(
        "the version to go back to was deleted",
        "Decide by hand; keep versions with RemovalPolicy.RETAIN from now on.",
    ),
    Reason.TARGET_CHANGED: Words(
        "somebody else moved the alias at the same moment",
        "Talk to whoever is deploying; the responder left their change alone.",
    ),
    Reason.ACTION_DENIED: Words(
        "AWS refused the move",
        "Move the alias by hand, then mend what AWS refused for.",
    ),
    Reason.ACTION_THROTTLED: Words(
        "AWS was too busy to move it", "Wait: it is tried again each minute."
    ),
    Reason.ACTION_UNCLEAR: Words(
        "AWS gave no clear answer to the move", "Wait: the target is looked at again shortly."
    ),
    Reason.SYMPTOM_GONE: Words("the symptom is gone", SHIP_NEW_VERSION),
    Reason.SYMPTOM_REMAINS: Words(
        "the symptom is still there",
        "Look for another cause: going back did not help. " + SHIP_NEW_VERSION,
    ),
    Reason.NOT_ENOUGH_DATA: Words(
        "there is too little traffic to tell",
        "Check the service yourself. " + SHIP_NEW_VERSION,
    ),
    Reason.MOVED_AGAIN: Words(
        "somebody moved the alias since",
        "Talk to whoever moved it; the responder no longer follows this rollback.",
    ),
    Reason.RESULT_UNKNOWN: Words(
        "an attempt may or may not have moved it",
        "Look at the alias now and put it where it belongs.",
    ),
}
