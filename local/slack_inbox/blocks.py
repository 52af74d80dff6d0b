"""Block Kit, validated against the limits that Slack publishes.

Source: Slack's Block Kit reference ("Blocks", "Block elements", "Composition objects"). Blocks for
messages only; what is not modelled here (``rich_text``, ``video``, menus, inputs) is refused.

One limit is not published: all blocks of a message together. Slack answers ``msg_blocks_too_long``
above some 13,200 characters, of which each block takes about a hundred for itself (measured by
others, issue 2509 of slackapi/bolt-js).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = Any
Problems: TypeAlias = Iterator[str]

_MAX_BLOCKS = 50
_MAX_ID = 255
_MAX_TEXT = 3000
_MAX_URL = 3000
_EACH_BLOCK = 100
MAX_SIZE = 13_200


def size(blocks: Sequence[Json]) -> int:
    """How much the blocks of a message are together; above `MAX_SIZE` they are too long."""
    return sum(len(json.dumps(block, ensure_ascii=False)) + _EACH_BLOCK for block in blocks)


def problems(blocks: Json) -> list[str]:
    """Return what is wrong with the blocks of a message, each with its path; empty if nothing is.

    Args:
        blocks: what a request gave, of any type.
    """
    return list(_message(blocks))


def _message(blocks: Json) -> Problems:
    if not isinstance(blocks, list):
        yield "blocks: must be a list"
        return
    if len(blocks) > _MAX_BLOCKS:
        yield f"blocks: no more than {_MAX_BLOCKS} items allowed"
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        path = f"blocks[{index}]"
        kind = block.get("type") if isinstance(block, dict) else None
        check = _BLOCKS.get(kind) if isinstance(kind, str) else None
        if check is None:
            yield f"{path}: unsupported type: {kind}"
            continue
        yield from check(block, path)
        if "block_id" in block:
            yield from _string(block, "block_id", path, _MAX_ID)
            if str(block["block_id"]) in seen:
                yield f"{path}.block_id: must be unique"
            seen.add(str(block["block_id"]))


def _keys(value: Mapping[str, Json], path: str, required: set[str], optional: set[str]) -> Problems:
    for name in sorted(required - set(value)):
        yield f"{path}: missing required field: {name}"
    for name in sorted(set(value) - required - optional - {"type", "block_id"}):
        yield f"{path}: additional property: {name}"


def _string(value: Mapping[str, Json], name: str, path: str, limit: int) -> Problems:
    text = value.get(name)
    if text is None:
        return
    if not isinstance(text, str):
        yield f"{path}.{name}: must be a string"
    elif not 1 <= len(text) <= limit:
        yield f"{path}.{name}: must have 1 to {limit} characters"


def _text(value: Json, path: str, limit: int, *, plain: bool = False) -> Problems:
    """Check a text object."""
    if not isinstance(value, dict):
        yield f"{path}: must be a text object"
        return
    kinds = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
    if value.get("type") not in kinds:
        yield f"{path}.type: must be one of {', '.join(sorted(kinds))}"
    own = "emoji" if value.get("type") == "plain_text" else "verbatim"
    yield from _keys(value, path, {"text"}, {own})
    if not isinstance(value.get(own, False), bool):
        yield f"{path}.{own}: must be true or false"
    yield from _string(value, "text", path, limit)


def _elements(
    block: Mapping[str, Json], path: str, limit: int, check: Callable[[Json, str], Problems]
) -> Problems:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= limit:
        yield f"{path}.elements: must have 1 to {limit} items"
        return
    seen: set[str] = set()
    for index, element in enumerate(elements):
        where = f"{path}.elements[{index}]"
        yield from check(element, where)
        action = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(action, str):
            if action in seen:
                yield f"{where}.action_id: must be unique in its block"
            seen.add(action)


def _header(block: Mapping[str, Json], path: str) -> Problems:
    yield from _keys(block, path, {"text"}, set())
    if "text" in block:
        yield from _text(block["text"], f"{path}.text", 150, plain=True)


def _section(block: Mapping[str, Json], path: str) -> Problems:
    yield from _keys(block, path, set(), {"text", "fields", "accessory", "expand"})
    if "text" not in block and "fields" not in block:
        yield f"{path}: must have text or fields"
    if "text" in block:
        yield from _text(block["text"], f"{path}.text", _MAX_TEXT)
    if "fields" in block:
        fields = block["fields"]
        if not isinstance(fields, list) or not 1 <= len(fields) <= 10:  # noqa: PLR2004 - published
            yield f"{path}.fields: must have 1 to 10 items"
            return
        for index, one in enumerate(fields):
            yield from _text(one, f"{path}.fields[{index}]", 2000)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{path}.accessory")


def _context(block: Mapping[str, Json], path: str) -> Problems:
    yield from _keys(block, path, {"elements"}, set())
    yield from _elements(block, path, 10, _context_element)


def _context_element(element: Json, path: str) -> Problems:
    if isinstance(element, dict) and element.get("type") == "image":
        yield from _image_element(element, path)
    else:
        yield from _text(element, path, _MAX_TEXT)


def _divider(block: Mapping[str, Json], path: str) -> Problems:
    yield from _keys(block, path, set(), set())


def _actions(block: Mapping[str, Json], path: str) -> Problems:
    yield from _keys(block, path, {"elements"}, set())
    yield from _elements(block, path, 25, _button)


def _element(element: Json, path: str) -> Problems:
    if isinstance(element, dict) and element.get("type") == "image":
        yield from _image_element(element, path)
    else:
        yield from _button(element, path)


def _image_element(element: Mapping[str, Json], path: str) -> Problems:
    yield from _keys(element, path, {"image_url", "alt_text"}, set())
    yield from _string(element, "image_url", path, _MAX_URL)
    yield from _string(element, "alt_text", path, 2000)


def _button(element: Json, path: str) -> Problems:
    if not isinstance(element, dict) or element.get("type") != "button":
        yield f"{path}: unsupported element"
        return
    optional = {"action_id", "url", "value", "style", "confirm", "accessibility_label"}
    yield from _keys(element, path, {"text"}, optional)
    if "text" in element:
        yield from _text(element["text"], f"{path}.text", 75, plain=True)
    yield from _string(element, "action_id", path, _MAX_ID)
    yield from _string(element, "url", path, _MAX_URL)
    yield from _string(element, "value", path, 2000)
    yield from _string(element, "accessibility_label", path, 75)
    yield from _style(element, path)
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{path}.confirm")


def _confirm(value: Json, path: str) -> Problems:
    if not isinstance(value, dict):
        yield f"{path}: must be a confirmation dialog"
        return
    limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
    yield from _keys(value, path, set(limits), {"style"})
    for name, limit in limits.items():
        if name in value:
            yield from _text(value[name], f"{path}.{name}", limit, plain=True)
    yield from _style(value, path)


def _style(value: Mapping[str, Json], path: str) -> Problems:
    if value.get("style", "primary") not in ("primary", "danger"):
        yield f"{path}.style: must be primary or danger"


_BLOCKS: Mapping[str, Callable[[Mapping[str, Json], str], Problems]] = {
    "actions": _actions,
    "context": _context,
    "divider": _divider,
    "header": _header,
    "section": _section,
}
