"""Writes what follows from the policy's types: docs/configuration.md and the JSON Schemas.

Run by `make docs`; `tests/contracts/test_published.py` fails while they are not up to date.
"""

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from rollback_responder.domain.document import (
    Doc,
    Field,
    Limits,
    Pattern,
    fields_of,
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
problem and lists all of them at once, each with its path, what it got, what is allowed, and what to
change.

"""


def published() -> dict[Path, str]:
    """Each generated file and its text."""
    return {
        ROOT / "docs" / "configuration.md": HEAD + "\n".join(_page(Policy, "rollback")),
        ROOT / "schema" / "rollback.schema.json": _json(policy_schema()),
        ROOT / "schema" / "cdk.schema.json": _json(cdk_json_schema()),
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _page(cls: type, title: str) -> Iterator[str]:
    """A section for a type, then one for each type in its fields."""
    yield f"## `{title}`\n"
    yield f"{(cls.__doc__ or '').strip()}\n"
    yield "| field | type | default | meaning |\n|---|---|---|---|"
    below: list[tuple[type, str]] = []
    for field in fields_of(cls):
        doc = field.note(Doc)
        shown = "" if field.required else f"`{json.dumps(write(field.default))}`"
        if field.default is None:
            shown = "absent"
        if field.name == "kind" or field.required:
            shown = "**required**"
        elif any(is_dataclass(inner) for inner in _types(field)):
            shown = "see below" if not isinstance(field.default, tuple) else shown
        yield f"| `{field.name}` | {_type_words(field)} | {shown} | {doc.text if doc else ''} |"
        below += [
            (inner, f"{title}.{field.name}{_suffix(field, inner)}")
            for inner in _types(field)
            if is_dataclass(inner)
        ]
    yield ""
    for inner, name in below:
        yield from _page(inner, name)


def _suffix(field: Field, inner: type) -> str:
    many = "[]" if get_origin(field.hint) is tuple else ""
    kind = kind_of(inner)
    return f"{many} ({kind})" if kind else many


def _types(field: Field) -> tuple[type, ...]:
    hint = get_args(field.hint)[0] if get_origin(field.hint) is tuple else field.hint
    return members_of(hint)


def _type_words(field: Field) -> str:
    many = "list of " if get_origin(field.hint) is tuple else ""
    (first, *_) = _types(field)
    pattern, limits = field.note(Pattern), field.note(Limits)
    if field.name == "kind":
        return f'`"{get_args(field.hint)[0]}"`'
    if pattern:
        return many + pattern.words
    if isinstance(first, type) and issubclass(first, Enum):
        return " or ".join(f'`"{member.value}"`' for member in first)
    if is_dataclass(first):
        return many + ("objects" if many else "object")
    name = {int: "whole number", float: "number", str: "string", bool: "true or false"}.get(
        first, "strings"
    )
    span = f", {limits.minimum:,.10g} to {limits.maximum:,.10g}" if limits else ""
    return many + name + span


if __name__ == "__main__":
    for path, text in published().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
