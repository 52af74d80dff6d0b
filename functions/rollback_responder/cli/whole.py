"""A whole backtest: what the policy would have done, and what others would have changed."""

from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.cli.findings import Finding, Kind, findings_of, missing_alarms
from rollback_responder.cli.history import History
from rollback_responder.cli.replay import Progress, Replay, Replayed
from rollback_responder.cli.sweep import Variant, sweep
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.response import Mode
from rollback_responder.domain.signal import AlarmState


class Backtest(Struct, frozen=True, kw_only=True):
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
