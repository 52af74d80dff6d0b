"""Secrets are taken out of text by their shape, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.redaction import REDACTED, redacted
from tests.fuzz.noise import CANARY, SECRETS

WAYS = {
    "alone": str,
    "in a sentence": lambda secret: f"see {secret} for it",
    "in JSON": json.dumps,
    "in JSON in JSON": lambda secret: json.dumps(json.dumps(secret)),
    "quoted": repr,
    "after a number of a character": lambda secret: f"\\x7f{secret}",
    "cut": lambda secret: secret[:80],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_taken_out_however_it_stands_there(secret, way):
    text = redacted(WAYS[way](secret))

    assert CANARY not in text.lower()
    assert REDACTED in text


@pytest.mark.parametrize(
    "text",
    [
        f"url=xoxb-12-password={CANARY}1234",
        f"ghp_0123456789abcdefpassword={CANARY}1234",
        f"Bearer 0123.4567/password={CANARY}1234",
        f"hooks.slack.com/services/password={CANARY}1234",
        f'a_key=XAWS_SESSION_TOKEN="{CANARY}1234"',
        f'api_key=abcdef_secret="{CANARY}1234"',
    ],
)
def test_a_name_that_is_part_of_another_secret_does_not_hide_its_own(text):
    assert CANARY not in redacted(text)


X = "abcd1234" * 3


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # One of each shape that no other shape would take out, and in letters of both kinds.
        *[
            (f"{name}={X}", f"{name}={REDACTED}")
            for name in (
                "secret",
                "passwd",
                "pwd",
                "token",
                "X-Signature",
                "credential",
                "api_key",
                "access-key",
                "PrivateKey",
                "SECRET",
                "Pwd",
            )
        ],
        (f"https://hooks.slack.com/services/{X}", f"https://{REDACTED}"),
        *[(f"{begin}-{X}", REDACTED) for begin in ("xoxb", "xapp", "xoxe.xoxp", "XOXB")],
        *[(f"{begin}{X.upper()}", REDACTED) for begin in ("AKIA", "ASIA")],
        *[(f"gh{kind}_{X}", REDACTED) for kind in "pousr"],
        ("gho_ab12", REDACTED),
        (f"github_pat_{X}", REDACTED),
        (f"Bearer {X}", f"Bearer {REDACTED}"),
        (f"BASIC {X}", f"BASIC {REDACTED}"),
        (f"eyJ{X}.{X}.{X}", REDACTED),
        (f"ftp://ann:{X}@x", f"ftp://ann:{REDACTED}@x"),
        (
            f"-----BEGIN RSA PRIVATE KEY-----\n{X}\n-----END RSA PRIVATE KEY-----",
            REDACTED,
        ),
        (f"-----BEGIN PRIVATE KEY----- {X}", REDACTED),
        # After a character that was written as its number or its letter.
        *[
            (f"{before}gho_ab12", f"{before}{REDACTED}")
            for before in (r"\x7f", r"\x7F", r"\u00e9", r"\U0001f600", r"\n", r"\t", r"\0")
        ],
    ],
)
def test_each_shape_is_taken_out_by_itself(text, left):
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "the Slack secret: AccessDeniedException",
        "the Slack secret holds no signing_secret",
        "a cancel without a token: yes",
        "rollback.prod.ASIAPACIFIC.live.error-rate",
        "bearer certificates and basic information",
        "boxapp-api, xapp-service and xoxo-hugs",
        "boxapp-2:live and foxapp-orders:live moved to version 4",
        '{"function":"xapp-service","version":"4"}',
        "highs_of_today",
        "http://127.0.0.1:8080/path and ann@example.com",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rollback-responder/prod/slack",
        "2@2026-11-22T03:10:00+00:00",
        "",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_the_name_of_what_was_taken_out_stays():
    assert redacted("password=hunter2hunter2 ok") == f"password={REDACTED} ok"
    assert redacted("https://ann:abcdefgh@x.example/") == f"https://ann:{REDACTED}@x.example/"


@given(st.recursive(st.text() | st.sampled_from(SECRETS), st.lists, max_leaves=8))
def test_json_stays_json(value):
    assert CANARY not in json.dumps(json.loads(redacted(json.dumps(value)))).lower()


@given(st.text() | st.sampled_from(SECRETS).flatmap(lambda s: st.text().map(lambda t: f"{t} {s}")))
def test_twice_is_as_good_as_once(text):
    assert redacted(redacted(text)) == redacted(text)
