"""What each reason is called in Slack, and what a person does next. One entry for each reason.

The longer story of each reason is in `docs/runbook.md`, under its name.
"""

from msgspec import Struct

from rollback_responder.domain.reason import Reason

SHIP_NEW_VERSION = (
    "Your infrastructure code still names {version}. Fix the fault and deploy a new version: "
    "deploying the same code again does not move the alias."
)


# A stack or a deployment that went back is as it was: the same code is rolled out like any other.
FIX_FIRST = "Fix the fault before you deploy again: the same code would fail in the same way."


class Words(Struct, frozen=True):
    """A reason in a few words, and the next step for whoever reads it.

    `ships` says that a new version is to come next, in the words for what was rolled back.
    """

    said: str
    next_step: str
    ships: bool = False


WORDS: dict[Reason, Words] = {
    Reason.METRIC_BREACHING: Words("the new version fails, surely more than the one before", ""),
    Reason.ALARM_TRUSTED: Words("the alarm fires and the policy trusts it", ""),
    Reason.APPROVED: Words("a person said yes to it", ""),
    Reason.ORDERED: Words("a person ordered it", ""),
    Reason.FOUND_DONE: Words("an earlier attempt had rolled it back and could not say so", ""),
    Reason.ROLLBACK_ADOPTED: Words("a rollback was already under way", ""),
    Reason.LEG_BACK: Words("one part is back", ""),
    Reason.LEG_FAILED: Words(
        "one part could not be rolled back", "Look at that part now; the others are followed here."
    ),
    Reason.NEXT_LEG: Words("the next part was told to go back", ""),
    Reason.ROLLBACK_STUCK: Words(
        "the rollback itself failed",
        "Mend what failed, then run the command above; it is followed here until it is back.",
    ),
    Reason.ROLLBACK_CONTINUED: Words("the failed rollback was continued", ""),
    Reason.ROLLBACK_OVERDUE: Words(
        "the rollback takes longer than it may",
        "Look at it in the console; nothing else is begun, and it is followed here for a day.",
    ),
    Reason.ALL_BACK: Words("everything is back where it was", ""),
    Reason.ALARM_GONE: Words(
        "the alarm does not exist any more",
        "Deploy the alarm stacks again, or take the alarm out of the policy.",
    ),
    Reason.ALARM_NOT_FIRING: Words(
        "the alarm is not firing",
        "Nothing, if the numbers above look well to you; no version was touched.",
    ),
    Reason.ALARM_SUPPRESSED: Words(
        "the alarm's actions are suppressed", "Nothing to do while the suppression is meant."
    ),
    Reason.ALARM_DISABLED: Words(
        "the alarm's actions are disabled",
        "Enable its actions again when the maintenance is over.",
    ),
    Reason.ALARM_MUTED: Words(
        "a mute rule holds the alarm's actions", "Nothing to do while the mute is meant."
    ),
    Reason.ALARM_UNSOUND: Words(
        "the alarm's own state is in doubt",
        "Look at the metric yourself: CloudWatch could not evaluate the alarm in full.",
    ),
    Reason.TARGET_GONE: Words(
        "a target of the policy does not exist", "Create it again, or take it out of the policy."
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
        "the live version is itself the result of a rollback",
        "Decide by hand: the version before it is no better known.",
    ),
    Reason.ALARM_BEFORE_CHANGE: Words(
        "the alarm fired before the deploy",
        "Look for another cause: the fault is older than the deploy.",
    ),
    Reason.RELEASE_PROVED: Words(
        "the live version had proved itself before",
        "Look for another cause first: a dependency, traffic, data. Approve the rollback if the "
        "deploy is to blame.",
    ),
    Reason.CHANGE_FINISHED: Words(
        "the change has finished and cannot be stopped any more",
        "Decide: deploy the version before with your pipeline, or fix forward.",
    ),
    Reason.CHANGE_FINISHING: Words(
        "the change is just ending", "Look at it: it has been ending for long."
    ),
    Reason.CHANGE_BROKEN: Words(
        "a change ended half-way",
        "Look at it in the console: neither it nor the state before is whole.",
    ),
    Reason.NOT_STOPPABLE: Words(
        "a stack is in a state that is left to people",
        "Look at the stack: only an update under way can be undone, not making or deleting.",
    ),
    Reason.ROOT_NOT_IN_SCOPE: Words(
        "the stack is nested and the policy does not name its root",
        "Cancel the root stack by hand if it is the cause; name the root in the policy.",
    ),
    Reason.UNKNOWN_STATUS: Words(
        "AWS answered with something unknown",
        "Decide by hand, and tell whoever keeps the responder: it needs a new version.",
    ),
    Reason.ALARM_NOT_TRUSTED: Words(
        "the alarm's metric cannot be checked",
        "Look yourself. To let this alarm act alone, set when_unmeasurable to trust_alarm.",
    ),
    Reason.UNMEASURABLE: Words(
        "the metric could not be read",
        "Look at the service yourself, and at CloudWatch and the responder's permissions.",
    ),
    Reason.INCONCLUSIVE: Words(
        "there is too little evidence",
        "Look at the service yourself: the numbers were too few or not clear enough to act on.",
    ),
    Reason.METRIC_HEALTHY: Words(
        "the metric looks healthy",
        "Compare the alarm with its metric: it fires on numbers that are no longer bad.",
    ),
    Reason.BOTH_VERSIONS_FAIL: Words(
        "both versions fail",
        "Look at what both versions need: a dependency, the network, the traffic.",
    ),
    Reason.DEPENDENCY_FAILING: Words(
        "something that it depends on fails",
        "Look at the dependency first: going back would not mend it.",
    ),
    Reason.SIBLINGS_FAIL: Words(
        "services beside it fail as well",
        "Look at what they share first: a dependency, the network, an AWS service.",
    ),
    Reason.BEGAN_TOO_LATE: Words(
        "it began too long after the deploy",
        "Look for another cause first: a dependency, traffic, data. Approve the rollback if the "
        "deploy is to blame.",
    ),
    Reason.ALREADY_ACTED: Words(
        "this deploy was acted upon before", "Decide by hand: the responder acts once on a deploy."
    ),
    Reason.COOLDOWN: Words(
        "the last rollback here was a moment ago",
        "Decide by hand: it is not judged again for this firing of the alarm.",
    ),
    Reason.SERVICE_BUDGET_SPENT: Words(
        "this service was rolled back too often today",
        "Decide by hand: so many bad deploys in a day have another cause than the deploys.",
    ),
    Reason.NO_PROVEN_RELEASE: Words(
        "no earlier version has proved itself",
        "Decide by hand which version is good; keep versions with RemovalPolicy.RETAIN.",
    ),
    Reason.OBSERVE_MODE: Words(
        "the mode is observe",
        "Nothing was moved: while it fails, going back is yours, by hand or by your pipeline. Set"
        " the mode to enforce when you agree with what it would do.",
    ),
    Reason.ROLLBACK_UNSAFE: Words(
        "it is marked as unsafe to roll back",
        "Fix it forward, or undo what made it unsafe and take the mark away.",
    ),
    Reason.HELD: Words(
        "somebody said that this change stays",
        "It serves until your next deploy, failing or not, and nobody is called for it again.",
    ),
    Reason.PUT_BACK: Words(
        "a person undid the rollback of this version",
        "Decide by hand: what a person put back is not rolled back again.",
    ),
    Reason.FIX_FORWARD: Words(
        "somebody fixes it forward",
        "Deploy the fix: nothing is rolled back meanwhile. When that time is over it is judged"
        " again.",
    ),
    Reason.SEVERITY_TELLS: Words(
        "at this severity and age people are only told",
        "Decide by hand; the table `responses` of the policy says what is done when.",
    ),
    Reason.SEVERITY_ASKS: Words(
        "at this severity and age a person decides",
        "Approve the rollback, or hold it.",
    ),
    Reason.APPROVAL_NEEDED: Words(
        "a person decides",
        "Approve the rollback, or hold it.",
    ),
    Reason.FROZEN: Words(
        "a freeze is on, so a person decides",
        "Approve the rollback, or hold it.",
    ),
    Reason.NOT_APPROVED: Words(
        "nobody approved it in time", "Decide by hand: it is not asked again for this change."
    ),
    Reason.ORDER_LAPSED: Words(
        "the order came too late to be carried out",
        "Look at the service, and order it again if you still want to.",
    ),
    Reason.PAUSED: Words(
        "the responder is paused", "Resume it, or decide by hand: until then it only watches."
    ),
    Reason.BUDGET_SPENT: Words(
        "too many rollbacks in this hour",
        "Look for a shared cause first; so many bad deploys at once are unlikely.",
    ),
    Reason.VERSION_DELETED: Words(
        "what it would go back to was deleted",
        "Decide by hand; keep versions with RemovalPolicy.RETAIN from now on.",
    ),
    Reason.TARGET_CHANGED: Words(
        "somebody else changed it at the same moment",
        "Talk to whoever is deploying; the responder left their change alone.",
    ),
    Reason.ACTION_DENIED: Words(
        "AWS refused the rollback",
        "Roll back by hand, then mend what AWS refused for.",
    ),
    Reason.ACTION_THROTTLED: Words(
        "AWS was too busy to roll it back", "Roll back by hand: AWS stayed too busy."
    ),
    Reason.ACTION_UNCLEAR: Words(
        "AWS gave no clear answer to the rollback", "Look at the target now: a call may still land."
    ),
    Reason.SYMPTOM_GONE: Words("the symptom is gone", "", ships=True),
    Reason.SYMPTOM_REMAINS: Words(
        "the symptom is still there",
        "Look for another cause: going back did not help.",
        ships=True,
    ),
    Reason.NOT_ENOUGH_DATA: Words(
        "there is too little traffic to tell",
        "Check the service yourself.",
        ships=True,
    ),
    Reason.MOVED_AGAIN: Words(
        "the alias is not where the rollback put it",
        "Look at the alias, and talk to whoever moved it; this rollback is no longer followed.",
    ),
    Reason.WRONG_VERSION: Words(
        "the alias is at a version known to be bad",
        "Move the alias to a good version by hand, and mend the template: a stack restores what "
        "that says.",
    ),
    Reason.FINISHED_ANYWAY: Words(
        "the change finished in spite of the rollback",
        "Decide: deploy the version before with your pipeline, or fix forward.",
    ),
    Reason.ROLLBACK_INCOMPLETE: Words(
        "not everything could be rolled back",
        "Look at each part above and bring the rest back by hand.",
    ),
    Reason.UNDO_ORDERED: Words("a person wants the rollback undone", ""),
    Reason.UNDONE: Words(
        "a person undid the rollback",
        "Watch it: this version is yours now, and is not rolled back again.",
    ),
    Reason.UNDO_FAILED: Words(
        "the rollback could not be undone", "Move the alias by hand if you still want to."
    ),
    Reason.RESULT_UNKNOWN: Words(
        "an attempt may or may not have rolled it back",
        "Look at the alias, the deployments and the stacks now, and put them where they belong.",
    ),
}

