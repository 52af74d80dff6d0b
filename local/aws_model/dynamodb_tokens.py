"""What an expression is made of, common to conditions and updates.

From the DynamoDB developer guide ("Expression attribute names", "Expression attribute values",
"Reserved words", "Constraints"): ``#name`` stands for an attribute's name and ``:name`` for a
value; one that is not defined is refused; a reserved word is no name; an expression has up to 4 KB.
Keywords are taken in any case, functions only as written. Paths into lists and maps are not served.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from local.aws_model.dynamodb_errors import Refused, invalid, not_served
from local.aws_model.dynamodb_values import Item, Value, Values
from local.aws_model.dynamodb_words import RESERVED

# The item that is there, or an empty one, and the request's values.
Condition: TypeAlias = Callable[[Item, Values], bool]
Operand: TypeAlias = Callable[[Item, Values], Value | None]
# What is known of a request without its item: refuses it or does nothing.
Check: TypeAlias = Callable[[Values], None]

_MOST_BYTES = 4096
_TOKEN = re.compile(
    r"\s*(?:(?P<name>#\w+)|(?P<value>:\w+)|(?P<word>[A-Za-z]\w*)|(?P<nested>[.\[])"
    r"|(?P<sign><>|<=|>=|[=<>(),+-]))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of an expression; ``kind`` is a group of the pattern above, or ``end``."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """Return the word in capitals where it is one, and a sign as it is."""
        return self.text.upper() if self.kind == "word" else self.text


class Tokens:
    """The tokens of one expression, and what they refer to."""

    def __init__(self, parameter: str, text: str, names: Mapping[str, str]) -> None:
        self._parameter = parameter
        if not text.strip():
            raise self.refusal("The expression can not be empty;")
        if len(text.encode()) > _MOST_BYTES:
            raise self.refusal(
                "Expression size has exceeded the maximum allowed size; "
                f"expression size: {len(text.encode())}"
            )
        self._tokens = [*self._read(text), Token(kind="end", text="<EOF>")]
        self._names = names
        self.at = 0
        self.used_names: set[str] = set()
        self.used_values: set[str] = set()
        self.definitions: list[Check] = []
        self.checks: list[Check] = []

    def _read(self, text: str) -> Iterator[Token]:
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise self.refusal(f'Syntax error; token: "{text[position:].strip()[0]}"')
            if found.lastgroup == "nested":
                raise not_served(f"paths into lists and maps, as in: {text}")
            yield Token(kind=found.lastgroup, text=found[found.lastgroup])
            position = found.end()

    def refusal(self, what: str) -> Refused:
        """Return the refusal of this expression."""
        return invalid(f"Invalid {self._parameter}: {what}")

    def syntax_error(self) -> Refused:
        """Return the refusal of the token that is next."""
        return self.refusal(f'Syntax error; token: "{self.next.text}"')

    @property
    def next(self) -> Token:
        """The token to take next."""
        return self._tokens[self.at]

    @property
    def is_call(self) -> bool:
        """Whether a function's name and its parenthesis are next."""
        return self.next.kind == "word" and self._tokens[self.at + 1].text == "("

    def take(self) -> Token:
        """Take the next token."""
        token = self._tokens[self.at]
        self.at += 1
        return token

    def took(self, *keywords: str) -> bool:
        """Take the next token if it is one of these."""
        if self.next.keyword not in keywords:
            return False
        self.at += 1
        return True

    def expect(self, keyword: str) -> None:
        """Take the next token, which has to be this one."""
        if not self.took(keyword):
            raise self.syntax_error()

    def path(self) -> str:
        """Take the name of an attribute."""
        token = self.next
        if token.kind == "name":
            self.used_names.add(self.take().text)
            if token.text not in self._names:
                raise self.refusal(
                    "An expression attribute name used in the document path is not defined; "
                    f"attribute name: {token.text}"
                )
            return self._names[token.text]
        if token.kind != "word":
            raise self.syntax_error()
        if token.keyword in RESERVED:
            raise self.refusal(
                f"Attribute name is a reserved keyword; reserved keyword: {token.text}"
            )
        return self.take().text

    def value(self) -> str:
        """Take a reference to a value."""
        if self.next.kind != "value":
            raise self.syntax_error()
        reference = self.take().text
        if reference not in self.used_values:
            self.used_values.add(reference)
            self.definitions.append(self._defined(reference))
        return reference

    def _defined(self, reference: str) -> Check:
        def check(values: Values) -> None:
            if reference not in values:
                raise self.refusal(
                    "An expression attribute value used in expression is not defined; "
                    f"attribute value: {reference}"
                )

        return check

    def allow(
        self, reference: str, kinds: frozenset[str], of: str, names: Mapping[str, str] | None = None
    ) -> None:
        """Have a value refused by its type, whatever the item is; ``names`` words the type."""
        worded = names or {}

        def check(values: Values) -> None:
            for kind in values[reference]:
                if kind not in kinds:
                    raise self.refusal(
                        "Incorrect operand type for operator or function; "
                        f"{of}, operand type: {worded.get(kind, kind)}"
                    )

        self.checks.append(check)
