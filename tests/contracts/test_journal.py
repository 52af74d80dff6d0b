"""What every journal promises: the same suite for memory and for DynamoDB (moto, in process)."""

import json
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from rollback_responder.domain.decision import Reason
from rollback_responder.domain.errors import ClaimLost, JournalError, RowDamaged
from rollback_responder.domain.incident import State
from rollback_responder.domain.release import Ledger
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.journal.memory import MemoryJournal, MemoryNotices
from rollback_responder.journal.notices import DynamoDbNotices
from rollback_responder.ports import Notice
from tests.builders import MINUTE, NOW, a_ledger, an_incident

LEASE = timedelta(seconds=90)
TABLE = "journal"
SHOP = "lambda_alias/shop/live"
AFTER = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
def dynamodb():
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def journal(request):
    if request.param == "memory":
        return MemoryJournal(LEASE)
    return DynamoDbJournal(request.getfixturevalue("dynamodb"), TABLE, LEASE)


def take(journal, claim_id, *, may_act=True, now=NOW, target=SHOP):
    return journal.claim(target, claim_id=claim_id, may_act=may_act, now=now)


def undecided():
    return an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))


def ended():
    return undecided().step(NOW, State.STOOD_DOWN, Reason.INCONCLUSIVE, "too little")


# -- claiming -------------------------------------------------------------------------------------


def test_a_first_claim_finds_an_empty_ledger(journal):
    claim = take(journal, "a")

    assert (claim.id, claim.target_id, claim.until) == ("a", SHOP, NOW + LEASE)
    assert (claim.ledger, claim.incident, claim.inherited) == (Ledger(), None, ())


def test_a_held_target_is_refused_until_the_lease_ends(journal):
    take(journal, "a")

    assert take(journal, "b") is None
    assert take(journal, "b", now=NOW + LEASE) is None
    assert take(journal, "b", now=AFTER).inherited == ("a",)


def test_one_target_held_does_not_hold_another(journal):
    take(journal, "a")

    assert take(journal, "b", target="lambda_alias/cart/live") is not None


def test_the_same_claim_again_is_ones_own(journal):
    """The SDK repeats a call whose reply was lost."""
    first = take(journal, "a")

    assert take(journal, "a") == first


def test_what_was_inherited_is_still_known_to_the_same_claim_again(journal):
    take(journal, "a")
    first = take(journal, "b", now=AFTER)

    assert take(journal, "b", now=AFTER) == first
    assert first.inherited == ("a",)


def test_inherited_claims_accumulate(journal):
    take(journal, "a")
    take(journal, "b", now=NOW + 2 * MINUTE)

    assert take(journal, "c", now=NOW + 4 * MINUTE).inherited == ("a", "b")


def test_a_holder_who_could_not_act_leaves_nothing_to_inherit(journal):
    take(journal, "a", may_act=False)

    assert take(journal, "b", now=AFTER).inherited == ()


def test_who_may_not_act_never_takes_over_from_who_may_have_acted(journal):
    take(journal, "a")

    assert take(journal, "b", may_act=False, now=AFTER + 60 * MINUTE) is None
    assert take(journal, "c", now=AFTER + 60 * MINUTE).inherited == ("a",)


def test_who_may_not_act_takes_over_from_its_like(journal):
    take(journal, "a", may_act=False)

    assert take(journal, "b", may_act=False, now=AFTER) is not None


# -- writing --------------------------------------------------------------------------------------


def test_what_is_closed_is_found_by_the_next_claim(journal):
    ledger, incident = a_ledger(), undecided()
    journal.close(take(journal, "a"), ledger=ledger, incident=incident)
    claim = take(journal, "b")

    assert (claim.ledger, claim.incident, claim.inherited) == (ledger, incident, ())


def test_keeping_writes_and_goes_on_holding(journal):
    claim = take(journal, "a")
    journal.keep(claim, ledger=a_ledger(), incident=undecided())

    assert take(journal, "b") is None
    heir = take(journal, "b", now=AFTER)
    assert (heir.ledger, heir.incident, heir.inherited) == (a_ledger(), undecided(), ("a",))


