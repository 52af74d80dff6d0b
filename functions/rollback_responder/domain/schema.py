"""The policy's types as a JSON Schema, so that editors complete and check `cdk.json`."""

import enum
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin

from msgspec.structs import replace

from rollback_responder.domain.document import (
    AtLeastOne,
    Doc,
    Field,
    Limits,
    Pattern,
    fields_of,
    is_document,
    members_of,
    write,
)
from rollback_responder.domain.policy import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> dict[str, Any]:
    """The schema of context `rollback`."""
    return {"$schema": DIALECT, "title": "Rollback policy", **_object(Policy)}


def cdk_json_schema() -> dict[str, Any]:
    """The schema of a whole `cdk.json` that holds a policy; other keys are CDK's own."""
    return {
        "$schema": DIALECT,
        "title": "cdk.json with a rollback policy",
        "type": "object",
        "required": ["app", "context"],
        "properties": {
            "context": {
                "type": "object",
                "required": ["rollback"],
                "properties": {"rollback": _object(Policy)},
            }
        },
    }


def _object(cls: type) -> dict[str, Any]:
    fields = list(fields_of(cls))
    # A union is told apart by `kind`, so a document always names it, although a value need not.
    return {
        "type": "object",
        "description": (cls.__doc__ or "").strip(),
        "additionalProperties": False,
        "required": [field.name for field in fields if field.required or field.name == "kind"],
        "properties": {field.name: _field(field) for field in fields},
    }


def _field(field: Field) -> dict[str, Any]:
    schema = _type(field, field.hint)
    if doc := field.note(Doc):
        schema["description"] = doc.text
    if not field.required and field.default is not None and field.name != "kind":
        schema["default"] = write(field.default)
    return schema


def _type(field: Field, hint: Any) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin is tuple:
        return _list(field, get_args(hint)[0])
    if origin is Literal:
        return {"const": get_args(hint)[0]}
    if origin in (Union, types.UnionType):
        members = members_of(hint)
        if all(is_document(member) for member in members):
            return {"oneOf": [_object(member) for member in members]}
        return _type(field, members[0])
    if is_document(hint):
        return _object(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    return _plain(field, hint)


def _list(field: Field, hint: Any) -> dict[str, Any]:
    notes: tuple[object, ...] = ()
    if args := getattr(hint, "__metadata__", None):
        notes, hint = args, get_args(hint)[0]
    items = _type(replace(field, notes=notes), hint)
    schema: dict[str, Any] = {"type": "array", "items": items}
    if field.note(AtLeastOne):
        schema["minItems"] = 1
    return schema


def _plain(field: Field, hint: Any) -> dict[str, Any]:
    names: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    schema: dict[str, Any] = {"type": names[hint]}
    if pattern := field.note(Pattern):
        schema["pattern"] = f"^(?:{pattern.regex})$"
    if limits := field.note(Limits):
        schema["minimum"], schema["maximum"] = limits.minimum, limits.maximum
    return schema
