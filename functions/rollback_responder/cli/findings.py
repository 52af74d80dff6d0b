"""What a replay found: each incident in one line, with its evidence and how long it took."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.cli.alarm_model import would_have_said
from rollback_responder.cli.history import History
from rollback_responder.cli.replay import Alarms
from rollback_responder.domain.incident import Incident, State, Step
from rollback_responder.domain.judging import Evidence
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import AdoptedAlarm


class Kind(StrEnum):
    """What this policy would have done."""

    ROLL_BACK = "would roll back"
    ASK = "would ask"
    SAY = "would say so"
    FOLLOW = "would follow"
    STAND_DOWN = "would stand down"
    UNDECIDED = "would be undecided"


ACTED = frozenset({State.ROLLING_BACK, State.WATCHING})
# What a different threshold can change the number of.
WOULD_BE = frozenset({Kind.ROLL_BACK, Kind.ASK, Kind.SAY})


class Finding(Struct, frozen=True, kw_only=True):
    """One incident of a replay.

    Attributes:
        incident: as the house would have journaled it.
        kind: what would have been done.
        step: the step that says so: when, why, in what words.
        deployed_at: when what was on trial went live, as the record has it.
        version: what was on trial, where it is a version.
        times: how often the same was said of the same transition of the alarm.
    """

    incident: Incident
    kind: Kind
    step: Step
    deployed_at: datetime | None
    version: str | None
    times: int = 1

    @property
    def evidence(self) -> Evidence | None:
        """The numbers of the latest judgement."""
        return self.incident.assessment.new if self.incident.assessment else None

    @property
    def fired_at(self) -> datetime | None:
        """When its alarm fired; None where it was judged before it did."""
        return None if self.incident.early else self.incident.alarm_since_at

    @property
    def minutes_from_deploy(self) -> float | None:
        """How long after the deploy."""
        return _minutes(self.deployed_at, self.step.at)

    @property
    def minutes_from_alarm(self) -> float | None:
        """How long after the alarm."""
        return _minutes(self.fired_at, self.step.at)


def _minutes(since: datetime | None, until: datetime) -> float | None:
    return round((until - since) / MINUTE, 1) if since else None


def findings_of(history: History, incidents: Sequence[Incident]) -> tuple[Finding, ...]:
    """What each incident comes to."""
    found = []
    for incident in incidents:
        kind, step = _kind(incident)
        version = incident.release.version if incident.release else None
        found.append(
            Finding(
                incident=incident,
                kind=kind,
                step=step,
                deployed_at=_deployed_at(history, incident, version, step.at),
                version=version,
            )
        )
    return tuple(_once(found))


def _once(findings: Sequence[Finding]) -> Iterator[Finding]:
    """What stands down for the same reason about the same transition, told once."""
    told: dict[object, Finding] = {}
    for finding in findings:
        incident = finding.incident
        key: object = incident.id
        if finding.kind is Kind.STAND_DOWN:
            alarm = incident.alarm_name, incident.alarm_since_at
            key = incident.service, alarm, finding.step.reason, finding.step.text
        before = told.get(key)
        told[key] = replace(before, times=before.times + 1) if before else finding
    yield from told.values()


def _kind(incident: Incident) -> tuple[Kind, Step]:
    steps = incident.steps
    if incident.adopted:
        return Kind.FOLLOW, steps[0]
    for step in steps:
        if step.state in ACTED:
            return Kind.ROLL_BACK, step
    for step in steps:
        if step.state is State.ASKING:
            return Kind.ASK, step
        if step.reason is Reason.OBSERVE_MODE:
            return Kind.SAY, step
    return (Kind.UNDECIDED if incident.is_open else Kind.STAND_DOWN), steps[-1]


def _deployed_at(
    history: History, incident: Incident, version: str | None, at: datetime
) -> datetime | None:
    """When the version went live by the record, else when the deployment or update began."""
    for rollout in history.rollouts:
        for phase in rollout.phases:
            if phase.sight and phase.sight.change == incident.change and phase.sight.began_at:
                return phase.sight.began_at
    target = incident.target.target_id
    stays = [stay for one in history.pointers if one.target == target for stay in one.stays]
    live = [s.from_at for s in stays if version in {s.primary, s.other} and s.from_at <= at]
    return live[-1].replace(second=0, microsecond=0) if live else None


# -- the alarms that were not there --------------------------------------------------------------


def modelled(history: History, policy: Policy) -> Alarms:
    """What every alarm that this policy would make would have said."""
    tracks, bands = history.tracks(), history.bands()
    return {
        entry.alarm_name: would_have_said(
            question_of(entry.trigger, entry.pointer),
            tracks,
            bands,
            history.begins_at,
            history.to_at,
        )
        for entry in policy.watched()
        if not isinstance(entry.trigger, AdoptedAlarm)
    }


def missing_alarms(history: History, policy: Policy) -> Alarms:
    """The same, of those only that the record has not."""
    known = {alarm.name for alarm in history.alarms}
    return {name: said for name, said in modelled(history, policy).items() if name not in known}


def pointer_of(finding: Finding) -> Pointer | None:
    """Where its symptom shows."""
    target = finding.incident.target
    return target if isinstance(target, Pointer) else None
