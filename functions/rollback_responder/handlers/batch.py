"""One Lambda event is one message or a batch of them; a bad one never holds up the others."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from rollback_responder.domain.errors import RollbackError, SignalError

logger = logging.getLogger(__name__)

Message = str | Mapping[str, Any]


def messages_of(event: Any) -> list[Message]:
    """The messages of an event, as they are handed to `answer` one by one."""
    records = _records_of(event)
    if records is None:
        return [event]
    return [record["body"] if _is_queued(record) else record for record in records]


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
    records = _records_of(event)
    if records is None:
        _answer_one(event, answer, reject)
        return {}
    failures = []
    for record in records:
        if not _is_queued(record):
            _answer_one(record, answer, reject)
            continue
        try:
            _answer_one(record["body"], answer, reject)
        except RollbackError as error:
            logger.warning("to be tried again: %s", error)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _records_of(event: Any) -> list[Any] | None:
    records = event.get("Records") if isinstance(event, Mapping) else None
    return records if isinstance(records, list) else None


def _is_queued(record: Any) -> bool:
    return isinstance(record, Mapping) and {"body", "messageId"} <= record.keys()


def _answer_one(
    message: Message,
    answer: Callable[[Message], None],
    reject: Callable[[str, SignalError], None],
) -> None:
    try:
        answer(message)
    except SignalError as error:
        reject(message if isinstance(message, str) else _text_of(message), error)


def _text_of(message: Any) -> str:
    """A message as text, to be parked; one nested too deep to be written says that it was."""
    try:
        return json.dumps(message, default=str)
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: the message cannot be written"
