"""An account for the conformance pack without AWS: moto, the strict models, and what neither has.

IAM, STS, SNS, SQS, EventBridge, the logs and the making of functions are moto's; alarms, mute rules
and metrics, aliases, deployments and stacks are the models'. What neither serves is answered here.
Every answer made here is checked against the SDK's own service model, and so is every error. The
clock is its own: waiting costs nothing.

A `World` holds every assumption; its members bend it. `Faults` break one call, before it does
anything or after it has.
"""

import functools
import io
import json
import re
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import botocore.parsers
import botocore.session
import botocore.validate
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError
from moto import mock_aws

from conformance.account import Account
from conformance.checks.metrics import CALLS
from conformance.lab import TAG, Lab
from conformance.things import ONLY
from infra import sdk_data
from local.aws_model import front, shapes
from local.aws_model.alarm import Actions, CompositeAlarm, MetricAlarm
from local.aws_model.alarm_book import Account as ModelAccount
from local.aws_model.announcements import event_bridge_event, sns_message
from local.aws_model.cloudformation import CloudFormation
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.codedeploy import CodeDeploy
from local.aws_model.errors import ModelError
from local.aws_model.lambda_aliases import LambdaAliases
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.queries import MetricStat
from local.loopback import Request
from rollback_responder import lean_client
from rollback_responder.lean_client import Answer, LeanClient

ACCOUNT, REGION = "123456789012", "us-east-1"
BEGIN = datetime(2026, 11, 22, 4, 0, 10, tzinfo=UTC)
COMMON = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "ValidationError"}
DENIAL = {"cloudformation": "AccessDenied", "cloudwatch": "AccessDenied"}
# What the model of CloudWatch answers by itself.
BY_FRONT = {
    "DeleteAlarmMuteRule", "DescribeAlarms", "GetAlarmMuteRule", "GetMetricData",
    "ListAlarmMuteRules", "SetAlarmState",
}  # fmt: skip
NOTHING = {
    kind: []
    for kind in (
        "roles", "functions", "queues", "topics", "rules", "logs", "alarms", "mute rules",
        "applications", "stacks",
    )
}  # fmt: skip
# What names the thing that a call makes.
NAMES = (
    "RoleName", "FunctionName", "logGroupName", "QueueName", "Name", "AlarmName",
    "applicationName", "StackName",
)  # fmt: skip
UNTAGGED = {"CreateAlias", "CreateFunctionUrlConfig", "CreateDeployment"}


class Lost(ConnectTimeoutError):
    """A call that broke."""

    def __init__(self):
        super().__init__(endpoint_url="https://nowhere.invalid")


class Faults:
    """Breaks the call of this number: `after` it was done, or before. Counts them all."""

    def __init__(self, at=0, *, after=False, error=Lost):
        self.at, self.after, self.error = at, after, error
        self.count = 0
        self.calls = []
        self.breaks_next = False

    def before(self, name):
        self.count += 1
        self.calls.append(name)
        self.breaks_next = self.count == self.at
        if self.breaks_next and not self.after:
            raise self.error()

    def done(self):
        if self.breaks_next and self.after:
            self.breaks_next = False
            raise self.error()


