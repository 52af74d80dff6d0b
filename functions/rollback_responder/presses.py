"""Buttons in Slack: a request from the internet in, a press out. Nothing is trusted unproved.

Facts relied on (Slack documentation, "Verifying requests from Slack" and "Handling user interaction
in your Slack apps"): the signature is `v0=` and the HMAC-SHA256 of `v0:<timestamp>:<raw body>`, and
a request older than five minutes is to be refused; the body of a press is a form whose only field
`payload` is JSON of type `block_actions` with `user`, `actions` and `response_url`. A Lambda
function URL hands the body over as text, or in Base64 (Lambda developer guide, "Invoking Lambda
function URLs").
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from msgspec import Struct
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier

from rollback_responder.domain.errors import PressRefused
from rollback_responder.domain.order import (
    Approve,
    FixForward,
    Hold,
    Label,
    Order,
    Undo,
)
from rollback_responder.domain.redaction import redacted

# A press is about 3 KB; Slack allows messages of some ten more.
LONGEST_BODY = 256 * 1024
FIX_FOR = timedelta(hours=1)
LONGEST_NAME = 60
# What it is about becomes part of a key in the journal, which holds 1,024 bytes (DynamoDB developer
# guide, "Quotas"); ours are shorter.
LONGEST_KEY = 200
# The same limit as the verifier's; asked first, so that the secret is not read in vain.
LATEST = timedelta(minutes=5)
SIGNATURE, SECONDS = re.compile(r"v0=[0-9a-f]{64}"), re.compile(r"[0-9]{1,12}")

Request = Mapping[str, Any]


class Press(Struct, frozen=True, kw_only=True):
    """One press of a button, by whom, and where to answer that person alone.

    `nonce` is the same for the same request, however often it arrives.
    """

    user_id: str
    by: str
    action: str
    service: str
    incident_id: str
    response_url: str
    nonce: str


def press_of(request: Request, read_secret: Callable[[], str], now: datetime) -> Press:
    """The press that a request carries.

    Args:
        request: the event of a function URL.
        read_secret: gives Slack's signing secret; asked only for what looks like a press.
        now: the time that the request must be close to.

    Raises:
        PressRefused: with the HTTP status to answer with. The text holds nothing of the request.
    """
    headers = _headers(request)
    body, signature = _body(request), headers.get("x-slack-signature", "")
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not (SIGNATURE.fullmatch(signature) and SECONDS.fullmatch(timestamp)):
        raise PressRefused(401, "it carries no signature of Slack's")
    if abs(now.timestamp() - int(timestamp)) > LATEST.total_seconds():
        raise PressRefused(401, "it is older than five minutes")
    if not _is_valid(SignatureVerifier(read_secret(), clock=_At(now)), body, timestamp, signature):
        raise PressRefused(401, "its signature does not fit, or is older than five minutes")
    nonce = hashlib.sha256(signature.encode()).hexdigest()
    return _read(_payload(body), nonce)


def order_of(press: Press, now: datetime) -> Order:
    """What a press asks for.

    Raises:
        PressRefused: no button of ours has that name.
    """
    make = ORDERS.get(press.action)
    if make is None:
        raise PressRefused(400, "no button of the responder has that name")
    return make(press, now)


def _on_incident(kind: type[Approve | Hold | Undo]) -> "Callable[[Press, datetime], Order]":
    return lambda press, _: kind(service=press.service, incident_id=press.incident_id, by=press.by)


def _labelled(*, right: bool) -> "Callable[[Press, datetime], Order]":
    return lambda press, _: Label(
        service=press.service, incident_id=press.incident_id, right=right, by=press.by
    )


def _fixed_forward(press: Press, now: datetime) -> Order:
    return FixForward(
        service=press.service,
        until_at=now + FIX_FOR,
        by=press.by,
        incident_id=press.incident_id,
    )


# What each button asks for, by the name that it has in Slack.
ORDERS: "dict[str, Callable[[Press, datetime], Order]]" = {
    "approve": _on_incident(Approve),
    "hold": _on_incident(Hold),
    "undo": _on_incident(Undo),
    "fix_forward": _fixed_forward,
    "right": _labelled(right=True),
    "wrong": _labelled(right=False),
}


class _At(SlackClock):
    """Slack's verifier takes its time from here."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> float:
        return self._now.timestamp()


def _is_valid(verifier: SignatureVerifier, body: str, timestamp: str, signature: str) -> bool:
    try:
        return verifier.is_valid(body, timestamp, signature)
    except UnicodeError:
        # Half a character: nothing that was sent over HTTP.
        return False


def _headers(request: object) -> dict[str, str]:
    headers = request.get("headers") if isinstance(request, Mapping) else None
    if not isinstance(headers, Mapping):
        raise PressRefused(400, "it has no headers")
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _body(request: Request) -> str:
    """The raw body. A signature is over its bytes, so nothing in it is replaced."""
    body = request.get("body")
    if not isinstance(body, str) or len(body) > LONGEST_BODY:
        raise PressRefused(400, "its body is missing or too long")
    if not request.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        raise PressRefused(400, "its body is no text") from None


def _payload(body: str) -> Any:
    try:
        (payload,) = parse_qs(body, strict_parsing=True, max_num_fields=4)["payload"]
        return json.loads(payload)
    except (ValueError, KeyError, RecursionError):
        raise PressRefused(400, "it carries no payload") from None


def _read(payload: Any, nonce: str) -> Press:
    """The members that count; every one of them must be there, and a string."""
    try:
        (action,) = payload["actions"]
        user, value = payload["user"], json.loads(action["value"])
        found = {
            "user_id": user["id"],
            "by": f"{_name(user)} ({user['id']})",
            "action": action["action_id"],
            "service": value["service"],
            "incident_id": value["incident_id"],
            "response_url": payload["response_url"],
        }
        is_press = payload["type"] == "block_actions"
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PressRefused(400, "it is no press of a button of ours") from None
    if not is_press or not all(isinstance(member, str) for member in found.values()):
        raise PressRefused(400, "it is no press of a button of ours")
    if max(len(found["service"]), len(found["incident_id"])) > LONGEST_KEY:
        raise PressRefused(400, "it is about nothing of ours")
    return Press(**found, nonce=nonce)


def _name(user: Mapping[str, Any]) -> str:
    name = str(user.get("name") or user.get("username") or "somebody")
    return redacted("".join(c for c in name if c.isprintable()))[:LONGEST_NAME]