@pytest.mark.parametrize("method", ["keep", "close"])
def test_a_claim_that_was_taken_over_writes_nothing(journal, method):
    claim = take(journal, "a")
    take(journal, "b", now=AFTER)

    with pytest.raises(ClaimLost, match="no longer held by claim a"):
        getattr(journal, method)(claim, ledger=a_ledger(), incident=ended())
    assert take(journal, "c", now=AFTER + 2 * MINUTE).ledger == Ledger()


def test_a_claim_that_was_closed_long_ago_writes_nothing(journal):
    first = take(journal, "a")
    journal.close(first, ledger=Ledger(), incident=None)
    journal.close(take(journal, "b"), ledger=a_ledger(), incident=None)

    with pytest.raises(ClaimLost):
        journal.keep(first, ledger=Ledger(), incident=None)
    assert take(journal, "c").ledger == a_ledger()


def test_closing_frees_and_forgets_what_was_inherited(journal):
    take(journal, "a")
    heir = take(journal, "b", now=AFTER)
    journal.close(heir, ledger=heir.ledger, incident=None)

    assert take(journal, "c", now=AFTER).inherited == ()


# -- reading --------------------------------------------------------------------------------------


def test_rows_say_who_may_be_acting_and_until_when(journal):
    take(journal, "a")
    take(journal, "b", may_act=False, target="lambda_alias/cart/live")
    claim = take(journal, "c", target="lambda_alias/free/live")
    journal.close(claim, ledger=a_ledger(), incident=undecided())
    rows = journal.rows([SHOP, "lambda_alias/cart/live", "lambda_alias/free/live", "never/seen/x"])

    assert {name: row.acting_until for name, row in rows.items()} == {
        SHOP: NOW + LEASE,
        "lambda_alias/cart/live": None,
        "lambda_alias/free/live": None,
    }
    assert rows["lambda_alias/free/live"].ledger == a_ledger()
    assert rows["lambda_alias/free/live"].incident == undecided()


def test_rows_of_more_targets_than_one_call_takes(journal):
    names = [f"lambda_alias/f{number}/live" for number in range(230)]
    for name in names:
        take(journal, "a", target=name)

    assert journal.rows(names).keys() == set(names)
    assert journal.rows([]) == {}


# -- what only DynamoDB can show ------------------------------------------------------------------


def items_of(dynamodb):
    return {item["sk"]["S"]: item for item in dynamodb.scan(TableName=TABLE)["Items"]}


def test_an_incident_that_ended_is_archived_once_in_the_same_write(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledger=a_ledger(), incident=ended())
    kept = items_of(dynamodb)["incident#inc-1"]

    assert json.loads(kept["archive"]["S"])["id"] == "inc-1"
    assert int(kept["expires_at"]["N"]) > NOW.timestamp() + 399 * 86400
    assert "incident" not in kept
    dynamodb.delete_item(TableName=TABLE, Key={"pk": kept["pk"], "sk": kept["sk"]})
    journal.close(take(journal, "b"), ledger=a_ledger(), incident=ended())
    assert "incident#inc-1" not in items_of(dynamodb)


def test_an_open_incident_is_not_archived(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledger=a_ledger(), incident=undecided())

    assert items_of(dynamodb).keys() == {"row"}


