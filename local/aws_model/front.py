"""The loopback front: what a boto3 ``cloudwatch`` client speaks, answered by the model.

botocore 1.43.106 and 1.44.5 both choose the protocol ``json`` for CloudWatch: a POST to ``/`` with
``X-Amz-Target: GraniteServiceVersion20100801.<Operation>``, ``application/x-amz-json-1.0``, and
timestamps as epoch seconds. The service is query-compatible, so an error's code is also given in
the header ``x-amzn-query-error`` (observed with both clients).
"""

import json
import uuid
from typing import Any

from local.aws_model import operations
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.errors import ModelError
from local.loopback import LoopbackServer, Request, Response

_TARGET = "GraniteServiceVersion20100801."
_JSON = "application/x-amz-json-1.0"


def serve(model: CloudWatch) -> LoopbackServer:
    """Return the server; enter it to start. Its ``url`` is ``AWS_ENDPOINT_URL_CLOUDWATCH``."""
    return LoopbackServer(lambda request: answer(model, request))


def answer(model: CloudWatch, request: Request) -> Response:
    """Answer one HTTP request; every refusal is a modelled error."""
    try:
        name, body = _read(request)
        return _respond(200, operations.call(model, name, body))
    except ModelError as error:
        fault = "Sender" if error.status < 500 else "Receiver"  # noqa: PLR2004 - HTTP
        return _respond(
            error.status,
            {"__type": error.code, "message": error.message},
            (("x-amzn-query-error", f"{error.code};{fault}"),),
        )


def _read(request: Request) -> tuple[str, dict[str, Any]]:
    target = request.headers.get("x-amz-target", "")
    if request.method != "POST" or not target.startswith(_TARGET):
        raise ModelError("UnknownOperationException", "This is not a CloudWatch JSON request.")
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise ModelError("SerializationException", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise ModelError("SerializationException", "The body is not a JSON object.")
    return target.removeprefix(_TARGET), body


def _respond(
    status: int, body: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    return Response(
        status=status,
        content_type=_JSON,
        body=json.dumps(body).encode(),
        headers=(("x-amzn-RequestId", str(uuid.uuid4())), *headers),
    )
