"""Phrases that several parts of a message share."""

from datetime import datetime

from rollback_responder.domain.incident import Incident, Step
from rollback_responder.notifiers.words import CLEAR, WORDS


def says_all(step: Step) -> bool:
    """Whether a step's own words need none of its reason's."""
    clear = step.reason in CLEAR and not step.aside
    return clear or WORDS[step.reason].said in step.text


def arrow(incident: Incident) -> str:
    """From which version to which."""
    before = incident.release.version if incident.release else "?"
    # Of an attempt that ended without a word it may not be known where it led.
    return f"v{before} → v{incident.to_version}" if incident.to_version else f"v{before}"


def version_before(incident: Incident) -> str:
    """Where it goes back to, as far as that is known."""
    if incident.to_version:
        return f"version {incident.to_version}"
    return f"the version before {incident.release.version if incident.release else 'it'}"


def sentence(text: str) -> str:
    """A text as a sentence of its own."""
    return f"{text[:1].upper()}{unended(text[1:])}."


def unended(text: str) -> str:
    """For a sentence of ours to end: what AWS says may end one."""
    return text.removesuffix(".")


def clock(instant: datetime) -> str:
    """An instant for people, without its year."""
    return f"{instant:%d %b %H:%M:%S} UTC"
