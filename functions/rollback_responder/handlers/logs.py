"""One JSON line for each log record, whichever room wrote it, and no secret in it."""

import json
import logging

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import LogRecord
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from rollback_responder.domain.redaction import redacted

ROOMS = "rollback_responder"


class Lines(LambdaPowertoolsFormatter):
    """Powertools' own lines, in ASCII: half a character cannot be written out as anything else."""

    def serialize(self, log: LogRecord) -> str:
        """The line."""
        line = json.dumps(log, default=self.json_default, separators=(",", ":"))
        return redacted(line)


def json_logger(service: str) -> Logger:
    """The handler's logger; the rooms' own loggers write through the same formatter."""
    logger = Logger(service=service, logger_formatter=Lines())
    logging.getLogger(ROOMS)
    copy_config_to_registered_loggers(source_logger=logger, include={ROOMS})
    return logger
