"""The model of DynamoDB beside moto, the SDK's service model and the rules of the guide."""

import copy
import itertools
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import boto3
import moto.dynamodb
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from local.aws_model.dynamodb import DynamoDb
from local.aws_model.dynamodb_words import RESERVED
from tests.tables import make_table

START = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = "journal"
OPERATIONS = {
    "get_item": "GetItem",
    "batch_get_item": "BatchGetItem",
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "transact_write_items": "TransactWriteItems",
}


@pytest.fixture(scope="module")
def client():
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def model():
    return DynamoDb(TABLE, clock=lambda: START)


def key(name="p"):
    return {"pk": {"S": name}, "sk": {"S": "row"}}


def code_of(call, **given):
    with pytest.raises(ClientError) as raised:
        call(**given)
    return raised.value.response["Error"]["Code"]


def update(model, expression, values=None, condition=None, name="p", **more):
    request = {"TableName": TABLE, "Key": key(name), "UpdateExpression": expression, **more}
    if values is not None:
        request["ExpressionAttributeValues"] = values
    if condition is not None:
        request["ConditionExpression"] = condition
    return model.update_item(**request)


def put(model, name="p", **attributes):
    model.put_item(TableName=TABLE, Item={**key(name), **attributes})


def there(model, name="p"):
    item = model.get_item(TableName=TABLE, Key=key(name)).get("Item")
    return item and {each: item[each] for each in item.keys() - {"pk", "sk"}}


# -- the same requests to the model and to moto ---------------------------------------------------

# Each attribute keeps its type, save where a request is meant not to fit: moto orders values of
# different types by what Python makes of them.
TEXTS = st.sampled_from(["", "a", "ab", "b", "é"]).map(lambda text: {"S": text})
NUMBERS = st.integers(-3, 12).map(lambda number: {"N": str(number)})
SETS = st.sets(st.sampled_from("abc"), min_size=1).map(lambda members: {"SS": sorted(members)})
FLAGS = st.booleans().map(lambda flag: {"BOOL": flag})
KINDS = {"label": TEXTS, "amount": NUMBERS, "holders": SETS, "settled": FLAGS}
ATTRIBUTES = st.sampled_from(sorted(KINDS))
NAMES = st.sampled_from(["p", "q", "r"])


class Writer:
    """Writes expressions and what they refer to."""

    def __init__(self, draw):
        self.draw, self.names, self.values = draw, {}, {}

    def name(self, attribute):
        if not self.draw(st.booleans()):
            return attribute
        self.names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    def value(self, attribute):
        reference = f":v{len(self.values)}"
        self.values[reference] = self.draw(KINDS[attribute])
        return reference

    def number(self):
        return self.value("amount")

    def bounds(self):
        low, high = sorted(self.draw(st.tuples(*[st.integers(-3, 12)] * 2)))
        references = self.value("amount"), self.value("amount")
        for reference, bound in zip(references, (low, high), strict=True):
            self.values[reference] = {"N": str(bound)}
        return " AND ".join(references)

    def leaf(self):
        attribute = self.draw(ATTRIBUTES)
        name = self.name(attribute)
        other = self.draw(st.sampled_from([attribute, attribute, "label", "amount"]))
        return self.draw(
            st.sampled_from(
                [
                    lambda: f"attribute_exists({name})",
                    lambda: f"attribute_not_exists({name})",
                    lambda: f"attribute_not_exists({self.name('pk')})",
                    lambda: f"{name} = {self.value(other)}",
                    lambda: f"{name} <> {self.value(other)}",
                    lambda: f"{name} IN ({self.value(attribute)}, {self.value(other)})",
                    lambda: f"amount {self.sign()} {self.number()}",
                    lambda: f"label {self.sign()} {self.value('label')}",
                    lambda: f"{self.number()} {self.sign()} amount",
                    lambda: f"amount BETWEEN {self.bounds()}",
                    lambda: f"contains(holders, {self.value('label')})",
                    lambda: f"contains(label, {self.value('label')})",
                    lambda: f"begins_with(label, {self.value('label')})",
                    # moto fails on the size of what is not there.
                    lambda: (
                        f"attribute_exists(label) AND size(label) {self.sign()} {self.number()}"
                    ),
                    lambda: f"attribute_exists(holders) AND size(holders) >= {self.number()}",
                ]
            )
        )()

    def sign(self):
        return self.draw(st.sampled_from(["<", "<=", ">", ">="]))

    def condition(self, depth=2):
        form = self.draw(st.sampled_from(["leaf", "leaf", "and", "or", "not"])) if depth else "leaf"
        if form == "leaf":
            return self.leaf()
        if form == "not":
            return f"NOT ({self.condition(depth - 1)})"
        left, right = self.condition(depth - 1), self.condition(depth - 1)
        if self.draw(st.booleans()):
            return f"{left} {form.upper()} {right}"
        return f"({left}) {form} ({right})"

    def update(self):
        chosen = sorted(self.draw(st.sets(ATTRIBUTES, min_size=1)))
        sections = {}
        for attribute in chosen:
            section, action = self.action(attribute)
            sections.setdefault(section, []).append(action)
        return " ".join(f"{section} {', '.join(sections[section])}" for section in sections)

    def action(self, attribute):
        name = self.name(attribute)
        actions = [
            lambda: ("SET", f"{name} = {self.value(attribute)}"),
            lambda: ("SET", f"{name} = if_not_exists({name}, {self.value(attribute)})"),
            lambda: ("SET", f"{name} = {attribute}"),
            lambda: ("REMOVE", name),
        ]
        if attribute == "amount":
            actions += [
                lambda: ("SET", f"{name} = {name} {self.arithmetic()} {self.number()}"),
                lambda: ("SET", f"{name} = if_not_exists({name}, {self.number()}) + amount"),
                lambda: ("ADD", f"{name} {self.number()}"),
            ]
        if attribute == "holders":
            actions += [
                lambda: ("ADD", f"{name} {self.value('holders')}"),
                lambda: ("DELETE", f"{name} {self.value('holders')}"),
            ]
        if attribute == "label":
            # These do not fit.
            actions += [
                lambda: ("ADD", f"{name} {self.number()}"),
                lambda: ("ADD", f"{name} {self.value('holders')}"),
                lambda: ("SET", f"{name} = {name} + {self.number()}"),
            ]
        return self.draw(st.sampled_from(actions))()

    def arithmetic(self):
        return self.draw(st.sampled_from("+-"))

    def request(self, name, **members):
        """One write as a request without its ReturnValues."""
        if self.names:
            members["ExpressionAttributeNames"] = self.names
        if self.values:
            members["ExpressionAttributeValues"] = self.values
        if "ConditionExpression" in members:
            failure = self.draw(st.sampled_from([None, "NONE", "ALL_OLD"]))
            if failure:
                members["ReturnValuesOnConditionCheckFailure"] = failure
        return {"TableName": TABLE, **members} | ({"Key": key(name)} if name else {})