class World:
    """The account."""

    def __init__(self, faults=None):
        self.faults = faults or Faults()
        self.at = BEGIN
        self.heard = []
        self.tagged = {}
        self.policies, self.groups, self.applications = {}, {}, set()
        self.functions, self.addresses, self.updates = {}, {}, {}
        self.posts, self.outputs = [], {}
        self.aliases = LambdaAliases(self.wall)
        model_account = ModelAccount(id=ACCOUNT, region=REGION)
        self.cloudwatch = CloudWatch(
            account=model_account, clock=self.wall, lag=timedelta(0), listener=self._announce
        )
        self.model_account = model_account
        self.codedeploy = CodeDeploy(clock=self.wall, aliases=self.aliases)
        self.cloudformation = CloudFormation(clock=self.wall)
        # How it may be bent.
        self.keeps_weights = self.keeps_description = self.rotates = True
        self.revision_first = self.versions_have_metrics = True
        self.reports_silent = self.same_instant = self.topic_denies = True
        self.refuses_forged = self.hides_composites = self.stop_has_resource = True
        self.tags_count = self.samples_are_requests = True
        self.composite_has_arn = self.mute_rules_are_listed = self.mute_rules_tell_targets = (
            self.own_setting
        ) = True
        self.old_stays_primary = self.four_suffice = self.deployments_can_be_stopped = True
        self.operations_are_kept = self.monitoring_can_be_cancelled = True
        self.token_is_told = self.caller_is_not_needed = self.simulates_tags = True
        self.topic_is_deaf = self.narrow_describe_fails = self.rolls_back_unstarted = False
        self.lag_seconds = 0
        self.report = {"type": "platform.report", "record": {"status": "timeout"}}
        self.mirror = lambda form: {"body": form.decode(), "isBase64Encoded": False}
        self.runtime_speaks = True
        self.handshakes = lambda host: ""
        self.starts_at_once = False

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name == "lag_seconds":
            self.cloudwatch.metrics.lag = timedelta(seconds=value)

    # -- time, clients, faults ------------------------------------------------------------------

    def wall(self):
        return self.at

    def now(self):
        return (self.at - BEGIN).total_seconds()

    def sleep(self, seconds):
        self.at += timedelta(seconds=seconds)
        self.settle()

    def settle(self):
        """What happens by itself."""
        self.cloudwatch.tick()
        self.codedeploy.tick()
        self.cloudformation.tick()
        for name, deployment in list(self.updates.items()):
            if self.codedeploy.status_of(deployment) == "Stopped":
                del self.updates[name]
                self.cloudformation.fail_update(name, ["Live"])

    def lab(self, run="0a1b2c3d", say=lambda line: None):
        return Lab(
            account=Account(
                partition="aws", id=ACCOUNT, region=REGION, arn="arn:aws:iam::1:user/x"
            ),
            run=run,
            clients=lambda service: client(self, service, None),
            client_of=lambda service, taken: client(self, service, taken["AccessKeyId"]),
            say=say,
            sleep=self.sleep,
            now=self.now,
            wall=self.wall,
            fetch=self.fetch,
            handshake=lambda host, _: self.handshakes(host),
        )

    def fetch(self, address, form):
        if form is None:
            self._api_called(address)
            return b""
        assert address in self.addresses.values(), address
        return json.dumps(self.mirror(form)).encode()

    def _api_called(self, address):
        api = self.outputs[address]
        metric = Metric.of("AWS/ApiGateway", "Count", {"ApiName": api})
        if self.samples_are_requests:
            self._record(metric)
        elif len(self.posts) == CALLS - 1:
            # One sample for all of them.
            self._record(metric, CALLS)
        self.posts.append(address)

    def _record(self, metric, value=1):
        self.cloudwatch.record(metric, timestamp=self.at, value=float(value))

    # -- alarms ---------------------------------------------------------------------------------

    def _announce(self, transition):
        """As CloudWatch: the event, and the message of each action."""
        silent = transition.muted is not None or not transition.alarm.actions.enabled
        event = event_bridge_event(transition, self.model_account)
        if self.reports_silent or not silent:
            self._event(event)
        for arn in () if self.topic_is_deaf else transition.actions:
            subject, text = sns_message(transition, self.model_account)
            message = json.loads(text)
            if not self.same_instant:
                shifted = transition.current.updated_at - timedelta(milliseconds=1)
                message["StateChangeTime"] = f"{shifted:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
            if not self.composite_has_arn:
                del message["AlarmArn"]
            raw("sns").publish(TopicArn=arn, Subject=subject, Message=json.dumps(message))
            yield arn, None

    def _event(self, event):
        for rule in raw("events").list_rules()["Rules"]:
            pattern = json.loads(rule["EventPattern"])
            if pattern["resources"] == event["resources"]:
                for target in raw("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                    name = target["Arn"].rpartition(":")[2]
                    url = raw("sqs").get_queue_url(QueueName=name)["QueueUrl"]
                    raw("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event))

    # -- rights ---------------------------------------------------------------------------------

    def allows(self, key, service, operation, given):
        """Whether the role's one policy allows the call; key is the access key it was given."""
        action = f"{service}:{operation}"
        for statement in self.policies[key]:
            tag = statement.get("Condition", {}).get("StringEquals", {})
            needed = next(iter(tag.values()), None)
            resources = statement["Resource"]
            resources = [resources] if isinstance(resources, str) else resources
            if action not in statement["Action"]:
                continue
            if needed is not None and self.tags_count and needed != "0a1b2c3d":
                continue
            stops = action == "codedeploy:StopDeployment"
            if stops and not self.stop_has_resource and "*" not in resources:
                continue
            if action == "codedeploy:CreateDeployment" and not self.four_suffice:
                continue
            if self._reaches(resources, given):
                return True
        return False

    @staticmethod
    def _reaches(resources, given):
        """Some part of each resource is the name that the call has, where it has one."""
        name = given.get("FunctionName") or given.get("StackName") or given.get("applicationName")
        return name is None or any(name in arn or arn == "*" for arn in resources)

    # -- what is left ---------------------------------------------------------------------------

    def left(self):
        """Everything that is in the account, by the services' own lists."""
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        return {
            "roles": [r["RoleName"] for r in raw("iam").list_roles()["Roles"]],
            "functions": [f["FunctionName"] for f in raw("lambda").list_functions()["Functions"]],
            "queues": raw("sqs").list_queues().get("QueueUrls", []),
            "topics": raw("sns").list_topics()["Topics"],
            "rules": raw("events").list_rules()["Rules"],
            "logs": raw("logs").describe_log_groups()["logGroups"],
            "alarms": [row.alarm.name for row in self.cloudwatch.alarms()],
            "mute rules": [row.rule.name for row in self.cloudwatch.mute_rules()],
            "applications": sorted(self.applications),
            "stacks": [stack["StackName"] for stack in stacks],
        }

    def arns(self):
        """Name and ARN of everything that GetResources finds; roles it does not."""

        def arn(service, what):
            return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{what}"

        left = self.left()
        for name in left["functions"]:
            yield name, arn("lambda", f"function:{name}")
        for url in left["queues"]:
            name = url.rpartition("/")[2]
            yield name, arn("sqs", name)
        for topic in left["topics"]:
            yield topic["TopicArn"].rpartition(":")[2], topic["TopicArn"]
        for rule in left["rules"]:
            yield rule["Name"], rule["Arn"]
        for group in left["logs"]:
            name = group["logGroupName"]
            yield name, arn("logs", f"log-group:{name}")
        for name in left["alarms"]:
            yield name, arn("cloudwatch", f"alarm:{name}")
        for name in left["applications"]:
            yield name, arn("codedeploy", f"application:{name}")
            yield name, arn("codedeploy", f"deploymentgroup:{name}/only")
        for stack in self.cloudformation.describe_stacks()["Stacks"]:
            yield stack["StackName"], stack["StackId"]


# -- the clients --------------------------------------------------------------------------------


@functools.cache
def _session():
    session = botocore.session.Session()
    session.set_credentials("testing", "testing")
    return session


@functools.cache
def raw(service):
    """A client of moto's account that no fault meets: what AWS does inside."""
    return _session().create_client(service, region_name=REGION)


CURRENT = {}


def client(world, service, key):
    """A client of this world; with a key, one of a role."""
    CURRENT["world"] = world
    return _client(service, key)


@functools.cache
def _client(service, key):
    made = _session().create_client(service, region_name=REGION)
    events = made.meta.events

    def prepare(params, model, context, **_):
        if model.name == "ReceiveMessage":
            CURRENT["world"].sleep(params.pop("WaitTimeSeconds", 0))
        context["given"] = dict(params)

    def before(model, params, context, **_):
        world, given = CURRENT["world"], context["given"]
        world.faults.before(f"{service}:{model.name}")
        if key is not None and not world.allows(key, service, model.name, given):
            return _answer(model, error=(DENIAL.get(service, "AccessDeniedException"), "no"))
        overlay = getattr(Overlay, f"{service}_{model.name}", lambda *_: None)
        world.narrow = key is not None
        try:
            found = overlay(world, given)
        except ModelError as error:
            return _answer(model, error=(error.code, error.message))
        if found is not None:
            return _answer(model, found)
        return _by_front(world, model, params) if service == "cloudwatch" else None

    def after(model, parsed, context, **_):
        world = CURRENT["world"]
        world.heard.append((service, model.name, parsed))
        if "Error" not in parsed:
            _tagged(world, model.name, context["given"])
            then = getattr(Afterwards, f"{service}_{model.name}", None)
            if then is not None:
                then(world, context["given"], parsed)
        world.faults.done()

    events.register_last(f"before-parameter-build.{service}", prepare)
    events.register(f"before-call.{service}", before)
    events.register(f"after-call.{service}", after)
    return made


def _by_front(world, model, request):
    """The model's answer to a request as it would be sent, parsed as the SDK does."""
    assert model.name in BY_FRONT, f"{model.name} is not modelled"
    headers = {name.lower(): str(value) for name, value in request["headers"].items()}
    arrived = Request(method="POST", path="/", headers=headers, body=request["body"])
    response = front.answer(world.cloudwatch, arrived)
    answered = {"headers": dict(response.headers), "status_code": response.status}
    parser = botocore.parsers.create_parser("json")
    parsed = parser.parse(answered | {"body": response.body}, model.output_shape)
    return AWSResponse("https://x.invalid", response.status, {}, None), parsed


def _answer(model, found=None, error=None):
    """As botocore would have parsed it, and in the shape that its service model has."""
    meta = {"RequestId": "x", "HTTPStatusCode": 400 if error else 200, "HTTPHeaders": {}}
    parsed = {"ResponseMetadata": meta | {"RetryAttempts": 0}}
    if error:
        code, message = error
        shapes = {shape.error_code for shape in model.error_shapes}
        assert code in COMMON | shapes, f"{model.name} does not answer {code}"
        parsed["Error"] = {"Code": code, "Message": message}
    elif model.output_shape is None:
        assert not found, f"{model.name} answers nothing"
    else:
        checked = {k: v for k, v in found.items() if k != "Payload"}
        report = botocore.validate.ParamValidator().validate(checked, model.output_shape)
        assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
        parsed |= found
    return AWSResponse("https://x.invalid", meta["HTTPStatusCode"], {}, None), parsed


def _tagged(world, operation, given):
    """Notes the tag of whatever is made; what can have one must."""
    tags = given.get("Tags", given.get("tags"))
    makes = operation.startswith("Create") or operation in {
        "PutMetricAlarm", "PutCompositeAlarm", "PutAlarmMuteRule", "PutRule",
    }  # fmt: skip
    if not makes or operation in UNTAGGED:
        return
    found = tags if isinstance(tags, dict) else {t["Key"]: t["Value"] for t in tags or ()}
    assert TAG in found, f"{operation} has no tag"
    name = next(given[word] for word in NAMES if word in given)
    world.tagged[name] = found[TAG]


class Overlay:
    """What is answered here: (world, request) to answer, None for what moto answers."""

    # IAM and STS

    def iam_SimulatePrincipalPolicy(world, given):
        value = given["ContextEntries"][0]["ContextKeyValues"][0]
        right = value == "0a1b2c3d" or not world.simulates_tags
        decision = "allowed" if right else "implicitDeny"
        row = {"EvalActionName": given["ActionNames"][0], "EvalDecision": decision}
        return {"EvaluationResults": [row]}

    def sts_AssumeRole(world, given):
        name = given["RoleArn"].rpartition("/")[2]
        document = raw("iam").get_role_policy(RoleName=name, PolicyName=ONLY)["PolicyDocument"]
        key = f"ASIA{name.upper()}"
        world.policies[key] = document["Statement"]
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": "x",
                "SessionToken": "x",
                "Expiration": world.at + timedelta(hours=1),
            }
        }

    # Lambda

    def lambda_GetAlias(world, given):
        shown = world.aliases.get_alias(**given)
        if not world.old_stays_primary and shown.get("RoutingConfig"):
            shown |= {
                "FunctionVersion": "2",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.9}},
            }
        return shown

    def lambda_UpdateAlias(world, given):
        aliases, name = world.aliases, (given["FunctionName"], given["Name"])
        before = aliases.get_alias(FunctionName=name[0], Name=name[1])
        version = given.get("FunctionVersion", "1")
        if not world.revision_first and version not in aliases._versions[name[0]]:
            raise ModelError("ResourceNotFoundException", "no such version")
        request = dict(given)
        if not world.keeps_weights:
            request.setdefault("RoutingConfig", {"AdditionalVersionWeights": {}})
        if not world.keeps_description:
            request.setdefault("Description", "")
        answered = aliases.update_alias(**request)
        if not world.rotates and "FunctionVersion" not in given:
            aliases._aliases[name].revision = before["RevisionId"]
        return answered

    def lambda_Invoke(world, given):
        function = given["FunctionName"]
        if "Qualifier" in given:
            dimensions = {"FunctionName": function, "Resource": f"{function}:live"}
            version = {"ExecutedVersion": "1"} if world.versions_have_metrics else None
            for more in ({}, version):
                if more is not None:
                    metric = Metric.of("AWS/Lambda", "Invocations", dimensions | more)
                    world._record(metric)
            return {"StatusCode": 200}
        if "sdk" in function:
            answer = json.dumps(_asked(world, function, json.loads(given["Payload"])))
            return {"StatusCode": 200, "Payload": io.BytesIO(answer.encode())}
        group = f"/aws/lambda/{function}"
        raw("logs").create_log_stream(logGroupName=group, logStreamName="s")
        events = [{"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": text}
                  for text in ('{"type": "platform.start"}', json.dumps(world.report))]  # fmt: skip
        raw("logs").put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
        return {"StatusCode": 200}

    def logs_TestMetricFilter(world, given):
        assert "platform.report" in given["filterPattern"]
        matches = []
        for number, text in enumerate(given["logEventMessages"], start=1):
            found = json.loads(text)
            if found["type"] == "platform.report" and found["record"].get("status") == "timeout":
                matches.append({"eventNumber": number, "eventMessage": text})
        return {"matches": matches}

    # CloudWatch; what is not here is the model's

    def cloudwatch_PutMetricAlarm(world, given):
        metric = Metric.of(given["Namespace"], given["MetricName"], {})
        stat = MetricStat(
            metric=metric, period=timedelta(minutes=1), statistic=Statistic.parse("Sum")
        )
        made = MetricAlarm(
            name=given["AlarmName"],
            actions=Actions(enabled=given["ActionsEnabled"], alarm=tuple(given["AlarmActions"])),
            stat=stat,
            evaluation_periods=1,
            threshold=given["Threshold"],
            comparison=given["ComparisonOperator"],
            treat_missing_data="ignore",
        )
        world.cloudwatch.put_alarms([made])
        return {}

    def cloudwatch_PutCompositeAlarm(world, given):
        actions = Actions(alarm=tuple(given["AlarmActions"]))
        made = CompositeAlarm(name=given["AlarmName"], actions=actions, rule=given["AlarmRule"])
        world.cloudwatch.put_alarms([made])
        return {}

    def cloudwatch_PutAlarmMuteRule(world, given):
        world.cloudwatch.put_mute_rule(shapes.mute_rule(given))
        return {}

    def cloudwatch_DeleteAlarms(world, given):
        world.cloudwatch.delete_alarms(given["AlarmNames"])
        return {}

    def cloudwatch_DescribeAlarms(world, given):
        """Under a grant on names: an answer without composite alarms, if the world is as meant."""
        if not world.narrow:
            return None
        if world.narrow_describe_fails:
            raise ModelError("AccessDenied", "no")
        names = {name: {"AlarmName": name} for name in given["AlarmNames"]}
        parents = [] if world.hides_composites else [row for n, row in names.items() if "par" in n]
        children = [row for name, row in names.items() if "child" in name]
        return {"MetricAlarms": children, "CompositeAlarms": parents}

    def cloudwatch_GetAlarmMuteRule(world, given):
        return None if world.mute_rules_tell_targets else {"Status": "ACTIVE"}

    def cloudwatch_ListAlarmMuteRules(world, given):
        return None if world.mute_rules_are_listed else {"AlarmMuteRuleSummaries": []}

    # EventBridge and SNS

    def events_PutEvents(world, given):
        if world.refuses_forged:
            refusal = {"ErrorCode": "NotAuthorizedForSource", "ErrorMessage": "no"}
            return {"FailedEntryCount": 1, "Entries": [refusal]}
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "x"}]}

    def sns_Publish(world, given):
        if world.topic_denies:
            raise ModelError("AuthorizationError", "no")

    # CodeDeploy

    def codedeploy_CreateApplication(world, given):
        world.applications.add(given["applicationName"])
        return {"applicationId": "x"}

    def codedeploy_DeleteApplication(world, given):
        name = given["applicationName"]
        world.applications.discard(name)
        if name in world.groups:
            del world.groups[name]
            world.codedeploy.delete_group(name, ONLY)
        return {}

    def codedeploy_ListApplications(world, given):
        return {"applications": sorted(world.applications)}

    def codedeploy_CreateDeploymentGroup(world, given):
        name = given["applicationName"]
        world.groups[name] = True
        world.codedeploy.rolls_back_unstarted = world.rolls_back_unstarted
        world.codedeploy.start_seconds = 0 if world.starts_at_once else 2
        world.codedeploy.add_group(
            name,
            given["deploymentGroupName"],
            function=name,
            alias="live",
            config=given["deploymentConfigName"],
            auto_rollback_events=(
                given["autoRollbackConfiguration"].get("events", ()) if world.own_setting else ()
            ),
            stoppable=world.deployments_can_be_stopped,
        )
        return {"deploymentGroupId": "x"}

    def codedeploy_CreateDeployment(world, given):
        return world.codedeploy.create_deployment(**given)

    def codedeploy_GetDeployment(world, given):
        return world.codedeploy.get_deployment(**given)

    def codedeploy_ListDeployments(world, given):
        return world.codedeploy.list_deployments(**given)

    def codedeploy_StopDeployment(world, given):
        return world.codedeploy.stop_deployment(**given)

    # CloudFormation

    def cloudformation_CreateStack(world, given):
        name = given["StackName"]
        template = json.loads(given["TemplateBody"])
        kinds = {logical: r["Type"] for logical, r in template["Resources"].items()}
        stack = world.cloudformation.add_stack(name, role_arn=None, resources=kinds)
        for resource in template["Resources"].values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::Lambda::Alias":
                world.aliases.point(properties["FunctionName"], "live", "1")
            if resource["Type"] == "AWS::ApiGateway::RestApi":
                world.outputs[f"https://{name}.invalid/live/"] = properties["Name"]
        return {"StackId": stack}

    def cloudformation_UpdateStack(world, given):
        name = given["StackName"]
        stack = world.cloudformation._by_name[name]
        minutes = given.get("RollbackConfiguration", {}).get("MonitoringTimeInMinutes")
        stack.monitoring_minutes = minutes if world.monitoring_can_be_cancelled else 0
        seconds = 20
        if "Live" in given["TemplateBody"]:
            seconds, application = 7200, name.removesuffix("-stack")
            world.updates[name] = world.codedeploy.deploy(
                application, ONLY, target_version="2", creator="CloudFormation"
            )
        world.cloudformation.begin_update(name, seconds=seconds)
        return {"StackId": stack.id}

    def cloudformation_DescribeStacks(world, given):
        found = world.cloudformation.describe_stacks(**given)
        for stack in found["Stacks"]:
            for address in world.outputs:
                if stack["StackName"] in address:
                    stack["Outputs"] = [{"OutputKey": "Address", "OutputValue": address}]
            if not world.operations_are_kept and "ROLLBACK" in stack["StackStatus"]:
                stack["LastOperations"] = [{"OperationType": "UPDATE_STACK", "OperationId": "new"}]
        return found

    def cloudformation_DescribeStackEvents(world, given):
        found = world.cloudformation.describe_stack_events(**given)
        if not world.token_is_told:
            for event in found["StackEvents"]:
                event.pop("ClientRequestToken", None)
        return found

    def cloudformation_CancelUpdateStack(world, given):
        if not world.caller_is_not_needed:
            world.cloudformation.fail_rollbacks(given["StackName"], ["Value"])
        world.cloudformation.cancel_update_stack(**given)
        return {}

    def cloudformation_DeleteStack(world, given):
        if world.cloudformation.status_of(given["StackName"]) != "DELETE_COMPLETE":
            world.cloudformation.delete(given["StackName"])
        return {}

    # The index of tags

    def resourcegroupstaggingapi_GetResources(world, given):
        (wanted,) = given["TagFilters"]
        rows = [
            {"ResourceARN": arn, "Tags": [{"Key": TAG, "Value": world.tagged[name]}]}
            for name, arn in world.arns()
            if world.tagged.get(name, "") in wanted.get("Values", [world.tagged.get(name)])
            and name in world.tagged
        ]
        return {"PaginationToken": "", "ResourceTagMappingList": rows}


