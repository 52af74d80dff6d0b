"""Lambda `watch`: one round of the watcher, each minute, and the heartbeat that proves it."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rollback_responder import bootstrap
from rollback_responder.domain import figures, naming
from rollback_responder.handlers.logs import json_logger

house = bootstrap.watch_house(os.environ)
SERVICE = naming.metrics_service(house.policy.environment)
logger = json_logger(SERVICE)
metrics = Metrics(namespace=naming.METRICS_NAMESPACE, service=SERVICE)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Watches every target once, or begins the drills of the day where the clock asks for it.

    A round that fails beats no heart.
    """
    if event.get("drills"):
        told = house.driller.begin()
        logger.info("drills", told=told)
        return {"drills": told}
    done = house.watcher.watch()
    for problem in done.problems:
        logger.error("a target could not be watched", problem=problem)
    for incident in done.ended:
        logger.info("incident ended", incident_id=incident.id, reason=incident.reason)
        for figure in figures.of_latest(incident):
            metrics.add_metric(name=figure.name, unit=figure.unit, value=figure.value)
    for figure in figures.of_open(done.open, bootstrap.utc_now()):
        metrics.add_metric(name=figure.name, unit=figure.unit, value=figure.value)
    if done.woken:
        logger.info("woke respond", alarms=done.woken)
    if done.problems:
        metrics.add_metric(name=naming.UNWATCHED, unit=MetricUnit.Count, value=len(done.problems))
    metrics.add_metric(name=naming.HEARTBEAT, unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    return {"targets": done.targets, "woken": len(done.woken), "problems": len(done.problems)}
