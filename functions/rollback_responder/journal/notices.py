"""What was told of each incident: `pk` = `notice#<incident>`, `sk` = `row` in the journal's table.

`told` counts its steps, `head` names its message, `shown` holds the moments that were shown as
pictures, `taken_until` (epoch milliseconds) is there while somebody tells it, `expires_at` lets the
row go long after the incident.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import JournalError
from rollback_responder.journal import attributes
from rollback_responder.journal.dynamodb import ARCHIVE_KEPT, ROW, millis, standing
from rollback_responder.ports import Notice

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDbNotices:
    """Notices in one table. `lease` must outlast one telling."""

    def __init__(self, client: "DynamoDBClient", table: str, lease: timedelta) -> None:
        self._client = client
        self._table = table
        self._lease = lease

    def take(self, incident_id: str, *, steps: int, now: datetime) -> Notice | None:
        """See `Notices.take`. One UpdateItem."""
        try:
            item: Any = self._client.update_item(
                TableName=self._table,
                Key=_key(incident_id),
                UpdateExpression="SET taken_until = :until, expires_at = :expires",
                ConditionExpression=(
                    "(attribute_not_exists(told) OR told < :steps)"
                    " AND (attribute_not_exists(taken_until) OR taken_until < :now)"
                ),
                ExpressionAttributeValues={
                    ":until": {"N": str(millis(now + self._lease))},
                    ":expires": {"N": str(int((now + ARCHIVE_KEPT).timestamp()))},
                    ":steps": {"N": str(steps)},
                    ":now": {"N": str(millis(now))},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )["Attributes"]
        except AwsError as error:
            if (attributes.number(standing(error), "told") or 0) >= steps:
                return None
            raise JournalError(f"incident {incident_id} is being told already") from error
        return Notice(
            told=max(0, attributes.number(item, "told") or 0),
            head=attributes.text(item, "head"),
            shown=frozenset(attributes.words(item, "shown")),
        )

    def record(self, incident_id: str, *, told: int, head: str) -> None:
        """See `Notices.record`. One UpdateItem.

        One that the SDK gave up on may arrive after later ones, and would have them told again.
        """
        values = {":told": {"N": str(told)}, ":head": {"S": head}}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(incident_id),
                UpdateExpression="SET told = :told, head = :head",
                ConditionExpression="attribute_not_exists(told) OR told <= :told",
                ExpressionAttributeValues=values,
            )
        except AwsError as error:
            standing(error)

    def record_shown(self, incident_id: str, moment: str) -> None:
        """See `Notices.record_shown`. One UpdateItem."""
        self._update(incident_id, "ADD shown :moments", {":moments": {"SS": [moment]}})

    def give_back(self, incident_id: str) -> None:
        """See `Notices.give_back`. One UpdateItem."""
        self._update(incident_id, "REMOVE taken_until", None)

    def head(self, incident_id: str) -> str | None:
        """See `Notices.head`. One GetItem, read strongly."""
        try:
            answer = self._client.get_item(
                TableName=self._table, Key=_key(incident_id), ConsistentRead=True
            )
        except AwsError as error:
            raise JournalError(f"GetItem: {name_of(error)}") from error
        return attributes.text(answer.get("Item", {}), "head")

    def _update(self, incident_id: str, expression: str, values: dict[str, Any] | None) -> None:
        given = {"ExpressionAttributeValues": values} if values else {}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(incident_id),
                UpdateExpression=expression,
                **given,  # type: ignore[arg-type] # a mapping of optional arguments
            )
        except AwsError as error:
            raise JournalError(f"a notice could not be written: {name_of(error)}") from error


def _key(incident_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"notice#{incident_id}"}, "sk": {"S": ROW}}
