"""A world in which the real responder lives: AWS by the strict models, faults, people, time.

One history is one seed. Every call to AWS is a point where the process that makes it may be
suspended, killed, or answered wrongly; the scheduler picks who goes on. Nothing here knows what the
responder ought to do: `checker.py` judges afterwards, by the world, the journal and Slack alone.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import greenlet
from botocore.exceptions import ClientError, ReadTimeoutError

from local.aws_model.cloudformation import CloudFormation
from local.aws_model.codedeploy import CodeDeploy
from local.aws_model.dynamodb import DynamoDb
from local.aws_model.errors import ModelError
from local.aws_model.lambda_aliases import LambdaAliases

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TABLE = "journal"
# Lambda kills a function that runs longer; `infra` sets these.
TIMEOUTS = {"respond": 60, "watch": 55, "notify": 60}
READ_TIMEOUT = timedelta(seconds=8)
REQUESTS_A_MINUTE = 60
WRITES = {
    "UpdateAlias",
    "StopDeployment",
    "CreateDeployment",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
}
THROTTLED = {
    "dynamodb": "ThrottlingException",
    "lambda": "TooManyRequestsException",
    "codedeploy": "ThrottlingException",
    "cloudformation": "Throttling",
    "sqs": "ThrottlingException",
}
# Faults that leave a read or a write unapplied, and those in which it is applied all the same.
FAULTS = ("throttle", "crash_before", "crash_after", "lost", "dropped", "late", "slow", "very_slow")


class Killed(BaseException):
    """The process ends here, without a word."""


class Process:
    """One invocation of a function: its own clock, its own death."""

    __slots__ = (
        "aside",
        "born_at",
        "claims",
        "dead",
        "green",
        "kind",
        "skew",
        "timeout",
        "wakes_at",
    )

    def __init__(self, kind, born_at, skew):
        self.kind, self.born_at, self.skew = kind, born_at, skew
        self.timeout = timedelta(seconds=TIMEOUTS[kind])
        self.wakes_at = born_at
        self.green = None
        self.dead = False
        self.claims = []
        self.aside = None


@dataclass(slots=True, kw_only=True)
class Mutation:
    """One mutating call that AWS took from the responder.

    `aside` is what its process found at the switches: "paused", "full", the hour of whose budget it
    took, or None where it did not ask.
    """

    kind: str
    target: str
    change: str
    detail: object
    at: datetime
    process: Process
    aside: object

    def __str__(self):
        return f"{self.at:%H:%M:%S} {self.kind} {self.target} {self.change} {self.detail}"


class World:
    """AWS, people and time."""

    def __init__(self, seed, fault_rate):
        self.random = random.Random(seed)
        self.fault_rate = fault_rate
        # How often the SDK repeats a call of DynamoDB's that was not answered.
        self.repeats = 0.5
        self.now = START
        self.process = None
        self.processes = []
        self.landing = []
        self.calls = 0
        self.trace = None
        self.faults = {}
        self.aliases = LambdaAliases()
        self.codedeploy = CodeDeploy(clock=self.clock, aliases=self.aliases)
        self.cloudformation = CloudFormation(clock=self.clock)
        self.dynamodb = DynamoDb(TABLE, clock=self.clock)
        self.mutations = []
        self.touched_by_strangers = 0
        self.paused = False
        self.ids = 0

    # -- time -----------------------------------------------------------------------------------

    def clock(self):
        return self.now

    def process_clock(self):
        """What a process takes for the time."""
        return self.now + self.process.skew if self.process else self.now

    def stopwatch(self):
        return (self.now - START).total_seconds()

    def wait(self):
        """A moment's patience of a process."""
        self._suspend(self.now + timedelta(milliseconds=250))

    def new_id(self, _):
        self.ids += 1
        claim_id = f"inc-{self.ids}"
        if self.process:
            self.process.claims.append(claim_id)
        return claim_id

    def pass_time(self, delta):
        """Time passes for everybody; what is on its way lands when its time has come."""
        until = self.now + delta
        while self.landing and self.landing[0][0] <= until:
            at, _, land = self.landing.pop(0)
            self.now = max(self.now, at)
            land()
        self.now = until

    # -- processes ------------------------------------------------------------------------------

    def spawn(self, kind, function):
        process = Process(kind, self.now, self._skew())

        def run():
            try:
                function()
            except Killed:
                process.dead = True

        process.green = greenlet.greenlet(run)
        self.processes.append(process)
        return process

    def _skew(self):
        draw = self.random.random()
        if self.fault_rate == 0 or draw < 0.6:
            return timedelta(0)
        if draw < 0.9:
            return timedelta(seconds=self.random.uniform(-2, 2))
        return timedelta(seconds=self.random.uniform(-600, 600))

    def step(self):
        """One process goes on to its next call; False where nobody can right now."""
        ready = [p for p in self.processes if p.wakes_at <= self.now]
        if not ready:
            return False
        process = ready[self.random.randrange(len(ready))] if len(ready) > 1 else ready[0]
        self.process = process
        process.green.switch()
        self.process = None
        if process.green.dead:
            self.processes.remove(process)
        return True

    def run(self):
        """Everybody to the end; time passes while all of them wait."""
        while self.processes:
            if not self.step():
                self.pass_time(min(p.wakes_at for p in self.processes) - self.now)

    def _suspend(self, until=None):
        process = self.process
        if until is not None:
            process.wakes_at = until
        process.green.parent.switch()
        if self.now > process.born_at + process.timeout:
            raise Killed

    # -- calls ----------------------------------------------------------------------------------

    def call(self, service, operation, apply):
        """One call to AWS, by whatever process runs."""
        self.calls += 1
        process = self.process
        if process is None:
            return apply()
        self._suspend()
        if self.trace is not None:
            self.trace.append(operation)
        fault = self._fault(operation)
        if fault is None:
            return apply()
        return self._faulty(service, operation, apply, fault)

    def _fault(self, operation):
        if self.faults:
            return self.faults.pop(self.calls, None)
        if self.fault_rate and self.random.random() < self.fault_rate:
            return FAULTS[self.random.randrange(len(FAULTS))]
        return None

    def _faulty(self, service, operation, apply, fault):
        if fault == "throttle":
            raise refusal(operation, THROTTLED.get(service, "ThrottlingException"))
        if fault == "crash_before":
            raise Killed
        if fault == "crash_after":
            apply()
            raise Killed
        if fault == "dropped" or (fault == "late" and service == "slack"):
            # An edit that Slack applies minutes later would be mended by the next one only.
            return self._unanswered(service, apply)
        if fault == "lost":
            apply()
            return self._unanswered(service, apply)
        if fault == "late" and service != "slack":
            delay = timedelta(seconds=self.random.choice([9, 40, 100, 170]))
            self._land_later(delay, apply)
            self._suspend(self.now + READ_TIMEOUT)
            return self._unanswered(service, apply)
        answer = apply()
        seconds = 5 if fault == "slow" else self.random.choice([20, 50, 100])
        self._suspend(self.now + timedelta(seconds=seconds))
        return answer

    def _unanswered(self, service, apply):
        """No answer came. The SDK repeats what it may: DynamoDB's calls, once."""
        if service == "dynamodb" and self.random.random() < self.repeats:
            return apply()
        raise ReadTimeoutError(endpoint_url=f"https://{service}.us-east-1.amazonaws.com")

    def _land_later(self, delay, apply):
        process = self.process

        def land():
            running, self.process = self.process, process
            try:
                apply()
            except ClientError:
                pass
            finally:
                self.process = running

        self.landing.append((self.now + delay, len(self.landing), land))
        self.landing.sort(key=lambda entry: entry[:2])

    # -- what the responder did to AWS ------------------------------------------------------------

    def mutated(self, kind, target, change, detail):
        self.mutations.append(
            Mutation(
                kind=kind,
                target=target,
                change=change,
                detail=detail,
                at=self.now,
                process=self.process,
                aside=self.process.aside,
            )
        )


