"""One JSON line for each log record, whichever room wrote it."""

import logging

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

ROOMS = "rollback_responder"


def json_logger(service: str) -> Logger:
    """The handler's logger; the rooms' own loggers write through the same formatter."""
    logger = Logger(service=service)
    logging.getLogger(ROOMS)
    copy_config_to_registered_loggers(source_logger=logger, include={ROOMS})
    return logger
