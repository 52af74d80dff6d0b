"""What every journal, budget and notice board promises: memory and DynamoDB (moto) alike."""

import json
from datetime import timedelta
from functools import partial
from typing import get_args

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain import naming, target, trigger
from rollback_responder.domain.controls import Approval, Controls, FixingForward, Unsafe
from rollback_responder.domain.document import fields_of, is_document, write
from rollback_responder.domain.errors import ClaimLost, JournalError, RowDamaged
from rollback_responder.domain.incident import Incident, State, Step
from rollback_responder.domain.leg import LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.said import Said
from rollback_responder.domain.situation import Switches
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.journal.annals import DynamoDbAnnals
from rollback_responder.journal.budget import KEY, MOST_TRIES, DynamoDbBudget
from rollback_responder.journal.codec import PROSE, decode_controls, encode
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.journal.memory import (
    MemoryAnnals,
    MemoryBudget,
    MemoryJournal,
    MemoryNotices,
)
from rollback_responder.journal.notices import DynamoDbNotices
from rollback_responder.ports import Notice
from tests.builders import GROUP, MINUTE, NOW, a_ledger, a_moved_leg, a_release, an_incident
from tests.tables import LEASE, TABLE, stubbed

SHOP = "shop"
ALIAS = "lambda_alias/shop/live"
AFTER = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture(params=["memory", "dynamodb"])
def journal(request):
    if request.param == "memory":
        return MemoryJournal(LEASE)
    return DynamoDbJournal(request.getfixturevalue("dynamodb"), TABLE, LEASE)


def take(journal, claim_id, *, may_act=True, now=NOW, service=SHOP):
    return journal.claim(service, claim_id=claim_id, may_act=may_act, now=now)


def kept():
    """The ledgers of a service with an alias and a rollout."""
    return {ALIAS: a_ledger(), GROUP.target_id: Ledger(revision="d-1 running", acted=("d-0",))}


def undecided():
    return an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))


def ended():
    return undecided().step(NOW, State.STOOD_DOWN, Reason.INCONCLUSIVE, "too little")


# -- claiming -------------------------------------------------------------------------------------


def test_a_first_claim_finds_no_ledgers(journal):
    claim = take(journal, "a")

    assert (claim.id, claim.service, claim.until) == ("a", SHOP, NOW + LEASE)
    assert (claim.ledgers, claim.incident, claim.inherited) == ({}, None, ())


def test_a_held_service_is_refused_until_the_lease_ends(journal):
    take(journal, "a")

    assert take(journal, "b") is None
    assert take(journal, "b", now=NOW + LEASE) is None
    assert take(journal, "b", now=AFTER).inherited == ("a",)


def test_one_service_held_does_not_hold_another(journal):
    take(journal, "a")

    assert take(journal, "b", service="cart") is not None


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
    journal.close(take(journal, "a"), ledgers=kept(), incident=undecided())
    claim = take(journal, "b")

    assert (claim.ledgers, claim.incident, claim.inherited) == (kept(), undecided(), ())


def test_keeping_writes_and_goes_on_holding(journal):
    claim = take(journal, "a")
    journal.keep(claim, ledgers=kept(), incident=undecided())

    assert take(journal, "b") is None
    heir = take(journal, "b", now=AFTER)
    assert (heir.ledgers, heir.incident, heir.inherited) == (kept(), undecided(), ("a",))


@pytest.mark.parametrize("method", ["keep", "close"])
def test_a_claim_that_was_taken_over_writes_nothing(journal, method):
    claim = take(journal, "a")
    take(journal, "b", now=AFTER)

    with pytest.raises(ClaimLost, match="no longer held by claim a"):
        getattr(journal, method)(claim, ledgers=kept(), incident=ended())
    assert take(journal, "c", now=AFTER + 2 * MINUTE).ledgers == {}


def test_a_claim_that_was_closed_long_ago_writes_nothing(journal):
    first = take(journal, "a")
    journal.close(first, ledgers={}, incident=None)
    journal.close(take(journal, "b"), ledgers=kept(), incident=None)

    with pytest.raises(ClaimLost):
        journal.keep(first, ledgers={}, incident=None)
    assert take(journal, "c").ledgers == kept()


def test_closing_frees_and_forgets_what_was_inherited(journal):
    take(journal, "a")
    heir = take(journal, "b", now=AFTER)
    journal.close(heir, ledgers=heir.ledgers, incident=None)

    assert take(journal, "c", now=AFTER).inherited == ()


# -- reading --------------------------------------------------------------------------------------


def test_rows_say_who_may_be_acting_and_until_when(journal):
    take(journal, "a")
    take(journal, "b", may_act=False, service="cart")
    claim = take(journal, "c", service="free")
    incident = replace(undecided(), service="free")
    journal.close(claim, ledgers=kept(), incident=incident)
    rows = journal.rows([SHOP, "cart", "free", "never"])

    assert {name: row.acting_until for name, row in rows.items()} == {
        SHOP: NOW + LEASE,
        "cart": None,
        "free": None,
    }
    assert rows["free"].ledgers == kept()
    assert rows["free"].incident == incident


