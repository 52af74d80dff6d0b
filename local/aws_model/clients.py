"""The model behind real SDK clients, in process: requests and answers pass botocore, no socket.

So parameters are checked by the SDK's own service model, and errors arrive as the SDK raises them.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import botocore.session
import botocore.validate
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.model import OperationModel

from local.aws_model import front
from local.aws_model.cloudformation import CloudFormation
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.codedeploy import CodeDeploy
from local.aws_model.errors import ModelError
from local.aws_model.lambda_aliases import LambdaAliases
from local.loopback import Request, Response

# What a test may put before an answer: a fault raised instead of it, or after it was made.
Intercept = Callable[[str, Callable[[], Response]], Response]
# The same where no wire is in between: the answer as botocore has parsed it.
ParsedIntercept = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]

_ALIAS = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/aliases/(?P<name>[^/]+)")
_VERSIONS = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/versions")
_CONFIGURATION = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/configuration")


def _plain(_: str, answer: Callable[[], Response]) -> Response:
    return answer()


def _straight(_: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return answer()


def cloudwatch_client(model: CloudWatch, intercept: Intercept = _plain) -> Any:
    """A CloudWatch client answered by the model."""
    return _client("cloudwatch", lambda request: front.answer(model, request), intercept)


def lambda_client(model: LambdaAliases, intercept: Intercept = _plain) -> Any:
    """A Lambda client answered by the model."""
    return _client("lambda", lambda request: lambda_answer(model, request), intercept)


def codedeploy_client(model: CodeDeploy, intercept: ParsedIntercept = _straight) -> Any:
    """A CodeDeploy client answered by the model; an intercepted answer is the parsed one."""
    return _direct("codedeploy", model, intercept)


def cloudformation_client(model: CloudFormation, intercept: ParsedIntercept = _straight) -> Any:
    """A CloudFormation client answered by the model; an intercepted answer is the parsed one."""
    return _direct("cloudformation", model, intercept)


@cache
def _session() -> Any:
    """One session: it keeps the service models, whose loading is most of a client's making."""
    session = cast("Any", botocore.session.Session())
    session.set_credentials("local", "local")
    return session


def _client(service: str, answer: Callable[[Request], Response], intercept: Intercept) -> Any:
    client = _session().create_client(service, region_name="us-east-1")

    def before_send(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rsplit(".", 1)[-1]
        body: Any = request.body or b""
        arrived = Request(
            method=str(request.method),
            path=str(request.url).split(".amazonaws.com", 1)[-1],
            headers={name.lower(): _text(value) for name, value in request.headers.items()},
            body=body.encode() if isinstance(body, str) else bytes(body),
        )
        response = intercept(operation, lambda: answer(arrived))
        headers = dict(response.headers) | {"Content-Type": response.content_type}
        return _Answered(str(request.url), response.status, headers, response.body)

    client.meta.events.register(f"before-send.{service}", before_send)
    return client


# What the models of CodeDeploy and CloudFormation serve.
_SERVED = {
    "ListDeployments": "list_deployments",
    "GetDeployment": "get_deployment",
    "BatchGetDeployments": "batch_get_deployments",
    "GetDeploymentGroup": "get_deployment_group",
    "StopDeployment": "stop_deployment",
    "CreateDeployment": "create_deployment",
    "DescribeStacks": "describe_stacks",
    "DescribeStackEvents": "describe_stack_events",
    "DescribeStackResources": "describe_stack_resources",
    "CancelUpdateStack": "cancel_update_stack",
    "ContinueUpdateRollback": "continue_update_rollback",
}
# Errors that any operation may answer, so that no service model lists them (common error types of
# the CodeDeploy and the CloudFormation API reference).
_COMMON = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "InternalFailure",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "ValidationError",
    }
)
_PARAMETERS = "local_model_parameters"


def _direct(service: str, served: CodeDeploy | CloudFormation, intercept: ParsedIntercept) -> Any:
    """A client answered before a request is made, whatever protocol the service speaks.

    As the SDK's own Stubber does it: parameters are checked and errors are raised by the SDK. What
    belongs to one call travels in the context of that call, so threads may share the client.
    Nothing is sent, so nothing is tried again.
    """
    client = _session().create_client(service, region_name="us-east-1")

    def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_PARAMETERS] = params

    def before_call(
        model: OperationModel, context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]]:
        parameters = context[_PARAMETERS]
        parsed = intercept(model.name, lambda: direct_answer(served, model, parameters))
        status = parsed["ResponseMetadata"]["HTTPStatusCode"]
        return _Answered(f"https://{service}.amazonaws.com/", status, {}, b""), parsed

    # Last, because other handlers still change the parameters.
    client.meta.events.register_last(f"before-parameter-build.{service}", keep)
    client.meta.events.register(f"before-call.{service}", before_call)
    return client


def direct_answer(
    model: CodeDeploy | CloudFormation, operation: OperationModel, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Call a model, and return what botocore would have parsed; an answer must fit the SDK.

    Raises:
        TypeError: for an answer, or an error, that the SDK's service model does not have.
        NotImplementedError: for an operation that is not modelled.
    """
    method = getattr(model, _SERVED.get(operation.name, ""), None)
    if method is None:
        raise NotImplementedError(f"{operation.name} is not modelled")
    try:
        parsed = dict(method(**parameters) or {})
    except ModelError as error:
        shapes: list[Any] = list(operation.error_shapes)
        if error.code not in _COMMON | {shape.error_code for shape in shapes}:
            raise TypeError(f"{operation.name} does not answer {error.code}") from error
        return {
            "Error": {"Code": error.code, "Message": error.message},
            "ResponseMetadata": _metadata(error.status),
        }
    if operation.output_shape is not None:
        report = botocore.validate.ParamValidator().validate(parsed, operation.output_shape)
        if report.has_errors():
            raise TypeError(f"{operation.name}: {report.generate_report()}")
    elif parsed:
        raise TypeError(f"{operation.name} answers nothing")
    return parsed | {"ResponseMetadata": _metadata(200)}


def _metadata(status: int) -> dict[str, Any]:
    return {
        "RequestId": "00000000-0000-4000-8000-000000000000",
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }


class _Answered(AWSResponse):
    """A response whose body is here already."""

    def __init__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(url, status, cast("Any", dict(headers)), None)
        self._content = body


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def lambda_answer(model: LambdaAliases, request: Request) -> Response:
    """Answer one HTTP request as Lambda does."""
    try:
        return _json(200, _lambda_operation(model, request))
    except ModelError as error:
        return _json(
            error.status,
            {"Type": "User", "Message": error.message},
            (("x-amzn-ErrorType", error.code),),
        )


def _lambda_operation(model: LambdaAliases, request: Request) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    if alias := _ALIAS.fullmatch(path):
        who: dict[str, Any] = {"FunctionName": alias["function"], "Name": alias["name"]}
        if request.method == "GET":
            return model.get_alias(**who)
        return model.update_alias(**who, **json.loads(request.body))
    if found := _CONFIGURATION.fullmatch(path):
        qualifier = query.removeprefix("Qualifier=")
        return model.get_function_configuration(FunctionName=found["function"], Qualifier=qualifier)
    if found := _VERSIONS.fullmatch(path):
        marker = query.removeprefix("Marker=") or None
        return model.list_versions_by_function(FunctionName=found["function"], Marker=marker)
    raise ModelError("UnknownOperationException", f"{request.method} {path} is not modelled")


def _json(
    status: int, body: Mapping[str, Any], headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    return Response(
        status=status,
        content_type="application/json",
        body=json.dumps(body).encode(),
        headers=headers,
    )
