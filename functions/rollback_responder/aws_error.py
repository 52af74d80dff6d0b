"""AWS errors by their name. Never by their text, which may hold what does not belong in Slack."""

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

# What a call of an AWS client raises. An answer that is no document is none of the SDK's errors.
AwsError = (ClientError, BotoCoreError, ResponseParserError)


def name_of(error: Exception) -> str:
    """The error code AWS answered with, or the SDK's own word where no answer came."""
    if isinstance(error, ClientError):
        # Whoever stands between may answer in words of its own.
        return str(error.response.get("Error", {}).get("Code", "no AWS error"))
    return type(error).__name__