def test_rows_of_more_services_than_one_call_takes(journal):
    names = [f"service-{number}" for number in range(230)]
    for name in names:
        take(journal, "a", service=name)

    assert journal.rows(names).keys() == set(names)
    assert journal.rows([]) == {}


# -- what people say ------------------------------------------------------------------------------

FIXING = Controls(fix_forward=FixingForward(by="ann", until_at=NOW + 30 * MINUTE))
SAID = Controls(
    fix_forward=FixingForward(by="ann", until_at=NOW + 30 * MINUTE),
    unsafe=(
        Unsafe(by="pipeline 77", why="it drops the column that version 1 reads", version="2"),
        Unsafe(by="bob", why="the queue's messages have a new form", until_at=NOW + 60 * MINUTE),
    ),
    approvals=(Approval(incident_id="inc-1", by="eve", at=NOW),),
)


class People:
    """Whoever writes into a row beside the responder."""

    def __init__(self, journal, dynamodb=None):
        self.journal, self._dynamodb = journal, dynamodb

    def say(self, controls, service=SHOP):
        if self._dynamodb is None:
            self.journal.say(service, controls)
        else:
            self.write({"S": json.dumps(write(controls), indent=2)}, service)

    def write(self, attribute, service=SHOP):
        """As with the command line: one attribute, whether there is a row or not."""
        self._dynamodb.update_item(
            TableName=TABLE,
            Key=key(service),
            UpdateExpression="SET controls = :controls",
            ExpressionAttributeValues={":controls": attribute},
        )


@pytest.fixture
def people(request, journal):
    in_memory = isinstance(journal, MemoryJournal)
    return People(journal, None if in_memory else request.getfixturevalue("dynamodb"))


def said(journal, service=SHOP):
    """As the rows have it."""
    return journal.rows([service])[service].controls


def test_where_nobody_said_anything_nothing_is_held_back(journal):
    assert take(journal, "a").controls == Controls()
    assert said(journal) == Controls()


def test_what_people_say_comes_with_the_claim_and_with_the_rows(journal, people):
    journal.close(take(journal, "a"), ledgers=kept(), incident=undecided())
    people.say(SAID)
    row, claim = journal.rows([SHOP])[SHOP], take(journal, "b")

    assert (claim.controls, claim.ledgers, claim.incident) == (SAID, kept(), undecided())
    assert (row.controls, row.ledgers, row.incident) == (SAID, kept(), undecided())


def test_what_is_said_before_the_service_was_ever_seen_is_known(journal, people):
    people.say(SAID)
    row = journal.rows([SHOP])[SHOP]
    claim = take(journal, "a")

    assert (row.controls, row.ledgers, row.incident) == (SAID, {}, None)
    assert (row.acting_until, row.damage) == (None, None)
    assert (claim.controls, claim.ledgers, claim.incident) == (SAID, {}, None)
    assert claim.inherited == ()


@pytest.mark.parametrize("method", ["keep", "close"])
@pytest.mark.parametrize("incident", [None, undecided(), ended()])
def test_no_write_of_the_journal_touches_what_people_said(journal, people, method, incident):
    people.say(SAID)
    getattr(journal, method)(take(journal, "a"), ledgers=kept(), incident=incident)

    assert said(journal) == SAID
    assert take(journal, "b", now=AFTER).controls == SAID


@pytest.mark.parametrize("method", ["keep", "close"])
@pytest.mark.parametrize("before", [Controls(), FIXING])
def test_what_is_said_while_somebody_holds_the_service_is_for_the_next_one(
    journal, people, method, before
):
    """An attempt goes by what was said before it began, and does not wipe out the rest."""
    people.say(before)
    claim = take(journal, "a")
    people.say(SAID)
    getattr(journal, method)(claim, ledgers=kept(), incident=undecided())

    assert claim.controls == before
    assert said(journal) == SAID
    assert take(journal, "b", now=AFTER).controls == SAID


def test_saying_something_neither_takes_a_service_nor_gives_it_free(journal, people):
    claim = take(journal, "a")
    people.say(SAID)

    assert take(journal, "b") is None
    journal.close(claim, ledgers=kept(), incident=None)
    people.say(FIXING)
    assert take(journal, "c").inherited == ()


def test_the_same_claim_again_hears_what_was_said_since(journal, people):
    first = take(journal, "a")
    people.say(SAID)

    assert take(journal, "a") == replace(first, controls=SAID)


def test_whoever_takes_over_hears_what_was_said(journal, people):
    take(journal, "a")
    people.say(SAID)
    heir = take(journal, "b", now=AFTER)

    assert (heir.controls, heir.inherited) == (SAID, ("a",))


def test_what_is_taken_back_holds_nothing_back(journal, people):
    for controls in (SAID, FIXING, Controls()):
        people.say(controls)
        assert said(journal) == controls
    assert take(journal, "a").controls == Controls()


