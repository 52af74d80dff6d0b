"""An incident as a message: pure, and the same words wherever it is shown.

The headline never lies: it says what was done, whether it helped, or why nothing was done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import quote

from rollback_responder.domain.incident import PENDING, Incident, State, Step
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How, Leg, LegState
from rollback_responder.domain.reason import QUIET, Reason
from rollback_responder.domain.release import Origin
from rollback_responder.domain.target import (
    CloudFormationStack,
    CodeDeployGroup,
    LambdaAlias,
    Target,
)
from rollback_responder.notifiers.words import CLEAR, FIX_FIRST, SHIP_NEW_VERSION, WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place in the AWS console."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """What a person may say. `confirm` is what they are asked before it counts."""

    action: str
    label: str
    style: str | None = None
    confirm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What people are told. Every string is plain text; whoever renders it escapes it.

    `pages` asks to ring somebody.
    """

    service: str
    incident_id: str
    icon: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    happened: str
    done: str
    stands: str
    next_step: str
    links: tuple[Link, ...]
    buttons: tuple[Button, ...]
    footer: str
    pages: bool


def message_of(incident: Incident, *, account_id: str, region: str) -> Message:
    """The message about an incident as it stands."""
    return Message(
        service=incident.service,
        incident_id=incident.id,
        icon=ICONS[incident.state],
        headline=headline(incident),
        facts=_facts(incident),
        happened=_happened(incident),
        done=_done(incident),
        stands=_stands(incident),
        next_step=_next_step(incident),
        links=_links(incident, region),
        buttons=tuple(_buttons(incident)),
        footer=f"{incident.reason.value} · {incident.id} · account {account_id} · {region}",
        pages=incident.needs_a_person,
    )


ICONS: dict[State, str] = {
    State.UNDECIDED: "eyes",
    State.ASKING: "question",
    State.ROLLING_BACK: "rewind",
    State.WATCHING: "rewind",
    State.FIXED: "white_check_mark",
    State.NOT_FIXED: "rotating_light",
    State.UNKNOWN: "grey_question",
    State.STOOD_DOWN: "raised_hand",
    State.INCOMPLETE: "rotating_light",
    State.INDETERMINATE: "rotating_light",
    State.UNDOING: "leftwards_arrow_with_hook",
    State.UNDONE: "leftwards_arrow_with_hook",
}


# What led to these is told under "What happened".
EVIDENT = frozenset(
    {
        Reason.INCONCLUSIVE,
        Reason.METRIC_HEALTHY,
        Reason.BOTH_VERSIONS_FAIL,
        Reason.UNMEASURABLE,
        Reason.ALARM_NOT_TRUSTED,
        Reason.OBSERVE_MODE,
    }
)


def headline(incident: Incident) -> str:
    """One line that tells the whole story so far."""
    service, said = incident.service, WORDS[incident.reason].said
    if incident.drill:
        return _headline_of_drill(incident, said)
    if incident.acted_at:
        return _headline_of_rollback(incident, said)
    if incident.state is State.INDETERMINATE:
        return f"{service}: {said}"
    if incident.state is State.ASKING:
        return f"{service}: roll back {_what(incident)}? {said[0].upper()}{said[1:]}"
    if incident.is_open and incident.reason is Reason.ACTION_UNCLEAR:
        return f"{service}: an attempt to roll back was made: {said}"
    if incident.is_open:
        return f"{service}: not rolled back yet: {said}"
    if incident.ordered_by:
        return f"{service}: did not roll back as {incident.ordered_by} ordered: {said}"
    if incident.legs:
        return f"{service}: would have rolled back {_what(incident)}; {said}"
    return f"{service}: did not roll back: {said}"


def _headline_of_rollback(incident: Incident, said: str) -> str:
    service, what = incident.service, _what(incident)
    back, count = incident.leg_counts()
    if incident.adopted:
        return f"{service}: {what} {_headline_of_adopted(incident, said)}"
    if incident.state is State.ROLLING_BACK:
        return f"{service}: rolling back {what}" + (f": {said}" if incident.needs_a_person else "")
    if incident.state is State.WATCHING:
        return f"{service} rolled back {what}, watching whether it helps"
    if incident.state is State.FIXED and incident.ordered_by:
        return f"{service} rolled back {what} as {incident.ordered_by} ordered, and is healthy"
    if incident.state is State.FIXED:
        return f"{service} rolled back {what}, {said} after {_minutes(incident)} min"
    if incident.state is State.UNDOING:
        return f"{service} rolled back {what}, and a person wants it undone"
    if incident.state is State.UNDONE:
        return f"{service} rolled back {what}, and a person undid it"
    if incident.state is State.INCOMPLETE and count > 1:
        return f"{service} rolled back in part, {back} of {count} parts: {said}"
    if incident.state is State.INCOMPLETE:
        anyway = incident.reason is Reason.FINISHED_ANYWAY
        why = said if anyway else f"the rollback of {what} failed"
        return f"{service} not rolled back: {why}"
    return f"{service} rolled back {what}, but {said}"


