"""An incident as a message: pure, and the same words wherever it is shown.

The headline never lies: it says what was done, whether it helped, or why nothing was done.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import quote

from rollback_responder.domain.decision import Reason
from rollback_responder.domain.incident import Incident, State, Step
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.notifiers.words import WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place in the AWS console."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What people are told. Every string is plain text; whoever renders it escapes it.

    `pages` asks to ring somebody.
    """

    icon: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    happened: str
    done: str
    stands: str
    next_step: str
    links: tuple[Link, ...]
    footer: str
    pages: bool


def message_of(incident: Incident, *, account_id: str, region: str) -> Message:
    """The message about an incident as it stands."""
    return Message(
        icon=ICONS[incident.state],
        headline=headline(incident),
        facts=_facts(incident),
        happened=_happened(incident),
        done=_done(incident),
        stands=_stands(incident),
        next_step=_next_step(incident),
        links=_links(incident, region),
        footer=f"{incident.reason.value} · {incident.id} · account {account_id} · {region}",
        pages=incident.needs_a_person,
    )


ICONS: dict[State, str] = {
    State.UNDECIDED: "eyes",
    State.WATCHING: "rewind",
    State.FIXED: "white_check_mark",
    State.NOT_FIXED: "rotating_light",
    State.UNKNOWN: "grey_question",
    State.STOOD_DOWN: "raised_hand",
    State.INDETERMINATE: "rotating_light",
}


# The numbers of these are told under "What happened".
EVIDENT = frozenset(
    {Reason.INCONCLUSIVE, Reason.METRIC_HEALTHY, Reason.BOTH_VERSIONS_FAIL, Reason.OBSERVE_MODE}
)


def headline(incident: Incident) -> str:
    """One line that tells the whole story so far."""
    service, said = incident.service, WORDS[incident.reason].said
    moved = f"{service} rolled back {_arrow(incident)}"
    match incident.state:
        case State.UNDECIDED:
            if incident.reason is Reason.ACTION_UNCLEAR:
                return f"{service}: an attempt to roll back was made: {said}"
            return f"{service}: not rolled back yet: {said}"
        case State.WATCHING:
            return f"{moved}, watching whether it helps"
        case State.FIXED:
            return f"{moved}, {said} after {_minutes(incident)} min"
        case State.NOT_FIXED:
            return f"{moved}, but {said}"
        case State.UNKNOWN:
            return f"{moved}, but {said}"
        case State.INDETERMINATE:
            return f"{service}: {said}"
        case State.STOOD_DOWN:
            if incident.to_version:
                return f"{service}: would have rolled back {_arrow(incident)}; {said}"
            return f"{service}: did not roll back: {said}"
        case _:
            assert_never(incident.state)


def reply(step: Step) -> str:
    """One step of the incident, for the thread."""
    said = WORDS[step.reason].said
    told = step.text if said in step.text else f"{said}: {step.text}"
    return f"{step.at:%H:%M:%S} UTC · {told}"


def _arrow(incident: Incident) -> str:
    before = incident.release.version if incident.release else "?"
    return f"v{before} → v{incident.to_version}"


def _minutes(incident: Incident) -> int:
    if incident.acted_at is None:
        return 0
    return max(1, round((incident.steps[-1].at - incident.acted_at) / timedelta(minutes=1)))


def _facts(incident: Incident) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Service", f"{incident.service} ({incident.environment})"),
        ("Severity", incident.severity.value),
        ("Alarm", f"{incident.alarm_name}, firing since {_clock(incident.alarm_since_at)}"),
    ]
    if incident.release:
        origin = incident.release.origin.value.replace("_", " ")
        since = _clock(incident.release.since_at)
        facts.append(
            ("Deploy", f"version {incident.release.version}, {origin}, first seen {since}")
        )
    return tuple(facts)


def _happened(incident: Incident) -> str:
    assessment = incident.assessment
    if assessment is None:
        return f"The alarm {incident.alarm_name} fires."
    live = f"Version {incident.release.version}" if incident.release else "Live version"
    text = f"{live}: {assessment.new.text}."
    if assessment.previous:
        text += f"\nThe version before: {assessment.previous.text}."
    return text


def _done(incident: Incident) -> str:
    if incident.acted_at:
        return f"Moved {incident.target.title} {_arrow(incident)} at {_clock(incident.acted_at)}."
    if incident.to_version:
        return f"Nothing. It would have moved {incident.target.title} {_arrow(incident)}."
    unclear = incident.is_open and incident.reason is Reason.ACTION_UNCLEAR
    if unclear or incident.state is State.INDETERMINATE:
        return "An attempt was made to move the alias. Whether it did is not known."
    said = WORDS[incident.reason].said
    if incident.reason in EVIDENT or said in incident.steps[-1].text:
        return f"Nothing: {said}."
    return f"Nothing: {said} ({incident.steps[-1].text})."


def _stands(incident: Incident) -> str:
    last = incident.steps[-1]
    standing = {
        State.UNDECIDED: "Open. It is judged again each minute",
        State.WATCHING: f"Watching until it is healthy for {incident.verification.healthy_minutes}"
        f" min, for {incident.verification.deadline_minutes} min at most",
        State.FIXED: "Fixed",
        State.NOT_FIXED: "Not fixed",
        State.UNKNOWN: "Unknown",
        State.STOOD_DOWN: "Closed without acting",
        State.INDETERMINATE: "Unknown: this needs your eyes",
    }[last.state]
    if incident.acted_at and not incident.is_open:
        return f"{standing}: {last.text} ({_clock(last.at)})."
    return f"{standing} ({_clock(last.at)})."


def _next_step(incident: Incident) -> str:
    if incident.state is State.WATCHING:
        return "Nothing yet: the outcome follows here."
    if incident.state is State.UNDECIDED:
        return "Nothing yet, unless you know better: it is looked at again each minute."
    return WORDS[incident.reason].next_step


def _clock(instant: datetime) -> str:
    return f"{instant:%d %b %H:%M:%S} UTC"


def _links(incident: Incident, region: str) -> tuple[Link, ...]:
    console = f"https://{region}.console.aws.amazon.com"
    alarm = quote(incident.alarm_name, safe="")
    match incident.target:
        case LambdaAlias(function=function, alias=alias):
            return (
                Link(
                    label="Alarm",
                    url=f"{console}/cloudwatch/home?region={region}#alarmsV2:alarm/{alarm}",
                ),
                Link(
                    label="Function",
                    url=f"{console}/lambda/home?region={region}#/functions/{function}"
                    f"/aliases/{alias}",
                ),
                Link(label="Logs", url=_log_query(console, region, function, incident)),
            )
        case _:
            assert_never(incident.target)


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


def _starred(value: str | datetime) -> str:
    text = value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(value, datetime) else value
    return "".join(c if c.isalnum() or c in "-._" else f"*{ord(c):02x}" for c in text)