def test_what_is_said_of_one_service_is_not_said_of_another(journal, people):
    people.say(SAID)
    people.say(FIXING, "cart")
    take(journal, "a", service="free")

    assert {name: row.controls for name, row in journal.rows([SHOP, "cart", "free"]).items()} == {
        SHOP: SAID,
        "cart": FIXING,
        "free": Controls(),
    }


WORDS = st.text(min_size=1, max_size=30)
INSTANTS = st.datetimes(timezones=st.timezones()).map(lambda at: at.astimezone(NOW.tzinfo))
ANYTHING = st.builds(
    Controls,
    fix_forward=st.none() | st.builds(FixingForward, by=WORDS, until_at=INSTANTS),
    unsafe=st.lists(
        st.builds(
            Unsafe,
            by=WORDS,
            why=WORDS,
            version=st.none() | WORDS,
            until_at=st.none() | INSTANTS,
        ),
        max_size=4,
    ).map(tuple),
    approvals=st.lists(
        st.builds(Approval, incident_id=WORDS, by=WORDS, at=INSTANTS), max_size=4
    ).map(tuple),
)


@given(controls=ANYTHING, indent=st.none() | st.integers(0, 4), ascii_only=st.booleans())
def test_whatever_is_said_is_read_as_it_was_said(controls, indent, ascii_only):
    text = json.dumps(write(controls), indent=indent, ensure_ascii=ascii_only)

    assert decode_controls(text) == controls


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        ({"S": ""}, "controls is not JSON"),
        ({"S": "fix forward"}, "controls is not JSON"),
        pytest.param({"S": "[" * 100_000}, "controls is not JSON", id="bottomless"),
        ({"S": "[]"}, "controls: got []; allowed: an object"),
        ({"S": '{"fix_foward": {}}'}, "controls.fix_foward"),
        ({"S": '{"fix_forward": true}'}, "controls.fix_forward: got true"),
        ({"S": '{"fix_forward": {"by": "ann"}}'}, "controls.fix_forward.until_at: got nothing"),
        # Without an offset it may be any hour.
        (
            {"S": '{"fix_forward": {"by": "ann", "until_at": "2026-11-22T05:00:00"}}'},
            "an ISO 8601 instant with an offset",
        ),
        ({"S": '{"unsafe": {"by": "ann", "why": "x"}}'}, "controls.unsafe: got"),
        ({"S": '{"unsafe": [{"by": "ann"}]}'}, "controls.unsafe[0].why: got nothing"),
        ({"S": '{"approvals": [{"by": "eve"}]}'}, "controls.approvals[0].incident_id: got nothing"),
        # Somebody wrote the object itself, as consoles offer it, not its text.
        (
            {"M": {"fix_forward": {"M": {"by": {"S": "ann"}}}}},
            "controls is not of DynamoDB's type S",
        ),
        ({"NULL": True}, "controls is not of DynamoDB's type S"),
    ],
)
def test_what_cannot_be_understood_is_damage_and_never_silence(dynamodb, attribute, names):
    """Nobody is taken to have said nothing: the claim is refused, and the rows say why."""
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    people = People(journal, dynamodb)
    journal.close(take(journal, "a"), ledgers=kept(), incident=undecided())
    people.say(SAID, "cart")
    people.write(attribute)

    with pytest.raises(RowDamaged, match="a row's controls") as raised:
        take(journal, "b")
    assert names in str(raised.value)
    rows = journal.rows([SHOP, "cart"])
    assert names in rows[SHOP].damage
    assert (rows[SHOP].controls, rows[SHOP].ledgers) == (Controls(), {})
    assert (rows["cart"].controls, rows["cart"].damage) == (SAID, None)


