"""What an AWS error of a read means."""

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from rollback_responder.actions.refusal import unread
from rollback_responder.domain.errors import ActionError, ActionThrottled


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "x"), ActionThrottled, None),
        (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "x"), ActionThrottled, None),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "x"), ActionError, None),
        (ClientError({"Error": {"Code": "SomethingNew"}}, "x"), ActionError, None),
        (ReadTimeoutError(endpoint_url="https://x"), ActionError, "ReadTimeoutError"),
    ],
)
def test_that_aws_is_too_busy_is_told_from_whatever_else_a_read_meets(error, kind, name):
    found = unread("reading it", error)

    assert type(found) is kind
    assert str(found) == f"reading it: {name or error.response['Error']['Code']}"