@st.composite
def writes(draw, kind):
    writer = Writer(draw)
    members = {}
    name = draw(NAMES)
    if kind == "Update":
        members["UpdateExpression"] = writer.update()
    if kind == "Put":
        kinds = draw(st.sets(ATTRIBUTES))
        members["Item"] = key(name) | {each: draw(KINDS[each]) for each in sorted(kinds)}
        name = None
    if kind == "ConditionCheck" or draw(st.booleans()):
        members["ConditionExpression"] = writer.condition()
    return writer.request(name, **members)


UPDATE_WORDS = [None, "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]


def answering(request, words):
    return st.tuples(request, st.sampled_from(words)).map(
        lambda pair: pair[0] | ({"ReturnValues": pair[1]} if pair[1] else {})
    )


KEYS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: [key(name) for name in names])
ACTIONS = st.sampled_from(["Update", "Put", "ConditionCheck"]).flatmap(
    lambda kind: writes(kind).map(lambda request: {kind: request})
)
CALLS = st.one_of(
    st.tuples(st.just("update_item"), answering(writes("Update"), UPDATE_WORDS)),
    st.tuples(st.just("update_item"), answering(writes("Update"), UPDATE_WORDS)),
    st.tuples(st.just("put_item"), answering(writes("Put"), [None, "NONE", "ALL_OLD"])),
    st.tuples(
        st.just("transact_write_items"),
        st.lists(ACTIONS, min_size=1, max_size=3).map(lambda each: {"TransactItems": each}),
    ),
    st.tuples(
        st.just("batch_get_item"),
        KEYS.map(lambda keys: {"RequestItems": {TABLE: {"Keys": keys, "ConsistentRead": True}}}),
    ),
    st.tuples(
        st.just("get_item"),
        NAMES.map(lambda name: {"TableName": TABLE, "Key": key(name), "ConsistentRead": True}),
    ),
)


def plain(value):
    """An answer without what moto adds, and without the order that DynamoDB does not promise."""
    if isinstance(value, dict):
        if "SS" in value:
            return {"SS": sorted(value["SS"])}
        added = {"ResponseMetadata", "ConsumedCapacity", "ItemCollectionMetrics"}
        return {name: plain(each) for name, each in value.items() if name not in added}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def outcome(call, given):
    try:
        answer = plain(call(**copy.deepcopy(given)))
    except ClientError as error:
        response = error.response
        reasons = [plain(reason) for reason in response.get("CancellationReasons", [])]
        return {"code": response["Error"]["Code"], "item": plain(response.get("Item"))} | {
            "reasons": [{k: v for k, v in reason.items() if k != "Message"} for reason in reasons]
        }
    for items in answer.get("Responses", {}).values():
        items.sort(key=lambda item: item["pk"]["S"])
    return answer


def reconcile(given, ours, theirs):
    """What is expected of moto where it is known to differ from DynamoDB."""
    # It answers an operand that does not fit an item within a transaction as if it were alone.
    if {"Code": "ValidationError"} in ours.get("reasons", []):
        return {"code": "ValidationException", "item": None, "reasons": []}
    # Its UPDATED_OLD and UPDATED_NEW leave out what was named and did not change, and have the key
    # of an item that was not there.
    if given.get("ReturnValues", "").startswith("UPDATED") and "code" not in ours:
        mine, answered = ours.get("Attributes", {}), theirs.get("Attributes", {})
        shared = {name: mine[name] for name in mine.keys() & answered.keys()}
        made = {name: answered[name] for name in answered.keys() & {"pk", "sk"}}
        return {"Attributes": shared | made} if "Attributes" in theirs else {}
    return ours