def test_what_was_mended_is_heard_once_the_lease_is_over(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    people = People(journal, dynamodb)
    people.write({"S": "{"})
    with pytest.raises(RowDamaged):
        take(journal, "a")
    people.say(SAID)

    assert said(journal) == SAID
    assert take(journal, "b") is None
    assert take(journal, "b", now=AFTER).controls == SAID


def test_only_people_write_what_people_say(dynamodb):
    """Byte for byte as it was written, through everything that the journal does."""
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    people = People(journal, dynamodb)
    text = {"S": '{ "fix_forward": {"until_at": "2026-11-22T06:00:00+01:00", "by": "ann"} }'}
    people.write(text)
    journal.keep(take(journal, "a"), ledgers=kept(), incident=undecided())
    heir = take(journal, "b", now=AFTER)
    journal.close(heir, ledgers=kept(), incident=ended())

    assert items_of(dynamodb)["row"]["controls"] == text
    assert "controls" not in items_of(dynamodb)["incident#inc-1"]


# -- what only DynamoDB can show ------------------------------------------------------------------


def items_of(dynamodb):
    return {item["sk"]["S"]: item for item in dynamodb.scan(TableName=TABLE)["Items"]}


def test_an_incident_that_ended_is_archived_once_in_the_same_write(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledgers=kept(), incident=ended())
    archived = items_of(dynamodb)["incident#inc-1"]

    assert json.loads(archived["archive"]["S"])["id"] == "inc-1"
    assert int(archived["expires_at"]["N"]) > NOW.timestamp() + 399 * 86400
    assert "incident" not in archived
    dynamodb.delete_item(TableName=TABLE, Key={"pk": archived["pk"], "sk": archived["sk"]})
    journal.close(take(journal, "b"), ledgers=kept(), incident=ended())
    assert "incident#inc-1" not in items_of(dynamodb)


def test_an_open_incident_is_not_archived(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledgers=kept(), incident=undecided())

    assert items_of(dynamodb).keys() == {"row"}


def test_a_lost_claim_archives_nothing(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    claim = take(journal, "a")
    take(journal, "b", now=AFTER)

    with pytest.raises(ClaimLost):
        journal.close(claim, ledgers=kept(), incident=ended())
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
    journal.close(claim, ledgers=kept(), incident=incident)

    assert take(journal, "b").incident == incident


def test_a_takeover_whose_reply_was_lost_and_that_was_repeated_is_taken(dynamodb):
    take(DynamoDbJournal(dynamodb, TABLE, LEASE), "a")
    journal = DynamoDbJournal(Repeats(dynamodb, "update_item"), TABLE, LEASE)

    assert take(journal, "b", now=AFTER).inherited == ("a",)


def test_another_row_may_be_written_beside_a_lost_claim_but_not_called_ours(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    first = take(journal, "a")
    journal.close(take(journal, "b", now=AFTER), ledgers={}, incident=None)

    with pytest.raises(ClaimLost):
        journal.close(first, ledgers=kept(), incident=None)


def damaged(dynamodb, changes):
    """A journal whose row of the shop has these attributes as well, and a row of the cart."""
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledgers=kept(), incident=undecided())
    dynamodb.put_item(TableName=TABLE, Item=items_of(dynamodb)["row"] | changes)
    key = {"pk": {"S": "service#cart"}, "sk": {"S": "row"}}
    dynamodb.put_item(TableName=TABLE, Item=key)
    return journal


CLAIM = {"claim_id": {"S": "b"}, "claim_until": {"N": "0"}, "claim_acts": {"BOOL": True}}


@pytest.mark.parametrize(
    "changes",
    [
        {"ledgers": {"N": "1"}},
        {"incident": {"M": {}}},
        {"controls": {"BOOL": True}},
        CLAIM | {"claim_id": {"N": "1"}},
        CLAIM | {"claim_until": {"N": "0.5"}},
        CLAIM | {"claim_until": {"N": "99999999999999999"}},
        {"claim_id": {"S": "b"}, "claim_until": {"N": "0"}},
        {"claim_id": {"S": "b"}, "claim_acts": {"BOOL": True}},
    ],
    ids=str,
)
def test_an_attribute_of_another_type_is_damage_of_its_row_alone(dynamodb, changes):
    """One such row once kept every service from being watched."""
    journal = damaged(dynamodb, changes)
    before = items_of(dynamodb)["row"]

    with pytest.raises(RowDamaged, match="a row's"):
        take(journal, "c")
    rows = journal.rows([SHOP, "cart"])
    assert "a row's" in rows[SHOP].damage
    assert rows["cart"].damage is None
    after = items_of(dynamodb)["row"]
    assert [after.get(n) for n in ("ledgers", "incident", "controls")] == [
        before.get(n) for n in ("ledgers", "incident", "controls")
    ]


def in_state(state):
    return write(Step(at=NOW, state=state, reason=Reason.METRIC_BREACHING, text="so"))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"service": "cart"}, "of another service"),
        ({"steps": []}, "has no first step"),
        ({"alarm_since_at": "9999-12-31T23:59:59+00:00"}, "ISO 8601"),
        ({"steps": [in_state(State.WATCHING)]}, "is watched, and nothing is back"),
        (
            {
                "steps": [in_state(State.ROLLING_BACK)],
                "legs": [write(replace(a_moved_leg(), state=LegState.TO_DO))],
            },
            "waits for an alias, which moves at once",
        ),
    ],
)
def test_an_incident_that_cannot_be_is_damage(dynamodb, changes, names):
    incident = json.loads(encode(undecided())) | changes
    journal = damaged(dynamodb, {"incident": {"S": json.dumps(incident)}})

    with pytest.raises(RowDamaged, match=names):
        take(journal, "b")
    assert names in journal.rows([SHOP])[SHOP].damage


def test_a_secret_that_somebody_wrote_is_not_kept(dynamodb):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    about = "see https://hooks.slack.com/services/T0/B0/abcdefgh"
    journal.close(
        take(journal, "a"), ledgers={"t": a_ledger(current=a_release(about=about))}, incident=None
    )

    assert "abcdefgh" not in items_of(dynamodb)["row"]["ledgers"]["S"]
    assert take(journal, "b").ledgers["t"].current.about == "see https://[redacted]"


