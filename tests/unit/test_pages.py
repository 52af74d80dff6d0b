"""Answers that come in pages."""

import pytest
from botocore.exceptions import PaginationError

from rollback_responder.pages import pages


def asking(*tokens, names="NextToken", asked_as="NextToken"):
    """Answers one page for each token and a last one; keeps what was asked."""
    asked, left = [], list(tokens)

    def ask(**arguments):
        asked.append(arguments.get(asked_as))
        return {"page": len(asked)} | ({names: left.pop(0)} if left else {})

    return ask, asked


def test_each_page_is_asked_for_by_what_the_one_before_names():
    ask, asked = asking("a", "b")

    assert [page["page"] for page in pages(ask)] == [1, 2, 3]
    assert asked == [None, "a", "b"]


def test_what_names_the_next_may_be_asked_for_by_another_name():
    key = {"pk": {"S": "x"}}
    ask, asked = asking(key, names="LastEvaluatedKey", asked_as="ExclusiveStartKey")

    assert len(list(pages(ask, "LastEvaluatedKey", "ExclusiveStartKey"))) == 2
    assert asked == [None, key]


def test_a_page_that_names_itself_ends_it():
    """Else it asks until Lambda ends it."""
    ask, asked = asking("a", "a", "a", "a")
    with pytest.raises(PaginationError, match="twice: a"):
        list(pages(ask))

    assert asked == [None, "a"]
