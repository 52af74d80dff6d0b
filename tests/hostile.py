"""Text that nobody here wrote, at its worst, and what it must not become in Slack."""

import re

HOSTILE = [
    "<!channel>",
    "<!here|x>",
    "<@U012AB3CD>",
    "<#C012|general>",
    "<https://evil.example|click>",
    "<mailto:a@b.c|x>",
    "&lt;!channel&gt;",
    "```code``` *bold* _x_ ~y~ `z`",
    "a\u202eb\u2066c\u200d\u200b\ufeffd\x00\x1b[31m\x7f",
    "line\nline\r\n> quote",
    "\ud800",
    "x" * 10_000,
    "&" * 10_000,
    "",
]

# Control, format and bidirectional characters, which can disguise what is said.
DISGUISES = re.compile("[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
OURS = re.compile(r"<https://[a-z0-9-]+\.console\.aws\.amazon\.com/[^<>|]*\|[^<>]*>")
ENTITY = re.compile("&(amp|lt|gt);")


def harms_of(text):
    """What a marked-up text of ours holds besides our links and what is escaped."""
    left = ENTITY.sub("", OURS.sub("", text))
    return [*re.findall("[<>&].{0,20}", left), *DISGUISES.findall(text)]


def strings(value):
    """Every string in a document."""
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)
    elif isinstance(value, str):
        yield value


def elements(value, kind):
    """Every object of a kind in a document."""
    if isinstance(value, dict):
        if value.get("type") == kind:
            yield value
        for member in value.values():
            yield from elements(member, kind)
    elif isinstance(value, list):
        for member in value:
            yield from elements(member, kind)


def marked_up(blocks):
    """The texts in which Slack reads its three control characters."""
    return [element["text"] for element in elements(blocks, "mrkdwn")]