def test_each_text_is_searched_for_secrets_and_no_name_is():
    names = {"id", "environment", "service", "alarm_name", "incident_id", "claim_id", "change"}
    names |= {"changes", "revision", "version", "to_version", "new_version", "previous_version"}
    names |= {"code_sha256", "asks_about", "acted", "noun", "unit"}
    documents = (Incident, Ledger, Controls, Said)

    assert set().union(*map(texts_of, documents)) - names == PROSE


def texts_of(hint):
    """The fields of a document that may hold any text; what the policy names is not looked into."""
    if not is_document(hint) or hint.__module__ in {target.__name__, trigger.__name__}:
        return set()
    found = set()
    for field in fields_of(hint):
        parts = {field.hint, *get_args(field.hint)}
        found |= {field.name} if str in parts else set().union(*map(texts_of, parts))
    return found


@pytest.mark.parametrize("name", ["boxapp-api", "xoxo-shop-2", "ASIAPACIFIC01", "ghs_orders_7"])
def test_a_name_that_looks_like_a_secret_still_names_the_same(dynamodb, name):
    """By another name a target is seen for the first time each minute, and never protected."""
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    shop = LambdaAlias(function=name, alias="live")
    kept = {shop.target_id: a_ledger()}
    incident = replace(undecided(), target=shop, alarm_name=f"{name}: token=expired rate")
    journal.close(take(journal, "a"), ledgers=kept, incident=incident)

    row = journal.rows([SHOP])[SHOP]
    assert (row.damage, row.ledgers, row.incident) == (None, kept, incident)


@pytest.mark.parametrize(
    ("attribute", "text", "names"),
    [
        ("ledgers", "{", "ledgers is not JSON"),
        ("ledgers", "[]", "ledgers are not an object"),
        ("ledgers", '{"x/y": {"good": 7}}', "x/y.good: got 7; allowed: a list"),
        ("ledgers", '{"x/y": {"surprise": 1}}', "x/y.surprise"),
        ("ledgers", '{"x/y": 7}', "x/y: got 7; allowed: an object"),
        ("incident", '{"id": "x"}', "incident.service: got nothing"),
        ("incident", "[]", "allowed: an object"),
    ],
)
def test_a_damaged_row_names_its_damage(dynamodb, attribute, text, names):
    journal = DynamoDbJournal(dynamodb, TABLE, LEASE)
    journal.close(take(journal, "a"), ledgers=kept(), incident=undecided())
    item = items_of(dynamodb)["row"]
    item[attribute] = {"S": text}
    dynamodb.put_item(TableName=TABLE, Item=item)

    with pytest.raises(RowDamaged, match="a row's") as raised:
        take(journal, "b")
    assert names in str(raised.value)
    # The others are read all the same.
    assert names in journal.rows([SHOP])[SHOP].damage


def key(name):
    return {"pk": {"S": f"service#{name}"}, "sk": {"S": "row"}}


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
        "close": lambda: journal.close(claim, ledgers={}, incident=None),
        "archive": lambda: journal.close(claim, ledgers={}, incident=ended()),
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
        DynamoDbJournal(client, TABLE, LEASE).close(claim, ledgers={}, incident=ended())
    assert not isinstance(raised.value, ClaimLost)


def test_no_answer_at_all_is_a_journal_error(monkeypatch):
    client, _ = stubbed()

    def silent(**_):
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(client, "update_item", silent)
    with pytest.raises(JournalError, match="ReadTimeoutError"):
        take(DynamoDbJournal(client, TABLE, LEASE), "a")


# -- the budget -----------------------------------------------------------------------------------

HOUR = timedelta(hours=1)
FREE, SPENT = Switches(), Switches(in_budget=False)


class Memory:
    """The budget in memory, and what people do to it."""

    def __init__(self):
        self.budget = MemoryBudget()

    def pause(self, by):
        self.budget.paused_by = by


class Dynamo:
    """The budget in DynamoDB; people write its one attribute with the command line."""

    def __init__(self, client):
        self.client, self.budget = client, DynamoDbBudget(client, TABLE)

    def pause(self, by):
        given = {"UpdateExpression": "REMOVE paused_by"}
        if by:
            given = {
                "UpdateExpression": "SET paused_by = :by",
                "ExpressionAttributeValues": {":by": {"S": by}},
            }
        self.client.update_item(TableName=TABLE, Key=KEY, **given)

    def item(self):
        return self.client.get_item(TableName=TABLE, Key=KEY)["Item"]


@pytest.fixture(params=["memory", "dynamodb"])
def house(request):
    return Memory() if request.param == "memory" else Dynamo(request.getfixturevalue("dynamodb"))


def spend(budget, *claim_ids, limit=2, now=NOW):
    return [budget.set_aside(claim_id, limit=limit, now=now) for claim_id in claim_ids]


def test_a_look_at_the_budget_takes_nothing_and_sees_what_is_left(house):
    look = partial(house.budget.read, limit=2)

    assert look(now=NOW) == FREE
    spend(house.budget, "a")
    assert [look(now=NOW), look(now=NOW), look(now=NOW)] == [FREE] * 3
    spend(house.budget, "b")
    assert look(now=NOW) == SPENT
    assert look(now=NOW + HOUR) == FREE
    house.pause("ann")
    assert look(now=NOW) == Switches(paused_by="ann")


