"""Lambda `respond`: answers alarm messages from the queue, a topic, a rule or an alarm itself."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rollback_responder import signals
from rollback_responder.bootstrap import respond
from rollback_responder.domain import figures, naming
from rollback_responder.domain.errors import PolicyError, SignalError
from rollback_responder.domain.signal import Signal
from rollback_responder.handlers import settled
from rollback_responder.handlers.batch import Message, answer_all, messages_of
from rollback_responder.handlers.tools import Tools

house = settled(respond.open_house(os.environ))
tools = Tools(naming.metrics_service(house.policy.environment))


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answers every message; what can never be answered goes to the dead-letter queue."""
    try:
        house.responder.begin()
        _expect(event)
        return answer_all(event, _answer, _reject)
    finally:
        tools.flush()


def _expect(event: Mapping[str, Any]) -> None:
    """Lets the alarms of a batch be read at once; one alone is read beside everything else.

    Of an alarm that is nobody's nothing is read, and a service that cannot be read fails its own
    message alone.
    """
    known: dict[str, tuple[str, ...]] = {}
    messages = messages_of(event)
    for message in messages if len(messages) > 1 else ():
        with suppress(SignalError, PolicyError):
            name = _signal_of(message).alarm_name
            if about := house.responder.alarms_about(name):
                known[name] = about
    together = known.values() if len(known) > 1 else ()
    house.expect({each for about in together for each in about})


def _signal_of(message: Message) -> Signal:
    wiring = house.wiring
    return signals.parse(message, account_id=wiring.account_id, region=wiring.region)


def _answer(message: Message) -> None:
    signal = _signal_of(message)
    entry = house.responder.respond(signal)
    if entry is None:
        tools.logger.info("nothing to do", alarm=signal.alarm_name, state=signal.state)
        return
    incident_id = entry.incident.id if entry.incident else None
    tools.logger.info(
        entry.text, alarm=signal.alarm_name, incident_id=incident_id, reason=entry.news
    )
    if entry.news and entry.incident:
        for figure in figures.of_latest(entry.incident):
            tools.count(figure.name, figure.value, figure.unit)


def _reject(body: str, error: SignalError) -> None:
    tools.logger.warning("rejected", reason=error.reason, detail=str(error), size=len(body))
    tools.count(f"rejected_{error.reason}", 1)
    house.dead_letter(body, error.reason, str(error))
