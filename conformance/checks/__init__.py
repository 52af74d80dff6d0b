"""All checks. A new one is a class in the file of its family, and a line here."""

from typing import Any

from conformance.check import Check
from conformance.checks import access, alarms, aliases, deployments, metrics, runtime, stacks

# Those that take least time first.
CHECKS: tuple[Check[Any], ...] = (
    runtime.FiveRoots(),
    alarms.ForgedSource(),
    aliases.WeightsStay(),
    aliases.RevisionBeforeVersion(),
    aliases.RevisionChanges(),
    aliases.DescriptionStays(),
    runtime.FormBody(),
    runtime.TimeoutLog(),
    runtime.ReducedData(),
    access.SimulationIsRight(),
    access.LambdaByTag(),
    access.StackByTag(),
    alarms.NarrowDescribe(),
    alarms.MuteRulesAreRead(),
    alarms.TopicTakesAlarmsOnly(),
    alarms.CompositeMessage(),
    alarms.SameInstant(),
    alarms.DisabledIsReported(),
    alarms.MutedIsReported(),
    stacks.MonitoringTime(),
    stacks.CancelToken(),
    stacks.UpdateHasAName(),
    stacks.WhoseRights(),
    deployments.OldStaysPrimary(),
    deployments.StopByGroup(),
    deployments.OwnSetting(),
    deployments.WaitingStop(),
    deployments.DeployGrants(),
    deployments.StackDrives(),
    metrics.VersionOfAllTraffic(),
    metrics.MetricsComeSoon(),
    metrics.ApiCountsSamples(),
)
