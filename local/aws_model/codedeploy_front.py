"""The loopback front: what a boto3 ``codedeploy`` client speaks, answered by the model.

The service model names two protocols, ``smithy-rpc-v2-cbor`` and ``json``. botocore 1.43.106 and
1.44.5 both choose ``json``, whatever the endpoint: a POST to ``/`` with ``X-Amz-Target:
CodeDeploy_20141006.<Operation>``, ``application/x-amz-json-1.1``, and timestamps as epoch seconds
(observed with both). So that is served, and anything else is refused.
"""

import functools
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
import botocore.validate
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

from local.aws_model.clients import direct_answer
from local.aws_model.codedeploy import CodeDeploy
from local.aws_model.errors import ModelError
from local.loopback import LoopbackServer, Request, Response

_TARGET = "CodeDeploy_20141006."
_JSON = "application/x-amz-json-1.1"


def serve(model: CodeDeploy) -> LoopbackServer:
    """Return the server; enter it to start. Its ``url`` is ``AWS_ENDPOINT_URL_CODEDEPLOY``.

    The front takes ``model.lock`` for every request; whoever uses the model besides takes it too.
    """
    return LoopbackServer(lambda request: answer(model, request))


def answer(model: CodeDeploy, request: Request) -> Response:
    """Answer one HTTP request; every refusal is a modelled error."""
    try:
        operation, parameters = _read(request)
        with model.lock:
            parsed = direct_answer(model, operation, parameters)
            # What the model handed out may change, so the body is written before others go on.
            error = parsed.get("Error")
            if error is None:
                return _respond(200, parsed)
        status = parsed["ResponseMetadata"]["HTTPStatusCode"]
        return _respond(status, {"__type": error["Code"], "message": error["Message"]})
    except NotImplementedError as gap:
        return _respond(400, {"__type": "UnknownOperationException", "message": str(gap)})
    except TypeError as fault:
        # A member that is not modelled, or an answer that does not fit the SDK's service model.
        return _respond(500, {"__type": "InternalFailure", "message": str(fault)})
    except ModelError as refusal:
        return _respond(refusal.status, {"__type": refusal.code, "message": refusal.message})


@functools.cache
def _service() -> ServiceModel:
    data = botocore.loaders.Loader().load_service_model("codedeploy", "service-2")
    return ServiceModel(data, service_name="codedeploy")


def _read(request: Request) -> tuple[OperationModel, dict[str, Any]]:
    target = request.headers.get("x-amz-target", "")
    kind = request.headers.get("content-type", "")
    if (request.method, request.path, kind) != ("POST", "/", _JSON) or not target.startswith(
        _TARGET
    ):
        raise ModelError("UnknownOperationException", "This is not a CodeDeploy JSON request.")
    name = target.removeprefix(_TARGET)
    if name not in _service().operation_names:
        raise ModelError("UnknownOperationException", f"CodeDeploy has no operation {name}.")
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise ModelError("SerializationException", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise ModelError("SerializationException", "The body is not a JSON object.")
    operation = _service().operation_model(name)
    shape = operation.input_shape
    if shape is None:
        return operation, {}
    report = botocore.validate.ParamValidator().validate(body, shape)
    if report.has_errors():
        raise ModelError("SerializationException", report.generate_report())
    parameters: dict[str, Any] = _with_times(shape, body)
    return operation, parameters


def _with_times(shape: Shape, value: Any) -> Any:
    """Timestamps as aware datetimes; in the requests of CodeDeploy they stand in structures."""
    if isinstance(shape, StructureShape):
        return {name: _with_times(shape.members[name], item) for name, item in value.items()}
    if shape.type_name == "timestamp":
        try:
            return datetime.fromtimestamp(value, UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError("SerializationException", "A time is not epoch seconds.") from error
    return value


def _respond(status: int, body: Mapping[str, Any]) -> Response:
    shown = {name: value for name, value in body.items() if name != "ResponseMetadata"}
    return Response(
        status=status,
        content_type=_JSON,
        body=json.dumps(shown, default=datetime.timestamp).encode(),
        headers=(("x-amzn-RequestId", str(uuid.uuid4())),),
    )
