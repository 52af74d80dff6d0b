"""What every check has."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from conformance.lab import Lab

# What was seen: nothing but what JSON has, so that a report holds it and anybody can judge again.
Seen: TypeAlias = Mapping[str, Any]
Made = TypeVar("Made")


class Verdict(StrEnum):
    """What a check says of its assumption."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    NOT_TOLD = "could not be told"


class Check(ABC, Generic[Made]):
    """One assumption about AWS and how to see whether it holds.

    Attributes:
        key: its name for `--only`: the number in the list of assumptions, or a word.
        assumes: the assumption; where SECURITY.md's table has it, in the same words.
        source: what speaks for it, or why it is not certain.
        does: what is done to see it.
        meanwhile: what the product does until it is sure, as SECURITY.md says it.
        makes: what is made in the account.
        minutes: how long it takes at most, the removal with it.
        cents: what it costs at most, in US cents.
    """

    key: ClassVar[str]
    assumes: ClassVar[str]
    source: ClassVar[str]
    does: ClassVar[str]
    meanwhile: ClassVar[str]
    makes: ClassVar[str]
    minutes: ClassVar[int]
    cents: ClassVar[int] = 1

    @abstractmethod
    def create(self, lab: Lab) -> Made:
        """Makes what it needs. Each thing is owed before it is made, so the lab removes it."""

    @abstractmethod
    def observe(self, lab: Lab, made: Made) -> Seen:
        """Does it, and returns what was seen; judges nothing.

        Raises:
            Untold: what was to be seen did not come in time.
        """

    @abstractmethod
    def tell(self, seen: Seen) -> Verdict:
        """Judges what was seen, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """An assumption for a person: `steps` are the exact ones, a paragraph each."""

    key: str
    assumes: str
    why: str
    steps: str
    meanwhile: str


def verdict(*, holds: bool) -> Verdict:
    """One of the two sure ones."""
    return Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD
