"""Lambda `watch`: one round of the watcher, each minute, and the heartbeat that proves it."""

import os
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


def handler(_event: object, _context: object) -> dict[str, Any]:
    """Watches every target once. A round that fails beats no heart."""
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