def fits_service_model(client, method, given, answer):
    operation = client.meta.service_model.operation_model(OPERATIONS[method])
    for shape, value in ((operation.input_shape, given), (operation.output_shape, answer)):
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()


def error_fits_service_model(client, method, error):
    assert error.operation_name == OPERATIONS[method]
    code = error.response["Error"]["Code"]
    if code == "ValidationException":
        return
    shape = client.meta.service_model.shape_for(code)
    members = {
        name: error.response[name] for name in error.response.keys() - {"Error", "ResponseMetadata"}
    }
    report = ParamValidator().validate(members, shape)
    assert not report.has_errors(), report.generate_report()


TABLES = itertools.count()


def elsewhere(given, table):
    """The same request about another table."""
    return json.loads(json.dumps(given).replace(f'"{TABLE}"', f'"{table}"'))


@given(calls=st.lists(CALLS, min_size=1, max_size=12))
@settings(max_examples=60)
def test_the_model_answers_what_moto_answers(client, calls):
    table = f"table-{next(TABLES)}"
    make_table(table=table)
    model = DynamoDb(TABLE, clock=lambda: START)
    for method, given_ in calls:
        ours = outcome(getattr(model, method), given_)
        moved = elsewhere(given_, table)
        theirs = outcome(getattr(client, method), moved)
        if "Responses" in theirs:
            theirs["Responses"] = {TABLE: theirs["Responses"][table]}
        assert reconcile(given_, ours, theirs) == theirs, (method, given_)
        if ours.get("code") == "ValidationException":
            # moto keeps what an expression did before the operand that does not fit.
            restore(client, table, model)
        assert plain(scanned(client, table)) == plain(model.items(TABLE))


def scanned(client, table):
    return sorted(client.scan(TableName=table)["Items"], key=lambda item: item["pk"]["S"])


def restore(client, table, model):
    for item in scanned(client, table):
        client.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})
    for item in model.items(TABLE):
        client.put_item(TableName=table, Item=item)


@given(calls=st.lists(CALLS, min_size=1, max_size=12))
def test_every_answer_and_every_accepted_request_fits_the_service_model(client, calls):
    model = DynamoDb(TABLE, clock=lambda: START)
    for method, given_ in calls:
        try:
            answer = getattr(model, method)(**given_)
        except ClientError as error:
            error_fits_service_model(client, method, error)
        else:
            fits_service_model(client, method, given_, answer)


def spoilt(value):
    """Change whatever of an answer or a request can be changed."""
    for each in list(value.values()) if isinstance(value, dict) else list(value):
        if isinstance(each, dict | list):
            spoilt(each)
    if isinstance(value, dict):
        value["spoilt"] = {"S": "x"}
    else:
        value.append("spoilt")


@given(calls=st.lists(CALLS, min_size=1, max_size=12))
def test_neither_requests_nor_answers_share_anything_with_what_is_kept(calls):
    model, spoiling = DynamoDb(TABLE, clock=lambda: START), DynamoDb(TABLE, clock=lambda: START)
    kept = []
    for method, given_ in calls:
        ours = outcome(getattr(model, method), given_)
        request = copy.deepcopy(given_)
        try:
            answer = getattr(spoiling, method)(**request)
        except ClientError as error:
            answer = error.response
        kept.append((answer, copy.deepcopy(answer)))
        spoilt(request)
        assert all(answer == then for answer, then in kept)
        spoilt(model.items(TABLE))
        assert "code" in ours or plain(answer).keys() == ours.keys()
        assert spoiling.items(TABLE) == model.items(TABLE)
    for answer, _ in kept:
        spoilt(answer)
    assert spoiling.items(TABLE) == model.items(TABLE)


# -- strictness -----------------------------------------------------------------------------------

ONE = {":v": {"S": "x"}}


