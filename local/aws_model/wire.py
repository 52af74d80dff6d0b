"""The wire: JSON bodies against botocore's own service model, both ways.

Whatever the service model does not allow is refused on the way in, as CloudWatch does, and is a
fault of this model on the way out.
"""

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)

from local.aws_model.errors import ModelError, validation_error


@functools.cache
def service_model() -> ServiceModel:
    """Return botocore's model of CloudWatch."""
    data = botocore.loaders.Loader().load_service_model("cloudwatch", "service-2")
    return ServiceModel(data, service_name="cloudwatch")


def operation(name: str) -> OperationModel:
    """Return the model of one operation.

    Raises:
        ModelError: UnknownOperationException for a name that CloudWatch does not have.
    """
    if name not in service_model().operation_names:
        raise unknown_operation(name)
    return service_model().operation_model(name)


def unknown_operation(name: str) -> ModelError:
    """Return the answer to an operation that is not served here."""
    return ModelError(
        "UnknownOperationException", f"The local model of CloudWatch does not serve {name}."
    )


def parse_input(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's members, checked, with timestamps as aware datetimes.

    Raises:
        ModelError: ValidationError that names the member and the constraint.
    """
    shape = operation(name).input_shape
    if shape is None:
        return {}
    parsed: dict[str, Any] = _parse(shape, body, "")
    return parsed


def render_output(name: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON body of an answer; members that are None are left out.

    Raises:
        TypeError: for a member that the service model does not have.
    """
    shape = operation(name).output_shape
    if shape is None:
        return {}
    rendered: dict[str, Any] = _render(shape, members)
    return rendered


def _refuse(path: str, value: Any, constraint: str) -> ModelError:
    return validation_error(
        f"1 validation error detected: Value '{value}' at '{path or 'request'}' failed to satisfy "
        f"constraint: {constraint}"
    )


def _parse(shape: Shape, value: Any, path: str) -> Any:
    if isinstance(shape, StructureShape):
        return _parse_structure(shape, value, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise _refuse(path, value, "Member must be a list")
        _check_size(shape, len(value), value, path, "length")
        return [_parse(shape.member, item, f"{path}.{i}") for i, item in enumerate(value)]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            raise _refuse(path, value, "Member must be a map")
        return {key: _parse(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    if shape.type_name == "timestamp":
        return _parse_timestamp(value, path)
    return _parse_scalar(shape, value, path)


def _parse_structure(shape: StructureShape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(path, value, "Member must be a structure")
    for name in shape.required_members:
        if value.get(name) is None:
            raise _refuse(f"{path}.{name}".lstrip("."), "null", "Member must not be null")
    unknown = sorted(set(value) - set(shape.members))
    if unknown:
        raise _refuse(path, unknown[0], "Member must be known")
    return {
        name: _parse(shape.members[name], item, f"{path}.{name}".lstrip("."))
        for name, item in value.items()
        if item is not None
    }


def _parse_timestamp(value: Any, path: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(path, value, "Member must be epoch seconds")
    return datetime.fromtimestamp(value, UTC)


_SCALARS: Mapping[str, tuple[type[Any], ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
}


def _parse_scalar(shape: Shape, value: Any, path: str) -> Any:
    allowed: tuple[type[Any], ...] = _SCALARS[shape.type_name]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise _refuse(path, value, f"Member must be of type {shape.type_name}")
    if isinstance(shape, StringShape):
        _check_size(shape, len(value), value, path, "length")
        if shape.enum and value not in shape.enum:
            known = ", ".join(shape.enum)
            raise _refuse(path, value, f"Member must satisfy enum value set: [{known}]")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, value):
            raise _refuse(path, value, f"Member must satisfy regular expression: {pattern}")
    elif not isinstance(value, bool):
        _check_size(shape, value, value, path, "value")
    return value


def _check_size(shape: Shape, size: float, value: Any, path: str, what: str) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        raise _refuse(path, value, f"Member must have {what} greater than or equal to {low}")
    if high is not None and size > high:
        raise _refuse(path, value, f"Member must have {what} less than or equal to {high}")


def _render(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            raise TypeError(f"{shape.name} has no member {unknown[0]}")
        return {
            name: _render(shape.members[name], item)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(shape, ListShape):
        return [_render(shape.member, item) for item in value]
    if shape.type_name == "timestamp":
        return value.timestamp()
    return value
