"""An item's attributes: read by their type, or damage that names itself."""

from datetime import UTC, datetime

import pytest

from rollback_responder.domain.errors import RowDamaged
from rollback_responder.journal import attributes

ITEM = {
    "s": {"S": "x"},
    "n": {"N": "1795662600000"},
    "b": {"BOOL": False},
    "ss": {"SS": ["b", "a"]},
}


def test_each_is_read_by_its_type():
    assert attributes.text(ITEM, "s") == "x"
    assert attributes.number(ITEM, "n") == 1795662600000
    assert attributes.flag(ITEM, "b") is False
    assert attributes.words(ITEM, "ss") == ("a", "b")
    assert attributes.instant(ITEM, "n") == datetime.fromtimestamp(1795662600, tz=UTC)


@pytest.mark.parametrize(
    "read", [attributes.text, attributes.number, attributes.flag, attributes.instant]
)
def test_what_is_not_there_is_none(read):
    assert read(ITEM, "other") is None
    assert attributes.words(ITEM, "other") == ()


@pytest.mark.parametrize(
    ("read", "held"),
    [
        (attributes.text, {"N": "1"}),
        (attributes.text, {"S": None}),
        (attributes.text, "x"),
        (attributes.number, {"S": "1"}),
        (attributes.number, {"N": "0.5"}),
        (attributes.number, {"N": "1E+100"}),
        (attributes.flag, {"S": "true"}),
        (attributes.words, {"L": []}),
        (attributes.words, {"SS": [1]}),
        (attributes.instant, {"N": "9" * 30}),
        (attributes.instant, {"N": "-" + "9" * 17}),
    ],
)
def test_another_type_is_damage_that_is_named(read, held):
    with pytest.raises(RowDamaged, match="a row's claim_until is not "):
        read({"claim_until": held}, "claim_until")