@pytest.mark.parametrize(
    ("expression", "values", "more"),
    [
        ("SET a = :v", {":v": {"S": "x"}, ":unused": {"S": "x"}}, {}),
        ("SET a = :v", None, {}),
        ("SET a = :v", {}, {}),
        ("SET a = :v, b = :w", ONE, {}),
        ("REMOVE a", ONE, {}),
        ("SET a = :v", {"v": {"S": "x"}, ":v": {"S": "x"}}, {}),
        ("SET a = :v", ONE, {"ExpressionAttributeNames": {"#unused": "b"}}),
        ("SET a = :v", ONE, {"ExpressionAttributeNames": {}}),
        ("SET #a = :v", ONE, {}),
        ("SET #a = :v", ONE, {"ExpressionAttributeNames": {"a": "b", "#a": "a"}}),
        ("SET a = :v", {":v": {"SS": []}}, {}),
        ("SET a = :v", {":v": {"SS": ["a", "a"]}}, {}),
        ("SET a = :v", {":v": {"NS": ["1", "1.0"]}}, {}),
        ("SET a = :v", {":v": {"S": "x", "N": "1"}}, {}),
        ("SET a = :v", {":v": {}}, {}),
        ("SET a = :v", {":v": {"S": 1}}, {}),
        ("SET a = :v", {":v": {"X": "x"}}, {}),
        ("SET a = :v", {":v": "x"}, {}),
        ("SET a = :v", {":v": {"N": "one"}}, {}),
        ("SET a = :v", {":v": {"N": ""}}, {}),
        ("SET a = :v", {":v": {"N": "1" * 39}}, {}),
        ("SET a = :v", {":v": {"N": "1E+126"}}, {}),
        ("SET a = :v", {":v": {"N": "1E-131"}}, {}),
        ("SET a = :v", {":v": {"NULL": False}}, {}),
        ("SET a = :v", {":v": {"BOOL": "true"}}, {}),
        ("SET a = :v", {":v": {"S": "x" * 410_000}}, {}),
        ("SET pk = :v", ONE, {}),
        ("SET #k = :v", ONE, {"ExpressionAttributeNames": {"#k": "sk"}}),
        ("REMOVE sk", None, {}),
        ("SET a = :v, a = :v", ONE, {}),
        ("SET a = :v REMOVE a", ONE, {}),
        ("SET a = :v, #a = :v", ONE, {"ExpressionAttributeNames": {"#a": "a"}}),
        ("SET a = :v SET b = :v", ONE, {}),
        ("SET status = :v", ONE, {}),
        ("SET ttl = :v", ONE, {}),
        ("SET a.b = :v", ONE, {}),
        ("SET a[0] = :v", ONE, {}),
        ("SET a = :v b = :v", ONE, {}),
        ("SET a :v", ONE, {}),
        ("SET a = (:v)", ONE, {}),
        ("SET a = list_append(a, :v)", ONE, {}),
        ("SET a = unheard(a, :v)", ONE, {}),
        ("SET a = if_not_exists(:v, a)", ONE, {}),
        ("SET a = :v + b", ONE, {}),
        ("SET a = b", None, {}),
        ("SET a = b + :v", {":v": {"N": "1"}}, {}),
        ("ADD a :v", ONE, {}),
        ("ADD a :v", {":v": {"BOOL": True}}, {}),
        ("DELETE a :v", {":v": {"N": "1"}}, {}),
        ("PUT a = :v", ONE, {}),
        ("", None, {}),
        (" ", None, {}),
        ("SET a = :v ", ONE, {"ConditionExpression": ""}),
        ("SET a = :v" + " " * 5000, ONE, {}),
        ("SET a = :v", ONE, {"ReturnValues": "ALL"}),
        ("SET a = :v", ONE, {"ReturnValuesOnConditionCheckFailure": "ALL_NEW"}),
        ("SET a = :v", ONE, {"Unknown": 1}),
        ("SET a = :v", ONE, {"Expected": {}}),
        ("SET a = :v", ONE, {"ReturnConsumedCapacity": "TOTAL"}),
        ("SET a = :v", ONE, {"Key": {"pk": {"S": "p"}}}),
        ("SET a = :v", ONE, {"Key": {"pk": {"S": "p"}, "sk": {"N": "1"}}}),
        ("SET a = :v", ONE, {"Key": {"pk": {"S": "p"}, "sk": {"S": ""}}}),
        ("SET a = :v", ONE, {"Key": key() | {"more": {"S": "p"}}}),
        ("SET a = :v", ONE, {"Key": {"pk": {"S": "p", "N": "1"}, "sk": {"S": "s"}}}),
        ("SET a = :v", ONE, {"Key": {"pk": "p", "sk": "s"}}),
        ("SET a = :v", ONE, {"Key": {"pk": {"S": "p"}, "sk": {"S": "é" * 513}}}),
        ("SET a = :v", ONE, {"Key": {"pk": {"S": "x" * 2049}, "sk": {"S": "s"}}}),
    ],
)
def test_an_update_that_is_wrong_in_itself_is_refused_and_does_nothing(
    model, expression, values, more
):
    assert code_of(update, model=model, expression=expression, values=values, **more) == (
        "ValidationException"
    )
    assert model.items(TABLE) == []


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("a = ", None),
        ("a = :v)", ONE),
        ("(a = :v", ONE),
        ("((a = :v))", ONE),
        ("a = :v AND", ONE),
        ("NOT NOT a = :v", ONE),
        ("a", None),
        (":v", ONE),
        ("a == :v", ONE),
        ("a != :v", ONE),
        ("a = a", None),
        ("a < :v", {":v": {"BOOL": True}}),
        ("a >= :v", {":v": {"SS": ["x"]}}),
        ("a < :v", {":v": {"NULL": True}}),
        ("a BETWEEN :v AND :w", {":v": {"S": "x"}, ":w": {"N": "1"}}),
        ("a BETWEEN :v AND :w", {":v": {"N": "10"}, ":w": {"N": "9"}}),
        ("a BETWEEN :v AND :w", {":v": {"L": []}, ":w": {"L": []}}),
        ("a BETWEEN :v", ONE),
        ("a IN :v", ONE),
        ("a IN ()", None),
        (f"a IN ({', '.join([':v'] * 101)})", ONE),
        ("begins_with(a, :v)", {":v": {"N": "1"}}),
        ("begins_with(a)", None),
        ("contains(a, a)", None),
        ("contains(a, :v, :v)", ONE),
        ("size(a)", None),
        ("size(:v) = a", {":v": {"N": "1"}}),
        ("attribute_exists(:v)", ONE),
        ("attribute_exists(a) = :v", ONE),
        ("attribute_exists(a, b)", None),
        ("ATTRIBUTE_EXISTS(a)", None),
        ("attribute_type(a, :v)", ONE),
        ("unheard(a)", None),
        ("a.b = :v", ONE),
        ("status = :v", ONE),
        ("#a = :v", ONE),
        ("_a = :v", ONE),
        ("a = :w", ONE),
        ("a = ?", None),
    ],
)
def test_a_condition_that_is_wrong_in_itself_is_refused(model, condition, values):
    call = {"model": model, "expression": "REMOVE b", "condition": condition, "values": values}
    assert code_of(update, **call) == "ValidationException"


