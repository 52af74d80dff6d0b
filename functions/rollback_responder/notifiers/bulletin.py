"""A bulletin: a message about more than one incident."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """What people are told of many things at once: a headline, and parts of a title and a text.

    Every string is plain text; whoever renders it escapes it.
    """

    icon: str
    headline: str
    parts: tuple[tuple[str, str], ...]
    footer: str
