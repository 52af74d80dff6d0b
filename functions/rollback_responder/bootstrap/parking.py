"""Where that is parked which can never be answered."""

import re
from collections.abc import Callable
from functools import cache, partial

from rollback_responder import bootstrap
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import QueueError
from rollback_responder.domain.redaction import redacted

# What SQS takes at most is 1,048,576 bytes; the attributes of a parked message are a few hundred.
LARGEST_PARKED = 1_040_000
NOT_TAKEN = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def parking(queue_url: str, client: bootstrap.Client) -> Callable[[str, str, str], None]:
    """Parks a message in a queue, with the reason and the detail as attributes.

    What SQS would not take is made to fit, so that bad input is parked at once and never comes
    again. That is rare, so no cold start waits for its client.
    """
    sqs = cache(partial(client, "sqs", bootstrap.READS))

    def park(body: str, reason: str, detail: str) -> None:
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("reason", reason), ("detail", _takeable(redacted(detail)[:256])))
        }
        text = _takeable(body)
        try:
            sqs().send_message(QueueUrl=queue_url, MessageBody=text, MessageAttributes=attributes)
        except AwsError as error:
            raise QueueError(f"a message could not be parked: {name_of(error)}") from error

    return park


def _takeable(text: str) -> str:
    """The text as SQS takes it: at least one character, none but its own, not too many bytes.

    Sources: SQS API reference, SendMessage (the characters; 1 MiB together with the attributes).
    """
    fit = re.sub(NOT_TAKEN, "\ufffd", text).encode()[:LARGEST_PARKED].decode(errors="ignore")
    return fit or "(empty)"
