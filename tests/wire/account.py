"""An account of AWS behind one address on loopback, with the four functions deployed in it.

What answers are the strict models of `local/aws_model`; a queue, a secret and a caller's identity
are a few lines here. What is deployed are the real handlers, furnished by `bootstrap` with the
SDK's real clients: every call of theirs is an HTTP request. Time is the model's: it stands still
until a minute passes, somebody sleeps, or the SDK gives up waiting for an answer.
"""

import contextlib
import hashlib
import io
import json
import threading
from collections import Counter, deque
from datetime import timedelta
from urllib.parse import parse_qsl

from house import ACCOUNT, REGION, World
from local.aws_model import cloudformation_front, codedeploy_front, dynamodb_front, front
from local.aws_model.clients import lambda_answer
from local.aws_model.dynamodb import DynamoDb
from local.loopback import Response
from rollback_responder.cli import main
from rollback_responder.domain import naming
from tests.wire.doors import ALARMS, DEAD, TABLE, UNTOLD

JSON = "application/x-amz-json-1.0"
TARGETS = {
    "GraniteServiceVersion20100801": "cloudwatch",
    "CodeDeploy_20141006": "codedeploy",
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "secretsmanager": "secretsmanager",
}
# What speaks the query protocol, beside CloudFormation.
ELSEWHERE = {"GetCallerIdentity": "sts", "SimulatePrincipalPolicy": "iam"}
ACTION = "ActionNames.member."
OUTPUTS = {"JournalTable": TABLE, "AlarmQueueUrl": "http://sqs/alarms"}
# infra/ingress.py: six timeouts of the handler, and five receives.
INVISIBLE = timedelta(minutes=6)
MOST_RECEIVES = 5
# infra/health.py, which takes seconds to import.
MISSED_BEATS = 3
OLDEST_MESSAGE = INVISIBLE + timedelta(minutes=2)
OLDEST_NEWS = timedelta(minutes=5)
# What a press comes to where there is no button any more.
GONE = 410


