"""What can never be answered is parked at once, whatever it is made of."""

import pytest

from rollback_responder.bootstrap.parking import parking
from tests.fuzz.noise import CANARY, SECRETS

MOST_BYTES = 1_048_576


class Sqs:
    def __init__(self):
        self.sent = []

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes):
        self.sent.append((MessageBody, {k: v["StringValue"] for k, v in MessageAttributes.items()}))


def parked(body, detail="d"):
    sqs = Sqs()
    parking("https://queue", lambda *_: sqs)(body, "not_json", detail)
    (sent,) = sqs.sent
    return sent


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("{}", "{}"),
        ("a\tb\nc\rd \U0001f4a9", "a\tb\nc\rd \U0001f4a9"),
        ("\x00a\x1b\ud800\uffff", "\ufffda\ufffd\ufffd\ufffd"),
        ("", "(empty)"),
    ],
)
def test_a_body_is_kept_as_sqs_takes_it(body, kept):
    assert parked(body)[0] == kept


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f4a9"])
def test_a_body_of_a_megabyte_fits_with_its_reason(character):
    body, attributes = parked(character * MOST_BYTES, "d" * 1000)
    texts = [body, *attributes, *attributes.values(), "String" * 2]

    assert sum(len(text.encode()) for text in texts) <= MOST_BYTES
    assert set(body) == {character}
    assert attributes["reason"] == "not_json"


@pytest.mark.parametrize("secret", SECRETS)
def test_the_detail_holds_no_secret(secret):
    assert CANARY not in parked("{}", f"no service names {secret!r}")[1]["detail"].lower()
