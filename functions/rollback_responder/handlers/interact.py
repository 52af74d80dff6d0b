"""Lambda `interact`: takes presses of Slack's buttons, at an address that anybody may call.

Nothing is believed before Slack's signature is proved, and nothing is taken from anybody whom the
policy does not name. What is taken is written down; `respond` does it.
"""

import os
from collections.abc import Mapping
from typing import Any

from rollback_responder import bootstrap
from rollback_responder.bootstrap import interact
from rollback_responder.domain import figures, naming
from rollback_responder.domain.errors import (
    NotificationError,
    OrderRefused,
    PressRefused,
    RollbackError,
)
from rollback_responder.domain.order import Label
from rollback_responder.handlers import settled
from rollback_responder.handlers.tools import Tools
from rollback_responder.notifiers.slack import parse_secret, whisper
from rollback_responder.presses import Press, order_of, press_of

house = settled(interact.open_house(os.environ))
tools = Tools(naming.metrics_service(house.policy.environment))

OUTCOMES = {2: "taken", 4: "refused", 5: "failed"}


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Takes one press and answers HTTP; whoever pressed is told privately what came of it."""
    status = _take(event)
    tools.count(f"press_{OUTCOMES[status // 100]}", 1)
    tools.flush()
    return {"statusCode": status, "body": ""}


def _take(event: Mapping[str, Any]) -> int:
    now = bootstrap.utc_now()
    try:
        press = press_of(event, _signing_secret, now)
        if not house.desk.book.is_new(press.nonce, now):
            tools.logger.info("came again", by=press.by, action=press.action)
            return 200
        _answer(press, _said(press))
    except PressRefused as error:
        tools.logger.warning("refused", status=error.status, problem=str(error))
        return error.status
    except RollbackError as error:
        # Slack shows whoever pressed that it did not work; they may press again.
        tools.logger.exception("not taken", problem=type(error).__name__)
        return 500
    return 200


def _said(press: Press) -> str:
    """What comes of a press, in a sentence for whoever pressed."""
    if press.user_id not in house.policy.slack.approvers:
        tools.logger.warning("not allowed", by=press.by, action=press.action)
        return "Your name is not under slack.approvers in the policy, so nothing was done."
    order = order_of(press, bootstrap.utc_now())
    try:
        text = house.desk.take(order)
    except OrderRefused as error:
        tools.logger.warning("refused", by=press.by, action=press.action, problem=str(error))
        return f"Nothing was done: {error}."
    if isinstance(order, Label) and text.startswith(f"{order.by} says"):
        for figure in figures.of_label(right=order.right):
            tools.count(figure.name, figure.value, figure.unit)
    tools.logger.info("taken", by=press.by, action=press.action, incident_id=press.incident_id)
    return f"Taken: {text}."


def _answer(press: Press, text: str) -> None:
    try:
        whisper(press.response_url, text)
    except NotificationError as error:
        # What was said stands in the journal, and in the thread.
        tools.logger.warning("not answered", problem=str(error))


def _signing_secret() -> str:
    secret = parse_secret(house.read_secret()).signing_secret
    if secret is None:
        raise NotificationError("the Slack secret holds no signing_secret", retryable=True)
    return secret