@pytest.mark.parametrize(
    "more",
    [
        {"Item": {"pk": {"S": "p"}}},
        {"Item": {"pk": {"S": "p"}, "sk": {"N": "1"}}},
        {"Item": {"pk": {"S": ""}, "sk": {"S": "s"}}},
        {"Item": key() | {"a": {"SS": []}}},
        {"Item": key() | {"a": {"L": [{"M": {"b": {"N": "x"}}}]}}},
        {"Item": key() | {"a": {"S": "é" * 205_000}}},
        {"Item": []},
        {"ReturnValues": "ALL_NEW"},
        {"ExpressionAttributeValues": ONE},
        {"ExpressionAttributeNames": {"#a": "a"}},
        {"ConditionExpression": "attribute_exists(a)", "ExpressionAttributeValues": ONE},
    ],
)
def test_a_put_that_is_wrong_in_itself_is_refused(model, more):
    assert code_of(model.put_item, **{"TableName": TABLE, "Item": key(), **more}) == (
        "ValidationException"
    )


PUT = {"Put": {"TableName": TABLE, "Item": key()}}
SET = {
    "TableName": TABLE,
    "Key": key(),
    "UpdateExpression": "SET a = :v",
    "ExpressionAttributeValues": ONE,
}


@pytest.mark.parametrize(
    "given_",
    [
        {"TransactItems": []},
        {"TransactItems": [PUT, {"Update": SET}]},
        {"TransactItems": [PUT | {"Update": SET | {"Key": key("q")}}]},
        {"TransactItems": [{}]},
        {"TransactItems": [{"Delete": {"TableName": TABLE, "Key": key()}}]},
        {"TransactItems": [{"Get": {"TableName": TABLE, "Key": key()}}]},
        {"TransactItems": [{"ConditionCheck": {"TableName": TABLE, "Key": key()}}]},
        {"TransactItems": [{"Update": SET | {"ReturnValues": "ALL_NEW"}}]},
        {"TransactItems": [{"Update": SET | {"ExpressionAttributeValues": {}}}]},
        {"TransactItems": [{"Update": SET | {"Key": {"pk": {"S": "p"}}}}]},
        {"TransactItems": [{"Put": PUT["Put"] | {"ExpressionAttributeValues": ONE}}]},
        {
            "TransactItems": [
                {"Put": {"TableName": TABLE, "Item": key(str(number))}} for number in range(101)
            ]
        },
        {"TransactItems": [PUT], "ClientRequestToken": ""},
        {"TransactItems": [PUT], "ClientRequestToken": "x" * 37},
        {"TransactItems": [PUT], "Unknown": 1},
    ],
)
def test_a_transaction_that_is_wrong_in_itself_is_refused_and_does_nothing(model, given_):
    assert code_of(model.transact_write_items, **given_) == "ValidationException"
    assert model.items(TABLE) == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {TABLE: {}},
        {TABLE: {"Keys": []}},
        {TABLE: {"Keys": [key(), key()]}},
        {TABLE: {"Keys": [{"pk": {"S": "p"}}]}},
        {TABLE: {"Keys": [key(str(number)) for number in range(101)]}},
        {TABLE: {"Keys": [key()], "ProjectionExpression": "a"}},
        {TABLE: {"Keys": [key()], "ConsistentRead": "yes"}},
    ],
)
def test_a_batch_that_is_wrong_in_itself_is_refused(model, asked):
    assert code_of(model.batch_get_item, RequestItems=asked) == "ValidationException"


def test_a_batch_takes_a_hundred_keys_and_answers_in_no_order_of_the_request(model):
    names = [f"{number:03}" for number in range(100)]
    for name in names[:50]:
        put(model, name)
    answer = model.batch_get_item(RequestItems={TABLE: {"Keys": [key(name) for name in names]}})

    assert [item["pk"]["S"] for item in answer["Responses"][TABLE]] == names[49::-1]
    assert answer["UnprocessedKeys"] == {}


