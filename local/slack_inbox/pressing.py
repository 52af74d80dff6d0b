"""Pressing a button, as Slack does it: a signed request over HTTP to the app's own address.

Sources: Slack's pages "Verifying requests from Slack", "Handling user interaction in your Slack
apps", and the reference of the `block_actions` payload.
"""

import hashlib
import hmac
import itertools
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.slack_inbox.workspace import Message

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # noqa: S105 - opens nothing but this inbox
# Slack gives an app three seconds and then shows an error to whoever pressed ("Interactive
# components"). Here the answer is waited for: a function that starts for the first time on a busy
# machine may take longer.
SLACK_SECONDS = 3.0
PATIENCE_SECONDS = 30
# How the app's answer to whoever pressed begins if the press counts.
TAKEN = "Taken: "


class PressError(Exception):
    """There is no such button, or nobody who takes its press."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in the workspace."""

    id: str
    name: str


ANN = Person(id="U0LOCALANN", name="ann")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A press, and what became of it.

    Attributes:
        action: the button's name, and `label` what it says.
        in_page: whether somebody pressed it in the channel's page.
        at: when it was pressed, by the inbox's clock.
        status: the HTTP status of the app's answer; None as long as there is none.
        told: what the app said to whoever pressed, if anything.
        seconds: how long the answer took, in real seconds.
        is_over: whether nothing is waited for any more.
    """

    action: str
    label: str
    in_page: bool
    at: datetime
    status: int | None = None
    told: str | None = None
    seconds: float = 0.0
    is_over: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether it counts, as the app said."""
        return self.told is not None and self.told.startswith(TAKEN)


class Presser:
    """Sends presses to one address. ``url`` is None until the app has one."""

    def __init__(self) -> None:
        self.url: str | None = None
        self._numbers = itertools.count(1)

    def press(
        self, message: Message, action_id: str, *, by: Person, now: datetime, response_url: str
    ) -> int:
        """Press a button of a message; return the HTTP status of the app's answer.

        Raises:
            PressError: the message has no such button, or nobody answers.
        """
        button = button_of(message, action_id)
        if self.url is None:
            raise PressError("the app has no address for presses yet")
        payload = self._payload(message, button, by, response_url)
        body = urllib.parse.urlencode({"payload": json.dumps(payload)})
        timestamp = str(int(now.timestamp()))
        return _post(self.url, body, timestamp, _signature(timestamp, body))

    def _payload(
        self, message: Message, button: Mapping[str, Any], by: Person, response_url: str
    ) -> dict[str, Any]:
        return {
            "type": "block_actions",
            "user": {"id": by.id, "username": by.name, "name": by.name, "team_id": "T0LOCAL01"},
            "api_app_id": "A0LOCAL01",
            "container": {"type": "message", "message_ts": message.ts},
            "trigger_id": f"{next(self._numbers)}.{time.monotonic_ns()}",
            "team": {"id": "T0LOCAL01", "domain": "local"},
            "channel": {"id": message.channel, "name": "deploys"},
            "response_url": response_url,
            "actions": [
                {
                    "type": "button",
                    "action_id": button["action_id"],
                    "text": button["text"],
                    "value": button.get("value", ""),
                }
            ],
        }


def buttons_of(message: Message) -> Iterator[Mapping[str, Any]]:
    """The buttons of a message, in their order."""
    for block in message.blocks:
        if block["type"] == "actions":
            yield from block["elements"]


def button_of(message: Message, action_id: str) -> Mapping[str, Any]:
    """The button of that name.

    Raises:
        PressError: the message has none.
    """
    button = next((one for one in buttons_of(message) if one.get("action_id") == action_id), None)
    if button is None:
        raise PressError(f"the message has no button {action_id!r}")
    return button


def _signature(timestamp: str, body: str) -> str:
    signed = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(SIGNING_SECRET.encode(), signed, hashlib.sha256).hexdigest()


def _post(url: str, body: str, timestamp: str, signature: str) -> int:
    request = urllib.request.Request(
        url,
        data=body.encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature,
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return int(refusal.code)
    except OSError as error:
        raise PressError(f"nobody took the press: {error}") from error
