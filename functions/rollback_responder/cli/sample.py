"""`rollback sample`: an event as `rollback explain` takes it, for an alarm of the policy.

It has the members that EventBridge's event of an alarm has (CloudWatch user guide, "Alarm events
and EventBridge"), those only that anything is read from.
"""

from datetime import datetime
from typing import Annotated, Any

import typer

from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from rollback_responder.cli.access import known_region
from rollback_responder.cli.now import entry_for
from rollback_responder.cli.options import PolicyFile, Profile, Region
from rollback_responder.cli.place import POLICY_FILE, read_policy
from rollback_responder.cli.screen import Screen
from rollback_responder.signals.eventbridge import STATE_CHANGE

# AWS's own examples are of this account. Whoever explains an event is not asked whose it is.
ACCOUNT = "111122223333"
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="FUNCTION:ALIAS",
        help="Of which alias, where the service has several.",
        show_default=False,
    ),
]


def sample(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    *,
    target: Target = None,
    policy: PolicyFile = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print an event to explain: as if an alarm of the service had just fired.

    It is made of the policy and a region: no AWS call is made.

    Example: rollback sample checkout --region eu-west-1 | rollback explain - --region eu-west-1
    """
    watched = entry_for(read_policy(policy or POLICY_FILE), service, target)
    where = known_region(people.Place(region=region, profile=profile))
    Screen().json(event_of(watched.alarm_name, region=where, at=bootstrap.utc_now()))


def event_of(alarm_name: str, *, region: str, at: datetime) -> dict[str, Any]:
    """EventBridge's event about an alarm that fired at that time."""
    return {
        "version": "0",
        "detail-type": STATE_CHANGE,
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{alarm_name}"],
        "detail": {
            "alarmName": alarm_name,
            "state": {"value": "ALARM", "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.000+0000"},
        },
    }
