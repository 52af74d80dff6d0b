"""`rollback check`: whether a rollback would work if one were needed now."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import typer
from rich.text import Text

from rollback_responder import bootstrap
from rollback_responder.cli.callers import read
from rollback_responder.cli.failure import Exit, NotRead
from rollback_responder.cli.identity import identity
from rollback_responder.cli.options import AsJson, PolicyFile, Profile, Region, TableName
from rollback_responder.cli.place import Place
from rollback_responder.cli.records import Records
from rollback_responder.cli.screen import BAD, DOUBT, GOOD, PALE, Screen
from rollback_responder.cli.survey import Survey
from rollback_responder.domain import naming, readiness
from rollback_responder.domain.errors import JournalError, NotificationError
from rollback_responder.domain.finding import Check, Finding, Level, Unread, not_read
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.response import Mode
from rollback_responder.notifiers.slack import parse_secret

ROLE = "RespondRole"
STYLES = {Level.ERROR: BAD, Level.WARNING: DOUBT, Level.NOTE: PALE}
Found = dict[str, list[Finding]]
DEPLOYMENT = "the responder"


def check(
    *,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Check the policy, and whether a rollback would work: each finding with its fix.

    Ends with 0 if it would, 1 if something would keep it from working, 2 if the policy cannot be
    used, 3 if AWS could not be read in full. It changes nothing.

    Example: rollback check --profile prod
    """
    place = Place(policy_file=policy, table_name=table, region=region, profile=profile)
    screen = Screen()
    found: Found = {}
    for subject, finding in _findings(place, place.policy, screen):
        found.setdefault(subject, [])
        if finding:
            found[subject].append(finding)
    code = exit_of(found)
    if as_json:
        screen.json(_document(place.policy, found, code))
    else:
        _print(screen, place.policy, found)
    raise typer.Exit(code)


def exit_of(found: Found) -> Exit:
    """Errors count most; what could not be read is never taken for ready."""
    everything = [finding for findings in found.values() for finding in findings]
    if any(finding.level is Level.ERROR for finding in everything):
        return Exit.NOT_READY
    if any(finding.check is Check.NOT_READ for finding in everything):
        return Exit.NOT_READ
    return Exit.DONE


def _findings(place: Place, policy: Policy, screen: Screen) -> Iterator[tuple[str, Finding | None]]:
    """Each finding with what it is of; None says that it was looked at."""
    records = _records(place)
    survey = Survey(policy, records, place.reader, identity(place))
    yield DEPLOYMENT, None
    with screen.waiting("checking the responder"):
        for finding in _of_the_deployment(place, policy, records, survey):
            yield DEPLOYMENT, finding
    for number, service in enumerate(policy.services, start=1):
        yield service.name, None
        if not policy.mode_of(service).may_act:
            yield service.name, readiness.observes(service.name)
        with screen.waiting(f"checking {service.name} ({number} of {len(policy.services)})"):
            for fact in survey.service(service):
                for finding in readiness.findings_of(fact):
                    yield service.name, finding


def _of_the_deployment(
    place: Place, policy: Policy, records: Records | Unread, survey: Survey
) -> Iterator[Finding]:
    if isinstance(records, Unread):
        yield not_read(DEPLOYMENT, "the journal", records)
    else:
        try:
            by = records.shared(bootstrap.utc_now()).paused_by
        except JournalError as error:
            yield not_read(DEPLOYMENT, "the journal", Unread(why=str(error)))
        else:
            if by:
                yield readiness.paused(by)
    try:
        permissions = survey.permissions(place.output(ROLE))
    except NotRead as error:
        permissions = Unread(why=str(error))
    if isinstance(permissions, Unread):
        yield not_read(DEPLOYMENT, "what respond may do", permissions)
    else:
        yield from readiness.denied(permissions)
    modes = {service.name: policy.mode_of(service) for service in policy.services}
    asking = [name for name, mode in modes.items() if mode is Mode.APPROVE]
    if asking and not policy.slack.approvers:
        yield readiness.no_approvers(asking)
    yield from _slack(place, policy)


def _slack(place: Place, policy: Policy) -> Iterator[Finding]:
    """Whether the secret could be used. Its value is not kept, shown, or sent."""
    name = naming.slack_secret_name(policy.environment)
    client = place.reader("secretsmanager")
    secret = read("GetSecretValue", lambda: client.get_secret_value(SecretId=name))
    if isinstance(secret, Unread):
        yield not_read("Slack", f"secret {name}", secret)
    elif secret is None:
        yield readiness.slack_secret(f"secret {name} does not exist")
    else:
        try:
            parse_secret(secret.get("SecretString", ""))
        except NotificationError as error:
            yield readiness.slack_secret(str(error))


def _records(place: Place) -> Records | Unread:
    try:
        return place.records
    except NotRead as error:
        return Unread(why=str(error))


def _document(policy: Policy, found: Found, code: Exit) -> dict[str, Any]:
    return {
        "environment": policy.environment,
        "ready": code is Exit.DONE,
        "checked": list(found),
        "findings": [
            {
                "of": subject,
                "check": finding.check.value,
                "severity": finding.level.value,
                "about": finding.about,
                "found": finding.found,
                "fix": finding.fix,
            }
            for subject, findings in found.items()
            for finding in findings
        ],
    }


def _print(screen: Screen, policy: Policy, found: Found) -> None:
    for subject, findings in found.items():
        screen.line(subject, "bold")
        if not findings:
            screen.line("  ready", GOOD)
        for finding in sorted(findings, key=lambda finding: list(Level).index(finding.level)):
            style = STYLES[finding.level]
            line = Text(f"  {finding.level.value:<8}", style=style)
            screen.out.print(line.append(f"{finding.about}: {finding.found}", ""), soft_wrap=True)
            screen.line(f"          {finding.fix}", PALE)
        screen.line()
    counts = Counter(finding.level for findings in found.values() for finding in findings)
    told = ", ".join(
        f"{counts[level]} {level.value}{'s' * (counts[level] != 1)}" for level in Level
    )
    may_act = any(policy.mode_of(service).may_act for service in policy.services)
    ready = "a rollback would work" if may_act else "it observes, and would roll nothing back"
    verdicts = {
        Exit.DONE: (f"Ready: {ready}.", GOOD),
        Exit.NOT_READY: ("Not ready: the errors above would keep a rollback from working.", BAD),
        Exit.NOT_READ: ("Not known: not everything could be read.", DOUBT),
    }
    text, style = verdicts[exit_of(found)]
    screen.line(f"{text} {told}.", style)