def _headline_of_drill(incident: Incident, said: str) -> str:
    drill, what = f"Drill of {incident.service}", _what(incident)
    if incident.acted_at is None:
        return f"{drill} failed: {said}"
    if incident.state is State.UNDONE:
        seconds = (incident.steps[-1].at - incident.acted_at) / timedelta(seconds=1)
        return f"{drill} passed: {what} and forward again in {seconds:.0f} s"
    if incident.is_open:
        return f"{drill}: rolled back {what}, and forward again in a minute"
    return f"{drill} failed: rolled back {what}, but {said}"


def _headline_of_adopted(incident: Incident, said: str) -> str:
    """The same where somebody else began it: the responder takes no credit."""
    if incident.state is State.ROLLING_BACK:
        calls = f": {said}" if incident.needs_a_person else ""
        return "is being rolled back already, followed from here" + calls
    if incident.state is State.WATCHING:
        return "was rolled back, watching whether it helps"
    if incident.state is State.FIXED:
        return f"was rolled back, {said}"
    if incident.state is State.INCOMPLETE:
        return f"was not rolled back in full: {said}"
    return f"was rolled back, but {said}"


def reply(step: Step) -> str:
    """One step of the incident, for the thread."""
    said = WORDS[step.reason].said
    told = step.text if _says_all(step) else f"{said}: {step.text}"
    return f"{step.at:%H:%M:%S} UTC · {told}"


def _says_all(step: Step) -> bool:
    """Whether a step's own words need none of its reason's."""
    clear = step.reason in CLEAR and not step.aside
    return clear or WORDS[step.reason].said in step.text


def _what(incident: Incident) -> str:
    """What goes back: from version to version where a pointer is moved, else by name."""
    acted = [leg for leg in incident.legs if leg.how is not How.FOLLOW] or list(incident.legs)
    if len(acted) > 1:
        return f"a change of {len(acted)} parts"
    if any(leg.how in {How.MOVE, How.REDEPLOY} for leg in acted) or not acted:
        return _left_behind(incident) if incident.adopted else _arrow(incident)
    return acted[0].title


def _left_behind(incident: Incident) -> str:
    """What somebody else's deployment of an older version leads away from."""
    release = incident.release
    known = release is not None and release.origin is not Origin.ROLLED_BACK
    return f"version {release.version}" if release and known else "a newer version"


def _arrow(incident: Incident) -> str:
    before = incident.release.version if incident.release else "?"
    # Of an attempt that ended without a word it may not be known where it led.
    return f"v{before} → v{incident.to_version}" if incident.to_version else f"v{before}"


def _version_before(incident: Incident) -> str:
    if incident.to_version:
        return f"version {incident.to_version}"
    return f"the version before {incident.release.version if incident.release else 'it'}"


def _minutes(incident: Incident) -> int:
    if incident.acted_at is None:
        return 0
    return max(1, round((incident.steps[-1].at - incident.acted_at) / timedelta(minutes=1)))


def _facts(incident: Incident) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Service", f"{incident.service} ({incident.environment})"),
        ("Severity", incident.severity.value),
        _cause(incident),
    ]
    if incident.release:
        release, origin = incident.release, ORIGINS[incident.release.origin]
        # Whoever publishes writes it: in one line it can pass for no fact of ours.
        said = " ".join((release.about or "").split())
        about = f" ({said})" if said else ""
        since = f"{origin} {_clock(release.since_at)}"
        facts.append(("Deploy", f"version {release.version}{about}, {since}"))
    return tuple(facts)


ORIGINS: dict[Origin, str] = {
    Origin.DEPLOYED: "deployed, first seen",
    Origin.ROLLED_BACK: "gone back to, first seen",
    Origin.FIRST_SEEN: "live already at the first look,",
    Origin.PUT_BACK: "put back by a person,",
}


def _cause(incident: Incident) -> tuple[str, str]:
    if incident.ordered_by and incident.order_at:
        return "Ordered", f"by {incident.ordered_by}, {_clock(incident.order_at)}"
    at = _clock(incident.alarm_since_at)
    if incident.reason is Reason.ALARM_GONE:
        return "Alarm", f"{incident.alarm_name}, which does not exist"
    since = f"judged before it fired, at {at}" if incident.early else f"fired at {at}"
    return "Alarm", f"{incident.alarm_name}, {since}"


