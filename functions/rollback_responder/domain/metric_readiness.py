"""Readiness of a metric: whether there is anything to judge under the name that the policy gives.

Missing data counts as healthy, so a name that is not right would stay silent for ever. Only what a
person names is looked at: the metrics of an alias come with the alias, which is looked at itself.
"""

from collections.abc import Iterator

from msgspec import Struct

from rollback_responder.domain.finding import Check, Finding, Unread, finding, not_read
from rollback_responder.domain.metric import Series, question_of
from rollback_responder.domain.policy import Service
from rollback_responder.domain.trigger import AdoptedAlarm, PointerTrigger


class MetricFacts(Struct, frozen=True, kw_only=True):
    """A metric of a trigger, and whether it had a datum in the last two weeks."""

    trigger: str
    series: Series
    has_data: bool | Unread


def named_series(service: Service) -> Iterator[tuple[str, Series]]:
    """Each metric that a trigger of the service names, with the trigger's label."""
    for trigger in service.triggers:
        if isinstance(trigger, PointerTrigger | AdoptedAlarm):
            continue
        for series in question_of(trigger, None).series:
            yield trigger.label, series


def metric_findings(fact: MetricFacts) -> Iterator[Finding]:
    """What is wrong with one metric."""
    series = fact.series
    of = ", ".join(f"{name} {value}" for name, value in series.dimensions)
    about = f"metric {series.namespace} {series.metric_name}{f' of {of}' if of else ''}"
    if isinstance(fact.has_data, Unread):
        yield not_read(about, "whether it has data", fact.has_data)
    elif not fact.has_data:
        yield finding(
            Check.METRIC_WITHOUT_DATA,
            about,
            f"no datum in 14 days: the trigger {fact.trigger} stays silent",
            f"is the name right? {REASONS.get(series.namespace, OTHERWISE)}",
        )


OTHERWISE = "If it is only published when something fails, nothing has failed since"
REASONS = {
    "AWS/SQS": "SQS tells nothing of a queue that nobody has used for six hours",
    "AWS/ApiGateway": (
        "A REST API is known by its name, an HTTP API by its id; and nobody may have called it"
    ),
}
