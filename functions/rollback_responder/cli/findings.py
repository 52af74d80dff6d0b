"""What a replay found: each incident in one line, with its evidence and how long it took."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Any

from rollback_responder.cli.alarm_model import would_have_said
from rollback_responder.cli.history import History
from rollback_responder.cli.replay import Alarms, Progress, Replay, Replayed
from rollback_responder.domain.incident import Incident, State, Step
from rollback_responder.domain.judging import Evidence
from rollback_responder.domain.measurement import MINUTE
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.response import Mode
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.target import Pointer
from rollback_responder.domain.trigger import AdoptedAlarm, Trigger


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
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


# -- what another threshold changes ----------------------------------------------------------------


FACTORS = (0.5, 1.0, 2.0)
# None: as the policy has it.
BREACHING_MINUTES = (None, 1, 2, 3)
# What a threshold is called, and what it may be at most.
THRESHOLDS = {"threshold_percent": 100.0, "threshold_ms": 900_000.0, "times": 100.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The policy with other thresholds, against the policy as it is.

    `later_minutes` is the median over what both would roll back, or ask about; `lost` are those
    only of the policy as it is, `more` those only of the variant. Without `breaching_minutes` each
    trigger keeps its own.
    """

    factor: float
    breaching_minutes: int | None
    would_be: int
    later_minutes: float | None
    lost: int
    more: int


def varied(policy: Policy, factor: float, breaching_minutes: int | None) -> Policy:
    """All thresholds times a factor, and so many bad minutes, as far as a trigger has them."""
    services = tuple(
        replace(
            service,
            triggers=tuple(_varied(t, factor, breaching_minutes) for t in service.triggers),
        )
        for service in policy.services
    )
    return replace(policy, services=services)


def _varied(trigger: Trigger, factor: float, breaching_minutes: int | None) -> Trigger:
    changes: dict[str, Any] = {
        name: min(most, getattr(trigger, name) * factor)
        for name, most in THRESHOLDS.items()
        if hasattr(trigger, name)
    }
    if breaching_minutes is not None and hasattr(trigger, "breaching_minutes"):
        changes["breaching_minutes"] = min(breaching_minutes, getattr(trigger, "minutes", 1))
    return replace(trigger, **changes)


def sweep(history: History, policy: Policy, progress: Progress) -> tuple[Variant, ...]:
    """What other thresholds would have changed. All alarms are worked out anew, also the policy's.

    Compared by what was on trial: the service, and the version or the change.
    """
    base = _would_be(history, policy, progress)
    found = []
    for factor in FACTORS:
        for breaching_minutes in BREACHING_MINUTES:
            variant = varied(policy, factor, breaching_minutes)
            other = base if variant == policy else _would_be(history, variant, progress)
            both = [(other[key] - base[key]) / MINUTE for key in other if key in base]
            found.append(
                Variant(
                    factor=factor,
                    breaching_minutes=breaching_minutes,
                    would_be=len(other),
                    later_minutes=round(median(both), 1) if both else None,
                    lost=sum(key not in other for key in base),
                    more=sum(key not in base for key in other),
                )
            )
    return tuple(found)


def _would_be(
    history: History, policy: Policy, progress: Progress
) -> dict[tuple[str, str | None], datetime]:
    """What would be rolled back, or asked about, and when."""
    alarms = modelled(history, policy)
    replayed = Replay(history, policy, alarms=alarms, progress=progress).run()
    found: dict[tuple[str, str | None], datetime] = {}
    for finding in findings_of(history, replayed.incidents):
        if finding.kind in WOULD_BE:
            key = (finding.incident.service, finding.version or finding.incident.change)
            found.setdefault(key, finding.step.at)
    return found


# -- the whole -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What one policy would have done in one record."""

    history: History
    policy: Policy
    findings: tuple[Finding, ...]
    variants: tuple[Variant, ...]
    modelled: tuple[str, ...]
    replayed: Replayed

    def of(self, *kinds: Kind) -> tuple[Finding, ...]:
        """The findings of these kinds, oldest first."""
        return tuple(finding for finding in self.findings if finding.kind in kinds)

    def counts(self) -> Counter[Kind]:
        """How many of each kind."""
        return Counter(finding.kind for finding in self.findings)

    def _fired_before(self) -> int:
        """How often an alarm fired before there were minutes to judge it by."""
        names = {entry.alarm_name for entry in self.policy.watched()}
        return sum(
            reading.state is AlarmState.ALARM and reading.transitioned_at < self.history.begins_at
            for alarm in self.history.alarms
            if alarm.name in names
            for reading in alarm.readings
        )

    @property
    def unknown(self) -> tuple[str, ...]:
        """What this record cannot say, a sentence each."""
        said = list(self.history.unknown)
        if self.modelled:
            said.append(
                f"{len(self.modelled)} alarms of this policy were not there yet; what they would"
                " have said is worked out from the minutes"
            )
        early = self._fired_before()
        if early:
            said.append(f"an alarm of this policy fired {early} times before that; not judged")
        guessed = {s.by for one in self.history.pointers for s in one.stays} & {"publication"}
        if guessed:
            said.append("some releases are guessed from when their version was published")
        return (*said, *(f"while replaying: {problem}" for problem in self.replayed.problems))


def backtest(history: History, policy: Policy, *, with_sweep: bool, progress: Progress) -> Backtest:
    """Plays the record, and if asked to, again with other thresholds."""
    alarms = missing_alarms(history, policy)
    replayed = Replay(history, policy, alarms=alarms, progress=progress).run()
    return Backtest(
        history=history,
        policy=policy,
        findings=findings_of(history, replayed.incidents),
        variants=sweep(history, policy, progress) if with_sweep else (),
        modelled=tuple(alarms),
        replayed=replayed,
    )


def with_mode(policy: Policy, mode: Mode) -> Policy:
    """The policy as if everything in it had this mode."""
    services = tuple(
        replace(service, mode=None, triggers=tuple(replace(t, mode=None) for t in service.triggers))
        for service in policy.services
    )
    return replace(policy, mode=mode, services=services)


def pointer_of(finding: Finding) -> Pointer | None:
    """Where its symptom shows."""
    target = finding.incident.target
    return target if isinstance(target, Pointer) else None
