"""One JSON line for each log record, whichever room wrote it, and no secret in it."""

import json

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import LogRecord

from rollback_responder.domain.redaction import redacted


class Lines(LambdaPowertoolsFormatter):
    """Powertools' own lines, in ASCII: half a character cannot be written out as anything else."""

    def serialize(self, log: LogRecord) -> str:
        """The line."""
        line = json.dumps(log, default=self.json_default, separators=(",", ":"))
        return redacted(line)