class Afterwards:
    """What the world takes note of after a call that was done."""

    def lambda_CreateFunction(world, given, parsed):
        assert given["Tags"] == {TAG: "0a1b2c3d"}
        world.aliases.publish(given["FunctionName"], "first")
        world.functions[given["FunctionName"]] = given["Code"]["ZipFile"]

    def lambda_UpdateFunctionCode(world, given, parsed):
        world.aliases.publish(given["FunctionName"], str(given["ZipFile"]))

    def lambda_CreateAlias(world, given, parsed):
        world.aliases.point(given["FunctionName"], given["Name"], given["FunctionVersion"])

    def lambda_CreateFunctionUrlConfig(world, given, parsed):
        assert given["AuthType"] == "AWS_IAM"
        world.addresses[given["FunctionName"]] = parsed["FunctionUrl"]


def _asked(world, function, event):
    """Runs the package of the check as Lambda would, in this process, over moto."""
    if not world.runtime_speaks:
        return {"botocore": "1.0", "cloudwatch": "DataNotFoundError: cloudwatch"}
    with zipfile.ZipFile(io.BytesIO(world.functions[function])) as archive:
        names = set(archive.namelist())
        source = archive.read("index.py").decode()
    assert {"rollback_responder/lean_client.py", "sdk/roots.pem", "botocore/auth.py"} <= names
    assert any(name.startswith("sdk/cloudwatch/") for name in names)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(LeanClient, "_over_the_wire", lambda _, request: _no(request)),
    ):
        sdk_data.write(Path(folder))
        before, lean_client.DATA = lean_client.DATA, Path(folder)
        try:
            module = {}
            exec(source, module)  # noqa: S102 - the check's own code
            return module["handler"](event, None)
        finally:
            lean_client.DATA = before


def _no(request):
    """What every service answers to a role without rights, in its own protocol."""
    xml = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
    body = (
        xml
        if {"cloudformation", "iam"} & set(re.split(r"[/.]", request.url))
        else b'{"__type": "AccessDeniedException"}'
    )
    return Answer(403, {}, body)


def account():
    """moto's, for as long as it is entered."""
    return mock_aws(config={"iam": {"load_aws_managed_policies": False}})
