"""An incident as a message: pure, and the same words wherever it is shown.

The headline never lies: it says what was done, whether it helped, or why nothing was done.
"""

from collections.abc import Iterator

from msgspec import Struct

from rollback_responder.domain.incident import PENDING, Incident, State, Step
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.notifiers.deeds import done, would
from rollback_responder.notifiers.headline import headline
from rollback_responder.notifiers.links import Link, links
from rollback_responder.notifiers.phrases import clock, says_all, sentence
from rollback_responder.notifiers.standing import next_step, stands
from rollback_responder.notifiers.words import WORDS

APPROVE = "approve"


class Button(Struct, frozen=True, kw_only=True):
    """What a person may say. `confirm` is what they are asked before it counts."""

    action: str
    label: str
    style: str | None = None
    confirm: str | None = None


class Message(Struct, frozen=True, kw_only=True):
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

    @property
    def asks(self) -> bool:
        """Whether it waits for somebody's yes."""
        return any(button.action == APPROVE for button in self.buttons)


def message_of(incident: Incident, *, account_id: str, region: str) -> Message:
    """The message about an incident as it stands."""
    return Message(
        service=incident.service,
        incident_id=incident.id,
        icon=ICONS[incident.state],
        headline=headline(incident),
        facts=_facts(incident),
        happened=_happened(incident),
        done=done(incident),
        stands=stands(incident),
        next_step=next_step(incident),
        links=links(incident, region),
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


def reply(step: Step) -> str:
    """One step of the incident, for the thread."""
    said = WORDS[step.reason].said
    told = step.text if says_all(step) else f"{said}: {step.text}"
    return f"{step.at:%H:%M:%S} UTC · {told}"


def _facts(incident: Incident) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Service", f"{incident.service} ({incident.environment})"),
        ("Severity", incident.severity.value),
        _cause(incident),
    ]
    if incident.approved_by:
        facts.append(("Approved", f"by {incident.approved_by}"))
    if incident.release:
        release, origin = incident.release, ORIGINS[incident.release.origin]
        # Whoever publishes writes it: in one line it can pass for no fact of ours.
        said = " ".join((release.about or "").split())
        about = f" ({said})" if said else ""
        since = f"{origin} {clock(release.since_at)}"
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
        return "Ordered", f"by {incident.ordered_by}, {clock(incident.order_at)}"
    at = clock(incident.alarm_since_at)
    if incident.reason is Reason.ALARM_GONE:
        return "Alarm", f"{incident.alarm_name}, which does not exist"
    since = f"judged before it fired, at {at}" if incident.early else f"fired at {at}"
    return "Alarm", f"{incident.alarm_name}, {since}"


def _happened(incident: Incident) -> str:
    assessment = incident.assessment
    if assessment is None:
        return _cause_alone(incident)
    if assessment.new.verdict is Verdict.UNMEASURABLE:
        return f"{_cause_alone(incident)} {sentence(assessment.new.text)}"
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


HOLD = Button(action="hold", label="Hold: leave it as it is")
FIX_FORWARD = Button(action="fix_forward", label="I fix it forward, for an hour")
RIGHT = Button(action="right", label="This was right")
WRONG = Button(action="wrong", label="This was a false alarm")


def _buttons(incident: Incident) -> Iterator[Button]:
    """What may be said about the incident as it stands."""
    if incident.state is State.ASKING:
        will = " and ".join(would(incident, leg, past=False) for leg in incident.legs)
        yield Button(
            action=APPROVE,
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
