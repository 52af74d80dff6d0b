"""The loopback front: what a boto3 ``dynamodb`` client speaks, answered by the model.

A POST to ``/`` with ``X-Amz-Target: DynamoDB_20120810.<Operation>``; the answer carries the CRC-32
of its body in ``x-amz-crc32``, which the SDK compares (``botocore.retries.special``). An error's
code stands in ``__type`` behind a namespace, its other members beside it.
"""

import json
import zlib
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from local.aws_model.dynamodb import DynamoDb
from local.loopback import Request, Response

_TARGET = "DynamoDB_20120810."
_JSON = "application/x-amz-json-1.0"
_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"
SERVED = frozenset(
    {"BatchGetItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"}
)


def answer(model: DynamoDb, request: Request) -> Response:
    """Answer one HTTP request; every refusal is a modelled error."""
    name = request.headers.get("x-amz-target", "").removeprefix(_TARGET)
    if name not in SERVED:
        return _respond(400, {"__type": "UnknownOperationException", "message": name})
    try:
        return _respond(200, getattr(model, xform_name(name))(**json.loads(request.body)))
    except ClientError as error:
        known: Any = error.response
        said = known["Error"]
        members = {k: v for k, v in known.items() if k not in {"Error", "ResponseMetadata"}}
        told = {"__type": f"{_NAMESPACE}{said['Code']}", "message": said["Message"]}
        return _respond(400, told | members)


def _respond(status: int, members: dict[str, Any]) -> Response:
    body = json.dumps(members).encode()
    checksum = str(zlib.crc32(body) & 0xFFFFFFFF)
    return Response(
        status=status, content_type=_JSON, body=body, headers=(("x-amz-crc32", checksum),)
    )
