"""What is asked of the SDK beyond its defaults: UTC, whole answers, little data, few roots.

A function that wakes up once a month pays for all of it at the worst moment
(bench/hot_path/README.md has the figures).
"""

import json
import logging
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import SSLError
from botocore.httpsession import where
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

logger = logging.getLogger(__name__)

# Shipped beside the package by infra/package.py; not there on a person's own machine.
DATA = Path(__file__).resolve().parent.parent / "sdk"
ROOTS = "roots.pem"
NOT_SIGNED = "CERTIFICATE_VERIFY_FAILED"


def tell_utc(session: Any) -> None:
    """Gives every instant in UTC: the SDK's own parser gives some in the machine's zone, slowly."""
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_utc)


def _utc(value: Any) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=UTC)
    instant: datetime = parse_timestamp(value)
    return instant.astimezone(UTC)


def refuse_half_answers(session: Any) -> None:
    """Has its clients raise ResponseParserError where an answer ends in the middle.

    It is an error as any other then: after an act the target is looked at, and what was to be read
    was not. Of XML the SDK raises it itself. Half of a JSON document it takes for a message
    (botocore, `BaseJSONParser._parse_body_as_json`), and an empty body for an answer that says
    nothing: a muted alarm then passes for one that is not.
    """
    session.register("after-call", _check_document)


def _check_document(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
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


def read_only(session: Any, data: Path) -> None:
    """Makes a session read no data but ours, which holds only what is called."""
    loader = Loader([str(data)], include_default_search_paths=False)
    session.register_component("data_loader", loader)


def few_roots(data: Path, aside: Path) -> tuple[Path, Callable[..., int | None]]:
    """A file with AWS's own roots, and what puts all of the SDK's in their place.

    The SDK reads the file for every connection that it opens (urllib3), and 126 roots take it
    twenty times as long as five. AWS's endpoints have certificates of Amazon Trust Services, whose
    roots these are (amazontrust.com/repository); where one has not, the second value, as a handler
    of the SDK's `needs-retry` event, widens the file and has the call sent: it was not, for the
    handshake failed.
    """
    # Of this process alone, wherever several share a folder.
    path = aside / f"{os.getpid()}-{ROOTS}"
    shutil.copyfile(data / ROOTS, path)

    def widen(caught_exception: Exception | None = None, **_: Any) -> int | None:
        if not isinstance(caught_exception, SSLError) or NOT_SIGNED not in str(caught_exception):
            return None
        every = Path(where())
        if path.stat().st_size == every.stat().st_size:
            return None
        logger.warning("none of Amazon's roots signed it, so all are trusted: %s", caught_exception)
        whole = path.with_suffix(".whole")
        shutil.copyfile(every, whole)
        whole.replace(path)
        return 0

    return path, widen
