"""What is called, and what may go wrong there: the points and the faults of the matrix."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from tests.wire.doors import LATE_SECONDS

UPDATE = "starts_with(UpdateExpression, '{}')"
ROW = "starts_with(Key.pk.S, 'service#')"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One use of an operation: who calls it for what, in which story.

    Attributes:
        match: a JMESPath on the request's body that tells this use from others; None for all.
        acts: whether it changes a target.
        writes: whether it changes anything.
        tries: how often the SDK sends one call at most (bootstrap.READS, ONCE, PATIENT).
    """

    name: str
    service: str
    operation: str
    story: str
    match: str | None = None
    acts: bool = False
    writes: bool = False
    tries: int = 2


def read(name, service, operation, story, match=None, **more):
    return Point(name=name, service=service, operation=operation, story=story, match=match, **more)


def write(name, service, operation, story, match=None):
    return read(name, service, operation, story, match, writes=True)


def act(name, service, operation, story, match=None):
    return read(name, service, operation, story, match, acts=True, writes=True, tries=1)


CFN, CW, CD, DDB = "cloudformation", "cloudwatch", "codedeploy", "dynamodb"
POINTS = (
    act("alias: move", "lambda", "UpdateAlias", "alias"),
    act("alias: undo", "lambda", "UpdateAlias", "undo"),
    act("deployment: stop", CD, "StopDeployment", "canary"),
    act("deployment: redeploy", CD, "CreateDeployment", "redeploy"),
    act("stack: cancel", CFN, "CancelUpdateStack", "stack"),
    act("stack: continue", CFN, "ContinueUpdateRollback", "stack"),
    act("stack: cancel the next", CFN, "CancelUpdateStack", "stacks", "StackName == 'workflow'"),
    read("alias: look", "lambda", "GetAlias", "alias"),
    read("alias: watcher's look", "lambda", "GetAlias", "unheard"),
    read("alias: build", "lambda", "GetFunctionConfiguration", "alias"),
    read("alarms: respond", CW, "DescribeAlarms", "alias"),
    read("alarms: watch", CW, "DescribeAlarms", "unheard"),
    read("minutes", CW, "GetMetricData", "alias"),
    read("mute rules: respond", CW, "ListAlarmMuteRules", "alias", "AlarmName"),
    read("mute rules: watch", CW, "ListAlarmMuteRules", "muted", "!AlarmName"),
    read("mute rule: watch", CW, "GetAlarmMuteRule", "muted"),
    read("heartbeats", CW, "GetMetricData", "digest"),
    read("deployments: list", CD, "ListDeployments", "canary"),
    read("deployments: those under way", CD, "BatchGetDeployments", "canary"),
    read("deployment: look", CD, "GetDeployment", "canary"),
    read("group: look", CD, "GetDeploymentGroup", "redeploy"),
    read("stack: look", CFN, "DescribeStacks", "stack"),
    read("stack: events", CFN, "DescribeStackEvents", "stack"),
    read("outputs", CFN, "DescribeStacks", "order"),
    write("row: claim", DDB, "UpdateItem", "alias", f"{UPDATE.format('SET claim_id')}"),
    write(
        "row: watcher's claim",
        DDB,
        "UpdateItem",
        "canary",
        f'{UPDATE.format("SET claim_id")} && ExpressionAttributeValues.":acts".BOOL == `false`',
    ),
    write("row: close", DDB, "UpdateItem", "alias", "contains(UpdateExpression, 'closed_by')"),
    write(
        "row: keep",
        DDB,
        "UpdateItem",
        "undo",
        f"{UPDATE.format('SET ledgers')} && !contains(UpdateExpression, 'closed_by')",
    ),
    write("row: close and archive", DDB, "TransactWriteItems", "alias"),
    write("budget", DDB, "UpdateItem", "alias", "Key.pk.S == 'switches'"),
    read("rows: watch", DDB, "BatchGetItem", "unheard"),
    read(
        "rows: siblings",
        DDB,
        "BatchGetItem",
        "siblings",
        "length(RequestItems.journal.Keys) == `1`",
    ),
    write("notice: take", DDB, "UpdateItem", "alias", UPDATE.format("SET taken_until")),
    write("notice: record", DDB, "UpdateItem", "alias", UPDATE.format("SET told")),
    write("notice: give back", DDB, "UpdateItem", "alias", UPDATE.format("REMOVE taken_until")),
    write("storm: join", DDB, "UpdateItem", "alias", "starts_with(Key.pk.S, 'storm')"),
    read("storm: look", DDB, "GetItem", "alias"),
    read("Slack secret: notify", "secretsmanager", "GetSecretValue", "alias"),
    read("Slack secret: interact", "secretsmanager", "GetSecretValue", "button"),
    write("press: once", DDB, "PutItem", "button"),
    read("press: page", DDB, "GetItem", "button", "starts_with(Key.pk.S, 'service#')"),
    write(
        "press: order", DDB, "TransactWriteItems", "button", "contains(to_string(@), 'controls')"
    ),
    write("press: wake", "sqs", "SendMessage", "button"),
    write("watcher: wake", "sqs", "SendMessage", "unheard"),
    write("dead letter: message", "sqs", "SendMessage", "garbage"),
    write("dead letter: row", "sqs", "SendMessage", "damaged"),
    read("command: who", "sts", "GetCallerIdentity", "order"),
    read("command: row", DDB, "GetItem", "order", "starts_with(Key.pk.S, 'service#')"),
    write(
        "command: order", DDB, "TransactWriteItems", "order", "contains(to_string(@), 'controls')"
    ),
    write("command: wake", "sqs", "SendMessage", "order"),
    read("command now: alias", "lambda", "GetAlias", "now", tries=8),
    write(
        "command now: order", DDB, "TransactWriteItems", "now", "contains(to_string(@), 'controls')"
    ),
    read("drill: rows", DDB, "BatchGetItem", "drill"),
    read("drill: page", DDB, "GetItem", "drill", "starts_with(Key.pk.S, 'service#')"),
    write("drill: order", DDB, "TransactWriteItems", "drill", "contains(to_string(@), 'controls')"),
    read("preflight: permissions", "iam", "SimulatePrincipalPolicy", "preflight"),
    read("preflight: rows", DDB, "BatchGetItem", "preflight"),
    read("preflight: alias", "lambda", "GetAlias", "preflight"),
    read("preflight: versions", "lambda", "GetFunctionConfiguration", "preflight"),
    read("digest: archive", DDB, "Query", "digest"),
    read("digest: switches", DDB, "GetItem", "digest", "Key.pk.S == 'switches'"),
)


