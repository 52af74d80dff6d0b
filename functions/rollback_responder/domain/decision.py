"""Deciding: all gates, the way back, then all switches. The order is theirs."""

from msgspec.structs import replace

from rollback_responder.domain.gates import GATES
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import way_back
from rollback_responder.domain.situation import Decision, RollBack, Situation, StandDown
from rollback_responder.domain.switches import SWITCHES
from rollback_responder.domain.trial import Trial


def decide(situation: Situation) -> Decision:
    """Roll back, ask, follow a rollback, or stand down, with the one reason that settled it.

    The gates are asked in the order of `GATES`, and the first that objects is the answer. Then all
    switches are asked in theirs: the first that forbids is the answer, else the first that asks. An
    approval is an answer to what asks, to nothing else.
    """
    for gate in GATES:
        objection = gate(situation)
        if objection:
            return objection
    trial = situation.on_trial
    if not isinstance(trial, Trial):
        raise TypeError(f"no gate objected, and yet {trial} is no change to undo")
    decision = proposed(situation, trial)
    if isinstance(decision, StandDown):
        return decision
    answers = [answer for switch in SWITCHES if (answer := switch(situation, decision))]
    forbidden = next((answer for answer in answers if isinstance(answer, StandDown)), None)
    if forbidden or not answers:
        return forbidden or decision
    approved = situation.is_approved(decision)
    return replace(decision, reason=Reason.APPROVED) if approved else answers[0]


def proposed(situation: Situation, trial: Trial) -> RollBack | StandDown:
    """No version is known to which it would lead back."""
    would = RollBack(reason=_why(situation), trial=trial)
    if not trial.moves_pointer:
        return would
    back = _way_back(situation)
    if isinstance(back, StandDown):
        return back
    return replace(would, to_version=back)


def _why(situation: Situation) -> Reason:
    trusted = situation.assessment.new.verdict is Verdict.UNMEASURABLE
    return Reason.ALARM_TRUSTED if trusted else Reason.METRIC_BREACHING


def _way_back(situation: Situation) -> str | StandDown:
    """The version to go back to."""
    ledger, observation = situation.ledger, situation.observation
    never = situation.never_back_to
    version = way_back(ledger, observation, never) if ledger and observation else None
    if version is None:
        suspect = observation.suspect if observation else "it"
        but = f" (the policy never goes back to {', '.join(sorted(never))})" if never else ""
        return StandDown(
            reason=Reason.NO_PROVEN_RELEASE,
            text=f"no version older than {suspect} has proved itself{but}",
        )
    return version
