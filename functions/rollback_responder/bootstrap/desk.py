"""The desk, where people say what they want done, and how `respond` is woken for it."""

from rollback_responder import bootstrap
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.desk import Desk
from rollback_responder.domain.errors import QueueError
from rollback_responder.domain.policy import Policy
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.ports import Wake
from rollback_responder.signals.wake import body
from rollback_responder.wiring import Wiring


def desk_of(policy: Policy, table: str, wake: Wake, client: bootstrap.Client) -> Desk:
    """What a person says goes into the rows, and `wake` tells `respond` of it."""
    book = DynamoDbBook(client("dynamodb", bootstrap.READS), table)
    return Desk(policy=policy, book=book, wake=wake, clock=bootstrap.utc_now)


def waking(wiring: Wiring, queue_url: str, client: bootstrap.Client) -> Wake:
    """Wakes `respond` through its queue."""
    sqs = client("sqs", bootstrap.READS)

    def wake_respond(alarm_name: str) -> None:
        text = body(alarm_name, account_id=wiring.account_id, region=wiring.region)
        try:
            sqs.send_message(QueueUrl=queue_url, MessageBody=text)
        except AwsError as error:
            raise QueueError(f"respond could not be woken: {name_of(error)}") from error

    return wake_respond