@pytest.mark.parametrize(
    ("method", "given_"),
    [
        ("get_item", {"TableName": "other", "Key": key()}),
        ("put_item", {"TableName": "other", "Item": key()}),
        ("update_item", SET | {"TableName": "other"}),
        ("batch_get_item", {"RequestItems": {"other": {"Keys": [key()]}}}),
        ("transact_write_items", {"TransactItems": [{"Update": SET | {"TableName": "other"}}]}),
    ],
)
def test_a_table_that_does_not_exist_is_not_found(model, method, given_):
    assert code_of(getattr(model, method), **given_) == "ResourceNotFoundException"


def test_no_item_is_deleted_by_the_model(model):
    assert not hasattr(model, "delete_item")


def test_reserved_words_are_those_that_moto_knows():
    known = Path(moto.dynamodb.__file__).parent / "parsing" / "reserved_keywords.txt"
    assert set(known.read_text().split()) == RESERVED


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("007", "7"),
        ("1.50", "1.5"),
        ("-0.0", "0"),
        ("+5", "5"),
        ("1E+3", "1000"),
        (".5", "0.5"),
        ("1e-3", "0.001"),
        ("9" * 38, "9" * 38),
        ("1E+125", "1" + "0" * 125),
    ],
)
def test_a_number_is_kept_without_superfluous_zeros(model, given_, kept):
    put(model, n={"N": given_}, s={"NS": [given_]}, m={"M": {"n": {"N": given_}}})

    assert there(model) == {"n": {"N": kept}, "s": {"NS": [kept]}, "m": {"M": {"n": {"N": kept}}}}


def test_numbers_are_compared_and_added_as_numbers(model):
    put(model, n={"N": "9.5"})
    update(
        model,
        "SET n = n + :more, m = n - :more",
        {":more": {"N": "0.50"}, ":ten": {"N": "10"}, ":same": {"N": "9.50"}},
        "n < :ten AND n = :same",
    )

    assert there(model) == {"n": {"N": "10"}, "m": {"N": "9"}}


def test_a_sum_of_more_than_38_digits_is_refused(model):
    put(model, n={"N": "1" + "0" * 37})

    assert code_of(update, model=model, expression="ADD n :v", values={":v": {"N": "0.1"}}) == (
        "ValidationException"
    )


class Word(StrEnum):
    HELD = "held"


def test_a_word_of_an_enumeration_is_kept_as_plain_text(model):
    update(model, "SET a = :v", {":v": {"S": Word.HELD}})

    assert type(there(model)["a"]["S"]) is str


def test_values_of_every_type_come_back_as_they_went(model):
    values = {
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"a", b"b"]},
        "null": {"NULL": True},
        "list": {"L": [{"S": "x"}, {"SS": ["a"]}, {"L": []}]},
        "map": {"M": {"x": {"BOOL": False}, "y": {"M": {}}}},
        "empty": {"S": ""},
    }
    put(model, **values)

    assert there(model) == values


CROSS_TYPES = [
    ("a < :v", {"S": "1"}, {"N": "2"}, False),
    ("a <> :v", {"S": "1"}, {"N": "1"}, True),
    ("a = :v", {"S": "1"}, {"N": "1"}, False),
    ("a > :v", {"BOOL": True}, {"S": "1"}, False),
    ("a < :v", {"B": b"\x7f"}, {"B": b"\x80"}, True),
    ("a < :v", {"S": "Z"}, {"S": "a"}, True),
    ("a < :v", {"N": "9"}, {"N": "10"}, True),
    ("a < :v", {"N": "-9"}, {"N": "-8.5"}, True),
    ("a = :v", {"SS": ["b", "a"]}, {"SS": ["a", "b"]}, True),
    ("a = :v", {"L": [{"N": "1"}]}, {"L": [{"N": "1.0"}]}, True),
    ("a BETWEEN :v AND :v", {"N": "1"}, {"N": "1"}, True),
    ("a BETWEEN :v AND :v", {"S": "1"}, {"N": "1"}, False),
    ("contains(a, :v)", {"S": "xyz"}, {"S": "y"}, True),
    ("contains(a, :v)", {"S": "1"}, {"N": "1"}, False),
    ("contains(a, :v)", {"SS": ["1"]}, {"N": "1"}, False),
    ("contains(a, :v)", {"NS": ["1"]}, {"N": "1.0"}, True),
    ("contains(a, :v)", {"L": [{"N": "1"}]}, {"N": "1"}, True),
    ("contains(a, :v)", {"N": "11"}, {"N": "1"}, False),
    ("begins_with(a, :v)", {"B": b"ab"}, {"B": b"a"}, True),
    ("begins_with(a, :v)", {"B": b"ab"}, {"S": "a"}, False),
    ("begins_with(a, :v)", {"N": "12"}, {"S": "1"}, False),
    ("size(a) = :v", {"S": "abc"}, {"N": "3"}, True),
    ("size(a) = :v", {"SS": ["a", "b"]}, {"N": "2"}, True),
    ("size(a) = :v", {"M": {"a": {"S": "x"}}}, {"N": "1"}, True),
    ("size(a) < :v", {"N": "1"}, {"N": "5"}, False),
    ("size(absent) < :v", {"N": "1"}, {"N": "5"}, False),
    ("size(absent) <> :v", {"N": "1"}, {"N": "5"}, True),
    ("absent = :v", {"N": "1"}, {"N": "5"}, False),
    ("absent <> :v", {"N": "1"}, {"N": "5"}, True),
    ("absent < :v", {"N": "1"}, {"N": "5"}, False),
    ("NOT absent < :v", {"N": "1"}, {"N": "5"}, True),
    ("absent = gone OR a = :v", {"N": "1"}, {"N": "5"}, False),
    ("a = b AND a = :v", {"N": "1"}, {"N": "1"}, True),
    # AND binds tighter than OR, NOT tighter than both.
    ("a = :v OR a = b AND absent = b", {"N": "1"}, {"N": "1"}, True),
    ("NOT a = :v OR a = b", {"N": "1"}, {"N": "1"}, True),
    ("NOT a = :v AND absent = b", {"N": "1"}, {"N": "1"}, False),
    ("not (a = :v and a = b)", {"N": "1"}, {"N": "1"}, False),
    ("a in (:v)", {"S": "x"}, {"S": "x"}, True),
    ("absent = b OR absent = a OR a = :v", {"N": "1"}, {"N": "1"}, True),
    ("a = b AND a = :v AND absent = a", {"N": "1"}, {"N": "1"}, False),
    # Two of a type that has no order.
    ("a <= b OR absent = :v", {"BOOL": True}, {"N": "1"}, False),
    ("a >= b OR absent = :v", {"SS": ["x"]}, {"N": "1"}, False),
]


