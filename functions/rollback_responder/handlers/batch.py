"""One Lambda event is one message or a batch of them; a bad one never holds up the others."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from rollback_responder.domain.errors import RollbackError, SignalError

logger = logging.getLogger(__name__)

Message = str | Mapping[str, Any]


def answer_all(
    event: Any,
    answer: Callable[[Message], None],
    reject: Callable[[str, SignalError], None],
) -> dict[str, Any]:
    """Answers every message of an event.

    Args:
        event: records of a queue or a topic, or one message as it is.
        answer: answers one message. `SignalError` means it never can be; any other `RollbackError`
            that it may be tried again.
        reject: parks a message that can never be answered.

    Returns:
        What the queue needs to deliver again only what failed (`batchItemFailures`).

    Raises:
        RollbackError: a message that came without a queue failed; Lambda delivers it again.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        _answer_one(event, answer, reject)
        return {}
    failures = []
    for record in records:
        if not isinstance(record, Mapping) or not {"body", "messageId"} <= record.keys():
            _answer_one(record, answer, reject)
            continue
        try:
            _answer_one(record["body"], answer, reject)
        except RollbackError as error:
            logger.warning("to be tried again: %s", error)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _answer_one(
    message: Message,
    answer: Callable[[Message], None],
    reject: Callable[[str, SignalError], None],
) -> None:
    try:
        answer(message)
    except SignalError as error:
        reject(message if isinstance(message, str) else json.dumps(message, default=str), error)
