"""Finds what has the tag, whoever made it and however that run ended.

Roles are found by their path: GetResources "does not currently support IAM users and roles"
(Resource Groups Tagging API reference, supported services). Applications and mute rules are looked
for by name as well, for the services' own lists are surer than an index; so are composite alarms,
which go before their children and have the same ARNs. Whatever is found by name must have the names
that `Lab.name` gives.
"""

import re
from collections.abc import Iterator

from conformance.lab import TAG
from conformance.things import ROLE_PATH, Clients, Kind, Thing

OURS = re.compile(rf"{TAG}-[0-9a-f]{{8}}-[a-zA-Z0-9-]+")
# What comes before the name in an ARN, after the account.
KINDS = {
    "alarm:": Kind.ALARM,
    "alarm-mute-rule:": Kind.MUTE_RULE,
    "application:": Kind.APPLICATION,
    "function:": Kind.FUNCTION,
    "log-group:/aws/lambda/": Kind.LOG_GROUP,
    "rule/": Kind.RULE,
    "stack/": Kind.STACK,
}


def find(clients: Clients, run: str | None = None) -> list[Thing]:
    """All things of one run, or of any, in an order in which they can be removed."""
    found = {*_tagged(clients, run), *_roles(clients, run), *_listed(clients, run)}
    order = list(Kind)
    return sorted(found, key=lambda thing: (order.index(thing.kind), thing.name))


def _tagged(clients: Clients, run: str | None) -> Iterator[Thing]:
    wanted = {"Key": TAG} | ({"Values": [run]} if run else {})
    pages = clients("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[wanted]):
        for row in page["ResourceTagMappingList"]:
            if thing := thing_of(row["ResourceARN"]):
                yield thing


def thing_of(arn: str) -> Thing | None:
    """None for what goes with something else, such as a CodeDeploy group or a stack's resource."""
    service, what = arn.split(":", 5)[2::3]
    match = OURS.search(what)
    if match is None:
        return None
    before, name = what[: match.start()], match[0]
    if service == "sns" and not before:
        return Thing(Kind.TOPIC, arn)
    if service == "sqs" and not before:
        return Thing(Kind.QUEUE, name)
    kind = KINDS.get(before)
    if kind is Kind.LOG_GROUP:
        return Thing(kind, f"/aws/lambda/{name}")
    return Thing(kind, name) if kind else None


def _roles(clients: Clients, run: str | None) -> Iterator[Thing]:
    for page in clients("iam").get_paginator("list_roles").paginate(PathPrefix=ROLE_PATH):
        yield from (
            Thing(Kind.ROLE, r["RoleName"]) for r in page["Roles"] if _is(r["RoleName"], run)
        )


def _listed(clients: Clients, run: str | None) -> Iterator[Thing]:
    for page in clients("codedeploy").get_paginator("list_applications").paginate():
        yield from (Thing(Kind.APPLICATION, n) for n in page["applications"] if _is(n, run))
    cloudwatch = clients("cloudwatch")
    composites = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{TAG}-", AlarmTypes=["CompositeAlarm"]
    )
    for page in composites:
        names = (row["AlarmName"] for row in page["CompositeAlarms"])
        yield from (Thing(Kind.COMPOSITE, name) for name in names if _is(name, run))
    token: dict[str, str] = {}
    while True:
        page = cloudwatch.list_alarm_mute_rules(**token)
        for rule in page.get("AlarmMuteRuleSummaries", []):
            name = rule["AlarmMuteRuleArn"].rpartition(":")[2]
            if _is(name, run):
                yield Thing(Kind.MUTE_RULE, name)
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _is(name: str, run: str | None) -> bool:
    return OURS.fullmatch(name) is not None and (run is None or name.startswith(f"{TAG}-{run}-"))
