"""The model behind real SDK clients, in process: requests and answers pass botocore, no socket.

So parameters are checked by the SDK's own service model, and errors arrive as the SDK raises them.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from local.aws_model import front
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.errors import ModelError
from local.aws_model.lambda_aliases import LambdaAliases
from local.loopback import Request, Response

# What a test may put before an answer: a fault raised instead of it, or after it was made.
Intercept = Callable[[str, Callable[[], Response]], Response]

_ALIAS = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/aliases/(?P<name>[^/]+)")
_CONFIGURATION = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/configuration")


def _plain(_: str, answer: Callable[[], Response]) -> Response:
    return answer()


def cloudwatch_client(model: CloudWatch, intercept: Intercept = _plain) -> Any:
    """A CloudWatch client answered by the model."""
    return _client("cloudwatch", lambda request: front.answer(model, request), intercept)


def lambda_client(model: LambdaAliases, intercept: Intercept = _plain) -> Any:
    """A Lambda client answered by the model."""
    return _client("lambda", lambda request: _lambda_answer(model, request), intercept)


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


class _Answered(AWSResponse):
    """A response whose body is here already."""

    def __init__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(url, status, cast("Any", dict(headers)), None)
        self._content = body


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _lambda_answer(model: LambdaAliases, request: Request) -> Response:
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