def test_an_hour_holds_as_many_rollbacks_as_the_limit_says(house):
    assert spend(house.budget, "a", "b", "c", "d") == [FREE, FREE, SPENT, SPENT]
    assert spend(house.budget, "c", limit=3) == [FREE]


def test_the_same_claim_sets_aside_once(house):
    assert spend(house.budget, "a", "a", "a", "b", "c") == [FREE, FREE, FREE, FREE, SPENT]
    assert spend(house.budget, "a") == [FREE]


def test_what_is_given_back_is_there_for_somebody_else(house):
    spend(house.budget, "a", "b")
    house.budget.give_back("a")

    assert spend(house.budget, "c", "d") == [FREE, SPENT]


def test_giving_back_what_was_never_set_aside_gives_nothing(house):
    house.budget.give_back("a")
    spend(house.budget, "a", "b")
    house.budget.give_back("x")
    house.budget.give_back("a")
    house.budget.give_back("a")

    assert spend(house.budget, "c", "d") == [FREE, SPENT]


def test_everything_given_back_leaves_the_whole_hour(house):
    spend(house.budget, "a", "b")
    for claim_id in ("a", "b"):
        house.budget.give_back(claim_id)

    assert spend(house.budget, "c", "d", "e") == [FREE, FREE, SPENT]


@pytest.mark.parametrize("late", [HOUR, 3 * HOUR, 24 * HOUR])
def test_a_new_hour_begins_anew(house, late):
    spend(house.budget, "a", "b")

    assert spend(house.budget, "c", now=NOW + HOUR - MINUTE) == [SPENT]
    assert spend(house.budget, "c", "d", "e", now=NOW + late) == [FREE, FREE, SPENT]


def test_the_hour_never_goes_back(house):
    """Somebody's clock lags behind: what is spent in the hour that has begun stays spent."""
    spend(house.budget, "a", now=NOW + HOUR)

    assert spend(house.budget, "b", "c", now=NOW) == [FREE, SPENT]
    assert spend(house.budget, "d", now=NOW + HOUR) == [SPENT]
    assert spend(house.budget, "e", now=NOW - 30 * HOUR) == [SPENT]


def test_what_is_given_back_after_the_hour_takes_nothing_from_the_next(house):
    spend(house.budget, "a")
    spend(house.budget, "b", now=NOW + HOUR)
    house.budget.give_back("a")

    assert spend(house.budget, "c", "d", now=NOW + HOUR) == [FREE, SPENT]


@pytest.mark.parametrize("before", [(), ("a",), ("a", "b")])
@pytest.mark.parametrize("late", [timedelta(0), HOUR])
def test_while_it_is_paused_nothing_is_set_aside_and_everybody_hears_by_whom(house, before, late):
    spend(house.budget, *before)
    house.pause("ann: fire drill")

    paused = spend(house.budget, "x", "y", "z", now=NOW + late)
    house.pause(None)

    assert paused == [Switches(paused_by="ann: fire drill")] * 3
    left = 2 if late else 2 - len(before)
    assert spend(house.budget, "p", "q", "r", now=NOW + late) == [FREE] * left + [SPENT] * (
        3 - left
    )


def test_a_pause_before_the_first_hour_is_heard(house):
    house.pause("ann")

    assert spend(house.budget, "a") == [Switches(paused_by="ann")]


@pytest.mark.parametrize("first", [False, True])
def test_a_setting_aside_whose_reply_was_lost_and_that_was_repeated_counts_once(dynamodb, first):
    house = Dynamo(dynamodb)
    if not first:
        spend(house.budget, "z", limit=9, now=NOW - HOUR)
    repeating = DynamoDbBudget(Repeats(dynamodb, "update_item"), TABLE)

    assert spend(repeating, "a", "b", "c") == [FREE, FREE, SPENT]
    assert house.item()["spent"]["SS"] == ["a", "b"]


def test_a_giving_back_that_was_repeated_gives_back_once(dynamodb):
    repeating = DynamoDbBudget(Repeats(dynamodb, "update_item"), TABLE)
    spend(repeating, "a", "b")
    repeating.give_back("a")

    assert spend(repeating, "c", "d") == [FREE, SPENT]


class Meanwhile:
    """A client before whose n-th write somebody else does something."""

    def __init__(self, client, doings):
        self._client, self._doings, self.calls = client, doings, 0

    def update_item(self, **given):
        self.calls += 1
        self._doings.get(self.calls, lambda: None)()
        return self._client.update_item(**given)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("others", "by", "found"),
    [(["x"], None, FREE), (["x", "y"], None, SPENT), ([], "ann", Switches(paused_by="ann"))],
)
def test_two_who_begin_an_hour_together_share_it(dynamodb, known, others, by, found):
    """Before the write that begins the hour somebody else has begun it, or paused everything."""
    house = Dynamo(dynamodb)
    if known:
        spend(house.budget, "z", now=NOW - HOUR)

    def meanwhile():
        spend(house.budget, *others)
        house.pause(by)

    budget = DynamoDbBudget(Meanwhile(dynamodb, {1: meanwhile}), TABLE)

    assert spend(budget, "a") == [found]
    spent = set(house.item().get("spent", {}).get("SS", ()))
    assert spent - {"z"} == {*others, *(["a"] if found == FREE else [])}