def test_a_lost_claim_archives_nothing(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    claim = take(journal, "a")
    take(journal, "b", now=AFTER)

    with pytest.raises(ClaimLost):
        journal.close(claim, ledger=a_ledger(), incident=ended())
    assert items_of(dynamodb).keys() == {"row"}


class Repeats:
    """A client whose SDK repeats each call of these operations, as after a lost reply."""

    def __init__(self, client, *operations):
        self._client, self._operations = client, operations

    def __getattr__(self, name):
        call = getattr(self._client, name)
        if name not in self._operations:
            return call

        def twice(**given):
            try:
                call(**given)
            except ClientError:
                return call(**given)
            return call(**given)

        return twice


@pytest.mark.parametrize("incident", [None, undecided(), ended()])
def test_a_close_whose_reply_was_lost_and_that_was_repeated_is_closed(dynamodb, incident):
    claim = take(DynamoDbJournal(dynamodb, TABLE, LEASE), "a")
    repeating = Repeats(dynamodb, "update_item", "transact_write_items")
    journal = DynamoDbJournal(repeating, TABLE, LEASE)
    journal.close(claim, ledger=a_ledger(), incident=incident)

    assert take(journal, "b").incident == incident


def test_a_takeover_whose_reply_was_lost_and_that_was_repeated_is_taken(dynamodb):
    take(DynamoDbJournal(dynamodb, TABLE, LEASE), "a")
    journal = DynamoDbJournal(Repeats(dynamodb, "update_item"), TABLE, LEASE)

    assert take(journal, "b", now=AFTER).inherited == ("a",)


def test_another_row_may_be_written_beside_a_lost_claim_but_not_called_ours(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    first = take(journal, "a")
    journal.close(take(journal, "b", now=AFTER), ledger=Ledger(), incident=None)

    with pytest.raises(ClaimLost):
        journal.close(first, ledger=a_ledger(), incident=None)


@pytest.mark.parametrize(
    ("attribute", "text", "names"),
    [
        ("ledger", "{", "ledger is not JSON"),
        ("ledger", '{"good": 7}', "ledger.good: got 7; allowed: a list"),
        ("ledger", '{"surprise": 1}', "ledger.surprise"),
        ("incident", '{"id": "x"}', "incident.service: got nothing"),
        ("incident", "[]", "allowed: an object"),
    ],
)
def test_a_damaged_row_names_its_damage(dynamodb, attribute, text, names):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledger=a_ledger(), incident=undecided())
    item = items_of(dynamodb)["row"]
    item[attribute] = {"S": text}
    dynamodb.put_item(TableName=TABLE, Item=item)

    with pytest.raises(RowDamaged, match="a row's") as raised:
        take(journal, "b")
    assert names in str(raised.value)
    # The others are read all the same.
    assert names in journal.rows([SHOP])[SHOP].damage


def stubbed():
    client = boto3.client("dynamodb", region_name="us-east-1")
    return client, Stubber(client)


def key(name):
    return {"pk": {"S": f"target#{name}"}, "sk": {"S": "row"}}


def asked(names):
    return {"RequestItems": {TABLE: {"Keys": [key(n) for n in names], "ConsistentRead": True}}}


def test_keys_left_unprocessed_are_asked_for_again_strongly_consistent():
    client, stub = stubbed()
    left = {"UnprocessedKeys": {TABLE: {"Keys": [key("b")]}}, "Responses": {TABLE: [key("a")]}}
    stub.add_response("batch_get_item", left, asked(["a", "b"]))
    done = {"UnprocessedKeys": {}, "Responses": {TABLE: [key("b")]}}
    stub.add_response("batch_get_item", done, asked(["b"]))
    with stub:
        assert DynamoDbJournal(client, TABLE, LEASE).rows(["b", "a"]).keys() == {"a", "b"}
    stub.assert_no_pending_responses()


def test_keys_never_processed_are_an_error_not_an_absent_row():
    client, stub = stubbed()
    left = {"UnprocessedKeys": {TABLE: {"Keys": [key("a")]}}, "Responses": {}}
    for _ in range(5):
        stub.add_response("batch_get_item", left, asked(["a"]))
    with stub, pytest.raises(JournalError, match="1 rows unread after 5 tries"):
        DynamoDbJournal(client, TABLE, LEASE).rows(["a"])


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "AccessDeniedException"]
)
@pytest.mark.parametrize("call", ["claim", "rows", "close", "archive"])
def test_an_error_of_dynamodb_is_a_journal_error_without_its_text(code, call):
    client, stub = stubbed()
    operation = {"rows": "batch_get_item", "archive": "transact_write_items"}.get(
        call, "update_item"
    )
    journal = DynamoDbJournal(client, TABLE, LEASE)
    stub.add_client_error(operation, code, "arn:aws:iam::1:role/secret")
    claim = replace(take(MemoryJournal(LEASE), "a"), id="a")
    calls = {
        "rows": lambda: journal.rows(["a"]),
        "claim": lambda: take(journal, "a"),
        "close": lambda: journal.close(claim, ledger=Ledger(), incident=None),
        "archive": lambda: journal.close(claim, ledger=Ledger(), incident=ended()),
    }
    with stub, pytest.raises(JournalError, match=code) as raised:
        calls[call]()
    assert "secret" not in str(raised.value)
    assert not isinstance(raised.value, ClaimLost)


