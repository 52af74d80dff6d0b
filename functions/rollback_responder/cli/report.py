"""What is to be told of an incident in full: pure, rendered as Markdown, as a page, on a screen.

The words are those of Slack, and every number is the journal's.
"""

from collections.abc import Sequence

from msgspec import Struct

from rollback_responder.cli.figures import figures_of, told
from rollback_responder.cli.records import Label
from rollback_responder.cli.screen import clock
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.judging import Evidence
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.said import Said
from rollback_responder.notifiers.deeds import LEG_STATES
from rollback_responder.notifiers.links import Link
from rollback_responder.notifiers.message import message_of, reply

FIGURES = "Figures"
Pairs = tuple[tuple[str, str], ...]


class Report(Struct, frozen=True, kw_only=True):
    """An incident in full. Every string is plain text; whoever renders it escapes it.

    `summary` has a title and a text for each part, `timeline` an instant and what happened.
    """

    incident_id: str
    state: State
    headline: str
    facts: Pairs
    summary: Pairs
    figures: Pairs
    evidence: Pairs
    parts: Pairs
    timeline: Pairs
    questions: tuple[str, ...]
    links: tuple[Link, ...]
    footer: str


def report_of(
    incident: Incident,
    *,
    label: Label | None = None,
    said: Sequence[Said] = (),
    account_id: str | None = None,
    region: str | None = None,
) -> Report:
    """The report of an incident as it stands, with what people `said` of it.

    Without a region it has no links to the console.
    """
    message = message_of(incident, account_id=account_id or "", region=region or "")
    where = [f"account {account_id}"] if account_id else []
    where += [region] if region else []
    return Report(
        incident_id=incident.id,
        state=incident.state,
        headline=message.headline,
        facts=(*message.facts, *_label(label)),
        summary=tuple(
            (title, text)
            for title, text in (
                ("What happened", message.happened),
                ("What was done", message.done),
                ("How it stands", message.stands),
                ("Next", message.next_step),
            )
            if text
        ),
        figures=_figures(incident),
        evidence=_evidence(incident),
        parts=_parts(incident),
        timeline=_timeline(incident, said),
        questions=_questions(incident),
        links=message.links if region else (),
        footer=" · ".join([incident.reason.value, incident.id, *where]),
    )


def _label(label: Label | None) -> Pairs:
    if label is None:
        return ()
    return (("Label", f"{'right' if label.is_right else 'a false alarm'}, says {label.by}"),)


def _figures(incident: Incident) -> Pairs:
    figures = figures_of(incident)
    return (
        ("Alarm to action", told(figures.alarm_to_action)),
        ("Action to everything back", told(figures.action_to_back)),
        ("Action to recovery", told(figures.action_to_recovery)),
        ("Alarm to recovery", told(figures.alarm_to_recovery)),
        ("First look to the end", told(figures.opened_to_end)),
    )


def _evidence(incident: Incident) -> Pairs:
    """The judgement that counted last, of the suspect and of the version before."""
    assessment = incident.assessment
    if assessment is None:
        return ()
    previous = [("Version before", _judged(assessment.previous))] if assessment.previous else []
    return (
        ("New version", _judged(assessment.new)),
        *previous,
        ("Compared with", BASELINES[assessment.baseline.value]),
    )


BASELINES = {
    "beside": "the version before, in the same minutes",
    "before": "the version before, in its last hour",
    "none": "nothing: the version before is not known",
}


def _judged(evidence: Evidence) -> str:
    return f"{evidence.verdict.value.replace('_', ' ')}: {evidence.text}"


def _parts(incident: Incident) -> Pairs:
    """Each target's part in the rollback."""
    return tuple(
        (
            leg.target.title,
            f"{leg.how.value.replace('_', ' ')} {leg.title}: "
            + (LEG_STATES[leg.state] if incident.acted_at else "not begun")
            + (f" ({clock(leg.at)})" if leg.at and incident.acted_at else ""),
        )
        for leg in incident.legs
    )


def _timeline(incident: Incident, said: Sequence[Said]) -> Pairs:
    """Every instant that the journal holds, in order; also who said what."""
    release = incident.release
    fired = "the responder judged it before the alarm" if incident.early else "the alarm fired"
    events = [
        (incident.alarm_since_at, f"{fired} ({incident.alarm_name})"),
        (incident.opened_at, "the responder looked first"),
        *(
            (step.at, f"{step.state.value.replace('_', ' ')}: {_words(reply(step))}")
            for step in incident.steps
        ),
    ]
    if release:
        events.append((release.since_at, f"version {release.version} was first seen live"))
    if incident.back_at:
        events.append((incident.back_at, "everything was back"))
    events += [(each.at, f"a person said: {each.text}") for each in said]
    # In the order of the journal where the instants are the same.
    return tuple((clock(at), text) for at, text in sorted(events, key=lambda event: event[0]))


def _words(line: str) -> str:
    """A step's words without its time, which stands beside them here."""
    return line.partition(" · ")[2]


def _questions(incident: Incident) -> tuple[str, ...]:
    """What only people can answer."""
    asked = [
        "Who was affected, how many, and what did they see?",
        "What was the fault, and in which change did it come?",
        "Why did no test and no review find it before the deploy?",
    ]
    if incident.acted_at is None:
        asked.append("Nothing was rolled back by the responder: was that right? What ended it?")
    elif incident.state is State.FIXED:
        asked.append("What has to be in the next version, so that it can be deployed again?")
    else:
        asked.append("The rollback did not end it for sure: what did, and when?")
    if incident.reason in {Reason.INCONCLUSIVE, Reason.METRIC_HEALTHY, Reason.UNMEASURABLE}:
        asked.append("Should the trigger's threshold or its floors change?")
    return (
        *asked,
        "Was the alarm early enough? Was anybody paged who need not be, or not who should?",
        "Which follow-ups are there, who has each, and until when?",
    )
