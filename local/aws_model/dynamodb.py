"""The model of DynamoDB tables: what GetItem, PutItem, UpdateItem and their kin promise.

In process, strict, and fast enough for a simulation: a method takes what the SDK client's method
takes, and answers or raises what that one does (without ``ResponseMetadata`` in an answer), so code
written for the client runs on it unchanged. It has no DeleteItem. Every table has the key ``pk``,
``sk``, both texts. Expressions are read once (`dynamodb_expressions`), values are kept in one form
(`dynamodb_values`). An item that is kept is never changed, only replaced, and neither requests nor
answers share with it what can change.

Rules, each from the DynamoDB API reference unless stated: a write is all or nothing and its
condition sees the item that is there; a refused condition answers the item with ALL_OLD; an update
of an item that is not there makes one; BatchGetItem takes up to 100 keys, none twice, and answers
in no order (here: from the last key to the first); Query reads one partition in the order of its
sort keys; TransactWriteItems takes up to 100 actions, none on one item twice, and the same
ClientRequestToken is applied once within ten minutes; a write that changes nothing writes no stream
record (developer guide, "Change data capture for DynamoDB Streams").

Assumed: an update whose expression only removes makes an item too; UPDATED_OLD and UPDATED_NEW
answer what the expression names, changed or not, and an answer without attributes has no member
Attributes; a token whose transaction was cancelled may be used again; the ten minutes include their
end. Every read is consistent: that is one of the answers which an eventually consistent read may
give, not all of them. Throttling, conflicts of transactions and limits of a call's bytes are not
modelled.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from local.aws_model.dynamodb_errors import (
    FAILED_CHECK,
    NO_REASON,
    Refused,
    canceled,
    check_failed,
    invalid,
    no_table,
    not_served,
    token_mismatch,
)
from local.aws_model.dynamodb_expressions import Plan, plan
from local.aws_model.dynamodb_requests import (
    ON_FAILURE,
    ON_PUT,
    ON_UPDATE,
    Key,
    action_of,
    batch_of,
    check_flag,
    check_transaction,
    check_word,
    item_of,
    key_of,
    refuse_unknown,
)
from local.aws_model.dynamodb_values import Item, Values, check_item_size, shown_item

# The item as it was and as it is, to be read and not to be changed.
Listener: TypeAlias = Callable[[Item | None, Item | None], None]

TOKEN_KEPT = timedelta(minutes=10)
_NO_ITEM: Item = {}
# A key condition names the partition by equality, and of the sort key nothing or one range.
_KEY_CONDITION = re.compile(r"pk = :\w+( AND (sk BETWEEN :\w+ AND :\w+|begins_with\(sk, :\w+\)))?$")


class _Action(NamedTuple):
    """One write; two of them are equal if they ask for the same."""

    table: str
    key: Key
    plan: Plan
    values: Values
    item: Item | None = None
    failure: str | None = None


def _unheard(_: Item | None, __: Item | None) -> None:
    """Listen to nothing."""


class DynamoDb:
    """Tables, empty at first.

    Attributes:
        listener: called after each change of an item, when all of a request's changes are made.
    """

    def __init__(self, *tables: str, clock: Callable[[], datetime]) -> None:
        self.listener: Listener = _unheard
        self._clock = clock
        self._tables: dict[str, dict[Key, Item]] = {table: {} for table in tables}
        self._tokens: dict[str, list[_Action]] = {}
        self._tokens_since: deque[tuple[datetime, str]] = deque()

    def items(self, table: str) -> list[Item]:
        """Return every item of a table in the order of the keys, for whoever looks from outside."""
        kept = self._tables[table]
        return [shown_item(kept[key]) for key in sorted(kept)]

    # -- reading --------------------------------------------------------------------------------

    def get_item(
        self,
        *,
        TableName: str,
        Key: Mapping[str, Any],
        ConsistentRead: bool = False,
        **unknown: Any,
    ) -> dict[str, Any]:
        """GetItem."""
        try:
            refuse_unknown(unknown)
            check_flag(ConsistentRead)
            item = self._table(TableName).get(key_of(Key))
        except Refused as refused:
            raise refused.as_sdk("GetItem") from None
        return {} if item is None else {"Item": shown_item(item)}

    def batch_get_item(
        self,
        *,
        RequestItems: Mapping[str, Any],
        **unknown: Any,
    ) -> dict[str, Any]:
        """BatchGetItem; nothing is ever left unprocessed."""
        try:
            refuse_unknown(unknown)
            batch = batch_of(RequestItems)
            found = {
                table: [items[key] for key in reversed(keys) if key in items]
                for table, keys in batch
                for items in (self._table(table),)
            }
        except Refused as refused:
            raise refused.as_sdk("BatchGetItem") from None
        responses = {table: [shown_item(item) for item in items] for table, items in found.items()}
        return {"Responses": responses, "UnprocessedKeys": {}}

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Mapping[str, Any],
        ConsistentRead: bool = False,
        **unknown: Any,
    ) -> dict[str, Any]:
        """Query: one partition, in the order of the sort keys, all on one page."""
        try:
            refuse_unknown(unknown)
            check_flag(ConsistentRead)
            if not _KEY_CONDITION.match(KeyConditionExpression):
                raise not_served(f"the key condition {KeyConditionExpression}")
            expressions = plan(None, KeyConditionExpression, None)
            values = expressions.values(ExpressionAttributeValues)
            items, meets = self._table(TableName), expressions.condition
            found = [items[key] for key in sorted(items) if meets and meets(items[key], values)]
        except Refused as refused:
            raise refused.as_sdk("Query") from None
        shown = [shown_item(item) for item in found]
        return {"Items": shown, "Count": len(shown), "ScannedCount": len(shown)}

    # -- writing --------------------------------------------------------------------------------

    def put_item(
        self,
        *,
        TableName: str,
        Item: Mapping[str, Any],
        ConditionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Mapping[str, Any] | None = None,
        ReturnValues: str | None = None,
        ReturnValuesOnConditionCheckFailure: str | None = None,
        **unknown: Any,
    ) -> dict[str, Any]:
        """PutItem."""
        try:
            refuse_unknown(unknown)
            check_word("returnValues", ReturnValues, ON_PUT)
            check_word(
                "returnValuesOnConditionCheckFailure",
                ReturnValuesOnConditionCheckFailure,
                ON_FAILURE,
            )
            key, item = item_of(Item)
            expressions = plan(None, ConditionExpression, ExpressionAttributeNames)
            values = expressions.values(ExpressionAttributeValues)
            items = self._table(TableName)
            old = items.get(key)
            if expressions.condition and not expressions.condition(old or _NO_ITEM, values):
                raise check_failed(_asked_for(old, ReturnValuesOnConditionCheckFailure))
            check_item_size(item)
        except Refused as refused:
            raise refused.as_sdk("PutItem") from None
        items[key] = item
        self._tell(old, item)
        if ReturnValues == "ALL_OLD" and old is not None:
            return {"Attributes": shown_item(old)}
        return {}

    def update_item(
        self,
        *,
        TableName: str,
        Key: Mapping[str, Any],
        UpdateExpression: str,
        ConditionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Mapping[str, Any] | None = None,
        ReturnValues: str | None = None,
        ReturnValuesOnConditionCheckFailure: str | None = None,
        **unknown: Any,
    ) -> dict[str, Any]:
        """UpdateItem."""
        try:
            refuse_unknown(unknown)
            check_word("returnValues", ReturnValues, ON_UPDATE)
            check_word(
                "returnValuesOnConditionCheckFailure",
                ReturnValuesOnConditionCheckFailure,
                ON_FAILURE,
            )
            expressions = plan(UpdateExpression, ConditionExpression, ExpressionAttributeNames)
            values = expressions.values(ExpressionAttributeValues)
            items = self._table(TableName)
            key = key_of(Key)
            old = items.get(key)
            if expressions.condition and not expressions.condition(old or _NO_ITEM, values):
                raise check_failed(_asked_for(old, ReturnValuesOnConditionCheckFailure))
            new = _updated(expressions, key, old, values)
        except Refused as refused:
            raise refused.as_sdk("UpdateItem") from None
        items[key] = new
        self._tell(old, new)
        if ReturnValues is None or ReturnValues == "NONE":
            return {}
        answered = new if ReturnValues.endswith("NEW") else old or _NO_ITEM
        if ReturnValues.startswith("UPDATED") and expressions.update:
            answered = {
                name: answered[name] for name in expressions.update.paths if name in answered
            }
        return {"Attributes": shown_item(answered)} if answered else {}

    def transact_write_items(
        self,
        *,
        TransactItems: list[Mapping[str, Any]],
        ClientRequestToken: str | None = None,
        **unknown: Any,
    ) -> dict[str, Any]:
        """TransactWriteItems: Put, Update and ConditionCheck."""
        try:
            refuse_unknown(unknown)
            check_transaction(TransactItems, ClientRequestToken)
            actions = [self._action(*action_of(entry)) for entry in TransactItems]
            if len({(action.table, action.key) for action in actions}) != len(actions):
                raise invalid("Transaction request cannot include multiple operations on one item")
            if self._is_repeated(ClientRequestToken, actions):
                return {}
            writes = self._writes(actions)
        except Refused as refused:
            raise refused.as_sdk("TransactWriteItems") from None
        if ClientRequestToken is not None:
            self._tokens[ClientRequestToken] = actions
            self._tokens_since.append((self._clock(), ClientRequestToken))
        changes = []
        for action, new in writes:
            items = self._tables[action.table]
            changes.append((items.get(action.key), new))
            items[action.key] = new
        for old, new in changes:
            self._tell(old, new)
        return {}

    # -- how ------------------------------------------------------------------------------------

    def _table(self, name: str) -> dict[Key, Item]:
        items = self._tables.get(name)
        if items is None:
            raise no_table()
        return items

    def _tell(self, old: Item | None, new: Item) -> None:
        if self.listener is not _unheard and old != new:
            self.listener(old, new)

    def _action(self, name: str, members: Mapping[str, Any]) -> _Action:
        failure = members.get("ReturnValuesOnConditionCheckFailure")
        check_word("returnValuesOnConditionCheckFailure", failure, ON_FAILURE)
        expressions = plan(
            members.get("UpdateExpression"),
            members.get("ConditionExpression"),
            members.get("ExpressionAttributeNames"),
        )
        values = expressions.values(members.get("ExpressionAttributeValues"))
        self._table(members["TableName"])
        key, item = item_of(members["Item"]) if name == "Put" else (key_of(members["Key"]), None)
        return _Action(members["TableName"], key, expressions, values, item, failure)

    def _is_repeated(self, token: str | None, actions: list[_Action]) -> bool:
        if token is None:
            return False
        oldest = self._clock() - TOKEN_KEPT
        while self._tokens_since and self._tokens_since[0][0] < oldest:
            del self._tokens[self._tokens_since.popleft()[1]]
        if token not in self._tokens:
            return False
        if self._tokens[token] != actions:
            raise token_mismatch()
        return True

    def _writes(self, actions: list[_Action]) -> list[tuple[_Action, Item]]:
        """The items to be; a transaction is cancelled with a reason for each of its actions.

        An item that an update does not fit is the reason ValidationError (the SDK's service model,
        on TransactionCanceledException).
        """
        reasons: list[Mapping[str, Any]] = []
        writes: list[tuple[_Action, Item]] = []
        for action in actions:
            old = self._tables[action.table].get(action.key)
            try:
                if action.plan.condition and not action.plan.condition(
                    old or _NO_ITEM, action.values
                ):
                    raise check_failed(_asked_for(old, action.failure))
                if action.plan.update:
                    writes.append((action, _updated(action.plan, action.key, old, action.values)))
                elif action.item is not None:
                    check_item_size(action.item)
                    writes.append((action, action.item))
            except Refused as refused:
                reasons.append(_reason(refused))
            else:
                reasons.append(NO_REASON)
        if any(reason is not NO_REASON for reason in reasons):
            raise canceled([dict(reason) for reason in reasons])
        return writes


def _updated(expressions: Plan, key: Key, old: Item | None, values: Values) -> Item:
    assert expressions.update is not None
    item = {"pk": {"S": key[0]}, "sk": {"S": key[1]}} if old is None else old
    new = expressions.update.applied(item, values)
    check_item_size(new)
    return new


def _asked_for(old: Item | None, failure: str | None) -> Item | None:
    return shown_item(old) if failure == "ALL_OLD" and old is not None else None


def _reason(refused: Refused) -> dict[str, Any]:
    if refused.code == "ValidationException":
        return {"Code": "ValidationError", "Message": refused.message}
    reason: dict[str, Any] = {"Code": "ConditionalCheckFailed", "Message": FAILED_CHECK}
    if "Item" in refused.members:
        reason["Item"] = refused.members["Item"]
    return reason
