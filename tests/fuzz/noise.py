"""What nobody ought to send, drawn from one random number generator: texts, values, mutations.

A long text is not written out: `{"$repeat": ["[", 100000, "]"]}` stands for it, and `expanded`
makes it, so that a case stays small enough to be kept in a file and read.
"""

import json
import random
import string

from tests.hostile import HOSTILE

# Stands in each secret, so that one search finds any of them, whatever else became of it.
CANARY = "c4n4ry"
SECRETS = (
    "https://hooks.slack.com/services/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",
    "https://hooks.slack-gov.com/workflows/T012AB3CD/c4n4ryc4n4ry",
    "xoxb-17653672481-19874698323-c4n4ryPdFMh17YCZR",
    "xoxe.xoxp-1-c4n4ryPdFMh17YCZR",
    "xapp-1-A012AB3CD-1234-c4n4ry0123456789",
    "AKIA7F3E7F3EC4N4RYQQ",
    "ASIA7F3E7F3EC4N4RYQQ",
    "Authorization: Bearer eyJhbGciOiJub25lIn0.c4n4ry.c4n4ry",
    "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/c4n4ryEXAMPLEKEY",
    'AWS_SESSION_TOKEN="IQoJb3JpZ2luX2VjEc4n4ry//////////wEaCXVzLWVhc3QtMSJ"',
    '{"signing_secret": "c4n4ry731e10b8888abcd99yyyzzz85a5"}',
    "https://ann:c4n4rypassword@example.com/path",
    "https://s3.amazonaws.com/b/k?X-Amz-Security-Token=c4n4ryc4n4ry&X-Amz-Signature=c4n4ry00",
    "ghp_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry123456",
    "password=hunter2c4n4ry",
)
MARK_UP = (
    "<!everyone>",
    "<!subteam^S012|@oncall>",
    "<@W012AB3CD>",
    "<slack://channel?id=C1|x>",
    "<javascript:alert(1)|x>",
    "&amp;lt;!here&amp;gt;",
    "\u2028<!here>\u2029",
    "<\u200b!channel>",
    "\udce2\udc80\udcae",
    "\x00\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    ']}\n{"level":"INFO","message":"forged"}\n',
    "%s %d %n {0} ${jndi:ldap://evil.example/a} {{7*7}}",
    "\u0130\u0131\ufb01\u1e9e",
    "\U0001f4a9" * 40,
    "e\u0301" * 100,
)
NUMBERS = (0, -1, 1, 0.5, -0.0, 2**31, 2**53 + 1, -(2**63), 10**40, 1e308, 5e-324)
# As text, because no JSON document of Python's own holds them: what a parser makes of them is open.
ODD_LITERALS = ("NaN", "Infinity", "-Infinity", "1e999", "-0", "1" * 5000, "[1" * 50 + "]" * 50)
INSTANTS = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "1970-01-01T00:00:00+00:00",
    "2026-11-22T03:10:00.000+0000",
    "2026-11-22T03:10:00",
    "2026-11-22T24:00:00Z",
    "2026-02-30T03:10:00Z",
    "20261122T031000Z",
    "2026-W47-7T03:10:00Z",
    "\u0662\u0660\u0662\u0666-11-22T03:10:00Z",
    "",
)


def expanded(value):
    """The value with its repetitions written out."""
    if isinstance(value, dict):
        if value.keys() == {"$repeat"}:
            before, count, *after = value["$repeat"]
            return before * count + (after[0] * count if after else "")
        return {key: expanded(member) for key, member in value.items()}
    if isinstance(value, list):
        return [expanded(member) for member in value]
    return value