def refusal(operation, code, status=400):
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


class Client:
    """An SDK client of one service, straight to its model; the shapes are checked elsewhere."""

    def __init__(self, world, service, model, operations):
        self._world, self._service, self._model = world, service, model
        for method, operation in operations.items():
            setattr(self, method, self._bound(method, operation))

    def _bound(self, method, operation):
        world, service, act = self._world, self._service, getattr(self._model, method)
        after = getattr(self, f"_after_{method}", None)

        def call(**parameters):
            def apply():
                before = self._before(method, parameters) if after else None
                try:
                    answer = act(**parameters)
                except ModelError as error:
                    raise refusal(operation, error.code, error.status) from None
                if after:
                    after(parameters, before)
                return answer

            return world.call(service, operation, apply)

        return call

    def _before(self, method, parameters):
        return None

    def get_paginator(self, method):
        return _Pages(getattr(self, method))


class _Pages:
    """The SDK's paginator, for what answers with `nextToken`."""

    def __init__(self, call):
        self._call = call

    def paginate(self, **parameters):
        page = self._call(**parameters)
        yield page
        while "nextToken" in page:
            page = self._call(**parameters, nextToken=page["nextToken"])
            yield page


class LambdaClient(Client):
    """Lambda, noting each move."""

    def _before(self, method, parameters):
        return self._model.get_alias(
            FunctionName=parameters["FunctionName"], Name=parameters["Name"]
        )

    def _after_update_alias(self, parameters, before):
        after = self._model.get_alias(
            FunctionName=parameters["FunctionName"], Name=parameters["Name"]
        )
        weights = before.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        suspect = max([before["FunctionVersion"], *weights], key=int)
        self._world.mutated(
            "move",
            f"lambda_alias/{parameters['FunctionName']}/{parameters['Name']}",
            f"{suspect}#{before['RevisionId']}",
            (suspect, after["FunctionVersion"], "RoutingConfig" in after),
        )


