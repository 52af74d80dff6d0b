"""What must hold whatever comes in, judged by what goes out: logs, rows, Slack, the world."""

import json

from tests.fuzz.noise import CANARY
from tests.hostile import harms_of, marked_up, strings

# The only person whom the policies of these worlds name.
APPROVER = "U0APPR0VER"


class Violation(AssertionError):
    """Something that must never be. `kind` is what it is counted as."""

    def __init__(self, kind, text):
        self.kind = kind
        super().__init__(f"{kind}: {text}")


def expect(holds, text, kind="wrong"):
    if not holds:
        raise Violation(kind, text() if callable(text) else text)


def no_secret(where, text):
    """No secret that was planted stands in a text."""
    at = text.lower().find(CANARY)
    if at >= 0:
        raise Violation("leak", f"a secret in {where}: {text[max(0, at - 60) : at + 20]!r}")


def lines_of_json(text):
    """Each log record is one line of JSON, and holds no secret."""
    no_secret("a log line", text)
    # Not splitlines: it splits at characters that end no line of a log.
    for line in text.split("\n"):
        if line:
            try:
                document = json.loads(line)
            except ValueError:
                raise Violation("log", f"a log line is no JSON: {line[:200]!r}") from None
            expect(isinstance(document, dict), f"a log line is no object: {line[:200]!r}", "log")


def harmless(posts):
    """What was said in Slack mentions and links nothing that is not ours, and tells no secret."""
    for post in posts:
        for key in ("text", "blocks", "title", "alt_txt"):
            for text in strings(post.get(key)):
                no_secret("Slack", text)
        own = json.loads(json.dumps(post, default=str))
        texts = [*marked_up(own.get("blocks") or []), own.get("text") or ""]
        for text in texts:
            harms = harms_of(without_rings(text))
            expect(not harms, lambda harms=harms: f"in Slack: {harms[:3]}", "mention")


def without_rings(text):
    """A text without whom the policy names: all, at its begin, and those who may press."""
    return text.removeprefix("<!channel>").removeprefix("<!here>").replace(f"<@{APPROVER}>", "")


def kept_clean(items):
    """No row of the table holds a secret."""
    no_secret("a journal row", json.dumps(items, default=str))