def _happened(incident: Incident) -> str:
    assessment = incident.assessment
    if assessment is None:
        return _cause_alone(incident)
    if assessment.new.verdict is Verdict.UNMEASURABLE:
        return f"{_cause_alone(incident)} {_sentence(assessment.new.text)}"
    live = f"Version {incident.release.version}" if incident.release else "Live version"
    if incident.reason is Reason.SIBLINGS_FAIL:
        live += ", but for the minutes in which services beside it failed as well"
    text = f"{live}: {assessment.new.text}."
    if assessment.previous:
        text += f"\nThe version before: {assessment.previous.text}."
    return text


def _cause_alone(incident: Incident) -> str:
    """What is known where no numbers are."""
    if incident.ordered_by:
        return f"A rollback was ordered by {incident.ordered_by}."
    if incident.early:
        return f"It was judged before the alarm {incident.alarm_name} fired."
    return f"The alarm {incident.alarm_name} fired."


def _done(incident: Incident) -> str:
    if incident.acted_at:
        return "\n".join(_leg_done(incident, leg) for leg in incident.legs)
    last = incident.news
    told = _unended(last.text)
    if incident.state is State.ASKING:
        will = " and ".join(_would(incident, leg, past=False) for leg in incident.legs)
        return f"Nothing yet: {told}. With a yes it will {will}."
    if incident.legs:
        would = " and ".join(_would(incident, leg) for leg in incident.legs)
        because = "" if incident.reason in EVIDENT else f": {told}"
        return f"Nothing{because}. It would have {would}."
    unclear = incident.is_open and incident.reason is Reason.ACTION_UNCLEAR
    if unclear or incident.state is State.INDETERMINATE:
        return f"An attempt was made to roll back. Whether it did is not known: {told}."
    said = WORDS[incident.reason].said
    if incident.reason in EVIDENT or said in told:
        return f"Nothing: {said}."
    return f"Nothing: {told}." if _says_all(last) else f"Nothing: {said} ({told})."


LEG_STATES: dict[LegState, str] = {
    LegState.TO_DO: "its turn has not come",
    LegState.UNDER_WAY: "not back yet",
    LegState.BACK: "back",
    LegState.FAILED: "not rolled back",
    LegState.LEFT: "left as it is",
}


def _leg_done(incident: Incident, leg: Leg) -> str:
    """One line for each part of a rollback."""
    at = leg.at or incident.acted_at
    # Nothing has happened yet to what has not had its turn.
    when = f" ({_clock(at)})" if at and leg.state is not LegState.TO_DO else ""
    match leg.how:
        case How.MOVE:
            return f"Moved {leg.target.title} {_arrow(incident)} at {_clock(at)}." if at else ""
        case How.STOP if leg.state in {LegState.UNDER_WAY, LegState.BACK}:
            did = "Cancelled" if isinstance(leg.target, CloudFormationStack) else "Stopped"
            return f"{did} {leg.title}: {LEG_STATES[leg.state]}{when}."
        case How.STOP:
            # It was not told yet, never told, or in vain: nothing that was done is said of it.
            return f"{leg.title[:1].upper()}{leg.title[1:]}: {LEG_STATES[leg.state]}{when}."
        case How.REDEPLOY if incident.adopted:
            return f"Followed {leg.title}, which leads back: {LEG_STATES[leg.state]}{when}."
        case How.REDEPLOY if leg.state is LegState.FAILED:
            return f"Tried to deploy {_version_before(incident)} again, and that failed{when}."
        case How.REDEPLOY if leg.state is LegState.BACK:
            return f"Deployed {_version_before(incident)} again{when}."
        case How.REDEPLOY:
            begun = f"Began to deploy {_version_before(incident)} again"
            return f"{begun}: {LEG_STATES[leg.state]}{when}."
        case How.FOLLOW:
            return f"Followed {leg.title}: {LEG_STATES[leg.state]}{when}."
        case _:
            assert_never(leg.how)


def _would(incident: Incident, leg: Leg, *, past: bool = True) -> str:
    """What is done with a leg: "moved ..." or, of what is to come, "move ..."."""
    match leg.how:
        case How.MOVE:
            verb, rest = "move", f"{leg.target.title} {_arrow(incident)}"
        case How.STOP:
            verb = "cancel" if isinstance(leg.target, CloudFormationStack) else "stop"
            rest = leg.title
        case How.REDEPLOY:
            verb, rest = "deploy", f"{_version_before(incident)} again through {leg.target.title}"
        case How.FOLLOW:
            verb, rest = "follow", leg.title
        case _:
            assert_never(leg.how)
    return f"{PAST[verb] if past else verb} {rest}"


PAST = {
    "move": "moved",
    "stop": "stopped",
    "cancel": "cancelled",
    "deploy": "deployed",
    "follow": "followed",
}


