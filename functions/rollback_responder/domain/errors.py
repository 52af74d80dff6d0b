"""Errors for what could not be known beforehand. A refusal is not an error: it is a `StandDown`.

RollbackError
├── DocumentError        a document (policy, row) does not fit its type; carries every problem
│   └── PolicyError      the same, for the policy an operator wrote
├── WiringError          an environment variable is missing
├── SignalError          not an alarm message that concerns us; never retried, dead-lettered
├── MeasurementError     metrics or alarms could not be read; retryable
├── ActionError          the target refused
│   ├── TargetGone       the thing to move, or where to move it, does not exist
│   ├── TargetChanged    somebody else moved it since we looked
│   ├── ActionDenied     the role may not
│   ├── ActionThrottled  definitely not applied; retryable
│   └── ActionUnclear    it may or may not have been applied
├── TargetHeld           another invocation works on the target; retryable
├── JournalError         the journal could not be read or written; retryable
│   ├── RowDamaged       a row does not hold what it should; a retry cannot help
│   └── ClaimLost        somebody else took the target over
├── QueueError           a queue did not take a message; retryable
└── NotificationError    Slack did not take the message; says whether a retry can help
    └── MessageGone      the message to edit or reply to is out of reach
"""

from msgspec import Struct


class RollbackError(Exception):
    """Root of every error this package raises."""


class Problem(Struct, frozen=True, kw_only=True):
    """One thing wrong in a document, said so that its writer can mend it."""

    path: str
    got: str
    allowed: str
    change: str

    def __str__(self) -> str:
        return f"{self.path}: got {self.got}; allowed: {self.allowed}; {self.change}"


class DocumentError(RollbackError):
    """A document does not fit its type. `problems` holds all of them, never only the first."""

    def __init__(self, what: str, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{what} has {count}:\n{lines}")


class PolicyError(DocumentError):
    """The policy in `cdk.json` (context `rollback`) or in `policy.json` cannot be used."""


class WiringError(RollbackError):
    """An environment variable that the deployment sets is missing or empty."""


class SignalError(RollbackError):
    """A message is not an alarm message of ours. A retry cannot help.

    `reason` is a short snake_case word for the counter and the dead letter.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


class MeasurementError(RollbackError):
    """CloudWatch could not be read, or did not answer in full."""


class ActionError(RollbackError):
    """The target refused, or could not be read."""


class TargetGone(ActionError):
    """The target, or the version to move it to, does not exist."""


class TargetChanged(ActionError):
    """Somebody else moved the target since it was read; nothing was applied by us."""


class ActionDenied(ActionError):
    """The role lacks a permission; nothing was applied."""


class ActionThrottled(ActionError):
    """AWS refused for its request rate; definitely nothing was applied."""


class ActionUnclear(ActionError):
    """No usable answer came back: the change may or may not have been applied."""


class TargetHeld(RollbackError):
    """Another invocation is working on the target right now; come back later."""


class JournalError(RollbackError):
    """The journal could not be read or written."""


class RowDamaged(JournalError):
    """A row does not hold what it should; the text names the damage. A retry cannot help."""


class ClaimLost(JournalError):
    """The claim on a target is no longer ours."""


class OrderRefused(RollbackError):
    """What a person asked for cannot be done; the text says why, to them."""


class PressRefused(RollbackError):
    """A request is no press of a button of ours. `status` is what HTTP calls that."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class QueueError(RollbackError):
    """A queue did not take a message."""


class NotificationError(RollbackError):
    """Slack did not take the message. The text never holds the URL or a token."""

    def __init__(self, text: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(text)


class MessageGone(NotificationError):
    """The message to edit or to reply to is not there; a new one can be opened."""
