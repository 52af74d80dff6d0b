"""The journal in DynamoDB.

A service's row (`pk` = `service#<name>`, `sk` = `row`) has `ledgers` and `incident` as JSON text,
and while somebody holds it `claim_id`, `claim_until` (epoch milliseconds), `claim_acts` and
`claim_inherited`. `closed_by` is the last claim that was closed: it tells a lost reply from a lost
claim. `controls` is what people and pipelines say of the service, as JSON text; only they write it.
An incident that ended is copied to `sk` = `incident#<id>` in the same transaction, with
`expires_at`.

Facts relied on (DynamoDB API reference): a refused condition returns the item as it stands with
ReturnValuesOnConditionCheckFailure=ALL_OLD; a transaction with the same ClientRequestToken is
applied once within ten minutes; BatchGetItem takes up to 100 keys and may leave some unprocessed.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.controls import Controls
from rollback_responder.domain.errors import ClaimLost, JournalError, RowDamaged
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.release import Ledger
from rollback_responder.journal import attributes
from rollback_responder.journal.codec import (
    decode_controls,
    decode_incident,
    decode_ledgers,
    encode,
    encode_ledgers,
)
from rollback_responder.ports import Claim, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_A_CALL = 100
MOST_TRIES = 5
ROW = "row"
# Long enough for any post-mortem; the ledger itself never expires.
ARCHIVE_KEPT = timedelta(days=400)

Item = Mapping[str, Any]


class DynamoDbJournal:
    """Rows in one table. `lease` must outlast a whole invocation with all its SDK timeouts."""

    def __init__(self, client: "DynamoDBClient", table: str, lease: timedelta) -> None:
        self._client = client
        self._table = table
        self._lease = lease

    def claim(self, service: str, *, claim_id: str, may_act: bool, now: datetime) -> Claim | None:
        """See `Journal.claim`. One UpdateItem; a second one to inherit from a dead holder."""
        until = now + self._lease
        item, refused = self._take(
            service,
            claim_id,
            until,
            "attribute_not_exists(claim_id) OR claim_id = :id",
            may_act=may_act,
        )
        if refused:
            holder, acts, held_until = _holder(item)
            if now <= held_until or (acts and not may_act):
                return None
            item, refused = self._take(
                service,
                claim_id,
                until,
                "claim_id = :holder OR claim_id = :id",
                may_act=may_act,
                holder=holder,
                inherits=acts,
            )
            if refused:
                return None
        return Claim(
            id=claim_id,
            service=service,
            until=until,
            ledgers=_ledgers(item),
            incident=incident_of(item),
            inherited=attributes.words(item, "claim_inherited"),
            controls=_controls(item),
        )

    def keep(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """See `Journal.keep`. One UpdateItem."""
        self._write(claim, self._update(claim, ledgers, incident, closing=False))

    def close(
        self, claim: Claim, *, ledgers: Mapping[str, Ledger], incident: Incident | None
    ) -> None:
        """See `Journal.close`. One UpdateItem; a transaction with the archive where it ended."""
        update = self._update(claim, ledgers, incident, closing=True)
        ended = incident if incident and not incident.is_open else None
        self._write(claim, update, archive=None if ended == claim.incident else ended)

    def rows(self, services: Collection[str]) -> Mapping[str, Row]:
        """See `Journal.rows`. One BatchGetItem for each hundred services."""
        wanted = sorted(services)
        items: list[Item] = []
        for first in range(0, len(wanted), KEYS_A_CALL):
            items += self._batch([_key(service) for service in wanted[first : first + KEYS_A_CALL]])
        return {item["pk"]["S"].removeprefix("service#"): _row(item) for item in items}

    def _take(
        self,
        service: str,
        claim_id: str,
        until: datetime,
        condition: str,
        *,
        may_act: bool,
        holder: str | None = None,
        inherits: bool = False,
    ) -> tuple[Item, bool]:
        """One conditional write: the item, and whether the condition refused it."""
        values: dict[str, Any] = {
            ":id": {"S": claim_id},
            ":until": {"N": str(millis(until))},
            ":acts": {"BOOL": may_act},
        }
        expression = "SET claim_id = :id, claim_until = :until, claim_acts = :acts"
        if holder is not None:
            values[":holder"] = {"S": holder}
        if holder is not None and inherits:
            values[":holders"] = {"SS": [holder]}
            expression += " ADD claim_inherited :holders"
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(service),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            return standing(error), True
        return answer["Attributes"], False

    def _update(
        self,
        claim: Claim,
        ledgers: Mapping[str, Ledger],
        incident: Incident | None,
        *,
        closing: bool,
    ) -> dict[str, Any]:
        sets = ["ledgers = :ledgers"]
        values = {":id": {"S": claim.id}, ":ledgers": {"S": encode_ledgers(ledgers)}}
        if incident:
            sets.append("incident = :incident")
            values[":incident"] = {"S": encode(incident)}
        expression = "SET " + ", ".join([*sets, "closed_by = :id"] if closing else sets)
        if closing:
            expression += " REMOVE claim_id, claim_until, claim_acts, claim_inherited"
        return {
            "TableName": self._table,
            "Key": _key(claim.service),
            "UpdateExpression": expression,
            "ConditionExpression": "claim_id = :id",
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _write(self, claim: Claim, update: dict[str, Any], archive: Incident | None = None) -> None:
        try:
            if archive is None:
                self._client.update_item(**update)
            else:
                put = {"TableName": self._table, "Item": _archived(claim.service, archive)}
                items: Any = [{"Update": update}, {"Put": put}]
                self._client.transact_write_items(
                    TransactItems=items,
                    ClientRequestToken=claim.id,
                )
        except AwsError as error:
            # An own write whose reply was lost and which the SDK repeated looks like a lost claim.
            if standing(error).get("closed_by", {}).get("S") != claim.id:
                raise ClaimLost(f"{claim.service} is no longer held by claim {claim.id}") from error

    def _batch(self, keys: list[dict[str, Any]]) -> list[Item]:
        items: list[Item] = []
        for _ in range(MOST_TRIES):
            try:
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
            except AwsError as error:
                raise JournalError(f"BatchGetItem: {name_of(error)}") from error
            items += answer["Responses"].get(self._table, [])
            keys = answer["UnprocessedKeys"].get(self._table, {"Keys": []})["Keys"]
            if not keys:
                return items
        raise JournalError(f"BatchGetItem left {len(keys)} rows unread after {MOST_TRIES} tries")


def _key(service: str) -> dict[str, Any]:
    return {"pk": {"S": f"service#{service}"}, "sk": {"S": ROW}}


def _archived(service: str, incident: Incident) -> dict[str, Any]:
    last_at = incident.steps[-1].at
    return {
        "pk": {"S": f"service#{service}"},
        "sk": {"S": f"incident#{incident.id}"},
        "archive": {"S": encode(incident)},
        "expires_at": {"N": str(int((last_at + ARCHIVE_KEPT).timestamp()))},
    }


def _row(item: Item) -> Row:
    """One row. A damaged one does not keep the others from being read."""
    try:
        return Row(
            ledgers=_ledgers(item),
            incident=incident_of(item),
            acting_until=_acting_until(item),
            controls=_controls(item),
        )
    except RowDamaged as error:
        return Row(ledgers={}, incident=None, acting_until=None, damage=str(error))


def _ledgers(item: Item) -> Mapping[str, Ledger]:
    text = attributes.text(item, "ledgers")
    return {} if text is None else decode_ledgers(text)


def incident_of(item: Item) -> Incident | None:
    """The incident in a service's row, if there is one.

    Raises:
        RowDamaged: it cannot be read, or is another service's.
    """
    text = attributes.text(item, "incident")
    if text is None:
        return None
    incident, service = decode_incident(text), item["pk"]["S"].removeprefix("service#")
    if incident.service != service:
        raise RowDamaged(f"the incident in the row of {service} is of another service")
    return incident


def _controls(item: Item) -> Controls:
    text = attributes.text(item, "controls")
    return Controls() if text is None else decode_controls(text)


def _holder(item: Item) -> tuple[str, bool, datetime]:
    """Who holds a row, whether they may act, and until when."""
    holder, acts = attributes.text(item, "claim_id"), attributes.flag(item, "claim_acts")
    until = attributes.instant(item, "claim_until")
    if holder is None or acts is None or until is None:
        raise RowDamaged("a row's claim is not whole")
    return holder, acts, until


def _acting_until(item: Item) -> datetime | None:
    if not item.keys() & {"claim_id", "claim_acts", "claim_until"}:
        return None
    _, acts, until = _holder(item)
    return until if acts else None


def standing(error: Exception) -> Item:
    """The item that refused a condition; any other error is the journal's."""
    if isinstance(error, ClientError):
        response: Any = error.response
        if response["Error"]["Code"] == "ConditionalCheckFailedException":
            return cast("Item", response.get("Item", {}))
        for reason in response.get("CancellationReasons", []):
            if reason.get("Code") == "ConditionalCheckFailed":
                return cast("Item", reason.get("Item", {}))
    raise JournalError(f"the journal could not be written: {name_of(error)}") from error


def millis(instant: datetime) -> int:
    """An instant as DynamoDB compares it: milliseconds since the epoch."""
    return int(instant.timestamp() * 1000)