def test_one_write_is_enough_for_the_first_of_an_hour_and_for_who_knows_that_it_has_begun(dynamodb):
    counting = Meanwhile(dynamodb, {})
    budget = DynamoDbBudget(counting, TABLE)
    for calls, (claim_id, now) in enumerate([("a", NOW), ("b", NOW), ("c", NOW + HOUR)], start=1):
        assert spend(budget, claim_id, now=now) == [FREE]
        assert counting.calls == calls


def test_whoever_lags_behind_while_an_hour_begins_takes_from_that_one(dynamodb):
    house = Dynamo(dynamodb)
    meanwhile = Meanwhile(dynamodb, {1: lambda: spend(house.budget, "x", now=NOW + HOUR)})

    assert spend(DynamoDbBudget(meanwhile, TABLE), "a", "b") == [FREE, SPENT]


def test_a_budget_that_changes_at_every_look_is_an_error_not_an_empty_one(dynamodb):
    """Each hour that it finds is over by the time it takes from it."""
    house = Dynamo(dynamodb)
    hours = iter(range(1, 99))
    ahead = {
        n: lambda: spend(house.budget, "x", now=NOW + next(hours) * HOUR) for n in range(1, 99)
    }
    meanwhile = Meanwhile(dynamodb, ahead)

    with pytest.raises(JournalError, match="changes too often"):
        spend(DynamoDbBudget(meanwhile, TABLE), "a")
    assert meanwhile.calls == MOST_TRIES


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "AccessDeniedException"]
)
def test_a_budget_that_cannot_be_read_is_a_journal_error_without_its_text(code):
    client, stub = stubbed()
    budget = DynamoDbBudget(client, TABLE)
    for _ in range(2):
        stub.add_client_error("update_item", code, "arn:aws:iam::1:role/secret")
    with stub:
        for call in (lambda: spend(budget, "a"), lambda: budget.give_back("a")):
            with pytest.raises(JournalError, match=code) as raised:
                call()
            assert "secret" not in str(raised.value)


def test_no_answer_of_the_budget_is_a_journal_error(monkeypatch):
    client, _ = stubbed()

    def silent(**_):
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(client, "update_item", silent)
    budget = DynamoDbBudget(client, TABLE)
    for call in (lambda: spend(budget, "a"), lambda: budget.give_back("a")):
        with pytest.raises(JournalError, match="ReadTimeoutError"):
            call()


def test_the_budget_is_no_service_and_no_incident(dynamodb):
    """Whoever reads the table for services or for the news never meets it."""
    spend(Dynamo(dynamodb).budget, "a")

    assert KEY["pk"]["S"] == "switches"
    assert not {"incident", "ledgers", "claim_id"} & set(items_of(dynamodb)["row"])


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


def test_what_was_shown_is_known_beside_what_was_told(notices):
    notices.record("inc-1", told=1, head="C1/1.0")
    notices.record_shown("inc-1", "asked")
    notices.record_shown("inc-1", "outcome")
    notices.record_shown("inc-1", "asked")
    notices.record("inc-1", told=2, head="C1/1.0")

    notice = notices.take("inc-1", steps=3, now=NOW)
    assert notice == Notice(told=2, head="C1/1.0", shown=frozenset({"asked", "outcome"}))
    assert notices.take("inc-2", steps=1, now=NOW).shown == frozenset()


def test_a_note_that_arrives_after_later_ones_has_nothing_told_again(notices):
    """The SDK gave up on it, and AWS takes it all the same, some time later."""
    notices.record("inc-1", told=2, head="C1/1.0")
    notices.record("inc-1", told=0, head="C1/1.0")

    assert notices.take("inc-1", steps=3, now=NOW).told == 2


def test_incidents_are_told_apart(notices):
    notices.take("inc-1", steps=1, now=NOW)

    assert notices.take("inc-2", steps=1, now=NOW) == Notice(told=0, head=None)


def test_a_notice_that_cannot_be_written_is_a_journal_error():
    client, stub = stubbed()
    notices = DynamoDbNotices(client, TABLE, LEASE)
    for _ in range(4):
        stub.add_client_error("update_item", "AccessDeniedException")
    with stub:
        for call in (
            lambda: notices.take("inc-1", steps=1, now=NOW),
            lambda: notices.record("inc-1", told=1, head="h"),
            lambda: notices.record_shown("inc-1", "asked"),
            lambda: notices.give_back("inc-1"),
        ):
            with pytest.raises(JournalError, match="AccessDenied"):
                call()


def test_notices_expire_long_after_the_incident(dynamodb):
    DynamoDbNotices(dynamodb, TABLE, LEASE).take("inc-1", steps=1, now=NOW)

    assert int(items_of(dynamodb)["row"]["expires_at"]["N"]) > NOW.timestamp() + 399 * 86400


