"""Makes what checks need. Each is owed to the account before it is made (`Lab.owe`)."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

from botocore.exceptions import ClientError

from conformance.lab import Lab, Untold
from conformance.things import ONLY, ROLE_PATH, Kind, Thing, stack_status

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]

# How long a new role, policy or function takes to be known everywhere, at most.
SETTLE_SECONDS = 90.0
RUNTIME = "python3.13"
ECHO = "def handler(event, context):\n    return {'version': context.function_version}\n"
# botocore.retries.standard, ThrottledRetryableChecker: what it knows for a throttle.
THROTTLES = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError"})


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's address and ARN."""

    url: str
    arn: str


def code_of(error: ClientError) -> str:
    """The name of the error."""
    return str(error.response["Error"]["Code"])


def passing(error: ClientError) -> bool:
    """Whether an error says nothing of the call: a throttle, or a fault of the service's own."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in THROTTLES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def answer(call: Callable[[], Any]) -> str:
    """`done`, or the name of the error that a call answers.

    Raises:
        ClientError: it says nothing of the call.
    """
    try:
        call()
    except ClientError as error:
        if passing(error):
            raise
        return code_of(error)
    return "done"


def settled(lab: Lab, what: str, call: Callable[[], T], *errors: str) -> T:
    """Calls until a new role is known: until then the service answers one of these errors.

    Raises:
        Untold: it still did after `SETTLE_SECONDS`.
    """

    def look() -> tuple[T] | None:
        try:
            return (call(),)
        except ClientError as error:
            if code_of(error) not in errors:
                raise
            return None

    return lab.until(what, look, seconds=SETTLE_SECONDS)[0]


def policy(*statements: Json) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Sequence[str], resource: str | Sequence[str], **more: Any) -> Json:
    """A statement."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def role(lab: Lab, suffix: str, principal: Json, *statements: Json) -> str:
    """A role that `principal` may take on; returns its ARN."""
    name = lab.name(suffix)
    lab.owe(Thing(Kind.ROLE, name))
    iam = lab.clients("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    made = iam.create_role(
        RoleName=name,
        Path=ROLE_PATH,
        AssumeRolePolicyDocument=policy(trust),
        MaxSessionDuration=3600,
        Tags=lab.tag_list(),
    )
    iam.put_role_policy(RoleName=name, PolicyName=ONLY, PolicyDocument=policy(*statements))
    return str(made["Role"]["Arn"])


def acting(lab: Lab, suffix: str, *statements: Json) -> Callable[[str], Any]:
    """Clients with no more rights than these statements give."""
    root = f"arn:{lab.account.partition}:iam::{lab.account.id}:root"
    arn = role(lab, suffix, {"AWS": root}, *statements)
    taken = settled(
        lab,
        f"the role {suffix} can be taken on",
        lambda: lab.clients("sts").assume_role(RoleArn=arn, RoleSessionName=lab.name("as")),
        "AccessDenied",
    )
    return lambda service: lab.client_of(service, taken["Credentials"])


def permitted(lab: Lab, call: Callable[[], Any]) -> str:
    """`done`, or the error of a call. A denial counts once it has lasted: rights take time."""
    end = lab.now() + SETTLE_SECONDS
    while (came := answer(call)) in DENIED and lab.now() < end:
        lab.sleep(5)
    return came


def denied(lab: Lab, call: Callable[[], Any]) -> str:
    """The same of a call that should be denied: a right, if there is one, had time to come."""
    lab.sleep(20)
    return answer(call)


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip of these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # Readable by the function, whoever unpacks it.
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return data.getvalue()


def function(
    lab: Lab, suffix: str, files: Mapping[str, str] | None = None, /, **settings: Any
) -> str:
    """A function that is ready, its version 1 published; returns its name.

    Its log group is made first, and it may not make one: none comes back after the removal.
    """
    name = lab.name(suffix)
    group = f"/aws/lambda/{name}"
    logs = ["logs:CreateLogStream", "logs:PutLogEvents"]
    lab.owe(Thing(Kind.LOG_GROUP, group))
    lab.clients("logs").create_log_group(logGroupName=group, tags=lab.tags())
    arn = role(
        lab,
        f"{suffix}-role",
        {"Service": "lambda.amazonaws.com"},
        allow(logs, lab.account.arn_of("logs", f"log-group:{group}:*")),
    )
    lab.owe(Thing(Kind.FUNCTION, name))
    client = lab.clients("lambda")
    settled(
        lab,
        "Lambda can take on the function's role",
        lambda: client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=arn,
            Handler="index.handler",
            Code={"ZipFile": zipped(files or {"index.py": ECHO})},
            Publish=True,
            Tags=lab.tags(),
            **settings,
        ),
        "InvalidParameterValueException",
    )
    _ready(lab, name)
    return name


def publish(lab: Lab, name: str, word: str) -> None:
    """Publishes the next version, of code with this word in it."""
    files = {"index.py": f"{ECHO}# {word}\n"}
    lab.clients("lambda").update_function_code(
        FunctionName=name, ZipFile=zipped(files), Publish=True
    )
    _ready(lab, name)


