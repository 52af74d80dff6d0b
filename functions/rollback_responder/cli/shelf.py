"""Where the journal's items stand: in the table, or in an export of it as a file.

An export is what `aws dynamodb scan --table-name <table> --output json` prints: an object with
`Items`, a list of items in DynamoDB's own JSON. A bare list of items will do as well.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.cli.failure import BadUsage
from rollback_responder.domain.errors import JournalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]
SERVICE = "service#"
EXPORT = "aws dynamodb scan --table-name TABLE --output json > journal.json"


class Shelf(Protocol):
    """Items by their keys."""

    def item(self, pk: str, sk: str) -> Item | None:
        """One item.

        Raises:
            JournalError: it could not be read.
        """
        ...

    def items(self, pk: str, prefix: str) -> Iterator[Item]:
        """All items under `pk` whose `sk` begins so; errors as `item`."""
        ...


class TableShelf:
    """The table itself."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def item(self, pk: str, sk: str) -> Item | None:
        """See `Shelf.item`. One GetItem."""
        try:
            answer: Any = self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": pk}, "sk": {"S": sk}},
                ConsistentRead=True,
            )
        except AwsError as error:
            raise self._not_read(error) from error
        found: Item | None = answer.get("Item")
        return found

    def items(self, pk: str, prefix: str) -> Iterator[Item]:
        """See `Shelf.items`. One Query for each page."""
        try:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
            )
            for page in pages:
                yield from page["Items"]
        except AwsError as error:
            raise self._not_read(error) from error

    def _not_read(self, error: Exception) -> JournalError:
        return JournalError(f"the journal's table {self._table} was not read: {name_of(error)}")


class ExportShelf:
    """An export of the table."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = {(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    @classmethod
    def open(cls, path: Path) -> Self:
        """The items of a file.

        Raises:
            BadUsage: it is no export.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise BadUsage(f"{path} is no export: {error}; make one: {EXPORT}") from error
        items = document.get("Items") if isinstance(document, Mapping) else document
        if not isinstance(items, list):
            raise BadUsage(f"{path} holds no list of DynamoDB items; make one: {EXPORT}")
        for number, item in enumerate(items):
            if not _has_keys(item):
                raise BadUsage(
                    f"{path}: item {number} has no pk and sk as DynamoDB writes them; got "
                    f"{str(item)[:60]}; allowed: {{'pk': {{'S': ...}}, 'sk': {{'S': ...}}}}; "
                    f"make the export anew: {EXPORT}"
                )
        return cls(items)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that the export knows, by name."""
        names = {pk.removeprefix(SERVICE) for pk, _ in self._items if pk.startswith(SERVICE)}
        return tuple(sorted(names))

    def item(self, pk: str, sk: str) -> Item | None:
        """See `Shelf.item`."""
        return self._items.get((pk, sk))

    def items(self, pk: str, prefix: str) -> Iterator[Item]:
        """See `Shelf.items`."""
        for (found, sk), item in sorted(self._items.items()):
            if found == pk and sk.startswith(prefix):
                yield item


def _has_keys(item: object) -> bool:
    if not isinstance(item, Mapping):
        return False
    keys = (item.get("pk"), item.get("sk"))
    return all(isinstance(key, Mapping) and isinstance(key.get("S"), str) for key in keys)
