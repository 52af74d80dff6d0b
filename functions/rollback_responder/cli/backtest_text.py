"""What `rollback backtest` prints: tables for people, a document for scripts."""

from typing import Any

from rich.text import Text

from rollback_responder.cli.findings import Finding, Kind
from rollback_responder.cli.screen import BAD, DOUBT, GOOD, PALE, Screen
from rollback_responder.cli.sweep import Variant
from rollback_responder.cli.whole import Backtest
from rollback_responder.domain.document import write

STYLES = {
    Kind.ROLL_BACK: BAD,
    Kind.SAY: BAD,
    Kind.ASK: DOUBT,
    Kind.FOLLOW: "",
    Kind.STAND_DOWN: PALE,
    Kind.UNDECIDED: DOUBT,
}

ALWAYS_UNKNOWN = """
Alarms of more than two weeks ago, as far as CloudWatch has let go of their history.
What the minutes after a would-be rollback would have shown: the record goes on as it went.
Whether an alarm's actions were disabled, muted or suppressed at the time, and what people had\
 said: paused, fix forward, marks and approvals. It is played as if nobody had said anything.
How late CloudWatch showed a minute: each is taken to be complete when it ends, and a real answer\
 may come a minute or two later.
Where the responder itself rolled back in this record, the bad minutes end there: a slower\
 threshold then seems to miss what it would only have seen later.
Versions that have been deleted, and versions behind an alias that nobody called.
""".strip().splitlines()


def show(screen: Screen, found: Backtest) -> None:
    """The whole, on a terminal."""
    history = found.history
    days = (history.to_at - history.from_at).total_seconds() / 86400
    screen.line(
        f"{found.policy.environment}, mode {found.policy.mode.value}:"
        f" {history.from_at:%d %b %H:%M} to {history.to_at:%d %b %H:%M} UTC, {days:.1f} days",
        "bold",
    )
    screen.line(summary(found))
    screen.line()
    would = found.of(Kind.ROLL_BACK, Kind.ASK, Kind.SAY)
    if would:
        screen.table(
            ["", "WHEN", "IT", "SERVICE", "WHAT", "AFTER DEPLOY", "AFTER ALARM"],
            [_would_row(number, finding) for number, finding in enumerate(would, start=1)],
        )
        screen.line()
        for number, finding in enumerate(would, start=1):
            screen.line(f"  {number}  {finding.step.reason.value}: {grounds(finding)}")
        screen.line()
    rest = found.of(Kind.STAND_DOWN, Kind.FOLLOW, Kind.UNDECIDED)
    for finding in rest:
        line = Text(f"{finding.step.at:%d %b %H:%M}  ")
        line.append(finding.kind.value, style=STYLES[finding.kind])
        incident = finding.incident
        line.append(f"  {incident.service}, {incident.alarm_name}: {finding.step.reason.value}")
        screen.out.print(line, soft_wrap=True)
        screen.line(f"              {repeated(finding)}", PALE)
    if rest:
        screen.line()
    if found.variants:
        _sweep(screen, found.variants)
    screen.line("What this cannot know", "bold")
    for text in (*found.unknown, *ALWAYS_UNKNOWN):
        screen.line(f"  {text}", PALE)


def summary(found: Backtest) -> str:
    """The whole in one line."""
    counts = found.counts()
    parts = [f"{kind.value} {_times(counts[kind])}" for kind in Kind if counts[kind]]
    return f"It {', '.join(parts)}." if parts else "No alarm of this policy asked for anything."


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def grounds(finding: Finding) -> str:
    """What it rests on: the numbers where they settled it, else the reason in words."""
    if finding.kind in {Kind.ROLL_BACK, Kind.SAY} and finding.evidence:
        return finding.evidence.text
    return finding.step.text


def what(finding: Finding) -> str:
    """What would be undone, and where it leads."""
    incident = finding.incident
    leg = incident.legs[0].title if incident.legs else f"version {finding.version}"
    to = f" → {incident.to_version}" if incident.to_version else ""
    return f"{incident.target.title}: {leg}{to}"


def minutes(number: float | None) -> str:
    """A delay for people."""
    return "-" if number is None else f"{number:g} min"


def repeated(finding: Finding) -> str:
    """Its words, and how often they were said."""
    often = f" ({finding.times} times)" if finding.times > 1 else ""
    return f"{finding.step.text}{often}"


def _would_row(number: int, finding: Finding) -> list[str | Text]:
    return [
        str(number),
        f"{finding.step.at:%d %b %H:%M}",
        Text(finding.kind.value, style=STYLES[finding.kind]),
        finding.incident.service,
        what(finding),
        minutes(finding.minutes_from_deploy),
        minutes(finding.minutes_from_alarm) if finding.fired_at else "before it",
    ]


def variant(one: Variant) -> tuple[str, str]:
    """A row of the sweep in words: its thresholds, and its bad minutes."""
    bad = "its own" if one.breaching_minutes is None else str(one.breaching_minutes)
    return f"{one.factor:g} times", bad


def is_own(one: Variant) -> bool:
    """Whether it is the policy as it is."""
    return one.factor == 1 and one.breaching_minutes is None


def _sweep(screen: Screen, variants: tuple[Variant, ...]) -> None:
    screen.line("With other thresholds (alarms worked out from the minutes)", "bold")
    screen.table(
        ["THRESHOLDS", "BAD MINUTES", "WOULD BE", "LATER BY", "LOST", "MORE"],
        [
            [
                *(Text(word, style="bold" if is_own(one) else "") for word in variant(one)),
                str(one.would_be),
                minutes(one.later_minutes),
                Text(str(one.lost), style=BAD if one.lost else GOOD),
                Text(str(one.more), style=DOUBT if one.more else GOOD),
            ]
            for one in variants
        ],
    )
    screen.line()


def document_of(found: Backtest) -> dict[str, Any]:
    """The same for a script. Keys stay; new ones may come."""
    history = found.history
    return {
        "environment": found.policy.environment,
        "mode": found.policy.mode.value,
        "from": history.from_at.isoformat(),
        "to": history.to_at.isoformat(),
        "counts": {kind.name.lower(): number for kind, number in sorted(found.counts().items())},
        "findings": [_finding(finding) for finding in found.findings],
        "sweep": [write(variant) for variant in found.variants],
        "unknown": [*found.unknown, *ALWAYS_UNKNOWN],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    incident, evidence = finding.incident, finding.evidence
    return {
        "kind": finding.kind.name.lower(),
        "times": finding.times,
        "at": finding.step.at.isoformat(),
        "service": incident.service,
        "target": incident.target.target_id,
        "alarm": incident.alarm_name,
        "reason": finding.step.reason.value,
        "text": finding.step.text,
        "version": finding.version,
        "to_version": incident.to_version,
        "change": incident.change,
        "deployed_at": finding.deployed_at.isoformat() if finding.deployed_at else None,
        "alarm_fired_at": finding.fired_at.isoformat() if finding.fired_at else None,
        "minutes_from_deploy": finding.minutes_from_deploy,
        "minutes_from_alarm": finding.minutes_from_alarm,
        "evidence": write(evidence) if evidence else None,
    }
