"""Presses: Slack's own example is taken, and whatever is mutated, late or foreign is not."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollback_responder.domain.errors import PressRefused
from rollback_responder.domain.order import Approve, FixForward, Hold, Label, Undo
from rollback_responder.presses import LONGEST_BODY, ORDERS, order_of, press_of
from tests.builders import NOW

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PAYLOAD = {
    "type": "block_actions",
    "user": {"id": "U012AB3CD", "username": "ann", "name": "ann", "team_id": "T1"},
    "response_url": "https://hooks.slack.com/actions/T1/1/x",
    "actions": [
        {
            "type": "button",
            "action_id": "approve",
            "value": json.dumps({"service": "shop", "incident_id": "inc-1"}),
        }
    ],
}


def signed(payload=PAYLOAD, *, at=NOW, secret=SECRET, body=None):
    """The event of a function URL, signed as Slack does."""
    body = urlencode({"payload": json.dumps(payload)}) if body is None else body
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256)
    return {
        "headers": {
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": f"v0={digest.hexdigest()}",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def taken(request, *, now=NOW):
    return press_of(request, lambda: SECRET, now)


def test_slacks_published_example_is_taken_for_signed():
    """Slack documentation, "Verifying requests from Slack". A slash command is no press of ours."""
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        "&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        "%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    request = {
        "headers": {
            "X-Slack-Request-Timestamp": "1531420618",
            "X-Slack-Signature": (
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
            ),
        },
        "body": body,
    }
    now = datetime.fromtimestamp(1531420618, tz=UTC)

    with pytest.raises(PressRefused, match="carries no payload") as raised:
        taken(request, now=now)
    assert raised.value.status == 400
    with pytest.raises(PressRefused, match="signature") as raised:
        taken(request | {"body": body + "&a=b"}, now=now)
    assert raised.value.status == 401


@pytest.mark.parametrize("as_base64", [False, True])
def test_a_press_is_read_with_who_and_what(as_base64):
    request = signed()
    if as_base64:
        body = base64.b64encode(request["body"].encode()).decode()
        request |= {"body": body, "isBase64Encoded": True}
    press = taken(request)

    assert (press.user_id, press.by) == ("U012AB3CD", "ann (U012AB3CD)")
    assert (press.action, press.service, press.incident_id) == ("approve", "shop", "inc-1")
    assert press.response_url == PAYLOAD["response_url"]
    assert press.nonce == taken(request).nonce != taken(signed(at=NOW + timedelta(seconds=1))).nonce


@pytest.mark.parametrize(
    ("action", "order"),
    [
        ("approve", Approve(service="shop", incident_id="inc-1", by="ann (U012AB3CD)")),
        ("hold", Hold(service="shop", incident_id="inc-1", by="ann (U012AB3CD)")),
        ("undo", Undo(service="shop", incident_id="inc-1", by="ann (U012AB3CD)")),
        ("right", Label(service="shop", incident_id="inc-1", right=True, by="ann (U012AB3CD)")),
        ("wrong", Label(service="shop", incident_id="inc-1", right=False, by="ann (U012AB3CD)")),
        (
            "fix_forward",
            FixForward(
                service="shop",
                incident_id="inc-1",
                until_at=NOW + timedelta(hours=1),
                by="ann (U012AB3CD)",
            ),
        ),
    ],
)
def test_each_button_is_an_order(action, order):
    payload = PAYLOAD | {"actions": [PAYLOAD["actions"][0] | {"action_id": action}]}

    assert order_of(taken(signed(payload)), NOW) == order
    assert action in ORDERS


@pytest.mark.parametrize("request_", [None, [], "x", {}])
def test_what_is_no_request_is_refused(request_):
    with pytest.raises(PressRefused, match="no headers") as raised:
        taken(request_)
    assert raised.value.status == 400


@pytest.mark.parametrize("member", ["service", "incident_id"])
def test_what_is_longer_than_any_key_is_about_nothing_of_ours(member):
    value = json.dumps({"service": "shop", "incident_id": "inc-1"} | {member: "x" * 201})
    payload = PAYLOAD | {"actions": [PAYLOAD["actions"][0] | {"value": value}]}

    with pytest.raises(PressRefused, match="nothing of ours"):
        taken(signed(payload))


def test_a_secret_in_a_name_is_not_taken_along():
    payload = PAYLOAD | {"user": {"id": "U1", "name": "ann xoxb-1234-abcdefgh"}}

    assert taken(signed(payload)).by == "ann [redacted] (U1)"


def test_a_button_of_somebody_else_is_refused():
    payload = PAYLOAD | {"actions": [PAYLOAD["actions"][0] | {"action_id": "delete"}]}

    with pytest.raises(PressRefused, match="no button"):
        order_of(taken(signed(payload)), NOW)


@pytest.mark.parametrize(
    ("minutes", "is_taken"), [(0, True), (5, True), (5.1, False), (-5, True), (-5.1, False)]
)
def test_five_minutes_are_the_most(minutes, is_taken):
    now = NOW + timedelta(minutes=minutes)
    if is_taken:
        assert taken(signed(), now=now)
        return
    with pytest.raises(PressRefused) as raised:
        taken(signed(), now=now)
    assert raised.value.status == 401


def mutated(draw):
    """A signed request with one thing about it changed."""
    request = signed()
    headers = dict(request["headers"])
    what = draw(st.sampled_from(["body", "signature", "timestamp", "secret", "headers", "time"]))
    if what == "body":
        place = draw(st.integers(0, len(request["body"]) - 1))
        other = draw(st.characters().filter(lambda c: c != request["body"][place]))
        body = request["body"][:place] + other + request["body"][place + 1 :]
        return request | {"body": body}
    if what == "signature":
        text = headers["x-slack-signature"]
        place = draw(st.integers(0, len(text) - 1))
        other = draw(st.characters().filter(lambda c: c != text[place]))
        headers["x-slack-signature"] = text[:place] + other + text[place + 1 :]
    elif what == "timestamp":
        headers["x-slack-request-timestamp"] = draw(
            st.text(max_size=30).filter(lambda t: t != headers["x-slack-request-timestamp"])
        )
    elif what == "headers":
        name = draw(st.sampled_from(sorted(headers)))
        del headers[name]
    elif what == "secret":
        return signed(secret=draw(st.text(min_size=1).filter(lambda s: s.strip() and s != SECRET)))
    else:
        seconds = draw(st.integers(301, 10**9))
        return signed(at=NOW + timedelta(seconds=seconds * draw(st.sampled_from([-1, 1]))))
    return request | {"headers": headers}


@settings(max_examples=10_000)
@given(st.composite(mutated)())
def test_ten_thousand_mutated_late_and_foreign_requests_are_refused(request):
    with pytest.raises(PressRefused):
        taken(request)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ODD = st.one_of(JSON, st.sampled_from(["", "[]", "{}", "null", "1", '"x"']))


@st.composite
def odd_payloads(draw):
    """A payload with one of its members replaced by anything."""
    payload = json.loads(json.dumps(PAYLOAD))
    place = draw(st.sampled_from(["type", "user", "response_url", "actions", "action", "value"]))
    if place == "action":
        payload["actions"] = [draw(ODD)]
    elif place == "value":
        payload["actions"][0]["value"] = draw(ODD)
    else:
        payload[place] = draw(ODD)
    return payload


@settings(max_examples=1000)
@given(odd_payloads())
def test_a_signed_request_of_any_shape_is_a_press_or_is_refused(payload):
    try:
        press = taken(signed(payload))
    except PressRefused:
        return
    assert all(isinstance(getattr(press, name), str) for name in press.__slots__)


@given(JSON)
@example(None)
@example({"headers": {}})
@example({"headers": {"x-slack-signature": "v0=ä", "x-slack-request-timestamp": "1"}, "body": ""})
@example(
    {"headers": {"x-slack-signature": "v0=a", "x-slack-request-timestamp": "\uff19"}, "body": ""}
)
@example({"headers": {}, "body": "a" * (LONGEST_BODY + 1)})
@example({"headers": {}, "body": "!", "isBase64Encoded": True})
@example({"headers": {}, "body": "/w==", "isBase64Encoded": True})
def test_whatever_comes_is_refused_without_asking_for_the_secret(request):
    def read_secret():
        raise AssertionError("the secret was read")

    if isinstance(request, dict):
        with pytest.raises(PressRefused):
            press_of(request, read_secret, NOW)


@pytest.mark.parametrize(
    ("user", "by"),
    [
        ({"id": "U1", "username": "bob"}, "bob (U1)"),
        ({"id": "U1"}, "somebody (U1)"),
        ({"id": "U1", "name": "b\u202eo\nb" + "x" * 99}, f"bob{'x' * 57} (U1)"),
    ],
)
def test_a_name_is_short_and_has_nothing_that_disguises(user, by):
    assert taken(signed(PAYLOAD | {"user": user})).by == by


@pytest.mark.parametrize(
    "body", ["payload=%7B", "payload=1&payload=2", "a=1", "payload", "&" * 9, "payload=" + "[" * 9]
)
def test_a_signed_body_that_is_no_form_with_one_payload_is_refused(body):
    with pytest.raises(PressRefused, match=r"payload|no press"):
        taken(signed(body=body))
