"""The parts of a request that are read before its item: keys, words, tokens, lists.

From the DynamoDB API reference and the SDK's service model (members, words, lengths of lists); the
lengths of keys are from the developer guide, "Constraints in Amazon DynamoDB".
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from local.aws_model.dynamodb_errors import invalid, not_served
from local.aws_model.dynamodb_values import Item, kind_of, taken

Key: TypeAlias = tuple[str, str]

ON_UPDATE = frozenset({None, "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"})
ON_PUT = frozenset({None, "NONE", "ALL_OLD"})
ON_FAILURE = frozenset({None, "NONE", "ALL_OLD"})
# What the service has and the model has not; anything else is unknown to both.
_NOT_SERVED = frozenset(
    {
        "AttributeUpdates",
        "AttributesToGet",
        "ConditionalOperator",
        "Expected",
        "ProjectionExpression",
        "ReturnConsumedCapacity",
        "ReturnItemCollectionMetrics",
    }
)
_LONGEST = {"pk": 2048, "sk": 1024}
_UTF8_MOST = 4
_SHORT = _LONGEST["sk"] // _UTF8_MOST
_MOST_ACTIONS = 100
_MOST_TOKEN = 36
_ACTIONS: Mapping[str, frozenset[str]] = {
    "Put": frozenset({"TableName", "Item"}),
    "Update": frozenset({"TableName", "Key", "UpdateExpression"}),
    "ConditionCheck": frozenset({"TableName", "Key", "ConditionExpression"}),
}
_OPTIONAL = frozenset(
    {
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValuesOnConditionCheckFailure",
    }
)


def refuse_unknown(keywords: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that the model's method does not name.

    Raises:
        Refused: ValidationException. (The SDK refuses what the service does not know before it
            sends it, with ParamValidationError.)
    """
    for name in keywords:
        if name in _NOT_SERVED:
            raise not_served(f"the parameter {name}")
        raise invalid(f"Unknown parameter in input: {name}")


def check_word(parameter: str, word: Any, allowed: frozenset[Any]) -> None:
    """Refuse a word that a parameter does not know.

    Raises:
        Refused: ValidationException.
    """
    if word not in allowed:
        raise invalid(
            f"1 validation error detected: Value '{word}' at '{parameter}' failed to satisfy "
            f"constraint: Member must satisfy enum value set: {sorted(filter(None, allowed))}"
        )


def key_of(given: Any) -> Key:
    """Return a request's Key: two texts, and no other member.

    Raises:
        Refused: ValidationException.
    """
    try:
        first, second = given["pk"], given["sk"]
        pk, sk = first["S"], second["S"]
        fits = len(given) == 2 and len(first) == len(second) == 1  # noqa: PLR2004 # pk and sk
    except (KeyError, TypeError):
        fits = False
    if not fits or not isinstance(pk, str) or not isinstance(sk, str):
        raise invalid("The provided key element does not match the schema")
    if not (0 < len(pk) <= _SHORT and 0 < len(sk) <= _SHORT):
        _check_length("pk", pk)
        _check_length("sk", sk)
    return str.__str__(pk), str.__str__(sk)


def _check_length(name: str, text: str) -> None:
    if not text:
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty string value. Key: {name}"
        )
    if len(text.encode()) > _LONGEST[name]:
        raise invalid(
            "One or more parameter values were invalid: Size of "
            f"{name} has exceeded the maximum size limit of {_LONGEST[name]} bytes"
        )


def item_of(given: Any) -> tuple[Key, Item]:
    """Return a request's Item and its key.

    Raises:
        Refused: ValidationException.
    """
    if not isinstance(given, Mapping):
        raise invalid("Invalid type for parameter Item")
    item = {str(name): taken(value) for name, value in given.items()}
    for name in _LONGEST:
        if name not in item:
            raise invalid(
                f"One or more parameter values were invalid: Missing the key {name} in the item"
            )
        if "S" not in item[name]:
            raise invalid(
                "One or more parameter values were invalid: Type mismatch for key "
                f"{name} expected: S actual: {kind_of(item[name])}"
            )
    return key_of({name: item[name] for name in _LONGEST}), item


def action_of(entry: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the members of an entry of TransactItems.

    Raises:
        Refused: ValidationException.
    """
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    ((name, members),) = entry.items()
    if name == "Delete":
        raise not_served("the action Delete")
    if name not in _ACTIONS:
        raise invalid(f"Unknown parameter in TransactItems: {name}")
    required = _ACTIONS[name]
    if missing := sorted(required - members.keys()):
        raise invalid(f"Missing required parameter in TransactItems.{name}: {missing[0]}")
    if unknown := sorted(members.keys() - required - _OPTIONAL):
        raise invalid(f"Unknown parameter in TransactItems.{name}: {unknown[0]}")
    return name, members


def check_transaction(entries: Any, token: Any) -> None:
    """Refuse a transaction by the number of its actions or by the length of its token.

    Raises:
        Refused: ValidationException.
    """
    if not isinstance(entries, list | tuple) or not 1 <= len(entries) <= _MOST_ACTIONS:
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length between 1 and {_MOST_ACTIONS}"
        )
    if token is not None and not (isinstance(token, str) and 1 <= len(token) <= _MOST_TOKEN):
        raise invalid(
            "1 validation error detected: Value at 'clientRequestToken' failed to satisfy "
            f"constraint: Member must have length between 1 and {_MOST_TOKEN}"
        )


def batch_of(given: Any) -> list[tuple[str, list[Key]]]:
    """Return the tables of RequestItems and their keys.

    Raises:
        Refused: ValidationException.
    """
    if not isinstance(given, Mapping) or not given:
        raise invalid(
            "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    batch = [(table, _keys_of(asked)) for table, asked in given.items()]
    if sum(len(keys) for _, keys in batch) > _MOST_ACTIONS:
        raise invalid("Too many items requested for the BatchGetItem call")
    return batch


def _keys_of(asked: Any) -> list[Key]:
    if not isinstance(asked, Mapping) or not asked.get("Keys"):
        raise invalid(
            "1 validation error detected: Value at 'requestItems.member.keys' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1"
        )
    for member in asked:
        if member not in {"Keys", "ConsistentRead"}:
            raise not_served(f"the member {member} of BatchGetItem")
    check_flag(asked.get("ConsistentRead", False))
    keys = [key_of(key) for key in asked["Keys"]]
    if len(set(keys)) != len(keys):
        raise invalid("Provided list of item keys contains duplicates")
    return keys


def check_flag(consistent_read: Any) -> None:
    """Refuse a ConsistentRead that is neither true nor false.

    Raises:
        Refused: ValidationException.
    """
    if not isinstance(consistent_read, bool):
        raise invalid("Invalid type for parameter ConsistentRead")
