"""Names that the deployment and the functions must agree on without asking each other."""

from datetime import datetime

from rollback_responder.domain.document import Pattern
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import MeasuredTrigger

PREFIX = "rollback"
# CloudWatch API, PutMetricAlarm.
LONGEST_ALARM_NAME = 255


def own_alarm_prefix(environment: str) -> str:
    """What the names of all alarms made from one policy begin with."""
    return f"{PREFIX}.{environment}."


def alarm_name(
    environment: str, service: str, trigger: MeasuredTrigger, pointer: Pointer | None = None
) -> str:
    """The name of a trigger's alarm, on a pointer if it is one's; an adopted alarm keeps its own.

    Dots part the pieces, and no piece may hold a dot, so two triggers never share a name.
    """
    where = f"{pointer.slug}." if pointer else ""
    return f"{own_alarm_prefix(environment)}{service}.{where}{trigger.label}"


def topic_name(environment: str) -> str:
    """The SNS topic that alarms of one environment publish to."""
    return f"{PREFIX}-alarms-{environment}"


# It becomes a part of keys in the journal, which are of 1,024 bytes at most (DynamoDB quotas).
INCIDENT_ID = Pattern("[a-zA-Z0-9-]{1,64}", "an id: 1 to 64 letters, digits or hyphens")


def incident_id(now: datetime, word: str) -> str:
    """An incident's or a claim's name: when, and something nobody else drew. They sort by time."""
    return f"inc-{now:%Y%m%d-%H%M%S}-{word}"


# What a function or stack is tagged with where the policy grants access by tags.
MAY_ACT, MAY_LOOK = "act", "look"


def target_tag(environment: str) -> str:
    """The key of the tag by which a team lets one environment's responder at a function or stack.

    Its value says how far: `MAY_ACT` or `MAY_LOOK`.
    """
    return f"rollback-target-{environment}"


# The responder's own metrics: embedded metric format, one dimension, `service`.
METRICS_NAMESPACE = "RollbackResponder"
HEARTBEAT = "Heartbeat"
# Targets that one round of the watcher could not look at.
UNWATCHED = "UnwatchedTargets"
# Alarms in scope that somebody has disabled or muted.
HUSHED = "HushedAlarms"
# What the preflight found that would keep a rollback from working.
NOT_READY = "NotReady"
# The figures of `figures.py`.
SECONDS_TO_ACTION = "SecondsToAction"
SECONDS_TO_BACK = "SecondsToBack"
SECONDS_TO_RECOVERY = "SecondsToRecovery"
INCIDENTS_OPEN = "IncidentsOpen"
OLDEST_OPEN_SECONDS = "OldestOpenSeconds"
LABELLED_RIGHT = "LabelledRight"
LABELLED_WRONG = "LabelledWrong"


def rollback_count(outcome: str) -> str:
    """The metric that counts the rollbacks of one outcome."""
    return f"Rollback{outcome.title().replace('_', '')}"


def metrics_service(environment: str) -> str:
    """The value of the dimension `service` of the responder's own metrics."""
    return f"rollback-responder-{environment}"


def health_alarm_prefix(environment: str) -> str:
    """What the names of the alarms on the responder itself begin with."""
    return f"{metrics_service(environment)}-"


def stack_name(environment: str) -> str:
    """The responder's stack."""
    return f"RollbackResponder-{environment}"


def alarm_stack_name(environment: str, number: int | str) -> str:
    """One of the stacks of the alarms that are made from the policy."""
    return f"RollbackAlarms-{environment}-{number}"


def is_own(environment: str, name: str) -> bool:
    """Whether a function or a stack is the responder's own.

    CloudFormation begins a name that it gives with that of the stack (its user guide, "Name type").
    """
    stack = stack_name(environment)
    return name == stack or name.startswith((f"{stack}-", alarm_stack_name(environment, "")))


def slack_secret_name(environment: str) -> str:
    """The Slack secret's name in Secrets Manager."""
    return f"rollback-responder/{environment}/slack"