@pytest.mark.parametrize(("condition", "kept", "value", "holds"), CROSS_TYPES)
def test_conditions_hold_as_the_guide_says(model, condition, kept, value, holds):
    put(model, a=kept, b=kept)
    call = {"expression": "SET c = :v", "values": {":v": value}, "condition": condition}
    if holds:
        update(model, **call)
    else:
        assert code_of(update, model=model, **call) == "ConditionalCheckFailedException"
    assert ("c" in there(model)) is holds


# -- writing --------------------------------------------------------------------------------------


def test_every_operand_is_read_from_the_item_as_it_was(model):
    put(model, a={"S": "1"}, b={"S": "2"}, n={"N": "1"})
    update(model, "SET a = b, b = a, n = :ten, m = n REMOVE gone", {":ten": {"N": "10"}})

    assert there(model) == {"a": {"S": "2"}, "b": {"S": "1"}, "n": {"N": "10"}, "m": {"N": "1"}}


def test_an_update_that_does_not_fit_changes_nothing(model):
    put(model, a={"S": "x"})
    call = {"expression": "SET b = :n ADD a :n", "values": {":n": {"N": "1"}}}

    assert code_of(update, model=model, **call) == "ValidationException"
    assert there(model) == {"a": {"S": "x"}}


def test_a_set_that_loses_its_last_member_goes(model):
    put(model, s={"SS": ["a", "b"]})
    update(model, "DELETE s :v", {":v": {"SS": ["a", "c"]}})
    assert there(model) == {"s": {"SS": ["b"]}}
    update(model, "DELETE s :v, absent :v", {":v": {"SS": ["b"]}})
    assert there(model) == {}


def test_updated_values_are_those_that_the_expression_names(model):
    put(model, a={"S": "x"}, b={"S": "y"})
    old = update(model, "SET a = :v, c = :v", {":v": {"S": "x"}}, ReturnValues="UPDATED_OLD")
    new = update(model, "SET a = :v REMOVE c", {":v": {"S": "x"}}, ReturnValues="UPDATED_NEW")
    none = update(model, "REMOVE c", ReturnValues="UPDATED_NEW")

    assert old == new == {"Attributes": {"a": {"S": "x"}}}
    assert none == {}


def test_a_change_is_told_with_the_item_before_and_after(model):
    told = []
    model.listener = lambda old, new: told.append((old, new))
    put(model, a={"N": "1"})
    put(model, a={"N": "1.0"})
    update(model, "SET a = :v", {":v": {"N": "2"}})
    code_of(update, model=model, expression="REMOVE a", condition="attribute_not_exists(a)")

    first, second = key() | {"a": {"N": "1"}}, key() | {"a": {"N": "2"}}
    assert told == [(None, first), (first, second)]


def test_changes_of_a_transaction_are_told_when_all_of_them_are_made(model):
    told = []
    model.listener = lambda old, new: told.append((new["pk"]["S"], len(model.items(TABLE))))
    model.transact_write_items(TransactItems=[PUT, {"Update": SET | {"Key": key("q")}}])

    assert told == [("p", 2), ("q", 2)]


# -- transactions ---------------------------------------------------------------------------------


def checked(condition, name="p", **more):
    return {
        "ConditionCheck": {
            "TableName": TABLE,
            "Key": key(name),
            "ConditionExpression": condition,
            **more,
        }
    }


