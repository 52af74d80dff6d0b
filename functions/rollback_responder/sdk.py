"""What is asked of the SDK beyond its defaults: instants in UTC, and whole answers."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp


def tell_utc(session: Any) -> None:
    """Gives every instant in UTC: the SDK's own parser gives some in the machine's zone, slowly."""
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=utc)


@lru_cache(2048)
def utc(value: Any) -> datetime:
    """An instant of an answer, in seconds since 1970 or as text.

    Each series of CloudWatch's has the same minutes: made once, they are also hashed once.
    """
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=UTC)
    instant: datetime = parse_timestamp(value)
    return instant.astimezone(UTC)


def refuse_half_answers(session: Any) -> None:
    """Has its clients raise as `check_document` does."""
    session.register("after-call", check_document)


def check_document(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    """Raises ResponseParserError where an answer ends in the middle.

    It is an error as any other then: after an act the target is looked at, and what was to be read
    was not. Of XML the SDK raises it itself. Half of a JSON document it takes for a message
    (botocore, `BaseJSONParser._parse_body_as_json`), and an empty body for an answer that says
    nothing: a muted alarm then passes for one that is not.
    """
    shape, protocol = model.output_shape, model.service_model.resolved_protocol
    if parsed.keys() - {"ResponseMetadata"} or shape is None or not shape.members:
        return
    content: bytes = http_response.content
    if protocol == "query" and content:
        return
    try:
        json.loads(content)
    except ValueError:
        raise ResponseParserError(f"{model.name}: the answer ends in the middle") from None
