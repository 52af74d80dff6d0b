"""The Slack secret."""

from collections.abc import Callable

from rollback_responder import bootstrap
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import NotificationError


def reading(secret_arn: str, client: bootstrap.Client) -> Callable[[], str]:
    """Reads the Slack secret, each time anew.

    What it returns raises NotificationError, which a retry may help, where it cannot be read.
    """
    secrets_manager = client("secretsmanager", bootstrap.READS)

    def read_secret() -> str:
        try:
            answer = secrets_manager.get_secret_value(SecretId=secret_arn)
        except AwsError as error:
            what = f"the Slack secret could not be read: {name_of(error)}"
            raise NotificationError(what, retryable=True) from error
        # One that was put there as bytes is no text of ours; `parse_secret` says what it must be.
        return str(answer.get("SecretString", ""))

    return read_secret
