"""Reading a document: a problem is told with its path, what was got, what is allowed, the fix."""

from typing import Annotated, Literal

import pytest
from msgspec import Struct, field

from rollback_responder.domain.document import LONGEST_ECHO, Doc, Reader, fields_of


class Base(Struct, frozen=True):
    kind: Literal["a", "b"] = "a"


class Plain(Struct, frozen=True):
    number: int = 0
    flag: bool = False
    words: tuple[Annotated[str, Doc("A word.", "say it")], ...] = field(default_factory=tuple)


class Needs(Struct, frozen=True):
    bare: int
    told: Annotated[int, Doc("How many there are.")]


class Late(Plain, frozen=True):
    """Its kind comes after the fields that it inherits."""

    kind: Literal["late"] = "late"


def problems(cls, document):
    reader = Reader()
    assert reader.read(cls, document, "") is None
    return [str(problem) for problem in reader.problems]


LONG = "x" * (LONGEST_ECHO - 2)


@pytest.mark.parametrize(
    ("cls", "document", "said"),
    [
        (Plain, 5, "document: got 5; allowed: an object; write Plain as {...}"),
        (Plain, {"number": True}, "number: got true; allowed: a whole number; "),
        (Plain, {"number": False}, "number: got false; allowed: a whole number; "),
        (Plain, {"number": None}, "number: got null; allowed: a whole number; "),
        (Plain, {"number": LONG}, f"number: got '{LONG}'; allowed: a whole number; "),
        (Plain, {"number": LONG + "y"}, f"number: got '{LONG}y...; allowed: a whole number; "),
        (Plain, {"number": 10**5000}, "number: got int beyond all bounds; allowed: "),
        (Plain, {"flag": 1}, "flag: got 1; allowed: true or false; "),
        (Plain, {"words": [1]}, "words[0]: got 1; allowed: a string; say it"),
        (Plain, {"numbr": 1}, "numbr: got 1; allowed: one of flag, number, words; write number,"),
        (Plain, {"x": 1}, "x: got 1; allowed: one of flag, number, words; remove it"),
        (Plain, {"no word": 1}, "'no word': got 1; "),
        (Base, {"kind": "c"}, "kind: got 'c'; allowed: 'a' or 'b'; use that word"),
    ],
)
def test_a_problem_is_told_in_one_line(cls, document, said):
    (problem,) = problems(cls, document)

    assert problem.startswith(said)


def test_what_is_missing_is_told_with_what_it_is():
    assert problems(Needs, {}) == [
        "bare: got nothing; allowed: a value; add the key",
        "told: got nothing; allowed: How many there are.; add the key",
    ]


def test_what_is_left_out_is_what_the_type_says():
    assert Reader().read(Plain, {}, "") == Plain()
    assert [one.default for one in fields_of(Plain)] == [0, False, ()]


def test_what_tells_a_value_apart_is_read_first():
    names = [one.name for one in fields_of(Late)]

    assert names[0] == "kind"
    assert sorted(names) == ["flag", "kind", "number", "words"]
