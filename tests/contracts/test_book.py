"""The book of what people said: one suite for the table and for memory."""

from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws
from msgspec.structs import replace

from rollback_responder.domain.controls import Controls, FixingForward
from rollback_responder.domain.errors import OrderRefused, RowDamaged
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.said import Said
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.journal.budget import DynamoDbBudget
from rollback_responder.journal.codec import decode_said
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.journal.memory import MemoryBook, MemoryBudget, MemoryJournal
from tests.builders import NOW, an_incident
from tests.tables import LEASE, TABLE, make_table

BOB = Said(at=NOW, by="bob", text="bob said so", incident_id="inc-1")
EVE = replace(BOB, by="eve", text="eve said so", incident_id=None)
FIXING = Controls(fix_forward=FixingForward(by="bob", until_at=NOW))
ENDED = an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE))


@dataclass
class Kept:
    """A book, what it stands beside, and how to read what was said in it."""

    book: Any
    journal: Any
    budget: Any
    client: Any = None

    def said(self):
        if self.client is None:
            return self.book.said
        items = self.client.scan(TableName=TABLE, ConsistentRead=True)["Items"]
        found = [decode_said(item["said"]["S"]) for item in items if "said" in item]
        return sorted(found, key=lambda said: said.by)

    def end(self, incident):
        claim = self.journal.claim("shop", claim_id="a", may_act=False, now=NOW)
        self.journal.close(claim, ledgers={}, incident=incident)


@pytest.fixture(params=["memory", "dynamodb"])
def kept(request):
    if request.param == "memory":
        journal, budget = MemoryJournal(LEASE), MemoryBudget()
        yield Kept(MemoryBook(journal, budget), journal, budget)
        return
    with mock_aws():
        client = make_table()
        journal = DynamoDbJournal(client, TABLE, LEASE)
        yield Kept(DynamoDbBook(client, TABLE), journal, DynamoDbBudget(client, TABLE), client)


def test_a_service_that_was_never_seen_has_an_empty_page(kept):
    page = kept.book.page("shop")

    assert (page.service, page.controls, page.incident) == ("shop", Controls(), None)


def test_what_is_written_is_on_the_next_page_and_in_the_claim(kept):
    kept.end(ENDED)
    assert kept.book.write(kept.book.page("shop"), FIXING, said=BOB)

    page = kept.book.page("shop")
    assert (page.controls, page.incident) == (FIXING, ENDED)
    claim = kept.journal.claim("shop", claim_id="b", may_act=True, now=NOW)
    assert (claim.controls, claim.incident) == (FIXING, ENDED)
    assert kept.said() == [BOB]


def test_nobody_overwrites_what_another_has_said_meanwhile(kept):
    before = kept.book.page("shop")
    assert kept.book.write(before, FIXING, said=BOB)

    assert not kept.book.write(before, Controls(), said=EVE)
    assert kept.book.page("shop").controls == FIXING
    assert kept.said() == [BOB]
    assert kept.book.write(kept.book.page("shop"), Controls(), said=EVE)
    assert kept.said() == [BOB, EVE]


def test_writing_does_not_touch_a_claim(kept):
    claim = kept.journal.claim("shop", claim_id="a", may_act=True, now=NOW)
    assert kept.book.write(kept.book.page("shop"), FIXING, said=BOB)

    kept.journal.close(claim, ledgers={}, incident=ENDED)
    assert kept.book.page("shop").controls == FIXING


def test_only_what_has_ended_is_judged(kept):
    with pytest.raises(OrderRefused, match="has ended"):
        kept.book.label("shop", "inc-1", right=True, said=BOB)
    kept.end(ENDED)
    with pytest.raises(OrderRefused, match="has ended"):
        kept.book.label("cart", "inc-1", right=True, said=BOB)
    assert kept.said() == []


def test_the_last_judgement_counts_and_the_same_one_is_not_repeated(kept):
    kept.end(ENDED)

    assert kept.book.label("shop", "inc-1", right=True, said=BOB) is None
    assert kept.book.label("shop", "inc-1", right=True, said=EVE) == "bob"
    assert kept.said() == [BOB]
    assert kept.book.label("shop", "inc-1", right=False, said=EVE) is None
    assert kept.book.label("shop", "inc-1", right=False, said=BOB) == "eve"
    assert kept.said() == [BOB, EVE]


def test_a_pause_is_the_budget_s_pause_and_is_lifted_once(kept):
    assert kept.book.pause("bob", said=BOB) is None
    assert kept.book.pause("eve", said=EVE) == "bob"
    assert kept.budget.set_aside("a", limit=1, now=NOW).paused_by == "bob"

    assert kept.book.resume(said=EVE)
    assert not kept.book.resume(said=BOB)
    assert kept.budget.set_aside("a", limit=1, now=NOW).paused_by is None
    assert kept.said() == [BOB, EVE]


@pytest.mark.parametrize("kept", ["dynamodb"], indirect=True)
def test_a_damaged_row_is_named_and_not_written_over(kept):
    """Memory holds values, not text."""
    key = {"pk": {"S": "service#shop"}, "sk": {"S": "row"}}
    kept.client.put_item(TableName=TABLE, Item={**key, "controls": {"S": "{"}})

    with pytest.raises(RowDamaged, match="controls"):
        kept.book.page("shop")
