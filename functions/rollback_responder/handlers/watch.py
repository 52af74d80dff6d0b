"""Lambda `watch`: one round of the watcher, each minute, and the heartbeat that proves it."""

import os
from collections.abc import Mapping
from typing import Any

from rollback_responder import bootstrap
from rollback_responder.bootstrap import watch
from rollback_responder.domain import figures, naming
from rollback_responder.domain.finding import Level
from rollback_responder.handlers import settled
from rollback_responder.handlers.tools import Tools

house = settled(watch.open_house(os.environ))
tools = Tools(naming.metrics_service(house.policy.environment))


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Watches every target once; or, where the clock asks for it, the drills or the preflight.

    A round that fails beats no heart.
    """
    if event.get("preflight"):
        return _look_ahead()
    if event.get("drills"):
        told = house.driller.begin()
        tools.logger.info("drills", told=told)
        return {"drills": told}
    return _watch()


def _watch() -> dict[str, Any]:
    done = house.watcher.watch()
    for problem in done.problems:
        tools.logger.error("a target could not be watched", problem=problem)
    for hushed in done.hushed:
        tools.logger.warning("an alarm is hushed", alarm=hushed)
    for incident in done.ended:
        tools.logger.info("incident ended", incident_id=incident.id, reason=incident.reason)
    if done.woken:
        tools.logger.info("woke respond", alarms=done.woken)
    for ended in done.ended:
        for figure in figures.of_latest(ended):
            tools.count(figure.name, figure.value, figure.unit)
    for figure in figures.of_open(done.open, bootstrap.utc_now()):
        tools.count(figure.name, figure.value, figure.unit)
    for name, count in ((naming.UNWATCHED, len(done.problems)), (naming.HUSHED, len(done.hushed))):
        if count:
            tools.count(name, count)
    tools.count(naming.HEARTBEAT, 1)
    tools.flush()
    return {"targets": done.targets, "woken": len(done.woken), "problems": len(done.problems)}


def _look_ahead() -> dict[str, Any]:
    """Whether rollbacks would work. What it says stands until the next; nothing is put right."""
    findings = house.preflight()
    for one in findings:
        tools.logger.warning(
            "not ready", level=one.level, about=one.about, problem=one.found, fix=one.fix
        )
    errors = sum(one.level is Level.ERROR for one in findings)
    tools.count(naming.NOT_READY, errors)
    tools.flush()
    return {"not_ready": errors, "findings": len(findings)}
