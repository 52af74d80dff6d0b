"""Lambda `notify`: reads the journal's stream and tells Slack; once a week, what the week was."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from rollback_responder import bootstrap
from rollback_responder.bootstrap import notify
from rollback_responder.domain import naming
from rollback_responder.domain.errors import NotificationError, RollbackError, RowDamaged
from rollback_responder.handlers import settled
from rollback_responder.handlers.tools import Tools
from rollback_responder.journal.codec import decode_incident, decode_said
from rollback_responder.notifiers.slack import open_slack, parse_secret
from rollback_responder.notifiers.telling import Teller
from rollback_responder.ports import Thread

house = settled(notify.open_house(os.environ))
tools = Tools(naming.metrics_service(house.policy.environment))


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Tells what is new in each record; or, where the clock asks for it, the week.

    The clock also asks, each day, whether Slack would take anything.

    Raises:
        RollbackError: the week could not be told, or nothing could be; Lambda tries again twice,
            and an alarm says so.
        KeyError: neither news nor the clock.
    """
    if event.get("preflight"):
        _slack().check()
        return {"ready": True}
    if event.get("digest"):
        return {"told": _tell_week()}
    return _tell_news(event)


def _tell_week() -> bool:
    now = bootstrap.utc_now()
    told = _teller().announce(house.week(now), now)
    tools.logger.info("the week was told" if told else "the week had been told already")
    return told


def _tell_news(event: Mapping[str, Any]) -> dict[str, Any]:
    """On a failure the stream delivers again from there."""
    for record in event["Records"]:
        image, before = (record["dynamodb"].get(side, {}) for side in ("NewImage", "OldImage"))
        kind = next((kind for kind in TOLD if "S" in image.get(kind, {})), None)
        if kind is None or image[kind] == before.get(kind):
            continue
        try:
            told = _told(kind, image)
        except RollbackError as error:
            tools.logger.warning("not told yet", problem=str(error))
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        tools.logger.info("told", steps=told)
    return {"batchItemFailures": []}


def _slack() -> Thread:
    """The secret is read each time, so that a new one is taken up at once."""
    return open_slack(parse_secret(house.read_secret()), house.policy.slack)


def _teller() -> Teller:
    return Teller(
        _slack(),
        house.notices,
        house.storms,
        account_id=house.wiring.account_id,
        region=house.wiring.region,
    )


def _told(kind: str, image: Mapping[str, Any]) -> int:
    """Tells one thing; what can never be told is parked, so that it holds up nobody else."""
    text = image[kind]["S"]
    try:
        return TOLD[kind](_teller(), image)
    except RowDamaged as error:
        house.park(text, "row_damaged", str(error))
    except NotificationError as error:
        if error.retryable:
            raise
        house.park(text, "refused_by_slack", str(error))
    tools.logger.error("parked: it can never be told")
    return 0


def _tell_incident(teller: Teller, image: Mapping[str, Any]) -> int:
    return teller.tell(decode_incident(image["incident"]["S"]), bootstrap.utc_now())


def _pass_on(teller: Teller, image: Mapping[str, Any]) -> int:
    name = f"{image['pk']['S']}#{image['sk']['S']}"
    return teller.pass_on(decode_said(image["said"]["S"]), name, bootstrap.utc_now())


# What the journal holds that people are told, by the attribute that holds it.
TOLD: dict[str, Callable[[Teller, Mapping[str, Any]], int]] = {
    "incident": _tell_incident,
    "said": _pass_on,
}
