"""The book of what people said, in the journal's table.

A service's `controls` stand in its row, and only this writes them. What was said is an item of its
own, written in the same transaction: `pk` = `said`, `sk` = the instant and a random word, `said` as
JSON text for the notifier, `expires_at`. A label is `sk` = `label#<incident>` beside the incident's
archive.

Facts relied on (DynamoDB API reference, TransactWriteItems): all of its writes are made or none is,
and a condition that fails cancels it, with the item where
ReturnValuesOnConditionCheckFailure=ALL_OLD.
"""

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import JournalError, OrderRefused
from rollback_responder.domain.said import Said
from rollback_responder.journal import attributes, budget
from rollback_responder.journal.codec import (
    decode_controls,
    encode_controls,
    encode_said,
)
from rollback_responder.journal.dynamodb import ARCHIVE_KEPT, ROW, incident_of, standing
from rollback_responder.ports import Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# DynamoDB may take a day or two to forget it (developer guide, "Time to Live"); that is no harm.
NONCES_KEPT = timedelta(hours=1)


class DynamoDbBook:
    """What people said, in one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def page(self, service: str) -> Page:
        """See `Book.page`. One GetItem, read strongly."""
        try:
            answer = self._client.get_item(
                TableName=self._table, Key=_row(service), ConsistentRead=True
            )
        except AwsError as error:
            raise JournalError(f"GetItem: {name_of(error)}") from error
        item: Any = answer.get("Item", {})
        text = attributes.text(item, "controls")
        return Page(
            service=service,
            controls=Controls() if text is None else decode_controls(text),
            incident=incident_of(item),
            written=text,
        )

    def write(self, page: Page, controls: Controls, *, said: Said) -> bool:
        """See `Book.write`. One transaction."""
        condition, values = "attribute_not_exists(controls)", {}
        if page.written is not None:
            condition, values = "controls = :before", {":before": {"S": page.written}}
        update = {
            "Key": _row(page.service),
            "UpdateExpression": "SET controls = :controls",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":controls": {"S": encode_controls(controls)}, **values},
        }
        return self._together({"Update": update}, said=said) is None

    def label(self, service: str, incident_id: str, *, right: bool, said: Said) -> str | None:
        """See `Book.label`. One transaction."""
        archived = {"pk": {"S": f"service#{service}"}, "sk": {"S": f"incident#{incident_id}"}}
        ended = {"Key": archived, "ConditionExpression": "attribute_exists(pk)"}
        label = {
            "Item": {
                "pk": {"S": f"service#{service}"},
                "sk": {"S": f"label#{incident_id}"},
                "is_right": {"BOOL": right},
                "said_by": {"S": said.by},
                "expires_at": _expires(said),
            },
            "ConditionExpression": "attribute_not_exists(is_right) OR is_right <> :right",
            "ExpressionAttributeValues": {":right": {"BOOL": right}},
        }
        found = self._together({"ConditionCheck": ended}, {"Put": label}, said=said)
        if found is None:
            return None
        if "said_by" not in found:
            raise OrderRefused("only an incident that has ended can be judged")
        return attributes.text(found, "said_by")

    def pause(self, by: str, *, said: Said) -> str | None:
        """See `Book.pause`. One transaction."""
        update = {
            "Key": budget.KEY,
            "UpdateExpression": "SET paused_by = :by",
            "ConditionExpression": "attribute_not_exists(paused_by)",
            "ExpressionAttributeValues": {":by": {"S": by}},
        }
        found = self._together({"Update": update}, said=said)
        return None if found is None else budget.paused_by_of(found) or "somebody"

    def resume(self, *, said: Said) -> bool:
        """See `Book.resume`. One transaction."""
        update = {
            "Key": budget.KEY,
            "UpdateExpression": "REMOVE paused_by",
            "ConditionExpression": "attribute_exists(paused_by)",
        }
        return self._together({"Update": update}, said=said) is None

    def is_new(self, nonce: str, now: datetime) -> bool:
        """See `Book.is_new`. One PutItem; it is forgotten when Slack's signature is too old.

        The SDK repeats a call whose reply was lost; the word tells that one from another press.
        """
        word = secrets.token_hex(8)
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": f"press#{nonce}"},
                    "sk": {"S": ROW},
                    "word": {"S": word},
                    "expires_at": {"N": str(int((now + NONCES_KEPT).timestamp()))},
                },
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            return bool(standing(error).get("word", {}).get("S") == word)
        return True

    def _together(self, *writes: dict[str, Any], said: Said) -> Any:
        """All of it in one transaction; the item that refused a condition, or None."""
        items: list[Any] = [
            {kind: {"TableName": self._table, **_told_why(one)}}
            for each in (*writes, {"Put": {"Item": _told(said)}})
            for kind, one in each.items()
        ]
        try:
            self._client.transact_write_items(TransactItems=items)
        except AwsError as error:
            return standing(error)
        return None


def _told_why(one: dict[str, Any]) -> dict[str, Any]:
    has_condition = "ConditionExpression" in one
    return one | ({"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if has_condition else {})


def _told(said: Said) -> dict[str, Any]:
    return {
        "pk": {"S": "said"},
        "sk": {"S": f"{said.at.isoformat()}#{secrets.token_hex(4)}"},
        "said": {"S": encode_said(said)},
        "expires_at": _expires(said),
    }


def _row(service: str) -> dict[str, Any]:
    return {"pk": {"S": f"service#{service}"}, "sk": {"S": ROW}}


def _expires(said: Said) -> dict[str, str]:
    return {"N": str(int((said.at + ARCHIVE_KEPT).timestamp()))}
