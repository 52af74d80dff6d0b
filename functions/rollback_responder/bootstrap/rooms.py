"""The rooms that whoever looks at a service, or acts on it, goes through."""

import secrets
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rollback_responder import bootstrap
from rollback_responder.actions import Clients, pointers, rollouts
from rollback_responder.domain.policy import Policy
from rollback_responder.journal.budget import DynamoDbBudget
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from rollback_responder.rooms import Rooms

T = TypeVar("T")


def furnished(
    policy: Policy, kinds: Collection[str], table: str, client: bootstrap.Client
) -> Rooms:
    """Everything that a look or an act needs, for targets of these kinds."""
    # The claim, the alarm, the budget and the targets of a service are read at once.
    pool = ThreadPoolExecutor(max_workers=8)

    def start(call: Callable[[], T], /) -> Callable[[], T]:
        return pool.submit(call).result

    clients = Clients(
        reads=lambda service: client(service, bootstrap.READS),
        acts=lambda service: client(service, bootstrap.ONCE),
    )
    dynamodb = client("dynamodb", bootstrap.READS)
    return Rooms(
        policy=policy,
        journal=DynamoDbJournal(dynamodb, table, bootstrap.LEASE),
        budget=DynamoDbBudget(dynamodb, table),
        metrics=CloudWatchMetrics(client("cloudwatch", bootstrap.READS)),
        pointers=pointers(kinds, clients),
        rollouts=rollouts(kinds, clients),
        clock=bootstrap.utc_now,
        stopwatch=time.monotonic,
        wait=_a_moment,
        new_id=bootstrap.new_id,
        start=start,
    )


def kinds_of(policy: Policy) -> set[str]:
    """The kinds of targets that a policy has."""
    return {target.kind for service in policy.services for target in service.targets}


def _a_moment() -> None:
    time.sleep(0.1 + secrets.randbelow(300) / 1000)
