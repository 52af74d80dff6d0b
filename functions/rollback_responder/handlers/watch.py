"""Lambda `watch`: one round of the watcher, each minute, and the heartbeat that proves it."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rollback_responder import bootstrap
from rollback_responder.domain import figures, naming
from rollback_responder.domain.finding import Level
from rollback_responder.handlers.logs import json_logger

house = bootstrap.watch_house(os.environ)
SERVICE = naming.metrics_service(house.policy.environment)
logger = json_logger(SERVICE)
metrics = Metrics(namespace=naming.METRICS_NAMESPACE, service=SERVICE)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Watches every target once; or, where the clock asks for it, the drills or the preflight.

    A round that fails beats no heart.
    """
    if event.get("preflight"):
        return _look_ahead()
    if event.get("drills"):
        told = house.driller.begin()
        logger.info("drills", told=told)
        return {"drills": told}
    return _watch()


def _watch() -> dict[str, Any]:
    done = house.watcher.watch()
    for problem in done.problems:
        logger.error("a target could not be watched", problem=problem)
    for hushed in done.hushed:
        logger.warning("an alarm is hushed", alarm=hushed)
    for incident in done.ended:
        logger.info("incident ended", incident_id=incident.id, reason=incident.reason)
    if done.woken:
        logger.info("woke respond", alarms=done.woken)
    for ended in done.ended:
        for figure in figures.of_latest(ended):
            metrics.add_metric(name=figure.name, unit=figure.unit, value=figure.value)
    for figure in figures.of_open(done.open, bootstrap.utc_now()):
        metrics.add_metric(name=figure.name, unit=figure.unit, value=figure.value)
    for name, count in ((naming.UNWATCHED, len(done.problems)), (naming.HUSHED, len(done.hushed))):
        if count:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    metrics.add_metric(name=naming.HEARTBEAT, unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    return {"targets": done.targets, "woken": len(done.woken), "problems": len(done.problems)}


def _look_ahead() -> dict[str, Any]:
    """Whether rollbacks would work. What it says stands until the next; nothing is put right."""
    findings = house.preflight()
    for one in findings:
        logger.warning(
            "not ready", level=one.level, about=one.about, problem=one.found, fix=one.fix
        )
    errors = sum(one.level is Level.ERROR for one in findings)
    metrics.add_metric(name=naming.NOT_READY, unit=MetricUnit.Count, value=errors)
    metrics.flush_metrics()
    return {"not_ready": errors, "findings": len(findings)}
