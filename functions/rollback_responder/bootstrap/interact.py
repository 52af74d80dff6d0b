"""What is behind the buttons."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from rollback_responder import bootstrap
from rollback_responder.bootstrap.desk import desk_of, waking
from rollback_responder.bootstrap.secret import reading
from rollback_responder.desk import Desk
from rollback_responder.domain.policy import Policy
from rollback_responder.wiring import InteractWiring


class InteractHouse(Struct, frozen=True, kw_only=True):
    """What `interact` needs. `read_secret` gives the Slack secret's text."""

    policy: Policy
    desk: Desk
    read_secret: Callable[[], str]


def open_house(environment: Mapping[str, str]) -> InteractHouse:
    """Everything behind the buttons; errors as `bootstrap.respond` has them."""
    wiring = InteractWiring.from_environment(environment)
    policy, client = bootstrap.load_policy(), bootstrap.clients()
    wake = waking(wiring, wiring.alarm_queue_url, client)
    return InteractHouse(
        policy=policy,
        desk=desk_of(policy, wiring.journal_table, wake, client),
        read_secret=reading(wiring.slack_secret_arn, client),
    )
