"""What the journal still holds, for a record: rows, and every incident in the archive."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.situation import Switches
from rollback_responder.journal import attributes
from rollback_responder.journal.codec import decode_incident
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.ports import Row


class Kept(Struct, frozen=True, kw_only=True):
    """What the journal holds: rows by service, and every incident that is still kept."""

    rows: Mapping[str, Row]
    incidents: tuple[Incident, ...]
    switches: Switches


def kept_in(policy: Policy, client_of: Callable[[str], Any], table: str | None) -> Kept:
    """What the journal's table holds; nothing where none is named.

    Raises:
        JournalError: it could not be read.
    """
    services = [service.name for service in policy.services]
    if table is None:
        return Kept(rows={}, incidents=(), switches=Switches())
    dynamodb = client_of("dynamodb")
    rows = DynamoDbJournal(dynamodb, table, timedelta(0)).rows(services)
    found: list[Incident] = []
    for name in services:
        pages = _archive(dynamodb, table, name)
        items = [item for page in pages for item in page["Items"]]
        found += [decode_incident(attributes.text(item, "archive") or "") for item in items]
    return Kept(rows=rows, incidents=tuple(found), switches=Switches())


def _archive(dynamodb: Any, table: str, service: str) -> list[Any]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={
            ":pk": {"S": f"service#{service}"},
            ":prefix": {"S": "incident#"},
        },
    )
    try:
        return list(pages)
    except AwsError as error:
        what = f"the incidents of {service} could not be read: {name_of(error)}"
        raise JournalError(what) from error
