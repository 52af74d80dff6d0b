"""A bulletin: a message about more than one incident."""

from msgspec import Struct


class Bulletin(Struct, frozen=True, kw_only=True):
    """What people are told of many things at once: a headline, and parts of a title and a text.

    Every string is plain text; whoever renders it escapes it.
    """

    icon: str
    headline: str
    parts: tuple[tuple[str, str], ...]
    footer: str
