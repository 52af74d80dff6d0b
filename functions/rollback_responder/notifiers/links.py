"""Links to the places in the AWS console that an incident is about."""

from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import quote

from msgspec import Struct

from rollback_responder.domain.incident import Incident
from rollback_responder.domain.target import (
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
    Target,
)


class Link(Struct, frozen=True, kw_only=True):
    """A place in the AWS console."""

    label: str
    url: str


def links(incident: Incident, region: str) -> tuple[Link, ...]:
    """The alarm, and every target that it is about."""
    console = f"https://{region}.console.aws.amazon.com"
    alarm = _quoted(incident.alarm_name)
    alarms = f"{console}/cloudwatch/home?region={region}#alarmsV2:alarm/{alarm}"
    targets = dict.fromkeys([incident.target, *(leg.target for leg in incident.legs)])
    return (
        Link(label="Alarm", url=alarms),
        *(link for target in targets for link in _target_links(target, incident, region, console)),
    )


def _target_links(
    target: Target, incident: Incident, region: str, console: str
) -> tuple[Link, ...]:
    match target:
        case LambdaAlias(function=function, alias=alias):
            return (
                Link(
                    label="Function",
                    url=f"{console}/lambda/home?region={region}#/functions/"
                    f"{_quoted(function)}/aliases/{_quoted(alias)}",
                ),
                Link(label="Logs", url=_log_query(console, region, function, incident)),
            )
        case CodeDeployGroup(application=application, group=group):
            place = f"{_quoted(application)}/deployment-groups/{_quoted(group)}"
            return (
                Link(
                    label=f"Deployments of {group}",
                    url=f"{console}/codesuite/codedeploy/applications/{place}?region={region}",
                ),
            )
        case CloudFormationStack(stack=stack):
            return (
                Link(
                    label=f"Stack {stack}",
                    url=f"{console}/cloudformation/home?region={region}"
                    f"#/stacks?filteringText={_quoted(stack)}",
                ),
            )
        case _:
            assert_never(target)


def _log_query(console: str, region: str, function: str, incident: Incident) -> str:
    """A Logs Insights query over the time of the incident.

    The console writes queries in its own notation: `~` and `'` part the members, and every other
    special character of a value is `*` and its code.
    """
    begin = incident.alarm_since_at - timedelta(minutes=15)
    end = incident.steps[-1].at + timedelta(minutes=5)
    query = "fields @timestamp, @message | filter @message like /ERROR|Task timed out/ | limit 100"
    detail = (
        f"~(end~'{_starred(end)}~start~'{_starred(begin)}~timeType~'ABSOLUTE~tz~'UTC"
        f"~editorString~'{_starred(query)}~source~(~'{_starred(f'/aws/lambda/{function}')}))"
    )
    return (
        f"{console}/cloudwatch/home?region={region}#logsV2:logs-insights$3FqueryDetail$3D{detail}"
    )


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="replace")


def _starred(value: str | datetime) -> str:
    text = value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(value, datetime) else value
    return "".join(c if c.isalnum() or c in "-._" else f"*{ord(c):02x}" for c in text)