def _stands(incident: Incident) -> str:
    """How it stands, for whoever reads nothing else but the headline: on a lock screen, say."""
    last = incident.news
    at, told = _clock(last.at), _said_last(incident)
    wanted = incident.verification
    return {
        State.UNDECIDED: f"Open since {_clock(incident.opened_at)}; judged again each minute.",
        State.ASKING: _asks(incident),
        State.ROLLING_BACK: f"Under way. At {at}: {told}.",
        State.WATCHING: f"Back since {_clock(incident.back_at or last.at)}. It counts as fixed once"
        f" healthy for {wanted.healthy_minutes} min; if it is not within"
        f" {wanted.deadline_minutes} min, a person is called.",
        State.FIXED: f"{'Healthy' if incident.ordered_by else 'Fixed'} at {at}: {told}.",
        State.NOT_FIXED: f"Not fixed at {at}: {told}.",
        State.UNKNOWN: f"Ended at {at}, outcome unknown: {told}.",
        State.STOOD_DOWN: f"Closed at {at} without acting.",
        State.INCOMPLETE: f"Ended at {at}, {_how_far(incident)}: {told}.",
        State.INDETERMINATE: f"Unknown since {at}: this needs your eyes.",
        State.UNDOING: f"Being undone since {at}: {told}.",
        State.UNDONE: f"Undone at {at}: {told}.",
    }[last.state]


def _asks(incident: Incident) -> str:
    until_at = incident.asks_until_at
    until = f" until {_clock(until_at)}; without one nothing is done" if until_at else ""
    return f"Waiting for a yes{until}."


def _how_far(incident: Incident) -> str:
    back, _ = incident.leg_counts()
    return "not brought back in full" if back else "not brought back"


def _said_last(incident: Incident) -> str:
    """The latest step; of failed rollbacks all of them: what failed, the command, what AWS said."""
    last = incident.news
    if last.reason is not Reason.ROLLBACK_STUCK:
        return _unended(last.text)
    told = (step.text for step in incident.steps if step.reason is Reason.ROLLBACK_STUCK)
    return ". ".join(dict.fromkeys(told))


def _next_step(incident: Incident) -> str:
    words = WORDS[incident.reason]
    if incident.drill and incident.state is State.UNDONE:
        return "Nothing: it was a rehearsal, and all is as it was."
    if incident.state is State.ASKING:
        # There may be no buttons, or nobody who may press them is near.
        return f"{words.next_step} By command: `rollback approve {incident.id}`."
    if incident.is_open and (incident.needs_a_person or incident.reason is Reason.PAUSED):
        return words.next_step
    if incident.state in {State.ROLLING_BACK, State.WATCHING, State.UNDOING}:
        return "Nothing yet: the outcome follows here."
    if incident.state is State.UNDECIDED:
        calls = "" if incident.reason in QUIET else "; if it stays so, you are called"
        return f"Nothing yet, unless you know better{calls}."
    ships = ""
    if words.ships:
        pointed = any(leg.how in {How.MOVE, How.REDEPLOY} for leg in incident.legs)
        ships = _ship_new_version(incident) if pointed else FIX_FIRST
    return f"{words.next_step} {ships}".strip()


def _ship_new_version(incident: Incident) -> str:
    known = incident.release
    return SHIP_NEW_VERSION.format(
        version=f"version {known.version}" if known else "the version that was rolled back"
    )


HOLD = Button(action="hold", label="Hold: leave it as it is")
FIX_FORWARD = Button(action="fix_forward", label="I fix it forward, for an hour")
RIGHT = Button(action="right", label="This was right")
WRONG = Button(action="wrong", label="This was a false alarm")


def _buttons(incident: Incident) -> Iterator[Button]:
    """What may be said about the incident as it stands."""
    if incident.state is State.ASKING:
        will = " and ".join(_would(incident, leg, past=False) for leg in incident.legs)
        yield Button(
            action="approve",
            label="Approve the rollback",
            style="primary",
            confirm=f"It will {will}.",
        )
    if incident.state in PENDING:
        yield HOLD
        yield FIX_FORWARD
    if incident.may_be_undone:
        version = incident.release.version if incident.release else "?"
        yield Button(
            action="undo",
            label="Undo the rollback",
            style="danger",
            confirm=f"Version {version} will serve again, and is not rolled back any more.",
        )
    if not incident.is_open and incident.ordered_by is None:
        yield RIGHT
        yield WRONG


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{_unended(text[1:])}."


def _unended(text: str) -> str:
    """For a sentence of ours to end: what AWS says may end one."""
    return text.removesuffix(".")


def _clock(instant: datetime) -> str:
    return f"{instant:%d %b %H:%M:%S} UTC"


def _links(incident: Incident, region: str) -> tuple[Link, ...]:
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