def test_a_transaction_is_all_or_nothing_and_says_why_in_order(model):
    put(model, "q", a={"S": "x"})
    with pytest.raises(ClientError) as raised:
        model.transact_write_items(
            TransactItems=[
                PUT,
                checked(
                    "attribute_not_exists(pk)", "q", ReturnValuesOnConditionCheckFailure="ALL_OLD"
                ),
                checked("attribute_exists(pk)", "r", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
                {
                    "Update": SET
                    | {
                        "Key": key("s"),
                        "UpdateExpression": "SET a = b + :v",
                        "ExpressionAttributeValues": {":v": {"N": "1"}},
                    }
                },
            ]
        )
    response = raised.value.response

    assert response["Error"]["Code"] == "TransactionCanceledException"
    assert (
        "[None, ConditionalCheckFailed, ConditionalCheckFailed, ValidationError]"
        in (response["Error"]["Message"])
    )
    none, check, absent, misfit = response["CancellationReasons"]
    assert none == {"Code": "None"}
    assert check["Item"] == key("q") | {"a": {"S": "x"}}
    assert absent == {
        "Code": "ConditionalCheckFailed",
        "Message": "The conditional request failed",
    }
    assert misfit["Code"] == "ValidationError"
    assert len(model.items(TABLE)) == 1


def test_a_token_is_applied_once_within_ten_minutes():
    now = [START]
    model = DynamoDb(TABLE, clock=lambda: now[0])
    add = {
        "Update": SET
        | {"UpdateExpression": "ADD n :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    }

    def call(*actions):
        return model.transact_write_items(TransactItems=list(actions), ClientRequestToken="once")

    for minutes, count in [(0, "1"), (5, "1"), (10, "1"), (11, "2"), (20, "2"), (22, "3")]:
        now[0] = START + timedelta(minutes=minutes)
        assert call(add) == {}
        assert there(model) == {"n": {"N": count}}
    assert code_of(call_with(call, add, checked("attribute_exists(pk)", "q"))) == (
        "IdempotentParameterMismatchException"
    )
    changed = copy.deepcopy(add)
    changed["Update"]["ExpressionAttributeValues"][":v"]["N"] = "2"
    assert code_of(call_with(call, changed)) == "IdempotentParameterMismatchException"
    assert there(model) == {"n": {"N": "3"}}


def test_each_token_has_ten_minutes_of_its_own():
    now = [START]
    model = DynamoDb(TABLE, clock=lambda: now[0])
    add = SET | {"UpdateExpression": "ADD n :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    for minutes, token, count in [(0, "a", "1"), (5, "b", "2"), (12, "b", "2"), (12, "a", "3")]:
        now[0] = START + timedelta(minutes=minutes)
        model.transact_write_items(TransactItems=[{"Update": add}], ClientRequestToken=token)
        assert there(model) == {"n": {"N": count}}


def call_with(call, *given_):
    return lambda: call(*given_)


def test_a_token_of_a_cancelled_transaction_is_not_used_up(model):
    given_ = {"TransactItems": [checked("attribute_exists(pk)")], "ClientRequestToken": "again"}
    assert code_of(model.transact_write_items, **given_) == "TransactionCanceledException"
    put(model)

    assert model.transact_write_items(**given_) == {}


# -- errors ---------------------------------------------------------------------------------------


class Body(AWSResponse):
    def __init__(self, url, body):
        super().__init__(url, 400, {"Content-Type": "application/x-amz-json-1.0"}, None)
        self._content = json.dumps(body).encode()


def as_parsed(method, code, members, given_):
    """What the SDK makes of DynamoDB's answer on the wire."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **members}
    client.meta.events.register_first(
        "before-send.dynamodb", lambda request, **_: Body(request.url, body)
    )
    with pytest.raises(ClientError) as raised:
        getattr(client, method)(**given_)
    return raised.value


@pytest.mark.parametrize(
    ("method", "given_"),
    [
        ("update_item", SET | {"ConditionExpression": "attribute_not_exists(pk)"}),
        (
            "update_item",
            SET
            | {
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        ),
        ("update_item", SET | {"TableName": "other"}),
        ("update_item", SET | {"UpdateExpression": "SET a = b", "ConditionExpression": "a = :v"}),
        ("transact_write_items", {"TransactItems": [checked("attribute_not_exists(pk)")]}),
        ("transact_write_items", {"TransactItems": [PUT], "ClientRequestToken": "used"}),
    ],
)
def test_an_error_is_what_the_sdk_makes_of_it(model, method, given_):
    put(model)
    model.transact_write_items(TransactItems=[{"Update": SET}], ClientRequestToken="used")
    with pytest.raises(ClientError) as raised:
        getattr(model, method)(**given_)
    ours = raised.value
    members = {
        name: value
        for name, value in ours.response.items()
        if name not in {"Error", "ResponseMetadata"}
    }
    error = ours.response["Error"]
    on_wire = members or {"message": error["Message"]}
    theirs = as_parsed(method, error["Code"], on_wire, given_)

    assert ours.operation_name == theirs.operation_name
    assert ours.response["Error"] == theirs.response["Error"]
    assert members == {
        name: value
        for name, value in theirs.response.items()
        if name not in {"Error", "ResponseMetadata"}
    }
    status = "HTTPStatusCode"
    assert (
        ours.response["ResponseMetadata"][status] == (theirs.response["ResponseMetadata"][status])
    )