class CodeDeployClient(Client):
    """CodeDeploy, noting each stop that had an effect and each deployment that was made."""

    def _before(self, method, parameters):
        return len(self._model.stops), len(self._model.creations)

    def _after_stop_deployment(self, parameters, before):
        if len(self._model.stops) > before[0]:
            change, rolls_back = self._model.stops[-1]
            self._world.mutated("stop", "codedeploy", change, rolls_back)

    def _after_create_deployment(self, parameters, before):
        if len(self._model.creations) > before[1]:
            self._world.mutated("redeploy", "codedeploy", self._model.creations[-1], parameters)


class CloudFormationClient(Client):
    """CloudFormation, noting each cancel and each continuation that had an effect."""

    def _before(self, method, parameters):
        stack = self._model.describe_stacks(StackName=parameters["StackName"])["Stacks"][0]
        return len(self._model.cancels), len(self._model.continues), stack["LastOperations"]

    def _after_cancel_update_stack(self, parameters, before):
        if len(self._model.cancels) > before[0]:
            self._noted("cancel", parameters, before)

    def _after_continue_update_rollback(self, parameters, before):
        if len(self._model.continues) > before[1]:
            self._noted("continue", parameters, before)

    def _noted(self, kind, parameters, before):
        name = parameters["StackName"]
        operations = before[2]
        change = next(o["OperationId"] for o in operations if o["OperationType"] == "UPDATE_STACK")
        self._world.mutated(kind, f"cloudformation_stack/{name}", change, parameters)


class DynamoDbClient(Client):
    """DynamoDB, noting what a process found when it read the switches and took from the budget."""

    def _bound(self, method, operation):
        call, world = super()._bound(method, operation), self._world
        if method != "update_item":
            return call
        update = self._model.update_item

        def watched(**parameters):
            if parameters["Key"]["pk"]["S"] != "switches":
                return call(**parameters)

            def apply():
                process = world.process
                process.aside = "paused" if world.paused else "full"
                answer = update(**parameters)
                key = {"pk": {"S": "switches"}, "sk": {"S": "row"}}
                item = self._model.get_item(TableName=TABLE, Key=key)["Item"]
                if process.claims[-1] in item.get("spent", {}).get("SS", ()):
                    process.aside = int(item["hour"]["N"])
                return answer

            return world.call("dynamodb", operation, apply)

        return watched


LAMBDA = {
    "get_alias": "GetAlias",
    "update_alias": "UpdateAlias",
    "get_function_configuration": "GetFunctionConfiguration",
}
CODEDEPLOY = {
    "list_deployments": "ListDeployments",
    "get_deployment": "GetDeployment",
    "batch_get_deployments": "BatchGetDeployments",
    "get_deployment_group": "GetDeploymentGroup",
    "stop_deployment": "StopDeployment",
    "create_deployment": "CreateDeployment",
}
CLOUDFORMATION = {
    "describe_stacks": "DescribeStacks",
    "describe_stack_events": "DescribeStackEvents",
    "cancel_update_stack": "CancelUpdateStack",
    "continue_update_rollback": "ContinueUpdateRollback",
}
DYNAMODB = {
    "update_item": "UpdateItem",
    "batch_get_item": "BatchGetItem",
    "get_item": "GetItem",
    "transact_write_items": "TransactWriteItems",
    "put_item": "PutItem",
}


def clients_of(world):
    """One client for each service."""
    return {
        "lambda": LambdaClient(world, "lambda", world.aliases, LAMBDA),
        "codedeploy": CodeDeployClient(world, "codedeploy", world.codedeploy, CODEDEPLOY),
        "cloudformation": CloudFormationClient(
            world, "cloudformation", world.cloudformation, CLOUDFORMATION
        ),
        "dynamodb": DynamoDbClient(world, "dynamodb", world.dynamodb, DYNAMODB),
    }