# What the responder writes down at these says all of it: in a thread it needs no other words.
CLEAR = frozenset(
    {
        Reason.LEG_BACK,
        Reason.NEXT_LEG,
        Reason.ROLLBACK_CONTINUED,
        Reason.ALARM_NOT_FIRING,
        Reason.ALARM_SUPPRESSED,
        Reason.ALARM_DISABLED,
        Reason.ALARM_MUTED,
        Reason.ALARM_UNSOUND,
        Reason.TARGET_GONE,
        Reason.ALIAS_ON_LATEST,
        Reason.NO_RECENT_CHANGE,
        Reason.CHANGE_IS_ROLLBACK,
        Reason.ALARM_BEFORE_CHANGE,
        Reason.CHANGE_FINISHED,
        Reason.ROOT_NOT_IN_SCOPE,
        Reason.UNKNOWN_STATUS,
        Reason.DEPENDENCY_FAILING,
        Reason.SIBLINGS_FAIL,
        Reason.ALREADY_ACTED,
        Reason.COOLDOWN,
        Reason.SERVICE_BUDGET_SPENT,
        Reason.NO_PROVEN_RELEASE,
        Reason.ROLLBACK_UNSAFE,
        Reason.HELD,
        Reason.PUT_BACK,
        Reason.FIX_FORWARD,
        Reason.PAUSED,
        Reason.BUDGET_SPENT,
        Reason.RELEASE_PROVED,
        Reason.BEGAN_TOO_LATE,
        Reason.APPROVAL_NEEDED,
        Reason.FROZEN,
        Reason.NOT_APPROVED,
        Reason.ORDER_LAPSED,
        Reason.MOVED_AGAIN,
        Reason.WRONG_VERSION,
        Reason.UNDO_ORDERED,
        Reason.UNDONE,
        Reason.UNDO_FAILED,
    }
)
