"""What people flip and what all services share: `pk` = `switches`, `sk` = `row` in the table.

`paused_by` is there while somebody has paused the responder; only people write it. `hour` counts
hours since the epoch, `spent` holds the claims that set one of its rollbacks aside. One item, so
that one conditional write reads the switch and takes from the budget.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import JournalError
from rollback_responder.domain.situation import Switches
from rollback_responder.journal import attributes
from rollback_responder.journal.dynamodb import ROW, standing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = {"pk": {"S": "switches"}, "sk": {"S": ROW}}
SECONDS_AN_HOUR = 3600
MOST_TRIES = 4


class DynamoDbBudget:
    """Switches and budget in one item."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table
        # The hour that is known to have begun. Rollbacks are rare, so mostly none is.
        self._hour: int | None = None

    def read(self, *, limit: int, now: datetime) -> Switches:
        """See `Budget.read`. One GetItem, strongly consistent."""
        try:
            item = self._client.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
        except AwsError as error:
            raise JournalError(f"the budget could not be read: {name_of(error)}") from error
        found = item.get("Item", {})
        if paused_by := paused_by_of(found):
            return Switches(paused_by=paused_by)
        written = attributes.number(found, "hour") or 0
        spent = len(attributes.words(found, "spent"))
        return Switches(in_budget=hour_of(now) > written or spent < limit)

    def set_aside(self, claim_id: str, *, limit: int, now: datetime) -> Switches:
        """See `Budget.set_aside`. One UpdateItem, which mostly begins an hour; else one more.

        The hour never goes back: a clock that lags behind takes from the hour that has begun.
        """
        hour = hour_of(now)
        for _ in range(MOST_TRIES):
            begins = self._hour != hour
            found = self._begin(claim_id, hour) if begins else self._take(claim_id, hour, limit)
            if found is None:
                self._hour = hour
                return Switches()
            if paused_by := paused_by_of(found):
                return Switches(paused_by=paused_by)
            written = attributes.number(found, "hour")
            if written == hour and not begins:
                return Switches(in_budget=False)
            self._hour = written
            if written is not None:
                hour = max(hour, written)
        raise JournalError("the budget changes too often to be read")

    def give_back(self, claim_id: str) -> None:
        """See `Budget.give_back`. One UpdateItem."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=KEY,
                UpdateExpression="DELETE spent :ids",
                ExpressionAttributeValues={":ids": {"SS": [claim_id]}},
            )
        except AwsError as error:
            raise JournalError(f"the budget could not be written: {name_of(error)}") from error

    def _take(self, claim_id: str, hour: int, limit: int) -> Mapping[str, Any] | None:
        """Takes from this hour's budget; the item as it stands where that was refused."""
        return self._write(
            "ADD spent :ids",
            "attribute_not_exists(paused_by) AND #hour = :hour AND (contains(spent, :id)"
            " OR attribute_not_exists(spent) OR size(spent) < :limit)",
            {
                ":ids": {"SS": [claim_id]},
                ":id": {"S": claim_id},
                ":hour": {"N": str(hour)},
                ":limit": {"N": str(limit)},
            },
        )

    def _begin(self, claim_id: str, hour: int) -> Mapping[str, Any] | None:
        """Begins an hour with this claim in it; the item as it stands where it has begun."""
        return self._write(
            "SET #hour = :hour, spent = :ids",
            "attribute_not_exists(paused_by) AND (attribute_not_exists(#hour) OR #hour < :hour)",
            {":hour": {"N": str(hour)}, ":ids": {"SS": [claim_id]}},
        )

    def _write(
        self, expression: str, condition: str, values: dict[str, Any]
    ) -> Mapping[str, Any] | None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=KEY,
                UpdateExpression=expression,
                ConditionExpression=condition,
                # HOUR is one of DynamoDB's reserved words.
                ExpressionAttributeNames={"#hour": "hour"},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            return standing(error)
        return None


def paused_by_of(item: Mapping[str, Any]) -> str | None:
    """Who paused the responder; a pause that does not say who is a pause all the same.

    Raises:
        RowDamaged: it is no text.
    """
    found = attributes.text(item, "paused_by")
    return "somebody" if found == "" else found


def hour_of(now: datetime) -> int:
    """Hours since the epoch."""
    return int(now.timestamp()) // SECONDS_AN_HOUR
