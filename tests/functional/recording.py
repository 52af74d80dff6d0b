"""A house's account read into a record, by the same reader that reads an account of AWS."""

from local.aws_model.clients import (
    cloudformation_client,
    cloudwatch_client,
    codedeploy_client,
    lambda_client,
)
from rollback_responder.cli.kept import Kept
from rollback_responder.cli.reading import Reader
from rollback_responder.domain.situation import Switches


def clients_of(house, intercept=None):
    """Real SDK clients of what a house stands in, by the service's name."""
    given = (intercept,) if intercept else ()
    made = {
        "cloudwatch": cloudwatch_client(house.cloudwatch, *given),
        "lambda": lambda_client(house.aliases, *given),
        "codedeploy": codedeploy_client(house.codedeploy, *given),
        "cloudformation": cloudformation_client(house.cloudformation, *given),
    }
    return made.__getitem__


def record(house, *, since_at):
    """Everything from then until now, with the journal as it is now."""
    services = [service.name for service in house.policy.services]
    kept = Kept(
        rows=house.journal.rows(services),
        incidents=tuple(house.journal.archive.values()),
        switches=Switches(paused_by=house.budget.paused_by),
    )
    return Reader(
        house.policy,
        clients_of(house),
        kept=kept,
        span=(since_at, house.now),
        progress=lambda _: None,
    ).read()
