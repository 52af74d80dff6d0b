"""What every round begins with: the responder and three services, deployed once and kept.

The app is deployed by the real CDK command line, the services by CloudFormation; then the emulator
is ended and writes down its state. Each round begins an emulator of its own from a copy of that.
"""

import io
import json
import shutil
import sys
import urllib.request
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from local import cdk, emulator
from local.aws_model import alarms_from_template
from local.aws_model.alarm_book import Account
from local.cdk import App, Cdk
from local.slack_inbox.pressing import ANN
from tests.parts.edges import MARKS
from tests.parts.plan import NOTIFY, Kind

ACCOUNT = Account(id="111122223333", region=emulator.REGION)
ENVIRONMENT = "parts"
STACK = f"RollbackResponder-{ENVIRONMENT}"
ALIAS = "live"
TRIGGER = {"kind": "error_rate", "threshold_percent": 5, "severity": "critical"}
ROLLOUTS = {
    Kind.ALIAS: [],
    Kind.DEPLOYMENT: [
        {"kind": "codedeploy_group", "application": "deployment", "group": "deployment"}
    ],
    Kind.STACK: [{"kind": "cloudformation_stack", "stack": "stack"}],
}
HOLD = "Hold"
# What `notify` draws with, as far as it is compiled and thus large.
DRAWING = frozenset(
    {
        "PIL",
        "contourpy",
        "fontTools",
        "kiwisolver",
        "matplotlib",
        "mpl_toolkits",
        "numpy",
        "numpy.libs",
        "pillow.libs",
    }
)


def policy_document():
    """One service for each kind, named after it; only the bake time is shortened."""
    return {
        "environment": ENVIRONMENT,
        "mode": "enforce",
        "slack": {"channel": "deploys", "approvers": [ANN.id]},
        "guardrails": {"bake_minutes": 3},
        "services": [
            {
                "name": kind.value,
                "targets": [
                    {"kind": "lambda_alias", "function": kind.value, "alias": ALIAS},
                    *rollouts,
                ],
                "triggers": [TRIGGER],
            }
            for kind, rollouts in ROLLOUTS.items()
        ],
    }


def service_code(version):
    return f"VERSION = {version}\n\n\ndef handler(event, _):\n    return event\n"


def zipped(code):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    return packed.getvalue()


def service_template(name, newest, *, held=False):
    """A service's function, its versions, and its alias on the newest; `held` waits half-way.

    The emulator notices a cancel only before it begins the next resource, so one lies behind.
    """
    function = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{ACCOUNT.id}:role/service",
        "Code": {"ZipFile": service_code(newest)},
    }
    resources = {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}}
    for number in range(1, newest + 1):
        resources[f"V{number}"] = {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": "Function"}, "Description": f"release {number}"},
        }
    version = {"Fn::GetAtt": [f"V{newest}", "Version"]}
    alias = {"FunctionName": {"Ref": "Function"}, "Name": ALIAS, "FunctionVersion": version}
    resources["Live"] = {"Type": "AWS::Lambda::Alias", "Properties": alias}
    if held:
        resources["Handle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        resources[HOLD] = {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": "Live",
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "43200", "Count": 1},
        }
        resources["Behind"] = {
            "Type": "AWS::SSM::Parameter",
            "DependsOn": HOLD,
            "Properties": {"Type": "String", "Value": "what comes last"},
        }
    return json.dumps({"Resources": resources})


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What was deployed, and where the emulator keeps it.

    Attributes:
        state: the emulator's state, to be copied.
        port: where the emulator listens; its queues' addresses hold it.
        functions: the names of the functions, by what they are called here.
        alarms: those of the policy.
    """

    state: Path
    port: int
    functions: dict[str, str]
    queue_url: str
    table: str
    stream_arn: str
    secret: str
    alarms: tuple


def kept_in(state):
    """The variables by which the emulator reads its state at first, and writes it in the end."""
    return {"PERSIST_STATE": "1", "STATE_DIR": str(state), "S3_PERSIST": "0"}


def deploy(folder, say):
    """Deploys everything into a new folder."""
    emulator.install(say)
    cdk.install(say)
    say("deploying the responder with the CDK, once for all rounds")
    state, port = folder / "state", emulator.free_port()
    app = App(
        command=f"{sys.executable} app.py",
        output=folder / "responder.out",
        context={"rollback": json.dumps(policy_document())},
    )
    with emulator.started(
        run_folder=folder,
        account=ACCOUNT.id,
        elsewhere={},
        extra_environment=kept_in(state),
        port=port,
    ) as running:
        command_line = Cdk(emulator=running, run_folder=folder)
        command_line.bootstrap()
        templates = command_line.synth(app)
        command_line.deploy_synthesised(app, [STACK])
        found = _read(running, templates)
        _take_out_drawing(running, found["functions"][NOTIFY])
        _deploy_services(running)
    return Deployed(state=state, port=port, **found)


def _read(running, templates):
    with closing(running.client("cloudformation")) as client:
        pages = client.get_paginator("list_stack_resources").paginate(StackName=STACK)
        resources = [one for page in pages for one in page["StackResourceSummaries"]]
        pages = client.get_paginator("list_exports").paginate()
        exports = {one["Name"]: one["Value"] for page in pages for one in page["Exports"]}
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}

    def physical(mark):
        (found,) = (value for name, value in ids.items() if name.startswith(mark))
        return found

    queues = {
        one["LogicalResourceId"][:-8]: one["PhysicalResourceId"]
        for one in resources
        if one["ResourceType"] == "AWS::SQS::Queue"
    }
    kinds = {one["PhysicalResourceId"]: one["ResourceType"] for one in resources}
    functions = [name for name, kind in kinds.items() if kind == "AWS::Lambda::Function"]
    table = physical("Journal")
    with closing(running.client("dynamodb")) as client:
        stream_arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    with closing(running.client("lambda")) as client:
        for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    alarms = [
        alarm
        for name, template in templates.items()
        if name.startswith("RollbackAlarms")
        for alarm in alarms_from_template.read(template, account=ACCOUNT, exports=exports)
    ]
    return {
        "functions": {
            role: name for mark, role in MARKS.items() for name in functions if mark in name
        },
        "queue_url": queues["IngressAlarms"],
        "table": table,
        "stream_arn": stream_arn,
        "secret": physical("SlackSecret"),
        "alarms": tuple(alarms),
    }


def _take_out_drawing(running, notify):
    """No picture is drawn here, and its packages would be unpacked at each start of `notify`."""
    with closing(running.client("lambda")) as client:
        packed = zipfile.ZipFile(io.BytesIO(code_at(client, notify)))
        kept = [one for one in packed.infolist() if one.filename.partition("/")[0] not in DRAWING]
        lean = io.BytesIO()
        with zipfile.ZipFile(lean, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in kept:
                archive.writestr(one, packed.read(one))
        client.update_function_code(FunctionName=notify, ZipFile=lean.getvalue())


def code_at(client, function):
    """The zip of a function."""
    location = client.get_function(FunctionName=function)["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:  # noqa: S310 - loopback
        return answer.read()


def _deploy_services(running):
    with closing(running.client("cloudformation")) as client:
        for kind in Kind:
            template = service_template(kind.value, 1)
            client.create_stack(StackName=kind.value, TemplateBody=template)
            client.get_waiter("stack_create_complete").wait(
                StackName=kind.value, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
            )


def copied(deployed, folder):
    """A copy of the emulator's state, for a round of its own."""
    return shutil.copytree(deployed.state, folder / "state")
