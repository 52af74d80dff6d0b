"""A handler's log and figures. Powertools is loaded with the first of them: no act waits for it."""

import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from rollback_responder.domain import naming

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

ROOMS = "rollback_responder"


class Tools:
    """Of one function; `service` is what its log and its figures are told apart by."""

    def __init__(self, service: str) -> None:
        self._service = service
        rooms = logging.getLogger(ROOMS)
        rooms.handlers, rooms.propagate = [_First(lambda: self.logger)], False
        # Every record until Powertools, which knows the level.
        rooms.setLevel(logging.DEBUG)

    @cached_property
    def logger(self) -> "Logger":
        """The handler's logger; the rooms' own loggers write through the same formatter."""
        from aws_lambda_powertools import Logger  # noqa: PLC0415 - see above
        from aws_lambda_powertools.logging.utils import (  # noqa: PLC0415 - the same
            copy_config_to_registered_loggers,
        )

        from rollback_responder.handlers.lines import Lines  # noqa: PLC0415 - the same

        logger = Logger(service=self._service, logger_formatter=Lines())
        copy_config_to_registered_loggers(source_logger=logger, include={ROOMS})
        return logger

    @cached_property
    def metrics(self) -> "Metrics":
        """The handler's figures."""
        from aws_lambda_powertools import Metrics  # noqa: PLC0415 - see above

        return Metrics(namespace=naming.METRICS_NAMESPACE, service=self._service)

    def count(self, name: str, value: float, unit: str = "Count") -> None:
        """Adds a figure; `unit` is one of CloudWatch's."""
        self.metrics.add_metric(name=name, unit=unit, value=value)

    def flush(self) -> None:
        """Writes the figures out, if there are any: Powertools warns where there are none."""
        if "metrics" in vars(self) and self.metrics.metric_set:
            self.metrics.flush_metrics()


class _First(logging.Handler):
    """Takes the first record of a room, and has it written by what is loaded for it."""

    def __init__(self, load: Callable[[], object]) -> None:
        super().__init__()
        self._load = load

    def emit(self, record: logging.LogRecord) -> None:
        """The rooms have another handler after it. What cannot be logged holds up no rollback."""
        try:
            self._load()
        except Exception:  # noqa: BLE001 - as logging itself has it
            self.handleError(record)
            return
        room = logging.getLogger(record.name)
        if room.isEnabledFor(record.levelno):
            room.handle(record)