def test_a_conflict_of_transactions_is_no_lost_claim():
    client, stub = stubbed()
    stub.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]},
    )
    claim = take(MemoryJournal(LEASE), "a")
    with stub, pytest.raises(JournalError) as raised:
        DynamoDbJournal(client, TABLE, LEASE).close(claim, ledger=Ledger(), incident=ended())
    assert not isinstance(raised.value, ClaimLost)


def test_no_answer_at_all_is_a_journal_error(monkeypatch):
    client, _ = stubbed()

    def silent(**_):
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(client, "update_item", silent)
    with pytest.raises(JournalError, match="ReadTimeoutError"):
        take(DynamoDbJournal(client, TABLE, LEASE), "a")


# -- notices --------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "dynamodb"])
def notices(request):
    if request.param == "memory":
        return MemoryNotices(LEASE)
    return DynamoDbNotices(request.getfixturevalue("dynamodb"), TABLE, LEASE)


def test_a_new_incident_has_not_been_told(notices):
    assert notices.take("inc-1", steps=1, now=NOW) == Notice(told=0, head=None)


def test_what_is_being_told_is_not_told_twice_at_once(notices):
    notices.take("inc-1", steps=1, now=NOW)

    with pytest.raises(JournalError, match="being told already"):
        notices.take("inc-1", steps=1, now=NOW + MINUTE)
    assert notices.take("inc-1", steps=1, now=AFTER) == Notice(told=0, head=None)


def test_what_is_given_back_goes_on_where_it_stopped(notices):
    notices.take("inc-1", steps=3, now=NOW)
    notices.record("inc-1", told=2, head="C1/1.0")
    notices.give_back("inc-1")

    assert notices.take("inc-1", steps=3, now=NOW) == Notice(told=2, head="C1/1.0")


@pytest.mark.parametrize("steps", [1, 2])
def test_what_was_told_in_full_is_not_told_again(notices, steps):
    notices.take("inc-1", steps=2, now=NOW)
    notices.record("inc-1", told=2, head="C1/1.0")
    assert notices.take("inc-1", steps=steps, now=NOW) is None
    notices.give_back("inc-1")

    assert notices.take("inc-1", steps=steps, now=NOW) is None
    assert notices.take("inc-1", steps=3, now=NOW).told == 2


def test_incidents_are_told_apart(notices):
    notices.take("inc-1", steps=1, now=NOW)

    assert notices.take("inc-2", steps=1, now=NOW) == Notice(told=0, head=None)


def test_a_notice_that_cannot_be_written_is_a_journal_error():
    client, stub = stubbed()
    notices = DynamoDbNotices(client, TABLE, LEASE)
    for _ in range(3):
        stub.add_client_error("update_item", "AccessDeniedException")
    with stub:
        for call in (
            lambda: notices.take("inc-1", steps=1, now=NOW),
            lambda: notices.record("inc-1", told=1, head="h"),
            lambda: notices.give_back("inc-1"),
        ):
            with pytest.raises(JournalError, match="AccessDenied"):
                call()


def test_notices_expire_long_after_the_incident(dynamodb):
    DynamoDbNotices(dynamodb, TABLE, LEASE).take("inc-1", steps=1, now=NOW)

    assert int(items_of(dynamodb)["row"]["expires_at"]["N"]) > NOW.timestamp() + 399 * 86400