class Noise:
    """Draws from `random`, and from nothing else."""

    def __init__(self, rng: random.Random) -> None:
        self.random = rng

    def chance(self, share):
        return self.random.random() < share

    def one(self, choices):
        return choices[int(self.random.random() * len(choices))]

    # -- texts ----------------------------------------------------------------------------------

    def text(self):
        """A text from outside: mark-up, a secret, both, or characters at random."""
        draw = self.random.random()
        if draw < 0.3:
            return self.one(HOSTILE)
        if draw < 0.5:
            return self.one(MARK_UP)
        if draw < 0.75:
            return self.secretive()
        if draw < 0.9:
            return self.characters()
        return f"{self.text()}{self.text()}"

    def secretive(self):
        """A text with a secret in it, somewhere."""
        before, after = (
            self.one(("", "see ", "url=", '"', "(", "a " * 35)),
            self.one(("", " x", '"')),
        )
        return f"{before}{self.one(SECRETS)}{after}"

    def characters(self):
        """Characters of any plane, half of a pair as well."""
        count = int(self.random.random() ** 2 * 40)
        return "".join(chr(int(self.random.random() ** 4 * 0x10FFFF)) for _ in range(count))

    def word(self):
        return "".join(
            self.one(string.ascii_lowercase) for _ in range(1 + int(self.random.random() * 8))
        )

    # -- values ---------------------------------------------------------------------------------

    def value(self, depth=0):
        """A JSON value of any kind."""
        draw = self.random.random()
        if draw < 0.4 or depth > 3:
            return self.text()
        if draw < 0.5:
            return self.one(NUMBERS)
        if draw < 0.6:
            return self.one((None, True, False))
        if draw < 0.7:
            return self.one(INSTANTS)
        if draw < 0.85:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.word(): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def nested(self, *, deepest):
        """A value nested so deep, in lists and objects; never deeper than Python can write."""
        value = self.value(4)
        for _ in range(self.random.randrange(1, deepest)):
            value = [value] if self.chance(0.5) else {self.word(): value}
        return value

    def bomb(self):
        """A text that costs a parser more than it is worth."""
        draw = self.random.random()
        count = self.one((300, 700, 900, 940, 970, 985, 1_000, 5_000, 100_000))
        if draw < 0.4:
            return {"$repeat": [self.one(("[", '{"a":', '[{"a":')), count]}
        if draw < 0.7:
            return {"$repeat": ["[", count, "]"]}
        if draw < 0.8:
            return {"$repeat": [self.one("x0\u00e9"), self.one((262_144, 1_048_576, 1_048_577))]}
        return self.one(ODD_LITERALS)

    # -- mutations ------------------------------------------------------------------------------

    def mutated(self, document, times=1):
        """A copy of a document in which something is another thing."""
        copy = json.loads(json.dumps(document))
        for _ in range(times):
            copy = self._mutated(copy)
        return copy

    def _mutated(self, value):
        if isinstance(value, dict) and value and self.chance(0.85):
            return self._mutated_object(value)
        if isinstance(value, list) and value and self.chance(0.8):
            index = self.random.randrange(len(value))
            if self.chance(0.7):
                value[index] = self._mutated(value[index])
            elif self.chance(0.5):
                del value[index]
            else:
                value.insert(index, value[self.random.randrange(len(value))])
            return value
        if isinstance(value, str) and self.chance(0.4):
            return self.torn(value)
        return self.value()

    def _mutated_object(self, value):
        key, draw = self.one(list(value)), self.random.random()
        if draw < 0.6:
            value[key] = self._mutated(value[key])
        elif draw < 0.75:
            del value[key]
        elif draw < 0.85:
            value[self.torn(key)] = value.pop(key)
        elif draw < 0.95:
            value[self.word()] = self.value()
        else:
            value[key] = self.one(([value[key]], {key: value[key]}, json.dumps(value[key])))
        return value

    def torn(self, text):
        """A text cut, doubled, swapped or with something in it that was not."""
        if CANARY in text.lower():
            # Half a secret has no shape that tells it.
            return text + self.word()
        at = self.random.randrange(len(text) + 1)
        draw = self.random.random()
        if draw < 0.3:
            return text[:at]
        if draw < 0.5:
            return text[:at] + self.one('"\\{}[]:, \x00\n\t0e\ud800\u202e<&') + text[at:]
        if draw < 0.65:
            return text[:at] + text[at + 1 :]
        if draw < 0.75:
            # Between spaces: in the middle of a word a secret has no shape that tells it.
            return f"{text[:at]} {self.text()} {text[at:]}"
        if draw < 0.85:
            return text + text[at:]
        return text.swapcase() if self.chance(0.3) else text[at:] + text[:at]
