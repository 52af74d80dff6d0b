"""What Lambda's runtime and AWS's endpoints do."""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.lab import Lab
from infra import package, sdk_data
from rollback_responder import lean_client

SENT = urlencode({"payload": '{"text": "ünïcode & a+b %41"}'}).encode() + b"&raw=%7e+%2B"
MIRROR = """def handler(event, context):
    found = {key: event.get(key) for key in ("body", "isBase64Encoded")}
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": __import__("json").dumps(found)}
"""
# What of the shipped dependencies calls AWS.
PARTS = ("botocore/**/*.p[ye]*", "dateutil/**/*.py", "jmespath/*.py", "six.py", "urllib3/**/*.py")
# As Python words it.
NOT_SIGNED = "CERTIFICATE_VERIFY_FAILED"
SLEEPER = "import time\n\n\ndef handler(event, context):\n    time.sleep(30)\n"
# As `infra/alarms.py` has it; a test holds the two equal.
TIMEOUT_PATTERN = '{ $.type = "platform.report" && $.record.status = "timeout" }'

# Asks each service, as `rollback_responder/bootstrap` has it asked, for something that it may
# not have: an answer of the service's own means that it was understood.
ASKING = """import os

import botocore
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from rollback_responder import lean_client

NOTHING = "rollback-conformance-nothing"
ROLE = "arn:aws:iam::123456789012:role/" + NOTHING
CALLS = {
    "cloudformation": ("describe_stacks", {"StackName": NOTHING}),
    "cloudwatch": ("list_alarm_mute_rules", {"Statuses": ["ACTIVE"]}),
    "codedeploy": ("get_deployment", {"deploymentId": "d-ABCDEFGHI"}),
    "dynamodb": ("get_item", {"TableName": NOTHING, "Key": {"pk": {"S": "x"}}}),
    "iam": ("simulate_principal_policy", {"PolicySourceArn": ROLE, "ActionNames": ["sts:Get*"]}),
    "lambda": ("get_alias", {"FunctionName": NOTHING, "Name": "live"}),
    "secretsmanager": ("get_secret_value", {"SecretId": NOTHING}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.invalid/1/x", "MessageBody": "x"}),
}


def handler(event, context):
    came = {"botocore": botocore.__version__}
    loader = Loader([str(lean_client.DATA)], include_default_search_paths=False)
    roots = lean_client.Roots(lean_client.DATA / lean_client.ROOTS)
    limits = lean_client.Limits(connect=2, read=8, attempts=1)
    for service, (operation, arguments) in CALLS.items():
        try:
            client = lean_client.LeanClient(
                service, limits, loader=loader, roots=roots, environment=os.environ
            )
            if service == "sqs":
                address = "https://sqs.{region}.amazonaws.com/{account}/".format(**event)
                arguments = arguments | {"QueueUrl": address + NOTHING}
            getattr(client, operation)(**arguments)
            came[service] = "answered"
        except ClientError as error:
            came[service] = "answered " + error.response["Error"]["Code"]
        except Exception as error:
            came[service] = f"{type(error).__name__}: {error}"
    return came
"""


class FormBody(Check[str]):
    """Slack's signature is over it."""

    key = "url"
    assumes = "a function URL hands a form body over byte by byte, as text or Base64"
    source = 'Lambda developer guide, "Function URL request payload format".'
    does = "A form with escapes in both cases is posted to a function that shows what it got."
    meanwhile = "a signature that does not fit is refused"
    makes = "a function with an address that asks for IAM credentials, its role and log group"
    minutes = 4

    def create(self, lab: Lab) -> str:
        name = making.function(lab, "url", {"index.py": MIRROR})
        made = lab.clients("lambda").create_function_url_config(
            FunctionName=name, AuthType="AWS_IAM"
        )
        return str(made["FunctionUrl"])

    def observe(self, lab: Lab, made: str) -> Seen:
        def look() -> bytes | None:
            try:
                return lab.fetch(made, SENT)
            except OSError:
                return None

        got = json.loads(lab.until("the function's address answers", look, seconds=60))
        body = str(got["body"])
        raw = base64.b64decode(body) if got["isBase64Encoded"] else body.encode()
        return {"sent": SENT.decode(), "got": raw.decode(), "base64": got["isBase64Encoded"]}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["got"] == seen["sent"])


