"""Which incidents were opened close together, in the journal's table.

`pk` = `storm`, `sk` = `row` names the latest gathering (`latest`), how many joined it (`joined`)
and when the first one did (`began_at`, epoch milliseconds). A gathering is `pk` = `storm#<name>`:
an attribute `in <incident>` for each member (service, state, whether a person is needed, as JSON),
`head` names its message, `called_for` is how many needed a person when that rang, and `taken_until`
is there while it is posted. `pk` = `storm-of#<incident>` says which one an incident is in.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import JournalError, RowDamaged
from rollback_responder.domain.incident import State
from rollback_responder.domain.storm import TOGETHER, Gathering, Member
from rollback_responder.journal import attributes
from rollback_responder.journal.dynamodb import ROW, millis, standing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MEMBER = "in "
LATEST: dict[str, Any] = {"pk": {"S": "storm"}, "sk": {"S": ROW}}
KEPT = timedelta(days=30)
# An item holds 400 KB (DynamoDB developer guide, "Quotas"); a member takes less than 200 bytes.
MOST_MEMBERS = 1_000


class DynamoDbStorms:
    """Gatherings in one table. `lease` must outlast the posting of one message."""

    def __init__(self, client: "DynamoDBClient", table: str, lease: timedelta) -> None:
        self._client = client
        self._table = table
        self._lease = lease

    def join(self, incident_id: str, member: Member, now: datetime) -> Gathering:
        """See `Storms.join`. One GetItem, one UpdateItem; at first two more."""
        name = self._gathering_of(incident_id) or self._joined(incident_id, now)
        item = self._write(
            _gathering(name),
            "SET #member = :member, expires_at = :expires",
            names={"#member": f"{MEMBER}{incident_id}"},
            values={":member": {"S": _encoded(member)}, ":expires": _expires(now)},
        )
        members = {
            key.removeprefix(MEMBER): _decoded(attributes.text(item, key) or "")
            for key in item
            if key.startswith(MEMBER)
        }
        return Gathering(
            name=name,
            members=members,
            head=attributes.text(item, "head"),
            called=attributes.number(item, "called_for") or 0,
        )

    def take(self, name: str, now: datetime) -> bool:
        """See `Storms.take`. One UpdateItem."""
        try:
            self._update(
                _gathering(name),
                "SET taken_until = :until",
                "attribute_not_exists(head) AND"
                " (attribute_not_exists(taken_until) OR taken_until < :now)",
                {},
                {":until": _number(now + self._lease), ":now": _number(now)},
            )
        except AwsError as error:
            standing(error)
            return False
        return True

    def record(self, name: str, head: str, *, called: int) -> None:
        """See `Storms.record`. One UpdateItem."""
        values = {":head": {"S": head}, ":called": {"N": str(called)}}
        self._write(
            _gathering(name), "SET head = :head, called_for = :called", names={}, values=values
        )

    def _gathering_of(self, incident_id: str) -> str | None:
        try:
            answer = self._client.get_item(
                TableName=self._table, Key=_of(incident_id), ConsistentRead=True
            )
        except AwsError as error:
            raise JournalError(f"GetItem: {name_of(error)}") from error
        return attributes.text(answer.get("Item", {}), "gathering")

    def _joined(self, incident_id: str, now: datetime) -> str:
        """The gathering that is still open to join, or a new one by the incident's name."""
        name = self._latest(incident_id, now)
        self._write(
            _of(incident_id),
            "SET gathering = :name, expires_at = :expires",
            names={},
            values={":name": {"S": name}, ":expires": _expires(now)},
        )
        return name

    def _latest(self, incident_id: str, now: datetime) -> str:
        values = {
            ":still": _number(now - TOGETHER),
            ":most": {"N": str(MOST_MEMBERS)},
            ":one": {"N": "1"},
        }
        try:
            item = self._update(
                LATEST,
                "ADD joined :one",
                "began_at >= :still AND joined < :most",
                {},
                values,
            )
            return _latest_of(item)
        except AwsError as error:
            standing(error)
        try:
            self._update(
                LATEST,
                "SET latest = :name, began_at = :now, joined = :one",
                "attribute_not_exists(began_at) OR began_at < :still OR joined >= :most",
                {},
                values | {":name": {"S": incident_id}, ":now": _number(now)},
            )
        except AwsError as error:
            # Somebody else began one at the same moment.
            return _latest_of(standing(error))
        return incident_id

    def _write(
        self, key: dict[str, Any], expression: str, *, names: dict[str, str], values: dict[str, Any]
    ) -> Any:
        try:
            return self._update(key, expression, None, names, values)
        except AwsError as error:
            raise JournalError(f"a gathering could not be written: {name_of(error)}") from error

    def _update(
        self,
        key: dict[str, Any],
        expression: str,
        condition: str | None,
        names: dict[str, str],
        values: dict[str, Any],
    ) -> Any:
        given: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        given |= {"ExpressionAttributeNames": names} if names else {}
        if condition:
            given["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        answer: Any = self._client.update_item(
            TableName=self._table,
            Key=key,
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
            **given,
        )
        return answer["Attributes"]


def _gathering(name: str) -> dict[str, Any]:
    return {"pk": {"S": f"storm#{name}"}, "sk": {"S": ROW}}


def _of(incident_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"storm-of#{incident_id}"}, "sk": {"S": ROW}}


def _number(instant: datetime) -> dict[str, str]:
    return {"N": str(millis(instant))}


def _expires(now: datetime) -> dict[str, str]:
    return {"N": str(int((now + KEPT).timestamp()))}


def _encoded(member: Member) -> str:
    return json.dumps([member.service, member.state.value, member.needs_a_person])


def _decoded(text: str) -> Member:
    try:
        service, state, needs_a_person = json.loads(text)
        member = Member(service=service, state=State(state), needs_a_person=needs_a_person)
    except (ValueError, TypeError, RecursionError):
        raise RowDamaged("a member of a gathering cannot be read") from None
    if not (isinstance(service, str) and isinstance(needs_a_person, bool)):
        raise RowDamaged("a member of a gathering cannot be read")
    return member


def _latest_of(item: Mapping[str, Any]) -> str:
    name = attributes.text(item, "latest")
    if not name:
        raise RowDamaged("the latest gathering has no name")
    return name