def alias(lab: Lab, name: str, version: str = "1") -> Json:
    """The function's alias `live`; returns what names it in a call."""
    lab.clients("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return {"FunctionName": name, "Name": "live"}


def _ready(lab: Lab, name: str) -> None:
    def look() -> bool | None:
        shown = lab.clients("lambda").get_function_configuration(FunctionName=name)
        pending = {shown.get("State"), shown.get("LastUpdateStatus")} & {"Pending", "InProgress"}
        return None if pending else True

    lab.until(f"the function {name} is ready", look, seconds=SETTLE_SECONDS)


def queue(lab: Lab, suffix: str, service: str, source: str) -> Queue:
    """A queue that this AWS service may send to, for a topic or a rule of this run."""
    name = lab.name(suffix)
    arn = lab.account.arn_of("sqs", name)
    lab.owe(Thing(Kind.QUEUE, name))
    statement = allow(
        ["sqs:SendMessage"],
        arn,
        Principal={"Service": service},
        Condition={"ArnLike": {"aws:SourceArn": source}},
    )
    url = lab.clients("sqs").create_queue(
        QueueName=name, Attributes={"Policy": policy(statement)}, tags=lab.tags()
    )["QueueUrl"]
    return Queue(str(url), arn)


def topic(lab: Lab, suffix: str) -> str:
    """A topic; returns its ARN."""
    name = lab.name(suffix)
    lab.owe(Thing(Kind.TOPIC, lab.account.arn_of("sns", name)))
    made = lab.clients("sns").create_topic(Name=name, Tags=lab.tag_list())
    return str(made["TopicArn"])


def heard(lab: Lab, suffix: str, topic_arn: str) -> Queue:
    """A queue that gets what the topic is told, without the envelope."""
    made = queue(lab, suffix, "sns.amazonaws.com", topic_arn)
    lab.clients("sns").subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=made.arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    return made


def told(lab: Lab, suffix: str, alarm_name: str) -> Queue:
    """A queue that gets EventBridge's events of an alarm."""
    name = lab.name(f"{suffix}-rule")
    rule = lab.account.arn_of("events", f"rule/{name}")
    made = queue(lab, suffix, "events.amazonaws.com", rule)
    lab.owe(Thing(Kind.RULE, name))
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "resources": [lab.account.arn_of("cloudwatch", f"alarm:{alarm_name}")],
    }
    events = lab.clients("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), Tags=lab.tag_list())
    events.put_targets(Rule=name, Targets=[{"Id": ONLY, "Arn": made.arn}])
    return made


def alarm(lab: Lab, suffix: str, *, actions: Sequence[str] = (), enabled: bool = True) -> str:
    """An alarm on a metric that nobody sends, which stays as it is set; returns its name."""
    name = lab.name(suffix)
    lab.owe(Thing(Kind.ALARM, name))
    lab.clients("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="RollbackConformance",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
        ActionsEnabled=enabled,
        AlarmActions=list(actions),
        Tags=lab.tag_list(),
    )
    return name


def composite(lab: Lab, suffix: str, child: str, *, actions: Sequence[str] = ()) -> str:
    """A composite alarm over one other; returns its name."""
    name = lab.name(suffix)
    lab.owe(Thing(Kind.COMPOSITE, name))
    lab.clients("cloudwatch").put_composite_alarm(
        AlarmName=name,
        AlarmRule=f'ALARM("{child}")',
        AlarmActions=list(actions),
        Tags=lab.tag_list(),
    )
    return name


def fire(lab: Lab, name: str, value: str = "ALARM") -> None:
    """Sets the alarm's state."""
    lab.clients("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue=value, StateReason="a check of the rollback responder"
    )


def message(lab: Lab, source: Queue, *, seconds: float, what: str) -> Json:
    """The next message of a queue, as JSON.

    Raises:
        Untold: none came in time.
    """

    def look() -> Json | None:
        got = lab.clients("sqs").receive_message(
            QueueUrl=source.url, MaxNumberOfMessages=1, WaitTimeSeconds=5
        )
        for one in got.get("Messages", []):
            lab.clients("sqs").delete_message(
                QueueUrl=source.url, ReceiptHandle=one["ReceiptHandle"]
            )
            found: Json = json.loads(one["Body"])
            return found
        return None

    return lab.until(what, look, seconds=seconds, every=1)


def maybe(lab: Lab, source: Queue, *, seconds: float, what: str) -> Json | None:
    """The same, or None where none came."""
    try:
        return message(lab, source, seconds=seconds, what=what)
    except Untold:
        return None


def stack(lab: Lab, suffix: str, template: Json, **settings: Any) -> str:
    """A stack that is CREATE_COMPLETE; returns its name.

    Raises:
        Untold: it could not be created.
    """
    name = lab.name(suffix)
    lab.owe(Thing(Kind.STACK, name))
    lab.clients("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps(template), Tags=lab.tag_list(), **settings
    )
    status = stack_ends(lab, name)
    if status != "CREATE_COMPLETE":
        raise Untold(f"the stack {name} could not be created: it is {status}")
    return name


def stack_ends(lab: Lab, name: str, *, seconds: float = 900) -> str:
    """The status in which the stack comes to rest."""

    def look() -> str | None:
        status = stack_status(lab.clients("cloudformation"), name) or "GONE"
        return None if status.endswith("_IN_PROGRESS") else status

    return lab.until(f"the stack {name} comes to rest", look, seconds=seconds)
