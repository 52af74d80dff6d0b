"""Writes what follows from code: docs/configuration.md, the JSON Schemas, docs/conformance.md.

Run by `make docs`; `tests/contracts/test_published.py` fails while they are not up to date.
"""

import inspect
import json
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from conformance.page import conformance_page
from rollback_responder.domain.document import (
    Doc,
    Field,
    Limits,
    Pattern,
    fields_of,
    is_document,
    kind_of,
    members_of,
    write,
)
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.schema import cdk_json_schema, policy_schema

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Configuration

Everything is written in `cdk.json`, under `context.rollback`. This page is made from the types that
read it (`make docs`), and so is [`schema/cdk.schema.json`](../schema/cdk.schema.json): name that in
`"$schema"` and your editor completes and checks the file. `cdk synth` refuses a policy with a
problem and lists every one it finds, each with its path, what it got, what is allowed, and what to
change.

"""


def published() -> dict[Path, str]:
    """Each generated file and its text."""
    return {
        ROOT / "docs" / "configuration.md": HEAD + "\n".join(_page(Policy, "rollback")),
        ROOT / "docs" / "conformance.md": conformance_page(),
        ROOT / "schema" / "rollback.schema.json": _json(policy_schema()),
        ROOT / "schema" / "cdk.schema.json": _json(cdk_json_schema()),
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _page(cls: type, title: str, given: object = None) -> Iterator[str]:
    """A section for a type, then one for each type in its fields.

    `given` is what stands there where the policy says nothing, if something does.
    """
    yield f"## `{title}`\n"
    yield f"{inspect.cleandoc(cls.__doc__ or '')}\n"
    yield "| field | type | default | meaning |\n|---|---|---|---|"
    below: list[tuple[type, str, object]] = []
    for field in fields_of(cls):
        doc = field.note(Doc)
        default = field.default if given is None else getattr(given, field.name)
        shown = _default_words(field, default, given=given is not None)
        yield f"| `{field.name}` | {_type_words(field)} | {shown} | {doc.text if doc else ''} |"
        below += [
            (inner, f"{title}.{field.name}{_suffix(field, inner)}", default)
            for inner in _types(field)
            if is_document(inner)
        ]
    yield ""
    for inner, name, default in below:
        yield from _page(inner, name, default if isinstance(default, inner) else None)


def _default_words(field: Field, default: object, *, given: bool) -> str:
    if field.name == "kind" or (field.required and not given):
        return "**required**"
    if default is None:
        return "absent"
    nested = any(is_document(inner) for inner in _types(field))
    if nested and not isinstance(default, tuple):
        return "see below"
    shown = f"`{json.dumps(write(default))}`"
    return f"{shown}; **required** in one that you write" if field.required else shown


def _suffix(field: Field, inner: type) -> str:
    many = "[]" if get_origin(field.hint) is tuple else ""
    kind = kind_of(inner)
    return f"{many} ({kind})" if kind else many


def _types(field: Field) -> tuple[type, ...]:
    hint = get_args(field.hint)[0] if get_origin(field.hint) is tuple else field.hint
    return members_of(hint)


def _type_words(field: Field) -> str:
    is_list = get_origin(field.hint) is tuple
    many, each = ("list of ", "list; each ") if is_list else ("", "")
    (first, *_) = _types(field)
    of_each = [note for note in getattr(first, "__metadata__", ()) if isinstance(note, Pattern)]
    pattern = field.note(Pattern) or next(iter(of_each), None)
    limits = field.note(Limits)
    if field.name == "kind":
        return f'`"{get_args(field.hint)[0]}"`'
    if pattern:
        return each + pattern.words
    if isinstance(first, type) and issubclass(first, Enum):
        return each + " or ".join(f'`"{member.value}"`' for member in first)
    if is_document(first):
        return many + ("objects" if is_list else "object")
    name = NAMES[first] + ("s" if is_list else "")
    span = f", {limits.minimum:,.10g} to {limits.maximum:,.10g}" if limits else ""
    return many + name + span


NAMES = {
    int: "whole number",
    float: "number",
    str: "string",
    bool: "true or false",
    datetime: "instant, `2026-12-24T16:00:00Z`",
}


if __name__ == "__main__":
    for path, text in published().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