class Fault(StrEnum):
    """What goes wrong on the wire."""

    THROTTLED = "throttled"
    ERROR = "5xx"
    LATE = "time-out, applied late"
    RESET = "reset before"
    LOST = "reply lost"
    CUT = "cut in mid-body"
    SHORT = "body too short"
    DENIED = "access denied"
    CONFLICT = "conflict"
    STALE = "412"


class Form(StrEnum):
    """How often."""

    REQUEST = "one request"
    CALL = "one call"
    EVER = "for ever"


# By the service's own words. Sources: the SDK's service models where they have the error, else each
# API reference's "Common errors".
THROTTLES = {
    "lambda": ("TooManyRequestsException", 429),
    "cloudformation": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "sqs": ("RequestThrottled", 403),
}
ERRORS = {
    "lambda": ("ServiceException", 500),
    "dynamodb": ("InternalServerError", 500),
    "cloudwatch": ("InternalServiceFault", 500),
    "secretsmanager": ("InternalServiceError", 500),
    "iam": ("ServiceFailure", 500),
}
DENIALS = {
    "cloudformation": ("AccessDenied", 403),
    "iam": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "lambda": ("AccessDeniedException", 403),
}
# What says that somebody else was there first; in DynamoDB, that another write is under way.
CONFLICTS = {
    "UpdateAlias": ("ResourceConflictException", 409),
    "StopDeployment": ("DeploymentAlreadyCompletedException", 400),
    "CreateDeployment": ("DeploymentLimitExceededException", 400),
    "CancelUpdateStack": ("ValidationError", 400),
    "ContinueUpdateRollback": ("ValidationError", 400),
    "UpdateItem": ("TransactionConflictException", 400),
    "PutItem": ("TransactionConflictException", 400),
    "TransactWriteItems": ("TransactionCanceledException", 400),
}
IN_A_TRANSACTION = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}
STALE = ("PreconditionFailedException", 412)
# The SDK tries these again (SDKs and tools reference guide, "Retry behavior", standard mode).
TRIED_AGAIN = {Fault.THROTTLED, Fault.ERROR, Fault.LATE, Fault.RESET, Fault.LOST, Fault.CUT}
# An answer that ends in the middle, whatever it is: the shortest is `{}`.
HALF_BYTES = 1
ON_THE_LINE = {
    Fault.LATE: {"latency": LATE_SECONDS * 1000},
    Fault.RESET: {"reset": True},
    Fault.LOST: {"response": {"abort_bytes": 0}},
    Fault.CUT: {"response": {"abort_bytes": HALF_BYTES}},
    Fault.SHORT: {"response": {"truncate_bytes": HALF_BYTES}},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run: a point, what goes wrong there, and how often."""

    point: Point
    fault: Fault
    form: Form

    @property
    def name(self):
        return f"{self.point.name} | {self.fault.value} | {self.form.value}"

    @property
    def is_tried_again(self):
        """Whether the SDK sends the call once more.

        The CRC of DynamoDB tells of a short body. SQS's throttle the SDK does not know for one: the
        header for old clients calls it `AWS.SimpleQueueService.RequestThrottled`.
        """
        service, fault = self.point.service, self.fault
        checked = fault is Fault.SHORT and service == "dynamodb"
        unknown = fault is Fault.THROTTLED and service == "sqs"
        return self.point.tries > 1 and (checked or (fault in TRIED_AGAIN and not unknown))

    @property
    def times(self):
        """How many requests meet the fault; None for all."""
        if self.form is Form.EVER:
            return None
        return self.point.tries if self.is_tried_again and self.form is Form.CALL else 1

    @property
    def rule(self):
        """As microburst takes it."""
        point = self.point
        rule = {"service": point.service, "operation": point.operation, **self._effect()}
        rule |= {"times": self.times} if self.times else {}
        return rule | ({"body": point.match} if point.match else {})

    def _effect(self):
        if self.fault in ON_THE_LINE:
            return ON_THE_LINE[self.fault]
        service, operation = self.point.service, self.point.operation
        codes = {
            Fault.THROTTLED: THROTTLES.get(service, ("ThrottlingException", 400)),
            Fault.ERROR: ERRORS.get(service, ("InternalFailure", 500)),
            Fault.DENIED: DENIALS.get(service, ("AccessDeniedException", 400)),
            Fault.CONFLICT: CONFLICTS.get(operation),
            Fault.STALE: STALE,
        }
        code, status = codes[self.fault]
        of_it = self.fault is Fault.CONFLICT and operation == "TransactWriteItems"
        fields = IN_A_TRANSACTION if of_it else {}
        return {"error": {"code": code, "status": status, "message": "injected", "fields": fields}}


def faults_of(point):
    """Those that make sense: a reply that is lost is another thing than a request only if it did
    something; a conflict is for what writes, a stale revision for what sends one."""
    found = [Fault.THROTTLED, Fault.ERROR, Fault.LATE, Fault.RESET, Fault.SHORT, Fault.DENIED]
    found += [Fault.LOST] if point.writes else [Fault.CUT]
    found += [Fault.CONFLICT] if point.operation in CONFLICTS else []
    return found + ([Fault.STALE] if point.operation == "UpdateAlias" else [])


# For ever these end as an error does: there is no answer, or none that says anything.
ALIKE = {Fault.RESET, Fault.CUT, Fault.LATE}
# And where nothing is at stake but that call, so do these.
MUCH_ALIKE = ALIKE | {Fault.ERROR}
# What the first of the SDK's two requests may have done.
DONE = {Fault.LATE, Fault.LOST, Fault.SHORT}


def cases():
    """All of them."""
    for point in POINTS:
        for fault, form in product(faults_of(point), Form):
            case = Case(point=point, fault=fault, form=form)
            if form is Form.REQUEST:
                is_done = point.writes and fault in DONE
                wanted = case.is_tried_again and is_done
            elif form is Form.EVER and not point.acts:
                wanted = fault not in MUCH_ALIKE and not (point.writes and fault is Fault.SHORT)
            else:
                wanted = True
            if wanted:
                yield case