class TimeoutLog(Check[str]):
    """A trigger counts it."""

    key = "timeout-log"
    assumes = (
        "a JSON log of Lambda has `platform.report` with `status: timeout` at the function's "
        "system log level"
    )
    source = 'Lambda developer guide, "Lambda Telemetry API", platform.report.'
    does = "A function that logs JSON at INFO sleeps past its second; its log is put to the filter."
    meanwhile = "without it the trigger is silent"
    makes = "a function, its role and log group"
    minutes = 5

    def create(self, lab: Lab) -> str:
        logging = {"LogFormat": "JSON", "SystemLogLevel": "INFO"}
        files = {"index.py": SLEEPER}
        return making.function(lab, "timeout-log", files, Timeout=1, LoggingConfig=logging)

    def observe(self, lab: Lab, made: str) -> Seen:
        lab.clients("lambda").invoke(FunctionName=made)
        logs = lab.clients("logs")

        def look() -> list[str] | None:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{made}")["events"]
            lines = [str(event["message"]) for event in found]
            return lines if any("platform.report" in line for line in lines) else None

        lines = lab.until("the invocation's report in the log", look, seconds=120)
        matched = logs.test_metric_filter(filterPattern=TIMEOUT_PATTERN, logEventMessages=lines)
        reports = [line for line in lines if "platform.report" in line]
        return {"matches": len(matched["matches"]), "reports": reports}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["matches"] == 1)


def asking_package() -> dict[str, str]:
    """The files of a function that has what the responder's functions call AWS with."""
    sdk_of = package.dependencies(package.REQUIREMENTS)
    parts = {
        path.relative_to(sdk_of).as_posix(): path.read_text(encoding="utf-8")
        for name in PARTS
        for path in sorted(sdk_of.glob(name))
    }
    with tempfile.TemporaryDirectory() as folder:
        sdk_data.write(Path(folder))
        data = {
            f"sdk/{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8")
            for path in Path(folder).rglob("*")
            if path.is_file()
        }
    ours = {
        f"rollback_responder/{path.name}": path.read_text(encoding="utf-8")
        for path in (package.PACKAGE / "sdk.py", package.PACKAGE / "lean_client.py")
    }
    return {"index.py": ASKING, "rollback_responder/__init__.py": ""} | ours | parts | data


class ReducedData(Check[str]):
    """What is shipped stands beside a botocore of the Lambda runtime's own."""

    key = "sdk"
    assumes = (
        "the parts of botocore that are shipped with the code go before the runtime's own, and "
        "AWS understands what they send with the data that is shipped beside them"
    )
    source = 'Lambda developer guide, "Runtime dependencies in Python": the search path.'
    does = "A function asks each service, with what is shipped, for something that is not there."
    meanwhile = (
        "an answer that is none is an error as any other: nothing is moved, and `alarms-waiting` "
        "or a dead letter calls"
    )
    makes = "a function, its role and log group"
    minutes = 4

    def create(self, lab: Lab) -> str:
        return making.function(lab, "sdk", asking_package(), Timeout=60, MemorySize=512)

    def observe(self, lab: Lab, made: str) -> Seen:
        who = {"region": lab.account.region, "account": lab.account.id}
        answer = lab.clients("lambda").invoke(FunctionName=made, Payload=json.dumps(who).encode())
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found

    def tell(self, seen: Seen) -> Verdict:
        if "botocore" not in seen:
            return Verdict.NOT_TOLD
        services = {name: came for name, came in seen.items() if name != "botocore"}
        return verdict(
            holds=seen["botocore"] == botocore.__version__
            and set(services) == set(sdk_data.OPERATIONS)
            and all(came.startswith("answered") for came in services.values())
        )


class FiveRoots(Check[None]):
    """Connects only: nothing is asked."""

    key = "roots"
    assumes = "AWS's endpoints have certificates of Amazon's five roots"
    source = "amazontrust.com/repository; which endpoint has which is not said."
    does = "The region's endpoint of each service is connected to, trusting these five alone."
    meanwhile = (
        "on a certificate of another root all that the SDK trusts are trusted, and it is logged; "
        "none is never accepted"
    )
    makes = "nothing"
    minutes = 1
    cents = 0

    def create(self, lab: Lab) -> None:
        pass

    def observe(self, lab: Lab, made: None) -> Seen:  # noqa: ARG002 - it made nothing
        with tempfile.TemporaryDirectory() as folder:
            sdk_data.write(Path(folder))
            roots = Path(folder) / lean_client.ROOTS
            hosts = {
                service: str(lab.clients(service).meta.endpoint_url).split("/")[2]
                for service in sdk_data.OPERATIONS
            }
            return {host: lab.handshake(host, roots) for host in hosts.values()}

    def tell(self, seen: Seen) -> Verdict:
        """What could not be connected to for another reason than its certificate tells nothing."""
        problems = [problem for problem in seen.values() if problem]
        if any(NOT_SIGNED in problem for problem in problems):
            return Verdict.DOES_NOT_HOLD
        return Verdict.NOT_TOLD if problems else Verdict.HOLDS
