"""The loopback front: what a boto3 ``cloudformation`` client speaks, answered by the model.

CloudFormation speaks the query protocol alone (the SDK's service model): a POST to ``/`` of a form
with ``Action`` and ``Version``, answered in XML whose lists have ``member`` elements; an error is
an ``ErrorResponse`` with ``Code`` and ``Message`` (API reference, "Common errors").
"""

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

import botocore.loaders
from botocore.model import OperationModel, ServiceModel

from local.aws_model.clients import direct_answer
from local.aws_model.cloudformation import CloudFormation
from local.loopback import Request, Response

_XML = "text/xml"
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


def answer(model: CloudFormation, request: Request) -> Response:
    """Answer one HTTP request; every refusal is a modelled error.

    Only what no list and no structure is asked with is read: text members.
    """
    given = dict(parse_qsl(request.body.decode()))
    name = given.pop("Action", "")
    given.pop("Version", None)
    if name not in _service().operation_names:
        return refusal(400, "InvalidAction", f"CloudFormation has no operation {name}.")
    operation: OperationModel = _service().operation_model(name)
    try:
        parsed = direct_answer(model, operation, given)
    except (NotImplementedError, TypeError) as gap:
        return refusal(500, "InternalFailure", str(gap))
    error = parsed.pop("Error", None)
    status = parsed.pop("ResponseMetadata")["HTTPStatusCode"]
    if error is not None:
        return refusal(status, error["Code"], error["Message"])
    return Response(status=200, content_type=_XML, body=encoded(name, parsed))


def encoded(operation: str, members: Mapping[str, Any]) -> bytes:
    """Return an answer's body."""
    root = Element(f"{operation}Response")
    _into(SubElement(root, f"{operation}Result"), members)
    _into(SubElement(root, "ResponseMetadata"), {"RequestId": _REQUEST_ID})
    return tostring(root)


def refusal(status: int, code: str, message: str) -> Response:
    """Return the answer that refuses."""
    root = Element("ErrorResponse")
    said = {"Type": "Sender", "Code": code, "Message": message}
    _into(root, {"Error": said, "RequestId": _REQUEST_ID})
    return Response(status=status, content_type=_XML, body=tostring(root))


@functools.cache
def _service() -> ServiceModel:
    data = botocore.loaders.Loader().load_service_model("cloudformation", "service-2")
    return ServiceModel(data, service_name="cloudformation")


def _into(element: Element, answered: Any) -> None:
    if isinstance(answered, Mapping):
        for key, value in answered.items():
            _into(SubElement(element, key), value)
    elif isinstance(answered, list | tuple):
        for each in answered:
            _into(SubElement(element, "member"), each)
    elif isinstance(answered, datetime):
        element.text = answered.isoformat()
    elif isinstance(answered, bool):
        element.text = str(answered).lower()
    elif answered is not None:
        element.text = str(answered)
