"""What is over, read for people: the archive, service by service, and what was said of it.

The archive of a service stands beside its row (`sk` = `incident#<id>`), and an id begins with its
instant, so one Query a service reads just the weeks that are asked for. A Scan would read the whole
table each time, four hundred days of it. At three hundred services a week's digest reads about
three hundred half units and costs a few thousandths of a cent.

Facts relied on (DynamoDB API reference): Query reads one partition key and a range of sort keys, in
order, up to 1 MB a page; read eventually it costs half a unit for each 4 KB, at least that.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain import naming
from rollback_responder.domain.errors import JournalError, RowDamaged
from rollback_responder.domain.incident import Incident
from rollback_responder.journal import attributes
from rollback_responder.journal.budget import KEY as SWITCHES
from rollback_responder.journal.budget import paused_by_of
from rollback_responder.journal.codec import decode_incident
from rollback_responder.pages import pages
from rollback_responder.ports import Chapter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INCIDENT, LABEL = "incident#", "label#"
# Sorts after every id that begins with the same instant.
LAST = "~"


class DynamoDbAnnals:
    """The archive in one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def chapter(self, services: Collection[str], *, since_at: datetime, now: datetime) -> Chapter:
        """See `Annals.chapter`. One Query for each service; another where incidents ended."""
        incidents: list[Incident] = []
        labels: dict[str, bool] = {}
        damages: list[str] = []
        span = naming.incident_id(since_at, ""), naming.incident_id(now, LAST)
        for service in sorted(services):
            found = list(self._between(service, INCIDENT, span))
            for item in found:
                try:
                    incidents.append(decode_incident(attributes.text(item, "archive") or ""))
                except RowDamaged as error:
                    damages.append(f"{item['sk']['S'].removeprefix(INCIDENT)}: {error}")
            for item in self._between(service, LABEL, span) if found else ():
                name = item["sk"]["S"].removeprefix(LABEL)
                try:
                    labels[name] = bool(attributes.flag(item, "is_right"))
                except RowDamaged as error:
                    damages.append(f"{name}: {error}")
        return Chapter(incidents=tuple(incidents), labels=labels, damages=tuple(damages))

    def paused_by(self) -> str | None:
        """See `Annals.paused_by`. One GetItem."""
        key: Any = SWITCHES
        try:
            item: Any = self._client.get_item(TableName=self._table, Key=key).get("Item", {})
        except AwsError as error:
            raise JournalError(f"GetItem: {name_of(error)}") from error
        return paused_by_of(item)

    def _between(self, service: str, prefix: str, span: tuple[str, str]) -> Iterator[Any]:
        first, last = span
        try:
            asking = partial(
                self._client.query,
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": f"service#{service}"},
                    ":first": {"S": f"{prefix}{first}"},
                    ":last": {"S": f"{prefix}{last}"},
                },
            )
            for page in pages(asking, "LastEvaluatedKey", "ExclusiveStartKey"):
                yield from page["Items"]
        except AwsError as error:
            raise JournalError(f"Query: {name_of(error)}") from error