# -- annals ---------------------------------------------------------------------------------------


class Past:
    """A journal with incidents that ended, and its annals."""

    def __init__(self, request, kind):
        self.client = request.getfixturevalue("dynamodb") if kind == "dynamodb" else None
        budget = MemoryBudget()
        if self.client:
            self.journal = DynamoDbJournal(self.client, TABLE, LEASE)
            self.annals = DynamoDbAnnals(self.client, TABLE)
        else:
            self.journal = MemoryJournal(LEASE)
            self.annals = MemoryAnnals(self.journal, budget)
        self.budget = budget

    def end(self, opened_at, word, service=SHOP, **changes):
        incident_id = naming.incident_id(opened_at, word)
        incident = replace(ended(), id=incident_id, opened_at=opened_at, service=service, **changes)
        claim = take(self.journal, incident_id, service=service)
        self.journal.close(claim, ledgers=kept(), incident=incident)
        return incident

    def label(self, incident, *, right):
        if self.client is None:
            self.annals.labels[incident.id] = right
            return
        key = {"pk": {"S": f"service#{incident.service}"}, "sk": {"S": f"label#{incident.id}"}}
        self.client.put_item(
            TableName=TABLE, Item={**key, "is_right": {"BOOL": right}, "said_by": {"S": "ann"}}
        )

    def pause(self, by):
        if self.client is None:
            self.budget.paused_by = by
            return
        self.client.put_item(TableName=TABLE, Item={**KEY, "paused_by": {"S": by}})


@pytest.fixture(params=["memory", "dynamodb"])
def past(request):
    return Past(request, request.param)


WEEK = timedelta(days=7)


def test_a_chapter_holds_what_began_since_and_is_over(past):
    old = past.end(NOW - WEEK - MINUTE, "ffffffff")
    first = past.end(NOW - WEEK, "00000000")
    last = past.end(NOW, "ffffffff")
    past.end(NOW + MINUTE, "00000000")
    cart = past.end(NOW - MINUTE, "12345678", service="cart")
    past.end(NOW - MINUTE, "87654321", service="mail")
    chapter = past.annals.chapter([SHOP, "cart", "unseen"], since_at=NOW - WEEK, now=NOW)

    assert set(chapter.incidents) == {first, last, cart}
    assert old not in chapter.incidents
    assert (dict(chapter.labels), chapter.damages) == ({}, ())


def test_a_chapter_says_what_people_said_of_it(past):
    right, wrong = past.end(NOW - MINUTE, "a"), past.end(NOW, "b")
    past.end(NOW, "c")
    past.label(right, right=True)
    past.label(wrong, right=False)
    chapter = past.annals.chapter([SHOP], since_at=NOW - WEEK, now=NOW)

    assert dict(chapter.labels) == {right.id: True, wrong.id: False}


def test_an_incident_that_is_open_is_in_no_chapter(past):
    claim = take(past.journal, "a")
    past.journal.close(claim, ledgers=kept(), incident=undecided())

    assert past.annals.chapter([SHOP], since_at=NOW - WEEK, now=NOW).incidents == ()


def test_the_pause_is_read_beside_it(past):
    assert past.annals.paused_by() is None
    past.pause("ann")
    assert past.annals.paused_by() == "ann"


def test_a_chapter_of_many_pages_is_read_whole(dynamodb, request):
    """A Query gives a megabyte a page."""
    past = Past(request, "dynamodb")
    long = "x" * 150_000
    for number in range(8):
        incident = ended()
        steps = (*incident.steps[:-1], replace(incident.steps[-1], text=long))
        past.end(NOW - number * MINUTE, "0", steps=steps)

    assert len(past.annals.chapter([SHOP], since_at=NOW - WEEK, now=NOW).incidents) == 8


def test_what_is_damaged_in_a_chapter_is_named_and_the_rest_is_read(dynamodb, request):
    past = Past(request, "dynamodb")
    whole, broken = past.end(NOW, "a"), past.end(NOW, "b")
    key = {"pk": {"S": f"service#{SHOP}"}, "sk": {"S": f"incident#{broken.id}"}}
    dynamodb.put_item(TableName=TABLE, Item={**key, "archive": {"S": "{"}})
    chapter = past.annals.chapter([SHOP], since_at=NOW - WEEK, now=NOW)

    assert chapter.incidents == (whole,)
    assert chapter.damages[0].startswith(f"{broken.id}: a row's incident is not JSON")


def test_a_chapter_that_cannot_be_read_is_a_journal_error():
    client, stub = stubbed()
    annals = DynamoDbAnnals(client, TABLE)
    stub.add_client_error("query", "AccessDeniedException")
    stub.add_client_error("get_item", "AccessDeniedException")
    with stub:
        with pytest.raises(JournalError, match="Query: AccessDenied"):
            annals.chapter([SHOP], since_at=NOW, now=NOW)
        with pytest.raises(JournalError, match="GetItem: AccessDenied"):
            annals.paused_by()