class Account(World):
    """AWS, and what is deployed in it. Its world is all that a judge may read.

    Attributes:
        dead: what `respond` put into its dead-letter queue; `redriven`, what SQS did; `untold`,
            what is in the notifier's.
        rings: the alarms on the responder itself that have fired (infra/health.py).
        seen: every request that arrived, by service and operation.
        said: what people were answered: HTTP statuses and exit codes.
        raised: what the functions raised, and what commands said of their failures.
    """

    def __init__(self, document):
        super().__init__(document)
        self.dynamodb = DynamoDb(TABLE, clock=self.clock)
        self.dynamodb.listener = self._changed
        self.cloudwatch.listener = self._heard
        self.doors = self.slack = None
        self.hears = True
        self.queue, self.stream = deque(), deque()
        self.dead, self.untold, self.redriven = [], [], []
        self.rings, self.raised, self.said = set(), [], []
        self.seen = Counter()
        # Of this minute, and for how many minutes it has been so.
        self.unwatched, self.beats = 0, 0
        self.minutes_unwatched, self.minutes_without_beat = 0, 0
        # What each preflight found to be wrong.
        self.preflights = []
        self.before = {}
        self.lock = threading.RLock()

    # -- what AWS answers -----------------------------------------------------------------------

    def answer(self, request):
        if request.path == "/press":
            return self._pressed(request)
        service, operation = name_of(request)
        with self.lock:
            self.seen[service, operation] += 1
            if operation in self.before:
                self.before[operation]()
            return getattr(self, f"_{service}")(operation, request)

    def _cloudwatch(self, _, request):
        return front.answer(self.cloudwatch, request)

    def _codedeploy(self, _, request):
        return codedeploy_front.answer(self.codedeploy, request)

    def _dynamodb(self, _, request):
        return dynamodb_front.answer(self.dynamodb, request)

    def _lambda(self, _, request):
        return lambda_answer(self.aliases, request)

    def _cloudformation(self, _, request):
        if f"StackName={naming.stack_name(self.policy.environment)}".encode() in request.body:
            stack = {
                "StackName": naming.stack_name(self.policy.environment),
                "StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/responder/1",
                "CreationTime": self.now,
                "StackStatus": "UPDATE_COMPLETE",
                "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in OUTPUTS.items()],
            }
            body = cloudformation_front.encoded("DescribeStacks", {"Stacks": [stack]})
            return Response(status=200, content_type="text/xml", body=body)
        return cloudformation_front.answer(self.cloudformation, request)

    def _sts(self, operation, _):
        who = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "ann", "Account": ACCOUNT}
        body = cloudformation_front.encoded(operation, who)
        return Response(status=200, content_type="text/xml", body=body)

    def _iam(self, operation, request):
        """Everything is allowed."""
        asked = [value for name, value in parse_qsl(request.body.decode()) if ACTION in name]
        told = [{"EvalActionName": action, "EvalDecision": "allowed"} for action in asked]
        body = cloudformation_front.encoded(operation, {"EvaluationResults": told})
        return Response(status=200, content_type="text/xml", body=body)

    def _secretsmanager(self, _, request):
        secret = {
            "bot_token": self.doors.slack.token,
            "signing_secret": self.doors.slack.signing_secret,
            "api_url": self.doors.slack.api_url,
        }
        arn = json.loads(request.body)["SecretId"]
        return _json({"ARN": arn, "Name": "slack", "SecretString": json.dumps(secret)})

    def _sqs(self, _, request):
        given = json.loads(request.body)
        body, queue = given["MessageBody"], given["QueueUrl"].rpartition("/")[2]
        if queue == ALARMS:
            self.send(body)
        else:
            {DEAD: self.dead, UNTOLD: self.untold}[queue].append(body)
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return _json({"MessageId": "m", "MD5OfMessageBody": digest})

    # -- what AWS does by itself ----------------------------------------------------------------

    def _changed(self, old, new):
        if not new.keys() & {"incident", "said"}:
            return
        record = {"NewImage": new, "SequenceNumber": str(sum(self.seen.values()))}
        if old is not None:
            record["OldImage"] = old
        self.stream.append(({"dynamodb": record}, self.now))

    def _heard(self, transition):
        if self.hears and transition.current.value.value == "ALARM":
            self.ring(transition.alarm.name)
        return ()

    def ring(self, alarm_name):
        """The alarm as SNS puts it into the queue."""
        message = {
            "AlarmName": alarm_name,
            "AWSAccountId": ACCOUNT,
            "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm_name}",
            "NewStateValue": "ALARM",
            "OldStateValue": "OK",
            "StateChangeTime": self.now.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "Region": "US East (N. Virginia)",
        }
        body = json.dumps({"Type": "Notification", "Message": json.dumps(message)})
        self.send(body)

    def send(self, body):
        """A message in the queue: how often it was received, when it is visible, when it came."""
        self.queue.append((body, 1, self.now, self.now))

    def pass_minutes(self, minutes, *, requests=12, look=True):
        """Traffic, then what AWS does with its queues and clocks."""
        for _ in range(minutes):
            self.traffic(1, requests=requests, watch=False)
            self.settle()
            if look:
                self.look()
                self.settle()
                self._sample()

    def settle(self):
        self.deliver()
        self.tell()

    def look(self):
        self.invoke("watch", {})

    def deliver(self):
        """What is visible in the queue, once; what fails is visible again after its time."""
        for _ in range(len(self.queue)):
            body, receives, visible_at, arrived_at = self.queue.popleft()
            if self.now - arrived_at > OLDEST_MESSAGE:
                self.rings.add("alarms-waiting")
            if visible_at > self.now:
                self.queue.append((body, receives, visible_at, arrived_at))
                continue
            record = {"messageId": "m", "body": body}
            done = self.invoke("respond", {"Records": [record]})
            if done is None or done["batchItemFailures"]:
                if receives < MOST_RECEIVES:
                    again_at = self.now + INVISIBLE
                    self.queue.append((body, receives + 1, again_at, arrived_at))
                else:
                    self.redriven.append(body)

    def tell(self):
        """The stream, record by record and in order; one that fails is tried again later."""
        while self.stream:
            done = self.invoke("notify", {"Records": [self.stream[0][0]]})
            if done is None or done["batchItemFailures"]:
                return
            self.stream.popleft()

    def invoke(self, function, event):
        """One invocation; None where it raised. Its metrics are counted."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                return self.doors.handlers[function].handler(event, None)
        except Exception as error:  # noqa: BLE001 - as Lambda takes it
            self.rings.add(f"{function}-errors")
            self.raised.append(f"{function}: {type(error).__name__}: {error}")
            return None
        finally:
            self.doors.drain()
            for line in printed.getvalue().splitlines():
                self._count(line)

    def _count(self, line):
        with contextlib.suppress(ValueError):
            emitted = json.loads(line)
            self.unwatched += sum(map(int, emitted.get(naming.UNWATCHED, [])))
            self.beats += len(emitted.get(naming.HEARTBEAT, []))
            self.preflights += map(int, emitted.get(naming.NOT_READY, []))

    def _sample(self):
        """The alarms on the responder itself, at the end of a minute."""
        self.minutes_unwatched = self.minutes_unwatched + 1 if self.unwatched else 0
        self.minutes_without_beat = 0 if self.beats else self.minutes_without_beat + 1
        self.unwatched, self.beats = 0, 0
        behind = [at for _, at in self.stream]
        rings = {
            "targets-unwatched": self.minutes_unwatched >= MISSED_BEATS,
            "heartbeat-missing": self.minutes_without_beat >= MISSED_BEATS,
            "notify-behind": any(self.now - at > OLDEST_NEWS for at in behind),
            "dead-letters-not-empty": bool(self.dead or self.redriven),
            "notify-failures-not-empty": bool(self.untold),
            "not-ready": any(self.preflights),
        }
        self.rings |= {name for name, rings_now in rings.items() if rings_now}

    # -- people ---------------------------------------------------------------------------------

    def press(self, action):
        """A press of a button on the newest message that has it; the HTTP status that came back.

        Where it is gone, somebody has read that it was done.
        """
        for message in reversed(self.doors.slack.messages()):
            for block in message.blocks:
                names = [one.get("action_id") for one in block.get("elements", [])]
                if block["type"] == "actions" and action in names:
                    status = self.doors.slack.press(message.ts, action)
                    self.said.append(status)
                    return status
        return GONE

    def _pressed(self, request):
        event = {"headers": request.headers, "body": request.body.decode()}
        done = self.invoke("interact", event)
        status = done["statusCode"] if done else 502
        return Response(status=status, content_type="text/plain", body=b"")

    def rollback(self, *arguments):
        """A command; its exit code. What it printed is kept."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main.run(
                [*arguments, "--region", REGION, "--policy", str(self.doors.policy_file)]
            )
        self.doors.drain()
        self.said.append(code)
        self.raised += [err.getvalue().strip()] if code else []
        return code


def name_of(request):
    """Which operation a request is."""
    prefix, _, operation = request.headers.get("x-amz-target", "").partition(".")
    if operation:
        return TARGETS[prefix], operation
    if request.path.startswith("/2015-03-31/"):
        if "/configuration" in request.path:
            return "lambda", "GetFunctionConfiguration"
        return "lambda", "GetAlias" if request.method == "GET" else "UpdateAlias"
    action = request.body.partition(b"Action=")[2].partition(b"&")[0].decode()
    return ELSEWHERE.get(action, "cloudformation"), action


def _json(members):
    return Response(status=200, content_type=JSON, body=json.dumps(members).encode())
