"""What `notify` needs."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from rollback_responder import bootstrap
from rollback_responder.bootstrap.parking import parking
from rollback_responder.bootstrap.secret import reading
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.week import Week
from rollback_responder.journal.notices import DynamoDbNotices
from rollback_responder.journal.storms import DynamoDbStorms
from rollback_responder.ports import Notices, Storms
from rollback_responder.wiring import NotifyWiring


class NotifyHouse(Struct, frozen=True, kw_only=True):
    """What `notify` needs.

    `read_secret` gives the Slack secret's text; `park` takes what can never be told: body, reason,
    detail; `week` reads the seven days before an instant.
    """

    wiring: NotifyWiring
    policy: Policy
    notices: Notices
    storms: Storms
    read_secret: Callable[[], str]
    park: Callable[[str, str, str], None]
    week: Callable[[datetime], Week]


def open_house(environment: Mapping[str, str]) -> NotifyHouse:
    """Everything the notifier needs; errors as `bootstrap.respond` has them."""
    wiring = NotifyWiring.from_environment(environment)
    policy, client = bootstrap.load_policy(), bootstrap.clients()
    dynamodb = client("dynamodb", bootstrap.READS)

    def read_week(until_at: datetime) -> Week:
        # Once a week: no cold start waits for these.
        from rollback_responder.chronicler import Chronicler
        from rollback_responder.journal.annals import DynamoDbAnnals
        from rollback_responder.journal.dynamodb import DynamoDbJournal
        from rollback_responder.metrics.pulse import CloudWatchPulse

        pulse = CloudWatchPulse(client("cloudwatch", bootstrap.READS), policy.environment)
        journal = DynamoDbJournal(dynamodb, wiring.journal_table, bootstrap.LEASE)
        annals = DynamoDbAnnals(dynamodb, wiring.journal_table)
        return Chronicler(policy, journal, annals, pulse).week(until_at)

    return NotifyHouse(
        wiring=wiring,
        policy=policy,
        notices=DynamoDbNotices(dynamodb, wiring.journal_table, bootstrap.LEASE),
        storms=DynamoDbStorms(dynamodb, wiring.journal_table, bootstrap.LEASE),
        read_secret=reading(wiring.slack_secret_arn, client),
        park=parking(wiring.failure_queue_url, client),
        week=read_week,
    )
